"""Named kernels: their taps, sums and signs, and the arguments that are refused."""

import numpy as np
import pytest
from scipy.ndimage import correlate as nd_correlate

import imgkit as ik
from imgkit.kernels import KERNELS, as_kernel, gaussian_taps, gaussian_taps_of_each


@pytest.mark.parametrize("name", sorted(KERNELS))
def test_every_name_gives_a_fresh_float64_kernel(name):
    taps = ik.kernel(name)
    assert taps.dtype == np.float64
    assert taps.ndim == 2
    taps[:] = 0
    assert ik.kernel(name).any()


@pytest.mark.parametrize("name", ["gaussian", "box", "motion", "sharpen"])
def test_smoothing_and_sharpening_keep_a_constant_image(name):
    assert ik.kernel(name).sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    "name", ["sobel_x", "prewitt_y", "scharr_x", "roberts", "laplacian", "laplacian_8", "log"]
)
def test_differences_answer_zero_to_a_constant_image(name):
    assert ik.kernel(name).sum() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("name", "gain"), [("prewitt", 6), ("sobel", 8), ("scharr", 32)])
def test_a_rising_ramp_answers_with_the_raw_gain(name, gain):
    ramp = np.tile(np.arange(7.0), (5, 1))
    assert (ik.correlate(ramp, f"{name}_x", "valid") == gain).all()
    assert (ik.correlate(ramp.T, f"{name}_y", "valid") == gain).all()
    assert (ik.correlate(ramp, f"{name}_y", "valid") == 0).all()


def test_gaussian_is_the_outer_product_of_scipys():
    impulse = np.zeros(9)
    impulse[4] = 1
    from scipy.ndimage import gaussian_filter1d

    taps = gaussian_filter1d(impulse, 1.0, truncate=4.0)
    np.testing.assert_allclose(ik.kernel("gaussian", sigma=1.0), np.outer(taps, taps), atol=1e-15)
    np.testing.assert_array_equal(gaussian_taps(0, 3), [0, 1, 0])


def test_gaussians_of_several_sigmas_are_those_of_one():
    sigmas = np.array([0.0, 0.3, 1.0, 2.5])
    taps, radius = gaussian_taps_of_each(sigmas)
    middle = taps.shape[1] // 2
    for sigma, row, reach in zip(sigmas, taps, radius, strict=True):
        inside = row[middle - reach : middle + reach + 1]
        np.testing.assert_allclose(inside, gaussian_taps(sigma), rtol=0, atol=1e-15)
        assert np.isclose(inside.sum(), 1)


def test_log_is_a_sampled_laplacian_of_gaussian():
    # On x² + y², whose Laplacian is 4 everywhere, sampling and shifting leave a few per cent.
    y, x = np.mgrid[-20:21, -20:21].astype(float)
    answer = nd_correlate(x**2 + y**2, ik.kernel("log", sigma=2.0))[20, 20]
    assert answer == pytest.approx(4, rel=0.02)


def test_motion_lies_along_its_angle():
    np.testing.assert_allclose(ik.kernel("motion", 5)[2], [0.1, 0.2, 0.2, 0.2, 0.1], atol=0.05)
    np.testing.assert_allclose(
        ik.kernel("motion", 5, angle=90), ik.kernel("motion", 5).T, atol=1e-12
    )
    diagonal = ik.kernel("motion", 5, angle=45)  # counter-clockwise: up to the right
    assert diagonal[0, 4] > 0
    assert diagonal[0, 0] == pytest.approx(0, abs=1e-12)


def test_gabor_answers_waves_of_its_direction_and_wavelength():
    y, x = np.mgrid[:40, :40]
    taps = ik.kernel("gabor", sigma=4, theta=90, wavelength=6)
    assert taps.shape == (25, 25)
    across = np.abs(ik.correlate(np.cos(2 * np.pi * y / 6.0), taps, "valid")).max()
    along = np.abs(ik.correlate(np.cos(2 * np.pi * x / 6.0), taps, "valid")).max()
    assert across > 100 * along


def test_size_sets_the_number_of_taps():
    for name in ("gaussian", "box", "log", "motion", "gabor"):
        assert ik.kernel(name, size=6).shape == (6, 6)
    assert ik.kernel("box", 1).item() == 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ik.kernel("sobl_x"), ValueError, "kernel is 'sobl_x': did you mean 'sobel_x'"),
        (lambda: ik.kernel(3), ValueError, "kernel is 3: known"),
        (lambda: ik.kernel("sobel_x", 5), ValueError, "size is 5: sobel_x has no size"),
        (lambda: ik.kernel("box", sigma=1), ValueError, "sigma is 1: box has no sigma; it takes"),
        (lambda: ik.kernel("box", 0), ValueError, "size is 0: it must be at least 1"),
        (lambda: ik.kernel("box", 2.0), TypeError, "size is 2.0: it must be an integer"),
        (lambda: ik.kernel("gaussian", sigma=0), ValueError, "sigma is 0: .* greater than 0"),
        (lambda: ik.kernel("gabor", wavelength=-1), ValueError, "wavelength is -1"),
        (lambda: ik.kernel("motion", angle=np.nan), ValueError, "angle is nan: .* finite"),
        (lambda: as_kernel(np.ones((0, 3))), ValueError, r"kernel has shape \(0, 3\): every axis"),
        (lambda: as_kernel([]), ValueError, r"kernel has shape \(0,\): every axis needs at least"),
        (lambda: as_kernel(3.0), ValueError, r"kernel has shape \(\): it must have 1, 2 or 3"),
        (lambda: as_kernel(np.ones((1,) * 4)), ValueError, "it must have 1, 2 or 3 axes"),
        (lambda: as_kernel([1, np.nan]), ValueError, r"kernel has nan at \(1,\): every number"),
        (lambda: as_kernel([[1, np.inf]]), ValueError, r"kernel has inf at \(0, 1\)"),
        (
            lambda: as_kernel([1j]),
            TypeError,
            "kernel has dtype complex128: its numbers must be real",
        ),
        (lambda: as_kernel(["a"]), TypeError, "it must hold real numbers"),
        (lambda: as_kernel([[1, 2], [3]]), ValueError, "its rows must be equally long"),
        (lambda: as_kernel(None), TypeError, "it must hold real numbers"),
    ],
)
def test_what_is_no_kernel_says_why(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_as_kernel_takes_names_lists_and_integers():
    assert as_kernel("sobel_x").shape == (3, 3)
    assert as_kernel([1, 2]).dtype == np.float64
    assert as_kernel(np.ones((2, 3, 4), np.uint8)).shape == (2, 3, 4)
