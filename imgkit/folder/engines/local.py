"""Processes of this machine, so that an image that crashes or hangs costs itself alone.

Each worker has a pipe of its own and takes its images in order: while the next is in work, a
thread writes the one before and waits for the disk. When a worker dies, both of these are tried
once more, each with no other in work beside it, and the one that kills again is quarantined; what
waited behind them goes to another worker. Nothing is shared between workers, so no death can leave
a lock behind.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import signal
import sys
import time
import types
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import connection, forkserver
from typing import Any

from imgkit.folder.resume import sweep
from imgkit.folder.run import UNGUARDED, Guards, Job, Row, deliver, make
from imgkit.folder.scan import Item

WINDOW = 3  # images handed to a worker: one being written, one in work, and one waiting
TRIES = 2  # deaths that an image may cost
STARTS = 3  # workers in a row that may die before they are ready
SERVER_GONE = 255  # what multiprocessing says of a worker whose fork server died
PIXEL_BYTES = 32  # memory that a pixel may take: decoded, as float32 RGB, and a result of each


@dataclasses.dataclass
class Task:
    """An item and what is known of its cost; a heavy one takes the place of several workers."""

    item: Item
    weight: int = 1
    deaths: int = 0

    @property
    def is_alone(self) -> bool:
        """Tell whether no other may be in work beside it: it is suspected of a death."""
        return self.deaths > 0


def rows(
    items: list[Item],
    job: Job,
    workers: int,
    guards: Guards = UNGUARDED,
    ending: Callable[[], bool] = lambda: False,
) -> Generator[tuple[Item, Row], None, None]:
    """Process items and yield each with its row as it finishes.

    When `ending` turns true the images handed out are finished and no other begins. Closing the
    generator ends the workers at once.

    Raises:
        ChildProcessError: if no worker can be started.
    """
    fleet = _Fleet(job, max(1, min(workers, len(items))), guards)
    try:
        yield from fleet.work(iter(items), ending)
    finally:
        fleet.end()


def warm() -> None:
    """Start the fork server, which takes a while, while there is something else to do."""
    if sys.platform != "win32":
        _context()
        forkserver.ensure_running()


# --- the parent -------------------------------------------------------------------------


class _Worker:
    """A process, its pipe, and the tasks it was handed, the one in work first."""

    def __init__(self, job: Job, memory: int | None) -> None:
        context = _context()
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, job, memory), daemon=True)
        with _no_main():
            self.process.start()
        theirs.close()
        self.tasks: deque[Task] = deque()
        self.ready = False
        self.since = 0.0  # when the first task began

    def give(self, task: Task, max_pixels: int) -> bool:
        """Hand over a task; False if the worker is dead."""
        try:
            self.pipe.send((task.item, task.weight, max_pixels))
        except OSError:
            return False
        if not self.tasks:
            self.since = time.monotonic()
        self.tasks.append(task)
        return True

    def kill(self) -> int | None:
        """End it at once; return the exit code, negative for a signal."""
        self.pipe.close()
        self.process.kill()
        self.process.join()
        if self.process.exitcode == SERVER_GONE and self.process.pid is not None:
            with contextlib.suppress(OSError):  # it may live, and only its server is dead
                os.kill(self.process.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
        for task in self.tasks:
            sweep([os.path.dirname(task.item.target)], self.process.pid)
        return self.process.exitcode

    def reap(self) -> int | None:
        """Wait for one that died by itself."""
        self.process.join(1)
        return self.kill()


class _Fleet:
    """The workers, and the tasks that come back from them."""

    def __init__(self, job: Job, size: int, guards: Guards) -> None:
        self.job, self.size, self.guards = job, size, guards
        self.workers: list[_Worker] = []
        self.back: deque[Task] = deque()
        self.false_starts = 0

    def end(self) -> None:
        for worker in self.workers:
            worker.kill()

    def work(self, items: Iterator[Item], ending: Callable[[], bool]) -> Iterator[tuple[Item, Row]]:
        while True:
            if not ending():
                self.feed(items)
            busy = [worker for worker in self.workers if worker.tasks]
            if not busy:
                return
            for pipe in connection.wait([w.pipe for w in busy], self.patience(busy)):
                yield from self.hear(next(w for w in busy if w.pipe is pipe))
            yield from self.kill_late(busy)

    # handing out

    def feed(self, items: Iterator[Item]) -> None:
        while True:
            if not self.back:
                item = next(items, None)
                if item is None:
                    return
                self.back.append(Task(item))
            worker = self.place(self.back[0])
            if worker is None:
                return
            if worker.give(self.back[0], self.limit(self.back[0].weight)):
                self.back.popleft()
            elif worker.tasks:  # it died at one of them
                return
            else:
                self.dismiss(worker)

    def place(self, task: Task) -> _Worker | None:
        """Return a worker for a task, a new one if need be; None if it has to wait."""
        busy = [worker for worker in self.workers if worker.tasks]
        if sum(worker.tasks[0].weight for worker in busy) + task.weight <= self.size:
            for worker in self.workers:
                if not worker.tasks:
                    return worker
            return self.hire()
        if task.is_alone or task.weight > 1:
            return None
        queues = [w for w in busy if len(w.tasks) < WINDOW and w.tasks[0].weight == 1]
        queues = [worker for worker in queues if not worker.tasks[0].is_alone]
        return min(queues, key=lambda worker: worker.since, default=None)

    def hire(self) -> _Worker:
        """Start a worker; a fork server that was killed is started anew."""
        while True:
            try:
                self.workers.append(_Worker(self.job, self.guards.memory))
                return self.workers[-1]
            except (EOFError, OSError) as error:
                self.stumble(str(error) or "the fork server died")

    def stumble(self, cause: str) -> None:
        """Count a worker that was never ready; several in a row are no accident."""
        self.false_starts += 1
        if self.false_starts >= STARTS:
            raise ChildProcessError(f"workers die as they start: {cause}")

    def limit(self, weight: int) -> int:
        """Return the pixels that fit the memory of some workers; with all of them, any number."""
        if self.guards.memory is None or weight >= self.size:
            return self.job.max_pixels
        return min(self.job.max_pixels, weight * self.guards.memory // PIXEL_BYTES)

    # hearing back

    def hear(self, worker: _Worker) -> Iterator[tuple[Item, Row]]:
        try:
            row = worker.pipe.recv()
        except Exception:  # the pipe ended, or a dying worker wrote nonsense
            yield from self.bury(worker)
            return
        worker.since = time.monotonic()
        if row is None:
            worker.ready, self.false_starts = True, 0
            return
        task = worker.tasks.popleft()
        if row.error == "too_large" and self.limit(task.weight) < self.job.max_pixels:
            task.weight = min(self.size, 2 * task.weight)
            self.back.appendleft(task)
        else:
            yield task.item, row

    def dismiss(self, worker: _Worker) -> int | None:
        """Let a dead worker go; return its exit code."""
        self.workers.remove(worker)
        code = worker.reap()
        if not worker.ready:
            self.stumble(_cause(code))
        return code

    def bury(self, worker: _Worker) -> Iterator[tuple[Item, Row]]:
        """Deal with the tasks of a worker that died."""
        code = self.dismiss(worker)
        if worker.ready:
            suspects = [worker.tasks.popleft() for _ in range(min(2, len(worker.tasks)))]
            for task in reversed(suspects):
                task.deaths += 1
                task.weight = self.size
                if task.deaths < TRIES:
                    self.back.appendleft(task)
                    continue
                message = f"its worker died {task.deaths} times: {_cause(code)}"
                yield task.item, Row(task.item.path, "quarantined", "crashed", message)
        self.back.extend(worker.tasks)

    def patience(self, busy: list[_Worker]) -> float | None:
        """Return the seconds until the first task is late."""
        begun = [worker.since for worker in busy if worker.ready]
        if self.guards.timeout is None or not begun:
            return None
        return max(0.0, min(begun) + self.guards.timeout - time.monotonic())

    def kill_late(self, busy: list[_Worker]) -> Iterator[tuple[Item, Row]]:
        limit = self.guards.timeout
        for worker in busy:
            if limit is None or worker not in self.workers or not (worker.ready and worker.tasks):
                continue
            if time.monotonic() - worker.since < limit or worker.pipe.poll():
                continue
            self.workers.remove(worker)
            worker.kill()
            task = worker.tasks.popleft()
            self.back.extendleft(reversed(worker.tasks))
            yield task.item, Row(task.item.path, "failed", "timeout", f"took over {limit:g} s")


def _cause(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _context() -> Any:
    """A fork of this process could inherit held locks; a fork server or a new process cannot."""
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["imgkit.folder.engines.local", "cv2", "PIL.JpegImagePlugin"])
    return context


@contextlib.contextmanager
def _no_main() -> Iterator[None]:
    """Hide the program's main module: a new process would run it again, and needs nothing of it."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


