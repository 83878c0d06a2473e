"""`imgkit prep`: what it writes, prints, and exits with."""

import json
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from imgkit.cli import prep as command
from imgkit.cli.main import main
from imgkit.dataset.presets import PRESETS
from imgkit.dataset.split import split
from imgkit.io.encode import encode


@pytest.fixture
def photos(tmp_path):
    """Thirty images of two classes."""
    rng = np.random.default_rng(3)
    for i in range(30):
        path = tmp_path / "photos" / ("cat", "dog")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(rng.integers(0, 256, (20, 26, 3), np.uint8), "png"))
    return tmp_path / "photos"


def invoke(*arguments):
    return CliRunner().invoke(main, ["prep", *map(str, arguments)])


def files(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def test_the_help_page_knows_the_presets():
    assert tuple(PRESETS) == command.PRESETS


def test_a_data_set_and_its_card(photos, tmp_path):
    result = invoke(photos, tmp_path / "out", "--size", 16, "--workers", 2)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    names = files(tmp_path / "out")
    assert {"README.md", "dataset.json", "statistics.png"} < set(names)
    assert sum(name.endswith(".jpg") for name in names) == 30
    told = json.loads(names["dataset.json"])
    counts = ", ".join(f"{part}: {found['images']}" for part, found in told["parts"].items())
    assert f"30 images: {counts}" in result.stderr


def test_json_is_the_facts_of_the_card(photos, tmp_path):
    result = invoke(photos, tmp_path / "out", "--size", 16, "--json", "--folds", 3)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == json.loads((tmp_path / "out/dataset.json").read_text())
    assert list(json.loads(result.stdout)["normalize"]) == ["fold-0", "fold-1", "fold-2"]


@pytest.mark.parametrize("form", ["folder", "webdataset", "npy"])
def test_the_same_command_gives_the_same_bytes(photos, tmp_path, form):
    if form == "webdataset":
        pytest.importorskip("pyarrow", reason="the table of a shard is Parquet")
    trees = []
    for workers in (1, 2):
        out = tmp_path / f"out{workers}"
        options = ["--format", form, "--size", 16, "--per-shard", 7, "--workers", workers]
        assert invoke(photos, out, *options).exit_code == 0
        trees.append(files(out))
    assert trees[0] == trees[1]


def test_dry_run_names_the_part_of_each_image_and_writes_nothing(photos, tmp_path):
    result = invoke(photos, tmp_path / "out", "--dry-run")
    assert result.exit_code == 0
    law = split("80/10/10")
    lines = result.stdout.splitlines()
    assert len(lines) == 30
    assert f"cat/0.png -> {law.part('cat/0.png')}" in lines
    assert not (tmp_path / "out").exists()


def test_a_bad_file_is_one_line_a_note_and_exit_1(photos, tmp_path):
    (photos / "cat" / "bad.jpg").write_bytes(b"<html>")
    result = invoke(photos, tmp_path / "out", "--size", 16)
    assert result.exit_code == 1
    assert "failed: cat/bad.jpg: unknown" in result.stderr
    assert "30 images: train" in result.stderr
    assert "note: left out because they could not be read: 1" in result.stderr


def test_what_comes_to_dst_during_the_work_is_an_error(photos, tmp_path, monkeypatch):
    def build(*arguments, **options):
        raise FileExistsError("DST is not empty")

    monkeypatch.setattr("imgkit.dataset.build.build", build)
    result = invoke(photos, tmp_path / "out", "--size", 8)
    assert result.exit_code == 2, result.output
    assert "The same command continues from here." in result.output
    assert "DST is not empty" in result.output


def test_force_replaces_a_data_set(photos, tmp_path):
    assert invoke(photos, tmp_path / "out", "--size", 16).exit_code == 0
    result = invoke(photos, tmp_path / "out", "--size", 8)
    assert result.exit_code == 2
    assert "holds a data set: --force replaces it" in result.output
    assert invoke(photos, tmp_path / "out", "--size", 8, "--force").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--split", "80/x"], "up to three numbers above 0"),
        (["--split", "80/20", "--folds", "3"], "exclude each other"),
        (["--preset", "none", "--size", "16"], "keep their size"),
        (["--preset", "none", "--format", "npy"], "choose a preset other than none"),
        (["--preset", "imagnet"], "--preset"),
        (["--folds", "1"], "--folds"),
    ],
)
def test_wrong_usage_is_exit_2_and_writes_nothing(photos, tmp_path, arguments, message):
    result = invoke(photos, tmp_path / "out", *arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert not (tmp_path / "out").exists()


def test_shards_without_pyarrow_say_what_to_install(photos, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = invoke(photos, tmp_path / "out", "--format", "webdataset")
    assert result.exit_code == 2
    assert "imgkit-cv[shards]" in result.output


def test_dst_in_src_is_refused(photos):
    result = invoke(photos, photos / "out")
    assert result.exit_code == 2
    assert "lies inside SRC" in result.output
