"""Boxes, oriented boxes, polygons and keypoints: their formats, and their way through a plan.

Boxes and polygons enclose pixels, so their coordinates are pixel edges: an image is 0 to W wide.
Keypoints are places, so theirs are pixel centers: the middle of the first pixel is (0, 0), that
of the last (W - 1, H - 1). An edge coordinate is a center coordinate plus 0.5; inside this
package all polygons are in center coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit import geometry
from imgkit.augment.targets import polygons
from imgkit.checks import printable

Array = npt.NDArray[Any]
Canvas = tuple[int, int]
FORMATS = ("xyxy", "xywh", "cxcywh")
NOTHING = np.zeros((0, 2))  # a polygon without vertices
HALF = 0.5  # from a pixel's center to its edge


class PointMap(NamedTuple):
    """From one canvas to another through all steps of a plan.

    `lenient` is for what a network predicted: it may lie off the canvas, and boxes may have no
    area.
    """

    segments: list[geometry.Segment]
    start: Canvas
    end: Canvas
    lenient: bool


class _Table:
    """Rows of numbers, and which of them are valid.

    A row that breaks a rule is an error under "error". Otherwise it is marked, and its share of
    area becomes 0, so that it is dropped with everything that belongs to it.
    """

    def __init__(self, values: Any, name: str, widths: tuple[int, ...], invalid: str) -> None:
        self.name, self.invalid = name, invalid
        self.rows = _as_rows(values, name, widths)
        self.valid = np.ones(len(self.rows), bool)
        finite = np.asarray(np.isfinite(self.rows).all(axis=1))
        self.refuse(~finite, "every coordinate must be finite; leave out rows that are missing")
        self.rows = np.where(finite[:, None], self.rows, 0.0)

    def refuse(self, wrong: Any, rule: str) -> None:
        """Raise with the first row that breaks a rule, or mark all of them."""
        wrong = wrong & self.valid
        if self.invalid != "error":
            self.valid &= ~wrong
        elif wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            hint = "" if self.name == "keypoints" else "; invalid_boxes='drop' drops such rows"
            raise ValueError(f"{self.name}[{row}] is {self.rows[row].tolist()}: {rule}{hint}")


def _as_rows(values: Any, name: str, widths: tuple[int, ...]) -> Array:
    """Return numbers (N, width) in float64, or raise; an empty list is no rows."""
    try:
        table = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {printable(values)}: it must hold rows of numbers") from None
    if table.size == 0 and table.ndim < 3:
        return np.zeros((0, table.shape[1] if table.ndim == 2 and table.shape[1] else widths[0]))
    if table.ndim != 2 or table.shape[1] not in widths:
        wanted = " or ".join(f"(N, {width})" for width in widths)
        more = table.ndim == 2 and table.shape[1] == 5 and name == "boxes"
        hint = "; pass a fifth column as labels=, boxes with an angle as oriented_boxes="
        raise ValueError(
            f"{name} has shape {table.shape}: it must be {wanted}{hint if more else ''}"
        )
    return table


def _result_dtype(values: Any) -> np.dtype[Any]:
    """Return float32 for float32 coordinates, float64 for all others."""
    return np.dtype(np.float32 if getattr(values, "dtype", None) == np.float32 else np.float64)


def _follow(shapes: list[Array], valid: Array, point_map: PointMap) -> polygons.Remains:
    """Return what is left of polygons at the end of the map: nothing of those not valid."""
    shapes = [shape if good else NOTHING for shape, good in zip(shapes, valid, strict=True)]
    left, share = polygons.follow(shapes, point_map.segments, point_map.start, point_map.lenient)
    return polygons.Remains(left, np.where(valid, share, 0.0))


# --- boxes --------------------------------------------------------------------------------------


def transform_boxes(
    values: Any, form: str, normalized: bool, point_map: PointMap, invalid: str = "error"
) -> tuple[Array, Array]:
    """Return boxes (N, 4) at the end of the map, NaN where nothing is left, and their shares."""
    boxes, valid = _read_boxes(values, form, normalized, point_map, invalid)
    shapes = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]  # corners, (N, 4, 2)
    left, share = _follow(list(shapes), valid, point_map)
    written = _write_boxes(polygons.bounds(left), form, normalized, point_map.end)
    return written.astype(_result_dtype(values)), share


def _read_boxes(
    values: Any, form: str, normalized: bool, point_map: PointMap, invalid: str
) -> tuple[Array, Array]:
    """Return boxes as (N, 4) left, top, right, bottom in pixel centers, and which are valid."""
    table = _Table(values, "boxes", (4,), invalid)
    first, second = corners_of(table.rows, form)
    if normalized:
        extent = np.array([point_map.start[1], point_map.start[0]], np.float64)
        first, second = first * extent, second * extent
    wrong = (second < first) if point_map.lenient else (second <= first)
    table.refuse(wrong.any(axis=1), _order_rule(form))
    if not point_map.lenient:
        _refuse_outside(table, first, second, point_map.start, normalized)
    return np.concatenate([first, second], axis=1) - HALF, table.valid


def corners_of(boxes: Array, form: str) -> tuple[Array, Array]:
    """Return the upper left and lower right corners (N, 2) of boxes in a format."""
    first, second = boxes[:, :2], boxes[:, 2:]
    if form == "xywh":
        return first, first + second
    if form == "cxcywh":
        return first - second / 2, first + second / 2
    return first, second


def in_format(boxes: Array, form: str) -> Array:
    """Return boxes (N, 4) left, top, right, bottom in a format."""
    first, second = boxes[:, :2], boxes[:, 2:]
    if form == "xywh":
        second = second - first
    elif form == "cxcywh":
        first, second = (first + second) / 2, second - first
    return np.concatenate([first, second], axis=1)


def _order_rule(form: str) -> str:
    if form == "xyxy":
        return (
            "in box_format 'xyxy' the right must exceed the left, and the bottom the top; "
            "box_format='xywh' reads width and height"
        )
    return f"in box_format {form!r} width and height must be above 0"


def _refuse_outside(
    table: _Table, first: Array, second: Array, size: Canvas, normalized: bool
) -> None:
    """Refuse shapes that are off the image, or so far out that their units must be wrong.

    Under "clip" a shape that reaches far counts as the part of it on the image.
    """
    extent = np.array([size[1], size[0]], np.float64)
    off = ((first >= extent) | (second <= 0)).any(axis=1)
    far = ((first < -extent) | (second > 2 * extent)).any(axis=1)
    units = "fractions of it" if normalized else "pixels"
    cure = (
        "box_normalized=False reads pixels" if normalized else "box_normalized=True reads fractions"
    )
    hint = f"; {cure}" if table.name == "boxes" else ""
    table.refuse(off, f"it lies off the image of {size[0]} x {size[1]}, in {units}{hint}")
    if table.invalid != "clip":
        table.refuse(
            far,
            f"it reaches further than the image of {size[0]} x {size[1]} is large, in {units}"
            f"{hint}",
        )


def _write_boxes(boxes: Array, form: str, normalized: bool, size: Canvas) -> Array:
    """Return (N, 4) left, top, right, bottom in pixel centers in the caller's format."""
    boxes = boxes + HALF
    if normalized:
        boxes = boxes / np.array([size[1], size[0]] * 2, np.float64)
    return in_format(boxes, form)


