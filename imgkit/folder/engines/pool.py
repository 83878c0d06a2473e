"""Processes of this machine that work on tasks; a task that crashes or hangs fails on its own.

Each worker has a pipe of its own and takes its tasks in order: while one task is in work, threads
finish the two tasks before it (they wait for the disk). When a worker dies, all three are tried
once more, each with no other task in work, and a task that kills its worker again fails; the tasks
that waited behind them go to another worker. Workers share nothing, so that a death cannot leave a
lock behind.
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
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing import connection, forkserver
from typing import Any, NamedTuple

# Where the sync of a file takes longer than the work on an image, two files that wait at once take
# 1.0 ms each in place of 1.6 (files of 94 KB; benchmarks/folders.py, the crop).
FINISHING = 2
WINDOW = FINISHING + 2  # tasks of a worker: those, one in work, and one that waits
TRIES = 2  # deaths of workers after which a task fails
STARTS = 3  # workers in a row that may die before they are ready
THREADS = 216 << 20  # addresses, not memory, that the three threads of a worker reserve
SERVER_GONE = 255  # the exit code that multiprocessing reports if the fork server died

# Modules that every worker needs: the fork server imports them while the parent plans.
PRELOADED = [
    *("imgkit.folder.engines.local", "cv2", "PIL.JpegImagePlugin"),
    *(
        "imgkit.augment.pipeline",
        "imgkit.augment.transforms.exact",
        "imgkit.augment.transforms.color",
    ),
    "imgkit.backends.array.plan",
]

Begin = Callable[[Any, Any], Callable[[], Any]]


@dataclasses.dataclass
class Task:
    """A task and its weight: a heavy one takes the place of several workers."""

    load: Any
    weight: int = 1
    deaths: int = 0

    @property
    def is_alone(self) -> bool:
        """Whether no other task may be in work at the same time: its worker died before."""
        return self.deaths > 0


class Done(NamedTuple):
    """A task and its answer, or an `error` and `message` in place of the answer."""

    load: Any
    answer: Any = None
    error: str = ""  # "crashed" or "timeout"
    message: str = ""


@dataclasses.dataclass(frozen=True)
class Work:
    """What a pool does.

    Only `begin` goes to the workers, so it has to pickle. It is called with a task and the value of
    `room` for its weight, and returns a function that finishes the task in a thread and returns
    the answer.
    """

    begin: Begin
    timeout: float | None = None  # seconds for one task
    memory: int | None = None  # bytes that a worker may allocate beyond what it starts with
    room: Callable[[int], Any] = lambda weight: None
    needs_more: Callable[[Task, Any], bool] = lambda task, answer: (
        False
    )  # then the weight is doubled
    clean: Callable[[Any, int | None], None] = lambda load, pid: (
        None
    )  # removes the files of a dead process


def warm() -> None:
    """Start the fork server early, as its start takes a while."""
    if sys.platform != "win32":
        _context()
        forkserver.ensure_running()


# --- the parent -------------------------------------------------------------------------


class Worker:
    """A process, its pipe, and its tasks, the one in work first."""

    def __init__(self, work: Work) -> None:
        context = _context()
        self.work = work
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(
            target=serve, args=(theirs, work.begin, work.memory), daemon=True
        )
        with _no_main():
            self.process.start()
        theirs.close()
        self.tasks: deque[Task] = deque()
        self.ready = False
        self.since = 0.0  # the time at which the first task started

    def give(self, task: Task) -> bool:
        """Send a task to the worker; False if the worker is dead."""
        try:
            self.pipe.send((task.load, task.weight, self.work.room(task.weight)))
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
            with contextlib.suppress(OSError):  # the worker may live although its server is dead
                os.kill(self.process.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
        for task in self.tasks:
            self.work.clean(task.load, self.process.pid)
        return self.process.exitcode

    def reap(self) -> int | None:
        """Wait for a worker that died; return its exit code."""
        self.process.join(1)
        return self.kill()


class Pool:
    """The workers, and the tasks to hand out again."""

    def __init__(self, work: Work, size: int) -> None:
        self.work, self.size = work, size
        self.workers: list[Worker] = []
        self.back: deque[Task] = deque()
        self.failed_starts = 0

    def end(self) -> None:
        """End the workers at once."""
        for worker in self.workers:
            worker.kill()

    def run(self, loads: Iterator[Any], ending: Callable[[], bool]) -> Iterator[Done]:
        """Yield the outcome of each task, in any order.

        Args:
            loads: the tasks; None: the next one depends on an answer that is not there yet.
            ending: returns whether no further task may start.

        Raises:
            ChildProcessError: no worker can be started.
        """
        while True:
            if not ending():
                self.dispatch(loads)
            busy = [worker for worker in self.workers if worker.tasks]
            if not busy:
                return
            for pipe in connection.wait([w.pipe for w in busy], self.wait_timeout(busy)):
                yield from self.receive(next(w for w in busy if w.pipe is pipe))
            yield from self.kill_late(busy)

    # sending

    def dispatch(self, loads: Iterator[Any]) -> None:
        """Send tasks as long as a worker has room for one."""
        while True:
            if not self.back:
                load = next(loads, None)
                if load is None:
                    return
                self.back.append(Task(load))
            worker = self.find_worker(self.back[0])
            if worker is None:
                return
            if worker.give(self.back[0]):
                self.back.popleft()
            elif worker.tasks:  # it died while it worked on one of them
                return
            else:
                self.remove(worker)

    def find_worker(self, task: Task) -> Worker | None:
        """Return a worker for a task, a new one if needed; None if the task has to wait."""
        busy = [worker for worker in self.workers if worker.tasks]
        if sum(worker.tasks[0].weight for worker in busy) + task.weight <= self.size:
            for worker in self.workers:
                if not worker.tasks:
                    return worker
            return self.start()
        if task.is_alone or task.weight > 1:
            return None
        queues = [w for w in busy if len(w.tasks) < WINDOW and w.tasks[0].weight == 1]
        queues = [worker for worker in queues if not worker.tasks[0].is_alone]
        return min(queues, key=lambda worker: worker.since, default=None)

    def start(self) -> Worker:
        """Start a worker, and the fork server again if it was killed."""
        while True:
            try:
                self.workers.append(Worker(self.work))
                return self.workers[-1]
            except (EOFError, OSError) as error:
                self.count_failed_start(str(error) or "the fork server died")

    def count_failed_start(self, cause: str) -> None:
        """Count a worker that was never ready; raise if several in a row were not."""
        self.failed_starts += 1
        if self.failed_starts >= STARTS:
            raise ChildProcessError(f"workers die as they start: {cause}")

    # receiving

    def receive(self, worker: Worker) -> Iterator[Done]:
        """Receive an answer from a worker, or handle its death."""
        try:
            answer = worker.pipe.recv()
        except Exception:  # the pipe ended, or a dying worker wrote a broken message
            yield from self.handle_death(worker)
            return
        worker.since = time.monotonic()
        if not worker.ready:
            worker.ready, self.failed_starts = True, 0
            return
        task = worker.tasks.popleft()
        if self.work.needs_more(task, answer):
            task.weight = min(self.size, 2 * task.weight)
            self.back.appendleft(task)
        else:
            yield Done(task.load, answer)

    def remove(self, worker: Worker) -> int | None:
        """Remove a dead worker; return its exit code."""
        self.workers.remove(worker)
        code = worker.reap()
        if not worker.ready:
            self.count_failed_start(_cause(code))
        return code

    def handle_death(self, worker: Worker) -> Iterator[Done]:
        """Try the tasks of a dead worker again, or fail those that killed it twice."""
        code = self.remove(worker)
        if worker.ready:
            started = min(FINISHING + 1, len(worker.tasks))
            suspects = [worker.tasks.popleft() for _ in range(started)]
            for task in reversed(suspects):
                task.deaths += 1
                task.weight = self.size
                if task.deaths < TRIES:
                    self.back.appendleft(task)
                    continue
                message = f"its worker died {task.deaths} times: {_cause(code)}"
                yield Done(task.load, error="crashed", message=message)
        self.back.extend(worker.tasks)

    def wait_timeout(self, busy: list[Worker]) -> float | None:
        """Return the seconds until the timeout of the first task."""
        starts = [worker.since for worker in busy if worker.ready]
        if self.work.timeout is None or not starts:
            return None
        return max(0.0, min(starts) + self.work.timeout - time.monotonic())

    def kill_late(self, busy: list[Worker]) -> Iterator[Done]:
        """End the workers whose task exceeded the timeout."""
        limit = self.work.timeout
        for worker in busy:
            if limit is None or worker not in self.workers or not (worker.ready and worker.tasks):
                continue
            if time.monotonic() - worker.since < limit or worker.pipe.poll():
                continue
            self.workers.remove(worker)
            worker.kill()
            task = worker.tasks.popleft()
            self.back.extendleft(reversed(worker.tasks))
            yield Done(task.load, error="timeout", message=f"took over {limit:g} s")


def _cause(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _context() -> Any:
    """Return the way to start processes: a plain fork could inherit locks in use."""
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


@contextlib.contextmanager
def _no_main() -> Iterator[None]:
    """Hide the program's main module, which a new process would run again for nothing."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


