"""Find the images of a folder; any name that the disk accepts works."""

import os

from imgkit.folder.scan import scan
from imgkit.io.files import printable_path

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8


def names(folder):
    return [source.path for source in scan(str(folder)).images]


def test_images_are_found_by_name_or_by_content_in_order_of_their_paths(tmp_path):
    (tmp_path / "b" / "c").mkdir(parents=True)
    for name in ("z.JPG", "b/c/deep.tiff", "b/two.webp"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "nameless").write_bytes(PNG)
    (tmp_path / "notes.md").write_text("BMX is no bitmap")
    (tmp_path / ".hidden.png").write_bytes(PNG)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.png").write_bytes(PNG)
    assert names(tmp_path) == ["b/c/deep.tiff", "b/two.webp", "nameless", "z.JPG"]


def test_names_that_are_no_text_come_through(tmp_path):
    odd = ["a\nb.png", "-rf.png", "😀.png", "x" * 251 + ".png", "dot..png", "con.png"]
    odd.append(os.fsdecode(b"\xff\xfe.png"))
    for name in odd:
        (tmp_path / name).write_bytes(PNG)
    assert names(tmp_path) == sorted(odd)
    assert printable_path(odd[-1]) == r"\xff\xfe.png"
    assert printable_path("a\nb\x1b[1m😀") == r"a\nb\x1b[1m😀"


def test_links_to_folders_are_not_followed_and_pipes_are_not_opened(tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    (real / "a.png").write_bytes(PNG)
    (real / "loop").symlink_to(real)
    (real / "out.png").symlink_to(tmp_path)  # a folder whose name looks like an image
    (real / "file.png").symlink_to(real / "a.png")
    (real / "broken.png").symlink_to(real / "nowhere")
    os.mkfifo(real / "pipe.png")
    os.mkfifo(real / "pipe")
    found = scan(str(real))
    assert [image.path for image in found.images] == ["a.png", "file.png"]
    assert found.left_out == [
        ("broken.png", "No such file or directory"),
        ("pipe.png", "not a regular file"),
    ]
