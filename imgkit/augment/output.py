"""What leaves a pipeline: normalized, as floats, channels first. These ops come last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from imgkit.augment.transform import Numbers, Size, Transform, declare
from imgkit.image import check_choice, check_number

# (mean, std) of the training sets, in fractions of the full range: torchvision, open_clip, timm
PRESETS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "inception": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "siglip": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "mnist": ((0.1307,), (0.3081,)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)),
}


def _mean(value: Any, name: str) -> tuple[float, ...]:
    if isinstance(value, str):
        return PRESETS[check_choice(value, name, PRESETS)][0]
    values = value if isinstance(value, (list, tuple)) else (value,)
    return tuple(check_number(v, f"{name}[{i}]") for i, v in enumerate(values))


def _std(value: Any, name: str) -> tuple[float, ...] | None:
    if value is None:
        return None
    values = value if isinstance(value, (list, tuple)) else (value,)
    return tuple(check_number(v, f"{name}[{i}]", 0, above=True) for i, v in enumerate(values))


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
            object.__setattr__(self, "mean", _mean(self.mean, "mean"))
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
