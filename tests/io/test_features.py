"""What a file uses and is not read has a name; damage alone is called damage."""

import io
import struct

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from imgkit.io.decode import decode, decode_details
from imgkit.io.features import JPEG_OTHER
from imgkit.io.formats import recognize
from imgkit.io.header import BadImage, sniff

COLORS = np.random.default_rng(0).integers(0, 256, (16, 16, 3)).astype(np.uint8)
DEEP = np.random.default_rng(1).integers(0, 4096, (16, 16)).astype(np.uint16)
ALL = ("ppm", "sgi", "psd", "jp2", "cur", "ico", "dds")


def saved(image, kind, **options):
    file = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(file, kind, **options)
    return file.getvalue()


def jpeg_of(process, bits=8, components=3):
    """A JPEG whose frame header claims another process, depth or number of components."""
    data = bytearray(saved(COLORS, "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4], data[at + 9] = process, bits, components
    return bytes(data)


def bmp_of(offset, form, value):
    data = bytearray(saved(COLORS, "BMP"))
    struct.pack_into(form, data, offset, value)
    return bytes(data)


def psd(bits, mode):
    return b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 2, 2, bits, mode) + bytes(100)


UNSUPPORTED = {
    "12-bit JPEG: 8 bits": imagecodecs.jpeg8_encode(DEEP, bitspersample=12),
    "16-bit lossless JPEG": imagecodecs.jpeg8_encode(DEEP, bitspersample=16, lossless=True),
    "lossless JPEG": jpeg_of(0xC3),
    "JPEG of 2 components": jpeg_of(0xC0, components=2),
    **{f"{name} JPEG": jpeg_of(process) for process, name in JPEG_OTHER.items()},
    "JPEG-LS": imagecodecs.jpegls_encode(COLORS[..., 0]),
    r"BMP compression \(4\)": bmp_of(30, "<I", 4),
    "BMP pixel depth": bmp_of(28, "<H", 64),
    "BMP header type": bmp_of(14, "<I", 99),
    "16-bit SGI": saved(COLORS, "SGI", bpc=2),
    "16-bit PSD": psd(16, 3),
    "PSD of color mode 5": psd(8, 5),
    "16-bit JPEG 2000": imagecodecs.jpeg2k_encode(np.stack([DEEP] * 3, -1)),
    "12-bit JPEG 2000": imagecodecs.jpeg2k_encode(DEEP, bitspersample=12),
    "tga files are not read": saved(COLORS, "TGA"),
    "pam files are not read": b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 3\nMAXVAL 255\nENDHDR\n" + bytes(6),
    "pfm files are not read": b"PF\n2 1\n-1.0\n" + bytes(24),
    "jxl files are not read": b"\xff\x0a" + bytes(30),
}


@pytest.mark.parametrize("feature", UNSUPPORTED)
def test_what_is_not_read_is_named_and_not_called_damaged(feature):
    with pytest.raises(BadImage, match=feature.replace("(JPEG-LS)", r"\(JPEG-LS\)")) as caught:
        decode(UNSUPPORTED[feature], allow=ALL)
    assert caught.value.kind == "unsupported"
    assert "damaged" not in str(caught.value)


def test_jpeg_that_is_rare_and_read():
    """8-bit lossless and extended JPEG; CMYK and YCCK, which Adobe stores inverted."""
    np.testing.assert_array_equal(decode(imagecodecs.jpeg8_encode(COLORS, lossless=True)), COLORS)
    np.testing.assert_array_equal(decode(jpeg_of(0xC1)), decode(jpeg_of(0xC0)))
    ink = np.full((16, 16, 4), (0, 255, 255, 51), np.uint8)  # red, a fifth darker
    for space in ({}, {"keep_rgb": True}):
        data = saved(Image.fromarray(ink, "CMYK"), "JPEG", quality=100, **space)
        assert np.abs(decode(data).astype(int) - [204, 0, 0]).max() <= 2


def test_damage_is_still_called_damage():
    whole = saved(COLORS, "JPEG")
    wrong = whole[:160] + bytes(20) + whole[180:]
    for data in (wrong, whole[: len(whole) // 2], saved(COLORS, "BMP")[:100]):
        with pytest.raises(BadImage) as caught:
            decode(data)
        assert caught.value.kind in ("corrupt", "truncated")


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA"])
@pytest.mark.parametrize("packed", [None, "tga_rle"])
@pytest.mark.parametrize("footer", [True, False])
def test_tga_is_no_cursor(mode, packed, footer):
    data = saved(Image.fromarray(COLORS).convert(mode), "TGA", compression=packed)
    data = data if footer else data[:-26]
    assert sniff(data) is None
    assert recognize(data) == "tga"


def test_a_cursor_is_a_cursor():
    icon = saved(COLORS, "ICO")
    assert recognize(icon) == "ico"
    assert recognize(b"\0\0\2\0" + icon[4:]) == "cur"
    assert recognize(b"\0\0\2\0" + bytes(28)) is None  # a cursor has at least one picture


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_avif_of_more_than_8_bits_says_what_is_lost(bits):
    levels = (np.stack([DEEP] * 3, -1) >> 12 - bits).astype(np.uint16 if bits > 8 else np.uint8)
    found = decode_details(imagecodecs.avif_encode(levels, bitspersample=bits))
    note = f"the avif file has {bits} bits a channel: it is read in 8"
    assert found.notes == ((note,) if bits > 8 else ())
    assert found.image.dtype == np.uint8
