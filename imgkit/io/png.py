"""Decode PNG with libpng: all bits, exact transparency, and an error where rows are missing.

Pillow narrows 16 bits to 8, compares a transparent gray of 2 or 4 bits with pixels that it has
scaled, and leaves rows black if the compressed data ends early without damage. Of an animation the
still picture is read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy.typing as npt

from imgkit.pillow import ORIENTATION, orientation, over_white

Array = npt.NDArray[Any]
METADATA = (b"eXIf", b"iTXt", b"tEXt", b"zTXt")


def is_for_libpng(data: bytes, partial: bool) -> bool:
    """Whether `decode_png` reads a file: not a palette, and an incomplete one only if 16-bit."""
    depth, color = data[24], data[25]
    return depth == 16 or (color != 3 and not partial)


def decode_png(data: bytes) -> Array:
    """Return the pixels as stored, transparency laid over white."""
    import imagecodecs

    image: Array = imagecodecs.png_decode(b"".join(_pixel_chunks(data)))
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


def _pixel_chunks(data: bytes) -> Iterator[bytes]:
    """Yield the signature and the chunks that determine pixels; libpng warns about others."""
    yield data[:8]
    at = 8
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind[:1].isupper() or kind == b"tRNS":
            yield data[at : at + 12 + length]
        at += 12 + length
