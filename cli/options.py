"""Arguments and options that the commands share, and what they are gathered in."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import click

FORMATS = ("same", "png", "jpg", "webp", "tiff", "npy")
BORDERS = ("constant", "edge", "reflect", "symmetric", "wrap")
MAX_PIXELS = 178_956_970  # imgkit.io.decode's, which the help page must not import
MAX_FRAMES = 1000
ALLOWABLE = ("ico", "cur", "icns", "jp2", "psd", "dds", "qoi", "sgi", "ppm")

# What the library and the file system say to wrong arguments; a full disk is none of these.
REFUSALS = (ValueError, TypeError, EOFError, FileNotFoundError, FileExistsError, NotADirectoryError)


@dataclass(frozen=True)
class RunOptions:
    """From where to where, and how to write and to tell."""

    src: str
    dst: str
    format: str
    quality: int
    scale: str | tuple[float, float] | None
    workers: int | None
    fast_decode: bool
    max_pixels: int
    max_frames: int
    allow_format: tuple[str, ...]
    allow_truncated: bool
    timeout: float
    memory: int | None
    max_failures: tuple[float, bool] | None  # how many; of a hundred, if true
    engine: str
    force: bool
    dry_run: bool
    json: bool


@dataclass(frozen=True)
class SeedOptions:
    """Which variants to draw; `seed` None leaves it to the pipeline, or to chance."""

    copies: int = 1
    seed: int | None = None
    epoch: int = 0
    new: bool = False  # the seed is nobody's choice

    def tell(self) -> None:
        """Print the seed if nobody chose it, so that it can be chosen again."""
        if self.new:
            click.echo(f"seed {self.seed}: drawn anew; --seed {self.seed} repeats it", err=True)


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


def read_bytes(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """Read ``1500M`` or ``2G``."""
    if value is None:
        return None
    powers = {"K": 10, "M": 20, "G": 30}
    text = value.upper().removesuffix("B").removesuffix("I")
    try:
        number = float(text[:-1]) * 2 ** powers[text[-1:]]
        if not 2**24 <= number < 2**60:
            raise ValueError
    except (ValueError, KeyError):
        raise click.BadParameter(
            f"{value!r} is no size from 16M up, like 1500M or 2G", ctx, param
        ) from None
    return int(number)


def read_failures(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[float, bool] | None:
    """Read ``N`` or ``P%``."""
    if value is None:
        return None
    share = value.endswith("%")
    try:
        number = float(value[:-1]) if share else int(value)
        if not 0 <= number <= (100 if share else float("inf")):
            raise ValueError
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is neither a number of images nor a share like 5%", ctx, param
        ) from None
    return number, share


@contextmanager
def usage(hint: str | None = None, named: Collection[str] = ()) -> Iterator[None]:
    """Turn the library's refusals of arguments into usage errors, exit code 2.

    Args:
        hint: the option to blame.
        named: arguments with an option each: a message that begins with one blames that.
    """
    try:
        yield
    except REFUSALS as error:
        first = str(error).partition(" ")[0]
        hint = f"--{first}" if first in named else hint
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
    click.option(
        "--max-frames",
        type=click.IntRange(1),
        default=MAX_FRAMES,
        show_default=True,
        help="Files of more frames or pages fail; of others the first is read.",
    ),
    click.option(
        "--allow-format",
        type=click.Choice(ALLOWABLE),
        multiple=True,
        help="Read this format as well; repeatable. Its decoder is less tried.",
    ),
    click.option(
        "--allow-truncated",
        is_flag=True,
        help="Read files that end early as far as they go; otherwise they fail.",
    ),
    click.option(
        "--fast-decode",
        is_flag=True,
        help="Decode JPEGs at 1/2, 1/4 or 1/8 where the first operation shrinks them further.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(0, min_open=True),
        default=300,
        show_default=True,
        metavar="S",
        help="An image that takes more seconds fails.",
    ),
    click.option(
        "--memory",
        metavar="SIZE",
        callback=read_bytes,
        show_default="this machine's, shared evenly",
        help="What each worker may use, as 1500M or 2G; an image that needs more fails.",
    ),
    click.option(
        "--max-failures",
        metavar="N|P%",
        callback=read_failures,
        help="Stop when more images have failed, exit code 3.",
    ),
    click.option(
        "--engine",
        type=click.Choice(("local", "ray")),
        default="local",
        show_default=True,
        help="Processes of this machine, or a Ray cluster.",
    ),
    click.option("--force", is_flag=True, help="Make every output again, also those done."),
    click.option("--dry-run", is_flag=True, help="Print what would be written, and write nothing."),
    click.option("--json", is_flag=True, help="Print one JSON object on stdout at the end."),
)


def folder(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command SRC, DST and the shared options, gathered in its first argument."""

    @functools.wraps(command)
    def gathered(**values: Any) -> Any:
        run_options = RunOptions(
            **{name: values.pop(name) for name in RunOptions.__dataclass_fields__}
        )
        if os.path.isdir(run_options.src) and not run_options.dry_run:
            from imgkit.folder.engines import pool as pool

            pool.warm()  # now, as it takes as long as all that comes before the first image
        return command(run_options, **values)

    for option in reversed(SHARED):
        gathered = option(gathered)
    return gathered


