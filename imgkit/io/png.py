"""Decode PNG with libpng: all bits, exact transparency, and an error where rows are missing.

Pillow narrows 16 bits to 8, compares a transparent gray of 2 or 4 bits with pixels that it has
scaled, and leaves rows black if the compressed data ends early without damage. Of an animation the
still picture is read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy.typing as npt

from imgkit.io.header import BadImage
from imgkit.pillow import ORIENTATION, orientation, over_white

Array = npt.NDArray[Any]
SIDE = 1_000_000  # libpng refuses longer ones
DEFLATE, LARGEST = 8, b"\x78\x01"  # method, and the header of a stream with a window of 32 KB
CLEAR = {0: 2, 2: 6}  # bytes of a transparent color, by color type
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
         (0, 1, 1, 2))  # of each pass: first column and row, steps  # fmt: skip
METADATA = (b"eXIf", b"iTXt", b"tEXt", b"zTXt")


def is_for_libpng(data: bytes, partial: bool) -> bool:
    """Whether `decode_png` reads a file: not a palette, and an incomplete one only if 16-bit.

    Raises:
        BadImage: it has a side that libpng refuses, and rows are missing or Pillow is not exact.
    """
    width, height, depth, color = struct.unpack_from(">IIBB", data, 16)
    if max(width, height) <= SIDE:
        return depth == 16 or (color != 3 and not partial)
    if depth == 16 or (depth < 8 and color == 0 and data.find(b"tRNS", 0, data.find(b"IDAT")) >= 0):
        raise BadImage(
            "unsupported",
            f"not supported: {width} x {height} pixels in a png of {depth} bits"
            f"{'' if depth == 16 else ' with a transparent color'}: sides are at most {SIDE}",
        )
    if not partial:
        _check_complete(data)
    return False


def decode_png(data: bytes) -> Array:
    """Return the pixels as stored, transparency laid over white."""
    import imagecodecs

    image: Array = imagecodecs.png_decode(_pixel_chunks(data))
    if image.ndim == 3 and image.shape[2] in (2, 4):
        image = over_white(image[..., :-1], image[..., -1:])
    return image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image


def png_orientation(data: bytes, picture: Any) -> int:
    """Return the orientation of a PNG that Pillow opened, without decoding it if that can be."""
    from PIL import Image

    pixels = data.find(b"IDAT")
    if any(data.find(name, pixels) >= 0 for name in METADATA):
        return orientation(picture)  # Pillow decodes the pixels to reach what lies behind them
    value = Image.Image.getexif(picture).get(ORIENTATION, 1)
    return value if value in range(1, 9) else 1


def _pixel_chunks(data: bytes) -> bytes:
    """Return the file with the chunks that determine pixels alone: libpng warns about others."""
    header, transparent = b"", b""
    packed: list[bytes] = []
    for kind, body in _chunks(data):
        if kind == b"IHDR" and not header:
            header = body
        elif kind == b"tRNS" and not (transparent or packed):
            transparent = body if len(body) == CLEAR.get(header[9]) else b""
        elif kind == b"IDAT":
            packed.append(body)
        elif kind == b"IEND":
            break
    chunks = [_chunk(b"IHDR", header)]
    if transparent:
        chunks.append(_chunk(b"tRNS", transparent))
    chunks += [_chunk(b"IDAT", body) for body in _with_largest_window(packed)]
    return b"".join([data[:8], *chunks, _chunk(b"IEND", b"")])


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + 8 + length]
        at += 12 + length


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(body, zlib.crc32(kind))
    return b"".join([struct.pack(">I", len(body)), kind, body, struct.pack(">I", checksum)])


def _with_largest_window(packed: list[bytes]) -> list[bytes]:
    """Return the compressed data with a header that states the largest window.

    Some writers state a smaller one than they use. libpng believes it, and calls the data damaged.
    """
    start = b"".join(packed[:3])[:2] if packed else b""
    if len(start) < 2 or start[0] & 15 != DEFLATE or int.from_bytes(start, "big") % 31:
        return packed  # no header of zlib: libpng says what is wrong
    if start[0] == LARGEST[0]:
        return packed
    return [LARGEST + b"".join(packed)[2:]]


def _check_complete(data: bytes) -> None:
    """Raise if a file has fewer rows than its header says, which Pillow would leave black."""
    width, height, depth, color, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    bits = depth * CHANNELS[color]
    parts = ADAM7 if interlaced else ((0, 0, 1, 1),)
    sides = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in parts]
    needed = sum(h * (1 + (w * bits + 7) // 8) for w, h in sides if w > 0 and h > 0)
    stream, found = zlib.decompressobj(), 0
    packed = b"".join(body for kind, body in _chunks(data) if kind == b"IDAT")
    while packed and found < needed:
        found += len(stream.decompress(packed, 1 << 20))
        packed = stream.unconsumed_tail
    if found < needed:
        raise BadImage("truncated", "the png file ends early: rows are missing")
