"""Pooling: one value for each window, by maximum, minimum, mean or median.

`x` is an array of uint8, uint16, float32 or float64: an image ``(H, W)`` or ``(H, W, C)``, a
batch ``(N, H, W, C)``, a list of images, a 1-D signal, or a volume. The result has the dtype of
`x`; a mean of integers is rounded half to even.

A `size` that is one integer pools H and W of an image, or the only axis of a 1-D array. A tuple
sets the number of axes: one is W (or the only axis), two are H and W, three are the first three of
``(D, H, W)`` and ``(D, H, W, C)`` or the middle three of ``(N, D, H, W, C)``; of a tensor, whose
channels come first, the last ones. `axes` names others.

Windows lie as in torch. Window ``i`` of an axis starts at ``i * stride - padding``, and its
elements are `dilation` apart. An axis of n elements gives ``floor((n + 2 * padding - dilation *
(size - 1) - 1) / stride) + 1`` windows; `ceil` rounds up instead and then drops a last window that
would start in the padding on the right. Padding is ignored by maximum, minimum and median. A
window without any element, which dilation can cause, gives the lowest value of the dtype (-inf)
for a maximum, the highest for a minimum, 0 for a mean or median. A window with a NaN gives NaN.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from imgkit.checks import MAX_SIDE, check_choice, check_flag, check_ints, check_size
from imgkit.image import Array, check_array, check_image, is_plain, is_tensor, spatial_axes
from imgkit.ops.cache_key import cache_key
from imgkit.ops.dispatch import backend_of
from imgkit.ops.ragged import ragged

KINDS = ("max", "min", "avg", "median")


class Layout(NamedTuple):
    """Positions of the windows, one number for each pooled axis; the argument of the backends."""

    axes: tuple[int, ...]
    size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    windows: tuple[int, ...]


@ragged
def max_pool(
    x: Any,
    size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil: bool = False,
    *,
    axes: Any = None,
) -> Array:
    """Return the largest value of each window, as ``torch.nn.functional.max_pool2d`` does.

    Args: x: image, batch, signal or volume; see the module for shapes and dtypes. size: elements
        of a window, at least 1: one integer, or one for each pooled axis. stride: steps from
        window to window, at least 1; None means `size`. padding: elements added before and after
        each axis, 0 to ``size // 2``; ignored by the maximum. dilation: steps from element to
        element within a window, at least 1. ceil: also keep a last window that exceeds the end.
        axes: the axes to pool, one or as many as `size` has.

    Returns:
        The dtype of `x`; one value for each window on the pooled axes.

    Raises:
        TypeError: `x` is not an array of a known dtype, or an argument is not an integer.
        ValueError: an argument is out of its range, or no window fits.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.max_pool(np.arange(16, dtype=np.uint8).reshape(4, 4), 2)
    array([[ 5,  7],
           [13, 15]], dtype=uint8)
    >>> ik.max_pool(np.array([3.0, 1.0, 2.0]), 2, stride=1, padding=1)
    array([3., 3., 2., 2.])
    """
    layout = _layout(x, size, stride, padding, dilation, ceil, axes)
    result: Array = backend_of(is_tensor(x), "pool").max_pool(x, *layout)
    return result


@ragged
def min_pool(
    x: Any,
    size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil: bool = False,
    *,
    axes: Any = None,
) -> Array:
    """Return the smallest value of each window: `max_pool` of the negative.

    Args: x: image, batch, signal or volume; see the module for shapes and dtypes. size: elements
        of a window, at least 1: one integer, or one for each pooled axis. stride: steps from
        window to window, at least 1; None means `size`. padding: elements added before and after
        each axis, 0 to ``size // 2``; ignored by the maximum. dilation: steps from element to
        element within a window, at least 1. ceil: also keep a last window that exceeds the end.
        axes: the axes to pool, one or as many as `size` has.

    Returns:
        The dtype of `x`; one value for each window on the pooled axes.

    Raises:
        TypeError: `x` is not an array of a known dtype, or an argument is not an integer.
        ValueError: an argument is out of its range, or no window fits.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.min_pool(np.arange(16, dtype=np.uint8).reshape(4, 4), 2)
    array([[ 0,  2],
           [ 8, 10]], dtype=uint8)
    """
    layout = _layout(x, size, stride, padding, dilation, ceil, axes)
    result: Array = backend_of(is_tensor(x), "pool").min_pool(x, *layout)
    return result


@ragged
def avg_pool(
    x: Any,
    size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil: bool = False,
    *,
    count_include_pad: bool = True,
    axes: Any = None,
) -> Array:
    """Return the mean of each window, as ``torch.nn.functional.avg_pool2d`` does.

    The sum is divided by the elements of the window that lie inside `x` and its padding; elements
    beyond the end because of `ceil` do not count.

    Args:
        x: image, batch, signal or volume; see the module for shapes and dtypes.
        size: elements of a window, at least 1: one integer, or one for each pooled axis.
        stride: steps from window to window, at least 1; None means `size`.
        padding: zeros added before and after each axis, 0 to ``size // 2``.
        dilation: steps from element to element within a window, at least 1.
        ceil: also keep a last window that exceeds the end.
        count_include_pad: count the zeros of the padding; False divides by the elements of `x`.
        axes: the axes to pool, one or as many as `size` has.

    Returns:
        The dtype of `x` (integers rounded half to even); one value for each window on the
        pooled axes.

    Raises:
        TypeError: `x` is not an array of a known dtype, or an argument is not an integer.
        ValueError: an argument is out of its range, or no window fits.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.avg_pool(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), 2, ceil=True)
    array([1.5, 3.5, 5. ])
    """
    layout = _layout(x, size, stride, padding, dilation, ceil, axes)
    result: Array = backend_of(is_tensor(x), "pool").avg_pool(
        x, *layout, check_flag(count_include_pad, "count_include_pad")
    )
    return result


@ragged
def median_pool(
    x: Any,
    size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil: bool = False,
    *,
    axes: Any = None,
) -> Array:
    """Return the median of each window; of an even number, the mean of the middle two.

    Padding does not count: at the border the median is taken of fewer elements.

    Args:
        x: image, batch, signal or volume; see the module for shapes and dtypes.
        size: elements of a window, at least 1: one integer, or one for each pooled axis.
        stride: steps from window to window, at least 1; None means `size`.
        padding: elements added before and after each axis, 0 to ``size // 2``; ignored.
        dilation: steps from element to element within a window, at least 1.
        ceil: also keep a last window that exceeds the end.
        axes: the axes to pool, one or as many as `size` has.

    Returns:
        The dtype of `x` (integers rounded half to even); one value for each window on the
        pooled axes.

    Raises:
        TypeError: `x` is not an array of a known dtype, or an argument is not an integer.
        ValueError: an argument is out of its range, or no window fits.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.median_pool(np.array([7, 1, 2, 9, 8], np.uint8), 3, stride=1, padding=1)
    array([4, 2, 2, 8, 8], dtype=uint8)
    """
    layout = _layout(x, size, stride, padding, dilation, ceil, axes)
    result: Array = backend_of(is_tensor(x), "pool").median_pool(x, *layout)
    return result


@ragged
def global_pool(x: Any, kind: str, *, axes: Any = None) -> Array:
    """Return one value for each channel of each image: the window is the whole image.

    Args:
        x: image, batch, signal or volume; see the module for shapes and dtypes.
        kind: "max", "min", "avg" or "median".
        axes: the axes to pool; by default H and W, the only axis of a signal, or D, H and W of
            an array ``(N, D, H, W, C)``.

    Returns:
        The dtype and axes of `x`, the pooled axes of length 1.

    Raises:
        TypeError: `x` is not an array of a known dtype.
        ValueError: `kind` is unknown, or `axes` does not match `x`.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.global_pool(np.arange(6, dtype=np.float32).reshape(2, 3), "avg")
    array([[2.5]], dtype=float32)
    """
    check_choice(kind, "kind", KINDS)
    chosen = _pooled_axes(x, None, axes)
    result: Array = backend_of(is_tensor(x), "pool").global_pool(x, kind, chosen)
    return result


@ragged
def adaptive_pool(x: Any, output_size: Any, kind: str, *, axes: Any = None) -> Array:
    """Pool to a given size, as ``torch.nn.functional.adaptive_avg_pool2d`` does.

    Window ``i`` of an axis of n elements covers ``floor(i * n / output_size)`` to
    ``ceil((i + 1) * n / output_size)``; windows overlap if `output_size` does not divide n,
    and repeat elements if it is larger than n.

    Args:
        x: image, batch, signal or volume; see the module for shapes and dtypes.
        output_size: windows on each pooled axis, at least 1: one integer, or one for each axis.
        kind: "max", "min", "avg" or "median".
        axes: the axes to pool, one or as many as `output_size` has.

    Returns:
        The dtype of `x` (integers rounded half to even), the pooled axes `output_size` long.

    Raises:
        TypeError: `x` is not an array of a known dtype, or `output_size` does not hold integers.
        ValueError: `kind` is unknown, or `output_size` or `axes` does not match `x`.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.adaptive_pool(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), 2, "max")
    array([3., 5.])
    """
    check_choice(kind, "kind", KINDS)
    chosen = _pooled_axes(x, output_size, axes)
    counts = check_size(output_size, "output_size", len(chosen))
    result: Array = backend_of(is_tensor(x), "pool").adaptive_pool(x, kind, chosen, counts)
    return result


def _pooled_axes(x: Any, size: Any, axes: Any) -> tuple[int, ...]:
    """Check `x` and return the axes to pool, one for each entry of `axes` or `size`."""
    check_array(x)
    sized = next((len(v) for v in (axes, size) if isinstance(v, (tuple, list, np.ndarray))), None)
    if sized is not None:
        dims = sized
    elif axes is not None:
        dims = 1
    else:
        dims = {1: 1, 5: 3}.get(x.ndim, 2)
    if axes is None and dims == 2:
        check_image(x)
    chosen = spatial_axes(x.ndim, dims, axes, tensor=is_tensor(x))
    for axis in chosen:
        if x.shape[axis] == 0:
            raise ValueError(f"x has shape {x.shape}: axis {axis} is pooled and must not be empty")
    return chosen


def _layout(x: Any, *given: Any) -> Layout:
    """Check the arguments and place the windows; cached for arrays and repeated arguments."""
    key = cache_key(given) if is_plain(x) else None
    if key is None:
        return _new_layout(x, *given)
    return _known_layout(x.shape, check_array(x).dtype, *key)


@functools.lru_cache(maxsize=128, typed=True)
def _known_layout(shape: tuple[int, ...], dtype: np.dtype[Any], *given: Any) -> Layout:
    return _new_layout(np.broadcast_to(np.empty((), dtype), shape), *given)


def _new_layout(
    x: Any, size: Any, stride: Any, padding: Any, dilation: Any, ceil: bool, axes: Any
) -> Layout:
    """Check the arguments and place the windows."""
    chosen = _pooled_axes(x, size, axes)
    dims = len(chosen)
    sizes = check_ints(size, "size", dims, 1)
    strides = sizes if stride is None else check_ints(stride, "stride", dims, 1, MAX_SIDE)
    paddings = check_ints(padding, "padding", dims, 0)
    dilations = check_ints(dilation, "dilation", dims, 1, MAX_SIDE)
    for pad, length in zip(paddings, sizes, strict=True):
        if pad > length // 2:
            raise ValueError(
                f"padding is {padding!r}: it must be at most half of size {size!r}, "
                f"at most {length // 2} here"
            )
    counts = tuple(
        _count(x, *numbers, check_flag(ceil, "ceil"))
        for numbers in zip(chosen, sizes, strides, paddings, dilations, strict=True)
    )
    return Layout(chosen, sizes, strides, paddings, dilations, counts)


def _count(
    x: Array, axis: int, size: int, stride: int, padding: int, dilation: int, ceil: bool
) -> int:
    """Return the number of windows on an axis, by torch's formula."""
    length: int = x.shape[axis]
    reach = dilation * (size - 1) + 1
    room = length + 2 * padding - reach
    count = (room + (stride - 1 if ceil else 0)) // stride + 1
    if ceil and (count - 1) * stride >= length + padding:
        count -= 1  # the last window would start in the padding on the right
    if count < 1:
        raise ValueError(
            f"size is {size} with dilation {dilation}: a window spans {reach}, axis {axis} of x "
            f"has {length + 2 * padding} with its padding; the window must fit"
        )
    return count
