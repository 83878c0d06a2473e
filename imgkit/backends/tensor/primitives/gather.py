"""Reads the pixels of a batch at positions of each sample, through borders, pads and blurs.

Pixels are read with `gather`, never with matrix products or `grid_sample`, whose results depend on
the TF32 and autocast settings of the caller.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from imgkit.backends.tensor.primitives.pixels import along, fold
from imgkit.backends.tensor.primitives.positions import FAR, Numbers, Path
from imgkit.geometry.resolve_batch import CODES


def fold_any(index: Tensor, length: Tensor, codes: Tensor, present: tuple[int, ...]) -> Tensor:
    """Fold each sample by its own border."""
    folded = fold(index, length, present[0])
    for code in present[1:]:
        folded = torch.where(codes == code, fold(index, length, code), folded)
    return folded


# pixels along an axis, and which of them show the fill and the pad
Pixels = tuple[Tensor, Tensor | None, Tensor | None]


class Source(NamedTuple):
    """Pixels to read at whole positions: a window of an image, or a blurred plane around it."""

    planes: Tensor  # (N, C, H * W)
    size: tuple[int, int]
    blurred: tuple[int, int] | None  # the margin of a blurred plane, rows and columns
    path: Path
    numbers: Numbers

    def axis(self, index: Tensor, axis: int) -> Pixels:
        """Map window positions of an axis to pixels, with masks of the fill and of the pad."""
        path, numbers = self.path, self.numbers
        length = numbers["window"][:, 2 + axis, None]
        codes = numbers["border"][:, None]
        constant = CODES["constant"]
        if self.blurred is not None:
            margin = self.blurred[axis]
            near = torch.minimum(index.clamp(min=-margin), length - 1 + margin)
            for code in path.borders:
                if code not in (constant, CODES["edge"]):
                    near = torch.where(codes == code, fold(index, length, code), near)
            return near + margin, None, None
        outside = None
        if constant in path.borders:
            outside = (codes == constant) & ((index < 0) | (index >= length))
        index = fold_any(index, length, codes, path.borders) + numbers["window"][:, axis, None]
        if not path.pads:
            return index, outside, None
        whole = torch.full_like(length, self.size[axis])
        pads = numbers["pad"][:, None]
        padded = (pads == constant) & ((index < 0) | (index >= whole))
        return fold_any(index, whole, pads, path.pads), outside, padded

    def read(self, row: Pixels, column: Pixels) -> Tensor:
        """Return the pixels (N, C, P) at the rows and columns that `axis` gave."""
        place = row[0] * self.size[1] + column[0]
        count, channels = self.planes.shape[:2]
        pixels = self.planes.gather(2, place[:, None].expand(count, channels, -1))
        for mask, name in ((2, "pad_fill"), (1, "fill")):
            beside, above = row[mask], column[mask]
            if beside is not None and above is not None:
                fill = self.numbers[name].to(pixels.dtype)[..., None]
                pixels = torch.where((beside | above)[:, None], fill, pixels)
        return pixels


def floats(x: Tensor) -> Tensor:
    """Return the values that an image is computed with."""
    return x.to(torch.float64 if x.dtype == torch.float64 else torch.float32)


def _repeated(pixels: Pixels, size: tuple[int, int], axis: int) -> Pixels:
    """Repeat the pixels of rows (N, H) or columns (N, W) over a canvas, (N, H * W)."""
    place, outside, padded = (
        None if values is None else values.unsqueeze(axis).expand(-1, *size).flatten(1)
        for values in pixels
    )
    assert place is not None  # the masks alone may be
    return place, outside, padded


def source_of(x: Tensor, path: Path, numbers: Numbers) -> Source:
    """Return what a path samples: the window, blurred as far as its maps shrink it."""
    plain = Source(floats(x).flatten(2), (x.shape[2], x.shape[3]), None, path, numbers)
    if path.reach is None:
        return plain
    height, width = path.resized  # the largest window
    margin = (path.reach[0] + 1, path.reach[1] + 1)  # from where on nothing of the window shows
    down, across = (m + r for m, r in zip(margin, path.reach, strict=True))
    rows = torch.arange(-down, height + down, device=x.device)[None]
    columns = torch.arange(-across, width + across, device=x.device)[None]
    size = (rows.shape[1], columns.shape[1])
    row, column = plain.axis(rows, 0), plain.axis(columns, 1)
    plane = plain.read(_repeated(row, size, 2), _repeated(column, size, 1)).unflatten(2, size)
    for axis, name in ((2, "taps_y"), (3, "taps_x")):
        plane = along(plane, numbers[name].to(plane.dtype), axis)
    return Source(plane.flatten(2), (plane.shape[2], plane.shape[3]), margin, path, numbers)


def interpolate(source: Source, x: Tensor, y: Tensor) -> Tensor:
    """Interpolate at positions (N, P)."""
    x, y = (torch.nan_to_num(v, nan=FAR).clamp(-FAR, FAR) for v in (x, y))
    interpolation = source.path.interpolation
    if interpolation == "nearest":
        column, row = ((v + (0.5 + 1e-9)).floor().to(torch.int64) for v in (x, y))
        return source.read(source.axis(row, 0), source.axis(column, 1))
    left, upper = x.floor(), y.floor()
    kind = source.planes.dtype
    fraction_x, fraction_y = (x - left).to(kind), (y - upper).to(kind)
    column, row = left.to(torch.int64), upper.to(torch.int64)
    first, weigh = (-1, _cubic) if interpolation == "bicubic" else (0, _linear)
    weights_x, weights_y = weigh(fraction_x), weigh(fraction_y)
    columns = [source.axis(column + first + i, 1) for i in range(len(weights_x))]
    total: Any = 0.0
    for i, weight_y in enumerate(weights_y):
        at = source.axis(row + first + i, 0)
        line: Any = 0.0
        for weight_x, column_at in zip(weights_x, columns, strict=True):
            line = line + weight_x[:, None] * source.read(at, column_at)
        total = total + weight_y[:, None] * line
    return total


def _linear(fraction: Tensor) -> tuple[Tensor, ...]:
    return 1 - fraction, fraction


def _cubic(fraction: Tensor, a: float = -0.75) -> tuple[Tensor, ...]:
    """Return Keys' weights of the four pixels around a position."""
    back = 1 - fraction

    def near(t: Tensor) -> Tensor:
        return ((a + 2) * t - (a + 3)) * t * t + 1

    def far(t: Tensor) -> Tensor:
        return ((t - 5) * t + 8) * t * a - 4 * a

    return far(1 + fraction), near(fraction), near(back), far(1 + back)
