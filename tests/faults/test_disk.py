"""Contract: a full, read-only or missing disk, or a death at any step, tears no file."""

import contextlib
import json
import os
import shutil
import subprocess

import pytest
from hurt import (
    IMGKIT,
    JOB,
    OPS,
    count,
    hurting,
    items,
    shell,
    started,
    tree,
    wait_for,
    write_photos,
)

from imgkit.folder.journal import Journal, read
from imgkit.folder.run import run

BAD = "b/0007.png"


@contextlib.contextmanager
def mounted(folder, options):
    """Mount a small disk of memory, where that is allowed."""
    if shutil.which("mount") is None:
        pytest.skip("there is no mount command")
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=False)
    if done.returncode:
        pytest.skip("mounting a small disk takes root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_08_a_full_disk_stops_the_run_and_leaves_whole_files(tmp_path):
    src = write_photos(tmp_path / "src", 80, 300)
    assert shell("run", src, tmp_path / "golden", *OPS).returncode == 0
    golden = tree(tmp_path / "golden")
    with mounted(tmp_path / "disk", "size=2m") as disk:
        done = shell("run", src, disk / "dst", *OPS, "--workers", "2", "--json")
        assert done.returncode == 4
        assert "No space left on device" in done.stderr
        assert "are not begun. To go on:" in done.stderr
        made = tree(disk / "dst")
        assert 5 < len(made) < 80
        assert made == {name: golden[name] for name in made}
        summary = json.loads(done.stdout)
        assert summary["ok"] == len(made)
        assert {failure["error"] for failure in summary["failures"]} == {"OSError"}
        subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
        assert shell("run", src, disk / "dst", *OPS).returncode == 0
        assert tree(disk / "dst") == golden


def test_08_the_same_by_a_worker_that_cannot_write(photos, golden, tmp_path):
    job = hurting(tmp_path, fill_disk="a/0010.png")
    with Journal(str(tmp_path / "dst")) as journal:
        planned = items(photos, tmp_path / "dst")
        report = run(planned, job, 2, lambda row, report: None, journal, str(photos))
    assert report.exit_code == 4
    assert report.stopped == "OSError: No space left on device"
    assert 1 <= len(report.failures) <= 4
    made = tree(tmp_path / "dst")
    assert made == {name: golden[name] for name in made}
    noted = read(str(tmp_path / "dst"))[1]
    assert {name for name, entry in noted.items() if entry.status == "ok"} == set(made)


@pytest.mark.parametrize("step", ["die_at_open", "die_after_open", "die_at_fsync",
                                  "die_at_replace", "die_after_replace"])  # fmt: skip
def test_09_a_death_at_any_step_of_writing_tears_no_file(photos, golden, tmp_path, step):
    dst = tmp_path / "dst"
    (dst / "b").mkdir(parents=True)
    (dst / BAD).write_bytes(b"old")
    report = run(items(photos, dst), hurting(tmp_path, **{step: BAD}), 2, lambda row, _: None)
    assert report.quarantined == 1
    made = tree(dst)
    assert made.pop(BAD) == (golden[BAD] if step == "die_after_replace" else b"old")
    assert made == {name: golden[name] for name in golden if name != BAD}
    assert run(items(photos, dst), JOB, 1, lambda row, _: None).exit_code == 0
    assert tree(dst) == golden


def test_10_a_read_only_disk_is_told_before_any_work(photos, tmp_path):
    with mounted(tmp_path / "disk", "size=2m") as disk:
        (disk / "dst").mkdir()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        done = shell("run", photos, disk / "dst", *OPS)
        assert done.returncode == 4
        assert "Read-only file system" in done.stderr
        assert "Traceback" not in done.stderr


def test_10_a_folder_that_may_not_be_written(photos, tmp_path):
    dst = tmp_path / "dst"
    dst.mkdir()
    dst.chmod(0o555)
    lowered = []
    if os.geteuid() == 0:  # who may write anywhere, until that is taken away
        if shutil.which("setpriv") is None:
            pytest.skip("root may write anywhere, and there is no setpriv to take that away")
        lowered = ["setpriv", "--bounding-set=-dac_override"]
    words = [*lowered, *IMGKIT, "run", photos, dst, *OPS]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "Permission denied" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(dst.iterdir())


def test_10_a_folder_that_vanishes_ends_the_run(tmp_path):
    src = write_photos(tmp_path / "src", 120, 300)
    dst = tmp_path / "dst"
    with started("run", src, dst, *OPS, "--workers", "2") as process:
        wait_for(lambda: count(dst) > 5, process)
        dst.rename(tmp_path / "away")
        shutil.rmtree(tmp_path / "away")
        _stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 4
    assert "the journal was removed" in stderr
    assert shell("run", src, dst, *OPS).returncode == 0
    assert len(tree(dst)) == 120
