"""Turns the stages of a plan into stages for a device: fixed specs, and numbers to upload.

NumPy alone, all samples at once. The `spec` of a `DeviceStage` is the shape of the work; it holds
nothing of one sample, except for functions that run on the host. `numbers` has one array a name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from imgkit import draws
from imgkit.backends.tensor import filters
from imgkit.backends.tensor.color_pass import prepared_curves
from imgkit.backends.tensor.plan_resample import Resampling
from imgkit.backends.tensor.primitives.positions import Link, Path
from imgkit.geometry import resolve_batch as resolve
from imgkit.geometry.resolve_batch import FIELD, RESIZE, Maps
from imgkit.image import Array
from imgkit.kernels import gaussian_taps_of_each
from imgkit.stages import (
    IDENTITY_STEP,
    Call,
    Color,
    Curve,
    Erase,
    Filter,
    GeometricStep,
    Hue,
    Mix,
    Noise,
    Normalize,
    Resample,
    Size,
    Stage,
    batched,
)

Numbers = dict[str, Array]


class DeviceStage(NamedTuple):
    """One stage: its kind, its spec and its numbers."""

    kind: str
    spec: Any
    numbers: Numbers


class BatchShape(NamedTuple):
    """The batch that a stage works on."""

    samples: int
    channels: int
    size: tuple[int, int]
    top: float  # the value of full intensity
    integer: bool


def device_stages(stages: Sequence[Stage], shape: BatchShape) -> tuple[DeviceStage, ...]:
    """Prepare stages whose sizes are the same for all samples."""
    prepared = []
    for stage in stages:
        result = prepare(stage, shape)
        if result is not None:
            prepared.append(result)
        if isinstance(stage, Resample):
            shape = shape._replace(size=uniform(stage.out_size))
    return tuple(prepared)


def prepare(stage: Stage, shape: BatchShape) -> DeviceStage | None:
    """Prepare one stage; None if it changes nothing in such a batch."""
    result: DeviceStage | None = PREPARE[stage.kind](stage, shape)
    return result


def uniform(size: Size) -> tuple[int, int]:
    """Return the one size of all samples."""
    height, width = (int(np.max(side)) for side in size)
    return height, width


# --- geometry ------------------------------------------------------------------------------


def _resample(stage: Resample, shape: BatchShape) -> DeviceStage:
    maps = resolve.resolve_batch(stage.geometric_steps, shape.samples, shape.channels)
    out_size = uniform(stage.out_size)
    smooth = (maps.kind == RESIZE) & maps.antialias & (maps.interpolation != "nearest")
    groups = [
        (_field, maps.kind == FIELD),
        (_resize, smooth),
        (_position, (maps.kind != FIELD) & ~smooth),
    ]
    groups = [(make, np.flatnonzero(mine)) for make, mine in groups if mine.any()]
    paths: list[Path] = []
    numbers: Numbers = {}
    for place, (make, rows) in enumerate(groups):
        path, own = make(stage, shape, _rows(maps, rows), rows, out_size)
        paths.append(path)
        own = own if len(groups) == 1 else own | {"rows": rows}
        numbers |= {f"{place}.{name}": array for name, array in own.items()}
    if len(groups) > 1:
        numbers["order"] = np.argsort(np.concatenate([rows for _, rows in groups]))
    return DeviceStage("resample", Resampling(tuple(paths)), numbers)


def _rows(maps: Maps, rows: Array) -> Maps:
    """Return the maps of some samples."""
    shared = ("interpolation", "canvas_fills")
    columns: dict[str, Any] = maps._asdict()
    return Maps(**{name: v if name in shared else v[rows] for name, v in columns.items()})


def _levels(fill: Any, shape: BatchShape) -> Array:
    """Return fills in the image's own units, whole where it holds integers."""
    values = np.asarray(fill, np.float64) * shape.top
    return np.rint(values) if shape.integer else values


def _codes(codes: Array) -> tuple[int, ...]:
    return tuple(np.unique(codes).tolist())


def _source_numbers(maps: Maps, shape: BatchShape) -> tuple[dict[str, Any], Numbers]:
    """Prepare the numbers of every path: the window, its border and the pad around it."""
    low, high = maps.window[:, :2], maps.window[:, :2] + maps.window[:, 2:]
    beyond = bool((low < 0).any() or (high > shape.size).any())
    spec = {
        "interpolation": maps.interpolation,
        "borders": _codes(maps.border),
        "pads": _codes(maps.pad) if beyond else (),
    }
    numbers = {
        "window": maps.window,
        "border": maps.border,
        "fill": _levels(maps.fill, shape),
        "pad": maps.pad,
        "pad_fill": _levels(maps.pad_fill, shape),
    }
    return spec, numbers


