"""Which transforms share a stage: compiled once a pipeline, sampled with numbers for every call.

The groups follow the list alone, never the numbers drawn, so that a batch and its samples one by
one have the same plan. A transform that does not happen to a sample is an identity there.
"""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from imgkit.augment.plan.open_canvas import OpenCanvasGroup, open_groups
from imgkit.augment.transforms.base import Transform
from imgkit.draws import Stream, stream
from imgkit.stages import Normalize

ALONE = ("filter", "noise", "erase", "mix", "call")  # kinds whose fragments never share a stage
Entry = tuple[int, int]  # a node, and the index of its stage


class Node(NamedTuple):
    """A transform of the flattened list, with the control transform that decides over it."""

    op: Transform
    occurrence: int
    parent: int  # a node, or -1
    branch: int  # which child of the parent
    where: str  # its place in the list, for messages


class FusedGroup(NamedTuple):
    """A stage to be: its kind, the entries that share it, and the reason why it starts.

    Output transforms draw nothing: their stage is built here, once. Where canvases are open,
    `open_groups` holds for each entry of a resample the warp that it is part of.
    """

    kind: str
    entries: tuple[Entry, ...]
    reason: str
    built: Normalize | None = None
    open_groups: tuple[OpenCanvasGroup | None, ...] = ()


class CompiledPipeline(NamedTuple):
    """A compiled list of transforms."""

    nodes: tuple[Node, ...]
    groups: tuple[FusedGroup, ...]
    canvas: str = "cut"

    def streams(self, seed: int) -> tuple[Stream, ...]:
        """Return the stream of every node."""
        return tuple(stream(seed, node.op.name, node.occurrence) for node in self.nodes)


class _Draft(NamedTuple):
    """A group while it grows."""

    kind: str
    entries: list[Entry]
    reason: str


def compile_ops(
    ops: tuple[Transform, ...],
    fuse: bool = True,
    canvas: str = "cut",
    before: tuple[tuple[str, int], ...] = (),
    first: int = 0,
) -> CompiledPipeline:
    """Compile a list of ops; lists of imgkit's transforms alone are compiled once.

    What a user's op or function holds may have no hash, or be equal (1 and True) and not the same.
    """
    run = _compile_cached if all(map(_is_declared, ops)) else _compile
    return run(ops, fuse, canvas, before, first)


def _is_declared(op: Transform) -> bool:
    """Return whether an op and its children are transforms of imgkit, whose fields are plain."""
    own = type(op).__module__.startswith("imgkit.") and "call" not in op.stage_kinds
    return own and all(map(_is_declared, op.children))


def _compile(
    ops: tuple[Transform, ...],
    fuse: bool,
    canvas: str,
    before: tuple[tuple[str, int], ...],
    first: int,
) -> CompiledPipeline:
    """Flatten control transforms and group neighbors into stages.

    Args:
        ops: transforms, in order.
        fuse: whether neighbors may share a stage.
        canvas: "cut" or "open".
        before: how often each name occurs in the list before these.
        first: the place of the first of these in the list.
    """
    nodes: list[Node] = []
    order: list[Entry] = []
    places = [f"ops[{first + place}]" for place in range(len(ops))]
    _flatten(ops, places, -1, nodes, order, Counter(dict(before)), fuse)
    drafts: list[_Draft] = []
    for node, index in order:
        _place(drafts, nodes, node, index, fuse)
    groups = tuple(
        FusedGroup(kind, tuple(entries), reason, _normalize(nodes, entries, kind),
                   _open_groups(nodes, entries, kind, canvas))
        for kind, entries, reason in drafts
    )  # fmt: skip
    for earlier, later in itertools.pairwise(groups):
        if earlier.kind == "normalize" and later.kind != "normalize":
            late, early = nodes[later.entries[0][0]], nodes[earlier.entries[0][0]]
            raise ValueError(
                f"{late.where}: {late.op.name} comes after {early.op.name}; output ops stand at "
                "the end"
            )
    return CompiledPipeline(tuple(nodes), groups, canvas)


_compile_cached = functools.lru_cache(maxsize=256)(_compile)


def _flatten(
    ops: Sequence[Transform],
    places: Sequence[str],
    parent: int,
    nodes: list[Node],
    order: list[Entry],
    seen: Counter[str],
    fuse: bool,
) -> None:
    """Append ops depth first; children of one choice are grouped by kind, as only one happens."""
    start = len(order)
    for branch, (op, place) in enumerate(zip(ops, places, strict=True)):
        node = len(nodes)
        nodes.append(Node(op, seen[op.name], parent, branch, place))
        seen[op.name] += 1
        order.extend((node, index) for index in range(len(op.stage_kinds)))
        if op.children:
            inner = [f"{place}.ops[{child}]" for child in range(len(op.children))]
            _flatten(op.children, inner, node, nodes, order, seen, fuse)
    exclusive = parent >= 0 and nodes[parent].op.exclusive
    if fuse and exclusive and all(len(op.stage_kinds) == 1 for op in ops):
        kinds = list(dict.fromkeys(op.stage_kinds[0] for op in ops))
        order[start:] = sorted(
            order[start:], key=lambda entry: kinds.index(nodes[entry[0]].op.stage_kinds[0])
        )


