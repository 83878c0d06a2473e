"""Turns the stages of a plan into steps for a device: what is fixed, and numbers to upload.

NumPy alone, all samples at once. A `Step` has the shape of the work in `how`, which is hashable
and holds nothing of one sample, and one array of numbers for each name.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit import draws
from imgkit.backends.tensor.color_pass import curve_parts
from imgkit.backends.tensor.plan_filters import filter_numbers
from imgkit.backends.tensor.plan_resample import Resampling
from imgkit.backends.tensor.positions import Link, Path
from imgkit.geometry import resolve_batch as resolve
from imgkit.geometry.resolve_batch import FIELD, RESIZE, Maps

Array = npt.NDArray[Any]
Numbers = dict[str, Array]


class Step(NamedTuple):
    """One stage: what to run, how, and its numbers."""

    kind: str
    how: Any
    numbers: Numbers


class Canvas(NamedTuple):
    """What a stage works on."""

    samples: int
    channels: int
    size: tuple[int, int]
    top: float  # the value of full intensity
    integer: bool


def steps(stages: Sequence[Any], canvas: Canvas) -> tuple[Step, ...]:
    """Prepare stages whose sizes are the same for all samples."""
    found = []
    for stage in stages:
        step = PREPARE[stage.kind](stage, canvas)
        if step is not None:
            found.append(step)
        if stage.kind == "resample":
            canvas = canvas._replace(size=uniform(stage.out_size))
    return tuple(found)


def uniform(size: Any) -> tuple[int, int]:
    """Return the one size of all samples."""
    height, width = (int(np.max(side)) for side in size)
    return height, width


# --- geometry ------------------------------------------------------------------------------


def _resample(stage: Any, canvas: Canvas) -> Step:
    maps = resolve.resolve_batch(stage.geometric_steps, canvas.samples, canvas.channels)
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
        path, own = make(stage, canvas, _rows(maps, rows), rows, out_size)
        paths.append(path)
        own = own if len(groups) == 1 else own | {"rows": rows}
        numbers |= {f"{place}.{name}": array for name, array in own.items()}
    if len(groups) > 1:
        numbers["order"] = np.argsort(np.concatenate([rows for _, rows in groups]))
    return Step("resample", Resampling(tuple(paths)), numbers)


def _rows(maps: Maps, rows: Array) -> Maps:
    """Return the maps of some samples."""
    shared = ("interpolation", "canvas_fills")
    parts: dict[str, Any] = maps._asdict()
    return Maps(**{name: v if name in shared else v[rows] for name, v in parts.items()})


def _levels(fill: Any, canvas: Canvas) -> Array:
    """Return fills in the image's own units, whole where it holds integers."""
    values = np.asarray(fill, np.float64) * canvas.top
    return np.rint(values) if canvas.integer else values


def _codes(codes: Array) -> tuple[int, ...]:
    return tuple(np.unique(codes).tolist())


def _reading(maps: Maps, canvas: Canvas) -> tuple[dict[str, Any], Numbers]:
    """Prepare what every path reads: the window, its border and the pad around it."""
    low, high = maps.window[:, :2], maps.window[:, :2] + maps.window[:, 2:]
    beyond = bool((low < 0).any() or (high > canvas.size).any())
    how = {
        "interpolation": maps.interpolation,
        "borders": _codes(maps.border),
        "pads": _codes(maps.pad) if beyond else (),
    }
    numbers = {
        "window": maps.window,
        "border": maps.border,
        "fill": _levels(maps.fill, canvas),
        "pad": maps.pad,
        "pad_fill": _levels(maps.pad_fill, canvas),
    }
    return how, numbers


def _position(
    stage: Any, canvas: Canvas, maps: Maps, rows: Array, out_size: tuple[int, int]
) -> tuple[Path, Numbers]:
    """Prepare samples that matrices point from."""
    how, numbers = _reading(maps, canvas)
    if (maps.kind == resolve.MOVE).all():
        how["interpolation"] = "nearest"
    inverse = resolve.inverses(maps)
    numbers["inverse"] = inverse
    sigma = resolve.sigmas(maps, inverse)
    if sigma.any():
        (taps_x, wide), (taps_y, tall) = (resolve.gaussians(s) for s in sigma.T)
        numbers |= {"taps_x": taps_x, "taps_y": taps_y}
        how["reach"] = int(tall.max()), int(wide.max())
        how["resized"] = tuple(maps.window[:, 2:].max(axis=0).tolist())
    used = np.flatnonzero(maps.cuts.any(axis=0))
    if used.size:
        cuts = maps.cuts[:, used]
        numbers["canvases"] = np.where(cuts[..., None, None], maps.canvases[:, used], np.eye(3))
        sizes = maps.canvas_sizes[:, used].astype(np.float64)
        numbers["canvas_sizes"] = np.where(cuts[..., None], sizes, resolve.ENDLESS)
        fills = _levels(maps.canvas_fills[used], canvas)
        numbers["canvas_fills"] = np.broadcast_to(fills, (len(rows), *fills.shape))
    return Path("position", out_size, cuts=len(used), **how), numbers


