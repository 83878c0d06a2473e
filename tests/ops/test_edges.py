"""Gradients, Laplacians, Canny and corners: arithmetic, the oracle, and the peers."""

import pathlib
import subprocess
import sys

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import imgkit as ik
from imgkit.backends.reference import edges as reference
from imgkit.border import BORDERS
from imgkit.image import full_range

DTYPES = ("uint8", "uint16", "float32", "float64")
OPERATORS = {"sobel": 8, "prewitt": 6, "scharr": 32}
MAGNITUDES = {"sobel": ik.sobel, "prewitt": ik.prewitt, "scharr": ik.scharr}


def noise(shape, dtype="float64", seed=0):
    values = np.random.default_rng(seed).random(shape)
    top = full_range(dtype)
    return np.rint(values * top).astype(dtype) if top > 1 else values.astype(dtype)


def tolerance(x, gain):
    # float32 sums of up to `gain` full intensities; float64 sums differ in their order alone
    return full_range(x.dtype) * gain * (2e-7 if x.dtype != np.float64 else 1e-14)


# --- by arithmetic ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("operator", "slope"), OPERATORS.items())
def test_a_unit_ramp_has_the_textbook_slope_and_one_if_normalized(operator, slope, dtype):
    right = np.tile(np.arange(6), (5, 1)).astype(dtype)
    down = np.ascontiguousarray(right.T)
    for normalized, expected in ((False, slope), (True, 1)):
        gx, gy = ik.gradient(right, operator, normalized=normalized)
        np.testing.assert_allclose(gx[:, 1:-1], expected, rtol=1e-7)
        assert (gy == 0).all()
        gx, gy = ik.gradient(down, operator, normalized=normalized)
        np.testing.assert_allclose(gy[1:-1], expected, rtol=1e-7)
        assert (gx == 0).all()
        length = MAGNITUDES[operator](right, normalized=normalized)
        np.testing.assert_allclose(length[:, 1:-1], expected, rtol=1e-6)


def test_a_falling_ramp_has_a_negative_slope():
    gx, gy = ik.gradient(np.arange(12.0)[::-1].reshape(3, 4))
    assert (gx[:, 1:-1] == -8).all()
    assert (gy[1] == -32).all()


