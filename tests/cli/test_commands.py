"""Contract of all commands, through the group: what they write, print, and exit with."""

import json
import os
import pathlib
import shutil

import click
import numpy as np
import pytest
from click.testing import CliRunner

import imgkit as ik
from imgkit.cli import options, values
from imgkit.cli.main import main
from imgkit.io.decode import decode
from imgkit.io.encode import encode
from imgkit.io.header import sniff

ROOT = pathlib.Path(__file__).parent.parent.parent
SAMPLES = ROOT / "samples" / "images"


@pytest.fixture
def photos(tmp_path):
    """Two PNGs, one in a subfolder."""
    rng = np.random.default_rng(3)
    for name in ("a.png", "sub/b.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(rng.integers(0, 256, (24, 32, 3), np.uint8), "png"))
    return tmp_path / "photos"


def invoke(*arguments, data=None):
    return CliRunner().invoke(main, [str(a) for a in arguments], input=data)


def files(folder):
    """Every file below a folder but those in .imgkit/."""
    found = (p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    return sorted(name for name in found if not name.startswith(".imgkit/"))


def read(path):
    return decode(path.read_bytes())


def test_run_keeps_paths_and_does_what_the_function_does(photos, tmp_path):
    out = tmp_path / "out"
    result = invoke("run", photos, out, "--op", "max_pool size=2", "--op", "min_pool size=2,4")
    assert result.exit_code == 0, result.output
    assert "2 images: 2 ok, 0 failed" in result.stderr
    assert result.stdout == ""
    assert files(out) == ["a.png", "sub/b.png"]
    expected = ik.min_pool(ik.max_pool(read(photos / "a.png"), 2), (2, 4))
    assert np.array_equal(read(out / "a.png"), expected)


def test_run_reads_a_pipeline_file(photos, tmp_path):
    pipeline = tmp_path / "p.yaml"
    pipeline.write_text("version: 1\nops:\n  - max_pool: {size: 2}\n")
    result = invoke("run", photos, tmp_path / "out", "--pipeline", pipeline)
    assert result.exit_code == 0, result.output
    expected = ik.max_pool(read(photos / "a.png"), 2)
    assert np.array_equal(read(tmp_path / "out" / "a.png"), expected)


def test_one_bad_image_is_one_line_and_exit_1(photos, tmp_path):
    (photos / "broken.jpg").write_bytes(b"<html>")
    result = invoke("pool", photos, tmp_path / "out", "--json")
    assert result.exit_code == 1
    lines = [line for line in result.stderr.splitlines() if "broken" in line]
    assert lines == ["failed: broken.jpg: unknown: no image format starts with b'<html>'"]
    summary = json.loads(result.stdout)
    assert summary.pop("seconds") >= 0
    assert summary == {
        "total": 3,
        "ok": 2,
        "partial": 0,
        "skipped": 0,
        "planned": 3,
        "done": 2,
        "missing": 0,
        "failed": 1,
        "quarantined": 0,
        "unread": {},
        "failures": [
            {
                "path": "broken.jpg",
                "error": "unknown",
                "message": "no image format starts with b'<html>'",
            }
        ],
    }
    assert files(tmp_path / "out") == ["a.png", "sub/b.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "S", "D"], "either --pipeline FILE or at least one --op"),
        (["run", "S", "D", "--op", "max_pol size=2"], "for --op: unknown operation 'max_pol'"),
        (["run", "S", "D", "--op", "max_pool sise=2"], "no parameter 'sise': did you mean 'size'"),
        (["run", "S", "D", "--op", "max_pool size=-2"], "for --op: ops[0]: max_pool: size is -2"),
        (["run", "S", "D", "--pipeline", "nowhere.yaml"], "nowhere.yaml"),
        (["run", "nowhere", "D", "--op", "max_pool size=2"], "nowhere"),
        (["conv", "S", "D", "--kernel", "sobel"], "for --kernel: kernel is 'sobel'"),
        (["conv", "S", "D", "--kernel", "1 2; 3"], "rows of [2, 1] numbers"),
        (["conv", "S", "D", "--kernel", "missing.npy"], "no such file: 'missing.npy'"),
        (["conv", "S", "D", "--kernel", "S/a.png"], "for --kernel"),
        (["conv", "S", "D", "--kernel", "box", "--stride", "two"], "neither an integer nor H,W"),
        (["conv", "S", "D", "--kernel", "box", "--format", "png"], "for --format: the result is"),
        (["conv", "S", "D", "--kernel", "box", "--scale", "3"], "neither auto nor two different"),
        (["conv", "S", "D", "--kernel", "box", "--scale", "3:3"], "neither auto nor two different"),
        (["conv", "S", "D", "--kernel", "box", "--mode", "sane"], "'sane' is not one of"),
        (["edges", "S", "D", "--low", "3"], "for --low: sobel has no such option"),
        (["edges", "S", "D", "--operator", "log", "--sigma", "-1"], "for --sigma: sigma is -1"),
        (["edges", "S", "D", "--operator", "canny", "--high", "9"], "for --high: high is 9"),
        (["pool", "S", "D", "--size", "0"], "for --size: size is 0"),
        (["pool", "S", "D", "--stride", "0"], "for --stride: stride is 0"),
        (["pool", "S", "D", "--padding", "2"], "for --padding: padding is 2"),
        (["conv", "S", "D", "--kernel", "box", "--dilation", "0"], "for --dilation: dilation is 0"),
        (["conv", "S", "D", "--kernel", "box", "--stride", "1,2,3"], "for --stride: stride is"),
        (["pool", "S", "S"], "inside SRC"),
        (["pool", "S", "S/out"], "inside SRC"),
        (["pool", "S", "S/a.png"], "is a file, and SRC is a folder"),
        (["pool", "S", "D", "--workers", "0"], "--workers"),
        (["pool", "S", "S/a.png/out"], "inside SRC"),
        (["pool", "S/sub", "S/a.png/out"], "Not a directory"),
        (["pool", "S/a.png", "D/a.gif"], "ends in '.gif'"),
        (["pool", "S/a.png", "S/a.png"], "it is SRC itself"),
        (["pool", "S", "-"], "'-' takes one image"),
        (["pool", "-", "D"], "DST must be a file"),
        (["pool", "-", "-", "--json"], "both write to stdout"),
        (["pool", "-", "-", "--dry-run"], "nothing to plan"),
        (["conv", "-", "-", "--kernel", "box", "--format", "png"], "which png cannot hold"),
        (["conv", "S/a.png", "D/x.png", "--kernel", "box"], "which png cannot hold"),
    ],
)
def test_wrong_usage_exits_2_before_any_work(photos, tmp_path, arguments, message):
    out = tmp_path / "out"
    out.mkdir()
    places = {"S": str(photos), "D": str(out)}
    words = [
        a.replace(a[0], places[a[0]], 1) if a[:2] in ("S", "S/", "D", "D/") else a
        for a in arguments
    ]
    before = files(photos)
    result = invoke(*words, data=b"")
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.stderr.split())
    assert files(out) == []
    assert files(photos) == before


