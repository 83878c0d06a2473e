"""Resizing, warping and moving pixels.

Images are `(H, W)`, `(H, W, C)` or a batch `(N, H, W, C)` of uint8, uint16, float32 or float64;
a list of them gives a list. Results keep the dtype (integers rounded half to even and
saturated) and are fresh, contiguous arrays, never views of the input.

Sizes are `(height, width)`, or one integer for both. Maps follow `imgkit.geometry`: matrices
take input pixel centers to output pixel centers, (x, y), the first center at (0, 0); a field
gives for each output pixel the displacement to the input position that it shows.

Interpolation: `nearest`; `bilinear`; `bicubic`, Keys' kernel with a = -0.75 as in OpenCV and
torch, but a = -0.5 for antialiased resizing as in Pillow and torch. `resize` also knows
`lanczos` (three lobes) and `area` (the mean over the pixel's footprint).

Borders: the pixels outside the image are `constant` (`value`: one number, or one per channel, in
the image's own units), `edge`, `reflect`, `symmetric` or `wrap`. Sampling interpolates the
image extended by its border, so the outermost half pixel blends with a constant border.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from imgkit import geometry
from imgkit.border import check_border_word, check_values
from imgkit.checks import (
    MAX_SIDE,
    check_choice,
    check_flag,
    check_int,
    check_ints,
    check_number,
    check_size,
    printable,
)
from imgkit.image import Array, ImageInfo, inspect_image, is_tensor
from imgkit.ops.dispatch import backend_of
from imgkit.ops.ragged import ragged
from imgkit.ops.warp_maps import check_device_maps, check_maps, warp_size

Size = int | Sequence[int]
Value = float | Sequence[float] | Array

SAMPLERS = ("nearest", "bilinear", "bicubic")
RESIZERS = (*SAMPLERS, "lanczos", "area")
FLIPS = ("horizontal", "vertical", "both")


@ragged
def resize(x: Array, size: Size, interpolation: str = "bilinear", antialias: bool = True) -> Array:
    """Resize with aligned pixel edges: the output's corners are the input's.

    With `antialias` the kernel widens with the shrinking factor and is cut at the image's edge, as
    in Pillow and torchvision; results agree within 1 level; uint8 and uint16 then saturate after
    each axis, rows first, as torchvision does (Pillow 13 may begin with the columns: up to 15
    levels on bicubic black and white). Without it the kernel keeps its width and the edge pixel
    repeats, as in OpenCV and torch. `nearest` takes input ``floor((i + 0.5) * n / m)`` (torch's
    "nearest-exact"); `antialias` has no effect on `nearest` and `area`.

    Args:
        x: image or batch.
        size: (height, width) of the result in pixels, at least 1, or one integer for both.
        interpolation: nearest, bilinear, bicubic, lanczos or area.
        antialias: whether shrinking averages all input pixels.

    Returns:
        A fresh array of the input's dtype.

    Raises:
        TypeError: `x` is not an image, or `size` does not hold integers.
        ValueError: a size below 1 or an unknown interpolation.

    Source: Turkowski, Filters for common resampling tasks, Graphics Gems I, 1990.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.resize(np.array([[0, 40, 80, 120]], np.uint8), (1, 2))
    array([[29, 91]], dtype=uint8)
    """
    image = inspect_image(x)
    height, width = check_size(size)
    check_choice(interpolation, "interpolation", RESIZERS)
    run = backend_of(image.is_tensor, "resample").resize
    antialias = check_flag(antialias, "antialias")
    return image.restore(run(image.batch, (height, width), interpolation, antialias))


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
    """Transform an image by a matrix or a displacement field.

    Flips, quarter turns and whole-pixel shifts move pixels exactly. With `antialias` a map that
    shrinks the image first blurs it (Gaussian, see `imgkit.geometry.antialias_sigmas`) by the
    map's mean local scale; maps that do not shrink are not blurred. `nearest` takes the pixel at
    the position rounded half to even, without blur.

    Args:
        x: image or batch.
        matrix_or_field: a matrix (3, 3) or (2, 3) from input to output pixel centers, or a field
            (H_out, W_out, 2): output pixel p takes its value from the input at p + field[p].
            For a batch of N also N matrices (N, 3, 3) or N fields (N, H_out, W_out, 2). For a
            tensor `x` also a floating tensor (matrices 3x3) on its device, through which
            gradients flow; it is not read on the host, so `antialias` must be False.
        size: (height, width) of the result, or one integer for both; default: the input's, or
            the field's.
        interpolation: nearest, bilinear or bicubic.
        border: constant, edge, reflect, symmetric or wrap.
        value: the pixel value of a constant border, in the image's units; one number or one per
            channel.
        antialias: whether to blur before shrinking.

    Returns:
        A fresh array of the input's dtype.

    Raises:
        TypeError: `x` is not an image.
        ValueError: the matrix has no inverse, the map has another shape or values that are not
            finite, or an unknown interpolation or border.

    Source: Heckbert, Fundamentals of Texture Mapping and Image Warping, 1989.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> shift = [[1, 0, 0.5], [0, 1, 0]]
    >>> ik.warp(np.array([[0, 10, 20, 30]], np.uint8), shift, value=100)
    array([[50,  5, 15, 25]], dtype=uint8)
    """
    image = inspect_image(x)
    return _warp(image, matrix_or_field, size, interpolation, border, value, antialias)


def _warp(
    image: ImageInfo,
    matrix_or_field: npt.ArrayLike,
    size: Size | None,
    interpolation: str,
    border: str,
    value: Value,
    antialias: bool,
) -> Array:
    """Check the options of `warp` and run it on a checked image."""
    maps = check_maps(matrix_or_field, image)
    check_choice(interpolation, "interpolation", SAMPLERS)
    check_border_word(border)
    fill = check_values(value, image.channels, image.array.dtype)
    out_size = warp_size(size, maps, image)
    antialias = check_flag(antialias, "antialias")
    if is_tensor(maps):
        check_device_maps(maps, image, interpolation, antialias)
    run = backend_of(image.is_tensor, "resample").warp
    return image.restore(run(image.batch, maps, out_size, interpolation, border, fill, antialias))


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
    """Rotate an image, counter-clockwise as seen.

    A multiple of 90 degrees moves pixels without interpolation if their centers fall on pixels:
    always with `expand` (as `np.rot90`) and for square images; not if height and width differ by
    an odd number and the canvas stays.

    Args:
        x: image or batch.
        degrees: the angle; negative is clockwise.
        expand: whether the canvas grows to the smallest size that holds the turned image.
        center: the point (x, y) that stays in place, in pixels; default the middle of the image,
            ((W - 1) / 2, (H - 1) / 2). With `expand` the result is always centered.
        interpolation: nearest, bilinear or bicubic.
        border: constant, edge, reflect, symmetric or wrap.
        value: the pixel value of a constant border, in the image's units; one number or one per
            channel.
        antialias: as in `warp`; without effect, as a rotation never shrinks.

    Returns:
        A fresh array of the input's dtype.

    Raises:
        TypeError: `x` is not an image, or `degrees` is not a number.
        ValueError: an angle that is not finite, or an unknown interpolation or border.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.rotate(np.array([[1, 2], [3, 4]], np.uint8), 90)
    array([[2, 4],
           [1, 3]], dtype=uint8)
    """
    image = inspect_image(x)
    degrees = check_number(degrees, "degrees")
    if center is not None:
        center = _check_point(center)
    expand = check_flag(expand, "expand")
    matrix, size = geometry.rotation_on_canvas(degrees, image.size, expand, center)
    return _warp(image, matrix, size, interpolation, border, value, antialias)


@ragged
def flip(x: Array, axis: str = "horizontal") -> Array:
    """Mirror an image.

    Args:
        x: image or batch.
        axis: horizontal (exchange left and right), vertical, or both.

    Returns:
        A fresh array, bit-equal to reversed slices.

    Raises:
        TypeError: `x` is not an image.
        ValueError: an unknown axis.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.flip(np.array([[1, 2, 3]], np.uint8))
    array([[3, 2, 1]], dtype=uint8)
    """
    image = inspect_image(x)
    check_choice(axis, "axis", FLIPS)
    run = backend_of(image.is_tensor, "resample").mirror
    return image.restore(run(image.batch, axis != "vertical", axis != "horizontal"))


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
        TypeError: `x` is not an image, or the rectangle does not hold integers.
        ValueError: the rectangle exceeds the image; call `pad` first to allow that.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.crop(np.arange(6, dtype=np.uint8).reshape(2, 3), 0, 1, 2, 2)
    array([[1, 2],
           [4, 5]], dtype=uint8)
    """
    image = inspect_image(x)
    rows, columns = image.size
    top, left = check_int(top, "top", 0), check_int(left, "left", 0)
    height, width = check_int(height, "height", 1), check_int(width, "width", 1)
    if top + height > rows:
        raise ValueError(f"top + height is {top + height}: the image has {rows} rows")
    if left + width > columns:
        raise ValueError(f"left + width is {left + width}: the image has {columns} columns")
    fill = np.zeros(image.channels)
    run = backend_of(image.is_tensor, "resample").place
    return image.restore(run(image.batch, -top, -left, (height, width), "constant", fill))


