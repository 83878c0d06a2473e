"""Contract: `imgkit prep` and `imgkit stats` survive kills of themselves and of their workers."""

import contextlib
import json
import os
import random
import signal
import time

import numpy as np
import pytest
from hurt import IMGKIT, descendants, kill_worker, shell, started, wait_for, workers_of

from imgkit.folder.engines.ordered import Crashed, ordered
from imgkit.io.encode import encode

COUNT = 160


def files(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def classes(tmp_path_factory):
    src = tmp_path_factory.mktemp("classes") / "src"
    rng = np.random.default_rng(8)
    for i in range(COUNT):
        path = src / "xyz"[i % 3] / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(rng.integers(0, 256, (300, 400, 3), np.uint8), "jpg"))
    return src


def words(src, dst, form):
    flags = ("--format", form, "--size", "64", "--per-shard", "16", "--workers", "2")
    return "prep", src, dst, *flags


def done(home):
    """How many blocks the journal beside DST says are done."""
    journals = list(home.glob(".imgkit-prep-*/.imgkit/prep.jsonl"))
    return journals[0].read_bytes().count(b'"part"') if journals else 0


@pytest.mark.parametrize("form", ["folder", "webdataset", "npy"])
def test_05_prep_is_killed_in_the_middle_and_the_same_command_does_the_rest(
    classes, tmp_path, form
):
    if form == "webdataset":
        pytest.importorskip("pyarrow", reason="the table of a shard is Parquet")
    (tmp_path / "golden").mkdir()
    assert shell(*words(classes, tmp_path / "golden" / "dst", form)).returncode == 0
    dst = tmp_path / "home" / "dst"
    dst.parent.mkdir()
    with started(*words(classes, dst, form)) as process:
        wait_for(lambda: done(dst.parent) >= 1, process)
        below = descendants(process.pid)
        process.kill()
        process.communicate()
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}/fd/0") for pid in below), seconds=10)
    assert not dst.exists()
    result = shell(*words(classes, dst, form))
    assert result.returncode == 0, result.stderr
    assert "images were done before" in result.stderr
    assert files(dst) == files(tmp_path / "golden" / "dst")
    assert [path.name for path in dst.parent.iterdir()] == ["dst"]


def test_05_other_settings_take_over_nothing(classes, tmp_path):
    dst = tmp_path / "dst"
    with started(*words(classes, dst, "folder")) as process:
        wait_for(lambda: done(tmp_path) >= 1, process)
        process.kill()
        process.communicate()
    other = (*words(classes, dst, "folder"), "--quality", "40")
    result = shell(*other)
    assert (result.returncode, "done before" in result.stderr) == (0, False)
    assert shell(*other[:2], tmp_path / "golden", *other[3:]).returncode == 0
    assert files(dst) == files(tmp_path / "golden")


def test_06_ctrl_c_says_how_to_go_on(classes, tmp_path):
    with started(*words(classes, tmp_path / "dst", "folder")) as process:
        wait_for(lambda: done(tmp_path) >= 1, process)
        below = descendants(process.pid)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=20)
    assert process.returncode == 130, stderr
    assert "The same command continues from here." in stderr
    assert "Traceback" not in stderr
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}/fd/0") for pid in below), seconds=10)


@pytest.mark.parametrize("command", ["stats", "prep"])
def test_01_a_worker_killed_from_outside_costs_nothing(classes, tmp_path, command):
    """A worker is killed in its first second: its images are tried again."""
    rest = {
        "stats": ("stats", classes, "--json", "--workers", "2"),
        "prep": (*words(classes, tmp_path / "dst", "npy"), "--json"),
    }[command]
    told = {}
    for kill in (False, True):
        with started(*rest, *(("--force",) if command == "prep" else ())) as process:
            if kill:
                wait_for(lambda p=process: len(workers_of(p.pid)) == 2, process)
                time.sleep(0.05)
                assert kill_worker(process.pid)
            stdout, stderr = process.communicate(timeout=120)
        assert process.returncode == 0, stderr
        told[kill] = json.loads(stdout)
    assert told[True] == told[False]


def killer(path):
    """A path that kills the process that looks at it."""
    if path == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    return len(path)


@pytest.mark.parametrize("workers", [1, 2])
def test_02_a_task_that_always_kills_its_worker_is_given_up_alone(workers):
    tasks = [*"abc", "poison", *("d" * n for n in range(60))]
    results = list(ordered(killer, tasks, workers))
    assert isinstance(results[3], Crashed)
    assert "its worker died 2 times: killed by SIGKILL" in str(results[3])
    assert [r for i, r in enumerate(results) if i != 3] == [
        len(task) for task in tasks if task != "poison"
    ]


def test_02_an_image_that_kills_stats_is_one_bad_file(classes, tmp_path):
    """The decoder is made to kill its process at one image, in a command as in life."""
    code = (
        "import os, signal\n"
        "from imgkit.dataset import stats\n"
        "def measured(root, max_pixels, path, measure=stats.measure_file):\n"
        "    if path.endswith('/7.jpg'): os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return measure(root, max_pixels, path)\n"
    )
    (tmp_path / "deadly.py").write_text(code)
    script = (
        "import deadly; from imgkit.dataset import stats; stats.measure_file = deadly.measured\n"
        "from imgkit.cli.main import main; main()"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    import subprocess

    done = subprocess.run(
        [*IMGKIT[:2], script, "stats", str(classes), "--json", "--workers", "2"],
        capture_output=True, text=True, env=environment, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert (told["images"], told["bad"]) == (COUNT - 1, 1)
    assert told["failures"][0]["path"].endswith("/7.jpg")
    assert told["failures"][0]["error"] == "crashed"


def test_results_keep_their_order_and_their_number_under_random_kills():
    rng = random.Random(5)
    results = []
    for result in ordered(slow, range(300), 2):
        results.append(result)
        if rng.random() < 0.05:
            for victim in workers_of(os.getpid())[:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
    lost = [i for i, r in enumerate(results) if isinstance(r, Crashed)]
    assert len(results) == 300
    assert [r for i, r in enumerate(results) if i not in lost] == [
        i**2 for i in range(300) if i not in lost
    ]
    assert len(lost) < 15  # those that a kill met in their second try as well


def slow(number):
    time.sleep(0.005)
    return number**2
