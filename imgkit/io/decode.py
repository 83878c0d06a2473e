"""Bytes to image. Nothing here opens a path.

The content determines the format, the name does not: PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF and
``.npy``; a few others only if they are allowed by name. The header is read first, and too many
pixels, frames or scans are refused before any is decoded. The first frame is read. The result is
``(H, W)`` gray or ``(H, W, 3)`` RGB:

- 16 bits stay 16 bits, float TIFF stays float; other depths fill 8 or 16 bits;
- 1-bit becomes 0 and 255, a palette its colors, CMYK, YCbCr and Lab become RGB;
- transparency is laid over white;
- EXIF orientation is applied, once, in every format; other metadata is dropped;
- extra samples of TIFF that are not alpha stay as channels, ``(H, W, C)``, and so do those of
  ``.npy``.

A feature that is not read is refused by its name (`imgkit.io.features`, `imgkit.io.tiff`), before
a decoder could call the file damaged. ``docs/reading.md`` has all rules.

A file that ends early or has a wrong checksum is an error, never an image with gray rows. Damage
inside the data of a JPEG is not detected: the format has no checksum.
"""

from __future__ import annotations

import contextlib
import io
import threading
import warnings
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit.image import MAX_CHANNELS, check_image
from imgkit.io import features, netpbm
from imgkit.io.formats import is_supported, recognize
from imgkit.io.header import (
    ALLOWABLE,
    BadImage,
    check_pixels,
    check_whole,
    count_frames,
    sniff,
    webp_size,
)
from imgkit.io.png import decode_png, is_for_libpng, png_orientation
from imgkit.io.tiff import decode_tiff
from imgkit.pillow import orientation, pixels, upright

Array = npt.NDArray[Any]

MAX_PIXELS = 178_956_970  # Pillow itself refuses larger images
MAX_FRAMES = 1000
MAX_SCANS = 500  # of a JPEG; each costs a pass over all pixels, and cameras write ten
SCALES = (8, 4, 2)  # divisors of the size that a JPEG can be decoded at
ENDED = ("truncated", "eof", "end of file", "not enough image data")  # words of decoders' errors
PILLOW_NAMES = {"jpg": "JPEG"} | ALLOWABLE  # the others are the format's name in capitals


class Decoded(NamedTuple):
    """An image, the format and number of frames of its file, and notes about the file."""

    image: Array
    kind: str
    frames: int = 1
    notes: tuple[str, ...] = ()
    partial: bool = False  # the file ends early


class Limits(NamedTuple):
    """Limits on files, checked before they are decoded: see `decode`."""

    max_pixels: int = MAX_PIXELS
    max_frames: int = MAX_FRAMES
    allow: Collection[str] = ()
    allow_truncated: bool = False


STRICT = Limits()


def decode(
    data: bytes,
    max_pixels: int = MAX_PIXELS,
    *,
    max_frames: int = MAX_FRAMES,
    allow: Collection[str] = (),
    allow_truncated: bool = False,
    shrink_to: tuple[int, int] | None = None,
) -> Array:
    """Return the image in a file's bytes, upright, as gray ``(H, W)`` or RGB ``(H, W, 3)``.

    Each note about the file is a `UserWarning`.

    Args:
        data: the whole file.
        max_pixels: larger images are refused before they are decoded.
        max_frames: animations of more frames, and TIFF files of more pages, are refused.
        allow: names of formats to read in addition to the trusted ones, of `header.ALLOWABLE`.
        allow_truncated: read a file that ends early up to its end. The missing pixels are gray or
            black; a file without any readable pixels is still an error.
        shrink_to: (height, width) that the upright image will be resized to, antialiased, as the
            first step. A JPEG is then decoded smaller by `decode_scale`; other formats ignore
            this.

    Raises:
        BadImage: with the reason and its kind.
    """
    decoded = decode_details(
        data, Limits(max_pixels, max_frames, allow, allow_truncated), shrink_to
    )
    for note in decoded.notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    return decoded.image


def decode_scale(size: tuple[int, int], target: tuple[int, int]) -> int:
    """Return the divisor of the size that a JPEG may be decoded at: 1, 2, 4 or 8.

    The decoder leaves out frequencies, in a fraction of the time. At least twice the target is
    kept in both directions for the antialiased resize that follows, and the divisor must divide
    the size, as positions would shift otherwise: photographs then stay within 2 levels, on
    average, of the full decode.

    Args:
        size: (height, width) of the file's image.
        target: (height, width) that it will be resized to.

    >>> decode_scale((3024, 4032), (480, 640)), decode_scale((3024, 4032), (1600, 2000))
    (2, 1)
    """
    sides = tuple(zip(size, target, strict=True))
    return next((s for s in SCALES if all(n >= 2 * s * m and n % s == 0 for n, m in sides)), 1)


def decode_details(
    data: bytes, limits: Limits = STRICT, shrink_to: tuple[int, int] | None = None
) -> Decoded:
    """Decode as `decode` does, and return the format, the number of frames and the notes too.

    Raises:
        BadImage: with the reason and its kind.
    """
    kind = _format(data, limits.allow)
    frames = count_frames(data, kind, limits.max_frames)
    if frames > limits.max_frames:
        raise BadImage("too_large", f"more than {limits.max_frames} frames")
    notes = features.notes(data, kind)
    if frames > 1:
        notes = (f"the {kind} file has {frames} frames: the first is read", *notes)
    features.check_supported(data, kind)
    try:
        check_whole(data, kind)
        return Decoded(_decode(data, kind, limits.max_pixels, shrink_to), kind, frames, notes)
    except BadImage as error:
        if error.kind != "truncated" or not limits.allow_truncated:
            raise
        with _lenient():
            image = _decode(data, kind, limits.max_pixels, shrink_to, partial=True)
        note = f"{error}; it is read up to its end"
        return Decoded(image, kind, frames, (*notes, note), partial=True)