@ragged
def pad(
    x: Array, padding: int | Sequence[int], *, border: str = "constant", value: Value = 0
) -> Array:
    """Add pixels around an image.

    Args:
        x: image or batch.
        padding: pixels, at least 0: one number for all sides, (vertical, horizontal), or
            (top, bottom, left, right).
        border: constant, edge, reflect, symmetric or wrap; the padding may be larger than
            the image.
        value: the pixel value of a constant border, in the image's units; one number or one per
            channel.

    Returns:
        A fresh array of the input's dtype.

    Raises:
        TypeError: `x` is not an image, or `padding` does not hold integers.
        ValueError: padding below 0 (`crop` removes pixels) or above 2**20, or an unknown border.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.pad(np.array([[1, 2, 3]], np.uint8), (0, 0, 2, 1), border="reflect")
    array([[3, 2, 1, 2, 3, 2]], dtype=uint8)
    """
    image = inspect_image(x)
    top, bottom, left, right = _check_padding(padding)
    check_border_word(border)
    fill = check_values(value, image.channels, x.dtype)
    height, width = image.size
    size = (top + height + bottom, left + width + right)
    run = backend_of(image.is_tensor, "resample").place
    return image.restore(run(image.batch, top, left, size, border, fill))


@ragged
def letterbox(
    x: Array,
    size: Size,
    *,
    interpolation: str = "bilinear",
    antialias: bool = True,
    value: Value = 0,
) -> Array:
    """Resize to the largest size that fits a canvas, keep the aspect ratio, and center.

    `imgkit.geometry.letterbox_matrix` returns the matrix of this map.

    Args:
        x: image or batch.
        size: (height, width) of the canvas, or one integer for both.
        interpolation: as in `resize`.
        antialias: as in `resize`.
        value: the canvas, in the image's units; one number or one per channel.

    Returns:
        A fresh array of the input's dtype.

    Raises:
        TypeError: `x` is not an image, or `size` does not hold integers.
        ValueError: a size below 1 or an unknown interpolation.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.letterbox(np.full((1, 3), 9, np.uint8), 3)
    array([[0, 0, 0],
           [9, 9, 9],
           [0, 0, 0]], dtype=uint8)
    """
    image = inspect_image(x)
    height, width = check_size(size)
    check_choice(interpolation, "interpolation", RESIZERS)
    fill = check_values(value, image.channels, x.dtype)
    held = int(image.size[0]), int(image.size[1])
    top, left, rows, columns = geometry.letterbox_size(held, (height, width))
    run = backend_of(image.is_tensor, "resample")
    antialias = check_flag(antialias, "antialias")
    fitted = run.resize(image.batch, (rows, columns), interpolation, antialias)
    return image.restore(run.place(fitted, top, left, (height, width), "constant", fill))


