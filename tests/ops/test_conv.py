"""Convolution by arithmetic, against the reference, and against every peer."""

import itertools

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
from hypothesis import given, settings
from hypothesis import strategies as st

import imgkit as ik
from imgkit.backends.reference import conv as reference
from imgkit.border import BORDERS, MODES
from imgkit.ops.conv import METHODS

RNG = np.random.default_rng(5)
BORDER_VALUES = [("constant", 0), ("constant", 2.5), *((b, 0) for b in BORDERS if b != "constant")]


def close(ours, theirs, x, kernel, value=0.0):
    """float32 arithmetic: 1e-6 of what the largest pixel could make of all taps."""
    largest = max(np.abs(x).max(), abs(value))
    eps = 1e-14 if ours.dtype == np.float64 else 1e-6
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=eps * largest * np.abs(kernel).sum())


# --- by arithmetic ----------------------------------------------------------------------


def test_modes_by_hand_with_an_even_kernel():
    x = np.arange(6.0)
    full = [0, 1, 12, 23, 34, 45, 50]
    assert ik.convolve(x, [1, 10], "full").tolist() == full
    assert ik.convolve(x, [1, 10], "same").tolist() == full[:6]
    assert ik.convolve(x, [1, 10], "valid").tolist() == full[1:6]


def test_convolve_flips_and_correlate_does_not():
    x = np.zeros((5, 5))
    x[2, 2] = 1
    kernel = np.arange(9.0).reshape(3, 3)
    np.testing.assert_array_equal(ik.convolve(x, kernel)[1:4, 1:4], kernel)
    np.testing.assert_array_equal(ik.correlate(x, kernel)[1:4, 1:4], kernel[::-1, ::-1])


@pytest.mark.parametrize(
    ("border", "value", "expected"),
    [
        ("constant", 0, [1, 3, 6, 9, 7, 4]),
        ("constant", 10, [21, 13, 6, 9, 17, 24]),
        ("edge", 0, [3, 4, 6, 9, 11, 12]),
        ("reflect", 0, [6, 5, 6, 9, 10, 9]),
        ("symmetric", 0, [4, 4, 6, 9, 11, 11]),
        ("wrap", 0, [8, 7, 6, 9, 8, 7]),
    ],
)
def test_full_shows_the_border_beyond_the_image(border, value, expected):
    # 1 2 3 4 summed by threes
    x = np.array([1.0, 2, 3, 4])
    assert ik.convolve(x, [1, 1, 1], "full", border=border, value=value).tolist() == expected


def test_a_kernel_longer_than_the_image_folds_the_border_many_times():
    assert ik.convolve(np.array([1.0, 2]), np.ones(7), border="wrap").tolist() == [11, 10]
    assert ik.convolve(np.array([3.0]), np.ones(5), border="reflect").tolist() == [15]


def test_stride_keeps_every_nth_output_and_dilation_spreads_the_taps():
    x = np.arange(7.0)
    assert ik.convolve(x, [1], stride=3).tolist() == [0, 3, 6]
    assert ik.convolve(x, [1, 1], "valid", dilation=3).tolist() == [3, 5, 7, 9]


def test_input_dtype_saturates_and_rounds_half_to_even():
    x = np.array([[1, 3, 200]], np.uint8)
    assert ik.convolve(x, [[0.5]], dtype="input").tolist() == [[0, 2, 100]]
    assert ik.convolve(x, [[-1.0]], dtype="input").tolist() == [[0, 0, 0]]
    assert ik.convolve(x, [[2.0]], dtype="input").tolist() == [[2, 6, 255]]
    assert ik.convolve(x, [[300.0]], dtype="uint16").tolist() == [[300, 900, 60000]]


