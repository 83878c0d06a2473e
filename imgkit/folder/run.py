"""Run a job over planned images.

Every image ends as one `ImageResult`. Images that the journal records as done are skipped; images
that an engine lost are processed again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from imgkit.augment.pipeline import Pipeline
from imgkit.augment.transforms.custom import Call
from imgkit.folder.engines import local, ray
from imgkit.folder.journal import Entry, Journal, Run, new_run
from imgkit.folder.outcome import Outcome
from imgkit.folder.plan_outputs import Item, draw_index
from imgkit.folder.resume import sweep, unfinished
from imgkit.folder.task import (
    UNLIMITED,
    ImageResult,
    Job,
    TaskLimits,
)
from imgkit.io.files import printable_path

# Behind a function, ops once had a seed of their own; such outputs are not mixed with these.
DRAWS = "occurrences count over the whole list"
ENGINES = {"local": local, "ray": ray}


@dataclass
class Report:
    """The counts of a run, and its exit code."""

    total: int
    ok: int = 0
    partial: int = 0  # of those that are ok: the input ended early
    skipped: int = 0
    quarantined: int = 0
    failures: list[ImageResult] = field(default_factory=list)
    max_failures: int | None = None  # the run ends when more images failed
    stopped: str = ""  # why the run ended early
    interrupted: int = 0  # the signal that requested the end
    started: float = field(default_factory=time.monotonic)

    def add(self, result: ImageResult) -> None:
        """Count one result."""
        if result.status == "ok":
            self.ok += 1
            self.partial += result.facts.partial
            return
        self.failures.append(result)
        self.quarantined += result.status == "quarantined"
        if result.fatal:
            self.stopped = f"{result.error}: {result.message}"

    @property
    def done(self) -> int:
        """The number of images that are finished, skipped ones included."""
        return self.ok + self.skipped + len(self.failures)

    @property
    def outcome(self) -> Outcome:
        """The images that are done, failed and missing, as a journal is counted."""
        missing = self.total - self.done
        return Outcome(self.total, self.ok + self.skipped, len(self.failures), missing)

    @property
    def exceeded(self) -> bool:
        """Whether more images failed than allowed."""
        return self.max_failures is not None and len(self.failures) > self.max_failures

    @property
    def ending(self) -> bool:
        """Whether no further image may start."""
        return bool(self.stopped or self.interrupted or self.exceeded)

    @property
    def exit_code(self) -> int:
        """0 all well, 1 some failed, 3 too many did, 4 the environment, 130 or 143 a signal."""
        if self.interrupted:
            return 128 + self.interrupted
        return 4 if self.stopped else 3 if self.exceeded else 1 if self.failures else 0

    def summary(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        results = sorted(self.failures)
        return {
            "total": self.total,
            "ok": self.ok,
            "partial": self.partial,
            "skipped": self.skipped,
            **self.outcome.facts(),
            "failed": len(results) - self.quarantined,
            "quarantined": self.quarantined,
            "seconds": round(time.monotonic() - self.started, 3),
            "failures": [
                {
                    "path": printable_path(result.path),
                    "error": result.error,
                    "message": result.message,
                }
                for result in results
            ],
        }


def run(
    items: list[Item],
    job: Job,
    workers: int,
    on_result: Callable[[ImageResult, Report], None],
    journal: Journal | None = None,
    src: str = "",
    *,
    task_limits: TaskLimits = UNLIMITED,
    engine: str = "local",
    force: bool = False,
    max_failures: int | None = None,
    only: str = "",
    on_signal: Callable[[int], None] = lambda number: None,
) -> Report:
    """Process all items and call `on_result` after each.

    The first Ctrl-C or SIGTERM lets the images in work finish and starts no other; the second
    ends the run at once. In both cases every output is whole, and the same call continues the run.

    Args:
        items: the outputs to make.
        job: how to make them.
        workers: processes, at least 1.
        on_result: called with the result of every item that was processed.
        journal: open; each result is added to it, and items that it records as done are skipped.
        src: the folder that the paths of the items are relative to, if there is a journal.
        task_limits: limits on the cost of one image.
        engine: "local" or "ray".
        force: skip nothing.
        max_failures: when more images have failed, no other starts.
        only: the path of the input if there is one file and no folder.
        on_signal: called with the number of the first signal, from its handler.
    """
    report = Report(len(items), max_failures=max_failures)
    todo = items
    note: Callable[[Item, ImageResult], None] = _no_note
    try:
        sweep({os.path.dirname(item.target) for item in items})
        if journal is not None:
            this_run = describe(job, src)
            todo = items if force else unfinished(items, journal.dst, this_run)
            this_run = replace(
                this_run,
                planned=len(items),
                skipped=len(items) - len(todo),
                only=only,
                force=force,
            )
            note = _note_in(journal, job, this_run)
        report.skipped = len(items) - len(todo)
        with _stoppable(report, on_signal):
            for item, result in _results(todo, job, workers, task_limits, engine, report):
                report.add(result)
                note(item, result)
                on_result(result, report)
    except KeyboardInterrupt:
        report.interrupted = report.interrupted or signal.SIGINT
    except OSError as error:  # of the journal or the workers: errors of an image are results
        report.stopped = f"{error.filename or 'run'}: {error.strerror or error}"
    return report


def _results(
    todo: list[Item],
    job: Job,
    workers: int,
    task_limits: TaskLimits,
    engine: str,
    report: Report,
) -> Iterator[tuple[Item, ImageResult]]:
    """Yield every item once with its result; items that the engine lost run again, one by one."""
    left = {item.target: item for item in todo}
    for name, processes in ((engine, workers), ("local", 1)):
        again = list(left.values())
        results = ENGINES[name].results(again, job, processes, task_limits, lambda: report.ending)
        with contextlib.closing(results):
            for item, result in results:
                if left.pop(item.target, None) is not None:
                    yield item, result
        if not left or report.ending:
            return
    for item in left.values():
        yield item, ImageResult(item.path, "failed", "lost", "no worker returned a result")


@contextlib.contextmanager
def _stoppable(report: Report, on_signal: Callable[[int], None]) -> Iterator[None]:
    """The first signal requests a graceful stop; the second raises KeyboardInterrupt."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        if report.interrupted:
            raise KeyboardInterrupt
        report.interrupted = number
        on_signal(number)

    handlers = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


