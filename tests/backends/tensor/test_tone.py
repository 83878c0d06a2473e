"""Tone by torch's own operations."""

import numpy as np
import pytest

import imgkit as ik

torch = pytest.importorskip("torch")
from imgkit.backends.tensor.numpy_view import native  # noqa: E402


@pytest.fixture(autouse=True)
def _native():
    with native():
        yield


def planar(x):
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, -3)))


def same(run, x, atol, *args, **options):
    """Compare the tensor's way with the array's."""
    expected = run(x, *args, **options)
    found = np.moveaxis(run(planar(x), *args, **options).numpy(), -3, -1)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert np.abs(found.astype(float) - expected.astype(float)).max() <= atol


def test_equalize_spreads_a_ramp():
    ramp = np.arange(100, 116, dtype=np.uint8).repeat(256).reshape(64, 64, 1)
    same(ik.equalize, ramp, 0)
    same(ik.equalize, (ramp / np.float64(255)).astype(np.float32), 1e-6)
    same(ik.autocontrast, ramp, 0)
