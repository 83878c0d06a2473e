"""Color on tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from imgkit.backends.tensor.numpy_view import ordered, viewed
from imgkit.backends.tensor.primitives.pixels import clip, work
from imgkit.image import saturate
from imgkit.stages import LUMA


def _luma(x: Tensor) -> Tensor:
    """Return the luma (N, 1, H, W) in floats."""
    if x.shape[1] == 1:
        return work(x)
    red, green, blue = work(x).split(1, 1)
    return LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue


def _clipped(values: Tensor, x: Tensor) -> Tensor:
    """Return floats in the range and dtype of `x`."""
    return saturate(clip(values, x.dtype), x.dtype)


@viewed()
def adjust_brightness(x: Tensor, factor: float) -> Tensor:
    """Scale."""
    return _clipped(work(x) * factor, x)


@viewed(together=True)
def adjust_contrast(x: Tensor, factor: float) -> Tensor:
    """Scale around each image's gray mean."""
    mean = _luma(x).mean((1, 2, 3), keepdim=True)
    return _clipped(factor * work(x) + (1 - factor) * mean, x)


@viewed(together=True)
def adjust_saturation(x: Tensor, factor: float) -> Tensor:
    """Blend with gray."""
    if x.shape[1] == 1:
        return x.clone()
    return _clipped(factor * work(x) + (1 - factor) * _luma(x), x)


@ordered
def grayscale(x: Tensor, channels: int) -> Tensor:
    """Return luma in 1 or 3 channels; faster on planes than the array backend on pixels."""
    gray: Any = saturate(_luma(x), x.dtype)
    return gray.repeat(1, channels, 1, 1)


@viewed(together=True)
def adjust_hue(x: Tensor, shift: float) -> Tensor:
    """Turn the hue: to the HSV hexagon and back."""
    if x.shape[1] == 1:
        return x.clone()
    rgb = work(x)
    red, green, blue = rgb.unbind(1)
    value, low = rgb.amax(1), rgb.amin(1)
    chroma = value - low
    gray = chroma == 0
    divisor = torch.where(gray, 1.0, chroma)
    sector = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    sector = torch.where(gray, 0.0, sector) + 6 * shift

    def channel(n: int) -> Tensor:
        distance = (n + sector) % 6
        return value - chroma * torch.minimum(distance, 4 - distance).clamp(0, 1)

    return saturate(torch.stack([channel(5), channel(3), channel(1)], 1), x.dtype)
