"""Antialiased resizing by banded matrices, one product of a few rows at a time."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import cv2
import numpy as np

from imgkit.backends.array.primitives.cast import cast_into, merged, planes
from imgkit.backends.array.primitives.magnitudes import largest
from imgkit.geometry import Size
from imgkit.image import Array, float_dtype

OVERSHOOT = ("bicubic", "lanczos")  # kernels with negative lobes


def swap(image: Array) -> Array:
    """Transpose H and W of one image into a fresh array."""
    if image.shape[-1] <= 4:
        turned = cv2.transpose(image)
        return np.asarray(turned.reshape(image.shape[1], image.shape[0], image.shape[2]))
    return np.ascontiguousarray(image.swapaxes(0, 1))


def resize_bands(image: Array, size: Size, interpolation: str, antialias: bool) -> Array:
    """Resize one image by a banded matrix on each axis.

    Kernels that overshoot round and clip integers after each axis and run along the rows first,
    as Pillow does; the others round once.
    """
    if interpolation in OVERSHOOT and antialias and image.dtype.kind == "u":
        return _resize_rounding(image, size, interpolation)
    floats = resize_planes(image, size, interpolation, antialias)
    if floats.dtype == image.dtype:
        return merged(floats)
    whole = np.empty(floats.shape, image.dtype)
    signed = interpolation in OVERSHOOT
    cast_into(floats.reshape(-1, size[1]), whole.reshape(-1, size[1]), signed=signed, owned=True)
    return merged(whole)


def _resize_rounding(image: Array, size: Size, interpolation: str) -> Array:
    """Resize integers along the rows, then the columns, rounded and clipped after each."""
    height, _, channels = image.shape
    if image.shape[1] != size[1]:
        turned = swap(image)
        done = _multiply(turned.reshape(len(turned), -1), size[1], interpolation)
        image = swap(done.reshape(size[1], height, channels))
    if height == size[0]:
        return image
    flat = image.reshape(height, -1)
    return _multiply(flat, size[0], interpolation).reshape(*size, channels)


def resize_planes(image: Array, size: Size, interpolation: str, antialias: bool) -> Array:
    """Resize one image by a banded matrix on each axis to float planes (C, H, W), unrounded.

    Rows of all channels are summed while they lie side by side; columns as rows of the transposed
    planes, which OpenCV turns in a twentieth of the time.
    """
    height, _, channels = image.shape
    down = functools.partial(_sum_rows, m=size[0], interpolation=interpolation, antialias=antialias)
    shrinks = size[0] <= height
    if shrinks and size[0] != height:
        rows = np.ascontiguousarray(image).reshape(height, -1)
        image = down(rows).reshape(size[0], -1, channels)
    result = planes(image)
    if result.shape[2] != size[1]:
        turned = cv2.transpose(result.reshape(-1, result.shape[2]))
        sums = _sum_rows(turned, size[1], interpolation, antialias)
        result = cv2.transpose(sums).reshape(channels, -1, size[1])
    if not shrinks:
        result = np.stack([down(plane) for plane in result])
    return result.astype(float_dtype(result.dtype), copy=False)


def _sum_rows(rows: Array, m: int, interpolation: str, antialias: bool) -> Array:
    """Make `m` float rows as weighted sums of the rows of a matrix.

    A dense product for each block of the band, a tile of the matrix at a time: cast to floats,
    a tile stays in the cache. A product with the zeros beside the band would spread NaN.
    """
    if rows.dtype.kind == "f" and not largest(rows) < np.inf:
        return _sum_taps(rows, m, interpolation, antialias)
    low, blocks = _band(len(rows), m, interpolation, antialias, rows.dtype == np.float64)
    (number, block, span), columns = blocks.shape, rows.shape[1]
    out = np.empty((m, columns), blocks.dtype)
    width = min(columns, max(TILE // span, 256))
    advance = max(1, block * len(rows) // m)
    group = max(1, (TILE // width - span) // advance + 1)
    for start in range(0, number, group):
        places = range(start, min(start + group, number))
        first, last = low[start], low[places[-1]] + span
        for left in range(0, columns, width):
            tile = rows[first:last, left : left + width].astype(blocks.dtype, copy=False)
            for place in places:
                sums = out[place * block : (place + 1) * block, left : left + width]
                inputs = tile[low[place] - first : low[place] - first + span]
                np.matmul(blocks[place, : len(sums)], inputs, out=sums)
    return out


def _sum_taps(rows: Array, m: int, interpolation: str, antialias: bool) -> Array:
    """Make `m` float rows as weighted sums of the rows of a matrix, tap by tap, but no zeros."""
    taps, weights = tap_weights(len(rows), m, interpolation, antialias)
    out = np.zeros((m, rows.shape[1]), rows.dtype)
    with np.errstate(invalid="ignore"):  # infinities of both signs
        for tap, weight in zip(taps.T, weights.T.astype(rows.dtype), strict=True):
            used = np.flatnonzero(weight)
            index = np.clip(tap[used], 0, len(rows) - 1)
            out[used] += weight[used, None] * rows[index]
    return out


TILE = 100_000  # numbers, 400 kB of float32 (benchmarks/resample.py: flat from 50 to 250 thousand)


def _multiply(flat: Array, count: int, interpolation: str) -> Array:
    """Make `count` rows as weighted sums of the rows of a matrix of integers, saturated."""
    sums = _sum_rows(flat, count, interpolation, True)
    out = np.empty(sums.shape, flat.dtype)
    cast_into(sums, out, owned=True)
    return out


@functools.lru_cache(maxsize=128)
def _band(
    n: int, m: int, interpolation: str, antialias: bool, double: bool
) -> tuple[list[int], Array]:
    """Cut the ``(m, n)`` resizing matrix into blocks of rows: (first columns, dense blocks)."""
    block = 8 if n < 4 * m else 4  # benchmarks/resample.py: best of 2..32; wide ones waste less
    number = -(-m // block)
    row = np.minimum(np.arange(number * block), m - 1)
    if not antialias or interpolation == "area":
        taps, weights = tap_weights(n, m, interpolation, antialias)
        inputs = np.clip(taps[row], 0, n - 1).reshape(number, block, -1)
        low, high = inputs.min(axis=(1, 2)), inputs.max(axis=(1, 2)) + 1
        span = int((high - low).max())
        low = np.minimum(low, n - span)
        place = np.arange(number * block).reshape(number, block, 1) * span
        column = (place + inputs - low[:, None, None]).ravel()
        dense = np.bincount(column, weights[row].ravel(), number * block * span)
        blocks = dense.reshape(number, block, span)
    else:  # the same weights, evaluated where the blocks lie: crops ask for ever new sizes
        reach, profile = _profile(interpolation, antialias)
        stretch = max(n / m, 1.0)
        middle = ((row + 0.5) * (n / m) - 0.5).reshape(number, block, 1)
        low = np.maximum(np.floor(middle[:, 0, 0] - reach * stretch).astype(np.int64) + 1, 0)
        high = np.minimum(np.ceil(middle[:, -1, 0] + reach * stretch).astype(np.int64), n)
        span = int((high - low).max())
        low = np.minimum(low, n - span)
        at = (low[:, None] + np.arange(span))[:, None]
        weights = profile(np.abs(at - middle) / stretch)
        blocks = weights / weights.sum(axis=2, keepdims=True)
    blocks = blocks.astype(np.float64 if double else np.float32)
    blocks.flags.writeable = False
    return low.tolist(), blocks


def tap_weights(n: int, m: int, interpolation: str, antialias: bool) -> tuple[Array, Array]:
    """Return the inputs of each output and their weights, both ``(m, taps)``."""
    scale = n / m
    if interpolation == "area":
        start = np.arange(m)[:, None] * scale
        taps = np.floor(start).astype(np.intp) + np.arange(math.ceil(scale) + 1)
        overlap = np.minimum(taps + 1, start + scale) - np.maximum(taps, start)
        weights = np.where(taps < n, np.maximum(overlap, 0), 0)
        return taps, weights / weights.sum(axis=1, keepdims=True)
    reach, profile = _profile(interpolation, antialias)
    stretch = max(scale, 1.0) if antialias else 1.0
    middle = (np.arange(m)[:, None] + 0.5) * scale - 0.5
    first = np.floor(middle - reach * stretch + 1).astype(np.intp)
    taps = first + np.arange(2 * math.ceil(reach * stretch))
    weights = profile(np.abs(taps - middle) / stretch)
    if antialias:  # as Pillow: the kernel is cut at the edge; otherwise the edge pixel repeats
        weights[(taps < 0) | (taps >= n)] = 0
    return taps, weights / weights.sum(axis=1, keepdims=True)


def _profile(interpolation: str, antialias: bool) -> tuple[int, Callable[[Array], Array]]:
    """Return the reach of a kernel, and its weight at a distance."""
    if interpolation == "bilinear":
        return 1, lambda t: np.maximum(1 - t, 0)
    if interpolation == "bicubic":
        return 2, functools.partial(cubic, a=-0.5 if antialias else -0.75)
    return 3, lambda t: np.where(t < 3, np.sinc(t) * np.sinc(t / 3), 0)


def cubic(t: Array, a: float) -> Array:
    """Weigh by Keys' cubic at distances ``t >= 0``."""
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    return np.where(t <= 1, near, np.where(t < 2, ((t - 5) * t + 8) * t * a - 4 * a, 0))
