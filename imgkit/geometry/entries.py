"""The entries of maps, row by row, six or nine: of one sample as numbers, of N as arrays.

The formulas are the same for both, and add and multiply in the same order, so that a batch gets
the numbers of its samples bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from imgkit.stages import Size

RADIANS = math.pi / 180


def crop_entries(top: Any, left: Any) -> tuple[Any, ...]:
    """Make (left, top) the first pixel; negative values pad."""
    return 1.0, 0.0, 0.0 - left, 0.0, 1.0, 0.0 - top


def resize_entries(size: Size, out_size: Size) -> tuple[Any, ...]:
    """Resize with aligned edges: ``out = (in + 0.5) * scale - 0.5``."""
    sy, sx = out_size[0] / size[0], out_size[1] / size[1]
    return sx, 0.0, (sx - 1) / 2, 0.0, sy, (sy - 1) / 2


def about_entries(
    a: Any, b: Any, c: Any, d: Any, size: Size, dx: Any = 0.0, dy: Any = 0.0
) -> tuple[Any, ...]:
    """Run the linear map ``[[a, b], [c, d]]`` about the middle of a canvas, then shift."""
    x, y = (size[1] - 1) / 2, (size[0] - 1) / 2
    return a, b, x + dx - (a * x + b * y), c, d, y + dy - (c * x + d * y)


def like_number(function: Callable[[Any], Any], value: Any) -> Any:
    """Call a function of NumPy's; the result for a number is the bits of that for an array."""
    result = function(value)
    return result if isinstance(value, np.ndarray) else float(result)


def turn(degrees: Any) -> tuple[Any, Any]:
    """Return cosine and sine, exact for multiples of 90."""
    quarters = np.rint(degrees / 90)
    rest = (degrees - 90 * quarters) * RADIANS
    cos, sin = np.cos(rest), np.sin(rest)
    quarter = np.asarray(quarters).astype(np.int64) % 4
    if isinstance(degrees, np.ndarray):
        return (
            np.choose(quarter, [cos, -sin, -cos, sin]),
            np.choose(quarter, [sin, cos, -sin, -cos]),
        )
    cos, sin = ((cos, sin), (-sin, cos), (-cos, -sin), (sin, -cos))[quarter]
    return float(cos), float(sin)


def corner_entries(corners: tuple[tuple[Any, Any], ...], size: Size) -> tuple[Any, ...]:
    """Take the corners of a canvas, of pixel edges and clockwise from the first, to four others.

    Source: Heckbert, Fundamentals of Texture Mapping and Image Warping, 1989, section 2.2.3.
    """
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners
    height, width = size
    dx1, dx2, dy1, dy2 = x1 - x2, x3 - x2, y1 - y2, y3 - y2
    sx, sy = x0 - x1 + x2 - x3, y0 - y1 + y2 - y3
    det = dx1 * dy2 - dx2 * dy1
    g, h = (sx * dy2 - dx2 * sy) / det / width, (dx1 * sy - sx * dy1) / det / height
    a, b = (x1 - x0) / width + g * x1, (x3 - x0) / height + h * x3
    d, e = (y1 - y0) / width + g * y1, (y3 - y0) / height + h * y3
    last = 1 + (g + h) / 2  # the corner of pixel edges lies at -1/2
    x, y = x0 + (a + b) / 2, y0 + (d + e) / 2
    return tuple(v / last for v in (a, b, x, d, e, y, g, h, last))
