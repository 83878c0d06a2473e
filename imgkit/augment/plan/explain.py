"""Explains a pipeline: which ops became one stage, why each stage starts, what was saved.

With a size, the numbers of one key are drawn and each run of geometric ops resolved as a backend
would, so that exact moves, resizes and warps can be told apart, and whether a uint8 RGB batch on
CUDA is one fused kernel. What prevents that stands under `CUDA` (`backends.cuda.capability`).
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np

from imgkit import geometry, stages
from imgkit.augment.plan.compile import CompiledPipeline, FusedGroup, Node
from imgkit.augment.plan.plan import Plan, describe
from imgkit.augment.plan.planner import Planner
from imgkit.augment.transforms.base import Transform
from imgkit.backends.cuda import capability
from imgkit.draws import parse_key
from imgkit.stages import Size

WIDTH = 100
KIND = 11  # columns of a stage's kind
LABEL = 8  # columns of a line's label
Line = tuple[str, str]  # a label and what it says


def explain(
    planner: Planner,
    size: Size | None = None,
    key: Any = (0, 0),
    seed: int | None = None,
) -> str:
    """Return as text which ops share a stage, why each stage starts, and how sizes change.

    Args:
        planner: of any pipeline.
        size: (H, W) of an image; without it only the structure is explained.
        key: whose numbers to draw; of several samples the first is explained.
        seed: of the pipeline, for the heading.

    Returns:
        Plain text, at most 100 columns wide.

    Raises:
        ValueError: the pipeline cannot run on images of that size.

    Example:
        >>> import imgkit as ik
        >>> aug = ik.Pipeline([ik.HorizontalFlip(p=0.5), ik.Rotate((-15, 15)), ik.Invert()])
        >>> print(aug.explain())
        3 ops in 2 stages
        <BLANKLINE>
         1  resample   HorizontalFlip p=0.5 + Rotate
                       shares  2 ops, one interpolation
         2  curve      Invert
                       starts because  curve follows geometry
    """
    compiled = planner.compiled
    plan = None if size is None else planner.plan(size, parse_key(key))
    blocks = [_heading(compiled, plan, key, seed), ""]
    running = iter(plan.stages) if plan else iter(())
    place = 0  # of the stage in the plan
    for number, group in enumerate(compiled.groups, 1):
        before = compiled.groups[number - 2] if number > 1 else None
        lines = _reasons(group, before, compiled)
        if plan is None:
            lines += _on_cuda(_host(group, compiled), _fusion_blocker(group, number - 1, compiled))
        else:
            stage = next(running) if _happens(group, compiled, plan) else None
            lines += _drawn(group, compiled, plan, stage)
            if stage is not None:
                lines += _on_cuda(
                    capability.host_reason(stage), capability.stage_fusion_blocker(stage, place)
                )
                place += 1
        blocks += _block(number, group.kind, _names(group, compiled), lines)
    return "\n".join(blocks).rstrip()


# --- words for structure ----------------------------------------------------------------


def _heading(compiled: CompiledPipeline, plan: Plan | None, key: Any, seed: int | None) -> str:
    ops = sum(not node.op.children for node in compiled.nodes)
    text = f"{_many(ops, 'op')} in {_many(len(compiled.groups), 'stage')}"
    if seed is not None:
        text += f", seed {seed}"
    if plan is None:
        return text
    text = f"{text}\n{_size(plan.in_size)} -> {_size(plan.out_size)} for key {key}"
    apart = capability.fusion_blocker(plan.stages)
    return f"{text}\n" + (
        f"on CUDA torch operations run: {apart}"
        if apart
        else "on CUDA a uint8 RGB batch is one kernel"
    )


def _names(group: FusedGroup, compiled: CompiledPipeline) -> str:
    """Return the ops of a stage in order; those of one choice in brackets."""
    places = list(dict.fromkeys(node for node, _ in group.entries))
    names = []
    for parent, inner in itertools.groupby(places, key=lambda place: compiled.nodes[place].parent):
        inside = [_name(compiled.nodes[place]) for place in inner]
        if parent < 0:
            names += inside
            continue
        control = compiled.nodes[parent]
        rest = ["..."] if len(inside) < len(control.op.children) else []
        names.append(f"{_name(control)}({', '.join(inside + rest)})")
    return " + ".join(names)


def _name(node: Node) -> str:
    return node.op.name if node.op.p == 1 else f"{node.op.name} p={node.op.p:g}"


def _why(group: FusedGroup, before: FusedGroup) -> str:
    """Return why a stage could not join the one before."""
    if group.reason != f"{group.kind} follows {before.kind}":
        return group.reason
    if before.kind == "resample":
        return f"{group.kind} follows geometry"
    if group.kind == "resample":
        return f"{before.kind} lies between it and the geometry before"
    return group.reason


def _reasons(
    group: FusedGroup, before: FusedGroup | None, compiled: CompiledPipeline
) -> list[Line]:
    """Return why a stage starts and what its ops share."""
    lines = [("starts because", _why(group, before))] if before else []
    lines += [("always", text) for text in _always(group, compiled)]
    count = len(dict.fromkeys(node for node, _ in group.entries))
    if count < 2:
        return lines
    shared = {
        "resample": f"{count} ops, one interpolation",
        "color": f"{count} ops, linear steps that multiply where nothing is clipped between",
        "hue": f"{count} turns that add up",
        "curve": f"{count} curves of one value, one table",
        "normalize": f"{count} ops, one last pass",
    }
    whole = {op.name for op in _members(group, compiled) if op.needs_whole_image}
    text = shared.get(group.kind, "")
    if group.kind == "curve" and whole:
        text += f", cut where {' and '.join(sorted(whole))} reads the image"
    return [*lines, ("shares", text)]


def _always(group: FusedGroup, compiled: CompiledPipeline) -> Iterator[str]:
    """Yield the parameters of warps that are one number, the same for every image."""
    for op in dict.fromkeys(_members(group, compiled)):
        fixed = {}
        for spec in op.specs:
            neutral = spec.metadata.get("limits", {}).get("neutral")
            value = getattr(op, spec.name)
            if neutral is not None and isinstance(value, float) and value != neutral:
                fixed[spec.name] = value, neutral
        if fixed:
            values = ", ".join(f"{name}={value:g}" for name, (value, _) in fixed.items())
            widest = next((abs(v) for v, neutral in fixed.values() if not neutral), None)
            pair = "" if widest is None else f"; (-{widest:g}, {widest:g}) would be drawn"
            yield f"{op.name} {values}{pair}"


def _on_cuda(host: str, apart: str) -> list[Line]:
    """Return what a stage does to a batch on CUDA."""
    if host:
        return [("CUDA", f"the batch goes to the host and back: {host}")]
    return [("CUDA", f"not for the fused kernel: {apart}")] if apart else []


def _host(group: FusedGroup, compiled: CompiledPipeline) -> str:
    """Return why a stage to be leaves the capability."""
    return next((op.host_only for op in _members(group, compiled) if op.host_only), "")


def _fusion_blocker(group: FusedGroup, place: int, compiled: CompiledPipeline) -> str:
    """Return what is known without numbers of why the fused kernel cannot run a stage."""
    members = _members(group, compiled)
    if group.kind == "resample" and not place and any(op.motion == "field" for op in members):
        return capability.FIELD
    if group.kind == "curve" and any(op.needs_whole_image for op in members):
        return capability.WHOLE
    return capability.kind_fusion_blocker(group.kind, place)


def _members(group: FusedGroup, compiled: CompiledPipeline) -> list[Transform]:
    """Return the ops of a stage."""
    return [compiled.nodes[node].op for node, _ in group.entries]


# --- words for numbers ------------------------------------------------------------------


def _happens(group: FusedGroup, compiled: CompiledPipeline, plan: Plan) -> bool:
    """Return whether a plan has the stage: it is left out if none of its ops happens."""
    if getattr(group, "built", None) is not None:
        return True
    return any(
        np.any(compiled.nodes[node].op.happens(index, plan.ops[node]))
        for node, index in group.entries
    )


def _drawn(group: FusedGroup, compiled: CompiledPipeline, plan: Plan, stage: Any) -> list[Line]:
    """Return what a stage does with the numbers of the first sample."""
    if stage is None:
        return [("runs", "not for this key: none of its ops happens")]
    idle = [
        compiled.nodes[node].op.name
        for node in dict.fromkeys(node for node, _ in group.entries)
        if not plan.ops[node]["active"][0]
    ]
    lines = [("idle", ", ".join(idle))] if idle else []
    if isinstance(stage, stages.Resample):
        sizes = f"{_size(stage.in_size)} -> {_size(stage.out_size)}"
        return [*lines, ("size", sizes), ("runs", _geometry(stage))]
    if isinstance(stage, stages.Color):
        return [*lines, ("runs", _color(group, compiled, plan, stage))]
    return [*lines, ("runs", describe(stage)[KIND:])]


def _geometry(stage: stages.Resample) -> str:
    """Return how the pixels of the first sample move."""
    sampling = geometry.resolve(stage.geometric_steps, 0)
    cut = len(sampling.canvases) + sum(link.canvas is not None for link in sampling.links)
    cuts = f"; {_many(cut, 'canvas', 'canvases')} between may cut" if cut else ""
    if sampling.kind == "move":
        return "exact: pixels move whole, nothing is interpolated"
    quality = f"{sampling.interpolation}{', antialiased' if sampling.antialias else ''}"
    if sampling.kind == "resize":
        moved = "" if (sampling.move == np.eye(3)).all() else ", then an exact move"
        height, width = sampling.window[2:]
        return f"one resize of {height} x {width} to {_size(sampling.resized)}, {quality}{moved}"
    how_many = len([step for step in stage.geometric_steps if step.kind != "move"])
    maps_ = "the map" if how_many == 1 else f"the product of {how_many} maps"
    way = f"by {maps_}" if sampling.kind == "warp" else "along the composed fields"
    return f"one warp {way}, {quality}{cuts}"


def _color(group: FusedGroup, compiled: CompiledPipeline, plan: Plan, stage: stages.Color) -> str:
    """Return how many linear steps multiplied."""
    before = 0
    for node, index in group.entries:
        op = compiled.nodes[node].op
        numbers = {k: v for k, v in plan.ops[node].items() if k not in ("op", "occurrence")}
        if op.happens(index, numbers)[0]:
            before += _busy(op.lower(index, numbers, plan.out_size)[0])
    after = _busy(stage.steps[0])
    if before == after or after == 0:
        return _many(after, "linear step") if after else "nothing changes for this key"
    why = "" if after == 1 else ": the others may clip"
    return f"{before} linear steps multiplied into {after}{why}"


def _busy(steps: Any) -> int:
    """Count the steps (K, 3, 7) that change something."""
    return int((steps != stages.IDENTITY_STEP).any(axis=(1, 2)).sum())


# --- layout -----------------------------------------------------------------------------


def _block(number: int, kind: str, names: str, lines: list[Line]) -> Iterator[str]:
    """Yield the lines of one stage."""
    yield from _wrapped(f"{number:2d}  {kind:<{KIND}}", names)
    indent = " " * (4 + KIND)
    for label, text in lines:
        yield from _wrapped(f"{indent}{label:<{LABEL - 2}}  ", text)


def _wrapped(start: str, text: str) -> list[str]:
    """Return `start` and text, broken to hang under its first line."""
    return textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=" " * len(start))


def _many(count: int, one: str, several: str | None = None) -> str:
    return f"{count} {one if count == 1 else several or one + 's'}"


def _size(size: Any) -> str:
    height, width = (np.ravel(v)[0] for v in size)
    return f"{height} x {width}"
