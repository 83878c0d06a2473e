"""Resolves one sample's run of steps to a `Sampling`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from imgkit.geometry import matrix as matrices
from imgkit.geometry.fields import displacement
from imgkit.geometry.matrix import EXACT, inverse, product, shift
from imgkit.image import Array
from imgkit.stages import IDENTITY_MATRIX, Entries, GeometricStep, Size, size_of

IDENTITY = np.eye(3)
IDENTITY.flags.writeable = False
Window = tuple[int, int, int, int]  # top, left, height, width
Pad = tuple[str, tuple[float, ...]]  # a border and its fill
NO_PAD: Pad = ("constant", (0.0,))  # of a window within the source


class Canvas(NamedTuple):
    """A canvas between two steps; outside it the later step shows its fill.

    `matrix` maps output pixel centers to canvas pixel centers (None in runs with fields, where
    `sampling_positions` follows the steps).
    """

    matrix: Array | None
    size: tuple[int, int]
    fill: tuple[float, ...]


class Link(NamedTuple):
    """One step, followed backward: output position to input position."""

    inverse: Array | None  # (3, 3)
    displacement: Array | None  # (H, W, 2)
    canvas: Canvas | None  # the step's input canvas, where it cuts


class Sampling(NamedTuple):
    """A resolved run; see the module's docstring.

    `kind` is the cheapest route that suffices: "move" (pixels stay whole), "resize" (the window
    fills `resized`, then pixels move), "warp" (one matrix) or "field" (follow `links`). `window`
    is top, left, height, width, and may exceed the source, where `pad` shows.
    """

    kind: str
    window: tuple[int, int, int, int]
    pad: Pad
    matrix: Array  # (3, 3), window pixel centers to output pixel centers
    out_size: tuple[int, int]
    border: str = "constant"
    fill: tuple[float, ...] = (0.0,)
    interpolation: str = "bilinear"
    antialias: bool = False
    canvases: tuple[Canvas, ...] = ()
    resized: tuple[int, int] | None = None
    move: Array = IDENTITY  # after a resize: resized pixel centers to output pixel centers
    links: tuple[Link, ...] = ()


class SampleStep(NamedTuple):
    """A step with the numbers of one sample."""

    declared: GeometricStep
    matrix: Entries | None
    displacement: Array | None
    in_size: tuple[int, int]
    out_size: tuple[int, int]


def resolve(declared: Sequence[GeometricStep], sample: int) -> Sampling:
    """Resolve a run of steps for one of its N samples."""
    steps = moving_steps(declared, sample)
    source = steps[0].in_size if steps else size_of(declared[0].in_size, sample)
    if len(steps) == 1:
        only = steps[0].declared
        if only.kind == "move" and not only.outside and steps[0].out_size == source:
            # a flip or a turn of the whole canvas: its matrix is the answer
            assert steps[0].matrix is not None  # a move has one
            matrix = matrices.array(steps[0].matrix)
            return Sampling("move", (0, 0, *source), NO_PAD, matrix, source)
    lead, leading, window, pad = _leading_moves(steps, source)
    rest = steps[lead:]
    out_size = rest[-1].out_size if rest else _turned(leading, window)
    if not rest:
        return Sampling("move", window, pad, matrices.array(_entering(leading, window)), out_size)
    if rest[0].declared.kind == "resize":
        window = _resize_window(rest[0], sample, leading if lead else None, window)
    if any(step.displacement is not None for step in rest):
        return _field_run(rest, leading, window, pad, out_size)
    return _matrix_run(rest, leading, window, pad, out_size)


def moving_steps(declared: Sequence[GeometricStep], sample: int) -> list[SampleStep]:
    """Return the steps that change a sample, with its numbers."""
    steps = []
    canvas: Size | None = None  # as declared; `size` is that of the sample
    size = (0, 0)
    for step in declared:
        if step.in_size is not canvas:
            size = size_of(step.in_size, sample)
        in_size, canvas = size, step.out_size
        if canvas is not step.in_size:
            size = size_of(canvas, sample)
        if step.matrix is None:
            if step.moves(sample):
                moved = None if step.field is None else displacement(step.field, sample, in_size)
                steps.append(SampleStep(step, None, moved, in_size, size))
            continue
        own = step.matrix[sample]
        matrix = own if isinstance(own, tuple) else step.matrix_of(sample)
        if matrix != IDENTITY_MATRIX or size != in_size:
            steps.append(SampleStep(step, matrix, None, in_size, size))
    return steps


def _leading_moves(
    steps: list[SampleStep], source: tuple[int, int]
) -> tuple[int, Entries, Window, Pad]:
    """Fold the moves that a run begins with into a window of the source."""
    matrix = IDENTITY_MATRIX
    pad = NO_PAD
    window = whole = (0, 0, *source)
    for count, step in enumerate(steps):
        if step.declared.kind != "move" or step.matrix is None:
            return count, matrix, window, pad
        following = product(step.matrix, matrix)
        wanted = _source_window(following, step.out_size)
        if step.declared.outside and not _inside(wanted, window):
            if window != whole:  # a pad after a crop shows fill where pixels were cut
                return count, matrix, window, pad
            pad = (step.declared.border, step.declared.fill)
        matrix, window = following, wanted
    return len(steps), matrix, window, pad


def _source_window(matrix: Entries, size: tuple[int, int]) -> Window:
    """Return the window of the source that a canvas shows after whole-pixel moves."""
    height, width = size
    a, b, x0, d, e, y0, *_ = map(round, inverse(matrix))
    x1 = x0 + a * (width - 1) + b * (height - 1)
    y1 = y0 + d * (width - 1) + e * (height - 1)
    return min(y0, y1), min(x0, x1), abs(y1 - y0) + 1, abs(x1 - x0) + 1


def _inside(window: Window, other: Window) -> bool:
    """Return whether a window lies within another."""
    top, left, height, width = window
    above, before, tall, wide = other
    return (
        top >= above
        and left >= before
        and top + height <= above + tall
        and left + width <= before + wide
    )


def _entering(leading: Entries, window: Window) -> Entries:
    """Return the matrix from a window's pixels to where the leading moves put the source's."""
    return product(leading, shift(float(window[1]), float(window[0])))


def _turned(matrix: Entries, window: Window) -> tuple[int, int]:
    """Return the size of a window after flips and quarter turns."""
    height, width = window[2:]
    return (height, width) if matrix[0] else (width, height)


def _resize_window(
    step: SampleStep, sample: int, leading: Entries | None, window: Window
) -> Window:
    """Return the window of the source that a leading resize reads."""
    if step.declared.window is None:
        return window
    edges = step.declared.window[sample]
    left, top, right, bottom = edges.tolist() if isinstance(edges, np.ndarray) else edges
    if leading is not None:
        a, b, c, d, e, f, *_ = inverse(leading)
        corners = ((left - 0.5, top - 0.5), (right - 0.5, bottom - 0.5))
        left, right = sorted(a * x + b * y + c + 0.5 for x, y in corners)
        top, bottom = sorted(d * x + e * y + f + 0.5 for x, y in corners)
    first, above = math.floor(left + EXACT), math.floor(top + EXACT)
    return above, first, math.ceil(bottom - EXACT) - above, math.ceil(right - EXACT) - first


def _matrix_run(
    rest: list[SampleStep],
    leading: Entries,
    window: Window,
    pad: Pad,
    out_size: tuple[int, int],
) -> Sampling:
    """Resolve a run of matrices: their product, and the canvases that cut."""
    canvases: list[Canvas] = []
    places: list[int] = []
    total = IDENTITY_MATRIX
    for place in range(len(rest) - 1, -1, -1):
        step = rest[place]
        assert step.matrix is not None  # runs with fields are resolved elsewhere
        total = product(total, step.matrix)
        if place and (step.declared.kind == "warp" or step.declared.outside):
            back = inverse(total)
            if not _covers(back, step.in_size, out_size):
                canvases.insert(0, Canvas(matrices.array(back), step.in_size, step.declared.fill))
                places.insert(0, place)
    first = rest[0].declared
    resizes = first.kind == "resize"
    border, fill = ("edge" if resizes else first.border), first.fill
    if canvases and resizes and _is_window(rest[: places[0]], window):
        border, fill = "constant", canvases.pop(0).fill
    kind, resized, move = "warp", None, IDENTITY
    if resizes and border == "edge" and not canvases:
        found = _as_resize(rest, _entering(leading, window), window)
        if found is not None:
            kind, resized, move = "resize", *found
    matrix = product(product(total, leading), shift(float(window[1]), float(window[0])))
    sampled = [step.declared for step in rest if step.declared.kind != "move"]
    return Sampling(
        kind,
        window,
        pad,
        matrices.array(matrix),
        out_size,
        border,
        fill,
        sampled[0].interpolation if sampled else "bilinear",
        any(declared.antialias for declared in sampled),
        tuple(canvases),
        resized,
        move,
    )


def _matrix(step: SampleStep) -> Entries:
    assert step.matrix is not None  # runs with fields are resolved elsewhere
    return step.matrix


def _is_window(steps: list[SampleStep], window: Window) -> bool:
    """Return whether a canvas is the whole window, resized without enlarging, and perhaps flipped.

    Then the edge of the window cuts in place of the canvas: it is as soft as a pixel of the window,
    which is not larger than a pixel of the canvas.
    """
    height, width = steps[0].out_size
    flips = all(s.declared.kind == "move" and s.out_size == s.in_size for s in steps[1:])
    return flips and window[2] >= height and window[3] >= width


def _as_resize(
    rest: list[SampleStep], entering: Entries, window: Window
) -> tuple[tuple[int, int], Array] | None:
    """Return the size a window is resized to and the moves that follow, if that is the run."""
    if any(step.declared.kind != "move" for step in rest[1:]):  # none cuts: the caller has checked
        return None
    matrix = product(_matrix(rest[0]), entering)
    a, b, x, c, d, y, *_ = matrix
    height, width = window[2:]
    x0, x1 = -0.5 * (a + b) + x, a * (width - 0.5) + b * (height - 0.5) + x
    y0, y1 = -0.5 * (c + d) + y, c * (width - 0.5) + d * (height - 0.5) + y
    tall, wide = rest[0].out_size
    low, high = min(x0, x1) + 0.5, max(x0, x1) - wide + 0.5
    upper, lower = min(y0, y1) + 0.5, max(y0, y1) - tall + 0.5
    if max(abs(low), abs(high), abs(upper), abs(lower)) > 1e-6:
        return None
    size = (tall, wide) if a else (wide, tall)
    orient = IDENTITY_MATRIX if a > 0 and d > 0 else _orientation(matrix, size)
    for step in rest[1:]:
        orient = product(_matrix(step), orient)
    return size, IDENTITY if orient == IDENTITY_MATRIX else matrices.array(orient)


def _orientation(matrix: Entries, size: tuple[int, int]) -> Entries:
    """Return the flips and quarter turns of an axis-aligned matrix, on a canvas of `size`."""
    a, b, c, d = (
        0.0 if abs(v) <= 1e-12 else math.copysign(1.0, v)
        for v in (matrix[0], matrix[1], matrix[3], matrix[4])
    )
    right, bottom = size[1] - 1.0, size[0] - 1.0
    x = abs(a) * right + abs(b) * bottom if a + b < 0 else 0.0
    y = abs(c) * right + abs(d) * bottom if c + d < 0 else 0.0
    return (a, b, x, c, d, y, 0.0, 0.0, 1.0)


def _covers(back: Entries, canvas: tuple[int, int], out_size: tuple[int, int]) -> bool:
    """Return whether every output pixel lies on the canvas, which then cuts none."""
    height, width = out_size
    tall, wide = canvas
    a, b, c, d, e, f, g, h, i = back
    for x in (0, width - 1):
        for y in (0, height - 1):
            weight = g * x + h * y + i
            if weight <= 0:
                return False
            px, py = (a * x + b * y + c) / weight, (d * x + e * y + f) / weight
            if not (-EXACT <= px <= wide - 1 + EXACT and -EXACT <= py <= tall - 1 + EXACT):
                return False
    return True


def _field_run(
    rest: list[SampleStep],
    leading: Entries,
    window: Window,
    pad: Pad,
    out_size: tuple[int, int],
) -> Sampling:
    """Resolve a run with displacement fields: the steps themselves, backward."""
    links = []
    for place in range(len(rest) - 1, -1, -1):
        step = rest[place]
        back = None if step.matrix is None else matrices.array(inverse(step.matrix))
        cuts = place > 0 and (step.declared.kind == "warp" or step.declared.outside)
        canvas = Canvas(None, step.in_size, step.declared.fill) if cuts else None
        links.append(Link(back, step.displacement, canvas))
    links.append(Link(matrices.array(inverse(_entering(leading, window))), None, None))
    first = rest[0].declared
    border = "edge" if first.kind == "resize" else first.border
    interpolation = next(s.declared.interpolation for s in rest if s.declared.kind != "move")
    return Sampling("field", window, pad, IDENTITY, out_size, border, first.fill,
                    interpolation, links=tuple(links))  # fmt: skip
