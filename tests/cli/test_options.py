"""Options of `imgkit run` about reading: in the journal, on a rerun, in a replay."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import imgkit as ik
from imgkit.augment.exchange.document import parse_op
from imgkit.cli import options
from imgkit.cli.main import main
from imgkit.folder.journal import read, runs
from imgkit.folder.precheck import shrinks_to
from imgkit.io.decode import MAX_FRAMES, MAX_PIXELS, decode
from imgkit.io.encode import encode
from imgkit.io.header import ALLOWABLE


def invoke(*arguments, data=None):
    return CliRunner().invoke(main, [str(a) for a in arguments], input=data)


def run(src, dst, *arguments):
    """Run with --json; return the exit code and the summary."""
    result = invoke("run", src, dst, *arguments, "--workers", 1, "--json")
    return result.exit_code, json.loads(result.stdout), result.stderr


def photograph(height=960, width=1280):
    """A JPEG of a photograph, large enough to be shrunk."""
    import cv2
    import skimage.data

    image = cv2.resize(skimage.data.coffee(), (width, height), interpolation=cv2.INTER_CUBIC)
    return encode(image, "jpg", quality=92)


@pytest.fixture
def photos(tmp_path):
    src = tmp_path / "photos"
    src.mkdir()
    (src / "a.jpg").write_bytes(photograph())
    return src


# --- --fast-decode ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ops", "box"),
    [
        (["resize size=90,120"], (90, 120)),
        (["letterbox size=100"], (100, 100)),
        (["Resize size=90,120", "sobel"], (90, 120)),
        (["Resize size=64 edge=shorter", "CenterCrop size=60", "GaussianNoise std=0.1"], (64, 64)),
        (["Letterbox size=64", "Rotate degrees=-9,9", "HorizontalFlip p=0.5"], (64, 64)),
        (["resize size=90 interpolation=nearest"], None),
        (["resize size=90 antialias=false"], None),
        (["Resize size=90 p=0.5"], None),
        (["Resize size=90", "Scale factor=2"], None),  # one interpolation, which would enlarge
        (["Resize size=90", "RandAugment"], None),
        (["Resize size=90", "sobel", "Scale factor=2"], (90, 90)),
        (["invert", "resize size=90"], None),
        (["Invert", "Resize size=90"], None),
    ],
)
def test_what_may_be_decoded_smaller(ops, box):
    assert shrinks_to(ik.Pipeline([parse_op(op) for op in ops], 1)) == box


@pytest.mark.parametrize(
    "ops",
    [
        ["resize size=90,120"],
        ["resize size=101,77 interpolation=bicubic"],
        ["Resize size=90 edge=shorter", "CenterCrop size=80", "Brightness factor=1.2"],
        ["Letterbox size=100", "Rotate degrees=9", "HorizontalFlip"],
        ["Resize size=90,120 interpolation=bicubic", "Translate x=0.1 y=0.05", "Rotate90 k=1"],
        ["Resize size=60 edge=longer", "Pad padding=3"],
    ],
)
def test_fast_decode_stays_within_two_levels_on_average(photos, tmp_path, ops):
    words = [word for op in ops for word in ("--op", op)]
    for name, more in (("full", ()), ("fast", ("--fast-decode",))):
        code, summary, said = run(photos, tmp_path / name, *words, "--format", "png", *more)
        assert (code, summary["ok"], "does nothing" in said) == (0, 1, False)
    full, fast = (decode((tmp_path / name / "a.png").read_bytes()) for name in ("full", "fast"))
    assert full.shape == fast.shape
    difference = np.abs(full.astype(int) - fast)
    assert 0 < difference.mean() < 2


def test_fast_decode_is_of_the_output_so_it_is_noted_and_not_mixed(photos, tmp_path):
    flags = ("--op", "resize size=90,120", "--seed", 1)
    out = tmp_path / "out"
    assert run(photos, out, *flags)[1]["ok"] == 1
    assert run(photos, out, *flags, "--fast-decode")[1]["ok"] == 1
    assert run(photos, out, *flags, "--fast-decode")[1]["skipped"] == 1
    assert [one.fast_decode for one in runs(str(out))] == [False, True, True]
    assert invoke("verify", out).exit_code == 0
    result = invoke("replay", out / "a.jpg")
    assert (result.exit_code, "the bytes agree" in result.stderr) == (0, True)


def test_fast_decode_that_does_nothing_says_so_and_changes_nothing(photos, tmp_path):
    out = tmp_path / "out"
    assert run(photos, out, "--op", "invert")[1]["ok"] == 1
    code, summary, said = run(photos, out, "--op", "invert", "--fast-decode")
    assert (code, summary["skipped"]) == (0, 1)
    assert "note: --fast-decode does nothing" in said


def test_fast_decode_by_pipe():
    data = photograph()
    flags = ("--op", "resize size=90,120", "--format", "png")
    full, fast = (
        decode(invoke("run", "-", "-", *flags, *more, data=data).stdout_bytes)
        for more in ((), ("--fast-decode",))
    )
    assert 0 < np.abs(full.astype(int) - fast).mean() < 2


# --- --allow-truncated ------------------------------------------------------------------


def test_a_truncated_file_is_read_if_that_is_allowed_and_again_refused_if_not(photos, tmp_path):
    data = (photos / "a.jpg").read_bytes()
    (photos / "half.jpg").write_bytes(data[: len(data) // 2])
    out, flags = tmp_path / "out", ("--op", "invert")
    code, summary, _ = run(photos, out, *flags)
    assert (code, summary["ok"], summary["failures"][0]["error"]) == (1, 1, "truncated")

    code, summary, said = run(photos, out, *flags, "--allow-truncated")
    assert (code, summary["ok"], summary["skipped"]) == (0, 1, 1)  # the whole one is as it was
    assert "partial: half.jpg: the jpg file ends early" in said
    assert "1 ok (1 partial), 0 failed" in said
    assert (summary["partial"], run(photos, tmp_path / "none", *flags)[1]["partial"]) == (1, 0)
    assert {name: entry.partial for name, entry in read(str(out))[1].items()} == {
        "a.jpg": False,
        "half.jpg": True,
    }
    assert run(photos, out, *flags, "--allow-truncated")[1]["skipped"] == 2
    assert invoke("verify", out).exit_code == 0
    result = invoke("replay", out / "half.jpg")
    assert (result.exit_code, "the bytes agree" in result.stderr) == (0, True)

    code, summary, _ = run(photos, out, *flags)
    assert (code, summary["skipped"], summary["failed"]) == (1, 1, 1)
    assert invoke("verify", out).exit_code == 1  # what was made of half an image is still there


def test_every_partial_output_is_named(photos, tmp_path):
    data = (photos / "a.jpg").read_bytes()
    for name in ("half", "third"):
        (photos / f"{name}.jpg").write_bytes(data[: len(data) // 2])
    _, summary, said = run(photos, tmp_path / "out", "--op", "invert", "--allow-truncated")
    assert (summary["ok"], summary["partial"]) == (3, 2)
    assert [f"partial: {name}.jpg: " in said for name in ("half", "third")] == [True, True]
    flags = ("--op", "invert", "--allow-truncated", "--json")
    result = invoke("run", "-", tmp_path / "x.png", *flags, data=data[: len(data) // 2])
    assert json.loads(result.stdout)["partial"] == 1
    assert result.stderr.startswith("partial: stdin: ")


# --- --max-frames, --allow-format -------------------------------------------------------


def test_more_frames_than_allowed_are_a_failure(tmp_path):
    frames = [Image.new("L", (4, 4), 9 * i) for i in range(5)]
    (tmp_path / "src").mkdir()
    frames[0].save(tmp_path / "src" / "a.gif", save_all=True, append_images=frames[1:])
    flags = ("--op", "invert")
    code, summary, said = run(tmp_path / "src", tmp_path / "out", *flags, "--max-frames", 5)
    assert (code, summary["ok"]) == (0, 1)
    assert "has 5 frames: the first is read" in said
    code, summary, _ = run(tmp_path / "src", tmp_path / "two", *flags, "--max-frames", 4)
    assert (code, summary["failures"][0]["error"]) == (1, "too_large")
    result = invoke("replay", tmp_path / "out" / "a.png")
    assert (result.exit_code, "the bytes agree" in result.stderr) == (0, True)


def test_other_formats_are_found_and_read_only_if_they_are_allowed(tmp_path):
    src, out = tmp_path / "src", tmp_path / "out"
    src.mkdir()
    Image.new("RGB", (4, 3), (1, 2, 3)).save(src / "a.ppm")
    Image.new("RGB", (4, 3), (1, 2, 3)).save(src / "no_name", "PPM")
    assert run(src, out, "--op", "invert")[1]["total"] == 0
    code, summary, _ = run(src, out, "--op", "invert", "--allow-format", "ppm")
    assert (code, summary["ok"]) == (0, 2)
    assert (decode((out / "a.png").read_bytes()) == (254, 253, 252)).all()
    assert (out / "no_name.png").exists()
    result = invoke("replay", out / "a.png")
    assert (result.exit_code, "the bytes agree" in result.stderr) == (0, True)


def test_the_help_page_knows_what_the_codec_knows():
    assert options.MAX_PIXELS == MAX_PIXELS
    assert options.MAX_FRAMES == MAX_FRAMES
    assert tuple(ALLOWABLE) == options.ALLOWABLE


# --- open canvases ----------------------------------------------------------------------

OPEN = """
version: 1
seed: 3
canvas: {canvas}
ops:
  - CenterCrop: {{size: [40, 50]}}
  - Rotate: {{degrees: 30}}
  - Pad: {{padding: 20}}
