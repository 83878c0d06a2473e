"""Bytes to image and image to bytes. Nothing here touches a path.

**Reading.** The format is told by the content, never by the name: PNG, JPEG, WebP, TIFF, BMP,
GIF, AVIF and ``.npy``. The header is read first, and too many pixels are refused before any is
decoded. The first frame is read. What comes out is ``(H, W)`` gray or ``(H, W, 3)`` RGB:

- 16 bits stay 16 bits, float TIFF stays float;
- 1-bit becomes 0 and 255, a palette its colors, CMYK, YCbCr and Lab become RGB;
- transparency is laid over white;
- EXIF orientation is applied, once, in every format; metadata is not carried further;
- TIFF and ``.npy`` of another number of channels come as they are, ``(H, W, C)``.

A file that ends early or whose checksum is wrong is an error, never an image with gray rows.

**Writing.** PNG, JPEG, WebP, TIFF and ``.npy``; the same image gives the same bytes. A result
that the format cannot hold (floats in PNG, 16 bits in JPEG) is an error that says what to do.
Booleans are written as 0 and 255. WebP has no gray: a gray image becomes equal channels.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from imgkit.image import MAX_CHANNELS, check_image
from imgkit.pillow import ORIENTATION, orientation, over_white, pixels, upright

Array = npt.NDArray[Any]

MAX_PIXELS = 178_956_970  # where Pillow itself refuses to open an image
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
WRITABLE = ("png", "jpg", "webp", "tiff", "npy")
HOLD_FLOATS = ("tiff", "npy")
LONGEST = {"jpg": 65500, "webp": 16383}  # pixels on a side, of libjpeg and of the WebP format
PILLOW_NAMES = {"jpg": "JPEG"}  # the others are the format's name in capitals


class BadImage(ValueError):
    """A file that cannot be read, or a result that its format cannot hold.

    `kind` is one word for machines: empty, unknown, too_large, truncated, corrupt, unsupported
    or unfit.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind

    def __reduce__(self) -> tuple[Any, ...]:
        return BadImage, (self.kind, str(self))


# --- reading ----------------------------------------------------------------------------


