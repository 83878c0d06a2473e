"""One sample of a dataset: the parts that are transformed with the image, wherever they lie.

A sample is an image, or dicts, lists, tuples and named tuples of any depth with one image in them.
The kind of each part follows from, in this order:

1. `names`: one name for each item of a tuple (None: leave it unchanged), or a dict from the
   sample's names to imgkit's, such as ``{"img": "image"}``, at any depth;
2. their type: tv_tensors, and Pillow images, which are masks if there is another image;
3. their name in a dict or named tuple: image, mask, masks, boxes, oriented_boxes, polygons,
   keypoints; names inside of a dict with one of these names may be anything;
4. their place: the first item of a tuple is the image, also of a tuple that comes first.

What might be a label is never passed over: an array of the image's height and width without a
name, and another library's name for a target (``bbox``, ``segmentation``), are errors that say
how to name or exclude it. `imgkit.torch.objects` says which rows go with the boxes. Everything
else stays unchanged.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from imgkit.augment.targets.rows import has_rows
from imgkit.augment.targets.sample import OTHER_NAMES
from imgkit.backends.tensor.targets import like
from imgkit.checks import printable, suggest
from imgkit.image import Array, check_image
from imgkit.pillow import from_pillow, is_pillow, orientation

Path = tuple[Any, ...]
Leaf = tuple[Path, str | None, Any]

MOVED = ("image", "mask", "masks", "boxes", "oriented_boxes", "polygons", "keypoints")
ROWS = ("labels", "area", "iscrowd", "scores")
KNOWN = (*MOVED, *ROWS)
FIRST = ("image",)  # the default of `names`
ALONE = "alone"  # the kind of what `names` leaves unchanged
VIDEO = "video"  # a kind that is refused: unmoved it would lie beside a moved image
VIEWED = (torch.uint8, torch.uint16, torch.float32, torch.float64)  # NumPy has them, too
OTHER_TARGETS = {
    word: names[0] for word, names in OTHER_NAMES.items() if names[0] not in ("labels", "image")
}


class Part(NamedTuple):
    """A part of a sample: its path, its kind, its value, and the shapes whose rows it shares."""

    path: Path
    name: str
    value: Any
    owner: Path | None = None
    by_type: bool = False  # only the type of the value says its kind, no name

    @property
    def place(self) -> str:
        """The part as messages name it."""
        return place_of(self.path)


def place_of(path: Path) -> str:
    """Return a path as messages name it."""
    return "sample" + "".join(f"[{key!r}]" for key in path)


# --- finding --------------------------------------------------------------------------------


def find(sample: Any, names: Any) -> tuple[list[Part], list[Part]]:
    """Return the parts that are transformed, the image first, and all others.

    Raises:
        TypeError, ValueError: there is no image, or two, or a part that might be a mask.
    """
    parts: list[Part] = []
    others: list[Part] = []
    for path, name, value in leaves(sample, names):
        known = name or ("image" if not path else _by_type(value))
        if known == VIDEO:
            _refuse_video(path)
        part = Part(path, known or "", value, by_type=name is None)
        (others if known in (None, ALONE) else parts).append(part)
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
    return images + [part for part in parts if part is not images[0]], others


def leaves(sample: Any, names: Any) -> Iterable[Leaf]:
    """Yield (path, name or None, value) of a sample's parts.

    Raises:
        ValueError: an entry of `names` matches nothing; a name is another library's.
    """
    table = names if isinstance(names, Mapping) else {}
    walk = _Walk(table)
    if isinstance(sample, (tuple, list)):
        given = FIRST if isinstance(names, Mapping) else names
        yield from walk.items(sample, given)
    elif isinstance(sample, Mapping):
        _check_no_places(names, "a dict has names", sample)
        yield from walk.entries(sample.items(), (), None)
    else:
        _check_no_places(names, "this is one image", sample)
        yield (), None, sample
    unused = [name for name in table if name not in walk.used]
    if unused:
        seen = ", ".join(map(repr, walk.seen)) or "none"
        raise ValueError(
            f"names has {unused[0]!r}, and the sample has no entry of that name; its names: {seen}"
        )


def _check_no_places(names: Any, why: str, sample: Any) -> None:
    """Raise for one name a place where a sample has no places."""
    if not isinstance(names, Mapping) and tuple(names) != FIRST:
        raise ValueError(
            f"names is {tuple(names)!r}, one name for each item of a tuple, and the sample is a "
            f"{type(sample).__name__}: {why}; pass a dict such as names={{'img': 'image'}}"
        )


class _Walk:
    """A walk through a sample, by the names of a table."""

    def __init__(self, table: Mapping[Any, str | None]) -> None:
        self.table = table
        self.used: set[Any] = set()
        self.seen: list[Any] = []

    def items(
        self, sample: Sequence[Any], given: Sequence[str | None], path: Path = ()
    ) -> Iterator[Leaf]:
        """Walk through the items of a tuple, named by place and by the fields of a named tuple."""
        if len(given) > len(sample):
            raise ValueError(
                f"names has {len(given)} names, and the sample {len(sample)} items: give one name "
                "an item, None for those to leave unchanged"
            )
        fields = getattr(sample, "_fields", None)
        default = tuple(given) == FIRST
        if default and fields is not None and self._names_image(fields):
            given = ()
        for i, value in enumerate(sample):
            named = given[i] if i < len(given) else None
            here = (*path, i)
            if i < len(given) and named is None:
                yield here, ALONE, value
            elif named is not None and not (default and _is_container(value)):
                yield from self.named(value, here, named)
            elif fields is not None:
                yield from self.entries([(fields[i], value)], path, None, i)
            elif named is not None and not isinstance(value, Mapping):
                yield from self.items(value, given, here)  # the first item of the first item
            else:
                yield from self.value(value, here, None)

    def _names_image(self, fields: tuple[str, ...]) -> bool:
        return any(self.table.get(field, field) == "image" for field in fields)

    def entries(
        self, entries: Iterable[tuple[Any, Any]], path: Path, kind: str | None, place: Any = None
    ) -> Iterator[Leaf]:
        """Walk through named values; `kind` is that of the dict, `place` the key of a field."""
        for key, value in entries:
            here = (*path, key if place is None else place)
            self.seen.append(key)
            if key in self.table:
                self.used.add(key)
                name = self.table[key]
                if name is None:
                    yield here, ALONE, value
                else:
                    yield from self.named(value, here, name)
            elif key in KNOWN:
                yield from self.named(value, here, key)
            else:
                if kind is None:
                    _refuse_other_name(key, value, here)
                yield from self.value(value, here, kind)

    def named(self, value: Any, path: Path, name: str) -> Iterator[Leaf]:
        """Walk through a value with a name: a dict of them, a list of tensors that say theirs."""
        if value is None:
            yield path, ALONE, value
        elif isinstance(value, Mapping):
            yield from self.entries(value.items(), path, None if name in ROWS else name)
        elif isinstance(value, (list, tuple)) and any(_by_type(v) in SEVERAL for v in value):
            for i, each in enumerate(value):
                yield from self.value(each, (*path, i), name)
        else:
            yield path, _kind(value, name), value

    def value(self, value: Any, path: Path, kind: str | None) -> Iterator[Leaf]:
        """Walk through a value without a name of its own."""
        if isinstance(value, Mapping):
            yield from self.entries(value.items(), path, kind)
        elif kind is not None:
            yield from self.named(value, path, kind)
        elif holds(value):
            fields = getattr(value, "_fields", None)
            for i, each in enumerate(value):
                if fields is None:
                    yield from self.value(each, (*path, i), None)
                else:
                    yield from self.entries([(fields[i], each)], path, None, i)
        else:
            yield path, None, value


SEVERAL = ("boxes", "oriented_boxes", "keypoints")  # each tensor in a list is a set of them


def holds(value: Any) -> bool:
    """Whether a list or tuple holds dicts, pixels or coordinates, at any depth."""
    return isinstance(value, (list, tuple)) and (
        hasattr(value, "_fields") or any(_is_held(each) or holds(each) for each in value)
    )


def _is_container(value: Any) -> bool:
    return isinstance(value, Mapping) or holds(value)


def _is_held(value: Any) -> bool:
    if isinstance(value, Mapping) or is_pillow(value):
        return True
    return isinstance(value, (np.ndarray, torch.Tensor)) and (
        value.ndim > 1 or _by_type(value) is not None
    )


def _kind(value: Any, name: str) -> str:
    """Return the kind of a named value; the type of a tv_tensor wins, but for `masks`."""
    kind = _by_type(value)
    if kind in (None, "pillow") or (kind == "mask" and name == "masks"):
        return name
    return str(kind)


def _refuse_other_name(key: Any, value: Any, path: Path) -> None:
    """Raise for another library's name of a target, if it has rows and does not say its kind."""
    letters = "".join(c for c in str(key).lower() if c.isalnum())
    target = OTHER_TARGETS.get(letters)
    if target is None or _by_type(value) is not None or not has_rows(value) or not len(value):
        return
    hint = "; COCO's boxes are box_format='xywh'" if target == "boxes" else ""
    raise ValueError(
        f"{place_of(path)} may be {target}: take it with names={{{key!r}: {target!r}}}, or leave "
        f"it unchanged with names={{{key!r}: None}}{hint}"
    )


