"""A batch to be mixed: its checked parts, labels as weights, and the objects of each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imgkit.augment.mixing.objects import Objects
from imgkit.augment.targets.boxes import FORMATS, corners_of, in_format, is_by_object
from imgkit.augment.targets.sample import declared
from imgkit.backends import backend
from imgkit.checks import check_real, printable
from imgkit.image import Array, check_image, image_size, is_tensor

PLAIN = (int, float, str, np.number, np.bool_, np.str_)  # labels that an array holds as they are


@dataclass
class Batch:
    """What came in, checked: only `images` is never None. `given` holds the rows as they came."""

    images: Any
    labels: Array | None
    masks: Any
    objects: list[Objects] | None
    given: dict[str, Any]

    def __len__(self) -> int:
        return len(self.images)

    def size(self, i: int = 0) -> tuple[int, int]:
        """Return the height and width of an image."""
        shape = self.images.shape if hasattr(self.images, "shape") else self.images[i].shape
        height, width = shape[-2:] if self.has_tensors else shape[-3:-1]
        return int(height), int(width)

    @property
    def first(self) -> Any:
        """Return the batch, or the first image of a list."""
        return self.images if hasattr(self.images, "shape") else self.images[0]

    @property
    def has_tensors(self) -> bool:
        """Whether the images are tensors."""
        return is_tensor(self.first)


def check_batch(
    images: Any, labels: Any, masks: Any, given: dict[str, Any], classes: int | None,
    ignore: int | None, ragged: bool,
) -> Batch:  # fmt: skip
    """Return the parts of a batch if they fit each other; `ragged` images may be a list."""
    _check_images(images, ragged)
    if masks is not None:
        masks = _check_masks(masks, images)
    given = {name: value for name, value in given.items() if value is not None}
    soft = None if labels is None else _soft(host(labels), len(images), classes, ignore)
    return Batch(images, soft, masks, _objects(given, len(images)), given)


def host(value: Any) -> Any:
    """Return a tensor as an array; everything else as it is."""
    return backend(value, "targets").as_array(value) if is_tensor(value) else value


def _check_images(images: Any, ragged: bool) -> None:
    """Raise unless images are a batch, or a list of images where that is asked for."""
    if not (isinstance(images, (list, tuple)) and ragged):
        if check_image(images, "images").ndim != 4:
            wanted = "(N, C, H, W)" if is_tensor(images) else "(N, H, W, C)"
            raise ValueError(f"images has shape {tuple(images.shape)}: a batch is {wanted}")
        return
    if not images:
        raise ValueError("images is an empty list: a batch without images is (0, H, W, C)")
    for i, image in enumerate(images):
        if check_image(image, f"images[{i}]").ndim != 3:
            wanted = "(C, H, W)" if is_tensor(image) else "(H, W, C)"
            raise ValueError(f"images[{i}] has shape {tuple(image.shape)}: it must be {wanted}")
    channels = {(image.shape[0 if is_tensor(image) else 2], image.dtype) for image in images}
    if len(channels) > 1:
        raise ValueError("images differ in channels or dtype: a mosaic needs them equal")


def _check_masks(masks: Any, images: Any) -> Any:
    """Return masks (N, H, W), or a list of them, of the sizes and on the device of their images."""
    _check_length(masks, "masks", len(images))
    for i, (image, mask) in enumerate(zip(images, masks, strict=True)):
        if is_tensor(image) and (not is_tensor(mask) or mask.device != image.device):
            where = mask.device if is_tensor(mask) else type(mask).__name__
            raise ValueError(f"masks is on {where}, images on {image.device}: move them together")
        shape, wanted = tuple(np.shape(mask)), image_size(image)
        if shape != tuple(wanted):
            raise ValueError(
                f"masks[{i}] has shape {shape}: it must be {tuple(wanted)}, as its image"
            )
    if is_tensor(images):
        return masks if is_tensor(masks) else backend(images, "targets").stack(list(masks))
    if isinstance(images, (list, tuple)):
        return list(masks) if is_tensor(images[0]) else [np.asarray(host(mask)) for mask in masks]
    return np.asarray(host(masks))


def _check_length(values: Any, name: str, number: int) -> None:
    """Raise unless there is an entry for each image."""
    if not hasattr(values, "__len__") or isinstance(values, (str, dict, set)):
        raise TypeError(f"{name} is {printable(values)}: it must be a list, with an entry an image")
    if len(values) != number:
        raise ValueError(f"{name} has {len(values)} entries for {number} images")


# --- objects --------------------------------------------------------------------------------------


def _objects(given: dict[str, Any], number: int) -> list[Objects] | None:
    """Return the objects of each image; None if no row of one was given."""
    if not given:
        return None
    for name, values in given.items():
        _check_length(values, name, number)
    if "box_labels" in given and not {"boxes", "polygons"} & set(given):
        raise ValueError("box_labels came without boxes or polygons")
    names = _join_kinds([_as_labels(v) for v in given.get("box_labels", ())])
    keypoints = _check_keypoints(given["keypoints"]) if "keypoints" in given else None
    found = []
    for i in range(number):
        row = {name: values[i] for name, values in given.items()}
        objects = Objects(
            _check_boxes(row["boxes"], f"boxes[{i}]") if "boxes" in row else None,
            names[i] if names else None,
            _check_polygons(row["polygons"], f"polygons[{i}]") if "polygons" in row else None,
            *(keypoints[i] if keypoints else ()),
        )
        _check_rows(objects, i)
        found.append(objects)
    return found


def _check_rows(objects: Objects, i: int) -> None:
    """Raise unless all rows of an image's objects are of one number."""
    owner = "polygons" if objects.boxes is None else "boxes"
    named = {"box_labels": objects.labels, "polygons": objects.polygons,
             "keypoints": objects.keypoints}  # fmt: skip
    for name, rows in named.items():
        if rows is not None and len(rows) != len(objects):
            raise ValueError(f"{name}[{i}] has {len(rows)} entries for {len(objects)} {owner}")


