"""Color and tone: arithmetic on tiny images, the float64 oracle, and peers."""

import inspect

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

import imgkit as ik
from imgkit.backends.array import color as array
from imgkit.backends.array import tone as array_tone
from imgkit.backends.reference import color, tone
from imgkit.image import full_range, saturate
from imgkit.ops.tone import PRESETS
from imgkit.registry import FUNCTIONS

DTYPES = ("uint8", "uint16", "float32", "float64")
COLOR = [op for op in FUNCTIONS.values() if op.family in ("color", "tone")]
ARGUMENTS = {
    "adjust_brightness": [{"factor": 0.0}, {"factor": 0.6}, {"factor": 1.7}],
    "adjust_contrast": [{"factor": 0.0}, {"factor": 0.6}, {"factor": 1.7}],
    "adjust_saturation": [{"factor": 0.0}, {"factor": 0.6}, {"factor": 1.7}],
    "adjust_hue": [{"shift": s} for s in (-0.5, -0.13, 0.0, 0.3, 0.5)],
    "adjust_gamma": [
        {"gamma": g, "gain": a} for g, a in ((0, 1), (0.4, 1), (1, 1.2), (2.2, 0.9), (7, 1))
    ],
    "grayscale": [{}, {"keep_channels": True}],
    "posterize": [{"bits": b} for b in (0, 1, 3, 8)],
    "clahe": [{"clip_limit": 4.0, "tiles": (3, 2)}, {"clip_limit": 1.5, "tiles": (5, 4)}],
    "normalize": [{"mean": 0.4, "std": 0.3}],
}


