"""Students grow, and pseudo-labels are probabilities."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")


def test_each_student_is_larger_than_its_teacher(sample):
    self_training = sample("self_training")
    sizes = [
        self_training.parameters(self_training.network(width, 0.3))
        for width in self_training.WIDTHS
    ]
    assert sizes == sorted(set(sizes))


def test_pseudo_labels_are_probabilities(sample):
    self_training = sample("self_training")

    class Teacher(torch.nn.Module):
        def forward(self, x):
            logits = torch.full((len(x), 10), -50.0)
            logits[:, 7] = 0
            logits[:, 2] = np.log(3)
            return logits

    soft = self_training.pseudo_labels(Teacher(), np.zeros((4, 28, 28, 1), np.uint8))
    expected = np.zeros((4, 10))
    expected[:, [2, 7]] = 0.75, 0.25  # 3 : 1
    np.testing.assert_allclose(soft, expected, atol=1e-6)


def test_noise_is_drawn_anew_each_epoch(sample):
    noise = sample("self_training").NOISE
    x = np.random.default_rng(0).integers(0, 256, (6, 28, 28, 1), np.uint8)
    first, again, later = (noise(x, key=(epoch, np.arange(6))) for epoch in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, later)