# --- oriented boxes -----------------------------------------------------------------------------


def transform_oriented(
    values: Any, point_map: PointMap, invalid: str = "error"
) -> tuple[Array, Array]:
    """Return oriented boxes (N, 5) around what is left of each, and their shares."""
    shapes, axes, valid = _read_oriented(values, point_map, invalid)
    left, share = _follow(list(shapes), valid, point_map)
    found = np.full((len(shapes), 5), np.nan)
    seen = [row for row, polygon in enumerate(left) if len(polygon)]
    if seen:
        middles = np.array([left[row].mean(axis=0) for row in seen])
        turned = np.linalg.pinv(
            _slopes(geometry.inverse_segments(point_map.segments, point_map.start), middles)
        ) @ axes[seen].swapaxes(1, 2)
        for row, sides in zip(seen, turned, strict=True):
            found[row] = polygons.rectangle(left[row], sides[:, 0], sides[:, 1])
    return _write_oriented(found).astype(_result_dtype(values)), share


def _slopes(segments: Sequence[geometry.Segment], at: Array) -> Array:
    """Return the derivatives (N, 2, 2) of a way at positions (N, 2)."""
    columns = []
    for half in (np.array([HALF, 0.0]), np.array([0.0, HALF])):
        ahead, behind = at + half, at - half
        for segment in segments:
            ahead, behind = (
                geometry.follow_segment(segment, ahead),
                geometry.follow_segment(segment, behind),
            )
        columns.append(np.nan_to_num(ahead - behind))
    return np.stack(columns, axis=-1)


