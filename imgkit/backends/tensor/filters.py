"""Neighborhood filters of a batch, each sample with its own numbers.

`DEVICE` holds the filters that have a form for many samples at once: NumPy prepares the numbers of
all samples, torch operations apply them. A filter without a device kernel (`Filter.host_only`)
moves the batch to the host and back; any other layer-one function runs sample by sample.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from imgkit.backends import layer_one
from imgkit.backends.array import filters as array
from imgkit.backends.tensor import blur, edges
from imgkit.backends.tensor.numpy_view import HELD, native, refuse_gradient
from imgkit.backends.tensor.primitives.pixels import depthwise, margin
from imgkit.backends.tensor.primitives.positions import Numbers
from imgkit.image import Array, full_range
from imgkit.kernels import EMBOSS, gaussian_taps_of_each, kernel
from imgkit.stages import Call, Filter, batched

SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
CENTER = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]])


class HostCalls(NamedTuple):
    """A function of each sample's image (H, W, C) on the host, or None where it does not act."""

    name: str
    functions: tuple[Callable[[Array], Array] | None, ...]


class Calls(NamedTuple):
    """A layer-one function with each sample's numbers, or None where it does not act."""

    function: Callable[..., Tensor]
    numbers: tuple[dict[str, Any] | None, ...]


class DeviceFilter(NamedTuple):
    """A filter for many samples at once.

    `prepare` turns the parameters (N,) of all samples, 0 where the filter does not act, into arrays
    for the device; `run` takes floats (N, C, H, W) and these arrays.
    """

    prepare: Callable[..., dict[str, Array]]
    run: Callable[[Tensor, Numbers], Tensor]


Spec = HostCalls | Calls | tuple[str, tuple[int, ...]]  # the last: a name, and its sizes


# --- preparing -------------------------------------------------------------------------------


def prepared(stage: Filter, samples: int) -> tuple[Spec, dict[str, Array]]:
    """Prepare a filter: its spec, and the numbers of all samples."""
    if stage.host_only:
        run = [partial(_host_filter, stage.name, stage.numbers_of(i)) for i in range(samples)]
        return HostCalls(stage.name, _acting(stage, run)), {}
    active = batched(stage.active)
    parameters = {name: batched(values) for name, values in stage.parameters.items()}
    if stage.name == "median_blur":
        sizes = np.where(active, parameters["size"], 1).astype(np.int64)
        return ("median_blur", tuple(np.unique(sizes).tolist())), {"size": sizes}
    if stage.name not in DEVICE:
        numbers = [stage.numbers_of(i) for i in range(samples)]
        return Calls(layer_one("tensor", stage.name), _acting(stage, numbers)), {}
    values = {name: np.where(active, value, 0) for name, value in parameters.items()}
    return (stage.name, ()), DEVICE[stage.name].prepare(**values)


def prepared_call(stage: Call, samples: int) -> HostCalls:
    """Prepare a Python function."""
    run = [partial(_host_call, stage.function, stage.numbers_of(i)) for i in range(samples)]
    return HostCalls(stage.name, _acting(stage, run))


def _acting(stage: Filter | Call, values: list[Any]) -> tuple[Any, ...]:
    """Return the values of the samples that a stage acts on; None in place of the others."""
    return tuple(value if stage.acts(i) else None for i, value in enumerate(values))


def _host_filter(name: str, numbers: dict[str, Any], image: Array) -> Array:
    return array.find(name)(image[None], **numbers)[0]


def _host_call(
    function: Callable[[Array, dict[str, Any]], Array], numbers: dict[str, Any], image: Array
) -> Array:
    return function(image, numbers)


def _motion_taps(size: Array, degrees: Array) -> dict[str, Array]:
    widest = max(int(size.max()), 1)
    taps = np.zeros((len(size), widest, widest))
    for row, (count, angle) in enumerate(zip(size.tolist(), degrees.tolist(), strict=True)):
        start = (widest - int(count)) // 2
        inner = slice(start, start + int(count))
        taps[row, inner, inner] = kernel("motion", size=int(count), angle=angle) if count else 0
    return {"taps": taps}


def _blended_taps(weights: Array, taps: Any, rest: Array) -> dict[str, Array]:
    """Return 3x3 taps (N, 3, 3): weighted ones, and the rest in the middle."""
    return {"taps": weights[:, None, None] * np.asarray(taps) + rest[:, None, None] * CENTER}


# --- running ---------------------------------------------------------------------------------


