"""Pooling on NumPy arrays of any number of axes.

Maximum, minimum and sum are separable: one axis after the other, a few passes of whole rows each.
A median goes through a sorting network, one pass of whole rows for each comparator. Work runs in
strips of the first pooled axis, so that intermediates stay in the cache and take no memory.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit.image import full_range, saturate

Array = npt.NDArray[Any]
Axes = tuple[int, ...]

# Measured by `python -m benchmarks pool`: the 2048x1536x3 cases for strips (whole images take
# twice as long, page faults included), 1024x1024x3 against 256x256x64 for rows, 1024x1024 for
# wide items, "median" for taps.
STRIP_BYTES = 1 << 21  # input of one strip
ROW_BYTES = 1 << 10  # rows this long are combined window by window, shorter ones at every position
WIDE_ITEM = 4  # bytes; numbers this wide are combined with gaps between them as fast as without
TAP_BYTES = 1 << 17  # one element of every window, in a strip of a median
NETWORK_TAPS = 256  # larger medians are partitioned: a network grows with n log² n


class Line(NamedTuple):
    """The windows of one axis: element j of window i is ``first + i * stride + j * dilation``."""

    first: int
    windows: int
    size: int
    stride: int
    dilation: int

    @property
    def end(self) -> int:
        """One past the last element of the last window."""
        return self.first + (self.windows - 1) * self.stride + (self.size - 1) * self.dilation + 1

    def part(self, low: int, high: int) -> Line:
        """Windows `low` to `high` alone."""
        return self._replace(first=self.first + low * self.stride, windows=high - low)

    def tap(self, j: int) -> slice:
        """Element j of every window; nothing may lie outside."""
        start = self.first + j * self.dilation
        return slice(start, start + (self.windows - 1) * self.stride + 1, self.stride)

    def inside(self, low: int, high: int) -> Array:
        """How many elements of each window lie at positions `low` to `high`."""
        starts = self.first + self.stride * np.arange(self.windows)[:, None]
        position = starts + self.dilation * np.arange(self.size)
        return np.asarray(np.count_nonzero((position >= low) & (position < high), axis=1))


def max_pool(
    x: Array, axes: Axes, size: Axes, stride: Axes, padding: Axes, dilation: Axes, windows: Axes
) -> Array:
    """Largest value of each window."""
    lines = _lines(size, stride, padding, dilation, windows)
    return _extreme(x, axes, lines, np.maximum)


def min_pool(
    x: Array, axes: Axes, size: Axes, stride: Axes, padding: Axes, dilation: Axes, windows: Axes
) -> Array:
    """Smallest value of each window."""
    lines = _lines(size, stride, padding, dilation, windows)
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
    lines = _lines(size, stride, padding, dilation, windows)
    pads = padding if count_include_pad else (0,) * len(axes)
    divisors = [
        _along(np.maximum(line.inside(-pad, x.shape[axis] + pad), 1), axis, x.ndim)
        for axis, line, pad in zip(axes, lines, pads, strict=True)
    ]
    total = _sum_dtype(x.dtype, math.prod(size))
    quotient = _quotient_dtype(x.dtype, math.prod(size))

    def mean(part: Array, lines: list[Line], strip: slice) -> Array:
        sums = part.astype(total, copy=False)
        for axis, line in zip(axes, lines, strict=True):
            sums = _reduce(sums, axis, line, np.add, 0)
        first = divisors[0][_at(axes[0], strip)]
        divisor = functools.reduce(np.multiply, divisors[1:], first).astype(quotient)
        sums = sums.astype(quotient, copy=False)
        sums /= divisor.flat[0] if divisor.min() == divisor.max() else divisor
        return saturate(sums, x.dtype)

    with np.errstate(invalid="ignore", over="ignore"):  # sums of infinities
        return _by_strips(x, axes, lines, _strip_rows(x, axes, lines), mean)


def median_pool(
    x: Array, axes: Axes, size: Axes, stride: Axes, padding: Axes, dilation: Axes, windows: Axes
) -> Array:
    """Median of the elements of each window that exist."""
    lines = _lines(size, stride, padding, dilation, windows)

    def median(part: Array, lines: list[Line], strip: slice) -> Array:
        counts = [
            _along(line.inside(0, part.shape[axis]), axis, x.ndim)
            for axis, line in zip(axes, lines, strict=True)
        ]
        return _median(_taps(part, axes, lines), counts)

    rows = _rows_in_cache(x, axes, lines, TAP_BYTES * math.prod(stride))
    return _by_strips(x, axes, lines, rows, median)


def global_pool(x: Array, kind: str, axes: Axes) -> Array:
    """One value for all of `axes`, which stay with length 1."""
    return adaptive_pool(x, kind, axes, (1,) * len(axes))


def adaptive_pool(x: Array, kind: str, axes: Axes, output: Axes) -> Array:
    """Windows from floor(i n / output) to ceil((i + 1) n / output)."""
    spans = [_adaptive_spans(x.shape[a], n) for a, n in zip(axes, output, strict=True)]
    if kind == "median":
        return _adaptive_median(x, axes, spans)
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
        for axis, span in zip(axes, spans, strict=True):
            sums = sums / _along(np.array([float(s.stop - s.start) for s in span]), axis, x.ndim)
    return saturate(sums, x.dtype)


# --- strips -----------------------------------------------------------------------------


def _rows_in_cache(x: Array, axes: Axes, lines: list[Line], budget: int) -> int:
    """How many windows of the first axis read about `budget` bytes."""
    row_bytes: int = max(1, x.nbytes // x.shape[axes[0]]) * lines[0].stride
    return max(1, budget // row_bytes)


def _strip_rows(x: Array, axes: Axes, lines: list[Line]) -> int:
    """Rows that fit the cache, but enough that what two strips both read stays the smaller part."""
    return max(_rows_in_cache(x, axes, lines, STRIP_BYTES), 2 * lines[0].size * lines[0].dilation)


def _by_strips(
    x: Array,
    axes: Axes,
    lines: list[Line],
    rows: int,
    function: Callable[[Array, list[Line], slice], Array],
) -> Array:
    """Run ``function(part of x, its lines, strip)`` on strips of `rows` windows of an axis."""
    axis, line = axes[0], lines[0]
    if rows >= line.windows:
        return function(x, lines, slice(0, line.windows))
    result = _empty(x, axes, [other.windows for other in lines])
    for low in range(0, line.windows, rows):
        strip = slice(low, min(low + rows, line.windows))
        part = line.part(low, strip.stop)
        source = slice(max(0, part.first), max(0, min(x.shape[axis], part.end)))
        part = part._replace(first=part.first - source.start)
        result[_at(axis, strip)] = function(x[_at(axis, source)], [part, *lines[1:]], strip)
    return result


def _extreme(x: Array, axes: Axes, lines: list[Line], ufunc: np.ufunc) -> Array:
    fill = _highest(x.dtype) if ufunc is np.minimum else _lowest(x.dtype)

    def extreme(part: Array, lines: list[Line], strip: slice) -> Array:
        for axis, line in zip(axes, lines, strict=True):
            part = _reduce(part, axis, line, ufunc, fill)
        return part

    return _by_strips(x, axes, lines, _strip_rows(x, axes, lines), extreme)


# --- one axis ---------------------------------------------------------------------------


def _reduce(x: Array, axis: int, line: Line, ufunc: np.ufunc, fill: float) -> Array:
    """Combine the elements of each window of one axis; positions outside hold `fill`."""
    x, line = _padded(x, axis, line, fill)
    row_bytes = math.prod(x.shape[axis + 1 :]) * x.itemsize
    dense_passes = (line.size - 1).bit_length() * line.stride
    if line.size == 1 or (row_bytes >= ROW_BYTES and line.size - 1 <= dense_passes):
        return _combine_blocks(x, axis, line, ufunc)
    if axis == x.ndim - 1 and x.itemsize >= WIDE_ITEM and line.size - 1 <= line.stride:
        taps = (x[..., line.tap(j)] for j in range(line.size))
        return functools.reduce(ufunc, taps)
    used = x[_at(axis, slice(line.first, line.end))]
    running = _running(used, axis, line.size, line.dilation, ufunc)
    return _every(running, axis, line.stride)


def _padded(x: Array, axis: int, line: Line, fill: float) -> tuple[Array, Line]:
    """Extend an axis by `fill` so that every window lies inside."""
    length = x.shape[axis]
    before, after = max(0, -line.first), max(0, line.end - length)
    if not before and not after:
        return x, line
    padded = _empty(x, (axis,), [before + length + after])
    padded[_at(axis, slice(0, before))] = fill
    padded[_at(axis, slice(before, before + length))] = x
    padded[_at(axis, slice(before + length, None))] = fill
    return padded, line._replace(first=line.first + before)


def _combine_blocks(x: Array, axis: int, line: Line, ufunc: np.ufunc) -> Array:
    """Combine the elements of each window, read side by side from rows that may overlap."""
    if line.size == 2:
        return np.asarray(ufunc(x[_at(axis, line.tap(0))], x[_at(axis, line.tap(1))]))
    step = x.strides[axis]
    used = x[_at(axis, slice(line.first, line.end))]
    shape = (*x.shape[:axis], line.windows, line.size, *x.shape[axis + 1 :])
    split = (step * line.stride, step * line.dilation)
    strides = (*x.strides[:axis], *split, *x.strides[axis + 1 :])
    blocks = np.lib.stride_tricks.as_strided(used, shape, strides, writeable=False)
    return np.asarray(ufunc.reduce(blocks, axis=axis + 1, dtype=x.dtype))


def _running(x: Array, axis: int, size: int, dilation: int, ufunc: np.ufunc) -> Array:
    """Combine the windows at every position, in log2(size) passes over the input."""
    if size == 1:
        return x
    # Halves of an odd window may share an element of a maximum, but not of a sum.
    left = size - 1 if ufunc is np.add and size % 2 else (size + 1) // 2
    runs = _running(x, axis, left, dilation, ufunc)
    others, offset = (x, left) if left == size - 1 else (runs, size - left)
    start, length = offset * dilation, x.shape[axis] - (size - 1) * dilation
    first, second = _at(axis, slice(0, length)), _at(axis, slice(start, start + length))
    return np.asarray(ufunc(runs[first], others[second]))


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
    parts = [ufunc.reduce(x[_at(axis, s)], axis=axis, keepdims=True, dtype=dtype) for s in spans]
    return np.concatenate(parts, axis=axis)


# --- medians ----------------------------------------------------------------------------


def _taps(x: Array, axes: Axes, lines: list[Line]) -> list[Array]:
    """Views of `x`, one for each element of a window; outside lies the highest value."""
    inner = []
    for axis, line in zip(axes, lines, strict=True):
        x, line = _padded(x, axis, line, _highest(x.dtype))
        inner.append(line)
    taps = []
    for offsets in itertools.product(*(range(line.size) for line in inner)):
        index = [slice(None)] * x.ndim
        for axis, line, j in zip(axes, inner, offsets, strict=True):
            index[axis] = line.tap(j)
        taps.append(x[tuple(index)])
    return taps


def _median(taps: list[Array], counts: list[Array]) -> Array:
    """Median of the lowest taps at each position, as many as the product of `counts` says.

    Each of `counts` lies along one pooled axis. Where the product is 0, so is the median.
    """
    present = functools.reduce(np.multiply.outer, [np.unique(c) for c in counts])
    numbers = {int(n) for n in present.flat}
    ranks = {rank for n in numbers if n for rank in ((n - 1) // 2, n // 2)}
    ordered = _ordered(taps, frozenset(ranks))
    if len(numbers) == 1 and ranks:
        return _middle(ordered, numbers.pop())
    result = np.zeros(taps[0].shape, taps[0].dtype)
    count = functools.reduce(np.multiply, counts)
    for n in numbers - {0}:
        np.copyto(result, _middle(ordered, n), where=count == n)
    return result


def _middle(ordered: dict[int, Array], count: int) -> Array:
    low, high = ordered[(count - 1) // 2], ordered[count // 2]
    if low is high:
        return low
    # Half of a 16-bit number is exact in float32.
    half = np.float32(0.5) if low.dtype.kind in "iu" else low.dtype.type(0.5)
    with np.errstate(invalid="ignore"):  # -inf and inf
        return saturate(low * half + high * half, low.dtype)


def _ordered(taps: list[Array], ranks: frozenset[int]) -> dict[int, Array]:
    """The values of the given ranks at each position; NaN wherever one tap is NaN."""
    if len(taps) == 1:
        return {0: taps[0].copy()}
    if len(taps) > NETWORK_TAPS:
        return _partitioned(taps, ranks)
    wires = list(taps)
    for i, j, keep_low, keep_high in selection_network(len(taps), ranks):
        low = np.minimum(wires[i], wires[j]) if keep_low else wires[i]
        if keep_high:
            wires[j] = np.maximum(wires[i], wires[j])
        wires[i] = low
    return {rank: wires[rank] for rank in ranks}


def _partitioned(taps: list[Array], ranks: frozenset[int]) -> dict[int, Array]:
    last = len(taps) - 1
    stack = np.partition(np.stack(taps), sorted(ranks | {last}), axis=0)
    if stack.dtype.kind == "f":
        stack[:, np.isnan(stack[last])] = np.nan  # NaN sorts last
    return {rank: stack[rank] for rank in ranks}


@functools.lru_cache(maxsize=64)
def selection_network(size: int, ranks: frozenset[int]) -> tuple[tuple[int, int, bool, bool], ...]:
    """Comparators (i, j) of a sorting network that the wanted ranks depend on.

    The flags say whether the minimum on wire i and the maximum on wire j are used later.
    """
    needed, kept = set(ranks), []
    for i, j in reversed(list(_merge_exchange(size))):
        if i in needed or j in needed:
            kept.append((i, j, i in needed, j in needed))
            needed |= {i, j}
    return tuple(reversed(kept))


def _merge_exchange(size: int) -> Iterator[tuple[int, int]]:
    """Batcher's network for any size: Knuth, The Art of Computer Programming 3, 5.2.2 M."""
    top = 1 << ((size - 1).bit_length() - 1)
    p = top
    while p:
        q, r, d = top, 0, p
        while True:
            yield from ((i, i + d) for i in range(size - d) if i & p == r)
            if q == p:
                break
            d, q, r = q - p, q >> 1, p
        p >>= 1


