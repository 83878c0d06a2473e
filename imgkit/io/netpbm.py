"""PGM and PPM of more than 8 bits, which Pillow widens to 32 bits or narrows to 8."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit.io.header import BadImage, check_pixels

Array = npt.NDArray[Any]
CHANNELS = {b"2": 1, b"3": 3, b"5": 1, b"6": 3}
GAP = rb"(?:\s|#[^\r\n]*[\r\n])+"  # comments may stand between the numbers of the header
HEADER = re.compile(
    rb"P([2356])" + GAP + rb"(\d+)" + GAP + rb"(\d+)" + GAP + rb"(\d+)(?:#[^\r\n]*)?\s"
)


COMMENT = re.compile(rb"#[^\r\n]*")  # also between the numbers of pixels, if they are text


class Header(NamedTuple):
    """The header of a PGM or PPM file."""

    text: bool  # numbers as text, not as bytes
    width: int
    height: int
    channels: int
    top: int  # the level of white
    start: int  # of the pixels


def read_deep_header(data: bytes) -> Header | None:
    """Return the header of a file of more than 8 bits; None of any other file."""
    found = HEADER.match(data[:4096])
    if found is None or int(found[4]) <= 255:
        return None
    width, height, top = (int(found[i]) for i in (2, 3, 4))
    if top > 65535:
        raise BadImage("corrupt", f"the ppm file is damaged: white is {top}, above 65535")
    return Header(found[1] in (b"2", b"3"), width, height, CHANNELS[found[1]], top, found.end())


def decode_deep(data: bytes, header: Header, max_pixels: int) -> Array:
    """Return uint16 pixels, scaled so that the file's white is 65535."""
    check_pixels(header.width, header.height, max_pixels)
    count = header.width * header.height * header.channels
    if header.text:
        text = COMMENT.sub(b" ", data[header.start :])
        levels = np.array(text.split()[:count], dtype=np.int64)
    else:
        levels = np.frombuffer(
            data, ">u2", min(count, (len(data) - header.start) // 2), header.start
        )
    if not count or levels.size < count:
        raise BadImage("truncated", "the ppm file ends early")
    if levels.max() > header.top or levels.min() < 0:
        raise BadImage("corrupt", f"the ppm file is damaged: a level is above {header.top}")
    pixels = np.rint(levels * (65535 / header.top)).astype(np.uint16)
    shape = (header.height, header.width, header.channels)
    return pixels.reshape(shape if header.channels > 1 else shape[:2])
