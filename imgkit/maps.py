"""One sample's run of geometric ops, resolved to what a backend needs to move its pixels.

A run is a list of hops (`imgkit.augment.stages.Hop`), each from one canvas to the next. Resolved,
it is a `Sampling`: a window of the source, one map from it to the output, and the canvases in
between that cut pixels away. Every backend reads a `Sampling` in the same way::

    v = the window of the source, at the position that each output pixel maps back to
    for canvas in canvases:  v = w v + (1 - w) fill,  w = `coverage` of the canvas there

which is what the ops would have done one by one, but for their repeated interpolation.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
IDENTITY = np.eye(3)
EXACT = 1e-9  # pixels; what float64 products of a few matrices leave of an integer position


class Canvas(NamedTuple):
    """A canvas between two hops; outside it the later hop shows its fill.

    `matrix` maps output pixel centres to canvas pixel centres (None in runs with fields, where
    `positions` follows the hops).
    """

    matrix: Array | None
    size: tuple[int, int]
    fill: tuple[float, ...]


class Link(NamedTuple):
    """One hop, followed backward: output position to input position."""

    inverse: Array | None  # (3, 3)
    displacement: Array | None  # (H, W, 2)
    canvas: Canvas | None  # the hop's input canvas, where it cuts


class Sampling(NamedTuple):
    """A resolved run; see the module's docstring.

    `kind` says how little is enough: "move" (pixels stay whole), "resize" (the window fills
    `resized`, then pixels move), "warp" (one matrix) or "field" (follow `links`). `window` is
    top, left, height, width, and may exceed the source, where `pad` shows.
    """

    kind: str
    window: tuple[int, int, int, int]
    pad: tuple[str, tuple[float, ...]]
    matrix: Array  # (3, 3), window pixel centres to output pixel centres
    out_size: tuple[int, int]
    border: str = "constant"
    fill: tuple[float, ...] = (0.0,)
    interpolation: str = "bilinear"
    antialias: bool = False
    canvases: tuple[Canvas, ...] = ()
    resized: tuple[int, int] | None = None
    move: Array = IDENTITY  # after a resize: resized pixel centres to output pixel centres
    links: tuple[Link, ...] = ()


class _Step(NamedTuple):
    """A hop with the numbers of one sample."""

    hop: Any
    matrix: Array | None
    displacement: Array | None
    in_size: tuple[int, int]
    out_size: tuple[int, int]


def resolve(hops: Sequence[Any], sample: int) -> Sampling:
    """Resolve a run of hops for one of its N samples."""
    steps = [step for step in (_step(hop, sample) for hop in hops) if not _is_idle(step)]
    first = hops[0]
    source = _at(first.in_size, sample)
    lead, leading, window, pad = _leading_moves(steps, source)
    rest = steps[lead:]
    out_size = rest[-1].out_size if rest else _turned(leading, window)
    if not rest:
        return Sampling("move", window, pad, leading @ _shift(window), out_size)
    if rest[0].hop.kind == "resize":
        window = _resize_window(rest[0], sample, leading if lead else None, window)
    if any(step.displacement is not None for step in rest):
        return _field_run(rest, leading, window, pad, out_size)
    return _matrix_run(rest, leading, window, pad, out_size)


def _step(hop: Any, sample: int) -> _Step:
    matrix = None if hop.matrix is None else hop.matrix[sample]
    in_size, out_size = _at(hop.in_size, sample), _at(hop.out_size, sample)
    moved = None if hop.field is None else displacement(hop.field, sample, in_size)
    return _Step(hop, matrix, moved, in_size, out_size)


def _at(size: tuple[Any, Any], sample: int) -> tuple[int, int]:
    height, width = size
    if isinstance(height, np.ndarray):
        height = height[sample]
    if isinstance(width, np.ndarray):
        width = width[sample]
    return int(height), int(width)


def _is_idle(step: _Step) -> bool:
    """Tell whether the hop leaves this sample alone."""
    if step.matrix is None:
        return step.displacement is not None and not step.displacement.any()
    return step.in_size == step.out_size and bool((step.matrix == IDENTITY).all())


def _leading_moves(
    steps: list[_Step], source: tuple[int, int]
) -> tuple[int, Array, tuple[int, int, int, int], tuple[str, tuple[float, ...]]]:
    """Fold the moves that a run begins with into a window of the source."""
    matrix, window, pad = IDENTITY, (0, 0, *source), ("constant", (0.0,))
    for count, step in enumerate(steps):
        if step.hop.kind != "move" or step.matrix is None:
            return count, matrix, window, pad
        following = step.matrix @ matrix
        wanted = _source_window(following, step.out_size)
        if step.hop.outside and not _inside(wanted, window):
            if window != (0, 0, *source):  # a pad after a crop shows fill where pixels were cut
                return count, matrix, window, pad
            pad = (step.hop.border, step.hop.fill)
        matrix, window = following, wanted
    return len(steps), matrix, window, pad


def _source_window(matrix: Array, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return what part of the source a canvas shows, after whole-pixel moves."""
    height, width = size
    inverse = np.rint(np.linalg.inv(matrix))
    x0, y0 = inverse[0, 2], inverse[1, 2]
    x1 = x0 + inverse[0, 0] * (width - 1) + inverse[0, 1] * (height - 1)
    y1 = y0 + inverse[1, 0] * (width - 1) + inverse[1, 1] * (height - 1)
    left, right = sorted((int(x0), int(x1)))
    top, bottom = sorted((int(y0), int(y1)))
    return top, left, bottom - top + 1, right - left + 1


