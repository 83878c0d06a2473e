"""Displacement fields: computed from the numbers of a plan, and read between pixels."""

from __future__ import annotations

import functools

import numpy as np

from imgkit.geometry.matrix import Size, positions
from imgkit.image import Array
from imgkit.stages import Field

BLOCK = 32  # rows of a field that one product makes


def displacement(field: Field, sample: int, size: tuple[int, int]) -> Array:
    """Return one sample's displacement field, (H, W, 2) float32: out reads in at p + d(p)."""
    if field.kind == "elastic":
        amount, sigma = float(field.amount[sample]), float(field.smoothness[sample])
        first, second = (int(k) for k in field.key[sample])
        return _elastic(amount, sigma, first, second, size)
    nodes = field.nodes[sample]
    rows = _hat_basis(size[0], nodes.shape[0])
    columns = _hat_basis(size[1], nodes.shape[1])
    moved = np.empty((*size, 2), np.float32)
    for axis in (0, 1):
        moved[..., axis] = (rows @ nodes[..., axis]) @ columns.T
    return moved


@functools.lru_cache(maxsize=2)  # an image, its mask and its boxes ask for the same field
def _elastic(amount: float, sigma: float, key0: int, key1: int, size: tuple[int, int]) -> Array:
    """Smooth noise by a cubic B-spline of standard deviation `sigma`, scaled to `amount`."""
    result = np.zeros((*size, 2), np.float32)
    if amount == 0:
        result.flags.writeable = False
        return result
    spacing = max(sigma * 3**0.5, 1.0)  # a cubic B-spline's deviation is spacing / sqrt(3)
    shape = (2, *(int(np.ceil((length - 1) / spacing)) + 3 for length in size))
    raw = np.random.Philox(key=np.array([key0, key1], np.uint64)).random_raw(int(np.prod(shape)))
    lattice = ((raw >> np.uint64(40)).astype(np.float32) * 2.0**-23 - 1.0).reshape(shape)
    for axis in (0, 1):
        rows = _spline(lattice[axis], size[0], spacing)
        result[..., axis] = _spline(np.ascontiguousarray(rows.T), size[1], spacing).T
    length = float(np.sqrt(np.einsum("hwd,hwd->hw", result, result).max()))
    result *= np.float32(amount / max(length, 1e-12))
    result.flags.writeable = False
    return result


def _spline(nodes: Array, length: int, spacing: float) -> Array:
    """Make `length` rows of cubic B-splines from rows of nodes `spacing` pixels apart.

    Four nodes reach a row. Some rows at a time are one small dense product; the matrix of all rows
    and nodes would take memory in the square of the side.
    """
    position = np.arange(length) / spacing
    first = np.floor(position).astype(np.int64)
    t = np.abs((position - first)[:, None] - np.arange(-1, 3))
    weights = np.where(t < 1, 2 / 3 - t**2 + t**3 / 2, np.clip(2 - t, 0, None) ** 3 / 6)
    result = np.empty((length, nodes.shape[1]), np.float32)
    for start in range(0, length, BLOCK):
        rows = slice(start, start + BLOCK)
        low = first[start]
        place = first[rows, None] - low + np.arange(4)
        band = np.zeros((len(place), place[-1, -1] + 1), np.float32)
        np.put_along_axis(band, place, weights[rows].astype(np.float32), 1)
        used = nodes[low : low + band.shape[1]]  # the last weight of the last row may be a 0
        np.matmul(band[:, : len(used)], used, out=result[rows])
    return result


@functools.lru_cache(maxsize=64)
def _hat_basis(length: int, nodes: int) -> Array:
    """Return linear weights (length, nodes) of nodes from the first to the last pixel."""
    t = np.arange(length) * (nodes - 1) / max(length - 1, 1)
    basis = np.clip(1 - np.abs(t[:, None] - np.arange(nodes)), 0, None)
    basis.flags.writeable = False
    return basis


def sample_field(field: Array, at: Array) -> Array:
    """Return a field at positions, bilinear, repeated beyond its edge."""
    height, width = field.shape[:2]
    x, y = np.clip(at[..., 0], 0, width - 1), np.clip(at[..., 1], 0, height - 1)
    x0, y0 = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    fx, fy = (x - x0)[..., None], (y - y0)[..., None]
    top = field[y0, x0] * (1 - fx) + field[y0, x1] * fx
    bottom = field[y1, x0] * (1 - fx) + field[y1, x1] * fx
    return np.asarray(top * (1 - fy) + bottom * fy)


def identity_grid(size: Size) -> Array:
    """Return the pixel centers of a canvas, ``(H, W, 2)``."""
    return np.stack(np.meshgrid(np.arange(size[1]), np.arange(size[0])), -1).astype(np.float64)


def matrix_field(matrix: Array, out_size: Size) -> Array:
    """Return the field that does what a matrix ``(3, 3)`` does."""
    return positions(np.linalg.inv(matrix), out_size) - identity_grid(out_size)


# --- the way back ------------------------------------------------------------------------

SETTLED = 1e-4  # pixels: the precision of an inverted field


def invert_field(field: Array, points: Array, steps: int = 50) -> Array:
    """Return p with ``p + field(p) = point``: by fixed-point iteration, then by search."""
    field = field.astype(np.float64, copy=False)
    at = points - sample_field(field, points)
    for _ in range(steps):
        following = points - sample_field(field, at)
        change = np.abs(following - at).max(initial=0)
        at = following
        if change < SETTLED:
            return at
    missed = np.hypot(*(at + sample_field(field, at) - points).T) > SETTLED
    at[missed] = _search(field, points[missed])
    return at


def _search(field: Array, points: Array, steps: int = 30) -> Array:
    """Solve ``p + field(p) = point`` where the field is steep: the nearest start, then Newton."""
    height, width = field.shape[:2]
    reach = float(np.abs(field).max()) + 1
    apart = max(1.0, np.sqrt(height * width) / 96)
    x = np.arange(-reach, width + reach, apart)
    y = np.arange(-reach, height + reach, apart)
    starts = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    landed = starts + sample_field(field, starts)
    near = [np.argmin(((landed - point) ** 2).sum(axis=1)) for point in points]
    best = at = starts[near]
    least = np.full(len(points), np.inf)
    for _ in range(steps):
        wrong = points - at - sample_field(field, at)
        error = np.hypot(wrong[:, 0], wrong[:, 1])
        best = np.where((error < least)[:, None], at, best)
        least = np.minimum(error, least)
        slope = np.eye(2) + _slope(field, at)
        step = (np.linalg.pinv(slope) @ wrong[..., None])[..., 0]
        length = np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-12)
        at = at + step * np.minimum(1, 2 / length)[:, None]
    return np.asarray(best)


def _slope(field: Array, at: Array) -> Array:
    """Return the derivative of a field at positions (P, 2), as (P, 2, 2)."""
    sides = [
        sample_field(field, at + half) - sample_field(field, at - half)
        for half in (np.array([0.05, 0.0]), np.array([0.0, 0.05]))
    ]
    return np.stack(sides, axis=-1) / 0.1
