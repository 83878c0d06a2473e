"""Which parts of a sample have one row for each box of it, and are dropped row by row with them.

The shapes of one container (a dict, a list) count its objects: boxes, else oriented boxes, else
polygons. With them go, if they have that many rows,

- `masks` and keypoints by object (N, K, 2 or 3) or a list of N; the semantic `mask` never does;
- a tv_tensors.Mask (N, H, W) that no name calls `mask`: torchvision has one type for both;
- everything else of their container and the dicts in it: ``labels``, ``area``, ``track``, ...,
  but what describes the image, by its name: ``image_id``, ``orig_size``, ``file_name``, ...,
  and ``id``, ``path``, ... beside the image, or with one row, and its ``size`` in pixels;
- ``labels``, ``area``, ``iscrowd``, ``scores`` elsewhere, where the sample has one set of shapes.

``names={"anchors": None}`` leaves a part alone that has that many rows by chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from imgkit.augment.targets.boxes import is_by_object
from imgkit.augment.targets.rows import SHAPES, check_rows, has_rows
from imgkit.torch import samples
from imgkit.torch.samples import ROWS, Part, Path

OF_THE_IMAGE = frozenset(
    (
        *("image_id", "img_id", "image_size", "img_size", "orig_size", "original_size"),
        *("img_shape", "ori_shape", "pad_shape", "batch_input_shape", "canvas_size"),
        *("target_size", "scale_factor", "intrinsics", "file_name", "filename", "image_path"),
        *("mean", "std", "pad"),
    )
)
OF_EITHER = frozenset(  # of the image or of an object, by where they lie
    ("id", "index", "idx", "key", "size", "height", "width", "path", "caption", "captions")
)


def find(sample: Any, names: Any) -> list[Part]:
    """Return the parts of a sample that are transformed, the image first, and their rows."""
    parts, others = samples.find(sample, names)
    owners = _owners(parts)
    if not owners:
        return parts
    kept = {part.path for part in others if part.name == samples.ALONE}
    passed = kept | {part.path for part in parts} | {owner.path[:-1] for owner in owners}
    found: dict[Path, Part] = {}
    for owner in owners:
        above = owner.path[:-1]
        container = _at(sample, above)
        for path, value in _rows(container, above, passed, parts, len(owner.value)):
            _add(found, Part(path, "rows", value, owner.path))
        _check_dicts(container, owner, {*passed, *found})
    linked = [_linked(part, owners) for part in parts]
    return linked + list(found.values())


def _check_dicts(container: Any, owner: Part, rows: set[Path]) -> None:
    """Raise for labels beside the shapes that are a dict without rows."""
    for key, value in _entries(container):
        here = (*owner.path[:-1], key)
        inside = any(path[: len(here)] == here for path in rows)
        if key in ROWS and isinstance(value, Mapping) and value and not inside:
            check_rows(value, samples.place_of(here), owner.place, len(owner.value))


def _owners(parts: list[Part]) -> list[Part]:
    """Return the shapes that count the objects of their container."""
    owners: list[Part] = []
    for name in SHAPES:
        for part in parts:
            if part.name == name and has_rows(part.value):
                above = [o for o in owners if o.path[:-1] == part.path[:-1] and o.name != name]
                if not above:
                    owners.append(part)
    return owners


def _linked(part: Part, owners: list[Part]) -> Part:
    """Return a part with the shapes whose rows it shares, if it shares any."""
    beside = [o for o in owners if o.path[:-1] == part.path[:-1] and o.path != part.path]
    if part.name in ROWS and len(beside) == 1:
        check_rows(part.value, part.place, beside[0].place, len(beside[0].value))
    fitting = [o for o in beside if _fits(part, len(o.value))]
    if not fitting and len(owners) == 1 and part.path != owners[0].path:
        fitting = [o for o in owners if _fits(part, len(o.value))]
    if len(fitting) > 1:
        _refuse_two(part, fitting)
    return part._replace(owner=fitting[0].path) if fitting else part


def _fits(part: Part, count: int) -> bool:
    if not has_rows(part.value) or len(part.value) != count:
        return False
    by_object = part.name == "keypoints" and is_by_object(part.value)
    typed = part.name == "mask" and part.by_type and np.ndim(part.value) == 3
    return by_object or typed or part.name in ("masks", *ROWS)


def _add(found: dict[Path, Part], part: Part) -> None:
    """Add rows of one set of shapes; raise if they may be those of another."""
    if part.path in found:
        raise ValueError(
            f"{part.place} has as many rows as {samples.place_of(found[part.path].owner or ())} "
            f"and {samples.place_of(part.owner or ())}: put each with its rows into a dict"
        )
    found[part.path] = part


def _refuse_two(part: Part, owners: list[Part]) -> None:
    places = " and ".join(owner.place for owner in owners)
    raise ValueError(
        f"{part.place} has as many rows as {places}: put each with its rows into a dict"
    )


def _rows(
    container: Any, path: Path, passed: set[Path], parts: list[Part], count: int
) -> Iterator[tuple[Path, Any]]:
    """Yield what has `count` rows in a container and in those in it; `passed` are left out."""
    for key, value in _entries(container):
        here = (*path, key)
        if here in passed or _field(container, key) in OF_THE_IMAGE:
            continue
        if isinstance(value, Mapping) or any(part.path[: len(here)] == here for part in parts):
            yield from _rows(value, here, passed, parts, count)
        elif not has_rows(value) or len(value) != count:
            continue
        elif not _is_of_the_image(_field(container, key), value, path, parts[0]):
            yield here, value


def _is_of_the_image(name: Any, value: Any, container: Path, image: Part) -> bool:
    """Whether a value whose name may be the image's or an object's is the image's.

    It is beside the image, or has one row, which would be lost with the only object; and `size`
    is if it is that of the image in pixels.
    """
    if name not in OF_EITHER:
        return False
    if container == image.path[:-1] or len(value) == 1:
        return True
    if name != "size" or any(np.ndim(each) for each in value):
        return False
    size = samples.size_of(image.value)
    return tuple(value) in (size, size[::-1])


def _entries(container: Any) -> list[tuple[Any, Any]]:
    if isinstance(container, Mapping):
        return list(container.items())
    return list(enumerate(container)) if isinstance(container, (list, tuple)) else []


def _field(container: Any, key: Any) -> Any:
    """Return the name of an entry, of a named tuple too."""
    return container._fields[key] if hasattr(container, "_fields") else key


def _at(sample: Any, path: Path) -> Any:
    """Return what lies at a path."""
    for key in path:
        sample = sample[key]
    return sample
