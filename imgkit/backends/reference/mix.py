"""Mixing a batch in float64, pixel by pixel in plain sight."""

from __future__ import annotations

import numpy as np

from imgkit.backends.reference import resample
from imgkit.image import Array, saturate

Box = tuple[int, int, int, int]


def blend(batch: Array, partner: Array, share: Array) -> Array:
    """Return ``share * x + (1 - share) * x[partner]``."""
    weight = share.reshape(-1, *[1] * (batch.ndim - 1))
    return saturate(weight * batch + (1 - weight) * batch[partner].astype(np.float64), batch.dtype)


def paste(batch: Array, partner: Array, boxes: Array) -> Array:
    """Take the partner's pixels inside the box and the image's own outside."""
    y, x = np.mgrid[: batch.shape[1], : batch.shape[2]]
    left, top, right, bottom = (boxes[:, k, None, None] for k in range(4))
    inside = (x >= left) & (x < right) & (y >= top) & (y < bottom)
    inside = inside.reshape(*inside.shape, *[1] * (batch.ndim - 3))
    return np.where(inside, batch[partner], batch)


def assemble(
    images: list[Array], tiles: list[Box], windows: list[Box], size: tuple[int, int], nearest: bool
) -> Array:
    """Fill each tile with a window of one image, resized."""
    out = np.zeros((*size, *images[0].shape[2:]))
    for image, (left, top, right, bottom), window in zip(images, tiles, windows, strict=True):
        if right <= left or bottom <= top:
            continue
        pixels = image[window[1] : window[3], window[0] : window[2]].astype(np.float64)
        kind = "nearest" if nearest else "bilinear"
        out[top:bottom, left:right] = resample.resize(
            pixels, (bottom - top, right - left), kind, not nearest
        )
    return saturate(out, images[0].dtype)
