"""A Ray cluster: shards of items as Ray core tasks; only names and rows travel, never pixels.

Ray finds a place for each shard and runs it again if its process or its node is lost. Within a
shard every image has the protection of `imgkit.folder.engines.local`, in a process of its own:
one that crashes, hangs or claims too much memory costs itself alone, by the same rules and with
the same bytes. Doing a shard twice does no harm, as outputs appear whole and are always alike.
What Ray gives up is left to the caller, who knows what has no row.

SRC and DST have to be shared by all nodes, and imgkit installed on each of them in one version.
"""

from __future__ import annotations

import contextlib
import os
import signal
import uuid
from collections.abc import Callable, Generator, Iterator
from typing import Any

from imgkit.folder.engines import local
from imgkit.folder.journal import versions
from imgkit.folder.plan_outputs import Item
from imgkit.folder.task import UNLIMITED, ImageResult, Job, TaskLimits
from imgkit.io.files import OWN, printable_path

SHARD = 64  # items at most: a shard that is lost is done again as a whole
WINDOW = 2  # shards handed to Ray for each of its cores
RETRIES = 2  # times that Ray begins a shard again
POLL = 1.0  # seconds between two looks at whether to end


def rows(
    items: list[Item],
    job: Job,
    workers: int,
    task_limits: TaskLimits = UNLIMITED,
    ending: Callable[[], bool] = lambda: False,
) -> Generator[tuple[Item, ImageResult], None, None]:
    """Process items and yield each with its row, shard by shard; lost ones are not yielded.

    Ray is started on this machine unless it runs already or RAY_ADDRESS names a cluster, and
    is stopped again in that case alone. `workers` are the shards at work at a time when Ray is
    started here; in a cluster it has as many as it has cores.

    Raises:
        OSError: if a node does not share the folders or has other versions installed.
    """
    if not items:
        return
    import ray

    with _connected(ray, workers):
        _check_nodes(ray, items[0])
        yield from _shards(ray, items, job, task_limits, ending)


def _shards(
    ray: Any, items: list[Item], job: Job, task_limits: TaskLimits, ending: Callable[[], bool]
) -> Iterator[tuple[Item, ImageResult]]:
    # a worker is a process of its own beside Ray's, which only waits for it: one core for both
    task = ray.remote(num_cpus=1, max_retries=RETRIES)(run_shard)
    shared = ray.put((job, task_limits))
    work: dict[Any, list[Item]] = {}
    todo = iter(_split(items, _cores(ray)))
    try:
        while True:
            while not ending() and len(work) < WINDOW * _cores(ray):
                shard = next(todo, None)
                if shard is None:
                    break
                work[task.remote(shared, shard)] = shard
            if not work:
                return
            for done in ray.wait(list(work), num_returns=1, timeout=POLL)[0]:
                shard = work.pop(done)
                with contextlib.suppress(ray.exceptions.RayError):  # given up: nothing to yield
                    yield from zip(shard, ray.get(done), strict=True)
    finally:
        for ref in work:
            ray.cancel(ref, force=True)


def run_shard(shared: tuple[Job, TaskLimits], shard: list[Item]) -> list[ImageResult]:
    """Process a shard with the engine of one machine; return the rows in its order."""
    job, task_limits = shared
    done = {item.target: row for item, row in local.rows(shard, job, 1, task_limits)}
    return [done[item.target] for item in shard]


def _split(items: list[Item], cores: int) -> Iterator[list[Item]]:
    """Cut items into shards, small enough that every core gets several."""
    size = max(1, min(SHARD, len(items) // (4 * cores)))
    return (items[i : i + size] for i in range(0, len(items), size))


def _cores(ray: Any) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


# --- the cluster ------------------------------------------------------------------------


@contextlib.contextmanager
def _connected(ray: Any, workers: int) -> Iterator[None]:
    """Connect to the cluster, or start one here for as long as needed."""
    if ray.is_initialized():
        yield
        return
    here = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": workers}
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False, **here)
    with contextlib.suppress(ValueError):  # Ray takes SIGTERM for itself; not the main thread
        for number, handler in handlers.items():
            signal.signal(number, handler)
    try:
        yield
    finally:
        ray.shutdown()


def _check_nodes(ray: Any, item: Item) -> None:
    """Ask every node whether it sees what this one sees, and has what this one has."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On

    folder = os.path.dirname(item.target) or os.curdir
    os.makedirs(folder, exist_ok=True)
    mark = os.path.join(folder, f"{OWN}-{uuid.uuid4().hex}")
    with open(mark, "xb"):
        pass
    try:
        look = ray.remote(num_cpus=0, max_retries=RETRIES)(look_around)
        nodes = [node for node in ray.nodes() if node["Alive"]]
        asked = {
            node["NodeManagerHostname"]: look.options(
                scheduling_strategy=On(node["NodeID"], soft=False)
            ).remote(mark, item.source)
            for node in nodes
        }
        for name, answer in asked.items():
            try:
                has_mark, has_source, has = ray.get(answer)
            except ray.exceptions.RayError as error:
                raise ConnectionError(f"node {name} does not answer: {error}") from None
            _check_node(name, {mark: has_mark, item.source: has_source}, has)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(mark)


def look_around(mark: str, source: str) -> tuple[bool, bool, dict[str, str]]:
    """Say whether two files are there, and which versions are."""
    return os.path.exists(mark), os.path.exists(source), versions()


def _check_node(name: str, sees: dict[str, bool], has: dict[str, str]) -> None:
    for path, there in sees.items():
        if not there and os.path.exists(path):
            folder = printable_path(os.path.dirname(path))
            raise ConnectionError(f"node {name} does not see what is in {folder}: share it")
    ours = versions()
    if has != ours:
        other = sorted(key for key in has.keys() | ours.keys() if has.get(key) != ours.get(key))
        raise ConnectionError(f"node {name} has another version of {', '.join(other)}")
