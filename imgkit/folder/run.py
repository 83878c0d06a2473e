"""Run steps over planned images: read, decode, apply, encode, commit.

Whatever happens to an image becomes one `Row`; `process` never raises. An output appears whole
or not at all: it is written beside its place under a temporary name and then renamed.
"""

from __future__ import annotations

import errno
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit.folder import codec
from imgkit.folder.scan import OWN, Item, shown
from imgkit.folder.steps import Step, apply

# What no other image will survive either: the disk is full, read-only, or not ours.
ENVIRONMENT = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}


@dataclass(frozen=True)
class Job:
    """Everything that, with the input's bytes, decides the output's bytes. It pickles."""

    steps: tuple[Step, ...]
    quality: int = 95
    scale: str | tuple[float, float] | None = None
    max_pixels: int = codec.MAX_PIXELS


class Row(NamedTuple):
    """What became of one image: status is "ok" or "failed"."""

    path: str
    status: str = "ok"
    error: str = ""
    message: str = ""
    fatal: bool = False  # the environment's fault: stop


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


def convert(job: Job, data: bytes, kind: str) -> bytes:
    """Turn the bytes of one image into the bytes of its output."""
    result = apply(job.steps, codec.decode(data, job.max_pixels))
    return codec.encode(result, kind, quality=job.quality, scale=job.scale)


def process(job: Job, item: Item) -> Row:
    """Do the whole work for one image."""
    try:
        with open(item.source, "rb") as file:
            data = file.read()
        output = convert(job, data, item.kind)
    except Exception as error:  # every outcome is a row, whatever a decoder or operation raises
        return failed(item.path, error)
    try:
        commit(item.target, output)
    except OSError as error:
        return failed(item.path, error, fatal=error.errno in ENVIRONMENT)
    return Row(item.path)


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


def run(items: list[Item], job: Job, workers: int, seen: Callable[[Row, Report], None]) -> Report:
    """Process all items and call `seen` after each; Ctrl-C ends it with what is done so far."""
    from imgkit.folder.engines import local

    report = Report(len(items))
    rows = local.rows(items, job, min(workers, len(items)))
    try:
        for row in rows:
            report.add(row)
            seen(row, report)
            if report.stopped:
                break
    except KeyboardInterrupt:
        report.interrupted = True
    finally:
        rows.close()
    return report
