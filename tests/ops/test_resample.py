"""Resizing, warping and moving: arithmetic, the oracle, other libraries, laws."""

import itertools

import cv2
import numpy as np
import pytest
import skimage.data
import skimage.transform
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

import imgkit as ik
from imgkit import geometry as g
from imgkit.backends.reference import resample as reference
from imgkit.border import BORDERS
from imgkit.image import saturate
from imgkit.ops.resample import RESIZERS, SAMPLERS

DTYPES = ("uint8", "uint16", "float32", "float64")
# uint8, uint16: rounding before and after; float32: positions carry 24 bits
TOLERANCE = {"uint8": 1, "uint16": 1, "float32": 1e-4, "float64": 1e-10}
FRAME = np.array([[0, 0], [30, 0], [30, 22], [0, 22]])
MATRICES = {
    "affine": g.rotation(30, (15, 11)) @ g.scaling(1.2, 1.1),
    "shrink": g.scaling(0.4, 0.3) @ g.rotation(20),
    "perspective": g.perspective(FRAME, [[3, 2], [27, -3], [33, 20], [-2, 25]]),
    "perspective shrink": g.perspective(FRAME, [[3, 2], [13, 1], [15, 10], [1, 9]]),
}
PILLOW = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def noise(dtype, *shape, seed=0):
    x = np.random.default_rng(seed).random(shape)
    return (x * np.iinfo(dtype).max).astype(dtype) if dtype[0] == "u" else x.astype(dtype)


def top(dtype):
    return np.iinfo(dtype).max if dtype[0] == "u" else 1.0


def worst(found, expected):
    return np.abs(found.astype(np.float64) - expected).max(initial=0)


# --- expected values by arithmetic ------------------------------------------------------


def test_halving_bilinear_weighs_1_3_3_1():
    row = np.array([[0, 0, 0, 80, 0, 0, 0, 0]], np.float64)
    np.testing.assert_allclose(ik.resize(row, (1, 4)), [[0, 30, 10, 0]])


def test_without_antialias_shrinking_looks_at_two_pixels():
    row = np.arange(8.0)[None] ** 2
    np.testing.assert_allclose(
        ik.resize(row, (1, 2), antialias=False), [[(1 + 4) / 2, (25 + 36) / 2]]
    )


def test_doubling_aligns_edges_not_centers():
    """ndimage.zoom's default would give 0, 0.43, ... 3; OpenCV, torch and this 0, 0.25, 0.75."""
    row = np.arange(4.0)[None]
    expected = [[0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]]
    for antialias in (True, False):
        np.testing.assert_allclose(ik.resize(row, (1, 8), antialias=antialias), expected)


def test_area_is_the_mean_of_the_footprint():
    row = np.array([[0.0, 30, 60]])
    np.testing.assert_allclose(ik.resize(row, (1, 2), "area"), [[10, 50]])
    np.testing.assert_allclose(ik.resize(row, (1, 1), "area"), [[30]])


