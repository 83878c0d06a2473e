"""Convolution on one to three axes, by the route that is predicted to be fastest.

Images are ``(H, W)``, ``(H, W, C)`` or ``(N, H, W, C)`` of uint8, uint16, float32 or float64; a
list of them gives a list. The axes of a tensor are those of `imgkit.image`: H and W are its last.
Values are not rescaled. Integers and float32 are computed and returned in float32, float64 in
float64. The error is below about 1e-6 of the largest pixel times the sum of the absolute taps:
with uint16 and a kernel that sums to 1 that is a fraction of a level. On every route a NaN, an
infinity or a large number changes only the results that the kernel reaches from it; a tap of 0
need not reach. A compiled call, and one on a CUDA tensor, does not look at values: there ``fft``
spreads them.

Modes, for N pixels and K taps: ``valid`` gives the N - K + 1 outputs for which the kernel lies
inside the image, ``full`` the N + K - 1 for which it touches it, ``same`` the N in the middle of
``full``, from (K - 1) // 2 on, as `scipy.signal.convolve` does. The border defines the
pixels outside the image. A dilated kernel counts with its dilated size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from imgkit.backends import backend
from imgkit.checks import check_ints, printable
from imgkit.image import Array, check_array, is_plain, is_tensor, saturate
from imgkit.ops.cache_key import kernel_key
from imgkit.ops.conv_plan import METHODS as METHODS
from imgkit.ops.conv_plan import Options, as_problem, planned
from imgkit.ops.ragged import ragged, takes_lists


class Explanation(NamedTuple):
    """The route of a convolution; prints as a table.

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


@takes_lists
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
    """Convolve with a kernel of one, two or three dimensions, flipped (true convolution).

    Args:
        x: image, batch or list of images. With a 1-D kernel also a signal (N,), with a 3-D
            kernel a volume (D, H, W), (D, H, W, C) or (N, D, H, W, C), with `axes` any array. The
            volumes of a tensor are (D, H, W), (C, D, H, W) or (N, C, D, H, W).
        kernel: taps, or a name that `kernel` knows; every axis has at least one tap.
        mode: ``valid``, ``same`` or ``full``.
        border: ``constant``, ``edge``, ``reflect``, ``symmetric`` or ``wrap``.
        value: the pixel value of a constant border, in the units of `x`.
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
            mode valid; an unknown mode, border or method; `separable` for a kernel that is
            not.
        TypeError: `x` is not an array of an image's dtype, or the taps are complex.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.convolve(np.array([1., 2., 3.]), [1, 10], "full")
    array([ 1., 12., 23., 30.])
    >>> ik.convolve(np.eye(4, dtype=np.uint8), np.ones((2, 2)), "valid", stride=2)
    array([[2., 0.],
           [0., 2.]], dtype=float32)
    """
    return _run(x, kernel, True, (mode, border, value, stride, dilation, axes, method, dtype))


@takes_lists
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
    """Cross-correlate: as `convolve`, without flipping the kernel.

    In every mode and for even kernels too this equals ``convolve(x, kernel[::-1, ::-1], ...)``,
    and `scipy.signal.correlate` in its mode of the same name where the kernel is not the larger.

    Args:
        x: as in `convolve`, like all the options.
        kernel: taps, or a name that `kernel` knows.
        mode: ``valid``, ``same`` or ``full``.
        border: ``constant``, ``edge``, ``reflect``, ``symmetric`` or ``wrap``.
        value: the pixel value of a constant border, in the units of `x`.
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
    return _run(x, kernel, False, (mode, border, value, stride, dilation, axes, method, dtype))


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
    """Return the route that `convolve` takes with the same arguments, and the reason.

    The predictions come from a cost model whose constants were measured once, on one machine:
    use them to compare routes, not as times.

    Args:
        x: array, or the shape of a float32 array.
        kernel: taps, or a name that `kernel` knows.
        mode: as in `convolve`, like the options that follow.
        border: ``constant``, ``edge``, ``reflect``, ``symmetric`` or ``wrap``.
        value: the pixel value of a constant border.
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
        x = np.broadcast_to(np.float32(0), _shape(x))
    check_array(x)
    given = (mode, border, value, stride, dilation, axes, method, dtype)
    options = Options(*given)
    _, problem, _ = as_problem(x.shape, x.dtype, kernel_key(kernel), True, options)
    route, costs, why = backend(x, "conv").explain(problem)
    return Explanation(route, dict(costs), why)


def _shape(x: Any) -> tuple[int, ...]:
    """Check a shape that is given instead of an array."""
    if not isinstance(x, (tuple, list)) or any(np.ndim(n) for n in x):
        raise TypeError(f"x is {printable(x)}: it must be one array, or the shape of one")
    return check_ints(x, "x", len(x), 0)


def _run(x: Any, kernel: Any, flip: bool, options: tuple[Any, ...]) -> Array:
    """Check and plan (cached for repeated arguments), run, and cast."""
    if not is_plain(x) and not is_tensor(x):
        return _each(x, kernel, flip, options)
    run, dtype = planned(x, kernel, flip, options)
    with np.errstate(over="ignore", invalid="ignore"):  # inf, as OpenCV's routes give
        result = run(x)
    return result if dtype is None else saturate(result, dtype)


@ragged
def _each(x: Any, kernel: Any, flip: bool, options: tuple[Any, ...]) -> Array:
    """Run a list of images one by one; raise for anything that is not an image."""
    return _run(check_array(x), kernel, flip, options)