def _refuse_video(path: Path) -> None:
    """Raise for a video: a sample holds one image."""
    key = path[-1]
    unchanged = '("image", None)' if isinstance(key, int) else f"{{{key!r}: None}}"
    raise TypeError(
        f"{place_of(path)} is a Video, and a sample holds one image: pass its frames as images, "
        f"with one key for all of them, or leave it unchanged with names={unchanged}"
    )


def _by_type(value: Any) -> str | None:
    """Return the kind of a value by its type."""
    if is_pillow(value):
        return "pillow"
    tv = sys.modules.get("torchvision.tv_tensors")
    if tv is None or type(value) is torch.Tensor:
        return None
    if isinstance(value, tv.BoundingBoxes):
        return "boxes" if value.format.value in ("XYXY", "XYWH", "CXCYWH") else "oriented_boxes"
    kinds = {"Image": "image", "Mask": "mask", "KeyPoints": "keypoints", "Video": VIDEO}
    found = (kind for name, kind in kinds.items() if isinstance(value, getattr(tv, name, ())))
    return next(found, None)  # releases before 0.23 have no KeyPoints


def _check_others(image: Part, others: list[Part]) -> None:
    """Refuse an unnamed part with the height and width of the image: it may be a mask."""
    size = size_of(image.value)
    for part in others:
        shape = tuple(getattr(part.value, "shape", ()))
        alone = part.name == ALONE or len(shape) not in (2, 3)
        if not alone and size in (shape[-2:], shape[:2]):
            key = part.path[-1]
            cure = (
                'name it with names=("image", "mask"), or leave it unchanged with '
                'names=("image", None)'
                if isinstance(key, int)
                else f"name it with names={{{key!r}: 'mask'}}, or leave it unchanged with "
                f"names={{{key!r}: None}}"
            )
            raise ValueError(
                f"{part.place} has shape {shape}, the height and width of the image: {cure}"
            )


