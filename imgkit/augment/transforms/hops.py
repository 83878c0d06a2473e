"""What geometric ops lower to: a hop from one canvas to the next, from the entries of a matrix.

Entries are numbers, of one sample alone, or arrays of length N; the formulas are the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from imgkit import geometry
from imgkit.augment.transforms.base import Numbers, Size
from imgkit.stages import GeometricStep

RESAMPLE: tuple[str, ...] = ("resample",)


def warp(op: Any, numbers: Numbers, entries: Sequence[Any], size: Size) -> GeometricStep:
    """Return a hop that keeps the canvas and samples it anew."""
    return GeometricStep(op.name, "warp", size, size, matrices(numbers, entries),
               interpolation=op.interpolation, antialias=op.antialias, border=op.border,
               fill=op.fill)  # fmt: skip


def move(
    op: Any, numbers: Numbers, entries: Sequence[Any], size: Size, out_size: Size
) -> GeometricStep:
    """Return a hop that keeps pixels whole."""
    return GeometricStep(op.name, "move", size, out_size, matrices(numbers, entries))


def matrices(numbers: Numbers, entries: Sequence[Any]) -> Any:
    """Return (N, 3, 3) of entries, six or nine, that are numbers or arrays of length N.

    For one sample in plain numbers it is a list of one tuple.
    """
    active: Any = numbers["active"]
    if isinstance(active, bool):
        return [(*map(float, entries), *LAST_ROW[len(entries) - 6 :])]
    matrices = np.zeros((len(active), 9))
    matrices[:, 8] = 1
    for place, entry in enumerate(entries):
        matrices[:, place] = entry
    return matrices.reshape(-1, 3, 3)


LAST_ROW = (0.0, 0.0, 1.0)


def about(a: Any, b: Any, c: Any, d: Any, size: Size, dx: Any = 0.0, dy: Any = 0.0) -> Any:
    """Return the entries of a linear map about the middle of a canvas, then a shift."""
    x, y = geometry.center(size)
    return a, b, x + dx - (a * x + b * y), c, d, y + dy - (c * x + d * y)


def crop(top: Any, left: Any) -> tuple[Any, ...]:
    """Return the entries that make (left, top) the first pixel."""
    return 1.0, 0.0, 0.0 - left, 0.0, 1.0, 0.0 - top


def resize(size: Size, out_size: Size) -> tuple[Any, ...]:
    """Return the entries of a resize with aligned edges."""
    sy, sx = out_size[0] / size[0], out_size[1] / size[1]
    return sx, 0.0, (sx - 1) / 2, 0.0, sy, (sy - 1) / 2


def plainly(function: Callable[[Any], Any], value: Any) -> Any:
    """Call a function of NumPy's, alike to the bit for arrays and numbers."""
    result = function(value)
    return result if isinstance(value, np.ndarray) else float(result)


RADIANS = math.pi / 180
