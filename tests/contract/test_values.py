"""NaN, infinities and large numbers change only the results whose window holds them."""

import contextlib

import numpy as np
import pytest
import torch

import imgkit as ik
from imgkit.backends.tensor.numpy_view import native
from imgkit.border import BORDERS, source_index

RNG = np.random.default_rng(20)
BASE = RNG.random((44, 51))
SPOTS = ((30, 23), (0, 2))
DENSE, SIGNED = RNG.random((15, 15)), RNG.standard_normal((31, 31))
LOW_RANK = np.outer(RNG.random(31), RNG.random(31)) + np.outer(RNG.random(31), RNG.random(31))
LONG = np.outer(RNG.random(131), RNG.random(15))  # OpenCV takes a DFT along it
ALONG = RNG.random(131)
VALUES = (np.nan, np.inf, -np.inf, 1e8, -1e30)

# a filter of an image and a border, and how far its window reaches, up and down, left and right
FILTERS = {
    **{
        f"box_blur {n}": (lambda x, b, n=n: ik.box_blur(x, n, border=b), n // 2) for n in (3, 9, 31)
    },
    "box_blur even": (lambda x, b: ik.box_blur(x, (4, 8), border=b), (2, 4)),
    **{
        f"median_blur {n}": (lambda x, b, n=n: ik.median_blur(x, n, border=b), n // 2)
        for n in (3, 5, 9)
    },
    "gaussian_blur": (lambda x, b: ik.gaussian_blur(x, 2, border=b), 8),
    "gaussian_blur wide": (lambda x, b: ik.gaussian_blur(x, 9, border=b), 36),
    "sharpen": (lambda x, b: ik.sharpen(x, border=b), 4),
    "bilateral_blur": (lambda x, b: ik.bilateral_blur(x, 0.1, 2, border=b), 4),
    **{
        f"convolve {m}": (lambda x, b, m=m: ik.convolve(x, DENSE, border=b, method=m), 7)
        for m in ("auto", "direct", "shift-add", "fft", "overlap-add", "low-rank")
    },
    "convolve signed": (lambda x, b: ik.convolve(x, SIGNED, border=b), 15),
    "convolve low rank": (lambda x, b: ik.convolve(x, LOW_RANK, border=b, method="low-rank"), 15),
    "convolve long": (lambda x, b: ik.convolve(x, LONG, border=b), (65, 7)),
    "convolve separable": (
        lambda x, b: ik.convolve(x, LONG, border=b, method="separable"),
        (65, 7),
    ),
    "convolve along": (lambda x, b: ik.convolve(x, ALONG, border=b, method="direct"), (0, 65)),
    "convolve by columns": (
        lambda x, b: ik.convolve(x.T, DENSE, border=b, axes=(1, 0), method="fft").T,
        7,
    ),
    **{
        name: (lambda x, b, name=name: getattr(ik, name)(x, border=b), 1)
        for name in ("sobel", "prewitt", "scharr", "laplacian")
    },
    "laplacian_of_gaussian": (lambda x, b: ik.laplacian_of_gaussian(x, 1.5, border=b), 10),
}


def reached(shape, radius, border):
    """Mark the outputs whose window, on the image continued by its border, holds a spot."""
    up, left = (radius, radius) if isinstance(radius, int) else radius
    marks = np.zeros(shape, bool)
    marks[tuple(zip(*SPOTS, strict=True))] = True
    rows = source_index(np.arange(-up, shape[0] + up), shape[0], border)
    columns = source_index(np.arange(-left, shape[1] + left), shape[1], border)
    framed = marks[rows[:, None], columns] & (rows >= 0)[:, None] & (columns >= 0)
    windows = np.lib.stride_tricks.sliding_window_view(framed, (2 * up + 1, 2 * left + 1))
    return windows.any((-1, -2))


def spoiled(image, value):
    image = image.copy()
    for spot in SPOTS:
        image[spot] = value
    return image


def run(function, image, kind, *args):
    """Run a function on an array, a tensor by views, or a tensor by torch's own operations."""
    if kind == "array":
        return np.asarray(function(image, *args))
    with native() if kind == "native" else contextlib.nullcontext():
        return function(torch.from_numpy(image), *args).numpy()


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize(
    ("kind", "dtype"), [("array", np.float32), ("array", np.float64), ("native", np.float32)]
)
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("name", FILTERS)
def test_what_a_filter_does_not_reach_stays(name, border, dtype, kind):
    function, radius = FILTERS[name]
    image = BASE.astype(dtype)
    inside = reached(image.shape, radius, border)
    clean = run(function, image, kind, border)
    # 1e-5 of the largest: a transform in float32 against one in float64
    tolerance = (1e-5 if dtype == np.float32 else 1e-8) * max(1, np.abs(clean).max())
    for value in VALUES:
        found = run(function, spoiled(image, value), kind, border)
        np.testing.assert_allclose(found[~inside], clean[~inside], rtol=0, atol=tolerance)


NO_ZEROS = ("box_blur 9", "median_blur 3", "median_blur 9", "gaussian_blur", "convolve auto",
            "convolve fft", "convolve overlap-add", "convolve low-rank", "convolve direct",
            "convolve long", "convolve separable")  # fmt: skip


@pytest.mark.parametrize("kind", ["array", "native"])
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("name", NO_ZEROS)
def test_nan_reaches_all_of_its_windows(name, border, kind):
    function, radius = FILTERS[name]
    image = BASE.astype(np.float32)
    inside = reached(image.shape, radius, border)
    found = run(function, spoiled(image, np.nan), kind, border)
    np.testing.assert_array_equal(np.isnan(found), inside)


@pytest.mark.parametrize("method", ["direct", "low-rank", "shift-add", "fft", "overlap-add"])
def test_infinities_take_the_sign_of_the_taps(method):
    image = np.zeros((40, 40))
    image[20, 20], image[20, 23] = np.inf, 7
    kernel = np.sign(SIGNED[:15, :15]) + 0.5 * SIGNED[15:30, 15:30]
    found = ik.convolve(image, kernel, method=method)
    window = found[13:28, 13:28]
    np.testing.assert_array_equal(window, np.copysign(np.inf, kernel))
    np.testing.assert_allclose(found[13:28, 28:31], 7 * kernel[:, 12:15], atol=1e-12)


@pytest.mark.parametrize("method", ["fft", "overlap-add", "separable"])
def test_a_large_border_stays_where_it_is_seen(method):
    image = BASE.astype(np.float32)
    found = ik.convolve(image, LONG[:15, :15], border="constant", value=1e20, method=method)
    clean = ik.convolve(image, LONG[:15, :15], border="edge", method="direct")
    np.testing.assert_allclose(found[7:-7, 7:-7], clean[7:-7, 7:-7], rtol=1e-5)
    assert (np.abs(found[0]) > 1e17).all()


def test_numbers_of_every_magnitude_keep_their_windows():
    image = np.ones((20, 200), np.float32)
    image[10, 20:200:40] = [1e3, 1e9, 1e18, 1e27, 1e36]
    found = ik.convolve(image, np.full((9, 9), 0.5), border="edge", method="fft")
    expected = ik.convolve(image, np.full((9, 9), 0.5), border="edge", method="shift-add")
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("kind", ["array", "native"])
@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos", "area"])
@pytest.mark.parametrize("size", [(20, 25), (50, 110), (110, 30)])
def test_resize_spreads_as_far_as_its_weights(size, interpolation, antialias, kind):
    image = BASE.astype(np.float32)

    def resized(x):
        return ik.resize(x, size, interpolation=interpolation, antialias=antialias)

    clean = run(resized, image, kind)
    touched = np.zeros(size, bool)
    for axis, (n, m) in enumerate(zip(image.shape, size, strict=True)):
        # lanczos, the widest, reaches 3 pixels of the coarser grid
        center = (np.arange(m) + 0.5) * n / m - 0.5
        wide = 3 * max(n / m, 1) + 1
        near = np.abs(center[:, None] - [spot[axis] for spot in SPOTS]) <= wide
        lies = near[:, None] if axis == 0 else near[None]
        touched = lies if axis == 0 else touched & lies
    touched = touched.any(-1)
    for value in (np.nan, np.inf, 1e8):
        found = run(resized, spoiled(image, value), kind)
        np.testing.assert_allclose(found[~touched], clean[~touched], rtol=0, atol=1e-5)
        if np.isnan(value) and antialias:
            assert np.isnan(found[touched]).any()


POOLS = [(3, 3, 0), (2, 2, 0), (5, 1, 2), (7, 2, 3), (20, 3, 0)]


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("tensor", ["array", "native"])
@pytest.mark.parametrize(("size", "stride", "padding"), POOLS)
@pytest.mark.parametrize("kind", ["max", "min", "avg", "median"])
def test_pools_keep_values_in_their_windows(kind, size, stride, padding, tensor):
    image = BASE.astype(np.float32)

    def pooled(x):
        return getattr(ik, f"{kind}_pool")(x, size, stride, padding=padding)

    clean = run(pooled, image, tensor)
    starts = [stride * np.arange(n) - padding for n in clean.shape]
    held = np.zeros(clean.shape, bool)
    for spot in SPOTS:
        rows, columns = ((s <= at) & (at < s + size) for s, at in zip(starts, spot, strict=True))
        held |= rows[:, None] & columns
    for value in VALUES:
        found = run(pooled, spoiled(image, value), tensor)
        np.testing.assert_allclose(found[~held], clean[~held], rtol=0, atol=1e-5)
        if np.isnan(value):
            np.testing.assert_array_equal(np.isnan(found), held)


@pytest.mark.filterwarnings("ignore:image has values:UserWarning")
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e8])
def test_motion_blur_of_many_taps_keeps_values_in_its_window(value):
    pipeline = ik.Pipeline([ik.MotionBlur(size=15, degrees=30)], seed=1)
    image = BASE.astype(np.float32)[..., None]
    clean, found = pipeline(image, key=(0, 0)), pipeline(spoiled(image, value), key=(0, 0))
    inside = reached(image.shape[:2], 7, "reflect")
    np.testing.assert_allclose(found[~inside], clean[~inside], atol=1e-5)