@pytest.mark.parametrize(
    ("x", "dtype", "expected"),
    [
        ("uint8", None, "float32"),
        ("uint16", None, "float32"),
        ("float32", None, "float32"),
        ("float64", None, "float64"),
        ("uint8", "float64", "float64"),
        ("float64", np.float32, "float32"),
        ("uint16", "input", "uint16"),
    ],
)
def test_result_dtypes(x, dtype, expected):
    assert ik.convolve(np.ones((3, 3), x), "box", dtype=dtype).dtype == expected


def test_float64_results_are_computed_in_float64():
    x = np.full((4, 4), 1 / 3)
    out = ik.convolve(x, np.full((2, 2), 0.1), "valid")
    np.testing.assert_allclose(out, 0.4 / 3, rtol=1e-15)


def test_uint16_with_a_large_kernel_stays_within_a_fraction_of_a_level():
    rng = np.random.default_rng(5)
    x = rng.integers(0, 65536, (90, 80), dtype=np.uint16)
    exact = reference.convolve(x, ik.kernel("box", 41))
    for method in METHODS:
        out = ik.convolve(x, ik.kernel("box", 41), method=method)
        assert np.abs(out - exact).max() < 0.1


# --- against the reference --------------------------------------------------------------

KERNELS = {
    "odd": RNG.standard_normal((3, 5)),
    "even": RNG.standard_normal((4, 2)),
    "large": RNG.standard_normal((13, 12)),
    "separable": np.outer(RNG.random(5), RNG.random(4)),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("border", "value"), BORDER_VALUES)
@pytest.mark.parametrize("mode", MODES)
def test_all_routes_agree_in_all_modes_and_borders(method, mode, border, value):
    rng = np.random.default_rng(5)
    for shape, name in itertools.product([(17, 13), (14, 20, 3)], KERNELS):
        if method == "separable" and name != "separable":
            continue
        x, kernel = rng.random(shape).astype(np.float32), KERNELS[name]
        for options in ({}, {"stride": (2, 3)}, {"dilation": (1, 2)}):
            if mode == "valid" and name == "large" and "dilation" in options:
                continue
            options |= {"border": border, "value": value}
            expected = reference.convolve(x, kernel, mode, **options)
            ours = ik.convolve(x, kernel, mode, method=method, **options)
            close(ours, expected, x, kernel, value)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_all_routes_agree_on_all_dtypes(method, dtype):
    rng = np.random.default_rng(5)
    x = (rng.random((2, 15, 16, 5)) * 200).astype(dtype)
    kernel = np.outer(rng.random(4), rng.standard_normal(5))
    expected = np.stack([reference.convolve(image, kernel) for image in x])
    close(ik.convolve(x, kernel, method=method), expected, x, kernel)


@pytest.mark.parametrize("method", [m for m in METHODS if m != "separable"])
def test_one_and_three_axes(method):
    rng = np.random.default_rng(5)
    volume = rng.random((6, 7, 8, 2)).astype(np.float32)
    kernel = rng.standard_normal((3, 2, 3))
    for mode, border in itertools.product(MODES, ("constant", "reflect")):
        close(
            ik.convolve(volume, kernel, mode, border=border, method=method, stride=(1, 2, 1)),
            reference.convolve(volume, kernel, mode, border=border, stride=(1, 2, 1)),
            volume,
            kernel,
        )
    signal, line = rng.random(300).astype(np.float32), rng.standard_normal(150)
    for mode, border in itertools.product(MODES, BORDERS):
        ours = ik.convolve(signal, line, mode, border=border, method=method)
        close(ours, reference.convolve(signal, line, mode, border=border), signal, line)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("axes", [(0, 2), (2, 1), (-1, 0), (1, 3)])
def test_axes_name_where_the_kernel_runs(method, axes):
    rng = np.random.default_rng(5)
    x = rng.random((5, 6, 7, 4)).astype(np.float32)
    kernel = np.outer(rng.random(3), rng.random(2))
    ours = ik.convolve(x, kernel, axes=axes, method=method, stride=(2, 1), border="edge")
    expected = reference.convolve(x, kernel, axes=axes, stride=(2, 1), border="edge")
    close(ours, expected, x, kernel)


