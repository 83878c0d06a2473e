"""The labels of a sample: to the targets of a pipeline, and back in the types that they had."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from imgkit.augment.targets.boxes import is_by_object
from imgkit.augment.targets.rows import ImageMasks, has_rows, select
from imgkit.augment.targets.sample import declared
from imgkit.backends.tensor.targets import as_array, box_array, box_tensor, like
from imgkit.checks import printable
from imgkit.image import Array
from imgkit.pillow import is_pillow, mask_from_pillow
from imgkit.torch.samples import Part, Path

Size = tuple[int, int]


class Labels:
    """The labels of one sample, as the targets of one call for each set of shapes in it.

    Args:
        parts: of the sample, the image first.
    """

    def __init__(self, parts: list[Part]) -> None:
        self.masks = [part for part in parts if part.name in ("mask", "masks")]
        self.stacks = [masks_in(part) for part in self.masks]
        self.groups: list[dict[str, Part]] = []
        for part in parts:
            if part.name in ("boxes", "oriented_boxes", "polygons", "keypoints"):
                self._place(part)
        if self.masks and not self.groups:
            self.groups.append({})
        self.rows = [part for part in parts if part.owner is not None]
        self.moved: dict[Path, Any] = {}

    def _place(self, part: Part) -> None:
        """Put a part into the group of its container; a second of its kind opens another."""
        for group in self.groups:
            beside = any(other.path[:-1] == part.path[:-1] for other in group.values())
            if part.name not in group and beside:
                group[part.name] = part
                return
        self.groups.append({part.name: part})

    def targets(self, number: int) -> dict[str, Any]:
        """Return the targets of a group, by the names of a pipeline; masks go with the first."""
        named: dict[str, Any] = {}
        for name, part in self.groups[number].items():
            named |= {name: _to_array(part)}
            if declared(part.value) and name == "boxes":
                named |= {"box_format": declared(part.value), "box_normalized": False}
        owner = self._owner(number)
        if owner is not None:
            named["labels"] = np.arange(len(owner.value))
        if self.masks and number == 0:
            named["masks"] = ImageMasks(mask for stack in self.stacks for mask in stack)
        return named

    def _owner(self, number: int) -> Part | None:
        """Return the part of a group that counts its objects."""
        shapes = (self.groups[number].get(n) for n in ("boxes", "oriented_boxes", "polygons"))
        return next((part for part in shapes if part is not None), None)

    def back(self, number: int, result: Mapping[str, Any], size: Size) -> None:
        """Take the results of a group, each in its original form."""
        owner, kept = self._owner(number), result.get("labels")
        masks = iter(result.get("masks", ()))
        if "masks" in result:
            for part, stack in zip(self.masks, self.stacks, strict=True):
                self.moved[part.path] = masks_back([next(masks) for _ in stack], part, size)
        for name, part in self.groups[number].items():
            together = owner is not None and len(part.value) == len(owner.value)
            rows = kept if name == "polygons" and together else None
            self.moved[part.path] = _from_array(result[name], part, size, rows)
        if owner is not None and kept is not None:
            self._select(owner, kept)

    def _select(self, owner: Part, kept: Array) -> None:
        """Keep the rows that belong to the shapes that were kept."""
        whole = len(kept) == len(owner.value)
        for part in self.rows:
            if part.owner == owner.path and part.path != owner.path and not whole:
                self.moved[part.path] = select(self.moved.get(part.path, part.value), kept)


def _to_array(part: Part) -> Any:
    """Return a part as a target: arrays, keypoints as one table."""
    value = part.value
    if not has_rows(value):
        raise TypeError(
            f"{part.place} is {printable(value)}: {part.name} are a list, array or tensor of "
            "rows; None for none"
        )
    if part.name == "polygons":
        return [numbers(polygon) for polygon in value]
    if part.name != "keypoints":
        return box_array(value) if isinstance(value, torch.Tensor) else numbers(value)
    return _table(value)


def _table(value: Any) -> Array:
    """Return keypoints, also those by object, as one table (N, 2 or 3)."""
    if not len(value):
        return np.zeros((0, 2))
    if isinstance(value, (list, tuple)) and is_by_object(value):
        tables = [numbers(each) for each in value]
        filled = [table for table in tables if table.size]
        return np.concatenate(filled) if filled else np.zeros((0, 2))
    points = numbers(value)
    return points.reshape(-1, points.shape[-1])


def _from_array(result: Any, part: Part, size: Size, rows: Array | None) -> Any:
    """Return transformed coordinates in the form of a part, of which `rows` were kept."""
    value = part.value
    if part.name == "polygons":
        if len(result) != len(value):
            value = select(value, rows) if rows is not None else value
        pairs = zip(result, value, strict=False)
        found = [numbers_back(polygon, came, size) for polygon, came in pairs]
        return tuple(found) if isinstance(value, tuple) else found
    if part.name in ("boxes", "oriented_boxes"):
        return box_tensor(result, value, size) if isinstance(value, torch.Tensor) else result
    if isinstance(value, (list, tuple)) and is_by_object(value):
        ends = np.cumsum([len(each) for each in value])[:-1]
        tables = np.split(result, ends)
        found = [numbers_back(t, came, size) for t, came in zip(tables, value, strict=True)]
        return tuple(found) if isinstance(value, tuple) else found
    shape = result.shape if isinstance(value, (list, tuple)) and not value else numbers(value).shape
    return numbers_back(result.reshape(shape), value, size)


# --- masks ----------------------------------------------------------------------------------


def masks_in(part: Part) -> list[Array]:
    """Return the masks of a part, one or several, each (H, W)."""
    value = part.value
    if is_pillow(value):
        return [mask_from_pillow(value)]
    if isinstance(value, (list, tuple)):
        return [m for each in value for m in masks_in(Part(part.path, "mask", each))]
    if not isinstance(value, (np.ndarray, torch.Tensor)):
        raise TypeError(
            f"{part.place} is {printable(value)}: a mask is an array or tensor (H, W), or a "
            "Pillow image; leave it out, or None, where there is none"
        )
    array = numbers(value)
    if array.ndim == 2:
        return [array]
    if array.ndim != 3:
        raise ValueError(f"{part.place} has shape {array.shape}: masks are (H, W) or (K, H, W)")
    return list(array)


def masks_back(moved: list[Array], part: Part, size: Size) -> Any:
    """Return transformed masks in their original form."""
    value, masks = part.value, iter(moved)
    if isinstance(value, (list, tuple)):
        counts = [1 if is_pillow(each) or each.ndim == 2 else len(each) for each in value]
        found = [
            masks_back([next(masks) for _ in range(count)], part._replace(value=each), size)
            for each, count in zip(value, counts, strict=True)
        ]
        return tuple(found) if isinstance(value, tuple) else found
    if is_pillow(value):
        return torch.from_numpy(moved[0])
    empty = np.empty((0, *size), numbers(value).dtype)
    array = moved[0] if value.ndim == 2 else np.stack(moved) if moved else empty
    if isinstance(value, np.ndarray):
        return array
    return like(torch.from_numpy(array).to(value.device, value.dtype), value)


# --- numbers --------------------------------------------------------------------------------


def numbers(value: Any) -> Array:
    """Return numbers as an array; tensors in a list too."""
    if isinstance(value, torch.Tensor):
        return as_array(value)
    if isinstance(value, (list, tuple)) and any(isinstance(v, torch.Tensor) for v in value):
        return np.asarray([numbers(each) for each in value])
    return np.asarray(value)


def numbers_back(result: Array, value: Any, size: Size) -> Any:
    """Return transformed coordinates in the type of `value`; integer tensors become float32."""
    if not isinstance(value, torch.Tensor):
        return result
    dtype = value.dtype if value.dtype.is_floating_point else torch.float32
    tensor = torch.from_numpy(np.ascontiguousarray(result)).to(value.device, dtype)
    return like(tensor, value, size)
