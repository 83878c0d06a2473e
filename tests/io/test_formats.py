"""Formats that are known but not read are told by their content, not by their name."""

import io
import struct

import numpy as np
import pytest
import tiff_writer
import tifffile
from PIL import Image

from imgkit.io import formats
from imgkit.io.decode import decode
from imgkit.io.files import FileFormat, file_format
from imgkit.io.formats import recognize
from imgkit.io.header import BadImage, sniff


def saved(kind, mode="RGB", **options):
    """Return an image as Pillow writes it in a format."""
    file = io.BytesIO()
    Image.linear_gradient("L").resize((24, 20)).convert(mode).save(file, kind, **options)
    return file.getvalue()


def tga(kind=2, bits=24, width=4, entries=0, **changes):
    header = {"id": 0, "map": int(kind in (1, 9)), "kind": kind, "first": 0, "entries": entries}
    header |= {"entry_bits": 24 if entries else 0, "x": 0, "y": 0, "width": width, "height": 3}
    header |= {"bits": bits, "flags": 0} | changes
    return struct.pack("<BBBHHBHHHHBB", *header.values()) + bytes(200)


def brand(major, *compatible):
    return struct.pack(
        ">I4s4s4s", 16 + 4 * len(compatible), b"ftyp", major, b"\0\0\0\0"
    ) + b"".join(compatible)


def tiff(**options):
    file = io.BytesIO()
    with tifffile.TiffWriter(file, byteorder=options.pop("byteorder", "<")) as writer:
        subs = options.pop("subs", 0)
        shape = (8, 8, 3) if options.pop("channels", 1) == 3 else (8, 8)
        writer.write(np.zeros(shape, np.uint8), metadata=None, **options, subifds=subs)
        for _ in range(subs):
            writer.write(np.zeros((32, 32), np.uint8), metadata=None)
    return file.getvalue()


DNG = (50706, "B", 4, b"\1\4\0\0")
SAMPLES = {
    "heic": [brand(b"heic", b"mif1"), brand(b"mif1", b"heic"), brand(b"msf1", b"hevc")],
    "cr3": [brand(b"crx ", b"isom")],
    "jxl": [b"\xff\x0a" + bytes(30), b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(20)],
    "psd": [b"8BPS\0\1" + bytes(30), b"8BPS\0\2" + bytes(30)],
    "svg": [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- made by hand -->\n<svg/>",
        b"<!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN'>\n<svg>",
        b"\n  <svg\n>",
    ],
    "tga": [
        *(saved("TGA", mode) for mode in ("RGB", "RGBA", "L", "P")),
        saved("TGA", compression="tga_rle"),
        *(tga(kind) for kind in (2, 10)),
        tga(3, 8),
        tga(1, 8, entries=256),
        tga(2, 32, flags=40),
        tga(2, id=9),
    ],
    "ico": [saved("ICO")],
    "cur": [b"\0\0\2\0\1\0\x10\x10\0\0\0\0\0\0" + struct.pack("<II", 40, 22) + bytes(40)],
    "ppm": [saved("PPM"), saved("PPM", "L"), b"P1\n# by hand\n2 2\n1 0 0 1\n", b"P6 2 2 255\n"],
    "pfm": [b"PF\n4 4\n-1.0\n", b"Pf\n4 4\n1.0\n"],
    "sgi": [saved("SGI")],
    "pcx": [saved("PCX"), saved("PCX", "L")],
    "jp2": [b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51\0"],
    "dds": [saved("DDS")],
    "qoi": [b"qoif" + bytes(10)],
    "dicom": [bytes(128) + b"DICM"],
    "exr": [b"v/1\x01"],
    "hdr": [b"#?RADIANCE\n", b"#?RGBE\n"],
    "xcf": [b"gimp xcf v011\0"],
    "eps": [saved("EPS")],
    "pdf": [saved("PDF")],
    "cr2": [b"II*\0\x10\0\0\0CR\2\0" + bytes(20)],
    "raf": [b"FUJIFILMCCD-RAW 0201"],
    "orf": [b"IIRO\x08\0\0\0", b"MMOR\0\0\0\x08"],
    "dng": [
        tiff(photometric=32803, extratags=[DNG]),
        tiff(photometric=34892, extratags=[DNG], channels=3),
        tiff(subfiletype=1, subs=1, extratags=[DNG]),
        tiff(subfiletype=1, subs=2, extratags=[DNG], byteorder=">"),
    ],
    "raw": [
        tiff(photometric=32803),
        tiff(subfiletype=1, subs=1),
        tiff(subfiletype=1, subs=2, byteorder=">"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "data"),
    [pytest.param(k, d, id=f"{k}-{i}") for k, many in SAMPLES.items() for i, d in enumerate(many)],
)
def test_a_format_is_named_by_scans_and_in_errors(tmp_path, kind, data):
    assert sniff(data) is None
    assert recognize(data) == kind
    (tmp_path / "file").write_bytes(data)
    assert file_format(str(tmp_path / "file")) == FileFormat(kind, False)
    with pytest.raises(BadImage, match=rf"^{kind} files are not read") as caught:
        decode(data)
    assert caught.value.kind == "unsupported"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"P",
        b"P1 is the first milestone\n",
        b"Pf, so what\n",
        b"<?xml version='1.0'?><annotation><filename>a.jpg</filename></annotation>",
        b"<!-- a comment --><html></html>",
        b"\n\nsome text",
        b"\0" * 64,
        b"\0\0\1\0" + bytes(40),
        b"\0\0\2\0" + bytes(40),  # a TGA without a size
        tga(bits=7),
        tga(4),
        tga(flags=255),
        brand(b"isom", b"mp42"),
        struct.pack(">I", 9),
        b"II*\0",
        bytes(range(256)),
    ],
    ids=lambda data: repr(data[:12]),
)
def test_what_is_not_an_image_is_not_taken_for_one(data):
    assert recognize(data) is None


