"""Moves the pixels of a batch, each sample by its own map, with torch operations alone.

Values are float32, or float64 where the image is; positions are float64.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from imgkit.backends.tensor.primitives.displacement import (
    LINK_NUMBERS,
    between_nodes,
    elastic,
    field_at,
)
from imgkit.backends.tensor.primitives.gather import floats, fold_any, interpolate, source_of
from imgkit.backends.tensor.primitives.pixels import movable
from imgkit.backends.tensor.primitives.positions import (
    Numbers,
    Path,
    blend,
    centers,
    coverage,
    transform,
)
from imgkit.geometry.resolve_batch import CODES


class Resampling(NamedTuple):
    """A resampling stage: the routes of its samples."""

    paths: tuple[Path, ...]


def resample(x: Tensor, spec: Resampling, numbers: Numbers) -> Tensor:
    """Run a resampling stage on ``(N, C, H, W)``."""
    x = movable(x)
    if len(spec.paths) == 1:
        return RUN[spec.paths[0].kind](x, spec.paths[0], _own(numbers, 0))
    results = []
    for place, path in enumerate(spec.paths):
        mine = _own(numbers, place)
        results.append(RUN[path.kind](x.index_select(0, mine["rows"]), path, mine))
    return torch.cat(results).index_select(0, numbers["order"])


def _own(numbers: Numbers, place: int) -> Numbers:
    """Return the numbers of one path."""
    prefix = f"{place}."
    return {k.removeprefix(prefix): v for k, v in numbers.items() if k.startswith(prefix)}


def _position(x: Tensor, path: Path, numbers: Numbers) -> Tensor:
    """Sample where matrices point, then let canvases cut."""
    grid = centers(path.out_size, x)
    values = interpolate(source_of(x, path, numbers), *transform(numbers["inverse"], *grid))
    for place in range(path.cuts):
        at = transform(numbers["canvases"][:, place], *grid)
        cover = coverage(*at, numbers["canvas_sizes"][:, place], path.interpolation)
        values = blend(values, cover, numbers["canvas_fills"][:, place])
    return values.unflatten(2, path.out_size)


def _resize(x: Tensor, path: Path, numbers: Numbers) -> Tensor:
    """Resize windows along their columns and rows, then move whole pixels."""
    values = floats(x)
    totals = []
    for axis in (1, 0):
        index, weight = _taps(values, path, numbers, axis, x.shape[2 + axis])
        totals.append(weight.sum(dim=2))
        values = _weighted(values, index, weight.to(values.dtype), 2 + axis)
        if path.top is not None:
            values = values.clamp(0, path.top)
    if path.pads:  # what the weights of a constant pad leave
        weight_left = 1 - totals[1][:, None, :, None] * totals[0][:, None, None, :]
        values = (
            values
            + weight_left.to(values.dtype) * numbers["pad_fill"].to(values.dtype)[..., None, None]
        )
    if not path.moves:
        return values
    column, row = transform(numbers["move"], *centers(path.out_size, x))
    place = row.round().to(torch.int64) * path.resized[1] + column.round().to(torch.int64)
    moved = values.flatten(2).gather(2, place[:, None].expand(-1, values.shape[1], -1))
    return moved.unflatten(2, path.out_size)


def _taps(x: Tensor, path: Path, numbers: Numbers, axis: int, length: int) -> tuple[Tensor, Tensor]:
    """Return the source pixels of each resized pixel and their weights, (N, m, T)."""
    start, count = (numbers["window"][:, i + axis, None, None] for i in (0, 2))
    resized = numbers["resized"][:, axis, None, None]
    reach = 2 if path.interpolation == "bicubic" else 1
    place = torch.arange(path.resized[axis], device=x.device)[None, :, None]
    scale = count / resized.to(torch.float64)
    middle = (place + 0.5) * scale - 0.5
    stretch = scale.clamp(min=1)
    first = (middle - reach * stretch + 1).floor().to(torch.int64)
    tap = first + torch.arange(path.taps[axis], device=x.device)
    distance = (tap - middle).abs() / stretch
    weight = (1 - distance).clamp(min=0) if reach == 1 else _keys(distance)
    weight = torch.where((tap >= 0) & (tap < count), weight, 0.0)
    weight = weight / weight.sum(dim=2, keepdim=True).clamp(min=1e-9)
    index = tap + start
    if not path.pads:
        return index.clamp(0, length - 1), weight
    pads = numbers["pad"][:, None, None]
    shows = (pads == CODES["constant"]) & ((index < 0) | (index >= length))
    whole = torch.full_like(start, length)
    return fold_any(index, whole, pads, path.pads), torch.where(shows, 0.0, weight)


def _keys(distance: Tensor, a: float = -0.5) -> Tensor:
    """Weigh by Keys' cubic as Pillow has it."""
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((distance - 5) * distance + 8) * distance * a - 4 * a
    return torch.where(distance <= 1, near, torch.where(distance < 2, far, 0.0))


def _weighted(x: Tensor, index: Tensor, weight: Tensor, axis: int) -> Tensor:
    """Sum the pixels along an axis of ``(N, C, H, W)`` that an output sees."""
    shape = list(x.shape)
    shape[axis] = index.shape[1]
    total: Any = 0.0
    for tap in range(index.shape[2]):
        at, weight_left = index[:, None, :, tap], weight[:, None, :, tap]
        at, weight_left = (v[..., None] if axis == 2 else v[:, :, None] for v in (at, weight_left))
        total = total + weight_left * x.gather(axis, at.expand(shape))
    return total


def _field(x: Tensor, path: Path, numbers: Numbers) -> Tensor:
    """Follow the steps of runs with displacement fields backward."""
    at_x, at_y = centers(path.out_size, x)
    at_x, at_y = at_x.expand(len(x), -1), at_y.expand(len(x), -1)
    cuts = []
    for place, link in enumerate(path.links):
        own = {k: numbers[f"link{place}.{k}"] for k in LINK_NUMBERS[link.kind]}
        if link.kind == "matrix":
            at_x, at_y = transform(own["inverse"], at_x, at_y)
        else:
            field = elastic(link, own) if link.kind == "elastic" else between_nodes(own)
            moved = field_at(field, at_x, at_y)
            at_x, at_y = at_x + moved[:, 0], at_y + moved[:, 1]
        if link.cuts:
            names = (f"link{place}.{name}" for name in ("canvas", "cuts", "fill"))
            size, cutting, fill = (numbers[name] for name in names)
            cover = coverage(at_x, at_y, size, path.interpolation)
            cuts.append((torch.where(cutting[:, None], cover, 1.0), fill))
    values = interpolate(source_of(x, path, numbers), at_x, at_y)
    for cover, fill in reversed(cuts):
        values = blend(values, cover, fill)
    return values.unflatten(2, path.out_size)


RUN = {"position": _position, "resize": _resize, "field": _field}
