"""One way to measure: same process, one thread each, both sides alternating.

A suite is a module of this package with ``cases(quick) -> Iterator[Case]``; or, if it does not
measure time, with ``report(quick) -> str``. The outputs of each case are compared before timing. A
ratio is peer time / our time: above 1 imgkit is faster.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

Call = Callable[[], Any]


class Case(NamedTuple):
    """One comparison: `tolerance` is the largest accepted difference, in the data's units.

    A peer whose result legitimately differs (another definition) gets None and a `note`.
    `goal` is, for some peers, the ratio that this case should reach.
    """

    name: str
    ours: Call
    peers: dict[str, Call]
    tolerance: dict[str, float | None] = {}  # noqa: RUF012 - never written
    goal: dict[str, float] = {}  # noqa: RUF012 - never written
    note: str = ""


class Row(NamedTuple):
    """The measurement of one case against one peer; times in milliseconds."""

    case: str
    peer: str
    ours_ms: float
    peer_ms: float
    ratio: float
    spread: float  # half the interquartile range of the ratio, relative to it
    goal: float | None
    note: str


def check_equal(case: Case) -> None:
    """Raise if a peer's output differs by more than the case allows."""
    ours = np.asarray(case.ours())
    for peer, call in case.peers.items():
        tolerance = case.tolerance.get(peer, 1e-3)
        if tolerance is None:
            continue
        theirs = np.asarray(call())
        if ours.shape != theirs.shape:
            raise AssertionError(f"{case.name}: shape {ours.shape}, {peer} has {theirs.shape}")
        worst = float(np.abs(ours.astype(np.float64) - theirs.astype(np.float64)).max(initial=0))
        if not worst <= tolerance:
            raise AssertionError(f"{case.name}: differs from {peer} by {worst:g} > {tolerance:g}")


def measure(case: Case, seconds: float) -> list[Row]:
    """Time a case against each of its peers, about `seconds` per side."""
    check_equal(case)
    return [_measure(case, peer, seconds) for peer in case.peers]


def _measure(case: Case, peer: str, seconds: float) -> Row:
    theirs = case.peers[peer]
    repeat = max(1, int(1e-3 / max(_once(case.ours), 1e-7)))  # a clock reading spans >= 1 ms
    slower = max(_once(case.ours, repeat), _once(theirs, repeat)) * repeat
    rounds = int(np.clip(seconds / max(slower, 1e-6), 3, 200))
    gc.disable()
    pairs = np.array([(_once(case.ours, repeat), _once(theirs, repeat)) for _ in range(rounds)])
    gc.enable()
    ratios = pairs[:, 1] / pairs[:, 0]
    low, middle, high = np.percentile(ratios, [25, 50, 75])
    ours_ms, peer_ms = np.median(pairs, axis=0) * 1e3
    goal = case.goal.get(peer)
    spread = (high - low) / 2 / middle
    return Row(case.name, peer, ours_ms, peer_ms, middle, spread, goal, case.note)


def _once(call: Call, repeat: int = 1) -> float:
    start = time.perf_counter()
    for _ in range(repeat):
        call()
    return (time.perf_counter() - start) / repeat


def run_suite(cases: Iterator[Case], quick: bool) -> Iterator[Row]:
    """Measure all cases of a suite, row by row."""
    for case in cases:
        yield from measure(case, 0.1 if quick else 0.3)


def table(title: str, rows: list[Row]) -> str:
    """Return a Markdown table; losses are printed like wins."""
    lines = [
        f"## {title}",
        "",
        "| case | peer | imgkit ms | peer ms | ratio | ± | goal |",
        "|---|---|--:|--:|--:|--:|---|",
    ]
    for row in rows:
        goal = (
            ""
            if row.goal is None
            else f"{row.goal:g} {'met' if row.ratio >= row.goal else 'MISSED'}"
        )
        lines.append(
            f"| {row.case} | {row.peer} | {row.ours_ms:.3g} | {row.peer_ms:.3g} "
            f"| {row.ratio:.2f} | {row.spread:.0%} | {goal} |"
        )
    notes = dict.fromkeys(f"- {row.case}: {row.note}" for row in rows if row.note)
    return "\n".join([*lines, "", *notes, ""]) if notes else "\n".join([*lines, ""])