def _adaptive_median(x: Array, axes: Axes, spans: list[list[slice]]) -> Array:
    result = _empty(x, axes, [len(span) for span in spans])
    if result.size == 0:  # np.median refuses what an empty batch is
        return result
    for place in itertools.product(*(enumerate(span) for span in spans)):
        window, target = [slice(None)] * x.ndim, [slice(None)] * x.ndim
        for axis, (i, where) in zip(axes, place, strict=True):
            window[axis], target[axis] = where, slice(i, i + 1)
        with np.errstate(invalid="ignore"):  # -inf and inf
            middle = np.median(x[tuple(window)], axis=axes, keepdims=True)
        result[tuple(target)] = saturate(np.asarray(middle), x.dtype)
    return result


# --- small things -----------------------------------------------------------------------


def _lines(size: Axes, stride: Axes, padding: Axes, dilation: Axes, windows: Axes) -> list[Line]:
    first = (-pad for pad in padding)
    return [Line(*numbers) for numbers in zip(first, windows, size, stride, dilation, strict=True)]


def _at(axis: int, where: slice) -> tuple[slice, ...]:
    """Index that slices one axis and leaves the others whole."""
    return (slice(None),) * axis + (where,)


def _empty(x: Array, axes: Axes, lengths: list[int]) -> Array:
    """Make an array like `x`, but with other lengths on some axes."""
    shape = list(x.shape)
    for axis, length in zip(axes, lengths, strict=True):
        shape[axis] = length
    return np.empty(shape, x.dtype)


def _along(values: Array, axis: int, ndim: int) -> Array:
    """Shape a vector to lie along one axis of an `ndim`-D array."""
    shape = (1,) * axis + (-1,) + (1,) * (ndim - axis - 1)
    return values.reshape(shape)


def _lowest(dtype: np.dtype[Any]) -> float:
    return -math.inf if dtype.kind == "f" else 0


def _highest(dtype: np.dtype[Any]) -> float:
    return math.inf if dtype.kind == "f" else int(full_range(dtype))


def _sum_dtype(dtype: np.dtype[Any], elements: int) -> np.dtype[Any]:
    """Where the sum of so many elements fits: floats stay as they are."""
    if dtype.kind == "f":
        return dtype
    return np.dtype(np.min_scalar_type(int(full_range(dtype)) * elements))


def _quotient_dtype(dtype: np.dtype[Any], elements: int) -> np.dtype[Any]:
    """Where a mean of so many integers is close enough to round the right way.

    A mean that is no tie lies 1 / (2 elements) or more from one; float32 is off by at most
    2**-24 of full range, and a tie is exact in it.
    """
    if dtype.kind == "f":
        return dtype
    return np.dtype(np.float32 if full_range(dtype) * elements < 1 << 23 else np.float64)
