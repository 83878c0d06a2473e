"""Displacement fields of a batch: smooth noise and bent grids, from each sample's numbers."""

from __future__ import annotations

import torch
from torch import Tensor

from imgkit.backends.tensor.primitives import philox
from imgkit.backends.tensor.primitives.positions import Link, Numbers

LINK_NUMBERS = {
    "matrix": ("inverse",),
    "elastic": ("amount", "spacing", "lattice", "key"),
    "grid": ("rows", "columns", "nodes"),
}


def field_at(field: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return fields (N, 2, H, W) at positions (N, P): bilinear, repeated beyond their edge."""
    height, width = field.shape[2:]
    x, y = x.clamp(0, width - 1), y.clamp(0, height - 1)
    left, upper = x.floor().to(torch.int64), y.floor().to(torch.int64)
    right, lower = (left + 1).clamp(max=width - 1), (upper + 1).clamp(max=height - 1)
    part_x, part_y = (x - left)[:, None], (y - upper)[:, None]
    flat = field.flatten(2)

    def read(row: Tensor, column: Tensor) -> Tensor:
        return flat.gather(2, (row * width + column)[:, None].expand(-1, 2, -1))

    above = read(upper, left) * (1 - part_x) + read(upper, right) * part_x
    below = read(lower, left) * (1 - part_x) + read(lower, right) * part_x
    return above * (1 - part_y) + below * part_y


def elastic(link: Link, own: Numbers) -> Tensor:
    """Return the fields of smooth noise (N, 2, H, W), as `geometry.displacement` does."""
    rows, columns = link.nodes
    down, across = own["lattice"][:, :1], own["lattice"][:, 1:]  # nodes of each sample
    raw = philox.words(own["key"], 2 * rows * columns)
    row = torch.arange(2 * rows * columns, device=raw.device)
    axis = torch.div(row, rows * columns, rounding_mode="floor")
    line = torch.div(row, columns, rounding_mode="floor") % rows
    place = (axis * down + torch.minimum(line, down - 1)) * across
    place = place + torch.minimum(row % columns, across - 1)
    value = ((raw.gather(1, place) >> 40) & 0xFFFFFF).to(torch.float64) * 2.0**-23 - 1.0
    lattice = value.unflatten(1, (2, rows, columns))
    moved = lattice
    for axis, length in enumerate(link.size, 2):
        moved = _spline(moved, axis, length, own["spacing"])
    longest = moved.square().sum(dim=1).amax(dim=(1, 2)).sqrt().clamp(min=1e-12)
    return moved * (own["amount"] / longest)[:, None, None, None]


def _spline(x: Tensor, axis: int, length: int, spacing: Tensor) -> Tensor:
    """Make `length` pixels along an axis of nodes `spacing` (N,) pixels apart; four reach each."""
    pixel = torch.arange(length, device=spacing.device, dtype=torch.float64)
    position = pixel / spacing[:, None]
    first = position.floor()
    shape = list(x.shape)
    shape[axis] = length
    total: Tensor | float = 0.0
    for node in range(4):
        t = (position - first - (node - 1)).abs()
        near, far = 2 / 3 - t**2 + t**3 / 2, (2 - t).clamp(min=0) ** 3 / 6
        lies = (-1, 1, length, 1) if axis == 2 else (-1, 1, 1, length)
        place = (first.to(torch.int64) + node).clamp(max=x.shape[axis] - 1)
        weight = torch.where(t < 1, near, far).reshape(lies)
        total = total + weight * x.gather(axis, place.reshape(lies).expand(shape))
    assert isinstance(total, Tensor)
    return total


def between_nodes(own: Numbers) -> Tensor:
    """Return the fields (N, 2, H, W) between the nodes of grids."""
    return torch.einsum("hr,nrcd,wc->ndhw", own["rows"], own["nodes"], own["columns"])
