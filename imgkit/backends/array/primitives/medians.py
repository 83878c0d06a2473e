"""Medians of many windows at once: a sorting network whose every comparator is a whole array.

Where windows are large, their elements are partitioned instead.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator

import numpy as np

from imgkit.backends.array.primitives.pool_windows import Axes, Line, empty, highest, padded
from imgkit.image import Array, saturate

NETWORK_TAPS = 256  # `benchmarks pool`, "median"; beyond, a network grows with n log² n


def adaptive_median(x: Array, axes: Axes, spans: list[list[slice]]) -> Array:
    """Median of each window that spans of the axes make."""
    result = empty(x, axes, [len(span) for span in spans])
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


def taps_of(x: Array, axes: Axes, lines: list[Line]) -> list[Array]:
    """Views of `x`, one for each element of a window; outside lies the highest value."""
    inner = []
    for axis, line in zip(axes, lines, strict=True):
        x, line = padded(x, axis, line, highest(x.dtype))
        inner.append(line)
    taps = []
    for offsets in itertools.product(*(range(line.size) for line in inner)):
        index = [slice(None)] * x.ndim
        for axis, line, j in zip(axes, inner, offsets, strict=True):
            index[axis] = line.tap(j)
        taps.append(x[tuple(index)])
    return taps


def median_of(taps: list[Array], counts: list[Array]) -> Array:
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
