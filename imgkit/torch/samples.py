"""One sample of a dataset: the parts that are transformed with the image, and their conversion.

A sample is an image, a tuple that starts with one, a dict, or a tuple of an image and a dict.
The kind of each part follows from, in this order:

1. `names`: one name for each item of a tuple (None: leave it unchanged), or a dict from the
   sample's names to imgkit's, such as ``{"img": "image"}``;
2. their type: tv_tensors, and Pillow images, which are masks if there is another image;
3. their name in a dict: image, mask, masks, boxes, oriented_boxes, polygons, keypoints.

In a dict with boxes, ``labels``, ``area``, ``iscrowd``, ``scores``, and masks and keypoints with
one row per box, lose the rows of dropped boxes. Everything else stays unchanged.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from imgkit.checks import suggest
from imgkit.image import Array, check_image
from imgkit.pillow import from_pillow, is_pillow, mask_from_pillow, orientation

Path = tuple[Any, ...]

MOVED = ("image", "mask", "masks", "boxes", "oriented_boxes", "polygons", "keypoints")
ROWS = ("labels", "area", "iscrowd", "scores")
KNOWN = (*MOVED, *ROWS)
VIEWED = (torch.uint8, torch.uint16, torch.float32, torch.float64)  # NumPy has them, too


class Part(NamedTuple):
    """A part of a sample: its path, its kind and its value."""

    path: Path
    name: str
    value: Any

    @property
    def place(self) -> str:
        """The part as messages name it."""
        return "sample" + "".join(f"[{key!r}]" for key in self.path)


# --- finding --------------------------------------------------------------------------------


def find(sample: Any, names: Any) -> list[Part]:
    """Return the parts that are transformed, the image first.

    Raises:
        TypeError, ValueError: there is no image, or two, or a part that might be a mask.
    """
    parts: list[Part] = []
    others: list[Part] = []
    for path, name, value in leaves(sample, names):
        known = name or ("image" if not path else _by_type(value))
        (others if known in (None, "alone") else parts).append(Part(path, known or "", value))
    images = [part for part in parts if part.name == "image"]
    masks = [i for i, part in enumerate(parts) if part.name == "pillow"]
    if not images and masks:  # the first Pillow image is the image, the others are masks
        first = masks.pop(0)
        parts[first] = parts[first]._replace(name="image")
        images = [parts[first]]
    for i in masks:
        parts[i] = parts[i]._replace(name="mask")
    if len(images) != 1:
        found = ", ".join(part.place for part in images) or "none"
        raise ValueError(
            f"a sample needs one image, and has {found}: name its parts with "
            'names=("image", ...) for tuples or names={"img": "image"} for dicts'
        )
    size_of(images[0].value)  # raises for a type that is not an image
    check_single(images[0].value)
    _check_others(images[0], others)
    return images + [part for part in parts if part is not images[0]]


def leaves(sample: Any, names: Any) -> Iterable[tuple[Path, str | None, Any]]:
    """Yield (path, name or None, value) of a sample's parts."""
    if isinstance(sample, Mapping):
        yield from _entries(sample, (), names if isinstance(names, Mapping) else {})
    elif isinstance(sample, (tuple, list)):
        given = names if isinstance(names, (tuple, list)) else ("image",)
        for i, value in enumerate(sample):
            if isinstance(value, Mapping):
                yield from _entries(value, (i,), names if isinstance(names, Mapping) else {})
            else:
                yield (i,), ((given[i] or "alone") if i < len(given) else None), value
    else:
        yield (), None, sample


def _entries(
    entries: Mapping[Any, Any], path: Path, names: Mapping[Any, str | None]
) -> Iterable[tuple[Path, str | None, Any]]:
    for key, value in entries.items():
        if key in names:
            yield (*path, key), names[key] or "alone", value
        elif key in ROWS or (key in MOVED and _by_type(value) in (None, "pillow")):
            yield (*path, key), key, value
        else:
            yield (*path, key), None, value


def _by_type(value: Any) -> str | None:
    """Return the kind of a value by its type."""
    if is_pillow(value):
        return "pillow"
    tv = sys.modules.get("torchvision.tv_tensors")
    if tv is None or type(value) is torch.Tensor:
        return None
    if isinstance(value, tv.BoundingBoxes):
        return "boxes" if value.format.value in ("XYXY", "XYWH", "CXCYWH") else "oriented_boxes"
    kinds = {"Image": "image", "Mask": "mask", "KeyPoints": "keypoints"}
    found = (kind for name, kind in kinds.items() if isinstance(value, getattr(tv, name, ())))
    return next(found, None)  # releases before 0.23 have no KeyPoints


def _check_others(image: Part, others: list[Part]) -> None:
    """Refuse an unnamed part with the height and width of the image: it may be a mask."""
    size = size_of(image.value)
    for part in others:
        shape = tuple(getattr(part.value, "shape", ()))
        alone = part.name == "alone" or len(shape) not in (2, 3)
        if not alone and size in (shape[-2:], shape[:2]):
            raise ValueError(
                f"{part.place} has shape {shape}, the height and width of the image: name it "
                'with names=("image", "mask"), or leave it unchanged with names=("image", None)'
            )


def check_names(names: Any) -> Any:
    """Return `names` if every name is known."""
    if isinstance(names, str) or not isinstance(names, (Mapping, Sequence)):
        raise TypeError(
            f"names is {names!r}: it must be a tuple of names, or a dict of yours to imgkit's"
        )
    for name in names.values() if isinstance(names, Mapping) else names:
        if name is not None and name not in KNOWN:
            raise ValueError(f"names has {name!r}: {suggest(name, KNOWN)}")
    return names


