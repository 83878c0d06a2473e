"""Where the strips and tiles of a TIFF page lie, before tifffile reads them.

Writers get the byte counts of plain strips wrong (0, or more than there is), though the size of a
plain strip follows from the image: that size counts here. Compressed ones have only their tag.
"""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from imgkit.io.header import BadImage
from imgkit.io.tiff_layout import DEFLATE, NONE, Layout, refusal


class Segment(NamedTuple):
    """A strip or tile: its place in the file. A length of 0 leaves its pixels black."""

    start: int
    length: int


def settle_segments(stream: io.BytesIO, page: Any, layout: Layout, partial: bool = False) -> None:
    """Give a page of tifffile the places of its strips or tiles, all inside the file.

    Args:
        stream: the file that the page is read from. If partial, the end of a plain strip that is
            cut off is filled with zeros.
        page: changed in place.
        layout: of the page.
        partial: leave out what lies behind the end of the file, instead of an error.

    Raises:
        BadImage: strips or tiles are missing, or unpack to far more bytes than the pixels.
    """
    size = stream.seek(0, io.SEEK_END)
    segments = [
        _inside(segment, size, layout.compression == NONE, partial)
        for segment in _stated(page, layout)
    ]
    if not any(segment.length for segment in segments):
        raise _ended()
    if layout.compression in DEFLATE:
        _check_unpacked(stream, segments, 2 * page.size * page.dtype.itemsize + (1 << 20))
    missing = max(segment.start + segment.length for segment in segments) - size
    if missing > 0:  # of a plain strip, so at most its size
        stream.seek(0, io.SEEK_END)
        stream.write(bytes(missing))
    page.dataoffsets = tuple(segment.start for segment in segments)
    page.databytecounts = tuple(segment.length for segment in segments)


def _ended() -> BadImage:
    return BadImage("truncated", "the tiff file ends early: a strip is missing")


def _stated(page: Any, layout: Layout) -> Iterator[Segment]:
    """Yield the segments by the tags; the lengths of plain ones by the size of the image."""
    starts, lengths = page.dataoffsets, page.databytecounts
    plain = layout.compression == NONE
    for index, room in enumerate(_plain_sizes(page, layout)):
        if index >= len(starts) or (index >= len(lengths) and not plain):
            raise _ended()  # tags without their places say nothing of where a file was cut
        length = lengths[index] if index < len(lengths) else 0
        if starts[index] == 0 or (length == 0 and not plain):
            raise refusal("strips or tiles that are left out")
        # a shorter strip than its rows need stays short: what follows may be another strip
        yield Segment(starts[index], min(length or room, room) if plain else length)


def _plain_sizes(page: Any, layout: Layout) -> Iterator[int]:
    """Yield the bytes that each strip or tile has without a compression."""
    tiled = page.is_tiled
    width, height = page.imagewidth, page.imagelength
    rows = page.tilelength if tiled else min(page.rowsperstrip or height, height)
    samples = (page.tilewidth if tiled else width) * (1 if layout.planar else layout.channels)
    row_bytes = (samples * layout.bits + 7) // 8
    down = -(-height // rows)
    for index in range(math.prod(page.chunked)):
        yield row_bytes * (rows if tiled else min(rows, height - index % down * rows))


def _inside(segment: Segment, size: int, plain: bool, partial: bool) -> Segment:
    """Return a segment that lies in a file of this size, or, if partial, begins in it."""
    start, length = segment
    if start + length <= size:
        return segment
    if not partial:
        raise _ended()
    return segment if plain and start < size else Segment(0, 0)


def _check_unpacked(stream: io.BytesIO, segments: list[Segment], room: int) -> None:
    """Raise if deflate streams unpack to more than so many bytes."""
    for start, length in segments:
        if length * 1032 > room:  # it cannot pack tighter
            stream.seek(start)
            room -= _unpacked(stream.read(length), room)
        if room < 0:
            raise BadImage("too_large", "the tiff file unpacks to more than its pixels")


def _unpacked(packed: bytes, limit: int) -> int:
    """Count the bytes of a deflate stream, up to just over a limit, without keeping them."""
    stream, count = zlib.decompressobj(), 0
    while packed and count <= limit:
        count += len(stream.decompress(packed, 1 << 20))
        packed = stream.unconsumed_tail
    return count
