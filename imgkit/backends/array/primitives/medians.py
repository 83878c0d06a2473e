"""Medians of many windows at once: a sorting network whose every comparator is a whole array.

Where windows are large, their elements are partitioned instead.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator

import numpy as np

from imgkit.backends.array.primitives.pool_windows import Axes, Line, empty, highest, padded
from imgkit.image import Array, saturate

GATHERED = 1 << 26  # bytes of windows that are laid out at a time
NETWORK_TAPS = 256  # `benchmarks pool`, "median"; beyond, a network grows with n log² n


def adaptive_median(x: Array, axes: Axes, spans: list[list[slice]]) -> Array:
    """Median of each window that spans of the axes make."""
    result = empty(x, axes, [len(span) for span in spans])
    if result.size == 0:  # np.median refuses what an empty batch is
        return result
    for alike in itertools.product(*map(_alike, spans)):
        elements = math.prod(length for _, length in alike)
        places = [place for place, _ in alike]
        others = result.size // math.prod(len(span) for span in spans)
        row = math.prod(len(place) for place in places[1:]) * elements * others * x.itemsize
        step = max(1, GATHERED // row)
        for low in range(0, len(places[0]), step):
            part = [places[0][low : low + step], *places[1:]]
            index = [np.arange(n) for n in result.shape]
            for axis, place in zip(axes, part, strict=True):
                index[axis] = place
            result[np.ix_(*index)] = _medians_of(x, axes, spans, part)
    return result


def _alike(spans: list[slice]) -> list[tuple[Array, int]]:
    """Group the spans of an axis by their length: (which of them, length); there are two or so."""
    lengths = np.array([span.stop - span.start for span in spans])
    return [(np.flatnonzero(lengths == n), int(n)) for n in np.unique(lengths)]


def _medians_of(x: Array, axes: Axes, spans: list[list[slice]], places: list[Array]) -> Array:
    """Return the medians of windows of one shape, given as which spans of each axis they are."""
    shape, windows = list(x.shape), x
    for axis, span, place in reversed(list(zip(axes, spans, places, strict=True))):
        chosen = [span[i] for i in place]
        index = np.array([s.start for s in chosen])[:, None] + np.arange(
            chosen[0].stop - chosen[0].start
        )
        windows = np.moveaxis(np.take(windows, index, axis), axis + 1, -1)
        shape[axis] = len(place)
    with np.errstate(invalid="ignore"):  # -inf and inf
        middle = np.median(windows.reshape(*shape, -1), axis=-1)
    return saturate(np.asarray(middle), x.dtype)


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
    stack = np.stack(taps, axis=-1)
    stack.partition(sorted(ranks | {last}), axis=-1)
    if stack.dtype.kind == "f":
        stack[np.isnan(stack[..., last])] = np.nan  # NaN sorts last
    return {rank: stack[..., rank] for rank in ranks}


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
