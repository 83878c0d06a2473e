"""The same command does what is missing or has changed, and nothing else."""

import dataclasses
import json
import os
import time

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import imgkit as ik
from imgkit.cli.main import main
from imgkit.folder import journal, resume
from imgkit.folder.journal import Journal, read, runs
from imgkit.folder.plan_outputs import plan_outputs
from imgkit.folder.run import describe, run
from imgkit.folder.scan import scan
from imgkit.folder.task import Job
from imgkit.io.decode import Limits, decode
from imgkit.io.encode import encode
from imgkit.io.files import temporary_prefix

JOB = Job(ik.Pipeline([ik.Call(ik.max_pool, size=2)]))


@pytest.fixture
def src(tmp_path):
    folder = tmp_path / "src"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for i in range(6):
        data = encode(rng.integers(0, 256, (20, 30, 3), np.uint8), "png")
        (folder / f"{i}.png").write_bytes(data)
    return folder


def go(src, dst, job=JOB, **options):
    """Run, and return the report and the paths that were worked on."""
    seen = []
    planned = plan_outputs(scan(str(src)).images, str(src), str(dst))
    with Journal(str(dst)) as kept:
        report = run(
            planned, job, 2, lambda row, _: seen.append(row.path), kept, str(src), **options
        )
    return report, sorted(seen)


