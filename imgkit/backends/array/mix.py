"""Mixing the pixels of a batch with OpenCV and NumPy; inputs are never written to."""

from __future__ import annotations

import cv2
import numpy as np

from imgkit.backends.array import resample
from imgkit.image import Array, full_range, saturate

Box = tuple[int, int, int, int]  # left, top, right, bottom


def blend(batch: Array, partner: Array, share: Array) -> Array:
    """Return ``share * x + (1 - share) * x[partner]`` for every image of (N, ...)."""
    out = np.empty_like(batch)
    for i, (own, weight) in enumerate(zip(partner, share, strict=True)):
        if weight == 1:
            out[i] = batch[i]
        else:
            out[i] = _blend(batch[i], batch[own], float(weight))
    return out


def _blend(first: Array, second: Array, weight: float) -> Array:
    shape = first.shape
    flat = (np.ascontiguousarray(image).reshape(len(image), -1) for image in (first, second))
    if first.size == 0 or first.dtype.name not in ("uint8", "uint16", "float32", "float64"):
        return saturate(first * weight + second * (1 - weight), first.dtype)
    one, other = flat
    return cv2.addWeighted(one, weight, other, 1 - weight, 0).reshape(shape)


def paste(batch: Array, partner: Array, boxes: Array) -> Array:
    """Copy each box (left, top, right, bottom) from the partner, at the same place."""
    out = batch.copy()
    for i, (left, top, right, bottom) in enumerate(boxes.tolist()):
        out[i, top:bottom, left:right] = batch[partner[i], top:bottom, left:right]
    return out


def assemble(
    images: list[Array], tiles: list[Box], windows: list[Box], size: tuple[int, int], nearest: bool
) -> Array:
    """Fill each tile of a new image with a window of one image, resized.

    Args:
        images: (H, W, C) each, or (H, W) for masks.
        tiles: left, top, right, bottom on the new image.
        windows: left, top, right, bottom on each image.
        size: height and width of the new image.
        nearest: repeat pixels (masks) rather than average them.
    """
    out = np.zeros((*size, *images[0].shape[2:]), images[0].dtype)
    for image, tile, window in zip(images, tiles, windows, strict=True):
        left, top, right, bottom = tile
        if right > left and bottom > top:
            pixels = image[window[1] : window[3], window[0] : window[2]]
            out[top:bottom, left:right] = _resize(pixels, (bottom - top, right - left), nearest)
    return out


def _resize(image: Array, size: tuple[int, int], nearest: bool) -> Array:
    if image.shape[:2] == size:
        return image
    if nearest:
        rows, columns = (_nearest(n, m) for n, m in zip(image.shape[:2], size, strict=True))
        return np.asarray(image[rows][:, columns])
    resized = resample.resize(np.ascontiguousarray(image)[None], size, "bilinear", True)[0]
    if resized.dtype.kind == "f":
        np.clip(resized, 0, full_range(resized.dtype), out=resized)
    return np.asarray(resized)


def _nearest(n: int, m: int) -> Array:
    """Return which of n pixels each of m shows."""
    return np.minimum((np.arange(m) + 0.5) * n / m, n - 1).astype(np.int64)


def stack(images: list[Array]) -> Array:
    """Return images as one batch."""
    return np.stack(images)


def empty(images: Array, size: tuple[int, int]) -> Array:
    """Return a batch of no images (or masks) of another size."""
    return np.zeros((0, *size, *images.shape[3:]), images.dtype)


def class_numbers(values: Array) -> Array:
    """Return class numbers as they are: NumPy compares and counts integers of every type."""
    return values


def one_hot(values: Array, classes: int, ignore: int | None) -> Array:
    """Return weights (..., C) float32 of class numbers (...); 0 for the ignored."""
    weights = (values[..., None] == np.arange(classes)).astype(np.float32)
    if ignore is not None:
        weights *= (values != ignore)[..., None]
    return weights
