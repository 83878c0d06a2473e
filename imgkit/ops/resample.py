"""Resizing, warping and moving pixels.

Images are `(H, W)`, `(H, W, C)` or a batch `(N, H, W, C)` of uint8, uint16, float32 or float64;
a list of them gives a list. Results keep the dtype (integers rounded half to even and
saturated) and are fresh, contiguous arrays, never views of the input.

Sizes are `(height, width)`, or one integer for both. Maps follow `imgkit.geometry`: matrices
take input pixel centers to output pixel centers, (x, y), the first center at (0, 0); a field
gives for each output pixel the displacement to where its value comes from.

Interpolation: `nearest`; `bilinear`; `bicubic`, Keys' kernel with a = -0.75 as in OpenCV and
torch, but a = -0.5 for antialiased resizing as in Pillow and torch. `resize` also knows
`lanczos` (three lobes) and `area` (the mean over the pixel's footprint).

Borders: what lies outside the image is `constant` (`value`: one number, or one per channel, in
the image's own units), `edge`, `reflect`, `symmetric` or `wrap`. Sampling interpolates the
endless plane that image and border make, so the last half pixel of a constant border blends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from imgkit import geometry
from imgkit.backends import backend
from imgkit.border import BORDERS
from imgkit.image import (
    as_batch,
    channels,
    check_choice,
    check_flag,
    check_image,
    check_int,
    check_ints,
    check_number,
    full_range,
    image_size,
    is_tensor,
    like_input,
    ragged,
)

Array = npt.NDArray[Any]
Size = int | Sequence[int]
Value = float | Sequence[float] | Array

SAMPLERS = ("nearest", "bilinear", "bicubic")
RESIZERS = (*SAMPLERS, "lanczos", "area")
FLIPS = ("horizontal", "vertical", "both")


@ragged
def resize(x: Array, size: Size, interpolation: str = "bilinear", antialias: bool = True) -> Array:
    """Resize with aligned pixel edges: the output's corners are the input's.

    With `antialias` a shrinking kernel widens with the factor and is cut at the image's edge, as
    in Pillow and torchvision, which agree within 1 level; uint8 and uint16 then saturate after
    each axis, rows first, as torchvision does (Pillow 13 may begin with the columns: up to 15
    levels on bicubic black and white). Without it the kernel keeps its width and the edge pixel
    repeats, as in OpenCV and torch. `nearest` shows input ``floor((i + 0.5) * n / m)`` (torch's
    "nearest-exact"); `nearest` and `area` are the same with and without.

    Args:
        x: image or batch.
        size: (height, width) of the result in pixels, at least 1, or one integer for both.
        interpolation: nearest, bilinear, bicubic, lanczos or area.
        antialias: whether shrinking averages all input pixels.

    Returns:
        A fresh array of the input's dtype.

    Raises:
        TypeError: `x` is no image, or `size` no integers.
        ValueError: a size below 1 or an unknown interpolation.

    Source: Turkowski, Filters for common resampling tasks, Graphics Gems I, 1990.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.resize(np.array([[0, 40, 80, 120]], np.uint8), (1, 2))
    array([[29, 91]], dtype=uint8)
    """
    x = check_image(x)
    height, width = check_ints(size, "size", 2, 1)
    check_choice(interpolation, "interpolation", RESIZERS)
    run = backend(x, "resample").resize
    return like_input(
        run(as_batch(x), (height, width), interpolation, check_flag(antialias, "antialias")), x
    )


@ragged
def warp(
    x: Array,
    matrix_or_field: npt.ArrayLike,
    size: Size | None = None,
    interpolation: str = "bilinear",
    border: str = "constant",
    value: Value = 0,
    antialias: bool = True,
) -> Array:
    """Move an image by a matrix or a displacement field.

    Flips, quarter turns and whole-pixel shifts move pixels exactly. With `antialias` a map that
    shrinks the image first blurs it (Gaussian, see `imgkit.geometry.antialias_sigmas`) by the
    map's mean local scale; maps that do not shrink are not touched. `nearest` takes the pixel at
    the position rounded half to even, and is never blurred.

    Args:
        x: image or batch.
        matrix_or_field: a matrix (3, 3) or (2, 3) from input to output pixel centers, or a field
            (H_out, W_out, 2): output pixel p takes its value from the input at p + field[p].
            For a batch of N also N matrices (N, 3, 3) or N fields (N, H_out, W_out, 2). Beside a
            tensor also a floating tensor (matrices 3x3) on its device, through which gradients
            flow; it is not read on the host, so `antialias` must be False.
        size: (height, width) of the result, or one integer for both; default: the input's, or
            the field's.
        interpolation: nearest, bilinear or bicubic.
        border: constant, edge, reflect, symmetric or wrap.
        value: what a constant border shows, in the image's units; one number or one per channel.
        antialias: whether to blur before shrinking.

    Returns:
        A fresh array of the input's dtype.

    Raises:
        TypeError: `x` is no image.
        ValueError: the matrix has no inverse, the map has another shape or values that are not
            finite, or an unknown word.

    Source: Heckbert, Fundamentals of Texture Mapping and Image Warping, 1989.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> shift = [[1, 0, 0.5], [0, 1, 0]]
    >>> ik.warp(np.array([[0, 10, 20, 30]], np.uint8), shift, value=100)
    array([[50,  5, 15, 25]], dtype=uint8)
    """
    x = check_image(x)
    maps = _check_maps(matrix_or_field, x)
    check_choice(interpolation, "interpolation", SAMPLERS)
    check_choice(border, "border", BORDERS)
    fill = _check_value(value, x)
    out_size = _warp_size(size, maps, x)
    if is_tensor(maps):
        _check_device_maps(maps, x, interpolation, antialias)
    run = backend(x, "resample").warp
    done = run(
        as_batch(x), maps, out_size, interpolation, border, fill, check_flag(antialias, "antialias")
    )
    return like_input(done, x)


@ragged
def rotate(
    x: Array,
    degrees: float,
    *,
    expand: bool = False,
    center: Sequence[float] | None = None,
    interpolation: str = "bilinear",
    border: str = "constant",
    value: Value = 0,
    antialias: bool = True,
) -> Array:
    """Turn an image counter-clockwise as seen.

    A multiple of 90 degrees moves pixels exactly where their centers fall on pixels: always with
    `expand` (as `np.rot90`) and for square images; not when height and width differ by an odd
    number and the canvas stays.

    Args:
        x: image or batch.
        degrees: the angle; negative turns clockwise.
        expand: whether the canvas becomes just large enough for the turned image.
        center: the point (x, y) that stays in place, in pixels; default the middle of the image,
            ((W - 1) / 2, (H - 1) / 2). With `expand` the result is centered, whatever it is.
        interpolation: nearest, bilinear or bicubic.
        border: constant, edge, reflect, symmetric or wrap.
        value: what a constant border shows, in the image's units; one number or one per channel.
        antialias: as in `warp`; a rotation never shrinks, so it changes nothing.

    Returns:
        A fresh array of the input's dtype.

    Raises:
        TypeError: `x` is no image, or `degrees` no number.
        ValueError: an angle that is not finite, or an unknown word.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.rotate(np.array([[1, 2], [3, 4]], np.uint8), 90)
    array([[2, 4],
           [1, 3]], dtype=uint8)
    """
    x = check_image(x)
    degrees = check_number(degrees, "degrees")
    if center is not None:
        center = _check_point(center)
    expand = check_flag(expand, "expand")
    matrix, size = geometry.rotation_on_canvas(degrees, image_size(x), expand, center)
    return warp(x, matrix, size, interpolation, border, value, antialias)


@ragged
def flip(x: Array, axis: str = "horizontal") -> Array:
    """Mirror an image.

    Args:
        x: image or batch.
        axis: horizontal (left and right change places), vertical, or both.

    Returns:
        A fresh array, bit-equal to reversed slices.

    Raises:
        TypeError: `x` is no image.
        ValueError: an unknown axis.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.flip(np.array([[1, 2, 3]], np.uint8))
    array([[3, 2, 1]], dtype=uint8)
    """
    x = check_image(x)
    check_choice(axis, "axis", FLIPS)
    run = backend(x, "resample").mirror
    return like_input(run(as_batch(x), axis != "vertical", axis != "horizontal"), x)


@ragged
def crop(x: Array, top: int, left: int, height: int, width: int) -> Array:
    """Cut out a rectangle that lies inside the image.

    Args:
        x: image or batch.
        top: first row, from 0.
        left: first column, from 0.
        height: rows, at least 1.
        width: columns, at least 1.

    Returns:
        A fresh array (height, width) of the input's dtype.

    Raises:
        TypeError: `x` is no image, or the rectangle no integers.
        ValueError: the rectangle reaches outside; `pad` first if that is meant.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.crop(np.arange(6, dtype=np.uint8).reshape(2, 3), 0, 1, 2, 2)
    array([[1, 2],
           [4, 5]], dtype=uint8)
    """
    x = check_image(x)
    rows, columns = image_size(x)
    top, left = check_int(top, "top", 0), check_int(left, "left", 0)
    height, width = check_int(height, "height", 1), check_int(width, "width", 1)
    if top + height > rows:
        raise ValueError(f"top + height is {top + height}: the image has {rows} rows")
    if left + width > columns:
        raise ValueError(f"left + width is {left + width}: the image has {columns} columns")
    fill = np.zeros(channels(x))
    run = backend(x, "resample").place
    return like_input(run(as_batch(x), -top, -left, (height, width), "constant", fill), x)


@ragged
def pad(
    x: Array, padding: int | Sequence[int], *, border: str = "constant", value: Value = 0
) -> Array:
    """Add pixels around an image.

    Args:
        x: image or batch.
        padding: pixels, at least 0: one number for all sides, (vertical, horizontal), or
            (top, bottom, left, right).
        border: constant, edge, reflect, symmetric or wrap; any of them may reach further than
            the image is large.
        value: what a constant border shows, in the image's units; one number or one per channel.

    Returns:
        A fresh array of the input's dtype.

    Raises:
        TypeError: `x` is no image, or `padding` no integers.
        ValueError: negative padding (`crop` removes pixels) or an unknown word.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.pad(np.array([[1, 2, 3]], np.uint8), (0, 0, 2, 1), border="reflect")
    array([[3, 2, 1, 2, 3, 2]], dtype=uint8)
    """
    x = check_image(x)
    top, bottom, left, right = _check_padding(padding)
    check_choice(border, "border", BORDERS)
    fill = _check_value(value, x)
    height, width = image_size(x)
    size = (top + height + bottom, left + width + right)
    run = backend(x, "resample").place
    return like_input(run(as_batch(x), top, left, size, border, fill), x)


@ragged
def letterbox(
    x: Array,
    size: Size,
    *,
    interpolation: str = "bilinear",
    antialias: bool = True,
    value: Value = 0,
) -> Array:
    """Resize to the largest centered copy that fits a canvas without changing its shape.

    `imgkit.geometry.letterbox_matrix` is the map of it.

    Args:
        x: image or batch.
        size: (height, width) of the canvas, or one integer for both.
        interpolation: as in `resize`.
        antialias: as in `resize`.
        value: the canvas, in the image's units; one number or one per channel.

    Returns:
        A fresh array of the input's dtype.

    Raises:
        TypeError: `x` is no image, or `size` no integers.
        ValueError: a size below 1 or an unknown interpolation.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.letterbox(np.full((1, 3), 9, np.uint8), 3)
    array([[0, 0, 0],
           [9, 9, 9],
           [0, 0, 0]], dtype=uint8)
    """
    x = check_image(x)
    height, width = check_ints(size, "size", 2, 1)
    check_choice(interpolation, "interpolation", RESIZERS)
    fill = _check_value(value, x)
    top, left, rows, columns = geometry.letterbox_size(image_size(x), (height, width))
    run = backend(x, "resample")
    fitted = run.resize(
        as_batch(x), (rows, columns), interpolation, check_flag(antialias, "antialias")
    )
    return like_input(run.place(fitted, top, left, (height, width), "constant", fill), x)


# --- checks -----------------------------------------------------------------------------


def _check_maps(value: Any, x: Array) -> Any:
    """Return one map per image: (N, 3, 3) matrices or (N, H, W, 2) fields."""
    if is_tensor(value):
        if value.device.type != "cpu" or value.requires_grad:
            return _check_shape(value, x)
        value = value.numpy()
    maps = np.asarray(value)
    if maps.dtype.kind not in "iuf":
        raise TypeError(f"matrix_or_field has dtype {maps.dtype}: it must hold numbers")
    if maps.dtype not in (np.float32, np.float64):
        maps = maps.astype(np.float64)
    if not np.isfinite(maps).all():
        raise ValueError("matrix_or_field holds NaN or infinity: every number must be finite")
    if maps.shape == (2, 3):
        maps = np.vstack([maps, (0, 0, 1)])
    stacked = _check_shape(maps, x)
    if stacked.ndim == 3:
        stacked = stacked.astype(np.float64)
        if not all(_has_inverse(*np.ravel(matrix).tolist()) for matrix in stacked):
            raise ValueError("matrix_or_field has no inverse: its determinant must not be 0")
    return np.broadcast_to(stacked, (as_batch(x).shape[0], *stacked.shape[1:]))


def _check_shape(maps: Any, x: Array) -> Any:
    """Return maps (1 or N, 3, 3) or (1 or N, H, W, 2) that fit the images."""
    images, shape = as_batch(x).shape[0], tuple(maps.shape)
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


def _check_device_maps(maps: Any, x: Any, interpolation: str, antialias: bool) -> None:
    """Raise unless maps that are not read on the host can be carried out."""
    if not is_tensor(x) or maps.device != x.device:
        where = x.device if is_tensor(x) else "the host, as an array"
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
    """Whether a matrix, given by rows, spans space; relative to its columns, which bound that."""
    determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return abs(determinant) > 1e-13 * math.hypot(a, d, g) * math.hypot(b, e, h) * math.hypot(
        c, f, i
    )


def _warp_size(size: Size | None, maps: Array, x: Array) -> tuple[int, int]:
    """Resolve the size of a warped image; a field has its own."""
    own = maps.shape[1:3] if maps.ndim == 4 else image_size(x)
    if size is None:
        return (int(own[0]), int(own[1]))
    height, width = check_ints(size, "size", 2, 1)
    if maps.ndim == 4 and (height, width) != own:
        raise ValueError(f"size is {size}: the field has its own, {own}; leave size out")
    return height, width


def _check_value(value: Value, x: Array) -> Array:
    """Return one border value per channel, within the dtype's range."""
    count, top = channels(x), full_range(x.dtype)
    low, high = (0.0, top) if top > 1 else (-np.inf, np.inf)
    if np.ndim(value) == 0:
        number = value.item() if isinstance(value, np.ndarray) else value
        return _whole(np.full(count, check_number(number, "value", low, high)), top)
    values = list(value)  # type: ignore[arg-type]
    if len(values) != count:
        raise ValueError(f"value is {value!r}: give one number, or {count}, one per channel")
    checked = [check_number(v, f"value[{i}]", low, high) for i, v in enumerate(values)]
    return _whole(np.array(checked), top)


def _whole(values: Array, top: float) -> Array:
    """Round what lies beyond an image of integers to a level, as the pixels are."""
    return np.rint(values) if top > 1 else values


def _check_point(point: Sequence[float]) -> tuple[float, float]:
    """Return a point (x, y)."""
    if np.ndim(point) != 1 or len(point) != 2:
        raise ValueError(f"center is {point!r}: it must be a point (x, y)")
    return check_number(point[0], "center[0]"), check_number(point[1], "center[1]")


def _check_padding(padding: int | Sequence[int]) -> tuple[int, ...]:
    """Return (top, bottom, left, right)."""
    if isinstance(padding, (int, np.integer)):
        return check_ints(padding, "padding", 4, 0)
    if np.ndim(padding) != 1 or len(padding) not in (2, 4):
        raise ValueError(
            f"padding is {padding!r}: give one integer, (vertical, horizontal), "
            "or (top, bottom, left, right)"
        )
    if len(padding) == 4:
        return check_ints(padding, "padding", 4, 0)
    vertical, horizontal = check_ints(padding, "padding", 2, 0)
    return vertical, vertical, horizontal, horizontal
