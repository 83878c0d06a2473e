"""Carry out a request, for every command with SRC and DST: plan, run, show progress, report."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from types import TracebackType
from typing import Any

import click

from imgkit.cli.options import Draws, Request, usage
from imgkit.folder import codec
from imgkit.folder.journal import Journal
from imgkit.folder.run import (
    ENVIRONMENT,
    Job,
    Report,
    Row,
    commit,
    convert,
    failed,
    output_kind,
    run,
)
from imgkit.folder.scan import (
    Item,
    draw_index,
    named_format,
    numbered,
    plan,
    plan_file,
    scan,
    shown,
)
from imgkit.folder.steps import CHANNELS_FIRST, Step, channels_first, probe

PLAIN_SECONDS = 10  # between two progress lines where there is no terminal


def execute(
    request: Request, steps: tuple[Step, ...], hint: str, draws: Draws | None = None
) -> int:
    """Run steps over what a request names; return the exit code.

    Everything that can be wrong with the request is found before the first image is opened;
    `hint` is the option to blame for the steps.
    """
    draws = draws or Draws()
    limit = request.max_pixels
    job = Job(steps, request.quality, request.scale, limit, draws.seed, draws.epoch)
    with usage(hint):
        dtype = probe(job.program)
    with usage("--format"):
        kind = output_kind(request.format, dtype, request.scale)
    if "-" in (request.src, request.dst):
        if draws.copies > 1:
            raise click.BadParameter("a pipe takes one image", param_hint="--copies")
        return _pipe(request, job, kind, dtype, draws)
    with usage("DST"):
        items = _plan(request, kind, draws.copies)
    with usage("--format"):
        for kind in {item.kind for item in items}:
            _check_layout(job, kind)
            output_kind(kind, dtype, request.scale)
    if request.dry_run:
        return _dry_run(request, items)
    draws.tell()
    report = _run(request, items, job)
    _finish(request, report, job)
    return report.exit_code


def _run(request: Request, items: list[Item], job: Job) -> Report:
    """Do the work; a journal is kept where DST is a folder."""
    with usage("DST"):
        if not os.path.isfile(request.src):
            os.makedirs(request.dst, exist_ok=True)
    src = os.path.dirname(request.src) if os.path.isfile(request.src) else request.src
    kept = Journal(request.dst) if os.path.isdir(request.dst) else contextlib.nullcontext()
    with kept as journal, Progress(len(items)) as progress:
        return run(items, job, request.workers or _cores(), progress.show, journal, src or ".")


def _check_layout(job: Job, kind: str) -> None:
    if channels_first(job.program) and kind != "npy":
        raise ValueError(
            f"{CHANNELS_FIRST} puts the channels first, which {kind} files do not: "
            "add --format npy, or leave it out"
        )


def _cores() -> int:
    available = getattr(os, "sched_getaffinity", None)
    return len(available(0)) if available else os.cpu_count() or 1


def _plan(request: Request, kind: str, copies: int) -> list[Item]:
    if os.path.isfile(request.src):
        return numbered(plan_file(request.src, request.dst, kind), copies)
    if os.path.exists(request.dst) and not os.path.isdir(request.dst):
        raise ValueError(f"{shown(request.dst)} is a file, and SRC is a folder")
    found = scan(request.src)
    for path, reason in found.left_out:
        click.echo(f"left out: {shown(path)}: {reason}", err=True)
    return plan(found.images, request.src, request.dst, kind, copies)


def _dry_run(request: Request, items: list[Item]) -> int:
    if request.json:
        names = [{"path": shown(item.path), "output": shown(item.target)} for item in items]
        click.echo(json.dumps({**Report(len(items)).summary(), "plan": names}))
    else:
        for item in items:
            click.echo(f"{shown(item.path)} -> {shown(item.target)}")
    return 0


# --- one image by pipe ------------------------------------------------------------------


def _pipe(request: Request, job: Job, kind: str, dtype: Any, draws: Draws) -> int:
    """Read or write one image by pipe."""
    if request.json and request.dst == "-":
        raise click.UsageError("--json and DST '-' both write to stdout: choose one")
    if request.dry_run:
        raise click.UsageError("--dry-run has nothing to plan where SRC or DST is '-'")
    if request.src != "-" and not os.path.isfile(request.src):
        raise click.BadParameter("'-' takes one image: SRC must be a file", param_hint="DST")
    if request.dst == "-" and sys.stdout.isatty():
        raise click.BadParameter("stdout is a terminal: redirect it", param_hint="DST")
    if os.path.isdir(request.dst):
        raise click.BadParameter("SRC '-' has no name: DST must be a file", param_hint="DST")
    with usage("DST"):
        kind = _pipe_format(request, kind)
    with usage("--format"):
        _check_layout(job, kind)
        output_kind(kind, dtype, request.scale)
    draws.tell()
    report = Report(1)
    row = _one(request, job, kind)
    report.add(row)
    if row.status != "ok":
        _failure(row)
    if request.json:
        click.echo(json.dumps(_summary(report, job)))
    return report.exit_code


def _pipe_format(request: Request, kind: str) -> str:
    """By --format, else by the name of DST; PNG on stdout."""
    if request.dst == "-":
        return kind if kind in codec.WRITABLE else "png"
    return named_format(request.dst, kind)


def _one(request: Request, job: Job, kind: str) -> Row:
    name = "stdin" if request.src == "-" else os.path.basename(request.src)
    try:
        with click.open_file(request.src, "rb") as file:
            output = convert(job, file.read(), kind, draw_index(name))
    except Exception as error:  # as `process`: every outcome is a row
        return failed(name, error)
    if request.dst == "-":
        sys.stdout.buffer.write(output)
        sys.stdout.buffer.flush()
        return Row(name)
    try:
        commit(request.dst, output)
    except OSError as error:
        return failed(name, error, fatal=error.errno in ENVIRONMENT)
    return Row(name)


# --- telling ----------------------------------------------------------------------------


def _failure(row: Row) -> None:
    click.echo(f"failed: {shown(row.path)}: {row.error}: {row.message}", err=True)


def _summary(report: Report, job: Job) -> dict[str, Any]:
    """Return what --json prints: the report, and the seed if one was used."""
    return report.summary() | ({} if job.seed is None else {"seed": job.seed})


def _finish(request: Request, report: Report, job: Job) -> None:
    summary = _summary(report, job)
    if report.stopped:
        click.echo(f"Error: stopped: {report.stopped}", err=True)
    if report.interrupted:
        click.echo("Interrupted: what is written is whole; the rest is not begun.", err=True)
    click.echo(
        f"{report.total} images: {report.ok} ok, {len(report.failures)} failed, "
        f"{summary['seconds']:.1f} s",
        err=True,
    )
    if request.json:
        click.echo(json.dumps(summary))


class Progress:
    """Progress on stderr: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.bar: Any = None
        self.last = time.monotonic()
        self.warned = False

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress as Bar

            self.bar = Bar(console=Console(stderr=True), transient=True)
            self.bar.start()
            self.task = self.bar.add_task("images", total=self.total)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar:
            self.bar.stop()

    def show(self, row: Row, report: Report) -> None:
        """Tell about one finished image."""
        if row.status != "ok":
            _failure(row)
        if row.warning and not self.warned:
            self.warned = True
            told = f"warning: {shown(row.path)}: {row.warning} (further warnings are not shown)"
            click.echo(told, err=True)
        done = report.ok + len(report.failures)
        if self.bar:
            self.bar.update(self.task, completed=done)
        elif time.monotonic() - self.last > PLAIN_SECONDS:
            self.last = time.monotonic()
            click.echo(f"{done}/{self.total} images, {len(report.failures)} failed", err=True)
