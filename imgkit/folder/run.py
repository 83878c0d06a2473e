"""Run steps over planned images: read, decode, apply, encode, commit.

Whatever happens to an image becomes one `Row`; `process` never raises. An output appears whole
or not at all: it is written beside its place under a temporary name and then renamed.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
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
from imgkit.folder.scan import OWN, Item, draw_index, shown
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


class Facts(NamedTuple):
    """What the journal tells of an input and of its output; hashes are SHA-256."""

    size: int = 0
    mtime_ns: int = 0
    source: str = ""
    sha256: str = ""


class Row(NamedTuple):
    """What became of one image: status is "ok" or "failed"."""

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
    with listening() as said:
        row = _process(job, item)
    return row._replace(warning=said[0]) if said else row


def _process(job: Job, item: Item) -> Row:
    facts = Facts()
    try:
        with open(item.source, "rb") as file:
            data, status = file.read(), os.fstat(file.fileno())
        facts = Facts(status.st_size, status.st_mtime_ns, sha256(data))
        output = convert(job, data, item.kind, draw_index(item.path, item.copy))
    except Exception as error:  # every outcome is a row, whatever a decoder or operation raises
        return failed(item.path, error)._replace(facts=facts)
    try:
        commit(item.target, output)
    except OSError as error:
        fatal = error.errno in ENVIRONMENT
        return failed(item.path, error, fatal)._replace(facts=facts)
    return Row(item.path, facts=facts._replace(sha256=sha256(output)))


def sha256(data: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def failed(path: str, error: BaseException, fatal: bool = False) -> Row:
    """Make the row of a failure."""
    kind = getattr(error, "kind", None) or type(error).__name__
    message = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return Row(path, "failed", kind, " ".join(message.split()), fatal)


def commit(target: str, data: bytes) -> None:
    """Write a file so that its name shows either nothing, the old file, or the whole new one."""
    folder = os.path.dirname(target) or os.curdir
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, f"{OWN}-{os.getpid()}-{uuid.uuid4().hex}")
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
    stopped: str = ""  # why the run ended early
    interrupted: bool = False
    started: float = field(default_factory=time.monotonic)

    def add(self, row: Row) -> None:
        """Count one row."""
        if row.status == "ok":
            self.ok += 1
        else:
            self.failures.append(row)
            if row.fatal:
                self.stopped = f"{row.error}: {row.message}"

    @property
    def exit_code(self) -> int:
        """0 all well, 1 some images failed, 4 the environment, 130 interrupted."""
        if self.interrupted:
            return 130
        return 4 if self.stopped else 1 if self.failures else 0

    def summary(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        rows = sorted(self.failures)
        return {
            "total": self.total,
            "ok": self.ok,
            "skipped": self.skipped,
            "failed": len(rows),
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
) -> Report:
    """Process all items and call `seen` after each; Ctrl-C ends it with what is done so far.

    With a journal, which must be open, it gets a line for each item; `src` is the folder that
    the paths of the items are relative to.
    """
    from imgkit.folder.engines import local

    report = Report(len(items))
    rows = local.rows(items, job, min(workers, len(items)))
    try:
        note = _noting(journal, job, src)
        for item, row in rows:
            report.add(row)
            note(item, row)
            seen(row, report)
            if report.stopped:
                break
    except KeyboardInterrupt:
        report.interrupted = True
    except OSError as error:  # of the journal: what happens to an image is a row
        report.stopped = f"journal: {error.strerror}"
    finally:
        rows.close()
    return report


# --- the journal ------------------------------------------------------------------------


def _noting(journal: Journal | None, job: Job, src: str) -> Callable[[Item, Row], None]:
    """Begin a run in the journal; return what adds a line for an item."""
    if journal is None:
        return lambda item, row: None
    done = {
        "pipeline": document(job.steps, job.seed),
        "epoch": job.epoch,
        "quality": job.quality,
        "scale": job.scale,
    }
    begun = new_run(src, done, job.max_pixels)
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