def invoke(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def names(*numbers):
    return [f"{i}.png" for i in numbers]


def test_what_is_done_is_skipped(src, tmp_path):
    dst = tmp_path / "dst"
    assert go(src, dst)[1] == names(*range(6))
    before = {path: path.stat().st_mtime_ns for path in dst.glob("*.png")}
    report, seen = go(src, dst)
    assert (seen, report.ok, report.skipped, report.exit_code) == ([], 0, 6, 0)
    assert before == {path: path.stat().st_mtime_ns for path in dst.glob("*.png")}
    (src / "6.png").write_bytes((src / "0.png").read_bytes())
    assert go(src, dst)[1] == names(6)


def test_12_a_changed_input_is_done_again(src, tmp_path):
    dst = tmp_path / "dst"
    go(src, dst)
    image = np.full((20, 30, 3), 7, np.uint8)
    (src / "2.png").write_bytes(encode(image, "png"))
    status = (src / "3.png").stat()
    os.utime(src / "3.png", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert go(src, dst)[1] == names(2, 3)
    assert np.array_equal(decode((dst / "2.png").read_bytes()), image[::2, ::2])
    assert go(src, dst)[1] == []


def test_an_output_that_is_gone_or_cut_is_made_again(src, tmp_path):
    dst = tmp_path / "dst"
    go(src, dst)
    whole = (dst / "1.png").read_bytes()
    (dst / "1.png").write_bytes(whole[:-1])
    (dst / "4.png").unlink()
    (dst / "5.png").unlink()
    (dst / "5.png").symlink_to(dst / "0.png")
    with pytest.raises(ValueError, match=r"5\.png is not a regular file but a link: remove it"):
        go(src, dst)
    (dst / "5.png").unlink()
    assert go(src, dst)[1] == names(1, 4, 5)
    assert (dst / "1.png").read_bytes() == whole


@pytest.mark.parametrize(
    "change",
    [
        {"pipeline": ik.Pipeline([ik.Call(ik.max_pool, size=4)])},
        {"quality": 80},
        {"scale": "auto"},
        {"epoch": 1},
        {"pipeline": ik.Pipeline(JOB.pipeline.ops, seed=3)},
    ],
)
def test_11_other_parameters_make_every_output_again(src, tmp_path, change):
    dst = tmp_path / "dst"
    other = dataclasses.replace(JOB, **change)
    go(src, dst)
    assert go(src, dst, other)[1] == names(*range(6))
    assert go(src, dst, other)[1] == []
    assert go(src, dst)[1] == names(*range(6))  # and back again: the last line counts


def test_11_other_versions_do_too(src, tmp_path, monkeypatch):
    go(src, tmp_path / "dst")
    monkeypatch.setattr(journal, "versions", lambda: {"pillow": "0.1"})
    assert go(src, tmp_path / "dst")[1] == names(*range(6))


def test_inputs_of_another_folder_are_other_inputs(src, tmp_path):
    go(src, tmp_path / "dst")
    os.rename(src, tmp_path / "moved")
    assert go(tmp_path / "moved", tmp_path / "dst")[1] == names(*range(6))


def test_limits_and_workers_are_no_reason_to_do_it_again(src, tmp_path):
    go(src, tmp_path / "dst")
    assert go(src, tmp_path / "dst", dataclasses.replace(JOB, limits=Limits(10**6)))[1] == []


def test_failures_are_tried_again(src, tmp_path):
    whole = (src / "3.png").read_bytes()
    (src / "3.png").write_bytes(whole[:99])
    assert go(src, tmp_path / "dst")[0].exit_code == 1
    report, seen = go(src, tmp_path / "dst")
    assert (seen, report.skipped, report.exit_code) == (names(3), 5, 1)
    (src / "3.png").write_bytes(whole)
    report, seen = go(src, tmp_path / "dst")
    assert (seen, report.exit_code) == (names(3), 0)


def test_13_an_input_that_vanishes_between_plan_and_read(src, tmp_path):
    dst = tmp_path / "dst"
    planned = plan_outputs(scan(str(src)).images, str(src), str(dst))
    (src / "2.png").unlink()
    with Journal(str(dst)) as kept:
        report = run(planned, JOB, 2, lambda row, _: None, kept, str(src))
    assert [row[:3] for row in report.failures] == [("2.png", "failed", "vanished")]
    assert (report.ok, report.exit_code) == (5, 1)
    assert read(str(dst))[1]["2.png"].error == "vanished"


def test_force_skips_nothing(src, tmp_path):
    go(src, tmp_path / "dst")
    assert go(src, tmp_path / "dst", force=True)[1] == names(*range(6))


@pytest.mark.parametrize(("allowed", "done"), [(0, 1), (2, 3)])
def test_more_failures_than_may_be_end_the_run(tmp_path, allowed, done):
    src = tmp_path / "src"
    src.mkdir()
    for i in range(60):
        (src / f"{i:02}.png").write_bytes(b"nothing")
    report, seen = go(src, tmp_path / "dst", max_failures=allowed)
    assert (report.exit_code, report.exceeded) == (3, True)
    assert done <= len(seen) <= done + 8  # those handed out are finished
    report, seen = go(src, tmp_path / "dst2", max_failures=60)
    assert (report.exit_code, len(seen)) == (1, 60)


def test_an_item_that_the_engine_loses_is_done_all_the_same(src, tmp_path, monkeypatch):
    from imgkit.folder.engines import local

    whole = local.results
    calls = []

    def forgetful(items, job, workers, *rest):
        calls.append(len(items))
        return whole(items[:4] if len(calls) == 1 else items, job, workers, *rest)

    monkeypatch.setattr(local, "results", forgetful)
    report, seen = go(src, tmp_path / "dst")
    assert (seen, calls, report.exit_code) == (names(*range(6)), [6, 2], 0)
    calls.clear()
    monkeypatch.setattr(local, "results", lambda *_: (pair for pair in ()))
    report, _ = go(src, tmp_path / "dst2")
    assert {row.error for row in report.failures} == {"lost"}
    assert (len(report.failures), report.exit_code) == (6, 1)


# --- the command ------------------------------------------------------------------------


def test_the_command_skips_forces_and_tells(src, tmp_path):
    dst = tmp_path / "dst"
    assert invoke("pool", src, dst).exit_code == 0
    (dst / "1.png").unlink()
    done = invoke("pool", src, dst, "--dry-run", "--json")
    (planned,) = json.loads(done.stdout)["plan"]
    assert planned["path"] == "1.png"
    assert json.loads(done.stdout)["skipped"] == 5
    done = invoke("pool", src, dst, "--dry-run")
    assert done.stdout.count("\n") == 1
    assert "5 of 6 are done" in done.stderr
    done = invoke("pool", src, dst)
    assert "6 images: 1 ok, 0 failed, 5 done before" in done.stderr
    done = invoke("pool", src, dst, "--force", "--json")
    assert json.loads(done.stdout)["ok"] == 6
    assert json.loads(invoke("pool", src, dst, "--size", "4", "--json").stdout)["ok"] == 6


def test_a_seed_that_nobody_chose_is_kept_for_the_same_command(src, tmp_path):
    words = ("run", src, tmp_path / "dst", "--op", "Rotate degrees=-90,90")
    first = json.loads(invoke(*words, "--json").stdout)
    (tmp_path / "dst" / "3.png").unlink()
    done = invoke(*words, "--json")
    again = json.loads(done.stdout)
    assert f"seed {first['seed']}: as in the run before" in done.stderr
    assert (again["seed"], again["ok"], again["skipped"]) == (first["seed"], 1, 5)
    other = json.loads(invoke(*words, "--op", "HorizontalFlip", "--json").stdout)
    assert other["seed"] != first["seed"]
    assert other["ok"] == 6
    assert len(list(runs(str(tmp_path / "dst")))) == 3


@pytest.mark.parametrize(("budget", "code"), [("0", 3), ("10%", 3), ("1", 1), ("50%", 1)])
def test_the_budget_of_the_command(src, tmp_path, budget, code):
    (src / "0.png").write_bytes(b"")
    done = invoke("pool", src, tmp_path / "dst", "--max-failures", budget)
    assert done.exit_code == code
    if code == 3:
        assert "Error: stopped: more than 0 images failed" in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--max-failures", "many"), "'many' is neither a number of images nor a share like 5%"),
        (("--max-failures", "101%"), "neither a number"),
        (("--max-failures", "-1"), "neither a number"),
        (("--memory", "2"), "'2' is not a size of at least 16M, as 1500M or 2G"),
        (("--memory", "1K"), "not a size"),
        (("--timeout", "0"), "0.0 is not in the range"),
        (("--engine", "spark"), "'spark' is not one of 'local', 'ray'"),
    ],
)
def test_values_that_are_refused(src, tmp_path, words, message):
    done = invoke("pool", src, tmp_path / "dst", *words)
    assert done.exit_code == 2
    assert message in done.stderr


