"""Convolution as a dense matrix, column by column."""

from __future__ import annotations

from typing import Any

import numpy as np

from imgkit.image import Array


def convolution_matrix(
    kernel: Array, shape: tuple[int, ...], mode: str = "same", border: str = "constant"
) -> Array:
    """Return the dense matrix: each column is the convolution of an image of one lit pixel."""
    columns = []
    for pixel in np.ndindex(*shape):
        lit = np.zeros(shape)
        lit[pixel] = 1
        columns.append(_convolve(lit, kernel, mode, border).ravel())
    return np.stack(columns, axis=1)


def _convolve(x: Array, kernel: Array, mode: str, border: str) -> Array:
    """Convolve by adding the continued image, shifted, once for each tap."""
    change = {"full": 1, "same": 0, "valid": -1}[mode]
    size = [n + change * (k - 1) for n, k in zip(x.shape, kernel.shape, strict=True)]
    pad_mode: Any = border
    padded = np.pad(x, [(k - 1, k - 1) for k in kernel.shape], mode=pad_mode)
    y = np.zeros(size)
    for tap in np.ndindex(*kernel.shape):
        # output o, tap t shows x[o + start - t]; `padded` begins k - 1 pixels before x
        first = [k - 1 + _start(k, mode) - t for k, t in zip(kernel.shape, tap, strict=True)]
        window = tuple(slice(f, f + n) for f, n in zip(first, size, strict=True))
        y += kernel[tap] * padded[window]
    return y


def _start(taps: int, mode: str) -> int:
    """Return which output of `full` comes first."""
    return {"full": 0, "same": (taps - 1) // 2, "valid": taps - 1}[mode]
