"""Run a recipe for every command with SRC and DST: plan, run, show progress, report."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys
from collections.abc import Collection, Iterator
from dataclasses import replace

import click

from imgkit.augment.pipeline import Pipeline
from imgkit.cli.options import RunOptions, SeedOptions, with_seed
from imgkit.cli.pipe import by_pipe
from imgkit.cli.progress import RunProgress, cores, summarize
from imgkit.cli.values import find, nothing_done, usage
from imgkit.folder import journal, lock
from imgkit.folder.journal import Journal, check_own, set_aside
from imgkit.folder.lock import locked
from imgkit.folder.plan_outputs import Item, plan_copies, plan_outputs
from imgkit.folder.precheck import check_layout, probe
from imgkit.folder.resume import last_seed, unfinished
from imgkit.folder.run import Report, describe, run
from imgkit.folder.scan import Found
from imgkit.folder.task import Job, TaskLimits, output_kind
from imgkit.io.decode import Limits
from imgkit.io.files import printable_path


def execute(
    run_options: RunOptions,
    pipeline: Pipeline,
    hint: str,
    seeds: SeedOptions | None = None,
    *,
    named: Collection[str] = (),
) -> int:
    """Run a pipeline over the images of SRC; return the exit code.

    Wrong options and arguments are found before the first image is opened. Errors of the pipeline
    name the option `hint`, or the option of an argument in `named`.
    """
    seeds = seeds or SeedOptions()
    _check_own_files(run_options)
    job = _job(run_options, pipeline, seeds)
    if seeds.new:
        seeds, job = _same_seed(run_options, seeds, job)
    with usage(hint, named):
        dtype = probe(job.pipeline)
    with usage("--format"):
        kind = output_kind(run_options.format, dtype, run_options.scale)
    if "-" in (run_options.src, run_options.dst):
        if seeds.copies > 1:
            raise click.BadParameter("a pipe takes one image", param_hint="--copies")
        return by_pipe(run_options, job, kind, dtype, seeds)
    items, unread = _find_items(run_options, kind, seeds.copies)
    with usage("--format"):
        for kind in {item.kind for item in items}:
            check_layout(job.pipeline, kind)
            output_kind(kind, dtype, run_options.scale)
    if run_options.dry_run:
        return _dry_run(run_options, items, job, unread)
    seeds.echo()
    report = _run(run_options, items, job)
    _finish(run_options, report, job, unread)
    return report.exit_code


def _check_own_files(run_options: RunOptions) -> None:
    """Raise if imgkit's own files in DST cannot be used by this run."""
    with usage("DST"):
        check_own(run_options.dst, journal.NAME, journal.OLD, lock.NAME)
        if not run_options.force and os.path.isdir(run_options.dst):
            journal.check(run_options.dst)


def _find_items(
    run_options: RunOptions, kind: str, copies: int
) -> tuple[list[Item], dict[str, int]]:
    """Plan the outputs of SRC; return them, and the counts of formats that are not read.

    Raises:
        NothingDone: SRC is a folder without images.
    """
    found = None if os.path.isfile(run_options.src) else _scan(run_options)
    with usage("DST"):
        items = _plan(run_options, found, kind, copies)
    if found is None:
        return items, {}
    if not found.images:
        if run_options.json:
            click.echo(json.dumps({**Report(0).summary(), "unread": found.unread}))
        raise nothing_done(run_options.src, found)
    return items, found.unread


def _job(run_options: RunOptions, pipeline: Pipeline, seeds: SeedOptions) -> Job:
    job = Job(
        with_seed(pipeline, seeds.seed),
        run_options.quality,
        run_options.scale,
        Limits(
            run_options.max_pixels,
            run_options.max_frames,
            run_options.allow_format,
            run_options.allow_truncated,
        ),
        seeds.epoch,
        run_options.fast_decode,
    )
    if job.fast_decode and job.shrink_to is None:
        click.echo(
            "note: --fast-decode does nothing: it needs a resize that comes first, is antialiased "
            "and is not undone",
            err=True,
        )
    return job


