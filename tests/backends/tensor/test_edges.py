"""Edges, and the borders of all neighborhood filters, by torch's own operations."""

import numpy as np
import pytest

import imgkit as ik
from imgkit.border import BORDERS

torch = pytest.importorskip("torch")
F = torch.nn.functional
from imgkit.backends.tensor.numpy_view import native  # noqa: E402


@pytest.fixture(autouse=True)
def _native():
    with native():
        yield


def as_array(x):
    return x.numpy().copy()


@pytest.mark.parametrize("border", BORDERS)
def test_filters_at_every_border(border):
    x = torch.randint(0, 256, (2, 3, 6, 9), dtype=torch.uint8)
    images = np.moveaxis(as_array(x), 1, -1)
    for run, options in (
        (ik.scharr, {"normalized": True}),
        (ik.laplacian, {"neighbors": 8}),
        (ik.laplacian_of_gaussian, {"sigma": 1.2}),
        (ik.corners, {"method": "shi-tomasi"}),
        (ik.gaussian_blur, {"sigma": 2.5}),
        (ik.box_blur, {"size": (4, 3)}),
        (ik.median_blur, {"size": 5}),
        (ik.bilateral_blur, {"sigma_color": 60.0, "sigma_space": 1.5}),
        (ik.sharpen, {"amount": 0.5}),
    ):
        options |= {"border": border, "value": 9}
        expected = run(images, **options)
        found = np.moveaxis(run(x, **options).numpy(), 1, -1)
        assert found.dtype == expected.dtype
        top = max(1.0, np.abs(expected).max())
        bound = 1 if found.dtype == np.uint8 else 2e-5 * top
        assert np.abs(found.astype(float) - expected).max() <= bound, run


def test_flat_images_have_no_slope_at_all():
    for level in (0.1, 0.3, 0.7):
        x = torch.full((3, 9, 8), level)
        for found in (*ik.gradient(x, "scharr"), ik.sobel(x), ik.laplacian(x), ik.laplacian(x, 8)):
            assert not found.any()
