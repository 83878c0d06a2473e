"""Blurs and sharpening on tensors."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from imgkit.backends.array.medians import selection_network
from imgkit.backends.tensor.numpy_view import viewed
from imgkit.backends.tensor.pixels import along, constant, extend, margin, movable, work
from imgkit.image import saturate
from imgkit.kernels import gaussian_taps

NETWORK_TAPS = 25  # benchmarks/tensor.py: 3x3 takes a fifth of the time of sorting on floats
MEDIAN_VALUES = 1 << 27  # of windows sorted at a time: memory, not speed, is the limit


@viewed()
def gaussian_blur(x: Tensor, sigma: float, border: str, value: float, truncate: float) -> Tensor:
    """Correlate rows and columns with Gaussian taps."""
    taps = gaussian_taps(sigma, 2 * int(truncate * sigma + 0.5) + 1)
    return saturate(_gaussian(work(x), taps, border, value), x.dtype)


def _gaussian(floats: Tensor, taps: np.ndarray, border: str, value: float) -> Tensor:
    """Return the blurred floats."""
    line = constant(taps, floats)
    return along(along(margin(floats, len(taps) // 2, border, value), line, 3), line, 2)


@viewed()
def sharpen(x: Tensor, amount: float, sigma: float, border: str, value: float) -> Tensor:
    """Add `amount` times the difference to the blurred image."""
    floats = work(x)
    blurred = _gaussian(floats, gaussian_taps(sigma), border, value)
    return saturate(floats + amount * (floats - blurred), x.dtype)


@viewed()
def box_blur(x: Tensor, size: tuple[int, int], border: str, value: float) -> Tensor:
    """Return the mean of every window; an even one reaches one pixel further up and left."""
    p = extend(work(x, exact=True), [(n // 2, (n - 1) // 2) for n in size], border, value)
    for axis, n in enumerate(size, 2):
        p = along(p, p.new_ones(n), axis)
    return saturate(p / math.prod(size), x.dtype)


@viewed()
def median_blur(x: Tensor, size: int, border: str, value: float) -> Tensor:
    """Return the median of every window: by a network of minima and maxima, or sorted."""
    pixels = movable(x)
    if size * size <= NETWORK_TAPS:
        return _by_network(margin(pixels, size // 2, border, value), size).to(x.dtype)
    if x.dtype in (torch.float16, torch.bfloat16):
        pixels = work(x)
    step = max(1, MEDIAN_VALUES // (size * size * math.prod(x.shape[1:])))
    parts = [
        margin(part, size // 2, border, value)
        .unfold(2, size, 1)
        .unfold(3, size, 1)
        .flatten(4)
        .median(-1)
        .values
        for part in pixels.split(step)
    ]
    return torch.cat(parts).to(x.dtype)


def _by_network(framed: Tensor, size: int) -> Tensor:
    """Return the median of every window, one whole shifted image a tap."""
    height, width = (n - size + 1 for n in framed.shape[2:])
    wires = [framed[:, :, dy : dy + height, dx : dx + width] for dy, dx in np.ndindex(size, size)]
    middle = len(wires) // 2
    for i, j, keep_low, keep_high in selection_network(len(wires), frozenset({middle})):
        low, high = wires[i], wires[j]
        if keep_low:
            wires[i] = torch.minimum(low, high)
        if keep_high:
            wires[j] = torch.maximum(low, high)
    return wires[middle].clone()


@viewed(together=True)
def bilateral_blur(
    x: Tensor, sigma_color: float, sigma_space: float, border: str, value: float, truncate: float
) -> Tensor:
    """Average neighbors weighted by distance in space and color: one shifted image an offset."""
    radius = max(1, int(truncate * sigma_space + 0.5))
    center = work(x)
    framed = margin(center, radius, border, value)
    height, width = x.shape[2:]
    total, weights = torch.zeros_like(center), torch.zeros_like(center[:, :1])
    for dy, dx in np.ndindex(2 * radius + 1, 2 * radius + 1):
        away = (dy - radius) ** 2 + (dx - radius) ** 2
        if away > radius**2:
            continue
        shifted = framed[:, :, dy : dy + height, dx : dx + width]
        color = (shifted - center).abs().sum(1, keepdim=True) / sigma_color
        weight = torch.exp(-0.5 * (color * color + away / sigma_space**2))
        total = total + weight * shifted
        weights = weights + weight
    return saturate(total / weights, x.dtype)
