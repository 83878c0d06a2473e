"""Numbers of the host, brought to a device without waiting for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from imgkit.image import Array

ALIGNMENT = 16  # bytes; what views of any dtype need


def upload(arrays: Sequence[Array], device: torch.device) -> list[torch.Tensor]:
    """Return the arrays as tensors on a device: views of one buffer, copied from pinned memory.

    The copy is queued behind the work of the device's current stream; nothing waits for it.
    """
    starts, end = [], 0
    for array in arrays:
        starts.append(end)
        end += -(-array.nbytes // ALIGNMENT) * ALIGNMENT
    buffer = np.zeros(max(end, 1), np.uint8)
    for start, array in zip(starts, arrays, strict=True):
        buffer[start : start + array.nbytes] = (
            np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        )
    packed = torch.from_numpy(buffer)
    if device.type != "cpu":
        if device.type == "cuda" and torch.cuda.is_available():
            packed = packed.pin_memory()
        packed = packed.to(device, non_blocking=True)
    return [
        packed[start : start + array.nbytes].view(_torch_dtype(array.dtype)).view(array.shape)
        for start, array in zip(starts, arrays, strict=True)
    ]


def _torch_dtype(dtype: np.dtype[Any]) -> torch.dtype:
    found: torch.dtype = getattr(torch, dtype.name)
    return found


def constant(values: npt.ArrayLike, like: torch.Tensor, dtype: Any = None) -> torch.Tensor:
    """Put numbers known on the host beside a tensor without waiting for its device."""
    held = torch.tensor(np.ascontiguousarray(values), dtype=dtype or like.dtype)
    return held.to(like.device, non_blocking=True)
