"""Files and folders: whole writes, printable paths, images found by name or content."""

import errno
import os

import pytest

from imgkit.io.files import (
    NotAFile,
    commit,
    find_images,
    open_atomically,
    printable_path,
    resolve_target,
)


def tree(path):
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in path.rglob("*") if p.is_file()}


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

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space"):
        commit(str(target), b"new")
    assert tree(tmp_path) == {"b.png": b"old"}


def test_an_exception_inside_leaves_the_old_file(tmp_path):
    target = tmp_path / "b.png"
    target.write_bytes(b"old")

    def fill():
        with open_atomically(str(target)) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill()
    assert tree(tmp_path) == {"b.png": b"old"}


def test_images_of_a_folder_are_found_by_name_or_content(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("z.JPG", "b/two.webp", "notes.md", ".hidden.png"):
        (tmp_path / name).write_bytes(b"BM is not enough")
    (tmp_path / "nameless").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 8)
    (tmp_path / "link.png").symlink_to(tmp_path / "z.JPG")
    (tmp_path / "broken.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder.png").symlink_to(tmp_path / "b")
    os.mkfifo(tmp_path / "pipe.png")
    assert find_images(str(tmp_path)) == ["b/two.webp", "link.png", "nameless", "z.JPG"]


def test_any_path_prints_on_one_line():
    assert printable_path(os.fsdecode(b"\xff\xfe.png")) == r"\xff\xfe.png"
    assert printable_path("a\nb\x1b[1m😀") == r"a\nb\x1b[1m😀"


def test_a_target_is_a_free_name_or_a_file_and_a_link_leads_to_one(tmp_path):
    real = os.path.realpath(tmp_path)
    (tmp_path / "a.png").touch()
    (tmp_path / "link.png").symlink_to("a.png")
    (tmp_path / "new.png").symlink_to("b.png")
    for name, found in {"a.png": "a.png", "link.png": "a.png", "new.png": "b.png"}.items():
        assert resolve_target(str(tmp_path / name)) == os.path.join(real, found)
    with pytest.raises(NotAFile, match="is an input of this command"):
        resolve_target(str(tmp_path / "link.png"), inputs=[str(tmp_path / "a.png")])
    with pytest.raises(NotAFile, match=r"page .* is a folder: choose the name of a file"):
        resolve_target(str(tmp_path), "page")
    with pytest.raises(NotADirectoryError):
        resolve_target(str(tmp_path / "a.png" / "b.png"))


def test_a_write_takes_no_link(tmp_path):
    """Its callers follow links first, so that a link here appeared since."""
    (tmp_path / "link.png").symlink_to("a.png")
    with pytest.raises(NotAFile, match="a link: remove it"):
        commit(str(tmp_path / "link.png"), b"new")
    assert os.listdir(tmp_path) == ["link.png"]
