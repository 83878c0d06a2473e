"""Convert Pillow's images to upright gray ``(H, W)`` or RGB ``(H, W, 3)`` arrays.

16-bit pixels stay 16-bit, ``F`` becomes float32, 1-bit becomes 0 and 255, a palette its colors,
CMYK, YCbCr and Lab become RGB, transparency is laid over white, and the EXIF orientation is
applied. Masks keep their numbers: the indices of a palette, not its colors.

Pillow is looked up in `sys.modules` and never imported.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from imgkit.image import Array

ORIENTATION = 0x0112  # the EXIF tag
MASK_MODES = ("1", "L", "P", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")


def is_pillow(x: Any) -> bool:
    """Whether `x` is an image of Pillow."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(x, module.Image)


def from_pillow(picture: Any) -> Array:
    """Return an image of Pillow as an upright array.

    Raises:
        ValueError: its pixels are 32-bit integers.

    Example:
        >>> from PIL import Image
        >>> from_pillow(Image.new("P", (4, 3))).shape
        (3, 4, 3)
    """
    picture.load()
    return upright(pixels(picture), orientation(picture))


def mask_from_pillow(picture: Any) -> Array:
    """Return a mask that is an image of Pillow as an upright array of its numbers.

    Raises:
        ValueError: it has several channels.
    """
    if picture.mode not in MASK_MODES:
        raise ValueError(
            f"mask has Pillow's mode {picture.mode}: a mask has one channel, of mode "
            "P (indices), L, 1, I or F"
        )
    return upright(np.asarray(picture), orientation(picture))


def opened(value: Any, name: str = "image") -> Any:
    """Return an argument with Pillow's images, also those of a list, as arrays."""
    if is_pillow(value):
        return mask_from_pillow(value) if name in ("mask", "masks") else from_pillow(value)
    if isinstance(value, (list, tuple)) and any(is_pillow(each) for each in value):
        return [opened(each, name) for each in value]
    return value


def orientation(picture: Any) -> int:
    """Return the EXIF orientation 1..8. Call `load` first: Pillow turns TIFF and clears the tag."""
    value = picture.getexif().get(ORIENTATION, 1)
    return value if value in range(1, 9) else 1


def upright(image: Array, turned: int) -> Array:
    """Undo an EXIF orientation: 2-4 are flips and a half turn, 5-8 also swap the axes."""
    if turned >= 5:
        image = image.swapaxes(0, 1)
    if turned in (3, 4, 7, 8):
        image = image[::-1]
    if turned in (2, 3, 6, 7):
        image = image[:, ::-1]
    return np.ascontiguousarray(image)


def pixels(picture: Any) -> Array:
    """Convert any of Pillow's modes to gray or RGB, without a turn."""
    mode = picture.mode
    if mode.startswith("I;16"):
        image = np.asarray(picture).astype(np.uint16)
        clear = picture.info.get("transparency")
        return image if clear is None else np.where(image == clear, np.uint16(65535), image)
    if mode == "F":
        return np.asarray(picture, np.float32)
    if mode == "I":
        raise ValueError("32-bit integer pixels: images have 8, 16 or float")
    if mode in ("La", "RGBa"):
        stored = np.asarray(picture)
        image = premultiplied_over_white(stored[..., :-1], stored[..., -1:])
        return image[..., 0] if mode == "La" else image
    if mode in ("LA", "RGBA", "PA") or "transparency" in picture.info:
        gray = mode in ("1", "L", "LA")
        clear = np.asarray(picture.convert("RGBA"))
        image = over_white(clear[..., :3], clear[..., 3:])
        return np.ascontiguousarray(image[..., 0]) if gray else image
    kept = "L" if mode in ("1", "L") else "RGB"
    return np.asarray(picture if mode == kept else picture.convert(kept))


def over_white(image: Array, alpha: Array) -> Array:
    """Lay an image with transparency over white; integers are rounded half to even."""
    if image.dtype.kind == "f":
        return (image * alpha + (1 - alpha)).astype(image.dtype)
    top = np.float32(np.iinfo(image.dtype).max)
    share = alpha.astype(np.float64) / top
    return np.rint(image * share + top * (1 - share)).astype(image.dtype)


def premultiplied_over_white(image: Array, alpha: Array) -> Array:
    """Lay an image whose colors were multiplied by their alpha over white."""
    if image.dtype.kind == "f":
        return (image + (1 - alpha)).astype(image.dtype)
    clear = np.iinfo(image.dtype).max - alpha
    return np.minimum(image, alpha) + clear  # a color is at most its alpha: no overflow