def _place(drafts: list[_Draft], nodes: list[Node], node: int, index: int, fuse: bool) -> None:
    """Add an entry to the last group, to the one that it may cross to, or to a new one."""
    op = nodes[node].op
    kind = op.stage_kinds[index]
    reason = "the first stage"
    if drafts:
        members = [nodes[n].op for n, _ in drafts[-1].entries]
        reason = _separation_reason(drafts[-1].kind, members, kind, op, fuse)
        if reason and fuse and kind == "resample" and _crosses_color(drafts, nodes, op):
            _move_color_first(drafts)
            reason = ""
    if reason:
        drafts.append(_Draft(kind, [(node, index)], reason))
    else:
        drafts[-1].entries.append((node, index))


def _crosses_color(drafts: list[_Draft], nodes: list[Node], op: Transform) -> bool:
    """Return whether an op can join the resample before the last stage, which is linear color.

    Color that clips nothing and asks for no mean commutes with interpolation. It moves before the
    resample; so the fills of the earlier ops, which it must leave alone, have to be black.
    """
    if [draft.kind for draft in drafts[-2:]] != ["resample", "color"]:
        return False
    earlier, colors = ([nodes[n].op for n, _ in draft.entries] for draft in drafts[-2:])
    return (
        all(not any(getattr(member, "fill", (0.0,))) for member in earlier)
        and all(color.commutes for color in colors)
        and not _separation_reason("resample", earlier, "resample", op, True)
    )


def _move_color_first(drafts: list[_Draft]) -> None:
    """Exchange the last two groups, a resample and color; join the color to color before it."""
    drafts[-2:] = drafts[:-3:-1]
    if len(drafts) > 2 and drafts[-3].kind == "color":
        drafts[-3].entries.extend(drafts.pop(-2).entries)


def _separation_reason(
    before: str, members: list[Transform], kind: str, op: Transform, fuse: bool
) -> str:
    """Return why an op cannot join the stage before it; empty if it can."""
    if not fuse and members[-1] is not op:
        return "fusing is off"
    if before != kind:
        return f"{kind} follows {before}"
    if kind in ALONE:
        return f"each {kind} is a stage of its own"
    if kind != "resample":
        return ""
    border = getattr(op, "border", "constant")
    if border != "constant" and not all(member.exact for member in members):
        return f"border {border!r} folds the canvas that {members[-1].name} leaves"
    used = {m.interpolation for m in members if hasattr(m, "interpolation")}
    wanted = getattr(op, "interpolation", None)
    if wanted is not None and used and used != {wanted}:
        return f"interpolation {wanted!r} after {used.pop()!r}"
    return ""


def _open_groups(
    nodes: list[Node], entries: list[Entry], kind: str, canvas: str
) -> tuple[OpenCanvasGroup | None, ...]:
    """Return what an open canvas makes of the entries of a resample."""
    if kind != "resample" or canvas == "cut":
        return ()
    return open_groups([nodes[node].op for node, _ in entries])


def _normalize(nodes: list[Node], entries: list[Entry], kind: str) -> Normalize | None:
    """Build the stage of output transforms."""
    if kind != "normalize":
        return None
    to_float = chw = False
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    for node, index in entries:
        op = nodes[node].op
        if op.p not in (0, 1):
            raise ValueError(
                f"{nodes[node].where}: p is {op.p}: {op.name} happens to every image or to none; "
                "p is 1 or 0"
            )
        fragment: dict[str, Any] = op.lower(index, {}, (0, 0)) if op.p else {}
        to_float |= fragment.get("to_float", False)
        chw |= fragment.get("chw", False)
        if "mean" in fragment:
            mean, std = _compose(mean, std, fragment["mean"], fragment["std"])
    return Normalize(to_float, mean, std, chw)


def _compose(
    mean: tuple[float, ...],
    std: tuple[float, ...],
    mean2: tuple[float, ...],
    std2: tuple[float, ...],
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Compose two normalizations: ((x - m) / s - m2) / s2."""
    m, s, m2, s2 = (np.asarray(v) for v in (mean, std, mean2, std2))
    return tuple((m + s * m2).tolist()), tuple((s * s2).tolist())
