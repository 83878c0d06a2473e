"""Checks of arguments other than images: numbers, choices, sizes; and their error messages.

Numbers must be finite in float32 (at most 3.4e38). Requested sizes, such as that of a resized
image, are at most 2**20 pixels a side. Errors name the argument, its value, the rule, and the
nearest valid choice.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_SIDE = 1 << 20  # pixels; a larger request is a mistake, and would fail only after a long time
SHOWN = 8  # numbers of an array that fit into a message
REAL: Any = (int, float, np.integer, np.floating)
MOST_LISTED = 50  # choices that a message lists
NO_SYNONYMS: Mapping[str, tuple[str, ...]] = MappingProxyType({})
MAX_NUMBER = float(np.finfo(np.float32).max)


def printable(value: object) -> str:
    """Return a value as text for messages; arrays and long values are shortened."""
    if hasattr(value, "shape") and value.shape != () and math.prod(value.shape) > SHOWN:
        return f"an array of shape {tuple(value.shape)}"
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python prints
        return f"a {type(value).__qualname__} too long to print"
    return text if len(text) <= 80 else f"{text[:60]}... (a {type(value).__qualname__})"


def suggest(
    word: object, choices: Iterable[str], synonyms: Mapping[str, tuple[str, ...]] = NO_SYNONYMS
) -> str:
    """Return the end of an error message: the nearest of the choices, and all, if they are few.

    Args:
        word: the unknown word.
        choices: the known ones; more than 50 of them are the operations.
        synonyms: other words for the choices, in small letters and digits alone, and what to
            write in place of each: choices, also with arguments behind them.

    >>> suggest("nearset", ["nearest", "bilinear"])
    "did you mean 'nearest'? Known: bilinear, nearest"
    >>> suggest("Mirror", ["flip", "wrap"], {"mirror": ("flip axis=horizontal",)})
    "did you mean 'flip axis=horizontal'? Known: flip, wrap"
    """
    names = sorted(choices)
    many = len(names) > MOST_LISTED
    near = _nearest(str(word), names, synonyms, 0.7 if many else 0.5)
    question = f"did you mean {' or '.join(map(repr, near))}?" if near else ""
    if many:
        return question or "'imgkit ops' lists the operations"
    listed = ", ".join(names)
    return f"{question} Known: {listed}" if near else f"known: {listed}"


def _nearest(
    word: str, names: list[str], synonyms: Mapping[str, tuple[str, ...]], cutoff: float
) -> list[str]:
    """Return what to write for a word: by its synonyms, by its letters, or by its likeness."""
    letters = _letters(word)
    for key in (letters, letters.removeprefix("random")):
        fitting = [text for text in synonyms.get(key, ()) if text.split()[0] in names]
        fitting = fitting or [name for name in names if _letters(name) == key]
        if fitting:
            alike = [text for text in fitting if text[0].isupper() == word[0].isupper()]
            return alike or fitting
    return difflib.get_close_matches(word, names, n=1, cutoff=cutoff)


def _letters(word: str) -> str:
    return "".join(c for c in word.lower() if c.isalnum())


def is_symbol(value: Any) -> bool:
    """Whether a value is a number of code that torch compiles or exports: a SymInt, a SymFloat.

    `int` or `float` of it fixes the number, and compiled code is then for this number alone.
    """
    return type(value).__name__ in ("SymInt", "SymFloat") and type(value).__module__ == "torch"


def check_choice(
    value: Any,
    name: str,
    choices: Iterable[str],
    synonyms: Mapping[str, tuple[str, ...]] = NO_SYNONYMS,
) -> str:
    """Return the choice that equals `value`, which may be text of a subclass, or raise."""
    choices = tuple(choices)
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} is {printable(value)}: {suggest(value, choices, synonyms)}")
    return choices[choices.index(value)]


def check_number(
    value: Any,
    name: str,
    low: float = -math.inf,
    high: float = math.inf,
    *,
    above: bool = False,
) -> float:
    """Return a finite real number in ``low..high`` (`above`: greater than `low`) as a float."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, REAL):
        if is_symbol(value):
            return check_number(float(value), name, low, high, above=above)
        raise TypeError(f"{name} is {printable(value)}: it must be a number")
    if MAX_NUMBER < abs(value) < math.inf:
        raise ValueError(
            f"{name} is {printable(value)}: float32 holds numbers up to {MAX_NUMBER:.3g}"
        )
    number = float(value)
    if not math.isfinite(number) or number > high or number < low or (above and number == low):
        raise ValueError(f"{name} is {printable(value)}: it must be {_interval(low, high, above)}")
    return number


def check_flag(value: Any, name: str) -> bool:
    """Return True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} is {printable(value)}: it must be True or False")
    return bool(value)


def check_int(value: Any, name: str, low: float = -math.inf, high: float = math.inf) -> int:
    """Return an integer in ``low..high``."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        if type(value).__name__ == "SymInt" and is_symbol(value):
            return check_int(int(value), name, low, high)
        raise TypeError(f"{name} is {printable(value)}: it must be an integer")
    if not low <= value <= high:
        raise ValueError(f"{name} is {printable(value)}: it must be {_interval(low, high, False)}")
    return int(value)


def check_ints(
    value: Any, name: str, count: int, low: float = -math.inf, high: float = math.inf
) -> tuple[int, ...]:
    """Return `count` integers from one integer (repeated) or a sequence of that many."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (int, np.integer)) or is_symbol(value):
        return (check_int(value, name, low, high),) * count
    if not isinstance(value, Sequence) or isinstance(value, str):
        more = f" or {count} of them" if count > 1 else ""
        raise TypeError(f"{name} is {printable(value)}: it must be an integer{more}")
    if len(value) != count:
        raise ValueError(f"{name} is {printable(value)}: it must be one integer or {count} of them")
    return tuple(check_int(v, f"{name}[{i}]", low, high) for i, v in enumerate(value))


def check_size(value: Any, name: str = "size", count: int = 2) -> tuple[int, ...]:
    """Return the sides of a result in pixels: one integer for all, or `count` integers."""
    return check_ints(value, name, count, 1, MAX_SIDE)


def check_real(value: Any, name: str) -> npt.NDArray[Any]:
    """Return an array-like value of any shape as an array of finite real numbers."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} is {printable(value)}: its rows must be equally long") from None
    if array.dtype.kind == "c":
        raise TypeError(
            f"{name} has dtype {array.dtype}: its numbers must be real; use {name}.real"
        )
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} is {printable(value)}: it must hold real numbers")
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name} has {array[where]} at {where}: every number must be finite")
    return array


def _interval(low: float, high: float, above: bool) -> str:
    if math.isinf(low) and math.isinf(high):
        return "finite"
    lower = "" if math.isinf(low) else f"greater than {low:.9g}" if above else f"at least {low:.9g}"
    upper = "" if math.isinf(high) else f"at most {high:.9g}"
    return " and ".join(part for part in (lower, upper) if part)
