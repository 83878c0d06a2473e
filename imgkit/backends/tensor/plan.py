"""Runs a plan on torch tensors: a whole batch at once, each sample by its own numbers.

A plain CPU tensor that needs no gradient is a view for the array backend, and uint8 RGB on CUDA is
one Triton kernel where the plan allows (`imgkit.backends.cuda.launch`). `numpy_view.native()`
turns both off.
Everything else (floats, gradients, filters, noise) runs here: NumPy prepares the numbers of all
stages, one copy brings them to the device, and torch operations do the rest without waiting for
it. Layout: a tensor has its channels first already, so `ToCHW` changes nothing and results are
``(N, C, H, W)``.

Between stages values are floats in the units of the input's dtype, rounded before a curve or a
filter that acts on a sample, and at the end; the array backend rounds at the same places.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from imgkit.backends.array import plan as array_plan
from imgkit.backends.cuda.capability import fusion_blocker
from imgkit.backends.tensor import color_pass as pointwise
from imgkit.backends.tensor import philox, prepare
from imgkit.backends.tensor import plan_filters as filters
from imgkit.backends.tensor import plan_resample as sampling
from imgkit.backends.tensor.gather import floats
from imgkit.backends.tensor.numpy_view import is_channels_last, is_native, is_viewed
from imgkit.backends.tensor.upload import upload
from imgkit.image import full_range

Array = npt.NDArray[Any]
Numbers = dict[str, Tensor]
Work = tuple[tuple[str, Any], ...]


class Range(NamedTuple):
    """The dtype of the image whose values are computed with."""

    dtype: torch.dtype
    top: float  # the value of full intensity

    @property
    def integer(self) -> bool:
        """Whether the image holds integers."""
        return self.top > 1


def run(stages: Sequence[Any], sample: int, image: Tensor) -> Tensor:
    """Run the stages of one sample of a plan on its image (C, H, W)."""
    result = run_batch([_take(stage, np.array([sample])) for stage in stages], image[None])
    return result[0]


def run_batch(stages: Sequence[Any], x: Tensor) -> Any:
    """Run the stages of a plan on a batch (N, C, H, W).

    Returns:
        A batch, or a list of images where their sizes differ.
    """
    if is_viewed(x):
        return _through_array(stages, x)
    if _is_fused(stages, x):
        from imgkit.backends.cuda import launch as fused

        return fused.launch_batch(stages, x, channels_last=is_channels_last(x))
    groups = list(_groups(stages, len(x)))
    if len(groups) == 1:
        made = _native(stages, x)
        return made.clone() if torch._C._is_alias_of(made, x) else made  # fake tensors answer too
    results: list[Any] = [None] * len(x)
    for rows in groups:
        own = [_take(stage, rows) for stage in stages]
        batch = _native(own, x[torch.from_numpy(rows).to(x.device)])
        for row, result in zip(rows.tolist(), batch, strict=True):
            results[row] = result
    same = len({tuple(result.shape) for result in results}) == 1
    return torch.stack(results) if same else results


def _is_fused(stages: Sequence[Any], x: Tensor) -> bool:
    """Whether the batch is one launch of the Triton kernel."""
    if x.device.type != "cuda" or x.dtype != torch.uint8 or len(x) == 0 or is_native():
        return False
    from imgkit.backends.cuda import launch as fused

    return fused.has_triton() and not fusion_blocker(stages, "uint8", x.shape[1])


# --- on the array backend ----------------------------------------------------------------


def _through_array(stages: Sequence[Any], x: Tensor) -> Any:
    """Run a plan on views of a tensor's memory; results lie in memory in the order of `x`."""
    last = is_channels_last(x)
    stages = [_channels(stage, not last) for stage in stages]
    chw = any(stage.kind == "normalize" and stage.chw for stage in stages)
    images = x.detach().permute(0, 2, 3, 1).numpy()
    results = [array_plan.run(stages, i, _together(image)) for i, image in enumerate(images)]
    if len({result.shape for result in results}) > 1:
        return [_tensor(result, chw, last) for result in results]
    if not results:
        return _empty(stages, x)
    return _tensor(np.stack(results), chw, last)


def _together(image: Array) -> Array:
    """Bring the channels of each pixel of an image (H, W, C) together."""
    planes = [image[..., channel] for channel in range(image.shape[-1])]
    if image.flags.c_contiguous or len(planes) > 4 or not planes[0].flags.c_contiguous:
        return np.ascontiguousarray(image)
    return np.asarray(cv2.merge(planes)).reshape(image.shape)  # a quarter of the copy's time


