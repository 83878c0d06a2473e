"""Blurs and sharpening on tensors."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from imgkit.backends.array.primitives.medians import selection_network
from imgkit.backends.tensor.numpy_view import viewed
from imgkit.backends.tensor.primitives.pixels import along, extend, margin, movable, work
from imgkit.backends.tensor.primitives.upload import constant
from imgkit.image import saturate
from imgkit.kernels import gaussian_taps

NETWORK_TAPS = 25  # benchmarks/tensor.py: 3x3 takes a fifth of the time of sorting on floats
MEDIAN_VALUES = 1 << 27  # of windows sorted at a time: memory, not speed, is the limit


@viewed()
def gaussian_blur(
    x: Tensor, sigma: float, border: str = "reflect", value: float = 0.0, truncate: float = 4.0
) -> Tensor:
    """Correlate rows and columns with Gaussian taps."""
    floats = work(x)
    taps = constant(gaussian_taps(sigma, 2 * int(truncate * sigma + 0.5) + 1), floats)
    return saturate(separable(floats, taps, border, value), x.dtype)


def separable(floats: Tensor, taps: Tensor, border: str = "reflect", value: float = 0.0) -> Tensor:
    """Correlate rows and columns with taps (K,), or (N, K) of each sample."""
    return along(along(margin(floats, taps.shape[-1] // 2, border, value), taps, 3), taps, 2)


@viewed()
def sharpen(
    x: Tensor, amount: float, sigma: float = 1.0, border: str = "reflect", value: float = 0.0
) -> Tensor:
    """Add `amount` times the difference to the blurred image."""
    floats = work(x)
    taps = constant(gaussian_taps(sigma), floats)
    return saturate(sharpened(floats, taps, amount, border, value), x.dtype)


def sharpened(
    floats: Tensor, taps: Tensor, amount: Tensor | float, border: str = "reflect", value: float = 0
) -> Tensor:
    """Add `amount`, a number or (N, 1, 1, 1), times the difference to the blurred floats."""
    return floats + amount * (floats - separable(floats, taps, border, value))


@viewed()
def box_blur(
    x: Tensor, size: int | tuple[int, int], border: str = "reflect", value: float = 0.0
) -> Tensor:
    """Return the mean of every window; an even one reaches one pixel further up and left."""
    sides = (size, size) if isinstance(size, int) else size
    framed = extend(work(x, exact=True), [(n // 2, (n - 1) // 2) for n in sides], border, value)
    height, width = (framed.new_ones(n) for n in sides)
    return saturate(window_means(framed, (height, width), math.prod(sides)), x.dtype)


def window_means(framed: Tensor, lines: tuple[Tensor, Tensor], area: Tensor | int) -> Tensor:
    """Return the means of windows; `lines` marks their rows and columns with ones, (K,) or (N, K).

    Args:
        framed: floats, continued as far as the windows reach.
        lines: of rows, then of columns.
        area: pixels of a window, a number or (N, 1, 1, 1).
    """
    for axis, line in enumerate(lines, 2):
        framed = along(framed, line, axis)
    return framed / area


@viewed()
def median_blur(x: Tensor, size: int, border: str = "reflect", value: float = 0.0) -> Tensor:
    """Return the median of every window."""
    return medians(x, size, border, value).to(x.dtype)


def medians(x: Tensor, size: int, border: str = "reflect", value: float = 0.0) -> Tensor:
    """Return the median of every window: by a network of minima and maxima, or sorted."""
    pixels = movable(x)
    if size * size <= NETWORK_TAPS:
        return _by_network(margin(pixels, size // 2, border, value), size)
    if x.dtype in (torch.float16, torch.bfloat16):
        pixels = work(x)
    step = max(1, MEDIAN_VALUES // (size * size * math.prod(x.shape[1:])))
    results = [
        margin(images, size // 2, border, value)
        .unfold(2, size, 1)
        .unfold(3, size, 1)
        .flatten(4)
        .median(-1)
        .values
        for images in pixels.split(step)
    ]
    return torch.cat(results)


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
    x: Tensor,
    sigma_color: float,
    sigma_space: float,
    border: str = "reflect",
    value: float = 0.0,
    truncate: float = 2.0,
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
