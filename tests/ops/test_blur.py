"""Blurs and sharpening: arithmetic, the oracle, and the peers."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import imgkit as ik
from imgkit.backends.array import blur as array
from imgkit.backends.reference import blur as reference
from imgkit.border import BORDERS, source_index
from imgkit.image import full_range

DTYPES = ("uint8", "uint16", "float32", "float64")
SHAPES = ((1, 1, 1), (1, 7, 1), (6, 1, 2), (3, 4, 3), (9, 14, 1), (13, 11, 5))


def noise(shape, dtype="float64", seed=0):
    values = np.random.default_rng(seed).random(shape)
    top = full_range(dtype)
    return np.rint(values * top).astype(dtype) if top > 1 else values.astype(dtype)


def calls(top):
    return {
        "gaussian_blur": {"sigma": 1.3},
        "box_blur": {"size": (2, 5)},
        "median_blur": {"size": 5},
        "bilateral_blur": {"sigma_color": 0.2 * top, "sigma_space": 1.5},
        "sharpen": {"amount": 0.7, "sigma": 0.9},
    }


# --- by arithmetic ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("border", ["reflect", "edge", "symmetric", "wrap"])
def test_a_constant_image_stays_as_it_is(dtype, border):
    top = full_range(dtype)
    x = np.full((5, 6, 3), 0.4 * top).astype(dtype)
    for name, options in calls(top).items():
        close = 0 if top > 1 else 1e-6
        np.testing.assert_allclose(getattr(ik, name)(x, border=border, **options), x, rtol=close)


def test_box_means_round_half_to_even():
    x = np.array([[1, 2, 5, 2, 3]], np.uint8)  # means 1.5, 3.5, 3.5, 2.5 after the first
    assert ik.box_blur(x, (1, 2), border="edge").tolist() == [[1, 2, 4, 4, 2]]
    assert ik.box_blur(x.T, (2, 1), border="edge").ravel().tolist() == [1, 2, 4, 4, 2]


def test_a_constant_border_shows_its_value():
    x = np.zeros((1, 3), np.uint8)
    options = {"border": "constant", "value": 90}
    assert ik.box_blur(x, (1, 3), **options).tolist() == [[30, 0, 30]]
    assert ik.median_blur(x, 3, **options).tolist() == [[90, 90, 90]]  # two rows of it
    assert ik.median_blur(np.zeros((3, 3), np.uint8), 3, **options)[1].tolist() == [0, 0, 0]
    assert ik.gaussian_blur(x, 0.5, **options)[0, 0] > 20


def test_gaussian_of_an_impulse_is_the_bell():
    x = np.zeros((17, 17))
    x[8, 8] = 1
    bell = ik.gaussian_blur(x, 1.5)
    assert bell.sum() == pytest.approx(1)
    assert bell[8, 11] / bell[8, 8] == pytest.approx(np.exp(-0.5 * (3 / 1.5) ** 2))
    assert (ik.gaussian_blur(x, 1.5, truncate=1)[:, 11:] == 0).all()


def test_sigma_zero_changes_nothing():
    for dtype in DTYPES:
        x = noise((5, 6), dtype)
        np.testing.assert_array_equal(ik.gaussian_blur(x, 0), x)
        np.testing.assert_array_equal(ik.sharpen(x, 3, 0), x)


def test_sharpen_overshoots_and_saturates():
    step = np.array([[0, 0, 0, 250, 250, 250]] * 3, np.uint8)
    assert ik.sharpen(step)[1, :5].tolist() == [0, 0, 0, 255, 255]
    assert ik.sharpen(step / 255)[1, 3] > 1  # floats are not clipped
    np.testing.assert_array_equal(ik.sharpen(step, -1), ik.gaussian_blur(step, 1))


def test_the_bilateral_keeps_a_step_that_the_gaussian_blurs():
    step = np.repeat([[20, 220]], 5, axis=1).astype(np.uint8).repeat(6, axis=0)
    np.testing.assert_array_equal(ik.bilateral_blur(step, 10, 2), step)
    assert (ik.gaussian_blur(step, 2) != step).any()


# --- against the oracle -----------------------------------------------------------------


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", calls(1))
def test_blurs_equal_the_reference(name, dtype, border):
    top = full_range(dtype)
    options = {"border": border, "value": 37 if top > 1 else 0.25, **calls(top)[name]}
    for shape in SHAPES:
        x = noise(shape, dtype)
        ours = getattr(ik, name)(x, **options)
        theirs = getattr(reference, name)(x.astype(np.float64), **options)
        assert ours.dtype == x.dtype
        if top > 1:  # one rounding, of a value that float32 may put on the other side of a tie
            off = np.abs(ours - np.clip(np.rint(theirs), 0, top))
            assert off.max() <= 1
            assert (off > 0).sum() <= (max(1, 0.02 * x.size) if dtype == "uint16" else 0)
        else:
            close = 2e-6 if dtype == "float32" else 1e-13
            np.testing.assert_allclose(ours, theirs, atol=close, rtol=0)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 3, 5, 7, 11])
def test_medians_of_every_size_equal_the_reference(size, dtype, border):
    for shape in ((1, 1, 1), (4, 9, 2), (12, 10, 5)):
        x = noise(shape, dtype)
        value = 37 if x.dtype.kind == "u" else 0.25
        ours = ik.median_blur(x, size, border=border, value=value)
        np.testing.assert_array_equal(
            ours, reference.median_blur(x, size, border=border, value=value)
        )


def test_windows_larger_than_the_image():
    x = noise((3, 4, 1), "uint8")
    for border in BORDERS:
        for name, options in (
            ("gaussian_blur", {"sigma": 4}),
            ("box_blur", {"size": (15, 20)}),
            ("median_blur", {"size": 21}),
            ("bilateral_blur", {"sigma_color": 90.0, "sigma_space": 5}),
        ):
            ours = getattr(ik, name)(x, border=border, **options)
            theirs = getattr(reference, name)(x.astype(float), border=border, **options)
            np.testing.assert_array_equal(ours, np.rint(theirs))


def test_medians_beyond_16_bit_counts():
    x = noise((3, 3), "uint8")
    np.testing.assert_array_equal(
        ik.median_blur(x, 257)[..., None], reference.median_blur(x[..., None], 257)
    )
    np.testing.assert_array_equal(
        ik.median_blur(x, 255)[..., None], reference.median_blur(x[..., None], 255)
    )


# --- against the peers ------------------------------------------------------------------


@pytest.mark.parametrize("border", BORDERS)
def test_blurs_equal_ndimage_across_strips(border):
    mode = BORDERS[border].ndimage
    x = noise((700, 400), "float64")
    theirs = ndimage.gaussian_filter(x, 2.5, mode=mode)
    np.testing.assert_allclose(ik.gaussian_blur(x, 2.5, border=border), theirs, atol=1e-14)
    for size in (3, (4, 7)):
        theirs = ndimage.uniform_filter(x, size, mode=mode)
        # running sums here and there
        np.testing.assert_allclose(ik.box_blur(x, size, border=border), theirs, atol=1e-12)
    x = noise((700, 400), "uint8")
    theirs = ndimage.median_filter(x, 5, mode=mode)
    np.testing.assert_array_equal(ik.median_blur(x, 5, border=border), theirs)


def test_blurs_equal_opencv():
    for dtype in ("uint8", "float32"):
        x = noise((60, 70, 3), dtype)
        top = full_range(dtype)
        ours = ik.gaussian_blur(x, 2).astype(float)
        # OpenCV's integer taps are 8-bit fixed point: two levels at most
        theirs = cv2.GaussianBlur(x, (17, 17), 2)
        assert np.abs(ours - theirs).max() <= (2 if top > 1 else 1e-6)
        ours = ik.bilateral_blur(x, 0.2 * top, 2, border="symmetric")
        theirs = cv2.bilateralFilter(x, 9, 0.2 * top, 2, borderType=cv2.BORDER_REFLECT)
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
        ours = ik.median_blur(x, 5, border="edge")
        np.testing.assert_array_equal(ours, cv2.medianBlur(x, 5))


def test_sharpen_equals_scikit_image():
    filters = pytest.importorskip("skimage.filters")
    x = noise((30, 31))
    theirs = filters.unsharp_mask(x, radius=1.5, amount=0.8, preserve_range=True)
    inner = (slice(7, -7), slice(7, -7))  # its border is symmetric
    np.testing.assert_allclose(ik.sharpen(x, 0.8, 1.5)[inner], theirs[inner], atol=1e-12)


def test_gaussian_equals_torchvision():
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    x = noise((3, 40, 41), "float32")
    theirs = functional.gaussian_blur(torch.from_numpy(x), [13, 13], [1.5, 1.5]).numpy()
    ours = ik.gaussian_blur(x.transpose(1, 2, 0), 1.5).transpose(2, 0, 1)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)  # float32 sums in another order


# --- laws -------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(calls(1))),
    dtype=st.sampled_from(DTYPES),
    border=st.sampled_from(sorted(BORDERS)),
    shape=st.tuples(st.integers(0, 3), *(st.integers(1, 9),) * 2, st.integers(1, 6)),
)
def test_a_batch_is_its_images_one_by_one(name, dtype, border, shape):
    x = noise(shape, dtype)
    x.setflags(write=False)
    options = {"border": border, **calls(full_range(dtype))[name]}
    run = getattr(ik, name)
    batch = run(x, **options)
    assert batch.shape == shape
    assert batch.dtype == dtype
    for image, result in zip(x, batch, strict=True):
        np.testing.assert_array_equal(run(image, **options), result)
        plane = image[::-1, ::-1, 0]
        np.testing.assert_array_equal(
            run(plane, **options), run(np.ascontiguousarray(plane), **options)
        )


def test_many_channels_equal_each_channel_alone():
    x = noise((6, 7, 300), "uint8")
    for name, options in calls(255).items():
        result = getattr(ik, name)(x, **options)
        if name != "bilateral_blur":  # its channels share a weight
            alone = getattr(ik, name)(x[..., 299], **options)
            np.testing.assert_array_equal(result[..., 299], alone)
        assert result.shape == x.shape


def test_lists_are_ragged_batches():
    images = [noise((4, 5), "uint16"), noise((6, 3, 2), "uint16")]
    for name, options in calls(65535).items():
        run = getattr(ik, name)
        for x, result in zip(images, run(images, **options), strict=True):
            np.testing.assert_array_equal(result, run(x, **options))


def test_bad_arguments_are_named():
    x = np.zeros((4, 4), np.uint8)
    bad = {
        "sigma is -1: it must be at least 0": lambda: ik.gaussian_blur(x, -1),
        "truncate is 0: it must be greater than 0": lambda: ik.gaussian_blur(x, 1, truncate=0),
        "size is 0: it must be at least 1": lambda: ik.median_blur(x, 0),
        "size is 4: a median needs an odd window, such as 5": lambda: ik.median_blur(x, 4),
        "sigma_color is 0: it must be greater": lambda: ik.bilateral_blur(x, 0, 1),
        "sigma_space is nan: it must be greater": lambda: ik.bilateral_blur(x, 1, np.nan),
        "border is 'mirror'": lambda: ik.sharpen(x, border="mirror"),
        "value is -1: a uint8 image holds 0 to 255": lambda: ik.box_blur(x, 3, value=-1),
        "its window reaches 4e.09 pixels to each side, 4096": lambda: ik.gaussian_blur(x, 1e9),
        "sigma is 1025.0: its window": lambda: ik.sharpen(x, 1, 1025),
        "size is .3, 8194.: its window reaches 4097": lambda: ik.box_blur(x, (3, 8194)),
        "size is 515: its window reaches 257 pixels to each side, 256": lambda: ik.median_blur(
            x, 515
        ),
        "sigma_space is 129.0: its window reaches 258": lambda: ik.bilateral_blur(x, 1, 129),
        "amount is 1e.300: float32 holds": lambda: ik.sharpen(x, 1e300),
        "size is .1, 2, 3.: it must be one integer or 2": lambda: ik.box_blur(x, (1, 2, 3)),
    }
    for message, call in bad.items():
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match="sigma is '1': it must be a number"):
        ik.gaussian_blur(x, "1")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("border", ["reflect", "constant", "wrap", "edge", "symmetric"])
@pytest.mark.parametrize("size", [31, 101, 257])
def test_medians_of_large_windows_are_counted(size, border, dtype):
    rng = np.random.default_rng(22)
    x = rng.integers(0, 256 if dtype == np.uint8 else 900, (60, 50, 2)).astype(dtype)
    found = ik.median_blur(x, size, border=border, value=7)
    before = np.arange(-(size // 2), 60 + size // 2)
    for row, column in ((0, 0), (30, 20), (59, 49)):
        rows = source_index(before[row : row + size], 60, border)
        columns = source_index(before[column : column + size], 50, border)
        window = np.where(
            ((rows >= 0)[:, None] & (columns >= 0))[..., None], x[rows[:, None], columns], 7
        )
        np.testing.assert_array_equal(found[row, column], np.median(window, (0, 1)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_medians_of_large_windows_are_not_sorted(dtype, monkeypatch):
    monkeypatch.setattr(array, "_sorted_median", None)
    x = np.random.default_rng(22).integers(0, 256, (60, 70)).astype(dtype)
    assert ik.median_blur(x, 257).shape == x.shape
