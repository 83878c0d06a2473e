"""Neighborhood stages of a plan: layer-one functions and codecs, by the names of `FILTERS`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from imgkit.backends.array import blur, color, edges, resample
from imgkit.image import full_range, saturate
from imgkit.kernels import EMBOSS, kernel

Array = npt.NDArray[Any]


def _jpeg(x: Array, quality: Any) -> Array:
    """Encode and decode; other dtypes than uint8 go through 8 bits."""
    image = color.to_uint8(x)[0]
    rgb = image.shape[-1] == 3
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if rgb else image
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    back = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB if rgb else cv2.IMREAD_GRAYSCALE)
    assert back is not None  # it was encoded two lines above
    back = back.reshape(image.shape)
    if x.dtype == np.uint8:
        return back[None]
    return saturate(back[None] * (full_range(x.dtype) / 255.0), x.dtype)


def _correlate(x: Array, taps: Array) -> Array:
    """Correlate H and W of every channel, mirrored at the border, back to the input's dtype."""
    parts = [
        cv2.filter2D(x[0, ..., c : c + 4], -1, taps, borderType=cv2.BORDER_REFLECT_101)
        for c in range(0, x.shape[-1], 4)
    ]
    result = parts[0] if len(parts) == 1 else np.dstack(parts)
    if x.dtype.kind == "f":
        np.clip(result, 0, 1, out=result)
    return result.reshape(x.shape)


def _emboss(x: Array, strength: Any) -> Array:
    """Blend with the relief, which is one correlation."""
    taps = strength * np.array(EMBOSS)
    taps[1, 1] += 1 - strength
    return _correlate(x, taps)


SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13


def _sharpness(x: Array, factor: Any) -> Array:
    """Blend with the smoothed image, which is one correlation; the outermost pixels stay."""
    image = x[0]
    if factor == 1 or min(image.shape[:2]) < 3:
        return x
    taps = (1 - factor) * SMOOTH
    taps[1, 1] += factor
    most = resample.MAX_CV_CHANNELS
    out = np.empty(image.shape, image.dtype)
    for c in range(0, image.shape[-1], most):
        part = np.ascontiguousarray(image[..., c : c + most])
        out[..., c : c + most] = cv2.filter2D(part, -1, taps).reshape(part.shape)
    if out.dtype.kind == "f":
        np.clip(out, 0, 1, out=out)
    out[0], out[-1], out[:, 0], out[:, -1] = image[0], image[-1], image[:, 0], image[:, -1]
    return out[None]


def _in_range(values: Array, dtype: np.dtype[Any]) -> Array:
    return saturate(np.clip(values, 0, full_range(dtype)), dtype)


def _sobel(x: Array, normalized: bool) -> Array:
    kind = np.dtype(np.float64 if x.dtype == np.float64 else np.float32)
    return _in_range(
        edges.magnitude(x, "sobel", 1 / 8 if normalized else 1.0, "reflect", 0.0, kind), x.dtype
    )


def _laplacian(x: Array) -> Array:
    kind = np.dtype(np.float64 if x.dtype == np.float64 else np.float32)
    return _in_range(np.abs(edges.laplacian(x, 4, "reflect", 0.0, kind)), x.dtype)


FILTERS: dict[str, Callable[..., Array]] = {
    "gaussian_blur": lambda x, sigma: blur.gaussian_blur(x, float(sigma), "reflect", 0.0, 4.0),
    "box_blur": lambda x, size: blur.box_blur(x, (int(size), int(size)), "reflect", 0.0),
    "median_blur": lambda x, size: blur.median_blur(x, int(size), "reflect", 0.0),
    "motion_blur": lambda x, size, degrees: _correlate(
        x, kernel("motion", size=int(size), angle=float(degrees))
    ),
    "sharpen": lambda x, amount: np.clip(
        blur.sharpen(x, float(amount), 1.0, "reflect", 0.0), 0, full_range(x.dtype)
    ),
    "sharpness": _sharpness,
    "emboss": _emboss,
    "sobel": lambda x: _sobel(x, False),
    "sobel_normalized": lambda x: _sobel(x, True),
    "laplacian": _laplacian,
    "jpeg": _jpeg,
    "clahe": lambda x, clip_limit, tiles: color.clahe(x, float(clip_limit), (int(tiles),) * 2),
}
