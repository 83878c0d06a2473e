"""Sampling one image (H, W, C) at the positions of a matrix or a field, with OpenCV and NumPy.

OpenCV 5 samples images of 1, 3 and 4 channels exactly; with other channel counts and with
float64 it falls back to a 1/32-pixel grid, so channels go in groups and float64 takes `gather`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import cv2
import numpy as np

from imgkit import geometry
from imgkit.backends.array.primitives.antialias_resize import cubic
from imgkit.border import BORDERS, source_index
from imgkit.geometry import Size
from imgkit.image import Array, saturate

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


def channel_groups(channels: int) -> list[slice]:
    """Cut channels into groups of 4, 3 or 1, which OpenCV samples without a grid."""
    fours = channels - channels % 4
    groups = [slice(i, i + 4) for i in range(0, fours, 4)]
    if channels % 4 == 3:
        return [*groups, slice(fours, channels)]
    return groups + [slice(i, i + 1) for i in range(fours, channels)]


def widens(shape: tuple[int, ...], size: Size, itemsize: int) -> bool:
    """Return whether bilinear sampling of three channels is faster as four."""
    pixels = shape[0] * shape[1]
    fits = pixels * 4 * itemsize <= WIDE_BYTES
    return shape[2] == 3 and fits and pixels <= WIDEN * size[0] * size[1]


def _bychannel_groups(
    image: Array, size: Size, interpolation: str, fill: Array, call: Callable[..., Array]
) -> Array:
    """Call a sampler of OpenCV on groups of channels with their border values."""
    if interpolation == "bilinear" and widens(image.shape, size, image.itemsize):
        found = call(cv2.cvtColor(image, cv2.COLOR_RGB2RGBA), borderValue=[*fill.tolist(), 0])
        return cv2.cvtColor(found, cv2.COLOR_RGBA2RGB).reshape(*size, 3)
    groups = channel_groups(image.shape[-1])
    if len(groups) == 1:
        return call(image, borderValue=fill.tolist()).reshape(*size, -1)
    out = np.empty((*size, image.shape[-1]), image.dtype)
    for group in groups:
        pixels = np.ascontiguousarray(image[..., group])
        out[..., group] = call(pixels, borderValue=fill[group].tolist()).reshape(*size, -1)
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
    return _bychannel_groups(image, size, interpolation, fill, call)


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


def sample_field(
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
    """Return whether OpenCV cannot sample an image at positions of a canvas exactly."""
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
    return _bychannel_groups(image, size, interpolation, fill, call)


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
    fraction = at - base
    offsets = (0, 1) if interpolation == "bilinear" else (-1, 0, 1, 2)
    weigh: Callable[[Array], Array] = (
        (lambda t: 1 - t) if interpolation == "bilinear" else functools.partial(cubic, a=-0.75)
    )
    total = np.zeros((*at.shape[:2], image.shape[-1]))
    for dy in offsets:
        for dx in offsets:
            weight = weigh(np.abs(fraction[..., 0] - dx)) * weigh(np.abs(fraction[..., 1] - dy))
            pixels = _look_up(image, base[..., 1] + dy, base[..., 0] + dx, border, fill)
            total += pixels * weight[..., None]
    return total


def _look_up(image: Array, y: Array, x: Array, border: str, fill: Array) -> Array:
    """Read pixels at whole positions, those outside from the border."""
    rows = source_index(y.astype(np.int64), image.shape[0], border)
    cols = source_index(x.astype(np.int64), image.shape[1], border)
    pixels = image[rows, cols]
    outside = (rows < 0) | (cols < 0)
    if border == "constant" and outside.any():
        pixels[outside] = fill
    return pixels
