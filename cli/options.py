"""Arguments and options that commands share, one object each, and what they are gathered in."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import click

from imgkit.cli.values import (
    BorderOption,
    check_stream,
    read_bytes,
    read_failures,
    read_numbers,
    read_scale,
    usage,
)

FORMATS = ("same", "png", "jpg", "webp", "tiff", "npy")
MAX_PIXELS = 178_956_970  # imgkit.io.decode's, which the help page must not import
MAX_FRAMES = 1000
ALLOWABLE = ("ico", "cur", "icns", "jp2", "psd", "dds", "qoi", "sgi", "ppm")


@dataclass(frozen=True)
class RunOptions:
    """The inputs, the outputs, how to read and write them, and what to print."""

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
    max_failures: tuple[float, bool] | None  # how many; percent, if true
    engine: str
    force: bool
    dry_run: bool
    json: bool


@dataclass(frozen=True)
class SeedOptions:
    """Which variants to draw; `seed` None: that of the pipeline, or a new one."""

    copies: int = 1
    seed: int | None = None
    epoch: int = 0
    new: bool = False  # the seed was drawn, not given

    def echo(self) -> None:
        """Print the seed if it was drawn, so that it can be given the next time."""
        if self.new:
            click.echo(f"seed {self.seed}: drawn anew; --seed {self.seed} repeats it", err=True)


# --- reading and writing ----------------------------------------------------------------

src_argument = click.argument("src", type=click.Path(exists=True, allow_dash=True))
dst_argument = click.argument("dst", type=click.Path(allow_dash=True))
src_folder_argument = click.argument("src", type=click.Path(exists=True, file_okay=False))
dst_folder_argument = click.argument("dst", type=click.Path(exists=True, file_okay=False))
format_option = click.option(
    "--format",
    type=click.Choice(FORMATS),
    default="same",
    show_default=True,
    help="Format of the outputs. 'same' keeps each image's, and writes float results as TIFF.",
)
quality_option = click.option(
    "--quality",
    type=click.IntRange(1, 100),
    default=95,
    show_default=True,
    help="Quality of JPEG and WebP.",
)
scale_option = click.option(
    "--scale",
    metavar="auto|A:B",
    callback=read_scale,
    help="Map the values A..B of the results to 0..255 (auto: lowest..highest of each image).",
)
workers_option = click.option(
    "--workers",
    type=click.IntRange(1),
    show_default="the number of cores",
    help="Processes to use; results do not depend on it.",
)
max_pixels_option = click.option(
    "--max-pixels",
    type=click.IntRange(1, MAX_PIXELS),
    default=MAX_PIXELS,
    show_default=True,
    help="Larger images fail before they are decoded.",
)
max_frames_option = click.option(
    "--max-frames",
    type=click.IntRange(1),
    default=MAX_FRAMES,
    show_default=True,
    help="Files of more frames or pages fail; of others the first is read.",
)
allow_format_option = click.option(
    "--allow-format",
    type=click.Choice(ALLOWABLE),
    multiple=True,
    help="Read this format as well; repeatable. Its decoder is less tested.",
)
allow_truncated_option = click.option(
    "--allow-truncated",
    is_flag=True,
    help="Read files that end early as far as they go; otherwise they fail.",
)
fast_decode_option = click.option(
    "--fast-decode",
    is_flag=True,
    help="Decode JPEGs at 1/2, 1/4 or 1/8 where the first operation shrinks them further.",
)
timeout_option = click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=300,
    show_default=True,
    metavar="S",
    help="An image that takes more seconds fails.",
)
memory_option = click.option(
    "--memory",
    metavar="SIZE",
    callback=read_bytes,
    show_default="this machine's, shared evenly",
    help="What each worker may use, as 1500M or 2G; an image that needs more fails.",
)
max_failures_option = click.option(
    "--max-failures",
    metavar="N|P%",
    callback=read_failures,
    help="Stop when more images have failed, exit code 3.",
)
engine_option = click.option(
    "--engine",
    type=click.Choice(("local", "ray")),
    default="local",
    show_default=True,
    help="Processes of this machine, or a Ray cluster.",
)
force_option = click.option(
    "--force", is_flag=True, help="Make every output again, also those done."
)
dry_run_option = click.option(
    "--dry-run", is_flag=True, help="Print what would be written, and write nothing."
)
run_json_option = click.option(
    "--json", is_flag=True, help="Print one JSON object on stdout at the end."
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on stdout."
)

# --- operations -------------------------------------------------------------------------


def border_option(default: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return ``--border`` with a default."""
    return click.option(
        "--border",
        type=BorderOption(),
        default=default,
        show_default=True,
        help="What lies outside the image.",
    )


