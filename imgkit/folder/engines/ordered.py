"""A function over many tasks in processes of this machine, the results in the order of the tasks.

For work whose results are wanted back, where `local` wants files written. A worker that dies
costs the task it was at.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")
WINDOW = (
    8  # tasks handed out per worker: so far may one that is quick run ahead of one that is slow
)


def ordered(
    call: Callable[[T], R], tasks: Iterable[T], workers: int
) -> Generator[R | BaseException, None, None]:
    """Yield what `call` makes of each task, or what it raised; one worker means this process.

    Closing it early ends the workers at once.
    """
    if workers <= 1:
        for task in tasks:
            try:
                result: R | BaseException = call(task)
            except Exception as error:
                result = error
            yield result
        return
    from pebble import ProcessPool

    pool = ProcessPool(max_workers=workers, initializer=_start, context=_context())
    waiting: deque[Any] = deque()
    try:
        for task in tasks:
            waiting.append(pool.schedule(call, args=(task,)))
            if len(waiting) >= WINDOW * workers:
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())
        pool.close()
    finally:
        pool.stop()  # nothing is left to do, or nobody wants it
        pool.join()


def _result(future: Any) -> Any:
    error = future.exception()
    return future.result() if error is None else error


def _context() -> Any:
    """A fork of this process could inherit held locks; a fork server or a new process cannot."""
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cv2", "PIL.Image"])
    return context


def _start() -> None:
    """Prepare a worker: one image uses one core."""
    import cv2

    cv2.setNumThreads(1)