def _channels(stage: Any, first: bool) -> Any:
    """Let the stage that leaves the pipeline write its channels first, or last."""
    return dataclasses.replace(stage, chw=first) if stage.kind == "normalize" else stage


def _tensor(result: Array, chw: bool, last: bool) -> Tensor:
    """Return an image or batch with its channels first, in the order in memory of the input."""
    tensor = torch.from_numpy(result)
    if chw:
        return tensor
    tensor = tensor.movedim(-1, -3)
    return tensor if last else tensor.contiguous()


def _empty(stages: Sequence[Any], x: Tensor) -> Tensor:
    """Return a batch of no images, of the shape and dtype that one would have."""
    size = x.shape[2:]
    for stage in stages:
        if stage.kind == "resample":
            size = tuple(int(np.max(v)) if np.size(v) else 0 for v in stage.out_size)
    return torch.empty((0, x.shape[1], *size), dtype=_leaving(stages, x.dtype), device=x.device)


def _leaving(stages: Sequence[Any], dtype: torch.dtype) -> torch.dtype:
    """Return the dtype that comes out: floats keep theirs, integers become float32."""
    floats = any(stage.kind == "normalize" and stage.to_float for stage in stages)
    return torch.float32 if floats and full_range(dtype) > 1 else dtype


# --- on the device -----------------------------------------------------------------------


def _native(stages: Sequence[Any], x: Tensor) -> Tensor:
    """Run stages whose sizes are the same for all samples."""
    if len(x) == 0:
        return _empty(stages, x)
    steps = prepared(stages, x)
    numbers = uploaded(steps, x.device)
    work = tuple((step.kind, step.how) for step in steps)
    return execute(x, work, numbers, _leaving(stages, x.dtype))


def prepared(stages: Sequence[Any], x: Tensor) -> tuple[prepare.Step, ...]:
    """Prepare the stages for a batch like `x`."""
    top = full_range(x.dtype)
    size = (x.shape[2], x.shape[3])
    return prepare.steps(stages, prepare.Canvas(len(x), x.shape[1], size, top, top > 1))


def uploaded(steps: Sequence[prepare.Step], device: torch.device) -> tuple[Numbers, ...]:
    """Bring the numbers of all steps to a device in one copy."""
    names = [(place, name) for place, step in enumerate(steps) for name in step.numbers]
    tensors = upload([steps[place].numbers[name] for place, name in names], device)
    numbers: tuple[Numbers, ...] = tuple({} for _ in steps)
    for (place, name), tensor in zip(names, tensors, strict=True):
        numbers[place][name] = tensor
    return numbers


def execute(x: Tensor, work: Work, numbers: Sequence[Numbers], dtype: torch.dtype) -> Tensor:
    """Run prepared work on a batch (N, C, H, W); torch operations alone, fit to be compiled.

    Args:
        x: the batch.
        work: kind and fixed part of each step.
        numbers: of each step, on the device of `x`.
        dtype: of the result.
    """
    kind = Range(x.dtype, full_range(x.dtype))
    values = _run(x, work, numbers, kind)
    if full_range(dtype) > 1:
        return pointwise.whole(values, kind.top).to(dtype)
    return values.to(dtype)


def _run(x: Tensor, work: Work, numbers: Sequence[Numbers], kind: Range) -> Tensor:
    """Run steps on an image or on floats in its units, and return such floats."""
    values = x
    for (name, how), own in zip(work, numbers, strict=True):
        if name != "resample":
            values = floats(values)
        values = RUN[name](values, how, own, kind)
    return floats(values)


def _resample(x: Tensor, how: Any, numbers: Numbers, kind: Range) -> Tensor:
    moved = sampling.resample(x, how, numbers)
    cubic = any(path.interpolation == "bicubic" for path in how.paths)
    return moved.clamp(0, kind.top) if kind.integer and cubic else moved  # cubics overshoot


def _filter(x: Tensor, how: Any, numbers: Numbers, kind: Range) -> Tensor:
    name, fixed = how
    if kind.integer:
        x = torch.where(pointwise.each(numbers["active"]), pointwise.whole(x, kind.top), x)
    return filters.run(x, name, fixed, numbers, kind.dtype, kind.top)


