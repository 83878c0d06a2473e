"""The objects of one image of a batch that is mixed: rows that are cut, placed and joined together.

Boxes and polygons are in pixel edges, keypoints in pixel centers. A frame, hole, tile or window is
``left, top, right, bottom`` in pixel edges.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imgkit.augment.targets import polygons as shapes
from imgkit.image import Array

Frame = Sequence[float]
HALF = 0.5  # from a pixel's center to its edge
NOTHING = 1e-12  # an area below it is none
ROUNDING = 1e-9


@dataclass(frozen=True)
class Objects:
    """Boxes, labels, polygons and keypoints with one row an object; what was not given is None.

    `points` are keypoints that belong to no object: none of them is dropped.
    """

    boxes: Array | None = None  # (M, 4) left, top, right, bottom
    labels: Array | None = None
    polygons: list[Array] | None = None
    keypoints: list[Array] | None = None  # (P, 2), or (P, 3) with visibility
    points: Array | None = None

    def __len__(self) -> int:
        rows = (self.boxes, self.polygons, self.keypoints)
        return next((len(row) for row in rows if row is not None), 0)

    def take(self, keep: Array) -> Objects:
        """Return the objects that `keep` marks."""

        def picked(values: list[Array] | None) -> list[Array] | None:
            if values is None:
                return None
            return [value for value, stays in zip(values, keep, strict=True) if stays]

        return dataclasses.replace(
            self,
            boxes=None if self.boxes is None else self.boxes[keep],
            labels=None if self.labels is None else self.labels[keep],
            polygons=picked(self.polygons),
            keypoints=picked(self.keypoints),
        )

    def cut(self, frame: Frame, least: float) -> Objects:
        """Return what lies in a frame, without objects of which less than `least` is visible."""
        boxes = None if self.boxes is None else clip_boxes(self.boxes, frame)
        polygons = None if self.polygons is None else [_clip(p, frame) for p in self.polygons]
        found = self._seen(boxes, polygons)
        if self.boxes is not None and boxes is not None:
            found = np.minimum(found, areas(boxes) / np.maximum(areas(self.boxes), NOTHING))
        within = lambda points: _inside(points, frame)  # noqa: E731
        return self._with(boxes, polygons, within).take(visible(found, least))

    def behind(self, hole: Frame, least: float) -> Objects:
        """Return what a hole leaves, without objects of which less than `least` is visible."""
        boxes, share = (None, None) if self.boxes is None else uncover(self.boxes, hole)
        polygons = None if self.polygons is None else [_around(p, hole) for p in self.polygons]
        found = self._seen(boxes, polygons)
        if share is not None:
            found = np.minimum(found, share)
        within = lambda points: ~_inside(points, hole)  # noqa: E731
        return self._with(boxes, polygons, within).take(visible(found, least))

    def placed(self, window: Frame, tile: Frame) -> Objects:
        """Return the objects mapped from a window of an image to a tile."""
        start, to = np.array(window[:2], np.float64), np.array(tile[:2], np.float64)
        scale = (np.array(tile[2:]) - to) / (np.array(window[2:]) - start)

        def points(values: Array) -> Array:
            moved = values.copy()
            moved[:, :2] = (values[:, :2] + HALF - start) * scale + to - HALF
            return moved

        return dataclasses.replace(
            self,
            boxes=None
            if self.boxes is None
            else (self.boxes - np.tile(start, 2)) * np.tile(scale, 2) + np.tile(to, 2),
            polygons=None
            if self.polygons is None
            else [(polygon - start) * scale + to for polygon in self.polygons],
            keypoints=None if self.keypoints is None else [points(k) for k in self.keypoints],
            points=None if self.points is None else points(self.points),
        )

    def _seen(self, boxes: Array | None, polygons: list[Array] | None) -> Array:
        """Return the share of each polygon that is left; 1 without polygons."""
        if self.polygons is None or polygons is None:
            return np.ones(len(self))
        whole = np.array([_area(polygon) for polygon in self.polygons])
        return np.array([_area(polygon) for polygon in polygons]) / np.maximum(whole, NOTHING)

    def _with(self, boxes: Array | None, polygons: list[Array] | None, within: Any) -> Objects:
        """Return the objects with other shapes, and with the points that are not visible marked."""
        keypoints, points = self.keypoints, self.points
        return dataclasses.replace(
            self,
            boxes=boxes,
            polygons=polygons,
            keypoints=None if keypoints is None else [_hide(k, within(k)) for k in keypoints],
            points=None if points is None else _hide(points, within(points)),
        )


def join(parts: Sequence[Objects]) -> Objects:
    """Put the objects of several images behind one another."""

    def rows(name: str) -> list[Any] | None:
        values = [getattr(part, name) for part in parts]
        given = [value for value in values if value is not None]
        if given and len(given) < len(values):
            raise ValueError(f"{name} came with {len(given)} of {len(values)} images: join takes "
                             "them from all or none")  # fmt: skip
        return given or None

    boxes, labels, points = rows("boxes"), rows("labels"), rows("points")
    polygons, keypoints = rows("polygons"), rows("keypoints")
    return Objects(
        None if boxes is None else np.concatenate(boxes),
        None if labels is None else np.concatenate(labels),
        None if polygons is None else [polygon for each in polygons for polygon in each],
        None if keypoints is None else [points for each in keypoints for points in each],
        None if points is None else _stack_points(points),
    )


def _stack_points(tables: list[Array]) -> Array:
    """Put tables of points behind one another; empty ones have any number of columns."""
    filled = [table for table in tables if len(table)]
    return np.concatenate(filled) if filled else tables[0]


def visible(share: Array, least: float) -> Array:
    """Return which objects stay, from the share of their area that is visible."""
    return np.asarray((share > ROUNDING) & (share >= least - ROUNDING))


# --- boxes ----------------------------------------------------------------------------------------


def areas(boxes: Array) -> Array:
    """Return the areas (M,) of boxes (M, 4)."""
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))


def clip_boxes(boxes: Array, frame: Frame) -> Array:
    """Return boxes cut to a frame (left, top, right, bottom)."""
    left, top, right, bottom = frame
    return np.clip(boxes, [left, top, left, top], [right, bottom, right, bottom])


def uncover(boxes: Array, hole: Frame) -> tuple[Array, Array]:
    """Return what is left of boxes behind a hole: their bounds, and the share of their area."""
    left, top, right, bottom = hole
    hidden = areas(clip_boxes(boxes, hole))
    whole = areas(boxes)
    bounds = boxes.copy()
    tall = (boxes[:, 1] >= top) & (boxes[:, 3] <= bottom) & (hidden > 0)
    wide = (boxes[:, 0] >= left) & (boxes[:, 2] <= right) & (hidden > 0)
    bounds[:, 0] = np.where(
        tall & (boxes[:, 0] >= left), np.minimum(right, boxes[:, 2]), boxes[:, 0]
    )
    bounds[:, 2] = np.where(
        tall & (boxes[:, 2] <= right), np.maximum(left, bounds[:, 0]), boxes[:, 2]
    )
    bounds[:, 1] = np.where(
        wide & (boxes[:, 1] >= top), np.minimum(bottom, boxes[:, 3]), boxes[:, 1]
    )
    bounds[:, 3] = np.where(
        wide & (boxes[:, 3] <= bottom), np.maximum(top, bounds[:, 1]), boxes[:, 3]
    )
    return bounds, 1 - hidden / np.maximum(whole, NOTHING)


# --- polygons and points --------------------------------------------------------------------------


def _area(polygon: Array) -> float:
    return shapes.area(polygon) if len(polygon) else 0.0


def _clip(polygon: Array, frame: Frame) -> Array:
    """Return the part of a polygon in a frame."""
    return shapes.clip_to(polygon, frame[:2], frame[2:])


def _around(polygon: Array, hole: Frame) -> Array:
    """Return the part of a polygon outside a hole, joined by lines without area.

    The plane around the hole is four rectangles, to its left and right, above and below it.
    """
    left, top, right, bottom = hole
    if right <= left or bottom <= top:
        return polygon
    far = np.inf
    frames = (
        (-far, -far, left, far),
        (right, -far, far, far),
        (left, -far, right, top),
        (left, bottom, right, far),
    )
    pieces = [piece for frame in frames if _area(piece := _clip(polygon, frame)) > NOTHING]
    if len(pieces) < 2:
        return pieces[0] if pieces else polygon[:0]
    start = pieces[0][:1]
    loops = [np.concatenate([piece, piece[:1], start]) for piece in pieces]
    return np.concatenate(loops)


def _inside(points: Array, frame: Frame) -> Array:
    """Whether the pixels at points lie in a frame."""
    left, top, right, bottom = frame
    x, y = points[:, 0] + HALF, points[:, 1] + HALF
    return np.asarray((x >= left) & (x < right) & (y >= top) & (y < bottom))


def _hide(points: Array, is_visible: Array) -> Array:
    """Return points with visibility 0 where not visible; NaN where they have no visibility."""
    marked = points.copy()
    if points.shape[1] == 3:
        marked[~is_visible, 2] = 0
    else:
        marked[~is_visible] = np.nan
    return marked
