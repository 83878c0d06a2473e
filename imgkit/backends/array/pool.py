"""Pooling on NumPy arrays of any number of axes.

Maximum, minimum and sum are separable: one axis after the other, a few passes of whole rows each.
A median goes through OpenCV's filter where that has the same windows, else through a sorting
network, one pass of whole rows for each comparator. Work runs in
strips of the first pooled axis, so that intermediates stay in the cache and take no memory.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from imgkit.backends.array.blur import median_blur
from imgkit.backends.array.primitives.medians import (
    GATHERED,
    NETWORK_TAPS,
    adaptive_median,
    median_of,
    taps_of,
)
from imgkit.backends.array.primitives.pool_windows import (
    Axes,
    Line,
    along,
    as_lines,
    at,
    by_strips,
    highest,
    lowest,
    padded,
    rows_in_cache,
    running_windows,
)
from imgkit.image import Array, full_range, saturate

# Measured by `python -m benchmarks pool`: the 2048x1536x3 cases for strips (whole images take
# twice as long, page faults included), 1024x1024x3 against 256x256x64 for rows, 1024x1024 for
# wide items, "median" for taps.
STRIP_BYTES = 1 << 21  # input of one strip
ROW_BYTES = 1 << 10  # rows this long are combined window by window, shorter ones at every position
WIDE_ITEM = 4  # bytes; numbers this wide are combined with gaps between them as fast as without
FLOATS = 1024  # a sum of more is kept in float64: 16 million in float32 lose the sixth digit
TAP_BYTES = 1 << 17  # one element of every window, in a strip of a median


def max_pool(
    x: Array, axes: Axes, size: Axes, stride: Axes, padding: Axes, dilation: Axes, windows: Axes
) -> Array:
    """Largest value of each window."""
    lines = as_lines(size, stride, padding, dilation, windows)
    return _extreme(x, axes, lines, np.maximum)


def min_pool(
    x: Array, axes: Axes, size: Axes, stride: Axes, padding: Axes, dilation: Axes, windows: Axes
) -> Array:
    """Smallest value of each window."""
    lines = as_lines(size, stride, padding, dilation, windows)
    return _extreme(x, axes, lines, np.minimum)


def avg_pool(
    x: Array,
    axes: Axes,
    size: Axes,
    stride: Axes,
    padding: Axes,
    dilation: Axes,
    windows: Axes,
    count_include_pad: bool,
) -> Array:
    """Mean of each window."""
    lines = as_lines(size, stride, padding, dilation, windows)
    pads = padding if count_include_pad else (0,) * len(axes)
    divisors = [
        along(np.maximum(line.inside(-pad, x.shape[axis] + pad), 1), axis, x.ndim)
        for axis, line, pad in zip(axes, lines, pads, strict=True)
    ]
    total = _sum_dtype(x.dtype, math.prod(size))
    quotient = _quotient_dtype(x.dtype, math.prod(size))

    def mean(tile: Array, lines: list[Line], strip: slice) -> Array:
        sums = tile.astype(total, copy=False)
        for axis, line in zip(axes, lines, strict=True):
            sums = _reduce(sums, axis, line, np.add, 0)
        first = divisors[0][at(axes[0], strip)]
        divisor = functools.reduce(np.multiply, divisors[1:], first).astype(quotient)
        sums = sums.astype(quotient, copy=False)
        sums /= divisor.flat[0] if divisor.min() == divisor.max() else divisor
        return saturate(sums, x.dtype)

    with np.errstate(invalid="ignore", over="ignore"):  # sums of infinities
        return by_strips(x, axes, lines, _strip_rows(x, axes, lines), mean)


def median_pool(
    x: Array, axes: Axes, size: Axes, stride: Axes, padding: Axes, dilation: Axes, windows: Axes
) -> Array:
    """Median of the elements of each window that exist."""
    lines = as_lines(size, stride, padding, dilation, windows)
    if (blurred := _blurred(x, axes, lines)) is not None:
        return blurred

    def median(tile: Array, lines: list[Line], strip: slice) -> Array:
        counts = [
            along(line.inside(0, tile.shape[axis]), axis, x.ndim)
            for axis, line in zip(axes, lines, strict=True)
        ]
        return median_of(taps_of(tile, axes, lines), counts)

    taps = math.prod(size)
    tap_bytes = TAP_BYTES if taps <= NETWORK_TAPS else GATHERED // taps
    rows = rows_in_cache(x, axes, lines, tap_bytes * math.prod(stride))
    return by_strips(x, axes, lines, rows, median)


def global_pool(x: Array, kind: str, axes: Axes) -> Array:
    """One value for all of `axes`, which stay with length 1."""
    return adaptive_pool(x, kind, axes, (1,) * len(axes))


def adaptive_pool(x: Array, kind: str, axes: Axes, output: Axes) -> Array:
    """Windows from floor(i n / output) to ceil((i + 1) n / output)."""
    spans = [_adaptive_spans(x.shape[a], n) for a, n in zip(axes, output, strict=True)]
    if kind == "median":
        return adaptive_median(x, axes, spans)
    if kind in ("max", "min"):
        for axis, span in zip(axes, spans, strict=True):
            x = _reduce_spans(x, axis, span, np.maximum if kind == "max" else np.minimum)
        return x
    # Windows may be the whole image: sums of floats are kept in float64.
    widest = math.prod(max(s.stop - s.start for s in span) for span in spans)
    total = np.dtype(np.float64) if x.dtype.kind == "f" else _sum_dtype(x.dtype, widest)
    with np.errstate(invalid="ignore", over="ignore"):
        sums = x
        for axis, span in zip(axes, spans, strict=True):
            sums = _reduce_spans(sums, axis, span, np.add, total)
        # one exact count: dividing by the lengths of the axes in turn would round ties both ways
        counts = [
            along(np.array([float(s.stop - s.start) for s in span]), axis, x.ndim)
            for axis, span in zip(axes, spans, strict=True)
        ]
        means = sums / functools.reduce(np.multiply, counts)
    return saturate(means, x.dtype)


# --- strips -----------------------------------------------------------------------------


def _strip_rows(x: Array, axes: Axes, lines: list[Line]) -> int:
    """Return the rows that fit the cache, but enough that two strips share less than half."""
    return max(rows_in_cache(x, axes, lines, STRIP_BYTES), 2 * lines[0].size * lines[0].dilation)


def _extreme(x: Array, axes: Axes, lines: list[Line], ufunc: np.ufunc) -> Array:
    fill = highest(x.dtype) if ufunc is np.minimum else lowest(x.dtype)

    def extreme(tile: Array, lines: list[Line], strip: slice) -> Array:
        for axis, line in zip(axes, lines, strict=True):
            tile = _reduce(tile, axis, line, ufunc, fill)
        return tile

    return by_strips(x, axes, lines, _strip_rows(x, axes, lines), extreme)


# --- medians by OpenCV ------------------------------------------------------------------


def _blurred(x: Array, axes: Axes, lines: list[Line]) -> Array | None:
    """Blur by the median and keep every stride-th pixel; None where that is not the same."""
    if not _is_blur(x, axes, lines):
        return None
    first, half = axes[0], lines[0].size // 2
    height, width = x.shape[first : first + 2]
    images = x.reshape(-1, height, width, math.prod(x.shape[first + 2 :]))
    rows, columns = (slice(half, half + n.end - n.size + 1, n.stride) for n in lines)
    kept = median_blur(images, lines[0].size, "edge", 0.0)[:, rows, columns]
    return np.ascontiguousarray(kept).reshape(
        *x.shape[:first], *kept.shape[1:3], *x.shape[first + 2 :]
    )


def _is_blur(x: Array, axes: Axes, lines: list[Line]) -> bool:
    """Return whether `median_blur` has the same windows, and is fast: `benchmarks pool`, "median".

    It took a tenth of the time of the networks at 3x3 and stride 1 or 2; from where it throws
    away half the taps it won nothing. OpenCV's comparisons lose NaN.
    """
    size = lines[0].size
    stride = math.prod(line.stride for line in lines)
    return (
        x.size > 0
        and len(axes) == 2
        and axes[1] == axes[0] + 1
        and size % 2 == 1
        and _blurs_fast(x.dtype, size, stride)
        and all(
            line.size == size
            and line.dilation == 1
            and line.first == 0
            and line.end <= x.shape[axis]
            for axis, line in zip(axes, lines, strict=True)
        )
        and not (x.dtype.kind == "f" and np.isnan(x.max()))
    )


def _blurs_fast(dtype: np.dtype[Any], size: int, stride: int) -> bool:
    """Return whether the blur at every position is faster than the windows on their own."""
    if (dtype == np.uint8 and size > 1) or (dtype != np.float64 and size in (3, 5)):
        return 2 * stride <= size * size
    return stride == 1 and size * size > NETWORK_TAPS


# --- one axis ---------------------------------------------------------------------------


def _reduce(x: Array, axis: int, line: Line, ufunc: np.ufunc, fill: float) -> Array:
    """Combine the elements of each window of one axis; positions outside hold `fill`."""
    x, line = padded(x, axis, line, fill)
    row_bytes = math.prod(x.shape[axis + 1 :]) * x.itemsize
    dense_passes = (line.size - 1).bit_length() * line.stride
    if line.size == 1 or (row_bytes >= ROW_BYTES and line.size - 1 <= dense_passes):
        return _combine_blocks(x, axis, line, ufunc)
    if axis == x.ndim - 1 and x.itemsize >= WIDE_ITEM and line.size - 1 <= line.stride:
        taps = (x[..., line.tap(j)] for j in range(line.size))
        return functools.reduce(ufunc, taps)
    used = x[at(axis, slice(line.first, line.end))]
    running = running_windows(used, axis, line.size, line.dilation, ufunc)
    return _every(running, axis, line.stride)


def _combine_blocks(x: Array, axis: int, line: Line, ufunc: np.ufunc) -> Array:
    """Combine the elements of each window, read side by side from rows that may overlap."""
    if line.size == 2:
        return np.asarray(ufunc(x[at(axis, line.tap(0))], x[at(axis, line.tap(1))]))
    step = x.strides[axis]
    used = x[at(axis, slice(line.first, line.end))]
    shape = (*x.shape[:axis], line.windows, line.size, *x.shape[axis + 1 :])
    split = (step * line.stride, step * line.dilation)
    strides = (*x.strides[:axis], *split, *x.strides[axis + 1 :])
    blocks = np.lib.stride_tricks.as_strided(used, shape, strides, writeable=False)
    return np.asarray(ufunc.reduce(blocks, axis=axis + 1, dtype=x.dtype))


def _every(x: Array, axis: int, stride: int) -> Array:
    """Keep every stride-th position of an axis."""
    if stride == 1:
        return x
    if x.shape[axis + 1 :] == (3,):
        # One long loop for each color, instead of a short one for each pixel.
        kept = np.empty((*x.shape[:axis], -(-x.shape[axis] // stride), 3), x.dtype)
        for color in range(3):
            kept[..., color] = x[..., ::stride, color]
        return kept
    if x.ndim - axis == 1:
        return x[..., ::stride].copy()
    return x.take(np.arange(0, x.shape[axis], stride), axis=axis)


def _adaptive_spans(length: int, count: int) -> list[slice]:
    return [slice(i * length // count, -((i + 1) * length // -count)) for i in range(count)]


def _reduce_spans(
    x: Array, axis: int, spans: list[slice], ufunc: np.ufunc, dtype: np.dtype[Any] | None = None
) -> Array:
    """Combine the elements of each span of an axis."""
    results = [ufunc.reduce(x[at(axis, s)], axis=axis, keepdims=True, dtype=dtype) for s in spans]
    return np.concatenate(results, axis=axis)


def _sum_dtype(dtype: np.dtype[Any], elements: int) -> np.dtype[Any]:
    """Where the sum of so many elements fits: floats, up to a number of them, as they are."""
    if dtype.kind == "f":
        return np.dtype(np.float64) if elements > FLOATS else dtype
    return np.dtype(np.min_scalar_type(int(full_range(dtype)) * elements))


def _quotient_dtype(dtype: np.dtype[Any], elements: int) -> np.dtype[Any]:
    """Where a mean of so many integers is close enough to round the right way.

    A mean that is not a tie lies at least 1 / (2 elements) away from one; float32 is off by at most
    2**-24 of full range, and a tie is exact in it.
    """
    if dtype.kind == "f":
        return _sum_dtype(dtype, elements)
    return np.dtype(np.float32 if full_range(dtype) * elements < 1 << 23 else np.float64)
