"""The reach of one output pixel in the input (the local scale of a map), and the blur it needs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from imgkit.geometry.matrix import EXACT, Size, apply, is_affine
from imgkit.image import Array

SHRINKS = 1.375  # squared shrinking from which maps are prefiltered: below, the Gaussian that is
# missing has a sigma under 0.25 pixel and gives a neighbor less than 1/2900


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
    """Return the reach of one output pixel in the input, ``(..., 2, 2)``.

    A projective map reaches differently everywhere: the mean is over a 9x9 grid of input points,
    those that land on the output canvas (the identity if none does).
    """
    if is_affine(matrix):
        return np.linalg.inv(matrix)[..., :2, :2]
    y, x = (np.linspace(0, n - 1, 9) for n in in_size)
    grid = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    moved = apply(matrix, grid)
    limit = np.array([out_size[1] - 0.5, out_size[0] - 0.5])
    visible = np.all((moved >= -0.5) & (moved <= limit), axis=-1)[..., None, None]
    forward = np.where(visible, jacobian(matrix, grid), np.eye(2))
    total = np.where(visible, np.linalg.inv(forward), 0).sum(axis=-3)
    count = visible.sum(axis=-3)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.eye(2)))


def mean_field_jacobian(field: Array) -> Array:
    """Return the reach of one output pixel in the input under fields, ``(..., 2, 2)``.

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
