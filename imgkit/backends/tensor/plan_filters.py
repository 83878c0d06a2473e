"""Neighborhood filters of a batch, each sample with its own taps.

JPEG and CLAHE have no device kernel (`device.HOST_FILTERS`): the batch moves to the host and back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from imgkit.backends.cuda.capability import HOST_FILTERS
from imgkit.backends.tensor.blur import MEDIAN_VALUES
from imgkit.backends.tensor.gather import fold
from imgkit.backends.tensor.pixels import along, depthwise, length
from imgkit.geometry.resolve_batch import CODES, gaussians
from imgkit.kernels import EMBOSS, kernel

Array = npt.NDArray[Any]
Numbers = dict[str, Tensor]

SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
CENTER = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]])


# --- numbers ---------------------------------------------------------------------------------


def filter_numbers(stage: Any, samples: int) -> tuple[Any, dict[str, Array]]:
    """Prepare a filter: what is fixed, and each sample's taps."""
    active = stage.active
    values = {name: np.where(active, value, 0) for name, value in stage.parameters.items()}
    if stage.name in HOST_FILTERS:
        names = tuple(values)
        return tuple(zip(*(values[n].tolist() for n in names), active.tolist(), strict=True)), {}
    if stage.name == "median_blur":
        sizes = np.where(active, stage.parameters["size"], 1)
        return tuple(np.unique(sizes).tolist()), {"size": sizes.astype(np.int64)}
    make = NUMBERS.get(stage.name)
    return None, {} if make is None else make(**values)