def test_outputs_of_one_name_exit_2(photos, tmp_path):
    shutil.copy(photos / "a.png", photos / "a.jpg")
    result = invoke("pool", photos, tmp_path / "out", "--format", "png")
    assert result.exit_code == 2
    assert "would both be written to a.png" in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()


def test_dry_run_prints_the_plan_and_writes_nothing(photos, tmp_path):
    out = tmp_path / "out"
    result = invoke("pool", photos, out, "--dry-run", "--format", "webp")
    assert result.stdout.splitlines() == [
        f"a.png -> {out}/a.webp",
        f"sub/b.png -> {out}/sub/b.webp",
    ]
    plan = json.loads(invoke("pool", photos, out, "--dry-run", "--json").stdout)
    assert (plan["total"], plan["ok"]) == (2, 0)
    assert plan["plan"][0] == {"path": "a.png", "output": f"{out}/a.png"}
    assert not out.exists()


# --- conv -------------------------------------------------------------------------------


SHARPEN = [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("k.txt", b"", "holds no numbers"),
        ("k.txt", b"one two", "holds more than numbers"),
        ("k.npy", b"", "is not a .npy file of numbers"),
        ("k.npy", b"x", "is not a .npy file of numbers"),
    ],
)
def test_conv_names_the_kernel_file_that_holds_none(photos, tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    result = invoke("conv", photos, tmp_path / "out", "--kernel", path)
    assert result.exit_code == 2, result.output
    assert f"{str(path)!r} {message}" in result.output + result.stderr


@pytest.mark.parametrize("kernel", ["sharpen", "0 -1 0; -1 5 -1; 0 -1 0", "k.npy", "k.txt"])
def test_conv_takes_a_name_a_matrix_or_a_file(photos, tmp_path, kernel, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("k.npy", np.array(SHARPEN, float))
    pathlib.Path("k.txt").write_text("0, -1, 0\n-1, 5, -1\n0, -1, 0\n")
    out = tmp_path / "out"
    result = invoke("conv", photos, out, "--kernel", kernel, "--border", "edge")
    assert result.exit_code == 0, result.output
    assert files(out) == ["a.tiff", "sub/b.tiff"]
    expected = ik.convolve(read(photos / "a.png"), np.array(SHARPEN, float), border="edge")
    assert read(out / "a.tiff").dtype == np.float32
    assert np.array_equal(read(out / "a.tiff"), expected)


def test_conv_passes_every_option_on(photos, tmp_path):
    out = tmp_path / "out"
    flags = ["--mode", "valid", "--stride", "2,3", "--dilation", "2", "--format", "npy"]
    result = invoke("conv", photos, out, "--kernel", "emboss", *flags)
    assert result.exit_code == 0, result.output
    expected = ik.convolve(
        read(photos / "a.png"), "emboss", mode="valid", stride=(2, 3), dilation=2
    )
    assert np.array_equal(read(out / "a.npy"), expected)


def test_scale_makes_a_picture_of_signed_results(photos, tmp_path):
    out = tmp_path / "out"
    result = invoke("conv", photos, out, "--kernel", "sobel_x", "--scale", "-1020:1020")
    assert result.exit_code == 0, result.output
    values = ik.convolve(read(photos / "a.png"), "sobel_x").astype(float)
    expected = np.rint((values + 1020) * 255 / 2040)
    assert values.min() < 0
    assert np.array_equal(read(out / "a.png"), expected)


# --- edges ------------------------------------------------------------------------------


@pytest.mark.parametrize("operator", ["sobel", "prewitt", "scharr", "laplacian", "log"])
def test_edges_give_float_tiff_or_scaled_pictures(photos, tmp_path, operator):
    out = tmp_path / "out"
    result = invoke("edges", photos, out, "--operator", operator)
    assert result.exit_code == 0, result.output
    values = read(out / "a.tiff")
    assert values.dtype == np.float32
    assert values.shape[:2] == (24, 32)
    assert (values.min() < 0) == (operator in ("laplacian", "log"))
    result = invoke("edges", photos, out, "--operator", operator, "--scale", "auto")
    assert result.exit_code == 0, result.output
    picture = read(out / "a.png")
    assert (picture.dtype, picture.min(), picture.max()) == (np.uint8, 0, 255)


def test_edges_options_reach_the_function(photos, tmp_path):
    out = tmp_path / "out"
    image = read(photos / "a.png")
    invoke("edges", photos, out, "--operator", "scharr", "--normalized", "--border", "wrap")
    assert np.array_equal(read(out / "a.tiff"), ik.scharr(image, normalized=True, border="wrap"))
    invoke("edges", photos, out, "--operator", "log", "--sigma", "1.5")
    assert np.array_equal(read(out / "a.tiff"), ik.laplacian_of_gaussian(image, 1.5))


def test_canny_is_black_and_white(photos, tmp_path):
    out = tmp_path / "out"
    result = invoke("edges", photos, out, "--operator", "canny", "--low", 80, "--high", 200)
    assert result.exit_code == 0, result.output
    picture = read(out / "a.png")
    assert set(np.unique(picture)) == {0, 255}


# --- pool -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["max", "min", "avg", "median"])
def test_pool(photos, tmp_path, kind):
    out = tmp_path / "out"
    flags = ["--size", "3,2", "--stride", "2", "--padding", "1", "--ceil"]
    result = invoke("pool", photos, out, "--kind", kind, *flags)
    assert result.exit_code == 0, result.output
    function = getattr(ik, f"{kind}_pool")
    expected = function(read(photos / "a.png"), (3, 2), stride=2, padding=1, ceil=True)
    assert np.array_equal(read(out / "a.png"), expected)


# --- single files and pipes -------------------------------------------------------------


def test_one_file_to_one_file_or_folder(photos, tmp_path):
    assert invoke("pool", photos / "a.png", tmp_path / "x.webp").exit_code == 0
    assert read(tmp_path / "x.webp").shape == (12, 16, 3)
    assert invoke("pool", photos / "a.png", tmp_path).exit_code == 0
    assert read(tmp_path / "a.png").shape == (12, 16, 3)


def test_a_pipe_reads_and_writes_one_image(photos, tmp_path):
    data = (photos / "a.png").read_bytes()
    expected = ik.max_pool(decode(data), 2)
    result = invoke("pool", "-", "-", data=data)
    assert result.exit_code == 0, result.stderr
    assert result.stdout_bytes == encode(expected, "png")
    result = invoke("pool", photos / "a.png", "-", "--format", "npy")
    assert np.array_equal(decode(result.stdout_bytes), expected)
    result = invoke("pool", "-", tmp_path / "x.tif", data=data)
    assert np.array_equal(read(tmp_path / "x.tif"), expected)
    result = invoke("pool", "-", photos / "a.png" / "x.png", data=data)
    assert result.exit_code == 2  # known before any work
    assert "Not a directory" in result.stderr
    result = invoke("pool", "-", "-", data=data[:-30])
    assert (result.exit_code, result.stdout_bytes) == (1, b"")
    assert result.stderr.startswith("failed: stdin: truncated: ")


@pytest.mark.parametrize(
    "option",
    ["--workers 2", "--timeout 9", "--memory 1G", "--max-failures 1", "--engine local", "--force"],
)
def test_a_pipe_refuses_what_is_for_folders(photos, tmp_path, option):
    data = (photos / "a.png").read_bytes()
    for dst in ("-", tmp_path / "x.png"):
        result = invoke("pool", "-", dst, *option.split(), data=data)
        assert (result.exit_code, result.stdout_bytes) == (2, b"")
        assert f"{option.split()[0]} is for folders" in result.stderr
    assert not (tmp_path / "x.png").exists()


def test_stdout_has_the_format_of_the_input_or_one_that_holds_the_result(photos):
    image = read(photos / "a.png")
    for kind in ("png", "jpg", "webp", "tiff", "npy"):
        result = invoke("pool", "-", "-", data=encode(image, kind))
        assert (result.exit_code, sniff(result.stdout_bytes)) == (0, kind)
        result = invoke("edges", "-", "-", data=encode(image, kind))
        assert (result.exit_code, result.stderr) == (0, "")
        assert sniff(result.stdout_bytes) == ("npy" if kind == "npy" else "tiff")
        assert decode(result.stdout_bytes).dtype == np.float32
        result = invoke("conv", "-", "-", "--kernel", "box", "--scale", "auto",
                        data=encode(image, kind))  # fmt: skip
        assert (result.exit_code, sniff(result.stdout_bytes)) == (0, kind)
    result = invoke("pool", photos / "a.png", "-", "--format", "webp")
    assert sniff(result.stdout_bytes) == "webp"


# --- names, permissions, limits ---------------------------------------------------------


def test_any_name_is_processed_and_printable(photos, tmp_path):
    odd = os.fsdecode(b"\xff\n.png")
    (photos / odd).write_bytes(b"?")
    shutil.copy(photos / "a.png", photos / os.fsdecode(b"\xfe.png"))
    out = tmp_path / "out"
    result = invoke("pool", photos, out, "--json")
    assert result.exit_code == 1
    assert r"failed: \xff\n.png: unknown" in result.stderr
    assert json.loads(result.stdout)["failures"][0]["path"] == r"\xff\n.png"
    assert (out / os.fsdecode(b"\xfe.png")).exists()


def test_a_destination_that_cannot_be_made_exits_4(photos, tmp_path, monkeypatch):
    def refuse(*args, **options):
        raise PermissionError(13, "Permission denied", "out")

    monkeypatch.setattr(os, "makedirs", refuse)
    result = invoke("pool", photos, tmp_path / "out")
    assert result.exit_code == 4
    assert "Permission denied: 'out'" in result.stderr


def test_ctrl_c_while_planning_exits_130(photos, tmp_path, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("imgkit.io.files.os.scandir", interrupt)
    result = invoke("pool", photos, tmp_path / "out")
    assert result.exit_code == 130
    assert not (tmp_path / "out").exists()


def test_max_pixels(photos, tmp_path):
    result = invoke("pool", photos, tmp_path / "out", "--max-pixels", 700)
    assert result.exit_code == 1
    assert "too_large: 32 x 24 is 768 pixels: the limit is 700" in result.stderr


def test_quality_reaches_the_encoder(photos, tmp_path):
    sizes = []
    for quality in (20, 95):
        invoke("pool", photos, tmp_path / "out", "--format", "jpg", "--quality", quality)
        sizes.append((tmp_path / "out" / "a.jpg").stat().st_size)
    assert sizes[0] < sizes[1]


def test_an_empty_folder_is_nothing_done(tmp_path):
    (tmp_path / "empty").mkdir()
    result = invoke("pool", tmp_path / "empty", tmp_path / "out")
    assert result.exit_code == 1
    assert "nothing done: " in result.stderr
    assert not (tmp_path / "out").exists()


def test_the_codec_and_the_help_agree_on_the_limit():
    from imgkit.border import BORDERS
    from imgkit.io import decode, encode

    assert options.MAX_PIXELS == decode.MAX_PIXELS
    assert ("same", *encode.WRITABLE) == options.FORMATS
    assert tuple(BORDERS) == values.BORDERS


def test_scale_is_read():
    parameter = click.Option(["--scale"])
    context = click.Context(main)
    assert values.read_scale(context, parameter, "auto") == "auto"
    assert values.read_scale(context, parameter, "-1:1e2") == (-1.0, 100.0)
    for text in ("1", "a:b", "nan:1", "0:inf", "1:2:3"):
        with pytest.raises(click.BadParameter):
            values.read_scale(context, parameter, text)


@pytest.mark.parametrize("pipeline", sorted((ROOT / "samples" / "pipelines").glob("*.yaml")),
                         ids=lambda path: path.stem)  # fmt: skip
def test_sample_pipelines_make_viewable_pictures_of_the_samples(pipeline, tmp_path):
    result = invoke("run", SAMPLES, tmp_path / "out", "--pipeline", pipeline)
    assert result.exit_code == 0, result.output
    made = files(tmp_path / "out")
    assert made == [p for p in files(SAMPLES) if not p.endswith(".md")]
    for name in made:
        image = read(tmp_path / "out" / name)
        assert image.dtype.kind == "u"
        assert image.min() < image.max()