def put(sample: Any, values: Mapping[Path, Any], path: Path = ()) -> Any:
    """Return a copy of a sample with the values at these paths replaced."""
    if path in values:
        return values[path]
    if isinstance(sample, Mapping) and len(path) < 2:
        return {key: put(value, values, (*path, key)) for key, value in sample.items()}
    if isinstance(sample, (tuple, list)) and not path:
        filled = [put(value, values, (i,)) for i, value in enumerate(sample)]
        if hasattr(sample, "_fields"):
            return type(sample)(*filled)
        return tuple(filled) if isinstance(sample, tuple) else filled
    return sample


# --- pixels in and out ----------------------------------------------------------------------


def size_of(image: Any) -> tuple[int, int]:
    """Return height and width of an image of any kind, after its EXIF orientation."""
    if is_pillow(image):
        width, height = image.size
        return (width, height) if orientation(image) >= 5 else (height, width)
    if not hasattr(image, "shape"):
        raise TypeError(
            f"image is a {type(image).__name__}: pass a Pillow image, a NumPy array (H, W, C) or "
            "a tensor (C, H, W)"
        )
    shape = tuple(image.shape)
    return shape[-2:] if isinstance(image, torch.Tensor) else shape[:2]


def is_viewed(image: Any) -> bool:
    """Whether an image is a NumPy array, or has a zero-copy view as one."""
    if not isinstance(image, torch.Tensor):
        return True
    return image.device.type == "cpu" and image.dtype in VIEWED and not image.requires_grad


def check_single(image: Any) -> Any:
    """Return `image` if it is one image, not a batch."""
    if is_pillow(image):
        return image
    if check_image(image, "image").ndim == 4:
        raise ValueError(f"image has shape {tuple(image.shape)}: a sample holds one image")
    return image


def pixels(image: Any) -> Array:
    """Return one image as an array (H, W, C); a view of a tensor or array."""
    if is_pillow(image):
        array = from_pillow(image)
    elif isinstance(image, torch.Tensor):
        array = image.numpy() if image.ndim == 2 else image.permute(1, 2, 0).numpy()
    else:
        array = image
    return array[..., None] if array.ndim == 2 else array


def image_back(result: Array, image: Any) -> Any:
    """Return a result (C, H, W) in the type of `image`; for an array, the result unchanged."""
    if isinstance(image, np.ndarray):
        return result
    flat = isinstance(image, torch.Tensor) and image.ndim == 2 and len(result) == 1
    tensor = torch.from_numpy(result[0] if flat else result)
    return like(tensor, image)


def like(tensor: torch.Tensor, value: Any, size: tuple[int, int] | None = None) -> Any:
    """Return a tensor as the tensor type of `value`."""
    if not isinstance(value, torch.Tensor) or type(value) in (torch.Tensor, torch.nn.Parameter):
        return tensor
    tv = sys.modules["torchvision.tv_tensors"]
    return tv.wrap(tensor, like=value, **({} if size is None else {"canvas_size": size}))


# --- labels in and out ----------------------------------------------------------------------


def masks_in(part: Part) -> list[Array]:
    """Return the masks of a part, one or several, each (H, W)."""
    value = part.value
    if is_pillow(value):
        return [mask_from_pillow(value)]
    array = numbers(value)
    if isinstance(value, (list, tuple)):
        return [m for each in value for m in masks_in(Part(part.path, "mask", each))]
    if array.ndim == 2:
        return [array]
    if array.ndim != 3:
        raise ValueError(f"{part.place} has shape {array.shape}: masks are (H, W) or (K, H, W)")
    return list(array)


def masks_back(moved: list[Array], part: Part, size: tuple[int, int]) -> Any:
    """Return transformed masks in their original form."""
    value = part.value
    if isinstance(value, (list, tuple)):
        return [like(torch.from_numpy(m), v) if not isinstance(v, np.ndarray) else m
                for m, v in zip(moved, value, strict=True)]  # fmt: skip
    if is_pillow(value):
        return torch.from_numpy(moved[0])
    empty = np.empty((0, *size), numbers(value).dtype)
    array = moved[0] if value.ndim == 2 else np.stack(moved) if moved else empty
    return array if isinstance(value, np.ndarray) else like(torch.from_numpy(array), value)


def numbers(value: Any) -> Array:
    """Return a label as an array."""
    if isinstance(value, torch.Tensor):
        return np.asarray(value.detach().cpu().as_subclass(torch.Tensor).numpy())
    return np.asarray(value)


def numbers_back(result: Array, value: Any, size: tuple[int, int]) -> Any:
    """Return transformed coordinates in the type of `value`; integer tensors become float32."""
    if not isinstance(value, torch.Tensor):
        return result
    dtype = value.dtype if value.dtype.is_floating_point else torch.float32
    tensor = torch.from_numpy(np.ascontiguousarray(result)).to(value.device, dtype)
    return like(tensor, value, size)


def select(value: Any, rows: Array, part: Part, count: int) -> Any:
    """Return the rows of a label that belong to the kept boxes."""
    if not hasattr(value, "__len__") or len(value) != count:
        held = len(value) if hasattr(value, "__len__") else repr(value)
        raise ValueError(f"{part.place} has {held} rows: it needs {count}, one row per box")
    if isinstance(value, torch.Tensor):
        picked = value[torch.from_numpy(rows).to(value.device)]
        return like(picked.as_subclass(torch.Tensor), value)
    if isinstance(value, np.ndarray):
        return value[rows]
    return type(value)(value[i] for i in rows.tolist())