# --- the worker -------------------------------------------------------------------------


def serve(pipe: Any, begin: Begin, memory: int | None) -> None:
    """Work on tasks until the parent ends."""
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # both go to the whole process group; the parent decides
        signal.signal(number, signal.SIG_IGN)
    import cv2

    cv2.setNumThreads(1)  # one task uses one core
    claim = _claimer(memory)

    def send(answer: Future[Any]) -> None:
        pipe.send(answer.result())

    with (
        contextlib.suppress(EOFError, OSError),
        ThreadPoolExecutor(FINISHING) as finisher,
        ThreadPoolExecutor(1) as sender,  # so that answers keep the order of their tasks
    ):
        pipe.send(None)
        sent: deque[Future[None]] = deque()
        while True:  # until the parent closes the pipe
            load, weight, room = pipe.recv()
            claim(weight)
            finish = begin(load, room)
            if len(sent) == FINISHING:
                sent.popleft().result()
            sent.append(sender.submit(send, finisher.submit(finish)))


def _claimer(memory: int | None) -> Callable[[int], None]:
    """Return the function that limits this process to its present size and so many shares more."""
    try:
        import resource

        with open("/proc/self/statm", "rb") as file:
            held = int(file.read().split()[0]) * resource.getpagesize() + THREADS
    except (ImportError, OSError):  # not Linux: no limit but the machine's
        return lambda weight: None
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]

    def claim(weight: int) -> None:
        if memory is not None:
            limit = held + weight * memory
            limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(resource.RLIMIT_AS, (limit, hard))

    return claim
