"""Layouts: channels first or last, red or blue first; views where nothing must be copied."""

import numpy as np
import pytest
import torch

from imgkit.torch import bgr_to_rgb, rgb_to_bgr, to_chw, to_hwc

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 16, 20, 3), np.uint8)


def batch():
    return torch.from_numpy(IMAGES).permute(0, 3, 1, 2)


def test_layouts_are_views_and_come_back():
    x = batch()
    for last in (IMAGES, torch.from_numpy(IMAGES)):
        first = to_chw(last)
        assert tuple(first.shape) == (5, 3, 16, 20)
        assert type(first) is type(last)
        np.testing.assert_array_equal(np.asarray(to_hwc(first)), IMAGES)
    assert to_chw(torch.from_numpy(IMAGES)).data_ptr() == torch.from_numpy(IMAGES).data_ptr()
    assert to_chw(IMAGES[0, :, :, 0]).shape == (1, 16, 20)
    assert to_hwc(x[0, 0]).shape == (16, 20, 1)
    np.testing.assert_array_equal(bgr_to_rgb(IMAGES), IMAGES[..., ::-1])
    torch.testing.assert_close(to_hwc(rgb_to_bgr(x)), to_hwc(x).flip(-1), rtol=0, atol=0)


def test_what_has_no_layout_says_why():
    with pytest.raises(TypeError, match="x is a list: pass an array or a tensor"):
        to_chw([1])
    with pytest.raises(ValueError, match=r"x has shape \(3,\): an image has"):
        to_hwc(np.zeros(3))
    with pytest.raises(ValueError, match=r"x has shape \(1, 4, 4\): colors are \(..., 3, H, W\)"):
        bgr_to_rgb(torch.zeros(1, 4, 4))
