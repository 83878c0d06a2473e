"""Slots of a policy: for each sample an op and its argument; what stages they become.

Of a slot's stages at most one happens to a sample, so their order is free: it is chosen so that
the warps of two neighboring slots are one resample.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from imgkit import stages
from imgkit.augment.transforms.base import INTERPOLATIONS, Array, Numbers, Size, Transform, declare
from imgkit.augment.transforms.color import brightness_rows, contrast_rows, saturation_rows, stacked
from imgkit.augment.transforms.magnitudes import OPS, Table, values
from imgkit.checks import check_choice, check_number
from imgkit.draws import WORD

if TYPE_CHECKING:
    from imgkit.draws import Draw

CODE = {name: code for code, name in enumerate(OPS)}
POSTERIZE = CODE["Posterize"]
CORNER = -0.5  # shears turn about the image's upper left corner, as in torchvision and Pillow
NEVER = np.zeros(1, bool)
NEVER.flags.writeable = False
WORDS = 4  # a slot takes: which op, how strong, which sign, whether


class Part(NamedTuple):
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
def _parts(names: tuple[str, ...], slots: int) -> tuple[Part, ...]:
    """Return the parts of all slots; resamples stand last in every other slot, else first."""
    codes = {CODE[name] for name in names}
    result: list[Part] = []
    for slot in range(slots):
        groups = [
            Part(slot, kind, CODE[first], CODE[last] + 1)
            for kind, first, last in GROUPS
            if codes & set(range(CODE[first], CODE[last] + 1))
        ]
        if slot % 2 == 0 and slot + 1 < slots:
            groups.sort(key=lambda part: part.kind == "resample")
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


@dataclass(frozen=True)
class Policy(Transform):
    """The base of policies: numbers `ops` and `values` (N, slots) become stages.

    `interpolation` and `fill` are those of the table's source unless given.
    """

    interpolation: Any = own(_interpolation)
    fill: Any = own(_fill)
    colors: ClassVar[bool] = True
    motion: ClassVar[str] = "warp"
    stages: ClassVar[tuple[Part, ...]] = ()  # the parts, with what each stands for

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("interpolation", "fill"):
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(self.rules, name))
        object.__setattr__(self, "stages", _parts(self.rules.names, self.slots))

    @property
    def rules(self) -> Table:
        """The table."""
        raise TypeError(f"{self.name} has no table")

    @property
    def slots(self) -> int:
        """How many ops happen at most, one after the other."""
        raise TypeError(f"{self.name} has no slots")

    @property
    def parts(self) -> tuple[str, ...]:  # type: ignore[override]
        """The kinds of the stages."""
        return tuple(part.kind for part in self.stages)

    def happens(self, part: int, numbers: Numbers) -> Array:
        """Tell which samples drew one of the ops of a part."""
        active = numbers["active"]
        if "ops" not in numbers:
            return active
        slot, _, first, last = self.stages[part]
        op = numbers["ops"]
        if len(op) == 1:  # comparing one integer in Python takes a sixth of the time
            return active if first <= op.item(slot) < last else NEVER
        return active & (op[:, slot] >= first) & (op[:, slot] < last)

    def lower(self, part: int, numbers: Numbers, size: Size) -> Any:
        """Return the piece that the ops of a part make."""
        slot, kind, first, _ = self.stages[part]
        op, value = numbers["ops"][:, slot], numbers["values"][:, slot]
        if kind == "resample":
            matrix = _matrices(op, value, size)
            return stages.GeometricStep(self.name, "warp", size, size, matrix, antialias=False,
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
    result = np.tile(stages.IDENTITY_STEP, (len(op), 1, 1, 1))
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


def uniforms(draw: Draw, samples: int, slots: int, count: int = WORDS) -> Array:
    """Return `count` uniform numbers for each sample and slot, (count, N, slots)."""
    words = draw.words(count * slots).reshape(samples, slots, count)
    return (words * WORD).transpose(2, 0, 1)


def slot_numbers(
    rules: Table, place: Array, magnitude: Any, negative: Array, happens: Any, size: Size
) -> Numbers:
    """Return `ops` and `values` of the ops at `place` of a table; those that miss are Identity."""
    op = np.where(happens, rules.codes[place], 0)
    return {"ops": op, "values": values(rules, place, magnitude, negative, size)}