def check_names(names: Any) -> Any:
    """Return `names` if every name is known."""
    if isinstance(names, str) or not isinstance(names, (Mapping, Sequence)):
        raise TypeError(
            f"names is {printable(names)}: it must be a tuple of names, or a dict of yours to "
            "imgkit's"
        )
    for name in names.values() if isinstance(names, Mapping) else names:
        if name is not None and name not in KNOWN:
            raise ValueError(f"names has {name!r}: {suggest(name, KNOWN, OTHER_NAMES)}")
    return names


def put(sample: Any, values: Mapping[Path, Any]) -> Any:
    """Return a copy of a sample with the values at these paths replaced; dicts are copied."""
    around = {path[:depth] for path in values for depth in range(len(path))}
    return _put(sample, values, around, ())


def _put(sample: Any, values: Mapping[Path, Any], around: set[Path], path: Path) -> Any:
    if path in values:
        return values[path]
    if isinstance(sample, Mapping):
        filled = {key: _put(v, values, around, (*path, key)) for key, v in sample.items()}
        if type(sample) is dict or not isinstance(sample, dict):
            return filled
        twin = copy.copy(sample)  # an OrderedDict, a defaultdict
        twin.update(filled)
        return twin
    if isinstance(sample, (tuple, list)) and path in around:
        items = [_put(v, values, around, (*path, i)) for i, v in enumerate(sample)]
        if hasattr(sample, "_fields"):
            return type(sample)(*items)
        return tuple(items) if isinstance(sample, tuple) else items
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
    return like(torch.from_numpy(result[0] if flat else result), image)
