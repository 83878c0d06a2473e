"""CIFAR-10's binary files, windows of photographs, and the networks' numbers."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchinfo")


def write_batches(folder, rows):
    """Six files of CIFAR-10's binary version; the images by file, as (N, H, W, C)."""
    rng = np.random.default_rng(0)
    written = []
    for name in [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]:
        labels = rng.integers(0, 10, (rows, 1), np.uint8)
        images = rng.integers(0, 256, (rows, 32, 32, 3), np.uint8)
        planes = images.transpose(0, 3, 1, 2).reshape(rows, -1)
        (folder / name).write_bytes(np.hstack([labels, planes]).tobytes())
        written.append((images, labels[:, 0]))
    return written


def test_reads_the_binary_version(sample, tmp_path):
    written = write_batches(tmp_path, 3)
    split = sample("data").cifar10(tmp_path)
    np.testing.assert_array_equal(split.x, np.concatenate([x for x, _ in written[:5]]))
    np.testing.assert_array_equal(split.y, np.concatenate([y for _, y in written[:5]]))
    np.testing.assert_array_equal(split.test_x, written[5][0])
    np.testing.assert_array_equal(split.test_y, written[5][1])


def test_runs_on_files_of_cifars_format(sample, tmp_path, capsys):
    write_batches(tmp_path, 20)
    sample("cifar_cnn").main(True, tmp_path, tmp_path)
    printed = capsys.readouterr().out
    assert "100 pictures to train with, 20 to test with" in printed
    assert "airplane" in printed
    assert "without --data" not in printed
    assert (tmp_path / "cifar_cnn_augmented.png").is_file()


def test_missing_files_name_the_command(sample, tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        sample("cifar_cnn").main(True, tmp_path, tmp_path / "nowhere")
    assert left.value.code == 2
    assert "cifar-10-binary.tar.gz" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("build", "count"), [("stride_network", 1_284_170), ("vgg_network", 2_396_330)]
)
def test_parameters_for_ten_classes(sample, build, count):
    cifar_cnn = sample("cifar_cnn")
    model = getattr(cifar_cnn, build)(10)
    assert cifar_cnn.parameters(model) == count
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_windows_of_train_and_test_lie_apart(sample, monkeypatch):
    data = sample("data")
    ramp = np.broadcast_to(np.arange(250, dtype=np.uint8)[None, :, None], (100, 250, 3))
    monkeypatch.setattr(data, "photograph", lambda name: ramp)
    split = data.patches(["ramp", "again"], 16, 40, 20)
    assert split.x.shape == (80, 16, 16, 3)
    assert split.y.tolist() == [0] * 40 + [1] * 40
    assert split.x.max() < 150 <= split.test_x.min()  # columns 0 to 149, and from 150 on
    assert not np.array_equal(split.x[:40], split.x[40:])  # other windows of the other one
