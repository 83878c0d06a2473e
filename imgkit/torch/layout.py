"""Order of the axes and of the color channels; arrays stay arrays, tensors stay tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


def to_chw(x: Any) -> Any:
    """Put the channels first: (..., H, W, C) becomes (..., C, H, W), and (H, W) (1, H, W).

    Returns a view.

    >>> to_chw(torch.zeros(4, 5, 3)).shape
    torch.Size([3, 4, 5])
    """
    _check(x, 2)
    if x.ndim == 2:
        return x[None]
    return x.movedim(-1, -3) if isinstance(x, torch.Tensor) else np.moveaxis(x, -1, -3)


def to_hwc(x: Any) -> Any:
    """Put the channels last: (..., C, H, W) becomes (..., H, W, C), and (H, W) (H, W, 1).

    Returns a view.

    >>> to_hwc(np.zeros((2, 3, 4, 5))).shape
    (2, 4, 5, 3)
    """
    _check(x, 2)
    if x.ndim == 2:
        return x[..., None]
    return x.movedim(-3, -1) if isinstance(x, torch.Tensor) else np.moveaxis(x, -3, -1)


def bgr_to_rgb(x: Any) -> Any:
    """Exchange red and blue, for images read by OpenCV; the same as `rgb_to_bgr`.

    Args:
        x: an array (..., H, W, 3) or a tensor (..., 3, H, W).

    >>> bgr_to_rgb(np.array([[[1, 2, 3]]])).tolist()
    [[[3, 2, 1]]]
    """
    _check(x, 3)
    axis = -3 if isinstance(x, torch.Tensor) else -1
    if x.shape[axis] != 3:
        place = "(..., 3, H, W)" if axis == -3 else "(..., H, W, 3)"
        raise ValueError(f"x has shape {tuple(x.shape)}: colors are {place}")
    return x.flip(-3) if isinstance(x, torch.Tensor) else np.ascontiguousarray(x[..., ::-1])


def rgb_to_bgr(x: Any) -> Any:
    """Exchange red and blue; the same as `bgr_to_rgb`."""
    return bgr_to_rgb(x)


def _check(x: Any, least: int) -> None:
    if not isinstance(x, (torch.Tensor, np.ndarray)):
        raise TypeError(f"x is a {type(x).__name__}: pass an array or a tensor")
    if x.ndim < least:
        raise ValueError(f"x has shape {tuple(x.shape)}: an image has height, width and channels")
