"""Rows of one object: its shapes, labels, instance mask and keypoints stay or go together.

The first of boxes, oriented boxes and polygons counts the objects of a sample. Every target with
that many rows belongs to them: another of the three, labels, `masks` (one an object; the semantic
`mask` never), and keypoints by object. An object is dropped if any of its shapes has too little
left, because an object without its polygon would be half an object. Rows are selected, not
converted: a label keeps its value, dtype and container.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from imgkit.augment.targets.boxes import is_by_object
from imgkit.backends import backend
from imgkit.checks import printable
from imgkit.image import Array, is_tensor

ROUNDING = 1e-9  # of shares of areas
SHAPES = ("boxes", "oriented_boxes", "polygons")  # in the order in which they count the objects


class ImageMasks(list[Any]):
    """Masks of the whole image under the name `masks`: no object owns them, however many."""


def has_rows(value: Any) -> bool:
    """Whether a value holds rows: a sequence, array or tensor, but no text."""
    if isinstance(value, np.ndarray) or is_tensor(value):
        return bool(value.ndim > 0)
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def check_rows(value: Any, name: str, owner: str, count: int) -> None:
    """Raise unless `value` has one row for each of `count` rows of `owner`."""
    if has_rows(value) and len(value) == count:
        return
    if has_rows(value):
        raise ValueError(
            f"{name} has {len(value)} entries: {owner} has {count} rows, and each takes one"
        )
    if isinstance(value, (Mapping, set, frozenset)):
        cure = "pass a list, whose order is that of the rows"
    else:
        cure = f"one value for all of them is written [{printable(value)}] * {count}"
    raise ValueError(
        f"{name} is {printable(value)}: {owner} has {count} rows, and each takes one entry of a "
        f"list, tuple, array or tensor; {cure}"
    )


def select(value: Any, rows: Array) -> Any:
    """Return rows of an array, tensor, list or tuple, each row as it is."""
    if isinstance(value, np.ndarray):
        return value[rows]
    if is_tensor(value):
        return backend(value, "targets").select(value, rows)
    picked = [value[row] for row in rows.tolist()]
    return tuple(picked) if isinstance(value, tuple) else picked


def kept_rows(
    row: Mapping[str, Any], shares: Mapping[str, Array], least: float
) -> dict[str, Array]:
    """Return which rows stay, for each target that has rows to lose.

    Args:
        row: the targets of one sample.
        shares: of each shape among them, the fraction that is left.
        least: the fraction that must be left.
    """
    owner = next((name for name in SHAPES if name in shares), None)
    if owner is None:
        return {}
    count = len(shares[owner])
    if "labels" in row:
        check_rows(row["labels"], "labels", owner, count)
    together = [name for name in shares if len(shares[name]) == count]
    rows = _seen(np.minimum.reduce([shares[name] for name in together]), least)
    kept = {name: _seen(share, least) for name, share in shares.items()}
    followers = [name for name, value in row.items() if _follows(name, value, count)]
    return kept | dict.fromkeys((*together, *followers), rows)


def _seen(share: Array, least: float) -> Array:
    """Return the rows of which enough is left."""
    return np.flatnonzero((share > ROUNDING) & (share >= least - ROUNDING))


def _follows(name: str, value: Any, count: int) -> bool:
    """Whether a target has one row for each of `count` objects."""
    if name == "labels":
        return True
    if name == "masks":
        return not isinstance(value, ImageMasks) and len(value) == count
    return name == "keypoints" and is_by_object(value) and len(value) == count
