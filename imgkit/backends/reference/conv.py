"""Convolution as its definition says, one tap at a time.

Every mode is a window on the same endless sum: the image is continued by its border, the
kernel's flipped copy slides over it, and `mode` says at which positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np

from imgkit.border import source_index
from imgkit.image import Array


def convolve(
    x: Array,
    kernel: Array,
    mode: str = "same",
    *,
    border: str = "constant",
    value: float = 0.0,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    axes: Sequence[int] | None = None,
) -> Array:
    """Sum kernel[j] * x[i - j]; `axes` defaults to the kernel's number of leading axes."""
    kernel = np.asarray(kernel, np.float64)
    flipped = kernel[(slice(None, None, -1),) * kernel.ndim]
    return correlate(
        x, flipped, mode, border=border, value=value, stride=stride, dilation=dilation, axes=axes
    )


def correlate(
    x: Array,
    kernel: Array,
    mode: str = "same",
    *,
    border: str = "constant",
    value: float = 0.0,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    axes: Sequence[int] | None = None,
) -> Array:
    """Sum kernel[j] * x[i + j - before], where `before` puts ``same`` in the middle of ``full``."""
    kernel = np.asarray(kernel, np.float64)
    rank = kernel.ndim
    axes = range(rank) if axes is None else axes
    strides = np.broadcast_to(stride, rank)
    dilations = np.broadcast_to(dilation, rank)
    image = np.moveaxis(np.asarray(x, np.float64), axes, range(rank))
    starts, counts = [], []
    for size, taps, step in zip(image.shape, kernel.shape, dilations, strict=False):
        reach = (taps - 1) * step  # pixels beyond the first that the kernel covers
        starts.append({"valid": 0, "same": -(reach - reach // 2), "full": -reach}[mode])
        counts.append({"valid": size - reach, "same": size, "full": size + reach}[mode])
    kept = [range(0, n, s) for n, s in zip(counts, strides, strict=True)]
    total = np.zeros([len(k) for k in kept] + list(image.shape[rank:]))
    for tap in product(*(range(n) for n in kernel.shape)):
        positions = [np.array(kept[a]) + starts[a] + tap[a] * dilations[a] for a in range(rank)]
        total += kernel[tap] * look_up(image, positions, border, value)
    return np.moveaxis(total, range(rank), axes)


def look_up(image: Array, positions: Sequence[Array], border: str, value: float) -> Array:
    """Pixels at positions on the leading axes of an image continued by its border."""
    for axis, position in enumerate(positions):
        index = source_index(position, image.shape[axis], border)
        image = np.take(image, np.maximum(index, 0), axis)
        outside = (index < 0).reshape([-1 if a == axis else 1 for a in range(image.ndim)])
        image = np.where(outside, value, image)
    return image
