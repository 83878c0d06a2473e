"""The layer of a network on arrays: neighborhoods laid out as the rows of a matrix product."""

from __future__ import annotations

import numpy as np

from imgkit.border import source_index
from imgkit.image import Array

GATHER_BYTES = 4 << 20  # of the input are laid out for one matrix product


def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None,
    *,
    padding: tuple[tuple[int, int], tuple[int, int]],
    border: str,
    value: float,
    stride: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> Array:
    """Correlate ``(N, H, W, C_in)`` with ``(C_out, C_in / groups, KH, KW)``."""
    y = _padded(np.ascontiguousarray(x, weight.dtype), padding, border, value)
    windows = _windows(y, weight.shape[2:], stride, dilation)  # (N, OH, OW, KH, KW, C_in)
    n, rows, columns = windows.shape[:3]
    out = np.empty((n, rows, columns, len(weight)), weight.dtype)
    inputs, outputs = weight.shape[1], len(weight) // groups
    # Taps before channels: the order in which the pixels lie.
    matrices = [
        group.transpose(2, 3, 1, 0).reshape(-1, outputs) for group in np.split(weight, groups)
    ]
    step = max(1, GATHER_BYTES // (columns * matrices[0].shape[0] * y.itemsize))
    for image, target in zip(windows, out, strict=True):
        for row in range(0, rows, step):
            strip = image[row : row + step]
            for g, matrix in enumerate(matrices):
                laid = strip[..., g * inputs : (g + 1) * inputs].reshape(-1, len(matrix))
                channels = slice(g * outputs, (g + 1) * outputs)
                target[row : row + step, :, channels] = (laid @ matrix).reshape(
                    len(strip), columns, outputs
                )
    return out if bias is None else np.add(out, bias.astype(out.dtype), out=out)


def _padded(
    x: Array, padding: tuple[tuple[int, int], tuple[int, int]], border: str, value: float
) -> Array:
    """Continue H and W of ``(N, H, W, C)`` by a border."""
    if not any(map(any, padding)):
        return x
    for axis, (before, after) in enumerate(padding, 1):
        index = source_index(np.arange(-before, x.shape[axis] + after), x.shape[axis], border)
        x = np.take(x, np.maximum(index, 0), axis)
        if border == "constant":
            x[(slice(None),) * axis + (index < 0,)] = value
    return x


def _windows(
    x: Array, size: tuple[int, ...], stride: tuple[int, int], dilation: tuple[int, int]
) -> Array:
    """View every neighborhood of ``(N, H, W, C)`` as ``(N, OH, OW, KH, KW, C)``."""
    reach = [(k - 1) * d for k, d in zip(size, dilation, strict=True)]
    counts = [-(-(n - r) // s) for n, r, s in zip(x.shape[1:3], reach, stride, strict=True)]
    n, high, wide, c = x.strides
    steps = (n, high * stride[0], wide * stride[1], high * dilation[0], wide * dilation[1], c)
    shape = (len(x), *counts, *size, x.shape[3])
    return np.lib.stride_tricks.as_strided(x, shape, steps, writeable=False)
