"""Points mapped through a run of geometric ops, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from imgkit.geometry import matrix as matrices
from imgkit.geometry.fields import invert_field, sample_field
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
