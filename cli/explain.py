"""`imgkit explain`: what a pipeline will do, before any image is read."""

from __future__ import annotations

import click

from imgkit.cli import options
from imgkit.cli.values import read_size, usage


@click.command(short_help="Show what a pipeline merges into one pass, and why not more.")
@options.pipeline_argument
@click.option("--size", callback=read_size, metavar="H,W", help="Size of the images.")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), help="Seed of the numbers shown.")
@options.epoch_option
@options.import_option
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
    """Show which operations of a pipeline file share one pass over the pixels, and why not more.

    With --size it also shows the size after each operation, for the draws of one key.
    PIPELINE '-' is stdin.

    \b
    Examples:
      imgkit explain samples/pipelines/augment.yaml
      imgkit explain samples/pipelines/augment.yaml --size 480,640 --seed 7 --index 3
    """
    found = options.read_file(pipeline, "PIPELINE")
    with usage("PIPELINE"):
        if seed is not None:
            found = options.with_seed(found, seed)
        click.echo(found.explain(size, (epoch, index)))