def _box(size: Array) -> dict[str, Array]:
    size = np.maximum(size.astype(np.int64), 1)
    radius = int(size.max()) // 2
    at = np.abs(np.arange(-radius, radius + 1))
    return {"taps": (at <= size[:, None] // 2) / size[:, None]}


def _motion(size: Array, degrees: Array) -> dict[str, Array]:
    widest = max(int(size.max()), 1)
    taps = np.zeros((len(size), widest, widest))
    for row, (count, angle) in enumerate(zip(size.tolist(), degrees.tolist(), strict=True)):
        start = (widest - int(count)) // 2
        inner = slice(start, start + int(count))
        taps[row, inner, inner] = kernel("motion", size=int(count), angle=angle) if count else 0
    return {"taps": taps}


def _three(weights: Array, taps: Any, rest: Array) -> dict[str, Array]:
    """Return 3x3 taps (N, 3, 3): weighted ones, and the rest in the middle."""
    return {"taps": weights[:, None, None] * np.asarray(taps) + rest[:, None, None] * CENTER}


NUMBERS: dict[str, Callable[..., dict[str, Array]]] = {
    "gaussian_blur": lambda sigma: {"taps": gaussians(sigma)[0]},
    "box_blur": _box,
    "motion_blur": _motion,
    "sharpen": lambda amount: {"taps": gaussians(np.ones(1))[0], "amount": amount},
    "sharpness": lambda factor: _three(1 - factor, SMOOTH, factor),
    "emboss": lambda strength: _three(strength, EMBOSS, 1 - strength),
}


# --- filters ---------------------------------------------------------------------------------


def _mirrored(x: Tensor, radius: int) -> Tensor:
    """Continue H and W by mirroring, the edge pixel not repeated."""
    if radius == 0:
        return x
    for axis in (2, 3):
        count = x.shape[axis]
        index = torch.arange(-radius, count + radius, device=x.device)
        x = x.index_select(axis, fold(index, torch.full_like(index, count), CODES["reflect"]))
    return x


def _separable(x: Tensor, taps: Tensor) -> Tensor:
    """Correlate rows and columns with taps (K,), or (N, K) of each sample."""
    taps = taps.to(x.dtype)
    framed = _mirrored(x, taps.shape[-1] // 2)
    return along(along(framed, taps, 3), taps, 2)


def _dense(x: Tensor, taps: Tensor) -> Tensor:
    """Correlate each sample with its taps (N, K, K)."""
    count, channels, height, width = x.shape
    planes = _mirrored(x, taps.shape[-1] // 2).flatten(0, 1)[None]
    weight = taps.to(x.dtype).repeat_interleave(channels, dim=0)[:, None]
    return depthwise(planes, weight, (1, 1), (1, 1)).reshape(count, channels, height, width)


def _sharpen(x: Tensor, numbers: Numbers) -> Tensor:
    blurred = _separable(x, numbers["taps"][0])
    return x + numbers["amount"].to(x.dtype)[:, None, None, None] * (x - blurred)


def _sharpness(x: Tensor, numbers: Numbers) -> Tensor:
    """Blend with the smoothed image; the outermost pixels stay."""
    if min(x.shape[2:]) < 3:
        return x
    inner = torch.zeros(x.shape[2:], dtype=torch.bool, device=x.device)
    inner[1:-1, 1:-1] = True
    return torch.where(inner, _dense(x, numbers["taps"]), x)


def _sobel(x: Tensor, scale: float) -> Tensor:
    p = _mirrored(x, 1)
    down = p[:, :, :-2] + 2 * p[:, :, 1:-1] + p[:, :, 2:]
    across = p[..., :-2] + 2 * p[..., 1:-1] + p[..., 2:]
    gx, gy = down[..., 2:] - down[..., :-2], across[:, :, 2:] - across[:, :, :-2]
    return length(gx * scale, gy * scale)


def _laplacian(x: Tensor) -> Tensor:
    p = _mirrored(x, 1)
    around = p[:, :, :-2, 1:-1] + p[:, :, 2:, 1:-1] + p[:, :, 1:-1, :-2] + p[:, :, 1:-1, 2:]
    return (around - 4 * x).abs()


def _median(x: Tensor, sizes: tuple[int, ...], numbers: Numbers) -> Tensor:
    """Take medians, one size of the batch after the other."""
    result = x
    for size in sizes:
        if size > 1:
            step = max(1, MEDIAN_VALUES // (size * size * x[0].numel()))
            parts = [
                part.unfold(2, size, 1).unfold(3, size, 1).flatten(4).median(dim=-1).values
                for part in _mirrored(x, size // 2).split(step)
            ]
            mine = (numbers["size"] == size)[:, None, None, None]
            result = torch.where(mine, torch.cat(parts), result)
    return result


def _on_host(name: str, x: Tensor, calls: Any, dtype: torch.dtype) -> Tensor:
    """Run a filter that the array backend alone has; waits for the device."""
    from imgkit.backends.array import plan
    from imgkit.backends.tensor.numpy_view import HELD

    if x.requires_grad:
        raise ValueError(
            f"x requires a gradient: {name} runs on the host and has none; pass x.detach()"
        )
    images = x.to(dtype if dtype in HELD else torch.float32).permute(0, 2, 3, 1).cpu().numpy()
    done = images.copy()
    parameters = {"jpeg": ("quality",), "clahe": ("clip_limit", "tiles")}[name]
    for row, (*values, active) in enumerate(calls):
        if active:
            image = np.ascontiguousarray(images[row : row + 1])
            done[row] = plan.FILTERS[name](image, **dict(zip(parameters, values, strict=True)))[0]
    return torch.from_numpy(done).to(x.device).permute(0, 3, 1, 2).to(x.dtype)


def run(x: Tensor, name: str, how: Any, numbers: Numbers, dtype: torch.dtype, top: float) -> Tensor:
    """Run a filter on ``(N, C, H, W)`` floats in the units of `dtype`, clipped to its range."""
    if name in HOST_FILTERS:
        made = _on_host(name, x, how, dtype)
    elif name == "median_blur":
        made = _median(x, how, numbers)
    elif name in ("gaussian_blur", "box_blur"):
        made = _separable(x, numbers["taps"])
    elif name in ("motion_blur", "emboss"):
        made = _dense(x, numbers["taps"])
    elif name == "sharpen":
        made = _sharpen(x, numbers)
    elif name == "sharpness":
        made = _sharpness(x, numbers)
    elif name == "laplacian":
        made = _laplacian(x)
    else:
        made = _sobel(x, 1 / 8 if name == "sobel_normalized" else 1.0)
    made = made.clamp(0, top)
    made = made.round() if top > 1 else made
    return torch.where(numbers["active"][:, None, None, None], made, x)
