"""Compare a destination with its journal: all that was planned exists, and nothing else."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from imgkit.folder.journal import Run, no_run, stream
from imgkit.folder.outcome import Outcome, OutcomeCounter
from imgkit.io.files import OWN, printable_path


class LastEntry(NamedTuple):
    """The last line of the journal about an output."""

    status: str
    sha256: str
    op: str


@dataclass
class Verdict:
    """The result of a comparison; the lists hold paths below the destination."""

    outputs: int = 0  # written, according to the journal
    failed: int = 0  # not written, according to the journal
    changed: list[str] = field(default_factory=list)  # the bytes differ from those written
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)  # not written by a run, or the last one failed
    earlier: list[str] = field(
        default_factory=list
    )  # unchanged, but of an earlier run with other parameters
    outcome: Outcome = field(default_factory=Outcome)  # of the images that were planned

    @property
    def unprocessed(self) -> int | None:
        """How many images were planned and have no result; None if the journal does not say."""
        return self.outcome.missing

    @property
    def is_intact(self) -> bool:
        """Whether every output exists as it was written, and no other file exists."""
        return not (self.changed or self.missing or self.extra)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing: it is intact, and every planned image has a result."""
        return self.is_intact and not self.unprocessed

    def summary(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        names = ("changed", "missing", "extra", "earlier")
        lists = {name: [printable_path(path) for path in getattr(self, name)] for name in names}
        return {
            "planned": self.outcome.planned,
            "done": self.outcome.done,
            "unprocessed": self.unprocessed,
            "outputs": self.outputs,
            "failed": self.outcome.failed,  # planned = done + failed + unprocessed
            **lists,
        }


def verify(dst: str) -> Verdict:
    """Read every output of a destination and compare it with the journal.

    Raises:
        FileNotFoundError: DST has no journal.
        ValueError: the journal has no run.
    """
    entries, last, outcome = _last(dst)
    verdict = Verdict(outcome=outcome)
    for path in sorted(files(dst)):
        entry = entries.pop(path, None)
        if entry is None or entry.status != "ok":
            verdict.extra.append(path)
            verdict.failed += entry is not None
            continue
        verdict.outputs += 1
        if _hash(os.path.join(dst, path)) != entry.sha256:
            verdict.changed.append(path)
        elif entry.op != last:
            verdict.earlier.append(path)
    for path, entry in sorted(entries.items()):
        if entry.status == "ok":
            verdict.outputs += 1
            verdict.missing.append(path)
        else:
            verdict.failed += 1
    return verdict


def _last(dst: str) -> tuple[dict[str, LastEntry], str, Outcome]:
    """Return the last line about each output, the op of the last run, and the count of images."""
    counter = OutcomeCounter()
    entries: dict[str, LastEntry] = {}
    ops: dict[str, str] = {}  # many lines share one
    last = ""
    for record in stream(dst):
        counter.add(record)
        if isinstance(record, Run):
            last = record.op
        else:
            op = ops.setdefault(record.op, record.op)
            entries[record.output] = LastEntry(record.status, record.sha256, op)
    if not last:
        raise no_run(dst)
    return entries, last, counter.total()


def files(dst: str) -> Iterator[str]:
    """Yield the paths of all files below a destination except imgkit's own."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        with os.scandir(os.path.join(dst, folder)) as entries:
            for entry in entries:
                path = os.path.join(folder, entry.name)
                if entry.name == OWN or entry.name.startswith(f"{OWN}-"):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                else:
                    yield path


def _hash(path: str) -> str:
    """Return the SHA-256 of a file; "" if it cannot be read, or is none: a FIFO would block."""
    if not os.path.isfile(path):
        return ""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
