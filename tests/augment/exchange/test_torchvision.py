"""What docs/interop.md lists as more than one level apart, measured on noise, the worst case."""

import warnings

import numpy as np
import pytest
from PIL import Image

import imgkit as ik

torch = pytest.importorskip("torch")
v2 = pytest.importorskip("torchvision.transforms.v2")

BICUBIC = v2.InterpolationMode.BICUBIC


def noise(size=(64, 64)):
    return np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)


def photograph(size=(48, 61)):
    x = np.random.default_rng(0).random((*size, 3)).cumsum(0).cumsum(1)
    return np.rint((np.sin(x / x.max() * 9) * 0.5 + 0.5) * 255).astype(np.uint8)


def on_tensors(transform, x):
    return transform(torch.from_numpy(x).permute(2, 0, 1).contiguous()).permute(1, 2, 0).numpy()


def on_pillow(transform, x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # antialias=False is ignored for Pillow, it says
        return np.asarray(transform(Image.fromarray(x)))


def apart(transform, x, run):
    ours = ik.Pipeline.from_torchvision(transform, seed=1)(x, key=0)
    return int(np.abs(ours.astype(int) - run(transform, x)).max())


def saturation(value):
    return v2.ColorJitter(saturation=(value, value))


def exact_saturation(x, value):
    luma = x @ np.array([0.2989, 0.587, 0.114])
    return np.clip(value * x.astype(float) + (1 - value) * luma[..., None], 0, 255)


@pytest.mark.parametrize("value", [0.05, 0.1, 0.2, 0.3, 3.0])
def test_saturation_on_tensors_truncates_twice(value):
    """torchvision drops the fractions of the gray value and of the sum; imgkit rounds once."""
    x = noise()
    assert apart(saturation(value), x, on_tensors) == 2
    assert apart(saturation(value), x, on_pillow) <= 1
    exact = exact_saturation(x, value)
    ours = ik.Pipeline.from_torchvision(saturation(value))(x, key=0)
    assert np.abs(ours - exact).max() < 0.75  # weights of the gray value have more digits
    assert np.abs(on_tensors(saturation(value), x) - exact).max() > 1


@pytest.mark.parametrize("value", [0.0, 0.5, 0.9, 1.5, 2.0])
def test_other_saturations_agree(value):
    for run in (on_tensors, on_pillow):
        assert apart(saturation(value), noise(), run) <= 1


@pytest.mark.parametrize("value", [-0.5, -0.3, -0.1, 0.02, 0.1, 0.25, 0.4, 0.5])
def test_hue_on_pillow_images_has_8_bits(value):
    """Pillow's HSV has 256 hues; imgkit and torchvision on tensors compute them in floats."""
    hue = v2.ColorJitter(hue=(value, value))
    assert apart(hue, noise(), on_tensors) <= 1
    assert apart(hue, noise(), on_pillow) <= 16
    assert apart(hue, photograph(), on_pillow) <= 2


@pytest.mark.parametrize("size", [(20, 31), (90, 100), (70, 31)])
def test_bicubic_without_antialias_is_exact_in_floats_only(size):
    """torch's kernel for bytes is as far from its own floats; imgkit rounds those."""
    x, plain = noise(), v2.Resize(size, BICUBIC, antialias=False)
    assert 10 < apart(plain, x, on_tensors) <= 36
    assert apart(plain, photograph(), on_tensors) <= 1
    floats = np.clip(on_tensors(plain, x.astype(np.float64)), 0, 255)
    ours = ik.Pipeline.from_torchvision(plain)(x, key=0)
    assert np.abs(ours - floats).max() < 0.51
    for run in (on_tensors, on_pillow):
        assert apart(v2.Resize(size, BICUBIC), x, run) <= 1


def test_antialias_false_is_ignored_for_pillow_images():
    """By torchvision, which warns; imgkit does what the argument says."""
    plain = v2.Resize((20, 31), antialias=False)
    assert apart(plain, noise(), on_tensors) <= 1
    assert apart(plain, noise(), on_pillow) > 50
    assert np.array_equal(
        on_pillow(plain, noise()), on_pillow(v2.Resize((20, 31), antialias=True), noise())
    )
