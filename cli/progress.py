"""Progress of commands on many files: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from imgkit.dataset.stats import Bad
    from imgkit.folder.run import Report
    from imgkit.folder.task import ImageResult

PLAIN_SECONDS = 10  # between two lines where there is no terminal


def cores() -> int:
    """Return the number of cores that this process may use."""
    available = getattr(os, "sched_getaffinity", None)
    return len(available(0)) if available else os.cpu_count() or 1


class Progress:
    """A bar on stderr where that is a terminal, else a line every few seconds."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.bar: Any = None
        self.last = time.monotonic()

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self.bar = Bar(
                *(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()),
                *(TextColumn("{task.fields[note]}"), TimeRemainingColumn()),
                console=Console(stderr=True),
                transient=True,
            )
            self.bar.start()
            self.task = self.bar.add_task("images", total=self.total, note="")
        return self

    def __exit__(self, *raised: object) -> None:
        if self.bar:
            self.bar.stop()

    def advance(self, done: int, note: str, more: str = "") -> None:
        """Show the number of images that are done, with a note; a line has more of it."""
        if self.bar:
            self.bar.update(self.task, completed=done, note=note)
        elif time.monotonic() - self.last > PLAIN_SECONDS:
            self.last = time.monotonic()
            click.echo(f"{done}/{self.total} images, {note}{more}", err=True)


# --- a run ------------------------------------------------------------------------------


class RunProgress(Progress):
    """Progress of a run, with its rate, the time left, and each image that failed."""

    def __init__(self, total: int) -> None:
        super().__init__(total)
        self.warned = False

    def show(self, result: ImageResult, report: Report) -> None:
        """Show one finished image."""
        if result.status != "ok":
            echo_failure(result)
        if result.status == "ok" and result.facts.partial:
            echo_partial(result)
        elif result.warning and not self.warned:
            self.warned = True
            echo_warning(result, " (further warnings are not shown)")
        self.advance(report.done, *_pace(report))


def _pace(report: Report) -> tuple[str, str]:
    """Return the rate with the failures, and the time that is left, as text."""
    worked = report.done - report.skipped
    rate = worked / max(1e-3, time.monotonic() - report.started)
    left = int((report.total - report.done) / rate)
    return (
        f"{rate:.3g}/s, {len(report.failures)} failed",
        f", {left // 3600}:{left // 60 % 60:02}:{left % 60:02} left",
    )


def echo_failure(result: ImageResult) -> None:
    """Print why an image has no output."""
    from imgkit.io.files import printable_path

    path = printable_path(result.path)
    click.echo(f"{result.status}: {path}: {result.error}: {result.message}", err=True)


def echo_warning(result: ImageResult, more: str = "") -> None:
    """Print the warning of an image."""
    from imgkit.io.files import printable_path

    click.echo(f"warning: {printable_path(result.path)}: {result.warning}{more}", err=True)


def echo_partial(result: ImageResult) -> None:
    """Print that an output lacks a part of its image."""
    from imgkit.io.files import printable_path

    warning = result.warning or "the file ends early"
    click.echo(f"partial: {printable_path(result.path)}: {warning}", err=True)


def summarize(report: Report, seed: int | None) -> dict[str, Any]:
    """Return what --json prints of a run: the report, and the seed if one was used."""
    return report.summary() | ({} if seed is None else {"seed": seed})


# --- files ------------------------------------------------------------------------------


class FileProgress(Progress):
    """Progress of a command that reads files, with each file that failed."""

    def __init__(self, total: int) -> None:
        super().__init__(total)
        self.done, self.failed = 0, 0

    def show(self, path: str, problem: Bad | None) -> None:
        """Count a file; `problem` says why it failed."""
        self.done += 1
        if problem is not None:
            from imgkit.io.files import printable_path

            self.failed += 1
            reason = f"{problem.error}: {problem.message}"
            click.echo(f"failed: {printable_path(path)}: {reason}", err=True)
        self.advance(self.done, f"{self.failed} failed")
