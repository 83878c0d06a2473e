"""What may happen to colors: linear steps, hue turns, and curves of one value.

A linear step is ``x' = A x + B mean(x) + c`` with x a color (3,) in fractions of the full range,
clipped afterwards; the rows of its (3, 7) matrix are [A | B | c].
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from imgkit.augment.transforms.base import (
    Array,
    Numbers,
    Param,
    Size,
    Transform,
    count,
    draw_integer,
    draw_number,
    integer,
    most,
    number,
)
from imgkit.checks import check_number
from imgkit.registry import HOST_ONLY
from imgkit.stages import IDENTITY_STEP

if TYPE_CHECKING:
    from imgkit.draws import Draw

GRAY = (0.2989, 0.587, 0.114)  # ITU-R BT.601 luma, rounded as torchvision rounds it
JITTER = ("brightness", "contrast", "saturation")


Rows = list[list[Any]]  # of a step: 3 x 7 entries, numbers or arrays of length N


def brightness_rows(factor: Any, offset: Any = 0.0) -> Rows:
    """Scale, then add: ``f x + c``."""
    rows = [[0.0] * 6 + [offset] for _ in range(3)]
    for channel, row in enumerate(rows):
        row[channel] = factor
    return rows


def contrast_rows(factor: Any) -> Rows:
    """Blend with the mean of the gray image: ``f x + (1 - f) mean(gray)``."""
    rows = brightness_rows(factor)
    for row in rows:
        row[3:6] = [(1 - factor) * share for share in GRAY]
    return rows


def saturation_rows(factor: Any) -> Rows:
    """Blend with the gray image: ``f x + (1 - f) gray(x)``."""
    rows = brightness_rows(factor)
    for row in rows:
        row[:3] = [v + (1 - factor) * share for v, share in zip(row[:3], GRAY, strict=True)]
    return rows


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


def brightness_step(factor: Array) -> Array:
    """Return `brightness_rows` of N factors, (N, 1, 3, 7)."""
    return stacked(brightness_rows(factor), len(factor))


def contrast_step(factor: Array) -> Array:
    """Return `contrast_rows` of N factors, (N, 1, 3, 7)."""
    return stacked(contrast_rows(factor), len(factor))


def saturation_step(factor: Array) -> Array:
    """Return `saturation_rows` of N factors, (N, 1, 3, 7)."""
    return stacked(saturation_rows(factor), len(factor))


def _step(numbers: Numbers, rows: Rows) -> Any:
    """Return a step for N samples; for one in plain numbers, a list of its rows."""
    active: Any = numbers["active"]
    return [rows] if isinstance(active, bool) else stacked(rows, len(active))


@dataclass(frozen=True)
class Brightness(Transform):
    """Scale all values by a factor, then add `offset`, a fraction of the full range.

    A factor of 1 and an offset of 0 change nothing, a factor of 0 is black.
    """

    factor: Param = number(low=0)
    offset: Param = number(0.0, low=-1, high=1)
    parts: ClassVar[tuple[str, ...]] = ("color",)
    plain: ClassVar[bool] = True

    @property
    def commutes(self) -> bool:
        """Factors up to 1 clip nothing; an offset may."""
        return most(self.factor) <= 1 and self.offset == 0

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the factor and the offset."""
        factor = draw_number(draw, self.factor, samples)
        return {"factor": factor, "offset": draw_number(draw, self.offset, samples)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Array:
        """Return a linear step."""
        return _step(numbers, brightness_rows(numbers["factor"], numbers["offset"]))


@dataclass(frozen=True)
class Contrast(Transform):
    """Blend with the mean of the gray image; 1 changes nothing, 0 is flat gray."""

    factor: Param = number(low=0)
    parts: ClassVar[tuple[str, ...]] = ("color",)
    plain: ClassVar[bool] = True
    colors: ClassVar[bool] = True

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the factor."""
        return {"factor": draw_number(draw, self.factor, samples)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Array:
        """Return a linear step."""
        return _step(numbers, contrast_rows(numbers["factor"]))


@dataclass(frozen=True)
class Saturation(Transform):
    """Blend with the gray image; 1 changes nothing, 0 is gray."""

    factor: Param = number(low=0)
    parts: ClassVar[tuple[str, ...]] = ("color",)
    plain: ClassVar[bool] = True
    colors: ClassVar[bool] = True

    @property
    def commutes(self) -> bool:
        """Factors up to 1 clip nothing."""
        return most(self.factor) <= 1

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the factor."""
        return {"factor": draw_number(draw, self.factor, samples)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Array:
        """Return a linear step."""
        return _step(numbers, saturation_rows(numbers["factor"]))


@dataclass(frozen=True)
class Hue(Transform):
    """Turn the HSV hue by a shift in turns, -0.5 to 0.5."""

    shift: Param = number(low=-0.5, high=0.5)
    parts: ClassVar[tuple[str, ...]] = ("hue",)
    plain: ClassVar[bool] = True
    colors: ClassVar[bool] = True

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the shift."""
        return {"shift": draw_number(draw, self.shift, samples)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Array:
        """Return the shift."""
        return numbers["shift"]


def _around(center: float, limit: float) -> Any:
    """Check a jitter as torchvision reads it: a number spreads around `center`, a pair bounds."""

    def check(value: Any, name: str) -> tuple[float, float]:
        if isinstance(value, (list, tuple)):
            if len(value) != 2:
                raise ValueError(f"{name} is {value!r}: it takes a number or a pair (low, high)")
            low, high = (check_number(v, f"{name}[{i}]") for i, v in enumerate(value))
        else:
            spread = check_number(value, name, 0)
            low, high = center - spread, center + spread
            if center:
                low = max(low, 0.0)
        bottom = 0.0 if center else -limit
        if not bottom <= low <= high <= limit:
            raise ValueError(f"{name} is {value!r}: it must lie in {bottom:g}..{limit:g}")
        return low, high

    return check


def _jitter(center: float, limit: float) -> Any:
    return dataclasses.field(
        default=(center, center), metadata={"check": _around(center, limit), "center": center}
    )


@dataclass(frozen=True)
class ColorJitter(Transform):
    """Brightness, contrast, saturation and hue in random order, as torchvision means them.

    A number b draws the factor from max(0, 1 - b)..1 + b (the hue from -b..b); a pair bounds it.

    >>> ColorJitter(0.2, hue=0.05).brightness
    (0.8, 1.2)
    """

    brightness: Any = _jitter(1.0, float("inf"))
    contrast: Any = _jitter(1.0, float("inf"))
    saturation: Any = _jitter(1.0, float("inf"))
    hue: Any = _jitter(0.0, 0.5)
    colors: ClassVar[bool] = True
    plain: ClassVar[bool] = True
    blocks: ClassVar[int] = 3

    @property
    def parts(self) -> tuple[str, ...]:  # type: ignore[override]
        """Linear steps, and with a hue the steps that come after it."""
        return ("color",) if self.hue == (0.0, 0.0) else ("color", "hue", "color")

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw three factors, a shift and the order."""
        numbers = {name: draw.uniform(*getattr(self, name)) for name in (*JITTER, "hue")}
        return numbers | {"order": draw.permutation(4)}  # (N, 4), 3 is the hue

    def lower(self, part: int, numbers: Numbers, size: Size) -> Any:
        """Return the steps before the hue, its shift, or the steps after it."""
        if part == 1:
            return numbers["hue"]
        order: Any = numbers["order"]
        if isinstance(order, list):
            if len(self.parts) > 1:
                turn = order.index(3)
                order = order[:turn] if part == 0 else order[turn + 1 :]
            names = [JITTER[step] for step in order if step < 3]
            return [ROWS[name](numbers[name]) for name in names]
        rows = [ROWS[name](numbers[name]) for name in JITTER]
        options = np.empty((len(order), 4, 3, 7))
        options[:, 3] = IDENTITY_STEP
        for step, each in enumerate(rows):
            options[:, step] = stacked(each, len(order))[:, 0]
        if len(self.parts) > 1:
            turn = np.argmax(order == 3, axis=1)[:, None]
            place = np.arange(4)
            order = np.where(place < turn if part == 0 else place > turn, order, 3)
        return options[np.arange(len(order))[:, None], order]


@dataclass(frozen=True)
class Grayscale(Transform):
    """Replace each color by its gray; the shape stays."""

    parts: ClassVar[tuple[str, ...]] = ("color",)
    plain: ClassVar[bool] = True
    colors: ClassVar[bool] = True

    @property
    def commutes(self) -> bool:
        """It clips nothing."""
        return True

    def lower(self, part: int, numbers: Numbers, size: Size) -> Array:
        """Return a linear step."""
        active: Any = numbers["active"]
        return _step(numbers, saturation_rows(0.0 if isinstance(active, bool) else 0.0 * active))


@dataclass(frozen=True)
class ChannelShuffle(Transform):
    """Put the three channels in random order."""

    parts: ClassVar[tuple[str, ...]] = ("color",)
    plain: ClassVar[bool] = True
    colors: ClassVar[bool] = True

    @property
    def commutes(self) -> bool:
        """It clips nothing."""
        return True

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the order."""
        return {"order": draw.permutation(3)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Any:
        """Return a linear step that permutes."""
        order: Any = numbers["order"]
        if isinstance(order, list):
            return [[[float(i == source) for i in range(7)] for source in order]]
        return np.eye(3, 7)[order][:, None]


# --- curves -------------------------------------------------------------------------------

Piece = tuple[str, Array]


@dataclass(frozen=True)
class Gamma(Transform):
    """Raise the values, as fractions of the full range, to a power; 1 changes nothing."""

    gamma: Param = number(low=0)
    parts: ClassVar[tuple[str, ...]] = ("curve",)
    plain: ClassVar[bool] = True

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the exponent."""
        return {"gamma": draw_number(draw, self.gamma, samples)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Piece:
        """Return a curve."""
        return "adjust_gamma", numbers["gamma"]


@dataclass(frozen=True)
class Posterize(Transform):
    """Keep the highest bits of an 8-bit scale; 8 changes nothing, 0 is black."""

    bits: Param = integer(low=0, high=8)
    parts: ClassVar[tuple[str, ...]] = ("curve",)
    plain: ClassVar[bool] = True

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the bits."""
        return {"bits": draw_integer(draw, self.bits, samples)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Piece:
        """Return a curve."""
        return "posterize", 1.0 * numbers["bits"]


@dataclass(frozen=True)
class Solarize(Transform):
    """Invert the values at or above a threshold, a fraction of the full range."""

    threshold: Param = number(0.5, low=0)
    parts: ClassVar[tuple[str, ...]] = ("curve",)
    plain: ClassVar[bool] = True

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the threshold."""
        return {"threshold": draw_number(draw, self.threshold, samples)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Piece:
        """Return a curve."""
        return "solarize", numbers["threshold"]


@dataclass(frozen=True)
class Invert(Transform):
    """Swap dark and bright."""

    parts: ClassVar[tuple[str, ...]] = ("curve",)
    plain: ClassVar[bool] = True

    def lower(self, part: int, numbers: Numbers, size: Size) -> Piece:
        """Return a curve."""
        return "invert", 0.0 * numbers["active"]


@dataclass(frozen=True)
class Equalize(Transform):
    """Spread the histogram of each channel evenly."""

    parts: ClassVar[tuple[str, ...]] = ("curve",)
    plain: ClassVar[bool] = True

    def lower(self, part: int, numbers: Numbers, size: Size) -> Piece:
        """Return a curve that the image itself decides."""
        return "equalize", 0.0 * numbers["active"]


@dataclass(frozen=True)
class AutoContrast(Transform):
    """Stretch each channel to the full range."""

    parts: ClassVar[tuple[str, ...]] = ("curve",)
    plain: ClassVar[bool] = True

    def lower(self, part: int, numbers: Numbers, size: Size) -> Piece:
        """Return a curve that the image itself decides."""
        return "autocontrast", 0.0 * numbers["active"]


@dataclass(frozen=True)
class CLAHE(Transform):
    """Equalize locally, with limited contrast, in a grid of tiles; on the host alone."""

    clip_limit: Param = number(2.0, low=0, above=True)
    tiles: int = count(8)
    parts: ClassVar[tuple[str, ...]] = ("filter",)
    colors: ClassVar[bool] = True

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the limit."""
        return {"clip_limit": draw_number(draw, self.clip_limit, samples)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> tuple[str, Numbers, str]:
        """Return a filter."""
        tiles = np.full(len(numbers["clip_limit"]), self.tiles)
        parameters = {"clip_limit": numbers["clip_limit"], "tiles": tiles}
        return "clahe", parameters, HOST_ONLY[self.name]
