"""What the pixel by pixel operations share: flat views, strips, scaling and clipping."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from imgkit.image import Array

CV_DEPTH = {"uint8": cv2.CV_8U, "uint16": cv2.CV_16U}

# Pixels a strip where float temporaries are needed: above 100 thousand the allocator maps them
# anew on each call (`benchmarks color`, hue at 512²: 3.4 ms whole, 0.75 ms in strips), below 30
# thousand calls begin to count.
STRIP = 65_536


def as_rows(x: Array) -> Array:
    """View any image as rows of numbers, which OpenCV takes whatever the channels."""
    return x.reshape(-1, x.shape[-2] * x.shape[-1])


def as_tall(x: Array) -> Array:
    """View a batch (N, H, W, C) as one image (N * H, W, C)."""
    return x.reshape(-1, *x.shape[-2:])


def each_image(function: Callable[[Array], Array], x: Array) -> Array:
    """Run a function of (H, W, C) on each image of a batch."""
    if len(x) == 1:
        return function(x[0])[None]
    y = np.empty_like(x)
    for image, result in zip(x, y, strict=True):
        result[...] = function(image)
    return y


def by_strips(
    function: Callable[[Array], Array], x: Array, dtype: npt.DTypeLike | None = None
) -> Array:
    """Run a pixel by pixel function of (rows, W, C) on strips that stay in the cache."""
    tall = as_tall(x)
    rows = max(1, 3 * STRIP // (tall.shape[1] * tall.shape[2]))
    if 0 < len(tall) <= rows:
        return function(tall).reshape(x.shape)
    y = np.empty(tall.shape, dtype or x.dtype)
    for start in range(0, len(tall), rows):
        strip = tall[start : start + rows]
        y[start : start + rows] = function(strip).reshape(strip.shape)
    return y.reshape(x.shape)


def scale_add(x: Array, scale: float, offset: float) -> Array:
    """Return ``scale * x + offset``, clipped to the range of the dtype."""
    if x.size == 0:
        return np.empty_like(x)
    flat = as_rows(x)
    return clip_floats(cv2.addWeighted(flat, scale, flat, 0, offset).reshape(x.shape))


def quantize(values: Array, scale: float, dtype: npt.DTypeLike) -> Array:
    """Return ``scale * values`` in a dtype; integers rounded half to even and saturated."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f" or values.size == 0:
        return (values if scale == 1 else values * scale).astype(dtype, copy=False)
    flat = as_rows(values)
    return cv2.addWeighted(flat, scale, flat, 0, 0, dtype=CV_DEPTH[dtype.name]).reshape(
        values.shape
    )


def clip_floats(x: Array) -> Array:
    """Clip fresh floats to 0..1 in place."""
    return np.clip(x, 0, 1, out=x) if x.dtype.kind == "f" else x
