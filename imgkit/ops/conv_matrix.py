"""Convolution as a sparse matrix; modes, borders and the position of `same` are `convolve`'s."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from imgkit.border import MODES, check_border_word
from imgkit.checks import check_choice, check_ints, printable
from imgkit.image import Array
from imgkit.kernels import as_kernel
from imgkit.ops.dispatch import backend_of


def convolution_matrix(
    kernel: Any,
    shape: int | Sequence[int],
    mode: str = "same",
    border: str = "constant",
) -> Any:
    """Return the sparse matrix with ``matrix @ x.ravel() == convolve(x, kernel, ...).ravel()``.

    Args:
        kernel: taps of 1 to 3 dimensions, or a kernel's name.
        shape: of `x`, one size for each axis of the kernel; a 1-D kernel also runs along the
            rows of a shape (H, W).
        mode: ``valid``, ``same`` or ``full``.
        border: ``constant`` (with 0), ``edge``, ``reflect``, ``symmetric`` or ``wrap``.

    Returns:
        `scipy.sparse.csr_array` of float64, a row for each output and a column for each pixel.

    Raises:
        ValueError: a shape that does not match the kernel, a kernel larger than the image in
            mode valid, an unknown mode or border.
        TypeError: a shape that does not hold integers.

    >>> import imgkit as ik
    >>> ik.convolution_matrix([1, 10], 3, "full").toarray()
    array([[ 1.,  0.,  0.],
           [10.,  1.,  0.],
           [ 0., 10.,  1.],
           [ 0.,  0., 10.]])
    """
    taps = as_kernel(kernel)
    sizes = _sizes(shape, taps)
    taps = taps.reshape((1,) * (len(sizes) - taps.ndim) + taps.shape)
    check_choice(mode, "mode", MODES)
    check_border_word(border)
    if mode == "valid" and any(k > n for k, n in zip(taps.shape, sizes, strict=True)):
        raise ValueError(
            f"kernel has shape {taps.shape}: mode 'valid' needs it to fit into the shape {sizes}; "
            "modes 'same' and 'full' take any kernel"
        )
    return backend_of(False, "conv_matrix").convolution_matrix(taps, sizes, mode, border)


def _sizes(shape: Any, taps: Array) -> tuple[int, ...]:
    """Return the sizes of the image's axes, one for each axis of the kernel."""
    count = len(shape) if isinstance(shape, (Sequence, np.ndarray)) else taps.ndim
    if count != taps.ndim and (taps.ndim, count) != (1, 2):
        raise ValueError(
            f"shape is {printable(shape)}: the kernel has {taps.ndim} axes, so give {taps.ndim} "
            "sizes; an image of several channels has one matrix for each"
        )
    return check_ints(shape, "shape", count, 1)
