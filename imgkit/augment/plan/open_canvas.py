"""Open canvases: which neighboring geometric ops become one warp, decided from the list alone.

An op that does not happen to a sample is an identity in the product. It still lends the warp its
sampling options and keeps the group a warp, so that a sample is the same in every batch and alone.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from imgkit.augment.transforms.base import Transform
from imgkit.geometry.matrix import products
from imgkit.stages import GeometricStep, Resample, batched


class OpenCanvasGroup(NamedTuple):
    """Neighboring ops of a run whose matrices become one warp, and how it samples."""

    place: int  # in the run
    interpolation: str
    antialias: bool
    border: str
    fill: tuple[float, ...]


def open_groups(ops: Sequence[Transform]) -> tuple[OpenCanvasGroup | None, ...]:
    """Return the group of each op of a run, or None where ops keep steps of their own.

    Fields end a group. Border and fill are those of its first warp; one without any warp stays
    as it is: its moves and resizes lose nothing by being followed one by one.
    """
    found: list[OpenCanvasGroup | None] = []
    for _, group in itertools.groupby(ops, key=lambda op: op.motion == "field"):
        members = list(group)
        warp = next((op for op in members if op.motion == "warp" and op.p), None)
        joined = None if warp is None else _sampling(len(found), warp, members)
        found += [joined] * len(members)
    return tuple(found)


def _sampling(place: int, warp: Transform, members: Sequence[Transform]) -> OpenCanvasGroup:
    return OpenCanvasGroup(
        place,
        getattr(warp, "interpolation", "bilinear"),
        any(getattr(op, "antialias", False) for op in members),
        getattr(warp, "border", "constant"),
        getattr(warp, "fill", (0.0,)),
    )


def open_canvas(run: Resample, owners: Sequence[OpenCanvasGroup | None]) -> Resample:
    """Join the steps of each group, so that no canvas within cuts; `owners` has one a step."""
    return Resample(tuple(_joined(run.geometric_steps, owners)))


def _joined(
    steps: Sequence[GeometricStep], owners: Sequence[OpenCanvasGroup | None]
) -> Iterator[GeometricStep]:
    pairs = zip(steps, owners, strict=True)
    for joined, group in itertools.groupby(pairs, key=lambda pair: pair[1]):
        members = [step for step, _ in group]
        if joined is None:
            yield from members
            continue
        matrices = [batched(step.matrix) for step in members if step.matrix is not None]
        yield GeometricStep(
            " + ".join(step.name for step in members), "warp", members[0].in_size,
            members[-1].out_size, functools.reduce(lambda first, last: products(last, first),
                                                   matrices),
            interpolation=joined.interpolation, antialias=joined.antialias,
            border=joined.border, fill=joined.fill,
        )  # fmt: skip
