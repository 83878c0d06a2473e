"""Contract: after a kill or an interruption of the command the same command continues."""

import contextlib
import json
import os
import signal
import subprocess
import time

import pytest
from hurt import (
    OPS,
    count,
    descendants,
    kill_worker,
    shell,
    started,
    tree,
    wait_for,
    workers_of,
    write_photos,
)

from imgkit.folder.journal import read

COUNT = 120


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Enough images that a command can be caught in the middle of them."""
    return write_photos(tmp_path_factory.mktemp("many") / "src", COUNT, 400)


@pytest.fixture(scope="module")
def whole(many, tmp_path_factory):
    dst = tmp_path_factory.mktemp("whole") / "dst"
    assert shell("run", many, dst, *OPS).returncode == 0
    return tree(dst)


@contextlib.contextmanager
def begun(many, dst, enough=COUNT // 4, **options):
    """A run in the middle."""
    with started("run", many, dst, *OPS, "--workers", "2", "--json", **options) as process:
        wait_for(lambda: count(dst) >= enough, process)
        yield process


def ended(pids):
    """Wait until processes are gone, or are waited for by nobody."""
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}/fd/0") for pid in pids), seconds=5)


def go_on(many, dst, whole, at_least):
    done = shell("run", many, dst, *OPS, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["ok"] + summary["skipped"] == COUNT
    assert summary["skipped"] >= at_least
    assert tree(dst) == whole
    assert shell("verify", dst).returncode == 0


def says_what_is_missing(dst, missing):
    """Check that the folder of a stopped run is not taken for a whole one."""
    done = shell("verify", dst, "--json")
    facts = json.loads(done.stdout)
    assert done.returncode == 1
    assert (facts["planned"], facts["done"]) == (COUNT, COUNT - missing)
    assert facts["unprocessed"] == missing
    assert json.loads(shell("report", dst, "--json").stdout)["missing"] == missing


def temporaries(dst):
    return [path for path in dst.rglob(".imgkit-*")]


def test_05_killed_in_the_middle_the_same_command_does_the_rest(many, whole, tmp_path):
    dst = tmp_path / "dst"
    with begun(many, dst, COUNT // 2) as process:
        below = descendants(process.pid)
        process.kill()
        process.communicate()
    ended(below)
    noted = read(str(dst))[1]
    says_what_is_missing(dst, COUNT - len(noted))
    assert COUNT // 2 - 4 <= len(noted) < COUNT
    made = tree(dst)
    assert {name: whole[name] for name in noted} == {name: made[name] for name in noted}
    (dst / "a" / ".imgkit-00000000-1-ff").write_bytes(b"of another machine")
    leaf = next(path for path in dst.rglob("*.png"))
    mark = temporaries_of_dead(leaf.parent)
    go_on(many, dst, whole | {"a/.imgkit-00000000-1-ff": b"of another machine"}, len(noted))
    assert not mark.exists()
    assert [path.name for path in temporaries(dst)] == [".imgkit-00000000-1-ff"]


def temporaries_of_dead(folder):
    """Write the temporary file of a process that is gone."""
    from imgkit.io.files import temporary_prefix

    gone = subprocess.Popen(["true"])
    gone.wait()
    path = folder / (temporary_prefix(gone.pid) + "ab12")
    path.write_bytes(b"half an im")
    return path


@pytest.mark.parametrize(
    ("number", "code", "group"),
    [
        (signal.SIGINT, 130, True),  # Ctrl-C: the terminal tells the whole group
        (signal.SIGINT, 130, False),
        (signal.SIGTERM, 143, True),  # as a cluster does before it takes a machine away
        (signal.SIGTERM, 143, False),
    ],
)
def test_06_07_a_signal_finishes_what_is_in_work(many, whole, tmp_path, number, code, group):
    dst = tmp_path / "dst"
    with begun(many, dst) as process:
        below = descendants(process.pid)
        (os.killpg if group else os.kill)(process.pid, number)
        stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == code, stderr
    assert "finishing the images in work" in stderr
    assert "Interrupted: every output that exists is whole." in stderr
    assert f"To go on:\n  imgkit run {many} {dst} --op " in stderr
    assert "Traceback" not in stderr
    summary = json.loads(stdout)
    assert (summary["total"], summary["failed"], summary["quarantined"]) == (COUNT, 0, 0)
    assert summary["ok"] == len(tree(dst)) == len(read(str(dst))[1]) < COUNT
    assert not temporaries(dst)
    assert summary["missing"] == COUNT - summary["ok"]
    counts = f"{COUNT} images planned: {summary['ok']} ok, 0 failed, {summary['missing']} missing"
    assert stderr.splitlines()[-1].startswith(counts)
    says_what_is_missing(dst, summary["missing"])
    ended(below)
    go_on(many, dst, whole, summary["ok"])


def test_06_the_second_stops_at_once(tmp_path):
    """Images that take seconds each are given up, and leave nothing half done."""
    src = write_photos(tmp_path / "src", 6, 1500)
    dst = tmp_path / "dst"
    words = ("run", src, dst, "--op", "median_blur size=25", "--workers", "2", "--json")
    with started(*words) as process:
        wait_for(lambda: len(workers_of(process.pid)) == 2, process)
        time.sleep(0.5)
        below = descendants(process.pid)
        for _ in range(2):
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.3)
        stdout, stderr = process.communicate(timeout=5)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    # a worker stopped between its rename and its answer leaves a whole file that has no row yet
    assert json.loads(stdout)["ok"] <= count(dst) <= json.loads(stdout)["ok"] + 2
    assert count(dst) < 6
    ended(below)
    assert not temporaries(dst)


def test_07_started_with_ctrl_c_ignored_it_can_still_be_stopped(many, tmp_path):
    def ignore():
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    with begun(many, tmp_path / "dst", preexec_fn=ignore) as process:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 130


def test_01_workers_killed_from_outside(many, whole, tmp_path):
    """As the kernel does when memory runs out; each kill costs no more than a second try."""
    dst = tmp_path / "dst"
    with begun(many, dst, 4) as process:
        assert kill_worker(process.pid)
        for _ in range(2):
            time.sleep(0.3)
            kill_worker(process.pid)
        stdout, _stderr = process.communicate(timeout=60)
    summary = json.loads(stdout)
    assert summary["ok"] + summary["quarantined"] == COUNT
    go_on(many, dst, whole, summary["ok"])
