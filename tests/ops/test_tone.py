"""Tone on floats and uint16 between the 8-bit levels, against peers that know 8 bits alone.

The reference and the backends come from one idea, so the oracle here is Pillow, OpenCV,
torchvision, or arithmetic by hand.
"""

import contextlib

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torchvision.transforms.v2 import functional as peer

import imgkit as ik
from imgkit.backends.reference import tone as reference
from imgkit.backends.tensor.numpy_view import native

RNG = np.random.default_rng(41)
KINDS = ("array", "tensor", "native", "reference")
DTYPES = (np.uint16, np.float32, np.float64)


def run(name, x, kind, **options):
    """Run a function of (H, W) on an array, on a tensor, or in float64."""
    if kind == "array":
        return getattr(ik, name)(x, **options)
    if kind == "reference":
        top = 1 if x.dtype.kind == "f" else np.iinfo(x.dtype).max
        found = getattr(reference, name)(x[..., None].astype(float), top=top, **options)[..., 0]
        return np.rint(found).astype(x.dtype) if top > 1 else found.astype(x.dtype)
    with native() if kind == "native" else contextlib.nullcontext():
        return getattr(ik, name)(torch.from_numpy(x), **options).numpy()


def fine(levels, dtype):
    """Lay values at most 0.45 of an 8-bit level beside given levels, as an image of a dtype."""
    values = levels + RNG.uniform(-0.45, 0.45, levels.shape)
    values = np.clip(values, 0, 255)
    return (
        np.rint(values * 257).astype(dtype) if dtype == np.uint16 else (values / 255).astype(dtype)
    )


def in_levels(x):
    """Return an image in units of 8-bit levels."""
    return x / 257.0 if x.dtype == np.uint16 else x.astype(float) * 255


def few(shape):
    """Three levels: the steepest curves."""
    return RNG.choice([40, 41, 180], shape).astype(np.uint8)


def side_by_side(shape):
    """Neighboring levels, each with a large part of the pixels."""
    return RNG.integers(100, 108, shape).astype(np.uint8)


def smooth(shape):
    """Many levels."""
    return np.clip(RNG.normal(120, 40, shape), 0, 255).astype(np.uint8)


IMAGES = (few, side_by_side, smooth)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("image", IMAGES)
def test_equalize_is_pillows_of_the_8_bit_copy(image, dtype, kind):
    levels = image((60, 70))
    x = fine(levels, dtype)
    np.testing.assert_array_equal(ik.to_uint8(x), levels)
    expected = np.asarray(ImageOps.equalize(Image.fromarray(levels)))
    found = in_levels(run("equalize", x, kind))
    np.testing.assert_allclose(found, expected, atol=0.5)  # the fine steps beside a level
    order = np.argsort(x, axis=None)
    assert (np.diff(found.ravel()[order]) >= -1e-4).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_equalize_of_whole_levels_is_pillows(dtype, kind):
    levels = smooth((60, 70))
    x = levels.astype(np.uint16) * 257 if dtype == np.uint16 else levels / dtype(255)
    expected = np.asarray(ImageOps.equalize(Image.fromarray(levels)))
    np.testing.assert_allclose(in_levels(run("equalize", x, kind)), expected, atol=1e-3)


@pytest.mark.parametrize("kind", ["array", "tensor", "native"])
def test_equalize_of_three_values_by_hand(kind):
    x = np.full((64, 64), 0.3, np.float32)
    x[:, 32:48], x[:, 48:] = 0.5, 0.7019
    # 2048 of 3072 + 1024 pixels lie below the second value: (2048 + 6) // 12 = 171 of 255;
    # 0.3 is level 76.5, rounded to 76; 0.5 and 0.7019 lie 0.5 and 0.02 below their levels
    found = np.unique(run("equalize", x, kind)) * 255
    np.testing.assert_allclose(found, [0, 171, 255], atol=0.51)
    copy = peer.equalize(torch.from_numpy(ik.to_uint8(x))[None])[0].numpy()
    np.testing.assert_allclose(np.unique(copy), [0, 171, 255])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_equalize_keeps_fine_steps_where_its_curve_is_flat(dtype, kind):
    ramp = np.linspace(0, 1, 256 * 256).reshape(256, 256)
    x = np.rint(ramp * 65535).astype(dtype) if dtype == np.uint16 else ramp.astype(dtype)
    # a ramp is even already
    np.testing.assert_allclose(in_levels(run("equalize", x, kind)), in_levels(x), atol=0.6)
    assert len(np.unique(run("equalize", x, kind))) > 60_000


