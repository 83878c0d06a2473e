"""Tone by torch's own operations."""

import numpy as np
import pytest

import imgkit as ik

torch = pytest.importorskip("torch")
from tensors_as_arrays import same  # noqa: E402

from imgkit.backends.tensor.numpy_view import native  # noqa: E402


@pytest.fixture(autouse=True)
def _native():
    with native():
        yield


def test_equalize_spreads_a_ramp():
    ramp = np.arange(100, 116, dtype=np.uint8).repeat(256).reshape(64, 64, 1)
    same(ik.equalize, ramp, 0)
    same(ik.equalize, (ramp / np.float64(255)).astype(np.float32), 1e-6)
    same(ik.autocontrast, ramp, 0)
