"""Hold a destination against its journal: every output there, whole, and nothing else."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from imgkit.folder.journal import Run, stream
from imgkit.io.files import OWN, printable_path


class Noted(NamedTuple):
    """The last line of the journal about an output."""

    status: str
    sha256: str
    op: str


@dataclass
class Verdict:
    """What was found; the lists hold paths below the destination."""

    outputs: int = 0  # that the journal says were written
    failed: int = 0  # that the journal says were not
    changed: list[str] = field(default_factory=list)  # other bytes than were written
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)  # no run wrote them, or their last one failed
    earlier: list[str] = field(default_factory=list)  # whole, but not made as the last run did

    @property
    def holds(self) -> bool:
        """Tell whether every output is there as it was written, and nothing else is."""
        return not (self.changed or self.missing or self.extra)

    def summary(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        names = ("changed", "missing", "extra", "earlier")
        lists = {name: [printable_path(path) for path in getattr(self, name)] for name in names}
        return {"outputs": self.outputs, "failed": self.failed, **lists}


def verify(dst: str) -> Verdict:
    """Read every output of a destination and compare it with the journal.

    Raises:
        FileNotFoundError: if DST has no journal.
    """
    noted, last = _last(dst)
    verdict = Verdict()
    for path in sorted(files(dst)):
        known = noted.pop(path, None)
        if known is None or known.status != "ok":
            verdict.extra.append(path)
            verdict.failed += known is not None
            continue
        verdict.outputs += 1
        if _hash(os.path.join(dst, path)) != known.sha256:
            verdict.changed.append(path)
        elif known.op != last:
            verdict.earlier.append(path)
    for path, known in sorted(noted.items()):
        if known.status == "ok":
            verdict.outputs += 1
            verdict.missing.append(path)
        else:
            verdict.failed += 1
    return verdict


def _last(dst: str) -> tuple[dict[str, Noted], str]:
    """Return the last line about each output, and the op of the last run."""
    noted: dict[str, Noted] = {}
    ops: dict[str, str] = {}  # many lines share one
    last = ""
    for record in stream(dst):
        if isinstance(record, Run):
            last = record.op
        else:
            op = ops.setdefault(record.op, record.op)
            noted[record.output] = Noted(record.status, record.sha256, op)
    return noted, last


def files(dst: str) -> Iterator[str]:
    """Yield the paths of all files below a destination but imgkit's own."""
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
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