def sniff(data: bytes) -> str | None:
    """Name the format of a file by its first 16 bytes, or return None.

    >>> sniff(b"\\x89PNG\\r\\n\\x1a\\n")
    'png'
    """
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:8] == b"ftyp" and data[8:12] in (b"avif", b"avis", b"mif1", b"msf1"):
        return "avif"
    starts = {
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
    return next((name for start, name in starts.items() if data.startswith(start)), None)


def decode(data: bytes, max_pixels: int = MAX_PIXELS) -> Array:
    """Return the image in a file's bytes, upright, as gray ``(H, W)`` or RGB ``(H, W, 3)``.

    Args:
        data: the whole file.
        max_pixels: larger images are refused before they are decoded.

    Raises:
        BadImage: with the reason and its kind.
    """
    kind = sniff(data)
    if not data:
        raise BadImage("empty", "the file is empty")
    if kind is None:
        raise BadImage("unknown", f"no image format starts with {data[:8]!r}")
    if kind == "png":
        _check_png(data)
    if kind == "webp" and len(data) < 8 + int.from_bytes(data[4:8], "little"):
        raise BadImage("truncated", "the webp file ends early")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # our own limits and errors stand in for theirs
            if kind == "npy":
                return _decode_npy(data, max_pixels)
            return _decode_picture(data, kind, max_pixels)
    except BadImage:
        raise
    except Exception as error:  # decoders raise more than eight types on damaged input
        raise _bad(kind, error) from error


def _bad(kind: str, error: Exception) -> BadImage:
    """Turn a decoder's own error into ours."""
    text = str(error) or type(error).__name__
    if type(error).__name__ == "DecompressionBombError":
        return BadImage("too_large", text)
    ended = any(word in text.lower() for word in ("truncated", "eof", "end of file"))
    if isinstance(error, EOFError) or ended:
        return BadImage("truncated", f"the {kind} file ends early: {text}")
    return BadImage("corrupt", f"the {kind} file is damaged: {text}".replace(_address(text), ""))


def _address(text: str) -> str:
    """The part of Pillow's message that differs from run to run."""
    start = text.find(" <_io.BytesIO")
    return text[start:] if start >= 0 else "\0"


def _check_pixels(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise BadImage(
            "too_large",
            f"{width} x {height} is {width * height} pixels: the limit is {max_pixels}",
        )


def _check_png(data: bytes) -> None:
    """Walk the chunks: lengths, and checksums of those that matter (their names begin large)."""
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


def _decode_picture(data: bytes, kind: str, max_pixels: int) -> Array:
    from PIL import Image, UnidentifiedImageError

    try:
        opened = Image.open(io.BytesIO(data), formats=[PILLOW_NAMES.get(kind, kind.upper())])
    except UnidentifiedImageError:
        if kind != "tiff":
            raise
        return _decode_tiff(data, max_pixels)  # Pillow has no mode for 16-bit or float RGB
    with opened as picture:
        _check_pixels(picture.width, picture.height, max_pixels)
        if kind == "png" and data[24] == 16:
            return upright(_decode_deep(data), orientation(picture))
        if kind == "tiff" and not _is_shallow(picture):
            return _decode_tiff(data, max_pixels)
        picture.load()
        try:
            image = pixels(picture)
        except ValueError as error:
            raise BadImage("unsupported", str(error)) from None
        return upright(image, orientation(picture))


def _decode_deep(data: bytes) -> Array:
    """Decode 16-bit PNG, which Pillow would squeeze to 8 bits."""
    import cv2

    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise BadImage("corrupt", "the png file is damaged")
    if image.ndim == 2:
        return cast(Array, image)
    if image.shape[2] == 4:
        color = over_white(image[..., 2::-1], image[..., 3:])
        gray = data[25] == 4  # gray with alpha comes back as color
        return np.ascontiguousarray(color[..., 0]) if gray else color
    return np.ascontiguousarray(image[..., ::-1])


def _is_shallow(picture: Any) -> bool:
    """Whether Pillow keeps every bit of this TIFF: up to 8 bits, or one channel.

    Extra channels of no stated meaning (tag 338 is 0) are data, which Pillow takes for alpha.
    """
    bits = picture.tag_v2.get(258, (1,))
    if 0 in picture.tag_v2.get(338, ()):
        return False
    return max(bits) <= 8 or (len(bits) == 1 and max(bits) <= 32)


def _decode_tiff(data: bytes, max_pixels: int) -> Array:
    """Decode what Pillow has no mode for: 16-bit and float color, float64, many channels."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        if not file.pages:
            raise BadImage("truncated", "the tiff file ends early: it has no page")
        page = cast(Any, file.pages[0])
        _check_pixels(page.imagewidth, page.imagelength * page.imagedepth, max_pixels)
        if page.samplesperpixel > MAX_CHANNELS:
            raise BadImage("unsupported", f"{page.samplesperpixel} channels: at most 512")
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
    """Pixels as (H, W) or (H, W, C); compressed ones that tifffile cannot unpack by OpenCV."""
    import cv2

    try:
        image = page.asarray()
    except (ValueError, ImportError) as error:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if image is None:
            raise error from None
        return cast(Array, image if image.ndim == 2 else image[..., [2, 1, 0, 3][: image.shape[2]]])
    planar = image.ndim == 3 and page.planarconfig == 2
    return cast(Array, np.moveaxis(image, 0, -1) if planar else image)


def _decode_npy(data: bytes, max_pixels: int) -> Array:
    from numpy.lib import format as npy

    file = io.BytesIO(data)
    version = npy.read_magic(file)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise BadImage("unsupported", f"npy version {version}: versions 1.0 and 2.0 are read")
    shape = readers[version](file)[0]
    if len(shape) not in (2, 3):
        raise BadImage("unsupported", f"an array of shape {shape}: one image is (H, W[, C])")
    _check_pixels(shape[1], shape[0], max_pixels)
    array = np.load(io.BytesIO(data), allow_pickle=False)
    try:
        return check_image(array, "array")
    except (TypeError, ValueError) as error:  # an array that is no image
        raise BadImage("unsupported", str(error)) from None


# --- writing ----------------------------------------------------------------------------


def scaled(image: Array, scale: str | tuple[float, float]) -> Array:
    """Map a range of values to 0..255, clipped and rounded half to even, as uint8.

    Args:
        image: any shape and dtype; values that are not finite count as the low end.
        scale: (low, high), or "auto" for the lowest and highest value of this image.
    """
    values = np.asarray(image, np.float64)
    finite = np.isfinite(values)
    low, high = _value_range(values, finite) if isinstance(scale, str) else scale
    if high == low:
        return np.zeros(values.shape, np.uint8)
    values = np.where(finite | (values == np.inf), values, low)
    levels = (np.clip(values, min(low, high), max(low, high)) - low) * (255 / (high - low))
    return np.rint(levels).astype(np.uint8)


def _value_range(values: Array, finite: Array) -> tuple[float, float]:
    if not finite.any():
        return 0.0, 0.0
    return float(values.min(where=finite, initial=np.inf)), float(
        values.max(where=finite, initial=-np.inf)
    )


def encode(
    image: Array, kind: str, *, quality: int = 95, scale: str | tuple[float, float] | None = None
) -> bytes:
    """Return an image as the bytes of a file.

    Args:
        image: ``(H, W)`` or ``(H, W, C)``.
        kind: png, jpg, webp, tiff or npy.
        quality: 1..100, of JPEG and WebP.
        scale: if given, map this range to 0..255 first; see `scaled`.

    Raises:
        BadImage: if the format cannot hold the result; kind "unfit".
    """
    if scale is not None:
        image = scaled(image, scale)
    if image.dtype == np.bool_:
        image = image.astype(np.uint8) * np.uint8(255)
    if kind == "npy":
        file = io.BytesIO()
        np.save(file, np.ascontiguousarray(image), allow_pickle=False)
        return file.getvalue()
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    return _encode_tiff(image) if kind == "tiff" else _encode_picture(image, kind, quality)


def unfit(dtype: npt.DTypeLike, kind: str) -> str | None:
    """Say why values of a dtype cannot be written in a format, or return None."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f" and kind not in HOLD_FLOATS:
        return (
            f"the result is {dtype}, which {kind} cannot hold: add --scale auto or --scale A:B "
            "to map a range of values to 0..255, or --format tiff|npy to keep the values"
        )
    if dtype == np.uint16 and kind in ("jpg", "webp"):
        return (
            f"the result is uint16, which {kind} cannot hold: add --format png|tiff|npy "
            "to keep the values, or --scale 0:65535 to map them to 0..255"
        )
    return None


def _check_fits(image: Array, kind: str) -> None:
    why = unfit(image.dtype, kind)
    channels = image.shape[2] if image.ndim == 3 else 1
    if image.ndim not in (2, 3) or 0 in image.shape:
        why = f"the result has shape {image.shape}, which is no image: add --format npy"
    elif channels not in ((1, 3) if kind == "jpg" else (1, 3, 4)) and kind != "tiff":
        why = f"the result has {channels} channels, which {kind} cannot hold: add --format tiff|npy"
    elif max(image.shape[:2]) > LONGEST.get(kind, 1 << 31):
        why = f"the result has shape {image.shape}: {kind} ends at {LONGEST[kind]} pixels a side"
    if why:
        raise BadImage("unfit", why)


def _encode_picture(image: Array, kind: str, quality: int) -> bytes:
    import cv2

    _check_fits(image, kind)
    options = {
        "png": [],  # OpenCV's default: 5 times as fast as zlib level 6, a third larger
        "jpg": [cv2.IMWRITE_JPEG_QUALITY, quality],
        "webp": [cv2.IMWRITE_WEBP_QUALITY, quality],
    }[kind]
    if image.ndim == 3:
        image = image[..., [2, 1, 0, 3][: image.shape[2]]]
    done, data = cv2.imencode("." + kind, np.ascontiguousarray(image), options)
    if not done:
        raise BadImage("unfit", f"{kind} cannot hold an image of shape {image.shape}")
    return data.tobytes()


def _encode_tiff(image: Array) -> bytes:
    import tifffile

    _check_fits(image, "tiff")
    file = io.BytesIO()
    colors = image.ndim == 3 and image.shape[2] in (3, 4)
    tifffile.imwrite(
        file,
        np.ascontiguousarray(image),
        photometric="rgb" if colors else "minisblack",
        planarconfig="contig" if image.ndim == 3 else None,
        compression="zlib",  # level 6 takes 4 to 6 times as long for a fifth less
        compressionargs={"level": 1},
        predictor=image.dtype.kind == "u",  # a third smaller, and no slower
        metadata=None,
        software=False,
    )
    return file.getvalue()