def test_an_impulse_answers_with_the_mirrored_kernel():
    spot = np.zeros((5, 5))
    spot[2, 2] = 1
    gx, gy = ik.gradient(spot, "scharr")
    assert gx[1:4, 1:4].tolist() == [[3, 0, -3], [10, 0, -10], [3, 0, -3]]
    assert gy[1:4, 1:4].tolist() == [[3, 10, 3], [0, 0, 0], [-3, -10, -3]]
    assert ik.laplacian(spot)[1:4, 1:4].tolist() == [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
    assert ik.laplacian(spot, 8)[1:4, 1:4].tolist() == [[1, 1, 1], [1, -8, 1], [1, 1, 1]]


def test_the_length_is_the_square_root_of_both_squares():
    x = np.array([[0, 0, 0], [0, 0, 0], [0, 0, 0]], np.uint8) + np.array([0, 3, 6], np.uint8)
    x = x + np.array([[0], [4], [8]], np.uint8)
    assert ik.sobel(x)[1, 1] == 8 * 5  # slopes 3 and 4
    assert ik.sobel(x, normalized=True)[1, 1] == 5


@pytest.mark.parametrize("border", ["reflect", "edge", "symmetric", "wrap"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_constant_image_has_no_gradient_at_all(dtype, border):
    for level in np.random.default_rng(1).random(20):
        x = np.full((6, 40, 2), level * full_range(dtype)).astype(dtype)
        for image in (x, x[..., 0]):
            for sobel in MAGNITUDES.values():
                assert (sobel(image, border=border) == 0).all()
            assert (ik.laplacian(image, 8, border=border) == 0).all()


def test_a_constant_border_shows_its_value():
    x = np.full((3, 3), 5, np.uint8)
    assert (ik.sobel(x, border="constant", value=5) == 0).all()
    gx, gy = ik.gradient(x, border="constant")
    assert gx.tolist() == [[15, 0, -15], [20, 0, -20], [15, 0, -15]]
    assert gy.tolist() == [[15, 20, 15], [0, 0, 0], [-15, -20, -15]]
    gx, _ = ik.gradient(x, border="constant", value=7)
    assert gx.tolist() == [[-6, 0, 6], [-8, 0, 8], [-6, 0, 6]]


def test_the_input_dtype_saturates_and_rounds():
    x = np.array([[0, 100, 200, 90, 0]] * 3, np.uint8)
    gx, _ = ik.gradient(x, dtype="input")
    assert gx.dtype == np.uint8
    assert gx[1].tolist() == [0, 255, 0, 0, 0]  # 800 and two negative slopes
    gx, _ = ik.gradient(x[:, :3] // 100, "prewitt", normalized=True, dtype="input")
    assert gx[1].tolist() == [0, 1, 0]
    assert ik.laplacian(x, dtype="input")[1].tolist() == [200, 0, 0, 20, 180]


def test_result_dtypes():
    for dtype in DTYPES:
        expected = np.float64 if dtype == "float64" else np.float32
        x = noise((4, 5), dtype)
        assert ik.sobel(x).dtype == expected
        assert ik.gradient(x)[1].dtype == expected
        assert ik.laplacian(x).dtype == expected
        assert ik.laplacian_of_gaussian(x, 1).dtype == expected
        assert ik.corners(x).dtype == expected
        assert ik.canny(x, 1, 2).dtype == bool
        assert ik.sobel(x, dtype="input").dtype == dtype
        assert ik.sobel(x, dtype="float64").dtype == np.float64


def test_a_parabola_has_the_curvature_two_at_every_sigma():
    y, x = np.mgrid[-40.0:41, -40:41]
    for sigma in (0.1, 0.3, 0.7, 1, 3.3, 8):
        answer = ik.laplacian_of_gaussian(x**2 + 3 * y**2 + 5 * x - 7, sigma)
        assert answer[40, 40] == pytest.approx(8, rel=1e-9)


def test_canny_finds_a_line_and_drops_weak_edges_that_touch_no_strong_one():
    x = np.zeros((9, 20))
    x[:, 5:] += 1
    x[:, 4] += 0.4  # the step is steepest in one column
    x[:, 12:] += 0.3
    x[:, 11] += 0.1
    weak_and_strong = ik.canny(x, 0.5, 3, sigma=0)
    assert weak_and_strong[1:-1, 4].all()
    assert not weak_and_strong[:, 8:].any()
    assert not weak_and_strong[[0, -1]].any()
    assert ik.canny(x, 0.5, 0.9, sigma=0)[1:-1, 11].all()
    assert not ik.canny(x, 0, 0, sigma=0)[:, 15:].any()  # a flat region is not an edge, even at 0


def test_canny_follows_the_strongest_channel():
    x = np.zeros((7, 12, 2), np.uint8)
    x[:, 6:, 1] = 200
    x[:, 5, 1] = 80
    mask = ik.canny(x, 50, 100, sigma=0)
    assert mask.shape == (7, 12, 1)
    assert mask[1:-1, 5, 0].all()
    assert mask.sum() == 5


@pytest.mark.parametrize("method", ["harris", "shi-tomasi"])
def test_corners_prefers_corners_to_edges_to_flat(method):
    x = np.zeros((30, 30), np.uint8)
    x[8:22, 8:22] = 200
    response = ik.corners(x, method)
    for row in (8, 21):
        for column in (8, 21):
            assert response[row, column] > 0.9 * response.max()
    assert response[2, 2] == 0
    limit = 0 if method == "harris" else 0.01 * response.max()
    assert response[15, 8] < limit  # on an edge


# --- against the oracle -----------------------------------------------------------------

SHAPES = ((1, 1, 1), (1, 7, 1), (6, 1, 2), (2, 2, 3), (9, 13, 1), (17, 11, 5))


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_derivatives_equal_the_reference(shape, dtype, border):
    x = noise(shape, dtype)
    exact = x.astype(np.float64)
    value = 0.25 if x.dtype.kind == "f" else 37
    options = {"border": border, "value": value}
    for operator, slope in OPERATORS.items():
        close = tolerance(x, slope)
        expected = reference.gradient(exact, operator, **options)
        for ours, theirs in zip(ik.gradient(x, operator, **options), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=close, rtol=0)
        ours = MAGNITUDES[operator](x, normalized=True, **options)
        theirs = getattr(reference, operator)(exact, normalized=True, **options)
        np.testing.assert_allclose(ours, theirs, atol=close / slope, rtol=1e-6)
    for neighbors in (4, 8):
        ours = ik.laplacian(x, neighbors, **options)
        theirs = reference.laplacian(exact, neighbors, **options)
        np.testing.assert_allclose(ours, theirs, atol=tolerance(x, 16), rtol=0)
    for sigma in (0.5, 1.5):
        ours = ik.laplacian_of_gaussian(x, sigma, **options)
        theirs = reference.laplacian_of_gaussian(exact, sigma, **options)
        np.testing.assert_allclose(ours, theirs, atol=tolerance(x, 32), rtol=0)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_corners_equal_the_reference(dtype, border):
    for shape in SHAPES:
        x = noise(shape, dtype)
        value = 0.25 if x.dtype.kind == "f" else 37
        for method, power in (("harris", 4), ("shi-tomasi", 2)):
            ours = ik.corners(x, method, border=border, value=value)
            theirs = reference.corners(x.astype(float), method, border=border, value=value)
            top = full_range(dtype) ** power
            np.testing.assert_allclose(ours, theirs, atol=1e-6 * top, rtol=0)


@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_canny_equals_the_reference(dtype):
    for shape in ((1, 1, 1), (2, 5, 1), (3, 3, 1), (24, 31, 1), (24, 31, 3)):
        x = noise(shape, dtype).astype(np.float64)  # float32 may break a tie the other way
        top = full_range(dtype)
        ours = ik.canny(x, 0.3 * top, 0.8 * top, 1.2)
        np.testing.assert_array_equal(ours, reference.canny(x, 0.3 * top, 0.8 * top, 1.2))
        assert ours.any() == (shape[0] > 3)


def test_strips_join_without_a_seam():
    x = noise((700, 600), "uint8")
    gx, gy = ik.gradient(x)
    exact = x.astype(np.float64)
    np.testing.assert_array_equal(gx, ndimage.sobel(exact, 1, mode="mirror"))
    np.testing.assert_array_equal(gy, ndimage.sobel(exact, 0, mode="mirror"))
    np.testing.assert_allclose(
        ik.sobel(x, border="wrap"),
        np.hypot(ndimage.sobel(exact, 1, mode="wrap"), ndimage.sobel(exact, 0, mode="wrap")),
        rtol=1e-6,
    )


# --- against the peers ------------------------------------------------------------------


@pytest.mark.parametrize("border", BORDERS)
def test_gradients_equal_ndimage(border):
    x = noise((15, 18))
    mode = BORDERS[border].ndimage
    for operator, peer in (("sobel", ndimage.sobel), ("prewitt", ndimage.prewitt)):
        gx, gy = ik.gradient(x, operator, border=border)
        # the sums are taken in another order; a cval other than 0 ndimage shows to both factors
        np.testing.assert_allclose(gx, peer(x, 1, mode=mode), atol=1e-14)
        np.testing.assert_allclose(gy, peer(x, 0, mode=mode), atol=1e-14)
    np.testing.assert_allclose(
        ik.laplacian(x, border=border), ndimage.laplace(x, mode=mode), atol=1e-14
    )


def test_laplacian_of_gaussian_is_near_ndimage():
    x = noise((40, 40))
    theirs = ndimage.gaussian_laplace(x, 2.0, mode="mirror")
    # ndimage keeps plain samples of the second derivative, off by 0.1% of the curvature
    np.testing.assert_allclose(ik.laplacian_of_gaussian(x, 2.0), theirs, atol=2e-3)


def test_magnitudes_equal_scikit_image_times_its_scale():
    filters = pytest.importorskip("skimage.filters")
    x = noise((20, 23))
    for operator, scale in (("sobel", 4), ("prewitt", 3), ("scharr", 16)):
        theirs = getattr(filters, operator)(x, mode="mirror") * scale * np.sqrt(2)
        np.testing.assert_allclose(MAGNITUDES[operator](x), theirs, rtol=1e-12, atol=1e-14)


def test_canny_equals_scikit_image():
    feature = pytest.importorskip("skimage.feature")
    data = pytest.importorskip("skimage.data")
    x = data.camera()[100:300, 100:300] / 255
    theirs = feature.canny(x, 2.0, 0.2, 0.5, mode="mirror")
    ours = ik.canny(x, 0.2, 0.5, sigma=2.0)
    assert ours.mean() > 0.01
    # both compare float sums taken in another order, so exact ties may fall either way
    assert (ours != theirs).mean() < 1e-3


def test_corners_equal_scikit_image_times_its_scale():
    feature = pytest.importorskip("skimage.feature")
    x = noise((40, 40))
    inner = (slice(8, -8), slice(8, -8))  # its borders differ
    theirs = feature.corner_harris(x, k=0.05, sigma=1) / 8**4
    np.testing.assert_allclose(ik.corners(x)[inner], theirs[inner], atol=1e-12)
    theirs = feature.corner_shi_tomasi(x, sigma=1) / 8**2
    np.testing.assert_allclose(ik.corners(x, "shi-tomasi")[inner], theirs[inner], atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_derivatives_equal_opencv(dtype):
    x = noise((21, 34, 3), dtype)
    depth = cv2.CV_64F if dtype == "float64" else cv2.CV_32F
    for operator, kernel in (("sobel", 3), ("scharr", cv2.FILTER_SCHARR)):
        gx, gy = ik.gradient(x, operator)
        close = tolerance(x, 32)
        np.testing.assert_allclose(gx, cv2.Sobel(x, depth, 1, 0, ksize=kernel), atol=close)
        np.testing.assert_allclose(gy, cv2.Sobel(x, depth, 0, 1, ksize=kernel), atol=close)
    np.testing.assert_allclose(ik.laplacian(x), cv2.Laplacian(x, depth), atol=tolerance(x, 8))


def test_normalized_sobel_equals_kornia():
    torch = pytest.importorskip("torch")
    kornia = pytest.importorskip("kornia")
    x = noise((11, 12), "float32")
    theirs = kornia.filters.spatial_gradient(torch.from_numpy(x)[None, None], mode="sobel")
    for ours, other in zip(
        ik.gradient(x, normalized=True, border="edge"), theirs[0, 0].numpy(), strict=True
    ):
        np.testing.assert_allclose(ours, other, atol=1e-6)  # float32 sums in another order


# --- laws -------------------------------------------------------------------------------

CALLS = {
    "gradient": lambda x, **options: ik.gradient(x, **options)[1],
    "sobel": ik.sobel,
    "prewitt": ik.prewitt,
    "scharr": ik.scharr,
    "laplacian": ik.laplacian,
    "log": lambda x, **options: ik.laplacian_of_gaussian(x, 1.0, **options),
    "corners": ik.corners,
    "canny": lambda x, **options: ik.canny(x, 0.1, 0.2, **options),
}


@settings(max_examples=40, deadline=None)
@given(
    call=st.sampled_from(sorted(CALLS)),
    dtype=st.sampled_from(DTYPES),
    border=st.sampled_from(sorted(BORDERS)),
    shape=st.tuples(st.integers(0, 3), *(st.integers(1, 9),) * 2, st.integers(1, 6)),
)
def test_a_batch_is_its_images_one_by_one(call, dtype, border, shape):
    x = noise(shape, dtype)
    x.setflags(write=False)
    run = CALLS[call]
    batch = run(x, border=border)
    assert batch.shape == ((*shape[:3], 1) if call == "canny" else shape)
    for image, result in zip(x, batch, strict=True):
        np.testing.assert_array_equal(run(image, border=border), result)
        if call != "canny":
            plane = image[::-1, :, 0]
            np.testing.assert_array_equal(
                run(plane, border=border), run(np.ascontiguousarray(plane), border=border)
            )


def test_many_channels_equal_each_channel_alone():
    x = noise((6, 7, 300), "uint8")
    for name, run in CALLS.items():
        if name != "canny":
            np.testing.assert_allclose(run(x)[..., 299], run(x[..., 299]), rtol=1e-5, atol=1e-3)
    assert ik.canny(x, 0, 0).shape == (6, 7, 1)


@pytest.mark.parametrize("width", [13, 16, 37, 64])
def test_an_image_has_the_same_bits_wherever_it_lies_in_memory(width):
    x = noise((21, width), "uint16")
    batch = np.repeat(x[None, ..., None], 9, axis=0)
    for operator, run in MAGNITUDES.items():
        alone = run(x)
        for image in run(batch):
            np.testing.assert_array_equal(image[..., 0], alone, err_msg=operator)
        memory = np.empty(x.nbytes + 64, np.uint8)
        for start in range(0, 64, 2):
            moved = memory[start : start + x.nbytes].view(x.dtype).reshape(x.shape)
            moved[:] = x
            np.testing.assert_array_equal(run(moved), alone, err_msg=operator)


def test_lists_are_ragged_batches():
    images = [noise((4, 5), "uint8"), noise((6, 3, 2), "uint8")]
    for x, result in zip(images, ik.sobel(images), strict=True):
        np.testing.assert_array_equal(result, ik.sobel(x))


def test_bad_arguments_are_named():
    x = np.zeros((4, 4), np.uint8)
    bad = {
        "operator is 'sobl': did you mean 'sobel'": lambda: ik.gradient(x, "sobl"),
        "border is 'reflct': did you mean 'reflect'": lambda: ik.sobel(x, border="reflct"),
        "value is 300: a uint8 image holds 0 to 255": lambda: ik.prewitt(x, value=300),
        "value is -0.5: a uint8 image holds": lambda: ik.scharr(x, value=-0.5),
        "dtype is 'int8': choose one of input": lambda: ik.sobel(x, dtype="int8"),
        "sigma is 1025: its window reaches 4100": lambda: ik.laplacian_of_gaussian(x, 1025),
        "sigma is 1026: its window reaches 4104": lambda: ik.canny(x, 1, 2, 1026),
        "sigma is 1027: its window reaches 4108": lambda: ik.corners(x, sigma=1027),
        "neighbors is 6: it must be 4 or 8": lambda: ik.laplacian(x, 6),
        "sigma is 0: it must be at least 0.1": lambda: ik.laplacian_of_gaussian(x, 0),
        "sigma is -1: it must be at least 0": lambda: ik.canny(x, 1, 2, -1),
        "low is -1: it must be at least 0": lambda: ik.canny(x, -1, 2),
        "high is 1: it must be at least low, which is 2": lambda: ik.canny(x, 2, 1),
        "method is 'haris': did you mean 'harris'": lambda: ik.corners(x, "haris"),
        "k is 1: it must be at least 0 and at most 0.25": lambda: ik.corners(x, k=1),
    }
    for message, call in bad.items():
        with pytest.raises(ValueError, match=message.replace("(", r"\(")):
            call()
    with pytest.raises(TypeError, match="x has dtype bool"):
        ik.sobel(x > 0)
    with pytest.raises(TypeError, match="low is '1': it must be a number"):
        ik.canny(x, "1", 2)


def test_a_12_megapixel_sobel_peaks_below_three_outputs():
    if not pathlib.Path("/proc/self/clear_refs").exists():
        pytest.skip("the peak of resident memory can be reset on Linux alone")
    code = (
        "import re, numpy as np, imgkit as ik\n"
        "x = np.ones((3000, 4000), np.uint8)\n"
        "ik.sobel(x[:64])\n"
        "def read(name): return int(re.search(name + r':\\s+(\\d+)', "
        "open('/proc/self/status').read())[1]) * 1024\n"
        "open('/proc/self/clear_refs', 'w').write('5')\n"  # forget the peak so far
        "before = read('VmRSS')\n"
        "y = ik.sobel(x)\n"
        "print((read('VmHWM') - before) / y.nbytes)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 0.9 < float(done.stdout) < 1.5  # the output itself is one
