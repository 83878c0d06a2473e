"""`imgkit edges`: one edge operator over a folder."""

from __future__ import annotations

from typing import Any

import click

from imgkit.cli import options

OPERATORS = ("sobel", "prewitt", "scharr", "laplacian", "log", "canny")


@click.command(short_help="Find the edges in every image of a folder.")
@options.run_options
@click.option(
    "--operator",
    type=click.Choice(OPERATORS),
    default="sobel",
    show_default=True,
    help="Gradient magnitude (the first three), second derivative, or edges as lines.",
)
@options.border_option("reflect")
@click.option("--normalized", is_flag=True, help="Gradients: a ramp of slope 1 gives 1.")
@click.option("--sigma", type=float, help="Smoothing in pixels, of log (default 2) and canny.")
@click.option("--low", type=float, help="Canny: weakest gradient that continues a line.")
@click.option("--high", type=float, help="Canny: weakest gradient that begins a line.")
def edges(
    run_options: options.RunOptions,
    operator: str,
    border: str,
    normalized: bool,
    sigma: float | None,
    low: float | None,
    high: float | None,
) -> int:
    """Find the edges in every image of SRC, and write the results to DST.

    All but canny give float32: they are written as float TIFF, or with --scale as pictures.
    Canny gives black and white; its --low (default 50) and --high (150) count in the image's
    own units, of an 8-bit image in levels a pixel times 8.

    \b
    Examples:
      imgkit edges photos out --scale auto
      imgkit edges photos out --operator scharr --normalized --scale 0:64 --format png
      imgkit edges photos out --operator canny --sigma 2 --low 50 --high 150
    """
    from imgkit.augment.pipeline import Pipeline
    from imgkit.cli.runner import execute

    given = {"sigma": sigma, "low": low, "high": high, "normalized": normalized or None}
    given = {name: value for name, value in given.items() if value is not None}
    op = make_op(operator, border, given)
    return execute(run_options, Pipeline([op]), "--operator", named=op.options)


def make_op(operator: str, border: str, given: dict[str, Any]) -> Any:
    """Return the op of an operator; an option that it does not have is an error."""
    from imgkit.augment.exchange.document import build_op

    takes = {"log": {"sigma"}, "canny": {"sigma", "low", "high"}, "laplacian": set()}
    for name in given:
        if name not in takes.get(operator, {"normalized"}):
            raise click.BadParameter(f"{operator} has no such option", param_hint=f"--{name}")
    name = "laplacian_of_gaussian" if operator == "log" else operator
    defaults = {"log": {"sigma": 2.0}, "canny": {"low": 50.0, "high": 150.0}}.get(operator, {})
    return build_op(name, {**defaults, "border": border, **given})
