"""`imgkit prep`: a data set for training, built from one folder of images for each class."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import click

from imgkit.cli import options
from imgkit.cli.values import find, nothing_done, usage

PRESETS = ("imagenet", "clip", "siglip", "inception", "cifar10", "letterbox", "none")


@click.command(short_help="Build a data set for training: resized, split, packed, with a card.")
@options.src_folder_argument
@click.argument("dst", type=click.Path(file_okay=False))
@click.option(
    "--preset",
    type=click.Choice(PRESETS),
    default="imagenet",
    show_default=True,
    help="How images are brought to a size.",
)
@click.option("--size", type=click.IntRange(1, 16383), help="Side of the results, in pixels.")
@click.option("--split", metavar="A/B/C", help="Parts train, val and test.  [default: 80/10/10]")
@click.option("--folds", type=click.IntRange(2, 100), help="K folds in place of a split.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("folder", "webdataset", "npy")),
    default="folder",
    show_default=True,
    help="Folders of images, tar shards, or arrays.",
)
@click.option(
    "--image-format",
    type=click.Choice(("jpg", "png", "webp")),
    default="jpg",
    show_default=True,
    help="Format of the images; npy has none.",
)
@options.quality_option
@click.option(
    "--per-shard",
    type=click.IntRange(1, 1_000_000),
    default=1000,
    show_default=True,
    help="Images in a shard or a batch.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    default=0,
    show_default=True,
    help="Another seed, another split.",
)
@options.workers_option
@options.max_pixels_option
@click.option("--force", is_flag=True, help="Replace the data set at DST.")
@click.option("--dry-run", is_flag=True, help="Print the part of each image, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print dataset.json on stdout at the end.")
def prep(
    src: str,
    dst: str,
    preset: str,
    size: int | None,
    split: str | None,
    folds: int | None,
    form: str,
    image_format: str,
    quality: int,
    per_shard: int,
    seed: int,
    workers: int | None,
    max_pixels: int,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Build a data set of SRC, which has one folder of images for each class.

    Each image is resized, and goes to a part by a hash of its path: adding files does not move
    other images. DST gets the parts and a card, README.md, with the mean and deviation to
    normalize by; it appears when all is done. After an interruption the same command continues.

    \b
    Examples:
      imgkit prep photos dataset --preset imagenet --split 80/10/10
      imgkit prep photos shards --format webdataset --size 160 --workers 4
      imgkit prep photos arrays --preset cifar10 --folds 5 --format npy
    """
    if split is not None and folds is not None:
        raise click.UsageError("--split and --folds exclude each other")
    from imgkit.dataset import presets
    from imgkit.dataset import split as splitting
    from imgkit.io.files import printable_path

    with usage("--split"):
        split_rule = (
            splitting.folds(folds, seed) if folds else splitting.split(split or "80/10/10", seed)
        )
    if size is not None and presets.PRESETS[preset] is None:
        raise click.BadParameter("images keep their size under --preset none", param_hint="--size")
    build = splitting.BuildOptions(
        split_rule, preset, size, form, image_format, quality, per_shard, max_pixels
    )
    found = find(src)
    if not found.images:
        if as_json:
            click.echo(json.dumps({"images": 0, "unread": found.unread}))
        raise nothing_done(src, found)
    with usage("SRC"):
        planned = splitting.plan(found.images, src, dst, build)
    if dry_run:
        for image in sorted(planned):
            click.echo(f"{printable_path(image.path)} -> {image.part}")
        echo_parts(planned)
        return 0
    code, facts = make(planned, src, dst, build, workers, force)
    if as_json:
        unread = {"unread": found.unread} if found.unread else {}
        click.echo(json.dumps(facts | unread))
    return code


def make(
    planned: list[Any],
    src: str,
    dst: str,
    build: Any,
    workers: int | None,
    force: bool,
) -> tuple[int, dict[str, Any]]:
    """Build the data set and print the outcome; return the exit code and the card's facts."""
    from imgkit.cli.progress import FileProgress, cores
    from imgkit.dataset import build as dataset
    from imgkit.dataset import card, shards
    from imgkit.dataset.staging import check_free

    with usage("DST"):
        check_free(dst, force)
    if build.format == "webdataset":
        try:
            shards.load_arrow()
        except ModuleNotFoundError as error:
            raise click.UsageError(str(error)) from None
    with FileProgress(len(planned)) as progress:
        try:
            result = dataset.build(
                planned,
                src,
                dst,
                build,
                workers=workers or cores(),
                force=force,
                on_image=progress.show,
            )
        except (KeyboardInterrupt, OSError) as error:
            click.echo("DST is unchanged. The same command continues from here.", err=True)
            if isinstance(error, FileExistsError):  # it appeared during the work
                raise click.BadParameter(str(error), param_hint="DST") from None
            raise
    if result.kept:
        click.echo(f"{result.kept} images were done before", err=True)
    bad = {row.path for row in result.failures}
    echo_parts([image for image in planned if image.path not in bad])
    for note in card.notes(result):
        click.echo(f"note: {note}", err=True)
    return 1 if result.failures else 0, card.describe(result)


def echo_parts(planned: list[Any]) -> None:
    """Print the number of images of each part."""
    counts = Counter(image.part for image in planned)
    parts = ", ".join(f"{part}: {n}" for part, n in counts.items())
    click.echo(f"{len(planned)} images: {parts}", err=True)
