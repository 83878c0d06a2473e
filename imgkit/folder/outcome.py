"""Count what the runs in a journal planned, and the images that are done, failed or missing.

The line of a run has the number of images that it planned, so that a run that was stopped, even by
a power cut, is not taken for one that ended. A later run over the same SRC plans all its images
again and replaces the earlier one in the count; runs over different SRC add up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from imgkit.folder.journal import Entry, Run


class Outcome(NamedTuple):
    """The number of images by outcome; planned = done + failed + missing.

    `planned` and `missing` are None where a journal does not say, as those of earlier versions.
    """

    planned: int | None = 0
    done: int = 0  # written, by this run or before it
    failed: int = 0  # quarantined ones included
    missing: int | None = 0  # planned, and without a result

    def facts(self) -> dict[str, Any]:
        """Return what ``--json`` prints, `failed` apart."""
        return {"planned": self.planned, "done": self.done, "missing": self.missing}

    def text(self) -> str:
        """Return one line.

        >>> Outcome(9, 5, 1, 3).text()
        '9 images planned: 5 done, 1 failed, 3 missing'
        """
        if self.planned is None:
            return f"planned unknown: {self.done} done, {self.failed} failed"
        counts = f"{self.done} done, {self.failed} failed, {self.missing} missing"
        return f"{self.planned} images planned: {counts}"


@dataclass
class _RunCount:
    """A run that no later run replaces, and the lines of its images."""

    run: Run
    ok: int = 0
    failed: int = 0


class OutcomeCounter:
    """Counts the records of a journal, which come in order."""

    def __init__(self) -> None:
        self._runs: dict[str, _RunCount] = {}

    def add(self, record: Run | Entry) -> None:
        """Count one record. A run has one line for each image that it processed."""
        if isinstance(record, Run):
            replaced = [name for name, known in self._runs.items() if _replaces(record, known.run)]
            for name in replaced:
                del self._runs[name]
            self._runs[record.id] = _RunCount(record)
        elif (known := self._runs.get(record.run)) is not None:
            known.ok += record.status == "ok"
            known.failed += record.status != "ok"

    def total(self) -> Outcome:
        """Return the sum over the runs that no later run replaces."""
        runs = self._runs.values()
        done = sum(known.ok + known.run.skipped for known in runs)
        failed = sum(known.failed for known in runs)
        plans = [known.run.planned for known in runs]
        if None in plans:
            return Outcome(None, done, failed, None)
        planned = sum(plan for plan in plans if plan is not None)
        return Outcome(planned, done, failed, planned - done - failed)


def _replaces(later: Run, earlier: Run) -> bool:
    """Whether a run plans all that an earlier one planned."""
    return later.src == earlier.src and later.only in ("", earlier.only)