def test_a_tiff_is_not_a_raw_file():
    for options in ({}, {"byteorder": ">"}, {"subs": 2}, {"subfiletype": 1}, {"photometric": 1}):
        data = tiff(**options)
        assert (sniff(data), recognize(data)) == ("tiff", None)
        assert decode(data).shape == (8, 8)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_a_tiff_whose_pixels_spell_a_raw_format_is_a_tiff(order, dtype):
    samples = np.random.default_rng(3).integers(0, 255, (8, 8, 1)).astype(dtype)
    raw = samples.astype(samples.dtype.newbyteorder(order)).view(np.uint8).reshape(8, -1)
    raw[0, :2] = 67, 82  # "CR" at 8, as in the raw files of a camera
    samples = raw.view(samples.dtype.newbyteorder(order)).astype(dtype)[..., None]
    data = tiff_writer.tiff(samples, 1, samples.dtype.itemsize * 8, order=order)
    assert data[8:10] == b"CR"
    assert (sniff(data), recognize(data)) == ("tiff", None)
    np.testing.assert_array_equal(decode(data), samples[..., 0])


def test_any_start_is_looked_at_without_an_error():
    rng = np.random.default_rng(5)
    for samples in SAMPLES.values():
        for data in samples:
            for length in rng.integers(0, min(len(data), 300), 12):
                recognize(data[:length])
            changed = bytearray(data[:300])
            changed[rng.integers(len(changed))] ^= 1 << rng.integers(8)
            recognize(bytes(changed))


def test_the_content_counts_more_than_the_name(tmp_path):
    png = saved("PNG")
    cases = {
        "a.heic": (png, FileFormat("png", True)),
        "b.psd": (png, FileFormat("png", True)),
        "c.heic": (SAMPLES["psd"][0], FileFormat("psd", False)),
        "d.heic": (b"", FileFormat("heic", False)),  # only its name tells
        "e.nef": (SAMPLES["raw"][0], FileFormat("nef", False)),
        "f.dng": (SAMPLES["dng"][0], FileFormat("dng", False)),
        "g.png": (b"", FileFormat("png", True)),  # planned, and its failure has a line
        "h.txt": (b"text", FileFormat("", False)),
        "i.ICO": (SAMPLES["ico"][0], FileFormat("ico", False)),
    }
    for name, (data, expected) in cases.items():
        (tmp_path / name).write_bytes(data)
        assert file_format(str(tmp_path / name)) == expected, name
    assert file_format(str(tmp_path / "i.ICO"), ("ico",)) == FileFormat("ico", True)


def test_avif_counts_as_not_read_where_pillow_lacks_it(tmp_path, monkeypatch):
    data = saved("AVIF")
    for name in ("a.avif", "nameless"):
        (tmp_path / name).write_bytes(data)
        assert file_format(str(tmp_path / name)) == FileFormat("avif", True)
    monkeypatch.setitem(formats.NEEDS, "avif", lambda: False)
    for name in ("a.avif", "nameless"):
        assert file_format(str(tmp_path / name)) == FileFormat("avif", False)
    with pytest.raises(BadImage, match="avif files are not read by the Pillow"):
        decode(data)
