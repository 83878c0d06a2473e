"""Runs a plan on torch tensors, and chooses the route.

A plain CPU tensor that needs no gradient is a view for the array backend, and uint8 RGB on CUDA is
one Triton kernel where the plan allows (`imgkit.backends.cuda.launch`). `numpy_view.native()`
turns both off. Everything else (floats, gradients, filters, noise) takes torch operations
(`imgkit.backends.tensor.native`). Layout: a tensor has its channels first already, so `ToCHW`
changes nothing and results are ``(N, C, H, W)``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from imgkit.backends.array import plan as array_plan
from imgkit.backends.cuda import launch
from imgkit.backends.cuda.capability import fusion_blocker
from imgkit.backends.tensor.native import empty_batch, run_stages
from imgkit.backends.tensor.numpy_view import is_channels_last, is_native, is_viewed
from imgkit.backends.tensor.primitives.symbols import with_fixed_size
from imgkit.backends.tensor.size_groups import size_groups, take
from imgkit.image import Array
from imgkit.stages import Normalize, Stage


def run(stages: Sequence[Stage], sample: int, image: Tensor) -> Tensor:
    """Run the stages of one sample of a plan on its image (C, H, W)."""
    return run_batch([take(stage, np.array([sample])) for stage in stages], image[None])[0]


def run_batch(stages: Sequence[Stage], x: Tensor) -> Tensor | list[Tensor]:
    """Run the stages of a plan on a batch (N, C, H, W).

    Returns:
        A batch, or a list of images where their sizes differ.
    """
    if is_viewed(x):
        return _through_array(stages, x)
    x = with_fixed_size(x)
    if _is_fused(stages, x):
        return launch.launch_batch(stages, x, channels_last=is_channels_last(x))
    groups = list(size_groups(stages, len(x)))
    if len(groups) == 1:
        result = run_stages(stages, x)
        return result.clone() if torch._C._is_alias_of(result, x) else result  # fakes answer too
    images = dict[int, Tensor]()
    for rows in groups:
        own = [take(stage, rows) for stage in stages]
        batch = run_stages(own, x[torch.from_numpy(rows).to(x.device)])
        images.update(zip(rows.tolist(), batch, strict=True))
    return stack([images[row] for row in range(len(x))])


def stack(images: list[Tensor]) -> Tensor | list[Tensor]:
    """Return images as one batch if their sizes are equal."""
    same = len({tuple(image.shape) for image in images}) == 1
    return torch.stack(images) if same else images


def _is_fused(stages: Sequence[Stage], x: Tensor) -> bool:
    """Return whether the batch is one launch of the Triton kernel."""
    if x.device.type != "cuda" or x.dtype != torch.uint8 or len(x) == 0 or is_native():
        return False
    return launch.has_triton() and not fusion_blocker(stages, "uint8", x.shape[1])


# --- ragged batches ------------------------------------------------------------------------


def run_packed(
    stages: Sequence[Stage], packed: launch.Packed, dtype: torch.dtype = torch.float32,
    channels_last: bool = False,
) -> Tensor:  # fmt: skip
    """Run a plan on a packed ragged batch, by the kernel where that is possible.

    Args:
        stages: of a plan of the sizes of the images, ``pipeline.plan((heights, widths), key)``.
        packed: the images, on any device.
        dtype: of a normalized result; one that is not normalized stays uint8.
        channels_last: whether the channels of a pixel lie side by side in the result.

    Returns:
        (N, 3, H, W).

    Raises:
        ValueError: the results differ in size, or the batch is empty.
    """
    if len(packed.sizes) == 0:
        raise ValueError("packed holds no images: a batch of none has no size")
    device = packed.flat.device.type
    if device == "cuda" and launch.has_triton() and not fusion_blocker(stages):
        return launch.launch_packed(stages, packed, dtype, channels_last)
    images = [packed.image(sample) for sample in range(len(packed.sizes))]
    batch = stack([run(stages, sample, image) for sample, image in enumerate(images)])
    if isinstance(batch, list):
        sizes = sorted({tuple(result.shape) for result in batch})
        raise ValueError(f"the results have sizes {sizes}: end with one that has a `size`")
    batch = batch.to(dtype) if batch.is_floating_point() else batch
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return batch.contiguous(memory_format=layout)


# --- on the array backend ----------------------------------------------------------------


def _through_array(stages: Sequence[Stage], x: Tensor) -> Tensor | list[Tensor]:
    """Run a plan on views of a tensor's memory; results lie in memory in the order of `x`."""
    last = is_channels_last(x)
    stages = [
        dataclasses.replace(stage, chw=not last) if isinstance(stage, Normalize) else stage
        for stage in stages
    ]
    chw = any(isinstance(stage, Normalize) and stage.chw for stage in stages)
    images = x.detach().permute(0, 2, 3, 1).numpy()
    results = [array_plan.run(stages, i, _interleaved(image)) for i, image in enumerate(images)]
    if len({result.shape for result in results}) > 1:
        return [_tensor(result, chw, last) for result in results]
    if not results:
        return empty_batch(stages, x)
    return _tensor(np.stack(results), chw, last)


def _interleaved(image: Array) -> Array:
    """Bring the channels of each pixel of an image (H, W, C) together."""
    planes = [image[..., channel] for channel in range(image.shape[-1])]
    if image.flags.c_contiguous or len(planes) > 4 or not planes[0].flags.c_contiguous:
        return np.ascontiguousarray(image)
    return np.asarray(cv2.merge(planes)).reshape(image.shape)  # a quarter of the copy's time


def _tensor(result: Array, chw: bool, last: bool) -> Tensor:
    """Return an image or batch with its channels first, in the order in memory of the input."""
    tensor = torch.from_numpy(result)
    if chw:
        return tensor
    tensor = tensor.movedim(-1, -3)
    return tensor if last else tensor.contiguous()
