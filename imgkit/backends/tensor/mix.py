"""Mixing the pixels of a batch (N, C, H, W) on its device; inputs are never written to."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from imgkit.backends.tensor import resample
from imgkit.backends.tensor.targets import box_tensor, like
from imgkit.image import Array, full_range

Box = tuple[int, int, int, int]  # left, top, right, bottom


def blend(batch: Tensor, partner: Array, share: Array) -> Tensor:
    """Return ``share * x + (1 - share) * x[partner]`` for every image of (N, ...)."""
    exact = torch.float64 if batch.dtype == torch.float64 else torch.float32
    weight = torch.from_numpy(share).to(batch.device, exact, non_blocking=True)
    weight = weight.reshape(-1, *(1,) * (batch.ndim - 1))
    mixed = weight * batch + (1 - weight) * batch[_index(partner, batch)]
    if batch.is_floating_point():
        return mixed.to(batch.dtype)
    return mixed.round().clamp(0, full_range(batch.dtype)).to(batch.dtype)


def paste(batch: Tensor, partner: Array, boxes: Array) -> Tensor:
    """Copy each box (left, top, right, bottom) from the partner, at the same place."""
    height, width = batch.shape[-2:]
    region = torch.from_numpy(boxes).to(batch.device, non_blocking=True)
    left, top, right, bottom = region.unsqueeze(-1).unbind(1)
    rows, columns = (torch.arange(n, device=batch.device) for n in (height, width))
    inside = ((rows >= top) & (rows < bottom))[:, :, None]
    inside = inside & ((columns >= left) & (columns < right))[:, None, :]
    if batch.ndim == 4:
        inside = inside[:, None]
    return torch.where(inside, batch[_index(partner, batch)], batch)


def assemble(
    images: list[Tensor], tiles: list[Box], windows: list[Box], size: tuple[int, int], nearest: bool
) -> Tensor:
    """Fill each tile of a new image with a window of one image (..., H, W), resized."""
    out = images[0].new_zeros((*images[0].shape[:-2], *size))
    for image, (left, top, right, bottom), window in zip(images, tiles, windows, strict=True):
        if right > left and bottom > top:
            pixels = image[..., window[1] : window[3], window[0] : window[2]]
            batch = pixels.reshape(1, -1, *pixels.shape[-2:])
            wanted = (bottom - top, right - left)
            made = resample.resize(batch, wanted, "nearest" if nearest else "bilinear", not nearest)
            out[..., top:bottom, left:right] = made.reshape(*pixels.shape[:-2], *wanted)
    return out


def stack(images: list[Tensor]) -> Tensor:
    """Return images as one batch."""
    return torch.stack(images)


def empty(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Return a batch of no images (or masks) of another size."""
    return images.new_zeros((0, *images.shape[1:-2], *size))


def class_numbers(values: Tensor) -> Tensor:
    """Return class numbers as int64: torch compares and counts few types of unsigned integers."""
    return values.long()


def one_hot(values: Tensor, classes: int, ignore: int | None) -> Tensor:
    """Return weights (..., C) float32 of class numbers (...); 0 for the ignored."""
    kinds = torch.arange(classes, device=values.device)
    weights = (values[..., None] == kinds).float()
    if ignore is not None:
        weights = weights * (values != ignore)[..., None]
    return weights


def numbers(value: Any, images: Tensor) -> Any:
    """Return drawn numbers and weights as tensors on the device of the images."""
    if isinstance(value, list):
        return [numbers(each, images) for each in value]
    tensor = torch.from_numpy(np.ascontiguousarray(value))
    return tensor.to(images.device, non_blocking=True)


def rows_as(row: Any, value: Any, images: Tensor, size: tuple[int, int]) -> Any:
    """Return the rows of an image's objects as tensors like those that came in.

    Labels that no tensor holds (text, objects) stay a list.
    """
    if isinstance(row, list):
        first = next((v for v in value if isinstance(v, Tensor)), None) if len(value) else None
        return [rows_as(each, first, images, size) for each in row]
    if row.dtype.kind not in "biuf":
        return row.tolist()
    if hasattr(value, "format"):
        return box_tensor(row, value, size).to(images.device)
    tensor = numbers(row, images)
    if isinstance(value, Tensor):
        if value.is_floating_point():
            tensor = tensor.to(value.dtype)
        return like(tensor, value, size)
    return tensor


def _index(partner: Array, batch: Tensor) -> Tensor:
    return torch.from_numpy(partner).to(batch.device, non_blocking=True)
