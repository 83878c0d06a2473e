"""Which ops share a stage: compiled once a pipeline, filled with numbers for every call.

The structure follows the list alone, never the numbers drawn, so that a batch and its samples
one by one are the same plan. An op that does not happen to a sample is an identity there.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit import stages
from imgkit.augment.plan import open_canvas as canvases
from imgkit.augment.transforms.base import Numbers, Size, Transform
from imgkit.draws import Draw, Stream, stream
from imgkit.geometry.matrix import products

Array = npt.NDArray[Any]
EXACT = ("HorizontalFlip", "VerticalFlip", "Rotate90", "Transpose", "CenterCrop", "RandomCrop")
CLIP_FREE = 1e-9  # how far a step may leave 0..1 by rounding alone


class Node(NamedTuple):
    """An op of the flattened list, with the control op that decides over it."""

    op: Transform
    occurrence: int
    parent: int  # a node, or -1
    branch: int  # which child of the parent


class Template(NamedTuple):
    """A stage to be: its kind, the (node, part) pairs that share it, why it was begun.

    Output ops draw nothing: their stage is built here, once. Where canvases are open, `stretches`
    says of each entry of a resample which warp it is part of.
    """

    kind: str
    entries: tuple[tuple[int, int], ...]
    reason: str
    built: stages.Normalize | None = None
    stretches: tuple[canvases.OpenCanvasGroup | None, ...] = ()


class Recipe(NamedTuple):
    """A compiled list of ops."""

    nodes: tuple[Node, ...]
    templates: tuple[Template, ...]
    canvas: str = "cut"


@functools.lru_cache(maxsize=256)
def compile_ops(ops: tuple[Transform, ...], fuse: bool = True, canvas: str = "cut") -> Recipe:
    """Flatten control ops and group neighbors into stages."""
    nodes: list[Node] = []
    order: list[tuple[int, int]] = []
    _flatten(ops, -1, nodes, order, Counter(), fuse)
    groups: list[tuple[str, list[tuple[int, int]], str]] = []
    for node, part in order:
        op = nodes[node].op
        kind = op.parts[part]
        members = [nodes[n].op for n, _ in groups[-1][1]] if groups else []
        reason = _why_not(groups[-1][0], members, kind, op, fuse) if groups else "the first stage"
        if reason and fuse and kind == "resample" and _crosses(groups, nodes, op):
            groups[-2:] = groups[:-3:-1]  # the color goes first
            if len(groups) > 2 and groups[-3][0] == "color":
                groups[-3][1].extend(groups.pop(-2)[1])
            reason = ""
        if reason:
            groups.append((kind, [(node, part)], reason))
        else:
            groups[-1][1].append((node, part))
    templates = tuple(
        Template(kind, tuple(entries), reason, _normalize(nodes, entries, kind),
                 _stretches(nodes, entries, kind, canvas))
        for kind, entries, reason in groups
    )  # fmt: skip
    for before, after in itertools.pairwise(templates):
        if before.kind == "normalize" and after.kind != "normalize":
            late = nodes[after.entries[0][0]].op.name
            early = nodes[before.entries[0][0]].op.name
            raise ValueError(f"ops: {late} comes after {early}; output ops stand at the end")
    return Recipe(tuple(nodes), templates, canvas)


def _stretches(
    nodes: list[Node], entries: list[tuple[int, int]], kind: str, canvas: str
) -> tuple[canvases.OpenCanvasGroup | None, ...]:
    """Return what an open canvas makes of the entries of a resample."""
    if kind != "resample" or canvas == "cut":
        return ()
    return canvases.stretches([nodes[node].op for node, _ in entries])


def _crosses(
    groups: list[tuple[str, list[tuple[int, int]], str]], nodes: list[Node], op: Transform
) -> bool:
    """Tell whether an op can join the resample before the last stage, which is linear color.

    Color that clips nothing and asks for no mean commutes with interpolation. It is moved before
    the resample, so that of the fills it must leave alone those of the earlier ops: black.
    """
    if len(groups) < 2 or [group[0] for group in groups[-2:]] != ["resample", "color"]:
        return False
    earlier, colors = ([nodes[n].op for n, _ in group[1]] for group in groups[-2:])
    black = all(not any(getattr(member, "fill", (0.0,))) for member in earlier)
    return (
        black
        and all(color.commutes for color in colors)
        and not _why_not("resample", earlier, "resample", op, True)
    )


def _flatten(
    ops: Sequence[Transform],
    parent: int,
    nodes: list[Node],
    order: list[tuple[int, int]],
    seen: Counter[str],
    fuse: bool,
) -> None:
    """Append ops depth first; children of one choice are grouped by kind, as only one happens."""
    start = len(order)
    for branch, op in enumerate(ops):
        place = len(nodes)
        nodes.append(Node(op, seen[op.name], parent, branch))
        seen[op.name] += 1
        order.extend((place, part) for part in range(len(op.parts)))
        if op.children:
            _flatten(op.children, place, nodes, order, seen, fuse)
    exclusive = parent >= 0 and nodes[parent].op.name == "OneOf"
    if fuse and exclusive and all(len(op.parts) == 1 for op in ops):
        kinds = list(dict.fromkeys(op.parts[0] for op in ops))
        order[start:] = sorted(order[start:], key=lambda e: kinds.index(nodes[e[0]].op.parts[0]))


def _why_not(before: str, members: list[Transform], kind: str, op: Transform, fuse: bool) -> str:
    """Say why an op cannot join the stage before it; empty if it can."""
    if not fuse and members[-1] is not op:
        return "fusing is off"
    if before != kind:
        return f"{kind} after {before}"
    if kind in ("filter", "noise", "erase", "mix"):
        return f"each {kind} is a stage of its own"
    if kind != "resample":
        return ""
    border = getattr(op, "border", "constant")
    moved = all(m.name in EXACT for m in members)
    if border != "constant" and not moved:
        return f"border {border!r} folds the canvas that {members[-1].name} leaves"
    used = {m.interpolation for m in members if hasattr(m, "interpolation")}
    wanted = getattr(op, "interpolation", None)
    if wanted is not None and used and used != {wanted}:
        return f"interpolation {wanted!r} after {used.pop()!r}"
    return ""


# --- filling in numbers -------------------------------------------------------------------


def streams(recipe: Recipe, seed: int) -> tuple[Stream, ...]:
    """Return the stream of every node."""
    return tuple(stream(seed, node.op.name, node.occurrence) for node in recipe.nodes)


def fill(
    recipe: Recipe, keys: tuple[Stream, ...], epoch: int, indices: Array, size: Size
) -> tuple[list[Numbers], list[Any], Size]:
    """Draw every op's numbers and build the stages.

    Returns:
        The numbers of each node, the stages, and the size that comes out.
    """
    samples = len(indices)
    drawn: list[Numbers] = [{} for _ in recipe.nodes]
    built: list[Any] = []
    for template in recipe.templates:
        if template.built is not None:
            built.append(template.built)
            continue
        pieces = []
        owners: list[canvases.OpenCanvasGroup | None] = []
        for place, (node, part) in enumerate(template.entries):
            numbers = numbers_of(recipe, drawn, keys, epoch, indices, size, node, samples)
            active = recipe.nodes[node].op.happens(part, numbers)
            happens = np.count_nonzero(active)
            if samples and not happens:
                continue
            piece = recipe.nodes[node].op.lower(part, numbers, size)
            if template.kind == "resample":
                if happens < samples:
                    piece = _gate_step(piece, active)
                size = piece.out_size
            pieces.append((piece, active))
            owners += template.stretches[place : place + 1]
        if pieces:
            stage = BUILD[template.kind](pieces)
            built.append(canvases.opened(stage, owners) if owners else stage)
    for node, numbers in enumerate(drawn):
        if not numbers:
            numbers_of(recipe, drawn, keys, epoch, indices, size, node, samples)
    return drawn, built, size


def numbers_of(
    recipe: Recipe,
    drawn: list[Numbers],
    keys: tuple[Stream, ...],
    epoch: int,
    indices: Array,
    size: Size,
    place: int,
    samples: int,
) -> Numbers:
    """Return what a node draws, drawing it the first time."""
    if drawn[place]:
        return drawn[place]
    node = recipe.nodes[place]
    op = node.op
    draws = type(op).draw is not Transform.draw
    draw = Draw(keys[place], epoch, indices) if draws or 0 < op.p < 1 else None
    active = np.full(samples, op.p > 0) if draw is None else draw.bernoulli(op.p)
    if node.parent >= 0:
        parent = numbers_of(recipe, drawn, keys, epoch, indices, size, node.parent, samples)
        active = active & parent["active"]
        if active.any():  # else the parent may have drawn no choice
            control: Any = recipe.nodes[node.parent].op
            active = active & control.chosen(parent, node.branch)
    numbers: Numbers = {"active": active}
    if draws and (np.count_nonzero(active) or not samples):
        numbers |= op.draw(draw, samples, size)  # type: ignore[arg-type]
    drawn[place] = numbers
    return numbers


def _gate_step(hop: stages.GeometricStep, active: Array) -> stages.GeometricStep:
    """Make a hop an identity where it does not happen."""
    matrix = hop.matrix
    if matrix is not None:
        matrix = np.where(active[:, None, None], matrix, np.eye(3))
    height, width = (
        before if np.array_equal(before, after) else np.where(active, after, before)
        for before, after in zip(hop.in_size, hop.out_size, strict=True)
    )
    return stages.GeometricStep(hop.name, hop.kind, hop.in_size, (height, width), matrix, hop.field,
                      hop.window, hop.outside, hop.interpolation, hop.antialias, hop.border,
                      hop.fill)  # fmt: skip


Pieces = list[tuple[Any, Array]]


def _resample(pieces: Pieces) -> stages.Resample:
    return stages.Resample(tuple(hop for hop, _ in pieces))


def _color(pieces: Pieces) -> stages.Color:
    gated = [
        steps
        if np.count_nonzero(active) == len(active)
        else np.where(active[:, None, None, None], steps, stages.IDENTITY_STEP)
        for steps, active in pieces
    ]
    return stages.Color(merge_steps(np.concatenate(gated, axis=1)))


def _hue(pieces: Pieces) -> stages.Hue:
    shifts = [np.where(active, shift, 0.0) for shift, active in pieces]
    return stages.Hue(functools.reduce(np.add, shifts))  # np.sum of one sample adds in pairs


def _curve(pieces: Pieces) -> stages.Curve:
    names = tuple(name for (name, _), _ in pieces)
    parameters = np.stack([parameter for (_, parameter), _ in pieces], axis=1)
    return stages.Curve(names, parameters, np.stack([active for _, active in pieces], axis=1))


def _filter(pieces: Pieces) -> stages.Filter:
    ((name, parameters, *host_only), active) = pieces[0]
    return stages.Filter(name, parameters, active, *host_only)


def _noise(pieces: Pieces) -> stages.Noise:
    ((name, amount, key), active) = pieces[0]
    return stages.Noise(name, amount, key, active)


def _erase(pieces: Pieces) -> stages.Erase:
    ((rectangles, fill), active) = pieces[0]
    return stages.Erase(np.where(active[:, None, None], rectangles, 0), fill)


def _mix(pieces: Pieces) -> stages.Mix:
    ((branches, weights), _) = pieces[0]
    return stages.Mix(branches, weights)


def _normalize(
    nodes: list[Node], entries: list[tuple[int, int]], kind: str
) -> stages.Normalize | None:
    """Build the stage of output ops."""
    if kind != "normalize":
        return None
    to_float = chw = False
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    for node, part in entries:
        op = nodes[node].op
        if op.p not in (0, 1):
            raise ValueError(
                f"p is {op.p}: {op.name} happens to every image or to none; p is 1 or 0"
            )
        piece = op.lower(part, {}, (0, 0)) if op.p else {}
        to_float |= piece.get("to_float", False)
        chw |= piece.get("chw", False)
        if "mean" in piece:
            (mean, std) = _after(mean, std, piece["mean"], piece["std"])
    return stages.Normalize(to_float, mean, std, chw)


def _after(
    mean: tuple[float, ...],
    std: tuple[float, ...],
    mean2: tuple[float, ...],
    std2: tuple[float, ...],
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Compose two normalizations: ((x - m) / s - m2) / s2."""
    m, s, m2, s2 = (np.asarray(v) for v in (mean, std, mean2, std2))
    return tuple((m + s * m2).tolist()), tuple((s * s2).tolist())


