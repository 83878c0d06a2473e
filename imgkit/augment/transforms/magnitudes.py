"""What a magnitude means: the named tables of the policies, each as its source has it.

A level goes from `start` at magnitude 0 to `stop` at the table's `top`; then comes its sign, if
it has one, and `base` is added::

    value = (base ± whole(start + (stop - start) * magnitude / top)) * unit

The values are what the ops take: slopes (shears), pixels (translations), degrees, factors, bits,
fractions of the full range (thresholds, which lie half way between two levels of 8 bits), half
the side of a square (Cutout).

Sources: torchvision.transforms.v2 (_auto_augment.py); timm/data/auto_augment.py; for "paper" the
authors' code: tensorflow/tpu models/official/efficientnet/autoaugment.py (RandAugment),
automl/trivialaugment aug_lib.py, google-research/augmix augmentations.py. The AutoAugment pairs
are from the appendix of Cubuk et al., 2019.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

OPS = ("Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color",
       "Contrast", "Sharpness", "Posterize", "Solarize", "SolarizeAdd", "AutoContrast", "Equalize",
       "Invert", "Cutout")  # fmt: skip
SLACK = 1e-6  # what a rounded product such as 150 / 331 * 331 may lack to be whole


class Level(NamedTuple):
    """How an op's value follows from the magnitude.

    `whole` is "" (as it is), "cut" (toward zero), "round" (half to even) or "up"; `relative`
    scales by the image's width (TranslateX) or height (TranslateY).
    """

    start: float = 0.0
    stop: float = 0.0
    signed: bool = False
    base: float = 0.0
    whole: str = ""
    unit: float = 1.0
    relative: bool = False


class Table:
    """The ops of a policy and their levels.

    Args:
        levels: by op, in the order they are drawn from.
        top: the magnitude at which levels reach `stop`.
        most: the largest magnitude allowed.
        bins: how many integer magnitudes there are, for tables that have no others.
        each: how often a drawn op happens.
        interpolation, fill: what the source warps with.
    """

    def __init__(
        self, levels: dict[str, Level], top: float, most: float, bins: int = 0, *,
        each: float = 1.0, interpolation: str = "nearest", fill: float = 0.0,
    ) -> None:  # fmt: skip
        self.levels, self.names = levels, tuple(levels)
        self.top, self.most, self.bins = top, most, bins
        self.each, self.interpolation, self.fill = each, interpolation, (fill,)
        self.codes = np.array([OPS.index(name) for name in levels])
        rows = list(levels.values())
        self.signed = np.array([row.signed for row in rows])
        self.base = np.array([row.base for row in rows])
        self.unit = np.array([row.unit for row in rows])
        self.start = np.array([row.start for row in rows])
        self.span = np.array([row.stop - row.start for row in rows])
        self.cut = np.array([row.whole == "cut" for row in rows])
        self.round = np.array([row.whole == "round" for row in rows])
        self.up = np.array([row.whole == "up" for row in rows])
        self.wide = np.array(
            [row.relative and name == "TranslateX" for name, row in levels.items()]
        )
        self.tall = np.array(
            [row.relative and name == "TranslateY" for name, row in levels.items()]
        )


def values(rules: Table, place: Array, magnitude: Any, negative: Array, size: Any) -> Array:
    """Return the values (N, slots) of the ops at `place` of a table.

    Args:
        rules: the table.
        place: (N, slots), which of its ops.
        magnitude: a number, or (N, slots).
        negative: (N, slots), the sign of those that have one.
        size: height and width, integers or (N,).
    """
    amount = rules.start[place] + rules.span[place] * (magnitude / rules.top)
    height, width = (np.asarray(side, np.float64)[..., None] for side in size)
    amount = amount * np.where(rules.wide[place], width, np.where(rules.tall[place], height, 1.0))
    amount = np.where(rules.cut[place], np.trunc(amount + np.copysign(SLACK, amount)), amount)
    amount = np.where(rules.up[place], np.ceil(amount - SLACK), amount)
    amount = np.where(rules.round[place], np.rint(amount), amount)
    sign = np.where(negative & rules.signed[place], -1.0, 1.0)
    return np.asarray((rules.base[place] + sign * amount) * rules.unit[place])


# --- the tables -------------------------------------------------------------------------------

NOTHING = Level()
ENHANCE = ("Brightness", "Color", "Contrast", "Sharpness")


def _each_of(names: tuple[str, ...], level: Level) -> dict[str, Level]:
    return dict.fromkeys(names, level)


def _without(levels: dict[str, Level], names: tuple[str, ...]) -> dict[str, Level]:
    return {name: level for name, level in levels.items() if name not in names}


def _torchvision(
    shear: float, translate: Level, rotate: float, enhance: float, bits: tuple[int, int]
) -> dict[str, Level]:
    """Return the ops of torchvision's policies, in their order."""
    return {
        "Identity": NOTHING,
        **_each_of(("ShearX", "ShearY"), Level(0, shear, signed=True)),
        **_each_of(("TranslateX", "TranslateY"), translate),
        "Rotate": Level(0, rotate, signed=True),
        **_each_of(ENHANCE, Level(0, enhance, signed=True, base=1)),
        "Posterize": Level(*bits, whole="round"),
        "Solarize": Level(255, 0, base=-0.5, whole="up", unit=1 / 255),
        **_each_of(("AutoContrast", "Equalize"), NOTHING),
    }


