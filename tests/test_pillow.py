"""Pillow's images as arrays: the codec's rules, without a file."""

import io

import numpy as np
import pytest
from PIL import Image

import imgkit as ik
from imgkit.io.decode import decode
from imgkit.pillow import from_pillow, is_pillow, mask_from_pillow, opened

COLORS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 10


def test_what_is_pillows():
    assert is_pillow(Image.new("L", (2, 2)))
    assert not is_pillow(COLORS)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "LA", "CMYK", "1"])
def test_a_picture_in_memory_is_what_the_codec_reads_from_its_file(mode):
    picture = Image.fromarray(COLORS).convert(mode)
    file = io.BytesIO()
    picture.save(file, "TIFF" if mode == "CMYK" else "PNG")
    np.testing.assert_array_equal(from_pillow(picture), decode(file.getvalue()))


def test_the_exif_orientation_is_applied():
    picture = Image.fromarray(COLORS)
    picture.getexif()[0x0112] = 6
    np.testing.assert_array_equal(from_pillow(picture), np.rot90(COLORS, -1))


def test_masks_keep_their_indices():
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 255, 0])
    picture.putpixel((1, 0), 1)
    assert mask_from_pillow(picture).tolist() == [[0, 1]]
    assert from_pillow(picture).tolist() == [[[255, 0, 0], [0, 255, 0]]]
    with pytest.raises(ValueError, match="mask has Pillow's mode RGB: a mask has one channel"):
        mask_from_pillow(Image.new("RGB", (2, 2)))


def test_integers_of_32_bits_are_no_pixels():
    with pytest.raises(ValueError, match="32-bit integer pixels"):
        from_pillow(Image.new("I", (2, 2)))


def test_pipelines_take_pictures_alone_in_lists_and_by_name():
    flip = ik.Pipeline([ik.HorizontalFlip()], seed=7)
    picture = Image.fromarray(COLORS)
    np.testing.assert_array_equal(flip(picture, key=0), COLORS[:, ::-1])
    first, second = flip([picture, COLORS], key=(0, [0, 1]))
    np.testing.assert_array_equal(first, second)
    out = flip(image=picture, mask=Image.new("P", (3, 2)), key=0)
    assert out["mask"].shape == (2, 3)
    np.testing.assert_array_equal(out["image"], COLORS[:, ::-1])
    assert opened("no picture") == "no picture"


@pytest.mark.parametrize("mode", ["La", "RGBa"])
def test_premultiplied_colors_are_not_multiplied_again(mode):
    channels = 2 if mode == "La" else 4
    rng = np.random.default_rng(0)
    stored = rng.integers(0, 256, (6, 7, channels), dtype=np.uint8)
    stored[..., :-1] = np.minimum(stored[..., :-1], stored[..., -1:])
    picture = Image.frombytes(mode, (7, 6), stored.tobytes())
    white = stored[..., :-1] + (255 - stored[..., -1:])  # color times alpha, and the white behind
    np.testing.assert_array_equal(from_pillow(picture), white[..., 0] if channels == 2 else white)


def test_a_transparent_level_of_16_bits_is_white():
    levels = np.arange(6, dtype=np.uint16).reshape(2, 3) * 1000
    picture = Image.fromarray(levels)
    picture.info["transparency"] = 3000
    expected = np.where(levels == 3000, 65535, levels)
    np.testing.assert_array_equal(from_pillow(picture), expected)
    assert from_pillow(picture).dtype == np.uint16
