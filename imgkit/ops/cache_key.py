"""Arguments as cache keys that distinguish equal values of different types.

Pass the arguments to the cache one by one, with ``typed=True``: 1, 1.0 and True are equal, but
only one of them is a valid integer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

PLAIN = frozenset((str, int, float, bool, type(None)))  # hashable as they are


class _Whole(tuple[int, ...]):
    """A tuple of integers; its type separates it from an equal tuple that holds 1.0 or True."""

    __slots__ = ()


def cache_key(options: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Return options as a cache key; None if one is not hashable, so that the checks refuse it."""
    if PLAIN.issuperset(map(type, options)):
        return options
    try:
        key = tuple(map(_hashable, options))
        hash(key)
    except TypeError:
        return None
    return key


def _hashable(option: Any) -> Any:
    """Return a sequence of integers as a hashable tuple, anything else unchanged."""
    if isinstance(option, (list, tuple)) or (isinstance(option, np.ndarray) and option.ndim == 1):
        items = list(option)
        if not all(isinstance(i, (int, np.integer)) and not isinstance(i, bool) for i in items):
            raise TypeError("not of integers alone")
        return _Whole(map(int, items))
    return option
