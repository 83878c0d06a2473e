"""Tone on tensors; `clahe` on the host."""

from __future__ import annotations

import torch
from torch import Tensor

from imgkit.backends.tensor.numpy_view import on_host, ordered, viewed
from imgkit.backends.tensor.primitives.pixels import clip, movable, work
from imgkit.backends.tensor.primitives.upload import constant
from imgkit.image import float_dtype, full_range, saturate


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
    """Keep the highest bits; 8 of them are all."""
    if bits == 8:
        return x.clamp(0, 1) if x.is_floating_point() else x.clone()
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
    table = _equalizing(counts)
    rest = position - level  # what lies beside a level is kept where the curve moves
    beside = (level + torch.where(rest < 0, -1, 1)).clamp(0, 255)
    value = table.gather(2, level)
    value = value + rest * (table.gather(2, beside) != value)
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


clahe = on_host("tone", "clahe", keeps=True)  # its tiles are OpenCV's
