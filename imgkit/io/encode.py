"""Image to bytes: PNG, JPEG, WebP, TIFF and ``.npy``; the same image gives the same bytes.

An image that the format cannot hold (floats in PNG, 16 bits in JPEG) is an error that says what to
do, in the words of the caller (`Wording`). Booleans are written as 0 and 255. WebP has no gray: a
gray image becomes equal channels.
"""

from __future__ import annotations

import io
import os
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit.checks import suggest
from imgkit.io.files import printable_path
from imgkit.io.header import EXTENSIONS, BadImage

Array = npt.NDArray[Any]

WRITABLE = ("png", "jpg", "webp", "tiff", "npy")
HOLD_FLOATS = ("tiff", "npy")
LONGEST = {"jpg": 65500, "webp": 16383}  # pixels on a side, of libjpeg and of the WebP format


class Wording(NamedTuple):
    """How an error names the image, and what it advises if the format cannot hold that image."""

    subject: str
    floats: str
    uint16: str
    channels: str
    shape: str


PYTHON = Wording(
    subject="image",
    floats="a .tiff or .npy file keeps the values, to_uint8(image) makes levels of 0..1",
    uint16="a .png, .tiff or .npy file keeps the values, to_uint8(image) makes 8-bit levels",
    channels="a .tiff or .npy file holds them",
    shape="pass (H, W) or (H, W, C)",
)


def named_format(path: str, name: str = "path") -> str:
    """Return the format that the extension of a file's name stands for.

    Raises:
        ValueError: the extension is not that of a format that is written.
    """
    extension = os.path.splitext(path)[1].lower()
    kind = EXTENSIONS.get(extension)
    if kind not in WRITABLE:
        known = [ending for ending, format in EXTENSIONS.items() if format in WRITABLE]
        raise ValueError(
            f"{name} {printable_path(path)} ends in {extension!r}: {suggest(extension, known)}"
        )
    return kind


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
    image: Array,
    kind: str,
    *,
    quality: int = 95,
    scale: str | tuple[float, float] | None = None,
    wording: Wording = PYTHON,
) -> bytes:
    """Return an image as the bytes of a file.

    Args:
        image: ``(H, W)`` or ``(H, W, C)``.
        kind: png, jpg, webp, tiff or npy.
        quality: 1..100, of JPEG and WebP.
        scale: if given, map this range to 0..255 first; see `scaled`.
        wording: of the error.

    Raises:
        BadImage: if the format cannot hold the image; kind "unfit".
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
    _check_fits(image, kind, wording)
    return _encode_tiff(image) if kind == "tiff" else _encode_picture(image, kind, quality)


def unfit(dtype: npt.DTypeLike, kind: str, wording: Wording = PYTHON) -> str | None:
    """Return why values of a dtype cannot be written in a format, or None if they can."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f" and kind not in HOLD_FLOATS:
        return f"{wording.subject} is {dtype}, which {kind} cannot hold: {wording.floats}"
    if dtype == np.uint16 and kind in ("jpg", "webp"):
        return f"{wording.subject} is uint16, which {kind} cannot hold: {wording.uint16}"
    return None


def _check_fits(image: Array, kind: str, wording: Wording) -> None:
    problem = unfit(image.dtype, kind, wording)
    channels = image.shape[2] if image.ndim == 3 else 1
    has_shape = f"{wording.subject} has shape {image.shape}"
    if image.ndim not in (2, 3) or 0 in image.shape:
        problem = f"{has_shape}, which is not an image: {wording.shape}"
    elif channels not in ((1, 3) if kind == "jpg" else (1, 3, 4)) and kind != "tiff":
        count = f"{wording.subject} has {channels} channels"
        problem = f"{count}, which {kind} cannot hold: {wording.channels}"
    elif max(image.shape[:2]) > LONGEST.get(kind, 1 << 31):
        problem = f"{has_shape}: {kind} holds at most {LONGEST[kind]} pixels a side"
    if problem:
        raise BadImage("unfit", problem)


def _encode_picture(image: Array, kind: str, quality: int) -> bytes:
    import cv2

    options = {
        "png": [
            *(cv2.IMWRITE_PNG_COMPRESSION, 1),  # 5 times as fast as level 6, a third larger
            *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
            *(cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB),
        ],
        "jpg": [
            *(cv2.IMWRITE_JPEG_QUALITY, quality),
            *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
            *(cv2.IMWRITE_JPEG_PROGRESSIVE, 0, cv2.IMWRITE_JPEG_OPTIMIZE, 0),
        ],
        "webp": [cv2.IMWRITE_WEBP_QUALITY, quality],
    }[kind]
    image = np.ascontiguousarray(image)
    if image.ndim == 3:  # a tenth of the time that reordering by an index takes
        image = cv2.cvtColor(
            image, cv2.COLOR_RGB2BGR if image.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
        )
    done, data = cv2.imencode("." + kind, image, options)
    if not done:
        raise BadImage("unfit", f"{kind} cannot hold an image of shape {image.shape}")
    return data.tobytes()


def _encode_tiff(image: Array) -> bytes:
    import tifffile

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
