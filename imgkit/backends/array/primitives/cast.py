"""Casts between image dtypes and floats, and between pixels and planes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from imgkit.image import Array, saturate


def as_float(x: Array) -> Array:
    """Return floats of the same values."""
    return x if x.dtype.kind == "f" else x.astype(np.float32)


def cast_into(values: Array, out: Array, *, signed: bool = True, owned: bool = False) -> None:
    """Write values, below 2**31 in size, into an array: rounded and saturated for integers.

    Args:
        values: of the shape of `out`.
        out: of any image dtype.
        signed: False promises that nothing is negative, which saves a pass.
        owned: True allows the function to overwrite `values`.
    """
    if values.dtype == out.dtype or out.dtype.kind == "f":
        out[...] = values
    elif out.dtype == np.uint8 and values.size and out.flags.c_contiguous:
        # a tenth of the time of rint, clip and astype
        values = values.reshape(len(values), -1)
        if signed:
            _, values = cv2.threshold(values, 0, 0, cv2.THRESH_TOZERO, values if owned else None)
        cv2.convertScaleAbs(values, dst=out.reshape(len(out), -1))
    else:
        out[...] = saturate(values, out.dtype)


def planes(image: Array) -> Array:
    """Return (H, W, C) as contiguous (C, H, W)."""
    height, width, channels = image.shape
    if channels == 1:
        return np.ascontiguousarray(image).reshape(1, height, width)
    if channels > 4:
        return np.ascontiguousarray(image.transpose(2, 0, 1))
    split = np.empty((channels, height, width), image.dtype)
    cv2.split(image, list(split))
    return split


def merged(channels: Array | Sequence[Array]) -> Array:
    """Return planes (H, W), an array or a list of them, as contiguous (H, W, C)."""
    if len(channels) == 1:
        return channels[0][..., None]
    if len(channels) > 4:
        return np.stack(list(channels), axis=-1)
    return np.asarray(cv2.merge(list(channels)))