PART_OF_IMAGE = Level(0, 150 / 331, signed=True, whole="cut", relative=True)
STANDARD = _torchvision(0.3, PART_OF_IMAGE, 30, 0.9, (8, 4))
WIDE = _torchvision(0.99, Level(0, 32, signed=True, whole="cut"), 135, 0.99, (8, 2))

GOOGLE: dict[str, Level] = {
    **_each_of(("AutoContrast", "Equalize", "Invert"), NOTHING),
    "Rotate": Level(0, 30, signed=True),
    "Posterize": Level(0, 4, whole="cut"),
    "Solarize": Level(0, 256, base=-0.5, whole="cut", unit=1 / 255),
    "SolarizeAdd": Level(0, 110, whole="cut", unit=1 / 255),
    **_each_of(("Color", "Contrast", "Brightness", "Sharpness"), Level(0.1, 1.9)),
    **_each_of(("ShearX", "ShearY"), Level(0, 0.3, signed=True)),
}
TIMM: dict[str, Level] = {
    **GOOGLE,
    **_each_of(("TranslateX", "TranslateY"), Level(0, 0.45, signed=True, relative=True)),
}
TIMM_INCREASING: dict[str, Level] = {
    **TIMM,
    "Posterize": Level(0, -4, base=4, whole="cut"),
    "Solarize": Level(0, -256, base=255.5, whole="cut", unit=1 / 255),
    **_each_of(ENHANCE, Level(0, 0.9, signed=True, base=1)),
}
PAPER: dict[str, Level] = {
    **GOOGLE,
    **_each_of(("TranslateX", "TranslateY"), Level(0, 100, signed=True)),
    "Cutout": Level(0, 40, whole="cut"),
}
RAND = {
    "torchvision": Table(STANDARD, 30, 30, 31),
    "timm": Table(TIMM, 10, 10, each=0.5, interpolation="bilinear", fill=128 / 255),
    "timm-increasing": Table(
        TIMM_INCREASING, 10, 10, each=0.5, interpolation="bilinear", fill=128 / 255
    ),
    "paper": Table(PAPER, 10, 30, fill=128 / 255),
}

TRIVIAL = {
    "torchvision": Table(WIDE, 30, 30, 31),
    "paper": Table(
        {
            **_each_of(("Identity", "AutoContrast", "Equalize"), NOTHING),
            "Rotate": Level(0, 135, signed=True, whole="cut"),
            "Solarize": Level(0, -256, base=255.5, whole="cut", unit=1 / 255),
            "Color": Level(0.01, 2.0),
            "Posterize": Level(0, -6, base=8, whole="cut"),
            **_each_of(("Contrast", "Brightness", "Sharpness"), Level(0.01, 2.0)),
            **_each_of(("ShearX", "ShearY"), Level(0, 0.99, signed=True)),
            **_each_of(("TranslateX", "TranslateY"), Level(0, 32, signed=True, whole="cut")),
        },
        30,
        30,
        31,
    ),
}

THIRD = Level(0, 1 / 3, signed=True, whole="cut", relative=True)
AUGMIX_TORCHVISION = _without(_torchvision(0.3, THIRD, 30, 0.9, (4, 0)), ("Identity",))
AUGMIX_PAPER: dict[str, Level] = {
    **_each_of(("AutoContrast", "Equalize"), NOTHING),
    "Posterize": Level(0, -4, base=4, whole="cut"),
    "Rotate": Level(0, 30, signed=True, whole="cut"),
    "Solarize": Level(0, -256, base=255.5, whole="cut", unit=1 / 255),
    **_each_of(("ShearX", "ShearY"), Level(0, 0.3, signed=True)),
    **_each_of(("TranslateX", "TranslateY"), THIRD),
    **_each_of(("Color", "Contrast", "Brightness", "Sharpness"), Level(0.1, 1.9)),
}


AUGMIX = {
    "torchvision": Table(AUGMIX_TORCHVISION, 9, 9, 10, interpolation="bilinear"),
    "torchvision-geometric": Table(
        _without(AUGMIX_TORCHVISION, ENHANCE), 9, 9, 10, interpolation="bilinear"
    ),
    "paper": Table(AUGMIX_PAPER, 10, 10, interpolation="bilinear"),
    "paper-geometric": Table(_without(AUGMIX_PAPER, ENHANCE), 10, 10, interpolation="bilinear"),
}

