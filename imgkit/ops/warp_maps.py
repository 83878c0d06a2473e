"""The maps of `warp`: matrices and fields, one for all images or one for each."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from imgkit.checks import MAX_SIDE, check_real, check_size
from imgkit.image import Array, ImageInfo, is_tensor


def check_maps(value: Any, image: ImageInfo) -> Any:
    """Return one map per image: (N, 3, 3) matrices or (N, H, W, 2) fields."""
    if is_tensor(value):
        if value.device.type != "cpu" or value.requires_grad:
            return _check_shape(value, image)
        value = value.numpy()
    maps = check_real(value, "matrix_or_field")
    if maps.dtype not in (np.float32, np.float64):
        maps = maps.astype(np.float64)
    if maps.shape == (2, 3):
        maps = np.vstack([maps, (0, 0, 1)])
    stacked = _check_shape(maps, image)
    if stacked.ndim == 4 and max(stacked.max(), -stacked.min()) > MAX_SIDE:
        raise ValueError(
            f"matrix_or_field moves a pixel by {np.abs(stacked).max():g}: a field moves pixels by "
            f"at most {MAX_SIDE}; anything farther is outside the image"
        )
    if stacked.ndim == 3:
        stacked = stacked.astype(np.float64)
        if not all(_has_inverse(*np.ravel(matrix).tolist()) for matrix in stacked):
            raise ValueError("matrix_or_field has no inverse: its determinant must not be 0")
    return np.broadcast_to(stacked, (len(image.batch), *stacked.shape[1:]))


def _check_shape(maps: Any, image: ImageInfo) -> Any:
    """Return maps (1 or N, 3, 3) or (1 or N, H, W, 2) that fit the images."""
    images, shape = len(image.batch), tuple(maps.shape)
    single = shape == (3, 3) or (len(shape) == 3 and shape[-1] == 2)
    stacked = maps[None] if single else maps
    is_field = stacked.ndim == 4 and stacked.shape[-1] == 2 and 0 not in stacked.shape
    is_matrix = stacked.ndim == 3 and stacked.shape[1:] == (3, 3)
    if not is_field and not is_matrix:
        raise ValueError(
            f"matrix_or_field has shape {shape}: a matrix is (3, 3) or (2, 3), a field "
            "(H, W, 2) with H and W at least 1; a batch of N takes N of them, (N, 3, 3) or "
            "(N, H, W, 2)"
        )
    if len(stacked) not in (1, images):
        raise ValueError(
            f"matrix_or_field holds {len(stacked)} maps: x has {images} images; pass 1 or {images}"
        )
    return stacked


def check_device_maps(maps: Any, image: ImageInfo, interpolation: str, antialias: bool) -> None:
    """Raise unless maps that are not read on the host can be applied."""
    x: Any = image.array
    if not image.is_tensor or maps.device != x.device:
        where = x.device if image.is_tensor else "the host, as an array"
        raise ValueError(f"matrix_or_field is on {maps.device}, x on {where}: move one of them")
    if antialias and interpolation != "nearest":
        raise ValueError(
            "antialias is True: how far a map shrinks is read on the host, and matrix_or_field "
            "is a tensor on a device or with a gradient; pass antialias=False, or "
            "matrix_or_field.detach().cpu()"
        )


def _has_inverse(
    a: float, b: float, c: float, d: float, e: float, f: float, g: float, h: float, i: float
) -> bool:
    """Whether a matrix, given by rows, is invertible; relative to the norms of its columns."""
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return abs(determinant) > 1e-13 * math.hypot(a, d, g) * math.hypot(b, e, h) * math.hypot(
        c, f, i
    )


def warp_size(size: Any, maps: Array, image: ImageInfo) -> tuple[int, int]:
    """Resolve the size of a warped image; a field has its own."""
    own = maps.shape[1:3] if maps.ndim == 4 else image.size
    if size is None:
        return (int(own[0]), int(own[1]))
    height, width = check_size(size)
    if maps.ndim == 4 and (height, width) != own:
        raise ValueError(f"size is {size}: the field has its own, {own}; leave size out")
    return height, width