def _resize(
    stage: Any, canvas: Canvas, maps: Maps, rows: Array, out_size: tuple[int, int]
) -> tuple[Path, Numbers]:
    """Prepare samples whose window is resized with antialiasing."""
    how, numbers = _reading(maps, canvas)
    numbers |= {"resized": maps.resized, "move": np.rint(np.linalg.inv(maps.move))}
    reach = 2 if maps.interpolation == "bicubic" else 1
    stretch = np.maximum(maps.window[:, 2:] / maps.resized, 1.0).max(axis=0)
    taps = tuple(2 * math.ceil(reach * s) for s in stretch.tolist())
    moves = bool((maps.move != np.eye(3)).any() or (maps.resized != out_size).any())
    resized = tuple(maps.resized.max(axis=0).tolist())
    cut = canvas.integer and maps.interpolation == "bicubic"
    return Path("resize", out_size, resized=resized, taps=taps, antialias=True,
                moves=moves, top=canvas.top if cut else None, **how), numbers  # fmt: skip


def _field(
    stage: Any, canvas: Canvas, maps: Maps, rows: Array, out_size: tuple[int, int]
) -> tuple[Path, Numbers]:
    """Prepare samples that follow displacement fields, hop by hop backward."""
    how, numbers = _reading(maps, canvas)
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
            fill = np.broadcast_to(_levels(step.fill, canvas), (len(rows), canvas.channels))
            own |= {
                "canvas": np.tile(np.array(size, np.float64), (len(rows), 1)),
                "cuts": cuts,
                "fill": fill,
            }
        numbers |= {f"link{len(links)}.{name}": array for name, array in own.items()}
        links.append(link._replace(cuts=bool(cuts.any())))
    numbers[f"link{len(links)}.inverse"] = np.linalg.inv(maps.entering)
    links.append(Link("matrix", canvas.size, False))
    return Path("field", out_size, links=tuple(links), **how), numbers


def _link(step: Any, rows: Array, mine: Array, size: tuple[int, int]) -> tuple[Link, Numbers]:
    """Prepare one hop of a run with fields."""
    if step.matrix is not None:
        inverse = np.linalg.inv(np.broadcast_to(step.matrix, (*step.matrix.shape,))[rows])
        return Link("matrix", size, False), {
            "inverse": np.where(mine[:, None, None], inverse, np.eye(3))
        }
    field = step.field
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


def _color(stage: Any, canvas: Canvas) -> Step:
    steps = stage.steps
    active = (steps != COLOR_IDENTITY).any(axis=(1, 2, 3))
    weights, means, offsets = steps[..., :3], steps[..., 3:6], steps[..., 6] * canvas.top
    if canvas.channels == 1:
        weights = weights.sum(axis=(2, 3), keepdims=True) / 3
        means = means.sum(axis=(2, 3), keepdims=True) / 3
        offsets = offsets.mean(axis=2, keepdims=True)
    elif canvas.channels != 3:  # the one factor that other channels allow
        weights, means, offsets = weights[:, :, :1, :1], 0 * means[:, :, :1, :1], offsets[:, :, :1]
    reads_means = tuple(means.any(axis=(0, 2, 3)).tolist())
    numbers = {"weights": weights, "means": means, "offsets": offsets, "active": active}
    return Step("color", reads_means, numbers)


COLOR_IDENTITY = np.concatenate([np.eye(3), np.zeros((3, 4))], axis=1)


def _hue(stage: Any, canvas: Canvas) -> Step | None:
    return None if canvas.channels != 3 else Step("hue", None, {"shift": stage.shift})


def _curve(stage: Any, canvas: Canvas) -> Step:
    how, numbers = curve_parts(stage, canvas.top, canvas.integer)
    return Step("curve", how, numbers)


def _filter(stage: Any, canvas: Canvas) -> Step:
    how, numbers = filter_numbers(stage, canvas.samples)
    return Step("filter", (stage.name, how), numbers | {"active": stage.active})


def _noise(stage: Any, canvas: Canvas) -> Step:
    amount = np.where(stage.active, stage.amount, 0.0)
    numbers = {
        "key": np.ascontiguousarray(stage.key, np.uint64).view(np.int64),
        "active": amount != 0,
    }
    if stage.name == "gaussian":
        return Step(
            "noise",
            stage.name,
            numbers | {"amount": amount * canvas.top, "table": draws.normal_table()},
        )
    return Step("noise", stage.name, numbers | {"amount": np.rint(amount * 32768).astype(np.int64)})


def _erase(stage: Any, canvas: Canvas) -> Step:
    fill = np.broadcast_to(_levels(stage.fill, canvas), (canvas.channels,))
    return Step("erase", None, {"rectangles": stage.rectangles.astype(np.int64), "fill": fill})


def _mix(stage: Any, canvas: Canvas) -> Step:
    branches = [steps(branch, canvas) for branch in stage.branches]
    numbers = {"weights": stage.weights, "active": stage.weights[:, 0] != 1}
    for place, branch in enumerate(branches):
        for index, step in enumerate(branch):
            numbers |= {f"{place}.{index}.{k}": v for k, v in step.numbers.items()}
    return Step(
        "mix", tuple(tuple((s.kind, s.how) for s in branch) for branch in branches), numbers
    )


def _normalize(stage: Any, canvas: Canvas) -> Step | None:
    if not stage.to_float:
        return None  # tensors have their channels first
    std = np.broadcast_to(stage.std, (canvas.channels,))
    offset = -np.broadcast_to(stage.mean, (canvas.channels,)) / std
    return Step("normalize", None, {"scale": 1 / (std * canvas.top), "offset": offset})


PREPARE: dict[str, Any] = {
    "resample": _resample,
    "color": _color,
    "hue": _hue,
    "curve": _curve,
    "filter": _filter,
    "noise": _noise,
    "erase": _erase,
    "mix": _mix,
    "normalize": _normalize,
}