def _inside(window: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    """Tell whether a window lies within another."""
    top, left, height, width = window
    above, before, tall, wide = other
    return (
        top >= above
        and left >= before
        and top + height <= above + tall
        and left + width <= before + wide
    )


def _shift(window: tuple[int, int, int, int]) -> Array:
    """Return the matrix from a window's pixels to the source's."""
    return np.array([[1.0, 0.0, window[1]], [0.0, 1.0, window[0]], [0.0, 0.0, 1.0]])


def _turned(matrix: Array, window: tuple[int, int, int, int]) -> tuple[int, int]:
    """Return the size of a window after flips and quarter turns."""
    height, width = window[2:]
    return (height, width) if matrix[0, 0] else (width, height)


def _resize_window(
    step: _Step, sample: int, leading: Array | None, window: tuple[int, int, int, int]
) -> tuple[int, int, int, int]:
    """Return the part of the source that a leading resize reads."""
    if step.hop.window is None:
        return window
    left, top, right, bottom = step.hop.window[sample].tolist()
    if leading is None:
        x0, x1, y0, y1 = left, right, top, bottom
    else:
        edges = np.array([[left, right], [top, bottom]]) - 0.5
        x, y = (np.linalg.inv(leading) @ np.array([*edges, [1.0, 1.0]]))[:2] + 0.5
        (x0, x1), (y0, y1) = np.sort(x), np.sort(y)
    top, left = math.floor(y0 + EXACT), math.floor(x0 + EXACT)
    return top, left, math.ceil(y1 - EXACT) - top, math.ceil(x1 - EXACT) - left


def _matrix_run(
    rest: list[_Step],
    leading: Array,
    window: tuple[int, int, int, int],
    pad: tuple[str, tuple[float, ...]],
    out_size: tuple[int, int],
) -> Sampling:
    """Resolve a run of matrices: their product, and the canvases that cut."""
    canvases: list[Canvas] = []
    places: list[int] = []
    product = IDENTITY
    for place in range(len(rest) - 1, -1, -1):
        step = rest[place]
        product = product @ _matrix(step)
        if place and (step.hop.kind == "warp" or step.hop.outside):
            back = np.linalg.inv(product)
            if not _covers(back, step.in_size, out_size):
                canvases.insert(0, Canvas(back, step.in_size, step.hop.fill))
                places.insert(0, place)
    matrix = product @ leading @ _shift(window)
    first = rest[0].hop
    border, fill = ("edge", first.fill) if first.kind == "resize" else (first.border, first.fill)
    if canvases and _is_window(rest[: places[0]], window):
        border, fill = "constant", canvases.pop(0).fill
    sampling = Sampling(
        "warp",
        window,
        pad,
        matrix,
        out_size,
        border,
        fill,
        interpolation=next((s.hop.interpolation for s in rest if s.hop.kind != "move"), "bilinear"),
        antialias=any(s.hop.antialias for s in rest if s.hop.kind != "move"),
        canvases=tuple(canvases),
    )
    if first.kind == "resize" and border == "edge" and not canvases:
        resized = _as_resize(rest, leading @ _shift(window), window)
        if resized is not None:
            return sampling._replace(kind="resize", resized=resized[0], move=resized[1])
    return sampling


def _matrix(step: _Step) -> Array:
    assert step.matrix is not None  # runs with fields are resolved elsewhere
    return step.matrix


def _is_window(steps: list[_Step], window: tuple[int, int, int, int]) -> bool:
    """Tell whether a canvas is the whole window, resized but not enlarged, and flipped perhaps.

    Then the window's own edge cuts as well: as soft as one of its pixels, which are no larger
    than the canvas's.
    """
    height, width = steps[0].out_size
    flips = all(s.hop.kind == "move" and s.out_size == s.in_size for s in steps[1:])
    return steps[0].hop.kind == "resize" and flips and window[2] >= height and window[3] >= width


def _as_resize(
    rest: list[_Step], entering: Array, window: tuple[int, int, int, int]
) -> tuple[tuple[int, int], Array] | None:
    """Return the size a window is resized to and the moves that follow, if that is the run."""
    if any(step.hop.kind != "move" for step in rest[1:]):  # none cuts: the caller has looked
        return None
    matrix = _matrix(rest[0]) @ entering
    (a, b, x), (c, d, y), _ = matrix.tolist()
    height, width = window[2:]
    xs = sorted((a * u + b * v + x) for u, v in ((-0.5, -0.5), (width - 0.5, height - 0.5)))
    ys = sorted((c * u + d * v + y) for u, v in ((-0.5, -0.5), (width - 0.5, height - 0.5)))
    tall, wide = rest[0].out_size
    ends = (xs[0] + 0.5, ys[0] + 0.5, xs[1] - wide + 0.5, ys[1] - tall + 0.5)
    if max(abs(end) for end in ends) > 1e-6:
        return None
    size = (tall, wide) if a else (wide, tall)
    orient = IDENTITY if a > 0 and d > 0 else _orientation(matrix, size)
    for step in rest[1:]:
        orient = _matrix(step) @ orient
    return size, orient


def _orientation(matrix: Array, size: tuple[int, int]) -> Array:
    """Return the flips and quarter turns of an axis-aligned matrix, on a canvas of `size`."""
    signs = np.sign(np.where(np.abs(matrix) > 1e-12, matrix, 0.0))[:2, :2]
    last = np.array([size[1] - 1.0, size[0] - 1.0])
    result = np.eye(3)
    result[:2, :2] = signs
    result[:2, 2] = np.where(signs.sum(axis=1) < 0, np.abs(signs) @ last, 0.0)
    return result


def _covers(back: Array, canvas: tuple[int, int], out_size: tuple[int, int]) -> bool:
    """Tell whether every output pixel lies on the canvas, so that it cuts nothing."""
    height, width = out_size
    x, y = np.array([0, width - 1, 0, width - 1]), np.array([0, 0, height - 1, height - 1])
    px, py, w = back @ np.array([x, y, np.ones(4)])
    if (w <= 0).any():
        return False
    px, py = px / w, py / w
    return bool(
        px.min() >= -EXACT
        and py.min() >= -EXACT
        and px.max() <= canvas[1] - 1 + EXACT
        and py.max() <= canvas[0] - 1 + EXACT
    )


def _field_run(
    rest: list[_Step],
    leading: Array,
    window: tuple[int, int, int, int],
    pad: tuple[str, tuple[float, ...]],
    out_size: tuple[int, int],
) -> Sampling:
    """Resolve a run with displacement fields: the hops themselves, backward."""
    links = []
    for place in range(len(rest) - 1, -1, -1):
        step = rest[place]
        inverse = None if step.matrix is None else np.linalg.inv(step.matrix)
        cuts = place > 0 and (step.hop.kind == "warp" or step.hop.outside)
        canvas = Canvas(None, step.in_size, step.hop.fill) if cuts else None
        links.append(Link(inverse, step.displacement, canvas))
    entering = leading @ _shift(window)
    links.append(Link(np.linalg.inv(entering), None, None))
    first = rest[0].hop
    border = "edge" if first.kind == "resize" else first.border
    interpolation = next(s.hop.interpolation for s in rest if s.hop.kind != "move")
    return Sampling("field", window, pad, IDENTITY, out_size, border, first.fill,
                    interpolation, links=tuple(links))  # fmt: skip


# --- positions ---------------------------------------------------------------------------


def grid(size: tuple[int, int], dtype: npt.DTypeLike = np.float64) -> Array:
    """Return the (x, y) of every pixel centre, (H, W, 2)."""
    height, width = size
    result = np.empty((height, width, 2), dtype)
    result[..., 0] = np.arange(width)
    result[..., 1] = np.arange(height)[:, None]
    return result


def transform(matrix: Array, points: Array) -> Array:
    """Map (x, y) positions (..., 2) by a (3, 3) matrix."""
    matrix = matrix.astype(points.dtype, copy=False)
    mapped = points @ matrix[:2, :2].T + matrix[:2, 2]
    if matrix[2, 0] or matrix[2, 1] or matrix[2, 2] != 1:
        mapped /= (points @ matrix[2, :2] + matrix[2, 2])[..., None]
    return mapped


def positions(
    sampling: Sampling, dtype: npt.DTypeLike = np.float64
) -> tuple[Array, list[tuple[Array, tuple[float, ...]]]]:
    """Return where each output pixel reads the window, and the (coverage, fill) that cut it."""
    at = grid(sampling.out_size, dtype)
    if not sampling.links:
        cuts = [
            (coverage(transform(c.matrix, at), c.size, sampling.interpolation), c.fill)
            for c in sampling.canvases
            if c.matrix is not None
        ]
        return transform(np.linalg.inv(sampling.matrix), at), cuts
    cuts = []
    for place, link in enumerate(sampling.links):
        if link.displacement is not None:
            field = link.displacement.astype(dtype, copy=False)
            at += field if place == 0 else _sample_field(field, at)  # the first lies on the grid
        elif link.inverse is not None and (link.inverse != IDENTITY).any():
            at = transform(link.inverse, at)
        if link.canvas is not None:
            weight = coverage(at, link.canvas.size, sampling.interpolation)
            if weight.min(initial=1) < 1:
                cuts.insert(0, (weight, link.canvas.fill))
    return at, cuts


def coverage(at: Array, size: tuple[int, int], interpolation: str = "bilinear") -> Array:
    """Return how much of a canvas each position sees: 1 inside, 0 from a pixel beyond.

    It is what bilinear interpolation makes of an image of ones surrounded by zeros.
    """
    height, width = size
    if interpolation == "nearest":
        x, y = np.floor(at[..., 0] + 0.5), np.floor(at[..., 1] + 0.5)
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        return inside.astype(at.dtype)
    x = np.clip(np.minimum(at[..., 0] + 1, width - at[..., 0]), 0, 1)
    y = np.clip(np.minimum(at[..., 1] + 1, height - at[..., 1]), 0, 1)
    return np.asarray(x * y)


class Edge(NamedTuple):
    """What the canvases of a run cut from an output, as flat pixel indices.

    `band` pixels see some canvas in part; `shares` holds the coverage of every canvas there.
    `outside` holds for each canvas the pixels that show its fill alone.
    """

    band: Array
    shares: list[Array]
    outside: list[Array]


def edge(sampling: Sampling) -> Edge:
    """Find the pixels that the canvases of a matrix run cut, without looking at the others.

    A canvas seen from the output is a convex polygon (under projective maps too), so that each row
    of the output meets it in one span, found from the half planes of its sides.
    """
    height, width = sampling.out_size
    whole = (np.zeros(height, np.int64), np.full(height, width))  # later canvases cover it all
    bands: list[Array] = []
    outside: list[Array] = []
    reach = 0.5 if sampling.interpolation == "nearest" else 1.0
    for canvas in reversed(sampling.canvases):
        touched = _meet(whole, _span(canvas, sampling.out_size, reach))
        inner = _meet(whole, _span(canvas, sampling.out_size, 0.0))
        outside.insert(0, _between(whole, touched, width))
        bands.append(_between(touched, inner, width))
        whole = inner
    band = np.concatenate(bands)
    at = np.stack([band % width, band // width], axis=-1).astype(np.float64)
    shares = [
        coverage(transform(canvas.matrix, at), canvas.size, sampling.interpolation)  # type: ignore[arg-type]
        for canvas in sampling.canvases
    ]
    return Edge(band, shares, outside)


def _span(canvas: Canvas, out_size: tuple[int, int], margin: float) -> tuple[Array, Array]:
    """Return for each output row the first column on the canvas grown by `margin`, and the end."""
    height, width = canvas.size
    row_x, row_y, row_w = canvas.matrix  # type: ignore[misc]
    sides = [
        row_x + margin * row_w,
        (width - 1 + margin) * row_w - row_x,
        row_y + margin * row_w,
        (height - 1 + margin) * row_w - row_y,
    ]
    rows = np.arange(out_size[0])
    start, stop = np.zeros(len(rows)), np.full(len(rows), float(out_size[1]))
    slack = -EXACT if margin == 0 else EXACT  # inner spans keep what lies on the side itself
    for a, b, c in sides:  # a x + b y + c >= 0 on the canvas
        rest = b * rows + c
        if abs(a) < 1e-15:
            stop = np.where(rest < slack, 0.0, stop)
        elif a > 0:
            start = np.maximum(start, np.ceil(-rest / a + slack))
        else:
            stop = np.minimum(stop, np.floor(-rest / a - slack) + 1)
    start = np.clip(start, 0, out_size[1])
    return start.astype(np.int64), np.maximum(np.minimum(stop, out_size[1]), start).astype(np.int64)


def _meet(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return the part of two spans that both cover."""
    start = np.maximum(first[0], second[0])
    return start, np.maximum(np.minimum(first[1], second[1]), start)


def _between(outer: tuple[Array, Array], inner: tuple[Array, Array], width: int) -> Array:
    """Return flat indices of the pixels of an outer span that an inner one leaves out."""
    (start, stop), (left, right) = outer, inner
    empty = left >= right
    left, right = (
        np.where(empty, stop, np.clip(left, start, stop)),
        np.where(empty, stop, np.clip(right, start, stop)),
    )
    base = np.arange(len(start)) * width
    first = np.concatenate([base + start, base + right])
    counts = np.concatenate([left - start, stop - right])
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(first - (ends - counts), counts)


def _sample_field(field: Array, at: Array) -> Array:
    """Return a field at positions, bilinear, repeated beyond its edge."""
    height, width = field.shape[:2]
    x, y = np.clip(at[..., 0], 0, width - 1), np.clip(at[..., 1], 0, height - 1)
    x0, y0 = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    fx, fy = (x - x0)[..., None], (y - y0)[..., None]
    top = field[y0, x0] * (1 - fx) + field[y0, x1] * fx
    bottom = field[y1, x0] * (1 - fx) + field[y1, x1] * fx
    return np.asarray(top * (1 - fy) + bottom * fy)


# --- points ---------------------------------------------------------------------------------


class Leg(NamedTuple):
    """One step on a point's way, onto a canvas: by a matrix, or along or against a field."""

    matrix: Array | None
    field: Array | None
    against: bool  # the field reads backward: a point moves against it
    size: tuple[int, int]


def onward(hops: Sequence[Any], sample: int) -> list[Leg]:
    """Return a sample's way from the source to the output."""
    steps = (_step(hop, sample) for hop in hops)
    return [Leg(s.matrix, s.displacement, True, s.out_size) for s in steps if not _is_idle(s)]


def homeward(legs: Sequence[Leg], start: tuple[int, int]) -> list[Leg]:
    """Return the way back to the canvas of size `start` that the legs left."""
    canvases = [start, *(leg.size for leg in legs[:-1])]
    back = []
    for leg, size in zip(legs, canvases, strict=False):
        inverse = None if leg.matrix is None else np.linalg.inv(leg.matrix)
        back.append(Leg(inverse, leg.field, not leg.against, size))
    return back[::-1]


def advance(leg: Leg, at: Array) -> Array:
    """Move (x, y) pixel-centre positions (P, 2) by one leg; NaN beyond a perspective's horizon."""
    if leg.field is not None:
        return unmove(leg.field, at) if leg.against else at + _sample_field(leg.field, at)
    matrix = leg.matrix
    assert matrix is not None
    moved = at @ matrix[:2, :2].T + matrix[:2, 2]
    if matrix[2, 0] or matrix[2, 1] or matrix[2, 2] != 1:
        weight = at @ matrix[2, :2] + matrix[2, 2]
        moved /= np.where(weight > 0, weight, np.nan)[:, None]
    return np.asarray(moved)


def travel(legs: Sequence[Leg], size: tuple[int, int], points: Array) -> tuple[Array, Array]:
    """Move positions (P, 2) all the way from a canvas of `size`.

    Returns:
        Positions (P, 2) float64, and whether each lay on every canvas (its outer half pixels
        included).
    """
    at = np.asarray(points, np.float64).reshape(-1, 2)
    inside = within(at, size)
    for leg in legs:
        at = advance(leg, at)
        inside &= within(at, leg.size)
    return at, inside


def forward(hops: Sequence[Any], sample: int, points: Array) -> tuple[Array, Array]:
    """Map positions (P, 2) from the source to the output; see `travel`."""
    return travel(onward(hops, sample), _at(hops[0].in_size, sample), points)


def backward(hops: Sequence[Any], sample: int, points: Array) -> tuple[Array, Array]:
    """Map positions (P, 2) from the output back to the source; see `travel`."""
    start, end = _at(hops[0].in_size, sample), _at(hops[-1].out_size, sample)
    return travel(homeward(onward(hops, sample), start), end, points)


def within(at: Array, size: tuple[int, int], slack: float = EXACT) -> Array:
    """Tell which positions (P, 2) lie on a canvas, to the outer edges of its pixels."""
    low, high = -0.5 - slack, np.array([size[1] - 0.5 + slack, size[0] - 0.5 + slack])
    return np.asarray(((at >= low) & (at <= high)).all(axis=1))


SETTLED = 1e-4  # pixels; how exactly a field is inverted


def unmove(field: Array, points: Array, steps: int = 50) -> Array:
    """Return p with ``p + field(p) = point``: by fixed-point iteration, then by search."""
    field = field.astype(np.float64, copy=False)
    at = points - _sample_field(field, points)
    for _ in range(steps):
        following = points - _sample_field(field, at)
        change = np.abs(following - at).max(initial=0)
        at = following
        if change < SETTLED:
            return at
    missed = np.hypot(*(at + _sample_field(field, at) - points).T) > SETTLED
    at[missed] = _search(field, points[missed])
    return at


def _search(field: Array, points: Array, steps: int = 30) -> Array:
    """Solve ``p + field(p) = point`` where the field is steep: the nearest start, then Newton."""
    height, width = field.shape[:2]
    reach = float(np.abs(field).max()) + 1
    apart = max(1.0, np.sqrt(height * width) / 96)
    x = np.arange(-reach, width + reach, apart)
    y = np.arange(-reach, height + reach, apart)
    starts = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    landed = starts + _sample_field(field, starts)
    near = [np.argmin(((landed - point) ** 2).sum(axis=1)) for point in points]
    best = at = starts[near]
    least = np.full(len(points), np.inf)
    for _ in range(steps):
        wrong = points - at - _sample_field(field, at)
        error = np.hypot(wrong[:, 0], wrong[:, 1])
        best = np.where((error < least)[:, None], at, best)
        least = np.minimum(error, least)
        slope = np.eye(2) + _slope(field, at)
        step = (np.linalg.pinv(slope) @ wrong[..., None])[..., 0]
        length = np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-12)
        at = at + step * np.minimum(1, 2 / length)[:, None]
    return np.asarray(best)


def _slope(field: Array, at: Array) -> Array:
    """Return the derivative of a field at positions (P, 2), as (P, 2, 2)."""
    sides = [
        _sample_field(field, at + half) - _sample_field(field, at - half)
        for half in (np.array([0.05, 0.0]), np.array([0.0, 0.05]))
    ]
    return np.stack(sides, axis=-1) / 0.1


# --- fields --------------------------------------------------------------------------------


def displacement(field: Any, sample: int, size: tuple[int, int]) -> Array:
    """Return one sample's displacement field, (H, W, 2) float32: out reads in at p + d(p)."""
    if field.kind == "elastic":
        amount, sigma = float(field.amount[sample]), float(field.smoothness[sample])
        first, second = (int(k) for k in field.key[sample])
        return _elastic(amount, sigma, first, second, size)
    nodes = field.nodes[sample]
    rows = _hat_basis(size[0], nodes.shape[0])
    columns = _hat_basis(size[1], nodes.shape[1])
    moved = np.empty((*size, 2), np.float32)
    for axis in (0, 1):
        moved[..., axis] = (rows @ nodes[..., axis]) @ columns.T
    return moved


@functools.lru_cache(maxsize=4)  # an image, its mask and its boxes ask for the same field
def _elastic(amount: float, sigma: float, key0: int, key1: int, size: tuple[int, int]) -> Array:
    """Smooth noise by a cubic B-spline of standard deviation `sigma`, scaled to `amount`."""
    if amount == 0:
        return np.zeros((*size, 2), np.float32)
    spacing = max(sigma * np.sqrt(3.0), 1.0)  # a cubic B-spline's deviation is spacing / sqrt(3)
    rows, columns = (_spline_basis(length, float(spacing)) for length in size)
    shape = (2, rows.shape[1], columns.shape[1])
    raw = np.random.Philox(key=np.array([key0, key1], np.uint64)).random_raw(int(np.prod(shape)))
    lattice = ((raw >> np.uint64(40)).astype(np.float32) * 2.0**-23 - 1.0).reshape(shape)
    result = np.empty((*size, 2), np.float32)
    for axis in (0, 1):
        result[..., axis] = (rows @ lattice[axis]) @ columns.T
    length = float(np.sqrt(np.einsum("hwd,hwd->hw", result, result).max()))
    result *= np.float32(amount / max(length, 1e-12))
    result.flags.writeable = False
    return result


@functools.lru_cache(maxsize=64)
def _spline_basis(length: int, spacing: float) -> Array:
    """Return cubic B-spline weights (length, nodes) of nodes `spacing` pixels apart."""
    nodes = int(np.ceil((length - 1) / spacing)) + 3
    t = np.abs(np.arange(length)[:, None] / spacing - (np.arange(nodes) - 1))
    inner = 2 / 3 - t**2 + t**3 / 2
    outer = np.clip(2 - t, 0, None) ** 3 / 6
    basis = np.where(t < 1, inner, outer).astype(np.float32)
    basis.flags.writeable = False
    return basis


@functools.lru_cache(maxsize=64)
def _hat_basis(length: int, nodes: int) -> Array:
    """Return linear weights (length, nodes) of nodes from the first to the last pixel."""
    t = np.arange(length) * (nodes - 1) / max(length - 1, 1)
    basis = np.clip(1 - np.abs(t[:, None] - np.arange(nodes)), 0, None)
    basis.flags.writeable = False
    return basis
