"""Neighborhood filters that a plan names: those that differ from a layer-one function.

A filter takes a batch (N, H, W, C) and the numbers of one sample, and returns the dtype of the
input; floats may leave 0..1.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

from imgkit.backends import layer_one
from imgkit.backends.array import conv, edges, tone
from imgkit.backends.array.primitives.conv_routes import LIMITS, as_problem
from imgkit.backends.array.primitives.magnitudes import largest
from imgkit.backends.array.resample import MAX_CV_CHANNELS
from imgkit.image import Array, full_range, saturate
from imgkit.kernels import EMBOSS, kernel

SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13


def find(name: str) -> Callable[..., Array]:
    """Return the filter of a name: one of this module, or a layer-one function."""
    return FILTERS.get(name) or layer_one("array", name)


def _correlate(x: Array, taps: Array) -> Array:
    """Correlate H and W of every channel of one image, mirrored at the border."""
    if x.dtype.kind == "f" and not largest(x) <= LIMITS[x.dtype.name]:
        # filter2D takes a DFT for many taps, which spreads what is large
        problem = as_problem(x.shape, (1, 2), taps, (1, 1), (1, 1))
        return conv.prepare(problem._replace(border="reflect", dtype=x.dtype.name))(x)
    groups = [
        cv2.filter2D(x[0, ..., c : c + 4], -1, taps, borderType=cv2.BORDER_REFLECT_101)
        for c in range(0, x.shape[-1], 4)
    ]
    result = groups[0] if len(groups) == 1 else np.dstack(groups)
    return result.reshape(x.shape)


def motion_blur(x: Array, size: int, degrees: float) -> Array:
    """Blur along a line."""
    return _correlate(x, kernel("motion", size=size, angle=degrees))


def emboss(x: Array, strength: float) -> Array:
    """Blend with the relief, which is one correlation."""
    taps = strength * np.array(EMBOSS)
    taps[1, 1] += 1 - strength
    return _correlate(x, taps)


def sharpness(x: Array, factor: float) -> Array:
    """Blend with the smoothed image, which is one correlation; the outermost pixels stay."""
    image = x[0]
    if factor == 1 or min(image.shape[:2]) < 3:
        return x
    taps = (1 - factor) * SMOOTH
    taps[1, 1] += factor
    out = np.empty(image.shape, image.dtype)
    for c in range(0, image.shape[-1], MAX_CV_CHANNELS):
        group = np.ascontiguousarray(image[..., c : c + MAX_CV_CHANNELS])
        out[..., c : c + MAX_CV_CHANNELS] = cv2.filter2D(group, -1, taps).reshape(group.shape)
    out[0], out[-1], out[:, 0], out[:, -1] = image[0], image[-1], image[:, 0], image[:, -1]
    return out[None]


def sobel(x: Array, scale: float = 1.0) -> Array:
    """Return the Sobel gradient magnitude times `scale`, in the dtype of the image."""
    return edges.magnitude(x, "sobel", scale, "reflect", 0.0, x.dtype)


def laplacian(x: Array) -> Array:
    """Return the size of the 4-neighbor Laplacian, in the dtype of the image."""
    working = np.dtype(np.float64 if x.dtype == np.float64 else np.float32)
    return saturate(np.abs(edges.laplacian(x, 4, "reflect", 0.0, working)), x.dtype)


def jpeg(x: Array, quality: int) -> Array:
    """Encode and decode one image; other dtypes than uint8 go through 8 bits."""
    image = tone.to_uint8(x)[0]
    rgb = image.shape[-1] == 3
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if rgb else image
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    back = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB if rgb else cv2.IMREAD_GRAYSCALE)
    assert back is not None  # it was encoded two lines above
    back = back.reshape(image.shape)
    if x.dtype == np.uint8:
        return back[None]
    return saturate(back[None] * (full_range(x.dtype) / 255.0), x.dtype)


FILTERS: dict[str, Callable[..., Array]] = {
    "motion_blur": motion_blur,
    "emboss": emboss,
    "sharpness": sharpness,
    "sobel": sobel,
    "sobel_normalized": partial(sobel, scale=1 / 8),
    "laplacian": laplacian,
    "jpeg": jpeg,
}
