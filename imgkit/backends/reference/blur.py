"""Blurs and sharpening: the image is padded, then every window is summed or sorted."""

from __future__ import annotations

from typing import Any

import numpy as np

from imgkit.border import source_index
from imgkit.image import Array


def gaussian_blur(
    image: Array,
    sigma: float,
    *,
    border: str = "reflect",
    value: float = 0,
    truncate: float = 4,
) -> Array:
    """Mean weighted by a Gaussian of the distance."""
    radius = int(truncate * sigma + 0.5)
    position = np.arange(-radius, radius + 1)
    taps = np.exp(-0.5 * (position / sigma) ** 2) if sigma else np.ones(1)
    weights = np.outer(taps, taps) / taps.sum() ** 2
    windows = _windows(image, (2 * radius + 1,) * 2, border, value)
    return np.asarray(np.einsum("hwcij,ij->hwc", windows, weights))


def box_blur(image: Array, size: Any, *, border: str = "reflect", value: float = 0) -> Array:
    """Plain mean."""
    height, width = (size, size) if isinstance(size, int) else size
    return np.asarray(_windows(image, (height, width), border, value).mean((-1, -2)))


def median_blur(image: Array, size: int, *, border: str = "reflect", value: float = 0) -> Array:
    """Middle value."""
    return np.asarray(np.median(_windows(image, (size, size), border, value), (-1, -2)))


def bilateral_blur(
    image: Array,
    sigma_color: float,
    sigma_space: float,
    *,
    border: str = "reflect",
    value: float = 0,
    truncate: float = 2,
) -> Array:
    """Mean weighted by Gaussians of the distance in space and of that in color (L1)."""
    radius = max(1, int(truncate * sigma_space + 0.5))
    offset = np.arange(-radius, radius + 1)
    away = offset[:, None] ** 2 + offset**2
    near = np.exp(-away / (2 * sigma_space**2)) * (away <= radius**2)
    windows = _windows(image, (2 * radius + 1,) * 2, border, value)
    color = np.abs(windows - image[..., None, None]).sum(2, keepdims=True)
    weights = near * np.exp(-(color**2) / (2 * sigma_color**2))
    return np.asarray((windows * weights).sum((-1, -2)) / weights.sum((-1, -2)))


def sharpen(
    image: Array,
    amount: float = 1.0,
    sigma: float = 1.0,
    *,
    border: str = "reflect",
    value: float = 0,
) -> Array:
    """The image plus `amount` times what the blur took away."""
    return image + amount * (image - gaussian_blur(image, sigma, border=border, value=value))


def _windows(image: Array, size: tuple[int, int], border: str, value: float) -> Array:
    """Return the window around every pixel, (H, W, C, size); even ones reach further up, left."""
    (height, width), (tall, wide) = image.shape[:2], size
    rows = source_index(np.arange(-(tall // 2), height + (tall - 1) // 2), height, border)
    columns = source_index(np.arange(-(wide // 2), width + (wide - 1) // 2), width, border)
    padded = image[rows[:, None], columns].copy()
    padded[rows < 0] = value
    padded[:, columns < 0] = value
    return np.lib.stride_tricks.sliding_window_view(padded, size, (0, 1))
