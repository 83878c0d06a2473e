"""What a transform is: a frozen declaration of parameters that turns numbers into stages.

A parameter takes a number (fixed), a pair (uniform between them) or `Choice([...])`. Sizes are
``(H, W)`` or one integer for both. Intensities (`fill`, `threshold`, `std`) are fractions of the
full range, so that one pipeline means the same on every dtype.

A transform draws its numbers for N samples at once (`draw`), then lowers them to pieces of
stages (`lower`); it never sees a pixel.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from imgkit.border import BORDERS, check_border_word
from imgkit.checks import check_choice, check_int, check_number

if TYPE_CHECKING:
    from imgkit.draws import Draw

Array = npt.NDArray[Any]
Numbers = dict[str, Array]  # what an op drew: arrays of length N
Size = tuple[Any, Any]  # height and width, integers or arrays of length N
INTERPOLATIONS = ("nearest", "bilinear", "bicubic")


@dataclass(frozen=True)
class Choice:
    """One of several values, each as likely.

    >>> Choice([90, 180, 270])
    Choice(options=(90, 180, 270))
    """

    options: tuple[float, ...]

    def __init__(self, options: Sequence[float]) -> None:
        if not isinstance(options, (list, tuple)) or not options:
            raise ValueError(f"options is {options!r}: Choice takes a list of at least one value")
        object.__setattr__(self, "options", tuple(options))


Param = float | tuple[float, float] | Choice


# --- declaring parameters -------------------------------------------------------------


def number(
    default: Any = dataclasses.MISSING,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    above: bool = False,
    kw_only: bool = False,
) -> Any:
    """Declare a drawn parameter: a number, a pair or a `Choice` within ``low..high``."""

    def check(value: Any, name: str) -> Param:
        def one(v: Any, label: str) -> float:
            return check_number(v, label, low, high, above=above)

        return _check_param(value, name, one)

    return declare(check, default, kw_only, low=low, high=high, above=above)


def integer(
    default: Any = dataclasses.MISSING,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    odd: bool = False,
    kw_only: bool = False,
) -> Any:
    """Declare a drawn integer; a pair is uniform over the integers from low to high inclusive."""

    def check(value: Any, name: str) -> Param:
        def one(v: Any, label: str) -> int:
            v = check_int(v, label, low, high)
            if odd and v % 2 == 0:
                raise ValueError(f"{label} is {v}: it must be odd, such as {v + 1}")
            return v

        return _check_param(value, name, one)

    return declare(check, default, kw_only, low=low, high=high, odd=odd)


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


def word(choices: Sequence[str], default: Any, kw_only: bool = True) -> Any:
    """Declare one of several words."""
    return declare(
        lambda value, name: check_choice(value, name, choices), default, kw_only,
        choices=tuple(choices),
    )  # fmt: skip


def border_word(default: str = "constant", kw_only: bool = True) -> Any:
    """Declare a border; other libraries' words are answered with ours."""
    return declare(check_border_word, default, kw_only, choices=tuple(BORDERS))


def flag(default: bool, kw_only: bool = True) -> Any:
    """Declare yes or no."""
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


def declare(
    check: Callable[[Any, str], Any], default: Any, kw_only: bool = False, **limits: Any
) -> Any:
    """Declare a dataclass field whose value `check` validates and normalizes.

    The limits say for readers what `check` demands: low, high, above, odd, choices.
    """
    return field(default=default, kw_only=kw_only, metadata={"check": check, "limits": limits})


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


def _check_flag(value: Any, name: str) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is {value!r}: it must be true or false")
    return bool(value)


def _check_probability(value: Any, name: str) -> float:
    return check_number(value, name, 0, 1)


# --- drawing ----------------------------------------------------------------------------


def draw_number(draw: Draw, param: Param, samples: int) -> Array:
    """Draw a parameter for every sample; a fixed one takes no word."""
    if isinstance(param, tuple):
        return draw.uniform(*param)
    if isinstance(param, Choice):
        return _picked(draw, param, np.float64)
    return draw.constant(float(param))


def draw_integer(draw: Draw, param: Param, samples: int) -> Array:
    """Draw an integer parameter for every sample; a pair includes both ends."""
    if isinstance(param, tuple):
        return draw.integers(int(param[0]), int(param[1]) + 1)
    if isinstance(param, Choice):
        return _picked(draw, param, np.int64)
    return draw.constant(int(param))


def _picked(draw: Draw, param: Choice, dtype: npt.DTypeLike) -> Array:
    """Draw one of the options of every sample; a plain number for `draws.ScalarDraw`."""
    picked = draw.choice(np.asarray(param.options, dtype))
    return picked if isinstance(picked, np.ndarray) else picked.item()


def most(param: Param) -> float:
    """Return the largest value that a parameter can take."""
    if isinstance(param, Choice):
        return max(param.options)
    return param[1] if isinstance(param, tuple) else param


# --- the base ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Transform:
    """The base of all transforms: checked parameters, and `p`, how often the op happens.

    `parts` names the kinds of stages that the op lowers to, in order; `colors` says that the op
    needs 1 (gray) or 3 (RGB) channels. An op that is `plain` draws and lowers one sample in plain
    numbers as well: `draw` takes a `draws.ScalarDraw`, and where "active" is a bool the pieces hold
    lists of one sample. `blocks` is how many blocks of four words it usually takes.
    """

    # spelled out for type checkers, which know dataclasses.field alone
    p: float = field(
        default=1.0,
        kw_only=True,
        metadata={"check": _check_probability, "limits": {"low": 0, "high": 1}},
    )

    parts: ClassVar[tuple[str, ...]] = ()
    colors: ClassVar[bool] = False
    plain: ClassVar[bool] = False
    blocks: ClassVar[int] = 1
    motion: ClassVar[str] = "aligned"  # of geometric ops; or "warp" by a matrix, or a "field"

    def __post_init__(self) -> None:
        for spec in dataclasses.fields(self):
            check = spec.metadata.get("check")
            if check is not None:
                value = check(getattr(self, spec.name), spec.name)
                object.__setattr__(self, spec.name, value)

    @property
    def name(self) -> str:
        """The op's name, as pipelines and plans write it."""
        return type(self).__name__

    @property
    def commutes(self) -> bool:
        """Whether the op is linear color that never clips: it commutes with resampling."""
        return False

    @property
    def children(self) -> tuple[Transform, ...]:
        """The ops that a control op chooses from."""
        return ()

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw what the op needs for images of `size`."""
        return {}

    def happens(self, part: int, numbers: Numbers) -> Array:
        """Tell for which samples a part happens: all the op's, unless parts exclude each other."""
        return numbers["active"]

    def lower(self, part: int, numbers: Numbers, size: Size) -> Any:
        """Turn numbers into the piece of a stage of kind ``parts[part]``."""
        raise TypeError(f"{self.name} has no part {part}")
