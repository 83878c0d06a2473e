"""`imgkit conv`: one convolution over a folder."""

from __future__ import annotations

import os
import re
from typing import Any

import click

from imgkit.cli import options
from imgkit.cli.values import usage


@click.command(short_help="Convolve every image of a folder with a kernel.")
@options.run_options
@click.option(
    "--kernel",
    metavar="NAME|FILE|NUMBERS",
    required=True,
    help="A named kernel, a .npy or text file, or rows between semicolons.",
)
@click.option(
    "--mode",
    type=click.Choice(["same", "valid", "full"]),
    default="same",
    show_default=True,
    help="Size of the result: N, N-K+1 or N+K-1.",
)
@options.border_option("constant")
@options.pixels_option("--stride", "Keep every N-th result.", default="1")
@options.pixels_option("--dilation", "Distance between the kernel's taps.", default="1")
def conv(
    run_options: options.RunOptions, kernel: str, mode: str, border: str, stride: Any, dilation: Any
) -> int:
    """Convolve every image of SRC with a kernel, and write the results to DST.

    It is a true convolution: the kernel is flipped. Results are float32; they are written as
    float TIFF, or with --scale as pictures.

    \b
    Examples:
      imgkit conv photos out --kernel emboss --scale 0:255
      imgkit conv photos out --kernel "0 -1 0; -1 5 -1; 0 -1 0" --border edge --scale 0:255
      imgkit conv photos out --kernel my_kernel.npy --mode valid --stride 2 --format npy
    """
    from imgkit.augment.exchange.document import build_op
    from imgkit.augment.pipeline import Pipeline
    from imgkit.cli.runner import execute

    with usage("--kernel"):
        taps = read_kernel(kernel)
    arguments = dict(kernel=taps, mode=mode, border=border, stride=stride, dilation=dilation)
    op = build_op("convolve", arguments)
    return execute(run_options, Pipeline([op]), "--kernel", named=arguments)


def read_kernel(text: str) -> Any:
    """Read a kernel: numbers, the name of a file, or else the name of a kernel."""
    if re.fullmatch(r"[-+\d.eE,;\s]+", text) and re.search(r"\d", text):
        return _matrix(text.replace(",", " ").split(";"), text)
    if not os.path.isfile(text):
        if os.path.dirname(text) or text.endswith((".npy", ".txt", ".csv")):
            raise FileNotFoundError(f"no such file: {text!r}")
        return text
    import numpy as np

    if text.endswith(".npy"):
        try:
            return np.load(text, allow_pickle=False)
        except (ValueError, EOFError):
            raise ValueError(f"{text!r} is not a .npy file of numbers") from None
    with open(text, encoding="utf-8") as file:
        content = file.read().replace(",", " ").replace(";", "\n")
    return _matrix(content.strip().splitlines(), text)


def _matrix(lines: list[str], text: str) -> Any:
    import numpy as np

    try:
        rows = [[float(word) for word in line.split()] for line in lines if line.strip()]
    except ValueError as error:
        raise ValueError(f"{text!r} holds more than numbers: {error}") from None
    if not rows:
        raise ValueError(f"{text!r} holds no numbers: a kernel has at least one tap")
    if len({len(row) for row in rows}) != 1:
        lengths = [len(row) for row in rows]
        raise ValueError(f"{text!r} has rows of {lengths} numbers: they must be equally long")
    return np.array(rows)
