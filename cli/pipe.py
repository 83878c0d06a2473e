"""One image by pipe, for every command where SRC or DST is '-'."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click
from click.core import ParameterSource

from imgkit.cli.options import RunOptions, SeedOptions
from imgkit.cli.progress import echo_failure, echo_partial, echo_warning, summarize
from imgkit.cli.values import check_stream, usage
from imgkit.folder.plan_outputs import chosen_format, draw_index
from imgkit.folder.precheck import check_layout
from imgkit.folder.run import Report
from imgkit.folder.task import (
    ENVIRONMENT,
    FileFacts,
    ImageResult,
    Job,
    collect_warnings,
    decode,
    failed,
    finish,
    output_kind,
)
from imgkit.io.encode import HOLD_FLOATS, WRITABLE
from imgkit.io.files import commit, resolve_target
from imgkit.io.header import sniff

# One image is processed in this process, and always again.
OF_FOLDERS = ("workers", "timeout", "memory", "max_failures", "engine", "force")


def by_pipe(run_options: RunOptions, job: Job, kind: str, dtype: Any, seeds: SeedOptions) -> int:
    """Read or write one image by pipe; return the exit code.

    Args:
        run_options: of the command.
        job: the operations and limits.
        kind: a format, or "same" or "float" as `output_kind` gives them.
        dtype: of the result, if it is known.
        seeds: the seed to print.
    """
    _check(run_options)
    target = _target(run_options)
    name = "stdin" if run_options.src == "-" else os.path.basename(run_options.src)
    with click.open_file(run_options.src, "rb") as file:
        data = file.read()
    with usage("DST"):
        kind = _format(run_options, kind, data)
    with usage("--format"):
        check_layout(job.pipeline, kind)
        output_kind(kind, dtype, run_options.scale)
    seeds.echo()
    report = Report(1)
    result = _process_with_warnings(target, job, name, data, kind)
    report.add(result)
    if result.status != "ok":
        echo_failure(result)
    if result.status == "ok" and result.facts.partial:
        echo_partial(result)
    elif result.warning:
        echo_warning(result)
    if run_options.json:
        click.echo(json.dumps(summarize(report, job.pipeline.seed)))
    return report.exit_code


def _check(run_options: RunOptions) -> None:
    """Raise for options that one image by pipe does not take."""
    context = click.get_current_context()
    for name in OF_FOLDERS:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} is for folders: where SRC or DST is '-' leave it out")
    if run_options.json and run_options.dst == "-":
        raise click.UsageError("--json and DST '-' both write to stdout: choose one")
    if run_options.dry_run:
        raise click.UsageError("--dry-run has nothing to plan where SRC or DST is '-'")
    if run_options.src != "-" and not os.path.isfile(run_options.src):
        raise click.BadParameter("'-' takes one image: SRC must be a file", param_hint="DST")
    if run_options.src == "-":
        check_stream(sys.stdin, "stdin", "SRC")
    if run_options.dst == "-":
        check_stream(sys.stdout, "stdout", "DST")
    if run_options.dst == "-" and sys.stdout.isatty():
        raise click.BadParameter("stdout is a terminal: redirect it", param_hint="DST")
    if os.path.isdir(run_options.dst):
        raise click.BadParameter("SRC '-' has no name: DST must be a file", param_hint="DST")


def _format(run_options: RunOptions, kind: str, data: bytes) -> str:
    """Return the format: of --format, else of the name of DST, else of the input."""
    if run_options.dst != "-":
        return chosen_format(run_options.dst, kind)
    if kind in WRITABLE:
        return kind
    here = sniff(data)
    if kind == "float":
        return here if here in HOLD_FLOATS else "tiff"
    return here if here in WRITABLE else "png"


def _target(run_options: RunOptions) -> str | None:
    """Return the file to write; None is stdout."""
    if run_options.dst == "-":
        return None
    with usage("DST"):
        return resolve_target(run_options.dst, "DST")


def _process_with_warnings(
    target: str | None, job: Job, name: str, data: bytes, kind: str
) -> ImageResult:
    with collect_warnings() as messages:
        result = _process(target, job, name, data, kind)
    return result._replace(warning=messages[0]) if messages else result


def _process(target: str | None, job: Job, name: str, data: bytes, kind: str) -> ImageResult:
    try:
        decoded = decode(job, data)
        output = finish(job, decoded.image, kind, draw_index(name))
    except Exception as error:  # decoders and operations raise any type; each becomes a result
        return failed(name, error)
    result = ImageResult(name, facts=FileFacts(partial=decoded.partial))
    if target is None:
        sys.stdout.buffer.write(output)
        sys.stdout.buffer.flush()
        return result
    try:
        commit(target, output)
    except OSError as error:
        return failed(name, error, fatal=error.errno in ENVIRONMENT)
    return result