def _check_boxes(values: Any, name: str) -> Array:
    """Return boxes (M, 4) of one image as left, top, right, bottom."""
    boxes = check_real(host(values), name).astype(np.float64)
    if boxes.size == 0:
        boxes = boxes.reshape(-1, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"{name} has shape {boxes.shape}: boxes are (M, 4)")
    form = declared(values) or "xyxy"
    if form not in FORMATS:
        raise ValueError(f"{name} has format {form.upper()}: a mixer takes upright boxes")
    boxes = np.concatenate(corners_of(boxes, form), axis=1)
    if (boxes[:, 2:] < boxes[:, :2]).any():
        raise ValueError(f"{name} holds a box that is not left <= right, top <= bottom")
    return boxes


def _check_polygons(values: Any, name: str) -> list[Array]:
    """Return the polygons (P, 2) of one image."""
    if not hasattr(values, "__len__") or isinstance(values, (str, dict, set)):
        raise TypeError(f"{name} is {printable(values)}: it must be a list of arrays (P, 2)")
    found = [check_real(host(v), f"{name}[{i}]").astype(np.float64) for i, v in enumerate(values)]
    for i, polygon in enumerate(found):
        if polygon.ndim != 2 or polygon.shape[1] != 2 or len(polygon) < 3:
            raise ValueError(
                f"{name}[{i}] has shape {polygon.shape}: a polygon is (P, 2) of at least 3 points"
            )
    return found


def _check_keypoints(entries: Any) -> list[tuple[list[Array] | None, Array | None]]:
    """Return the keypoints of each image: by object, or as points that no object owns.

    One entry by object decides for all: an image without keypoints looks the same either way.
    """
    for i, values in enumerate(entries):
        if not hasattr(values, "__len__") or isinstance(values, (str, dict, set)):
            raise TypeError(
                f"keypoints[{i}] is {printable(values)}: it must hold rows of 2 or 3 numbers"
            )
    if not any(is_by_object(values) for values in entries):
        return [(None, _check_points(each, f"keypoints[{i}]")) for i, each in enumerate(entries)]
    return [(_check_by_object(each, f"keypoints[{i}]"), None) for i, each in enumerate(entries)]


def _check_by_object(values: Any, name: str) -> list[Array]:
    """Return the keypoints of one image, a table (P, 2 or 3) an object."""
    if len(values) and not is_by_object(values):
        raise ValueError(
            f"{name} has shape {np.shape(host(values))}, points that no box owns, and other "
            "entries have one set a box: give all entries one form, [] for no keypoints"
        )
    return [_check_points(each, f"{name}[{i}]") for i, each in enumerate(values)]


def _check_points(values: Any, name: str) -> Array:
    points = check_real(host(values), name).astype(np.float64)
    points = points.reshape(-1, 2) if points.size == 0 and points.ndim < 2 else points
    if points.ndim != 2 or points.shape[1] not in (2, 3):
        raise ValueError(f"{name} has shape {points.shape}: keypoints are (P, 2) or (P, 3)")
    return points


def _as_labels(values: Any) -> Array:
    """Return the labels of one image as an array whose entries are what came in."""
    values = host(values)
    if isinstance(values, np.ndarray):
        return values
    if not isinstance(values, Sequence) or isinstance(values, (str, bytes)):
        raise TypeError(f"box_labels holds {printable(values)}: each image takes a list of labels")
    kinds = {type(value) for value in values}
    if len(kinds) < 2 and all(issubclass(kind, PLAIN) for kind in kinds):
        return np.asarray(values)
    return _as_objects(values)


