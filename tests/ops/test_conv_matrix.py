"""The matrix is the convolution."""

import itertools

import numpy as np
import pytest
import scipy.signal
import scipy.sparse

import imgkit as ik
from imgkit.backends.reference import conv_matrix as reference
from imgkit.border import BORDERS

MODES = ("valid", "same", "full")
EVERY = list(itertools.product(MODES, BORDERS))
SIZES = [(1, 1), (3, 3), (2, 4), (5, 2), (1, 6), (4, 4)]


def peer(x: np.ndarray, kernel: np.ndarray, mode: str, border: str) -> np.ndarray:
    """SciPy's full convolution of the image that NumPy has padded, cut to the mode."""
    (kh, kw), (height, width) = kernel.shape, x.shape
    seen = np.pad(x, [(kh - 1, kh - 1), (kw - 1, kw - 1)], mode=BORDERS[border].numpy)
    full = scipy.signal.convolve2d(seen, kernel, "valid")
    top, left = {"full": (0, 0), "same": ((kh - 1) // 2, (kw - 1) // 2), "valid": (kh - 1, kw - 1)}[
        mode
    ]
    change = {"full": 1, "same": 0, "valid": -1}[mode]
    rows, columns = height + change * (kh - 1), width + change * (kw - 1)
    return full[top : top + rows, left : left + columns]


def test_rows_of_a_difference_by_hand() -> None:
    assert ik.convolution_matrix([1, -1], 3).toarray().tolist() == [
        [1, 0, 0],
        [-1, 1, 0],
        [0, -1, 1],
    ]
    wrapped = ik.convolution_matrix([1, -1], 3, border="wrap").toarray().tolist()
    assert wrapped == [[1, 0, -1], [-1, 1, 0], [0, -1, 1]]
    mean = ik.convolution_matrix([[1, 1, 1]], (1, 3), border="edge")
    assert mean.toarray().tolist() == [[2, 1, 0], [1, 1, 1], [0, 1, 2]]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("mode", MODES)
def test_times_x_is_the_convolution(mode: str, border: str, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    x, kernel = rng.normal(size=(6, 7)), rng.normal(size=size)
    matrix = ik.convolution_matrix(kernel, x.shape, mode, border)
    assert isinstance(matrix, scipy.sparse.csr_array)
    wanted = peer(x, kernel, mode, border)
    assert matrix.shape == (wanted.size, x.size)
    # float64: sums of up to 16 products in another order
    np.testing.assert_allclose(matrix @ x.ravel(), wanted.ravel(), atol=1e-13)
    ours = ik.convolve(x, kernel, mode, border=border)
    np.testing.assert_allclose(matrix @ x.ravel(), ours.ravel(), atol=1e-13)
    np.testing.assert_allclose(
        matrix.toarray(), reference.convolution_matrix(kernel, x.shape, mode, border), atol=1e-14
    )
    if border == "constant" and all(k <= n for k, n in zip(size, x.shape, strict=True)):
        np.testing.assert_allclose(wanted, scipy.signal.convolve2d(x, kernel, mode), atol=1e-13)


@pytest.mark.parametrize("border", BORDERS)
def test_kernels_larger_than_the_image(border: str) -> None:
    rng = np.random.default_rng(2)
    x, kernel = rng.normal(size=(3, 2)), rng.normal(size=(5, 8))
    for mode in ("same", "full"):
        matrix = ik.convolution_matrix(kernel, x.shape, mode, border)
        wanted = ik.convolve(x, kernel, mode, border=border)
        np.testing.assert_allclose(matrix @ x.ravel(), wanted.ravel(), atol=1e-12)


@pytest.mark.parametrize(("mode", "border"), EVERY)
def test_signals_rows_and_volumes(mode: str, border: str) -> None:
    rng = np.random.default_rng(3)
    for x, kernel in (
        (rng.normal(size=9), rng.normal(size=4)),
        (rng.normal(size=(3, 9)), rng.normal(size=4)),
        (rng.normal(size=(4, 5, 6)), rng.normal(size=(2, 3, 1))),
    ):
        matrix = ik.convolution_matrix(kernel, x.shape, mode, border)
        wanted = ik.convolve(x, kernel, mode, border=border)
        np.testing.assert_allclose(matrix @ x.ravel(), wanted.ravel(), atol=1e-13)


def test_named_kernels_and_zero_taps() -> None:
    matrix = ik.convolution_matrix("sobel_x", (5, 5), "valid")
    assert matrix.nnz == 9 * 6
