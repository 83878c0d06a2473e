"""A batch to be mixed: its checked parts, labels as weights, and what is seen of boxes.

Boxes are ``left, top, right, bottom`` in pixels, with corners as edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imgkit.checks import check_real, printable
from imgkit.image import Array, check_image


@dataclass
class Batch:
    """What came in, checked: only `images` is never None."""

    images: Any
    labels: Array | None = None
    masks: Any = None
    boxes: list[Array] | None = None
    box_labels: list[Array] | None = None

    def __len__(self) -> int:
        return len(self.images)


def check_batch(
    images: Any, labels: Any, masks: Any, boxes: Any, box_labels: Any, classes: int | None,
    ragged: bool,
) -> Batch:  # fmt: skip
    """Return the parts of a batch if they fit each other; `ragged` images may be a list."""
    _check_images(images, ragged)
    number = len(images)
    if masks is not None:
        masks = _check_masks(masks, images)
    if boxes is not None:
        _check_length(boxes, "boxes", number)
        boxes = [_check_boxes(each, f"boxes[{i}]") for i, each in enumerate(boxes)]
    if box_labels is not None:
        box_labels = _check_box_labels(box_labels, boxes)
    soft = None if labels is None else _soft(labels, number, classes)
    return Batch(images, soft, masks, boxes, box_labels)


def _check_images(images: Any, ragged: bool) -> None:
    """Raise unless images are a batch, or a list of images where that is asked for."""
    if not (isinstance(images, (list, tuple)) and ragged):
        if check_image(images, "images").ndim != 4:
            raise ValueError(f"images has shape {images.shape}: a batch is (N, H, W, C)")
        return
    if not images:
        raise ValueError("images is an empty list: a batch without images is (0, H, W, C)")
    for i, image in enumerate(images):
        if check_image(image, f"images[{i}]").ndim != 3:
            raise ValueError(f"images[{i}] has shape {image.shape}: it must be (H, W, C)")
    if len({(image.shape[2], image.dtype) for image in images}) > 1:
        raise ValueError("images differ in channels or dtype: a mosaic needs them equal")


def _check_masks(masks: Any, images: Any) -> Any:
    """Return masks (N, H, W), or a list of them, of the sizes of their images."""
    _check_length(masks, "masks", len(images))
    listed = isinstance(images, (list, tuple))
    masks = [np.asarray(mask) for mask in masks] if listed else np.asarray(masks)
    for i, (image, mask) in enumerate(zip(images, masks, strict=True)):
        if mask.ndim != 2 or mask.shape != image.shape[:2]:
            raise ValueError(
                f"masks[{i}] has shape {mask.shape}: it must be {image.shape[:2]}, as its image"
            )
    return masks


def _check_box_labels(box_labels: Any, boxes: list[Array] | None) -> list[Array]:
    """Return box labels, one entry a box."""
    if boxes is None:
        raise ValueError("box_labels came without boxes")
    _check_length(box_labels, "box_labels", len(boxes))
    found = _same_kind([np.asarray(each) for each in box_labels])
    for i, (own, its) in enumerate(zip(found, boxes, strict=True)):
        if len(own) != len(its):
            raise ValueError(f"box_labels[{i}] has {len(own)} entries for {len(its)} boxes")
    return found


def _same_kind(arrays: list[Array]) -> list[Array]:
    """Give empty arrays, which NumPy takes for floats, the dtype of the others."""
    kinds = [each.dtype for each in arrays if each.size]
    kind = np.result_type(*kinds) if kinds else np.dtype(np.int64)
    return [each.astype(kind) for each in arrays]


def _check_length(values: Any, name: str, number: int) -> None:
    """Raise unless there is an entry for each image."""
    if not hasattr(values, "__len__") or isinstance(values, str):
        raise TypeError(f"{name} is {printable(values)}: it must be a list, with an entry an image")
    if len(values) != number:
        raise ValueError(f"{name} has {len(values)} entries for {number} images")


def _check_boxes(values: Any, name: str) -> Array:
    """Return boxes (M, 4) of one image."""
    boxes = check_real(values, name).astype(np.float64)
    if boxes.size == 0:
        boxes = boxes.reshape(-1, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"{name} has shape {boxes.shape}: boxes are (M, 4)")
    if (boxes[:, 2:] < boxes[:, :2]).any():
        raise ValueError(f"{name} holds a box that is not left <= right, top <= bottom")
    return boxes


def _soft(labels: Any, number: int, classes: int | None) -> Array:
    """Return labels as weights (N, C) float32."""
    labels = check_real(labels, "labels")
    if labels.ndim == 2 and labels.dtype.kind == "f":
        _check_length(labels, "labels", number)
        if classes is not None and labels.shape[1] != classes:
            raise ValueError(f"labels has {labels.shape[1]} columns: num_classes is {classes}")
        return np.asarray(labels, np.float32)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels has shape {labels.shape} and dtype {labels.dtype}: they are (N,) integers or "
            "(N, C) floats"
        )
    _check_length(labels, "labels", number)
    return one_hot(labels, "labels", classes)


def one_hot(values: Array, name: str, classes: int | None) -> Array:
    """Return (..., C) float32 of integers (...)."""
    if classes is None:
        raise ValueError(f"num_classes is None: integer {name} need it to become weights")
    if values.size and not (values.min() >= 0 and values.max() < classes):
        raise ValueError(
            f"{name} go from {values.min()} to {values.max()}: num_classes {classes} allows "
            f"0..{classes - 1}"
        )
    return np.asarray(np.eye(classes, dtype=np.float32)[values])


# --- boxes ----------------------------------------------------------------------------------------


def areas(boxes: Array) -> Array:
    """Return the areas (M,) of boxes (M, 4)."""
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))


def clip_boxes(boxes: Array, frame: Any) -> Array:
    """Return boxes cut to a frame (left, top, right, bottom)."""
    left, top, right, bottom = frame
    return np.clip(boxes, [left, top, left, top], [right, bottom, right, bottom])


def uncover(boxes: Array, hole: Any) -> tuple[Array, Array]:
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
    return bounds, 1 - hidden / np.maximum(whole, 1e-12)


def join(parts: Sequence[tuple[Array, Array | None, Array]]) -> tuple[Array, Array | None]:
    """Put (boxes, labels, keep) of several images behind one another."""
    boxes = np.concatenate([boxes[keep] for boxes, _, keep in parts])
    if parts[0][1] is None:
        return boxes, None
    return boxes, np.concatenate([labels[keep] for _, labels, keep in parts if labels is not None])


def visible(seen: Array, least: float) -> Array:
    """Tell which boxes stay, from the share of their area that is seen."""
    return np.asarray((seen > 1e-9) & (seen >= least - 1e-9))


def boxes_of(batch: Batch, i: int) -> tuple[Array, Array | None]:
    """Return the boxes of an image, and their labels."""
    boxes: list[Array] = batch.boxes  # type: ignore[assignment]
    return boxes[i], None if batch.box_labels is None else batch.box_labels[i]
