"""Plans one sample in plain numbers: what `batch.sample_plan` builds, at a fifth of the cost.

Arrays of one element cost NumPy's overhead for every number. Here transforms that are `scalar`
draw and lower Python numbers, and the stages hold lists of one sample in place of arrays; others
keep arrays of length 1. The numbers are the same, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from imgkit import stages
from imgkit.augment.plan.batch import BatchDraw, build_group
from imgkit.augment.plan.color_steps import add_up, merge
from imgkit.augment.plan.compile import CompiledPipeline, FusedGroup
from imgkit.augment.transforms.base import Numbers, Transform
from imgkit.draws import PackedBlocks, ScalarDraw, Stream, first_words, packed_blocks
from imgkit.stages import Size, Stage

SCALAR_KINDS = ("resample", "color", "hue", "curve")  # stages that may hold lists of one sample


class SinglePlanner(NamedTuple):
    """What a compiled pipeline and its streams fix for every sample."""

    compiled: CompiledPipeline
    streams: tuple[Stream, ...]
    scalar: frozenset[int]  # the nodes that plain stages are made of
    drawing: tuple[int, ...]  # those of them that draw numbers
    blocks: PackedBlocks

    def sample_plan(self, epoch: int, index: int, size: Size) -> list[Stage]:
        """Draw one sample's numbers and build its stages."""
        nodes, streams = self.compiled.nodes, self.streams
        words = first_words(self.blocks, epoch, index) if self.drawing else []
        draws = {
            place: ScalarDraw(streams[place], epoch, index, known)
            for place, known in zip(self.drawing, words, strict=True)
        }
        drawn: dict[int, Numbers] = {}
        arrays: BatchDraw | None = None
        built: list[Stage] = []
        for group in self.compiled.groups:
            if group.built is not None:
                built.append(group.built)
                continue
            stage: Stage | None
            if group.entries[0][0] in self.scalar:
                stage, size = _plain_group(self, group, draws, drawn, size)
            else:
                if arrays is None:
                    arrays = BatchDraw(nodes, streams, epoch, np.array([index], np.uint64))
                stage, size = build_group(group, nodes, arrays, size)
            if stage is not None:
                built.append(stage)
        return built


def single_planner(compiled: CompiledPipeline, streams: tuple[Stream, ...]) -> SinglePlanner:
    """Find the nodes whose stages are all plain, and lay out their first blocks of words."""
    nodes = compiled.nodes
    scalar = {place for place, node in enumerate(nodes) if node.op.scalar and node.parent < 0}
    members = [{node for node, _ in group.entries} for group in compiled.groups]
    for group in compiled.groups:
        joined = compiled.canvas == "open" and group.kind == "resample"  # joins steps as arrays
        if joined or group.kind not in (*SCALAR_KINDS, "normalize"):
            scalar -= {node for node, _ in group.entries}
    while mixed := [group for group in members if group & scalar and not group <= scalar]:
        scalar -= set().union(*mixed)
    drawing = tuple(place for place in sorted(scalar) if nodes[place].op.is_drawing)
    layout = packed_blocks([streams[p] for p in drawing], [nodes[p].op.blocks for p in drawing])
    return SinglePlanner(compiled, streams, frozenset(scalar), drawing, layout)


def _plain_group(
    planner: SinglePlanner,
    group: FusedGroup,
    draws: dict[int, ScalarDraw],
    drawn: dict[int, Numbers],
    size: Size,
) -> tuple[Stage | None, Size]:
    """Return the stage of a group of scalar transforms, None if nothing of it happens."""
    fragments: list[Any] = []
    for place, index in group.entries:
        node = planner.compiled.nodes[place]
        op = node.op
        try:
            if place not in drawn:
                drawn[place] = _numbers(op, draws.get(place), size)
            numbers = drawn[place]
            if not (op.happens(index, numbers) if op.happens_apart else numbers["active"]):
                continue
            fragment = op.lower(index, numbers, size)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{node.where}: {op.name}: {error}") from None
        if group.kind == "resample":
            size = fragment.out_size
        fragments.append(fragment)
    return (BUILD[group.kind](fragments) if fragments else None), size


def _numbers(op: Transform, rng: ScalarDraw | None, size: Size) -> Numbers:
    """Return what a scalar transform draws."""
    if rng is None:
        return {"active": op.p > 0}
    numbers: Numbers = {"active": rng.bernoulli(op.p)}
    if numbers["active"]:
        if op.drawn_fields:
            numbers |= rng.fields(op.field_draws)
        if op.draws_more:
            numbers |= op.draw(rng, size)
    return numbers


# --- stages -----------------------------------------------------------------------------------


def _resample(fragments: list[Any]) -> stages.Resample:
    return stages.Resample(tuple(fragments))


def _color(fragments: list[Any]) -> stages.Color:
    steps: Any = [merge([step for fragment in fragments for step in fragment])]
    return stages.Color(steps)


def _hue(fragments: Sequence[Any]) -> stages.Hue:
    shift: Any = [add_up(fragments)]
    return stages.Hue(shift)


def _curve(fragments: list[Any]) -> stages.Curve:
    names, parameters = zip(*fragments, strict=True)
    rows: Any = [list(parameters)]
    active: Any = [[True] * len(fragments)]
    return stages.Curve(names, rows, active)


BUILD: dict[str, Any] = {"resample": _resample, "color": _color, "hue": _hue, "curve": _curve}
