"""`imgkit preview`: originals and variants side by side."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from imgkit.cli import options
from imgkit.cli.values import find, nothing_done, usage


@click.command(short_help="Show originals and variants side by side, as a picture or a page.")
@options.pipeline_argument
@click.argument("src", type=click.Path(exists=True))
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE.png|FILE.html",
    type=click.Path(dir_okay=False),
    help="A contact sheet, or a page that shows the drawn numbers too.",
)
@click.option(
    "--count",
    type=click.IntRange(1, 500),
    default=8,
    show_default=True,
    help="Images to show, taken evenly from those of SRC.",
)
@click.option(
    "--variants", type=click.IntRange(1, 100), default=4, show_default=True, help="Of each image."
)
@options.seed_option
@options.epoch_option
@options.import_option
@click.option(
    "--labels",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="JSON of boxes, their labels and keypoints for each relative path.",
)
def preview(
    pipeline: str,
    src: str,
    output: str,
    count: int,
    variants: int,
    seed: int | None,
    epoch: int,
    labels: str | None,
) -> int:
    """Show what a pipeline file does to images of SRC, a folder or one file.

    The variants are those that 'imgkit augment' writes for the same seed and epoch. The page is
    one file: it opens without a network. --labels draws boxes and keypoints where the pipeline
    takes them: {"a.jpg": {"boxes": [[x0, y0, x1, y1]], "labels": ["cat"], "keypoints": [[x, y]]}}

    \b
    Examples:
      imgkit preview samples/pipelines/augment.yaml photos -o page.html
      imgkit preview augment.yaml photos -o sheet.png --count 12 --variants 6 --seed 7
      imgkit preview augment.yaml photos -o page.html --labels boxes.json
    """
    if not output.lower().endswith((".png", ".html", ".htm")):
        raise click.BadParameter(f"{output!r} ends in neither .png nor .html", param_hint="-o")
    found = options.read_file(pipeline, "PIPELINE")
    from imgkit.folder.precheck import probe
    from imgkit.folder.task import collect_warnings
    from imgkit.io.encode import encode
    from imgkit.io.files import commit, resolve_target
    from imgkit.report import contact_sheet as sheet
    from imgkit.report import pictures

    known = read_labels(labels)
    seeds = options.choose_seed(found, options.SeedOptions(variants, seed, epoch))
    with usage("PIPELINE"):
        found = options.with_seed(found, seeds.seed)
        probe(found)
        if known:
            pictures.check_labels_follow(found)
        notes = found.explain()
    with usage("SRC"):
        root, paths = choose(src, count)
    check_labels(known, root, labels)
    with usage("-o"):
        inputs = [*(os.path.join(root, path) for path in paths), pipeline, *filter(None, [labels])]
        target = resolve_target(output, "-o", inputs)
    seeds.echo()
    with collect_warnings() as messages:
        shown_rows = [show(found, root, path, variants, epoch, known) for path in paths]
    if messages:
        click.echo(f"warning: {messages[0]}", err=True)
    rows = [row for row in shown_rows if row is not None]
    if not rows:
        return 1
    title = os.path.basename(pipeline) if pipeline != "-" else "pipeline"
    facts = {"images": str(len(rows)), "variants": str(variants)}
    facts |= {} if seeds.seed is None else {"seed": str(seeds.seed), "epoch": str(epoch)}
    if output.lower().endswith(".png"):
        data = encode(sheet.contact_sheet(rows, title, facts), "png")
    else:
        data = sheet.sheet_page(rows, title, facts, notes).encode("utf-8", "backslashreplace")
    with usage("-o"):
        commit(target, data)
    return 0 if len(rows) == len(paths) else 1


def read_labels(path: str | None) -> dict[str, Any]:
    """Read the file of labels."""
    from imgkit.report.pictures import read_labels as check

    if path is None:
        return {}
    with usage("--labels"), open(path, encoding="utf-8") as file:
        try:
            content = json.load(file)
        except ValueError as error:
            raise ValueError(f"{path} is not JSON: {error}") from None
        return check(content)


def choose(src: str, count: int) -> tuple[str, list[str]]:
    """Return the folder and the paths of the images to show, taken evenly."""
    if os.path.isfile(src):
        return os.path.dirname(src) or os.curdir, [os.path.basename(src)]
    found = find(src)
    if not found.images:
        raise nothing_done(src, found)
    paths = [image.path for image in found.images]
    step = max(1.0, len(paths) / count)
    return src, [paths[int(i * step)] for i in range(min(count, len(paths)))]


def check_labels(known: dict[str, Any], root: str, labels: str | None) -> None:
    """Raise if no label belongs to an image of SRC."""
    if known and not any(os.path.isfile(os.path.join(root, path)) for path in known):
        raise click.BadParameter(
            f"{labels} names no image of SRC; its first path is {next(iter(known))!r}",
            param_hint="--labels",
        )


def show(
    pipeline: Any, root: str, path: str, variants: int, epoch: int, known: dict[str, Any]
) -> Any:
    """Return the row of an image; on failure print a line on stderr and return None."""
    from imgkit.folder.plan_outputs import draw_index
    from imgkit.folder.task import failed
    from imgkit.io.decode import decode
    from imgkit.io.files import printable_path
    from imgkit.report import pictures

    try:
        with open(os.path.join(root, path), "rb") as file:
            image = decode(file.read())
        labels = known.get(path, {})
        drawn = [
            pictures.draw_variant(
                pipeline, image, (epoch, draw_index(path, copy)), str(copy), labels
            )
            for copy in range(1, variants + 1)
        ]
        return pictures.Row(
            pictures.draw_original(image, printable_path(path), labels), tuple(drawn)
        )
    except Exception as error:  # as in a run: one image that fails does not end the others
        row = failed(path, error)
        click.echo(f"failed: {printable_path(path)}: {row.error}: {row.message}", err=True)
        return None
