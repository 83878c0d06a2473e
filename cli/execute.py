"""Carry out a request, for every command with SRC and DST: plan, run, show progress, report."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any

import click

from imgkit.cli.options import Draws, Request, usage
from imgkit.folder import codec
from imgkit.folder.engines import local
from imgkit.folder.journal import Journal
from imgkit.folder.lock import held
from imgkit.folder.resume import last_seed, unfinished
from imgkit.folder.run import (
    ENVIRONMENT,
    Guards,
    Job,
    Report,
    Row,
    commit,
    convert,
    describe,
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
    if not request.dry_run and os.path.isdir(request.src):
        local.warm()
    draws = draws or Draws()
    limit = request.max_pixels
    job = Job(steps, request.quality, request.scale, limit, draws.seed, draws.epoch)
    if draws.new:
        draws, job = _same_seed(request, draws, job)
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
        return _dry_run(request, items, job)
    draws.tell()
    report = _run(request, items, job)
    _finish(request, report, job)
    return report.exit_code


def _run(request: Request, items: list[Item], job: Job) -> Report:
    """Do the work."""
    with usage("DST"):
        if not os.path.isfile(request.src):
            os.makedirs(request.dst, exist_ok=True)
    workers = request.workers or _cores()
    with _journal(request) as journal, Progress(len(items)) as progress:
        return run(
            items,
            job,
            workers,
            progress.show,
            journal,
            _root(request),
            guards=Guards(request.timeout, request.memory or _memory() // workers),
            engine=request.engine,
            force=request.force,
            max_failures=_allowed(request, len(items)),
            asked=_ask,
        )


@contextlib.contextmanager
def _journal(request: Request) -> Iterator[Journal | None]:
    """Where DST is a folder, hold it for this run, and open its journal."""
    if not os.path.isdir(request.dst):
        yield None
        return
    with held(request.dst), Journal(request.dst) as journal:
        yield journal


def _root(request: Request) -> str:
    """Return the folder that the paths of the inputs are relative to."""
    return (os.path.dirname(request.src) or ".") if os.path.isfile(request.src) else request.src


def _same_seed(request: Request, draws: Draws, job: Job) -> tuple[Draws, Job]:
    """Where nobody chose a seed, take that of the run that this one goes on with, if any."""
    seed = last_seed(request.dst, describe(job, _root(request)))
    if seed is None:
        return draws, job
    click.echo(f"seed {seed}: as in the run before; --seed chooses another", err=True)
    return replace(draws, seed=seed, new=False), replace(job, seed=seed)


def _allowed(request: Request, total: int) -> int | None:
    if request.max_failures is None:
        return None
    number, share = request.max_failures
    return int(number * total / 100 if share else number)


def _memory() -> int:
    """Return most of the memory that this process may use, in bytes."""
    pages = os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    limits = [pages * os.sysconf("SC_PAGE_SIZE")] if pages else [1 << 40]
    for path in ("memory.max", "memory/memory.limit_in_bytes"):  # of a container
        with contextlib.suppress(OSError, ValueError), open(f"/sys/fs/cgroup/{path}") as file:
            limits.append(int(file.read()))
    return min(limits) * 4 // 5


def _ask(number: int) -> None:
    """Say what the first Ctrl-C does; by the plainest means, as this runs in a signal's handler."""
    os.write(2, b"\nfinishing the images in work; again to stop at once\n")


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


def _dry_run(request: Request, items: list[Item], job: Job) -> int:
    """Print what a run would write."""
    todo = items
    if not request.force and os.path.isdir(request.dst):
        dst = os.path.realpath(request.dst)
        todo = unfinished(items, dst, describe(job, _root(request)))
    report = Report(len(items), skipped=len(items) - len(todo))
    if request.json:
        names = [{"path": shown(item.path), "output": shown(item.target)} for item in todo]
        click.echo(json.dumps({**report.summary(), "plan": names}))
        return 0
    for item in todo:
        click.echo(f"{shown(item.path)} -> {shown(item.target)}")
    if report.skipped:
        click.echo(f"{report.skipped} of {len(items)} are done", err=True)
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
    click.echo(f"{row.status}: {shown(row.path)}: {row.error}: {row.message}", err=True)


def _summary(report: Report, job: Job) -> dict[str, Any]:
    """Return what --json prints: the report, and the seed if one was used."""
    return report.summary() | ({} if job.seed is None else {"seed": job.seed})


def _finish(request: Request, report: Report, job: Job) -> None:
    summary = _summary(report, job)
    if report.stopped:
        click.echo(f"Error: stopped: {report.stopped}", err=True)
    elif report.exceeded:
        click.echo(f"Error: stopped: more than {report.max_failures} images failed", err=True)
    if report.interrupted:
        click.echo("Interrupted: what is written is whole.", err=True)
    if report.ending and report.done < report.total:
        command = shlex.join(shown(word) for word in sys.argv[1:])
        click.echo(f"{report.total - report.done} images are not begun. To go on:", err=True)
        click.echo(f"  imgkit {command}", err=True)
    click.echo(f"{report.total} images: {_counts(report)}, {summary['seconds']:.1f} s", err=True)
    if request.json:
        click.echo(json.dumps(summary))


def _counts(report: Report) -> str:
    failures = len(report.failures) - report.quarantined
    counts = [f"{report.ok} ok", f"{failures} failed"]
    counts += [f"{report.skipped} done before"] if report.skipped else []
    counts += [f"{report.quarantined} quarantined"] if report.quarantined else []
    return ", ".join(counts)


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
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self.bar = Bar(
                *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()),
                *(TextColumn("{task.fields[told]}"), TimeRemainingColumn()),
                console=Console(stderr=True),
                transient=True,
            )
            self.bar.start()
            self.task = self.bar.add_task("images", total=self.total, told="")
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
        if self.bar:
            self.bar.update(self.task, completed=report.done, told=_pace(report)[0])
        elif time.monotonic() - self.last > PLAIN_SECONDS:
            self.last = time.monotonic()
            click.echo(f"{report.done}/{self.total} images, {', '.join(_pace(report))}", err=True)


def _pace(report: Report) -> tuple[str, str]:
    """Return the rate with the failures, and the time that is left, as text."""
    worked = report.done - report.skipped
    rate = worked / max(1e-3, time.monotonic() - report.started)
    left = int((report.total - report.done) / rate)
    return (
        f"{rate:.3g}/s, {len(report.failures)} failed",
        f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02} left",
    )
