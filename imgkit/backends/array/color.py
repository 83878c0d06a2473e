"""Color and tone on arrays: matrices, tables and scalings that a planner can compose.

A linear color op is a 3x4 matrix (`brightness_matrix`, `contrast_matrix`, `saturation_matrix`,
`GRAYSCALE`), its last column in the array's units; `apply_matrix` runs one. A tone curve of an
integer dtype is a table: the op's result on `levels(dtype)`; `apply_table` runs one, and
``second[first]`` is both. Images are (N, H, W, C).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from imgkit.backends.array.clahe import apply_tiles
from imgkit.image import float_dtype, full_range

Array = npt.NDArray[Any]

LUMA = (0.2989, 0.587, 0.114)
CV_DEPTH = {"uint8": cv2.CV_8U, "uint16": cv2.CV_16U}

# Pixels a strip where float temporaries are needed: above 100 thousand the allocator maps them
# anew on each call (`benchmarks color`, hue at 512²: 3.4 ms whole, 0.75 ms in strips), below 30
# thousand calls begin to count.
STRIP = 65_536

FAR = 1 << 23  # 255 times it is what OpenCV, which rounds to 32 bits, still saturates

# A matrix computes scale * x + offset in float32; up to this scale the two terms cancel to 1e-6.
CANCELS = 16


# --- linear: 3x4 matrices ----------------------------------------------------------------


GRAYSCALE: Array = np.array([[*LUMA, 0.0]] * 3)
Y_OF_YCBCR: Array = np.array([[0.299, 0.587, 0.114, 0.0]] * 3)
GRAYSCALE.flags.writeable = Y_OF_YCBCR.flags.writeable = False


def brightness_matrix(factor: float) -> Array:
    """Return the matrix of `adjust_brightness`."""
    return factor * np.eye(3, 4)


def contrast_matrix(factor: float, mean: float) -> Array:
    """Return the matrix of `adjust_contrast` for an image whose gray mean is known."""
    matrix = factor * np.eye(3, 4)
    matrix[:, 3] = (1 - factor) * mean
    return matrix


def saturation_matrix(factor: float) -> Array:
    """Return the matrix of `adjust_saturation`."""
    return factor * np.eye(3, 4) + (1 - factor) * GRAYSCALE


def apply_matrix(x: Array, matrix: Array) -> Array:
    """Map every RGB pixel by a 3x4 matrix; clip to the range of the dtype."""
    if x.size == 0:
        return np.empty_like(x)
    return _clip(cv2.transform(_tall(x), matrix).reshape(x.shape))


def gray_mean(image: Array) -> float:
    """Return the mean luma of one image (H, W, C)."""
    means = cv2.mean(np.ascontiguousarray(image))
    return float(np.dot(LUMA, means[:3])) if image.shape[-1] == 3 else means[0]


def adjust_brightness(x: Array, factor: float) -> Array:
    """Scale."""
    if x.dtype.kind == "f":
        with np.errstate(over="ignore"):  # infinity is clipped
            return _clip(x * factor)
    if x.dtype == np.uint8 and x.size:  # half the time of _scale_add, for what is not negative
        return cv2.convertScaleAbs(_flat(x), alpha=factor).reshape(x.shape)
    return _scale_add(x, factor, 0.0)


def adjust_contrast(x: Array, factor: float) -> Array:
    """Scale around each image's gray mean."""
    return _each(lambda im: _scale_add(im, factor, (1 - factor) * gray_mean(im)), x)


def adjust_saturation(x: Array, factor: float) -> Array:
    """Blend with gray."""
    return x.copy() if x.shape[-1] == 1 else apply_matrix(x, saturation_matrix(factor))


def grayscale(x: Array, channels: int) -> Array:
    """Return luma in 1 or 3 channels."""
    if x.shape[-1] == 1:
        return x.copy()
    if x.size == 0:
        return np.empty((*x.shape[:3], channels), x.dtype)
    gray = _luma(_tall(x))
    if channels == 3:
        gray = cv2.merge([gray, gray, gray])
    return gray.reshape(*x.shape[:3], channels)


def _luma(x: Array, weights: Array = GRAYSCALE) -> Array:
    """Return (H, W) luma of (H, W, 3)."""
    if x.dtype == np.uint8:  # fixed point; 0.299 in place of 0.2989 is 0.03 level at most
        return cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)
    if x.dtype == np.uint16:  # OpenCV vectorises 3 to 3 channels, not 3 to 1: 28 us, not 78
        return cv2.extractChannel(cv2.transform(x, weights), 0)
    return cv2.transform(x, weights[:1])


# --- hue ---------------------------------------------------------------------------------


def adjust_hue(x: Array, shift: float) -> Array:
    """Add to the hue of a float32 HSV copy."""
    if x.shape[-1] == 1:
        return x.copy()
    turn = shift % 1.0  # OpenCV's vectorised HSV2RGB takes any angle from 0 up, none below
    return _in_strips(lambda strip: _shift_hue(strip, 360 * turn), x)