def test_one_dimensional_kernels_run_along_the_width():
    rng = np.random.default_rng(5)
    x = rng.random((2, 5, 6, 3))
    ours = ik.convolve(x, [1.0, 2, 3])
    np.testing.assert_allclose(ours, reference.convolve(x, [1.0, 2, 3], axes=[2]), atol=1e-12)
    image = x[0, :, :, 0]
    np.testing.assert_allclose(ik.convolve(image, [1.0, 2]), ours_rows(image, [1.0, 2]))


def ours_rows(image, kernel):
    return np.stack([np.convolve(row, kernel)[: len(row)] for row in image])


def test_512_channels_and_wide_arrays():
    rng = np.random.default_rng(5)
    x = rng.random((6, 5, 512)).astype(np.float32)
    kernel = rng.standard_normal((3, 3))
    for method in ("direct", "low-rank", "auto"):
        ours = ik.convolve(x, kernel, method=method)
        close(ours, reference.convolve(x, kernel), x, kernel)


def test_correlate_is_convolve_with_the_kernel_flipped():
    rng = np.random.default_rng(5)
    x = rng.random((9, 8))
    for mode, kernel in itertools.product(MODES, KERNELS.values()):
        if mode == "valid" and kernel.shape[0] > 9:
            continue
        ours = ik.correlate(x, kernel, mode, border="wrap")
        np.testing.assert_array_equal(ours, ik.convolve(x, kernel[::-1, ::-1], mode, border="wrap"))


# --- against peers ----------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (3, 3), (2, 2), (4, 3), (7, 10)])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("method", ["auto", "direct", "fft", "overlap-add"])
def test_scipy_signal_agrees_in_every_mode(size, mode, method):
    rng = np.random.default_rng(5)
    x, kernel = rng.random((12, 11)), rng.standard_normal(size)
    for ours, theirs in (
        (ik.convolve, scipy.signal.convolve),
        (ik.correlate, scipy.signal.correlate),
    ):
        expected = theirs(x, kernel, mode, method="direct")
        close(ours(x, kernel, mode, method=method), expected, x, kernel)


def test_scipy_centers_correlate_as_we_do_unless_the_kernel_is_larger():
    rng = np.random.default_rng(5)
    x, kernel = rng.random(5), rng.random(8)
    theirs = scipy.signal.correlate(x, kernel, "same")
    np.testing.assert_allclose(ik.correlate(x, kernel, "full"), np.correlate(x, kernel, "full"))
    assert len(theirs) == len(ik.correlate(x, kernel)) == 5


@pytest.mark.parametrize("border", sorted(BORDERS))
@pytest.mark.parametrize("size", [(3, 3), (5, 2), (4, 4), (9, 9)])
def test_ndimage_agrees_in_every_border(border, size):
    rng = np.random.default_rng(5)
    x, kernel = rng.random((6, 7)), rng.standard_normal(size)
    # ndimage starts even kernels at K // 2 of the full result, we at (K - 1) // 2: a row or
    # column of zeros in front makes them odd and moves ndimage to where we are.
    odd = np.pad(kernel, [(1 - k % 2, 0) for k in size])
    theirs = scipy.ndimage.convolve(x, odd, mode=BORDERS[border].ndimage, cval=1.5)
    close(ik.convolve(x, kernel, border=border, value=1.5), theirs, x, kernel, 1.5)


@pytest.mark.parametrize("border", ["constant", "edge", "reflect", "symmetric"])
def test_opencv_agrees(border):
    rng = np.random.default_rng(5)
    import cv2

    x = rng.integers(0, 256, (20, 21, 3), dtype=np.uint8)
    for kernel in (rng.random((5, 5)), rng.random((4, 6))):
        theirs = cv2.filter2D(
            x, cv2.CV_32F, kernel[::-1, ::-1].copy(), borderType=BORDERS[border].cv2
        )
        close(ik.convolve(x, kernel, border=border), theirs, x, kernel)


