"""`imgkit stats`: what it prints, draws, and exits with."""

import json
import pathlib

import numpy as np
import pytest
from click.testing import CliRunner

import imgkit as ik
from imgkit.cli.main import main
from imgkit.io.decode import decode
from imgkit.io.encode import encode


@pytest.fixture
def photos(tmp_path):
    """Two images of two classes: one half black and half white, one gray."""
    half = np.zeros((10, 20, 3), np.uint8)
    half[:, 10:] = 255
    for name, image in {"a/half.png": half, "b/gray.png": np.full((10, 20), 51, np.uint8)}.items():
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(encode(image, "png"))
    return tmp_path / "photos"


def invoke(*arguments):
    return CliRunner().invoke(main, ["stats", *map(str, arguments)])


def test_the_table(photos):
    result = invoke(photos)
    assert result.exit_code == 0, result.output
    assert "images   2 (400 pixels), 0 bad" in result.stdout
    assert "formats  png: 2" in result.stdout
    assert "sizes    20x10: 2\n" in result.stdout
    assert "                 1  a\n                 1  b\n" in result.stdout
    # (100 * 1 + 200 * 0.2) / 400 = 0.35; E[x²] = (100 + 200 * 0.04) / 400 = 0.27
    std = f"{(0.27 - 0.35**2) ** 0.5:.6f}"
    assert f"      2  0.350000  {std}  0.000000  1.000000" in result.stdout
    line = result.stdout.splitlines()[-1]
    assert ik.Pipeline.from_yaml(f"version: 1\nops:\n  {line}\n")[0].name == "Normalize"


def test_json_is_one_object_and_the_same_for_any_number_of_workers(photos):
    results = [invoke(photos, "--json", "--workers", n) for n in (1, 2)]
    assert results[0].stdout == results[1].stdout
    told = json.loads(results[0].stdout)
    assert told["images"] == 2
    assert told["classes"] == {"a": 1, "b": 1}
    assert told["mean"] == [0.35] * 3
    assert told["normalize"] == {"mean": told["mean"], "std": told["std"]}


def test_bad_files_are_listed_and_exit_1(photos):
    (photos / "a" / "bad.jpg").write_bytes(b"<html>")
    result = invoke(photos, "--json", "--workers", 2)
    assert result.exit_code == 1
    assert "failed: a/bad.jpg: unknown: no image format starts with b'<html>'" in result.stderr
    told = json.loads(result.stdout)
    assert (told["images"], told["bad"]) == (2, 1)
    assert told["failures"][0]["path"] == "a/bad.jpg"
    assert invoke(photos, "--max-pixels", 100).exit_code == 1


@pytest.mark.parametrize("name", ["plot.png", "plot.html"])
def test_the_plot_is_a_picture_or_a_page(photos, tmp_path, name):
    result = invoke(photos, "--plot", tmp_path / name)
    assert result.exit_code == 0, result.output
    data = (tmp_path / name).read_bytes()
    if name.endswith(".png"):
        assert decode(data).shape[1] == 1200
    else:
        assert b"data:image/png;base64," in data
    invoke(photos, "--plot", tmp_path / name)
    assert (tmp_path / name).read_bytes() == data


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--plot", "x.pdf"], "ends in neither .png nor .html"),
        (["--workers", "0"], "--workers"),
    ],
)
def test_wrong_usage_is_exit_2(photos, arguments, message):
    result = invoke(photos, *arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_a_plot_that_cannot_be_written_is_exit_2(photos):
    result = invoke(photos, "--plot", photos / "a" / "half.png" / "plot.png")
    assert result.exit_code == 2
    assert "--plot" in result.output


def test_a_folder_without_images_is_nothing_done(tmp_path):
    result = invoke(tmp_path)
    assert result.exit_code == 1
    assert "has no images" in result.output
    assert invoke(pathlib.Path(tmp_path) / "gone").exit_code == 2
