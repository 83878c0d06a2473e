"""Every image becomes one result, and the bytes do not depend on the workers."""

import hashlib
import json
import signal

import numpy as np
import pytest

import imgkit as ik
from imgkit.folder.plan_outputs import plan_outputs
from imgkit.folder.run import Report, describe, run
from imgkit.folder.scan import scan
from imgkit.folder.task import ImageResult, Job
from imgkit.io.decode import decode
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


def test_another_rule_of_draws_is_another_operation():
    """Outputs drawn by the rule of an earlier version are not taken for these."""

    def hash_of(*ops):
        return describe(Job(ik.Pipeline(list(ops), seed=3)), "photos").op

    plain = hash_of(ik.HorizontalFlip(p=0.5), ik.invert)
    assert plain == old_hash([{"HorizontalFlip": {"p": 0.5}}, "invert"])
    mixed = hash_of(ik.invert, ik.HorizontalFlip(p=0.5))
    assert mixed != old_hash(["invert", {"HorizontalFlip": {"p": 0.5}}])
    fixed = hash_of(ik.invert, ik.VerticalFlip())
    assert fixed == old_hash(["invert", "VerticalFlip"])


def old_hash(ops):
    done = {
        "pipeline": {"version": 1, "seed": 3, "ops": ops},
        **{"epoch": 0, "quality": 95, "scale": None, "fast_decode": False},
    }
    text = json.dumps(done, sort_keys=True).encode()
    return hashlib.blake2b(text, digest_size=16).hexdigest()