"""


def test_an_open_canvas_keeps_what_a_cut_one_loses(photos, tmp_path):
    made = {}
    for canvas in ("cut", "open"):
        text = OPEN.format(canvas=canvas)
        (tmp_path / "p.yaml").write_text(text)
        flags = ("--pipeline", tmp_path / "p.yaml", "--format", "png")
        assert run(photos, tmp_path / canvas, *flags)[0] == 0
        made[canvas] = decode((tmp_path / canvas / "a.png").read_bytes())
        image = decode((photos / "a.jpg").read_bytes())
        expected = ik.Pipeline.from_yaml(text)
        assert np.array_equal(made[canvas], expected(image, key=(0, 0)))
        assert f"canvas: {canvas}" in text
        result = invoke("replay", tmp_path / canvas / "a.png")
        assert (result.exit_code, "the bytes agree" in result.stderr) == (0, True)
    assert made["cut"].shape == made["open"].shape
    assert (made["cut"][:10] == 0).all()
    assert (made["open"][:10] != 0).any()


def test_another_canvas_is_another_run(photos, tmp_path):
    for canvas in ("cut", "open"):
        (tmp_path / "p.yaml").write_text(OPEN.format(canvas=canvas))
        flags = ("--pipeline", tmp_path / "p.yaml")
        assert run(photos, tmp_path / "out", *flags)[1]["ok"] == 1
    assert run(photos, tmp_path / "out", *flags)[1]["skipped"] == 1
