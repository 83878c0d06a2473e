"""Maps between images: 3x3 matrices at pixel centers, and displacement fields.

A matrix maps input pixel centers to output pixel centers: column vectors ``(x, y, 1)``, x to
the right, y down, the center of the first pixel at (0, 0). Every function of matrices works on
stacks ``(..., 3, 3)``; parameters broadcast. ``b @ a`` runs `a` first, as does `compose(a, b)`.

A field is a float array ``(H_out, W_out, 2)`` of displacements (x, y) in pixels: output pixel p
takes its value from the input at ``p + field[p]``. The zero field is the identity.

Sizes are ``(height, width)``; points are ``(x, y)``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit.image import Array
from imgkit.stages import IDENTITY_MATRIX, Entries

Size = tuple[int, int]
Point = Sequence[float] | Array

EXACT = 1e-9  # matrices this close to integers move pixels without interpolation
FAR = 2.0**53  # beyond it floats have no fractions


# --- making matrices --------------------------------------------------------------------


def _stack(rows: Sequence[Sequence[Any]]) -> Array:
    """Build ``(..., 3, 3)`` from nine entries that broadcast."""
    if all(isinstance(v, (int, float)) for row in rows for v in row):
        return np.array(rows, np.float64)  # an eighth of the time of what follows
    entries = np.broadcast_arrays(*(np.asarray(v, np.float64) for row in rows for v in row))
    return np.stack(entries, -1).reshape(*entries[0].shape, 3, 3)


def translation(dx: npt.ArrayLike, dy: npt.ArrayLike) -> Array:
    """Move right by `dx` and down by `dy`.

    >>> translation(2, 3)[:2].tolist()
    [[1.0, 0.0, 2.0], [0.0, 1.0, 3.0]]
    """
    return _stack([[1, 0, dx], [0, 1, dy], [0, 0, 1]])


def about(matrix: Array, center: Point) -> Array:
    """Run a matrix with `center` as its origin."""
    x, y = np.asarray(center, np.float64)[..., 0], np.asarray(center, np.float64)[..., 1]
    return translation(x, y) @ matrix @ translation(-x, -y)


def scaling(sx: npt.ArrayLike, sy: npt.ArrayLike | None = None, center: Point = (0, 0)) -> Array:
    """Enlarge by `sx` and `sy` (default: the same), leaving `center` where it is."""
    return about(_stack([[sx, 0, 0], [0, sx if sy is None else sy, 0], [0, 0, 1]]), center)


def rotation(degrees: npt.ArrayLike, center: Point = (0, 0)) -> Array:
    """Turn counter-clockwise as seen (y points down); multiples of 90 are exact.

    >>> apply(rotation(90), [1.0, 0.0]).tolist()
    [0.0, -1.0]
    """
    degrees = np.fmod(np.asarray(degrees, np.float64), 360)
    quarters = np.rint(degrees / 90)
    rest = np.deg2rad(degrees - 90 * quarters)
    turn = quarters.astype(np.int64) % 4
    cos, sin = np.cos(rest), np.sin(rest)
    c = np.choose(turn, [cos, -sin, -cos, sin]) + 0.0
    s = np.choose(turn, [sin, cos, -sin, -cos]) + 0.0
    return about(_stack([[c, s, 0], [0.0 - s, c, 0], [0, 0, 1]]), center)


def shear(kx: npt.ArrayLike, ky: npt.ArrayLike = 0, center: Point = (0, 0)) -> Array:
    """Shear by slopes: ``x + kx * y`` and ``y + ky * x`` (the tangents of the angles)."""
    return about(_stack([[1, kx, 0], [ky, 1, 0], [0, 0, 1]]), center)


def horizontal_flip(size: Size) -> Array:
    """Mirror left and right."""
    return _stack([[-1, 0, size[1] - 1], [0, 1, 0], [0, 0, 1]])


def vertical_flip(size: Size) -> Array:
    """Mirror top and bottom."""
    return _stack([[1, 0, 0], [0, -1, size[0] - 1], [0, 0, 1]])


def transposition() -> Array:
    """Exchange x and y."""
    return _stack([[0, 1, 0], [1, 0, 0], [0, 0, 1]])


def quarter_turn(k: int, size: Size) -> Array:
    """Turn counter-clockwise `k` times by 90 degrees onto the turned canvas, as `np.rot90`."""
    height, width = size
    shift = [(0, 0), (0, width - 1), (width - 1, height - 1), (height - 1, 0)][k % 4]
    return translation(*shift) @ rotation(90 * (k % 4))


def crop(top: npt.ArrayLike, left: npt.ArrayLike) -> Array:
    """Make (`left`, `top`) the first pixel; negative values pad."""
    return translation(-np.asarray(left, np.float64), -np.asarray(top, np.float64))


def resize_matrix(in_size: Size, out_size: Size) -> Array:
    """Resize with aligned pixel edges: ``out = (in + 0.5) * scale - 0.5``.

    >>> apply(resize_matrix((4, 4), (2, 2)), [[0.5, 0.5], [2.5, 2.5]]).tolist()
    [[0.0, 0.0], [1.0, 1.0]]
    """
    sy, sx = out_size[0] / in_size[0], out_size[1] / in_size[1]
    return _stack([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])


def letterbox_size(in_size: Size, out_size: Size) -> tuple[int, int, int, int]:
    """Return (top, left, height, width) of the largest centered copy that keeps its shape."""
    scale = min(out_size[0] / in_size[0], out_size[1] / in_size[1])
    height, width = (
        min(max(round(n * scale), 1), limit) for n, limit in zip(in_size, out_size, strict=True)
    )
    return (out_size[0] - height) // 2, (out_size[1] - width) // 2, height, width


def letterbox_matrix(in_size: Size, out_size: Size) -> Array:
    """Map an image to where `letterbox` puts it.

    >>> letterbox_matrix((10, 20), (20, 20))[:2].tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 5.0]]
    """
    top, left, height, width = letterbox_size(in_size, out_size)
    return translation(left, top) @ resize_matrix(in_size, (height, width))


def affine(src: npt.ArrayLike, dst: npt.ArrayLike) -> Array:
    """Return the affine map that takes three points to three others.

    Args:
        src: input points, ``(..., 3, 2)``, not on a line.
        dst: output points, the same shape.

    Returns:
        Matrices ``(..., 3, 3)`` with the last row 0, 0, 1.

    Raises:
        ValueError: the points determine no map.

    >>> corners = [[0, 0], [4, 0], [0, 4]]
    >>> affine(corners, [[1, 0], [5, 0], [3, 4]])[0].tolist()  # x + y / 2 + 1
    [1.0, 0.5, 1.0]
    """
    src, dst = np.broadcast_arrays(np.asarray(src, np.float64), np.asarray(dst, np.float64))
    if src.shape[-2:] != (3, 2):
        raise ValueError(f"src and dst have shape {src.shape}: they hold three points, (..., 3, 2)")
    (ax, ay), (bx, by) = (np.moveaxis(src[..., i, :] - src[..., 0, :], -1, 0) for i in (1, 2))
    if (abs(ax * by - ay * bx) <= 1e-13 * np.hypot(ax, ay) * np.hypot(bx, by)).any():
        raise ValueError("src: its three points lie on a line, so no map exists")
    one = np.ones((*src.shape[:-1], 1))
    columns = np.linalg.solve(np.concatenate([src, one], -1), np.concatenate([dst, one], -1))
    matrix = np.swapaxes(columns, -1, -2)
    matrix[..., 2, :] = 0, 0, 1
    return matrix


def perspective(src: npt.ArrayLike, dst: npt.ArrayLike) -> Array:
    """Return the projective map that takes four points to four others.

    Args:
        src: input points, ``(..., 4, 2)``, no three on a line.
        dst: output points, the same shape.

    Returns:
        Matrices ``(..., 3, 3)`` with 1 in the last place.

    Raises:
        ValueError: the points determine no map.

    Source: Heckbert, Fundamentals of Texture Mapping and Image Warping, 1989, section 2.2.3.

    >>> square = [[0, 0], [1, 0], [1, 1], [0, 1]]
    >>> apply(perspective(square, [[0, 0], [4, 0], [3, 2], [1, 2]]), [1.0, 1.0]).round(9).tolist()
    [3.0, 2.0]
    """
    src, dst = np.broadcast_arrays(np.asarray(src, np.float64), np.asarray(dst, np.float64))
    if src.shape[-2:] != (4, 2):
        raise ValueError(f"src and dst have shape {src.shape}: they hold four points, (..., 4, 2)")
    zero, one = np.zeros(src.shape[:-1]), np.ones(src.shape[:-1])
    x, y, u, v = src[..., 0], src[..., 1], dst[..., 0], dst[..., 1]
    for_u = np.stack([x, y, one, zero, zero, zero, -u * x, -u * y], -1)
    for_v = np.stack([zero, zero, zero, x, y, one, -v * x, -v * y], -1)
    system = np.concatenate([for_u, for_v], -2)
    try:
        entries = np.linalg.solve(system, np.concatenate([u, v], -1)[..., None])[..., 0]
    except np.linalg.LinAlgError:
        raise ValueError("src: three of its four points lie on a line, so no map exists") from None
    return np.concatenate([entries, one[..., :1]], -1).reshape(*src.shape[:-2], 3, 3)


def compose(*matrices: Array) -> Array:
    """Return one matrix that runs `matrices` in the order given; none is the identity.

    >>> compose(translation(1, 0), scaling(2))[0].tolist()
    [2.0, 0.0, 2.0]
    """
    result = np.eye(3)
    for matrix in matrices:
        result = matrix @ result
    return result


# --- using matrices ---------------------------------------------------------------------


def center(size: Size) -> tuple[float, float]:
    """Return the middle of an image as a point (x, y): ``((width-1)/2, (height-1)/2)``."""
    return (size[1] - 1) / 2, (size[0] - 1) / 2


def apply(matrix: Array, points: npt.ArrayLike) -> Array:
    """Map points ``(..., 2)``; matrices ``(..., 3, 3)`` broadcast against the points' last axis.

    A stack of N matrices maps N sets of points ``(N, P, 2)`` or one shared set ``(P, 2)``.
    Points on the horizon of a projective map go to infinity.
    """
    points = np.asarray(points, np.float64)
    matrix = np.asarray(matrix, np.float64)
    flat = points if points.ndim > 1 else points[None]
    moved = flat @ np.swapaxes(matrix[..., :2, :2], -1, -2) + matrix[..., None, :2, 2]
    if not is_affine(matrix):
        weight = flat @ matrix[..., 2, :2, None] + matrix[..., 2:, 2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = moved / weight
    elif not np.all(matrix[..., 2, 2] == 1):
        moved = moved / matrix[..., 2:, 2:]
    return moved if points.ndim > 1 else moved[..., 0, :]


def rotation_on_canvas(
    degrees: float, size: Size, expand: bool = False, middle: Point | None = None
) -> tuple[Array, Size]:
    """Return the matrix that turns an image, and the size of its canvas.

    With `expand` the canvas grows or shrinks to just hold the turned image, centered; otherwise
    it stays, and the image turns about `middle`, by default the image's own.

    >>> rotation_on_canvas(90, (4, 6), expand=True)[1]
    (6, 4)
    """
    if not expand:
        return rotation(degrees, center(size) if middle is None else middle), size
    turn = rotation(degrees)
    height, width = size
    spans = np.abs(turn[:2, :2]) @ (width, height)
    cols, rows = (math.ceil(span - 1e-6) for span in spans)
    out = (rows, cols)
    return compose(translation(*(-v for v in center(size))), turn, translation(*center(out))), out


def is_affine(matrix: Array) -> bool:
    """Whether every matrix keeps parallels parallel."""
    return not matrix[..., 2, :2].any()


def positions(inverse: Array, out_size: Size, first_row: int = 0) -> Array:
    """Return where each output pixel lies in the input, ``(H_out, W_out, 2)``.

    Args:
        inverse: a matrix ``(3, 3)`` from output to input.
        out_size: rows and columns wanted.
        first_row: the output row to begin with.
    """
    x = np.arange(out_size[1], dtype=np.float64)
    y = np.arange(first_row, first_row + out_size[0], dtype=np.float64)[:, None]
    (a, b, c), (d, e, f), (g, h, i) = inverse
    found = np.stack([a * x + (b * y + c), d * x + (e * y + f)], -1)
    if g == 0 and h == 0:
        return found if i == 1 else found / i
    weight = (g * x + (h * y + i))[..., None]
    return found / np.where(weight == 0, np.finfo(np.float64).tiny ** 0.5, weight)


class Move(NamedTuple):
    """Pixels that move without interpolation.

    Transpose H and W, mirror the result left-right and top-bottom, then put its first pixel at
    row `top` and column `left` of the output canvas.
    """

    transpose: bool
    mirror_x: bool
    mirror_y: bool
    top: int
    left: int


def exact_move(matrix: Array, in_size: Size) -> Move | None:
    """Return the move that a matrix ``(3, 3)`` is, or None if it interpolates.

    >>> exact_move(crop(2, 1) @ horizontal_flip((4, 6)), (4, 6))
    Move(transpose=False, mirror_x=True, mirror_y=False, top=-2, left=-1)
    >>> exact_move(translation(0.5, 0), (4, 6)) is None
    True
    """
    found = np.asarray(matrix, np.float64).ravel().tolist()
    near = [round(v) if abs(v) < FAR else 0 for v in found]
    if max(map(abs, map(operator.sub, found, near))) > EXACT:
        return None
    a, b, x, c, d, y, *last = near
    if last != [0, 0, 1] or (abs(a), abs(b), abs(c), abs(d)) not in ((1, 0, 0, 1), (0, 1, 1, 0)):
        return None
    height, width = in_size if a else in_size[::-1]
    left = x - (width - 1 if a + b < 0 else 0)
    top = y - (height - 1 if c + d < 0 else 0)
    return Move(not a, a + b < 0, c + d < 0, top, left)


# --- nine numbers in a tuple ------------------------------------------------------------

# For one sample a tuple takes a sixth of the time of an array. The functions of stacks (N, 3, 3)
# below add and multiply in the same order, so a batch gets the numbers of its samples bit for bit.


def entries(matrix: Array | Entries) -> Entries:
    """Return the entries of an array (3, 3), or of what holds them already."""
    return tuple(matrix.ravel().tolist()) if isinstance(matrix, np.ndarray) else matrix


def array(matrix: Entries) -> Array:
    """Return (3, 3)."""
    return np.array(matrix, np.float64).reshape(3, 3)


def shift(dx: float, dy: float) -> Entries:
    """Return the entries of `translation`."""
    return (1.0, 0.0, dx, 0.0, 1.0, dy, 0.0, 0.0, 1.0)


def has_affine_row(matrix: Entries) -> bool:
    """Whether the last row is 0, 0, 1."""
    return matrix[6] == 0 and matrix[7] == 0 and matrix[8] == 1


def product(second: Entries, first: Entries) -> Entries:
    """Return the matrix that runs `first`, then `second`."""
    if first is IDENTITY_MATRIX or second is IDENTITY_MATRIX:
        return second if first is IDENTITY_MATRIX else first
    a, b, c, d, e, f, g, h, i = second
    k, m, n, o, p, q, r, s, t = first
    return (
        a * k + b * o + c * r, a * m + b * p + c * s, a * n + b * q + c * t,
        d * k + e * o + f * r, d * m + e * p + f * s, d * n + e * q + f * t,
        g * k + h * o + i * r, g * m + h * p + i * s, g * n + h * q + i * t,
    )  # fmt: skip


def inverse(matrix: Entries) -> Entries:
    """Return the inverse, by cofactors."""
    a, b, c, d, e, f, g, h, i = matrix
    x, y, z = e * i - f * h, f * g - d * i, d * h - e * g
    det = a * x + b * y + c * z
    return (
        x / det, (h * c - i * b) / det, (b * f - c * e) / det,
        y / det, (i * a - g * c) / det, (c * d - a * f) / det,
        z / det, (g * b - h * a) / det, (a * e - b * d) / det,
    )  # fmt: skip


# --- stacks -----------------------------------------------------------------------------------


def products(second: Array, first: Array) -> Array:
    """Return `product` of stacks (N, 3, 3)."""
    a, b, c = (second[:, :, k : k + 1] * first[:, k : k + 1] for k in range(3))
    return np.asarray(a + b + c)


def inverses(matrices: Array) -> Array:
    """Return `inverse` of stacks (N, 3, 3)."""
    after, before = [1, 2, 0], [2, 0, 1]
    low, high = matrices[:, after], matrices[:, before]
    cofactors = low[:, :, after] * high[:, :, before] - low[:, :, before] * high[:, :, after]
    terms = matrices[:, 0] * cofactors[:, 0]
    det = terms[:, 0] + terms[:, 1] + terms[:, 2]
    return np.asarray(cofactors.swapaxes(1, 2) / det[:, None, None])
