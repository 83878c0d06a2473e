"""Contract of every command that reads a folder: nothing is passed over without a word."""

import json
import pathlib
import shutil

import pytest
from click.testing import CliRunner

from imgkit.cli.main import main

SAMPLES = pathlib.Path(__file__).parent.parent.parent / "samples" / "images"
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
COMMANDS = {
    "run": ("run", "SRC", "OUT", "--op", "invert"),
    "augment": ("augment", "SRC", "OUT", "--op", "Rotate degrees=-9,9"),
    "conv": ("conv", "SRC", "OUT", "--kernel", "box"),
    "edges": ("edges", "SRC", "OUT"),
    "pool": ("pool", "SRC", "OUT"),
    "dry-run": ("pool", "SRC", "OUT", "--dry-run"),
    "stats": ("stats", "SRC"),
    "prep": ("prep", "SRC", "OUT"),
    "preview": ("preview", "PIPELINE", "SRC", "-o", "OUT.png"),
}
WITH_JSON = [name for name in COMMANDS if name != "preview"]


@pytest.fixture
def src(tmp_path):
    """Three formats that are not read, in the layout of classes, and no other image."""
    folder = tmp_path / "src" / "cat"
    folder.mkdir(parents=True)
    for name in ("a.heic", "b.HEIC", "c.jxl", "nameless"):
        (folder / name).write_bytes(b"\xff\x0a" if name == "c.jxl" else HEIC)
    (folder / "d.psd").write_bytes(b"8BPS\0\1")
    (folder / "notes.txt").write_text("no image")
    return tmp_path / "src"


def call(name, src, *more):
    pipeline = src.parent / "p.yaml"
    pipeline.write_text("version: 1\nops:\n  - Invert\n")
    places = {"SRC": src, "OUT": src.parent / "out", "PIPELINE": pipeline}
    places["OUT.png"] = src.parent / "out.png"
    words = [str(places.get(word, word)) for word in (*COMMANDS[name], *more)]
    return CliRunner().invoke(main, words)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_folder_of_formats_that_are_not_read_is_exit_1(src, name):
    done = call(name, src)
    assert done.exit_code == 1, done.output
    assert "not read: 3 heic, 1 jxl, 1 psd" in done.stderr
    assert f"nothing done: {src} has no image that is read, and 5 of formats" in done.stderr
    assert not (src.parent / "out").exists()
    assert not (src.parent / "out.png").exists()


@pytest.mark.parametrize("name", COMMANDS)
def test_an_empty_folder_is_exit_1(tmp_path, name):
    (tmp_path / "src").mkdir()
    done = call(name, tmp_path / "src")
    assert done.exit_code == 1, done.output
    assert done.stderr == f"Error: nothing done: {tmp_path / 'src'} has no images\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", WITH_JSON)
def test_json_counts_them(src, name):
    facts = json.loads(call(name, src, "--json").stdout)
    assert facts["unread"] == {"heic": 3, "jxl": 1, "psd": 1}
    shutil.copy(SAMPLES / "camera.png", src / "cat" / "camera.png")
    done = call(name, src, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["unread"] == {"heic": 3, "jxl": 1, "psd": 1}


@pytest.mark.parametrize("name", COMMANDS)
def test_beside_images_they_are_counted_and_no_failure(src, name):
    shutil.copy(SAMPLES / "camera.png", src / "cat" / "camera.png")
    done = call(name, src)
    assert done.exit_code == 0, done.output
    hint = "" if name in ("stats", "prep", "preview") else " (--allow-format psd reads it)"
    assert f"not read: 3 heic, 1 jxl, 1 psd{hint}\n" in done.stderr


def test_a_format_that_is_allowed_is_read_and_not_counted(src):
    done = call("pool", src, "--allow-format", "psd", "--json")
    assert done.exit_code == 1  # this one is damaged
    facts = json.loads(done.stdout)
    assert facts["unread"] == {"heic": 3, "jxl": 1}
    assert [failure["path"] for failure in facts["failures"]] == ["cat/d.psd"]


def test_a_folder_of_other_files_has_no_images(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "labels.xml").write_text("<?xml version='1.0'?><annotation/>")
    done = call("pool", tmp_path / "src")
    assert done.exit_code == 1
    assert "not read" not in done.stderr


def test_what_is_done_already_is_not_nothing(tmp_path):
    (tmp_path / "src").mkdir()
    shutil.copy(SAMPLES / "camera.png", tmp_path / "src" / "camera.png")
    assert call("pool", tmp_path / "src").exit_code == 0
    done = call("pool", tmp_path / "src")
    assert done.exit_code == 0
    assert "1 done before" in done.stderr
