"""A function over many tasks in processes of this machine, the results in the order of the tasks.

For tasks that return values; `local` is for tasks that write files. The workers are those of
`imgkit.folder.engines.pool`: a task whose worker dies is tried once more, alone; a task that kills
its worker twice, or takes too long, gives an error.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, TypeVar

from imgkit.folder.engines.pool import Pool, Work

T = TypeVar("T")
R = TypeVar("R")
TIMEOUT = 300.0  # seconds for one task, as `--timeout` of a run has by default
AHEAD = 8  # tasks of each worker that may finish before a slow one does


class Crashed(RuntimeError):
    """The worker of a task died, twice."""

    kind = "crashed"


class Late(RuntimeError):
    """A task took too long."""

    kind = "timeout"


LOST = {"crashed": Crashed, "timeout": Late}


def ordered(
    call: Callable[[T], R], tasks: Iterable[T], workers: int, timeout: float = TIMEOUT
) -> Generator[R | Exception, None, None]:
    """Yield the result of `call` for each task, or its exception; 0 workers mean this process.

    A task that takes more seconds than `timeout` gives `Late`; in this process it cannot be ended.
    Closing the generator early ends the workers at once.
    """
    if workers < 1:
        yield from (_outcome(call, task) for task in tasks)
        return
    pool = Pool(Work(functools.partial(_begin, call), timeout), workers)
    waiting: deque[int] = deque()  # numbers of the tasks in work, in order
    early: dict[int, R | Exception] = {}  # answers that wait for an earlier one
    try:
        for done in pool.run(_within(tasks, AHEAD * workers, waiting), lambda: False):
            number, _ = done.load
            early[number] = LOST[done.error](done.message) if done.error else done.answer
            while waiting and waiting[0] in early:
                yield early.pop(waiting.popleft())
    finally:
        pool.end()


def _within(tasks: Iterable[T], room: int, waiting: deque[int]) -> Iterator[tuple[int, T] | None]:
    """Yield the tasks, numbered; None while `room` of them wait for the first."""
    for number, task in enumerate(tasks):
        while len(waiting) >= room:
            yield None
        waiting.append(number)
        yield number, task


def _begin(call: Callable[[T], R], load: tuple[int, T], room: Any) -> Callable[[], R | Exception]:
    result = _outcome(call, load[1])
    return lambda: result


def _outcome(call: Callable[[T], R], task: T) -> R | Exception:
    try:
        return call(task)
    except Exception as error:
        return error
