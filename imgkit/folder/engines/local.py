"""Processes of this machine: pebble workers, so that one that dies costs one image."""

from __future__ import annotations

import itertools
import multiprocessing
import sys
from collections.abc import Generator
from concurrent.futures import FIRST_COMPLETED, wait
from typing import Any

from imgkit.folder.run import Job, Row, failed, process
from imgkit.folder.scan import Item

WINDOW = 2  # images handed out per worker: one in work, one waiting


def rows(items: list[Item], job: Job, workers: int) -> Generator[tuple[Item, Row], None, None]:
    """Process items and yield each with its row as it finishes; one worker means this process.

    Closing it early finishes the images that were handed out and begins no other.
    """
    if workers <= 1:
        yield from ((item, process(job, item)) for item in items)
        return
    from pebble import ProcessPool

    pool = ProcessPool(max_workers=workers, initializer=_start, context=_context())
    waiting: dict[Any, Item] = {}
    todo = iter(items)
    try:
        while True:
            for item in itertools.islice(todo, WINDOW * workers - len(waiting)):
                waiting[pool.schedule(process, args=(job, item))] = item
            if not waiting:
                break
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                item = waiting.pop(future)
                yield item, _row(future, item)
    finally:
        _end(pool)


def _end(pool: Any) -> None:
    """Let the workers finish; a Ctrl-C meanwhile stops them at once."""
    pool.close()
    try:
        pool.join()
    except KeyboardInterrupt:
        pool.stop()
        pool.join()


def _row(future: Any, item: Item) -> Row:
    error = future.exception()
    return failed(item.path, error) if error is not None else future.result()


def _context() -> Any:
    """A fork of this process could inherit held locks; a fork server or a new process cannot."""
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["imgkit.folder.run"])
    return context


def _start() -> None:
    """Prepare a worker: one image uses one core. Pebble sees to it that Ctrl-C is the parent's."""
    import cv2

    cv2.setNumThreads(1)
