"""Slots of a policy: for each sample an op and its argument; what stages they become.

Of a slot's stages at most one happens to a sample, so their order is free: it is chosen so that
the warps of two neighboring slots are one resample.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np

from imgkit.augment.transforms.base import Array, Numbers, Transform
from imgkit.augment.transforms.color import brightness_rows, contrast_rows, saturation_rows, stacked
from imgkit.augment.transforms.magnitudes import OPS, Table, values
from imgkit.augment.transforms.parameters import INTERPOLATIONS, declare
from imgkit.checks import check_choice, check_number
from imgkit.draws import WORD
from imgkit.stages import IDENTITY_STEP, GeometricStep, Size

CODE = {name: code for code, name in enumerate(OPS)}
POSTERIZE = CODE["Posterize"]
CORNER = -0.5  # shears turn about the image's upper left corner, as in torchvision and Pillow
NEVER = np.zeros(1, bool)
NEVER.flags.writeable = False
WORDS = 4  # a slot takes: which op, how strong, which sign, whether


class SlotStage(NamedTuple):
    """The stage that some ops of a slot become: `first <= op < last` in `OPS`."""

    slot: int
    kind: str
    first: int
    last: int


GROUPS = (
    ("resample", "ShearX", "Rotate"),
    ("color", "Brightness", "Contrast"),
    ("curve", "Posterize", "Posterize"),
    ("curve", "Solarize", "Solarize"),
    ("curve", "SolarizeAdd", "SolarizeAdd"),
    ("curve", "AutoContrast", "AutoContrast"),
    ("curve", "Equalize", "Equalize"),
    ("curve", "Invert", "Invert"),
    ("filter", "Sharpness", "Sharpness"),
    ("erase", "Cutout", "Cutout"),
)
CURVES = {
    CODE["Posterize"]: "posterize",
    CODE["Solarize"]: "solarize",
    CODE["SolarizeAdd"]: "solarize_add",
    CODE["AutoContrast"]: "autocontrast",
    CODE["Equalize"]: "equalize",
    CODE["Invert"]: "invert",
}
STEPS = {
    CODE["Brightness"]: brightness_rows,
    CODE["Color"]: saturation_rows,
    CODE["Contrast"]: contrast_rows,
}


@functools.lru_cache(maxsize=64)
def _slot_stages(names: tuple[str, ...], slots: int) -> tuple[SlotStage, ...]:
    """Return the stages of all slots; resamples stand last in every other slot, else first."""
    codes = {CODE[name] for name in names}
    result: list[SlotStage] = []
    for slot in range(slots):
        groups = [
            SlotStage(slot, kind, CODE[first], CODE[last] + 1)
            for kind, first, last in GROUPS
            if codes & set(range(CODE[first], CODE[last] + 1))
        ]
        if slot % 2 == 0 and slot + 1 < slots:
            groups.sort(key=lambda stage: stage.kind == "resample")
        result.extend(groups)
    return tuple(result)


def own(check: Callable[[Any, str], Any]) -> Any:
    """Declare an option that is the table's own by default."""

    def checked(value: Any, label: str) -> Any:
        return None if value is None else check(value, label)

    return declare(checked, None, True)


def _fill(value: Any, name: str) -> tuple[float, ...]:
    entries = value if isinstance(value, (list, tuple)) else (value,)
    return tuple(check_number(v, f"{name}[{i}]", 0, 1) for i, v in enumerate(entries))


def _interpolation(value: Any, name: str) -> str:
    return check_choice(value, name, INTERPOLATIONS)


