"""Count what the runs in a journal planned, and the images that are done, failed or missing.

Done and failed are outputs, each counted once, by the last line about it. Missing is what a run
planned, and neither skipped nor wrote: the line of a run has the number of images that it planned,
so that a run that was stopped, even by a power cut, is not taken for one that ended. Planned is the
sum of the three.

A later run replaces an earlier one, and what that left missing, if it plans all its images again:
over the same SRC, over another with all its outputs (SRC was renamed), or with ``--force``. Runs
over different SRC add up.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
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
class _Plan:
    """A run, what it has yet to do, and the outputs that count with it, by their last line."""

    run: Run
    missing: int | None  # planned, neither skipped nor with a line; None: not recorded
    now: Counter[bool] = field(default_factory=Counter)  # outputs by "is ok", written by this run
    before: Counter[bool] = field(default_factory=Counter)  # by those that it replaces
    heir: _Plan | None = None  # the run that replaces this one

    def counted(self) -> tuple[int, int]:
        """Return the outputs that are done and failed.

        Of the outputs of replaced runs, `run.skipped` are done. The others are to be made again if
        so many are missing, failures first: they are never skipped.
        """
        again = max(0, min(self.missing or 0, self.before.total() - self.run.skipped))
        failed = max(0, self.before[False] - again)
        done = self.before.total() - again - failed
        return self.now[True] + done, self.now[False] + failed


class OutcomeCounter:
    """Counts the records of a journal, which come in order."""

    def __init__(self) -> None:
        self._plans: dict[str, _Plan] = {}  # by the id of the run
        self._last: dict[str, tuple[_Plan, bool]] = {}  # by output: who wrote it, and "is ok"

    def add(self, record: Run | Entry) -> None:
        """Count one record."""
        if isinstance(record, Run):
            self._plans[record.id] = self._begun(record)
        elif (plan := self._plans.get(record.run)) is not None:
            is_ok = record.status == "ok"
            self._take_over(record.output, plan)
            self._last[record.output] = plan, is_ok
            plan.now[is_ok] += 1
            plan.missing = plan.missing and plan.missing - 1

    def total(self) -> Outcome:
        """Return the sum over the runs that no later run replaces."""
        plans = [plan for plan in self._plans.values() if plan.heir is None]
        counts = [plan.counted() for plan in plans]
        done, failed = sum(done for done, _ in counts), sum(failed for _, failed in counts)
        missing = [plan.missing for plan in plans if plan.missing is not None]
        if len(missing) < len(plans):
            return Outcome(None, done, failed, None)
        return Outcome(done + failed + sum(missing), done, failed, sum(missing))

    def _begun(self, run: Run) -> _Plan:
        """Return the plan of a run that starts, with the outputs of the runs that it replaces."""
        if run.planned is None:  # nor does it say what it skipped
            return _Plan(run, None)
        begun = _Plan(run, run.planned - run.skipped)
        for plan in self._plans.values():
            if plan.heir is None and _replaces(run, plan.run):
                begun.before += plan.now + plan.before
                plan.heir = begun
        return begun

    def _take_over(self, output: str, taker: _Plan) -> None:
        """Let an output that a run writes count no more with the run that wrote it before."""
        if output not in self._last:
            return
        writer, was_ok = self._last[output]
        owner = _counting(writer)
        if owner is writer:
            owner.now[was_ok] -= 1
        else:
            owner.before[was_ok] -= 1
            if owner is not taker and not owner.run.skipped:  # so it was still to be made again
                owner.missing = owner.missing and owner.missing - 1
        if _covers(taker.run, owner):
            owner.missing = 0


def _counting(plan: _Plan) -> _Plan:
    """Return the plan that counts the outputs of a plan: its last heir, or itself."""
    while plan.heir is not None:
        plan = plan.heir
    return plan


def _replaces(later: Run, earlier: Run) -> bool:
    """Whether a run plans all that an earlier one planned."""
    if later.force and not later.only:
        return True
    return later.src == earlier.src and later.only in ("", earlier.only)


def _covers(later: Run, earlier: _Plan) -> bool:
    """Whether a run over another SRC, as one that was renamed, wrote all outputs of a plan."""
    is_as_large = (later.planned or 0) >= (earlier.run.planned or 0) and not later.only
    is_other = later.id != earlier.run.id
    return is_other and is_as_large and not (earlier.now.total() or earlier.before.total())
