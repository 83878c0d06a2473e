"""Image formats that are known by name but not read, or only if they are allowed.

They are recognized by content, so that an error can name them, and a scan can count the files that
it passes over. The first 4 KB of a file are enough.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

START = 4096  # bytes of a file that `recognize` looks at
RAW = {  # of cameras: most are TIFF files whose first page is a small preview
    *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef"),
    *(".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".sr2", ".srf", ".srw"),
    ".x3f",
}
NOT_READ = {
    **dict.fromkeys((".heic", ".heif", ".hif"), "heic"),
    **dict.fromkeys((".tga", ".icb", ".vda", ".vst"), "tga"),
    **dict.fromkeys((".jxr", ".wdp", ".hdp"), "jxr"),
    **dict.fromkeys((".svg", ".svgz"), "svg"),
    **dict.fromkeys((".djvu", ".djv"), "djvu"),
    **dict.fromkeys((".dcm", ".dicom"), "dicom"),
    **{f".{name}": name for name in ("jxl", "pdf", "eps", "exr", "fits", "xcf", "pcx", "bpg")},
    **{f".{name}": name for name in ("flif", "mng", "wmf", "emf", "xpm", "xbm", "pam", "pfm")},
    ".psb": "psd",
    **{extension: extension[1:] for extension in RAW},
}  # by extension, for a file whose content is not recognized

STARTS = {
    b"icns": "icns",
    b"\0\0\0\x0cjP  \r\n\x87\n": "jp2",
    b"\xff\x4f\xff\x51": "jp2",
    b"8BPS": "psd",
    b"DDS ": "dds",
    b"qoif": "qoi",
    b"\0\0\0\x0cJXL ": "jxl",
    b"\xff\x0a": "jxl",
    b"%PDF": "pdf",
    b"%!PS": "eps",
    b"\xc5\xd0\xd3\xc6": "eps",
    b"v/1\x01": "exr",
    b"#?RADIANCE": "hdr",
    b"#?RGBE": "hdr",
    b"SIMPLE  =": "fits",
    b"gimp xcf": "xcf",
    b"II\xbc\x01": "jxr",
    b"BPG\xfb": "bpg",
    b"FLIF": "flif",
    b"AT&TFORM": "djvu",
    b"\x8aMNG\r\n\x1a\n": "mng",
    b"\xd7\xcd\xc6\x9a": "wmf",
    b"/* XPM */": "xpm",
    b"P7\n": "pam",
    b"FUJIFILMCCD-RAW": "raf",
    b"FOVb": "x3f",
    b"\0MRM": "mrw",
    b"IIU\0": "rw2",
    **dict.fromkeys((b"IIRO", b"IIRS", b"MMOR"), "orf"),
}
PLACES = {(40, b" EMF"): "emf", (128, b"DICM"): "dicom", (6, b"HEAPCCDR"): "crw"}
PATTERNS = {
    re.compile(rb"P[1-6]\s+[#\d]"): "ppm",
    re.compile(rb"P[Ff]\s+\d+\s+\d+\s+-?[\d.]"): "pfm",
    re.compile(rb"\x01\xda[\0\1][\1\2]"): "sgi",
    re.compile(rb"\x0a[\0\2-\5][\0\1][\1\2\4\x08]"): "pcx",
    re.compile(rb"(\xef\xbb\xbf)?\s*<svg[\s>/]"): "svg",
    re.compile(rb"(\xef\xbb\xbf)?\s*(<\?xml|<!DOCTYPE svg|<!--)[^\0]*?<svg[\s>/]"): "svg",
}
BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1"), "heic"),
    **dict.fromkeys((b"hevm", b"hevs", b"msf1"), "heic"),
    b"crx ": "cr3",
}  # of ISO media files
SUBFILE, PHOTOMETRIC, SUB_IFDS, DNG_VERSION = 254, 262, 330, 50706  # tags of TIFF
SENSOR = (32803, 34892)  # photometric interpretations: a color filter array, and linear raw data


def recognize(data: bytes) -> str | None:
    """Return the format of a file that is not a trusted one, or None.

    >>> recognize(b"8BPS" + bytes(60)), recognize(b"<?xml version='1.0'?><annotation>")
    ('psd', None)
    """
    if data[4:8] == b"ftyp":
        return next((BRANDS[brand] for brand in brands(data) if brand in BRANDS), None)
    for test in (_start, _place, _pattern, raw_format, _icon, _targa):
        found = test(data)
        if found is not None:
            return found
    return None


def brands(data: bytes) -> list[bytes]:
    """Return the brands of an ISO media file: the major one and those it is compatible with."""
    end = min(int.from_bytes(data[:4], "big"), len(data), 256)
    return [data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))]


def _start(data: bytes) -> str | None:
    return next((name for start, name in STARTS.items() if data.startswith(start)), None)


def _place(data: bytes) -> str | None:
    return next((name for (at, mark), name in PLACES.items() if data.startswith(mark, at)), None)


def _pattern(data: bytes) -> str | None:
    start = data[:START]
    return next((name for pattern, name in PATTERNS.items() if pattern.match(start)), None)


def _icon(data: bytes) -> str | None:
    """An icon or a cursor: a count of pictures, and a first entry with a reserved byte.

    A TGA file can start with the same four bytes; its next ones are 0.
    """
    if data[:2] != b"\0\0" or data[2:4] not in (b"\1\0", b"\2\0"):
        return None
    if data[4:6] == b"\0\0" or data[9:10] not in (b"\0", b"\xff"):
        return None
    return "ico" if data[2] == 1 else "cur"


def _targa(data: bytes) -> str | None:
    """A TGA file: the second version has a footer, the first no mark, only a header of sense."""
    if data.endswith(b"TRUEVISION-XFILE.\0"):
        return "tga"
    if len(data) < 18:
        return None
    _id, has_map, kind, _first, entries, entry_bits, _x, _y, width, height, bits, flags = (
        struct.unpack_from("<BBBHHBHHHHBB", data)
    )
    mapped = kind in (1, 9)
    if kind not in (1, 2, 3, 9, 10, 11) or has_map != mapped or not width or not height:
        return None
    if mapped != (entry_bits in (15, 16, 24, 32)) or mapped != bool(entries):
        return None
    allowed = (8, 16) if kind in (1, 3, 9, 11) else (15, 16, 24, 32)
    return "tga" if bits in allowed and flags & 15 in (0, 1, 8) and flags < 64 else None


# --- raw files of cameras ---------------------------------------------------------------


def raw_format(data: bytes) -> str | None:
    """Return the name of a camera's raw format that is a TIFF file, or None.

    Read as TIFF such a file would give its preview for the photograph. It is told by its first
    page: that holds sensor data, or is a reduced copy of a page in another directory.
    """
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return None
    # the pixels of any other file may start at 8 with these letters
    if data[8:10] == b"CR" and data[4:8] == b"\x10\0\0\0":
        return "cr2"
    tags = _first_tags(data)
    sensor = tags.get(PHOTOMETRIC) in SENSOR
    if not sensor and not (tags.get(SUBFILE, 0) & 1 and SUB_IFDS in tags):
        return None
    return "dng" if DNG_VERSION in tags else "raw"


def _first_tags(data: bytes) -> dict[int, int]:
    """Return the tags of the first page, as far as they are there, with single values."""
    order = "<" if data[:2] == b"II" else ">"
    tags: dict[int, int] = {}
    try:
        (at,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, at)
        for entry in range(at + 2, at + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(order + "HH", data, entry)
            (tags[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + 8)
    except struct.error:  # beyond the part that was read
        pass
    return tags


# --- formats that depend on how a library was built -------------------------------------


def _pillow_reads_avif() -> bool:
    from PIL import features

    return bool(features.check("avif"))


NEEDS: dict[str, Callable[[], bool]] = {"avif": _pillow_reads_avif}


def is_supported(kind: str) -> bool:
    """Whether the libraries that are installed read a trusted format."""
    return kind not in NEEDS or NEEDS[kind]()
