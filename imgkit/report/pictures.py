"""Pictures of an image and of its variants: pixels, labels and the drawn numbers.

`draw_variant` makes the `Picture` of a variant from a pipeline and a key; `contact_sheet` arranges
pictures on a sheet or a page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from imgkit.augment.pipeline import Pipeline
from imgkit.augment.transforms.custom import Call
from imgkit.checks import suggest

Array = npt.NDArray[Any]
Numbers = tuple[tuple[str, str], ...]  # what an op drew: names and values as text
LABELS = ("boxes", "labels", "keypoints")


@dataclass(frozen=True)
class Picture:
    """One picture: uint8 pixels, labels in its own pixels, a title and a note.

    `ops` lists each op with the numbers it drew; None: the op did not happen.
    """

    image: Array  # (H, W) or (H, W, 3)
    title: str
    note: str = ""
    labels: Mapping[str, Any] = field(default_factory=dict)
    ops: tuple[tuple[str, Numbers | None], ...] = ()


@dataclass(frozen=True)
class Row:
    """An original and its variants."""

    original: Picture
    variants: tuple[Picture, ...]


# --- labels -----------------------------------------------------------------------------


def read_labels(content: Any) -> dict[str, dict[str, Any]]:
    """Check the labels of a file of labels, by relative path.

    ``{"a/b.jpg": {"boxes": [[x0, y0, x1, y1]], "labels": ["cat"], "keypoints": [[x, y]]}}``

    Raises:
        ValueError: naming the path and what is wrong with it.
    """
    if not isinstance(content, dict):
        raise ValueError('labels are a mapping: {"path.jpg": {"boxes": [[x0, y0, x1, y1]]}}')
    return {path: _read_entry(path, entry) for path, entry in content.items()}


def _read_entry(path: str, entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise ValueError(f"{path} is {entry!r}: write a mapping of {', '.join(LABELS)}")
    for key in entry:
        if key not in LABELS:
            raise ValueError(f"{path}: key {key!r} is unknown: {suggest(key, LABELS)}")
    boxes = _numbers(path, "boxes", entry.get("boxes", []), (4,))
    points = _numbers(path, "keypoints", entry.get("keypoints", []), (2, 3))
    names = entry.get("labels", [""] * len(boxes))
    if not isinstance(names, list) or len(names) != len(boxes):
        raise ValueError(
            f"{path}: labels is {names!r}: it needs one for each of {len(boxes)} boxes"
        )
    return {"boxes": boxes, "labels": [str(name) for name in names], "keypoints": points}


def _numbers(path: str, key: str, value: Any, widths: tuple[int, ...]) -> Array:
    try:
        rows = np.array(value, np.float64).reshape(len(value), -1) if value else np.empty((0, 4))
        if rows.size and rows.shape[1] not in widths:
            raise ValueError
    except (ValueError, TypeError):
        wanted = " or ".join(str(width) for width in widths)
        raise ValueError(f"{path}: {key} is {value!r}: write rows of {wanted} numbers") from None
    return rows if rows.size else np.empty((0, widths[0]))


def check_labels_follow(pipeline: Pipeline) -> None:
    """Raise if a function of a pipeline would move pixels away from their labels."""
    for op in pipeline:
        if isinstance(op, Call) and op.moves_pixels:
            raise ValueError(f"{op.name} is a function and leaves labels behind: use a transform")


# --- pictures ---------------------------------------------------------------------------


def draw_original(image: Array, path: str, labels: Mapping[str, Any]) -> Picture:
    """Return the picture of an image as it is."""
    return Picture(visible(image)[0], path, _size(image), labels)


def draw_variant(
    pipeline: Pipeline, image: Array, key: tuple[int, int], title: str, labels: Mapping[str, Any]
) -> Picture:
    """Run a pipeline for a key, and show the result, its labels and the numbers drawn."""
    options = iter([op.options for op in pipeline if isinstance(op, Call)])
    calls = {op.name for op in pipeline if isinstance(op, Call)}
    ops: list[tuple[str, Numbers | None]] = []
    for name, numbers in drawn(pipeline.plan(image.shape[:2], key).ops):
        if name in calls and numbers is not None:
            numbers = tuple((k, str(v)) for k, v in next(options).items())
        ops.append((name, numbers))
    if labels:
        result = pipeline(image=image, key=key, **labels)
        image, labels = result["image"], {name: result[name] for name in labels}
    else:
        image = pipeline(image, key=key)
    if pipeline.channels_first:
        image = np.moveaxis(image, 0, -1)
    view, note = visible(image)
    return Picture(view, title, f"{_size(image)}{note}", labels, tuple(ops))


def _size(image: Array) -> str:
    return f"{image.shape[1]} × {image.shape[0]}"


def visible(image: Array) -> tuple[Array, str]:
    """Return an image as uint8 gray or RGB, and a note if its values were mapped."""
    if image.ndim == 3 and image.shape[2] not in (1, 3):
        image = image[..., :3] if image.shape[2] > 3 else image[..., :1]
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.dtype == np.uint8:
        return image, ""
    if image.dtype == np.bool_:
        return image.astype(np.uint8) * np.uint8(255), ""
    if image.dtype == np.uint16:
        return np.rint(image / 257).astype(np.uint8), ""
    low, high = float(np.nanmin(image)), float(np.nanmax(image))
    note = f", {low:.3g} to {high:.3g}"
    if low >= 0 and high <= 1:
        low, high, note = 0.0, 1.0, ""
    levels = (np.nan_to_num(image, nan=low) - low) / ((high - low) or 1.0)
    return np.rint(np.clip(levels, 0, 1) * 255).astype(np.uint8), note


# --- numbers ----------------------------------------------------------------------------


def drawn(records: Iterable[Mapping[str, Any]]) -> list[tuple[str, Numbers | None]]:
    """Return each op of a plan of one sample and its numbers as text; None: it did not happen."""
    listed: list[tuple[str, Numbers | None]] = []
    for record in records:
        happens = bool(np.asarray(record["active"])[0])
        numbers = tuple(
            (name.replace("_", " "), _number(value))
            for name, value in record.items()
            if name not in ("op", "occurrence", "active", "key")  # of a noise field
        )
        listed.append((str(record["op"]), numbers if happens else None))
    return listed


def _number(value: Any) -> str:
    """Write one sample's number, or the shape of a field of them."""
    values = np.asarray(value)[0]
    if values.size > 8:
        return " × ".join(str(n) for n in values.shape) + " numbers"
    return " ".join(_short(v) for v in np.ravel(values))


def _short(value: Any) -> str:
    text = str(int(value)) if np.asarray(value).dtype.kind in "iub" else f"{float(value):.3g}"
    return text.replace("-", "\u2212")
