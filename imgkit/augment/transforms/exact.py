"""Geometric ops that keep pixels whole: flips, quarter turns, crops and pads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from imgkit.augment.transforms.base import (
    Array,
    Numbers,
    Param,
    Size,
    Transform,
    border_word,
    count,
    declare,
    draw_integer,
    fill,
    image_size,
    integer,
)
from imgkit.augment.transforms.hops import RESAMPLE, crop, matrices, move
from imgkit.checks import check_int
from imgkit.stages import GeometricStep

if TYPE_CHECKING:
    from imgkit.draws import Draw


@dataclass(frozen=True)
class HorizontalFlip(Transform):
    """Mirror left and right."""

    parts: ClassVar[tuple[str, ...]] = RESAMPLE
    plain: ClassVar[bool] = True

    def lower(self, part: int, numbers: Numbers, size: Size) -> GeometricStep:
        """Return a move."""
        return move(self, numbers, (-1.0, 0.0, size[1] - 1, 0.0, 1.0, 0.0), size, size)


@dataclass(frozen=True)
class VerticalFlip(Transform):
    """Mirror top and bottom."""

    parts: ClassVar[tuple[str, ...]] = RESAMPLE
    plain: ClassVar[bool] = True

    def lower(self, part: int, numbers: Numbers, size: Size) -> GeometricStep:
        """Return a move."""
        return move(self, numbers, (1.0, 0.0, 0.0, 0.0, -1.0, size[0] - 1), size, size)


@dataclass(frozen=True)
class Rotate90(Transform):
    """Turn counter-clockwise by `k` quarter turns; odd ones exchange height and width."""

    k: Param = integer((0, 3), low=-3, high=3)
    parts: ClassVar[tuple[str, ...]] = RESAMPLE
    plain: ClassVar[bool] = True

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the quarter turns."""
        return {"k": draw_integer(draw, self.k, samples)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> GeometricStep:
        """Return a move."""
        k: Any = numbers["k"] % 4
        right, bottom = size[1] - 1, size[0] - 1
        turns = (
            (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), (0.0, 1.0, 0.0, -1.0, 0.0, right),
            (-1.0, 0.0, right, 0.0, -1.0, bottom), (0.0, -1.0, bottom, 1.0, 0.0, 0.0),
        )  # fmt: skip
        if not isinstance(k, np.ndarray):
            return move(self, numbers, turns[k], size, size[::-1] if k % 2 else size)
        entries = [np.choose(k, options) for options in zip(*turns, strict=True)]
        return move(self, numbers, entries, size, _swapped(size, k % 2 == 1))


@dataclass(frozen=True)
class Transpose(Transform):
    """Exchange rows and columns; height and width change places."""

    parts: ClassVar[tuple[str, ...]] = RESAMPLE
    plain: ClassVar[bool] = True

    def lower(self, part: int, numbers: Numbers, size: Size) -> GeometricStep:
        """Return a move."""
        out_size = (size[1], size[0])
        return move(self, numbers, (0.0, 1.0, 0.0, 1.0, 0.0, 0.0), size, out_size)


def _swapped(size: Size, odd: Array) -> Size:
    """Return the size with height and width exchanged where `odd`."""
    height, width = size
    if np.array_equal(height, width) or not odd.any():
        return size
    if odd.all():
        return width, height
    return np.where(odd, width, height), np.where(odd, height, width)


@dataclass(frozen=True)
class CenterCrop(Transform):
    """Keep the middle; what a smaller image lacks is filled."""

    size: Any = image_size()
    border: str = border_word()
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = RESAMPLE
    plain: ClassVar[bool] = True

    def lower(self, part: int, numbers: Numbers, size: Size) -> GeometricStep:
        """Return a move; an odd remainder rounds as torchvision's does."""
        top, left = (np.rint((size[axis] - self.size[axis]) / 2.0) for axis in (0, 1))
        matrix = matrices(numbers, crop(top, left))
        return GeometricStep(self.name, "move", size, self.size, matrix, outside=True,
                             border=self.border, fill=self.fill)  # fmt: skip


@dataclass(frozen=True)
class RandomCrop(Transform):
    """Keep a window of `size` anywhere on the image, grown by `padding` on each side first."""

    size: Any = image_size()
    padding: int = count(0, low=0)
    border: str = border_word()
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = RESAMPLE
    plain: ClassVar[bool] = True
    blocks: ClassVar[int] = 2

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw top and left, each as likely."""
        top, left = (
            draw.integers(0, self._spare(size, axis) + 1) - self.padding for axis in (0, 1)
        )
        return {"top": top, "left": left}

    def _spare(self, size: Size, axis: int) -> Any:
        """Return how many places less one the window has; `lower` tells whether it has any."""
        spare = size[axis] + 2 * self.padding - self.size[axis]
        return np.maximum(spare, 0) if isinstance(spare, np.ndarray) else max(spare, 0)

    def _check_fits(self, active: Any, size: Size) -> None:
        """Raise if an image that is to be cropped is smaller than the window."""
        for axis, name in enumerate(("height", "width")):
            lengths = size[axis]
            least = lengths
            if isinstance(lengths, np.ndarray):
                least = int(lengths.min(initial=self.size[axis], where=active))
            missing = self.size[axis] - least - 2 * self.padding
            if missing > 0:
                raise ValueError(
                    f"size is {self.size}: the image's {name} is {least} with {self.padding} of "
                    f"padding; Resize it first, or pad by at least {missing + 1 >> 1} more"
                )

    def lower(self, part: int, numbers: Numbers, size: Size) -> GeometricStep:
        """Return a move."""
        self._check_fits(numbers["active"], size)
        matrix = matrices(numbers, crop(numbers["top"], numbers["left"]))
        return GeometricStep(self.name, "move", size, self.size, matrix, outside=self.padding > 0,
                   border=self.border, fill=self.fill)  # fmt: skip


def _four_sides(value: Any, name: str) -> tuple[int, int, int, int]:
    """Check a padding: one integer, (vertical, horizontal) or (top, bottom, left, right)."""
    values = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    sides = tuple(check_int(v, f"{name}[{i}]", 0) for i, v in enumerate(values))
    if len(sides) == 1:
        return sides * 4
    if len(sides) == 2:
        return sides[0], sides[0], sides[1], sides[1]
    if len(sides) == 4:
        return sides
    raise ValueError(
        f"{name} is {value!r}: it takes one integer, (vertical, horizontal) or "
        "(top, bottom, left, right)"
    )


@dataclass(frozen=True)
class Pad(Transform):
    """Add pixels around: one integer, (vertical, horizontal) or (top, bottom, left, right)."""

    padding: Any = declare(_four_sides, 0)
    border: str = border_word()
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = RESAMPLE
    plain: ClassVar[bool] = True

    def lower(self, part: int, numbers: Numbers, size: Size) -> GeometricStep:
        """Return a move."""
        top, bottom, left, right = self.padding
        out_size = (size[0] + top + bottom, size[1] + left + right)
        matrix = matrices(numbers, crop(-top, -left))
        return GeometricStep(self.name, "move", size, out_size, matrix, outside=True,
                             border=self.border, fill=self.fill)  # fmt: skip
