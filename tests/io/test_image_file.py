"""`ik.read` and `ik.write`: the folder engine's pixels and bytes, whole files, clear refusals."""

import io
import os
import pathlib
import socket
import stat

import numpy as np
import pytest
from PIL import Image

import imgkit as ik
from imgkit.io.decode import decode
from imgkit.io.encode import encode
from imgkit.io.header import BadImage

SAMPLES = pathlib.Path(__file__).parent.parent.parent / "samples" / "images"


def levels(shape=(5, 7, 3), dtype=np.uint8):
    rng = np.random.default_rng(3)
    return rng.integers(0, np.iinfo(dtype).max, shape, endpoint=True).astype(dtype)


@pytest.mark.parametrize("name", ["astronaut.jpg", "camera.png", "coffee.webp"])
def test_read_gives_the_pixels_of_the_folder_engine(name):
    path = SAMPLES / name
    expected = decode(path.read_bytes())
    for source in (path, str(path), path.read_bytes()):
        np.testing.assert_array_equal(ik.read(source), expected)


@pytest.mark.parametrize("source", ["camera.png", "astronaut.jpg"])
def test_what_was_read_may_be_written_to(source):
    image = ik.read(SAMPLES / source)
    image[0, 0] = 7
    assert (image[0, 0] == 7).all()


def test_orientation_is_applied():
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(levels((4, 6))).save(file, "PNG", exif=exif)
    assert ik.read(file.getvalue()).shape == (6, 4)


@pytest.mark.parametrize(
    ("name", "dtype", "channels"),
    [
        *[(f"a.{kind}", np.uint8, 3) for kind in ("png", "tif", "npy", "PNG")],
        *[(f"a.{kind}", np.uint16, 3) for kind in ("png", "tiff", "npy")],
        *[(f"a.{kind}", np.float32, 5) for kind in ("tiff", "npy")],
    ],
)
def test_lossless_formats_give_back_what_was_written(tmp_path, name, dtype, channels):
    integer = np.uint8 if dtype == np.float32 else dtype
    image = levels((5, 7, channels), integer).astype(dtype)
    ik.write(tmp_path / name, image)
    result = ik.read(tmp_path / name)
    assert result.dtype == image.dtype
    np.testing.assert_array_equal(result, image)


def test_the_bytes_are_those_of_the_folder_engine_and_quality_is_used(tmp_path):
    image = levels((40, 40, 3))
    ik.write(str(tmp_path / "a.jpg"), image, quality=40)
    assert (tmp_path / "a.jpg").read_bytes() == encode(image, "jpg", quality=40)


def test_booleans_become_black_and_white(tmp_path):
    edges = levels((5, 7)) > 100
    ik.write(tmp_path / "edges.png", edges)
    np.testing.assert_array_equal(ik.read(tmp_path / "edges.png"), edges * np.uint8(255))


def test_missing_folders_are_made(tmp_path):
    ik.write(tmp_path / "a" / "b" / "c.png", levels())
    assert (tmp_path / "a" / "b" / "c.png").exists()


# --- what is refused --------------------------------------------------------------------


def test_a_missing_file_is_a_file_not_found_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.png"):
        ik.read(tmp_path / "gone.png")


def test_what_cannot_be_decoded_names_the_path_and_the_reason(tmp_path):
    (tmp_path / "a\n.png").write_bytes(encode(levels(), "png")[:40])
    with pytest.raises(ValueError, match=r"a\\n\.png: .*ends early") as caught:
        ik.read(tmp_path / "a\n.png")
    assert (type(caught.value), caught.value.kind) == (BadImage, "truncated")
    with pytest.raises(ValueError, match=r"^no image format starts with"):
        ik.read(b"not an image")


def test_of_several_frames_the_first_is_read_with_a_warning(tmp_path):
    frames = [Image.new("L", (8, 8), level) for level in (0, 90, 255)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=20)
    with pytest.warns(UserWarning, match=r"a\.gif: the gif file has \d frames: the first is read"):
        ik.read(tmp_path / "a.gif")


