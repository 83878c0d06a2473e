"""Runs a plan on a batch of tensors by torch operations, each sample by its own numbers.

NumPy prepares the numbers of all stages, one copy brings them to the device, and torch operations
do the rest without waiting for it. Between stages values are floats in the units of the input's
dtype, rounded before a curve, a filter or a call that acts on a sample, and at the end; the array
backend rounds at the same places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from imgkit.backends.tensor import color_pass, filters, plan_resample, prepare
from imgkit.backends.tensor.primitives import philox
from imgkit.backends.tensor.primitives.gather import floats
from imgkit.backends.tensor.primitives.positions import Numbers
from imgkit.backends.tensor.primitives.upload import upload
from imgkit.image import full_range
from imgkit.stages import Resample, Stage, gives_floats

Work = tuple[tuple[str, Any], ...]  # kind and spec of each stage


class Range(NamedTuple):
    """The dtype of the image whose values are computed with."""

    dtype: torch.dtype
    top: float  # the value of full intensity

    @property
    def integer(self) -> bool:
        """Whether the image holds integers."""
        return self.top > 1


def run_stages(stages: Sequence[Stage], x: Tensor) -> Tensor:
    """Run stages whose sizes are the same for all samples on a batch (N, C, H, W)."""
    if len(x) == 0:
        return empty_batch(stages, x)
    prepared = prepared_stages(stages, x)
    numbers = uploaded(prepared, x.device)
    work = tuple((stage.kind, stage.spec) for stage in prepared)
    return execute(x, work, numbers, _result_dtype(stages, x.dtype))


def empty_batch(stages: Sequence[Stage], x: Tensor) -> Tensor:
    """Return a batch without images, of the size and dtype of a result."""
    size = tuple(x.shape[2:])
    for stage in stages:
        if isinstance(stage, Resample):
            size = tuple(int(np.max(side)) if np.size(side) else 0 for side in stage.out_size)
    dtype = _result_dtype(stages, x.dtype)
    return torch.empty((0, x.shape[1], *size), dtype=dtype, device=x.device)


def _result_dtype(stages: Sequence[Stage], dtype: torch.dtype) -> torch.dtype:
    """Return the dtype of a result: floats keep theirs, normalized integers become float32."""
    return torch.float32 if gives_floats(stages) and full_range(dtype) > 1 else dtype


def prepared_stages(stages: Sequence[Stage], x: Tensor) -> tuple[prepare.DeviceStage, ...]:
    """Prepare the stages for a batch like `x`."""
    top = full_range(x.dtype)
    size = (x.shape[2], x.shape[3])
    return prepare.device_stages(stages, prepare.BatchShape(len(x), x.shape[1], size, top, top > 1))


def uploaded(stages: Sequence[prepare.DeviceStage], device: torch.device) -> tuple[Numbers, ...]:
    """Bring the numbers of all stages to a device in one copy."""
    names = [(index, name) for index, stage in enumerate(stages) for name in stage.numbers]
    tensors = upload([stages[index].numbers[name] for index, name in names], device)
    numbers: tuple[Numbers, ...] = tuple({} for _ in stages)
    for (index, name), tensor in zip(names, tensors, strict=True):
        numbers[index][name] = tensor
    return numbers


def execute(x: Tensor, work: Work, numbers: Sequence[Numbers], dtype: torch.dtype) -> Tensor:
    """Run prepared stages on a batch (N, C, H, W); torch operations alone, fit to be compiled.

    Args:
        x: the batch.
        work: kind and spec of each stage.
        numbers: of each stage, on the device of `x`.
        dtype: of the result.
    """
    image = Range(x.dtype, full_range(x.dtype))
    values = _run(x, work, numbers, image)
    if full_range(dtype) > 1:
        return color_pass.whole(values, image.top).to(dtype)
    return values.to(dtype)


def _run(x: Tensor, work: Work, numbers: Sequence[Numbers], image: Range) -> Tensor:
    """Run stages on an image or on floats in its units, and return such floats."""
    values = x
    for (kind, spec), own in zip(work, numbers, strict=True):
        if kind != "resample":
            values = floats(values)
        values = RUN[kind](values, spec, own, image)
    return floats(values)


def _resample(x: Tensor, spec: plan_resample.Resampling, numbers: Numbers, image: Range) -> Tensor:
    moved = plan_resample.resample(x, spec, numbers)
    cubic = any(path.interpolation == "bicubic" for path in spec.paths)
    return moved.clamp(0, image.top) if image.integer and cubic else moved  # cubics overshoot


def _filter(x: Tensor, spec: filters.Spec, numbers: Numbers, image: Range) -> Tensor:
    active = color_pass.each(numbers["active"])
    if image.integer:
        x = torch.where(active, color_pass.whole(x, image.top), x)
    result = filters.run(x, spec, numbers, image.dtype).clamp(0, image.top)
    return torch.where(active, result.round() if image.integer else result, x)


def _call(x: Tensor, spec: filters.HostCalls, numbers: Numbers, image: Range) -> Tensor:
    whole = color_pass.whole(x, image.top) if image.integer else x
    result = filters.on_host(whole, spec, image.dtype)
    return torch.where(color_pass.each(numbers["active"]), result, x)


def _noise(x: Tensor, name: str, numbers: Numbers, image: Range) -> Tensor:
    """Add normal numbers, or salt and pepper, from the sequence of each sample's key."""
    channels, height, width = x.shape[1:]
    if name == "gaussian":
        words = philox.shorts(numbers["key"], height * width * channels)
        noise = numbers["table"][words].unflatten(1, (height, width, channels)).permute(0, 3, 1, 2)
        amount = color_pass.each(numbers["amount"].to(torch.float32))
        noisy = (x + (noise * amount).to(x.dtype)).clamp(0, image.top)
    else:
        words = philox.shorts(numbers["key"], height * width).unflatten(1, (1, height, width))
        share = color_pass.each(numbers["amount"])
        dark = torch.where(words >= 65536 - share, 0.0, x)
        noisy = torch.where(words < share, image.top, dark)
    return torch.where(color_pass.each(numbers["active"]), noisy, x)


def _mix(x: Tensor, branches: tuple[Work, ...], numbers: Numbers, image: Range) -> Tensor:
    """Add up branches, each of which begins with whole levels and ends with them."""
    weights = numbers["weights"].to(x.dtype)
    whole = color_pass.whole(x, image.top) if image.integer else x
    total = color_pass.each(weights[:, 0]) * x
    for place, branch in enumerate(branches):
        own = [
            {k.split(".", 2)[2]: v for k, v in numbers.items() if k.startswith(f"{place}.{index}.")}
            for index in range(len(branch))
        ]
        result = _run(whole, branch, own, image)
        result = color_pass.whole(result, image.top) if image.integer else result
        total = total + color_pass.each(weights[:, place + 1]) * result
    return torch.where(color_pass.each(numbers["active"]), total, x)


RUN: dict[str, Callable[..., Tensor]] = {
    "resample": _resample,
    "color": lambda x, spec, numbers, image: color_pass.linear(x, spec, numbers, image.top),
    "hue": lambda x, spec, numbers, image: color_pass.hue(x, numbers, image.top),
    "curve": lambda x, spec, numbers, image: color_pass.curve(
        x, spec, numbers, image.dtype, image.top
    ),
    "filter": _filter,
    "call": _call,
    "noise": _noise,
    "erase": lambda x, spec, numbers, image: color_pass.erase(x, numbers),
    "mix": _mix,
    "normalize": lambda x, spec, numbers, image: color_pass.normalize(x, numbers),
}
