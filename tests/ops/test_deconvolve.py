"""Deconvolution undoes a convolution."""

import itertools

import numpy as np
import pytest
import skimage.data
import skimage.restoration
from hypothesis import given, settings
from hypothesis import strategies as st

import imgkit as ik
from imgkit.backends.reference import deconvolve as reference
from imgkit.border import BORDERS

MODES = ("valid", "same", "full")
EVERY = list(itertools.product(MODES, BORDERS))
SIZES = [(1, 1), (3, 3), (2, 4), (5, 2), (1, 6), (4, 4)]


BLUR = np.outer([1, 5, 10, 5, 1], [1, 5, 10, 5, 1]) / 484
CAMERA = skimage.data.camera()[60:124, 180:252].astype(np.float64)


@pytest.mark.parametrize(("mode", "border"), EVERY)
@pytest.mark.parametrize("regularization", [0.0, 0.03])
def test_lsqr_solves_the_normal_equations(mode: str, border: str, regularization: float) -> None:
    rng = np.random.default_rng(4)
    kernel = rng.normal(size=(2, 3)) + np.array([[0, 4, 0], [0, 0, 0]])  # well conditioned
    b = ik.convolve(rng.normal(size=(6, 7)), kernel, mode, border=border)
    b += rng.normal(size=b.shape)
    x = ik.deconvolve(b, kernel, "lsqr", mode, border, regularization)
    matrix = ik.convolution_matrix(kernel, (6, 7), mode, border).toarray()
    assert x.shape == (6, 7)
    # LSQR stops at 1e-10 of the data
    np.testing.assert_allclose(
        matrix.T @ (matrix @ x.ravel() - b.ravel()) + regularization * x.ravel(), 0, atol=1e-6
    )
    wanted = reference.deconvolve(b[..., None], kernel, mode, border, regularization)[..., 0]
    np.testing.assert_allclose(x, wanted, atol=1e-5)


@pytest.mark.parametrize("border", BORDERS)
def test_lsqr_recovers_a_blurred_photograph(border: str) -> None:
    b = ik.convolve(CAMERA, BLUR, border=border)
    x = ik.deconvolve(b, BLUR, border=border, regularization=1e-8)
    assert np.abs(b - CAMERA).mean() > 3
    assert np.abs(x - CAMERA).mean() < 0.5


def test_wiener_is_least_squares_where_the_border_wraps() -> None:
    for kernel in (BLUR, BLUR[:4, 1:], BLUR[:, :2]):
        b = ik.convolve(CAMERA, kernel, border="wrap")
        options = {"border": "wrap", "regularization": 1e-3}
        exact = ik.deconvolve(b, kernel, "lsqr", **options)
        # LSQR stops at 1e-10, the levels reach 255
        np.testing.assert_allclose(ik.deconvolve(b, kernel, "wiener", **options), exact, atol=1e-4)


def test_wiener_wraps_kernels_larger_than_the_image() -> None:
    x = np.random.default_rng(6).random((3, 2))
    b = ik.convolve(x, BLUR, border="wrap")
    options = {"border": "wrap", "regularization": 1e-2}
    exact = ik.deconvolve(b, BLUR, "lsqr", **options)
    np.testing.assert_allclose(ik.deconvolve(b, BLUR, "wiener", **options), exact, atol=1e-7)


@pytest.mark.parametrize("kernel", [BLUR, BLUR[:4, 1:], BLUR[1]], ids=["odd", "even", "row"])
@pytest.mark.parametrize("method", ["wiener", "richardson-lucy"])
@pytest.mark.parametrize(("mode", "border"), EVERY)
def test_other_methods_recover_the_middle_in_place(method, mode, border, kernel) -> None:
    """Much of the blur's error goes; a shift by one pixel would add to it."""
    b = ik.convolve(CAMERA, kernel, mode, border=border)
    x = ik.deconvolve(b, kernel, method, mode, border)
    assert x.shape == CAMERA.shape
    middle = (slice(8, -8), slice(8, -8))
    same = ik.convolve(CAMERA, kernel, border=border)
    error, before = (np.abs(image - CAMERA)[middle].mean() for image in (x, same))
    assert error < (0.3 if method == "wiener" else 0.7) * before


@pytest.mark.parametrize("border", BORDERS)
def test_richardson_lucy_keeps_scale_and_borders(border: str) -> None:
    """Whatever the kernel's sum, the levels are those of the image up to the last pixel."""
    flat = np.full((9, 8), 200.0)
    for kernel in (3 * BLUR, BLUR[:2, :1]):
        b = ik.convolve(flat, kernel, border=border)
        x = ik.deconvolve(b, kernel, "richardson-lucy", border=border, iterations=200)
        np.testing.assert_allclose(x, flat, rtol=0.02)


def test_richardson_lucy_equals_scikit_image_in_the_middle() -> None:
    b = ik.convolve(CAMERA, BLUR)
    theirs = skimage.restoration.richardson_lucy(b, BLUR, 3, clip=False)
    ours = ik.deconvolve(b, BLUR, "richardson-lucy", iterations=3)
    inside = (slice(12, -12), slice(12, -12))  # three rounds of two blurs carry the border in
    np.testing.assert_allclose(ours[inside], theirs[inside], rtol=1e-9)