def _position(
    stage: Resample, shape: BatchShape, maps: Maps, rows: Array, out_size: tuple[int, int]
) -> tuple[Path, Numbers]:
    """Prepare samples that matrices point from."""
    spec, numbers = _source_numbers(maps, shape)
    if (maps.kind == resolve.MOVE).all():
        spec["interpolation"] = "nearest"
    inverse = resolve.inverses(maps)
    numbers["inverse"] = inverse
    sigma = resolve.sigmas(maps, inverse)
    if sigma.any():
        (taps_x, wide), (taps_y, tall) = (gaussian_taps_of_each(s) for s in sigma.T)
        numbers |= {"taps_x": taps_x, "taps_y": taps_y}
        spec["reach"] = int(tall.max()), int(wide.max())
        spec["resized"] = tuple(maps.window[:, 2:].max(axis=0).tolist())
    used = np.flatnonzero(maps.cuts.any(axis=0))
    if used.size:
        cuts = maps.cuts[:, used]
        numbers["canvases"] = np.where(cuts[..., None, None], maps.canvases[:, used], np.eye(3))
        sizes = maps.canvas_sizes[:, used].astype(np.float64)
        numbers["canvas_sizes"] = np.where(cuts[..., None], sizes, resolve.ENDLESS)
        fills = _levels(maps.canvas_fills[used], shape)
        numbers["canvas_fills"] = np.broadcast_to(fills, (len(rows), *fills.shape))
    return Path("position", out_size, cuts=len(used), **spec), numbers


def _resize(
    stage: Resample, shape: BatchShape, maps: Maps, rows: Array, out_size: tuple[int, int]
) -> tuple[Path, Numbers]:
    """Prepare samples whose window is resized with antialiasing."""
    spec, numbers = _source_numbers(maps, shape)
    numbers |= {"resized": maps.resized, "move": np.rint(np.linalg.inv(maps.move))}
    reach = 2 if maps.interpolation == "bicubic" else 1
    stretch = np.maximum(maps.window[:, 2:] / maps.resized, 1.0).max(axis=0)
    taps = tuple(2 * math.ceil(reach * s) for s in stretch.tolist())
    moves = bool((maps.move != np.eye(3)).any() or (maps.resized != out_size).any())
    resized = tuple(maps.resized.max(axis=0).tolist())
    cut = shape.integer and maps.interpolation == "bicubic"
    return Path("resize", out_size, resized=resized, taps=taps, antialias=True,
                moves=moves, top=shape.top if cut else None, **spec), numbers  # fmt: skip


def _field(
    stage: Resample, shape: BatchShape, maps: Maps, rows: Array, out_size: tuple[int, int]
) -> tuple[Path, Numbers]:
    """Prepare samples that follow displacement fields, step by step backward."""
    spec, numbers = _source_numbers(maps, shape)
    links: list[Link] = []
    for place in range(len(stage.geometric_steps) - 1, -1, -1):
        step, mine = stage.geometric_steps[place], maps.rest[:, place]
        if not mine.any():
            continue
        size = uniform(step.in_size)
        cuts = (
            (step.kind == "warp" or bool(step.outside)) & mine & (maps.rest.argmax(axis=1) < place)
        )
        link, own = _link(step, rows, mine, size)
        if cuts.any():
            fill = np.broadcast_to(_levels(step.fill, shape), (len(rows), shape.channels))
            own |= {
                "canvas": np.tile(np.array(size, np.float64), (len(rows), 1)),
                "cuts": cuts,
                "fill": fill,
            }
        numbers |= {f"link{len(links)}.{name}": array for name, array in own.items()}
        links.append(link._replace(cuts=bool(cuts.any())))
    numbers[f"link{len(links)}.inverse"] = np.linalg.inv(maps.entering)
    links.append(Link("matrix", shape.size, False))
    return Path("field", out_size, links=tuple(links), **spec), numbers


def _link(
    step: GeometricStep, rows: Array, mine: Array, size: tuple[int, int]
) -> tuple[Link, Numbers]:
    """Prepare one step of a run with fields."""
    if step.matrix is not None:
        inverse = np.linalg.inv(batched(step.matrix)[rows])
        return Link("matrix", size, False), {
            "inverse": np.where(mine[:, None, None], inverse, np.eye(3))
        }
    field = step.field
    assert field is not None  # a step has a matrix or a field
    if field.kind == "grid":
        nodes = np.where(mine[:, None, None, None], field.nodes[rows], 0.0)
        rows_of, columns_of = (_hats(n, k) for n, k in zip(size, nodes.shape[1:3], strict=True))
        return Link("grid", size, False), {"rows": rows_of, "columns": columns_of, "nodes": nodes}
    spacing = np.maximum(field.smoothness[rows] * np.sqrt(3.0), 1.0)
    lattice = np.stack(
        [np.ceil((side - 1) / spacing).astype(np.int64) + 3 for side in size], axis=1
    )
    numbers = {
        "amount": np.where(mine, field.amount[rows], 0.0),
        "spacing": spacing,
        "lattice": lattice,
        "key": field.key[rows].astype(np.uint64).view(np.int64),
    }
    most = lattice.max(axis=0).tolist()
    return Link("elastic", size, False, (most[0], most[1])), numbers


