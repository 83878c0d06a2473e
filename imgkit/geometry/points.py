"""Points on their way through a run of geometric ops, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit.geometry import matrix as matrices
from imgkit.geometry.fields import sample_field
from imgkit.geometry.matrix import EXACT
from imgkit.geometry.resolve import at_size, is_idle, step_of
from imgkit.stages import GeometricStep

Array = npt.NDArray[Any]


class Segment(NamedTuple):
    """One step on a point's way, onto a canvas: by a matrix, or along or against a field."""

    matrix: Array | None
    field: Array | None
    against: bool  # the field reads backward: a point moves against it
    size: tuple[int, int]


def forward_segments(steps: Sequence[GeometricStep], sample: int) -> list[Segment]:
    """Return a sample's way from the source to the output."""
    resolved = (step_of(step, sample) for step in steps)
    return [
        Segment(
            None if s.matrix is None else matrices.array(s.matrix), s.displacement, True, s.out_size
        )
        for s in resolved
        if not is_idle(s)
    ]


def inverse_segments(legs: Sequence[Segment], start: tuple[int, int]) -> list[Segment]:
    """Return the way back to the canvas of size `start` that the legs left."""
    canvases = [start, *(leg.size for leg in legs[:-1])]
    back = []
    for leg, size in zip(legs, canvases, strict=False):
        inverse = None if leg.matrix is None else np.linalg.inv(leg.matrix)
        back.append(Segment(inverse, leg.field, not leg.against, size))
    return back[::-1]


def follow_segment(leg: Segment, at: Array) -> Array:
    """Move (x, y) pixel-center positions (P, 2) by one leg; NaN beyond a perspective's horizon."""
    if leg.field is not None:
        return invert_field(leg.field, at) if leg.against else at + sample_field(leg.field, at)
    matrix = leg.matrix
    assert matrix is not None
    moved = at @ matrix[:2, :2].T + matrix[:2, 2]
    if matrix[2, 0] or matrix[2, 1] or matrix[2, 2] != 1:
        weight = at @ matrix[2, :2] + matrix[2, 2]
        moved /= np.where(weight > 0, weight, np.nan)[:, None]
    return np.asarray(moved)


def transform_points(
    legs: Sequence[Segment], size: tuple[int, int], points: Array
) -> tuple[Array, Array]:
    """Move positions (P, 2) all the way from a canvas of `size`.

    Returns:
        Positions (P, 2) float64, and whether each lay on every canvas (its outer half pixels
        included).
    """
    at = np.asarray(points, np.float64).reshape(-1, 2)
    inside = within(at, size)
    for leg in legs:
        at = follow_segment(leg, at)
        inside &= within(at, leg.size)
    return at, inside


def forward(steps: Sequence[GeometricStep], sample: int, points: Array) -> tuple[Array, Array]:
    """Map positions (P, 2) from the source to the output; see `transform_points`."""
    return transform_points(
        forward_segments(steps, sample), at_size(steps[0].in_size, sample), points
    )


def backward(steps: Sequence[GeometricStep], sample: int, points: Array) -> tuple[Array, Array]:
    """Map positions (P, 2) from the output back to the source; see `transform_points`."""
    start, end = at_size(steps[0].in_size, sample), at_size(steps[-1].out_size, sample)
    return transform_points(inverse_segments(forward_segments(steps, sample), start), end, points)


def within(at: Array, size: tuple[int, int], slack: float = EXACT) -> Array:
    """Tell which positions (P, 2) lie on a canvas, to the outer edges of its pixels."""
    low, high = -0.5 - slack, np.array([size[1] - 0.5 + slack, size[0] - 0.5 + slack])
    return np.asarray(((at >= low) & (at <= high)).all(axis=1))


SETTLED = 1e-4  # pixels; how exactly a field is inverted


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
