"""Moves the pixels of a batch, each sample by its own map, with torch operations alone.

Positions are float64, as 512 pixels in float32 leave 3e-5 of a pixel; values are float32, or
float64 where the image is. Pixels are read with `gather`, never with matrix products or
`grid_sample`, whose results depend on the TF32 and autocast settings of the caller.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from imgkit.backends.tensor import philox
from imgkit.backends.tensor.pixels import along, movable
from imgkit.backends.tensor.resolve import CODES

Numbers = dict[str, Tensor]

FAR = 1e9  # beyond any image, yet an integer
TINY = 1e-154


class Link(NamedTuple):
    """One hop of a run with fields, followed backward."""

    kind: str  # "matrix", "elastic" or "grid"
    size: tuple[int, int]  # the canvas that the hop reads
    cuts: bool
    nodes: tuple[int, int] = (0, 0)  # of the lattice of an elastic field, the most of any sample


class Path(NamedTuple):
    """How some samples of a resampling stage are read; what is not a number of one sample."""

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


class Resampling(NamedTuple):
    """A resampling stage: the ways its samples go."""

    paths: tuple[Path, ...]


def resample(x: Tensor, how: Resampling, numbers: Numbers) -> Tensor:
    """Run a resampling stage on ``(N, C, H, W)``."""
    x = movable(x)
    if len(how.paths) == 1:
        return RUN[how.paths[0].kind](x, how.paths[0], _own(numbers, 0))
    parts = []
    for place, path in enumerate(how.paths):
        mine = _own(numbers, place)
        parts.append(RUN[path.kind](x.index_select(0, mine["rows"]), path, mine))
    return torch.cat(parts).index_select(0, numbers["order"])


def _own(numbers: Numbers, place: int) -> Numbers:
    """Return the numbers of one path."""
    prefix = f"{place}."
    return {k.removeprefix(prefix): v for k, v in numbers.items() if k.startswith(prefix)}


# --- positions ---------------------------------------------------------------------------


def _grid(size: tuple[int, int], like: Tensor) -> tuple[Tensor, Tensor]:
    """Return x and y of every pixel, (1, P) float64."""
    pixel = torch.arange(size[0] * size[1], device=like.device)
    x, y = pixel % size[1], torch.div(pixel, size[1], rounding_mode="floor")
    return x.to(torch.float64)[None], y.to(torch.float64)[None]


def _transform(matrix: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Map positions (N, P) by matrices (N, 3, 3)."""
    rows = matrix[..., None]
    u, v, w = (rows[:, i, 0] * x + rows[:, i, 1] * y + rows[:, i, 2] for i in range(3))
    w = torch.where(w == 0, TINY, w)
    return u / w, v / w


def _coverage(x: Tensor, y: Tensor, size: Tensor, interpolation: str) -> Tensor:
    """Return how much of canvases (N, 2) each position sees (`maps.coverage`)."""
    height, width = size[:, :1], size[:, 1:]
    if interpolation == "nearest":
        x, y = (x + 0.5).floor(), (y + 0.5).floor()
        return ((x >= 0) & (x < width) & (y >= 0) & (y < height)).to(torch.float64)
    across = torch.minimum(x + 1, width - x).clamp(0, 1)
    return across * torch.minimum(y + 1, height - y).clamp(0, 1)


def _blend(values: Tensor, cover: Tensor, fill: Tensor) -> Tensor:
    """Show a fill where a canvas does not reach: values (N, C, P), cover (N, P), fill (N, C)."""
    weight = cover.to(values.dtype)[:, None]
    return weight * values + (1 - weight) * fill.to(values.dtype)[..., None]


# --- reading pixels ----------------------------------------------------------------------


def _fold(index: Tensor, length: Tensor, code: int) -> Tensor:
    """Map positions on an endless axis to pixels, as `border.source_index` does."""
    if code == CODES["wrap"]:
        return torch.remainder(index, length)
    if code == CODES["symmetric"]:
        folded = torch.remainder(index, 2 * length)
        return torch.minimum(folded, 2 * length - 1 - folded)
    if code == CODES["reflect"]:
        period = (2 * length - 2).clamp(min=1)
        folded = torch.remainder(index, period)
        return torch.minimum(folded, period - folded)
    return torch.minimum(index.clamp(min=0), length - 1)