@pytest.mark.parametrize(("n", "m"), list(itertools.product((1, 2, 5, 10, 512), (1, 3, 4, 224))))
def test_nearest_is_the_floor_of_the_center(n, m):
    found = ik.resize(np.arange(n, dtype=np.float64)[None], (1, m), "nearest")[0]
    assert found.tolist() == [(2 * i + 1) * n // (2 * m) for i in range(m)]


def test_nearest_keeps_the_set_of_labels():
    labels = noise("uint8", 33, 47) // 64 * 50
    for found in (
        ik.resize(labels, (20, 91), "nearest"),
        ik.rotate(labels, 17, interpolation="nearest"),
    ):
        assert set(np.unique(found)) <= set(np.unique(labels))


def test_half_a_pixel_of_constant_border_blends():
    row = np.array([[100.0, 100, 100]])
    found = ik.warp(row, g.translation(0.25, 0), value=20)
    np.testing.assert_allclose(found, [[80, 100, 100]])


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_whole_shifts_show_numpys_pad(border, dtype):
    x = noise(dtype, 5, 7, 3)
    options = {"constant_values": 9} if border == "constant" else {}
    if dtype[0] == "f" and options:
        options = {"constant_values": 0.25}
    value = options.get("constant_values", 0)
    padded = np.pad(x, ((11, 13), (10, 17), (0, 0)), BORDERS[border].numpy, **options)
    found = ik.warp(x, g.translation(10, 11), (29, 34), border=border, value=value)
    assert np.array_equal(found, padded)
    assert np.array_equal(ik.pad(x, (11, 13, 10, 17), border=border, value=value), padded)
    cut = ik.warp(x, g.translation(-2, 3), (6, 9), border=border, value=value)
    assert np.array_equal(cut, padded[8:14, 12:21])


def test_pad_takes_one_two_or_four_numbers():
    x = noise("uint8", 3, 4)
    assert ik.pad(x, 2).shape == (7, 8)
    assert ik.pad(x, (1, 2)).shape == (5, 8)
    assert ik.pad(x, (1, 2, 3, 4)).shape == (6, 11)
    assert np.array_equal(ik.pad(x, (1, 2, 3, 4))[1:4, 3:7], x)
    assert np.array_equal(ik.pad(x, 0), x)


def test_value_may_be_one_per_channel():
    x = noise("uint8", 4, 4, 5)
    value = [1, 2, 3, 4, 5]
    assert ik.pad(x, 1, value=value)[0, 0].tolist() == value
    assert ik.letterbox(x, (8, 4), value=value)[0, 0].tolist() == value
    for matrix in (g.translation(9.5, 0), g.translation(9, 0), g.scaling(0.1)):
        assert ik.warp(x, matrix, value=value)[3, 3].tolist() == value or matrix[0, 2] == 9.5
    assert ik.warp(x, g.translation(9.5, 0), value=np.array(value))[0, 0].tolist() == value
    field = np.full((4, 4, 2), 50.5)
    assert ik.warp(x, field, value=value)[0, 0].tolist() == value


# --- exact moves ------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 6), (5, 5), (4, 6, 3), (3, 4, 5), (2, 4, 6, 3), (3, 5, 130)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_quarter_turns_are_bit_equal_to_rot90(shape, dtype):
    x = noise(dtype, *shape)
    axes = (1, 2) if len(shape) == 4 else (0, 1)
    for k in range(-4, 5):
        turned = np.rot90(x, k, axes)
        assert np.array_equal(ik.rotate(x, 90 * k, expand=True), turned)
        if shape[axes[0]] == shape[axes[1]]:
            assert np.array_equal(ik.rotate(x, 90.0 * k), turned)


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 3), (3, 4, 5), (2, 4, 6, 3), (3, 5, 130), (1, 1)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_flips_and_crops_are_slices(shape, dtype):
    x = noise(dtype, *shape)
    y_axis, x_axis = (1, 2) if len(shape) == 4 else (0, 1)
    size = (shape[y_axis], shape[x_axis])
    assert np.array_equal(ik.flip(x), np.flip(x, x_axis))
    assert np.array_equal(ik.flip(x, "vertical"), np.flip(x, y_axis))
    assert np.array_equal(ik.flip(x, "both"), np.flip(x, (y_axis, x_axis)))
    assert np.array_equal(ik.warp(x, g.horizontal_flip(size)), ik.flip(x))
    assert np.array_equal(ik.warp(x, g.vertical_flip(size)), ik.flip(x, "vertical"))
    turned = ik.warp(x, g.transposition(), size[::-1])
    assert np.array_equal(turned, np.swapaxes(x, y_axis, x_axis))
    if size == (4, 6):
        cut = x[:, 1:3, 2:6] if x.ndim == 4 else x[1:3, 2:6]
        assert np.array_equal(ik.crop(x, 1, 2, 2, 4), cut)
        assert np.array_equal(ik.warp(x, g.crop(1, 2), (2, 4)), cut)


def test_three_thirty_degree_turns_fused_are_one_exact_quarter():
    x = noise("uint8", 9, 9, 3)
    third = g.rotation(30, g.center((9, 9)))
    assert np.array_equal(ik.warp(x, g.compose(third, third, third)), np.rot90(x))


# --- the oracle -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("interpolation", RESIZERS)
def test_resize_agrees_with_the_reference(dtype, interpolation):
    sizes = ((10, 14), (40, 50), (9, 60), (60, 9), (1, 1), (23, 10), (12, 31))
    for channels, antialias, size in itertools.product((1, 3, 5), (True, False), sizes):
        x = noise(dtype, 23, 31, channels)
        found = ik.resize(x, size, interpolation, antialias)
        clip = top(dtype) if dtype[0] == "u" else None
        expected = reference.resize(x.astype(float), size, interpolation, antialias, clip=clip)
        assert found.dtype == x.dtype
        assert found.shape == (*size, channels)
        assert worst(found, saturate(expected, dtype)) <= TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("name", MATRICES)
