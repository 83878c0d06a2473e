"""Named targets that are tensors: pixels stay where they are, labels become arrays.

A tensor has its channels first: an image is (H, W) or (C, H, W), a mask likewise. Masks, boxes and
points move on the host, as arrays, and come back as tensors of their dtype, where they were; only
the image has a gradient.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imgkit.image import Array

COORDINATES = ("boxes", "oriented_boxes", "polygons", "keypoints")
MASKS = ("mask", "masks")
UPRIGHT = ("XYXY", "XYWH", "CXCYWH")  # torchvision's formats of boxes without an angle
TURNED = "CXCYWHR"  # and the one that oriented boxes have here


def as_arrays(name: str, value: Any) -> Any:
    """Return a target of one sample with arrays for its tensors, the channels of masks last."""
    if isinstance(value, (list, tuple)):
        inner = "mask" if name == "masks" else name
        return type(value)(as_arrays(inner, each) for each in value)
    if not isinstance(value, Tensor):
        return value
    array = box_array(value) if name in ("boxes", "oriented_boxes") else as_array(value)
    return np.moveaxis(array, -3, -1) if _has_channels(name, array) else array


def as_tensors(name: str, result: Any, value: Any, size: tuple[int, int] | None) -> Any:
    """Return a transformed target of one sample in the types of its input.

    Args:
        name: of the target.
        result: its arrays.
        value: what came in; of a list, the rows that were kept.
        size: (H, W) of the result, for boxes and points that know their canvas.
    """
    if isinstance(value, (list, tuple)):
        inner = "mask" if name == "masks" else name
        pairs = zip(result, value, strict=True)
        back = [as_tensors(inner, each, came, size) for each, came in pairs]
        return tuple(back) if isinstance(value, tuple) else back
    if not isinstance(value, Tensor) or not isinstance(result, np.ndarray):
        return result
    if name in ("boxes", "oriented_boxes"):
        return box_tensor(result, value, size)
    array = np.moveaxis(result, -1, -3) if _has_channels(name, result) else result
    counted = name in COORDINATES and not value.is_floating_point()
    return _like_numbers(array, value, torch.float32 if counted else value.dtype, size)


def _has_channels(name: str, array: Array) -> bool:
    return name in MASKS and array.ndim == (3 if name == "mask" else 4)


def stack(column: list[Tensor]) -> Tensor:
    """Return the results of a batch as one tensor."""
    return torch.stack(column)


def select(value: Tensor, rows: Array) -> Tensor:
    """Return rows of a tensor in its type and dtype."""
    picked = value.as_subclass(Tensor)[torch.from_numpy(rows).to(value.device)]
    return like(picked, value)


# --- types ------------------------------------------------------------------------------------


def like(tensor: Tensor, value: Any, size: tuple[int, int] | None = None) -> Tensor:
    """Return a tensor in the type of `value`, with a canvas of `size` where it has one."""
    tv = sys.modules.get("torchvision.tv_tensors")
    if tv is None or not isinstance(value, tv.TVTensor):
        return tensor
    canvas = {} if size is None or not hasattr(value, "canvas_size") else {"canvas_size": size}
    wrapped: Tensor = tv.wrap(tensor, like=value, **canvas)
    return wrapped


def box_array(boxes: Tensor) -> Array:
    """Return boxes as an array, oriented ones of torchvision as cx, cy, w, h, degrees."""
    form = getattr(boxes, "format", None)
    return as_array(boxes if form is None or form.value in UPRIGHT else _turned(boxes, TURNED))


def box_tensor(result: Array, value: Tensor, size: tuple[int, int] | None) -> Tensor:
    """Return transformed boxes in the type, dtype and format of `value`; integers as float32."""
    form = getattr(value, "format", None)
    dtype = value.dtype if value.is_floating_point() else torch.float32
    if form is None or form.value in (*UPRIGHT, TURNED):
        return _like_numbers(result, value, dtype, size)
    boxes = type(value)(torch.from_numpy(result).float(), format=TURNED, canvas_size=size)
    return _turned(boxes, form.value).to(value.device)


def _turned(boxes: Any, form: str) -> Any:
    """Return torchvision's oriented boxes in another of its formats."""
    if boxes.format.value == form:
        return boxes
    from torchvision.transforms.v2.functional import convert_bounding_box_format

    return convert_bounding_box_format(like(boxes.float(), boxes), new_format=form)


def _like_numbers(
    array: Array, value: Tensor, dtype: torch.dtype, size: tuple[int, int] | None
) -> Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(array)).reshape(array.shape)
    return like(tensor.to(value.device, dtype), value, size)


def as_array(value: Tensor) -> Array:
    """Return a tensor's numbers; the halves, which NumPy lacks or rounds, become float32."""
    value = value.detach().cpu().as_subclass(Tensor)
    halves = (torch.float16, torch.bfloat16)
    return np.asarray((value.float() if value.dtype in halves else value).numpy())


# --- pixels -----------------------------------------------------------------------------------


def run_pixels(
    run: Callable[..., Any], name: str, value: Any, epoch: int, indices: Array | int
) -> Any:
    """Run a pipeline on the tensors of `image`, or on the frames of `images` with one draw."""
    if name == "image" and isinstance(value, (list, tuple)):
        rows = np.atleast_1d(indices).tolist()
        pairs = zip(value, rows, strict=True)
        return [_in_type(run(image, key=(epoch, row)), image) for image, row in pairs]
    if name == "image":
        return _in_type(run(value, key=(epoch, indices)), value)
    if not isinstance(indices, int):
        videos = [
            run_pixels(run, name, video, epoch, index)
            for video, index in zip(value, indices.tolist(), strict=True)
        ]
        same = isinstance(value, Tensor) and len({video.shape for video in videos}) == 1
        return torch.stack(videos) if same else videos
    if not isinstance(value, Tensor):
        return type(value)(_in_type(run(f, key=(epoch, indices)), f) for f in value)
    frames = value[:, None] if value.ndim == 3 else value
    result = run(frames, key=(epoch, [indices] * len(frames)))
    return _in_type(result[:, 0] if value.ndim == 3 else result, value)


def _in_type(result: Any, value: Any) -> Any:
    """Return pixels in the type of the tensor that came in; a list of several sizes as it is."""
    return like(result, value) if isinstance(result, Tensor) else result


def reference(run: Callable[[Array], Any], first: bool, x: Tensor) -> Any:
    """Run the oracle on a tensor; its result has the channels first and the float dtype of `x`."""
    array = as_array(x)
    result = run(array if x.ndim == 2 else np.moveaxis(array, -3, -1))
    if isinstance(result, list):
        return [_image(each, x, first) for each in result]
    return _image(result, x, first)


def _image(result: Array, x: Tensor, first: bool) -> Tensor:
    """Return an image or batch of the oracle's as a tensor."""
    array = result if first or result.ndim == 2 else np.moveaxis(result, -1, -3)
    image = torch.from_numpy(np.ascontiguousarray(array)).to(x.device)
    return image.to(x.dtype) if x.is_floating_point() else image
