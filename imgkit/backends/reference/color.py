"""Color in float64: one image (H, W, C), `top` is the value of full intensity.

Results are clipped to 0..top where the operation clips, and not rounded.
"""

from __future__ import annotations

import numpy as np

from imgkit.image import Array
from imgkit.stages import LUMA


def adjust_brightness(x: Array, factor: float, top: float) -> Array:
    """Scale."""
    return np.clip(factor * x, 0, top)


def adjust_contrast(x: Array, factor: float, top: float) -> Array:
    """Blend with the mean of the gray image."""
    return np.clip(factor * x + (1 - factor) * grayscale(x).mean(), 0, top)


def adjust_saturation(x: Array, factor: float, top: float) -> Array:
    """Blend with the gray image."""
    if x.shape[-1] == 1:
        return x
    return np.clip(factor * x + (1 - factor) * grayscale(x)[..., None], 0, top)


def grayscale(x: Array, keep_channels: bool = False) -> Array:
    """Return luma (H, W), or (H, W, C)."""
    gray = x @ np.array(LUMA) if x.shape[-1] == 3 else x[..., 0]
    return np.repeat(gray[..., None], x.shape[-1], axis=-1) if keep_channels else gray


def adjust_hue(x: Array, shift: float) -> Array:
    """Turn the hue: to the HSV hexagon and back."""
    if x.shape[-1] == 1:
        return x
    value, chroma = x.max(-1), np.ptp(x, axis=-1)
    sector = (_sector(x, value, chroma) + 6 * shift) % 6

    def channel(n: int) -> Array:
        distance = (n + sector) % 6
        return value - chroma * np.clip(np.minimum(distance, 4 - distance), 0, 1)

    return np.stack([channel(5), channel(3), channel(1)], axis=-1)


def _sector(x: Array, value: Array, chroma: Array) -> Array:
    """Return the hue in sixths of a turn; 0 where there is none."""
    red, green, blue = np.moveaxis(x, -1, 0)
    divisor = np.where(chroma == 0, 1, chroma)
    return np.select(
        [chroma == 0, value == red, value == green],
        [0.0, (green - blue) / divisor, 2 + (blue - red) / divisor],
        4 + (red - green) / divisor,
    )
