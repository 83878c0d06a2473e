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

Array = npt.NDArray[Any]
Canvas = tuple[int, int]
FORMATS = ("xyxy", "xywh", "cxcywh")
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


def _as_table(values: Any, name: str, widths: tuple[int, ...]) -> Array:
    """Return finite numbers (N, width) in float64, or raise; an empty list is no rows."""
    try:
        table = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is {values!r}: it must hold rows of numbers") from None
    if table.size == 0 and table.ndim < 3:
        return np.zeros((0, table.shape[1] if table.ndim == 2 and table.shape[1] else widths[0]))
    if table.ndim != 2 or table.shape[1] not in widths:
        wanted = " or ".join(f"(N, {width})" for width in widths)
        raise ValueError(f"{name} has shape {table.shape}: it must be {wanted}")
    bad = np.flatnonzero(~np.isfinite(table).all(axis=1))
    if bad.size:
        raise ValueError(
            f"{name}[{bad[0]}] is {table[bad[0]].tolist()}: every coordinate must be finite; "
            "leave out rows that are missing"
        )
    return table


def _result_dtype(values: Any) -> np.dtype[Any]:
    """Return float32 for float32 coordinates, float64 for all others."""
    return np.dtype(np.float32 if getattr(values, "dtype", None) == np.float32 else np.float64)


def _follow(shapes: list[Array], point_map: PointMap) -> polygons.Remains:
    """Return what is left of polygons at the end of the map."""
    return polygons.follow(shapes, point_map.segments, point_map.start, point_map.lenient)


# --- boxes --------------------------------------------------------------------------------------


def transform_boxes(
    values: Any, form: str, normalized: bool, point_map: PointMap
) -> tuple[Array, Array]:
    """Return boxes (N, 4) at the end of the map, NaN where nothing is left, and their shares."""
    boxes = _read_boxes(values, form, normalized, point_map.start, point_map.lenient)
    shapes = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]  # corners, (N, 4, 2)
    left, share = polygons.follow(
        list(shapes), point_map.segments, point_map.start, point_map.lenient
    )
    written = _write_boxes(polygons.bounds(left), form, normalized, point_map.end)
    return written.astype(_result_dtype(values)), share


def _read_boxes(values: Any, form: str, normalized: bool, size: Canvas, lenient: bool) -> Array:
    """Return boxes as (N, 4) left, top, right, bottom in pixel centers."""
    table = _as_table(values, "boxes", (4,))
    first, second = table[:, :2], table[:, 2:]
    if form == "xywh":
        second = first + second
    elif form == "cxcywh":
        first, second = first - second / 2, first + second / 2
    extent = np.array([size[1], size[0]], np.float64)
    if normalized:
        first, second = first * extent, second * extent
    wrong = (second < first) if lenient else (second <= first)
    _refuse(table, wrong.any(axis=1), "boxes", _order_rule(form))
    boxes = np.concatenate([first, second], axis=1)
    if not lenient:
        _refuse_outside(table, first, second, "boxes", size, normalized)
    return boxes - HALF


def _order_rule(form: str) -> str:
    if form == "xyxy":
        return (
            "in box_format 'xyxy' the right must exceed the left, and the bottom the top; "
            "box_format='xywh' reads width and height"
        )
    return f"in box_format {form!r} width and height must be above 0"


def _refuse(table: Array, wrong: Any, name: str, rule: str) -> None:
    """Raise with the first row that breaks a rule."""
    rows = np.flatnonzero(wrong)
    if rows.size:
        raise ValueError(f"{name}[{rows[0]}] is {table[rows[0]].tolist()}: {rule}")


def _refuse_outside(
    table: Array, first: Array, second: Array, name: str, size: Canvas, normalized: bool
) -> None:
    """Raise if a shape is off the image, or so far out that its units must be wrong."""
    extent = np.array([size[1], size[0]], np.float64)
    off = ((first >= extent) | (second <= 0)).any(axis=1)
    far = ((first < -extent) | (second > 2 * extent)).any(axis=1)
    units = "fractions of it" if normalized else "pixels"
    cure = (
        "box_normalized=False reads pixels" if normalized else "box_normalized=True reads fractions"
    )
    hint = f"; {cure}" if name == "boxes" else ""
    _refuse(table, off, name, f"it lies off the image of {size[0]} x {size[1]}, in {units}{hint}")
    _refuse(
        table, far, name,
        f"it reaches further than the image of {size[0]} x {size[1]} is large, in {units}{hint}",
    )  # fmt: skip


