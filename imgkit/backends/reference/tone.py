"""Tone in float64: one image (H, W, C), `top` is the value of full intensity.

Results are clipped to 0..top where the operation clips, and not rounded, except `posterize`,
`equalize` and `clahe`, whose curves have whole levels by definition.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from imgkit.image import Array


def adjust_gamma(x: Array, gamma: float, gain: float, top: float) -> Array:
    """Raise to a power."""
    return top * np.clip(gain * np.clip(x / top, 0, None) ** gamma, 0, 1)


def invert(x: Array, top: float) -> Array:
    """Return the negative."""
    return top - x


def posterize(x: Array, bits: int, top: float) -> Array:
    """Round down to a multiple of the lowest bit kept; floats to one of 2**bits steps; 8 is all."""
    if bits == 8:
        return np.clip(x, 0, top)
    if top > 1:
        lowest = (top + 1) / 2**bits
        return np.floor(x / lowest) * lowest
    return np.clip(np.floor(x * 2**bits), 0, 2**bits - 1) / 2**bits


def solarize(x: Array, threshold: float, top: float) -> Array:
    """Invert at and above the threshold."""
    return np.where(x >= threshold, top - x, x)


def equalize(x: Array, top: float) -> Array:
    """Read each channel through the curve of its 256-bin histogram."""
    planes = [_equalize(np.clip(plane / top, 0, 1) * 255) for plane in np.moveaxis(x, -1, 0)]
    return np.stack(planes, axis=-1) * (top / 255)


def _equalize(plane: Array) -> Array:
    """Equalize intensities 0..255 as Pillow's ImageOps.equalize does."""
    counts = _histogram(plane)
    brightest = max(level for level in range(256) if counts[level])
    step = (plane.size - counts[brightest]) // 255
    if step == 0:
        return plane
    below = [int(counts[:level].sum()) for level in range(256)]
    curve = [min((count + step // 2) // step, 255) for count in below]
    return _read(plane, np.array(curve, float))


def _read(plane: Any, curve: Array) -> Any:
    """Read a curve of 256 levels at intensities 0..255.

    The result of the nearest level; the distance to that level is added, unless the curve is flat
    on that side.
    """
    level = np.rint(np.nan_to_num(plane)).astype(int)
    distance = plane - level
    neighbor = np.clip(level + np.where(distance < 0, -1, 1), 0, 255)
    return curve[level] + np.where(curve[neighbor] == curve[level], 0 * distance, distance)


def _histogram(intensities: Array) -> Array:
    """Count the levels of intensities 0..255; NaN counts as 0."""
    return np.bincount(np.rint(np.nan_to_num(intensities)).astype(int).ravel(), minlength=256)


def autocontrast(x: Array, top: float) -> Array:
    """Stretch each channel from its least to its largest value."""
    low, high = x.min((0, 1)), x.max((0, 1))
    span = np.where(high == low, 1, high - low)
    return np.where(high == low, x, np.clip((x - low) / span * top, 0, top))


def clahe(x: Array, clip_limit: float, tiles: tuple[int, int], top: float) -> Array:
    """Equalize Y of Y'CbCr with limited contrast, tile by tile; add its change to every channel.

    Integer images have integer Y: a curve may be steep, so its rounding belongs to the result,
    for 8 bits in fixed point of 15 bits.
    """
    x = np.clip(x, 0, top)
    gray = x @ [0.299, 0.587, 0.114] if x.shape[-1] == 3 else x[..., 0]
    if top == 255 and x.shape[-1] == 3:
        gray = np.floor((x @ [9798, 19235, 3735] + 2**14) / 2**15)
    gray = np.rint(gray) if top > 1 else gray
    even = _clahe(np.clip(gray / top, 0, 1) * 255, clip_limit, tiles) * (top / 255)
    return np.clip(x + (even - gray)[..., None], 0, top)


def _clahe(gray: Array, clip_limit: float, tiles: tuple[int, int]) -> Array:
    """CLAHE of intensities 0..255."""
    missing = [count - size % count for size, count in zip(gray.shape, tiles, strict=True)]
    if missing == list(tiles):  # both axes divide evenly
        missing = [0, 0]
    padded = np.pad(gray, [(0, n) for n in missing], mode="reflect")
    height, width = padded.shape[0] // tiles[0], padded.shape[1] // tiles[1]
    curves = [
        [_tile_curve(block, clip_limit) for block in np.split(strip, tiles[1], axis=1)]
        for strip in np.split(padded, tiles[0], axis=0)
    ]
    result = np.empty(gray.shape)
    for y, x in np.ndindex(*gray.shape):
        row, column = y / height - 0.5, x / width - 0.5
        result[y, x] = sum(
            row_weight * column_weight * _read(gray[y, x], curves[i][j])
            for i, row_weight in _two_tiles(row, tiles[0])
            for j, column_weight in _two_tiles(column, tiles[1])
        )
    return result


def _tile_curve(block: Array, clip_limit: float) -> Array:
    """Return the curve of one tile: the cumulated, clipped histogram."""
    counts = _histogram(block)
    if clip_limit > 0:
        limit = max(int(clip_limit * block.size / 256), 1)
        excess = int(np.maximum(counts - limit, 0).sum())
        counts = np.minimum(counts, limit) + excess // 256
        if rest := excess % 256:
            counts[:: max(256 // rest, 1)][:rest] += 1
    return np.rint(np.cumsum(counts) * 255 / block.size)


def _two_tiles(position: float, count: int) -> list[tuple[int, float]]:
    """Return the tiles around a position with their weights."""
    first = math.floor(position)
    fraction = position - first
    return [(max(first, 0), 1 - fraction), (min(first + 1, count - 1), fraction)]


def normalize(x: Array, mean: Sequence[float], std: Sequence[float], top: float) -> Array:
    """Subtract the mean, divide by the standard deviation."""
    return (x / top - np.asarray(mean)) / np.asarray(std)


def to_float(x: Array, top: float) -> Array:
    """Return fractions of full range."""
    return x / top


def to_uint8(x: Array, top: float) -> Array:
    """Return levels 0..255; NaN is 0."""
    return np.nan_to_num(np.clip(x / top * 255, 0, 255))
