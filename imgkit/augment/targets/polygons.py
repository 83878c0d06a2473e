"""Polygons on their way through a pipeline: each canvas cuts them, as it cuts pixels.

Coordinates here are pixel centers, so that a canvas reaches from -0.5 to its size less 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit import geometry

Array = npt.NDArray[Any]
SPACING = 2.0  # pixels between the points of an edge that a field will bend
MOST = 256  # points an edge
NOTHING = 1e-9  # square pixels: less is no area


class Remains(NamedTuple):
    """What is left of polygons: vertices (P, 2) each, perhaps none, and the share of the area."""

    polygons: list[Array]
    share: Array  # (N,)


def follow(
    shapes: Sequence[Array],
    segments: Sequence[geometry.Segment],
    size: tuple[int, int],
    lenient: bool,
) -> Remains:
    """Carry polygons along, from a canvas of `size`; what any canvas cuts off stays away.

    The share is the product, over all canvases, of the area each left: under affine maps the
    share of the whole area. What sticks out of the first canvas counts only if `lenient`.
    """
    left = list(shapes)
    share = _trim(left, size)
    if not lenient:
        share = np.ceil(share)
    for segment in segments:
        if segment.field is not None:
            left = [densify(polygon) for polygon in left]
        left = _advance(segment, left)
        share *= _trim(left, segment.size)
    return Remains(left, share)


def _advance(segment: geometry.Segment, polygons: list[Array]) -> list[Array]:
    """Move all vertices at once."""
    if not polygons:
        return []
    ends = np.cumsum([len(polygon) for polygon in polygons])
    return np.split(geometry.follow_segment(segment, np.concatenate(polygons)), ends[:-1])


def _trim(polygons: list[Array], size: tuple[int, int]) -> Array:
    """Cut the polygons of a list that stick out of a canvas; return the share left of each."""
    share = np.ones(len(polygons))
    if not polygons:
        return share
    outside = ~geometry.within(np.concatenate(polygons), size, 0.0)
    owner = np.repeat(np.arange(len(polygons)), [len(polygon) for polygon in polygons])
    for row in np.unique(owner[outside]):
        whole = polygons[row]
        polygons[row] = clip(whole, size)
        share[row] = _kept(whole, polygons[row])
    return share


def _kept(before: Array, after: Array) -> float:
    """Return the share of the area that is left; a line counts while some of it is seen."""
    if not len(after):
        return 0.0
    whole = area(before)
    return area(after) / whole if whole > NOTHING else 1.0


def area(polygon: Array) -> float:
    """Return the area inside."""
    x, y = polygon[:, 0], polygon[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def clip(polygon: Array, size: tuple[int, int]) -> Array:
    """Cut off what lies beyond a canvas (Sutherland and Hodgman, 1974)."""
    return clip_to(polygon, (-0.5, -0.5), (size[1] - 0.5, size[0] - 0.5))


def clip_to(polygon: Array, low: Sequence[float], high: Sequence[float]) -> Array:
    """Cut off what lies beyond a rectangle, given by its lowest and highest (x, y)."""
    for axis in (0, 1):
        for bound, sign in ((low[axis], 1.0), (high[axis], -1.0)):
            depth = (polygon[:, axis] - bound) * sign
            if depth.min(initial=0) < 0:
                polygon = _cut(polygon, depth, axis, bound)
    return polygon


def _cut(polygon: Array, depth: Array, axis: int, bound: float) -> Array:
    """Keep the vertices with a positive depth, and add those where edges cross the bound."""
    inside = depth >= 0
    ahead = np.roll(depth, -1)
    crossing = inside != (ahead >= 0)
    span = np.where(crossing, depth - ahead, 1.0)
    crossed = polygon + (depth / span)[:, None] * (np.roll(polygon, -1, axis=0) - polygon)
    crossed[:, axis] = bound
    candidates = np.stack([polygon, crossed], axis=1)  # (P, 2, 2): each vertex, then its edge
    return np.asarray(candidates[np.stack([inside, crossing], axis=1)])


def densify(polygon: Array) -> Array:
    """Add points along the edges, so that a field can bend them."""
    if not len(polygon):
        return polygon
    edge = np.roll(polygon, -1, axis=0) - polygon
    parts = np.clip(np.ceil(np.hypot(edge[:, 0], edge[:, 1]) / SPACING), 1, MOST).astype(np.int64)
    start = np.repeat(np.cumsum(parts) - parts, parts)
    along = (np.arange(parts.sum()) - start) / np.repeat(parts, parts)
    return np.repeat(polygon, parts, axis=0) + along[:, None] * np.repeat(edge, parts, axis=0)


# --- rectangles around them ---------------------------------------------------------------------


def bounds(polygons: Sequence[Array]) -> Array:
    """Return left, top, right, bottom of each polygon, (N, 4); NaN where there is none."""
    found = np.full((len(polygons), 4), np.nan)
    seen = [row for row, polygon in enumerate(polygons) if len(polygon)]
    if seen:
        starts = np.cumsum([0, *(len(polygons[row]) for row in seen[:-1])])
        packed = np.concatenate([polygons[row] for row in seen])
        found[seen, :2] = np.minimum.reduceat(packed, starts)
        found[seen, 2:] = np.maximum.reduceat(packed, starts)
    return found


def rectangle(polygon: Array, along: Array, across: Array) -> Array:
    """Return the rectangle around a polygon as (cx, cy, w, h, radians counter-clockwise).

    `along` and `across` (2,) say where the map took the sides w and h. Where they are square to
    each other the rectangle keeps them; else it is the one of least area, with w on the side
    nearest to `along`.
    """
    lengths = float(np.hypot(*along) * np.hypot(*across))
    if abs(float(along @ across)) <= 1e-6 * lengths:
        return _around(polygon, along)
    hull = convex_hull(polygon)
    edges = np.roll(hull, -1, axis=0) - hull
    edges = edges[np.hypot(edges[:, 0], edges[:, 1]) > 0]
    if not len(edges):
        return _around(polygon, along)
    found = [_around(hull, edge) for edge in edges]
    side = edges[int(np.argmin([w * h for _, _, w, h, _ in found]))]
    normal = np.array([-side[1], side[0]])
    axis = max((side, normal), key=lambda v: abs(float(v @ along)))
    return _around(polygon, axis * (np.sign(axis @ along) or 1.0))


def _around(polygon: Array, axis: Array) -> Array:
    """Return the rectangle around a polygon whose side w runs along an axis."""
    x, y = axis / np.hypot(*axis)
    turn = np.array([[x, y], [-y, x]])
    placed = polygon @ turn.T
    low, high = placed.min(axis=0), placed.max(axis=0)
    center = (low + high) / 2 @ turn
    return np.array([*center, *(high - low), np.arctan2(-y, x)])


def convex_hull(points: Array) -> Array:
    """Return the corners of the convex hull, in order (Andrew's monotone chain)."""
    ordered = np.unique(points, axis=0).tolist()
    if len(ordered) < 3:
        return np.array(ordered)
    lower, upper = _chain(ordered), _chain(ordered[::-1])
    return np.array(lower[:-1] + upper[:-1])


def _chain(points: list[list[float]]) -> list[list[float]]:
    """Return one side of the hull."""
    chain: list[list[float]] = []
    for x, y in points:
        while len(chain) > 1:
            (ax, ay), (bx, by) = chain[-2], chain[-1]
            if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                break
            chain.pop()
        chain.append([x, y])
    return chain
