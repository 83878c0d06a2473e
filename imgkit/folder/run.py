"""Run a job over planned images.

Every image ends as one row. What a journal knows to be done already is skipped, and whatever an
engine loses is done again here.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from imgkit.folder.engines import local, ray
from imgkit.folder.journal import Entry, Journal, Run, new_run
from imgkit.folder.plan_outputs import Item, draw_index
from imgkit.folder.resume import sweep, unfinished
from imgkit.folder.steps import document, read_recipe
from imgkit.folder.task import UNLIMITED, ImageResult, Job, TaskLimits, convert, listening, sha256
from imgkit.io.decode import Limits
from imgkit.io.files import printable_path

ENGINES = {"local": local, "ray": ray}


@dataclass
class Report:
    """Counts what happened, and owns the exit code."""

    total: int
    ok: int = 0
    partial: int = 0  # of those that are ok: made of a file that ends early
    skipped: int = 0
    quarantined: int = 0
    failures: list[ImageResult] = field(default_factory=list)
    max_failures: int | None = None  # more than these end the run
    stopped: str = ""  # why the run ended early
    interrupted: int = 0  # the signal that asked it to end
    started: float = field(default_factory=time.monotonic)

    def add(self, row: ImageResult) -> None:
        """Count one row."""
        if row.status == "ok":
            self.ok += 1
            self.partial += row.facts.partial
            return
        self.failures.append(row)
        self.quarantined += row.status == "quarantined"
        if row.fatal:
            self.stopped = f"{row.error}: {row.message}"

    @property
    def done(self) -> int:
        """How many images are dealt with, those skipped included."""
        return self.ok + self.skipped + len(self.failures)

    @property
    def exceeded(self) -> bool:
        """Tell whether more images failed than may."""
        return self.max_failures is not None and len(self.failures) > self.max_failures

    @property
    def ending(self) -> bool:
        """Tell whether no further image is to begin."""
        return bool(self.stopped or self.interrupted or self.exceeded)

    @property
    def exit_code(self) -> int:
        """0 all well, 1 some failed, 3 too many did, 4 the environment, 130 or 143 a signal."""
        if self.interrupted:
            return 128 + self.interrupted
        return 4 if self.stopped else 3 if self.exceeded else 1 if self.failures else 0

    def summary(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        rows = sorted(self.failures)
        return {
            "total": self.total,
            "ok": self.ok,
            "partial": self.partial,
            "skipped": self.skipped,
            "failed": len(rows) - self.quarantined,
            "quarantined": self.quarantined,
            "seconds": round(time.monotonic() - self.started, 3),
            "failures": [
                {"path": printable_path(row.path), "error": row.error, "message": row.message}
                for row in rows
            ],
        }


def run(
    items: list[Item],
    job: Job,
    workers: int,
    seen: Callable[[ImageResult, Report], None],
    journal: Journal | None = None,
    src: str = "",
    *,
    task_limits: TaskLimits = UNLIMITED,
    engine: str = "local",
    force: bool = False,
    max_failures: int | None = None,
    asked: Callable[[int], None] = lambda number: None,
) -> Report:
    """Process all items and call `seen` after each.

    The first Ctrl-C or SIGTERM lets the images in work finish and begins no other; the second
    ends the run at once. Either way every output is whole, and the same call goes on from there.

    Args:
        items: what to do.
        job: how.
        workers: processes, at least 1.
        seen: called with the row of every item that was worked on.
        journal: open; it gets a line for each of these, and what it says is done is skipped.
        src: the folder that the paths of the items are relative to, if there is a journal.
        task_limits: what one image may cost.
        engine: "local" or "ray".
        force: skip nothing.
        max_failures: when more images have failed, no other begins.
        asked: called with the number of the first signal, from its handler.
    """
    report = Report(len(items), max_failures=max_failures)
    todo = items
    note: Callable[[Item, ImageResult], None] = _no_note
    try:
        sweep({os.path.dirname(item.target) for item in items})
        if journal is not None:
            begun = describe(job, src)
            todo = items if force else unfinished(items, journal.dst, begun)
            note = _noting(journal, job, begun)
        report.skipped = len(items) - len(todo)
        with _stoppable(report, asked):
            for item, row in _rows(todo, job, workers, task_limits, engine, report):
                report.add(row)
                note(item, row)
                seen(row, report)
    except KeyboardInterrupt:
        report.interrupted = report.interrupted or signal.SIGINT
    except OSError as error:  # of the journal or the workers: what happens to an image is a row
        report.stopped = f"{error.filename or 'run'}: {error.strerror or error}"
    return report


def _rows(
    todo: list[Item],
    job: Job,
    workers: int,
    task_limits: TaskLimits,
    engine: str,
    report: Report,
) -> Iterator[tuple[Item, ImageResult]]:
    """Yield every item once with its row; what the engine lost is done here, alone."""
    left = {item.target: item for item in todo}
    for name, processes in ((engine, workers), ("local", 1)):
        again = list(left.values())
        rows = ENGINES[name].rows(again, job, processes, task_limits, lambda: report.ending)
        with contextlib.closing(rows):
            for item, row in rows:
                if left.pop(item.target, None) is not None:
                    yield item, row
        if not left or report.ending:
            return
    for item in left.values():
        yield item, ImageResult(item.path, "failed", "lost", "no worker gave an answer")


@contextlib.contextmanager
def _stoppable(report: Report, asked: Callable[[int], None]) -> Iterator[None]:
    """Make the first signal a wish in the report, and the second a KeyboardInterrupt."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        if report.interrupted:
            raise KeyboardInterrupt
        report.interrupted = number
        asked(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# --- the journal ------------------------------------------------------------------------


def describe(job: Job, src: str) -> Run:
    """Describe a run of a job over a folder that begins now."""
    done = {
        "pipeline": document(job.steps, job.seed, job.canvas),
        "epoch": job.epoch,
        "quality": job.quality,
        "scale": job.scale,
        "fast_decode": job.shrink_to is not None,  # where it changes nothing it is none
    }
    return new_run(src, done, job.limits._asdict() | {"allow": sorted(job.limits.allow)})


def _no_note(item: Item, row: ImageResult) -> None:
    """Without a journal nothing is noted."""


def _noting(journal: Journal, job: Job, begun: Run) -> Callable[[Item, ImageResult], None]:
    """Begin a run in the journal; return what adds a line for an item."""
    journal.add(begun)
    return lambda item, row: journal.add(_entry(begun, job, item, row, journal.dst))


def _entry(begun: Run, job: Job, item: Item, row: ImageResult, dst: str) -> Entry:
    return Entry(
        run=begun.id,
        path=item.path,
        output=os.path.relpath(item.target, dst),
        kind=item.kind,
        op=begun.op,
        seed=job.seed,
        epoch=job.epoch,
        copy=item.copy,
        index=draw_index(item.path, item.copy),
        status=row.status,
        error=row.error,
        message=row.message,
        version=begun.versions.get("imgkit-cv", ""),
        **row.facts._asdict(),
    )


def rebuild(begun: Run, entry: Entry, src: str | None = None) -> bytes:
    """Make the bytes of an output again from its input and what the journal says.

    Args:
        begun: the run of the entry.
        entry: what became of the output.
        src: where the inputs are now, if not where they were.

    Raises:
        ValueError: if the run made no such output, or the input is not what it was.
        FileNotFoundError: if the input is missing.
    """
    if entry.status != "ok":
        raise ValueError(f"that run did not make it: {entry.error}: {entry.message}")
    recipe = read_recipe(begun.pipeline)
    scale = tuple(begun.scale) if isinstance(begun.scale, list) else begun.scale
    job = Job(
        recipe.steps,
        begun.quality,
        scale,
        Limits(**begun.limits),
        recipe.seed,
        begun.epoch,
        recipe.canvas,
        begun.fast_decode,
    )
    source = os.path.join(src or begun.src, entry.path)
    try:
        with open(source, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{printable_path(source)} is missing: put it back, or say where the inputs are now"
        ) from None
    if sha256(data) != entry.source:
        raise ValueError(
            f"{printable_path(source)} has changed since the run: it had {entry.size} bytes and "
            f"SHA-256 {entry.source[:12]}, it has {len(data)} and {sha256(data)[:12]}"
        )
    with listening():  # the run said it
        return convert(job, data, entry.kind, entry.index)
