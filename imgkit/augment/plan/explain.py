"""A pipeline, told: which ops became one stage, why each stage was begun, what was saved.

With a size, the numbers of one key are drawn and each run of geometric ops resolved as a backend
would, so that exact moves, resizes and warps can be told apart, and whether a uint8 RGB batch on
CUDA is one fused kernel. What keeps it from that stands under `CUDA` (`backends.device`).
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from imgkit import geometry, stages
from imgkit.augment.plan import compile as recipe
from imgkit.augment.plan.plan import Plan, describe
from imgkit.backends.cuda import capability as device
from imgkit.registry import HOST_ONLY

if TYPE_CHECKING:
    from imgkit.augment.pipeline import Pipeline

WIDTH = 100
KIND = 11  # columns of a stage's kind
LABEL = 8  # columns of a line's label
IMAGE_CURVES = ("Equalize", "AutoContrast")
FIELDS = ("Elastic", "GridDistortion")
STILL = {"degrees": 0, "rotate": 0, "translate": 0, "shear": 0, "x": 0, "y": 0, "scale": 1,
         "factor": 1}  # what a warp's parameters are where they change nothing  # fmt: skip
Line = tuple[str, str]  # a label and what it says


def explain(pipeline: Pipeline, size: tuple[int, int] | None = None, key: Any = (0, 0)) -> str:
    """Say which ops share a stage, why each stage was begun, and how sizes change.

    Args:
        pipeline: any.
        size: (H, W) of an image; without it the structure alone is told.
        key: whose numbers to draw; of several samples the first is told.

    Returns:
        Plain text, at most 100 columns wide.

    Raises:
        ValueError: the pipeline cannot run on images of that size.

    Example:
        >>> import imgkit as ik
        >>> aug = ik.Pipeline([ik.HorizontalFlip(p=0.5), ik.Rotate((-15, 15)), ik.Invert()])
        >>> print(explain(aug))
        3 ops in 2 stages
        <BLANKLINE>
         1  resample   HorizontalFlip p=0.5 + Rotate
                       shares  2 ops, one interpolation
         2  curve      Invert
                       begun   curve ends the run of geometric ops
    """
    compiled: recipe.Recipe = pipeline._recipe
    plan = None if size is None else pipeline.plan(size, key)
    blocks = [_heading(compiled, plan, key, pipeline.seed), ""]
    running = iter(plan.stages) if plan else iter(())
    place = 0  # of the stage in the plan
    for number, template in enumerate(compiled.templates, 1):
        before = compiled.templates[number - 2] if number > 1 else None
        lines = _told(template, before, compiled)
        if plan is None:
            lines += _on_cuda(_host(template, compiled), _apart(template, number - 1, compiled))
        else:
            stage = next(running) if _happens(template, compiled, plan) else None
            lines += _drawn(template, compiled, plan, stage)
            if stage is not None:
                lines += _on_cuda(
                    device.host_reason(stage), device.stage_fusion_blocker(stage, place)
                )
                place += 1
        blocks += _block(number, template.kind, _names(template, compiled), lines)
    return "\n".join(blocks).rstrip()


# --- words for structure ----------------------------------------------------------------


def _heading(compiled: recipe.Recipe, plan: Plan | None, key: Any, seed: int | None) -> str:
    ops = sum(not node.op.children for node in compiled.nodes)
    text = f"{_many(ops, 'op')} in {_many(len(compiled.templates), 'stage')}"
    if seed is not None:
        text += f", seed {seed}"
    if plan is None:
        return text
    text = f"{text}\n{_size(plan.in_size)} -> {_size(plan.out_size)} for key {key}"
    apart = device.fusion_blocker(plan.stages)
    return f"{text}\n" + (
        f"on CUDA torch operations run: {apart}"
        if apart
        else "on CUDA a uint8 RGB batch is one kernel"
    )


def _names(template: recipe.Template, compiled: recipe.Recipe) -> str:
    """Return the ops of a stage in order; those of one choice in brackets."""
    places = list(dict.fromkeys(node for node, _ in template.entries))
    names = []
    for parent, group in itertools.groupby(places, key=lambda place: compiled.nodes[place].parent):
        inside = [_name(compiled.nodes[place]) for place in group]
        if parent < 0:
            names += inside
            continue
        control = compiled.nodes[parent]
        rest = ["..."] if len(inside) < len(control.op.children) else []
        names.append(f"{_name(control)}({', '.join(inside + rest)})")
    return " + ".join(names)


def _name(node: recipe.Node) -> str:
    return node.op.name if node.op.p == 1 else f"{node.op.name} p={node.op.p:g}"


def _why(template: recipe.Template, before: recipe.Template) -> str:
    """Say why a stage could not join the one before."""
    if template.reason != f"{template.kind} after {before.kind}":
        return template.reason
    if before.kind == "resample":
        return f"{template.kind} ends the run of geometric ops"
    if template.kind == "resample":
        return f"a new run of geometric ops, for {before.kind} lies between"
    return template.reason


def _told(
    template: recipe.Template, before: recipe.Template | None, compiled: recipe.Recipe
) -> list[Line]:
    """Say why a stage was begun and what its ops share."""
    lines = [("begun", _why(template, before))] if before else []
    lines += [("always", text) for text in _always(template, compiled)]
    count = len(dict.fromkeys(node for node, _ in template.entries))
    if count < 2:
        return lines
    shared = {
        "resample": f"{count} ops, one interpolation",
        "color": f"{count} ops, linear steps that multiply where nothing is clipped between",
        "hue": f"{count} turns that add up",
        "curve": f"{count} curves of one value, one table",
        "normalize": f"{count} ops, one last pass",
    }
    names = {compiled.nodes[node].op.name for node, _ in template.entries}
    text = shared.get(template.kind, "")
    if template.kind == "curve" and names & set(IMAGE_CURVES):
        text += f", cut where {' and '.join(sorted(names & set(IMAGE_CURVES)))} reads the image"
    return [*lines, ("shares", text)]


def _always(template: recipe.Template, compiled: recipe.Recipe) -> Iterator[str]:
    """Yield the parameters of warps that are one number, which no image draws anew."""
    for place in dict.fromkeys(node for node, _ in template.entries):
        op = compiled.nodes[place].op
        if op.motion != "warp":
            continue
        values = {name: getattr(op, name, still) for name, still in STILL.items()}
        fixed = {
            name: value
            for name, value in values.items()
            if isinstance(value, float) and value != STILL[name]
        }
        if fixed:
            told = ", ".join(f"{name}={value:g}" for name, value in fixed.items())
            most = next((abs(v) for name, v in fixed.items() if not STILL[name]), None)
            pair = "" if most is None else f"; (-{most:g}, {most:g}) would be drawn"
            yield f"{op.name} {told}{pair}"


def _on_cuda(host: str, apart: str) -> list[Line]:
    """Say what a stage does to a batch on CUDA."""
    if host:
        return [("CUDA", f"the batch goes to the host and back: {host}")]
    return [("CUDA", f"not for the fused kernel: {apart}")] if apart else []


def _host(template: recipe.Template, compiled: recipe.Recipe) -> str:
    """Say why a stage to be leaves the device."""
    return next((HOST_ONLY[name] for name in _members(template, compiled) if name in HOST_ONLY), "")


def _apart(template: recipe.Template, place: int, compiled: recipe.Recipe) -> str:
    """Say what is known without numbers of why a stage is not for the fused kernel."""
    names = _members(template, compiled)
    if template.kind == "resample" and not place and any(name in FIELDS for name in names):
        return device.FIELD
    if template.kind == "curve" and any(name in IMAGE_CURVES for name in names):
        return device.WHOLE
    return device.kind_fusion_blocker(template.kind, place)


def _members(template: recipe.Template, compiled: recipe.Recipe) -> list[str]:
    """Return the names of a stage's ops."""
    return [compiled.nodes[node].op.name for node, _ in template.entries]