# --- AutoAugment ------------------------------------------------------------------------------

# Each pair: op, how often it happens in tenths, magnitude; and once more.
PAIRS = {
    "imagenet": """
        Posterize 4 8 Rotate 6 9, Solarize 6 5 AutoContrast 6 5, Equalize 8 8 Equalize 6 3,
        Posterize 6 7 Posterize 6 6, Equalize 4 7 Solarize 2 4, Equalize 4 4 Rotate 8 8,
        Solarize 6 3 Equalize 6 7, Posterize 8 5 Equalize 10 2, Rotate 2 3 Solarize 6 8,
        Equalize 6 8 Posterize 4 6, Rotate 8 8 Color 4 0, Rotate 4 9 Equalize 6 2,
        Equalize 0 7 Equalize 8 8, Invert 6 4 Equalize 10 8, Color 6 4 Contrast 10 8,
        Rotate 8 8 Color 10 2, Color 8 8 Solarize 8 7, Sharpness 4 7 Invert 6 8,
        ShearX 6 5 Equalize 10 9, Color 4 0 Equalize 6 3, Equalize 4 7 Solarize 2 4,
        Solarize 6 5 AutoContrast 6 5, Invert 6 4 Equalize 10 8, Color 6 4 Contrast 10 8,
        Equalize 8 8 Equalize 6 3""",
    "cifar10": """
        Invert 1 7 Contrast 2 6, Rotate 7 2 TranslateX 3 9, Sharpness 8 1 Sharpness 9 3,
        ShearY 5 8 TranslateY 7 9, AutoContrast 5 8 Equalize 9 2, ShearY 2 7 Posterize 3 7,
        Color 4 3 Brightness 6 7, Sharpness 3 9 Brightness 7 9, Equalize 6 5 Equalize 5 1,
        Contrast 6 7 Sharpness 6 5, Color 7 7 TranslateX 5 8, Equalize 3 7 AutoContrast 4 8,
        TranslateY 4 3 Sharpness 2 6, Brightness 9 6 Color 2 8, Solarize 5 2 Invert 0 3,
        Equalize 2 0 AutoContrast 6 0, Equalize 2 8 Equalize 6 4, Color 9 9 Equalize 6 6,
        AutoContrast 8 4 Solarize 2 8, Brightness 1 3 Color 7 0, Solarize 4 5 AutoContrast 9 3,
        TranslateY 9 9 TranslateY 7 9, AutoContrast 9 2 Solarize 8 3, Equalize 8 8 Invert 1 3,
        TranslateY 7 9 AutoContrast 9 1""",
    "svhn": """
        ShearX 9 4 Invert 2 3, ShearY 9 8 Invert 7 5, Equalize 6 5 Solarize 6 6,
        Invert 9 3 Equalize 6 3, Equalize 6 1 Rotate 9 3, ShearX 9 4 AutoContrast 8 3,
        ShearY 9 8 Invert 4 5, ShearY 9 5 Solarize 2 6, Invert 9 6 AutoContrast 8 1,
        Equalize 6 3 Rotate 9 3, ShearX 9 4 Solarize 3 3, ShearY 8 8 Invert 7 4,
        Equalize 9 5 TranslateY 6 6, Invert 9 4 Equalize 6 7, Contrast 3 3 Rotate 8 4,
        Invert 8 5 TranslateY 0 2, ShearY 7 6 Solarize 4 8, Invert 6 4 Rotate 8 4,
        ShearY 3 7 TranslateX 9 3, ShearX 1 6 Invert 6 5, Solarize 7 2 TranslateY 6 7,
        ShearY 8 4 Invert 8 8, ShearX 7 9 TranslateY 8 3, ShearY 8 5 AutoContrast 7 3,
        ShearX 7 2 Invert 1 5""",
}
LEARNED = Table(_without({**STANDARD, "Invert": NOTHING}, ("Identity",)), 9, 9, 10)


@functools.cache
def policy_table(policy: str) -> tuple[Table, Array, Array, Array]:
    """Return the table of a policy; and place, odds and magnitude of each pair, (25, 2)."""
    words = [pair.split() for pair in PAIRS[policy].split(",")]
    names = sorted({name for pair in words for name in pair[::3]}, key=LEARNED.names.index)
    rules = Table({name: LEARNED.levels[name] for name in names}, 9, 9, 10)
    places = np.array([[names.index(name) for name in pair[::3]] for pair in words])
    odds = np.array([[int(tenths) / 10 for tenths in pair[1::3]] for pair in words])
    magnitudes = np.array([[int(level) for level in pair[2::3]] for pair in words])
    return rules, places, odds, magnitudes
