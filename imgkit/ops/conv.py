"""Convolution on one to three axes, by whichever route is fastest.

Images are ``(H, W)``, ``(H, W, C)`` or ``(N, H, W, C)`` of uint8, uint16, float32 or float64; a
list of them gives a list. The axes of a tensor are those of `imgkit.image`: H and W are its
last. Values are taken as they are. Integers and float32 are computed and
returned in float32, float64 in float64. The error stays below about 1e-6 of the largest pixel
times the sum of the absolute taps: with uint16 and a kernel that sums to 1 that is a fraction of
a level. The routes ``fft`` and ``overlap-add`` spread this error, and any NaN or infinity, over
the neighbourhood (as SciPy's do); `method="direct"` keeps it where it is.

Modes, for N pixels and K taps: ``valid`` gives the N - K + 1 outputs for which the kernel lies
inside the image, ``full`` the N + K - 1 for which it touches it, ``same`` the N in the middle of
``full``, from (K - 1) // 2 on, as `scipy.signal.convolve` does. What the outputs see beyond the
image is the border's. Dilated kernels count as the larger kernels that they are.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit.backends import backend
from imgkit.border import BORDERS
from imgkit.image import (
    check_array,
    check_choice,
    check_image,
    check_ints,
    check_number,
    dtype_name,
    float_dtype,
    is_tensor,
    ragged,
    result_dtype,
    saturate,
    spatial_axes,
)
from imgkit.kernels import as_kernel

Array = npt.NDArray[Any]

MODES = ("valid", "same", "full")
METHODS = ("auto", "direct", "separable", "low-rank", "shift-add", "fft", "overlap-add")


class Explanation(NamedTuple):
    """Which route a convolution takes; prints as a table.

    `costs` holds the predicted milliseconds of every route that can run it.
    """

    route: str
    costs: Mapping[str, float]
    why: str

    def __str__(self) -> str:
        """Return the reason and the routes, cheapest first."""
        lines = [f"{self.route}: {self.why}"]
        for route, cost in sorted(self.costs.items(), key=lambda item: item[1]):
            lines.append(f"  {route:<12}{cost:10.3f} ms")
        return "\n".join(lines)


def convolve(
    x: Any,
    kernel: Any,
    mode: str = "same",
    *,
    border: str = "constant",
    value: float = 0,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    axes: int | Sequence[int] | None = None,
    method: str = "auto",
    dtype: Any = None,
) -> Array:
    """Convolve with a kernel of one, two or three dimensions (true convolution: it is flipped).

    Args:
        x: image, batch or list of images. With a 1-D kernel also a signal (N,), with a 3-D
            kernel a volume (D, H, W), (D, H, W, C) or (N, D, H, W, C), with `axes` any array. The
            volumes of a tensor are (D, H, W), (C, D, H, W) or (N, C, D, H, W).
        kernel: taps, or a name that `kernel` knows; every axis has at least one tap.
        mode: ``valid``, ``same`` or ``full``.
        border: ``constant``, ``edge``, ``reflect``, ``symmetric`` or ``wrap``.
        value: what a constant border shows, in the units of `x`.
        stride: keep every s-th output, from the first; one integer or one for each kernel axis.
        dilation: pixels from tap to tap, at least 1; one integer or one for each kernel axis.
        axes: the axes of `x` for the axes of the kernel; default H and W (2-D), W (1-D),
            D, H and W (3-D).
        method: ``auto`` takes the route that `explain_convolve` predicts to be fastest; or
            ``direct``, ``separable`` (kernels of rank 1), ``low-rank``, ``shift-add``, ``fft``,
            ``overlap-add``.
        dtype: of the result; None for float32 (float64 for float64), ``"input"`` or a dtype;
            integers are rounded half to even and saturated.

    Returns:
        Array of as many dimensions as `x`.

    Raises:
        ValueError: an empty, unknown or not finite kernel; a kernel larger than the image in
            mode valid; an unknown word; `separable` for a kernel that is not.
        TypeError: `x` is no array of an image's dtype, the taps are complex.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.convolve(np.array([1., 2., 3.]), [1, 10], "full")
    array([ 1., 12., 23., 30.])
    >>> ik.convolve(np.eye(4, dtype=np.uint8), np.ones((2, 2)), "valid", stride=2)
    array([[2., 0.],
           [0., 2.]], dtype=float32)
    """
    options = (mode, border, value, stride, dilation, axes, method, dtype)
    return _run(x, kernel, True, options)


def correlate(
    x: Any,
    kernel: Any,
    mode: str = "same",
    *,
    border: str = "constant",
    value: float = 0,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    axes: int | Sequence[int] | None = None,
    method: str = "auto",
    dtype: Any = None,
) -> Array:
    """Cross-correlate: `convolve` with the kernel flipped, that is, laid on as it is printed.

    In every mode and for even kernels too this equals ``convolve(x, kernel[::-1, ::-1], ...)``,
    and `scipy.signal.correlate` in its mode of the same name where the kernel is not the larger.

    Args:
        x: as in `convolve`, like all the options.
        kernel: taps, or a name that `kernel` knows.
        mode: ``valid``, ``same`` or ``full``.
        border: ``constant``, ``edge``, ``reflect``, ``symmetric`` or ``wrap``.
        value: what a constant border shows, in the units of `x`.
        stride: keep every s-th output.
        dilation: pixels from tap to tap.
        axes: the axes of `x` for the axes of the kernel.
        method: ``auto`` or a route.
        dtype: of the result.

    Returns:
        Array of as many dimensions as `x`.

    Raises:
        ValueError: as `convolve`.
        TypeError: as `convolve`.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.correlate(np.array([1., 2., 4.]), [-1, 0, 1], border="edge")
    array([1., 3., 2.])
    """
    options = (mode, border, value, stride, dilation, axes, method, dtype)
    return _run(x, kernel, False, options)


def explain_convolve(
    x: Any,
    kernel: Any,
    mode: str = "same",
    *,
    border: str = "constant",
    value: float = 0,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    axes: int | Sequence[int] | None = None,
    method: str = "auto",
    dtype: Any = None,
) -> Explanation:
    """Tell which route `convolve` takes with the same arguments, and why.

    The predictions come from a cost model whose constants were measured once, on one machine:
    their order matters, not their size.

    Args:
        x: array, or the shape of a float32 array.
        kernel: taps, or a name that `kernel` knows.
        mode: as in `convolve`, like the options that follow.
        border: ``constant``, ``edge``, ``reflect``, ``symmetric`` or ``wrap``.
        value: what a constant border shows.
        stride: keep every s-th output.
        dilation: pixels from tap to tap.
        axes: the axes of `x` for the axes of the kernel.
        method: ``auto`` or a route.
        dtype: of the result.

    Returns:
        Route, predicted milliseconds of all possible routes, and the reason in words.

    Raises:
        ValueError: as `convolve`.
        TypeError: as `convolve`.

    >>> import imgkit as ik
    >>> ik.explain_convolve((512, 512), ik.kernel("gaussian", 41)).route
    'separable'
    """
    if not hasattr(x, "dtype"):
        shape = check_ints(x, "x", len(x) if isinstance(x, (tuple, list)) else 1, 0)
        x = np.broadcast_to(np.float32(0), shape)
    check_array(x)
    options = (mode, border, value, stride, dilation, axes, method, dtype)
    _, problem, _ = _problem(x.shape, x.dtype, _frozen(kernel), True, *map(_hashable, options))
    route, costs, why = backend(x, "conv").explain(problem)
    return Explanation(route, dict(costs), why)


def _run(x: Any, kernel: Any, flip: bool, options: tuple[Any, ...]) -> Array:
    """Check and plan (once for arguments that come again), run, and cast."""
    if not isinstance(x, np.ndarray) and not is_tensor(x):
        return _each(x, kernel, flip, options)
    frozen = _frozen(kernel)
    if not _PLAIN.issuperset(map(type, options)):
        options = tuple(map(_hashable, options))
    plan = _plan if len(frozen[-1]) <= CACHED else _plan.__wrapped__
    run, dtype = plan(x.shape, x.dtype, frozen, flip, *options)
    result = run(x)
    return result if dtype is None else saturate(result, dtype)


@ragged
def _each(x: Any, kernel: Any, flip: bool, options: tuple[Any, ...]) -> Array:
    """Run a list of images one by one; refuse what is no image."""
    return _run(check_array(x), kernel, flip, options)


CACHED = 1 << 20  # bytes; the checks of larger kernels are not remembered
_PLAIN = frozenset((str, int, float, bool, type(None)))


class _Whole(tuple[int, ...]):
    """Integers and nothing else: equal tuples that hold 1.0 or True are not among them."""

    __slots__ = ()


def _hashable(option: Any) -> Any:
    """Make an option fit for a cache; what cannot be one is left to the checks."""
    if isinstance(option, (list, tuple)) or (isinstance(option, np.ndarray) and option.ndim == 1):
        items = list(option)
        whole = all(isinstance(i, (int, np.integer)) and not isinstance(i, bool) for i in items)
        return _Whole(map(int, items)) if whole else repr(option)
    return option if type(option).__hash__ is not None else repr(option)


def _frozen(kernel: Any) -> tuple[Any, ...]:
    """Make a kernel fit for a cache: its name, or shape, dtype and bytes."""
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


def _stand_in(shape: tuple[int, ...], dtype: Any) -> Any:
    """Return an array or tensor of a shape and dtype, but no pixels."""
    if isinstance(dtype, np.dtype):
        return np.broadcast_to(np.empty((), dtype), shape)
    return sys.modules["torch"].empty(shape, dtype=dtype, device="meta")


@functools.lru_cache(maxsize=128, typed=True)
def _plan(*arguments: Any) -> tuple[Callable[[Array], Array], np.dtype[Any] | None]:
    """Return the function of the image that does it, and the dtype to cast to, if any."""
    x, problem, dtype = _problem(*arguments)
    return backend(x, "conv").prepare(problem), dtype


def _problem(
    shape: tuple[int, ...],
    x_dtype: Any,
    frozen: tuple[Any, ...],
    flip: bool,
    mode: str,
    border: str,
    value: float,
    stride: Any,
    dilation: Any,
    axes: Any,
    method: str,
    dtype: Any,
) -> tuple[Array, Any, np.dtype[Any] | None]:
    """Check everything; return a stand-in for the image, the problem, and the dtype to cast to."""
    x = _stand_in(shape, x_dtype)
    check_array(x)
    taps = as_kernel(frozen[0] if len(frozen) == 1 else np.ndarray(*frozen))
    check_choice(mode, "mode", MODES)
    check_choice(border, "border", BORDERS)
    check_choice(method, "method", METHODS)
    value = check_number(value, "value")
    work, final = dtypes(x_dtype, dtype)
    if np.abs(taps).max() > np.finfo(dtype_name(work)).max:
        raise ValueError(f"kernel holds {np.abs(taps).max():g}: more than {work} can")
    where = _axes(x, taps, axes)
    strides = check_ints(stride, "stride", taps.ndim, 1)
    dilations = check_ints(dilation, "dilation", taps.ndim, 1)
    if mode == "valid":
        check_fits(tuple(shape[axis] for axis in where), taps.shape, dilations)
    if flip:
        taps = taps[(slice(None, None, -1),) * taps.ndim]
    run = backend(x, "conv")
    problem = run.as_problem(shape, where, taps, strides, dilations)._replace(
        mode=mode, border=border, value=value, method=method, dtype=dtype_name(work)
    )
    if method == "separable":
        _check_separable(taps, run.explain(problem).costs)
    return x, problem, None if final == work else final


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
    """Raise unless the kernel is one outer product."""
    if "separable" not in costs:
        raise ValueError(
            f"method is 'separable': the kernel of shape {taps.shape} is no outer product of "
            "1-D kernels; use 'low-rank'"
        )