# --- pipelines --------------------------------------------------------------------------

PIPELINE = (
    click.option(
        "--pipeline",
        metavar="FILE",
        type=click.Path(exists=True, dir_okay=False),
        help="A YAML file: version: 1 and a list of ops.",
    ),
    click.option(
        "--op",
        "ops",
        metavar="'NAME name=value ...'",
        multiple=True,
        help="One operation; repeatable.",
    ),
    click.option(
        "--copies",
        type=click.IntRange(1, 1_000_000),
        default=1,
        show_default=True,
        help="Variants of each image; several are named a_0001.jpg, a_0002.jpg, ...",
    ),
)
SEED = click.option(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    show_default="the pipeline's, else a new one, which is printed",
    help="Seed of the draws.",
)
EPOCH = click.option(
    "--epoch",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Other draws of the same seed.",
)


def import_module(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> None:
    """Import the modules that register transforms of the user's."""
    import importlib
    import os
    import sys

    for name in values:
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise click.BadParameter(f"{name!r} cannot be imported: {error}", ctx, param) from None


IMPORT = click.option(
    "--import",
    "imports",
    metavar="MODULE",
    multiple=True,
    callback=import_module,
    expose_value=False,
    is_eager=True,
    help="Import a module that registers transforms of your own; repeatable.",
)


def pipeline(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what to do, and gather those about draws."""

    @functools.wraps(command)
    def gathered(run_options: RunOptions, **values: Any) -> Any:
        shared = {name: values.pop(name) for name in ("copies", "seed", "epoch")}
        return command(run_options, SeedOptions(**shared), **values)

    for option in reversed((*PIPELINE, SEED, EPOCH, IMPORT)):
        gathered = option(gathered)
    return gathered


def read_pipeline(pipeline: str | None, ops: tuple[str, ...]) -> tuple[Any, str]:
    """Read --pipeline or --op; return the pipeline, and the option that it came from."""
    from imgkit.augment.exchange.document import parse_op
    from imgkit.augment.pipeline import Pipeline

    if (pipeline is None) == (not ops):
        raise click.UsageError("give either --pipeline FILE or at least one --op")
    if pipeline is None:
        with usage("--op"):
            return Pipeline([parse_op(op) for op in ops]), "--op"
    return read_file(pipeline, "--pipeline"), "--pipeline"


def read_file(pipeline: str, hint: str) -> Any:
    """Read a pipeline file; '-' is stdin."""
    from imgkit.augment.exchange.document import parse_yaml
    from imgkit.augment.pipeline import Pipeline

    with usage(hint), click.open_file(pipeline, encoding="utf-8") as file:
        found = Pipeline.from_document(parse_yaml(file.read()))
        if not len(found):
            raise ValueError("ops must be a list of at least one operation")
        return found


def choose_seed(pipeline: Any, seeds: SeedOptions) -> SeedOptions:
    """Fill in the seed: --seed, else the pipeline's, else a new one.

    A pipeline that draws nothing needs none.
    """
    import secrets

    if not pipeline.is_random:
        return replace(seeds, seed=None)
    seed = pipeline.seed if seeds.seed is None else seeds.seed
    if seed is None:
        return replace(seeds, seed=secrets.randbits(32), new=True)
    return replace(seeds, seed=seed)


def with_seed(pipeline: Any, seed: int | None) -> Any:
    """Return the same pipeline with another seed."""
    return type(pipeline)(pipeline.ops, seed, canvas=pipeline.canvas)
