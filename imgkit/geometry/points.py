"""Points mapped through a run of geometric ops, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from imgkit.geometry import matrix as matrices
from imgkit.geometry.fields import sample_field
from imgkit.geometry.matrix import EXACT
from imgkit.geometry.resolve import moving_steps
from imgkit.image import Array
from imgkit.stages import GeometricStep, size_of


class Segment(NamedTuple):
    """One step of a point's path, onto a canvas: by a matrix, or along or against a field."""

    matrix: Array | None
    field: Array | None
    against: bool  # the field reads backward: a point moves against it
    size: tuple[int, int]


def forward_segments(steps: Sequence[GeometricStep], sample: int) -> list[Segment]:
    """Return a sample's path from the source to the output."""
    return [
        Segment(
            None if s.matrix is None else matrices.array(s.matrix), s.displacement, True, s.out_size
        )
        for s in moving_steps(steps, sample)
    ]


def inverse_segments(segments: Sequence[Segment], start: tuple[int, int]) -> list[Segment]:
    """Return the path back to the canvas of size `start` where the segments begin."""
    canvases = [start, *(segment.size for segment in segments[:-1])]
    back = []
    for segment, size in zip(segments, canvases, strict=False):
        inverse = None if segment.matrix is None else np.linalg.inv(segment.matrix)
        back.append(Segment(inverse, segment.field, not segment.against, size))
    return back[::-1]


def follow_segment(segment: Segment, at: Array) -> Array:
    """Move (x, y) pixel centers (P, 2) along one segment; NaN beyond a perspective's horizon."""
    if segment.field is not None:
        if segment.against:
            return invert_field(segment.field, at)
        return at + sample_field(segment.field, at)
    matrix = segment.matrix
    assert matrix is not None
    moved = at @ matrix[:2, :2].T + matrix[:2, 2]
    if matrix[2, 0] or matrix[2, 1] or matrix[2, 2] != 1:
        weight = at @ matrix[2, :2] + matrix[2, 2]
        moved /= np.where(weight > 0, weight, np.nan)[:, None]
    return np.asarray(moved)


def transform_points(
    segments: Sequence[Segment], size: tuple[int, int], points: Array
) -> tuple[Array, Array]:
    """Move positions (P, 2) along all segments from a canvas of `size`.

    Returns:
        Positions (P, 2) float64, and whether each lay on every canvas (its outer half pixels
        included).
    """
    at = np.asarray(points, np.float64).reshape(-1, 2)
    inside = within(at, size)
    for segment in segments:
        at = follow_segment(segment, at)
        inside &= within(at, segment.size)
    return at, inside


def forward(steps: Sequence[GeometricStep], sample: int, points: Array) -> tuple[Array, Array]:
    """Map positions (P, 2) from the source to the output; see `transform_points`."""
    return transform_points(
        forward_segments(steps, sample), size_of(steps[0].in_size, sample), points
    )


def backward(steps: Sequence[GeometricStep], sample: int, points: Array) -> tuple[Array, Array]:
    """Map positions (P, 2) from the output back to the source; see `transform_points`."""
    start, end = size_of(steps[0].in_size, sample), size_of(steps[-1].out_size, sample)
    return transform_points(inverse_segments(forward_segments(steps, sample), start), end, points)


def within(at: Array, size: tuple[int, int], slack: float = EXACT) -> Array:
    """Return which positions (P, 2) lie on a canvas, to the outer edges of its pixels."""
    low, high = -0.5 - slack, np.array([size[1] - 0.5 + slack, size[0] - 0.5 + slack])
    return np.asarray(((at >= low) & (at <= high)).all(axis=1))


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
