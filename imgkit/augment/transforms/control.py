"""Transforms that choose which ops happen: one of several, or some of them."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from imgkit.augment.transforms.base import Array, Numbers, Transform
from imgkit.augment.transforms.custom import as_ops
from imgkit.augment.transforms.parameters import declare
from imgkit.checks import check_int, check_number
from imgkit.stages import Size


def _ops(value: Any, name: str) -> tuple[Transform, ...]:
    """Return the children; a nested pipeline is one child, of which every op happens."""
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError(f"{name} is {value!r}: it takes a list of at least one transform")
    children = []
    for place, item in enumerate(value):
        ops = as_ops(item, f"{name}[{place}]")
        if any("normalize" in op.stage_kinds for op in ops):
            raise ValueError(
                f"{name}[{place}] is {ops[-1].name}: output ops stand at the pipeline's end"
            )
        children.append(ops[0] if len(ops) == 1 else SomeOf(ops, len(ops)))
    return tuple(children)


def _weights(value: Any, name: str) -> tuple[float, ...] | None:
    if value is None:
        return None
    return tuple(check_number(v, f"{name}[{i}]", 0) for i, v in enumerate(value))


def _ends(value: Any, name: str) -> tuple[int, int]:
    pair = value if isinstance(value, (list, tuple)) else (value, value)
    ends = tuple(check_int(v, name, 0) for v in pair)
    if len(ends) != 2 or ends[0] > ends[1]:
        raise ValueError(f"{name} is {value!r}: it takes an integer or a pair (low, high)")
    return ends[0], ends[1]


class Control(Transform):
    """The base: ops to choose from."""

    ops: Any = declare(_ops, dataclasses.MISSING)
    vectorized: ClassVar[bool] = True
    scalar: ClassVar[bool] = False

    @property
    def children(self) -> tuple[Transform, ...]:
        """The ops to choose from."""
        ops: tuple[Transform, ...] = self.ops
        return ops

    def chosen(self, numbers: Numbers, branch: int) -> Array:
        """Return for which samples a child happens."""
        raise TypeError(f"{self.name} chooses nothing")


class OneOf(Control):
    """Do one of several ops; `weights` are their relative probabilities, equal by default."""

    weights: Any = declare(_weights, None)
    exclusive: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weights is not None and len(self.weights) != len(self.ops):
            raise ValueError(f"weights has {len(self.weights)} entries for {len(self.ops)} ops")

    def draw(self, rng: Any, size: Size) -> Numbers:
        """Draw which op happens."""
        return {"choice": rng.choice(len(self.ops), self.weights)}

    def chosen(self, numbers: Numbers, branch: int) -> Array:
        """Return for which samples a child happens."""
        return np.asarray(numbers["choice"] == branch)


class SomeOf(Control):
    """Do some of several ops, in the order they are listed; `count` is a number or a pair."""

    count: Any = declare(_ends, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.count[1] > len(self.ops):
            raise ValueError(f"count is {self.count}: it must be at most {len(self.ops)}, the ops")

    def draw(self, rng: Any, size: Size) -> Numbers:
        """Draw how many ops happen, and the rank of each."""
        return {
            "count": rng.integers(self.count[0], self.count[1] + 1),
            "rank": np.argsort(rng.permutation(len(self.ops)), axis=1),
        }

    def chosen(self, numbers: Numbers, branch: int) -> Array:
        """Return for which samples a child happens."""
        return np.asarray(numbers["rank"][:, branch] < numbers["count"])