class Policy(Transform):
    """The base of policies: numbers `ops` and `values` (N, slots) become stages.

    `interpolation` and `fill` are those of the table's source unless given.
    """

    _: dataclasses.KW_ONLY
    interpolation: Any = own(_interpolation)
    fill: Any = own(_fill)
    colors: ClassVar[bool] = True
    vectorized: ClassVar[bool] = True
    scalar: ClassVar[bool] = False
    motion: ClassVar[str] = "warp"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("interpolation", "fill"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(self.rules, name))

    @property
    def rules(self) -> Table:
        """The table."""
        raise TypeError(f"{self.name} has no table")

    @property
    def slots(self) -> int:
        """How many ops happen at most, one after the other."""
        raise TypeError(f"{self.name} has no slots")

    @property
    def slot_stages(self) -> tuple[SlotStage, ...]:
        """What each stage stands for."""
        return _slot_stages(self.rules.names, self.slots)

    @property
    def stage_kinds(self) -> tuple[str, ...]:  # type: ignore[override]
        """The kinds of the stages."""
        return tuple(stage.kind for stage in self.slot_stages)

    def happens(self, stage_index: int, numbers: Numbers) -> Array:
        """Return which samples drew one of the ops of a stage."""
        active = numbers["active"]
        if "ops" not in numbers:
            return active
        slot, _, first, last = self.slot_stages[stage_index]
        op = numbers["ops"]
        if len(op) == 1:  # comparing one integer in Python takes a sixth of the time
            return active if first <= op.item(slot) < last else NEVER
        return active & (op[:, slot] >= first) & (op[:, slot] < last)

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> Any:
        """Return the fragment that the ops of a stage make."""
        slot, kind, first, _ = self.slot_stages[stage_index]
        op, value = numbers["ops"][:, slot], numbers["values"][:, slot]
        if kind == "resample":
            matrix = _matrices(op, value, size)
            return GeometricStep(self.name, "warp", size, size, matrix, antialias=False,
                              interpolation=self.interpolation, fill=self.fill)  # fmt: skip
        if kind == "color":
            return _steps(op, value)
        if kind == "curve":
            return CURVES[first], np.minimum(value, 8) if first == POSTERIZE else value
        if kind == "filter":
            return "sharpness", {"factor": value}
        return _holes(value, numbers["center"][:, slot], size), self.fill


def _matrices(op: Array, value: Array, size: Size) -> Array:
    """Return (N, 3, 3): the map of each sample's op, an identity where it is no map."""
    result = np.zeros((len(op), 3, 3))
    result[:, 0, 0] = result[:, 1, 1] = result[:, 2, 2] = 1
    for row, column, shear, shift in (
        (0, 1, "ShearX", "TranslateX"),
        (1, 0, "ShearY", "TranslateY"),
    ):
        slope = np.where(op == CODE[shear], value, 0.0)
        result[:, row, column] = -slope
        result[:, row, 2] = np.where(op == CODE[shift], value, slope * CORNER)
    turns = op == CODE["Rotate"]
    if turns.any():
        angle = np.deg2rad(value)
        cos, sin = np.cos(angle), np.sin(angle)
        x, y = (np.asarray(size[1]) - 1) / 2, (np.asarray(size[0]) - 1) / 2
        zero, one = np.zeros(len(op)), np.ones(len(op))
        turn = np.stack([cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y,
                         zero, zero, one], axis=-1)  # fmt: skip
        result = np.where(turns[:, None, None], turn.reshape(-1, 3, 3), result)
    return result


def _steps(op: Array, value: Array) -> Array:
    """Return (N, 1, 3, 7): the linear step of each sample's op."""
    result = np.tile(IDENTITY_STEP, (len(op), 1, 1, 1))
    for code, step in STEPS.items():
        mine = op == code
        if mine.any():
            result[mine] = stacked(step(value[mine]), int(np.count_nonzero(mine)))
    return result


def _holes(half: Array, center: Array, size: Size) -> Array:
    """Return (N, 1, 4): a square about a drawn pixel, clipped to the canvas."""
    x = np.floor(center[:, 0] * np.asarray(size[1]))
    y = np.floor(center[:, 1] * np.asarray(size[0]))
    edges = (x - half, y - half, x + half, y + half)
    limits = (size[1], size[0], size[1], size[0])
    clipped = [np.clip(e, 0, m) for e, m in zip(edges, limits, strict=True)]
    return np.stack(clipped, axis=-1).astype(np.int64)[:, None]


def uniforms(rng: Any, slots: int, count: int = WORDS) -> Array:
    """Return `count` uniform numbers for each sample and slot, (count, N, slots)."""
    words = rng.words(count * slots).reshape(rng.samples, slots, count)
    return (words * WORD).transpose(2, 0, 1)


def slot_numbers(
    rules: Table, place: Array, magnitude: Any, negative: Array, happens: Any, size: Size
) -> Numbers:
    """Return `ops` and `values` of the ops at `place` of a table; those that miss are Identity."""
    op = np.where(happens, rules.codes[place], 0)
    return {"ops": op, "values": values(rules, place, magnitude, negative, size)}
