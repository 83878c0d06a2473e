"""Named targets that are tensors: pixels stay where they are, labels become arrays.

A tensor has its channels first: an image is (H, W) or (C, H, W), a mask likewise. Masks, boxes and
points move on the host, as arrays, and come back as tensors of their dtype, where they were; only
the image has a gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imgkit.image import Array

COORDINATES = ("boxes", "oriented_boxes", "polygons", "keypoints")
AXES = {"mask": 2, "masks": 3}  # without channels, of one sample


def as_arrays(name: str, value: Any, batched: bool) -> Any:
    """Return a target with arrays for its tensors, the channels of masks last."""
    if isinstance(value, (list, tuple)):
        inner = "mask" if name == "masks" and not batched else name
        return type(value)(as_arrays(inner, each, False) for each in value)
    if not isinstance(value, Tensor):
        return value
    array = _array(value)
    has_channels = name in AXES and array.ndim == AXES[name] + batched + 1
    return np.moveaxis(array, -3, -1) if has_channels else array


def as_tensors(name: str, result: Any, value: Any, batched: bool) -> Any:
    """Return a transformed target as tensors like those of the input."""
    if isinstance(value, (list, tuple)):
        like = next((each for each in value if isinstance(each, Tensor)), None)
        if like is None and not (batched and value and isinstance(value[0], (list, tuple))):
            return result
        pairs = zip(result, value, strict=True) if len(result) == len(value) else (
            (each, like) for each in result
        )  # fmt: skip
        inner = "mask" if name == "masks" and not batched else name
        return type(result)(as_tensors(inner, each, came, False) for each, came in pairs)
    if not isinstance(value, Tensor):
        return result
    if isinstance(result, list):  # a batch that came apart
        return [as_tensors(name, each, value[0], False) for each in result]
    if not isinstance(result, np.ndarray):
        return result
    has_channels = name in AXES and result.ndim == AXES[name] + batched + 1
    array = np.moveaxis(result, -1, -3) if has_channels else result
    counted = name in COORDINATES and not value.is_floating_point()
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    return tensor.to(value.device, torch.float32 if counted else value.dtype)


def run_pixels(
    run: Callable[..., Any], name: str, value: Any, epoch: int, indices: Array | int
) -> Any:
    """Run a pipeline on the tensors of `image`, or on the frames of `images` with one draw."""
    if name == "image" and isinstance(value, (list, tuple)):
        rows = np.atleast_1d(indices).tolist()
        return [run(image, key=(epoch, row)) for image, row in zip(value, rows, strict=True)]
    if name == "image":
        return run(value, key=(epoch, indices))
    if not isinstance(indices, int):
        videos = [
            run_pixels(run, name, video, epoch, index)
            for video, index in zip(value, indices.tolist(), strict=True)
        ]
        same = isinstance(value, Tensor) and len({video.shape for video in videos}) == 1
        return torch.stack(videos) if same else videos
    if not isinstance(value, Tensor):
        return type(value)(run(frame, key=(epoch, indices)) for frame in value)
    frames = value[:, None] if value.ndim == 3 else value
    result = run(frames, key=(epoch, [indices] * len(frames)))
    return result[:, 0] if value.ndim == 3 else result


def reference(run: Callable[[Array], Any], first: bool, x: Tensor) -> Any:
    """Run the oracle on a tensor; its result has the channels first and the float dtype of `x`."""
    array = _array(x)
    result = run(array if x.ndim == 2 else np.moveaxis(array, -3, -1))
    if isinstance(result, list):
        return [_image(each, x, first) for each in result]
    return _image(result, x, first)


def _image(result: Array, x: Tensor, first: bool) -> Tensor:
    """Return an image or batch of the oracle's as a tensor."""
    array = result if first or result.ndim == 2 else np.moveaxis(result, -1, -3)
    image = torch.from_numpy(np.ascontiguousarray(array)).to(x.device)
    return image.to(x.dtype) if x.is_floating_point() else image


def _array(value: Tensor) -> Array:
    """Return a tensor's numbers; the halves become float32."""
    value = value.detach().cpu()
    if value.dtype in (torch.float16, torch.bfloat16):
        value = value.float()
    return np.asarray(value.as_subclass(Tensor).numpy())
