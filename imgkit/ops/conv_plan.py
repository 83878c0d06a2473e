"""Planning a convolution: from arguments to a route, cached for repeated arguments."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from imgkit.backends import backend
from imgkit.border import MODES, check_border_word
from imgkit.checks import MAX_SIDE, check_choice, check_ints, check_number
from imgkit.image import (
    Array,
    check_array,
    check_image,
    dtype_name,
    float_dtype,
    is_tensor,
    result_dtype,
    spatial_axes,
)
from imgkit.kernels import as_kernel
from imgkit.ops.cache_key import cache_key, kernel_key

METHODS = ("auto", "direct", "separable", "low-rank", "shift-add", "fft", "overlap-add")
CACHED = 1 << 20  # bytes; the checks of larger kernels are not cached
Planned = tuple[Callable[[Array], Array], "np.dtype[Any] | None"]


class Options(NamedTuple):
    """The options of a convolution besides its kernel, unchecked."""

    mode: Any
    border: Any
    value: Any
    stride: Any
    dilation: Any
    axes: Any
    method: Any
    dtype: Any


def planned(x: Array, kernel: Any, flip: bool, options: tuple[Any, ...]) -> Planned:
    """Return the function that convolves the image, and the dtype to cast to, if any."""
    taps = kernel_key(kernel)
    key = cache_key(options)
    plan = _plan if key is not None and len(taps[-1]) <= CACHED else _plan.__wrapped__
    shape = tuple(map(int, x.shape))  # of compiled code it may hold symbols, which have no hash
    return plan(shape, x.dtype, taps, flip, *(options if key is None else key))


def _stand_in(shape: tuple[int, ...], dtype: Any) -> Any:
    """Return an array or tensor of a shape and dtype, but no pixels."""
    if isinstance(dtype, np.dtype):
        return np.broadcast_to(np.empty((), dtype), shape)
    return sys.modules["torch"].empty(shape, dtype=dtype, device="meta")


@functools.lru_cache(maxsize=128, typed=True)
def _plan(
    shape: tuple[int, ...], x_dtype: Any, frozen: tuple[Any, ...], flip: bool, *options: Any
) -> Planned:
    """Plan once for equal arguments.

    The options are separate arguments, so that the cache distinguishes 1, 1.0 and True.
    """
    x, problem, dtype = as_problem(shape, x_dtype, frozen, flip, Options(*options))
    return backend(x, "conv").prepare(problem), dtype


def as_problem(
    shape: tuple[int, ...], x_dtype: Any, frozen: tuple[Any, ...], flip: bool, options: Options
) -> tuple[Array, Any, np.dtype[Any] | None]:
    """Check everything; return a stand-in for the image, the problem, and the dtype to cast to."""
    x = _stand_in(shape, x_dtype)
    check_array(x)
    taps = as_kernel(frozen[0] if len(frozen) == 1 else np.ndarray(*frozen))
    work, final = dtypes(x_dtype, options.dtype)
    check_held(taps, "kernel", work)
    choices = _choices(options)
    where = _axes(x, taps, options.axes)
    strides = check_ints(options.stride, "stride", taps.ndim, 1, MAX_SIDE)
    dilations = check_ints(options.dilation, "dilation", taps.ndim, 1, MAX_SIDE)
    if options.mode == "valid":
        check_fits(tuple(shape[axis] for axis in where), taps.shape, dilations)
    if flip:
        taps = taps[(slice(None, None, -1),) * taps.ndim]
    run = backend(x, "conv")
    problem = run.as_problem(shape, where, taps, strides, dilations)
    problem = problem._replace(**choices, dtype=dtype_name(work))
    if options.method == "separable":
        _check_separable(taps, run.explain(problem).costs)
    return x, problem, None if final == work else final


def _choices(options: Options) -> dict[str, Any]:
    """Check the options that do not depend on the kernel."""
    return {
        "mode": check_choice(options.mode, "mode", MODES),
        "border": check_border_word(options.border),
        "value": check_number(options.value, "value"),
        "method": check_choice(options.method, "method", METHODS),
    }


def check_held(taps: Array, name: str, dtype: Any, axes: tuple[int, ...] | None = None) -> None:
    """Raise unless a float dtype holds the sum of the absolute taps, along some axes."""
    with np.errstate(over="ignore"):
        largest = float(np.abs(taps).sum(axes).max())
    if largest > float(np.finfo(dtype_name(dtype)).max):
        raise ValueError(
            f"{name} holds numbers that add up to {largest:g}: more than {dtype_name(dtype)} can "
            "hold; divide them, and multiply the result"
        )


def dtypes(x_dtype: Any, dtype: Any) -> tuple[Any, Any]:
    """Return the dtype to compute in, and that of the result."""
    final = result_dtype(x_dtype, dtype)
    return final if dtype_name(final) == "float64" else float_dtype(x_dtype), final


def _axes(x: Array, taps: Array, axes: Any) -> tuple[int, ...]:
    """Return the axes of `x` that the axes of the kernel run along."""
    rank = taps.ndim
    if axes is None:
        where = _default_axes(x, rank)
    else:
        given = check_ints(axes, "axes", rank)
        for axis in given:
            if not -x.ndim <= axis < x.ndim:
                raise ValueError(f"axes is {axes!r}: x has axes {-x.ndim} to {x.ndim - 1}")
        where = tuple(axis % x.ndim for axis in given)
        if len(set(where)) < rank:
            raise ValueError(f"axes is {axes!r}: each axis of the kernel needs its own")
    if not all(x.shape[axis] for axis in where):
        raise ValueError(f"x has shape {x.shape}: convolved axes {where} need at least 1 pixel")
    return where


def _default_axes(x: Array, rank: int) -> tuple[int, ...]:
    """Return W, or H and W, or D, H and W."""
    if is_tensor(x) and (rank == 3 or x.ndim == 1):
        return spatial_axes(x.ndim, rank, tensor=True)
    if rank == 3:
        if x.ndim not in (3, 4, 5):
            raise ValueError(
                f"x has shape {x.shape}: a kernel of 3 axes needs a volume (D, H, W), "
                "(D, H, W, C) or (N, D, H, W, C), or axes"
            )
        return (1, 2, 3) if x.ndim == 5 else (0, 1, 2)
    if rank == 1 and x.ndim == 1:
        return (0,)
    check_image(x)
    if is_tensor(x):
        return spatial_axes(x.ndim, rank, tensor=True)
    height = 1 if x.ndim == 4 else 0
    return (height, height + 1)[-rank:]


def check_fits(pixels: tuple[int, ...], size: tuple[int, ...], dilation: tuple[int, ...]) -> None:
    """Raise if a kernel does not fit into the image."""
    covered = tuple((k - 1) * d + 1 for k, d in zip(size, dilation, strict=True))
    if any(c > n for c, n in zip(covered, pixels, strict=True)):
        raise ValueError(
            f"kernel has shape {size} and covers {covered} pixels: mode 'valid' needs it to fit "
            f"into the image's {pixels}; modes 'same' and 'full' take any kernel"
        )


def _check_separable(taps: Array, costs: Mapping[str, float]) -> None:
    """Raise unless the kernel is an outer product of 1-D kernels."""
    if "separable" not in costs:
        raise ValueError(
            f"method is 'separable': the kernel of shape {taps.shape} is not an outer "
            "product of 1-D kernels; use 'low-rank'"
        )