def photo(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    """A smooth picture with some noise, a part of the range, in any shape."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((*shape[:-3], *(1 + n // 8 for n in shape[-3:-1]), shape[-1]))
    large = coarse.repeat(8, -3).repeat(8, -2)[..., : shape[-3], : shape[-2], :]
    values = 0.1 + 0.7 * large + 0.05 * rng.random(shape)
    return saturate(values * full_range(dtype), dtype)


def oracle(name: str, x: np.ndarray, **arguments: object) -> np.ndarray:
    """One image (H, W, C) through the float64 reference."""
    function = getattr(color, name, None) or getattr(tone, name)
    if "top" in inspect.signature(function).parameters:
        arguments["top"] = full_range(x.dtype)
    return function(x.astype(np.float64), **arguments)


# --- arithmetic --------------------------------------------------------------------------


def test_brightness_multiplies_and_saturates() -> None:
    x = np.array([[0, 10, 100, 200]], np.uint8)
    assert ik.adjust_brightness(x, 1.5).tolist() == [[0, 15, 150, 255]]
    assert ik.adjust_brightness(x, 0).tolist() == [[0, 0, 0, 0]]


@pytest.mark.parametrize(("dtype", "half"), [("uint8", 0.5), ("uint16", 0.5)])
def test_integers_round_half_to_even(dtype: str, half: float) -> None:
    x = np.array([[1, 3, 5, 7]], dtype)
    assert ik.adjust_brightness(x, half).tolist() == [[0, 2, 2, 4]]


def test_contrast_turns_about_the_gray_mean_of_each_image() -> None:
    rgb = np.array([[[100, 0, 0], [0, 100, 0]]], np.float64) / 100
    mean = (0.2989 + 0.587) / 2
    np.testing.assert_allclose(ik.adjust_contrast(rgb, 0), np.full((1, 2, 3), mean))
    pair = np.stack([np.full((2, 2, 1), v, np.uint8) for v in (10, 200)])
    pair[:, 0] += 20
    assert ik.adjust_contrast(pair, 0)[:, 0, 0, 0].tolist() == [20, 210]


def test_saturation_zero_is_gray_and_gray_is_untouched() -> None:
    rgb = np.array([[[0.5, 0.25, 0.75]]])
    gray = 0.5 * 0.2989 + 0.25 * 0.587 + 0.75 * 0.114
    np.testing.assert_allclose(ik.adjust_saturation(rgb, 0)[0, 0], [gray] * 3)
    np.testing.assert_allclose(ik.grayscale(rgb), [[gray]])
    one = photo((5, 6, 1), "uint8")
    for result in (ik.adjust_saturation(one, 3), ik.adjust_hue(one, 0.2)):
        np.testing.assert_array_equal(result, one)
        assert not np.shares_memory(result, one)


def test_a_third_of_a_turn_makes_red_green_and_green_blue() -> None:
    x = np.array([[[200, 20, 20], [20, 200, 20], [9, 9, 9]]], np.uint8)
    assert ik.adjust_hue(x, 1 / 3).tolist() == [[[20, 200, 20], [20, 20, 200], [9, 9, 9]]]
    assert ik.adjust_hue(x, -0.5).tolist() == ik.adjust_hue(x, 0.5).tolist()


def test_gamma_is_a_power_of_the_fraction() -> None:
    assert ik.adjust_gamma(np.array([[0, 51, 255]], np.uint8), 2).tolist() == [[0, 10, 255]]
    x = np.array([[0.0, 0.25, 1.0]], np.float32)
    assert ik.adjust_gamma(x, 0.5).tolist() == [[0, 0.5, 1]]
    assert ik.adjust_gamma(x, 0).tolist() == [[1, 1, 1]]
    assert ik.adjust_gamma(x, 1, gain=8).tolist() == [[0, 1, 1]]


def test_grayscale_drops_the_channel_axis_of_an_image() -> None:
    x = np.zeros((2, 5, 6, 3), np.uint8)
    assert ik.grayscale(x[0]).shape == (5, 6)
    assert ik.grayscale(x[0, ..., :1]).shape == (5, 6)
    assert ik.grayscale(x[0, ..., 0]).shape == (5, 6)
    assert ik.grayscale(x).shape == (2, 5, 6, 1)
    assert ik.grayscale(x[:0]).shape == (0, 5, 6, 1)
    assert ik.grayscale(x, keep_channels=True).shape == x.shape
    assert ik.grayscale(np.full((1, 1, 3), 255, np.uint8)).tolist() == [[255]]


def test_invert_posterize_and_solarize_by_hand() -> None:
    x = np.array([[0, 31, 32, 127, 128, 255]], np.uint8)
    assert ik.invert(x).tolist() == [[255, 224, 223, 128, 127, 0]]
    assert ik.posterize(x, 3).tolist() == [[0, 0, 32, 96, 128, 224]]
    assert ik.posterize(x, 8).tolist() == x.tolist()
    assert ik.posterize(x, 0).tolist() == [[0] * 6]
    assert ik.solarize(x).tolist() == [[0, 31, 32, 127, 127, 0]]
    assert ik.solarize(x, 32).tolist() == [[0, 31, 223, 128, 127, 0]]
    assert ik.solarize(x, 127.5).tolist() == ik.solarize(x, 128).tolist()
    deep = np.array([[8191, 8192, 32768, 65535]], np.uint16)
    assert ik.posterize(deep, 3).tolist() == [[0, 8192, 32768, 57344]]
    assert ik.solarize(deep).tolist() == [[8191, 8192, 32767, 0]]
    fractions = np.array([[0.1, 0.5, 1.0]])
    assert ik.posterize(fractions, 1).tolist() == [[0, 0.5, 0.5]]
    np.testing.assert_allclose(ik.solarize(fractions), [[0.1, 0.5, 0]])


def test_autocontrast_stretches_each_channel() -> None:
    x = np.array([[[100, 7, 0], [110, 7, 128], [120, 7, 255]]], np.uint8)
    assert ik.autocontrast(x).tolist() == [[[0, 7, 0], [128, 7, 128], [255, 7, 255]]]


def test_autocontrast_keeps_the_digits_of_a_small_range() -> None:
    """Subtracting first: offset and scale apart would lose hundreds of levels here."""
    x = np.array([[65000, 65001, 65002]], np.uint16)
    assert ik.autocontrast(x).tolist() == [[0, 32768, 65535]]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("name", ["equalize", "autocontrast"])
def test_constant_images_stay(name: str, value: float, dtype: str) -> None:
    x = saturate(np.full((20, 30, 3), value * full_range(dtype)), dtype)
    # float32: a value goes to 0..255 and back
    np.testing.assert_allclose(getattr(ik, name)(x), x, atol=1e-7 if x.dtype.kind == "f" else 0)


def test_normalize_counts_in_fractions_of_full_range() -> None:
    x = np.array([[[0, 51, 255]]], np.uint8)
    wanted = (x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    for image in (x, x.astype(np.uint16) * 257, (x / 255).astype(np.float32)):
        result = ik.normalize(image, "imagenet")
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, wanted, atol=1e-6)
    assert ik.normalize(x / 255, "imagenet").dtype == np.float64
    np.testing.assert_allclose(ik.normalize(x, [0.5], (0.5,)), x / 127.5 - 1, atol=1e-6)
    many = np.arange(12, dtype=np.uint8).reshape(1, 2, 6)
    means = np.linspace(0, 1, 6)
    np.testing.assert_allclose(ik.normalize(many, means, 0.1), (many / 255 - means) * 10, atol=1e-5)


def test_to_float_and_to_uint8() -> None:
    x = np.array([[0, 1, 255]], np.uint8)
    assert ik.to_float(x).tolist() == (x / np.float32(255)).tolist()
    assert ik.to_float(x / 255).dtype == np.float64
    assert ik.to_uint8(np.array([[128, 129, 65535]], np.uint16)).tolist() == [[0, 1, 255]]
    assert ik.to_uint8(np.array([[-1, 0.5, 2]], np.float32)).tolist() == [[0, 128, 255]]
    every = np.arange(256, dtype=np.uint8)[None]
    np.testing.assert_array_equal(ik.to_uint8(ik.to_float(every)), every)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_to_uint8_saturates_however_far_beyond_the_range(dtype: str) -> None:
    far = [[np.nan, -np.inf, -1e30, -1, 2, 1e7, 1e9, 1e30, np.inf]]
    levels = [[0, 0, 0, 0, 255, 255, 255, 255, 255]]
    assert ik.to_uint8(np.array(far, dtype)).tolist() == levels
    assert tone.to_uint8(np.array(far), 1).tolist() == levels


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["equalize", "clahe"])
def test_a_histogram_counts_nan_as_0_and_infinities_as_the_ends(name: str, dtype: str) -> None:
    x = photo((48, 40, 1), dtype)
    odd, even = x.copy(), x.copy()
    odd[3, 4:7, 0] = np.nan, np.inf, -np.inf
    even[3, 4:7, 0] = 0, 1, 0
    arguments = ARGUMENTS.get(name, [{}])[0]
    ours = getattr(ik, name)(odd, **arguments)
    assert np.argwhere(np.isnan(ours)).tolist() == [[3, 4, 0]]
    seen = ~np.isnan(odd)
    np.testing.assert_array_equal(ours[seen], getattr(ik, name)(even, **arguments)[seen])
    slow = oracle(name, odd, **arguments)  # tolerance as in test_agrees_with_the_reference
    np.testing.assert_allclose(ours, slow, atol=2e-6 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize("name", ["equalize", "clahe", "to_uint8", "adjust_gamma"])
def test_tensors_know_nan_and_infinities_as_arrays_do(name: str) -> None:
    torch = pytest.importorskip("torch")
    from imgkit.backends.tensor.numpy_view import native

    x = photo((24, 20, 1), "float32")
    x[3, 4:7, 0] = np.nan, np.inf, -np.inf
    arguments = {"gamma": 0.5} if name == "adjust_gamma" else {}
    with native():  # by torch's own operations, as on a device
        found = getattr(ik, name)(torch.from_numpy(x[None, ..., 0]), **arguments)
    wanted = getattr(ik, name)(x, **arguments)
    np.testing.assert_allclose(found.numpy()[0], wanted[..., 0], atol=1e-6)


def test_a_table_is_the_op_on_every_level() -> None:
    x = photo((9, 8, 3), "uint8")
    first = array_tone.posterize(array_tone.levels("uint8"), 4).ravel()
    second = array_tone.gamma_table("uint8", 1.8, 1.0)
    fused = array_tone.apply_table(x, second[first])
    np.testing.assert_array_equal(fused, ik.adjust_gamma(ik.posterize(x, 4), 1.8))


@pytest.mark.parametrize("dtype", DTYPES)
def test_matrices_say_what_the_functions_do(dtype: str) -> None:
    x = photo((9, 8, 3), dtype)
    mean = array.gray_mean(x)
    for matrix, wanted in (
        (array.brightness_matrix(1.2), ik.adjust_brightness(x, 1.2)),
        (array.contrast_matrix(0.7, mean), ik.adjust_contrast(x, 0.7)),
        (array.saturation_matrix(1.4), ik.adjust_saturation(x, 1.4)),
        (array.GRAYSCALE, ik.grayscale(x, keep_channels=True)),
    ):
        # uint8: OpenCV's 10-bit coefficients, and 0.299 for 0.2989
        tolerance = 1 if x.dtype.kind == "u" else 1e-6
        np.testing.assert_allclose(
            array.apply_matrix(x[None], matrix)[0].astype(float), wanted, atol=tolerance
        )


# --- oracle ------------------------------------------------------------------------------

# Largest difference from the unrounded float64 oracle, in units of a level (integers) or of full
# intensity (floats). Integers: half a level of rounding and what float32 adds. uint8 matrices have
# 10-bit coefficients, up to 0.4 level more. A tie in a CLAHE curve (uint8) or in Y' (uint16) may
# round either way, and the curve's slope multiplies it.
LEVELS = {"adjust_saturation": 0.9, "clahe": 4.0}
FLOATS = {"adjust_hue": 2e-6, "clahe": 4e-6}


@pytest.mark.parametrize("channels", [1, 3, 6])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("op", COLOR, ids=lambda op: op.name)
def test_agrees_with_the_reference(op, dtype: str, channels: int) -> None:
    if op.colors and channels == 6:
        with pytest.raises(ValueError, match="6 channels"):
            getattr(ik, op.name)(photo((4, 4, 6), dtype), **op.example)
        return
    x = photo((37, 44, channels), dtype)
    for arguments in ARGUMENTS.get(op.name, [{}]):
        if op.name == "solarize":
            arguments = {"threshold": full_range(dtype) / 3}
        wanted = oracle(op.name, x, **arguments)
        result = getattr(ik, op.name)(x, **arguments)
        assert result.shape == wanted.shape
        if result.dtype.kind == "u":
            atol = LEVELS.get(op.name, 0.55)
        else:
            # float64 hue runs in float32; normalize divides by 0.3
            atol = FLOATS.get(op.name, 1e-6 if dtype != "float64" else 1e-12)
        np.testing.assert_allclose(result.astype(float), wanted, atol=atol, err_msg=str(arguments))


@pytest.mark.parametrize("name", ["equalize", "clahe"])
def test_a_deep_copy_comes_out_as_its_8_bit_image(name: str) -> None:
    """The curves come from 256 bins: 257 uint16 steps are one uint8 level."""
    x = photo((64, 48, 1), "uint8")
    wanted = getattr(ik, name)(x)
    deep = getattr(ik, name)(x.astype(np.uint16) * 257)
    fine = getattr(ik, name)((x / 255).astype(np.float32))
    # clahe rounds uint8 to a whole level only at the end: half a level
    level = 0.5 if name == "clahe" else 0
    np.testing.assert_allclose(deep / 257, wanted, atol=level + 0.01)
    np.testing.assert_allclose(fine * 255, wanted, atol=level + 1e-3)


# --- peers -------------------------------------------------------------------------------

TORCHVISION = {
    "adjust_brightness": ("adjust_brightness", [(0.6,), (1.7,)]),
    "adjust_contrast": ("adjust_contrast", [(0.6,), (1.7,)]),
    "adjust_saturation": ("adjust_saturation", [(0.6,), (1.7,)]),
    "adjust_hue": ("adjust_hue", [(-0.5,), (-0.2,), (0.0,), (0.3,)]),
    "adjust_gamma": ("adjust_gamma", [(0.5,), (2.2, 0.8)]),
    "invert": ("invert", [()]),
    "posterize": ("posterize", [(1,), (3,), (8,)]),
    "solarize": ("solarize", [(None,)]),
    "equalize": ("equalize", [()]),
    "autocontrast": ("autocontrast", [()]),
}
# uint8: torchvision truncates where imgkit rounds; where nothing is rounded the two are equal.
EXACT = {"invert", "posterize", "solarize", "equalize"}
# float32: torchvision's float equalize has 256 levels; the picture has no others. Else float32.
FLOAT_TOLERANCE = {"equalize": 1e-6, "adjust_hue": 2e-6}


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", TORCHVISION)
def test_agrees_with_torchvision(name: str, channels: int, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    x = photo((61, 53, channels), "uint8", seed=3)
    if dtype == "float32":
        x = (x / 255).astype(np.float32)
    tensor = torch.from_numpy(x).permute(2, 0, 1)
    peer, calls = TORCHVISION[name]
    for arguments in calls:
        if (name, arguments, dtype) == ("posterize", (8,), "float32"):
            continue  # theirs rounds white down to 255 / 256; here 8 bits change nothing
        theirs_arguments = arguments
        if name == "solarize":
            theirs_arguments = (128,) if dtype == "uint8" else (0.5,)
        theirs = getattr(functional, peer)(tensor, *theirs_arguments).permute(1, 2, 0).numpy()
        ours = getattr(ik, name)(x, *arguments)
        if dtype == "uint8":
            tolerance = 0.0 if name in EXACT else 1.0
        else:
            tolerance = FLOAT_TOLERANCE.get(name, 1e-6)
        np.testing.assert_allclose(ours.astype(float), theirs.astype(float), atol=tolerance)


def test_grayscale_and_normalize_agree_with_torchvision() -> None:
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    x = photo((31, 33, 3), "uint8")
    tensor = torch.from_numpy(x).permute(2, 0, 1)
    gray = functional.rgb_to_grayscale(tensor)[0].numpy()
    np.testing.assert_allclose(ik.grayscale(x).astype(float), gray, atol=1)  # it truncates
    mean, std = PRESETS["imagenet"]
    theirs = functional.normalize(functional.to_dtype(tensor, torch.float32, scale=True), mean, std)
    # float32: one multiplication and addition, where torchvision has three steps
    np.testing.assert_allclose(
        ik.normalize(x, "imagenet"), theirs.permute(1, 2, 0).numpy(), atol=2e-6
    )


def test_equalize_invert_and_posterize_equal_pillow() -> None:
    x = photo((61, 53, 3), "uint8", seed=5)
    picture = Image.fromarray(x)
    np.testing.assert_array_equal(ik.equalize(x), np.asarray(ImageOps.equalize(picture)))
    np.testing.assert_array_equal(ik.invert(x), np.asarray(ImageOps.invert(picture)))
    np.testing.assert_array_equal(ik.posterize(x, 2), np.asarray(ImageOps.posterize(picture, 2)))
    stretched = np.asarray(ImageOps.autocontrast(picture)).astype(float)
    np.testing.assert_allclose(ik.autocontrast(x), stretched, atol=1)  # it truncates


@pytest.mark.parametrize(
    ("shape", "tiles"), [((64, 48), (8, 8)), ((50, 61), (3, 7)), ((48, 61), (8, 8))]
)
def test_clahe_of_gray_bytes_is_opencv(shape: tuple[int, int], tiles: tuple[int, int]) -> None:
    x = photo((*shape, 1), "uint8")[..., 0]
    unlimited = cv2.createCLAHE(0, (tiles[1], tiles[0])).apply(x)
    np.testing.assert_array_equal(ik.clahe(x, 0, tiles), unlimited)
    opencv = cv2.createCLAHE(2.5, (tiles[1], tiles[0])).apply(x)
    np.testing.assert_array_equal(ik.clahe(x, 2.5, tiles), opencv)
    # the 16-bit route rounds the result once, and a tie in a curve its own way: 1.5 levels
    deep = ik.clahe(x.astype(np.uint16) * 257, 2.5, tiles)
    np.testing.assert_allclose(deep / 257, opencv, atol=1.51)


# --- laws --------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(
    op=st.sampled_from(COLOR),
    dtype=st.sampled_from(DTYPES),
    batch=st.sampled_from([(), (0,), (1,), (3,)]),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    channels=st.sampled_from([1, 3, 2, 5, 130]),
    seed=st.integers(0, 99),
)
def test_shape_dtype_batch_and_purity(op, dtype, batch, size, channels, seed) -> None:
    if op.colors and channels not in (1, 3):
        channels = 3
    x = photo((*batch, *size, channels), dtype, seed)
    x.flags.writeable = False
    function = getattr(ik, op.name)
    result = function(x, **op.example)
    assert result.shape == x.shape
    assert op.result != "input" or result.dtype == x.dtype
    assert not np.shares_memory(result, x)
    if batch:
        for image, one in zip(x, result, strict=True):
            # OpenCV fuses multiply and add in its vector loop alone, not in a row's tail
            ulp = 0 if x.dtype.kind == "u" and op.result == "input" else 2e-7
            np.testing.assert_allclose(function(image, **op.example), one, rtol=ulp, atol=ulp)
    flipped = function(x[..., ::-1, ::-1, :], **op.example)
    if op.name != "clahe":  # its tiles start at the top left
        # sums in another order: the last digit
        np.testing.assert_allclose(flipped[..., ::-1, ::-1, :], result, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("op", COLOR, ids=lambda op: op.name)
def test_lists_are_ragged_batches(op) -> None:
    images = [photo((4, 5, 3), "uint8"), photo((7, 3, 1), "uint8")]
    for result, image in zip(getattr(ik, op.name)(images, **op.example), images, strict=True):
        np.testing.assert_array_equal(result, getattr(ik, op.name)(image, **op.example))


def test_strips_are_seamless() -> None:
    x = photo((90, 700, 3), "float32")
    whole = np.concatenate([ik.adjust_hue(half, 0.2) for half in (x[:45], x[45:])])
    np.testing.assert_array_equal(ik.adjust_hue(x, 0.2), whole)
    np.testing.assert_allclose(ik.adjust_gamma(x, 0.7), x**0.7, atol=1e-6)


# --- bad input ---------------------------------------------------------------------------

GRAY = np.zeros((3, 3), np.uint8)
RGB = np.zeros((3, 3, 3), np.uint8)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ik.adjust_brightness(GRAY, -1), ValueError, "factor is -1: it must be at least 0"),
        (lambda: ik.adjust_contrast(GRAY, float("nan")), ValueError, "factor is nan"),
        (lambda: ik.adjust_saturation(GRAY, "2"), TypeError, "factor is '2': it must be a number"),
        (lambda: ik.adjust_hue(RGB, 0.6), ValueError, "shift is 0.6: .* at most 0.5"),
        (lambda: ik.adjust_gamma(GRAY, -0.1), ValueError, "gamma is -0.1"),
        (lambda: ik.adjust_gamma(GRAY, 1, -2), ValueError, "gain is -2"),
        (lambda: ik.grayscale(np.zeros((3, 3, 4), np.uint8)), ValueError, "x has 4 channels"),
        (lambda: ik.posterize(GRAY, 9), ValueError, "bits is 9: .* at most 8"),
        (lambda: ik.posterize(GRAY, 2.0), TypeError, "bits is 2.0: it must be an integer"),
        (lambda: ik.solarize(GRAY / 255, 128), ValueError, "threshold is 128: .* at most 1"),
        (lambda: ik.clahe(GRAY, -1), ValueError, "clip_limit is -1"),
        (lambda: ik.clahe(GRAY, 2, 0), ValueError, r"tiles is 0|tiles\[0\] is 0|tiles is"),
        (lambda: ik.clahe(GRAY, 2, (1, 2, 3)), ValueError, r"tiles is \(1, 2, 3\)"),
        (lambda: ik.normalize(RGB, "imagnet"), ValueError, "did you mean 'imagenet'"),
        (lambda: ik.normalize(RGB, "imagenet", 1), TypeError, "brings its own"),
        (lambda: ik.normalize(GRAY, "imagenet"), ValueError, "mean has 3 values, the image 1"),
        (lambda: ik.normalize(RGB, 0.5), TypeError, "std is None"),
        (lambda: ik.normalize(RGB, 0.5, 0), ValueError, "std is 0: every value must be at"),
        (lambda: ik.normalize(RGB, (0.5, "a", 1), 1), TypeError, r"mean\[1\] is 'a'"),
        (lambda: ik.normalize(RGB, 0.5, "half"), TypeError, "std is 'half'"),
        (lambda: ik.invert(RGB > 0), TypeError, "x has dtype bool"),
        (lambda: ik.to_float([1, 2]), TypeError, "x is a list"),
    ],
)
def test_bad_input_is_named(call, error, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_means_come_as_arrays_and_presets_serve_function_and_transform() -> None:
    mean, std = np.array([0.4, 0.5, 0.6]), np.array([0.2, 0.25, 0.5], np.float32)
    assert ik.Normalize(mean, std) == ik.Normalize((0.4, 0.5, 0.6), std.tolist())
    assert ik.Normalize(np.array(0.5), np.float32(0.25)) == ik.Normalize(0.5, 0.25)
    x = photo((4, 4, 3), "uint8")
    np.testing.assert_array_equal(ik.normalize(x, mean, std), ik.normalize(x, [0.4, 0.5, 0.6], std))
    for name in PRESETS:
        ours = ik.Pipeline([ik.Normalize(name)])(x, key=0)
        np.testing.assert_allclose(ours, ik.normalize(x, name), atol=2e-6)  # float32 of either
    with pytest.raises(ValueError, match="mean is "):
        ik.Normalize([], 1)