def _write_boxes(boxes: Array, form: str, normalized: bool, size: Canvas) -> Array:
    """Return (N, 4) left, top, right, bottom in pixel centers in the caller's format."""
    boxes = boxes + HALF
    if normalized:
        boxes = boxes / np.array([size[1], size[0]] * 2, np.float64)
    first, second = boxes[:, :2], boxes[:, 2:]
    if form == "xywh":
        second = second - first
    elif form == "cxcywh":
        first, second = (first + second) / 2, second - first
    return np.concatenate([first, second], axis=1)


# --- oriented boxes -----------------------------------------------------------------------------


def transform_oriented(values: Any, point_map: PointMap) -> tuple[Array, Array]:
    """Return oriented boxes (N, 5) around what is left of each, and their shares."""
    shapes, axes = _read_oriented(values, point_map.start, point_map.lenient)
    left, share = polygons.follow(
        list(shapes), point_map.segments, point_map.start, point_map.lenient
    )
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


def _read_oriented(values: Any, size: Canvas, lenient: bool) -> tuple[Array, Array]:
    """Return corners (N, 4, 2) in pixel centers, and the unit vectors (N, 2, 2) of w and h."""
    table = _as_table(values, "oriented_boxes", (5,))
    low = -1e-12 if lenient else 0
    _refuse(table, (table[:, 2:4] <= low).any(axis=1), "oriented_boxes",
            "a row is cx, cy, w, h, degrees, with w and h above 0")  # fmt: skip
    angle = np.deg2rad(table[:, 4])
    cos, sin = np.cos(angle), np.sin(angle)
    axes = np.stack([np.stack([cos, -sin], 1), np.stack([sin, cos], 1)], axis=1)
    sides = axes * table[:, 2:4, None] / 2  # half of w and of h
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float64)
    found = table[:, None, :2] - HALF + np.einsum("ks,nsd->nkd", signs, sides)
    if not lenient:
        _refuse_outside(table, found.min(axis=1) + HALF, found.max(axis=1) + HALF,
                        "oriented_boxes", size, False)  # fmt: skip
    return found, axes


def _write_oriented(rectangles: Array) -> Array:
    """Return (cx, cy, w, h, radians) in pixel centers as cx, cy, w, h, degrees in edges."""
    return np.concatenate(
        [rectangles[:, :2] + HALF, rectangles[:, 2:4], np.rad2deg(rectangles[:, 4:])], axis=1
    )


# --- polygons -----------------------------------------------------------------------------------


def transform_polygons(values: Any, point_map: PointMap) -> tuple[list[Array], Array]:
    """Return what is left of polygons, and their shares."""
    left, share = polygons.follow(
        _read_polygons(values, point_map.start, point_map.lenient),
        point_map.segments,
        point_map.start,
        point_map.lenient,
    )
    kinds = [_result_dtype(value) for value in values]
    return [(p + HALF).astype(k) for p, k in zip(left, kinds, strict=True)], share


def _read_polygons(values: Any, size: Canvas, lenient: bool) -> list[Array]:
    """Return a list of (P, 2) vertices in pixel centers."""
    if not isinstance(values, (Sequence, np.ndarray)) or isinstance(values, str):
        raise TypeError(f"polygons is {values!r}: it must be a list of arrays (P, 2)")
    found = []
    for row, value in enumerate(values):
        name = f"polygons[{row}]"
        polygon = _as_table(value, name, (2,))
        if len(polygon) < 3:
            raise ValueError(f"{name} has {len(polygon)} points: a polygon takes at least 3")
        if not lenient:
            low, high = polygon.min(axis=0), polygon.max(axis=0)
            if (low >= (size[1], size[0])).any() or (high <= 0).any():
                raise ValueError(
                    f"{name} spans {low.tolist()} to {high.tolist()}: it lies off the image of "
                    f"{size[0]} x {size[1]}"
                )
        found.append(polygon - HALF)
    return found


# --- keypoints ----------------------------------------------------------------------------------


def transform_keypoints(values: Any, point_map: PointMap) -> tuple[Array, Array]:
    """Return keypoints where they went, and whether they were on every canvas."""
    table = _as_table(values, "keypoints", (2, 3)).copy()
    table[:, :2], inside = geometry.transform_points(
        point_map.segments, point_map.start, table[:, :2]
    )
    if table.shape[1] == 3 and not point_map.lenient:
        table[~inside, 2] = 0
    return table.astype(_result_dtype(values)), inside
