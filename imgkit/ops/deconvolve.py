"""The inversion of a convolution.

Values are in the array's own units; results are floats (float32, or float64 for float64) and are
neither clipped nor rounded. Modes, borders and the position of `same` are those of `convolve`; a
constant border is 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from imgkit.border import MODES, check_border_word
from imgkit.checks import check_choice, check_int, check_number, printable
from imgkit.image import Array, full_range, inspect_image
from imgkit.kernels import as_kernel
from imgkit.ops.conv_plan import check_held
from imgkit.ops.dispatch import backend_of
from imgkit.ops.ragged import ragged

ROUNDING = 12**-0.5  # standard deviation of what rounding to whole levels changes
ITERATIONS = {"lsqr": 500, "richardson-lucy": 30, "wiener": 1}


@ragged
def deconvolve(
    b: Array,
    kernel: Any,
    method: str = "lsqr",
    mode: str = "same",
    border: str = "constant",
    regularization: float = 0,
    *,
    iterations: int | None = None,
    noise: float | None = None,
) -> Array:
    """Find the image x whose convolution with `kernel` is `b`, channel by channel.

    ``lsqr`` minimizes ``|A x - b|**2 + regularization * |x|**2`` for the A of
    `convolution_matrix`, for every mode and border, by up to `iterations` steps of LSQR (each
    takes two convolutions). It stops as soon as ``|A x - b|`` is no larger than `noise` explains:
    further steps would fit the noise and amplify it.

    ``wiener`` solves the same problem by one division of spectra, ``H* B / (|H|**2 + r)``. It is
    exact if the border wraps; otherwise `b` is first extended by its border, and errors extend as
    far into the image as the inverse of the kernel. A regularization below 1e-4 of the largest
    ``|H|**2`` is raised to that value, since some frequencies are lost.

    ``richardson-lucy`` finds the non-negative image that most likely gave `b` under Poisson noise
    by `iterations` multiplicative updates; it takes no other regularization.

    Args: b: blurred image, batch or list of images. kernel: taps of 1 (along the rows) or 2
        dimensions, or a kernel's name. method: ``lsqr``, ``wiener`` or ``richardson-lucy``. mode:
        of the convolution that produced `b`; x is smaller than `b` for ``full`` and larger for
        ``valid``.
        border: of that convolution.
        regularization: at least 0, relative to the squares of the taps: frequencies that the
            kernel passes by less than its square root are damped.
        iterations: at least 1; None is 500 for ``lsqr``, 30 for ``richardson-lucy``.
        noise: of ``lsqr``: standard deviation of the noise in `b`, in its units, at least 0; 0
            solves to the end. None is the rounding of integers, 0.29, if `iterations` is None,
            and 0 otherwise. A photograph has 1 to 5 levels of 255.

    Returns:
        x, of the layout of `b`.

    Raises: ValueError: an unknown method, mode or border, a kernel of 3 axes or all zero, a `b`
        smaller than any result of `full`; for ``richardson-lucy`` negative values or a
        regularization.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> x = np.array([[0., 0., 4., 0., 1.]])
    >>> b = ik.convolve(x, [0.25, 0.5, 0.25], "full")
    >>> abs(ik.deconvolve(b, [0.25, 0.5, 0.25], mode="full").round(6))
    array([[0., 0., 4., 0., 1.]])

    Paige and Saunders, "LSQR", ACM TOMS 8, 1982; Hunt, "The application of constrained least
    squares estimation to image restoration", IEEE Trans. Computers C-22, 1973; Richardson,
    "Bayesian-based iterative method of image restoration", JOSA 62, 1972.
    """
    image = inspect_image(b, "b")
    taps = _image_kernel(kernel)
    check_choice(method, "method", ITERATIONS)
    check_choice(mode, "mode", MODES)
    check_border_word(border)
    if mode == "full" and any(k > n for k, n in zip(taps.shape, image.size, strict=True)):
        raise ValueError(
            f"b has shape {b.shape}: mode 'full' and this kernel give at least {taps.shape} pixels"
        )
    regularization = check_number(regularization, "regularization", 0)
    rounds = ITERATIONS[method] if iterations is None else check_int(iterations, "iterations", 1)
    if method == "richardson-lucy":
        _check_poisson(b, taps, regularization)
    solve = getattr(backend_of(image.is_tensor, "deconvolve"), method.replace("-", "_"))
    options: tuple[Any, ...] = (mode, border, regularization, rounds)
    if method == "lsqr":
        options = (*options, _noise(noise, b.dtype, iterations))
    elif noise is not None:
        raise ValueError(f"noise is {printable(noise)}: method {method!r} takes none; 'lsqr' does")
    return image.restore(solve(image.batch, taps, *options))


def _noise(noise: Any, dtype: Any, iterations: Any) -> float:
    """Return the standard deviation of the noise: that of rounding where it is not given."""
    if noise is not None:
        return check_number(noise, "noise", 0)
    return ROUNDING if iterations is None and full_range(dtype) > 1 else 0.0


def _image_kernel(kernel: Any) -> Array:
    """Return a kernel for the two axes of an image."""
    taps = as_kernel(kernel)
    if taps.ndim == 3:
        raise ValueError(f"kernel has shape {taps.shape}: an image takes one of 1 or 2 axes")
    if not taps.any():
        raise ValueError("kernel is all zero: its convolution is 0 for every image")
    check_held(taps, "kernel", np.float32)
    return np.atleast_2d(taps)


def _check_poisson(b: Array, taps: Array, regularization: float) -> None:
    """Raise unless the image and kernel suit Richardson-Lucy."""
    if taps.min() < 0:
        raise ValueError(
            f"kernel has a tap of {taps.min():g}: method 'richardson-lucy' needs taps of at "
            "least 0; 'lsqr' and 'wiener' take any"
        )
    least = float(b.min()) if 0 not in b.shape else 0.0
    if least < 0:
        raise ValueError(
            f"b has a value of {least:g}: method 'richardson-lucy' needs values of at least 0"
        )
    if regularization:
        raise ValueError(
            f"regularization is {regularization:g}: method 'richardson-lucy' takes none; fewer "
            "iterations give a smoother image"
        )
