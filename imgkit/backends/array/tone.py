"""Tone on arrays: curves as tables that a planner can compose, and scalings.

A tone curve of an integer dtype is a table: the op's result on `levels(dtype)`; `apply_table` runs
one, and ``second[first]`` is both. Images are (N, H, W, C).
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from imgkit.backends.array.color import Y_OF_YCBCR, luma
from imgkit.backends.array.primitives.cast import merged, planes
from imgkit.backends.array.primitives.clahe import apply_tiles
from imgkit.backends.array.primitives.pixelwise import (
    as_rows,
    by_strips,
    clip_floats,
    each_image,
    quantize,
)
from imgkit.image import Array, float_dtype, full_range

FAR = 1 << 23  # 255 times it is what OpenCV, which rounds to 32 bits, still saturates

# A matrix computes scale * x + offset in float32; up to this scale the two terms cancel to 1e-6.
CANCELS = 16


# --- curves ------------------------------------------------------------------------------


def levels(dtype: npt.DTypeLike) -> Array:
    """Return every value of an integer dtype as an image (1, 1, levels, 1)."""
    return np.arange(int(full_range(dtype)) + 1).astype(dtype).reshape(1, 1, -1, 1)


def apply_table(x: Array, table: Array) -> Array:
    """Look every pixel of an integer image up in one table of all its levels."""
    if x.size == 0:
        return np.empty(x.shape, table.dtype)
    return cv2.LUT(as_rows(x), table.reshape(-1)).reshape(x.shape)


def gamma_table(dtype: npt.DTypeLike, gamma: float, gain: float) -> Array:
    """Return the table of `adjust_gamma` for an integer dtype."""
    fraction = levels(dtype).reshape(1, -1) / np.float32(full_range(dtype))
    return quantize(_power(fraction, gamma, gain), full_range(dtype), dtype)[0]


def adjust_gamma(x: Array, gamma: float, gain: float) -> Array:
    """Look up, or raise to a power."""
    if x.dtype.kind == "u":
        return apply_table(x, gamma_table(x.dtype, gamma, gain))
    return by_strips(lambda strip: _power(strip, gamma, gain), x)


def _power(x: Array, gamma: float, gain: float) -> Array:
    """Return ``gain * x**gamma`` of non-negative floats, clipped to 0..1."""
    x = np.clip(x, 0, None)
    if x.dtype == np.float64 or gamma == 0:
        y = x**gamma
    else:  # half the time of np.power, exact to 1e-7
        with np.errstate(divide="ignore", over="ignore"):
            y = np.log(x, out=x)
            y *= gamma
        y = cv2.exp(as_rows(y)).reshape(x.shape)
    if gain != 1:
        y *= gain
    return clip_floats(y)


def invert(x: Array) -> Array:
    """Return full intensity minus x."""
    return np.invert(x) if x.dtype.kind == "u" else 1 - x


def posterize(x: Array, bits: int) -> Array:
    """Keep the highest bits; 8 of them are all."""
    if bits == 8:
        return x.copy() if x.dtype.kind == "u" else np.clip(x, 0, 1)
    if x.dtype.kind == "u":
        kept = full_range(x.dtype) + 1 - 2 ** (8 * x.dtype.itemsize - bits)
        return np.bitwise_and(x, x.dtype.type(kept))
    return by_strips(lambda strip: _round_down(strip, 2**bits), x)


def _round_down(x: Array, steps: int) -> Array:
    """Round floats down to one of some equal steps."""
    y = x * x.dtype.type(steps)
    np.floor(y, out=y)
    np.clip(y, 0, steps - 1, out=y)
    y *= 1 / steps
    return y


def solarize(x: Array, threshold: float) -> Array:
    """Invert at and above a threshold."""
    if x.dtype.kind == "f":
        return np.where(x >= threshold, 1 - x, x)
    bright = x >= x.dtype.type(math.ceil(threshold))
    mask = bright.view(np.uint8).astype(x.dtype, copy=False)  # 1, and its negative is all ones
    # x xor all ones is the inverse: 12 us at 224², where np.where takes 100
    return np.bitwise_xor(x, np.negative(mask, out=mask), out=mask)


def equalize_table(histogram: Array) -> Array:
    """Return Pillow's equalizing table of 256 levels for a histogram of 256 bins."""
    counts = np.asarray(histogram, np.int64).ravel()
    step = int(counts.sum() - counts[np.flatnonzero(counts)[-1]]) // 255
    if step == 0:
        return np.arange(256, dtype=np.uint8)
    below = np.concatenate(([0], np.cumsum(counts)[:-1]))
    return np.minimum((below + step // 2) // step, 255).astype(np.uint8)


def equalize(x: Array) -> Array:
    """Flatten each channel's histogram."""
    return each_image(lambda image: merged([_equalize_plane(plane) for plane in planes(image)]), x)


def _equalize_plane(plane: Array) -> Array:
    """Flatten the histogram of (H, W)."""
    coarse = plane if plane.dtype == np.uint8 else to_uint8(plane)
    table = equalize_table(cv2.calcHist([coarse], [0], None, [256], [0, 256]))
    return read_table(plane, coarse, table)


def read_table(x: Array, coarse: Array, table: Array) -> Array:
    """Read a curve of 256 levels for an image and its 8-bit copy.

    A finer dtype keeps its steps: what lies beside a level differs from the result of that level
    by as much, at most half a level, towards a neighbor that has another result.
    """
    if x.dtype == np.uint8:
        return apply_table(x, table)
    value = table.astype(np.int32)
    moves = np.diff(value) > 0
    above, below = np.append(moves, False), np.append(False, moves)
    if x.dtype == np.uint16:  # 65535 = 255 * 257, so 257 steps lie around a level
        rest = np.arange(-128, 129)
        fine = 257 * value[:, None] + np.where(rest < 0, below[:, None], above[:, None]) * rest
        return apply_table(x, fine.ravel()[128 : 128 + 65536].astype(np.uint16))
    rest = np.clip(x, 0, 1) * x.dtype.type(255)
    rest -= coarse
    sides = (apply_table(coarse, moves.astype(x.dtype)) for moves in (below, above))
    rest *= np.where(rest < 0, *sides)
    rest += apply_table(coarse, value.astype(x.dtype))
    rest *= x.dtype.type(1 / 255)
    return rest


# --- one scale and offset a channel ------------------------------------------------------


def autocontrast(x: Array) -> Array:
    """Stretch each channel to the full range."""
    return each_image(_stretch, x)


def _stretch(image: Array) -> Array:
    """Stretch (H, W, C)."""
    low, high = _channel_ends(image)
    top = full_range(image.dtype)
    span = high.astype(np.float64) - low
    flat = span == 0
    scale = np.where(flat, 1.0, top / np.where(flat, 1.0, span))
    low = np.where(flat, 0, low)
    exact = image.dtype == np.uint8 or scale.max() <= CANCELS
    if exact and image.shape[-1] <= 4:
        matrix = np.column_stack([np.diag(scale), -scale * low])
        return clip_floats(cv2.transform(image, matrix).reshape(image.shape))
    # Subtracting first keeps the digits that a small range of a fine dtype needs.
    stretched = _shift_scale(image, low, scale, float_dtype(image.dtype))
    return (
        quantize(stretched, 1, image.dtype) if image.dtype.kind == "u" else clip_floats(stretched)
    )


def _channel_ends(image: Array) -> tuple[Array, Array]:
    """Return the least and largest value of each channel; whole rows first, which vectorises."""
    rows = image.reshape(image.shape[0], -1)
    if image.dtype.kind == "f":  # OpenCV needs half of NumPy's time; on uint8 eight times it
        low, high = (cv2.reduce(rows, 0, kind) for kind in (cv2.REDUCE_MIN, cv2.REDUCE_MAX))
    else:
        low, high = rows.min(0), rows.max(0)
    channels = image.shape[-1]
    return low.reshape(-1, channels).min(0), high.reshape(-1, channels).max(0)


def normalize(x: Array, mean: tuple[float, ...], std: tuple[float, ...]) -> Array:
    """Return ``(x / full - mean) / std`` as floats."""
    dtype, top = float_dtype(x.dtype), full_range(x.dtype)
    scale, low = 1 / (top * np.array(std)), top * np.array(mean)
    if x.size == 0 or len(mean) > 4:
        return _shift_scale(x, low, scale, dtype)
    matrix = np.column_stack([np.diag(scale), -scale * low])
    return by_strips(lambda s: cv2.transform(s.astype(dtype, copy=False), matrix), x, dtype)


def _shift_scale(x: Array, low: Array, scale: Array, dtype: npt.DTypeLike) -> Array:
    """Return ``(x - low) * scale`` with one number a channel; tiled rows vectorise."""
    width = x.shape[-2]
    rows = as_rows(x)
    y = np.subtract(rows, np.tile(low, width).astype(dtype), dtype=dtype)
    y *= np.tile(scale, width).astype(dtype)
    return y.reshape(x.shape)


def to_float(x: Array) -> Array:
    """Return fractions of full range."""
    return x.copy() if x.dtype.kind == "f" else np.divide(x, np.float32(full_range(x.dtype)))


def to_uint8(x: Array) -> Array:
    """Return the nearest 8-bit image."""
    if x.dtype == np.uint8:
        return x.copy()
    if x.dtype.kind == "f" and not x.max(initial=0) < FAR:
        x = np.clip(x, 0, 1)
    return quantize(x, 255 / full_range(x.dtype), np.uint8)


# --- CLAHE -------------------------------------------------------------------------------


def clahe(x: Array, clip_limit: float, tiles: int | tuple[int, int]) -> Array:
    """Equalize the luma of each image tile by tile."""
    grid = (tiles, tiles) if isinstance(tiles, int) else tiles
    return each_image(lambda image: _clahe(image, clip_limit, grid), x)


def _clahe(image: Array, clip_limit: float, tiles: tuple[int, int]) -> Array:
    """Equalize (H, W, C); RGB takes on the change of its luma."""
    if image.dtype.kind == "f":
        image = np.clip(image, 0, 1)
    gray = image[..., 0] if image.shape[-1] == 1 else luma(image, Y_OF_YCBCR)
    if image.dtype == np.uint8:
        even = cv2.createCLAHE(clip_limit, (tiles[1], tiles[0])).apply(gray)
    else:
        even = _clahe_fine(gray, clip_limit, tiles)
    if image.shape[-1] == 1:
        return even[..., None]
    if image.dtype.kind == "f":
        return clip_floats(image + (even - gray)[..., None])
    lighter, darker = cv2.subtract(even, gray), cv2.subtract(gray, even)
    brightened = cv2.add(image, cv2.cvtColor(lighter, cv2.COLOR_GRAY2RGB))
    return cv2.subtract(brightened, cv2.cvtColor(darker, cv2.COLOR_GRAY2RGB))


def _clahe_fine(gray: Array, clip_limit: float, tiles: tuple[int, int]) -> Array:
    """Equalize (H, W) uint16 or floats by the curves of its 8-bit copy."""
    top = full_range(gray.dtype)
    position = np.clip(gray / top, 0, 1) * 255
    return quantize(apply_tiles(position, to_uint8(gray), clip_limit, tiles), top / 255, gray.dtype)