# --- sums of large numbers ---------------------------------------------------------------


@pytest.mark.parametrize("kind", ["array", "native"])
@pytest.mark.parametrize("size", [5, 181, 182, 255, 257, (3, 499)])
def test_a_box_blur_of_white_is_white(size, kind):
    white = np.full((300, 300), 65535, np.uint16)
    white[:, 280:] = 65534
    found = run(lambda x: ik.box_blur(x, size), white, kind)
    assert found.min() >= 65534
    np.testing.assert_array_equal(found[:, :20], 65535)


def test_a_box_blur_of_more_8_bit_pixels_than_32_bits_sum():
    white = np.full((3000, 3000), 255, np.uint8)
    assert ik.box_blur(white, 2999)[::500, ::500].min() == 255


@pytest.mark.parametrize("kind", ["avg", "median", "max", "min"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pools_of_white_are_white(kind, dtype):
    white = np.full((4200, 4200), np.iinfo(dtype).max, dtype)
    assert ik.global_pool(white, kind).item() == white[0, 0]
    if kind != "median":  # of 17 million elements
        assert getattr(ik, f"{kind}_pool")(white, 4200).item() == white[0, 0]


def test_means_of_many_floats_keep_their_digits():
    gray = np.full((2048, 2048), 0.7, np.float32)
    for found in (ik.avg_pool(gray, 2048), ik.global_pool(gray, "avg"), ik.box_blur(gray, 2047)):
        np.testing.assert_allclose(found, 0.7, rtol=2e-7)
    with native():
        for found in (ik.avg_pool(torch.from_numpy(gray), 2048), ik.global_pool(gray, "avg")):
            np.testing.assert_allclose(np.asarray(found), 0.7, rtol=2e-6)  # float32 sums of torch


@pytest.mark.parametrize("kind", ["array", "native"])
def test_contrast_knows_the_mean_of_a_large_image(kind):
    white = np.full((2048, 2048), 65535, np.uint16)
    found = run(lambda x: ik.adjust_contrast(x, 0.0), white, kind)
    assert found.min() == 65535
