"""Pooling of tensors along any axes: every window a view, reduced in one pass an axis."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imgkit.backends.array import pool as array
from imgkit.backends.array.primitives.pool_windows import Line
from imgkit.backends.tensor.numpy_view import is_channels_last, is_viewed, ordered
from imgkit.backends.tensor.primitives.pixels import movable, work
from imgkit.backends.tensor.primitives.upload import constant
from imgkit.image import full_range, saturate

Axes = tuple[int, ...]

EXACT = 1 << 23  # a quotient of a smaller sum is close enough in float32 to round the right way


@ordered
def max_pool(x: Tensor, axes: Axes, *layout: Axes) -> Tensor:
    """Largest value of each window."""
    if is_viewed(x):
        return _through_array(array.max_pool, x, axes, *layout)
    return _extreme(x, axes, _lines(*layout), "amax")


@ordered
def min_pool(x: Tensor, axes: Axes, *layout: Axes) -> Tensor:
    """Smallest value of each window."""
    if is_viewed(x):
        return _through_array(array.min_pool, x, axes, *layout)
    return _extreme(x, axes, _lines(*layout), "amin")


@ordered
def avg_pool(
    x: Tensor,
    axes: Axes,
    size: Axes,
    stride: Axes,
    padding: Axes,
    dilation: Axes,
    windows: Axes,
    count_include_pad: bool,
) -> Tensor:
    """Mean of each window."""
    layout = size, stride, padding, dilation, windows
    if is_viewed(x):
        return _through_array(array.avg_pool, x, axes, *layout, count_include_pad)
    sums, counts = _summable(x, math.prod(size)), []
    for axis, line, pad in zip(axes, _lines(*layout), padding, strict=True):
        seen = pad if count_include_pad else 0
        held = np.maximum(line.inside(-seen, x.shape[axis] + seen), 1)
        counts.append(_lying(held, axis, x.ndim))
        sums = _windows(sums, axis, line, 0).sum(-1)
    return saturate(_divide(sums, counts), x.dtype)


@ordered
def median_pool(x: Tensor, axes: Axes, *layout: Axes) -> Tensor:
    """Median of the elements of each window that exist."""
    if is_viewed(x):
        return _through_array(array.median_pool, x, axes, *layout)
    values, counts = _sortable(x), []
    for axis, line in zip(axes, _lines(*layout), strict=True):
        counts.append(_lying(line.inside(0, x.shape[axis]), axis, x.ndim))
        values = _windows(values, axis, line, _highest(values.dtype))
    return _median(values.flatten(x.ndim), math.prod(counts[1:], start=counts[0]), x.dtype)


def global_pool(x: Tensor, kind: str, axes: Axes) -> Tensor:
    """One value for all of `axes`, which stay with length 1."""
    return adaptive_pool(x, kind, axes, (1,) * len(axes))


@ordered
def adaptive_pool(x: Tensor, kind: str, axes: Axes, output: Axes) -> Tensor:
    """Windows from floor(i n / output) to ceil((i + 1) n / output)."""
    if is_viewed(x):
        return _through_array(array.adaptive_pool, x, kind, axes, output)
    if kind == "median":
        return _adaptive_median(x, axes, output)
    values, counts = _summable(x, EXACT) if kind == "avg" else movable(x), []
    for axis, count in zip(axes, output, strict=True):
        index, present = _spans(x.shape[axis], count)
        windows = _gathered(values, axis, index)
        if kind != "avg":  # an element seen twice changes no extreme
            values = windows.amax(-1) if kind == "max" else windows.amin(-1)
            continue
        shape = (1,) * axis + (count,) + (1,) * (x.ndim - axis - 1) + (-1,)
        held = constant(present, windows, torch.bool).reshape(shape)
        values = torch.where(held, windows, 0).sum(-1)
        counts.append(_lying(present.sum(1), axis, x.ndim))
    return saturate(_divide(values, counts) if counts else values, x.dtype)


def _through_array(run: Callable[..., Any], x: Tensor, *args: Any) -> Tensor:
    """Run the array backend on a view; a batch in the order of memory keeps it."""
    if x.ndim != 4 or not is_channels_last(x):
        return torch.from_numpy(np.ascontiguousarray(run(x.numpy(force=True), *args)))
    place = (0, 3, 1, 2)  # where each axis of x lies in the view
    args = tuple(
        tuple(place[a] for a in arg) if i == _axes_at(run) else arg for i, arg in enumerate(args)
    )
    result = run(x.permute(0, 2, 3, 1).numpy(force=True), *args)
    return torch.from_numpy(np.ascontiguousarray(result)).permute(0, 3, 1, 2)


def _axes_at(run: Callable[..., Any]) -> int:
    """Where `axes` stands among the arguments after the image."""
    return 1 if run is array.adaptive_pool else 0


# --- windows ----------------------------------------------------------------------------


def _lines(size: Axes, stride: Axes, padding: Axes, dilation: Axes, windows: Axes) -> list[Line]:
    first = (-pad for pad in padding)
    return [Line(*numbers) for numbers in zip(first, windows, size, stride, dilation, strict=True)]


def _windows(x: Tensor, axis: int, line: Line, fill: float) -> Tensor:
    """View the windows of an axis, their elements along a new last axis; outside lies `fill`.

    The other axes keep their places, so several axes may be laid out one after the other.
    """
    before, after = max(0, -line.first), max(0, line.end - x.shape[axis])
    if before or after:
        pads = [0, 0] * (x.ndim - axis - 1) + [before, after]
        x = torch.nn.functional.pad(x, pads, value=fill)
    x = x.narrow(axis, line.first + before, line.end - line.first)
    reach = (line.size - 1) * line.dilation + 1
    return x.unfold(axis, reach, line.stride)[..., :: line.dilation]


def _extreme(x: Tensor, axes: Axes, lines: list[Line], reduce: str) -> Tensor:
    values = movable(x)
    fill = _lowest(x.dtype) if reduce == "amax" else _highest(x.dtype)
    for axis, line in zip(axes, lines, strict=True):
        values = getattr(_windows(values, axis, line, fill), reduce)(-1)
    return values.to(x.dtype)


def _spans(length: int, count: int) -> tuple[Any, Any]:
    """Return the elements of each adaptive window (count, widest), and which of them count."""
    number = np.arange(count)
    first, last = number * length // count, -((number + 1) * length // -count)
    index = first[:, None] + np.arange((last - first).max())
    return np.minimum(index, last[:, None] - 1), index < last[:, None]


def _gathered(x: Tensor, axis: int, index: Any) -> Tensor:
    """Lay out the windows of an axis, their elements along a new last axis."""
    if index.shape[0] * index.shape[1] == x.shape[axis]:  # they touch and do not overlap
        return x.unflatten(axis, index.shape).movedim(axis + 1, -1)
    flat = x.index_select(axis, constant(index.ravel(), x, torch.int64))
    return flat.unflatten(axis, index.shape).movedim(axis + 1, -1)


# --- means and medians ------------------------------------------------------------------


def _summable(x: Tensor, elements: int) -> Tensor:
    """Return `x` in a float type in which means of integers round the right way."""
    exact = not x.is_floating_point() and full_range(x.dtype) * elements >= EXACT
    return x.to(torch.float64) if exact else work(x)


def _divide(sums: Tensor, counts: list[Any]) -> Tensor:
    """Divide by the product of the counts of each axis, at once: so a tie of integers is exact."""
    count = functools.reduce(np.multiply, counts)
    if count.min() == count.max():
        return sums / int(count.flat[0])
    return sums / constant(count, sums)


def _lying(values: Any, axis: int, ndim: int) -> Any:
    """Shape a vector to lie along one axis of `ndim`."""
    return values.reshape((1,) * axis + (-1,) + (1,) * (ndim - axis - 1))


def _sortable(x: Tensor) -> Tensor:
    return work(x) if x.is_floating_point() else x.to(torch.int32)


def _adaptive_median(x: Tensor, axes: Axes, output: Axes) -> Tensor:
    values = _sortable(x)
    present: list[Any] = []
    for axis, count in zip(axes, output, strict=True):
        index, inside = _spans(x.shape[axis], count)
        values = _gathered(values, axis, index)
        shape = (1,) * axis + (count,) + (1,) * (x.ndim - axis - 1)
        present.append(inside.reshape(*shape, *(1,) * len(present), -1))
    held: Any = np.ones((1,) * x.ndim, bool)
    for inside in present:
        held = held[..., None] & inside
    if not held.all():
        outside = constant(~held, values, torch.bool)
        values = values.masked_fill(outside, _highest(values.dtype))
    counts = held.reshape(*held.shape[: x.ndim], -1).sum(-1)
    return _median(values.flatten(x.ndim), counts, x.dtype)


def _median(windows: Tensor, counts: Any, dtype: torch.dtype) -> Tensor:
    """Median along the last axis of the lowest so many; where none is counted it is 0."""
    ordered = windows.sort(-1).values
    shape = windows.shape[:-1]

    def ranked(rank: Any) -> Tensor:
        if rank.min() == rank.max():
            return ordered[..., int(rank.flat[0])]
        index = constant(rank, windows, torch.int64).expand(shape)
        return ordered.gather(-1, index[..., None])[..., 0]

    low, high = ranked(np.maximum(counts - 1, 0) // 2), ranked(counts // 2)
    middle = low if (counts % 2 == 1).all() else _mean(low, high)
    if counts.min() == 0:
        middle = torch.where(constant(counts > 0, middle, torch.bool), middle, 0)
    if windows.is_floating_point():
        middle = torch.where(windows.isnan().any(-1), math.nan, middle)
    return saturate(middle, dtype)


def _mean(low: Tensor, high: Tensor) -> Tensor:
    return low / 2 + high / 2


def _lowest(dtype: torch.dtype) -> float:
    return -math.inf if dtype.is_floating_point else 0


def _highest(dtype: torch.dtype) -> float:
    if dtype.is_floating_point:
        return math.inf
    return 65535 if dtype == torch.int32 else full_range(dtype)
