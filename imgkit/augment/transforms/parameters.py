"""Declarations of a transform's fields: what each may be, and how its number is drawn.

A drawn field takes a number (fixed), a pair (uniform between them) or `Choice([...])`. Sizes are
``(H, W)`` or one integer for both. Intensities (`fill`, `threshold`, `std`) are fractions of the
full range, so that one pipeline means the same on every dtype.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from imgkit.border import check_border_word
from imgkit.checks import check_choice, check_int, check_number
from imgkit.draws import FieldDraw

INTERPOLATIONS = ("nearest", "bilinear", "bicubic")


@dataclass(frozen=True)
class Choice:
    """One of several values, with equal probability.

    >>> Choice([90, 180, 270])
    Choice(options=(90, 180, 270))
    """

    options: tuple[float, ...]

    def __init__(self, options: Sequence[float]) -> None:
        if not isinstance(options, (list, tuple)) or not options:
            raise ValueError(f"options is {options!r}: Choice takes a list of at least one value")
        object.__setattr__(self, "options", tuple(options))


Param = float | tuple[float, float] | Choice


def declare(
    check: Callable[[Any, str], Any],
    default: Any,
    kw_only: bool = False,
    drawn: Callable[[str, Any], FieldDraw] | None = None,
    **limits: Any,
) -> Any:
    """Declare a field whose value `check` validates and normalizes.

    `drawn` says how the field's number is drawn; None where it is not, or where `draw` does it.
    The limits repeat for readers what `check` demands: low, high, above, odd, choices; `neutral`
    is the value that changes nothing.
    """
    metadata = {"check": check, "drawn": drawn, "limits": limits}
    return field(default=default, kw_only=kw_only, metadata=metadata)


# --- drawn fields -----------------------------------------------------------------------


def number(
    default: Any = dataclasses.MISSING,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    above: bool = False,
    kw_only: bool = False,
    drawn: bool = True,
    neutral: float | None = None,
) -> Any:
    """Declare a drawn number: a number, a pair or a `Choice` within ``low..high``.

    ``drawn=False`` leaves the drawing to the transform's `draw`.
    """

    def check(value: Any, name: str) -> Param:
        def one(v: Any, label: str) -> float:
            return check_number(v, label, low, high, above=above)

        return _check_param(value, name, one)

    limits = {"low": low, "high": high, "above": above}
    limits |= {} if neutral is None else {"neutral": neutral}
    return declare(check, default, kw_only, draw_number if drawn else None, **limits)


def integer(
    default: Any = dataclasses.MISSING,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    odd: bool = False,
    kw_only: bool = False,
    drawn: bool = True,
) -> Any:
    """Declare a drawn integer; a pair is uniform over the integers from low to high inclusive."""

    def check(value: Any, name: str) -> Param:
        def one(v: Any, label: str) -> int:
            v = check_int(v, label, low, high)
            if odd and v % 2 == 0:
                raise ValueError(f"{label} is {v}: it must be odd, such as {v + 1}")
            return v

        return _check_param(value, name, one)

    how = draw_odd if odd else draw_integer
    return declare(check, default, kw_only, how if drawn else None, low=low, high=high, odd=odd)


def draw_number(name: str, param: Param) -> FieldDraw:
    """Return how a number is drawn; a fixed one takes no random word."""
    if isinstance(param, tuple):
        return FieldDraw(name, "uniform", param[0], param[1])
    if isinstance(param, Choice):
        return FieldDraw(name, "choice", tuple(map(float, param.options)))
    return FieldDraw(name, "constant", float(param))


def draw_integer(name: str, param: Param) -> FieldDraw:
    """Return how an integer is drawn; a pair includes both ends."""
    if isinstance(param, tuple):
        return FieldDraw(name, "integers", int(param[0]), int(param[1]) + 1)
    if isinstance(param, Choice):
        return FieldDraw(name, "choice", tuple(map(int, param.options)))
    return FieldDraw(name, "constant", int(param))


def draw_odd(name: str, param: Param) -> FieldDraw:
    """Return how an odd integer is drawn."""
    if isinstance(param, tuple):
        low, high = int(param[0]), int(param[1])
        return FieldDraw(name, "odd", low, (high - low) // 2 + 1)
    return draw_integer(name, param)


def largest(param: Param) -> float:
    """Return the largest value that a parameter can take."""
    if isinstance(param, Choice):
        return max(param.options)
    return param[1] if isinstance(param, tuple) else param


def _check_param(value: Any, name: str, one: Callable[[Any, str], Any]) -> Param:
    if isinstance(value, Choice):
        return Choice([one(v, f"{name}.options[{i}]") for i, v in enumerate(value.options)])
    if isinstance(value, (list, tuple)):
        if len(value) != 2:
            raise ValueError(
                f"{name} is {value!r}: it takes a number, a pair (low, high) or Choice([...])"
            )
        low, high = (one(v, f"{name}[{i}]") for i, v in enumerate(value))
        if low > high:
            raise ValueError(f"{name} is {value!r}: the first must not exceed the second")
        return low, high
    return one(value, name)


# --- fixed fields -----------------------------------------------------------------------


def fixed(
    default: Any = dataclasses.MISSING,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    above: bool = False,
    kw_only: bool = False,
) -> Any:
    """Declare a number that is not drawn."""
    return declare(
        lambda value, name: check_number(value, name, low, high, above=above),
        default, kw_only, low=low, high=high, above=above,
    )  # fmt: skip


def count(default: Any = dataclasses.MISSING, *, low: int = 1, kw_only: bool = False) -> Any:
    """Declare an integer that is not drawn."""
    return declare(lambda value, name: check_int(value, name, low), default, kw_only, low=low)


def one_of(choices: Sequence[str], default: Any, kw_only: bool = True) -> Any:
    """Declare a word: one of several."""
    return declare(
        lambda value, name: check_choice(value, name, choices), default, kw_only,
        choices=tuple(choices),
    )  # fmt: skip


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


def jitter(center: float, limit: float) -> Any:
    """Declare a range about `center`."""
    return field(
        default=(center, center),
        metadata={"check": _around(center, limit), "center": center, "drawn": draw_number},
    )


def border(default: str = "constant") -> Any:
    """Declare what lies beyond the canvas."""
    from_numpy = ("constant", "edge", "reflect", "symmetric", "wrap")
    return declare(check_border_word, default, True, choices=from_numpy)


def flag(default: bool, kw_only: bool = True) -> Any:
    """Declare True or False."""
    return declare(_check_flag, default, kw_only)


def interval(default: Any, *, low: float, high: float = math.inf, kw_only: bool = False) -> Any:
    """Declare a pair of numbers that bounds something drawn."""

    def check(value: Any, name: str) -> tuple[float, float]:
        if not isinstance(value, (list, tuple)) or len(value) != 2:
            raise ValueError(f"{name} is {value!r}: it must be a pair (low, high)")
        ends = tuple(check_number(v, f"{name}[{i}]", low, high) for i, v in enumerate(value))
        if ends[0] > ends[1]:
            raise ValueError(f"{name} is {value!r}: the first must not exceed the second")
        return ends[0], ends[1]

    return declare(check, default, kw_only, low=low, high=high)


def image_size(default: Any = dataclasses.MISSING) -> Any:
    """Declare a size: (H, W), or one integer for both."""

    def check(value: Any, name: str) -> tuple[int, int]:
        if isinstance(value, (list, tuple)):
            if len(value) != 2:
                raise ValueError(f"{name} is {value!r}: a size is (height, width) or one integer")
            return check_int(value[0], f"{name}[0]", 1), check_int(value[1], f"{name}[1]", 1)
        side = check_int(value, name, 1)
        return side, side

    return declare(check, default, False, low=1)


def fill(default: Any = 0.0) -> Any:
    """Declare a fill: a fraction of the full range, or one for each channel."""

    def check(value: Any, name: str) -> tuple[float, ...]:
        values = value if isinstance(value, (list, tuple)) else (value,)
        if not values:
            raise ValueError(f"{name} is {value!r}: it must be a number or one for each channel")
        return tuple(check_number(v, f"{name}[{i}]", 0, 1) for i, v in enumerate(values))

    return declare(check, default, True, low=0, high=1)


def _check_flag(value: Any, name: str) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is {value!r}: it must be true or false")
    return bool(value)
