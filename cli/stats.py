"""`imgkit stats`: figures of a folder of images."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from imgkit.cli import options
from imgkit.cli.values import usage


@click.command(short_help="Measure a folder: mean and std, sizes, formats, classes, bad files.")
@options.src_folder_argument
@options.json_option
@click.option(
    "--plot",
    metavar="FILE.png|FILE.html",
    type=click.Path(dir_okay=False),
    help="Draw the figures as a picture, or as a page with all of them.",
)
@options.workers_option
@options.max_pixels_option
def stats(src: str, as_json: bool, plot: str | None, workers: int | None, max_pixels: int) -> int:
    """Measure the images of SRC: mean and standard deviation of each channel, sizes, formats.

    Values are fractions of the full range, over all pixels, as 'Normalize' takes them. The first
    folder on an image's path is its class. Files that cannot be read are listed: exit code 1.

    \b
    Examples:
      imgkit stats photos
      imgkit stats photos --plot stats.png --workers 2
      imgkit stats photos --json | jq .normalize
    """
    if plot is not None and not plot.lower().endswith((".png", ".html", ".htm")):
        raise click.BadParameter(f"{plot!r} ends in neither .png nor .html", param_hint="--plot")
    from imgkit.cli.progress import FileProgress, cores
    from imgkit.dataset import stats as figuring
    from imgkit.folder.scan import scan
    from imgkit.io.files import printable_path

    found = scan(src)
    for path, reason in found.left_out:
        click.echo(f"left out: {printable_path(path)}: {reason}", err=True)
    if not found.images:
        raise click.BadParameter(f"{printable_path(src)} has no images", param_hint="SRC")
    paths = [image.path for image in found.images]
    with FileProgress(len(paths)) as progress:
        figures, wrong = figuring.collect(src, paths, workers or cores(), max_pixels, progress.show)
    told = figuring.summary(figures, wrong)
    if plot is not None:
        with usage("--plot"):
            write(plot, figures, told, os.path.basename(os.path.abspath(src)))
    click.echo(json.dumps(told) if as_json else "\n".join(table(told)))
    return 1 if wrong else 0


def write(plot: str, figures: Any, told: dict[str, Any], title: str) -> None:
    """Write the picture or the page."""
    from imgkit.dataset import chart
    from imgkit.io.encode import encode
    from imgkit.io.files import commit, printable_path

    if plot.lower().endswith(".png"):
        data = encode(chart.draw(figures, printable_path(title)), "png")
    else:
        data = chart.page(figures, printable_path(title), told).encode("utf-8", "backslashreplace")
    commit(plot, data)


def table(told: dict[str, Any]) -> list[str]:
    """Return the figures as lines of text."""
    lines = [
        f"images   {told['images']:,} ({told['pixels']:,} pixels), {told['bad']:,} bad",
        f"formats  {counts(told['formats'])}",
        f"dtypes   {counts(told['dtypes'])}",
        f"channels {counts(told['channels'])}",
    ]
    for name in ("width", "height"):
        if told[name]:
            low, mean, high = (told[name][key] for key in ("min", "mean", "max"))
            lines.append(f"{name:<8} {low} to {high}, mean {mean:.1f}")
    most = dict(list(told["sizes"].items())[:5])
    lines.append(f"sizes    {counts(most)}{', ...' if told['distinct_sizes'] > len(most) else ''}")
    if told["classes"]:
        lines.append(f"classes  {len(told['classes']):,}")
        lines.extend(f"         {n:>9,}  {name}" for name, n in told["classes"].items())
    if not told["mean"]:
        return [*lines, "no mean: " + ("channels do not mix" if told["images"] else "no images")]
    lines += ["", "channel      mean       std       min       max"]
    for channel in range(len(told["mean"])):
        row = (told[name][channel] for name in ("mean", "std", "min", "max"))
        lines.append(f"{channel:>7}" + "".join(f"{value:>10.6f}" for value in row))
    if told["normalize"]:
        mean, std = (
            ", ".join(f"{value:.6f}" for value in told["normalize"][k]) for k in ("mean", "std")
        )
        lines += ["", f"- Normalize: {{mean: [{mean}], std: [{std}]}}"]
    return lines


def counts(found: dict[str, int]) -> str:
    """Return names and how often each occurs."""
    return ", ".join(f"{name}: {n:,}" for name, n in found.items())
