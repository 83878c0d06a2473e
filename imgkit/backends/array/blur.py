"""Blurs and sharpening on arrays, with OpenCV and NumPy."""

from __future__ import annotations

import math
import warnings

import cv2
import numpy as np

from imgkit.backends.array.primitives.cast import cast_into
from imgkit.backends.array.primitives.magnitudes import largest
from imgkit.backends.array.primitives.pool_windows import at, running_windows
from imgkit.backends.array.primitives.row_tiles import (
    STRIP_VALUES,
    Inner,
    direct_output,
    in_strips,
    padded,
)
from imgkit.image import Array, float_dtype, full_range, saturate
from imgkit.kernels import gaussian_taps

MEDIAN_BYTES = 1 << 26  # windows sorted at a time: memory, not speed, is the limit
RUNS = float(1 << 24)  # largest magnitude that leaves no trace in a running sum of float64
MOST = (1 << 31) - 1  # of a sum in 32 bits
LARGEST = 255  # OpenCV's 8-bit median counts pixels in 16 bits


def gaussian_blur(
    x: Array, sigma: float, border: str = "reflect", value: float = 0.0, truncate: float = 4.0
) -> Array:
    """Correlate rows and columns with Gaussian taps in floats, and round once.

    cv2.GaussianBlur on integers uses fixed-point taps: up to 2 levels off, and no faster.
    """
    taps = gaussian_taps(sigma, 2 * int(truncate * sigma + 0.5) + 1)
    out = np.empty(x.shape, x.dtype)

    def fill(strip: Array, cv_border: int, inner: Inner, out: Array) -> None:
        direct = direct_output(strip, out, float_dtype(x.dtype))
        blurred = _gaussian(strip, taps, cv_border, direct)
        if direct is None:  # integers, which are not negative
            cast_into(blurred[inner], out, signed=False)

    size = x.size if x.dtype == float_dtype(x.dtype) else STRIP_VALUES
    in_strips(fill, x, (out,), len(taps) // 2, border, value, size=size)
    return out


def _gaussian(strip: Array, taps: Array, cv_border: int, direct: Array | None = None) -> Array:
    """Return the blurred strip in floats."""
    working = float_dtype(strip.dtype)
    if strip.dtype == np.uint16:  # three times faster than from uint16: `benchmarks edges`
        strip = strip.astype(working)
    depth = cv2.CV_32F if working == np.float32 else cv2.CV_64F
    blurred = cv2.sepFilter2D(strip, depth, taps, taps, direct, borderType=cv_border)
    return np.asarray(blurred.reshape(strip.shape))


def sharpen(
    x: Array, amount: float, sigma: float = 1.0, border: str = "reflect", value: float = 0.0
) -> Array:
    """Add `amount` times the difference to the blurred image."""
    taps = gaussian_taps(sigma)
    out = np.empty(x.shape, x.dtype)

    def fill(strip: Array, cv_border: int, inner: Inner, out: Array) -> None:
        blurred = _gaussian(strip, taps, cv_border)[inner]
        sharp = strip[inner] - blurred
        sharp *= blurred.dtype.type(amount)
        sharp += strip[inner]
        out[...] = saturate(sharp, out.dtype) if out.dtype.kind == "u" else sharp

    in_strips(fill, x, (out,), len(taps) // 2, border, value)
    return out


def box_blur(
    x: Array, size: int | tuple[int, int], border: str = "reflect", value: float = 0.0
) -> Array:
    """Return the mean of every window."""
    sides = (size, size) if isinstance(size, int) else size
    held = x.dtype.kind != "f" or largest(x) <= RUNS
    sums = _running_sums if held and abs(value) <= RUNS else _sums_of_windows
    out = np.empty(x.shape, x.dtype)

    def fill(strip: Array, cv_border: int, inner: Inner, out: Array) -> None:
        mean = sums(strip, sides, cv_border, inner)
        mean /= math.prod(sides)
        cast_into(mean, out, signed=False)

    pad = sums is _sums_of_windows
    with np.errstate(invalid="ignore", over="ignore"):  # infinities of both signs
        in_strips(fill, x, (out,), max(sides) // 2, border, value, pad=pad)
    return out


def _running_sums(strip: Array, sides: tuple[int, int], cv_border: int, inner: Inner) -> Array:
    """Return the sums of windows in floats: what enters a window is added, what leaves taken out.

    OpenCV adds whole numbers in 32 bits, floats in float64.
    """
    area = math.prod(sides)
    if area * full_range(strip.dtype) > MOST:
        strip = strip.astype(np.float32)  # exact
    # float32 holds the sums of so many uint8 pixels, and keeps their means off the ties
    depth = cv2.CV_32F if strip.dtype == np.uint8 and area <= 1 << 15 else cv2.CV_64F
    total = cv2.boxFilter(strip, depth, sides[::-1], normalize=False, borderType=cv_border)
    return np.asarray(total.reshape(strip.shape)[inner])


def _sums_of_windows(strip: Array, sides: tuple[int, int], _: int, inner: Inner) -> Array:
    """Return the sums of windows of a padded strip; each value reaches its own windows alone."""
    total = strip.astype(np.float64)
    for axis, (size, part) in enumerate(zip(sides, inner, strict=True)):
        first, last = part.start - size // 2, part.stop + (size - 1) // 2
        used = total[at(axis, slice(first, last))]
        total = running_windows(used, axis, size, 1, np.add)
    return total


def median_blur(x: Array, size: int, border: str = "reflect", value: float = 0.0) -> Array:
    """Return the median of every window."""
    if x.dtype.kind == "f" and (unknown := np.isnan(x)).any():
        # comparisons lose NaN: without them, and NaN wherever one lies in the window
        out = _medians(np.where(unknown, x.dtype.type(0), x), size, border, value)
        marks = box_blur(unknown.astype(np.float32), size, border, 0.0)
        out[marks > 0] = np.nan
        return out
    return _medians(x, size, border, value)


def _medians(x: Array, size: int, border: str, value: float) -> Array:
    """Return the median of every window of an image without NaN."""
    out = np.empty(x.shape, x.dtype)
    by_opencv = x.dtype != np.float64 if size <= 5 else x.dtype == np.uint8 and size <= LARGEST

    def fill(strip: Array, _: int, inner: Inner, out: Array) -> None:
        if size <= 5 and by_opencv:
            direct = direct_output(strip, out, strip.dtype)
            middle = cv2.medianBlur(strip, size, direct)
            if direct is None:
                out[...] = middle.reshape(strip.shape)[inner]
        elif by_opencv:
            for channel in np.ndindex(strip.shape[2:]):
                plane = np.ascontiguousarray(strip[..., *channel])
                out[..., *channel] = cv2.medianBlur(plane, size)[inner]
        elif strip.dtype.kind == "u" and _counts_faster(strip, size, out):
            for channel in np.ndindex(strip.shape[2:]):
                out[..., *channel] = _counted_median(strip[..., *channel], size)[inner]
        else:
            _sorted_median(strip, size, out)

    pad = border != "edge" or not by_opencv  # medianBlur itself knows the edge border alone
    in_strips(fill, x, (out,), size // 2, border, value, pad=pad, size=x.size)
    return out


def _counts_faster(strip: Array, size: int, out: Array) -> bool:
    """Return whether histograms, at all pixels of a strip, take less time than partitions.

    A histogram takes 1 us and 2.5 ns for each level, a partition 8 ns for each pixel of its window.
    """
    levels = int(strip.max()) + 1
    return strip.size * (400 + levels) < out.size * 3 * size * size


def _counted_median(plane: Array, size: int) -> Array:
    """Slide a histogram over (H, W): the time depends on the levels, and little on the window."""
    from skimage.filters import rank

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of many levels, which are known here
        return np.asarray(rank.median(plane, np.ones((size, size), np.uint8)))


def _sorted_median(strip: Array, size: int, out: Array) -> None:
    """Partition the windows of a padded strip, a few rows at a time."""
    windows = np.lib.stride_tricks.sliding_window_view(strip, (size, size), (0, 1))
    middle = size * size // 2
    step = max(1, MEDIAN_BYTES // (size * size * out[0].nbytes))
    for top in range(0, len(out), step):
        rows = windows[top : top + step]
        flat = rows.reshape(*rows.shape[:-2], size * size)
        out[top : top + step] = np.partition(flat, middle, axis=-1)[..., middle]


def bilateral_blur(
    x: Array,
    sigma_color: float,
    sigma_space: float,
    border: str = "reflect",
    value: float = 0.0,
    truncate: float = 2.0,
) -> Array:
    """Average neighbors weighted by distance in space and color."""
    radius = max(1, int(truncate * sigma_space + 0.5))
    out = np.empty(x.shape, x.dtype)
    if x.shape[-1] in (1, 3) and x.dtype in (np.uint8, np.float32):

        def fill(strip: Array, _: int, inner: Inner, out: Array) -> None:
            smooth = cv2.bilateralFilter(strip, 2 * radius + 1, sigma_color, sigma_space)
            out[...] = smooth.reshape(strip.shape)[inner]

        in_strips(fill, x, (out,), radius, border, value, pad=True)
        return out
    for image, target in zip(x, out, strict=True):
        framed = padded(image, slice(0, len(image)), radius, border, value)
        framed = framed.astype(float_dtype(x.dtype), copy=False)
        cast_into(_bilateral(framed, radius, sigma_color, sigma_space), target, signed=False)
    return out


def _bilateral(framed: Array, radius: int, sigma_color: float, sigma_space: float) -> Array:
    """Sum over the offsets of a disk, each a whole shifted image."""
    height, width = framed.shape[0] - 2 * radius, framed.shape[1] - 2 * radius
    center = framed[radius : radius + height, radius : radius + width]
    total, weights = np.zeros_like(center), np.zeros_like(center[..., :1])
    for dy, dx in np.ndindex(2 * radius + 1, 2 * radius + 1):
        away = (dy - radius) ** 2 + (dx - radius) ** 2
        if away > radius**2:
            continue
        shifted = framed[dy : dy + height, dx : dx + width]
        color = np.abs(shifted - center).sum(-1, keepdims=True)
        color *= 1 / sigma_color
        weight = np.exp(-0.5 * (color * color + away / sigma_space**2))
        total += weight * shifted
        weights += weight
    return np.asarray(total / weights)
