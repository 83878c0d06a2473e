"""Read the header of a file before any pixel is decoded: format, frames, size, completeness.

Everything here reads bytes, opens no path and needs no library, so that damaged files are refused
before a decoder reads them.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

from imgkit.io.formats import brands, raw_format

EXTENSIONS = {
    ".png": "png",
    ".jpg": "jpg",
    ".jpeg": "jpg",
    ".jpe": "jpg",
    ".jfif": "jpg",
    ".webp": "webp",
    ".tif": "tiff",
    ".tiff": "tiff",
    ".bmp": "bmp",
    ".gif": "gif",
    ".avif": "avif",
    ".npy": "npy",
}
OTHER_EXTENSIONS = {
    ".ico": "ico",
    ".cur": "cur",
    ".icns": "icns",
    **dict.fromkeys((".jp2", ".j2k", ".j2c", ".jpf", ".jpx"), "jp2"),
    ".psd": "psd",
    ".dds": "dds",
    ".qoi": "qoi",
    ".sgi": "sgi",
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm"), "ppm"),
}  # of formats that can be allowed
STARTS = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpg",
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"II+\0": "tiff",
    b"MM\0+": "tiff",
    b"BM": "bmp",
    b"GIF87a": "gif",
    b"GIF89a": "gif",
    b"\x93NUMPY": "npy",
}
# Formats with a plug-in of Pillow that are read if they are allowed; few users test these decoders,
# and some run other programs, so they are off by default.
ALLOWABLE = {
    "ico": "ICO",
    "cur": "CUR",
    "icns": "ICNS",
    "jp2": "JPEG2000",
    "psd": "PSD",
    "dds": "DDS",
    "qoi": "QOI",
    "sgi": "SGI",
    "ppm": "PPM",
}  # to Pillow's names
MAX_VALUES = 4  # for each pixel that is allowed: RGBA, or fewer pixels of more channels


class BadImage(ValueError):
    """A file that cannot be read, or a result that its format cannot hold.

    `kind` is one word for programs: empty, unknown, unsupported, too_large, truncated, corrupt,
    memory or unfit.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple[Any, ...]:
        return BadImage, (self.kind, str(self))


# --- the format -------------------------------------------------------------------------


def sniff(data: bytes) -> str | None:
    """Return the trusted format of a file by its start, or None.

    32 bytes are enough but for the raw files of cameras, which are TIFF by their first bytes.

    >>> sniff(b"\\x89PNG\\r\\n\\x1a\\n")
    'png'
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp":
        return "avif" if {b"avif", b"avis"} & set(brands(data)) else None
    found = next((name for start, name in STARTS.items() if data.startswith(start)), None)
    return None if found == "tiff" and raw_format(data) else found


# --- frames -----------------------------------------------------------------------------


def count_frames(data: bytes, kind: str, limit: int) -> int:
    """Count the frames of an animation or the pages of a TIFF, up to just over a limit.

    No frame is decoded. The count ends where the file is damaged.
    """
    if kind not in COUNTERS:
        return 1
    try:
        return max(1, COUNTERS[kind](data, limit))
    except (IndexError, OverflowError, struct.error):
        return 1


def _png_frames(data: bytes, limit: int) -> int:
    at = data.find(b"acTL", 8, max(8, data.find(b"IDAT")))
    return int.from_bytes(data[at + 4 : at + 8], "big") if at >= 0 else 1


def _gif_frames(data: bytes, limit: int) -> int:
    count, at = 0, 13 + _gif_colors(data[10])
    while at < len(data) and count <= limit:
        if data[at] == 0x2C:  # an image: its place, its colors, its code size, its blocks
            count += 1
            at += 11 + _gif_colors(data[at + 9])
        elif data[at] == 0x21:  # an extension
            at += 2
        else:
            break
        while at < len(data) and data[at]:
            at += 1 + data[at]
        at += 1
    return count


def _gif_colors(flags: int) -> int:
    """Bytes of a table of colors, if there is one."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _webp_frames(data: bytes, limit: int) -> int:
    if data[12:16] != b"VP8X" or not data[20] & 2:
        return 1
    count, at = 0, 12
    while at + 8 <= len(data) and count <= limit:
        count += data[at : at + 4] == b"ANMF"
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + length + length % 2
    return count


def _tiff_pages(data: bytes, limit: int) -> int:
    order = "<" if data[:2] == b"II" else ">"
    big = 43 in data[2:4]
    start, length, entry, link = (8, "Q", 20, "Q") if big else (4, "H", 12, "I")
    (at,) = struct.unpack_from(order + link, data, start)
    seen: set[int] = set()
    while at and at not in seen and len(seen) <= limit:
        (entries,) = struct.unpack_from(order + length, data, at)
        after = at + struct.calcsize(order + length) + entries * entry
        if not entries or after + struct.calcsize(order + link) > len(data):
            break
        seen.add(at)
        (at,) = struct.unpack_from(order + link, data, after)
    return len(seen)


def _avif_frames(data: bytes, limit: int) -> int:
    at = data.find(b"stsz")  # of a sequence: the sizes of its samples
    return int.from_bytes(data[at + 12 : at + 16], "big") if at >= 0 else 1


COUNTERS = {
    "png": _png_frames,
    "gif": _gif_frames,
    "webp": _webp_frames,
    "tiff": _tiff_pages,
    "avif": _avif_frames,
}


# --- size and completeness --------------------------------------------------------------


def webp_size(data: bytes) -> tuple[int, int]:
    """Return (width, height) of a WebP file; its decoder allocates before it reports them."""
    form, body = data[12:16], data[20:30]
    if form == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if form == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = int.from_bytes(body[6:8], "little"), int.from_bytes(body[8:10], "little")
    return width & 0x3FFF, height & 0x3FFF


def check_whole(data: bytes, kind: str) -> None:
    """Raise if a PNG or WebP file ends early, or a checksum of a PNG file is wrong."""
    if kind == "png":
        _check_png(data)
    if kind == "webp" and len(data) < 8 + int.from_bytes(data[4:8], "little"):
        raise BadImage("truncated", "the webp file ends early")


def _check_png(data: bytes) -> None:
    """Check the lengths of all chunks, and the checksums of critical ones (in capital letters)."""
    view, at = memoryview(data), 8
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if end > len(data):
            break
        (written,) = struct.unpack_from(">I", data, end - 4)
        if kind[:1].isupper() and zlib.crc32(view[at + 4 : end - 4]) != written:
            raise BadImage("corrupt", f"the png file is damaged: checksum of {kind!r} is wrong")
        if kind == b"IEND":
            return
        at = end
    raise BadImage("truncated", "the png file ends early: no IEND chunk")


def check_pixels(width: int, height: int, max_pixels: int, channels: int = 1) -> None:
    """Raise if an image has more pixels than a limit, or more values than that many RGBA."""
    if width * height > max_pixels:
        raise BadImage(
            "too_large",
            f"{width} x {height} is {width * height} pixels: the limit is {max_pixels}",
        )
    if width * height * channels > MAX_VALUES * max_pixels:
        raise BadImage(
            "too_large",
            f"{width} x {height} x {channels} is {width * height * channels} values: "
            f"the limit is {MAX_VALUES * max_pixels}",
        )
