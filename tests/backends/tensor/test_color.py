"""Color by torch's own operations."""

import numpy as np
import pytest

import imgkit as ik

torch = pytest.importorskip("torch")
from tensors_as_arrays import photo, planar, same  # noqa: E402

from imgkit.backends.tensor.numpy_view import native  # noqa: E402


@pytest.fixture(autouse=True)
def _native():
    with native():
        yield


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_color(dtype):
    atol = 1 if np.dtype(dtype).kind == "u" else 1e-4
    x = photo(dtype, (2, 9, 8, 3), seed=4)
    for run, args in (
        (ik.adjust_brightness, (0.4,)),
        (ik.adjust_contrast, (2.5,)),
        (ik.adjust_saturation, (0.2,)),
        (ik.adjust_hue, (-0.4,)),
        (ik.adjust_gamma, (0.3, 1.2)),
        (ik.adjust_gamma, (0,)),
        (ik.grayscale, (True,)),
        (ik.posterize, (0,)),
        (ik.posterize, (8,)),
        (ik.equalize, ()),
        (ik.autocontrast, ()),
        (ik.normalize, ("imagenet",)),
    ):
        same(run, x, atol, *args)
        same(run, x[:, :1, :2], atol, *args)
        if args != ("imagenet",):
            same(run, x[..., :1], atol, *args)


def test_grayscale_drops_the_channel_axis_of_one_image():
    x = planar(photo())
    assert ik.grayscale(x[0]).shape == (13, 17)
    assert ik.grayscale(x).shape == (2, 1, 13, 17)