def _run(run_options: RunOptions, items: list[Item], job: Job) -> Report:
    """Run the job over the items and return the report."""
    with usage("DST"):
        if not os.path.isfile(run_options.src) or run_options.dst.endswith(os.sep):
            os.makedirs(run_options.dst, exist_ok=True)
    workers = run_options.workers or cores()
    with _journal(run_options) as kept, RunProgress(len(items)) as progress:
        return run(
            items,
            job,
            workers,
            progress.show,
            kept,
            _root(run_options),
            task_limits=TaskLimits(run_options.timeout, run_options.memory or _memory() // workers),
            engine=run_options.engine,
            force=run_options.force,
            max_failures=_allowed(run_options, len(items)),
            only=os.path.basename(run_options.src) if os.path.isfile(run_options.src) else "",
            on_signal=_announce_stop,
        )


@contextlib.contextmanager
def _journal(run_options: RunOptions) -> Iterator[Journal | None]:
    """Lock DST for this run and open its journal, if it is a folder."""
    if not os.path.isdir(run_options.dst):
        yield None
        return
    with locked(run_options.dst):
        if run_options.force:
            set_aside(run_options.dst)
        with Journal(run_options.dst) as kept:
            yield kept


def _root(run_options: RunOptions) -> str:
    """Return the folder that the paths of the inputs are relative to."""
    return (
        (os.path.dirname(run_options.src) or ".")
        if os.path.isfile(run_options.src)
        else run_options.src
    )


def _same_seed(run_options: RunOptions, seeds: SeedOptions, job: Job) -> tuple[SeedOptions, Job]:
    """If no seed was given, take that of the run that this one continues, if any."""
    seed = last_seed(run_options.dst, describe(job, _root(run_options)))
    if seed is None:
        return seeds, job
    click.echo(f"seed {seed}: as in the run before; --seed chooses another", err=True)
    job = replace(job, pipeline=with_seed(job.pipeline, seed))
    return replace(seeds, seed=seed, new=False), job


def _allowed(run_options: RunOptions, total: int) -> int | None:
    if run_options.max_failures is None:
        return None
    number, share = run_options.max_failures
    return int(number * total / 100 if share else number)


def _memory() -> int:
    """Return most of the memory that this process may use, in bytes."""
    pages = os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    limits = [pages * os.sysconf("SC_PAGE_SIZE")] if pages else [1 << 40]
    for path in ("memory.max", "memory/memory.limit_in_bytes"):  # of a container
        with contextlib.suppress(OSError, ValueError), open(f"/sys/fs/cgroup/{path}") as file:
            limits.append(int(file.read()))
    return min(limits) * 4 // 5


def _announce_stop(number: int) -> None:
    """Print the effect of the first Ctrl-C; `os.write` is safe in a signal's handler."""
    with contextlib.suppress(OSError):  # the terminal may be gone
        os.write(2, b"\nfinishing the images in work; again to stop at once\n")


def _scan(run_options: RunOptions) -> Found:
    if not os.path.isdir(run_options.src):
        raise click.BadParameter(
            f"{printable_path(run_options.src)} is neither a file nor a folder: '-' reads stdin",
            param_hint="SRC",
        )
    return find(run_options.src, run_options.allow_format)


def _plan(run_options: RunOptions, found: Found | None, kind: str, copies: int) -> list[Item]:
    """Plan the outputs of the images that were found; None: SRC is one file."""
    if found is None:
        return plan_copies(run_options.src, run_options.dst, kind, copies)
    if os.path.lexists(run_options.dst) and not os.path.isdir(run_options.dst):
        here = "a file" if os.path.isfile(run_options.dst) else "not a folder"
        raise ValueError(f"{printable_path(run_options.dst)} is {here}, and SRC is a folder")
    return plan_outputs(found.images, run_options.src, run_options.dst, kind, copies)


def _dry_run(run_options: RunOptions, items: list[Item], job: Job, unread: dict[str, int]) -> int:
    """Print what a run would write."""
    todo = items
    if not run_options.force and os.path.isdir(run_options.dst):
        dst = os.path.realpath(run_options.dst)
        todo = unfinished(items, dst, describe(job, _root(run_options)))
    report = Report(len(items), skipped=len(items) - len(todo))
    if run_options.json:
        names = [
            {"path": printable_path(item.path), "output": printable_path(item.target)}
            for item in todo
        ]
        click.echo(json.dumps({**report.summary(), "unread": unread, "plan": names}))
        return 0
    for item in todo:
        click.echo(f"{printable_path(item.path)} -> {printable_path(item.target)}")
    if report.skipped:
        click.echo(f"{report.skipped} of {len(items)} are done", err=True)
    return 0


# --- printing ---------------------------------------------------------------------------


def _finish(run_options: RunOptions, report: Report, job: Job, unread: dict[str, int]) -> None:
    summary = {**summarize(report, job.pipeline.seed), "unread": unread}
    if report.stopped:
        click.echo(f"Error: stopped: {report.stopped}", err=True)
    elif report.exceeded:
        click.echo(f"Error: stopped: more than {report.max_failures} images failed", err=True)
    if report.interrupted:
        click.echo("Interrupted: every output that exists is whole.", err=True)
    if report.ending and report.done < report.total:
        command = shlex.join(printable_path(word) for word in sys.argv[1:])
        click.echo(f"{report.total - report.done} images are not begun. To go on:", err=True)
        click.echo(f"  imgkit {command}", err=True)
    planned = " planned" if report.outcome.missing else ""
    counts = f"{report.total} images{planned}: {_counts(report)}"
    click.echo(f"{counts}, {summary['seconds']:.1f} s", err=True)
    if run_options.json:
        click.echo(json.dumps(summary))


def _counts(report: Report) -> str:
    failures = len(report.failures) - report.quarantined
    partial = f" ({report.partial} partial)" if report.partial else ""
    counts = [f"{report.ok} ok{partial}", f"{failures} failed"]
    counts += [f"{report.skipped} done before"] if report.skipped else []
    counts += [f"{report.quarantined} quarantined"] if report.quarantined else []
    counts += [f"{report.outcome.missing} missing"] if report.outcome.missing else []
    return ", ".join(counts)
