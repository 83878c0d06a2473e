"""Where pooling windows lie on an array of any number of axes, and running them in strips."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from imgkit.image import Array, full_range

Axes = tuple[int, ...]


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

    def section(self, low: int, high: int) -> Line:
        """Return the line of windows `low` to `high`."""
        return self._replace(first=self.first + low * self.stride, windows=high - low)

    def tap(self, j: int) -> slice:
        """Return element j of every window; no element may lie outside."""
        start = self.first + j * self.dilation
        return slice(start, start + (self.windows - 1) * self.stride + 1, self.stride)

    def inside(self, low: int, high: int) -> Array:
        """Return the number of elements of each window at positions `low` to `high`."""
        starts = self.first + self.stride * np.arange(self.windows)[:, None]
        position = starts + self.dilation * np.arange(self.size)
        return np.asarray(np.count_nonzero((position >= low) & (position < high), axis=1))


def as_lines(size: Axes, stride: Axes, padding: Axes, dilation: Axes, windows: Axes) -> list[Line]:
    """Return the windows of each pooled axis."""
    first = (-pad for pad in padding)
    return [Line(*numbers) for numbers in zip(first, windows, size, stride, dilation, strict=True)]


def at(axis: int, where: slice) -> tuple[slice, ...]:
    """Index that slices one axis and leaves the others whole."""
    return (slice(None),) * axis + (where,)


def empty(x: Array, axes: Axes, lengths: list[int]) -> Array:
    """Make an array like `x`, but with other lengths on some axes."""
    shape = list(x.shape)
    for axis, length in zip(axes, lengths, strict=True):
        shape[axis] = length
    return np.empty(shape, x.dtype)


def along(values: Array, axis: int, ndim: int) -> Array:
    """Shape a vector to lie along one axis of an `ndim`-D array."""
    shape = (1,) * axis + (-1,) + (1,) * (ndim - axis - 1)
    return values.reshape(shape)


def lowest(dtype: np.dtype[Any]) -> float:
    """Return what never wins a maximum."""
    return -math.inf if dtype.kind == "f" else 0


def highest(dtype: np.dtype[Any]) -> float:
    """Return what never wins a minimum."""
    return math.inf if dtype.kind == "f" else int(full_range(dtype))


def padded(x: Array, axis: int, line: Line, fill: float) -> tuple[Array, Line]:
    """Extend an axis by `fill` so that every window lies inside."""
    length = x.shape[axis]
    before, after = max(0, -line.first), max(0, line.end - length)
    if not before and not after:
        return x, line
    padded = empty(x, (axis,), [before + length + after])
    padded[at(axis, slice(0, before))] = fill
    padded[at(axis, slice(before, before + length))] = x
    padded[at(axis, slice(before + length, None))] = fill
    return padded, line._replace(first=line.first + before)


def running_windows(x: Array, axis: int, size: int, dilation: int, ufunc: np.ufunc) -> Array:
    """Combine the windows at every position, in log2(size) passes over the input.

    No element is ever taken out of a sum again, so that each reaches its own windows alone.
    """
    if size == 1:
        return x
    # Halves of an odd window may share an element of a maximum, but not of a sum.
    left = size - 1 if ufunc is np.add and size % 2 else (size + 1) // 2
    runs = running_windows(x, axis, left, dilation, ufunc)
    others, offset = (x, left) if left == size - 1 else (runs, size - left)
    start, length = offset * dilation, x.shape[axis] - (size - 1) * dilation
    first, second = at(axis, slice(0, length)), at(axis, slice(start, start + length))
    return np.asarray(ufunc(runs[first], others[second]))


def rows_in_cache(x: Array, axes: Axes, lines: list[Line], budget: int) -> int:
    """Return the number of windows of the first axis that read about `budget` bytes."""
    row_bytes: int = max(1, x.nbytes // x.shape[axes[0]]) * lines[0].stride
    return max(1, budget // row_bytes)


def by_strips(
    x: Array,
    axes: Axes,
    lines: list[Line],
    rows: int,
    function: Callable[[Array, list[Line], slice], Array],
) -> Array:
    """Run ``function(tile of x, its lines, strip)`` on strips of `rows` windows of an axis."""
    axis, line = axes[0], lines[0]
    if rows >= line.windows:
        return function(x, lines, slice(0, line.windows))
    result = empty(x, axes, [other.windows for other in lines])
    for low in range(0, line.windows, rows):
        strip = slice(low, min(low + rows, line.windows))
        own = line.section(low, strip.stop)
        source = slice(max(0, own.first), max(0, min(x.shape[axis], own.end)))
        own = own._replace(first=own.first - source.start)
        result[at(axis, strip)] = function(x[at(axis, source)], [own, *lines[1:]], strip)
    return result
