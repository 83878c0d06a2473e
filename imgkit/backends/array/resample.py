"""Resampling of ``(N, H, W, C)`` arrays: moving, resizing and warping."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from imgkit import geometry
from imgkit.backends.array.primitives.antialias_resize import (
    OVERSHOOT,
    resize_bands,
    resize_planes,
    swap,
)
from imgkit.backends.array.primitives.cast import cast_into, merged
from imgkit.backends.array.primitives.sampling import (
    EXACT,
    channel_groups,
    sample_field,
    sample_matrix,
)
from imgkit.border import source_index
from imgkit.geometry import Move, Size
from imgkit.image import Array
from imgkit.kernels import gaussian_taps

MAX_CV_CHANNELS = 128  # CV_CN_MAX: beyond it OpenCV takes channels for another axis


# --- moving pixels ----------------------------------------------------------------------


def _each(function: Callable[[Array], Array], batch: Array, size: Size) -> Array:
    """Run a function of one image on every image of a batch."""
    if len(batch) == 1:  # saves copying the result
        return function(batch[0])[None]
    out = np.empty((len(batch), *size, batch.shape[-1]), batch.dtype)
    for image, result in zip(batch, out, strict=True):
        result[...] = function(image)
    return out


def mirror(batch: Array, horizontal: bool, vertical: bool) -> Array:
    """Mirror into a fresh array."""
    if not horizontal or batch.shape[-1] > MAX_CV_CHANNELS:
        step = slice(None, None, -1)
        return batch[
            :, step if vertical else slice(None), step if horizontal else slice(None)
        ].copy()
    code = -1 if vertical else 1
    out = np.empty(batch.shape, batch.dtype)
    for image, result in zip(batch, out, strict=True):
        cv2.flip(image, code, dst=result)
    return out


def place(batch: Array, top: int, left: int, size: Size, border: str, fill: Array) -> Array:
    """Put images at a row and column of a canvas: crop and pad at once, into a fresh array."""
    (height, width), (rows, cols) = batch.shape[1:3], size
    y0, y1 = max(top, 0), min(top + height, rows)
    x0, x1 = max(left, 0), min(left + width, cols)
    inside = batch[:, y0 - top : y1 - top, x0 - left : x1 - left]
    if inside.shape[1:3] == size:
        return inside.copy()
    out = np.empty((len(batch), rows, cols, batch.shape[3]), batch.dtype)
    if border == "constant":
        fill = fill.astype(batch.dtype)
        if y0 >= y1 or x0 >= x1:
            out[...] = fill
            return out
        out[:, :y0], out[:, y1:] = fill, fill
        out[:, y0:y1, :x0], out[:, y0:y1, x1:] = fill, fill
        out[:, y0:y1, x0:x1] = inside
        return out
    from_y = source_index(np.arange(rows) - top, height, border)
    from_x = source_index(np.arange(cols) - left, width, border)
    if top < 0 or left < 0 or y1 < top + height or x1 < left + width:
        return batch.take(from_y, axis=1).take(from_x, axis=2)
    out[:, y0:y1, x0:x1] = inside
    out[:, y0:y1, :x0] = batch.take(from_x[:x0], axis=2)
    out[:, y0:y1, x1:] = batch.take(from_x[x1:], axis=2)
    out[:, :y0] = out.take(from_y[:y0] + y0, axis=1)
    out[:, y1:] = out.take(from_y[y1:] + y0, axis=1)
    return out


def move(batch: Array, spec: Move, size: Size, border: str, fill: Array) -> Array:
    """Carry out a `geometry.Move`: no interpolation, a fresh array."""
    moved = batch
    if spec.transpose:
        moved = _each(swap, batch, (batch.shape[2], batch.shape[1]))
    if spec.mirror_x or spec.mirror_y:
        moved = mirror(moved, spec.mirror_x, spec.mirror_y)
    if moved is not batch and (spec.top, spec.left) == (0, 0) and moved.shape[1:3] == size:
        return moved
    return place(moved, spec.top, spec.left, size, border, fill)


# --- resizing ---------------------------------------------------------------------------


def resize_to_float(
    image: Array, size: Size, interpolation: str, antialias: bool, top: float
) -> Array:
    """Resize one image (H, W, C) in the units of integers up to `top` to float32, unrounded.

    Kernels that overshoot are cut after each axis, along the rows first, as those of integers.
    Three channels may come as a view of planes.
    """
    if antialias and interpolation in OVERSHOOT:
        image = image.astype(np.float32)
        for step in ((image.shape[0], size[1]), size):
            image = merged(resize_planes(image, step, interpolation, antialias))
            np.clip(image, 0, top, out=image)
        return image
    height, width, channels = image.shape
    if (height, width) == size or interpolation == "nearest":
        return resize(image.astype(np.float32)[None], size, interpolation, antialias)[0]
    flag = _native_flag((height, width), image.dtype, size, interpolation, antialias)
    if flag is not None:
        return _resize_native(image.astype(np.float32), size, flag)
    planes = resize_planes(image, size, interpolation, antialias)
    return planes.transpose(1, 2, 0) if channels == 3 else merged(planes)


def resize(batch: Array, size: Size, interpolation: str, antialias: bool) -> Array:
    """Resize with aligned pixel edges."""
    if batch.shape[1:3] == size:
        return batch.copy()
    if interpolation == "nearest":
        rows, cols = (nearest_index(n, m) for n, m in zip(batch.shape[1:3], size, strict=True))
        return batch.take(rows, axis=1).take(cols, axis=2)
    flag = _native_flag(batch.shape[1:3], batch.dtype, size, interpolation, antialias)
    if flag is None:
        return _each(lambda im: resize_bands(im, size, interpolation, antialias), batch, size)
    return _each(lambda im: _resize_native(im, size, flag), batch, size)


def nearest_index(n: int, m: int) -> Array:
    """Which input each of `m` outputs shows, ``floor((i + 0.5) * n / m)`` in exact integers."""
    return (2 * np.arange(m) + 1) * n // (2 * m)


def _native_flag(
    shape: Size, dtype: np.dtype[Any], size: Size, interpolation: str, antialias: bool
) -> int | None:
    """Return the cv2.resize flag that computes this resize, or None."""
    height, width = shape
    if dtype.char not in EXACT:
        return None
    if interpolation == "area" and height % size[0] == 0 and width % size[1] == 0:
        return int(cv2.INTER_AREA)
    grows = size[0] >= height and size[1] >= width
    if interpolation == "bilinear" and (grows or not antialias):
        return int(cv2.INTER_LINEAR)
    return int(cv2.INTER_CUBIC) if interpolation == "bicubic" and not antialias else None


def _resize_native(image: Array, size: Size, flag: int) -> Array:
    """Resize one image with OpenCV, by groups of channels where it must."""
    limit = 4 if flag == cv2.INTER_AREA else MAX_CV_CHANNELS
    if 1 < image.shape[-1] <= limit:
        return np.asarray(cv2.resize(image, size[::-1], interpolation=flag))
    groups = [
        cv2.resize(image[..., c : c + limit], size[::-1], interpolation=flag).reshape(*size, -1)
        for c in range(0, image.shape[-1], limit)
    ]
    return groups[0] if len(groups) == 1 else np.concatenate(groups, axis=-1)


# --- warping ----------------------------------------------------------------------------


def warp(
    batch: Array,
    maps: Array,
    size: Size,
    interpolation: str,
    border: str,
    fill: Array,
    antialias: bool,
) -> Array:
    """Warp every image by its map: matrices ``(N, 3, 3)`` or fields ``(N, H, W, 2)``."""
    if len(batch) == 1:
        return _warp_one(batch[0], maps[0], size, interpolation, border, fill, antialias)[None]
    out = np.empty((len(batch), *size, batch.shape[-1]), batch.dtype)
    for image, chart, result in zip(batch, maps, out, strict=True):
        result[...] = _warp_one(image, chart, size, interpolation, border, fill, antialias)
    return out


def _warp_one(
    image: Array,
    chart: Array,
    size: Size,
    interpolation: str,
    border: str,
    fill: Array,
    antialias: bool,
) -> Array:
    """Warp one image by a matrix (3, 3) or a field (H, W, 2)."""
    in_size = image.shape[:2]
    is_matrix = chart.ndim == 2
    if is_matrix:
        spec = geometry.exact_move(chart, in_size)
        if spec is not None:
            return np.asarray(move(image[None], spec, size, border, fill)[0])
    inverse = np.linalg.inv(chart) if is_matrix else None
    plane, shift = image, (0, 0)
    if antialias and interpolation != "nearest":
        reach = _reach(chart, inverse, in_size, size)
        if geometry.shrinks(reach):
            sigmas = geometry.antialias_sigmas(reach, in_size)
            plane, shift = blur_plane(image, sigmas, border, fill)
    if inverse is not None:
        if shift != (0, 0):
            inverse = geometry.translation(*shift) @ inverse
        found = sample_matrix(plane, inverse, size, interpolation, border, fill)
    else:
        found = sample_field(plane, chart, shift, interpolation, border, fill)
    if found.dtype == image.dtype:
        return found
    out = np.empty(found.shape, image.dtype)
    cast_into(found, out, owned=True)
    return out


def _reach(chart: Array, inverse: Array | None, in_size: Size, size: Size) -> Array:
    """Return the reach of one output pixel in the input, (2, 2)."""
    if inverse is None:
        return geometry.mean_field_jacobian(chart)
    if geometry.is_affine(chart):
        return np.asarray(inverse[:2, :2])
    return geometry.mean_inverse_jacobian(chart, in_size, size)


def blur_plane(
    image: Array, sigmas: Array, border: str, fill: Array
) -> tuple[Array, tuple[int, int]]:
    """Blur one image together with what its border shows around it.

    Returns:
        The blurred image in floats (the image itself if there is nothing to blur), and how far
        right and down its first pixel moved: a constant or repeated edge is blurred too, as far
        as the kernel reaches.
    """
    taps_x, taps_y = (gaussian_taps(float(sigma)) for sigma in sigmas)
    rx, ry = len(taps_x) // 2, len(taps_y) // 2
    if rx == ry == 0:
        return image, (0, 0)
    kept_x, kept_y = (rx, ry) if border in ("constant", "edge") else (0, 0)
    floats = image.astype(np.float64 if image.dtype == np.float64 else np.float32)
    top, left = ry + kept_y, rx + kept_x
    padded_size = (image.shape[0] + 2 * top, image.shape[1] + 2 * left)
    padded = place(floats[None], top, left, padded_size, border, fill)[0]
    blurred = np.empty_like(padded)
    for group in channel_groups(image.shape[-1]):
        done = cv2.sepFilter2D(padded[..., group], -1, taps_x, taps_y)
        blurred[..., group] = done.reshape(*padded_size, -1)
    inner = blurred[ry : padded_size[0] - ry, rx : padded_size[1] - rx]
    return inner, (kept_x, kept_y)
