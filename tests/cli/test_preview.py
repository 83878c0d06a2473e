"""Originals and variants side by side: the variants are those that augment writes."""

import base64
import io
import json
import re

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from imgkit.cli.main import main
from imgkit.io.decode import decode
from imgkit.io.encode import encode

TEXT = """
version: 1
seed: 7
ops:
  - Rotate: {degrees: [-40, 40]}
  - HorizontalFlip: {p: 0.5}
  - Invert: {p: 0}
"""


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(3)
    (tmp_path / "photos").mkdir()
    for i in range(5):
        data = encode(rng.integers(0, 256, (24, 32, 3), np.uint8), "png")
        (tmp_path / "photos" / f"{i}.png").write_bytes(data)
    return tmp_path / "photos"


@pytest.fixture
def pipeline(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(TEXT)
    return path


def invoke(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_a_page_shows_what_augment_writes(photos, pipeline, tmp_path):
    page = tmp_path / "page.html"
    result = invoke("preview", pipeline, photos, "-o", page, "--variants", 2, "--epoch", 1)
    assert result.exit_code == 0, result.output
    flags = ("--pipeline", pipeline, "--copies", 2, "--epoch", 1)
    assert invoke("augment", photos, tmp_path / "out", *flags).exit_code == 0
    printable = re.findall(r'src="data:image/png;base64,([^"]+)"', page.read_text())
    pictures = [np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) for data in printable]
    assert len(pictures) == 5 * 3
    for i in range(5):
        names = [photos / f"{i}.png", *(tmp_path / "out" / f"{i}_000{c}.png" for c in (1, 2))]
        for picture, name in zip(pictures[3 * i : 3 * i + 3], names, strict=True):
            assert np.array_equal(picture, decode(name.read_bytes()))


def test_a_page_needs_nothing_but_itself(photos, pipeline, tmp_path):
    page = tmp_path / "page.html"
    assert invoke("preview", pipeline, photos, "-o", page).exit_code == 0
    text = page.read_text()
    assert not re.findall(r"https?:|<script|<link|@import|url\(", text)
    assert set(re.findall(r'src="([a-z]+:)', text)) == {"data:"}
    assert "prefers-color-scheme: dark" in text
    assert "<!--" not in text
    assert re.search(r"<dt>Rotate</dt><dd><span>degrees \N{MINUS SIGN}?\d", text)
    assert "not HorizontalFlip, Invert</p>" in text


def test_count_is_taken_evenly(photos, pipeline, tmp_path):
    page = tmp_path / "page.html"
    assert invoke("preview", pipeline, photos, "-o", page, "--count", 2).exit_code == 0
    assert re.findall(r"<b>(\d)\.png</b>", page.read_text()) == ["0", "2"]


def test_a_contact_sheet_is_a_picture(photos, pipeline, tmp_path):
    target = tmp_path / "sheet.png"
    flags = ("--count", 2, "--variants", 3)
    result = invoke("preview", pipeline, photos, "-o", target, *flags)
    assert result.exit_code == 0, result.output
    sheet = decode(target.read_bytes())
    assert sheet.dtype == np.uint8
    assert sheet.shape[1] > 4 * 240
    again = tmp_path / "again.png"
    invoke("preview", pipeline, photos, "-o", again, *flags, "--seed", 8)
    assert not np.array_equal(decode(again.read_bytes()), sheet)


def test_one_file_is_enough_and_a_new_seed_is_told(photos, tmp_path):
    pipeline = tmp_path / "p.yaml"
    pipeline.write_text("version: 1\nops: [Rotate: {degrees: [0, 90]}]")
    page = tmp_path / "page.html"
    result = invoke("preview", pipeline, photos / "3.png", "-o", page)
    seed = re.search(r"seed (\d+): drawn anew", result.stderr)[1]
    assert f"<dt>seed</dt><dd>{seed}</dd>" in page.read_text()


def test_a_bad_image_costs_itself_alone(photos, pipeline, tmp_path):
    (photos / "bad.png").write_bytes(b"?")
    page = tmp_path / "page.html"
    result = invoke("preview", pipeline, photos, "-o", page)
    assert result.exit_code == 1
    assert "failed: bad.png: unknown" in result.stderr
    assert page.read_text().count("<section>") == 5
    result = invoke("preview", pipeline, photos / "bad.png", "-o", tmp_path / "none.html")
    assert (result.exit_code, (tmp_path / "none.html").exists()) == (1, False)


# --- labels -----------------------------------------------------------------------------


def write_labels(tmp_path, content):
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(content))
    return path


