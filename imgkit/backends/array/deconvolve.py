"""Deconvolution by SciPy's and scikit-image's solvers."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.signal
import scipy.sparse
from scipy.sparse.linalg import LinearOperator
from scipy.sparse.linalg import lsqr as scipy_lsqr

from imgkit.backends.array.conv_matrix import positions
from imgkit.border import BORDERS, source_index
from imgkit.image import Array, float_dtype

# Where the squared spectrum falls below this part of its maximum a frequency counts as lost.
WIENER_FLOOR = 1e-4


# --- iterations --------------------------------------------------------------------------


def lsqr(
    b: Array,
    taps: Array,
    mode: str,
    border: str,
    regularization: float,
    iterations: int,
    noise: float,
) -> Array:
    """Solve min |Ax - b|^2 + r |x|^2 for each plane of (N, H, W, C).

    The discrepancy principle (Morozov) stops the steps: a residual of the size of the noise.
    """
    size = _solution_size(b.shape[1:3], taps.shape, mode)
    operator = _operator(taps, size, mode, border)
    damp = math.sqrt(regularization)

    def solve(plane: Array) -> Array:
        explained = noise * math.sqrt(plane.size)
        length = max(float(np.linalg.norm(plane)), np.finfo(np.float64).tiny)
        found = scipy_lsqr(
            operator,
            plane.ravel(),
            damp=damp,
            atol=1e-10,
            btol=max(1e-10, explained / length),
            conlim=0,
            iter_lim=iterations,
        )
        return found[0].reshape(size)

    return _by_plane(solve, b, size)


def richardson_lucy(
    b: Array, taps: Array, mode: str, border: str, regularization: float, iterations: int
) -> Array:
    """Correct by the ratio of b to its model, mapped back through the convolution.

    With the true operator and its column sums the borders come out right, which scikit-image's
    version, which assumes a zero border and a sum of 1, leaves dark.
    """
    size = _solution_size(b.shape[1:3], taps.shape, mode)
    operator = _operator(taps, size, mode, border)
    reached = operator.rmatvec(np.ones(operator.shape[0]))
    reached[reached <= 1e-12 * taps.sum()] = np.inf  # what no output reads fades

    def solve(plane: Array) -> Array:
        target = plane.ravel()
        least = max(1e-12 * target.max(), np.finfo(np.float64).tiny)  # an FFT may give -1e-17
        x = np.full(operator.shape[1], target.mean() / taps.sum())
        for _ in range(iterations):
            ratio = target / np.maximum(operator.matvec(x), least)
            x *= np.maximum(operator.rmatvec(ratio), 0) / reached
        return x.reshape(size)

    return _by_plane(solve, b, size)


def _solution_size(b: tuple[int, ...], taps: tuple[int, ...], mode: str) -> tuple[int, ...]:
    """Return the size of the image whose convolution has the size of b."""
    change = {"full": -1, "same": 0, "valid": 1}[mode]
    return tuple(n + change * (k - 1) for n, k in zip(b, taps, strict=True))


def _operator(taps: Array, size: tuple[int, ...], mode: str, border: str) -> LinearOperator:
    """Return the convolution matrix as two functions: its entries would not fit large kernels.

    Convolving is continuing the image by its border, a sparse matrix on each axis, and a valid
    convolution. The transpose runs the steps back: full correlation, then folding.
    """
    above, aside = (
        _continuation(n, k, mode, border) for n, k in zip(size, taps.shape, strict=True)
    )
    continued = (above.shape[0], aside.shape[0])
    outputs = tuple(n - k + 1 for n, k in zip(continued, taps.shape, strict=True))
    convolve = functools.partial(scipy.signal.convolve, method=_method(continued, taps))

    def forward(x: Array) -> Array:
        reached = above @ x.reshape(size) @ aside.T
        return convolve(reached, taps, mode="valid").ravel()

    def transpose(y: Array) -> Array:
        reached = convolve(y.reshape(outputs), taps[::-1, ::-1], mode="full")
        return (above.T @ reached @ aside).ravel()

    shape = (math.prod(outputs), math.prod(size))
    return LinearOperator(shape, matvec=forward, rmatvec=transpose, dtype=np.float64)


def _method(size: tuple[int, ...], taps: Array) -> str:
    """Ask SciPy which convolution is faster, once for all iterations."""
    return str(scipy.signal.choose_conv_method(np.broadcast_to(0.0, size), taps, mode="valid"))


def _continuation(size: int, taps: int, mode: str, border: str) -> Any:
    """Return the sparse matrix that continues an axis as far as a convolution sees."""
    reached = positions(size, taps, mode)
    source = source_index(np.arange(reached.min(), reached.max() + 1), size, border)
    rows = np.flatnonzero(source >= 0)
    return scipy.sparse.csr_array(
        (np.ones(len(rows)), (rows, source[rows])), shape=(len(source), size)
    )


def _by_plane(solve: Callable[[Array], Array], b: Array, size: tuple[int, ...]) -> Array:
    """Run a function of a float64 plane (H, W) on each channel of each image."""
    x = np.empty((len(b), *size, b.shape[-1]), float_dtype(b.dtype))
    for n in range(len(b)):
        for c in range(b.shape[-1]):
            x[n, :, :, c] = solve(b[n, :, :, c].astype(np.float64))
    return x


# --- spectra -----------------------------------------------------------------------------


class Frame(NamedTuple):
    """One axis: which pixels of b to take, how many to add, and where x lies in the result."""

    take: slice
    add: tuple[int, int]
    find: slice


def wiener(
    b: Array, taps: Array, mode: str, border: str, regularization: float, iterations: int
) -> Array:
    """Divide the spectra, damped: scikit-image's filter with |x| in place of its Laplacian."""
    from skimage import restoration

    size = b.shape[1:3]
    frames = [_frame(n, k, mode, border) for n, k in zip(size, taps.shape, strict=True)]
    take = tuple(frame.take for frame in frames)
    find = tuple(frame.find for frame in frames)
    add = [frame.add for frame in frames]
    # what lies outside a valid convolution is no border of b
    pad_mode: Any = "edge" if mode == "valid" else BORDERS[border].numpy
    power = np.abs(np.fft.rfft2(taps, [4 * n for n in taps.shape])).max() ** 2
    balance = regularization or WIENER_FLOOR * power
    # `same` puts the center of an even kernel before the middle: a zero in front makes it odd
    odd = np.pad(taps, [(1 - n % 2, 0) for n in taps.shape])
    one = np.ones((1, 1))

    def solve(plane: Array) -> Array:
        continued = np.pad(plane[take], add, mode=pad_mode)
        return restoration.wiener(continued, odd, balance, reg=one, clip=False)[find]

    return _by_plane(solve, b, _solution_size(size, taps.shape, mode))


def _frame(size: int, taps: int, mode: str, border: str) -> Frame:
    """Lay one axis of b out so that x lies in its middle, away from the seam of the spectrum."""
    before = (taps - 1) // 2
    after = taps - 1 - before
    extra = taps
    if (mode, border) == ("same", "wrap"):  # no seam: whole turns, until the kernel fits
        extra = 0 if taps < size else size * math.ceil(taps / size)
    if mode == "valid":
        return Frame(slice(None), (after + extra, before + extra), slice(extra, -extra or None))
    if mode == "same":
        return Frame(slice(None), (extra, extra), slice(extra, -extra or None))
    if border == "constant":  # all of b counts, x lies inside
        return Frame(slice(None), (extra, extra), slice(extra + before, -extra - after or None))
    return Frame(slice(before, size - after), (extra, extra), slice(extra, -extra or None))
