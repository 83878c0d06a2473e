"""Arguments as keys of a cache, in which equals of another type are not the same.

Whoever asks such a cache gives it the arguments one by one, with ``typed=True``: 1, 1.0 and True
are equal, but only one of them may be an integer that is allowed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

PLAIN = frozenset((str, int, float, bool, type(None)))  # fit for a cache as they are


class _Whole(tuple[int, ...]):
    """Integers and nothing else: equal tuples that hold 1.0 or True are not among them."""

    __slots__ = ()


def cache_key(options: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Make options fit for a cache; None where one cannot be, and the checks must see it."""
    if PLAIN.issuperset(map(type, options)):
        return options
    try:
        key = tuple(map(_hashable, options))
        hash(key)
    except TypeError:
        return None
    return key


def _hashable(option: Any) -> Any:
    """Make sequences of integers fit for a cache."""
    if isinstance(option, (list, tuple)) or (isinstance(option, np.ndarray) and option.ndim == 1):
        items = list(option)
        if not all(isinstance(i, (int, np.integer)) and not isinstance(i, bool) for i in items):
            raise TypeError("not of integers alone")
        return _Whole(map(int, items))
    return option
