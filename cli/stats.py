"""`imgkit stats`: figures of a folder of images."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from imgkit.cli import options
from imgkit.cli.values import find, nothing_done, usage


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
    from imgkit.dataset import stats as stats_of
    from imgkit.io.files import resolve_target

    found = find(src)
    if not found.images:
        if as_json:
            click.echo(json.dumps({"images": 0, "unread": found.unread}))
        raise nothing_done(src, found)
    paths = [image.path for image in found.images]
    if plot is not None:
        with usage("--plot"):
            plot = resolve_target(plot, "--plot", (os.path.join(src, path) for path in paths))
    with FileProgress(len(paths)) as progress:
        figures, wrong = stats_of.collect(src, paths, workers or cores(), max_pixels, progress.show)
    facts = {**stats_of.summary(figures, wrong), "unread": found.unread}
    if plot is not None:
        with usage("--plot"):
            write(plot, figures, facts, os.path.basename(os.path.abspath(src)))
    click.echo(json.dumps(facts) if as_json else "\n".join(table(facts)))
    return 1 if wrong else 0


def write(plot: str, figures: Any, facts: dict[str, Any], title: str) -> None:
    """Write the picture or the page."""
    from imgkit.dataset import chart
    from imgkit.io.encode import encode
    from imgkit.io.files import commit, printable_path

    if plot.lower().endswith(".png"):
        data = encode(chart.draw(figures, printable_path(title)), "png")
    else:
        data = chart.chart_page(figures, printable_path(title), facts).encode(
            "utf-8", "backslashreplace"
        )
    commit(plot, data)


def table(facts: dict[str, Any]) -> list[str]:
    """Return the figures as lines of text."""
    lines = [
        f"images   {facts['images']:,} ({facts['pixels']:,} pixels), {facts['bad']:,} bad",
        f"formats  {counts(facts['formats'])}",
        f"dtypes   {counts(facts['dtypes'])}",
        f"channels {counts(facts['channels'])}",
    ]
    for name in ("width", "height"):
        if facts[name]:
            low, mean, high = (facts[name][key] for key in ("min", "mean", "max"))
            lines.append(f"{name:<8} {low} to {high}, mean {mean:.1f}")
    most = dict(list(facts["sizes"].items())[:5])
    lines.append(f"sizes    {counts(most)}{', ...' if facts['distinct_sizes'] > len(most) else ''}")
    if facts["classes"]:
        lines.append(f"classes  {len(facts['classes']):,}")
        lines.extend(f"         {n:>9,}  {name}" for name, n in facts["classes"].items())
    if not facts["mean"]:
        return [*lines, "no mean: " + ("channels do not mix" if facts["images"] else "no images")]
    lines += ["", "channel      mean       std       min       max"]
    for channel in range(len(facts["mean"])):
        row = (facts[name][channel] for name in ("mean", "std", "min", "max"))
        lines.append(f"{channel:>7}" + "".join(f"{value:>10.6f}" for value in row))
    if facts["normalize"]:
        mean, std = (
            ", ".join(f"{value:.6f}" for value in facts["normalize"][k]) for k in ("mean", "std")
        )
        lines += ["", f"- Normalize: {{mean: [{mean}], std: [{std}]}}"]
    return lines


def counts(found: dict[str, int]) -> str:
    """Return names and the count of each."""
    return ", ".join(f"{name}: {n:,}" for name, n in found.items())
