"""Carry out a request, for every command with SRC and DST: plan, run, show progress, report."""

from __future__ import annotations

import json
import os
import sys
import time
from types import TracebackType
from typing import Any

import click

from imgkit.cli.options import Request, usage
from imgkit.folder import codec
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
from imgkit.folder.scan import Item, named_format, plan, plan_file, scan, shown
from imgkit.folder.steps import Step, probe

PLAIN_SECONDS = 10  # between two progress lines where there is no terminal


def execute(request: Request, steps: tuple[Step, ...], hint: str) -> int:
    """Run steps over what a request names; return the exit code.

    Everything that can be wrong with the request is found before the first image is opened;
    `hint` is the option to blame for the steps.
    """
    with usage(hint):
        dtype = probe(steps)
    with usage("--format"):
        kind = output_kind(request.format, dtype, request.scale)
    job = Job(steps, request.quality, request.scale, request.max_pixels)
    if "-" in (request.src, request.dst):
        return _pipe(request, job, kind, dtype)
    with usage("DST"):
        items = _plan(request, kind)
    with usage("--format"):
        for kind in {item.kind for item in items}:
            output_kind(kind, dtype, request.scale)
    if request.dry_run:
        return _dry_run(request, items)
    with usage("DST"):
        if not os.path.isfile(request.src):
            os.makedirs(request.dst, exist_ok=True)
    with Progress(len(items)) as progress:
        report = run(items, job, request.workers or _cores(), progress.show)
    _finish(request, report)
    return report.exit_code


def _cores() -> int:
    available = getattr(os, "sched_getaffinity", None)
    return len(available(0)) if available else os.cpu_count() or 1


def _plan(request: Request, kind: str) -> list[Item]:
    if os.path.isfile(request.src):
        return [plan_file(request.src, request.dst, kind)]
    if os.path.exists(request.dst) and not os.path.isdir(request.dst):
        raise ValueError(f"{shown(request.dst)} is a file, and SRC is a folder")
    found = scan(request.src)
    for path, reason in found.left_out:
        click.echo(f"left out: {shown(path)}: {reason}", err=True)
    return plan(found.images, request.src, request.dst, kind)


def _dry_run(request: Request, items: list[Item]) -> int:
    if request.json:
        names = [{"path": shown(item.path), "output": shown(item.target)} for item in items]
        click.echo(json.dumps({**Report(len(items)).summary(), "plan": names}))
    else:
        for item in items:
            click.echo(f"{shown(item.path)} -> {shown(item.target)}")
    return 0


# --- one image by pipe ------------------------------------------------------------------


def _pipe(request: Request, job: Job, kind: str, dtype: Any) -> int:
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
        output_kind(kind, dtype, request.scale)
    report = Report(1)
    row = _one(request, job, kind)
    report.add(row)
    if row.status != "ok":
        _failure(row)
    if request.json:
        click.echo(json.dumps(report.summary()))
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
            output = convert(job, file.read(), kind)
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


def _finish(request: Request, report: Report) -> None:
    summary = report.summary()
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
        done = report.ok + len(report.failures)
        if self.bar:
            self.bar.update(self.task, completed=done)
        elif time.monotonic() - self.last > PLAIN_SECONDS:
            self.last = time.monotonic()
            click.echo(f"{done}/{self.total} images, {len(report.failures)} failed", err=True)
