"""3x3 matrices as nine numbers in a tuple: for one sample a sixth of the time of NumPy's arrays.

Stacks (N, 3, 3) have functions of their own, which add and multiply in the same order: a batch
gets bit for bit the numbers of its samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Entries = tuple[float, float, float, float, float, float, float, float, float]  # row by row

IDENTITY: Entries = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def entries(matrix: Any) -> Entries:
    """Return the entries of an array (3, 3), or of what holds them already."""
    return tuple(matrix.ravel().tolist()) if isinstance(matrix, np.ndarray) else matrix


def array(matrix: Entries) -> Array:
    """Return (3, 3)."""
    return np.array(matrix, np.float64).reshape(3, 3)


def translation(dx: float, dy: float) -> Entries:
    """Move right and down."""
    return (1.0, 0.0, dx, 0.0, 1.0, dy, 0.0, 0.0, 1.0)


def is_affine(matrix: Entries) -> bool:
    """Whether the last row is 0, 0, 1."""
    return matrix[6] == 0 and matrix[7] == 0 and matrix[8] == 1


def product(second: Entries, first: Entries) -> Entries:
    """Return the matrix that runs `first`, then `second`."""
    if first is IDENTITY or second is IDENTITY:
        return second if first is IDENTITY else first
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