def _noise(x: Tensor, name: str, numbers: Numbers, kind: Range) -> Tensor:
    """Add normal numbers, or salt and pepper, from the sequence of each sample's key."""
    channels, height, width = x.shape[1:]
    if name == "gaussian":
        words = philox.shorts(numbers["key"], height * width * channels)
        noise = numbers["table"][words].unflatten(1, (height, width, channels)).permute(0, 3, 1, 2)
        amount = pointwise.each(numbers["amount"].to(torch.float32))
        made = (x + (noise * amount).to(x.dtype)).clamp(0, kind.top)
    else:
        words = philox.shorts(numbers["key"], height * width).unflatten(1, (1, height, width))
        share = pointwise.each(numbers["amount"])
        dark = torch.where(words >= 65536 - share, 0.0, x)
        made = torch.where(words < share, kind.top, dark)
    return torch.where(pointwise.each(numbers["active"]), made, x)


def _mix(x: Tensor, how: Any, numbers: Numbers, kind: Range) -> Tensor:
    """Add up branches, each of which begins with whole levels and ends with them."""
    weights = numbers["weights"].to(x.dtype)
    whole = pointwise.whole(x, kind.top) if kind.integer else x
    total = pointwise.each(weights[:, 0]) * x
    for place, branch in enumerate(how):
        own = [
            {k.split(".", 2)[2]: v for k, v in numbers.items() if k.startswith(f"{place}.{index}.")}
            for index in range(len(branch))
        ]
        made = _run(whole, branch, own, kind)
        made = pointwise.whole(made, kind.top) if kind.integer else made
        total = total + pointwise.each(weights[:, place + 1]) * made
    return torch.where(pointwise.each(numbers["active"]), total, x)


RUN: dict[str, Callable[..., Tensor]] = {
    "resample": _resample,
    "color": lambda x, how, numbers, kind: pointwise.linear(x, how, numbers, kind.top),
    "hue": lambda x, how, numbers, kind: pointwise.hue(x, numbers, kind.top),
    "curve": lambda x, how, numbers, kind: pointwise.curve(x, how, numbers, kind.dtype, kind.top),
    "filter": _filter,
    "noise": _noise,
    "erase": lambda x, how, numbers, kind: pointwise.erase(x, numbers),
    "mix": _mix,
    "normalize": lambda x, how, numbers, kind: pointwise.normalize(x, numbers),
}


# --- samples of different sizes ------------------------------------------------------------


def _groups(stages: Sequence[Any], samples: int) -> Iterator[Array]:
    """Yield the samples that have every size in common."""
    sides = [
        np.broadcast_to(side, (samples,))
        for stage in _all_resamples(stages)
        for step in stage.geometric_steps
        for side in (*step.in_size, *step.out_size)
        if np.ndim(side)
    ]
    if not sides or samples == 0:
        yield np.arange(samples)
        return
    _, group = np.unique(np.stack(sides, axis=1), axis=0, return_inverse=True)
    group = group.ravel()
    for value in range(int(group.max()) + 1):
        yield np.flatnonzero(group == value)


def _all_resamples(stages: Sequence[Any]) -> Iterator[Any]:
    for stage in stages:
        if stage.kind == "resample":
            yield stage
        elif stage.kind == "mix":
            for branch in stage.branches:
                yield from _all_resamples(branch)


def _take(stage: Any, rows: Array) -> Any:
    """Return a stage of some samples alone."""
    if stage.kind == "normalize":
        return stage
    if stage.kind == "mix":
        branches = tuple(tuple(_take(s, rows) for s in branch) for branch in stage.branches)
        return dataclasses.replace(stage, branches=branches, weights=stage.weights[rows])
    if stage.kind == "resample":
        taken = tuple(_take_rows(step, rows) for step in stage.geometric_steps)
        return dataclasses.replace(stage, geometric_steps=taken)
    return _take_rows(stage, rows)


def _take_rows(record: Any, rows: Array) -> Any:
    """Return a record with some rows of its arrays."""
    return dataclasses.replace(
        record,
        **{
            spec.name: _take_value(getattr(record, spec.name), rows)
            for spec in dataclasses.fields(record)
        },
    )


def _take_value(value: Any, rows: Array) -> Any:
    if isinstance(value, np.ndarray):
        return value[rows] if value.ndim else value
    if isinstance(value, dict):
        return {name: _take_value(v, rows) for name, v in value.items()}
    if isinstance(value, tuple) and any(isinstance(v, np.ndarray) for v in value):  # a size
        return tuple(_take_value(v, rows) for v in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _take_rows(value, rows)
    return value
