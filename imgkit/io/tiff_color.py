"""From the samples of a TIFF page to gray, RGB, or channels that stay as stored."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from imgkit.io.header import BadImage
from imgkit.io.tiff_layout import CMYK, COLORS, FLOAT, PALETTE, PREMULTIPLIED, WHITE_ZERO, Layout
from imgkit.pillow import over_white, premultiplied_over_white

Array = npt.NDArray[Any]


def to_image(samples: Array, layout: Layout, color_map: Any) -> Array:
    """Return samples ``(H, W, C)`` of a page as ``(H, W)`` or ``(H, W, C)``.

    Args:
        samples: as stored, of the layout's bits.
        layout: of the page.
        color_map: of a palette: (3, 2 ** bits) levels of 16 bits.
    """
    count = COLORS[layout.photometric]
    if layout.photometric == PALETTE:
        color, extra = _look_up(samples[..., 0], color_map), samples[..., 1:]
    else:
        full = _full_range(samples, layout)
        color, extra = full[..., :count], full[..., count:]
    if layout.photometric == CMYK:
        color = cmyk_to_rgb(color)
    if layout.photometric == WHITE_ZERO:
        color = np.iinfo(color.dtype).max - color
    if layout.alpha == PREMULTIPLIED:
        # zero is white: the inverse of a premultiplied level lies over white already
        if layout.photometric != WHITE_ZERO:
            color = premultiplied_over_white(color, extra)
    elif layout.alpha:
        color = over_white(color, extra)
    elif extra.size:
        color = np.concatenate([color, extra], axis=-1)
    return color[..., 0] if color.shape[-1] == 1 else color


def cmyk_to_rgb(ink: Array) -> Array:
    """Return RGB of integer CMYK ``(H, W, 4)``: (1 - ink) (1 - black), rounded.

    >>> cmyk_to_rgb(np.array([[[255, 0, 0, 0], [0, 0, 0, 255]]], np.uint8)).tolist()
    [[[0, 255, 255], [0, 0, 0]]]
    """
    top = int(np.iinfo(ink.dtype).max)
    paper = (top - ink).astype(np.float64)
    return np.rint(paper[..., :3] * paper[..., 3:] / top).astype(ink.dtype)


def _full_range(samples: Array, layout: Layout) -> Array:
    """Scale integers of any depth so that they fill 8 or 16 bits; widen half floats."""
    if layout.sample_format == FLOAT:
        return samples.astype(np.float32) if layout.bits == 16 else samples
    dtype = np.uint8 if layout.bits <= 8 else np.uint16
    if layout.bits in (8, 16):
        return samples.astype(dtype, copy=False)
    factor = int(np.iinfo(dtype).max) / (2**layout.bits - 1)
    return np.rint(samples * factor).astype(dtype)


def _look_up(indices: Array, color_map: Any) -> Array:
    """Return the colors of a palette, in 8 bits: the high bytes of its levels."""
    levels = np.asarray(color_map)
    if levels.ndim != 2 or levels.shape[0] != 3 or int(indices.max()) >= levels.shape[1]:
        raise BadImage("corrupt", "the tiff file is damaged: its palette has too few colors")
    return cast(Array, (levels >> 8).astype(np.uint8).T[indices])
