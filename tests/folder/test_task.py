"""One image from reading to writing: every failure is a result."""

import io
import os

import numpy as np
import pytest

import imgkit as ik
from imgkit.folder import task as work
from imgkit.folder.plan_outputs import plan_file, plan_outputs
from imgkit.folder.run import run
from imgkit.folder.scan import scan
from imgkit.folder.task import Job, output_kind, process
from imgkit.io.encode import encode

JOB = Job(ik.Pipeline([ik.Call(ik.max_pool, size=2)]))


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
    job = Job(ik.Pipeline([ik.Call(ik.convolve, kernel=np.ones((99, 99)), mode="valid")]))
    (item,) = items(src, tmp_path / "dst")
    row = process(job, item)
    assert row.error == "ValueError"
    assert "\n" not in row.message


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
    row, _ = work.make(Job(ik.Pipeline([ik.invert])), item)
    assert (row.status, row.facts.mtime_ns) == ("ok", item.mtime_ns)
