"""The networks' numbers, and MNIST's own files."""

import gzip

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchinfo")
pytest.importorskip("sklearn")


@pytest.mark.parametrize(
    ("build", "count"), [("two_convolutions", 118_346), ("three_convolutions", 93_322)]
)
def test_parameters(sample, build, count):
    digits_cnn = sample("digits_cnn")
    model = getattr(digits_cnn, build)()
    assert digits_cnn.parameters(model) == count
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)
    assert f"{count:,}" in digits_cnn.table(model)


def test_sizes_of_the_notes(sample):
    digits_cnn = sample("digits_cnn")
    table = digits_cnn.table(digits_cnn.two_convolutions())
    sizes = ("32 x 24 x 24", "32 x 12 x 12", "64 x 8 x 8", "64 x 4 x 4", "1024 ", "65,600")
    places = [table.index(size) for size in sizes]
    assert places == sorted(places)


def write_idx(path, array):
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))


def test_runs_on_files_of_mnists_format(sample, tmp_path, capsys):
    rng = np.random.default_rng(0)
    for part, count in {"train": 130, "t10k": 20}.items():
        images = rng.integers(0, 256, (count, 28, 28))
        write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", images)
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", rng.integers(0, 10, count))
    sample("digits_cnn").main(True, tmp_path, tmp_path)
    printed = capsys.readouterr().out
    assert "130 digits to train with, 20 to test with" in printed
    assert (tmp_path / "digits_cnn_features.png").is_file()


def test_missing_files_name_the_command(sample, tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        sample("digits_cnn").main(True, tmp_path, tmp_path / "nowhere")
    assert left.value.code == 2
    assert "curl" in capsys.readouterr().err
