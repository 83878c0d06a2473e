"""Arguments and options that the commands share, and what they are gathered in."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click

FORMATS = ("same", "png", "jpg", "webp", "tiff", "npy")
BORDERS = ("constant", "edge", "reflect", "symmetric", "wrap")
MAX_PIXELS = 178_956_970  # imgkit.folder.codec's, which the help page must not import

# What the library and the file system say to wrong arguments; a full disk is none of these.
REFUSALS = (ValueError, TypeError, EOFError, FileNotFoundError, FileExistsError, NotADirectoryError)


@dataclass(frozen=True)
class Request:
    """From where to where, and how to write and to tell."""

    src: str
    dst: str
    format: str
    quality: int
    scale: str | tuple[float, float] | None
    workers: int | None
    max_pixels: int
    dry_run: bool
    json: bool


def read_scale(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> str | tuple[float, float] | None:
    """Read ``auto`` or ``A:B``."""
    if value is None or value == "auto":
        return value
    try:
        low, high = (float(part) for part in value.split(":"))
        if low == high or not abs(low) + abs(high) < float("inf"):
            raise ValueError
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is neither auto nor two different numbers A:B", ctx, param
        ) from None
    return low, high


def read_numbers(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> int | tuple[int, ...] | None:
    """Read one integer, or several between commas."""
    if value is None:
        return None
    try:
        numbers = tuple(int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither an integer nor H,W", ctx, param) from None
    return numbers[0] if len(numbers) == 1 else numbers


@contextmanager
def usage(hint: str | None = None) -> Iterator[None]:
    """Turn the library's refusals of arguments into usage errors, exit code 2."""
    try:
        yield
    except REFUSALS as error:
        raise click.BadParameter(str(error), param_hint=hint) from None


SHARED = (
    click.argument("src", type=click.Path(exists=True, allow_dash=True)),
    click.argument("dst", type=click.Path(allow_dash=True)),
    click.option(
        "--format",
        type=click.Choice(FORMATS),
        default="same",
        show_default=True,
        help="Format of the outputs. 'same' keeps each image's, and writes float results as TIFF.",
    ),
    click.option(
        "--quality",
        type=click.IntRange(1, 100),
        default=95,
        show_default=True,
        help="Quality of JPEG and WebP.",
    ),
    click.option(
        "--scale",
        metavar="auto|A:B",
        callback=read_scale,
        help="Map the values A..B of the results to 0..255 (auto: lowest..highest of each image).",
    ),
    click.option(
        "--workers",
        type=click.IntRange(1),
        show_default="the number of cores",
        help="Processes to use.",
    ),
    click.option(
        "--max-pixels",
        type=click.IntRange(1, MAX_PIXELS),
        default=MAX_PIXELS,
        show_default=True,
        help="Larger images fail before they are decoded.",
    ),
    click.option("--dry-run", is_flag=True, help="Print what would be written, and write nothing."),
    click.option("--json", is_flag=True, help="Print one JSON object on stdout at the end."),
)


def folder(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command SRC, DST and the shared options, gathered in its first argument."""

    @functools.wraps(command)
    def gathered(**values: Any) -> Any:
        shared = {name: values.pop(name) for name in Request.__dataclass_fields__}
        return command(Request(**shared), **values)

    for option in reversed(SHARED):
        gathered = option(gathered)
    return gathered
