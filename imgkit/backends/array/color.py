"""Color on arrays: linear ops as 3x4 matrices that a planner can compose, and the hue.

A linear color op is a 3x4 matrix (`brightness_matrix`, `contrast_matrix`, `saturation_matrix`,
`GRAYSCALE`), its last column in the array's units; `apply_matrix` runs one. Images are
(N, H, W, C).
"""

from __future__ import annotations

import cv2
import numpy as np

from imgkit.backends.array.primitives.pixelwise import (
    as_rows,
    as_tall,
    by_strips,
    clip_floats,
    each_image,
    quantize,
    scale_add,
)
from imgkit.image import Array
from imgkit.stages import LUMA

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
    return clip_floats(cv2.transform(as_tall(x), matrix).reshape(x.shape))


def gray_mean(image: Array) -> float:
    """Return the mean luma of one image (H, W, C)."""
    means = cv2.mean(np.ascontiguousarray(image))
    return float(np.dot(LUMA, means[:3])) if image.shape[-1] == 3 else means[0]


def adjust_brightness(x: Array, factor: float) -> Array:
    """Scale."""
    if x.dtype.kind == "f":
        with np.errstate(over="ignore"):  # infinity is clipped
            return clip_floats(x * factor)
    if x.dtype == np.uint8 and x.size:  # half the time of _scale_add, for what is not negative
        return cv2.convertScaleAbs(as_rows(x), alpha=factor).reshape(x.shape)
    return scale_add(x, factor, 0.0)


def adjust_contrast(x: Array, factor: float) -> Array:
    """Scale around each image's gray mean."""
    return each_image(lambda im: scale_add(im, factor, (1 - factor) * gray_mean(im)), x)


def adjust_saturation(x: Array, factor: float) -> Array:
    """Blend with gray."""
    return x.copy() if x.shape[-1] == 1 else apply_matrix(x, saturation_matrix(factor))


def grayscale(x: Array, channels: int) -> Array:
    """Return luma in 1 or 3 channels."""
    if x.shape[-1] == 1:
        return x.copy()
    if x.size == 0:
        return np.empty((*x.shape[:3], channels), x.dtype)
    gray = luma(as_tall(x))
    if channels == 3:
        gray = cv2.merge([gray, gray, gray])
    return gray.reshape(*x.shape[:3], channels)


def luma(x: Array, weights: Array = GRAYSCALE) -> Array:
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
    return by_strips(lambda strip: _shift_hue(strip, 360 * turn), x)


def _shift_hue(rgb: Array, degrees: float) -> Array:
    """Turn the hue of (H, W, 3)."""
    hsv = cv2.cvtColor(rgb.astype(np.float32), cv2.COLOR_RGB2HSV)
    hue = hsv[..., 0]
    hue += degrees
    turned = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    if rgb.dtype == np.uint8:
        return cv2.convertScaleAbs(turned)  # nothing is negative; a third of the time
    return quantize(turned, 1, rgb.dtype)
