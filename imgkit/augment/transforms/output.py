"""What leaves a pipeline: normalized, as floats, channels first. These ops come last."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from imgkit.augment.transforms.base import Numbers, Transform
from imgkit.augment.transforms.parameters import declare
from imgkit.checks import check_choice, check_number
from imgkit.ops.tone import LEAST_STD
from imgkit.ops.tone import PRESETS as PRESETS
from imgkit.stages import Size


def _channel_values(value: Any, name: str, low: float = -math.inf) -> tuple[float, ...]:
    """Return the numbers of a sequence, an array or one of them."""
    listed = value.tolist() if hasattr(value, "tolist") else value
    values = listed if isinstance(listed, (list, tuple)) else (listed,)
    if not values:
        raise ValueError(f"{name} is {value!r}: it must be a number or one for each channel")
    return tuple(check_number(v, f"{name}[{i}]", low) for i, v in enumerate(values))


def _std(value: Any, name: str) -> tuple[float, ...] | None:
    return None if value is None else _channel_values(value, name, LEAST_STD)


class Output(Transform):
    """The base: what the last pass does."""

    stage_kinds: ClassVar[tuple[str, ...]] = ("normalize",)
    vectorized: ClassVar[bool] = True
    keeps_scale: ClassVar[bool] = True


class Normalize(Output):
    """Scale to 0..1, subtract the mean, divide by the std; or a preset: ``Normalize("imagenet")``.

    Mean and std are fractions of the full range, one number or one for each channel.
    """

    mean: Any = declare(lambda value, name: value, "imagenet")
    std: Any = declare(_std, None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.mean, str):
            preset = PRESETS[check_choice(self.mean, "mean", PRESETS)]
            if self.std not in (None, preset[1]):
                raise ValueError(f"std is {self.std}: the preset {self.mean!r} brings its own")
        else:
            object.__setattr__(self, "mean", _channel_values(self.mean, "mean"))
            if self.std is None:
                raise ValueError(
                    f"std is None: a mean of {self.mean} needs a std, or name a preset"
                )

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> dict[str, Any]:
        """Return what the last pass does."""
        mean, std = PRESETS[self.mean] if isinstance(self.mean, str) else (self.mean, self.std)
        return {"to_float": True, "mean": mean, "std": std}


class ToFloat(Output):
    """Scale integers to floats in 0..1."""

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> dict[str, Any]:
        """Return what the last pass does."""
        return {"to_float": True}


class ToCHW(Output):
    """Put the channels first: (H, W, C) becomes (C, H, W)."""

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> dict[str, Any]:
        """Return what the last pass does."""
        return {"chw": True}
