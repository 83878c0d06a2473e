"""Plans N samples at once: draws every transform's numbers as arrays and builds the stages.

Transforms that are not `vectorized` (a user's) draw sample by sample.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from imgkit import stages
from imgkit.augment.plan.color_steps import merge_batch
from imgkit.augment.plan.compile import CompiledPipeline, FusedGroup, Node, compile_ops
from imgkit.augment.plan.open_canvas import OpenCanvasGroup, open_canvas
from imgkit.augment.transforms.base import Numbers, Transform
from imgkit.draws import Draw, ScalarDraw, Stream
from imgkit.image import Array
from imgkit.stages import Size, Stage

Fragments = list[tuple[Any, Array, str]]  # a fragment, the samples it happens to, its place


def sample_plan(
    compiled: CompiledPipeline, streams: Sequence[Stream], epoch: int, indices: Array, size: Size
) -> tuple[list[Numbers], list[Stage], Size]:
    """Draw every transform's numbers and build the stages.

    Returns:
        The numbers of each node, the stages, and the size that comes out.
    """
    drawing = BatchDraw(compiled.nodes, streams, epoch, indices)
    built: list[Stage] = []
    for group in compiled.groups:
        if group.built is not None:
            built.append(group.built)
            continue
        stage, size = build_group(group, compiled.nodes, drawing, size)
        if stage is not None:
            built.append(stage)
    for node, numbers in enumerate(drawing.drawn):
        if not numbers:
            drawing.numbers(node, size)
    return drawing.drawn, built, size


class BatchDraw:
    """The numbers of every node of a compiled pipeline, each drawn when first asked for."""

    def __init__(
        self, nodes: Sequence[Node], streams: Sequence[Stream], epoch: int, indices: Array
    ) -> None:
        self.nodes, self.streams, self.epoch, self.indices = nodes, streams, epoch, indices
        self.drawn: list[Numbers] = [{} for _ in nodes]

    def numbers(self, place: int, size: Size) -> Numbers:
        """Return what a node draws for images of `size`."""
        if not self.drawn[place]:
            self.drawn[place] = self._draw(self.nodes[place], self.streams[place], size)
        return self.drawn[place]

    def _draw(self, node: Node, stream: Stream, size: Size) -> Numbers:
        op, samples = node.op, len(self.indices)
        draw = Draw(stream, self.epoch, self.indices) if op.is_drawing else None
        active = np.full(samples, op.p > 0) if draw is None else draw.bernoulli(op.p)
        if node.parent >= 0:
            parent = self.numbers(node.parent, size)
            active = active & parent["active"]
            if active.any():  # else the parent may have drawn no choice
                control: Any = self.nodes[node.parent].op
                active = active & control.chosen(parent, node.branch)
        numbers: Numbers = {"active": active}
        if draw is not None and (np.count_nonzero(active) or not samples):
            try:
                if op.vectorized:
                    numbers |= draw.fields(op.field_draws) | op.draw(draw, size)
                else:
                    numbers |= self._draw_each(op, stream, size)
            except (TypeError, ValueError) as error:
                raise type(error)(f"{node.where}: {op.name}: {error}") from None
        return numbers

    def _draw_each(self, op: Transform, stream: Stream, size: Size) -> Numbers:
        """Draw the numbers of a transform that draws one sample at a time."""
        rows = []
        for sample, index in enumerate(self.indices.tolist()):
            here: Any = tuple(v[sample] if isinstance(v, np.ndarray) else v for v in size)
            rows.append(draw_one(op, ScalarDraw(stream, self.epoch, index), here)[1])
        names = list(rows[0]) if rows else []
        if any(list(row) != names for row in rows):
            raise ValueError("draw returned other names for some samples: all have the same")
        return {name: _column([row[name] for row in rows]) for name in names}


def draw_one(op: Transform, rng: ScalarDraw, size: Size) -> tuple[bool, Numbers]:
    """Return whether a transform happens to one sample, and its numbers in plain form."""
    active = rng.bernoulli(op.p)
    return active, rng.fields(op.field_draws) | op.draw(rng, size)


def _column(values: list[Any]) -> Array:
    """Return one number of N samples as an array; what is no number as objects."""
    plain = all(isinstance(v, (bool, int, float, np.number, np.bool_)) for v in values)
    if plain and len({type(v) for v in values}) <= 1:
        return np.array(values)
    column = np.empty(len(values), object)
    column[:] = values
    return column


# --- stages -------------------------------------------------------------------------------


def build_group(
    group: FusedGroup, nodes: Sequence[Node], drawing: BatchDraw, size: Size
) -> tuple[Stage | None, Size]:
    """Return the stage of a group, None if nothing of it happens, and the size that comes out."""
    samples = len(drawing.indices)
    fragments: Fragments = []
    owners: list[OpenCanvasGroup | None] = []
    for place, (node, index) in enumerate(group.entries):
        op = nodes[node].op
        numbers = drawing.numbers(node, size)
        active = op.happens(index, numbers)
        happens = np.count_nonzero(active)
        if samples and not happens:
            continue
        try:
            fragment = op.lower(index, numbers, size)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{nodes[node].where}: {op.name}: {error}") from None
        if group.kind == "resample":
            if happens < samples:
                fragment = _gate_step(fragment, active)
            size = fragment.out_size
        fragments.append((fragment, active, nodes[node].where))
        owners += group.open_groups[place : place + 1]
    if not fragments:
        return None, size
    stage = BUILD[group.kind](fragments)
    return (open_canvas(stage, owners) if owners else stage), size


def _gate_step(step: stages.GeometricStep, active: Array) -> stages.GeometricStep:
    """Return a step that is an identity where it does not happen."""
    matrix = step.matrix
    if matrix is not None:
        matrix = np.where(active[:, None, None], matrix, np.eye(3))
    height, width = (
        before if np.array_equal(before, after) else np.where(active, after, before)
        for before, after in zip(step.in_size, step.out_size, strict=True)
    )
    out_size = height, width
    return stages.GeometricStep(step.name, step.kind, step.in_size, out_size, matrix, step.field,
                                step.window, step.outside, step.interpolation, step.antialias,
                                step.border, step.fill)  # fmt: skip


def _resample(fragments: Fragments) -> stages.Resample:
    return stages.Resample(tuple(step for step, _, _ in fragments))


def _color(fragments: Fragments) -> stages.Color:
    gated = [
        steps
        if np.count_nonzero(active) == len(active)
        else np.where(active[:, None, None, None], steps, stages.IDENTITY_STEP)
        for steps, active, _ in fragments
    ]
    return stages.Color(merge_batch(np.concatenate(gated, axis=1)))


def _hue(fragments: Fragments) -> stages.Hue:
    shifts = [np.where(active, shift, 0.0) for shift, active, _ in fragments]
    return stages.Hue(functools.reduce(np.add, shifts))  # np.sum of one sample adds in pairs


def _curve(fragments: Fragments) -> stages.Curve:
    names = tuple(name for (name, _), _, _ in fragments)
    parameters = np.stack([parameter for (_, parameter), _, _ in fragments], axis=1)
    active = np.stack([active for _, active, _ in fragments], axis=1)
    return stages.Curve(names, parameters, active)


def _filter(fragments: Fragments) -> stages.Filter:
    (((name, parameters, *host_only), active, _),) = fragments
    return stages.Filter(name, parameters, active, *host_only)


def _noise(fragments: Fragments) -> stages.Noise:
    (((name, amount, key), active, _),) = fragments
    return stages.Noise(name, amount, key, active)


def _erase(fragments: Fragments) -> stages.Erase:
    (((rectangles, fill), active, _),) = fragments
    return stages.Erase(np.where(active[:, None, None], rectangles, 0), fill)


def _call(fragments: Fragments) -> stages.Call:
    (((applied, numbers), active, where),) = fragments
    return stages.Call(applied.op.name, dataclasses.replace(applied, where=where), numbers, active)


def _mix(fragments: Fragments) -> stages.Mix:
    (((branches, weights), _, _),) = fragments
    return stages.Mix(tuple(_branch(*branch) for branch in branches), weights)


def _branch(op: Transform, numbers: Numbers, size: Size) -> tuple[Stage, ...]:
    """Return the stages of one branch of a mix, whose numbers are drawn already."""
    built: list[Stage] = []
    for group in compile_ops((op,)).groups:
        fragments: Fragments = []
        for _, index in group.entries:
            active = op.happens(index, numbers)
            if active.any():
                fragments.append((op.lower(index, numbers, size), active, op.name))
        if fragments:
            built.append(BUILD[group.kind](fragments))
    return tuple(built)


BUILD: dict[str, Any] = {
    "resample": _resample,
    "color": _color,
    "hue": _hue,
    "curve": _curve,
    "filter": _filter,
    "noise": _noise,
    "erase": _erase,
    "mix": _mix,
    "call": _call,
}
