"""What is made of tags that are missing: the rule of each, against samples that are known."""

import io

import imagecodecs
import numpy as np
import pytest
import tifffile
from tiff_writer import COMPRESSIONS as COMPRESSIONS_WRITTEN
from tiff_writer import tiff

from imgkit.io.decode import decode

BLACK_ZERO, RGB = 1, 2
COMPRESSIONS = list(COMPRESSIONS_WRITTEN)


def random_samples(bits, channels, seed=1):
    levels = np.random.default_rng(seed).integers(0, 1 << bits, (17, 19, channels))
    return levels.astype("u1" if bits <= 8 else "u2")


def over_white(samples, bits):
    top = 2**bits - 1
    color, alpha = samples[..., :-1].astype(float), samples[..., -1:].astype(float)
    return np.rint(color * alpha / top + (top - alpha))


# --- extra samples that no tag describes ------------------------------------------------


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("planar", [False, True])
def test_a_fourth_sample_of_rgb_without_a_tag_is_alpha(compression, bits, planar):
    samples = random_samples(bits, 4)
    for order in "<>":
        data = tiff(samples, RGB, bits, compression=compression, planar=planar, order=order)
        np.testing.assert_array_equal(decode(data), over_white(samples, bits))
        tagged = tiff(samples, RGB, bits, compression=compression, planar=planar, extras=[2])
        np.testing.assert_array_equal(decode(tagged), decode(data))
        data = tiff(samples, RGB, bits, compression=compression, planar=planar, extras=[0])
        np.testing.assert_array_equal(decode(data), samples)


def test_jpeg_with_a_fourth_sample_without_a_tag():
    """Within 3 levels: JPEG of quality 100 rounds its coefficients."""
    ramp = np.linspace(20, 230, 1024).reshape(32, 32, 1)
    samples = np.concatenate([ramp, 255 - ramp, ramp, ramp], -1).astype(np.uint8)

    def encode(part):
        return imagecodecs.jpeg_encode(part, level=100, colorspace="CMYK", outcolorspace="CMYK")

    image = decode(tiff(samples, RGB, 8, encode=(7, encode)))
    assert np.abs(image - over_white(samples, 8)).max() <= 3


@pytest.mark.parametrize("compression", [1, 5, 8, 32946, 32773])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_what_opencv_writes_of_four_channels_is_laid_over_white(compression, dtype):
    cv2 = pytest.importorskip("cv2")
    bits = 8 * np.dtype(dtype).itemsize
    samples = random_samples(bits, 4)
    options = [cv2.IMWRITE_TIFF_COMPRESSION, compression]
    _, data = cv2.imencode(".tif", samples[..., [2, 1, 0, 3]], options)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        assert "ExtraSamples" not in file.pages[0].tags
    np.testing.assert_array_equal(decode(data.tobytes()), over_white(samples, bits))


@pytest.mark.parametrize(
    ("color", "bits", "channels"),
    [(BLACK_ZERO, 8, 2), (BLACK_ZERO, 16, 2), (RGB, 8, 5), (RGB, 16, 5)],
)
def test_other_samples_without_a_tag_are_data(color, bits, channels):
    samples = random_samples(bits, channels)
    np.testing.assert_array_equal(decode(tiff(samples, color, bits)), samples)


# --- colors and predictors ----------------------------------------------------------------


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize(("bits", "dtype"), [(12, "u2"), (16, "u2"), (32, "f4"), (64, "f8")])
def test_gray_of_many_bits_without_a_photometric_interpretation(compression, bits, dtype):
    levels = random_samples(12, 1).astype(dtype)
    options = {"compression": compression, "rows": 5}
    image = decode(tiff(levels, BLACK_ZERO, bits, tags={262: None}, **options))
    np.testing.assert_array_equal(image, decode(tiff(levels, BLACK_ZERO, bits, **options)))
    if bits != 12:
        np.testing.assert_array_equal(image, levels[..., 0])


@pytest.mark.parametrize("compression", ["none", "packbits"])
@pytest.mark.parametrize("predictor", [2, 3, 7])
@pytest.mark.parametrize(("tile", "rows"), [(0, 17), (0, 5), (16, 0)])
@pytest.mark.parametrize(("bits", "dtype"), [(8, "u1"), (12, "u2"), (16, "u2"), (32, "f4")])
@pytest.mark.parametrize(("color", "channels"), [(BLACK_ZERO, 1), (RGB, 3)])
def test_a_predictor_without_a_compression_that_has_one_is_ignored(
    compression, predictor, tile, rows, bits, dtype, color, channels
):
    samples = random_samples(min(bits, 12), channels).astype(dtype)
    options = {"compression": compression, "tile": tile, "rows": rows}
    for order in "<>":
        data = tiff(samples, color, bits, order=order, tags={317: (3, [predictor])}, **options)
        right = decode(tiff(samples, color, bits, order=order, **options))
        np.testing.assert_array_equal(decode(data), right)
