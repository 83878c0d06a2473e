"""Resampling by torch's own operations."""

import numpy as np
import pytest

import imgkit as ik
from imgkit import geometry
from imgkit.border import BORDERS

torch = pytest.importorskip("torch")
from tensors_as_arrays import photo, planar, same  # noqa: E402

from imgkit.backends.tensor.numpy_view import native  # noqa: E402


@pytest.fixture(autouse=True)
def _native():
    with native():
        yield


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos", "area"])
@pytest.mark.parametrize("antialias", [True, False])
def test_resize(interpolation, antialias):
    for size in ((5, 6), (30, 40), (6, 40), (13, 4), (1, 1)):
        options = {"interpolation": interpolation, "antialias": antialias}
        same(ik.resize, photo(), 1, size, **options)
        same(ik.resize, photo(np.uint16), 2, size, **options)  # steps of 1 after the first axis
        same(ik.resize, photo(np.float64), 1e-6, size, **options)


def test_integers_saturate_after_each_axis_as_those_of_arrays_do():
    x = np.where(np.random.default_rng(0).random((24, 24, 1)) < 0.5, 0, 255).astype(np.uint8)
    same(ik.resize, x, 1, (9, 7), "bicubic")


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("border", BORDERS)
def test_warp(interpolation, border):
    matrices = np.stack(
        [
            geometry.rotation(20, (8, 6)),
            geometry.perspective(
                [[0, 0], [16, 0], [16, 12], [0, 12]], [[2, 1], [15, 0], [16, 12], [1, 9]]
            ),
        ]
    )
    options = {"interpolation": interpolation, "border": border, "value": (9, 99, 200)}
    same(ik.warp, photo(), 1, matrices, (15, 11), **options)
    # float64 positions, not OpenCV's float32: values in 0..1 with slopes of about 0.1 a pixel
    options["value"] = 0.25
    same(ik.warp, photo(np.float64), 1e-9, matrices, (15, 11), **options)
    same(ik.warp, photo(np.float32), 1e-4, matrices, (15, 11), **options)


@pytest.mark.parametrize("border", BORDERS)
def test_shrinking_maps_blur_each_image_by_its_own_scale(border):
    matrices = np.stack([geometry.scaling(0.3), geometry.scaling(1.5, 0.6)])
    options = {"border": border, "value": 0.5}
    same(ik.warp, photo(np.float64), 1e-6, matrices, (7, 9), **options)
    same(ik.warp, photo(np.uint8), 1, matrices, (7, 9), border=border, value=(0, 50, 255))


def test_fields():
    field = np.random.default_rng(3).normal(size=(2, 9, 8, 2)) * 2
    same(ik.warp, photo(np.float64), 1e-6, field, border="reflect")
    same(ik.warp, photo(), 1, field[0], interpolation="nearest")


def test_exact_moves_are_bit_equal():
    x = np.random.default_rng(1).random((2, 9, 9, 3))
    x[0, 2, 3] = np.inf
    for matrix in (
        geometry.horizontal_flip((9, 9)),
        geometry.quarter_turn(1, (9, 9)),
        geometry.crop(2, -3),
        geometry.translation(1e9, 0),
    ):
        expected = ik.warp(x, matrix, value=0.1)
        found = ik.warp(planar(x), matrix, value=0.1)
        assert np.array_equal(np.moveaxis(found.numpy(), 1, -1), expected)
    # different moves in one batch go through the sampler, which must not blend
    x = photo(np.float64, (2, 9, 9, 3))
    near = geometry.translation(2 + 5e-10, 0)  # counts as a move of whole pixels
    maps = np.stack([geometry.quarter_turn(1, (9, 9)), near])
    found = np.moveaxis(ik.warp(planar(x), maps).numpy(), 1, -1)
    assert np.array_equal(found[0], np.rot90(x[0]))
    assert np.array_equal(found[1, :, 2:], x[1, :, :-2])


def test_maps_that_only_the_device_knows():
    x = planar(photo(np.float64)).requires_grad_()
    matrix = torch.tensor(geometry.rotation(10, (8, 6)), requires_grad=True)
    found = ik.warp(x, matrix, antialias=False)
    expected = ik.warp(x.detach(), matrix.detach())
    torch.testing.assert_close(found.detach(), expected, rtol=1e-9, atol=1e-9)
    found.square().sum().backward()
    assert matrix.grad.abs().sum() > 0
    assert x.grad is not None
    field = (torch.rand(5, 4, 2, dtype=torch.float64) * 3).requires_grad_()
    small = x.detach()[:, :, :6, :5]
    torch.autograd.gradcheck(
        lambda f: ik.warp(small, f, antialias=False, border="edge"), field, fast_mode=True
    )


def test_maps_on_a_device_say_what_they_need():
    x, field = planar(photo(np.float32)), torch.zeros(4, 4, 2, requires_grad=True)
    with pytest.raises(ValueError, match=r"antialias is True.*pass antialias=False, or"):
        ik.warp(x, field)
    with pytest.raises(ValueError, match="matrix_or_field is on meta, x on cpu: move one"):
        ik.warp(x, torch.zeros(4, 4, 2, device="meta"), antialias=False)
    with pytest.raises(ValueError, match="matrix_or_field has shape"):
        ik.warp(x, torch.zeros(4, 4, 3, requires_grad=True), antialias=False)


def test_moving_pixels():
    for border in BORDERS:
        options = {"border": border, "value": (1, 2, 3)}
        same(ik.pad, photo(), 0, (3, 20, 0, 31), **options)
        same(ik.rotate, photo(), 1, 30, expand=True, **options)
    same(ik.pad, photo(np.uint16), 0, 2, value=7)
    same(ik.crop, photo(), 0, 2, 3, 4, 5)
    same(ik.letterbox, photo(), 1, (20, 20), value=(1, 2, 3))
    for axis in ("horizontal", "vertical", "both"):
        same(ik.flip, photo(np.uint16), 0, axis)
    same(ik.warp, photo(), 0, geometry.translation(40, 2), value=(1, 2, 3))