def _shift_hue(rgb: Array, degrees: float) -> Array:
    """Turn the hue of (H, W, 3)."""
    hsv = cv2.cvtColor(rgb.astype(np.float32), cv2.COLOR_RGB2HSV)
    hue = hsv[..., 0]
    hue += degrees
    turned = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    if rgb.dtype == np.uint8:
        return cv2.convertScaleAbs(turned)  # nothing is negative; a third of the time
    return _quantize(turned, 1, rgb.dtype)


# --- tone curves -------------------------------------------------------------------------


def levels(dtype: npt.DTypeLike) -> Array:
    """Return every value of an integer dtype as an image (1, 1, levels, 1)."""
    return np.arange(int(full_range(dtype)) + 1).astype(dtype).reshape(1, 1, -1, 1)


def apply_table(x: Array, table: Array) -> Array:
    """Look every pixel of an integer image up in one table of all its levels."""
    if x.size == 0:
        return np.empty(x.shape, table.dtype)
    return cv2.LUT(_flat(x), table.reshape(-1)).reshape(x.shape)


def gamma_table(dtype: npt.DTypeLike, gamma: float, gain: float) -> Array:
    """Return the table of `adjust_gamma` for an integer dtype."""
    fraction = levels(dtype).reshape(1, -1) / np.float32(full_range(dtype))
    return _quantize(_power(fraction, gamma, gain), full_range(dtype), dtype)[0]


def adjust_gamma(x: Array, gamma: float, gain: float) -> Array:
    """Look up, or raise to a power."""
    if x.dtype.kind == "u":
        return apply_table(x, gamma_table(x.dtype, gamma, gain))
    return _in_strips(lambda strip: _power(strip, gamma, gain), x)


def _power(x: Array, gamma: float, gain: float) -> Array:
    """Return ``gain * x**gamma`` of non-negative floats, clipped to 0..1."""
    x = np.clip(x, 0, None)
    if x.dtype == np.float64 or gamma == 0:
        y = x**gamma
    else:  # half the time of np.power, exact to 1e-7
        with np.errstate(divide="ignore", over="ignore"):
            y = np.log(x, out=x)
            y *= gamma
        y = cv2.exp(_flat(y)).reshape(x.shape)
    if gain != 1:
        y *= gain
    return _clip(y)


def invert(x: Array) -> Array:
    """Return full intensity minus x."""
    return np.invert(x) if x.dtype.kind == "u" else 1 - x


def posterize(x: Array, bits: int) -> Array:
    """Keep the highest bits."""
    if x.dtype.kind == "u":
        kept = full_range(x.dtype) + 1 - 2 ** (8 * x.dtype.itemsize - bits)
        return np.bitwise_and(x, x.dtype.type(kept))
    return _in_strips(lambda strip: _round_down(strip, 2**bits), x)


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
    return _each(lambda image: _merge([_equalize_plane(p) for p in _planes(image)]), x)


def _equalize_plane(plane: Array) -> Array:
    """Flatten the histogram of (H, W)."""
    coarse = plane if plane.dtype == np.uint8 else to_uint8(plane)
    table = equalize_table(cv2.calcHist([coarse], [0], None, [256], [0, 256]))
    return interpolate_table(plane, table)


def interpolate_table(x: Array, table: Array) -> Array:
    """Read a curve given at the 256 levels of uint8; other dtypes interpolate linearly."""
    if x.dtype == np.uint8:
        return apply_table(x, table)
    value = table.astype(np.int32)
    rise = np.diff(value, append=value[-1])
    if x.dtype == np.uint16:  # 65535 = 255 * 257, so 257 steps lie between two levels
        fine = 257 * value[:, None] + rise[:, None] * np.arange(257)
        return apply_table(x, fine.ravel()[:65536].astype(np.uint16))
    position = np.clip(x, 0, 1) * x.dtype.type(255)
    with np.errstate(invalid="ignore"):  # NaN reads at 0, and stays NaN
        index = position.astype(np.uint8)
    position -= index
    position *= apply_table(index, rise.astype(x.dtype))
    position += apply_table(index, value.astype(x.dtype))
    position *= x.dtype.type(1 / 255)
    return position


# --- one scale and offset a channel ------------------------------------------------------


def autocontrast(x: Array) -> Array:
    """Stretch each channel to the full range."""
    return _each(_stretch, x)


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
        return _clip(cv2.transform(image, matrix).reshape(image.shape))
    # Subtracting first keeps the digits that a small range of a fine dtype needs.
    stretched = _shift_scale(image, low, scale, float_dtype(image.dtype))
    return _quantize(stretched, 1, image.dtype) if image.dtype.kind == "u" else _clip(stretched)


def _channel_ends(image: Array) -> tuple[Array, Array]:
    """Return the least and largest value of each channel; whole rows first, which vectorises."""
    rows = image.reshape(image.shape[0], -1)
    if image.dtype.kind == "f":  # OpenCV needs half of NumPy's time; on uint8 eight times it
        low, high = (cv2.reduce(rows, 0, how) for how in (cv2.REDUCE_MIN, cv2.REDUCE_MAX))
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
    return _in_strips(lambda s: cv2.transform(s.astype(dtype, copy=False), matrix), x, dtype)


