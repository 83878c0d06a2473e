"""One sample's stages in plain numbers: what `recipe.fill` builds, at a fifth of the cost.

Arrays of one element cost NumPy's overhead for every number. Here ops that are `plain` draw and
lower Python numbers, and the stages hold lists of one sample in place of arrays; other ops keep
arrays of length 1. The numbers are the same, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np

from imgkit import stages
from imgkit.augment.plan import compile as recipe
from imgkit.augment.plan import open_canvas as canvas
from imgkit.augment.transforms.base import Numbers, Size, Transform
from imgkit.draws import PackedBlocks, ScalarDraw, Stream, first_words, packed_blocks


class Script(NamedTuple):
    """What a recipe and its streams fix for every sample."""

    recipe: recipe.Recipe
    streams: tuple[Stream, ...]
    plain: frozenset[int]  # the nodes that plain stages are made of
    drawing: tuple[int, ...]  # those of them that draw numbers
    layout: PackedBlocks


def script(compiled: recipe.Recipe, streams: tuple[Stream, ...]) -> Script:
    """Find the nodes whose stages are all plain, and lay out their first blocks of words."""
    nodes = compiled.nodes
    plain = {place for place, node in enumerate(nodes) if node.op.plain and node.parent < 0}
    members = [{node for node, _ in template.entries} for template in compiled.templates]
    if compiled.canvas == "open":  # which joins steps as arrays
        plain -= {n for t in compiled.templates if t.kind == "resample" for n, _ in t.entries}
    while mixed := [group for group in members if group & plain and not group <= plain]:
        plain -= set().union(*mixed)
    drawing = tuple(place for place in sorted(plain) if _draws(nodes[place].op))
    layout = packed_blocks(
        [streams[place] for place in drawing], [nodes[p].op.blocks for p in drawing]
    )
    return Script(compiled, streams, frozenset(plain), drawing, layout)


def _draws(op: Transform) -> bool:
    """Tell whether an op takes any word."""
    return type(op).draw is not Transform.draw or 0 < op.p < 1


def fill(script: Script, epoch: int, index: int, size: Size) -> list[Any]:
    """Draw one sample's numbers and build its stages."""
    nodes, streams = script.recipe.nodes, script.streams
    words = first_words(script.layout, epoch, index) if script.drawing else []
    draws = {
        place: ScalarDraw(streams[place], epoch, index, known)
        for place, known in zip(script.drawing, words, strict=True)
    }
    plainly: dict[int, Numbers] = {}
    drawn: list[Numbers] = [{} for _ in nodes]
    built: list[Any] = []
    for template in script.recipe.templates:
        if template.built is not None:
            built.append(template.built)
            continue
        pieces: list[Any] = []
        owners: list[Any] = []
        plain = template.entries[0][0] in script.plain
        for (place, part), owner in zip_longest(template.entries, template.stretches):
            op = nodes[place].op
            if plain:
                if place not in plainly:
                    plainly[place] = _numbers(op, draws.get(place), size)
                numbers = plainly[place]
                happens: Any = op.happens(part, numbers)
            else:
                indices = np.array([index], np.uint64)
                numbers = recipe.numbers_of(
                    script.recipe, drawn, streams, epoch, indices, size, place, 1
                )
                happens = op.happens(part, numbers)
            if not (happens if plain else happens[0]):
                continue
            piece = op.lower(part, numbers, size)
            if template.kind == "resample":
                size = piece.out_size
            pieces.append(piece if plain else (piece, happens))
            owners.append(owner)
        if pieces:
            stage = (BUILD if plain else recipe.BUILD)[template.kind](pieces)
            built.append(canvas.opened(stage, owners) if template.stretches else stage)
    return built


def _numbers(op: Transform, draw: ScalarDraw | None, size: Size) -> Numbers:
    """Return what a plain op draws."""
    active: Any = op.p > 0 if draw is None else draw.bernoulli(op.p)
    numbers: Numbers = {"active": active}
    if active and draw is not None and type(op).draw is not Transform.draw:
        numbers |= op.draw(draw, 1, size)  # type: ignore[arg-type]
    return numbers


# --- stages -----------------------------------------------------------------------------------


def _resample(pieces: list[Any]) -> stages.Resample:
    return stages.Resample(tuple(pieces))


def _color(pieces: list[Any]) -> stages.Color:
    steps: Any = [merge([step for piece in pieces for step in piece])]
    return stages.Color(steps)


def _hue(pieces: list[Any]) -> stages.Hue:
    shift: Any = [_sum(pieces)]
    return stages.Hue(shift)


def _curve(pieces: list[Any]) -> stages.Curve:
    names, parameters = zip(*pieces, strict=True)
    rows: Any = [list(parameters)]
    active: Any = [[True] * len(pieces)]
    return stages.Curve(names, rows, active)


BUILD = {"resample": _resample, "color": _color, "hue": _hue, "curve": _curve}

Step = Sequence[Sequence[float]]  # 3 rows of 7


def merge(steps: list[Step]) -> list[Step]:
    """Multiply neighboring steps into one where no value can be clipped between."""
    merged: list[Step] = []
    for step in steps:
        if stages.is_identity(step):
            continue
        if merged and _stays_in_range(merged[-1]):
            merged[-1] = _compose(merged[-1], step)
        else:
            merged.append(step)
    return merged or [stages.IDENTITY_ROWS]


def _stays_in_range(step: Step) -> bool:
    """Tell whether a step keeps every value of 0..1 within 0..1."""
    for row in step:
        negative = _sum(v for v in row[:6] if v < 0)
        if row[6] + negative < -recipe.CLIP_FREE or _sum(row) - negative > 1 + recipe.CLIP_FREE:
            return False
    return True


def _sum(values: Iterable[float]) -> float:
    """Add up from the left as arrays do; Python's sum compensates for rounding since 3.12."""
    total = 0.0
    for value in values:
        total += value
    return total


def _compose(first: Step, second: Step) -> Step:
    """Return the step that is `first` and then `second`, with nothing clipped between.

    ``[A2 A1 | A2 B1 + B2 (A1 + B1) | (A2 + B2) c1 + c2]``, added up from the left.
    """
    (a0, a1, a2), (b0, b1, b2) = ([row[k : k + 3] for row in first] for k in (0, 3))
    (m0, m1, m2) = (
        [a + b for a, b in zip(x, y, strict=True)] for x, y in ((a0, b0), (a1, b1), (a2, b2))
    )
    c0, c1, c2 = (row[6] for row in first)
    rows = []
    for p, q, r, s, t, u, shift in second:
        linear = [p * x + q * y + r * z for x, y, z in zip(a0, a1, a2, strict=True)]
        means = [
            (p * x + q * y + r * z) + (s * k + t * m + u * n)
            for x, y, z, k, m, n in zip(b0, b1, b2, m0, m1, m2, strict=True)
        ]
        rows.append([*linear, *means, (p + s) * c0 + (q + t) * c1 + (r + u) * c2 + shift])
    return rows