@pytest.mark.parametrize("border", ["reflect", "constant"])
@pytest.mark.parametrize("deviation", [0.0, 1.0, 4.0])
def test_lsqr_stops_where_the_noise_explains_the_residual(border: str, deviation: float) -> None:
    rng = np.random.default_rng(24)
    b = ik.convolve(CAMERA, BLUR, border=border)
    if deviation:
        b = b + rng.normal(0, deviation, b.shape)
        options = {"noise": deviation}
    else:  # the default of integers
        b, options = np.clip(np.rint(b), 0, 255).astype(np.uint8), {}
    found = ik.deconvolve(b, BLUR, border=border, **options)
    level = max(deviation, 12**-0.5)

    def residual(x: np.ndarray) -> float:
        return float(np.sqrt(np.mean((ik.convolve(x, BLUR, border=border) - b) ** 2.0)))

    steps = [
        ik.deconvolve(b, BLUR, border=border, iterations=n) for n in (1, 2, 4, 8, 16, 32, 64, 500)
    ]
    errors = [float(np.mean((x - CAMERA) ** 2)) for x in steps]
    assert 0.8 * level < residual(found) <= level * 1.001
    # the principle stops a little early: 0.3 to 1.1 dB below the best of all steps
    assert np.mean((found - CAMERA) ** 2) < 1.35 * min(errors)
    assert 3 * np.mean((found - CAMERA) ** 2) < errors[-1]  # what 500 steps amplify


def test_noise_that_explains_all_of_an_image_takes_one_step() -> None:
    one = ik.deconvolve(CAMERA, BLUR, iterations=1)
    np.testing.assert_array_equal(ik.deconvolve(CAMERA, BLUR, noise=300), one)
    assert not ik.deconvolve(np.zeros((6, 7)), BLUR, noise=0).any()


def test_iterations_are_counted() -> None:
    b = ik.convolve(CAMERA, BLUR)
    for method in ("lsqr", "richardson-lucy"):
        few, more = (ik.deconvolve(b, BLUR, method, iterations=n) for n in (2, 20))
        misfit_few, misfit_more = (np.abs(ik.convolve(x, BLUR) - b).mean() for x in (few, more))
        assert misfit_more < 0.5 * misfit_few


@settings(deadline=None, max_examples=40)
@given(
    method=st.sampled_from(["lsqr", "wiener", "richardson-lucy"]),
    dtype=st.sampled_from(["uint8", "uint16", "float32", "float64"]),
    shape=st.sampled_from([(5, 6), (1, 1), (5, 6, 1), (4, 3, 5), (2, 4, 5, 3), (0, 4, 4, 3)]),
    mode=st.sampled_from(MODES),
    border=st.sampled_from(list(BORDERS)),
)
def test_layout_and_dtype(method, dtype, shape, mode, border) -> None:
    b = (np.random.default_rng(5).random(shape) * 200).astype(dtype)
    b.flags.writeable = False
    kernel = [[0.25, 0.75]]
    if mode == "full" and shape == (1, 1):
        mode = "same"
    x = ik.deconvolve(b, kernel, method, mode, border, iterations=5)
    wider = {"valid": 1, "same": 0, "full": -1}[mode]
    axis = 2 if b.ndim == 4 else 1
    assert x.shape == (*shape[:axis], shape[axis] + wider, *shape[axis + 1 :])
    assert x.dtype == (np.float64 if dtype == "float64" else np.float32)
    if b.ndim == 4:
        for image, one in zip(b, x, strict=True):
            again = ik.deconvolve(image, kernel, method, mode, border, iterations=5)
            np.testing.assert_array_equal(again, one)


# --- bad input ---------------------------------------------------------------------------

X = np.ones((4, 5))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ik.convolution_matrix("sobel", (4, 4)), ValueError, "sobel"),
        (lambda: ik.convolution_matrix(np.ones((3, 3)), (5,)), ValueError, "give 2 sizes"),
        (lambda: ik.convolution_matrix(np.ones((3, 3)), (5, 5, 3)), ValueError, "has 2 axes"),
        (lambda: ik.deconvolve(np.ones((3, 3)), [1], noise=-1), ValueError, "noise is -1"),
        (lambda: ik.deconvolve(np.ones((3, 3)), [1], "wiener", noise=1), ValueError, "'lsqr' does"),
        (lambda: ik.convolution_matrix([1, 2], 0), ValueError, "shape"),
        (lambda: ik.convolution_matrix([1, 2], 2.5), TypeError, "shape"),
        (lambda: ik.convolution_matrix([1, 2, 3], 2, "valid"), ValueError, "needs it to fit"),
        (lambda: ik.convolution_matrix([1], 2, "fulll"), ValueError, "did you mean 'full'"),
        (lambda: ik.convolution_matrix([1], 2, border="mirror"), ValueError, "border is 'mirror'"),
        (lambda: ik.deconvolve(X, [1], "lsq"), ValueError, "did you mean 'lsqr'"),
        (lambda: ik.deconvolve(X, [0, 0]), ValueError, "kernel is all zero"),
        (lambda: ik.deconvolve(X, np.ones((2, 2, 2))), ValueError, "1 or 2 axes"),
        (lambda: ik.deconvolve(X, np.ones(6), mode="full"), ValueError, r"b has shape \(4, 5\)"),
        (lambda: ik.deconvolve(X, [1], regularization=-1), ValueError, "regularization is -1"),
        (lambda: ik.deconvolve(X, [1], iterations=0), ValueError, "iterations is 0"),
        (lambda: ik.deconvolve(X, [-1, 2], "richardson-lucy"), ValueError, "a tap of -1"),
        (lambda: ik.deconvolve(-X, [1], "richardson-lucy"), ValueError, "b has a value of -1"),
        (
            lambda: ik.deconvolve(X, [1], "richardson-lucy", regularization=1),
            ValueError,
            "fewer iterations",
        ),
        (lambda: ik.deconvolve(X.tolist(), [1]), TypeError, "b is a list"),
    ],
)
def test_bad_input_is_named(call, error, message: str) -> None:
    with pytest.raises(error, match=message):
        call()
