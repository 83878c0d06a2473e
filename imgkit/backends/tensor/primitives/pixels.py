"""What the native functions share: constants, dtypes, borders, filters along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from imgkit.geometry.resolve_batch import CODES
from imgkit.image import full_range


def work(x: Tensor, exact: bool = False) -> Tensor:
    """Return `x` in the float type to compute in; `exact` where uint16 needs float64."""
    wide = x.dtype == torch.float64 or (exact and x.dtype == torch.uint16)
    return x.to(torch.float64 if wide else torch.float32)


def movable(x: Tensor) -> Tensor:
    """Return `x` in a dtype that torch compares and reduces: uint16 it can only hold."""
    return x.to(torch.int32) if x.dtype == torch.uint16 else x


def clip(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Clip to the range of an image's dtype."""
    return values.clamp(0, full_range(dtype))


def full_precision(x: Tensor) -> Any:
    """Return a context in which autocast does not round products of `x` to halves."""
    kind = x.device.type
    return torch.autocast(kind, enabled=False) if kind in ("cpu", "cuda") else nullcontext()


# --- borders ----------------------------------------------------------------------------


def fold(index: Tensor, length: Tensor | int, code: int) -> Tensor:
    """Map positions on an endless axis to pixels, as `border.source_index` does.

    `code` is that of the border in `CODES`; positions beyond a constant border go to its edge.
    """
    if code == CODES["wrap"]:
        return torch.remainder(index, length)
    if code == CODES["symmetric"]:
        folded = torch.remainder(index, 2 * length)
        return torch.minimum(folded, 2 * length - 1 - folded)
    if code == CODES["reflect"]:
        last = length - 1
        period = (2 * last).clamp(min=1) if isinstance(last, Tensor) else max(2 * last, 1)
        folded = torch.remainder(index, period)
        return torch.minimum(folded, period - folded)
    return index.clamp(min=0).clamp(max=length - 1)


def extend(x: Tensor, pads: Sequence[tuple[int, int]], border: str, value: float) -> Tensor:
    """Continue the last axes by so many pixels before and after."""
    if border == "constant":
        flat = [n for before, after in reversed(pads) for n in (before, after)]
        return F.pad(x, flat, value=value) if any(flat) else x
    for axis, (before, after) in enumerate(pads, x.ndim - len(pads)):
        if before or after:
            position = torch.arange(-before, x.shape[axis] + after, device=x.device)
            x = x.index_select(axis, fold(position, x.shape[axis], CODES[border]))
    return x


def margin(x: Tensor, pixels: int, border: str, value: float) -> Tensor:
    """Continue H and W by `pixels` on all sides."""
    return extend(x, [(pixels, pixels)] * 2, border, value)


# --- filters ----------------------------------------------------------------------------


def depthwise(
    planes: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    dilation: Sequence[int],
) -> Tensor:
    """Correlate ``(1, B, *S)``, plane b with ``weight[b, 0]``, where the kernel lies inside.

    All planes as channels of one image: on a CPU 25 times as fast as planes of one channel
    each, and on CUDA the kernel that does not round to TF32, which needs two planes.
    """
    run: Any = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[planes.ndim - 2]
    count = planes.shape[1]
    if count == 0:
        reach = [(k - 1) * d for k, d in zip(weight.shape[2:], dilation, strict=True)]
        sizes = zip(planes.shape[2:], reach, stride, strict=True)
        return planes.new_zeros((1, 0, *(-(-(n - r) // s) for n, r, s in sizes)))
    if count == 1 and planes.device.type == "cuda":
        planes, weight = planes.repeat_interleave(2, 1), weight.repeat_interleave(2, 0)
    with full_precision(planes):
        found = run(planes, weight, None, tuple(stride), 0, tuple(dilation), len(weight))
    return found[:, :count]


def along(x: Tensor, taps: Tensor, axis: int) -> Tensor:
    """Correlate H (axis 2) or W (3) of ``(N, C, H, W)`` with taps (K,), or (N, K) of its own."""
    n, c = x.shape[:2]
    shape = (1, 1, -1, 1) if axis == 2 else (1, 1, 1, -1)
    if taps.ndim == 1:
        weight = taps.reshape(shape).expand(n * c, -1, -1, -1)
    else:
        weight = taps.repeat_interleave(c, 0).reshape(n * c, *shape[1:])
    planes = x.reshape(1, n * c, *x.shape[2:])
    found = depthwise(planes, weight, (1, 1), (1, 1))
    return found.reshape(n, c, *found.shape[2:])


def length(*components: Tensor) -> Tensor:
    """Return the length of vectors; where it is 0, so is its gradient."""
    square = components[0] * components[0]
    for component in components[1:]:
        square = square + component * component
    flat = square == 0
    return torch.where(flat, 0.0, torch.where(flat, 1.0, square).sqrt())
