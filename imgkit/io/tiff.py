"""Decode TIFF: every layout of the first page is read exactly, or refused by name.

- Min-is-black, min-is-white and RGB have 1 to 16 bits a sample, min-is-black and RGB also 16-, 32-
  and 64-bit floats. Depths other than 8 and 16 are scaled to fill 8 or 16 bits; half floats become
  float32. Signed and wider integers are refused.
- A transparency mask is gray: the region is white. A palette gives its 8-bit colors.
- CMYK of 8 or 16 bits becomes RGB: (1 - ink) (1 - black). Ink profiles are not applied.
- YCbCr and Lab of 8 bits become RGB.
- One extra sample that is alpha is laid over white; premultiplied colors are not multiplied
  again. Other extra samples are data, and min-is-black and RGB keep them as channels.
- The orientation is applied.

tifffile reads the samples. Pillow, with libtiff, reads the layouts that it has a mode for.
"""

from __future__ import annotations

import io
import logging
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from imgkit.io.header import BadImage, check_pixels
from imgkit.io.tiff_color import to_image
from imgkit.io.tiff_layout import (
    PALETTE,
    Layout,
    read_layout,
    refusal,
    suits_pillow,
)
from imgkit.io.tiff_segments import settle_segments
from imgkit.pillow import pixels, upright

Array = npt.NDArray[Any]


def decode_tiff(data: bytes, max_pixels: int, partial: bool = False) -> Array:
    """Return the first page, upright, as ``(H, W)`` or ``(H, W, C)``.

    Args:
        data: the whole file.
        max_pixels: larger images are refused before they are decoded.
        partial: read a file that ends early. Pixels that are missing stay 0 where tifffile reads
            them: of a plain strip from where it is cut, of a compressed one all.

    Raises:
        BadImage: also other errors of tifffile and Pillow on damaged files.
    """
    import tifffile

    _hide_log_lines()
    stream = io.BytesIO(data)
    with tifffile.TiffFile(stream) as file:
        if not file.pages:
            raise BadImage("truncated", "the tiff file ends early: it has no page")
        page = cast(Any, file.pages[0])
        layout = read_layout(page)
        check_pixels(page.imagewidth, page.imagelength, max_pixels, layout.channels)
        if page.is_tiled:  # a tile is decoded whole, however small the image
            check_pixels(page.tilewidth, page.tilelength, max_pixels, layout.channels)
        if suits_pillow(layout):
            return _decode_with_pillow(data)
        page.predictor = layout.predictor  # tifffile would apply one that the layout ignores
        samples = _read_samples(stream, page, layout, partial)
        color_map = page.colormap if layout.photometric == PALETTE else None
    return upright(to_image(samples, layout, color_map), layout.orientation)


def _hide_log_lines() -> None:
    """Keep tifffile's remarks about odd tags off stderr, where nobody set up logging."""
    logger = logging.getLogger("tifffile")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def _decode_with_pillow(data: bytes) -> Array:
    """Decode the first page with Pillow, which turns it upright."""
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=["TIFF"]) as picture:
        picture.load()
        return pixels(picture)


def _read_samples(stream: io.BytesIO, page: Any, layout: Layout, partial: bool) -> Array:
    """Return the samples as stored, ``(H, W, C)``."""
    if page.dtype is None:
        raise refusal(f"samples of {layout.bits} bits")
    if 0 in page.shape:
        raise BadImage("corrupt", "the tiff file is damaged: it has no pixels")
    settle_segments(stream, page, layout, partial)
    # tifffile would leave memory as it is where a segment is short: pass an array of zeros
    samples = page.asarray(out=np.zeros(page.shape, page.dtype), maxworkers=1)
    if samples.dtype == np.bool_:  # of one bit
        samples = samples.view(np.uint8)
    if layout.planar:
        return cast(Array, np.moveaxis(samples, 0, -1))
    return cast(Array, samples[..., None] if samples.ndim == 2 else samples)
