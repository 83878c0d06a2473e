"""Open canvases: which neighboring geometric ops become one warp, decided from the list alone.

An op that does not happen to a sample is an identity in the product. It still lends the warp its
look and keeps the stretch a warp, so that a sample is the same in every batch and alone.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

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


def stretches(ops: Sequence[Transform]) -> tuple[OpenCanvasGroup | None, ...]:
    """Return the stretch of each op of a run, or None where ops keep steps of their own.

    Fields end a stretch. Border and fill are those of its first warp; one without any warp stays
    as it is: its moves and resizes lose nothing by being followed one by one.
    """
    found: list[OpenCanvasGroup | None] = []
    for _, group in itertools.groupby(ops, key=lambda op: op.motion == "field"):
        members = list(group)
        warp = next((op for op in members if op.motion == "warp" and op.p), None)
        stretch = None if warp is None else _look(len(found), warp, members)
        found += [stretch] * len(members)
    return tuple(found)


def _look(place: int, warp: Transform, members: Sequence[Transform]) -> OpenCanvasGroup:
    return OpenCanvasGroup(
        place,
        getattr(warp, "interpolation", "bilinear"),
        any(getattr(op, "antialias", False) for op in members),
        getattr(warp, "border", "constant"),
        getattr(warp, "fill", (0.0,)),
    )


def opened(run: Any, owners: Sequence[OpenCanvasGroup | None]) -> Resample:
    """Make one hop of each stretch, so that no canvas within cuts; `owners` has one per hop."""
    return Resample(tuple(_joined(run.geometric_steps, owners)))


def _joined(
    steps: Sequence[GeometricStep], owners: Sequence[OpenCanvasGroup | None]
) -> Iterator[GeometricStep]:
    pairs = zip(steps, owners, strict=True)
    for stretch, group in itertools.groupby(pairs, key=lambda pair: pair[1]):
        members = [step for step, _ in group]
        if stretch is None:
            yield from members
            continue
        matrices = [batched(step.matrix) for step in members if step.matrix is not None]
        yield GeometricStep(
            " + ".join(step.name for step in members), "warp", members[0].in_size,
            members[-1].out_size, functools.reduce(lambda first, last: products(last, first),
                                                   matrices),
            interpolation=stretch.interpolation, antialias=stretch.antialias,
            border=stretch.border, fill=stretch.fill,
        )  # fmt: skip
