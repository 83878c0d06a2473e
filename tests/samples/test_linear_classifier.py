"""The losses of the notes, by hand."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")


def test_hinge_sums_over_the_wrong_classes(sample):
    scores = torch.tensor([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0]])
    # max(0, 5.1 - 3.2 + 1) + max(0, -1.7 - 3.2 + 1) = 2.9; then 0
    loss = sample("linear_classifier").hinge(scores, torch.tensor([0, 1]))
    assert loss.item() == pytest.approx(2.9 / 2, abs=1e-6)


def test_stronger_regularisation_makes_smaller_templates(sample):
    x, y = torch.randn(200, 1, 28, 28), torch.arange(200) % 10
    train = sample("linear_classifier").train
    weak, strong = (train(x, y, "softmax", s, 3)[0][1].weight.norm() for s in (0.0, 10.0))
    assert strong < 0.9 * weak
