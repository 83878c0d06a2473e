"""Arguments as cache keys that distinguish equal values of different types.

Pass the arguments to the cache one by one, with ``typed=True``: 1, 1.0 and True are equal, but
only one of them is a valid integer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from imgkit.image import Array, is_tensor
from imgkit.kernels import as_kernel

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


def kernel_key(kernel: Any) -> tuple[Any, ...]:
    """Return a kernel as a cache key: its name, or shape, dtype and bytes."""
    if isinstance(kernel, str):
        return (kernel,)
    if is_tensor(kernel):
        kernel = _on_host(kernel)
    if type(kernel) is not np.ndarray or kernel.dtype.hasobject:
        kernel = as_kernel(kernel)
    return kernel.shape, kernel.dtype, kernel.tobytes()


def _on_host(kernel: Any) -> Array:
    """Return a kernel given as a tensor."""
    if kernel.device.type != "cpu" or kernel.requires_grad:
        held = "requires a gradient" if kernel.requires_grad else f"is on {kernel.device}"
        raise ValueError(
            f"kernel {held}: routes are planned on the host; pass kernel.detach().cpu(), or use "
            "conv2d, whose weight may lie on the device of x and be trained"
        )
    return np.asarray(kernel.double().numpy())
