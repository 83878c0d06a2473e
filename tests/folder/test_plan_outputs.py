"""Every output is named before any work, and names that collide are refused."""

import os

import pytest

from imgkit.folder.plan_outputs import chosen_format, output_name, plan_file, plan_outputs
from imgkit.folder.scan import Source


def planned(paths, kind="same", src="/s", dst="/d"):
    items = plan_outputs([Source(path, 0, 0) for path in paths], src, dst, kind)
    return [(os.path.relpath(item.target, dst), item.kind) for item in items]


@pytest.mark.parametrize(
    ("path", "kind", "expected"),
    [
        ("a/b.JPEG", "same", ("a/b.JPEG", "jpg")),
        ("b.jpeg", "jpg", ("b.jpeg", "jpg")),
        ("b.jpeg", "png", ("b.png", "png")),
        ("b.gif", "same", ("b.png", "png")),
        ("b", "same", ("b.png", "png")),
        ("v1.2", "webp", ("v1.2.webp", "webp")),
        ("b.jpg", "float", ("b.tiff", "tiff")),
        ("b.tif", "float", ("b.tif", "tiff")),
        ("b.npy", "float", ("b.npy", "npy")),
    ],
)
def test_output_names(path, kind, expected):
    assert output_name(path, kind) == expected


def test_relative_paths_are_kept():
    assert planned(["a/x.jpg", "b/x.jpg"], "png") == [("a/x.png", "png"), ("b/x.png", "png")]


@pytest.mark.parametrize(
    "paths",
    [
        ["a.jpg", "a.png"],
        ["X.png", "x.png"],
        ["caf\u00e9.png", "cafe\u0301.png"],
        ["stra\u00dfe.png", "strasse.png"],
    ],
)
def test_outputs_of_one_name_are_refused(paths):
    with pytest.raises(ValueError, match="would both be written to"):
        planned(paths, "png")


def test_a_file_where_a_folder_must_be_is_refused():
    with pytest.raises(ValueError, match="needs a folder"):
        planned(["a.jpg", "a.png/b.jpg"], "png")


def test_outputs_inside_the_source_are_refused(tmp_path):
    src = tmp_path / "src"
    (src / "sub").mkdir(parents=True)
    for dst in (src, src / "out", tmp_path / "src" / "sub" / ".."):
        with pytest.raises(ValueError, match="inside SRC"):
            plan_outputs([], str(src), str(dst))
    sibling = tmp_path / "src2"  # begins with the same letters, and is another folder
    assert plan_outputs([], str(src), str(sibling)) == []


def test_links_in_the_destination_are_not_written_through(tmp_path):
    src, dst = tmp_path / "src", tmp_path / "dst"
    src.mkdir()
    dst.mkdir()
    (dst / "a").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="link out of it"):
        plan_outputs([Source("a/x.png", 0, 0)], str(src), str(dst))
    outputs_over_inputs = [Source("src/x.png", 0, 0)]
    with pytest.raises(ValueError, match="is inside SRC"):
        plan_outputs(outputs_over_inputs, str(src), str(tmp_path))


def test_only_a_conversion_is_advised_against():
    images = [Source("a.jpg", 0, 0), Source("a.png", 0, 0)]
    with pytest.raises(ValueError, match=r"rename one, or keep --format same$"):
        plan_outputs(images, "src", "dst", "webp")
    images = [Source("a.gif", 0, 0), Source("a.png", 0, 0)]
    with pytest.raises(ValueError, match=r"rename one$"):
        plan_outputs(images, "src", "dst", "same")


def test_one_file_goes_into_a_folder_or_to_a_name(tmp_path):
    (tmp_path / "a.jpg").touch()
    src = str(tmp_path / "a.jpg")
    assert plan_file(src, str(tmp_path / "b.png"))[2:4] == (str(tmp_path / "b.png"), "png")
    (tmp_path / "d").mkdir()
    assert plan_file(src, str(tmp_path / "d"), "webp")[2:4] == (str(tmp_path / "d/a.webp"), "webp")
    with pytest.raises(ValueError, match="it is SRC itself"):
        plan_file(src, src)
    with pytest.raises(ValueError, match=r"ends in '.pgn': did you mean '.png'"):
        chosen_format("x.pgn")
    assert chosen_format("x.pgn", "tiff") == "tiff"