def _fold_any(index: Tensor, length: Tensor, codes: Tensor, present: tuple[int, ...]) -> Tensor:
    """Fold each sample by its own border."""
    folded = _fold(index, length, present[0])
    for code in present[1:]:
        folded = torch.where(codes == code, _fold(index, length, code), folded)
    return folded


class Source(NamedTuple):
    """Pixels to read at whole positions: a window of an image, or a blurred plane around it."""

    planes: Tensor  # (N, C, H * W)
    size: tuple[int, int]
    blurred: tuple[int, int] | None  # the margin of a blurred plane, rows and columns
    path: Path
    numbers: Numbers

    def axis(self, index: Tensor, axis: int) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Map window positions of an axis to pixels; tell which show the fill, which the pad."""
        path, numbers = self.path, self.numbers
        length = numbers["window"][:, 2 + axis, None]
        codes = numbers["border"][:, None]
        constant = CODES["constant"]
        if self.blurred is not None:
            margin = self.blurred[axis]
            near = torch.minimum(index.clamp(min=-margin), length - 1 + margin)
            for code in path.borders:
                if code not in (constant, CODES["edge"]):
                    near = torch.where(codes == code, _fold(index, length, code), near)
            return near + margin, None, None
        outside = None
        if constant in path.borders:
            outside = (codes == constant) & ((index < 0) | (index >= length))
        index = _fold_any(index, length, codes, path.borders) + numbers["window"][:, axis, None]
        if not path.pads:
            return index, outside, None
        whole = torch.full_like(length, self.size[axis])
        pads = numbers["pad"][:, None]
        padded = (pads == constant) & ((index < 0) | (index >= whole))
        return _fold_any(index, whole, pads, path.pads), outside, padded

    def read(self, row: Any, column: Any) -> Tensor:
        """Return the pixels (N, C, P) at the rows and columns that `axis` gave."""
        place = row[0] * self.size[1] + column[0]
        count, channels = self.planes.shape[:2]
        found = self.planes.gather(2, place[:, None].expand(count, channels, -1))
        for way, name in ((2, "pad_fill"), (1, "fill")):
            if row[way] is not None:
                fill = self.numbers[name].to(found.dtype)[..., None]
                found = torch.where((row[way] | column[way])[:, None], fill, found)
        return found


def _floats(x: Tensor) -> Tensor:
    return x.to(torch.float64 if x.dtype == torch.float64 else torch.float32)


def _repeated(values: Tensor | None, size: tuple[int, int], axis: int) -> Tensor | None:
    """Repeat what belongs to rows (N, H) or columns (N, W) over a canvas, (N, H * W)."""
    return None if values is None else values.unsqueeze(axis).expand(-1, *size).flatten(1)


def _source(x: Tensor, path: Path, numbers: Numbers) -> Source:
    """Return what a path samples: the window, blurred as far as its maps shrink it."""
    plain = Source(_floats(x).flatten(2), (x.shape[2], x.shape[3]), None, path, numbers)
    if path.reach is None:
        return plain
    height, width = path.resized  # the largest window
    margin = (path.reach[0] + 1, path.reach[1] + 1)  # from where on nothing of the window shows
    down, across = (m + r for m, r in zip(margin, path.reach, strict=True))
    rows = torch.arange(-down, height + down, device=x.device)[None]
    columns = torch.arange(-across, width + across, device=x.device)[None]
    size = (rows.shape[1], columns.shape[1])
    row = [_repeated(v, size, 2) for v in plain.axis(rows, 0)]
    column = [_repeated(v, size, 1) for v in plain.axis(columns, 1)]
    plane = plain.read(row, column).unflatten(2, size)
    for axis, name in ((2, "taps_y"), (3, "taps_x")):
        plane = along(plane, numbers[name].to(plane.dtype), axis)
    return Source(plane.flatten(2), (plane.shape[2], plane.shape[3]), margin, path, numbers)


def _sample(source: Source, x: Tensor, y: Tensor) -> Tensor:
    """Interpolate at positions (N, P)."""
    x, y = (torch.nan_to_num(v, nan=FAR).clamp(-FAR, FAR) for v in (x, y))
    interpolation = source.path.interpolation
    if interpolation == "nearest":
        column, row = ((v + (0.5 + 1e-9)).floor().to(torch.int64) for v in (x, y))
        return source.read(source.axis(row, 0), source.axis(column, 1))
    left, upper = x.floor(), y.floor()
    kind = source.planes.dtype
    part_x, part_y = (x - left).to(kind), (y - upper).to(kind)
    column, row = left.to(torch.int64), upper.to(torch.int64)
    first, weigh = (-1, _cubic) if interpolation == "bicubic" else (0, _linear)
    weights_x, weights_y = weigh(part_x), weigh(part_y)
    columns = [source.axis(column + first + i, 1) for i in range(len(weights_x))]
    total: Any = 0.0
    for i, weight_y in enumerate(weights_y):
        at = source.axis(row + first + i, 0)
        line: Any = 0.0
        for weight_x, column_at in zip(weights_x, columns, strict=True):
            line = line + weight_x[:, None] * source.read(at, column_at)
        total = total + weight_y[:, None] * line
    return total


def _linear(part: Tensor) -> tuple[Tensor, ...]:
    return 1 - part, part


def _cubic(part: Tensor, a: float = -0.75) -> tuple[Tensor, ...]:
    """Return Keys' weights of the four pixels around a position."""
    back = 1 - part

    def near(t: Tensor) -> Tensor:
        return ((a + 2) * t - (a + 3)) * t * t + 1

    def far(t: Tensor) -> Tensor:
        return ((t - 5) * t + 8) * t * a - 4 * a

    return far(1 + part), near(part), near(back), far(1 + back)


