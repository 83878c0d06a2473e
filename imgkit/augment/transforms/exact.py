"""Geometric transforms that keep pixels whole: flips, quarter turns, crops and pads."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from imgkit.augment.transforms.base import Array, Numbers, Transform, matrices
from imgkit.augment.transforms.parameters import (
    Param,
    border,
    count,
    declare,
    fill,
    image_size,
    integer,
)
from imgkit.checks import check_int
from imgkit.geometry.entries import crop_entries
from imgkit.stages import GeometricStep, Size


class ExactMove(Transform):
    """The base: a map of whole pixels, given by `entries`, onto a canvas of any size."""

    stage_kinds: ClassVar[tuple[str, ...]] = ("resample",)
    vectorized: ClassVar[bool] = True
    exact: ClassVar[bool] = True
    keeps_scale: ClassVar[bool] = True

    def entries(self, numbers: Numbers, size: Size) -> tuple[Any, Size]:
        """Return the entries of the map, and the size of the canvas."""
        raise TypeError(f"{self.name} has no map")

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> GeometricStep:
        """Return a move."""
        entries, out_size = self.entries(numbers, size)
        return GeometricStep(self.name, "move", size, out_size, matrices(numbers, entries))


class HorizontalFlip(ExactMove):
    """Mirror left and right."""

    def entries(self, numbers: Numbers, size: Size) -> tuple[Any, Size]:
        """Return the mirror."""
        return (-1.0, 0.0, size[1] - 1, 0.0, 1.0, 0.0), size


class VerticalFlip(ExactMove):
    """Mirror top and bottom."""

    def entries(self, numbers: Numbers, size: Size) -> tuple[Any, Size]:
        """Return the mirror."""
        return (1.0, 0.0, 0.0, 0.0, -1.0, size[0] - 1), size


class Rotate90(ExactMove):
    """Turn counter-clockwise by `k` quarter turns; odd ones exchange height and width."""

    k: Param = integer((0, 3), low=-3, high=3)
    changes_size: ClassVar[bool] = True

    def entries(self, numbers: Numbers, size: Size) -> tuple[Any, Size]:
        """Return the turn."""
        k: Any = numbers["k"] % 4
        right, bottom = size[1] - 1, size[0] - 1
        turns: Any = (
            (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), (0.0, 1.0, 0.0, -1.0, 0.0, right),
            (-1.0, 0.0, right, 0.0, -1.0, bottom), (0.0, -1.0, bottom, 1.0, 0.0, 0.0),
        )  # fmt: skip
        if not isinstance(k, np.ndarray):
            return turns[k], (size[::-1] if k % 2 else size)
        entries = [np.choose(k, options) for options in zip(*turns, strict=True)]
        return entries, _swapped(size, k % 2 == 1)


def _swapped(size: Size, odd: Array) -> Size:
    """Return the size with height and width exchanged where `odd`."""
    height, width = size
    if np.array_equal(height, width) or not odd.any():
        return size
    if odd.all():
        return width, height
    return np.where(odd, width, height), np.where(odd, height, width)


class Transpose(ExactMove):
    """Exchange rows and columns; height and width change places."""

    changes_size: ClassVar[bool] = True

    def entries(self, numbers: Numbers, size: Size) -> tuple[Any, Size]:
        """Return the map."""
        return (0.0, 1.0, 0.0, 1.0, 0.0, 0.0), (size[1], size[0])


class Window(ExactMove):
    """The base of crops and pads: a window onto the image, given by `window`."""

    _: dataclasses.KW_ONLY
    border: str = border()
    fill: Any = fill()
    changes_size: ClassVar[bool] = True

    def window(self, numbers: Numbers, size: Size) -> tuple[Any, Any, Size, bool]:
        """Return top, left and size of the window, and whether it may reach beyond the image."""
        raise TypeError(f"{self.name} has no window")

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> GeometricStep:
        """Return a move."""
        top, left, out_size, outside = self.window(numbers, size)
        matrix = matrices(numbers, crop_entries(top, left))
        return GeometricStep(self.name, "move", size, out_size, matrix, outside=outside,
                             border=self.border, fill=self.fill)  # fmt: skip


class CenterCrop(Window):
    """Keep the middle; what a smaller image lacks is filled."""

    size: Any = image_size()

    def window(self, numbers: Numbers, size: Size) -> tuple[Any, Any, Size, bool]:
        """Return the window; an odd remainder rounds as torchvision's does."""
        top, left = (np.rint((size[axis] - self.size[axis]) / 2.0) for axis in (0, 1))
        return top, left, self.size, True


class RandomCrop(Window):
    """Keep a window of `size` anywhere on the image, grown by `padding` on each side first."""

    size: Any = image_size()
    padding: int = count(0, low=0)
    blocks: ClassVar[int] = 2

    def draw(self, rng: Any, size: Size) -> Numbers:
        """Draw top and left, each with equal probability."""
        top, left = (rng.integers(0, self._spare(size, axis) + 1) - self.padding for axis in (0, 1))
        return {"top": top, "left": left}

    def _spare(self, size: Size, axis: int) -> Any:
        """Return how many places the window has, less one; `window` checks that it has any."""
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

    def window(self, numbers: Numbers, size: Size) -> tuple[Any, Any, Size, bool]:
        """Return the drawn window."""
        self._check_fits(numbers["active"], size)
        return numbers["top"], numbers["left"], self.size, self.padding > 0


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


class Pad(Window):
    """Add pixels around: one integer, (vertical, horizontal) or (top, bottom, left, right)."""

    padding: Any = declare(_four_sides, 0)
    exact: ClassVar[bool] = False  # it shows pixels that the source does not have

    def window(self, numbers: Numbers, size: Size) -> tuple[Any, Any, Size, bool]:
        """Return a window larger than the image."""
        top, bottom, left, right = self.padding
        return -top, -left, (size[0] + top + bottom, size[1] + left + right), True
