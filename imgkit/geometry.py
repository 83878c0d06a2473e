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
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Size = tuple[int, int]
Point = Sequence[float] | Array

SHRINKS = 1.375  # squared shrinking from which maps are prefiltered: below, the Gaussian that is
# missing has a sigma under 0.25 pixel and gives a neighbour less than 1/2900
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
    if not all(abs(v - n) <= EXACT for v, n in zip(found, near, strict=True)):
        return None
    a, b, x, c, d, y, *last = near
    if last != [0, 0, 1] or (abs(a), abs(b), abs(c), abs(d)) not in ((1, 0, 0, 1), (0, 1, 1, 0)):
        return None
    height, width = in_size if a else in_size[::-1]
    left = x - (width - 1 if a + b < 0 else 0)
    top = y - (height - 1 if c + d < 0 else 0)
    return Move(not a, a + b < 0, c + d < 0, top, left)


# --- local scale ------------------------------------------------------------------------


def jacobian(matrix: Array, points: npt.ArrayLike) -> Array:
    """Return the derivative of a map at points: ``(..., P, 2, 2)`` for ``(..., P, 2)``."""
    points = np.asarray(points, np.float64)
    weight = (points @ matrix[..., 2, :2, None] + matrix[..., 2:, 2:])[..., None]
    moved = apply(matrix, points)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(
            (matrix[..., None, :2, :2] - moved * matrix[..., None, None, 2, :2]) / weight
        )


def mean_inverse_jacobian(matrix: Array, in_size: Size, out_size: Size) -> Array:
    """Return how far one output pixel reaches in the input, ``(..., 2, 2)``.

    A projective map reaches differently everywhere: the mean is over a 9x9 grid of input points,
    those that land on the output canvas (the identity if none does).
    """
    if is_affine(matrix):
        return np.linalg.inv(matrix)[..., :2, :2]
    y, x = (np.linspace(0, n - 1, 9) for n in in_size)
    grid = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    moved = apply(matrix, grid)
    limit = np.array([out_size[1] - 0.5, out_size[0] - 0.5])
    seen = np.all((moved >= -0.5) & (moved <= limit), axis=-1)[..., None, None]
    forward = np.where(seen, jacobian(matrix, grid), np.eye(2))
    total = np.where(seen, np.linalg.inv(forward), 0).sum(axis=-3)
    count = seen.sum(axis=-3)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.eye(2)))


def mean_field_jacobian(field: Array) -> Array:
    """Return how far one output pixel reaches in the input under fields, ``(..., 2, 2)``.

    The mean derivative over a row is the difference of its ends, so an elastic field that
    stretches here and shrinks there counts as what it does on the whole.
    """
    height, width = field.shape[-3:-1]
    along_x = (field[..., -1, :] - field[..., 0, :]).mean(axis=-2) / max(width - 1, 1)
    along_y = (field[..., -1, :, :] - field[..., 0, :, :]).mean(axis=-2) / max(height - 1, 1)
    return np.asarray(np.eye(2) + np.stack([along_x, along_y], -1))


def shrinks(reach: Array) -> bool:
    """Whether any of the maps with derivatives ``(..., 2, 2)`` from output to input shrinks.

    With squared singular values p and q and the limit L that is p > L or q > L: their sum exceeds
    2 L, or ``(L - p) * (L - q)`` is negative.
    """
    limit = SHRINKS
    for (a, b), (c, d) in reach.reshape(-1, 2, 2).tolist():
        total = a * a + b * b + c * c + d * d
        if total > 2 * limit + EXACT or limit * (total - limit) > (a * d - b * c) ** 2 + EXACT:
            return True
    return False


def antialias_sigmas(reach: Array, in_size: Size) -> Array:
    """Return the Gaussian (sigma_x, sigma_y) that a map needs before it is sampled.

    Args:
        reach: mean derivatives of the map from output to input, ``(..., 2, 2)``.
        in_size: bounds the result: no sigma exceeds the image.

    Returns:
        ``(..., 2)``; zero where the map shrinks by less than 1.17 (`SHRINKS`).

    Bilinear sampling is a triangle one input pixel wide each way, of variance 1/6. Shrinking by s
    wants the triangle s wide (Pillow's filter), of variance s**2/6: the Gaussian adds what is
    missing, ``(s**2 - 1) / 6``, along both main axes of the shrinking.
    """
    squares, axes = np.linalg.eigh(reach @ np.swapaxes(reach, -1, -2))
    missing = np.where(squares > SHRINKS, (squares - 1) / 6, 0)
    variance = np.sum(axes**2 * missing[..., None, :], axis=-1)
    return np.asarray(np.minimum(np.sqrt(variance), max(in_size)))


# --- fields -----------------------------------------------------------------------------


def identity_grid(size: Size) -> Array:
    """Return the pixel centers of a canvas, ``(H, W, 2)``."""
    return np.stack(np.meshgrid(np.arange(size[1]), np.arange(size[0])), -1).astype(np.float64)


def matrix_field(matrix: Array, out_size: Size) -> Array:
    """Return the field that does what a matrix ``(3, 3)`` does."""
    return positions(np.linalg.inv(matrix), out_size) - identity_grid(out_size)
