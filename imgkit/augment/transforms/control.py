"""Which ops happen: one of several, or some of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from imgkit.augment.transforms.base import Array, Numbers, Size, Transform, declare
from imgkit.checks import check_int, check_number

if TYPE_CHECKING:
    from imgkit.draws import Draw


def _ops(value: Any, name: str) -> tuple[Transform, ...]:
    if not isinstance(value, (list, tuple)) or not value:
        raise ValueError(f"{name} is {value!r}: it takes a list of at least one transform")
    for place, op in enumerate(value):
        if not isinstance(op, Transform):
            raise TypeError(
                f"{name}[{place}] is {op!r}: it must be a transform, such as Rotate(15)"
            )
        if "normalize" in op.parts:
            raise ValueError(
                f"{name}[{place}] is {op.name}: output ops stand at the pipeline's end"
            )
    return tuple(value)


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


@dataclass(frozen=True)
class OneOf(Transform):
    """Do one of several ops; `weights` say how often each, equally by default."""

    ops: Any = declare(_ops, dataclasses.MISSING)
    weights: Any = declare(_weights, None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weights is not None and len(self.weights) != len(self.ops):
            raise ValueError(f"weights has {len(self.weights)} entries for {len(self.ops)} ops")

    @property
    def children(self) -> tuple[Transform, ...]:
        """The ops to choose from."""
        return self.ops

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw which op happens."""
        return {"choice": draw.choice(len(self.ops), self.weights)}

    def chosen(self, numbers: Numbers, branch: int) -> Array:
        """Tell for which samples a child happens."""
        return numbers["choice"] == branch


@dataclass(frozen=True)
class SomeOf(Transform):
    """Do some of several ops, in the order they are listed; `count` is a number or a pair."""

    ops: Any = declare(_ops, dataclasses.MISSING)
    count: Any = declare(_ends, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.count[1] > len(self.ops):
            raise ValueError(f"count is {self.count}: it must be at most {len(self.ops)}, the ops")

    @property
    def children(self) -> tuple[Transform, ...]:
        """The ops to choose from."""
        return self.ops

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw how many ops happen, and the rank of each."""
        return {
            "count": draw.integers(self.count[0], self.count[1] + 1),
            "rank": np.argsort(draw.permutation(len(self.ops)), axis=1),
        }

    def chosen(self, numbers: Numbers, branch: int) -> Array:
        """Tell for which samples a child happens."""
        return np.asarray(numbers["rank"][:, branch] < numbers["count"])