# --- the journal, torn anywhere -----------------------------------------------------------


@pytest.fixture(scope="module")
def noted(tmp_path_factory):
    """A destination with five outputs, the items they are of, and their run."""
    folder = tmp_path_factory.mktemp("noted")
    src, dst = folder / "src", folder / "dst"
    src.mkdir()
    for i in range(5):
        (src / f"{i}.png").write_bytes(b"x" * i)
    planned = plan_outputs(scan(str(src)).images, str(src), str(dst))
    begun = describe(JOB, str(src))
    with Journal(str(dst)) as kept:
        kept.add(begun)
        for item in planned:
            (dst / item.path).write_bytes(b"y")
            kept.add(entry(begun, item))
    return dst, planned, begun


def entry(begun, item):
    return journal.Entry(
        run=begun.id, path=item.path, output=item.path, kind="png", size=item.size,
        mtime_ns=item.mtime_ns, source="", op=begun.op, seed=None, epoch=0, copy=1, index=0,
        status="ok", error="", message="", sha256="", written=1, partial=False, version="",
    )  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_journal_cut_anywhere_costs_only_what_was_cut(noted, data):
    """Whatever a crash leaves of it, a line that was not written whole is not believed."""
    dst, planned, begun = noted
    path = dst / ".imgkit" / "journal.jsonl"
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    try:
        assert resume.unfinished(planned, str(dst), begun) == []
        os.truncate(path, cut)
        with Journal(str(dst)) as kept:
            lines = np.cumsum([len(line) for line in whole.splitlines(keepends=True)]) - 1
            intact = int((lines <= cut).sum())  # a line without its end is whole too
            left = resume.unfinished(planned, str(dst), begun)
            assert left == planned[max(0, intact - 1) :]
            kept.add(begun)
            for item in left:
                kept.add(entry(begun, item))
        assert resume.unfinished(planned, str(dst), begun) == []
    finally:
        path.write_bytes(whole)


def test_temporary_files_of_the_living_are_left_alone(tmp_path):
    mine = tmp_path / (temporary_prefix(os.getpid()) + "aa")
    dead = tmp_path / (temporary_prefix(2**22 + 5) + "aa")
    old = tmp_path / ".imgkit-00000000-1-aa"
    new = tmp_path / ".imgkit-00000000-2-aa"
    for path in (mine, dead, old, new):
        path.touch()
    os.utime(old, (0, time.time() - 2 * resume.DAY))
    resume.sweep([str(tmp_path), str(tmp_path / "nowhere")])
    assert sorted(tmp_path.iterdir()) == sorted([mine, new])
    resume.sweep([str(tmp_path)], os.getpid())
    assert sorted(tmp_path.iterdir()) == [new]
