"""The memory in which workers send batches: packed, stacked or listed.

The memory is shared with other processes, and each image is copied there as soon as it is ready,
while it is in the cache: benchmarks/loader.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import get_worker_info

from imgkit.image import Array


class Packed(NamedTuple):
    """Images of several sizes in one flat buffer, (H, W, C) after (H, W, C)."""

    flat: torch.Tensor  # every value of every image, of their dtype
    offsets: tuple[int, ...]  # start of each
    shapes: tuple[tuple[int, int, int], ...]  # (H, W, C) of each

    def images(self) -> list[torch.Tensor]:
        """Return views of the images, each (C, H, W)."""
        return [
            self.flat[start : start + h * w * c].view(h, w, c).permute(2, 0, 1)
            for start, (h, w, c) in zip(self.offsets, self.shapes, strict=True)
        ]


class Buffers:
    """The memory in which a worker sends packed batches, used in rotation.

    Allocating shared memory takes half the time of decoding. torch pins, that is copies, a batch
    before it requests as many more batches as a worker prepares ahead; so with one buffer more
    than that, no buffer is written while it is read.
    """

    def __init__(self, count: int) -> None:
        self.held: list[Any] = [None] * count
        self.turn = 0

    def next(self, size: int, dtype: np.dtype[Any]) -> torch.Tensor:
        """Return a buffer of at least `size` numbers for the next batch."""
        self.turn = (self.turn + 1) % len(self.held)
        held = self.held[self.turn]
        if get_worker_info() is None or held is None or held.dtype != torch_dtype(dtype):
            return self.larger(size, dtype)
        return held if len(held) >= size else self.larger(size, dtype)

    def larger(self, size: int, dtype: np.dtype[Any]) -> torch.Tensor:
        """Return a new buffer for this batch."""
        held = shared((size,), dtype)
        self.held[self.turn] = None if get_worker_info() is None else held
        return held


def pack(images: Iterable[Array], count: int, buffers: Buffers) -> Packed:
    """Concatenate the pixels of images (H, W, C) of one dtype."""
    starts: list[int] = []
    shapes: list[Any] = []
    end = 0
    for image in images:
        if not starts:
            flat = buffers.next(image.size * count, image.dtype)
            view = flat.numpy()
        if image.dtype != view.dtype:
            raise ValueError(
                f"images of one batch have dtypes {view.dtype} and {image.dtype}: convert them to "
                "one"
            )
        start, end = end, end + image.size
        if end > len(view):
            flat, short = buffers.larger(max(end, len(view) * 5 // 4), image.dtype), view[:start]
            view = flat.numpy()
            view[:start] = short
        view[start:end].reshape(image.shape)[...] = image
        starts.append(start)
        shapes.append(image.shape)
    return Packed(flat[:end], tuple(starts), tuple(shapes))


def stack(images: Iterable[Array], count: int) -> torch.Tensor:
    """Return images (C, H, W) of one shape as a batch."""
    for place, image in enumerate(images):
        if place == 0:
            batch = shared((count, *image.shape), image.dtype)
            view = batch.numpy()
        check_alike([view.shape[1:], image.shape])
        view[place] = image
    return batch


def listed(images: Iterable[Array], count: int) -> list[torch.Tensor]:
    """Return images (C, H, W) as a list."""
    return [torch.from_numpy(image) for image in images]


def shared(shape: tuple[int, ...], dtype: np.dtype[Any]) -> torch.Tensor:
    """Return a tensor; in a worker, in shared memory, so that sending it copies nothing."""
    kind = torch_dtype(dtype)
    if get_worker_info() is None:
        return torch.empty(shape, dtype=kind)
    storage = torch.UntypedStorage._new_shared(math.prod(shape) * dtype.itemsize)
    return torch.empty(0, dtype=kind).set_(storage).view(shape)


def torch_dtype(dtype: np.dtype[Any]) -> torch.dtype:
    """Return torch's dtype of the same name."""
    return getattr(torch, dtype.name)


def check_alike(shapes: list[tuple[int, ...]]) -> None:
    """Refuse images that cannot be stacked."""
    if len(set(shapes)) > 1:
        raise ValueError(
            f"images of one batch have shapes {sorted(set(shapes))[:4]}: end the pipeline with "
            "Resize, RandomResizedCrop or Letterbox, or get a list with stack=False"
        )
