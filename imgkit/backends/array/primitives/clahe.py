"""CLAHE where OpenCV has only its 16-bit histograms: curves of 256 bins, read with fine steps.

The curves are OpenCV's for 8-bit images: its padding, its clipping, its spreading of the rest.
"""

from __future__ import annotations

import cv2
import numpy as np

from imgkit.image import Array


def apply_tiles(position: Array, coarse: Array, clip_limit: float, tiles: tuple[int, int]) -> Array:
    """Equalize (H, W) intensities 0..255 by the curves of their uint8 copy; result 0..255.

    A curve is read as in `tone.read_table`: at the level of the copy, and what an intensity lies
    beside it is kept where the curve moves.
    """
    padding = _tile_padding(coarse.shape, tiles)
    curves = tile_curves(coarse, clip_limit, tiles, padding)
    level = coarse.astype(np.intp)  # NaN reads the first curve, and stays NaN
    rest = position - level
    beside = np.clip(np.where(rest < 0, level - 1, level + 1), 0, 255)
    result = np.zeros(coarse.shape)
    for row, row_weight in _neighbors(coarse.shape[0], padding[0], tiles[0]):
        for column, column_weight in _neighbors(coarse.shape[1], padding[1], tiles[1]):
            tile = (row[:, None], column[None, :])
            value = curves[*tile, level]
            value = value + rest * (curves[*tile, beside] != value)
            result += row_weight[:, None] * column_weight * value
    return result


def _tile_padding(shape: tuple[int, ...], tiles: tuple[int, int]) -> tuple[int, int]:
    """Return the rows and columns that make tiles equal: none, or as OpenCV some on each axis."""
    if shape[0] % tiles[0] == 0 and shape[1] % tiles[1] == 0:
        return 0, 0
    return tiles[0] - shape[0] % tiles[0], tiles[1] - shape[1] % tiles[1]


def tile_curves(
    gray: Array, clip_limit: float, tiles: tuple[int, int], padding: tuple[int, int]
) -> Array:
    """Return each tile's curve (rows, columns, 256) of a uint8 image."""
    border = cv2.BORDER_REFLECT_101
    gray = cv2.copyMakeBorder(gray, 0, padding[0], 0, padding[1], border)
    height, width = gray.shape[0] // tiles[0], gray.shape[1] // tiles[1]
    blocks = gray.reshape(tiles[0], height, tiles[1], width).swapaxes(1, 2)
    number = np.arange(tiles[0] * tiles[1]).reshape(*tiles, 1, 1)
    counts = np.bincount((blocks + 256 * number).ravel(), minlength=256 * number.size)
    counts = counts.reshape(*tiles, 256)
    if clip_limit > 0:
        counts = _clip_counts(counts, max(int(clip_limit * height * width / 256), 1))
    # a rounded factor would move what lies halfway between two levels
    return np.rint(np.cumsum(counts, axis=-1) * 255 / (height * width))


def _clip_counts(counts: Array, limit: int) -> Array:
    """Cut histograms (..., 256) at a limit and spread what was cut over all bins."""
    excess = np.maximum(counts - limit, 0).sum(-1, keepdims=True)
    share, rest = np.divmod(excess, 256)
    step = np.maximum(256 // np.maximum(rest, 1), 1)
    bins = np.arange(256)
    extra = (bins % step == 0) & (bins // step < rest)
    return np.minimum(counts, limit) + share + extra


def _neighbors(size: int, padding: int, tiles: int) -> list[tuple[Array, Array]]:
    """Return for each pixel of an axis the tile before and after it, and their weights."""
    position = np.arange(size) * (tiles / (size + padding)) - 0.5
    first = np.floor(position).astype(np.intp)
    weight = position - first
    return [(np.maximum(first, 0), 1 - weight), (np.minimum(first + 1, tiles - 1), weight)]
