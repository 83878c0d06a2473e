"""Pooling, window by window."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from imgkit.image import Array

REDUCE: dict[str, Callable[..., Any]] = {
    "max": np.max,
    "min": np.min,
    "avg": np.mean,
    "median": np.median,
}


def max_pool(
    image: Array,
    size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil: bool = False,
) -> Array:
    """Largest value of each window; padding never wins."""
    rows, columns = _windows(image, size, stride, padding, dilation, ceil)
    return _pool(image, _inside(rows, image.shape[0]), _inside(columns, image.shape[1]), "max")


def min_pool(
    image: Array,
    size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil: bool = False,
) -> Array:
    """Smallest value of each window; padding never wins."""
    rows, columns = _windows(image, size, stride, padding, dilation, ceil)
    return _pool(image, _inside(rows, image.shape[0]), _inside(columns, image.shape[1]), "min")


def avg_pool(
    image: Array,
    size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil: bool = False,
    count_include_pad: bool = True,
) -> Array:
    """Mean of each window over the image and its zero padding, or over the image alone."""
    rows, columns = _windows(image, size, stride, padding, dilation, ceil)
    if not count_include_pad:
        return _pool(image, _inside(rows, image.shape[0]), _inside(columns, image.shape[1]), "avg")
    top, left = _pair(padding)
    padded = np.pad(image, ((top, top), (left, left), (0, 0)))
    rows = _inside([[row + top for row in window] for window in rows], padded.shape[0])
    columns = _inside([[column + left for column in window] for window in columns], padded.shape[1])
    return _pool(padded, rows, columns, "avg")


def median_pool(
    image: Array,
    size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil: bool = False,
) -> Array:
    """Median of the elements of each window that lie in the image."""
    rows, columns = _windows(image, size, stride, padding, dilation, ceil)
    return _pool(image, _inside(rows, image.shape[0]), _inside(columns, image.shape[1]), "median")


def global_pool(image: Array, kind: str) -> Array:
    """One value a channel."""
    return REDUCE[kind](image, axis=(0, 1), keepdims=True)


def adaptive_pool(image: Array, output_size: Any, kind: str) -> Array:
    """Windows from floor(i n / out) to ceil((i + 1) n / out)."""
    rows, columns = (
        [list(range(i * n // out, -((i + 1) * n // -out))) for i in range(out)]
        for n, out in zip(image.shape[:2], _pair(output_size), strict=True)
    )
    return _pool(image, rows, columns, kind)


def _pool(image: Array, rows: list[list[int]], columns: list[list[int]], kind: str) -> Array:
    """Reduce every window, given as its rows and its columns."""
    empty = {"max": -np.inf, "min": np.inf, "avg": 0.0, "median": 0.0}[kind]
    result = np.full((len(rows), len(columns), image.shape[2]), empty)
    for (i, row), (j, column) in itertools.product(enumerate(rows), enumerate(columns)):
        if row and column:
            result[i, j] = REDUCE[kind](image[np.ix_(row, column)], axis=(0, 1))
    return result


def _windows(
    image: Array, size: Any, stride: Any, padding: Any, dilation: Any, ceil: bool
) -> tuple[list[list[int]], list[list[int]]]:
    """Positions of the elements of every window, on rows and on columns; some lie outside."""
    stride = size if stride is None else stride
    pairs = (_pair(value) for value in (size, stride, padding, dilation))
    rows, columns = (
        _axis(n, k, s, p, d, ceil) for n, k, s, p, d in zip(image.shape[:2], *pairs, strict=True)
    )
    return rows, columns


def _axis(
    length: int, size: int, stride: int, padding: int, dilation: int, ceil: bool
) -> list[list[int]]:
    """Positions of the elements of every window of one axis."""
    windows: list[list[int]] = []
    end = length + padding  # one past the last padded element
    start = -padding
    while True:
        last = start + (size - 1) * dilation
        hangs_over = last >= end
        # With ceil the stride's last, incomplete step counts, unless it starts in the padding.
        if hangs_over and not (ceil and last - stride < end - 1 and start < length):
            return windows
        windows.append([start + j * dilation for j in range(size)])
        start += stride


def _inside(windows: list[list[int]], length: int) -> list[list[int]]:
    """Drop the positions that lie outside an axis."""
    return [[i for i in window if 0 <= i < length] for window in windows]


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if np.isscalar(value) else tuple(value)