def test_boxes_and_points_go_where_the_pixels_go(photos, tmp_path):
    pipeline = tmp_path / "p.yaml"
    pipeline.write_text("version: 1\nops: [HorizontalFlip]")
    entry = {"boxes": [[2, 3, 10, 9]], "labels": ["a cat & co"], "keypoints": [[0, 5]]}
    labels = write_labels(tmp_path, {"1.png": entry})
    page = tmp_path / "page.html"
    flags = ("--labels", labels, "--variants", 1)
    result = invoke("preview", pipeline, photos, "-o", page, *flags)
    assert result.exit_code == 0, result.output
    text = page.read_text()
    assert text.count("<svg") == 2
    assert '<rect x="2.00" y="3.00" width="8.00" height="6.00"' in text
    assert '<rect x="22.00" y="3.00" width="8.00" height="6.00"' in text  # 32 - 10
    assert '<circle cx="0.50" cy="5.50"' in text
    assert '<circle cx="31.50" cy="5.50"' in text
    assert text.count("a cat &amp; co") == 2
    target = tmp_path / "sheet.png"
    assert invoke("preview", pipeline, photos, "-o", target, *flags).exit_code == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "labels are a mapping"),
        ({"1.png": {"boxs": []}}, "1.png: key 'boxs' is unknown: did you mean 'boxes'"),
        ({"1.png": {"boxes": [[1, 2, 3]]}}, "1.png: boxes is [[1, 2, 3]]: write rows of 4"),
        ({"1.png": {"boxes": [[1, 2, 3, 4]], "labels": []}}, "one for each of 1 boxes"),
        ({"1.png": {"keypoints": ["x"]}}, "keypoints is ['x']: write rows of 2 or 3"),
        ({"7.png": {"boxes": []}}, "names no image of SRC; its first path is '7.png'"),
    ],
)
def test_wrong_labels_exit_2(photos, pipeline, tmp_path, content, message):
    labels = write_labels(tmp_path, content)
    page = tmp_path / "page.html"
    result = invoke("preview", pipeline, photos, "-o", page, "--labels", labels)
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.stderr.split())
    assert not page.exists()


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        (TEXT, ["-o", "x.gif"], "'x.gif' ends in neither .png nor .html"),
        (TEXT, [], "Missing option '-o'"),
        (TEXT, ["-o", "x.html", "--count", "0"], "--count"),
        ("version: 1\nops: [Rotat]", ["-o", "x.html"], "unknown operation 'Rotat'"),
        ("version: 1\nops: [max_pool: {size: -1}]", ["-o", "x.html"], "size is -1"),
    ],
)
def test_wrong_usage_exits_2(photos, tmp_path, monkeypatch, text, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.yaml").write_text(text)
    result = invoke("preview", "p.yaml", photos, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_labels_and_functions_that_move_pixels_do_not_go_together(photos, tmp_path):
    pipeline = tmp_path / "p.yaml"
    pipeline.write_text("version: 1\nops: [max_pool: {size: 2}]")
    labels = write_labels(tmp_path, {"1.png": {"boxes": [[1, 2, 3, 4]]}})
    result = invoke("preview", pipeline, photos, "-o", tmp_path / "x.png", "--labels", labels)
    assert result.exit_code == 2
    assert "max_pool is a function and leaves labels behind" in " ".join(result.stderr.split())
