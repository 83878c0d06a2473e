"""Saturation, the shear of three points, and labels by area."""

import numpy as np
import pytest


def test_brightness_saturates_where_uint8_wraps(sample, capsys):
    sample("augmentations").saturation()
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[1][3:] == ["100", "200", "255", "255", "255", "255", "saturates"]
    assert rows[2][3:] == ["100", "200", "255", "0", "44", "99", "wraps"]


def test_three_points_make_the_shear(sample, capsys):
    module = sample("augmentations")
    module.three_points(module.photographs()[0])
    printed = capsys.readouterr().out
    assert "0.364" in printed  # the tangent of 20 degrees
    assert "differ by 0" in printed


def test_cutmix_labels_are_shares_of_pixels(sample):
    module = sample("augmentations")
    batch = np.zeros((4, 160, 160, 3), np.uint8) + np.arange(4, dtype=np.uint8)[:, None, None, None]
    mixed = module.cutmix(batch)
    for image, label in zip(mixed["images"], mixed["labels"], strict=True):
        shares = np.bincount(image[..., 0].ravel(), minlength=4) / 160**2
        assert label == pytest.approx(shares, abs=1e-6)
    assert ((mixed["labels"] > 0).sum(1) == 2).all()