def _read_oriented(values: Any, point_map: PointMap, invalid: str) -> tuple[Array, Array, Array]:
    """Return corners (N, 4, 2) in pixel centers, unit vectors (N, 2, 2) of w and h, the valid."""
    table = _Table(values, "oriented_boxes", (5,), invalid)
    low = -1e-12 if point_map.lenient else 0
    table.refuse((table.rows[:, 2:4] <= low).any(axis=1),
                 "a row is cx, cy, w, h, degrees, with w and h above 0")  # fmt: skip
    angle = np.deg2rad(table.rows[:, 4])
    cos, sin = np.cos(angle), np.sin(angle)
    axes = np.stack([np.stack([cos, -sin], 1), np.stack([sin, cos], 1)], axis=1)
    sides = axes * table.rows[:, 2:4, None] / 2  # half of w and of h
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float64)
    found = table.rows[:, None, :2] - HALF + np.einsum("ks,nsd->nkd", signs, sides)
    if not point_map.lenient:
        low_corner, high_corner = found.min(axis=1) + HALF, found.max(axis=1) + HALF
        _refuse_outside(table, low_corner, high_corner, point_map.start, False)
    return found, axes, table.valid


def _write_oriented(rectangles: Array) -> Array:
    """Return (cx, cy, w, h, radians) in pixel centers as cx, cy, w, h, degrees in edges."""
    return np.concatenate(
        [rectangles[:, :2] + HALF, rectangles[:, 2:4], np.rad2deg(rectangles[:, 4:])], axis=1
    )


# --- polygons -----------------------------------------------------------------------------------


def transform_polygons(
    values: Any, point_map: PointMap, invalid: str = "error"
) -> tuple[list[Array], Array]:
    """Return what is left of polygons, and their shares."""
    if not isinstance(values, (Sequence, np.ndarray)) or isinstance(values, str):
        raise TypeError(f"polygons is {printable(values)}: it must be a list of arrays (P, 2)")
    read = [_read_polygon(value, f"polygons[{i}]", point_map, invalid)
            for i, value in enumerate(values)]  # fmt: skip
    valid = np.array([len(polygon) > 0 for polygon in read], bool)
    left, share = _follow(read, valid, point_map)
    kinds = [_result_dtype(value) for value in values]
    return [(p + HALF).astype(k) for p, k in zip(left, kinds, strict=True)], share


def _read_polygon(value: Any, name: str, point_map: PointMap, invalid: str) -> Array:
    """Return vertices (P, 2) in pixel centers; none if the polygon is invalid and not an error."""
    table = _Table(value, name, (2,), invalid)
    polygon = table.rows
    rule = ""
    if len(polygon) < 3:
        rule = f"has {len(polygon)} points: a polygon takes at least 3"
    elif not point_map.lenient:
        (height, width), low, high = point_map.start, polygon.min(axis=0), polygon.max(axis=0)
        if (low >= (width, height)).any() or (high <= 0).any():
            rule = (
                f"spans {low.tolist()} to {high.tolist()}: it lies off the image of {height} x "
                f"{width}"
            )
    if rule and invalid == "error":
        raise ValueError(f"{name} {rule}")
    return polygon - HALF if not rule and table.valid.all() else NOTHING


# --- keypoints ----------------------------------------------------------------------------------


def is_by_object(values: Any) -> bool:
    """Whether keypoints have one set an object: (N, K, 2 or 3), or a list of (K, 2 or 3).

    An empty entry of a list is an object without keypoints: a point has two numbers or three.
    """
    if hasattr(values, "ndim"):
        return bool(values.ndim == 3)
    shapes = (_shape(value) for value in values)
    filled = next((shape for shape in shapes if shape != (0,)), None)
    return len(values) > 0 and (filled is None or len(filled) == 2)


def _shape(value: Any) -> tuple[int, ...]:
    """Return the shape of a list's entry; rows of unequal length are a table, refused later."""
    try:
        return np.shape(value)
    except ValueError:
        return len(value), 0


def transform_keypoints(values: Any, point_map: PointMap) -> tuple[Any, Any]:
    """Return keypoints where they went, and whether they were on every canvas."""
    if is_by_object(values):
        return _transform_by_object(values, point_map)
    return _transform_points(values, point_map)


def _transform_points(values: Any, point_map: PointMap) -> tuple[Array, Array]:
    """Return a table of keypoints where they went, and whether they were on every canvas."""
    table = _Table(values, "keypoints", (2, 3), "error").rows.copy()
    table[:, :2], inside = geometry.transform_points(
        point_map.segments, point_map.start, table[:, :2]
    )
    if table.shape[1] == 3 and not point_map.lenient:
        table[~inside, 2] = 0
    return table.astype(_result_dtype(values)), inside


def _transform_by_object(values: Any, point_map: PointMap) -> tuple[Any, Any]:
    """Return the keypoints of each object where they went: an array, or a list as they came."""
    if isinstance(values, np.ndarray):
        found, inside = _transform_points(values.reshape(-1, values.shape[-1]), point_map)
        return found.reshape(values.shape), inside.reshape(values.shape[:-1])
    pairs = [_transform_points(each, point_map) for each in values]
    return [found for found, _ in pairs], [inside for _, inside in pairs]
