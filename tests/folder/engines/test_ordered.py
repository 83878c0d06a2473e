"""A function over many tasks: results in order; a task that dies or hangs fails alone."""

from imgkit.dataset.stats import bad, collect


def test_a_worker_that_dies_costs_its_file(tmp_path):
    from imgkit.folder.engines.ordered import ordered

    results = list(ordered(_deadly, range(6), 2))
    assert [r for i, r in enumerate(results) if i != 3] == [0, 1, 4, 16, 25]
    assert isinstance(results[3], BaseException)


def test_a_task_that_never_ends_is_given_up():
    from imgkit.folder.engines.ordered import ordered

    results = list(ordered(_endless, range(5), 2, timeout=1))
    assert [r for i, r in enumerate(results) if i != 3] == [0, 1, 2, 4]
    assert bad("3", results[3]) == ("3", "timeout", "took over 1 s")


def test_stats_and_prep_have_the_timeout_that_runs_have(monkeypatch):
    from imgkit.cli.run import run
    from imgkit.folder.engines import ordered
    from imgkit.folder.engines import pool as pool

    works = []

    class Pool(pool.Pool):
        def __init__(self, work, size):
            works.append(work)
            super().__init__(work, size)

    monkeypatch.setattr(ordered, "Pool", Pool)
    collect("nowhere", ["gone.png"], 1)
    (option,) = (p for p in run.params if p.name == "timeout")
    assert [work.timeout for work in works] == [option.default]


def _endless(number):
    import time

    time.sleep(1000 if number == 3 else 0)
    return number


def _deadly(number):
    import os
    import signal

    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number**2