# --- checks -----------------------------------------------------------------------------


def _check_point(point: Any) -> tuple[float, float]:
    """Return a point (x, y)."""
    point = point.tolist() if isinstance(point, np.ndarray) else point
    if not isinstance(point, (list, tuple)):
        raise TypeError(f"center is {printable(point)}: it must be a point (x, y)")
    if len(point) != 2:
        raise ValueError(f"center is {printable(point)}: it must be a point (x, y)")
    return check_number(point[0], "center[0]"), check_number(point[1], "center[1]")


def _check_padding(padding: Any) -> tuple[int, ...]:
    """Return (top, bottom, left, right)."""
    padding = padding.tolist() if isinstance(padding, np.ndarray) else padding
    if isinstance(padding, (int, np.integer)):
        return check_ints(padding, "padding", 4, 0, MAX_SIDE)
    rule = "give one integer, (vertical, horizontal), or (top, bottom, left, right)"
    if not isinstance(padding, (list, tuple)):
        raise TypeError(f"padding is {printable(padding)}: {rule}")
    if len(padding) not in (2, 4):
        raise ValueError(f"padding is {printable(padding)}: {rule}")
    if len(padding) == 4:
        return check_ints(padding, "padding", 4, 0, MAX_SIDE)
    vertical, horizontal = check_ints(padding, "padding", 2, 0, MAX_SIDE)
    return vertical, vertical, horizontal, horizontal
