"""What is frozen stays; classes are halves without overlap."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")


def test_the_classes_are_two_halves(sample):
    transfer = sample("transfer_learning")
    assert sorted(transfer.OLD + transfer.NEW) == list(range(10))


def test_only_renumbers_the_labels(sample):
    transfer, split = sample("transfer_learning"), sample("data").Split
    y = np.array([0, 1, 3, 8, 6, 7, 3])
    x = np.arange(7, dtype=np.uint8).reshape(7, 1, 1, 1)
    found = transfer.only(split(x, y, x, y), transfer.NEW, 4, 2)
    assert found.x.ravel().tolist() == [1, 2, 3, 4]
    assert found.y.tolist() == [0, 1, 4, 2]  # of 1, 3, 6, 7, 8
    assert found.test_y.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("way", "trained"),
    [
        ("whole model", 158_981),
        ("two convolutions frozen", 158_981 - 320 - 18_496),
        ("all but the last frozen", 645),
    ],
)
def test_frozen_layers_do_not_move(sample, way, trained):
    transfer, split = sample("transfer_learning"), sample("data").Split
    start = transfer.network()
    model = transfer.transferred(start, transfer.FREEZE[way])
    assert transfer.trainable(model) == trained
    x, y = np.random.default_rng(0).integers(0, 256, (8, 28, 28, 1), np.uint8), np.arange(8) % 5
    transfer.train(model, split(x, y, x, y), 1, 4)
    same = [
        torch.equal(a, b)
        for a, b in zip(start[:-1].parameters(), model[:-1].parameters(), strict=True)
    ]
    frozen = {"whole model": 0, "two convolutions frozen": 4, "all but the last frozen": 8}[way]
    assert same == [True] * frozen + [False] * (8 - frozen)