# --- the paths ---------------------------------------------------------------------------


def _position(x: Tensor, path: Path, numbers: Numbers) -> Tensor:
    """Sample where matrices point, then let canvases cut."""
    grid = _grid(path.out_size, x)
    values = _sample(_source(x, path, numbers), *_transform(numbers["inverse"], *grid))
    for place in range(path.cuts):
        at = _transform(numbers["canvases"][:, place], *grid)
        cover = _coverage(*at, numbers["canvas_sizes"][:, place], path.interpolation)
        values = _blend(values, cover, numbers["canvas_fills"][:, place])
    return values.unflatten(2, path.out_size)


def _resize(x: Tensor, path: Path, numbers: Numbers) -> Tensor:
    """Resize windows along their columns and rows, then move whole pixels."""
    values = _floats(x)
    seen = []
    for axis in (1, 0):
        index, weight = _taps(values, path, numbers, axis, x.shape[2 + axis])
        seen.append(weight.sum(dim=2))
        values = _weighted(values, index, weight.to(values.dtype), 2 + axis)
        if path.top is not None:
            values = values.clamp(0, path.top)
    if path.pads:  # what the weights of a constant pad leave
        share = 1 - seen[1][:, None, :, None] * seen[0][:, None, None, :]
        values = (
            values + share.to(values.dtype) * numbers["pad_fill"].to(values.dtype)[..., None, None]
        )
    if not path.moves:
        return values
    column, row = _transform(numbers["move"], *_grid(path.out_size, x))
    place = row.round().to(torch.int64) * path.resized[1] + column.round().to(torch.int64)
    moved = values.flatten(2).gather(2, place[:, None].expand(-1, values.shape[1], -1))
    return moved.unflatten(2, path.out_size)


def _taps(x: Tensor, path: Path, numbers: Numbers, axis: int, length: int) -> tuple[Tensor, Tensor]:
    """Return which pixels of the source each resized one sees, and how much, (N, m, T)."""
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
    return _fold_any(index, whole, pads, path.pads), torch.where(shows, 0.0, weight)


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
        at, share = index[:, None, :, tap], weight[:, None, :, tap]
        at, share = (v[..., None] if axis == 2 else v[:, :, None] for v in (at, share))
        total = total + share * x.gather(axis, at.expand(shape))
    return total


