"""Blurs by torch's own operations."""

import pytest

import imgkit as ik

torch = pytest.importorskip("torch")
F = torch.nn.functional
from imgkit.backends.tensor.numpy_view import native  # noqa: E402


@pytest.fixture(autouse=True)
def _native():
    with native():
        yield


def random(*shape, dtype=torch.float64, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_medians_of_a_few_images_at_a_time(monkeypatch):
    x = random(5, 2, 6, 7)
    for size in (3, 7):
        expected = ik.median_blur(x, size)
        monkeypatch.setattr("imgkit.backends.tensor.blur.NETWORK_TAPS", 0)
        monkeypatch.setattr("imgkit.backends.tensor.blur.MEDIAN_VALUES", 2 * size**2 * 2 * 6 * 7)
        assert torch.equal(ik.median_blur(x, size), expected)
        monkeypatch.undo()
