"""Carry out a request, for every command with SRC and DST: plan, run, show progress, report."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys
from collections.abc import Collection, Iterator
from dataclasses import replace

import click

from imgkit.cli.options import Draws, Request, usage
from imgkit.cli.pipe import by_pipe
from imgkit.cli.tally import Progress, cores, summarize
from imgkit.folder.journal import Journal, check, set_aside
from imgkit.folder.lock import held
from imgkit.folder.resume import last_seed, unfinished
from imgkit.folder.run import Report, describe, run
from imgkit.folder.scan import Item, numbered, plan, plan_file, scan, shown
from imgkit.folder.steps import Recipe, probe
from imgkit.folder.task import Guards, Job, check_layout, output_kind
from imgkit.io import decode as codec


def execute(
    request: Request,
    recipe: Recipe,
    hint: str,
    draws: Draws | None = None,
    *,
    named: Collection[str] = (),
) -> int:
    """Run a recipe over what a request names; return the exit code.

    Everything that can be wrong with the request is found before the first image is opened;
    `hint` is the option to blame for the recipe, `named` are arguments with options of their own.
    """
    draws = draws or Draws()
    if not request.force:
        with usage("DST"):
            check(request.dst)
    job = _job(request, recipe, draws)
    if draws.new:
        draws, job = _same_seed(request, draws, job)
    with usage(hint, named):
        dtype = probe(job.program)
    with usage("--format"):
        kind = output_kind(request.format, dtype, request.scale)
    if "-" in (request.src, request.dst):
        if draws.copies > 1:
            raise click.BadParameter("a pipe takes one image", param_hint="--copies")
        return by_pipe(request, job, kind, dtype, draws)
    with usage("DST"):
        items = _plan(request, kind, draws.copies)
    with usage("--format"):
        for kind in {item.kind for item in items}:
            check_layout(job.program, kind)
            output_kind(kind, dtype, request.scale)
    if request.dry_run:
        return _dry_run(request, items, job)
    draws.tell()
    report = _run(request, items, job)
    _finish(request, report, job)
    return report.exit_code


def _job(request: Request, recipe: Recipe, draws: Draws) -> Job:
    job = Job(
        recipe.steps,
        request.quality,
        request.scale,
        codec.Limits(
            request.max_pixels, request.max_frames, request.allow_format, request.allow_truncated
        ),
        draws.seed,
        draws.epoch,
        recipe.canvas,
        request.fast_decode,
    )
    if job.fast_decode and job.shrink_to is None:
        click.echo(
            "note: --fast-decode does nothing: it needs a resize that comes first, is antialiased "
            "and is not undone",
            err=True,
        )
    return job


def _run(request: Request, items: list[Item], job: Job) -> Report:
    """Do the work."""
    with usage("DST"):
        if not os.path.isfile(request.src) or request.dst.endswith(os.sep):
            os.makedirs(request.dst, exist_ok=True)
    workers = request.workers or cores()
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
    with held(request.dst):
        if request.force:
            set_aside(request.dst)
        with Journal(request.dst) as journal:
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


def _plan(request: Request, kind: str, copies: int) -> list[Item]:
    if os.path.isfile(request.src):
        return numbered(plan_file(request.src, request.dst, kind), copies)
    if os.path.exists(request.dst) and not os.path.isdir(request.dst):
        raise ValueError(f"{shown(request.dst)} is a file, and SRC is a folder")
    found = scan(request.src, request.allow_format)
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


# --- telling ----------------------------------------------------------------------------


def _finish(request: Request, report: Report, job: Job) -> None:
    summary = summarize(report, job.seed)
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
    partial = f" ({report.partial} partial)" if report.partial else ""
    counts = [f"{report.ok} ok{partial}", f"{failures} failed"]
    counts += [f"{report.skipped} done before"] if report.skipped else []
    counts += [f"{report.quarantined} quarantined"] if report.quarantined else []
    return ", ".join(counts)
