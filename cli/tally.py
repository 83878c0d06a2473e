"""Progress of commands on many files: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from imgkit.folder.run import Report
    from imgkit.folder.task import ImageResult

PLAIN_SECONDS = 10  # between two lines where there is no terminal


def cores() -> int:
    """Return how many cores this process may use."""
    available = getattr(os, "sched_getaffinity", None)
    return len(available(0)) if available else os.cpu_count() or 1


# --- a run ------------------------------------------------------------------------------


class Progress:
    """Progress of a run on stderr, with its rate and what is left."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.bar: Any = None
        self.last = time.monotonic()
        self.warned = False

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self.bar = Bar(
                *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()),
                *(TextColumn("{task.fields[told]}"), TimeRemainingColumn()),
                console=Console(stderr=True),
                transient=True,
            )
            self.bar.start()
            self.task = self.bar.add_task("images", total=self.total, told="")
        return self

    def __exit__(self, *raised: object) -> None:
        if self.bar:
            self.bar.stop()

    def show(self, row: ImageResult, report: Report) -> None:
        """Tell about one finished image."""
        if row.status != "ok":
            tell_failure(row)
        if row.status == "ok" and row.facts.partial:
            tell_partial(row)
        elif row.warning and not self.warned:
            self.warned = True
            tell_warning(row, " (further warnings are not shown)")
        if self.bar:
            self.bar.update(self.task, completed=report.done, told=_pace(report)[0])
        elif time.monotonic() - self.last > PLAIN_SECONDS:
            self.last = time.monotonic()
            click.echo(f"{report.done}/{self.total} images, {', '.join(_pace(report))}", err=True)


def _pace(report: Report) -> tuple[str, str]:
    """Return the rate with the failures, and the time that is left, as text."""
    worked = report.done - report.skipped
    rate = worked / max(1e-3, time.monotonic() - report.started)
    left = int((report.total - report.done) / rate)
    return (
        f"{rate:.3g}/s, {len(report.failures)} failed",
        f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02} left",
    )


def tell_failure(row: ImageResult) -> None:
    """Print why an image has no output."""
    from imgkit.io.files import printable_path

    click.echo(f"{row.status}: {printable_path(row.path)}: {row.error}: {row.message}", err=True)


def tell_warning(row: ImageResult, more: str = "") -> None:
    """Print what there is to say of an image that has one."""
    from imgkit.io.files import printable_path

    click.echo(f"warning: {printable_path(row.path)}: {row.warning}{more}", err=True)


def tell_partial(row: ImageResult) -> None:
    """Print that an output lacks a part of its image."""
    from imgkit.io.files import printable_path

    click.echo(
        f"partial: {printable_path(row.path)}: {row.warning or 'the file ends early'}", err=True
    )


def summarize(report: Report, seed: int | None) -> dict[str, Any]:
    """Return what --json prints of a run: the report, and the seed if one was used."""
    return report.summary() | ({} if seed is None else {"seed": seed})


# --- files ------------------------------------------------------------------------------


class Tally:
    """Counts files, tells how far it is on stderr, and of each file that fails."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.failed = total, 0, 0
        self.last = time.monotonic()
        self.bar: Any = None

    def __enter__(self) -> Tally:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self.bar = Progress(console=Console(stderr=True), transient=True)
            self.bar.start()
            self.task = self.bar.add_task("images", total=self.total)
        return self

    def __exit__(self, *raised: object) -> None:
        if self.bar:
            self.bar.stop()

    def show(self, path: str, problem: Any) -> None:
        """Count a file; `problem` is None, or has a path, an error and a message."""
        self.done += 1
        if problem is not None:
            from imgkit.io.files import printable_path

            self.failed += 1
            click.echo(
                f"failed: {printable_path(path)}: {problem.error}: {problem.message}", err=True
            )
        if self.bar:
            self.bar.update(self.task, completed=self.done)
        elif time.monotonic() - self.last > PLAIN_SECONDS:
            self.last = time.monotonic()
            click.echo(f"{self.done}/{self.total} images, {self.failed} failed", err=True)