def _shift_scale(x: Array, low: Array, scale: Array, dtype: npt.DTypeLike) -> Array:
    """Return ``(x - low) * scale`` with one number a channel; tiled rows vectorise."""
    width = x.shape[-2]
    rows = _flat(x)
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
    return _quantize(x, 255 / full_range(x.dtype), np.uint8)


# --- CLAHE -------------------------------------------------------------------------------


def clahe(x: Array, clip_limit: float, tiles: tuple[int, int]) -> Array:
    """Equalize the luma of each image tile by tile."""
    return _each(lambda image: _clahe(image, clip_limit, tiles), x)


def _clahe(image: Array, clip_limit: float, tiles: tuple[int, int]) -> Array:
    """Equalize (H, W, C); RGB takes on the change of its luma."""
    if image.dtype.kind == "f":
        image = np.clip(image, 0, 1)
    gray = image[..., 0] if image.shape[-1] == 1 else _luma(image, Y_OF_YCBCR)
    if image.dtype == np.uint8:
        even = cv2.createCLAHE(clip_limit, (tiles[1], tiles[0])).apply(gray)
    else:
        even = _clahe_fine(gray, clip_limit, tiles)
    if image.shape[-1] == 1:
        return even[..., None]
    if image.dtype.kind == "f":
        return _clip(image + (even - gray)[..., None])
    lighter, darker = cv2.subtract(even, gray), cv2.subtract(gray, even)
    brightened = cv2.add(image, cv2.cvtColor(lighter, cv2.COLOR_GRAY2RGB))
    return cv2.subtract(brightened, cv2.cvtColor(darker, cv2.COLOR_GRAY2RGB))


def _clahe_fine(gray: Array, clip_limit: float, tiles: tuple[int, int]) -> Array:
    """Equalize (H, W) uint16 or floats by the curves of its 8-bit copy."""
    top = full_range(gray.dtype)
    position = np.clip(gray / top, 0, 1) * 255
    return _quantize(
        apply_tiles(position, to_uint8(gray), clip_limit, tiles), top / 255, gray.dtype
    )


# --- shared steps ------------------------------------------------------------------------


def _flat(x: Array) -> Array:
    """View any image as rows of numbers, which OpenCV takes whatever the channels."""
    return x.reshape(-1, x.shape[-2] * x.shape[-1])


def _tall(x: Array) -> Array:
    """View a batch (N, H, W, C) as one image (N * H, W, C)."""
    return x.reshape(-1, *x.shape[-2:])


def _each(function: Callable[[Array], Array], x: Array) -> Array:
    """Run a function of (H, W, C) on each image of a batch."""
    if len(x) == 1:
        return function(x[0])[None]
    y = np.empty_like(x)
    for image, result in zip(x, y, strict=True):
        result[...] = function(image)
    return y


def _in_strips(
    function: Callable[[Array], Array], x: Array, dtype: npt.DTypeLike | None = None
) -> Array:
    """Run a pixel by pixel function of (rows, W, C) on strips that stay in the cache."""
    tall = _tall(x)
    rows = max(1, 3 * STRIP // (tall.shape[1] * tall.shape[2]))
    if 0 < len(tall) <= rows:
        return function(tall).reshape(x.shape)
    y = np.empty(tall.shape, dtype or x.dtype)
    for start in range(0, len(tall), rows):
        strip = tall[start : start + rows]
        y[start : start + rows] = function(strip).reshape(strip.shape)
    return y.reshape(x.shape)


def _planes(image: Array) -> tuple[Array, ...]:
    """Return the channels of (H, W, C), each contiguous."""
    if 1 < image.shape[-1] <= 4:
        return tuple(cv2.split(image))
    return tuple(np.ascontiguousarray(np.moveaxis(image, -1, 0)))


def _merge(planes: list[Array]) -> Array:
    """Return (H, W, C) of its channels."""
    merged: Array = cv2.merge(planes) if 1 < len(planes) <= 4 else np.stack(planes, axis=-1)
    return merged


def _scale_add(x: Array, scale: float, offset: float) -> Array:
    """Return ``scale * x + offset``, clipped to the range of the dtype."""
    if x.size == 0:
        return np.empty_like(x)
    flat = _flat(x)
    return _clip(cv2.addWeighted(flat, scale, flat, 0, offset).reshape(x.shape))


def _quantize(values: Array, scale: float, dtype: npt.DTypeLike) -> Array:
    """Return ``scale * values`` in a dtype; integers rounded half to even and saturated."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f" or values.size == 0:
        return (values if scale == 1 else values * scale).astype(dtype, copy=False)
    flat = _flat(values)
    return cv2.addWeighted(flat, scale, flat, 0, 0, dtype=CV_DEPTH[dtype.name]).reshape(
        values.shape
    )


def _clip(x: Array) -> Array:
    """Clip fresh floats to 0..1 in place."""
    return np.clip(x, 0, 1, out=x) if x.dtype.kind == "f" else x