BUILD = {
    "resample": _resample,
    "color": _color,
    "hue": _hue,
    "curve": _curve,
    "filter": _filter,
    "noise": _noise,
    "erase": _erase,
    "mix": _mix,
}


# --- linear color -------------------------------------------------------------------------


def merge_steps(steps: Array) -> Array:
    """Multiply neighboring steps (N, K, 3, 7) into one where no value can be clipped between.

    The result has as few steps as the samples need; the others end in identities.
    """
    samples, count = steps.shape[:2]
    if count == 1:
        return steps
    if samples == 1:
        return _merge_one(steps)
    merged = np.tile(stages.IDENTITY_STEP, (samples, count, 1, 1))
    slot = np.zeros(samples, np.int64)
    everyone = np.arange(samples)
    for place in range(count):
        step = steps[:, place]
        idle = (step == stages.IDENTITY_STEP).all(axis=(1, 2))
        if idle.all():
            continue
        before = merged[everyone, slot]
        free = _stays_in_range(before)
        composed = np.where(idle[:, None, None], before, _compose(before, step))
        slot = slot + ~(free | idle)
        merged[everyone, slot] = np.where((free | idle)[:, None, None], composed, step)
    return merged[:, : int(slot.max(initial=0)) + 1]


def _merge_one(steps: Array) -> Array:
    """Merge the steps of one sample, at a sixth of the cost of what many share."""
    merged: list[Array] = []
    for place in range(steps.shape[1]):
        step = steps[:, place]
        if stages.is_identity(step[0].tolist()):
            continue
        if merged and _stays_in_range(merged[-1])[0]:
            merged[-1] = _compose(merged[-1], step)
        else:
            merged.append(step)
    return np.stack(merged or [stages.IDENTITY_STEP[None]], axis=1)


def _stays_in_range(step: Array) -> Array:
    """Tell which steps (N, 3, 7) keep every value of 0..1 within 0..1."""
    total = step.sum(axis=2)  # the most and least a row can give differ from it by what is negative
    negative = np.minimum(step[:, :, :6], 0).sum(axis=2)
    low, high = step[:, :, 6] + negative, total - negative
    return np.asarray((low.min(axis=1) >= -CLIP_FREE) & (high.max(axis=1) <= 1 + CLIP_FREE))


def _compose(first: Array, second: Array) -> Array:
    """Return the step that is `first` and then `second`, with nothing clipped between."""
    a1, b1, c1 = first[:, :, :3], first[:, :, 3:6], first[:, :, 6:]
    a2, b2, c2 = second[:, :, :3], second[:, :, 3:6], second[:, :, 6:]
    mean_after = a1 + b1  # the mean of what `first` gives, in terms of the mean it got
    means = products(a2, b1) + products(b2, mean_after)
    return np.concatenate([products(a2, a1), means, products(a2 + b2, c1) + c2], axis=2)
