"""Processes of this machine: an image that crashes or hangs fails without other images.

The workers are those of `imgkit.folder.engines.pool`: an image that kills its worker twice is
quarantined, an image that takes too long fails. An image whose header asks for more than a worker's
share of the memory waits until two, four or all shares are free.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Generator

from imgkit.folder.engines.pool import Pool, Task, Work
from imgkit.folder.plan_outputs import Item
from imgkit.folder.resume import sweep
from imgkit.folder.task import UNLIMITED, ImageResult, Job, TaskLimits, deliver, make

PIXEL_BYTES = 32  # of memory a pixel: decoded, as float32 RGB, and a result of each


def results(
    items: list[Item],
    job: Job,
    workers: int,
    task_limits: TaskLimits = UNLIMITED,
    ending: Callable[[], bool] = lambda: False,
) -> Generator[tuple[Item, ImageResult], None, None]:
    """Process items and yield each with its result as it finishes.

    When `ending` returns true the images in work are finished and no other starts. Closing the
    generator ends the workers at once.

    Raises:
        ChildProcessError: no worker can be started.
    """
    size = max(1, min(workers, len(items)))
    pool = Pool(_work(job, size, task_limits), size)
    try:
        for done in pool.run(iter(items), ending):
            result = done.answer
            if done.error:
                status = "quarantined" if done.error == "crashed" else "failed"
                result = ImageResult(done.load.path, status, done.error, done.message)
            yield done.load, result
    finally:
        pool.end()


def _work(job: Job, size: int, task_limits: TaskLimits) -> Work:
    most = job.limits.max_pixels

    def room(weight: int) -> int:
        """Return the most pixels for the memory of so many workers; all workers: no limit."""
        if task_limits.memory is None or weight >= size:
            return most
        return min(most, weight * task_limits.memory // PIXEL_BYTES)

    def needs_more(task: Task, result: ImageResult) -> bool:
        return result.error == "too_large" and room(task.weight) < most

    begin = functools.partial(process_item, job)
    return Work(begin, task_limits.timeout, task_limits.memory, room, needs_more, _clean)


def _clean(item: Item, pid: int | None) -> None:
    sweep([os.path.dirname(item.target)], pid)


def process_item(job: Job, item: Item, max_pixels: int) -> Callable[[], ImageResult]:
    """Make the bytes of an output; return the function that writes them and gives the result."""
    return functools.partial(deliver, item, *make(job, item, max_pixels))