# --- words for numbers ------------------------------------------------------------------


def _happens(template: recipe.Template, compiled: recipe.Recipe, plan: Plan) -> bool:
    """Tell whether a plan has the stage: it is left out if none of its ops happens."""
    if getattr(template, "built", None) is not None:
        return True
    return any(
        np.any(compiled.nodes[node].op.happens(part, plan.ops[node]))
        for node, part in template.entries
    )


def _drawn(
    template: recipe.Template, compiled: recipe.Recipe, plan: Plan, stage: Any
) -> list[Line]:
    """Say what a stage does with the numbers of the first sample."""
    if stage is None:
        return [("runs", "not for this key: none of its ops happens")]
    idle = [
        compiled.nodes[node].op.name
        for node in dict.fromkeys(node for node, _ in template.entries)
        if not plan.ops[node]["active"][0]
    ]
    lines = [("idle", ", ".join(idle))] if idle else []
    if isinstance(stage, stages.Resample):
        sizes = f"{_size(stage.in_size)} -> {_size(stage.out_size)}"
        return [*lines, ("size", sizes), ("runs", _geometry(stage))]
    if isinstance(stage, stages.Color):
        return [*lines, ("runs", _color(template, compiled, plan, stage))]
    return [*lines, ("runs", describe(stage)[KIND:])]


def _geometry(stage: stages.Resample) -> str:
    """Say how the pixels of the first sample move."""
    how = geometry.resolve(stage.geometric_steps, 0)
    cut = len(how.canvases) + sum(link.canvas is not None for link in how.links)
    cuts = f"; {_many(cut, 'canvas', 'canvases')} between may cut" if cut else ""
    if how.kind == "move":
        return "exact: pixels move whole, nothing is interpolated"
    quality = f"{how.interpolation}{', antialiased' if how.antialias else ''}"
    if how.kind == "resize":
        moved = "" if (how.move == np.eye(3)).all() else ", then an exact move"
        height, width = how.window[2:]
        return f"one resize of {height} x {width} to {_size(how.resized)}, {quality}{moved}"
    how_many = len([step for step in stage.geometric_steps if step.kind != "move"])
    maps_ = "the map" if how_many == 1 else f"the product of {how_many} maps"
    way = f"by {maps_}" if how.kind == "warp" else "along the composed fields"
    return f"one warp {way}, {quality}{cuts}"


def _color(
    template: recipe.Template, compiled: recipe.Recipe, plan: Plan, stage: stages.Color
) -> str:
    """Say how many linear steps multiplied."""
    before = 0
    for node, part in template.entries:
        op, numbers = compiled.nodes[node].op, plan.ops[node]
        if op.happens(part, numbers)[0]:
            before += _busy(op.lower(part, numbers, plan.out_size)[0])
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
        yield from _wrapped(f"{indent}{label:<{LABEL}}", text)


def _wrapped(start: str, text: str) -> list[str]:
    """Return `start` and text, broken to hang under its first line."""
    return textwrap.wrap(text, WIDTH, initial_indent=start, subsequent_indent=" " * len(start))


def _many(count: int, one: str, several: str | None = None) -> str:
    return f"{count} {one if count == 1 else several or one + 's'}"


def _size(size: Any) -> str:
    height, width = (np.ravel(v)[0] for v in size)
    return f"{height} x {width}"
