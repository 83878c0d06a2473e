"""Contract: a Ray cluster gives the bytes of one machine, also after deaths in it."""

import json
import os
import pathlib
import signal
import threading
import time

import pytest
from hurt import JOB, OPS, hurting, items, shell, tree, tries, write_photos

from imgkit.folder.journal import Journal, read
from imgkit.folder.run import run
from imgkit.folder.task import TaskLimits

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'imgkit-cv[ray]'")
# Ray's own: sockets and files that it leaves to the garbage collector
pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
HERE = str(pathlib.Path(__file__).parent)
ENV = {"env_vars": {"PYTHONPATH": HERE}}  # where Ray's processes find `hurt`
BAD = "b/0007.png"
MEMORY = 150 * 10**6
GUARDS = TaskLimits(timeout=30)


@pytest.fixture(scope="module")
def here():
    """Ray on this machine, with two cores."""
    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=MEMORY,
             log_to_driver=False, runtime_env=ENV)  # fmt: skip
    yield
    ray.shutdown()


@pytest.fixture
def cluster():
    """Three nodes, as Ray's own tests make them: one without work, two with a core each."""
    from ray.cluster_utils import Cluster

    if ray.is_initialized():
        ray.shutdown()
    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, "object_store_memory": MEMORY},
    )
    nodes = [made.add_node(num_cpus=1, object_store_memory=MEMORY) for _ in range(2)]
    ray.init(address=made.address, log_to_driver=False, runtime_env=ENV)
    yield made, nodes
    ray.shutdown()
    made.shutdown()


def go(src, dst, job=JOB, on_result=lambda row, report: None):
    with Journal(str(dst)) as journal:
        planned = items(src, dst)
        return run(planned, job, 2, on_result, journal, str(src), engine="ray", task_limits=GUARDS)


def workers():
    """Ray's processes that are at work on a shard."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes().startswith(b"ray::run_shard"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_30_ray_gives_the_same_tree(here, photos, golden, tmp_path):
    report = go(photos, tmp_path / "dst")
    assert (report.exit_code, report.ok) == (0, len(golden))
    assert tree(tmp_path / "dst") == golden
    assert go(photos, tmp_path / "dst").skipped == len(golden)
    # and what one engine did is done for the other
    with Journal(str(tmp_path / "dst")) as journal:
        planned = items(photos, tmp_path / "dst")
        again = run(planned, JOB, 1, lambda row, report: None, journal, str(photos))
    assert again.skipped == len(golden)


def test_29_poison_costs_itself_alone(here, photos, golden, tmp_path):
    bad = {"die": BAD, "sleep": "a/0010.png"}
    job = hurting(tmp_path, **bad)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "GUARDS", TaskLimits(timeout=2))
        report = go(photos, tmp_path / "dst", job)
    assert {row[:3] for row in report.failures} == {
        (BAD, "quarantined", "crashed"),
        ("a/0010.png", "failed", "timeout"),
    }
    assert tries(tmp_path, BAD) == 2
    left = {name: data for name, data in golden.items() if name not in bad.values()}
    assert tree(tmp_path / "dst") == left
    assert len(read(str(tmp_path / "dst"))[1]) == len(golden)


def test_29_what_ray_gives_up_is_done_here(here, photos, golden, tmp_path):
    """Whoever runs a shard is killed, again and again, until Ray has had enough of it."""
    stop = threading.Event()

    def kill():
        while not stop.is_set():
            for pid in workers():
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    continue
            time.sleep(0.02)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        report = go(photos, tmp_path / "dst")
    finally:
        stop.set()
        killer.join()
    assert (report.exit_code, report.ok) == (0, len(golden))
    assert tree(tmp_path / "dst") == golden


def test_29_a_worker_and_a_node_are_lost_in_the_middle(cluster, tmp_path):
    made, nodes = cluster
    src = write_photos(tmp_path / "src", 160, 300)
    assert shell("run", src, tmp_path / "golden", *OPS).returncode == 0
    golden = tree(tmp_path / "golden")
    lost = []

    def on_result(row, report):
        if report.ok >= 20 and not lost:
            victims = workers()
            lost.append(len(victims))
            os.kill(victims[0], signal.SIGKILL)
        if report.ok >= 50 and len(lost) == 1:
            lost.append(made.remove_node(nodes[0], allow_graceful=False))

    report = go(src, tmp_path / "dst", on_result=on_result)
    assert len(lost) == 2
    assert (report.exit_code, report.ok, report.failures) == (0, 160, [])
    assert tree(tmp_path / "dst") == golden
    assert len(read(str(tmp_path / "dst"))[1]) == 160


def test_the_command_starts_ray_and_stops_it(photos, golden, tmp_path):
    words = ("run", photos, tmp_path / "dst", *OPS, "--engine", "ray", "--workers", "2", "--json")
    done = shell(*words, env=os.environ | {"RAY_ADDRESS": ""})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"] == len(golden)
    assert tree(tmp_path / "dst") == golden


def test_a_node_that_is_not_like_this_one_is_refused():
    from imgkit.folder.engines.ray import _check_node
    from imgkit.folder.journal import versions

    _check_node("one", {__file__: True}, versions())
    with pytest.raises(ConnectionError, match=r"node two does not see .*faults: share"):
        _check_node("two", {__file__: False}, versions())
    with pytest.raises(ConnectionError, match="node three has another version of pillow"):
        _check_node("three", {}, versions() | {"pillow": "1"})
