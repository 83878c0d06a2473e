"""Run steps over planned images: read, decode, apply, encode, commit.

Whatever happens to an image becomes one `Row`; `process` never raises. An output appears whole
or not at all: it is written beside its place under a temporary name and then renamed. What a
journal knows to be done already is skipped, and whatever an engine loses is done again here.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import importlib
import os
import signal
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit.folder import codec
from imgkit.folder.journal import Entry, Journal, Run, new_run
from imgkit.folder.resume import marked, sweep, unfinished
from imgkit.folder.scan import Item, draw_index, shown
from imgkit.folder.steps import Program, Step, apply, document, program, read_recipe

# What no other image will survive either: the disk is full, read-only, or not ours.
ENVIRONMENT = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}


@dataclass(frozen=True)
class Job:
    """Everything that, with the input's bytes and index, decides the output's. It pickles."""

    steps: tuple[Step, ...]
    quality: int = 95
    scale: str | tuple[float, float] | None = None
    max_pixels: int = codec.MAX_PIXELS
    seed: int | None = None
    epoch: int = 0

    @functools.cached_property
    def program(self) -> Program:
        """The steps as they run."""
        return program(self.steps, self.seed)


class Guards(NamedTuple):
    """What one image may cost before it counts as failed; None: whatever it takes."""

    timeout: float | None = None  # seconds
    memory: int | None = None  # bytes that a worker may claim on top of what it starts with


UNGUARDED = Guards()


class Facts(NamedTuple):
    """What the journal tells of an input and of its output; hashes are SHA-256."""

    size: int = 0
    mtime_ns: int = 0
    source: str = ""
    sha256: str = ""
    written: int = 0  # bytes of the output


class Row(NamedTuple):
    """What became of one image: status is "ok", "failed" or "quarantined"."""

    path: str
    status: str = "ok"
    error: str = ""
    message: str = ""
    fatal: bool = False  # the environment's fault: stop
    facts: Facts = Facts()
    warning: str = ""  # the first, if any


def output_kind(kind: str, dtype: npt.DTypeLike | None, scale: object) -> str:
    """Resolve the format "same" for results of a dtype (None: not known before the work).

    Raises:
        ValueError: if the results will not fit the format.
    """
    if dtype is None or scale is not None:
        return kind
    if kind == "same":
        return "float" if np.dtype(dtype).kind == "f" else "same"
    why = codec.unfit(dtype, kind)
    if why:
        raise ValueError(why)
    return kind


def convert(job: Job, data: bytes, kind: str, index: int) -> bytes:
    """Turn the bytes of one image into the bytes of its output; `index` decides the draws."""
    image = codec.decode(data, job.max_pixels)
    result = apply(job.program, image, (job.epoch, index))
    return codec.encode(result, kind, quality=job.quality, scale=job.scale)


@contextlib.contextmanager
def listening() -> Iterator[list[str]]:
    """Collect warnings about an image, so that whoever draws the progress can tell them."""
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield said
    said.extend(str(warning.message) for warning in caught)


def process(job: Job, item: Item) -> Row:
    """Do the whole work for one image."""
    return deliver(item, *make(job, item))


def make(job: Job, item: Item) -> tuple[Row, bytes]:
    """Make the bytes of an output, and the row that it has once they are delivered."""
    with listening() as said:
        row, output = _make(job, item)
    return (row._replace(warning=said[0]) if said else row), output


def _make(job: Job, item: Item) -> tuple[Row, bytes]:
    facts = Facts()
    try:
        with open(item.source, "rb") as file:
            data, status = file.read(), os.fstat(file.fileno())
    except FileNotFoundError as error:
        return failed(item.path, error)._replace(error="vanished"), b""
    except Exception as error:
        return failed(item.path, error), b""
    try:
        facts = Facts(status.st_size, status.st_mtime_ns, sha256(data))
        output = convert(job, data, item.kind, draw_index(item.path, item.copy))
    except Exception as error:  # every outcome is a row, whatever a decoder or operation raises
        return failed(item.path, error)._replace(facts=facts), b""
    facts = facts._replace(sha256=sha256(output), written=len(output))
    return Row(item.path, facts=facts), output


def deliver(item: Item, row: Row, output: bytes) -> Row:
    """Write what was made; return the row, or that of a failure to write."""
    if row.status != "ok":
        return row
    try:
        commit(item.target, output)
    except OSError as error:
        facts = row.facts._replace(sha256="", written=0)
        fatal = error.errno in ENVIRONMENT
        return failed(item.path, error, fatal)._replace(facts=facts, warning=row.warning)
    return row


def sha256(data: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def failed(path: str, error: BaseException, fatal: bool = False) -> Row:
    """Make the row of a failure."""
    kind = getattr(error, "kind", None) or type(error).__name__
    message = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if _is_memory(error) or _is_memory(error.__cause__):
        kind = "oom"
    return Row(path, "failed", kind, " ".join(message.split()), fatal)


def _is_memory(error: BaseException | None) -> bool:
    """Tell whether memory ran out, in Python or in OpenCV."""
    return isinstance(error, MemoryError) or "Insufficient memory" in str(error)


def commit(target: str, data: bytes) -> None:
    """Write a file so that its name shows either nothing, the old file, or the whole new one."""
    folder = os.path.dirname(target) or os.curdir
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, marked(os.getpid()) + uuid.uuid4().hex)
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise


@dataclass
class Report:
    """Counts what happened, and owns the exit code."""

    total: int
    ok: int = 0
    skipped: int = 0
    quarantined: int = 0
    failures: list[Row] = field(default_factory=list)
    max_failures: int | None = None  # more than these end the run
    stopped: str = ""  # why the run ended early
    interrupted: int = 0  # the signal that asked it to end
    started: float = field(default_factory=time.monotonic)

    def add(self, row: Row) -> None:
        """Count one row."""
        if row.status == "ok":
            self.ok += 1
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
            "skipped": self.skipped,
            "failed": len(rows) - self.quarantined,
            "quarantined": self.quarantined,
            "seconds": round(time.monotonic() - self.started, 3),
            "failures": [
                {"path": shown(row.path), "error": row.error, "message": row.message}
                for row in rows
            ],
        }


def run(
    items: list[Item],
    job: Job,
    workers: int,
    seen: Callable[[Row, Report], None],
    journal: Journal | None = None,
    src: str = "",
    *,
    guards: Guards = UNGUARDED,
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
        guards: what one image may cost.
        engine: "local" or "ray".
        force: skip nothing.
        max_failures: when more images have failed, no other begins.
        asked: called with the number of the first signal, from its handler.
    """
    report = Report(len(items), max_failures=max_failures)
    todo = items
    note: Callable[[Item, Row], None] = _no_note
    try:
        sweep({os.path.dirname(item.target) for item in items})
        if journal is not None:
            begun = describe(job, src)
            todo = items if force else unfinished(items, journal.dst, begun)
            note = _noting(journal, job, begun)
        report.skipped = len(items) - len(todo)
        with _stoppable(report, asked):
            for item, row in _rows(todo, job, workers, guards, engine, report):
                report.add(row)
                note(item, row)
                seen(row, report)
    except KeyboardInterrupt:
        report.interrupted = report.interrupted or signal.SIGINT
    except OSError as error:  # of the journal or the workers: what happens to an image is a row
        report.stopped = f"{error.filename or 'run'}: {error.strerror or error}"
    return report


