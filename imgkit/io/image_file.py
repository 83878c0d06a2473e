"""`read` and `write`: one image file, by the codec that folders are run with."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from imgkit.checks import check_int
from imgkit.image import check_image, is_tensor
from imgkit.io.decode import decode_details
from imgkit.io.encode import encode, named_format
from imgkit.io.files import commit, printable_path, resolve_target
from imgkit.io.header import BadImage

Array = npt.NDArray[Any]


def read(path_or_bytes: str | os.PathLike[str] | bytes) -> Array:
    """Read an image file: PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF or ``.npy``.

    The content decides the format, not the name. EXIF orientation is applied, 16 bits and floats
    are kept, other depths are scaled to fill 8 or 16 bits, a palette becomes its colors, CMYK,
    YCbCr and Lab become RGB, transparency is laid over white. Of several frames the first is
    read, with a warning. Color profiles are not applied: pixels are as stored. The rules for
    every layout are in ``docs/reading.md``.

    Args:
        path_or_bytes: a path, or the bytes of a whole file.

    Returns:
        Gray ``(H, W)`` or RGB ``(H, W, 3)``, uint8, uint16, float32 or float64; a TIFF with extra
        samples that are not alpha, or a ``.npy`` file, gives ``(H, W, C)``.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not an image, uses a feature that is not supported, is damaged,
            ends early, or has more than 178,956,970 pixels; the message names the path.

    Example:
        >>> import imgkit as ik
        >>> image = ik.read("samples/images/chelsea.png")
        >>> image.shape, image.dtype
        ((266, 400, 3), dtype('uint8'))
    """
    if isinstance(path_or_bytes, (bytes, bytearray, memoryview)):
        data, where = bytes(path_or_bytes), ""
    else:
        path = _check_path(path_or_bytes, "path_or_bytes")
        where = f"{printable_path(path)}: "
        with open(path, "rb") as file:
            data = file.read()
    try:
        decoded = decode_details(data)
    except BadImage as error:
        raise BadImage(error.kind, f"{where}{error}") from error
    for note in decoded.notes:
        warnings.warn(f"{where}{note}", UserWarning, stacklevel=2)
    return decoded.image if decoded.image.flags.writeable else decoded.image.copy()


def write(path: str | os.PathLike[str], image: Array, *, quality: int = 95) -> None:
    """Write an image to a file: PNG, JPEG, WebP, TIFF or ``.npy``, by the extension of the name.

    The file is written under a temporary name, flushed to the disk and renamed, so that `path`
    shows the old file or the whole new one. Missing folders are made. A link is followed: the
    file that it leads to is replaced or made, and the link stays. The same image gives the same
    bytes.

    Args:
        path: ends in .png, .jpg, .jpeg, .jpe, .jfif, .webp, .tif, .tiff or .npy.
        image: an array ``(H, W)`` or ``(H, W, C)``, gray, RGB or, but for JPEG, RGBA. Integers
            are levels; booleans become 0 and 255. TIFF and ``.npy`` hold floats and any number
            of channels, PNG and those two hold 16 bits.
        quality: 1..100, of JPEG and WebP.

    Raises:
        TypeError: `image` is not an array.
        ValueError: an unknown extension, an image that the format cannot hold, or a path that
            exists and is not a regular file.
        OSError: the disk is full or may not be written.

    Example:
        >>> import os, tempfile
        >>> import numpy as np
        >>> import imgkit as ik
        >>> ramp = np.tile(np.arange(256, dtype=np.uint8), (8, 1))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     ik.write(os.path.join(folder, "ramp.png"), ramp)
        ...     bool((ik.read(os.path.join(folder, "ramp.png")) == ramp).all())
        True
    """
    target = _check_path(path, "path")
    kind = named_format(target)
    checked = _check_writable(image)
    quality = check_int(quality, "quality", 1, 100)
    real = resolve_target(target)
    try:
        data = encode(checked, kind, quality=quality)
    except BadImage as error:
        raise BadImage(error.kind, f"{printable_path(target)}: {error}") from None
    commit(real, data)


def _check_path(path: Any, name: str) -> str:
    try:
        return os.fsdecode(path)
    except TypeError:
        expected = "a path or bytes" if name == "path_or_bytes" else "a path"
        raise TypeError(f"{name} is a {type(path).__qualname__}: pass {expected}") from None


def _check_writable(image: Any) -> Array:
    """Return an array that is one image, or one of booleans."""
    if is_tensor(image):
        raise TypeError(
            "image is a torch tensor: pass an array (H, W, C), which "
            "image.permute(1, 2, 0).numpy(force=True) gives of (C, H, W)"
        )
    if isinstance(image, np.ndarray) and image.dtype == np.bool_:
        check_image(image.view(np.uint8), "image")
    else:
        check_image(image, "image")
    if image.ndim == 4:
        raise ValueError(f"image has shape {image.shape}: a file holds one image, (H, W[, C])")
    return image
