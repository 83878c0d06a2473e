"""Encode only what a format holds, in the same bytes every time."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from imgkit.folder.task import COMMAND_LINE
from imgkit.io.decode import decode
from imgkit.io.encode import WRITABLE, encode, scaled
from imgkit.io.header import BadImage, sniff


def smooth(dtype=np.uint8, channels=3):
    rng = np.random.default_rng(7)
    image = cv2.GaussianBlur(rng.random((40, 60, 3)), (0, 0), 4)
    image = (image - image.min()) / (image.max() - image.min())
    image = np.concatenate([image, image], axis=2)[..., :channels]
    top = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
    return np.squeeze((image * top).astype(dtype))


@pytest.mark.parametrize("kind", WRITABLE)
@pytest.mark.parametrize("channels", [1, 3])
def test_one_image_gives_the_same_bytes_and_reads_back(kind, channels):
    image = smooth(np.uint8, channels)
    data = encode(image, kind)
    assert data == encode(image.copy(), kind)
    assert sniff(data) == kind
    decoded = decode(data).astype(int)
    if kind == "webp" and channels == 1:  # WebP has no gray: it comes back as equal channels
        image = image[..., None]
    assert np.abs(decoded - image).mean() < 3


def test_quality_is_used():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    for kind in ("jpg", "webp"):
        assert len(encode(image, kind, quality=20)) < len(encode(image, kind, quality=95)) / 2


def test_booleans_are_black_and_white():
    mask = smooth(np.uint8, 1) > 128
    assert np.array_equal(decode(encode(mask, "png")), mask * np.uint8(255))


def test_a_single_channel_axis_is_gray():
    assert decode(encode(smooth(np.uint8, 1)[..., None], "png")).shape == (40, 60)


@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_are_refused_with_what_to_do(kind, dtype):
    with pytest.raises(BadImage, match=r"--scale auto .* --format tiff\|npy"):
        encode(np.zeros((4, 5), dtype), kind, wording=COMMAND_LINE)


@pytest.mark.parametrize(
    ("shape", "dtype", "kind", "message"),
    [
        ((4, 5), np.uint16, "jpg", "uint16.*--format png"),
        ((4, 5), np.uint16, "webp", "uint16.*--scale 0:65535"),
        ((4, 5, 4), np.uint8, "jpg", "4 channels, which jpg cannot hold"),
        ((4, 5, 2), np.uint8, "png", "2 channels"),
        ((4, 5, 5), np.uint8, "webp", "5 channels.*tiff"),
        ((2, 70000), np.uint8, "jpg", "65500 pixels a side"),
        ((2, 4, 5, 3), np.uint8, "png", "not an image"),
    ],
)
def test_what_does_not_fit_is_refused(shape, dtype, kind, message):
    with pytest.raises(BadImage, match=message) as caught:
        encode(np.zeros(shape, dtype), kind, wording=COMMAND_LINE)
    assert caught.value.kind == "unfit"


def test_in_python_the_advice_is_python():
    with pytest.raises(BadImage, match=r"image is float32, which png cannot hold: .*to_uint8"):
        encode(np.zeros((4, 5), np.float32), "png")
    with pytest.raises(BadImage, match=r"image has 5 channels, .* a \.tiff or \.npy file"):
        encode(np.zeros((4, 5, 5), np.uint8), "png")


def test_scale_maps_clips_and_rounds_half_to_even():
    values = np.array([[-2.0, -1.0, 0.0, 1.0, 2.0]])
    assert scaled(values, (-1.0, 1.0)).tolist() == [[0, 0, 128, 255, 255]]  # 127.5 -> 128
    assert scaled(values, (1.0, -1.0)).tolist() == [[255, 255, 128, 0, 0]]
    assert scaled(values, "auto").tolist() == [[0, 64, 128, 191, 255]]
    assert scaled(np.full((2, 2), 7.0), "auto").tolist() == [[0, 0], [0, 0]]
    assert scaled(np.array([[0.0, np.nan, np.inf, -np.inf, 4.0]]), "auto").tolist() == [
        [0, 0, 255, 0, 255]
    ]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("step", [1, -1])
def test_red_stays_red_and_clear_stays_clear(dtype, channels, step):
    """However the image lies in memory; it is read here by another library's eyes."""
    image = smooth(dtype, channels)[::step, ::2]
    data = encode(image, "png")
    if dtype == np.uint8:
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), image)
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(read[..., [2, 1, 0, 3][:channels]], image)