def pixels_option(name: str, help: str, **extra: Any) -> Callable[..., Callable[..., Any]]:
    """Return an option that takes one number of pixels, or two: H,W."""
    if "default" in extra:
        extra["show_default"] = True
    return click.option(name, callback=read_numbers, metavar="N|H,W", help=help, **extra)


pipeline_argument = click.argument(
    "pipeline", type=click.Path(exists=True, dir_okay=False, allow_dash=True), metavar="PIPELINE"
)
pipeline_option = click.option(
    "--pipeline",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="A YAML file: version: 1 and a list of ops.",
)
op_option = click.option(
    "--op",
    "ops",
    metavar="'NAME name=value ...'",
    multiple=True,
    help="One operation; repeatable.",
)
copies_option = click.option(
    "--copies",
    type=click.IntRange(1, 1_000_000),
    default=1,
    show_default=True,
    help="Variants of each image; several are named a_0001.jpg, a_0002.jpg, ...",
)
seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**64 - 1),
    show_default="the pipeline's, else a new one, which is printed",
    help="Seed of the draws.",
)
epoch_option = click.option(
    "--epoch",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Other draws of the same seed.",
)

# --- gathered ---------------------------------------------------------------------------


def import_module(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> None:
    """Import the modules that register transforms of the user's; the folder here counts."""
    import importlib

    for name in values:
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        try:
            importlib.import_module(name)
        except Exception as error:
            raise click.BadParameter(f"{name!r} cannot be imported: {error}", ctx, param) from None


import_option = click.option(
    "--import",
    "imports",
    metavar="MODULE",
    multiple=True,
    callback=import_module,
    expose_value=False,
    is_eager=True,
    help="Import a module that registers transforms of your own; repeatable.",
)
RUN = (
    *(src_argument, dst_argument, format_option, quality_option, scale_option, workers_option),
    *(max_pixels_option, max_frames_option, allow_format_option, allow_truncated_option),
    *(fast_decode_option, timeout_option, memory_option, max_failures_option, engine_option),
    *(force_option, dry_run_option, run_json_option),
)
DRAWS = (pipeline_option, op_option, copies_option, seed_option, epoch_option, import_option)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command SRC, DST and the options of a run, gathered in its first argument."""

    @functools.wraps(command)
    def gathered(**values: Any) -> Any:
        options = RunOptions(**{name: values.pop(name) for name in RunOptions.__dataclass_fields__})
        if os.path.isdir(options.src) and not options.dry_run:
            from imgkit.folder.engines import pool

            pool.warm()  # now, as it takes as long as all that comes before the first image
        return command(options, **values)

    for option in reversed(RUN):
        gathered = option(gathered)
    return gathered


def draw_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a pipeline; its second argument gathers those about draws."""

    @functools.wraps(command)
    def gathered(run_options: RunOptions, **values: Any) -> Any:
        seeds = {name: values.pop(name) for name in ("copies", "seed", "epoch")}
        return command(run_options, SeedOptions(**seeds), **values)

    for option in reversed(DRAWS):
        gathered = option(gathered)
    return gathered


# --- pipelines --------------------------------------------------------------------------


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

    if pipeline == "-":
        check_stream(sys.stdin, "stdin", hint)
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
