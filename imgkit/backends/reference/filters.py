"""Neighborhood filters that a plan names: those that differ from a layer-one function.

A filter takes one float64 image (H, W, C), full intensity `top`, and the numbers of one sample.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from imgkit.backends import layer_one
from imgkit.backends.array import filters as array
from imgkit.backends.reference import conv, edges, tone
from imgkit.image import Array, saturate
from imgkit.kernels import EMBOSS, kernel

SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13


def apply(name: str, x: Array, top: float, numbers: dict[str, Any], dtype: np.dtype[Any]) -> Array:
    """Run the filter of a name; one that has no plain form is its own definition, in `dtype`."""
    own = FILTERS.get(name)
    if own is not None:
        return own(x, top, **numbers)
    if name in array.FILTERS:  # a codec
        return array.FILTERS[name](saturate(x, dtype)[None], **numbers)[0].astype(np.float64)
    result: Array = layer_one("reference", name)(x, **numbers)
    return result


def _correlate(x: Array, taps: Array) -> Array:
    planes = [conv.correlate(x[..., c], taps, "same", border="reflect") for c in range(x.shape[2])]
    return np.stack(planes, axis=-1)


def motion_blur(x: Array, top: float, size: int, degrees: float) -> Array:
    """Blur along a line."""
    return _correlate(x, kernel("motion", size=size, angle=degrees))


def emboss(x: Array, top: float, strength: float) -> Array:
    """Blend with the relief."""
    return (1 - strength) * x + strength * _correlate(x, np.array(EMBOSS))


def sharpness(x: Array, top: float, factor: float) -> Array:
    """Blend with the smoothed image; the outermost pixels stay."""
    if min(x.shape[:2]) < 3:
        return x
    result = x.copy()
    inner = (slice(1, -1), slice(1, -1))
    result[inner] = factor * x[inner] + (1 - factor) * _correlate(x, SMOOTH)[inner]
    return result


def sobel(x: Array, top: float) -> Array:
    """Return the Sobel gradient magnitude."""
    return edges.sobel(x)


def sobel_normalized(x: Array, top: float) -> Array:
    """Return the Sobel gradient magnitude, 1 on a unit ramp."""
    return edges.sobel(x, normalized=True)


def laplacian(x: Array, top: float) -> Array:
    """Return the size of the 4-neighbor Laplacian."""
    return np.abs(edges.laplacian(x))


def clahe(x: Array, top: float, clip_limit: float, tiles: int) -> Array:
    """Equalize in a square grid of tiles."""
    return tone.clahe(x, clip_limit, (tiles, tiles), top=top)


FILTERS: dict[str, Callable[..., Array]] = {
    function.__name__: function
    for function in (motion_blur, emboss, sharpness, sobel, sobel_normalized, laplacian, clahe)
}
