"""Groups of samples that have every size in common, and the stages of a group."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from imgkit.image import Array
from imgkit.stages import Field, Mix, Normalize, Resample, Stage


def size_groups(stages: Sequence[Stage], samples: int) -> Iterator[Array]:
    """Yield the samples that have every size in common."""
    sides = [
        np.broadcast_to(side, (samples,))
        for stage in _resamples(stages)
        for step in stage.geometric_steps
        for side in (*step.in_size, *step.out_size)
        if np.ndim(side)
    ]
    if not sides or samples == 0:
        yield np.arange(samples)
        return
    _, group = np.unique(np.stack(sides, axis=1), axis=0, return_inverse=True)
    group = group.ravel()
    for value in range(int(group.max()) + 1):
        yield np.flatnonzero(group == value)


def _resamples(stages: Sequence[Stage]) -> Iterator[Resample]:
    for stage in stages:
        if isinstance(stage, Resample):
            yield stage
        elif isinstance(stage, Mix):
            for branch in stage.branches:
                yield from _resamples(branch)


def take(stage: Stage, rows: Array) -> Stage:
    """Return a stage of some samples alone."""
    if isinstance(stage, Normalize):
        return stage
    if isinstance(stage, Mix):
        branches = tuple(tuple(take(inner, rows) for inner in branch) for branch in stage.branches)
        return dataclasses.replace(stage, branches=branches, weights=stage.weights[rows])
    if isinstance(stage, Resample):
        taken = tuple(_take_rows(step, rows) for step in stage.geometric_steps)
        return dataclasses.replace(stage, geometric_steps=taken)
    result: Stage = _take_rows(stage, rows)
    return result


def _take_rows(record: Any, rows: Array) -> Any:
    """Return a dataclass with some rows of its arrays."""
    return dataclasses.replace(
        record,
        **{
            spec.name: _take_value(getattr(record, spec.name), rows)
            for spec in dataclasses.fields(record)
        },
    )


def _take_value(value: Any, rows: Array) -> Any:
    if isinstance(value, np.ndarray):
        return value[rows] if value.ndim else value
    if isinstance(value, dict):
        return {name: _take_value(v, rows) for name, v in value.items()}
    if isinstance(value, tuple) and any(isinstance(v, np.ndarray) for v in value):  # a size
        return tuple(_take_value(v, rows) for v in value)
    return _take_rows(value, rows) if isinstance(value, Field) else value
