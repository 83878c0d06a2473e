"""The positions where the pixels of a batch are read: paths, maps, and the cuts of canvases.

Positions are float64, as 512 pixels in float32 leave 3e-5 of a pixel.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

Numbers = dict[str, Tensor]

FAR = 1e9  # beyond any image, yet an integer
TINY = 1e-154


class Link(NamedTuple):
    """One step of a run with fields, followed backward."""

    kind: str  # "matrix", "elastic" or "grid"
    size: tuple[int, int]  # the canvas that the step reads
    cuts: bool
    nodes: tuple[int, int] = (0, 0)  # of the lattice of an elastic field, the most of any sample


class Path(NamedTuple):
    """The route of some samples of a resampling stage, without the numbers of any sample."""

    kind: str  # "position", "resize" or "field"
    out_size: tuple[int, int]
    interpolation: str
    borders: tuple[int, ...]  # the codes that occur
    pads: tuple[int, ...]  # the same of the pads; none if every window lies within its source
    cuts: int = 0  # canvases
    reach: tuple[int, int] | None = None  # of the Gaussians that come first, rows and columns
    resized: tuple[int, int] = (0, 0)
    taps: tuple[int, int] = (0, 0)  # of a resizing, rows and columns
    antialias: bool = False
    moves: bool = False  # a resizing is followed by whole moves
    top: float | None = None  # what cubics of integers are cut to after each axis
    links: tuple[Link, ...] = ()


def centers(size: tuple[int, int], like: Tensor) -> tuple[Tensor, Tensor]:
    """Return x and y of every pixel, (1, P) float64."""
    pixel = torch.arange(size[0] * size[1], device=like.device)
    x, y = pixel % size[1], torch.div(pixel, size[1], rounding_mode="floor")
    return x.to(torch.float64)[None], y.to(torch.float64)[None]


def transform(matrix: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Map positions (N, P) by matrices (N, 3, 3)."""
    rows = matrix[..., None]
    u, v, w = (rows[:, i, 0] * x + rows[:, i, 1] * y + rows[:, i, 2] for i in range(3))
    w = torch.where(w == 0, TINY, w)
    return u / w, v / w


def coverage(x: Tensor, y: Tensor, size: Tensor, interpolation: str) -> Tensor:
    """Return the coverage of canvases (N, 2) at each position (`geometry.coverage`)."""
    height, width = size[:, :1], size[:, 1:]
    if interpolation == "nearest":
        x, y = (x + 0.5).floor(), (y + 0.5).floor()
        return ((x >= 0) & (x < width) & (y >= 0) & (y < height)).to(torch.float64)
    across = torch.minimum(x + 1, width - x).clamp(0, 1)
    return across * torch.minimum(y + 1, height - y).clamp(0, 1)


def blend(values: Tensor, cover: Tensor, fill: Tensor) -> Tensor:
    """Show a fill where a canvas does not reach: values (N, C, P), cover (N, P), fill (N, C)."""
    weight = cover.to(values.dtype)[:, None]
    return weight * values + (1 - weight) * fill.to(values.dtype)[..., None]