def run(x: Tensor, spec: Spec, numbers: Numbers, dtype: torch.dtype) -> Tensor:
    """Run a filter on ``(N, C, H, W)`` floats in the units of `dtype`; results may leave its range.

    Where the filter does not act on a sample, the result is not used.
    """
    if isinstance(spec, HostCalls):
        return on_host(x, spec, dtype)
    if isinstance(spec, Calls):
        return _one_by_one(x, spec, dtype)
    name, sizes = spec
    if name == "median_blur":
        return _medians(x, sizes, numbers["size"])
    return DEVICE[name].run(x, numbers)


def on_host(x: Tensor, calls: HostCalls, dtype: torch.dtype) -> Tensor:
    """Run functions of images of `dtype` on the host; waits for the device."""
    refuse_gradient(x, calls.name)
    held = dtype if dtype in HELD else torch.float32
    images = x.detach().to(held).permute(0, 2, 3, 1).cpu().numpy()
    results = images.copy()
    for image, result, function in zip(images, results, calls.functions, strict=True):
        if function is not None:
            result[...] = function(np.array(image, order="C"))
    return torch.from_numpy(results).to(x.device).permute(0, 3, 1, 2).to(x.dtype)


def _one_by_one(x: Tensor, calls: Calls, dtype: torch.dtype) -> Tensor:
    """Run a layer-one function sample by sample, in the dtype of the image."""
    images = x.to(dtype) if full_range(dtype) > 1 else x
    with native():
        results = [
            image if numbers is None else calls.function(image, **numbers)
            for image, numbers in zip(images.split(1), calls.numbers, strict=True)
        ]
    return torch.cat(results).to(x.dtype)


def _medians(x: Tensor, sizes: tuple[int, ...], size_of: Tensor) -> Tensor:
    """Take medians, one size of the batch after the other."""
    result = x
    for size in sizes:
        if size > 1:
            own = (size_of == size)[:, None, None, None]
            result = torch.where(own, blur.medians(x, size), result)
    return result


def _box(x: Tensor, numbers: Numbers) -> Tensor:
    line = numbers["line"].to(x.dtype)
    radius = line.shape[-1] // 2
    framed = margin(x, radius, "reflect", 0.0)
    return blur.window_means(framed, (line, line), numbers["area"].to(x.dtype)[:, None, None, None])


def _box_lines(size: Array) -> dict[str, Array]:
    size = np.maximum(size.astype(np.int64), 1)
    radius = int(size.max()) // 2
    distance = np.abs(np.arange(-radius, radius + 1))
    return {"line": (distance <= size[:, None] // 2).astype(np.float64), "area": size**2.0}


def _dense(x: Tensor, numbers: Numbers) -> Tensor:
    """Correlate each sample with its taps (N, K, K)."""
    taps = numbers["taps"]
    count, channels, height, width = x.shape
    planes = margin(x, taps.shape[-1] // 2, "reflect", 0.0).flatten(0, 1)[None]
    weight = taps.to(x.dtype).repeat_interleave(channels, dim=0)[:, None]
    return depthwise(planes, weight, (1, 1), (1, 1)).reshape(count, channels, height, width)


def _sharpness(x: Tensor, numbers: Numbers) -> Tensor:
    """Blend with the smoothed image; the outermost pixels stay."""
    if min(x.shape[2:]) < 3:
        return x
    inner = torch.zeros(x.shape[2:], dtype=torch.bool, device=x.device)
    inner[1:-1, 1:-1] = True
    return torch.where(inner, _dense(x, numbers), x)


def _nothing() -> dict[str, Array]:
    return {}


DEVICE: dict[str, DeviceFilter] = {
    "gaussian_blur": DeviceFilter(
        lambda sigma: {"taps": gaussian_taps_of_each(sigma)[0]},
        lambda x, numbers: blur.separable(x, numbers["taps"].to(x.dtype)),
    ),
    "sharpen": DeviceFilter(
        lambda amount: {"taps": gaussian_taps_of_each(np.ones(1))[0][0], "amount": amount},
        lambda x, numbers: blur.sharpened(
            x, numbers["taps"].to(x.dtype), numbers["amount"].to(x.dtype)[:, None, None, None]
        ),
    ),
    "box_blur": DeviceFilter(_box_lines, _box),
    "motion_blur": DeviceFilter(_motion_taps, _dense),
    "emboss": DeviceFilter(lambda strength: _blended_taps(strength, EMBOSS, 1 - strength), _dense),
    "sharpness": DeviceFilter(lambda factor: _blended_taps(1 - factor, SMOOTH, factor), _sharpness),
    "sobel": DeviceFilter(_nothing, lambda x, _: edges.slope(x, "sobel")),
    "sobel_normalized": DeviceFilter(_nothing, lambda x, _: edges.slope(x, "sobel", 1 / 8)),
    "laplacian": DeviceFilter(_nothing, lambda x, _: edges.curvature(x, 4).abs()),
}
