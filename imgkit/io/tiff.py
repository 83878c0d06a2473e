"""Decode the TIFF files that Pillow has no mode for: 16-bit and float color, many channels."""

from __future__ import annotations

import io
import zlib
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from imgkit.image import MAX_CHANNELS
from imgkit.io.header import BadImage, check_pixels
from imgkit.pillow import ORIENTATION, over_white, upright

Array = npt.NDArray[Any]
PLAIN = 1  # compressions that tifffile reads without another library
DEFLATE = (8, 32946)


def is_shallow(picture: Any) -> bool:
    """Whether Pillow keeps every bit of this TIFF: up to 8 bits, or one channel.

    Extra channels without a meaning (tag 338 is 0) are data; Pillow reads them as alpha.
    """
    bits = picture.tag_v2.get(258, (1,))
    if 0 in picture.tag_v2.get(338, ()):
        return False
    return max(bits) <= 8 or (picture.tag_v2.get(277, 1) == 1 and max(bits) <= 32)


def decode_tiff(data: bytes, max_pixels: int) -> Array:
    """Return the first page, upright, as (H, W) or (H, W, C).

    Raises:
        BadImage: also other errors of tifffile on damaged files.
    """
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        if not file.pages:
            raise BadImage("truncated", "the tiff file ends early: it has no page")
        page = cast(Any, file.pages[0])
        channels = page.samplesperpixel
        if channels > MAX_CHANNELS:
            raise BadImage("unsupported", f"{channels} channels: at most {MAX_CHANNELS}")
        check_pixels(page.imagewidth, page.imagelength * page.imagedepth, max_pixels, channels)
        image = _tiff_pixels(data, page)
        tag = page.tags.get(ORIENTATION)
        alpha = bool(page.extrasamples) and page.extrasamples[-1] in (1, 2)
    if image.dtype.name not in ("uint8", "uint16", "float32", "float64"):
        raise BadImage("unsupported", f"{image.dtype} pixels: images have 8, 16 or float")
    if alpha and image.dtype.kind == "u" and image.shape[-1] in (2, 4):
        image = over_white(image[..., :-1], image[..., -1:])
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    return upright(image, int(tag.value) if tag is not None else 1)


def _tiff_pixels(data: bytes, page: Any) -> Array:
    """Pixels as (H, W) or (H, W, C), by tifffile where it needs no other library, or OpenCV."""
    import cv2

    known = page.compression in (PLAIN, *DEFLATE)
    _check_tiff(data, page)
    try:
        if not known:
            raise ValueError(f"compression {page.compression} of {page.dtype} pixels is not read")
        image = page.asarray()
    except (ValueError, ImportError) as error:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if image is None:
            raise BadImage("corrupt" if known else "unsupported", str(error)) from None
        return cast(Array, image if image.ndim == 2 else image[..., [2, 1, 0, 3][: image.shape[2]]])
    planar = image.ndim == 3 and page.planarconfig == 2
    return cast(Array, np.moveaxis(image, 0, -1) if planar else image)


def _check_tiff(data: bytes, page: Any) -> None:
    """Raise if segments of a page are missing, or unpack to far more bytes than its pixels."""
    room = 2 * page.size * page.dtype.itemsize + (1 << 20) if page.dtype is not None else 1 << 20
    for start, length in zip(page.dataoffsets, page.databytecounts, strict=False):
        if start + length > len(data):
            raise BadImage("truncated", "the tiff file ends early: a strip is missing")
        if page.compression in DEFLATE and length * 1032 > room:  # deflate cannot pack tighter
            room -= _unpacked(data[start : start + length], room)
        if room < 0:
            raise BadImage("too_large", "the tiff file unpacks to more than its pixels")


def _unpacked(packed: bytes, limit: int) -> int:
    """Count the bytes of a deflate stream, up to just over a limit, without keeping them."""
    stream, count = zlib.decompressobj(), 0
    while packed and count <= limit:
        count += len(stream.decompress(packed, 1 << 20))
        packed = stream.unconsumed_tail
    return count
