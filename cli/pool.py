"""`imgkit pool`: one pooling over a folder."""

from __future__ import annotations

from typing import Any

import click

from imgkit.cli import options


@click.command(short_help="Pool every image of a folder.")
@options.run_options
@click.option(
    "--kind",
    type=click.Choice(["max", "min", "avg", "median"]),
    default="max",
    show_default=True,
    help="What to keep of a window.",
)
@options.pixels_option("--size", "Size of the window.", default="2")
@options.pixels_option("--stride", "Distance between windows.", show_default="the size")
@options.pixels_option(
    "--padding",
    "Pixels added on every side: zeros for avg; for the others they never win.",
    default="0",
)
@click.option("--ceil", is_flag=True, help="Keep the last window where the image ends inside it.")
def pool(
    run_options: options.RunOptions, kind: str, size: Any, stride: Any, padding: Any, ceil: bool
) -> int:
    """Pool every image of SRC, and write the results to DST.

    Sizes follow PyTorch's rules, values keep their type.

    \b
    Examples:
      imgkit pool photos out --kind max --size 2
      imgkit pool photos out --kind median --size 3 --stride 1 --padding 1 --format png
      cat photo.jpg | imgkit pool - - --kind avg --size 4,8 > small.jpg
    """
    from imgkit.augment.exchange.document import build_op
    from imgkit.augment.pipeline import Pipeline
    from imgkit.cli.runner import execute

    arguments = dict(size=size, stride=stride, padding=padding, ceil=ceil)
    op = build_op(f"{kind}_pool", arguments)
    return execute(run_options, Pipeline([op]), "--size", named=arguments)
