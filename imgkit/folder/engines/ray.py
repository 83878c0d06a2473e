"""A Ray cluster: shards of items as Ray core tasks. Names and results travel, pixels do not.

Ray chooses a node for each shard and runs the shard again if its process or its node is lost.
Within a shard `imgkit.folder.engines.local` processes the images in a process of its own: an image
that crashes, hangs or needs too much memory fails without the others, by the same rules and with
the same bytes. A shard may run twice, as outputs appear whole and are always the same. The caller
processes the items of shards that Ray gave up, as those have no result.

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

SHARD = 64  # items at most: a lost shard is done again as a whole
WINDOW = 2  # shards submitted for each core
RETRIES = 2  # times that Ray starts a shard again
POLL = 1.0  # seconds between two calls of `ending`


def results(
    items: list[Item],
    job: Job,
    workers: int,
    task_limits: TaskLimits = UNLIMITED,
    ending: Callable[[], bool] = lambda: False,
) -> Generator[tuple[Item, ImageResult], None, None]:
    """Process items and yield each with its result, shard by shard; lost ones are not yielded.

    Unless Ray runs already or RAY_ADDRESS names a cluster, Ray is started on this machine with
    `workers` shards at a time, and stopped at the end. A cluster works on one shard a core.

    Raises:
        OSError: a node does not share the folders or has other versions installed.
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
    # Ray's process only waits for the worker's: one core for both
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
                with contextlib.suppress(ray.exceptions.RayError):  # given up: there are no results
                    yield from zip(shard, ray.get(done), strict=True)
    finally:
        for ref in work:
            ray.cancel(ref, force=True)


def run_shard(shared: tuple[Job, TaskLimits], shard: list[Item]) -> list[ImageResult]:
    """Process a shard with the engine of one machine; return the results in its order."""
    job, task_limits = shared
    done = {item.target: result for item, result in local.results(shard, job, 1, task_limits)}
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
    """Connect to the cluster, or start one here and stop it at the end."""
    if ray.is_initialized():
        yield
        return
    options = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": workers}
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    ray.init(include_dashboard=False, log_to_driver=False, configure_logging=False, **options)
    with contextlib.suppress(ValueError):  # Ray takes SIGTERM for itself; not the main thread
        for number, handler in handlers.items():
            signal.signal(number, handler)
    try:
        yield
    finally:
        ray.shutdown()


def _check_nodes(ray: Any, item: Item) -> None:
    """Raise unless every node sees the files of this one and has its versions."""
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
                has_mark, has_source, installed = ray.get(answer)
            except ray.exceptions.RayError as error:
                raise ConnectionError(f"node {name} does not respond: {error}") from None
            _check_node(name, {mark: has_mark, item.source: has_source}, installed)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(mark)


def look_around(mark: str, source: str) -> tuple[bool, bool, dict[str, str]]:
    """Return whether two files exist, and the versions installed."""
    return os.path.exists(mark), os.path.exists(source), versions()


def _check_node(name: str, sees: dict[str, bool], installed: dict[str, str]) -> None:
    for path, there in sees.items():
        if not there and os.path.exists(path):
            folder = printable_path(os.path.dirname(path))
            raise ConnectionError(f"node {name} does not see what is in {folder}: share it")
    ours = versions()
    if installed != ours:
        other = sorted(
            key for key in installed.keys() | ours.keys() if installed.get(key) != ours.get(key)
        )
        raise ConnectionError(f"node {name} has another version of {', '.join(other)}")
