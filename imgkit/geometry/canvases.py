"""The cuts of the canvases of a run, and the position where each output pixel reads."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit.geometry import matrix as matrices
from imgkit.geometry.fields import sample_field
from imgkit.geometry.matrix import EXACT
from imgkit.geometry.resolve import IDENTITY, Canvas, Sampling
from imgkit.image import Array


def grid(size: tuple[int, int], dtype: npt.DTypeLike = np.float64) -> Array:
    """Return the (x, y) of every pixel center, (H, W, 2)."""
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


def sampling_positions(
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
            at += field if place == 0 else sample_field(field, at)  # the first lies on the grid
        elif link.inverse is not None and (link.inverse != IDENTITY).any():
            at = transform(link.inverse, at)
        if link.canvas is not None:
            weight = coverage(at, link.canvas.size, sampling.interpolation)
            if weight.min(initial=1) < 1:
                cuts.insert(0, (weight, link.canvas.fill))
    return at, cuts


def coverage(at: Array, size: tuple[int, int], interpolation: str = "bilinear") -> Array:
    """Return the coverage of a canvas at each position: 1 inside, 0 from a pixel beyond.

    It is bilinear interpolation of an image of ones surrounded by zeros.
    """
    return _coverage_at(at[..., 0], at[..., 1], size, interpolation)


def coverage_mask(canvas: Canvas, out_size: tuple[int, int], interpolation: str) -> Array:
    """Return the `coverage` of a canvas at every output pixel, (H, W)."""
    assert canvas.matrix is not None  # only runs with fields have such canvases
    (a, b, c), (d, e, f), (g, h, i) = canvas.matrix.tolist()
    x, y = np.arange(out_size[1]), np.arange(out_size[0])[:, None]
    px, py = a * x + (b * y + c), d * x + (e * y + f)
    if (g, h, i) != (0, 0, 1):
        weight = g * x + (h * y + i)
        px, py = px / weight, py / weight
    return _coverage_at(px, py, canvas.size, interpolation)


def _coverage_at(x: Array, y: Array, size: tuple[int, int], interpolation: str) -> Array:
    """Return `coverage` at columns x and rows y."""
    height, width = size
    if interpolation == "nearest":
        x, y = np.floor(x + 0.5), np.floor(y + 0.5)
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        return inside.astype(x.dtype)
    one = np.minimum(np.minimum(x + 1, width - x), 1)
    other = np.minimum(np.minimum(y + 1, height - y), 1)
    return np.asarray(np.maximum(one, 0) * np.maximum(other, 0))


class CutRegion(NamedTuple):
    """The pixels that the canvases of a run cut from an output, as flat indices.

    `partial` pixels are covered in part by some canvas; `alphas` holds the coverage of every canvas
    there. `outside` holds for each canvas the pixels that show its fill alone.
    """

    partial: Array
    alphas: list[Array]
    outside: list[Array]


def cut_region(sampling: Sampling) -> CutRegion:
    """Find the pixels that the canvases of a matrix run cut, without visiting the others.

    In output coordinates a canvas is a convex polygon (also under projective maps): each row of the
    output meets it in one span, found from the half planes of its sides. Where the source shows
    only the fill of the canvas, the canvas does not cut.
    """
    width = sampling.out_size[1]
    reach = 0.5 if sampling.interpolation == "nearest" else 1.0
    whole = _visible_span(sampling, reach)  # later canvases cover it all
    partials: list[Array] = []
    outside: list[Array] = []
    for canvas in reversed(sampling.canvases):
        touched = _meet(whole, _span(canvas, sampling.out_size, reach))
        inner = _meet(whole, _span(canvas, sampling.out_size, 0.0))
        outside.insert(0, _between(whole, touched, width))
        partials.append(_between(touched, inner, width))
        whole = inner
    partial = np.concatenate(partials)
    at = np.empty((len(partial), 2))
    at[:, 1], at[:, 0] = np.divmod(partial, width)
    alphas = [
        coverage(transform(canvas.matrix, at), canvas.size, sampling.interpolation)  # type: ignore[arg-type]
        for canvas in sampling.canvases
    ]
    return CutRegion(partial, alphas, outside)


def _visible_span(sampling: Sampling, reach: float) -> tuple[Array, Array]:
    """Return for each output row the span that can show more than the one fill of a run."""
    height, width = sampling.out_size
    near = sampling.interpolation != "bicubic" and not sampling.antialias  # reads no further
    plain = near and sampling.border == "constant"
    if plain and all(canvas.fill == sampling.fill for canvas in sampling.canvases):
        back = matrices.array(matrices.inverse(matrices.entries(sampling.matrix)))
        source = Canvas(back, sampling.window[2:], sampling.fill)
        return _span(source, sampling.out_size, reach)
    return np.zeros(height, np.int64), np.full(height, width)


def _span(canvas: Canvas, out_size: tuple[int, int], margin: float) -> tuple[Array, Array]:
    """Return for each output row the first column on the canvas grown by `margin`, and the end."""
    height, width = canvas.size
    assert canvas.matrix is not None  # only runs with fields have such canvases
    (xa, xb, xc), (ya, yb, yc), (wa, wb, wc) = canvas.matrix.tolist()
    right, bottom = width - 1 + margin, height - 1 + margin
    sides = (
        (xa + margin * wa, xb + margin * wb, xc + margin * wc),
        (right * wa - xa, right * wb - xb, right * wc - xc),
        (ya + margin * wa, yb + margin * wb, yc + margin * wc),
        (bottom * wa - ya, bottom * wb - yb, bottom * wc - yc),
    )
    rows = np.arange(out_size[0], dtype=np.float64)
    start, stop = np.zeros(len(rows)), np.full(len(rows), out_size[1] - 1.0)
    slack = -EXACT if margin == 0 else EXACT  # inner spans keep what lies on the side itself
    for a, b, c in sides:  # a x + b y + c >= 0 on the canvas
        if abs(a) < 1e-15:
            stop[b * rows + c < slack] = -1.0
            continue
        line = rows * (-b / a)
        line += -c / a
        if a > 0:
            line += slack
            np.maximum(start, line, out=start)
        else:
            line -= slack
            np.minimum(stop, line, out=stop)
    np.ceil(start, out=start)
    np.floor(stop, out=stop)
    stop += 1
    np.clip(start, 0, out_size[1], out=start)
    np.clip(stop, start, out_size[1], out=stop)
    return start.astype(np.int64), stop.astype(np.int64)


def _meet(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
    """Return the intersection of two spans."""
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
