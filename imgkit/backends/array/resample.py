"""Resampling of ``(N, H, W, C)`` arrays with OpenCV and NumPy.

OpenCV 5 samples images of 1, 3 and 4 channels exactly; with other channel counts and with
float64 it falls back to a 1/32-pixel grid, so channels go in groups and float64 takes `gather`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from imgkit import geometry
from imgkit.backends.array.antialias_resize import (
    OVERSHOOT,
    cubic,
    merged,
    resize_bands,
    resize_planes,
    store,
    swap,
)
from imgkit.border import BORDERS, source_index
from imgkit.geometry import Move, Size
from imgkit.image import saturate
from imgkit.kernels import gaussian_taps

Array = npt.NDArray[Any]

FLAGS = {
    "nearest": cv2.INTER_NEAREST,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
}
EXACT = "BHf"  # uint8, uint16, float32: what OpenCV interpolates without a grid
SHRT_MAX = 32767  # cv2.remap refuses images as large as this
WIDEN = 4  # input pixels an output pixel up to which 3 channels are sampled as 4: OpenCV 5 takes
# 106 us for a 224x224 bilinear warp of 4 channels and 263 us for 3 (benchmarks/resample.py)
WIDE_BYTES = 8_000_000  # of the widened image: 1024x1024 float32 loses by it, 512x512 gains half
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
    return _each(lambda im: cv2.flip(im, code).reshape(im.shape), batch, batch.shape[1:3])


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


def move(batch: Array, how: Move, size: Size, border: str, fill: Array) -> Array:
    """Carry out a `geometry.Move`: no interpolation, a fresh array."""
    moved = batch
    if how.transpose:
        moved = _each(swap, batch, (batch.shape[2], batch.shape[1]))
    if how.mirror_x or how.mirror_y:
        moved = mirror(moved, how.mirror_x, how.mirror_y)
    if moved is not batch and (how.top, how.left) == (0, 0) and moved.shape[1:3] == size:
        return moved
    return place(moved, how.top, how.left, size, border, fill)


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
    parts = [
        cv2.resize(image[..., c : c + limit], size[::-1], interpolation=flag).reshape(*size, -1)
        for c in range(0, image.shape[-1], limit)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)


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
        how = geometry.exact_move(chart, in_size)
        if how is not None:
            return np.asarray(move(image[None], how, size, border, fill)[0])
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
        found = _sample_field(plane, chart, shift, interpolation, border, fill)
    if found.dtype == image.dtype:
        return found
    out = np.empty(found.shape, image.dtype)
    store(found.reshape(len(found), -1), out.reshape(len(found), -1), signed=True)
    return out


def _reach(chart: Array, inverse: Array | None, in_size: Size, size: Size) -> Array:
    """Return how far one output pixel reaches in the input, (2, 2)."""
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
        right and down its first pixel went: a constant or repeated edge is blurred too, as far
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
    for group in _groups(image.shape[-1]):
        done = cv2.sepFilter2D(padded[..., group], -1, taps_x, taps_y)
        blurred[..., group] = done.reshape(*padded_size, -1)
    inner = blurred[ry : padded_size[0] - ry, rx : padded_size[1] - rx]
    return inner, (kept_x, kept_y)


def _groups(channels: int) -> list[slice]:
    """Cut channels into groups of 4, 3 or 1, which OpenCV samples without a grid."""
    fours = channels - channels % 4
    groups = [slice(i, i + 4) for i in range(0, fours, 4)]
    if channels % 4 == 3:
        return [*groups, slice(fours, channels)]
    return groups + [slice(i, i + 1) for i in range(fours, channels)]


def widens(shape: tuple[int, ...], size: Size, itemsize: int) -> bool:
    """Tell whether three channels of an image are sampled sooner as four, bilinear."""
    pixels = shape[0] * shape[1]
    fits = pixels * 4 * itemsize <= WIDE_BYTES
    return shape[2] == 3 and fits and pixels <= WIDEN * size[0] * size[1]


def _by_groups(
    image: Array, size: Size, interpolation: str, fill: Array, call: Callable[..., Array]
) -> Array:
    """Call a sampler of OpenCV on groups of channels with their border values."""
    groups = _groups(image.shape[-1])
    if interpolation == "bilinear" and widens(image.shape, size, image.itemsize):
        found = call(cv2.cvtColor(image, cv2.COLOR_RGB2RGBA), borderValue=[*fill.tolist(), 0])
        return cv2.cvtColor(found, cv2.COLOR_RGBA2RGB).reshape(*size, 3)
    if len(groups) == 1:
        return call(image, borderValue=fill.tolist()).reshape(*size, -1)
    out = np.empty((*size, image.shape[-1]), image.dtype)
    for group in groups:
        part = np.ascontiguousarray(image[..., group])
        out[..., group] = call(part, borderValue=fill[group].tolist()).reshape(*size, -1)
    return out


def sample_matrix(
    image: Array, inverse: Array, size: Size, interpolation: str, border: str, fill: Array
) -> Array:
    """Sample one image where a matrix from output to input points."""
    if image.dtype.char not in EXACT or (
        _is_folded(interpolation, border) and _matrix_reaches_far(inverse, size, image.shape)
    ):

        def locate(row: int, rows: int) -> Array:
            return geometry.positions(inverse, (rows, size[1]), row)

        return gather(image, locate, size, interpolation, border, fill)
    affine = geometry.is_affine(inverse) and inverse[2, 2] == 1
    run = cv2.warpAffine if affine else cv2.warpPerspective
    call = functools.partial(
        run,
        M=inverse[:2] if affine else inverse,
        dsize=size[::-1],
        flags=FLAGS[interpolation] | cv2.WARP_INVERSE_MAP,
        borderMode=BORDERS[border].cv2,
    )
    return _by_groups(image, size, interpolation, fill, call)


def _is_folded(interpolation: str, border: str) -> bool:
    """Whether OpenCV needs positions within one image of the image.

    Its bicubic sampling reads wrong pixels beyond the first repetition of these borders.
    """
    return interpolation == "bicubic" and border in ("reflect", "symmetric", "wrap")


def _matrix_reaches_far(inverse: Array, size: Size, in_size: tuple[int, ...]) -> bool:
    """Whether a canvas shows more than the first repetition of an image."""
    corners = np.array([(x, y, 1) for x in (0, size[1] - 1) for y in (0, size[0] - 1)]) @ inverse.T
    if corners[:, 2].min() <= 0 < corners[:, 2].max():  # the horizon crosses the canvas
        return True
    found = corners[:, :2] / corners[:, 2:]
    return _reaches_far(found[:, 0], in_size[1]) or _reaches_far(found[:, 1], in_size[0])


def _reaches_far(found: Array, n: int) -> bool:
    """Whether positions on an axis of `n` pixels leave its first repetition."""
    return bool(found.min() < 3 - n or found.max() > 2 * n - 4)  # 2 taps on, and 1 to fold


def _sample_field(
    image: Array,
    field: Array,
    shift: tuple[int, int],
    interpolation: str,
    border: str,
    fill: Array,
) -> Array:
    """Sample one image where a field points, its positions moved by `shift`."""
    size = field.shape[:2]
    kind = np.float64 if _is_beyond(image, size) else field.dtype
    at = np.empty((*size, 2), kind)
    at[..., 0] = np.arange(shift[0], shift[0] + size[1])
    at[..., 1] = np.arange(shift[1], shift[1] + size[0])[:, None]
    at += field
    return sample_positions(image, at, interpolation, border, fill)


def _is_beyond(image: Array, size: Size) -> bool:
    """Whether OpenCV cannot sample an image at positions of a canvas, or not exactly."""
    return image.dtype.char not in EXACT or max(*image.shape[:2], *size) >= SHRT_MAX


def sample_positions(
    image: Array, at: Array, interpolation: str, border: str, fill: Array
) -> Array:
    """Sample one image at positions (x, y), (H_out, W_out, 2)."""
    size = at.shape[:2]
    beyond = _is_beyond(image, size)
    if not beyond and _is_folded(interpolation, border):
        beyond = _reaches_far(at[..., 0], image.shape[1]) or _reaches_far(
            at[..., 1], image.shape[0]
        )
    if beyond:

        def locate(row: int, rows: int) -> Array:
            return at[row : row + rows]

        return gather(image, locate, size, interpolation, border, fill)
    call = functools.partial(
        cv2.remap,
        map1=at.astype(np.float32, copy=False),
        map2=None,
        interpolation=FLAGS[interpolation],
        borderMode=BORDERS[border].cv2,
    )
    return _by_groups(image, size, interpolation, fill, call)


def gather(
    image: Array,
    locate: Callable[[int, int], Array],
    size: Size,
    interpolation: str,
    border: str,
    fill: Array,
) -> Array:
    """Sample one image of any dtype and size in float64, a strip of rows at a time.

    Args:
        image: (H, W, C).
        locate: returns the positions (rows, W_out, 2) of so many output rows from a first one.
        size: of the result.
        interpolation: nearest, bilinear or bicubic.
        border: one of the five words.
        fill: (C,), what a constant border shows.
    """
    out = np.empty((*size, image.shape[-1]), image.dtype)
    rows = max(1, 250_000 // (size[1] * image.shape[-1]))
    for row in range(0, size[0], rows):
        strip = out[row : row + rows]
        at = np.clip(locate(row, len(strip)), -1e9, 1e9)  # far outside, yet an integer
        strip[...] = saturate(_gather_strip(image, at, interpolation, border, fill), image.dtype)
    return out


def _gather_strip(image: Array, at: Array, interpolation: str, border: str, fill: Array) -> Array:
    """Sample one image at positions (rows, W_out, 2)."""
    if interpolation == "nearest":
        return _look_up(image, np.rint(at[..., 1]), np.rint(at[..., 0]), border, fill)
    base = np.floor(at)
    part = at - base
    offsets = (0, 1) if interpolation == "bilinear" else (-1, 0, 1, 2)
    weigh: Callable[[Array], Array] = (
        (lambda t: 1 - t) if interpolation == "bilinear" else functools.partial(cubic, a=-0.75)
    )
    total = np.zeros((*at.shape[:2], image.shape[-1]))
    for dy in offsets:
        for dx in offsets:
            weight = weigh(np.abs(part[..., 0] - dx)) * weigh(np.abs(part[..., 1] - dy))
            seen = _look_up(image, base[..., 1] + dy, base[..., 0] + dx, border, fill)
            total += seen * weight[..., None]
    return total


def _look_up(image: Array, y: Array, x: Array, border: str, fill: Array) -> Array:
    """Read pixels at whole positions, those outside from the border."""
    rows = source_index(y.astype(np.int64), image.shape[0], border)
    cols = source_index(x.astype(np.int64), image.shape[1], border)
    seen = image[rows, cols]
    outside = (rows < 0) | (cols < 0)
    if border == "constant" and outside.any():
        seen[outside] = fill
    return seen
