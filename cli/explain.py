"""`imgkit explain`: what a pipeline will do, before any image is touched."""

from __future__ import annotations

from typing import Any

import click

from imgkit.cli import options


def read_size(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    """Read H,W or one number for both."""
    numbers: Any = options.read_numbers(ctx, param, value)
    if numbers is None:
        return None
    size = (numbers, numbers) if isinstance(numbers, int) else numbers
    if len(size) != 2 or min(size) < 1:
        raise click.BadParameter(f"{value!r} is no size: write H,W, such as 480,640", ctx, param)
    return size


@click.command(short_help="Say what a pipeline merges into one pass, and why not more.")
@click.argument(
    "pipeline", type=click.Path(exists=True, dir_okay=False, allow_dash=True), metavar="PIPELINE"
)
@click.option("--size", callback=read_size, metavar="H,W", help="Size of the images.")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), help="Seed of the numbers shown.")
@options.EPOCH
@options.IMPORT
@click.option(
    "--index",
    type=click.IntRange(0, 2**64 - 1),
    default=0,
    show_default=True,
    help="Index of the numbers shown.",
)
def explain(
    pipeline: str, size: tuple[int, int] | None, seed: int | None, epoch: int, index: int
) -> None:
    """Say which operations of a pipeline file share one pass over the pixels, and why not more.

    With --size it also says how sizes change, for the draws of one key. PIPELINE '-' is stdin.

    \b
    Examples:
      imgkit explain samples/pipelines/augment.yaml
      imgkit explain samples/pipelines/augment.yaml --size 480,640 --seed 7 --index 3
    """
    found = options.read_file(pipeline, "PIPELINE")
    with options.usage("PIPELINE"):
        if seed is not None:
            found = options.with_seed(found, seed)
        click.echo(found.explain(size, (epoch, index)))
