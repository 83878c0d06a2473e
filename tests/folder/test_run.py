"""Every image becomes one row; every output appears whole or not at all."""

import errno
import io
import os
import signal

import numpy as np
import pytest

from imgkit.folder import task as work
from imgkit.folder.plan_outputs import plan_file, plan_outputs
from imgkit.folder.run import Report, run
from imgkit.folder.scan import scan
from imgkit.folder.steps import Step
from imgkit.folder.task import ImageResult, Job, output_kind, process
from imgkit.io.decode import decode
from imgkit.io.encode import encode
from imgkit.io.files import commit

JOB = Job((Step("max_pool", {"size": 2}),))


def folder(path, count=5, bad=()):
    path.mkdir()
    rng = np.random.default_rng(1)
    for i in range(count):
        image = rng.integers(0, 256, (20, 30, 3), np.uint8)
        data = encode(image, "png")
        (path / f"{i}.png").write_bytes(data[:100] if i in bad else data)
    return path


def items(src, dst):
    return plan_outputs(scan(str(src)).images, str(src), str(dst))


def tree(path):
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in path.rglob("*") if p.is_file()}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_bad_image_costs_itself_alone(tmp_path, workers):
    src = folder(tmp_path / "src", 5, bad={2})
    seen = []
    report = run(items(src, tmp_path / "dst"), JOB, workers, lambda row, _: seen.append(row.path))
    assert sorted(seen) == [f"{i}.png" for i in range(5)]
    assert (report.ok, report.exit_code) == (4, 1)
    assert report.summary()["failures"] == [
        {
            "path": "2.png",
            "error": "truncated",
            "message": "the png file ends early: no IEND chunk",
        }
    ]
    assert sorted(tree(tmp_path / "dst")) == ["0.png", "1.png", "3.png", "4.png"]


def test_the_number_of_workers_changes_no_byte(tmp_path):
    src = folder(tmp_path / "src", 7)
    trees = []
    for workers in (1, 2, 3):
        dst = tmp_path / f"dst{workers}"
        assert run(items(src, dst), JOB, workers, lambda row, report: None).exit_code == 0
        trees.append(tree(dst))
    assert len(trees[0]) == 7
    assert trees[0] == trees[1] == trees[2]
    expected = decode((src / "0.png").read_bytes()).reshape(10, 2, 15, 2, 3).max(axis=(1, 3))
    assert np.array_equal(decode(trees[0]["0.png"]), expected)


def test_commit_replaces_the_whole_file_and_leaves_nothing_else(tmp_path):
    target = tmp_path / "a" / "b.png"
    commit(str(target), b"old")
    commit(str(target), b"new")
    assert tree(tmp_path) == {"a/b.png": b"new"}


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_before_the_rename_leaves_the_old_file(tmp_path, monkeypatch, step):
    target = tmp_path / "b.png"
    target.write_bytes(b"old")

    def fail(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(work.os, step, fail)
    with pytest.raises(OSError, match="No space"):
        commit(str(target), b"new")
    assert tree(tmp_path) == {"b.png": b"old"}


def test_an_input_that_cannot_be_read_is_its_own_failure(tmp_path):
    src = folder(tmp_path / "src", 2)
    planned = items(src, tmp_path / "dst")
    os.unlink(planned[0].source)
    report = run(planned, JOB, 1, lambda row, _: None)
    assert [row.error for row in report.failures] == ["vanished"]
    assert (report.ok, report.exit_code) == (1, 1)


def test_a_name_that_is_too_long_only_as_an_output_is_a_row(tmp_path):
    src = tmp_path / "src"
    src.mkdir()
    (src / ("x" * 253)).write_bytes(encode(np.zeros((4, 4), np.uint8), "png"))
    (item,) = items(src, tmp_path / "dst")
    row = process(JOB, item)
    assert (row.status, row.error, row.fatal) == ("failed", "OSError", False)
    assert tree(tmp_path / "dst") == {}


def test_an_operation_that_raises_is_a_row(tmp_path):
    src = folder(tmp_path / "src", 1)
    job = Job((Step("convolve", {"kernel": np.ones((99, 99)), "mode": "valid"}),))
    (item,) = items(src, tmp_path / "dst")
    row = process(job, item)
    assert row.error == "ValueError"
    assert "\n" not in row.message


def test_exit_codes():
    bad = ImageResult("a", "failed", "x", "y")
    for rows, code in (
        ([ImageResult("a")], 0),
        ([bad, ImageResult("b")], 1),
        ([bad._replace(fatal=True)], 4),
    ):
        report = Report(2)
        for row in rows:
            report.add(row)
        assert report.exit_code == code
        assert report.summary()["failed"] == sum(row.status == "failed" for row in rows)
    report = Report(4, max_failures=1, ok=1, skipped=1, failures=[bad])
    assert (report.exit_code, report.ending, report.done) == (1, False, 3)
    report.add(ImageResult("c", "quarantined", "crashed", "y"))
    assert (report.exit_code, report.ending, report.quarantined) == (3, True, 1)
    assert (report.summary()["failed"], report.summary()["quarantined"]) == (1, 1)
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        report.interrupted = number
        assert report.exit_code == code


def test_float_results_go_to_formats_that_hold_them():
    assert output_kind("same", np.uint8, None) == "same"
    assert output_kind("same", np.float32, None) == "float"
    assert output_kind("same", np.float32, "auto") == "same"
    assert output_kind("same", None, None) == "same"
    assert output_kind("npy", np.float32, None) == "npy"
    assert output_kind("jpg", np.float32, (0, 9)) == "jpg"
    with pytest.raises(ValueError, match="png cannot hold"):
        output_kind("png", np.float32, None)


def test_a_change_during_the_read_is_seen_by_the_next_run(tmp_path, monkeypatch):
    """The state that is noted is not newer than the bytes."""
    path = tmp_path / "a.png"
    path.write_bytes(encode(np.zeros((4, 4), np.uint8), "png"))
    item = plan_file(str(path), str(tmp_path / "b.png"))

    class Changing(io.FileIO):
        def read(self, *arguments):
            data = super().read(*arguments)
            os.utime(path, ns=(0, 0))
            return data

    monkeypatch.setattr(work, "open", lambda path, mode: Changing(path), raising=False)
    row, _ = work.make(Job((Step("invert", {}),)), item)
    assert (row.status, row.facts.mtime_ns) == ("ok", item.mtime_ns)