_lenience = threading.Lock()


@contextlib.contextmanager
def _lenient() -> Iterator[None]:
    """Let Pillow fill missing pixels; its switch is global, so it is restored at the end."""
    from PIL import ImageFile

    with _lenience:
        before = ImageFile.LOAD_TRUNCATED_IMAGES
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before


def _format(data: bytes, allow: Collection[str]) -> str:
    """Return the format by the content, if it may be read."""
    if not data:
        raise BadImage("empty", "the file is empty")
    kind = sniff(data)
    if kind is not None and not is_supported(kind):
        raise BadImage("unsupported", f"{kind} files are not read by the Pillow that is installed")
    if kind is not None:
        return kind
    other = recognize(data)
    if other is None:
        raise BadImage("unknown", f"no image format starts with {data[:8]!r}")
    if other not in ALLOWABLE:
        raise BadImage("unsupported", f"{other} files are not read: convert them first")
    if other not in allow:
        raise BadImage(
            "unsupported", f"{other} files are not read unless --allow-format {other} is given"
        )
    return other


def _decode(
    data: bytes,
    kind: str,
    max_pixels: int,
    shrink_to: tuple[int, int] | None,
    partial: bool = False,
) -> Array:
    """Decode; turn every error of a decoder into `BadImage`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # our own limits and errors replace theirs
            if kind == "npy":
                return _decode_npy(data, max_pixels)
            return _decode_picture(data, kind, max_pixels, shrink_to, partial)
    except BadImage:
        raise
    except Exception as error:  # decoders raise more than eight types on damaged input
        raise _bad(data, kind, error) from error


def _bad(data: bytes, kind: str, error: Exception) -> BadImage:
    """Turn an error of a decoder into `BadImage`."""
    text = (str(error) or type(error).__name__).partition(" <_io.BytesIO")[0]
    bomb = type(error).__name__ == "DecompressionBombError"
    if bomb or "too large" in text.lower() or "memory used" in text:
        return BadImage("too_large", text)
    if isinstance(error, MemoryError):
        return BadImage("memory", f"the {kind} file needs more memory than there is")
    if isinstance(error, (NotImplementedError, ImportError)) or text.startswith("Unsupported "):
        what = text.removeprefix("Unsupported ")
        return BadImage("unsupported", f"not supported: {what} (a {kind} file)")
    feature = features.optional_feature(data, kind)
    if feature and "broken data stream" in text:
        return BadImage("unsupported", f"not supported by this Pillow: {feature}")
    ended = any(word in text.lower() for word in ENDED)
    if isinstance(error, EOFError) or ended:
        return BadImage("truncated", f"the {kind} file ends early: {text}")
    return BadImage("corrupt", f"the {kind} file is damaged: {text}")


def _decode_picture(
    data: bytes, kind: str, max_pixels: int, shrink_to: tuple[int, int] | None, partial: bool
) -> Array:
    from PIL import Image

    if kind == "tiff":
        return decode_tiff(data, max_pixels, partial)
    deep = netpbm.read_deep_header(data) if kind == "ppm" else None
    if deep is not None:
        return netpbm.decode_deep(data, deep, max_pixels)
    if kind == "webp":
        check_pixels(*webp_size(data), max_pixels)
    # the data of a scan contains no marker, so this counts scans, a thumbnail's included
    if kind == "jpg" and data.count(b"\xff\xda") > MAX_SCANS:
        raise BadImage("too_large", f"the jpg file has more than {MAX_SCANS} scans")
    name = PILLOW_NAMES.get(kind, kind.upper())
    with Image.open(io.BytesIO(data), formats=[name]) as picture:
        check_pixels(picture.width, picture.height, max_pixels)
        if kind == "png" and is_for_libpng(data, partial):
            return upright(decode_png(data), png_orientation(data, picture))
        if kind == "jpg" and shrink_to is not None:
            target = shrink_to if orientation(picture) < 5 else shrink_to[::-1]
            scale = decode_scale((picture.height, picture.width), target)
            picture.draft(picture.mode, (picture.width // scale, picture.height // scale))
        picture.load()
        try:
            image = pixels(picture)
        except ValueError as error:
            raise BadImage("unsupported", str(error)) from None
        return upright(image, orientation(picture))


def _decode_npy(data: bytes, max_pixels: int) -> Array:
    from numpy.lib import format as npy

    file = io.BytesIO(data)
    version = npy.read_magic(file)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise BadImage("unsupported", f"npy version {version}: versions 1.0 and 2.0 are read")
    shape, _, dtype = readers[version](file)
    if len(shape) not in (2, 3):
        raise BadImage("unsupported", f"an array of shape {shape}: one image is (H, W[, C])")
    channels = shape[2] if len(shape) == 3 else 1
    if channels > MAX_CHANNELS:
        raise BadImage("unsupported", f"{channels} channels: at most {MAX_CHANNELS}")
    check_pixels(shape[1], shape[0], max_pixels, channels)
    needed = file.tell() + shape[0] * shape[1] * channels * dtype.itemsize
    if not dtype.hasobject and needed > len(data):
        raise BadImage("truncated", f"the npy file ends early: {len(data)} bytes of {needed}")
    array = np.load(io.BytesIO(data), allow_pickle=False)
    try:
        return check_image(array, "array")
    except (TypeError, ValueError) as error:  # the array is not an image
        raise BadImage("unsupported", str(error)) from None