# --- fields --------------------------------------------------------------------------------


def _field(x: Tensor, path: Path, numbers: Numbers) -> Tensor:
    """Follow the hops of runs with displacement fields backward."""
    at_x, at_y = _grid(path.out_size, x)
    at_x, at_y = at_x.expand(len(x), -1), at_y.expand(len(x), -1)
    cuts = []
    for place, link in enumerate(path.links):
        own = {k: numbers[f"link{place}.{k}"] for k in LINK_NUMBERS[link.kind]}
        if link.kind == "matrix":
            at_x, at_y = _transform(own["inverse"], at_x, at_y)
        else:
            field = _elastic(link, own) if link.kind == "elastic" else _between_nodes(own)
            moved = _field_at(field, at_x, at_y)
            at_x, at_y = at_x + moved[:, 0], at_y + moved[:, 1]
        if link.cuts:
            names = (f"link{place}.{name}" for name in ("canvas", "cuts", "fill"))
            size, cutting, fill = (numbers[name] for name in names)
            cover = _coverage(at_x, at_y, size, path.interpolation)
            cuts.append((torch.where(cutting[:, None], cover, 1.0), fill))
    values = _sample(_source(x, path, numbers), at_x, at_y)
    for cover, fill in reversed(cuts):
        values = _blend(values, cover, fill)
    return values.unflatten(2, path.out_size)


LINK_NUMBERS = {
    "matrix": ("inverse",),
    "elastic": ("amount", "spacing", "lattice", "key"),
    "grid": ("rows", "columns", "nodes"),
}


def _field_at(field: Tensor, x: Tensor, y: Tensor) -> Tensor:
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


def _elastic(link: Link, own: Numbers) -> Tensor:
    """Return the fields of smooth noise (N, 2, H, W), as `maps.displacement` does."""
    rows, columns = link.nodes
    down, across = own["lattice"][:, :1], own["lattice"][:, 1:]  # nodes of each sample
    raw = philox.words(own["key"], 2 * rows * columns)
    row = torch.arange(2 * rows * columns, device=raw.device)
    part = torch.div(row, rows * columns, rounding_mode="floor")
    line = torch.div(row, columns, rounding_mode="floor") % rows
    place = (part * down + torch.minimum(line, down - 1)) * across
    place = place + torch.minimum(row % columns, across - 1)
    value = ((raw.gather(1, place) >> 40) & 0xFFFFFF).to(torch.float64) * 2.0**-23 - 1.0
    lattice = value.unflatten(1, (2, rows, columns))
    weights = [_splines(n, k, own["spacing"]) for n, k in zip(link.size, link.nodes, strict=True)]
    moved = torch.einsum("nhr,ndrc,nwc->ndhw", weights[0], lattice, weights[1])
    longest = moved.square().sum(dim=1).amax(dim=(1, 2)).sqrt().clamp(min=1e-12)
    return moved * (own["amount"] / longest)[:, None, None, None]


def _splines(length: int, nodes: int, spacing: Tensor) -> Tensor:
    """Return cubic B-spline weights (N, length, nodes) of nodes `spacing` (N,) pixels apart."""
    pixel = torch.arange(length, device=spacing.device, dtype=torch.float64)[None, :, None]
    node = torch.arange(nodes, device=spacing.device) - 1
    t = (pixel / spacing[:, None, None] - node).abs()
    inner = 2 / 3 - t**2 + t**3 / 2
    return torch.where(t < 1, inner, (2 - t).clamp(min=0) ** 3 / 6)


def _between_nodes(own: Numbers) -> Tensor:
    """Return the fields (N, 2, H, W) between the nodes of grids."""
    return torch.einsum("hr,nrcd,wc->ndhw", own["rows"], own["nodes"], own["columns"])


RUN = {"position": _position, "resize": _resize, "field": _field}
