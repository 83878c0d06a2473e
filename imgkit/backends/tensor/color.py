"""Color and tone on tensors; `clahe` on the host."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from imgkit.backends.array.color import LUMA
from imgkit.backends.tensor.numpy_view import on_host, ordered, viewed
from imgkit.backends.tensor.pixels import clip, constant, movable, work
from imgkit.image import float_dtype, full_range, saturate


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


@viewed()
def adjust_gamma(x: Tensor, gamma: float, gain: float) -> Tensor:
    """Raise to a power; the gradient at 0, which may be infinite, is 0."""
    top = full_range(x.dtype)
    fraction = work(x) / top
    lit = ~(fraction <= 0)  # also NaN, which stays NaN
    power = torch.where(lit, torch.where(lit, fraction, 1.0) ** gamma, 0.0 if gamma else 1.0)
    return saturate((gain * power).clamp(0, 1) * top, x.dtype)


@viewed()
def invert(x: Tensor) -> Tensor:
    """Return full intensity minus x."""
    if x.is_floating_point():
        return 1 - x
    return (int(full_range(x.dtype)) - movable(x)).to(x.dtype)


@viewed()
def posterize(x: Tensor, bits: int) -> Tensor:
    """Keep the highest bits."""
    if x.is_floating_point():
        steps = 2**bits
        return ((work(x) * steps).floor().clamp(0, steps - 1) / steps).to(x.dtype)
    levels = int(full_range(x.dtype)) + 1
    return (movable(x) & (levels - levels // 2**bits)).to(x.dtype)


@viewed()
def solarize(x: Tensor, threshold: float) -> Tensor:
    """Invert at and above a threshold."""
    values = movable(x)
    top = full_range(x.dtype)
    inverse = top - values if x.is_floating_point() else int(top) - values
    return torch.where(values >= threshold, inverse, values).to(x.dtype)


@viewed()
def equalize(x: Tensor) -> Tensor:
    """Flatten each channel's histogram of 256 bins."""
    top = full_range(x.dtype)
    position = (work(x) * (255 / top)).clamp(0, 255).flatten(2)
    known = position.detach().nan_to_num(0.0)  # NaN counts and reads as 0, and stays NaN
    level = known.round().to(torch.int64)
    counts = torch.zeros(*x.shape[:2], 256, dtype=torch.int64, device=x.device)
    counts = counts.scatter_add(2, level, torch.ones_like(level))
    table = _equalizing(counts).to(position.dtype)
    rise = torch.cat([table[..., 1:] - table[..., :-1], torch.zeros_like(table[..., :1])], -1)
    base = known.floor().to(torch.int64)
    value = table.gather(2, base) + (position - base) * rise.gather(2, base)
    return saturate((value * (top / 255)).reshape(x.shape), x.dtype)


def _equalizing(counts: Tensor) -> Tensor:
    """Return Pillow's equalizing tables (N, C, 256) of histograms."""
    level = torch.arange(256, device=counts.device)
    brightest = torch.where(counts > 0, level, 0).amax(-1, keepdim=True)
    step = (counts.sum(-1, keepdim=True) - counts.gather(-1, brightest)) // 255
    below = counts.cumsum(-1) - counts
    table = ((below + step // 2) // step.clamp(min=1)).clamp(max=255)
    return torch.where(step == 0, level, table)


@viewed()
def autocontrast(x: Tensor) -> Tensor:
    """Stretch each channel to the full range."""
    values = work(x)
    low, high = values.amin((2, 3), keepdim=True), values.amax((2, 3), keepdim=True)
    flat = high == low
    top = full_range(x.dtype)
    stretched = (values - low) * (top / torch.where(flat, 1.0, high - low))
    return saturate(torch.where(flat, values, clip(stretched, x.dtype)), x.dtype)


@ordered
def normalize(x: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Return ``(x / full - mean) / std`` as floats, on planes in place of pixels."""
    top, floats = full_range(x.dtype), work(x)
    low = constant([top * m for m in mean], floats).reshape(1, -1, 1, 1)
    scale = constant([1 / (top * s) for s in std], floats).reshape(1, -1, 1, 1)
    return (floats - low) * scale


@viewed()
def to_float(x: Tensor) -> Tensor:
    """Return fractions of full range."""
    top = full_range(x.dtype)
    return x.to(float_dtype(x.dtype), copy=True) if top == 1 else work(x) / top


@viewed()
def to_uint8(x: Tensor) -> Tensor:
    """Return the nearest 8-bit image."""
    if x.dtype == torch.uint8:
        return x.clone()
    return saturate((work(x) * (255 / full_range(x.dtype))), torch.uint8)


clahe = on_host("color", "clahe", keeps=True)  # its tiles are OpenCV's
