"""Contract: a worker that dies, hangs or uses too much memory costs one image."""

import os
import time

import pytest
from hurt import JOB, hurting, items, tree, tries

from imgkit.folder.engines import local
from imgkit.folder.engines import pool as pool
from imgkit.folder.run import run
from imgkit.folder.task import TaskLimits

BAD = "b/0007.png"
GUARDS = TaskLimits(timeout=60, memory=2 << 30)


def go(photos, dst, job, workers=2, task_limits=GUARDS):
    return run(items(photos, dst), job, workers, lambda row, report: None, task_limits=task_limits)


def without(golden, *names):
    return {name: data for name, data in golden.items() if name not in names}


@pytest.mark.parametrize("workers", [1, 2])
def test_01_a_worker_killed_in_the_middle_of_an_image(photos, golden, tmp_path, workers):
    job = hurting(tmp_path, die_once=f"a/0000.png,{BAD},b/0023.png")
    report = go(photos, tmp_path / "dst", job, workers)
    assert report.exit_code == 0
    assert report.ok == len(golden)
    assert tree(tmp_path / "dst") == golden
    assert tries(tmp_path, BAD) == 2


@pytest.mark.parametrize("how", ["die", "segfault", "leave"])
def test_02_an_image_that_always_kills_its_worker_is_quarantined(photos, golden, tmp_path, how):
    report = go(photos, tmp_path / "dst", hurting(tmp_path, **{how: BAD}))
    assert (report.exit_code, report.quarantined, report.ok) == (1, 1, len(golden) - 1)
    (row,) = report.failures
    cause = {"die": "killed by SIGKILL", "segfault": "killed by SIGSEGV", "leave": "exit code 0"}
    assert row[:4] == (BAD, "quarantined", "crashed", f"its worker died 2 times: {cause[how]}")
    assert tries(tmp_path, BAD) == 2
    assert tree(tmp_path / "dst") == without(golden, BAD)


@pytest.mark.parametrize("workers", [1, 2])
def test_02_many_of_them_cost_no_other(photos, golden, tmp_path, workers):
    bad = [f"a/{i:04}.png" for i in range(0, 24, 4)]
    report = go(photos, tmp_path / "dst", hurting(tmp_path, die=",".join(bad)), workers)
    assert sorted(row.path for row in report.failures) == bad
    assert tree(tmp_path / "dst") == without(golden, *bad)


def test_02_the_second_try_is_alone(photos, tmp_path):
    """So no image is blamed for what another one does beside it."""
    others = ",".join(f"{'ab'[i % 2]}/{i:04}.png" for i in range(24) if i != 7)
    job = hurting(tmp_path, look_and_die=BAD, be_busy=others)
    report = go(photos, tmp_path / "dst", job, workers=3)
    assert [row.path for row in report.failures] == [BAD]
    assert int((tmp_path / "others.0").read_text()) > 0
    assert (tmp_path / "others.1").read_text() == "0"


def test_03_a_hanging_image_is_killed_at_the_timeout(photos, golden, tmp_path):
    job = hurting(tmp_path, sleep=f"{BAD},a/0010.png")
    start = time.monotonic()
    report = go(photos, tmp_path / "dst", job, task_limits=TaskLimits(timeout=2))
    assert time.monotonic() - start < 20
    assert {row[:4] for row in report.failures} == {
        (BAD, "failed", "timeout", "took over 2 s"),
        ("a/0010.png", "failed", "timeout", "took over 2 s"),
    }
    assert tries(tmp_path, BAD) == 1
    assert tree(tmp_path / "dst") == without(golden, BAD, "a/0010.png")


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is limited on Linux")
@pytest.mark.parametrize("how", ["allocate", "bite"])
def test_04_an_image_that_claims_too_much_memory_fails(photos, golden, tmp_path, how):
    job = hurting(tmp_path, **{how: BAD})
    report = go(photos, tmp_path / "dst", job, task_limits=TaskLimits(60, 256 << 20))
    (row,) = report.failures
    assert row[:3] == (BAD, "failed", "oom")
    assert tree(tmp_path / "dst") == without(golden, BAD)


def test_04_images_too_large_for_one_share_wait_for_more(photos, golden, tmp_path, monkeypatch):
    """A share holds 600 pixels, the images have 720: each takes the place of two workers."""
    given = []

    def give(worker, task, give=pool.Worker.give):
        if task.weight > 1:
            given.append((task.weight, worker.work.room(task.weight)))
            assert not worker.tasks
        return give(worker, task)

    monkeypatch.setattr(local, "PIXEL_BYTES", GUARDS.memory // 600)
    monkeypatch.setattr(pool.Worker, "give", give)
    report = go(photos, tmp_path / "dst", JOB, workers=3)
    assert report.exit_code == 0
    assert given == [(2, 1200)] * len(golden)
    assert tree(tmp_path / "dst") == golden


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_30_the_number_of_workers_changes_no_byte(photos, golden, tmp_path, workers):
    assert go(photos, tmp_path / "dst", JOB, workers).exit_code == 0
    assert tree(tmp_path / "dst") == golden


def test_30_nor_does_the_order(photos, golden, tmp_path):
    planned = items(photos, tmp_path / "dst")[::-1]
    assert run(planned, JOB, 2, lambda row, report: None).exit_code == 0
    assert tree(tmp_path / "dst") == golden


def test_workers_that_cannot_start_end_the_run(photos, tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "serve", os._exit)
    report = go(photos, tmp_path / "dst", JOB)
    assert report.exit_code == 4
    assert "workers die as they start" in report.stopped


def test_no_process_is_left(photos, tmp_path):
    from hurt import workers_of

    rows = local.results(items(photos, tmp_path / "dst"), JOB, 2)
    next(rows)
    assert workers_of(os.getpid())
    rows.close()
    assert not workers_of(os.getpid())