# --- laws -------------------------------------------------------------------------------

shapes = st.sampled_from([(5, 7), (1, 1), (4, 6, 3), (2, 5, 4, 1), (0, 5, 4, 3)])


@given(
    shapes,
    st.sampled_from(["uint8", "uint16", "float32", "float64"]),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.sampled_from(["same", "full"]),
    st.sampled_from(sorted(BORDERS)),
    st.integers(1, 3),
)
@settings(deadline=None, max_examples=60)
def test_shape_dtype_and_layout_laws(shape, dtype, size, mode, border, stride):
    x = (np.random.default_rng(0).random(shape) * 200).astype(dtype)
    kernel = np.random.default_rng(1).random(size)
    x.flags.writeable = False
    out = ik.convolve(x, kernel, mode, border=border, stride=stride)
    assert out.dtype == (np.float64 if dtype == "float64" else np.float32)
    assert out.ndim == x.ndim
    if x.ndim == 4:
        for image, alone in zip(x, out, strict=True):
            one = ik.convolve(image, kernel, mode, border=border, stride=stride)
            close(one, alone, x, kernel)
    upside_down = np.ascontiguousarray(x[..., ::-1, :])[..., ::-1, :]
    again = ik.convolve(upside_down, kernel, mode, border=border, stride=stride)
    np.testing.assert_array_equal(again, out)


@given(st.integers(1, 12), st.integers(1, 12))
@settings(deadline=None, max_examples=30)
def test_convolution_commutes(n, k):
    a, b = np.random.default_rng(n).random(n), np.random.default_rng(k + 50).random(k)
    np.testing.assert_allclose(
        ik.convolve(a, b, "full"), ik.convolve(b, a, "full"), rtol=0, atol=1e-13
    )


def test_lists_are_ragged_batches_and_repeated_calls_do_not_share_results():
    images = [np.ones((3, 4), np.float32), np.ones((5, 2), np.float32)]
    assert [r.shape for r in ik.convolve(images, "box")] == [(3, 4), (5, 2)]
    first = ik.convolve(images[0], "box")
    kept = first.copy()
    ik.convolve(images[0] * 5, "box")[:] = 7
    np.testing.assert_array_equal(first, kept)


# --- bad input --------------------------------------------------------------------------