def _rows(
    todo: list[Item], job: Job, workers: int, guards: Guards, engine: str, report: Report
) -> Iterator[tuple[Item, Row]]:
    """Yield every item once with its row; what the engine lost is done here, alone."""
    left = {item.target: item for item in todo}
    for name, processes in ((engine, workers), ("local", 1)):
        module = importlib.import_module(f"imgkit.folder.engines.{name}")
        again = list(left.values())
        rows = module.rows(again, job, processes, guards, lambda: report.ending)
        with contextlib.closing(rows):
            for item, row in rows:
                if left.pop(item.target, None) is not None:
                    yield item, row
        if not left or report.ending:
            return
    for item in left.values():
        yield item, Row(item.path, "failed", "lost", "no worker gave an answer")


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
        "pipeline": document(job.steps, job.seed),
        "epoch": job.epoch,
        "quality": job.quality,
        "scale": job.scale,
    }
    return new_run(src, done, job.max_pixels)


def _no_note(item: Item, row: Row) -> None:
    """Without a journal nothing is noted."""


def _noting(journal: Journal, job: Job, begun: Run) -> Callable[[Item, Row], None]:
    """Begin a run in the journal; return what adds a line for an item."""
    journal.add(begun)
    return lambda item, row: journal.add(_entry(begun, job, item, row, journal.dst))


def _entry(begun: Run, job: Job, item: Item, row: Row, dst: str) -> Entry:
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
    job = Job(recipe.steps, begun.quality, scale, begun.max_pixels, recipe.seed, begun.epoch)
    source = os.path.join(src or begun.src, entry.path)
    try:
        with open(source, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{shown(source)} is missing: put it back, or say where the inputs are now"
        ) from None
    if sha256(data) != entry.source:
        raise ValueError(
            f"{shown(source)} has changed since the run: it had {entry.size} bytes and SHA-256 "
            f"{entry.source[:12]}, it has {len(data)} and {sha256(data)[:12]}"
        )
    return convert(job, data, entry.kind, entry.index)
