"""Layouts of what a pipeline returns: one image, a batch, an empty batch."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from imgkit.augment.plan.plan import Plan
from imgkit.backends import backend
from imgkit.image import Array, is_tensor
from imgkit.stages import Normalize, Stage


def puts_channels_first(stages: Sequence[Stage]) -> bool:
    """Return whether stages put the channels of an array first."""
    return bool(stages) and isinstance(stages[-1], Normalize) and stages[-1].chw


def like_image(result: Array, ndim: int, stages: Sequence[Stage]) -> Array:
    """Return one sample's result in the layout of its input: no channel axis if it had none."""
    if ndim > 2:
        return result
    return result[0] if puts_channels_first(stages) else result[..., 0]


def stack(results: list[Array], x: Array, plan: Plan) -> Any:
    """Return a batch, or a list where the sizes differ."""
    if not results:
        return _empty(x, plan)
    if len({result.shape for result in results}) > 1:
        return results
    return np.stack(results)


def _empty(x: Array, plan: Plan) -> Array:
    """Return a batch of no images, of the shape and dtype that one would have."""
    last = plan.stages[-1] if plan.stages else None
    height, width = (int(np.max(v)) if np.size(v) else 0 for v in plan.out_size)
    shape: tuple[int, ...] = (0, height, width, x.shape[-1])
    dtype = x.dtype
    if isinstance(last, Normalize):
        shape = (0, x.shape[-1], height, width) if last.chw else shape
        floats = np.dtype(np.float64 if dtype == np.float64 else np.float32)
        dtype = floats if last.to_float else dtype
    return np.empty(shape, dtype)


def warn_range(x: Any) -> bool:
    """Warn about floats outside 0..1, which color ops will clip; return whether it did.

    Values on a device are not read, which would wait for it, nor those that are only traced.
    """
    if not (backend(x, "numpy_view").is_readable(x) if is_tensor(x) else x.size):
        return False
    low, high = x.min().item(), x.max().item()
    if low >= 0 and high <= 1:
        return False
    warnings.warn(
        f"image has values from {low:g} to {high:g}: floats mean 0..1, and color ops "
        "clip to it; divide by 255 if they are 0..255",
        UserWarning,
        stacklevel=3,
    )
    return True