def test_warp_by_a_matrix_agrees_with_the_reference(dtype, border, name):
    for interpolation, channels in (("bilinear", 3), ("bicubic", 2), ("bilinear", 6)):
        x = noise(dtype, 23, 31, channels)
        value = 0.3 * top(dtype)
        options = (MATRICES[name], (19, 40), interpolation, border, value)
        expected = saturate(reference.warp(x.astype(float), *options), dtype)
        assert worst(ik.warp(x, *options), expected) <= TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("border", BORDERS)
def test_warp_by_a_field_agrees_with_the_reference(dtype, border):
    rng = np.random.default_rng(3)
    wild = rng.normal(0, 15, (19, 27, 2))
    shrinking = g.matrix_field(MATRICES["shrink"], (19, 27))
    for field, interpolation in itertools.product((wild, shrinking), ("bilinear", "bicubic")):
        x = noise(dtype, 23, 31, 3)
        options = (field, None, interpolation, border, 0.3 * top(dtype))
        expected = saturate(reference.warp(x.astype(float), *options), dtype)
        assert worst(ik.warp(x, *options), expected) <= TOLERANCE[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
def test_nearest_warps_agree_except_at_ties(dtype):
    x = noise(dtype, 23, 31, 5)
    for matrix, border in itertools.product(MATRICES.values(), BORDERS):
        found = ik.warp(x, matrix, None, "nearest", border)
        expected = reference.warp(x.astype(float), matrix, None, "nearest", border)
        assert np.mean(found != expected.astype(dtype)) < 0.01


def test_the_other_functions_agree_with_the_reference():
    x = noise("uint8", 9, 14, 3)
    floats = x.astype(float)
    for degrees, expand in itertools.product((-200, 15, 90, 77.5), (True, False)):
        expected = saturate(reference.rotate(floats, degrees, expand=expand), "uint8")
        assert worst(ik.rotate(x, degrees, expand=expand), expected) <= 1
    expected = saturate(reference.letterbox(floats, (20, 21), value=7), "uint8")
    assert worst(ik.letterbox(x, (20, 21), value=7), expected) <= 1
    for border in BORDERS:
        padding = (3, 1, 20, 2)
        expected = reference.pad(floats, padding, border=border)
        assert np.array_equal(ik.pad(x, padding, border=border), expected)
    for axis in ("horizontal", "vertical", "both"):
        assert np.array_equal(ik.flip(x, axis), reference.flip(floats, axis))
    assert np.array_equal(ik.crop(x, 1, 2, 3, 4), reference.crop(floats, 1, 2, 3, 4))


# --- images that an interpolation reproduces --------------------------------------------


def ramp(points):
    return 0.3 + points[..., 0] * 0.01 - points[..., 1] * 0.02


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("name", MATRICES)
def test_a_linear_image_is_moved_exactly(interpolation, name):
    """Fused or not: a ramp under a map is the ramp at the mapped positions."""
    x = ramp(g.identity_grid((90, 100)))
    matrix = g.translation(20, 20) @ MATRICES[name] @ g.crop(30, 30)
    size = (60, 60)
    at = g.positions(np.linalg.inv(matrix), size)
    inside = np.all((at > 15) & (at < (85, 75)), axis=-1)  # away from what the border shows
    assert inside.any()
    found = ik.warp(x, matrix, size, interpolation)
    # projective maps are blurred by their mean scale, which keeps a ramp; a = -0.75 does not
    tolerance = 1e-10 if interpolation == "bilinear" else 2e-3
    assert worst(found[inside], ramp(at)[inside]) < tolerance


def test_a_constant_image_stays_constant():
    x = np.full((12, 17, 3), 200, np.uint8)
    for word in RESIZERS:
        assert (ik.resize(x, (5, 40), word) == 200).all()
    for matrix, border in itertools.product(MATRICES.values(), ("edge", "reflect", "wrap")):
        assert (ik.warp(x, matrix, border=border) == 200).all()


def test_fused_equals_chained_on_a_smooth_image():
    y, x = np.mgrid[0:64, 0:64]
    smooth = 0.5 + 0.4 * np.sin(x / 15) * np.cos(y / 13)
    a, b = g.rotation(20, (31.5, 31.5)), g.scaling(1.3, 1.2, (31.5, 31.5))
    chained = ik.warp(ik.warp(smooth, a, border="edge"), b, border="edge")
    fused = ik.warp(smooth, b @ a, border="edge")
    # each bilinear pass errs by at most second derivative / 8 per axis: 0.4 / 13**2 / 4
    assert worst(fused[16:48, 16:48], chained[16:48, 16:48]) < 2 * 0.4 / 13**2 / 4


def test_antialiased_shrinking_removes_a_fine_grating():
    """Stripes of 2 pixels, shrunk by 4, must become gray, not a moiré."""
    stripes = np.tile([0.0, 1.0], (64, 32))
    for matrix in (g.scaling(0.25), g.rotation(90, (31.5, 31.5)) @ g.scaling(0.25)):
        inner = ik.warp(stripes, matrix, (64, 64), border="reflect")[20:40, 20:40]
        assert worst(inner, 0.5) < 0.01
    assert worst(ik.warp(stripes, g.scaling(0.25), (16, 16), antialias=False), 0.5) > 0.4


# --- other libraries --------------------------------------------------------------------


@pytest.fixture(scope="module")
def photo():
    return np.ascontiguousarray(skimage.data.astronaut()[100:357, 130:429])


@pytest.mark.parametrize("word", PILLOW)
@pytest.mark.parametrize("size", [(97, 112), (256, 299), (400, 100), (60, 120)])
def test_resize_agrees_with_pillow(photo, word, size):
    """1 level: Pillow's weights are fixed-point, and both round after each axis.

    On noise a tie broken otherwise after the first axis grows by the negative lobes to 2 levels.
    """
    for x, lobes in ((photo, 1), (noise("uint8", 64, 150, 3), 2)):
        theirs = np.asarray(Image.fromarray(x).resize(size[::-1], PILLOW[word]))
        tolerance = 1 if word == "bilinear" else lobes
        assert worst(ik.resize(x, size, word), theirs.astype(float)) <= tolerance


def test_resize_saturates_along_the_rows_first():
    """As torchvision always does; Pillow 13 begins with the columns where that is cheaper."""
    checks = noise("uint8", 64, 64) // 128 * 255
    across, down = (reference.resize_weights(64, m, "bicubic", True) for m in (40, 30))
    half = np.rint(checks @ across.T).clip(0, 255)
    expected = np.rint(down @ half).clip(0, 255)
    assert worst(ik.resize(checks, (30, 40), "bicubic"), expected) <= 1
    other = np.rint(np.rint(down @ checks).clip(0, 255) @ across.T).clip(0, 255)
    assert worst(other, expected) > 5


@pytest.mark.parametrize("word", ["bilinear", "bicubic"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("size", [(97, 112), (400, 100)])
def test_resize_agrees_with_torchvision(photo, word, dtype, size):
    torch = pytest.importorskip("torch")
    tv = pytest.importorskip("torchvision.transforms.v2.functional")
    from torchvision.transforms import InterpolationMode

    x = photo if dtype == "uint8" else (photo / 255).astype(np.float32)
    tensor = torch.from_numpy(x).permute(2, 0, 1)
    theirs = tv.resize(tensor, list(size), InterpolationMode(word), antialias=True)
    # float32: sums in another order
    tolerance = 1 if dtype == "uint8" else 1e-5
    found = ik.resize(x, size, word)
    assert worst(found, theirs.permute(1, 2, 0).numpy().astype(float)) <= tolerance


@pytest.mark.parametrize("word", ["bilinear", "bicubic", "nearest-exact", "area"])
def test_resize_without_antialias_agrees_with_torch(word):
    torch = pytest.importorskip("torch")
    x = noise("float64", 40, 60)
    kind = {"nearest-exact": "nearest"}.get(word, word)
    size = (20, 15) if word == "area" else (33, 71)  # torch's area windows have whole pixels
    theirs = torch.nn.functional.interpolate(torch.from_numpy(x)[None, None], size, mode=word)
    np.testing.assert_allclose(ik.resize(x, size, kind, antialias=False), theirs[0, 0], atol=1e-12)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_warp_takes_the_forward_matrix_of_warp_affine(photo, dtype):
    x = photo if dtype == "uint8" else photo.astype(np.float32) / 255
    matrix = g.rotation(20, (100, 90)) @ g.scaling(1.3, 1.1)
    theirs = cv2.warpAffine(x, matrix[:2], (301, 222))
    # the same sampler, its matrix inverted in another order
    assert worst(ik.warp(x, matrix, (222, 301)), theirs.astype(float)) <= TOLERANCE[dtype]


def test_warp_takes_the_inverse_of_what_skimage_takes(photo):
    x = photo.astype(np.float64) / 255
    matrix = MATRICES["perspective"]
    theirs = skimage.transform.warp(x, np.linalg.inv(matrix), order=1, mode="reflect")
    np.testing.assert_allclose(ik.warp(x, matrix, border="reflect"), theirs, atol=1e-9)


@pytest.mark.parametrize("border", BORDERS)
def test_warp_agrees_with_ndimage_affine_transform(border):
    """ndimage works in (row, column), backwards; its constant border must be the grid one."""
    x = noise("float64", 20, 27)
    matrix = MATRICES["affine"]
    inverse = np.linalg.inv(matrix)
    mode = {"constant": "grid-constant"}.get(border, BORDERS[border].ndimage)
    theirs = ndimage.affine_transform(
        x, inverse[1::-1, 1::-1], inverse[1::-1, 2], order=1, mode=mode, cval=0.3
    )
    np.testing.assert_allclose(ik.warp(x, matrix, border=border, value=0.3), theirs, atol=1e-12)


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_fields_agree_with_map_coordinates(border, interpolation):
    x = noise("float64", 20, 27)
    field = np.random.default_rng(5).normal(0, 8, (20, 27, 2))
    at = (g.identity_grid((20, 27)) + field)[..., ::-1]
    mode = {"constant": "grid-constant"}.get(border, BORDERS[border].ndimage)
    order = SAMPLERS.index(interpolation)
    theirs = ndimage.map_coordinates(x, np.moveaxis(at, -1, 0), order=order, mode=mode, cval=0.3)
    found = ik.warp(x, field, None, interpolation, border, 0.3, antialias=False)
    np.testing.assert_allclose(found, theirs, atol=1e-12)


@pytest.mark.parametrize("corners", [True, False])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_warp_agrees_with_grid_sample(corners, interpolation):
    """torch puts -1 and 1 at the centers (align_corners) or the edges of the outer pixels."""
    torch = pytest.importorskip("torch")
    x = noise("float64", 20, 27)
    at = g.positions(np.linalg.inv(MATRICES["affine"]), (18, 22))
    size = np.array([27.0, 20.0])
    grid = at / (size - 1) * 2 - 1 if corners else (at + 0.5) / size * 2 - 1
    theirs = torch.nn.functional.grid_sample(
        torch.from_numpy(x)[None, None],
        torch.from_numpy(grid)[None],
        mode=interpolation,
        padding_mode="zeros",
        align_corners=corners,
    )[0, 0].numpy()
    found = ik.warp(x, MATRICES["affine"], (18, 22), interpolation, antialias=False)
    np.testing.assert_allclose(found, theirs, atol=1e-10)


def test_rotation_turns_as_torchvision_rotate_not_as_its_affine(photo):
    torch = pytest.importorskip("torch")
    tv = pytest.importorskip("torchvision.transforms.v2.functional")
    from torchvision.transforms import InterpolationMode

    square = photo[:255, :255].astype(np.float64) / 255
    tensor = torch.from_numpy(square).permute(2, 0, 1)
    ours = ik.rotate(square, 30)[60:200, 60:200]
    theirs = tv.rotate(tensor, 30, InterpolationMode.BILINEAR).permute(1, 2, 0).numpy()
    np.testing.assert_allclose(ours, theirs[60:200, 60:200], atol=1e-4)  # its grid is float32
    clockwise = tv.affine(tensor, 30, [0, 0], 1.0, [0.0], InterpolationMode.BILINEAR)
    assert worst(ours, clockwise.permute(1, 2, 0).numpy()[60:200, 60:200]) > 0.1


def test_rotation_is_about_the_middle_of_the_pixels():
    """(W - 1) / 2, not W / 2: a half turn is the double flip."""
    x = noise("uint8", 6, 9, 3)
    assert np.array_equal(ik.rotate(x, 180), ik.flip(x, "both"))
    assert ik.rotate(x, 180, center=(4.5, 3.0))[1, 1].tolist() == x[5, 8].tolist()


def test_expanded_canvas_holds_the_whole_image():
    x = np.full((20, 31), 1.0)
    found = ik.rotate(x, 37, expand=True)
    assert found.shape == reference.rotate(x[..., None], 37, expand=True).shape[:2]
    assert abs(found.sum() - x.size) < 0.01 * x.size
    assert max(found[0].max(), found[-1].max(), found[:, 0].max(), found[:, -1].max()) < 1


# --- layouts, limits, laws --------------------------------------------------------------


@pytest.mark.parametrize("channels", [2, 5, 64, 129, 512])
def test_any_number_of_channels(channels):
    x = noise("uint8", 9, 8, channels)
    calls = (
        lambda im: ik.resize(im, (5, 4)),
        lambda im: ik.resize(im, (11, 14), antialias=False),
        lambda im: ik.resize(im, (3, 4), "area"),
        lambda im: ik.resize(im, 5, "nearest"),
        lambda im: ik.warp(im, MATRICES["affine"], border="wrap"),
        lambda im: ik.warp(im, MATRICES["shrink"]),
        lambda im: ik.warp(im, np.full((9, 8, 2), 0.3)),
        lambda im: ik.rotate(im, 90),
        lambda im: ik.flip(im),
    )
    for call in calls:
        found = call(x)
        assert found.shape[-1] == channels
        for c in (0, 1, channels - 1):
            assert worst(found[..., c], call(x[..., c]).astype(float)) <= 1


@pytest.mark.parametrize("shape", [(6, 40000, 3), (40000, 6)])
def test_images_longer_than_32767(shape):
    """cv2.remap refuses them; a shift of half a pixel averages neighbors."""
    x = noise("uint8", *shape)
    floats = x.astype(float)
    axis = int(np.argmax(shape))
    mean = (np.delete(floats, 0, axis) + np.delete(floats, -1, axis)) / 2
    half = np.array([0.5, 0]) if axis == 1 else np.array([0, 0.5])
    inner = np.delete(ik.warp(x, g.translation(*-half)), -1, axis)
    assert worst(inner, mean) <= 0.5
    field = np.broadcast_to(half, (*shape[:2], 2))
    assert worst(np.delete(ik.warp(x, field), -1, axis), mean) <= 0.5
    size = tuple(n // 2 for n in shape[:2])
    assert ik.resize(x, size).shape[:2] == size


def test_bicubic_far_outside_the_image():
    """OpenCV alone reads wrong pixels beyond the first repetition of these borders."""
    x = noise("float32", 8, 9)
    for border in ("reflect", "symmetric", "wrap"):
        options = ((60, 70), "bicubic", border, 0, False)
        matrix = g.translation(30.25, 25.5)
        expected = reference.warp(x[..., None].astype(float), matrix, *options)[..., 0]
        assert worst(ik.warp(x, matrix, *options), expected) < 1e-5
        horizon = g.perspective([[0, 0], [8, 0], [8, 7], [0, 7]], [[0, 0], [8, 3], [8, 4], [0, 7]])
        wide = (horizon, (8, 40), "bicubic", border, 0, False)
        expected = reference.warp(x[..., None].astype(float), *wide)[..., 0]
        # positions near the horizon are large: compare where they are not
        assert worst(ik.warp(x, *wide)[:, :12], expected[:, :12]) < 1e-4


def test_read_only_and_strided_inputs_are_left_alone():
    whole = noise("uint8", 20, 30, 4)
    for x in (whole[::-1, ::2], whole[3:9, 5:8, 1:], whole[:, ::-1, ::-1], whole[..., 0]):
        before = x.copy()
        x.flags.writeable = False
        for call in (
            lambda im: ik.resize(im, (5, 7)),
            lambda im: ik.resize(im, (5, 7), antialias=False),
            lambda im: ik.resize(im, im.shape[:2]),
            lambda im: ik.warp(im, MATRICES["affine"]),
            lambda im: ik.warp(im, np.eye(3)),
            lambda im: ik.warp(im, MATRICES["shrink"]),
            lambda im: ik.rotate(im, 90, expand=True),
            lambda im: ik.flip(im),
            lambda im: ik.crop(im, 0, 0, 2, 2),
            lambda im: ik.pad(im, 2, border="wrap"),
        ):
            found = call(x)
            assert np.array_equal(found, call(before))
            assert found.flags.c_contiguous
            assert found.flags.writeable
            assert not np.shares_memory(found, whole)
        assert np.array_equal(x, before)


def test_batches_take_one_map_or_one_each():
    x = noise("uint8", 3, 12, 10, 3)
    maps = np.stack([g.rotation(10 * i, (5, 5)) for i in range(3)])
    each = np.stack([ik.warp(im, m) for im, m in zip(x, maps, strict=True)])
    assert np.array_equal(ik.warp(x, maps), each)
    assert np.array_equal(ik.warp(x, maps[1])[2], ik.warp(x[2], maps[1]))
    fields = np.stack([g.matrix_field(m, (7, 9)) for m in maps])
    each = np.stack([ik.warp(im, f) for im, f in zip(x, fields, strict=True)])
    assert np.array_equal(ik.warp(x, fields), each)
    assert ik.warp(x[:0], maps[0], (4, 5)).shape == (0, 4, 5, 3)
    assert ik.resize(x[:0], (4, 5)).shape == ik.letterbox(x[:0], (4, 5)).shape == (0, 4, 5, 3)
    assert ik.rotate(x[:0], 90, expand=True).shape == (0, 10, 12, 3)
    ragged = ik.resize([x[0], x[1, :4]], 6)
    assert np.array_equal(ragged[1], ik.resize(x[1, :4], 6))


def test_a_2x3_matrix_and_nested_lists_are_matrices():
    x = noise("uint8", 8, 9)
    matrix = MATRICES["affine"]
    assert np.array_equal(ik.warp(x, matrix[:2].tolist()), ik.warp(x, matrix))


images = st.tuples(
    st.sampled_from(DTYPES), st.integers(1, 12), st.integers(1, 12), st.integers(1, 5)
)


@settings(deadline=None, max_examples=60)
@given(images, st.integers(1, 15), st.integers(1, 15), st.sampled_from(RESIZERS), st.booleans())
def test_resize_law(image, height, width, word, antialias):
    """Shape and dtype; and a convex kernel stays within the image's values."""
    dtype, *shape = image
    x = noise(dtype, *shape)
    found = ik.resize(x, (height, width), word, antialias)
    assert found.shape == (height, width, shape[-1])
    assert found.dtype == x.dtype
    if word not in ("bicubic", "lanczos"):
        slack = 1e-6 * top(dtype) if dtype[0] == "f" else 1
        assert float(found.min()) >= float(x.min()) - slack
        assert float(found.max()) <= float(x.max()) + slack
    flipped = ik.resize(x[:, ::-1], (height, width), word, antialias)[:, ::-1]
    if word != "nearest":  # a tie goes to the right
        assert worst(found, flipped.astype(float)) <= max(TOLERANCE[dtype], 1e-9)


@settings(deadline=None, max_examples=60)
@given(
    images,
    st.floats(-360, 360),
    st.floats(0.3, 3),
    st.sampled_from(SAMPLERS),
    st.sampled_from(tuple(BORDERS)),
)
def test_warp_law(image, degrees, scale, word, border):
    """Shape, dtype, and the same result in every layout."""
    dtype, *shape = image
    x = noise(dtype, *shape)
    matrix = g.rotation(degrees, (3, 2)) @ g.scaling(scale, scale**0.5)
    found = ik.warp(x, matrix, None, word, border)
    assert found.shape == x.shape
    assert found.dtype == x.dtype
    assert np.array_equal(ik.warp(x[None], matrix, None, word, border)[0], found)
    if shape[-1] == 1:
        assert np.array_equal(ik.warp(x[..., 0], matrix, None, word, border), found[..., 0])


# --- bad input --------------------------------------------------------------------------

IMAGE = np.zeros((4, 6, 3), np.uint8)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ik.resize(IMAGE, 0), r"size is 0: it must be at least 1"),
        (lambda: ik.resize(IMAGE, (3, 4, 5)), r"size is \(3, 4, 5\): .* one integer or 2"),
        (lambda: ik.resize(IMAGE, 3, "bilnear"), r"did you mean 'bilinear'"),
        (lambda: ik.warp(IMAGE, np.eye(3), interpolation="lanczos"), r"interpolation is 'lanczos'"),
        (lambda: ik.warp(IMAGE, np.eye(3), border="reflect101"), r"did you mean 'reflect'"),
        (lambda: ik.warp(IMAGE, np.eye(4)), r"matrix_or_field has shape \(4, 4\)"),
        (lambda: ik.warp(IMAGE, np.zeros((0, 3, 2))), r"H and W at least 1"),
        (lambda: ik.warp(IMAGE, np.zeros((3, 3))), r"no inverse: its determinant must not be 0"),
        (lambda: ik.warp(IMAGE, g.scaling(1, 0)), r"no inverse"),
        (
            lambda: ik.warp(IMAGE, np.full((3, 3), np.nan)),
            r"matrix_or_field has nan at \(0, 0\): every number",
        ),
        (lambda: ik.warp(IMAGE, np.stack([np.eye(3)] * 2)), r"holds 2 maps: x has 1 images"),
        (lambda: ik.warp(IMAGE, np.zeros((3, 5, 2)), 7), r"the field has its own, \(3, 5\)"),
        (
            lambda: ik.warp(IMAGE, np.eye(3), value=300),
            r"value is 300: a uint8 image holds 0 to 255",
        ),
        (lambda: ik.pad(IMAGE, 1, value=(1, 2)), r"one number, or 3, one per channel"),
        (lambda: ik.pad(IMAGE, 1, value=(1, 2, -3)), r"value\[2\] is -3: a uint8 image holds"),
        (lambda: ik.pad(IMAGE, 1, value=[[1, 2], [3]]), r"value is .*: give one number, or 3"),
        (lambda: ik.warp(IMAGE, [[1, 2], [3]]), r"matrix_or_field is .*: its rows must be equally"),
        (
            lambda: ik.resize(IMAGE, 2**20 + 1),
            r"size is 1048577: it must be .* at most 1048576",
        ),
        (lambda: ik.pad(IMAGE, 10**9), r"padding is 1000000000: it must be .* at most"),
        (
            lambda: ik.warp(IMAGE, np.full((3, 5, 2), 1e30)),
            r"moves a pixel by 1e\+30: a field moves",
        ),
        (lambda: ik.rotate(IMAGE, 10**400), r"degrees is .*: float32 holds numbers up to 3.4e\+38"),
        (lambda: ik.pad(IMAGE, -1), r"padding is -1: it must be at least 0"),
        (lambda: ik.pad(IMAGE, (1, 2, 3)), r"padding is \(1, 2, 3\): give one integer"),
        (lambda: ik.crop(IMAGE, 3, 0, 2, 2), r"top \+ height is 5: the image has 4 rows"),
        (lambda: ik.crop(IMAGE, 0, 5, 2, 2), r"left \+ width is 7: the image has 6 columns"),
        (lambda: ik.crop(IMAGE, -1, 0, 2, 2), r"top is -1: it must be at least 0"),
        (lambda: ik.flip(IMAGE, "horizontaly"), r"did you mean 'horizontal'"),
        (lambda: ik.rotate(IMAGE, np.inf), r"degrees is inf: it must be finite"),
        (
            lambda: ik.rotate(IMAGE, 3, center=(1, 2, 3)),
            r"center is \(1, 2, 3\): .* point \(x, y\)",
        ),
        (lambda: ik.letterbox(IMAGE, -3), r"size is -3: it must be at least 1"),
        (lambda: ik.resize(np.zeros((0, 3, 3), np.uint8), 2), r"height and width must be at least"),
    ],
)
def test_bad_arguments_say_which_and_why(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ik.resize("photo.png", 3), r"x is a str: pass a NumPy array"),
        (lambda: ik.resize(IMAGE, 2.5), r"size is 2.5: it must be an integer"),
        (lambda: ik.pad(IMAGE, "4"), r"padding is '4': give one integer"),
        (lambda: ik.pad(IMAGE, 1.5), r"padding is 1.5: give one integer"),
        (lambda: ik.pad(IMAGE, [[1, 2], [3]]), r"padding\[0\] is \[1, 2\]: it must be an integer"),
        (lambda: ik.rotate(IMAGE, 5, center=5), r"center is 5: it must be a point \(x, y\)"),
        (
            lambda: ik.rotate(IMAGE, 5, center=[[1, 2], [3]]),
            r"center\[0\] is \[1, 2\]: it must be a",
        ),
        (
            lambda: ik.warp(IMAGE, [["a"] * 3] * 3),
            r"matrix_or_field is .*: it must hold real numbers",
        ),
        (lambda: ik.rotate(IMAGE, "30"), r"degrees is '30': it must be a number"),
        (lambda: ik.crop(IMAGE, 0.5, 0, 2, 2), r"top is 0.5: it must be an integer"),
    ],
)
def test_bad_types_say_which_and_why(call, message):
    with pytest.raises(TypeError, match=message):
        call()