def _hats(length: int, nodes: int) -> Array:
    """Return linear weights (length, nodes) of nodes from the first to the last pixel."""
    t = np.arange(length) * (nodes - 1) / max(length - 1, 1)
    return np.clip(1 - np.abs(t[:, None] - np.arange(nodes)), 0, None)


# --- pixels one by one -----------------------------------------------------------------------


def _color(stage: Color, shape: BatchShape) -> DeviceStage:
    steps = batched(stage.steps)
    active = (steps != IDENTITY_STEP).any(axis=(1, 2, 3))
    weights, means, offsets = steps[..., :3], steps[..., 3:6], steps[..., 6] * shape.top
    if shape.channels == 1:
        weights = weights.sum(axis=(2, 3), keepdims=True) / 3
        means = means.sum(axis=(2, 3), keepdims=True) / 3
        offsets = offsets.mean(axis=2, keepdims=True)
    elif shape.channels != 3:  # the one factor that other channels allow
        weights, means, offsets = weights[:, :, :1, :1], 0 * means[:, :, :1, :1], offsets[:, :, :1]
    reads_means = tuple(np.asarray(means.any(axis=(0, 2, 3))).tolist())
    numbers = {"weights": weights, "means": means, "offsets": offsets, "active": active}
    return DeviceStage("color", reads_means, numbers)


def _hue(stage: Hue, shape: BatchShape) -> DeviceStage | None:
    return (
        None if shape.channels != 3 else DeviceStage("hue", None, {"shift": batched(stage.shift)})
    )


def _curve(stage: Curve, shape: BatchShape) -> DeviceStage:
    spec, numbers = prepared_curves(stage, shape.top, shape.integer)
    return DeviceStage("curve", spec, numbers)


def _filter(stage: Filter, shape: BatchShape) -> DeviceStage:
    spec, numbers = filters.prepared(stage, shape.samples)
    return DeviceStage("filter", spec, numbers | {"active": batched(stage.active)})


def _call(stage: Call, shape: BatchShape) -> DeviceStage:
    spec = filters.prepared_call(stage, shape.samples)
    return DeviceStage("call", spec, {"active": batched(stage.active)})


def _noise(stage: Noise, shape: BatchShape) -> DeviceStage:
    amount = np.where(stage.active, stage.amount, 0.0)
    numbers = {
        "key": np.ascontiguousarray(stage.key, np.uint64).view(np.int64),
        "active": amount != 0,
    }
    if stage.name == "gaussian":
        numbers |= {"amount": amount * shape.top, "table": draws.normal_table()}
    else:
        numbers |= {"amount": np.rint(amount * 32768).astype(np.int64)}
    return DeviceStage("noise", stage.name, numbers)


def _erase(stage: Erase, shape: BatchShape) -> DeviceStage:
    fill = np.broadcast_to(_levels(stage.fill, shape), (shape.channels,))
    return DeviceStage(
        "erase", None, {"rectangles": batched(stage.rectangles).astype(np.int64), "fill": fill}
    )


def _mix(stage: Mix, shape: BatchShape) -> DeviceStage:
    branches = [device_stages(branch, shape) for branch in stage.branches]
    numbers = {"weights": stage.weights, "active": stage.weights[:, 0] != 1}
    for place, branch in enumerate(branches):
        for index, inner in enumerate(branch):
            numbers |= {f"{place}.{index}.{name}": v for name, v in inner.numbers.items()}
    specs = tuple(tuple((inner.kind, inner.spec) for inner in branch) for branch in branches)
    return DeviceStage("mix", specs, numbers)


def _normalize(stage: Normalize, shape: BatchShape) -> DeviceStage | None:
    if not stage.to_float:
        return None  # tensors have their channels first
    std = np.broadcast_to(stage.std, (shape.channels,))
    offset = -np.broadcast_to(stage.mean, (shape.channels,)) / std
    return DeviceStage("normalize", None, {"scale": 1 / (std * shape.top), "offset": offset})


PREPARE: dict[str, Callable[..., DeviceStage | None]] = {
    "resample": _resample,
    "color": _color,
    "hue": _hue,
    "curve": _curve,
    "filter": _filter,
    "call": _call,
    "noise": _noise,
    "erase": _erase,
    "mix": _mix,
    "normalize": _normalize,
}
