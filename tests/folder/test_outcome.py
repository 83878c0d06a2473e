"""Planned, done, failed and missing images, counted from the lines of a journal."""

import dataclasses
import json

import numpy as np
import pytest
from click.testing import CliRunner

from imgkit.cli.main import main
from imgkit.folder import journal
from imgkit.folder.journal import Journal, new_run
from imgkit.folder.outcome import Outcome, OutcomeCounter
from imgkit.folder.run import Report
from imgkit.folder.run import run as run_engine
from imgkit.folder.verify import verify
from imgkit.io.encode import encode
from imgkit.report.run_report import gather
from imgkit.report.run_report import report_page as page

COUNT = 6
DONE = {"pipeline": {"ops": []}, "epoch": 0, "quality": 95, "scale": None, "fast_decode": False}


def invoke(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def write_photos(folder, names):
    folder.mkdir(exist_ok=True)
    for name in names:
        level = np.full((4, 4), len(name), np.uint8)
        (folder / f"{name}.png").write_bytes(encode(level, "png"))
    return folder


@pytest.fixture
def src(tmp_path):
    return write_photos(tmp_path / "src", "abcdef")


@pytest.fixture
def stopped_after(monkeypatch):
    """Stop each run after some images, as Ctrl-C does."""

    def stop(count):
        def run(*arguments, **options):
            on_result = arguments[3]

            def show(result, report):
                on_result(result, report)
                if report.ok + len(report.failures) >= count:
                    raise KeyboardInterrupt

            return run_engine(*arguments[:3], show, *arguments[4:], **options)

        monkeypatch.setattr("imgkit.cli.runner.run", run)

    yield stop
    monkeypatch.undo()


def agreed(dst):
    """Return the counts, after a look whether all places that tell them agree."""
    facts = json.loads(invoke("verify", dst, "--json").stdout)
    verdict, reported = verify(str(dst)), gather(str(dst))
    assert verdict.outcome == reported.outcome
    assert facts["planned"] == facts["done"] + facts["failed"] + facts["unprocessed"]
    if verdict.outcome.missing == 0:
        assert verdict.outputs == verdict.outcome.done == len(reported.ok)
        assert verdict.failed == verdict.outcome.failed == len(reported.failures)
        assert reported.summary()["total"] == verdict.outcome.planned
    return verdict.outcome


def test_a_stopped_run_says_so_everywhere(src, tmp_path, stopped_after):
    dst = tmp_path / "dst"
    stopped_after(2)
    done = invoke("pool", src, dst, "--workers", 1, "--json")
    assert done.exit_code == 130
    facts = json.loads(done.stdout)
    assert [facts[key] for key in ("planned", "done", "failed", "missing")] == [COUNT, 2, 0, 4]
    assert done.stderr.splitlines()[-1].startswith("6 images planned: 2 ok, 0 failed, 4 missing, ")

    done = invoke("verify", dst, "--json")
    assert done.exit_code == 1
    facts = json.loads(done.stdout)
    assert [facts[key] for key in ("planned", "done", "failed", "unprocessed")] == [COUNT, 2, 0, 4]
    assert facts["missing"] == []
    assert done.stderr.splitlines()[-2:] == [
        "the run was stopped: the same command continues it",
        "6 images planned: 2 done, 0 failed, 4 missing",
    ]

    done = invoke("report", dst, "--json")
    facts = json.loads(done.stdout)
    assert [facts[key] for key in ("planned", "done", "failed", "missing")] == [COUNT, 2, 0, 4]
    assert done.stderr.splitlines()[-1] == "6 images planned: 2 done, 0 failed, 4 missing"
    text = page(str(dst), gather(str(dst)), 0)
    assert "Stopped: 2 of 6 planned images are done, and 4 missing." in text
    assert 'class="missing"' in text
    assert "are written" not in text


def test_the_same_command_completes_it(src, tmp_path, stopped_after, monkeypatch):
    dst = tmp_path / "dst"
    stopped_after(2)
    invoke("pool", src, dst, "--workers", 1)
    monkeypatch.undo()
    done = invoke("pool", src, dst, "--json")
    facts = json.loads(done.stdout)
    assert [facts[key] for key in ("planned", "done", "failed", "missing")] == [COUNT, COUNT, 0, 0]
    assert "images: 4 ok" in done.stderr
    assert verify(str(dst)).outcome == Outcome(COUNT, COUNT, 0, 0)
    assert invoke("verify", dst).exit_code == 0
    assert "All 6 images are written." in page(str(dst), gather(str(dst)), 0)


def test_other_parameters_that_were_stopped_leave_nothing_done(src, tmp_path, stopped_after):
    """The files of the run before are there, but are not what was asked for last."""
    dst = tmp_path / "dst"
    assert invoke("pool", src, dst).exit_code == 0
    stopped_after(1)
    invoke("pool", src, dst, "--size", 4, "--workers", 1)
    verdict = verify(str(dst))
    assert not verdict.is_complete
    assert verdict.outcome == Outcome(COUNT, 1, 0, 5)
    assert invoke("verify", dst).exit_code == 1


def test_failures_and_too_many_of_them_are_counted(src, tmp_path):
    for name in "uvwxyz":
        (src / f"{name}.png").write_bytes(b"no image")
    dst = tmp_path / "dst"
    assert invoke("pool", src, dst).exit_code == 1
    assert verify(str(dst)).outcome == Outcome(12, 6, 6, 0)
    assert invoke("verify", dst).exit_code == 0  # a failure is a result
    done = invoke("pool", src, dst, "--max-failures", 1, "--workers", 1, "--json")
    assert done.exit_code == 3
    missing = json.loads(done.stdout)["missing"]
    assert missing > 0
    assert agreed(dst) == Outcome(12, 6, 6 - missing, missing)
    assert invoke("verify", dst).exit_code == 1


def test_a_full_disk_is_counted(src, tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    written = Journal.add

    def add(self, record):
        if isinstance(record, journal.Entry) and record.path == "c.png":
            full()
        written(self, record)

    monkeypatch.setattr(Journal, "add", add)
    dst = tmp_path / "dst"
    done = invoke("pool", src, dst, "--workers", 1)
    assert done.exit_code == 4
    assert "6 images planned: 3 ok, 0 failed, 3 missing" in done.stderr
    assert verify(str(dst)).outcome == Outcome(COUNT, 2, 0, 4)  # of c.png nothing is recorded
    assert invoke("verify", dst).exit_code == 1


def test_runs_over_several_sources_add_up(src, tmp_path, stopped_after):
    dst = tmp_path / "dst"
    other = write_photos(tmp_path / "other", "xyz")
    stopped_after(2)
    invoke("pool", src, dst, "--workers", 1)
    stopped_after(9)
    assert invoke("pool", other, dst).exit_code == 0
    assert verify(str(dst)).outcome == Outcome(9, 5, 0, 4)
    assert invoke("verify", dst).exit_code == 1


def test_one_file_of_a_folder_does_not_complete_the_folder(src, tmp_path, stopped_after):
    dst = tmp_path / "dst"
    stopped_after(2)
    invoke("pool", src, dst, "--workers", 1)
    stopped_after(9)
    assert invoke("pool", src / "f.png", dst).exit_code == 0
    assert verify(str(dst)).outcome.missing == 4
    assert invoke("pool", src, dst).exit_code == 0
    assert verify(str(dst)).outcome == Outcome(COUNT, COUNT, 0, 0)


# --- every output counts once -----------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--force"]])
@pytest.mark.parametrize("resumed", [False, True])
def test_a_source_that_was_renamed_replaces_what_it_was(
    src, tmp_path, stopped_after, options, resumed
):
    dst = tmp_path / "dst"
    for _ in range(1 + resumed):
        stopped_after(2)
        invoke("pool", src, dst, "--workers", 1)
    assert agreed(dst).missing == 4 - 2 * resumed
    stopped_after(99)
    assert invoke("pool", src.rename(tmp_path / "renamed"), dst, *options).exit_code == 0
    assert agreed(dst) == Outcome(COUNT, COUNT, 0, 0)
    assert invoke("verify", dst).exit_code == 0


def test_force_replaces_also_a_run_whose_outputs_it_does_not_cover(src, tmp_path, stopped_after):
    dst = tmp_path / "dst"
    stopped_after(2)
    invoke("pool", src, dst, "--workers", 1)
    renamed = src.rename(tmp_path / "renamed")
    (renamed / "f.png").unlink()
    stopped_after(2)
    invoke("pool", renamed, dst, "--workers", 1, "--force")
    assert verify(str(dst)).outcome == Outcome(5, 2, 0, 3)
    stopped_after(99)
    assert invoke("pool", renamed, dst, "--force").exit_code == 0
    assert agreed(dst) == Outcome(5, 5, 0, 0)


def test_force_keeps_the_outputs_of_other_sources(src, tmp_path):
    dst = tmp_path / "dst"
    other = write_photos(tmp_path / "other", "xyz")
    for source, options in ((src, []), (other, []), (src, ["--force"])):
        assert invoke("pool", source, dst, *options).exit_code == 0
    assert agreed(dst) == Outcome(9, 9, 0, 0)


@pytest.mark.parametrize("options", [[], ["--force"], ["--size", 4], ["--kind", "min"]])
def test_one_file_again_is_no_further_image(src, tmp_path, options):
    dst = tmp_path / "dst"
    assert invoke("pool", src, dst).exit_code == 0
    for name in ("a", "a", "b"):
        assert invoke("pool", src / f"{name}.png", f"{dst}/", *options).exit_code == 0
        assert agreed(dst) == Outcome(COUNT, COUNT, 0, 0)
    assert invoke("pool", src, dst).exit_code == 0
    assert invoke("pool", src / "a.png", f"{dst}/", *options).exit_code == 0
    assert agreed(dst) == Outcome(COUNT, COUNT, 0, 0)


@pytest.mark.parametrize("alone", ["c", "abc", "cab", "abcabc"])
def test_a_failed_image_that_is_mended_counts_once(src, tmp_path, alone):
    dst = tmp_path / "dst"
    (src / "c.png").write_bytes(b"no image")
    assert invoke("pool", src, dst).exit_code == 1
    assert invoke("pool", src / "c.png", f"{dst}/").exit_code == 1
    assert agreed(dst) == Outcome(COUNT, COUNT - 1, 1, 0)
    write_photos(src, "c")
    for name in alone:
        assert invoke("pool", src / f"{name}.png", f"{dst}/").exit_code == 0
    assert agreed(dst) == Outcome(COUNT, COUNT, 0, 0)


@pytest.mark.parametrize("second", ["{}", "{}/x.png"])
@pytest.mark.parametrize("first", ["{}", "{}/x.png"])
def test_two_sources_of_one_output_count_once(tmp_path, first, second):
    one, two = write_photos(tmp_path / "one", "x"), write_photos(tmp_path / "two", "x")
    for source in (first.format(one), second.format(two), first.format(one)):
        assert invoke("pool", source, f"{tmp_path}/dst/").exit_code == 0
        assert agreed(tmp_path / "dst") == Outcome(1, 1, 0, 0)


def test_an_output_of_an_image_that_is_gone_still_counts(src, tmp_path):
    dst = tmp_path / "dst"
    assert invoke("pool", src, dst).exit_code == 0
    (src / "f.png").unlink()
    assert invoke("pool", src, dst).exit_code == 0
    assert agreed(dst) == Outcome(COUNT, COUNT, 0, 0)
    assert invoke("pool", src / "a.png", f"{dst}/", "--force").exit_code == 0
    assert agreed(dst) == Outcome(COUNT, COUNT, 0, 0)


def test_a_new_image_is_missing_beside_outputs_that_are_skipped(src, tmp_path, stopped_after):
    dst = tmp_path / "dst"
    assert invoke("pool", src, dst).exit_code == 0
    write_photos(src, "xy")
    stopped_after(1)
    invoke("pool", src, dst, "--workers", 1)
    assert agreed(dst) == Outcome(8, 7, 0, 1)
    stopped_after(99)
    assert invoke("pool", src / "a.png", f"{dst}/", "--force").exit_code == 0
    assert agreed(dst) == Outcome(8, 7, 0, 1)


def test_one_file_takes_its_place_in_a_plan_that_skipped_nothing(src, tmp_path, stopped_after):
    dst = tmp_path / "dst"
    assert invoke("pool", src, dst).exit_code == 0
    stopped_after(1)
    invoke("pool", src, dst, "--size", 4, "--workers", 1)
    stopped_after(99)
    assert invoke("pool", src / "f.png", f"{dst}/", "--size", 4).exit_code == 0
    assert verify(str(dst)).outcome == Outcome(COUNT, 2, 0, 4)


def test_a_journal_of_before_says_that_the_plan_is_unknown(src, tmp_path):
    dst = tmp_path / "dst"
    invoke("pool", src, dst)
    path = dst / ".imgkit" / "journal.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for name in ("planned", "skipped", "only"):
        del lines[0][name]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = invoke("verify", dst)
    assert done.exit_code == 0
    assert done.stderr.splitlines()[-1] == "planned unknown: 6 done, 0 failed"
    facts = json.loads(invoke("report", dst, "--json").stdout)
    assert [facts[key] for key in ("planned", "done", "missing")] == [None, COUNT, None]
    assert "does not say how many were planned" in page(str(dst), gather(str(dst)), 0)
    assert "6 done before" in invoke("pool", src, dst).stderr  # and it is continued
    assert verify(str(dst)).outcome == Outcome(COUNT, COUNT, 0, 0)


@pytest.mark.parametrize("content", [b"", b'{"line": "run", "id'])
def test_a_journal_without_a_run_is_not_a_run_that_went_well(tmp_path, content):
    (tmp_path / ".imgkit").mkdir()
    (tmp_path / ".imgkit" / "journal.jsonl").write_bytes(content)
    for words in (["verify", tmp_path], ["report", tmp_path, "--json"]):
        done = invoke(*words)
        assert done.exit_code == 2
        assert "has no run" in done.stderr


def test_a_later_run_replaces_one_that_it_covers():
    def counted(*plans):
        counter = OutcomeCounter()
        for src, only, planned in plans:
            counter.add(dataclasses.replace(new_run(src, DONE, {}), only=only, planned=planned))
        return counter.total()

    assert counted(("/s", "", 3), ("/s", "", 5)) == Outcome(5, 0, 0, 5)
    assert counted(("/s", "a", 1), ("/s", "", 5)) == Outcome(5, 0, 0, 5)
    assert counted(("/s", "", 5), ("/s", "a", 1)) == Outcome(6, 0, 0, 6)
    assert counted(("/s", "", 5), ("/t", "", 2)) == Outcome(7, 0, 0, 7)
    assert counted(("/s", "", None), ("/t", "", 2)) == Outcome(None, 0, 0, None)
    assert counted(("/s", "", None), ("/s", "", 2)) == Outcome(2, 0, 0, 2)


def entry(run, output, status):
    blank = {spec.name: "" for spec in dataclasses.fields(journal.Entry)}
    return journal.Entry(**blank | {"run": run.id, "output": output, "status": status})


@pytest.mark.parametrize("seed", range(50))
def test_runs_that_end_leave_each_output_counted_once(seed):
    """Whatever ran over what: folders and files, skipped or forced, with failures and removals."""
    rng = np.random.default_rng(seed)
    counter, last = OutcomeCounter(), {}
    for _ in range(12):
        src, names = rng.choice(["/s", "/t"]), rng.permutation(list("abcdef"))[: rng.integers(1, 7)]
        only = names[0] if rng.random() < 0.5 else ""
        force = rng.random() < 0.3
        names = names[:1] if only else names
        todo = [name for name in names if force or last.get(name) != (src, "ok")]
        run = dataclasses.replace(
            new_run(src, DONE, {}), planned=len(names), skipped=len(names) - len(todo),
            only=only, force=force,
        )  # fmt: skip
        counter.add(run)
        for name in todo:
            last[name] = (src, rng.choice(["ok", "failed"]))
            counter.add(entry(run, name, last[name][1]))
        done = sum(status == "ok" for _, status in last.values())
        assert counter.total() == Outcome(len(last), done, len(last) - done, 0)


def test_runs_of_an_earlier_version_keep_the_outputs_of_each_other():
    counter = OutcomeCounter()
    first, second = new_run("/s", DONE, {}), new_run("/s", DONE, {})
    for record in (first, entry(first, "a", "ok"), entry(first, "b", "failed"), second):
        counter.add(record)
    counter.add(entry(second, "b", "ok"))  # of "a", which it skipped, it says nothing
    assert counter.total() == Outcome(None, 2, 0, None)


def test_a_report_counts_as_the_journal_does():
    assert Report(5, ok=2, skipped=1).outcome == Outcome(5, 3, 0, 2)