# --- the journal ------------------------------------------------------------------------


def describe(job: Job, src: str) -> Run:
    """Describe a run of a job over a folder that starts now."""
    done = {
        "pipeline": job.pipeline.to_document(),
        "epoch": job.epoch,
        "quality": job.quality,
        "scale": job.scale,
        "fast_decode": job.shrink_to is not None,  # False where it changes nothing
    }
    limits = job.limits._asdict() | {"allow": sorted(job.limits.allow)}
    return new_run(src, done, limits, DRAWS if _draws_after_a_call(job.pipeline) else "")


def _draws_after_a_call(pipeline: Pipeline) -> bool:
    """Return whether a random op stands behind a function of the list."""
    calls = [place for place, op in enumerate(pipeline) if isinstance(op, Call)]
    return bool(calls) and any(op.is_drawing for op in pipeline.ops[calls[0] + 1 :])


def _no_note(item: Item, result: ImageResult) -> None:
    """Without a journal no result is recorded."""


def _note_in(journal: Journal, job: Job, this_run: Run) -> Callable[[Item, ImageResult], None]:
    """Start a run in the journal; return the function that adds the entry of an item."""
    journal.add(this_run)
    return lambda item, result: journal.add(_entry(this_run, job, item, result, journal.dst))


def _entry(this_run: Run, job: Job, item: Item, result: ImageResult, dst: str) -> Entry:
    return Entry(
        run=this_run.id,
        path=item.path,
        output=os.path.relpath(item.target, dst),
        kind=item.kind,
        op=this_run.op,
        seed=job.pipeline.seed,
        epoch=job.epoch,
        copy=item.copy,
        index=draw_index(item.path, item.copy),
        status=result.status,
        error=result.error,
        message=result.message,
        version=this_run.versions.get("imgkit-cv", ""),
        **result.facts._asdict(),
    )
