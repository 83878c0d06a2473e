"""What leaves a pipeline: normalized, as floats, channels first. These ops come last."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from imgkit.augment.transforms.base import Numbers, Size, Transform, declare
from imgkit.checks import check_choice, check_number
from imgkit.ops.tone import LEAST_STD
from imgkit.ops.tone import PRESETS as PRESETS


def _numbers(value: Any, name: str, low: float = -math.inf) -> tuple[float, ...]:
    """Return the numbers of a sequence, an array or one of them."""
    listed = value.tolist() if hasattr(value, "tolist") else value
    values = listed if isinstance(listed, (list, tuple)) else (listed,)
    if not values:
        raise ValueError(f"{name} is {value!r}: it must be a number or one for each channel")
    return tuple(check_number(v, f"{name}[{i}]", low) for i, v in enumerate(values))


def _std(value: Any, name: str) -> tuple[float, ...] | None:
    return None if value is None else _numbers(value, name, LEAST_STD)


@dataclass(frozen=True)
class Normalize(Transform):
    """Scale to 0..1, subtract the mean, divide by the std; or a preset: ``Normalize("imagenet")``.

    Mean and std are fractions of the full range, one number or one for each channel.
    """

    mean: Any = declare(lambda value, name: value, "imagenet")
    std: Any = declare(_std, None)
    parts: ClassVar[tuple[str, ...]] = ("normalize",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.mean, str):
            preset = PRESETS[check_choice(self.mean, "mean", PRESETS)]
            if self.std not in (None, preset[1]):
                raise ValueError(f"std is {self.std}: the preset {self.mean!r} brings its own")
        else:
            object.__setattr__(self, "mean", _numbers(self.mean, "mean"))
            if self.std is None:
                raise ValueError(
                    f"std is None: a mean of {self.mean} needs a std, or name a preset"
                )

    def lower(self, part: int, numbers: Numbers, size: Size) -> dict[str, Any]:
        """Return what the last pass does."""
        mean, std = PRESETS[self.mean] if isinstance(self.mean, str) else (self.mean, self.std)
        return {"to_float": True, "mean": mean, "std": std}


@dataclass(frozen=True)
class ToFloat(Transform):
    """Scale integers to floats in 0..1."""

    parts: ClassVar[tuple[str, ...]] = ("normalize",)

    def lower(self, part: int, numbers: Numbers, size: Size) -> dict[str, Any]:
        """Return what the last pass does."""
        return {"to_float": True}


@dataclass(frozen=True)
class ToCHW(Transform):
    """Put the channels first: (H, W, C) becomes (C, H, W)."""

    parts: ClassVar[tuple[str, ...]] = ("normalize",)

    def lower(self, part: int, numbers: Numbers, size: Size) -> dict[str, Any]:
        """Return what the last pass does."""
        return {"chw": True}