X = np.ones((5, 6), np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ik.convolve(X, np.ones((0, 3))), ValueError, r"kernel has shape \(0, 3\): every"),
        (lambda: ik.convolve(X, [[np.nan]]), ValueError, "every number must be finite"),
        (lambda: ik.convolve(X, [[1j]]), TypeError, "its numbers must be real"),
        (lambda: ik.convolve(X, np.array([[1j]])), TypeError, "its numbers must be real"),
        (lambda: ik.convolve(X, np.array([["a"]])), TypeError, "it must hold real numbers"),
        (lambda: ik.convolve(X, "sobel"), ValueError, "did you mean 'sobel_"),
        (
            lambda: ik.convolve(X, [[1e39]]),
            ValueError,
            "kernel holds numbers that add up to 1e.39: more than float32",
        ),
        (lambda: ik.convolve(X, np.ones((6, 2)), "valid"), ValueError, "mode 'valid' needs it"),
        (lambda: ik.convolve(X, "box", "vaild"), ValueError, "mode is 'vaild': did you mean"),
        (lambda: ik.convolve(X, "box", ["same"]), ValueError, "mode is"),
        (lambda: ik.convolve(X, "box", border="mirror"), ValueError, "border is 'mirror'"),
        (lambda: ik.convolve(X, "box", value=np.inf), ValueError, "value is inf"),
        (lambda: ik.convolve(X, "box", value=1e300), ValueError, "value is 1e.300: float32 holds"),
        (lambda: ik.convolve(X.astype(float), [1e308, 1e308]), ValueError, "more than float64 can"),
        (
            lambda: ik.convolve(X, "box", "full", dilation=10**9),
            ValueError,
            "dilation is 1000000000",
        ),
        (lambda: ik.convolve(X, [[1, 2], [3]]), ValueError, "its rows must be equally long"),
        (
            lambda: ik.explain_convolve(None, "box"),
            TypeError,
            "x is None: it must be one array, or",
        ),
        (
            lambda: ik.explain_convolve([X, X], "box"),
            TypeError,
            "it must be one array, or the shape",
        ),
        (lambda: ik.convolve([X, None], "box"), TypeError, r"x\[1\] is None: pass a NumPy array"),
        (lambda: ik.convolve(X, "box", value=True), TypeError, "value is True"),
        (lambda: ik.convolve(X, "box", value="0"), TypeError, "value is '0'"),
        (lambda: ik.convolve(X, "box", stride=0), ValueError, "stride is 0: it must be at least 1"),
        (lambda: ik.convolve(X, "box", stride=True), TypeError, "stride is True"),
        (lambda: ik.convolve(X, "box", stride=(1, 2, 3)), ValueError, "one integer or 2 of them"),
        (lambda: ik.convolve(X, "box", stride=(1.0, 1.0)), TypeError, "stride"),
        (lambda: ik.convolve(X, "box", dilation=-1), ValueError, "dilation is -1"),
        (lambda: ik.convolve(X, "box", axes=(0, 0)), ValueError, "each axis of the kernel needs"),
        (lambda: ik.convolve(X, "box", axes=(0, 2)), ValueError, "x has axes -2 to 1"),
        (lambda: ik.convolve(X, "box", method="fastest"), ValueError, "method is 'fastest'"),
        (lambda: ik.convolve(X, "emboss", method="separable"), ValueError, "use 'low-rank'"),
        (lambda: ik.convolve(X, "box", dtype="int8"), ValueError, "dtype is 'int8'"),
        (lambda: ik.convolve(X.tolist(), "box"), TypeError, "x is a list: pass a NumPy"),
        (lambda: ik.convolve(X > 0, "box"), TypeError, "x has dtype bool"),
        (lambda: ik.convolve(X[:, 0], "box"), ValueError, r"x has shape \(5,\): an image is"),
        (lambda: ik.convolve(X, np.ones((1, 1, 1))), ValueError, "needs a volume"),
        (lambda: ik.convolve(X[:0], "box"), ValueError, "height and width must be at least 1"),
        (lambda: ik.convolve(X[:0], "box", axes=(0, 1)), ValueError, "need at least 1 pixel"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    ik.convolve(X, "box")  # True == 1 == 1.0: what passed must not let its equals through
    ik.convolve(X, "box", stride=(1, 1))
    with pytest.raises(error, match=message):
        call()


# --- wide dilation ----------------------------------------------------------------------


@pytest.mark.parametrize("method", ["auto", "direct", "shift-add", "low-rank"])
@pytest.mark.parametrize(("border", "value"), BORDER_VALUES)
@pytest.mark.parametrize("dilation", [700, 5000, (1, 20_000), 1 << 20])
def test_a_dilated_kernel_is_never_laid_out(dilation, border, value, method):
    x = RNG.random((20, 24, 2)).astype(np.float32)
    kernel = RNG.standard_normal((3, 3))
    options = {"border": border, "value": value, "dilation": dilation, "stride": (1, 3)}
    found = ik.convolve(x, kernel, method=method, **options)
    close(found, reference.convolve(x, kernel, **options), x, kernel, value)


@pytest.mark.parametrize("dilation", [700, 3000])
def test_separable_full_and_valid_kernels_dilated_far(dilation):
    x = RNG.random((4, 2 * dilation + 5)).astype(np.float32)
    row = RNG.random((1, 3))
    for mode in ("full", "valid"):
        for method in ("auto", "separable", "fft"):
            found = ik.convolve(x, row, mode, dilation=dilation, method=method)
            expected = reference.convolve(x, row, mode, dilation=dilation)
            close(found, expected, x, row)
