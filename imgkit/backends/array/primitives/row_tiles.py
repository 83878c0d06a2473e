"""Neighborhood filters of OpenCV on any image: in strips of rows that stay in the cache.

Each strip is read together with the rows its neighborhoods reach. Borders that OpenCV's filters
lack (wrap, a constant other than 0) are laid around the strip here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np

from imgkit.border import BORDERS, source_index
from imgkit.image import Array

Inner = tuple[slice, slice]

CHANNELS = 128  # OpenCV 5 takes no more in one array
STRIP_VALUES = 1 << 17  # of one strip; `benchmarks edges` is best, and flat, from here to 2**18


def in_strips(
    function: Callable[..., None],
    x: Array,
    outs: tuple[Array, ...],
    radius: int,
    border: str,
    value: float = 0.0,
    *,
    pad: bool = False,
    size: int = STRIP_VALUES,
) -> None:
    """Fill `outs`, each (N, H, W, C), by ``function(strip, cv2 border, inner, *outs of strip)``.

    A strip is (h, W, C), or (h, W) for one channel; ``strip[inner]`` is where its outputs lie.
    With `pad` every border is laid around the strip, also those that OpenCV's filters have; a
    `size` of ``x.size`` takes images whole, which serves filters that need no scratch memory.
    """
    for first in range(0, x.shape[-1], CHANNELS):
        channels: Any = slice(first, first + CHANNELS) if x.shape[-1] > 1 else 0
        for n in range(len(x)):
            image = x[n, :, :, channels]
            targets = [out[n, :, :, channels] for out in outs]
            strips = _strips(image, size, radius, border, value, pad)
            for rows, strip, cv_border, inner in strips:
                function(strip, cv_border, inner, *(target[rows] for target in targets))


def _strips(
    image: Array, size: int, radius: int, border: str, value: float, pad: bool
) -> Iterator[tuple[slice, Array, int, Inner]]:
    """Yield the rows of each strip, its pixels, the border to ask OpenCV for, and its inside."""
    height, width = image.shape[:2]
    step = max(size * height // image.size // 16 * 16, 4 * radius, 16)
    native = not pad and border != "wrap" and (border != "constant" or value == 0)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        rows = slice(top, bottom)
        if native:
            first = max(top - radius, 0)
            strip = np.ascontiguousarray(image[first : bottom + radius])
            inner = slice(top - first, bottom - first), slice(None)
            yield rows, strip, BORDERS[border].cv2, inner
        else:
            strip = padded(image, rows, radius, border, value)
            inner = slice(radius, radius + bottom - top), slice(radius, radius + width)
            yield rows, strip, cv2.BORDER_REPLICATE, inner


def padded(image: Array, rows: slice, radius: int, border: str, value: float) -> Array:
    """Return some rows of an image with `radius` border pixels on all four sides."""
    height, width = image.shape[:2]
    native = border != "wrap" and (border != "constant" or value == 0)
    if native and image.shape[2:] <= (CHANNELS,):
        first, last = max(rows.start - radius, 0), min(rows.stop + radius, height)
        above, below = first - rows.start + radius, rows.stop + radius - last
        kind = BORDERS[border].cv2
        strip = cv2.copyMakeBorder(image[first:last], above, below, radius, radius, kind)
        return np.asarray(strip.reshape(*strip.shape[:2], *image.shape[2:]))
    down = source_index(np.arange(rows.start - radius, rows.stop + radius), height, border)
    right = source_index(np.arange(-radius, width + radius), width, border)
    strip = image[down[:, None], right]
    strip[down < 0] = value
    strip[:, right < 0] = value
    return np.asarray(strip)


def direct_output(strip: Array, out: Array, dtype: np.dtype[Any]) -> Array | None:
    """Return `out` if OpenCV may write the filtered strip directly into it."""
    direct = out.shape == strip.shape and out.dtype == dtype and out.flags.c_contiguous
    return out if direct else None