@pytest.mark.parametrize("value", [3, None, [b"x"]])
def test_what_is_not_a_path_is_a_type_error(value):
    with pytest.raises(TypeError, match=r"path_or_bytes is a .*: pass a path or bytes"):
        ik.read(value)
    with pytest.raises(TypeError, match=r"path is a .*: pass a path"):
        ik.write(value, levels())


@pytest.mark.parametrize(
    ("name", "image", "error", "message"),
    [
        ("a.gif", levels(), ValueError, r"a\.gif ends in '\.gif': .*\.png"),
        ("a", levels(), ValueError, "ends in ''"),
        ("a.pmg", levels(), ValueError, r"did you mean '\.png'"),
        ("a.png", levels().astype(np.float32), ValueError, r"a\.png: image is float32, which png"),
        ("a.jpg", levels(dtype=np.uint16), ValueError, "image is uint16, which jpg cannot hold"),
        ("a.jpg", levels((4, 4, 4)), ValueError, "image has 4 channels, which jpg cannot hold"),
        ("a.npy", levels((2, 4, 4, 3)), ValueError, "a file holds one image"),
        ("a.png", levels((0, 4)), ValueError, "height and width must be at least 1"),
        ("a.png", levels().tolist(), TypeError, "image is a list: pass a NumPy array"),
        ("a.png", levels().astype(np.int32), TypeError, "image has dtype int32"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_is_left(
    tmp_path, name, image, error, message
):
    with pytest.raises(error, match=message):
        ik.write(tmp_path / name, image)
    assert list(tmp_path.iterdir()) == []


def test_quality_has_a_range(tmp_path):
    with pytest.raises(ValueError, match="quality is 0: it must be at least 1"):
        ik.write(tmp_path / "a.jpg", levels(), quality=0)


def test_a_tensor_is_refused_with_the_conversion(tmp_path):
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=r"image is a torch tensor: .*numpy\(force=True\)"):
        ik.write(tmp_path / "a.png", torch.zeros(3, 4, 4, dtype=torch.uint8))


# --- targets ----------------------------------------------------------------------------


def test_a_folder_a_pipe_and_a_socket_are_refused_before_any_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    os.mkdir("folder.png")
    os.mkfifo("pipe.png")
    os.symlink("pipe.png", "link.png")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.png")
        before = sorted(os.listdir())
        for name in before:
            found = "a folder" if name == "folder.png" else "not a regular file"
            with pytest.raises(ValueError, match=f"path {name} is {found}"):
                ik.write(name, levels())
        assert sorted(os.listdir()) == before
    assert stat.S_ISFIFO(os.stat("pipe.png").st_mode)


def test_a_link_is_followed_to_its_file(tmp_path):
    (tmp_path / "files").mkdir()
    ik.write(tmp_path / "files" / "old.png", levels((3, 3)))
    for name, target in {"a.png": "old.png", "b.png": "new.png"}.items():
        (tmp_path / name).symlink_to(tmp_path / "files" / target)
        ik.write(tmp_path / name, levels())
        assert (tmp_path / name).is_symlink()
        np.testing.assert_array_equal(ik.read(tmp_path / "files" / target), levels())
    assert sorted(os.listdir(tmp_path / "files")) == ["new.png", "old.png"]


def test_links_in_a_circle_are_an_error_of_the_disk(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "a.png")
    with pytest.raises(OSError, match=r"a\.png"):
        ik.write(tmp_path / "a.png", levels())


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    ik.write(tmp_path / "a.png", levels((3, 3)))
    old = (tmp_path / "a.png").read_bytes()
    monkeypatch.setattr("imgkit.io.files.os.fsync", fail)
    with pytest.raises(OSError, match="No space"):
        ik.write(tmp_path / "a.png", levels())
    assert (tmp_path / "a.png").read_bytes() == old
    assert os.listdir(tmp_path) == ["a.png"]
