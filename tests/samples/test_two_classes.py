"""Tiles that do not overlap, the notes' network, and a folder of one's own."""

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")


def test_the_network_of_the_notes(sample):
    two_classes = sample("two_classes")
    model = two_classes.network(two_classes.convolutions())
    assert two_classes.parameters(model) == 3_453_121
    assert model(torch.zeros(2, 3, 150, 150)).shape == (2, 1)


def test_tiles_are_gray_jpegs_of_different_places(sample, tmp_path):
    sources = sample("two_classes").SOURCES
    sample("data").texture_tiles(tmp_path, sources, 150, 6)
    files = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.jpg"))
    assert [name.split("_")[0] for name in files] == ["grass/grass"] * 6 + ["stone/brick"] * 3 + [
        "stone/gravel"
    ] * 3
    assert len(set(files)) == 12
    for name in files:
        with Image.open(tmp_path / name) as image:
            assert (image.format, image.size, image.mode) == ("JPEG", (150, 150), "L")


def test_a_folder_of_cats_and_dogs(sample, tmp_path, capsys):
    rng = np.random.default_rng(0)
    for label, red in {"cats": 200, "dogs": 40}.items():
        (tmp_path / "pets" / label).mkdir(parents=True)
        for number in range(8):
            size = tuple(rng.integers(60, 200, 2))
            image = rng.integers(0, 50, (*size, 3), np.uint8) + np.uint8((red, 0, 0))
            Image.fromarray(image).save(tmp_path / "pets" / label / f"{number}.jpg")
    sample("two_classes").main(True, tmp_path, tmp_path / "pets")
    printed = capsys.readouterr().out
    assert "'train': {'cats':" in printed
    assert "then fine-tuned, augmented" in printed
    assert (tmp_path / "two_classes_scratch.png").is_file()


def test_a_missing_folder_names_the_command(sample, tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        sample("two_classes").main(True, tmp_path, tmp_path / "nowhere")
    assert left.value.code == 2
    assert "curl" in capsys.readouterr().err


def test_three_classes_are_refused(sample, tmp_path):
    for label in ("cats", "dogs", "mice"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        Image.new("RGB", (60, 60), "red").save(tmp_path / "pets" / label / "a.jpg")
    with pytest.raises(SystemExit, match="3 folders of images: it takes two"):
        sample("two_classes").main(True, tmp_path, tmp_path / "pets")
