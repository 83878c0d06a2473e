"""A journal only grows; a line that a crash cut short is ignored."""

import dataclasses
import errno
import json
import os

import pytest

from imgkit.folder import journal
from imgkit.folder.journal import Entry, Journal, find, new_run, read

DONE = {
    **{"pipeline": {"version": 1, "ops": ["invert"]}, "epoch": 0, "quality": 95, "scale": None},
    "fast_decode": False,
}
LIMITS = {"max_pixels": 10**6}


def entry(run, output, **changes):
    made = Entry(
        run=run.id, path=output, output=output, kind="png", size=3, mtime_ns=2**62, source="aa",
        op=run.op, seed=None, epoch=0, copy=1, index=2**64 - 1, status="ok", error="", message="",
        sha256="bb", written=5, partial=False, version="1",
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


@pytest.fixture
def run():
    return new_run("/photos", DONE, LIMITS)


def lines(dst):
    return (dst / ".imgkit" / "journal.jsonl").read_bytes().split(b"\n")


def test_what_is_added_is_read_again(run, tmp_path):
    odd = os.fsdecode(b"\xff\n\xe2\x82\xac.png")
    with Journal(str(tmp_path)) as kept:
        kept.add(run)
        kept.add(entry(run, "a.png"))
        kept.add(entry(run, odd))
    runs, entries = read(str(tmp_path))
    assert runs == {run.id: run}
    assert entries == {"a.png": entry(run, "a.png"), odd: entry(run, odd)}
    assert len(lines(tmp_path)) == 4  # the last is empty


def test_the_last_line_about_an_output_counts(run, tmp_path):
    for status in ("failed", "ok"):
        with Journal(str(tmp_path)) as kept:
            kept.add(run)
            kept.add(entry(run, "a.png", status=status))
    assert read(str(tmp_path))[1]["a.png"].status == "ok"
    assert len(lines(tmp_path)) == 5


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_a_torn_line_is_passed_over_and_spoils_no_other(run, tmp_path, cut):
    with Journal(str(tmp_path)) as kept:
        kept.add(run)
        kept.add(entry(run, "a.png"))
        kept.add(entry(run, "b.png"))
    path = tmp_path / ".imgkit" / "journal.jsonl"
    os.truncate(path, path.stat().st_size - cut)
    assert sorted(read(str(tmp_path))[1]) == ["a.png", "b.png"][: 2 if cut == 1 else 1]
    with Journal(str(tmp_path)) as kept:
        kept.add(entry(run, "c.png"))
    assert "c.png" in read(str(tmp_path))[1]
    assert "a.png" in read(str(tmp_path))[1]


@pytest.mark.parametrize("text", ["[]", "3", '{"line": "other"}', "\xff", ""])
def test_lines_of_another_kind_are_passed_over(run, tmp_path, text):
    with Journal(str(tmp_path)) as kept:
        kept.add(run)
    with open(tmp_path / ".imgkit" / "journal.jsonl", "ab") as file:
        file.write(text.encode("latin-1") + b"\n")
    assert read(str(tmp_path)) == ({run.id: run}, {})


def test_a_field_of_a_later_version_is_no_harm(run, tmp_path):
    with Journal(str(tmp_path)) as kept:
        kept.add(run)
        line = {"line": "image", **dataclasses.asdict(entry(run, "a.png")), "later": 1}
        kept._write(json.dumps(line).encode() + b"\n")
    assert read(str(tmp_path))[1] == {"a.png": entry(run, "a.png")}


def test_two_writers_keep_their_lines_whole(run, tmp_path):
    with Journal(str(tmp_path)) as one, Journal(str(tmp_path)) as two:
        for i in range(50):
            one.add(entry(run, f"a{i}"))
            two.add(entry(run, f"b{i}"))
    assert len(read(str(tmp_path))[1]) == 100


def test_a_line_that_did_not_fit_is_a_full_disk(run, tmp_path, monkeypatch):
    with Journal(str(tmp_path)) as kept:
        monkeypatch.setattr(journal.os, "write", lambda file, line: len(line) - 1)
        with pytest.raises(OSError, match="No space") as caught:
            kept.add(run)
    assert caught.value.errno == errno.ENOSPC


def test_the_op_hash_tells_what_decides_the_bytes():
    again = new_run("/elsewhere", dict(reversed(DONE.items())), {})
    assert again.op == new_run("/photos", DONE, LIMITS).op
    for change in (
        {"epoch": 1},
        {"quality": 90},
        {"scale": "auto"},
        {"pipeline": {}},
        {"fast_decode": True},
    ):
        assert new_run("/photos", {**DONE, **change}, {}).op != again.op


def test_find_looks_in_the_folders_above(run, tmp_path):
    with Journal(str(tmp_path / "out")) as kept:
        kept.add(run)
        kept.add(entry(run, "a/b/c.png"))
    (tmp_path / "out" / "a" / "b").mkdir(parents=True)
    dst, found, row = find(str(tmp_path / "out" / "a" / "b" / "c.png"))
    assert (dst, found, row.output) == (str(tmp_path / "out"), run, "a/b/c.png")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "out")
    assert find(str(link / "a" / "b" / "c.png"))[2] == row
    with pytest.raises(ValueError, match=r"d\.png is not in the journal of .*out"):
        find(str(tmp_path / "out" / "a" / "d.png"))
    with pytest.raises(ValueError, match="has no journal"):
        find(str(tmp_path / "c.png"))


def test_an_inner_journal_that_does_not_know_an_output_is_not_the_last_word(run, tmp_path):
    with Journal(str(tmp_path)) as outer, Journal(str(tmp_path / "in")) as inner:
        outer.add(run)
        outer.add(entry(run, "in/a.png"))
        inner.add(run)
    assert find(str(tmp_path / "in" / "a.png"))[0] == str(tmp_path)


def test_a_line_without_a_field_is_of_another_version(run, tmp_path):
    dst = str(tmp_path)
    journal.check(dst)  # there is none
    with Journal(dst) as kept:
        kept.add(run)
        kept._write(b'{"line": "torn\n')
        kept.add(entry(run, "a.png"))
    journal.check(dst)
    journal.set_aside(dst)
    assert len(read(dst)[1]) == 1
    path = tmp_path / ".imgkit" / "journal.jsonl"
    path.write_text(path.read_text().replace('"partial": false, ', ""))
    for ask in (journal.check, read):
        with pytest.raises(journal.OtherVersion, match=r"another version .*lacks 'partial'"):
            ask(dst)
    journal.set_aside(dst)
    assert os.listdir(tmp_path / ".imgkit") == ["journal.jsonl.old"]


def test_a_folder_without_a_journal_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no journal: no run wrote it"):
        read(str(tmp_path))