@pytest.mark.parametrize("kind", ["array", "tensor", "reference"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("image", IMAGES)
def test_clahe_is_opencvs_of_the_8_bit_copy(image, dtype, kind):
    levels = image((60, 70))
    x = fine(levels, dtype)
    expected = cv2.createCLAHE(3.0, (4, 3)).apply(levels)
    found = in_levels(run("clahe", x, kind, clip_limit=3.0, tiles=(3, 4)))
    np.testing.assert_allclose(found, expected, atol=1.01)  # OpenCV rounds, and half a fine step


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("image", IMAGES)
def test_autocontrast_is_torchvisions(image, dtype, kind):
    x = fine(image((30, 40)), dtype)
    floats = torch.from_numpy(x.astype(np.float64) / (65535 if dtype == np.uint16 else 1))
    expected = peer.autocontrast(floats[None])[0].numpy() * 255
    # half a level of uint16: float32 may round a value just above a tie down
    tolerance = 0.501 / 257 if dtype == np.uint16 else 1e-4
    np.testing.assert_allclose(in_levels(run("autocontrast", x, kind)), expected, atol=tolerance)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bits", range(1, 8))
def test_posterize_of_floats_is_torchvisions(bits, kind):
    x = RNG.random((30, 40)).astype(np.float32)
    x[0, :2] = 0, 1
    expected = peer.posterize(torch.from_numpy(x)[None], bits)[0].numpy()
    np.testing.assert_allclose(run("posterize", x, kind, bits=bits), expected, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bits", range(9))
def test_posterize_of_uint16_keeps_the_steps_of_8_bits(bits, kind):
    x = RNG.integers(0, 1 << 16, (30, 40)).astype(np.uint16)
    found = run("posterize", x, kind, bits=bits)
    copy = np.asarray(ImageOps.posterize(Image.fromarray((x >> 8).astype(np.uint8)), bits or 1))
    expected = x if bits == 8 else copy.astype(np.uint16) << 8 if bits else 0 * x
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.uint8, *DTYPES])
def test_8_bits_are_all(dtype, kind):
    x = RNG.random((9, 8)).astype(dtype) if dtype in DTYPES[1:] else None
    x = RNG.integers(0, np.iinfo(dtype).max + 1, (9, 8)).astype(dtype) if x is None else x
    x[0, 0] = 1 if x.dtype.kind == "f" else np.iinfo(dtype).max
    np.testing.assert_array_equal(run("posterize", x, kind, bits=8), x)


@pytest.mark.parametrize("device_form", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_pipeline_that_posterizes_to_8_bits_changes_nothing(dtype, device_form):
    x = RNG.integers(0, 256, (3, 9, 8)).astype(np.uint8)
    x = x if dtype == np.uint8 else x / np.float32(255)
    with native() if device_form else contextlib.nullcontext():
        found = ik.Pipeline([ik.Posterize(8)], seed=1)(torch.from_numpy(x), key=(0, 0))
    np.testing.assert_array_equal(found.numpy(), x)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.501, 1.0])
def test_solarize_is_torchvisions(share, dtype, kind):
    x = fine(smooth((30, 40)), dtype)
    top = 65535 if dtype == np.uint16 else 1
    threshold = round(share * top, 3)
    wide = torch.from_numpy(x.astype(np.int32 if dtype == np.uint16 else dtype))
    expected = torch.where(wide >= threshold, top - wide, wide).numpy()
    np.testing.assert_array_equal(run("solarize", x, kind, threshold=threshold), expected)
    if x.dtype.kind == "f":
        theirs = peer.solarize(torch.from_numpy(x)[None], threshold)[0].numpy()
        np.testing.assert_array_equal(theirs, expected)