# --- the worker -------------------------------------------------------------------------


def _serve(pipe: Any, job: Job, memory: int | None) -> None:
    """Answer every item with its row, until the parent ends."""
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to the whole group; the parent decides
        signal.signal(number, signal.SIG_IGN)
    import cv2

    cv2.setNumThreads(1)  # one image uses one core
    claim = _claimer(memory)
    narrow = job

    def answer(item: Item, row: Row, output: bytes) -> None:
        pipe.send(deliver(item, row, output))

    with contextlib.suppress(EOFError, OSError), ThreadPoolExecutor(1) as writer:
        pipe.send(None)
        before: Future[None] | None = None
        while True:  # until the parent is gone, or has enough
            item, weight, max_pixels = pipe.recv()
            if narrow.max_pixels != max_pixels:
                narrow = dataclasses.replace(job, max_pixels=max_pixels)
            claim(weight)
            made = make(narrow, item)
            if before is not None:  # never more than one behind
                before.result()
            before = writer.submit(answer, item, *made)


def _claimer(memory: int | None) -> Callable[[int], None]:
    """Return what limits this process to its address space of now and so many shares of memory."""
    try:
        import resource

        with open("/proc/self/statm", "rb") as file:
            held = int(file.read().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):  # not Linux: the machine's own limit is the only one
        return lambda weight: None
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]

    def claim(weight: int) -> None:
        if memory is not None:
            limit = held + weight * memory
            limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(resource.RLIMIT_AS, (limit, hard))

    return claim