def _as_objects(values: Sequence[Any] | Array) -> Array:
    """Return labels of several types, each as it is."""
    found = np.empty(len(values), object)
    for i, value in enumerate(values):
        found[i] = value
    return found


def _join_kinds(arrays: list[Array]) -> list[Array]:
    """Give labels a dtype that holds those of all images as they are: that of objects if need be.

    NumPy takes empty lists for floats, so they have no say.
    """
    kinds = {each.dtype for each in arrays if each.size}
    if len({"i" if kind.kind == "u" else kind.kind for kind in kinds}) > 1:
        return [_as_objects(each) for each in arrays]
    common = np.result_type(*kinds) if kinds else np.dtype(np.int64)
    if common.kind == "f" and any(kind.kind in "iu" for kind in kinds):  # uint64 beside int64
        return [_as_objects(each) for each in arrays]
    return [each.astype(common) for each in arrays]


# --- weights --------------------------------------------------------------------------------------


def _soft(labels: Any, number: int, classes: int | None, ignore: int | None) -> Array:
    """Return labels as weights (N, C) float32."""
    labels = check_real(labels, "labels")
    if labels.ndim == 2 and labels.dtype.kind == "f":
        _check_length(labels, "labels", number)
        if classes is not None and labels.shape[1] != classes:
            raise ValueError(f"labels has {labels.shape[1]} columns: num_classes is {classes}")
        return np.asarray(labels, np.float32)
    if labels.ndim != 1 or labels.dtype.kind not in "biu":
        raise ValueError(
            f"labels has shape {labels.shape} and dtype {labels.dtype}: they are (N,) integers or "
            "(N, C) floats"
        )
    _check_length(labels, "labels", number)
    return np.asarray(one_hot(labels, "labels", classes, ignore))


def one_hot(values: Any, name: str, classes: int | None, ignore: int | None) -> Any:
    """Return weights (..., C) float32 of integers or booleans (...); 0 for the ignored."""
    if classes is None:
        raise ValueError(f"num_classes is None: integer {name} need it to become weights")
    values = backend(values, "mix").class_numbers(values)
    kept = values[values != ignore] if ignore is not None else values
    low, high = (int(kept.min()), int(kept.max())) if len(kept.reshape(-1)) else (0, 0)
    if low < 0 or high >= classes:
        other = high if high >= classes else low
        raise ValueError(
            f"{name} go from {low} to {high}: num_classes {classes} allows 0..{classes - 1}; "
            f"ignore_index={other} gives that value no weight"
        )
    return backend(values, "mix").one_hot(values, classes, ignore)


# --- back -----------------------------------------------------------------------------------------


def rows_back(batch: Batch, mixed: list[Objects], sizes: list[tuple[int, int]]) -> dict[str, Any]:
    """Return the objects of each image by name, in the types and dtypes that they had."""
    found: dict[str, Any] = {}
    for name, values in batch.given.items():
        kind = _common_kind(values)
        column = [_row_back(name, objects, values[i], kind) for i, objects in enumerate(mixed)]
        if batch.has_tensors:
            rows_as = backend(batch.first, "mix").rows_as
            column = [
                rows_as(row, values[i], batch.first, size)
                for i, (row, size) in enumerate(zip(column, sizes, strict=True))
            ]
        found[name] = column
    return found


def _row_back(name: str, objects: Objects, value: Any, kind: Any) -> Any:
    """Return one kind of row of an image as it came."""
    if name == "box_labels":
        return objects.labels
    if name == "boxes":
        return in_format(objects.boxes, declared(value) or "xyxy").astype(kind)  # type: ignore[arg-type]
    if name == "polygons":
        return [polygon.astype(kind) for polygon in objects.polygons or ()]
    if objects.points is not None:
        return objects.points.astype(kind)
    found = [points.astype(kind) for points in objects.keypoints or ()]
    whole = not isinstance(value, (list, tuple)) and len({points.shape for points in found}) <= 1
    if not whole:
        return found
    return np.stack(found) if found else np.zeros((0, *np.shape(value)[1:]), kind)


def _common_kind(values: Any) -> Any:
    """Return float32 where all coordinates of a batch are float32 or less, else float64."""
    kinds: set[Any] = set()
    for each in values:
        rows = each if isinstance(each, (list, tuple)) else [each]
        kinds |= {host(row).dtype if hasattr(row, "dtype") else np.dtype(float) for row in rows}
    narrow = bool(kinds) and all(kind.kind == "f" and kind.itemsize <= 4 for kind in kinds)
    return np.float32 if narrow else np.float64
