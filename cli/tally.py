"""Progress of commands that read many files: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import Any

import click

PLAIN_SECONDS = 10  # between two lines where there is no terminal


def cores() -> int:
    """Return how many cores this process may use."""
    available = getattr(os, "sched_getaffinity", None)
    return len(available(0)) if available else os.cpu_count() or 1


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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar:
            self.bar.stop()

    def show(self, path: str, problem: Any) -> None:
        """Count a file; `problem` is None, or has a path, an error and a message."""
        self.done += 1
        if problem is not None:
            from imgkit.folder.scan import shown

            self.failed += 1
            click.echo(f"failed: {shown(path)}: {problem.error}: {problem.message}", err=True)
        if self.bar:
            self.bar.update(self.task, completed=self.done)
        elif time.monotonic() - self.last > PLAIN_SECONDS:
            self.last = time.monotonic()
            click.echo(f"{self.done}/{self.total} images, {self.failed} failed", err=True)
