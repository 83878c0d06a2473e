"""Transforms of colors: linear steps, hue turns, and curves of one value.

A linear step is ``x' = A x + B mean(x) + c`` with x a color (3,) in fractions of the full range,
clipped afterwards; the rows of its (3, 7) matrix are [A | B | c].
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from imgkit.augment.transforms.base import Array, Numbers, Transform, is_scalar, samples_of
from imgkit.augment.transforms.parameters import Param, integer, jitter, largest, number
from imgkit.stages import IDENTITY_STEP, Size

GRAY = (0.2989, 0.587, 0.114)  # ITU-R BT.601 luma, rounded as torchvision rounds it
JITTER = ("brightness", "contrast", "saturation")
Rows = list[list[Any]]  # of a step: 3 x 7 entries, numbers or arrays of length N


def brightness_rows(factor: Any, offset: Any = 0.0) -> Rows:
    """Scale, then add: ``f x + c``."""
    return [
        [factor, 0.0, 0.0, 0.0, 0.0, 0.0, offset],
        [0.0, factor, 0.0, 0.0, 0.0, 0.0, offset],
        [0.0, 0.0, factor, 0.0, 0.0, 0.0, offset],
    ]


def contrast_rows(factor: Any) -> Rows:
    """Blend with the mean of the gray image: ``f x + (1 - f) mean(gray)``."""
    mean = [(1 - factor) * share for share in GRAY]
    return [
        [factor, 0.0, 0.0, *mean, 0.0],
        [0.0, factor, 0.0, *mean, 0.0],
        [0.0, 0.0, factor, *mean, 0.0],
    ]


def saturation_rows(factor: Any) -> Rows:
    """Blend with the gray image: ``f x + (1 - f) gray(x)``."""
    red, green, blue = [(1 - factor) * share for share in GRAY]
    return [
        [factor + red, green, blue, 0.0, 0.0, 0.0, 0.0],
        [red, factor + green, blue, 0.0, 0.0, 0.0, 0.0],
        [red, green, factor + blue, 0.0, 0.0, 0.0, 0.0],
    ]


ROWS = {
    "brightness": brightness_rows,
    "contrast": contrast_rows,
    "saturation": saturation_rows,
}


def stacked(rows: Rows, samples: int) -> Array:
    """Return (N, 1, 3, 7) of a step for N samples."""
    steps = np.zeros((samples, 1, 3, 7))
    for i, row in enumerate(rows):
        for j, entry in enumerate(row):
            steps[:, 0, i, j] = entry
    return steps


# --- linear color -------------------------------------------------------------------------


class LinearColor(Transform):
    """The base: one linear step, given by `rows`."""

    stage_kinds: ClassVar[tuple[str, ...]] = ("color",)
    vectorized: ClassVar[bool] = True
    colors: ClassVar[bool] = True
    keeps_scale: ClassVar[bool] = True

    def rows(self, numbers: Numbers) -> Rows:
        """Return the rows of the step."""
        raise TypeError(f"{self.name} has no step")

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> Any:
        """Return the step of N samples; of one in plain numbers, a list of its rows."""
        rows = self.rows(numbers)
        return [rows] if is_scalar(numbers) else stacked(rows, samples_of(numbers))


class Brightness(LinearColor):
    """Scale all values by a factor, then add `offset`, a fraction of the full range.

    A factor of 1 and an offset of 0 change nothing, a factor of 0 is black.
    """

    factor: Param = number(low=0)
    offset: Param = number(0.0, low=-1, high=1)
    colors: ClassVar[bool] = False

    @property
    def commutes(self) -> bool:
        """Factors up to 1 clip nothing; an offset may."""
        return largest(self.factor) <= 1 and self.offset == 0

    def rows(self, numbers: Numbers) -> Rows:
        """Return the rows of the step."""
        return brightness_rows(numbers["factor"], numbers["offset"])


class Contrast(LinearColor):
    """Blend with the mean of the gray image; 1 changes nothing, 0 is flat gray."""

    factor: Param = number(low=0)

    def rows(self, numbers: Numbers) -> Rows:
        """Return the rows of the step."""
        return contrast_rows(numbers["factor"])


class Saturation(LinearColor):
    """Blend with the gray image; 1 changes nothing, 0 is gray."""

    factor: Param = number(low=0)

    @property
    def commutes(self) -> bool:
        """Factors up to 1 clip nothing."""
        return largest(self.factor) <= 1

    def rows(self, numbers: Numbers) -> Rows:
        """Return the rows of the step."""
        return saturation_rows(numbers["factor"])


class Grayscale(LinearColor):
    """Replace each color by its gray; the shape stays."""

    @property
    def commutes(self) -> bool:
        """It clips nothing."""
        return True

    def rows(self, numbers: Numbers) -> Rows:
        """Return the rows of the step."""
        return saturation_rows(0.0)


class ChannelShuffle(Transform):
    """Put the three channels in random order."""

    stage_kinds: ClassVar[tuple[str, ...]] = ("color",)
    vectorized: ClassVar[bool] = True
    colors: ClassVar[bool] = True
    keeps_scale: ClassVar[bool] = True

    @property
    def commutes(self) -> bool:
        """It clips nothing."""
        return True

    def draw(self, rng: Any, size: Size) -> Numbers:
        """Draw the order."""
        return {"order": rng.permutation(3)}

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> Any:
        """Return a linear step that permutes."""
        order: Any = numbers["order"]
        if is_scalar(numbers):
            return [[[float(i == source) for i in range(7)] for source in order]]
        return np.eye(3, 7)[order][:, None]


class Hue(Transform):
    """Turn the HSV hue by a shift in turns, -0.5 to 0.5."""

    shift: Param = number(low=-0.5, high=0.5)
    stage_kinds: ClassVar[tuple[str, ...]] = ("hue",)
    vectorized: ClassVar[bool] = True
    colors: ClassVar[bool] = True
    keeps_scale: ClassVar[bool] = True

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> Any:
        """Return the shift."""
        return numbers["shift"]


class ColorJitter(Transform):
    """Brightness, contrast, saturation and hue in random order, as torchvision means them.

    A number b draws the factor from max(0, 1 - b)..1 + b (the hue from -b..b); a pair bounds it.

    >>> ColorJitter(0.2, hue=0.05).brightness
    (0.8, 1.2)
    """

    brightness: Any = jitter(1.0, float("inf"))
    contrast: Any = jitter(1.0, float("inf"))
    saturation: Any = jitter(1.0, float("inf"))
    hue: Any = jitter(0.0, 0.5)
    vectorized: ClassVar[bool] = True
    colors: ClassVar[bool] = True
    keeps_scale: ClassVar[bool] = True
    blocks: ClassVar[int] = 3

    @property
    def stage_kinds(self) -> tuple[str, ...]:  # type: ignore[override]
        """Linear steps, and with a hue the steps that come after it."""
        return ("color",) if self.hue == (0.0, 0.0) else ("color", "hue", "color")

    def draw(self, rng: Any, size: Size) -> Numbers:
        """Draw the order of the three factors and the shift, which are drawn before."""
        return {"order": rng.permutation(4)}  # (N, 4), 3 is the hue

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> Any:
        """Return the steps before the hue, its shift, or the steps after it."""
        if stage_index == 1:
            return numbers["hue"]
        order: Any = numbers["order"]
        if isinstance(order, list):
            return self._scalar_steps(stage_index, numbers, order)
        rows = [ROWS[name](numbers[name]) for name in JITTER]
        options = np.empty((len(order), 4, 3, 7))
        options[:, 3] = IDENTITY_STEP
        for step, each in enumerate(rows):
            options[:, step] = stacked(each, len(order))[:, 0]
        if len(self.stage_kinds) > 1:
            turn = np.argmax(order == 3, axis=1)[:, None]
            place = np.arange(4)
            order = np.where(place < turn if stage_index == 0 else place > turn, order, 3)
        return options[np.arange(len(order))[:, None], order]

    def _scalar_steps(self, stage_index: int, numbers: Numbers, order: list[int]) -> list[Rows]:
        """Return the steps of one sample."""
        if self.hue != (0.0, 0.0):
            turn = order.index(3)
            order = order[:turn] if stage_index == 0 else order[turn + 1 :]
        return [ROWS[JITTER[step]](numbers[JITTER[step]]) for step in order if step < 3]


# --- curves -------------------------------------------------------------------------------


class Curve(Transform):
    """The base: a function of one value, `function` of layer one, and its parameter."""

    stage_kinds: ClassVar[tuple[str, ...]] = ("curve",)
    vectorized: ClassVar[bool] = True
    keeps_scale: ClassVar[bool] = True
    function: ClassVar[str] = ""

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> tuple[str, Any]:
        """Return the function, and its parameter as a float."""
        if not self.drawn_fields:
            return self.function, 0.0 * numbers["active"]
        ((parameter, _),) = self.drawn_fields
        return self.function, 1.0 * numbers[parameter]


class Gamma(Curve):
    """Raise the values, as fractions of the full range, to a power; 1 changes nothing."""

    gamma: Param = number(low=0)
    function: ClassVar[str] = "adjust_gamma"


class Posterize(Curve):
    """Keep the highest bits of an 8-bit scale; 8 changes nothing, 0 is black."""

    bits: Param = integer(low=0, high=8)
    function: ClassVar[str] = "posterize"


class Solarize(Curve):
    """Invert the values at or above a threshold, a fraction of the full range."""

    threshold: Param = number(0.5, low=0)
    function: ClassVar[str] = "solarize"


class Invert(Curve):
    """Swap dark and bright."""

    function: ClassVar[str] = "invert"


class Equalize(Curve):
    """Spread the histogram of each channel evenly."""

    function: ClassVar[str] = "equalize"
    needs_whole_image: ClassVar[bool] = True


class AutoContrast(Curve):
    """Stretch each channel to the full range."""

    function: ClassVar[str] = "autocontrast"
    needs_whole_image: ClassVar[bool] = True
