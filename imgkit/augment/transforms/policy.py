"""Policies: which ops happen, and how strongly, is itself drawn, for each sample anew.

A policy has slots. For each sample and slot it draws an op and the op's argument (degrees, a
slope, pixels, a factor, bits, a threshold); what the magnitude M means is a named table, in
`imgkit.augment.transforms.magnitudes`. What the slots become is in
`imgkit.augment.transforms.policy_base`.

In a plan's `ops` a policy lists `ops`, the place of each slot's op in `magnitudes.OPS`, and
`values`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from imgkit.augment.transforms.base import Array, Numbers
from imgkit.augment.transforms.magnitudes import AUGMIX, RAND, TRIVIAL, Table, policy_table
from imgkit.augment.transforms.parameters import (
    Param,
    count,
    draw_integer,
    fixed,
    flag,
    integer,
    one_of,
)
from imgkit.augment.transforms.policy_base import Policy, own, slot_numbers, uniforms
from imgkit.checks import check_number
from imgkit.draws import WORD, inverse_normal
from imgkit.stages import Size


class RandAugment(Policy):
    """Do `n` ops, each drawn from the table's, all of the same magnitude.

    Cubuk et al., "RandAugment: practical automated data augmentation with a reduced search
    space", 2020. What the magnitude means differs between sources: see docs/policies.md.

    Args:
        n: how many ops.
        magnitude: an integer up to 30 ("torchvision"), or a number up to 10 ("timm",
            "timm-increasing") or 30 ("paper").
        table: "torchvision", "timm", "timm-increasing" or "paper".
        each: how often a drawn op happens; by default the table's own, 0.5 for timm's and else 1.
        noise: standard deviation of normal noise on the magnitude, for each op and sample; not
            with "torchvision", whose magnitudes are integers.
        interpolation, fill: the table's own by default.

    >>> RandAugment(2, 9).interpolation, RandAugment(2, 9, "timm").each
    ('nearest', 0.5)
    """

    n: int = count(2, low=0)
    magnitude: float = fixed(9, low=0)
    table: str = one_of(tuple(RAND), "torchvision", kw_only=False)
    each: Any = own(lambda value, name: check_number(value, name, 0, 1))
    noise: float = fixed(0.0, low=0, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        rules = self.rules
        if self.each is None:
            object.__setattr__(self, "each", rules.each)
        if self.magnitude > rules.most:
            raise ValueError(
                f"magnitude is {self.magnitude:g}: the {self.table!r} table ends at {rules.most:g}"
            )
        if rules.bins and (self.noise or self.magnitude != int(self.magnitude)):
            raise ValueError(
                f"magnitude is {self.magnitude:g} and noise {self.noise:g}: the {self.table!r} "
                "table takes an integer and no noise; 'timm' takes both"
            )

    @property
    def rules(self) -> Table:
        """The table."""
        return RAND[self.table]

    @property
    def slots(self) -> int:
        """How many ops happen."""
        return self.n

    def draw(self, rng: Any, size: Size) -> Numbers:
        """Draw the op, its sign, and with noise its magnitude, for each slot."""
        rules = self.rules
        which, strength, sign, chance = uniforms(rng, self.n)
        magnitude: Any = self.magnitude
        if self.noise:
            normal = inverse_normal(strength + WORD / 2)
            magnitude = np.clip(magnitude + self.noise * normal, 0, rules.most)
        place = (which * len(rules.names)).astype(np.int64)
        numbers = slot_numbers(rules, place, magnitude, sign < 0.5, chance < self.each, size)
        if "Cutout" in rules.names:
            numbers["center"] = np.moveaxis(uniforms(rng, self.n, 2), 0, -1)
        return numbers


class TrivialAugment(Policy):
    """Do one op of a random strength out of 31: no parameter to tune.

    Mueller and Hutter, "TrivialAugment: tuning-free yet state-of-the-art data augmentation",
    ICCV 2021; its wide ranges. "torchvision" is TrivialAugmentWide, "paper" the authors' code:
    docs/policies.md tells them apart.
    """

    table: str = one_of(tuple(TRIVIAL), "torchvision", kw_only=False)

    @property
    def rules(self) -> Table:
        """The table."""
        return TRIVIAL[self.table]

    @property
    def slots(self) -> int:
        """One op happens."""
        return 1

    def draw(self, rng: Any, size: Size) -> Numbers:
        """Draw the op, its strength and its sign."""
        rules = self.rules
        which, strength, sign, _ = uniforms(rng, 1)
        place = (which * len(rules.names)).astype(np.int64)
        magnitude = (strength * rules.bins).astype(np.int64)
        return slot_numbers(rules, place, magnitude, sign < 0.5, True, size)


class AutoAugment(Policy):
    """Do one of 25 learned pairs of ops, each op by its own odds and magnitude.

    Cubuk et al., "AutoAugment: learning augmentation strategies from data", CVPR 2019; the
    strengths are torchvision's.

    Args:
        policy: "imagenet", "cifar10" or "svhn".
        interpolation, fill: "nearest" and black by default.
    """

    policy: str = one_of(("imagenet", "cifar10", "svhn"), "imagenet", kw_only=False)

    @property
    def rules(self) -> Table:
        """The table."""
        return policy_table(self.policy)[0]

    @property
    def slots(self) -> int:
        """Two ops happen at most."""
        return 2

    def draw(self, rng: Any, size: Size) -> Numbers:
        """Draw the pair, which of the two happen, and their signs."""
        rules, places, odds, magnitudes = policy_table(self.policy)
        pair = rng.choice(len(places))
        _, _, sign, chance = uniforms(rng, 2)
        numbers = slot_numbers(
            rules, places[pair], magnitudes[pair], sign < 0.5, chance < odds[pair], size
        )
        return {"policy": pair} | numbers


class Chain(Policy):
    """One branch of AugMix: `depth` slots of its table's ops."""

    depth: int = count(3)
    table: str = one_of(tuple(AUGMIX), "torchvision")

    @property
    def rules(self) -> Table:
        """The table."""
        return AUGMIX[self.table]

    @property
    def slots(self) -> int:
        """How many ops happen at most."""
        return self.depth


class AugMix(Policy):
    """Mix the image with `width` augmented copies of itself.

    Hendrycks et al., "AugMix: a simple data processing method to improve robustness and
    uncertainty", ICLR 2020. Each copy goes through `depth` ops; the copies are weighted by
    Dirichlet(alpha), the image against them by Beta(alpha, alpha). It is meant for
    classification: labels, boxes and masks stay those of the image, though its copies move.

    Args:
        severity: 1 to 10, the strongest magnitude drawn.
        width: how many copies.
        depth: how many ops each copy goes through; a pair is uniform over its integers.
        alpha: how even the weights are.
        all_ops: also brightness, color, contrast and sharpness, which overlap with the
            corruptions of ImageNet-C.
        table: "torchvision", or "paper" for the authors' code.
        interpolation, fill: "bilinear" and black by default.
    """

    severity: int = count(3)
    width: int = count(3)
    depth: Param = integer((1, 3), low=1, drawn=False)
    alpha: float = fixed(1.0, low=0, above=True)
    all_ops: bool = flag(True)
    table: str = one_of(("torchvision", "paper"), "torchvision")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.severity > 10:
            raise ValueError(f"severity is {self.severity}: it must be at most 10")

    @property
    def rules(self) -> Table:
        """The table."""
        return AUGMIX[self._table_name]

    @property
    def _table_name(self) -> str:
        return self.table if self.all_ops else f"{self.table}-geometric"

    @property
    def slots(self) -> int:
        """How many ops a copy goes through at most."""
        depth = self.depth
        if isinstance(depth, tuple):
            return int(depth[1])
        return int(max(getattr(depth, "options", (depth,))))

    @property
    def stage_kinds(self) -> tuple[str, ...]:  # type: ignore[override]
        """One weighted sum."""
        return ("mix",)

    def draw(self, rng: Any, size: Size) -> Numbers:
        """Draw weights (N, width + 1), the image first, and the ops (N, width * slots)."""
        rules, slots = self.rules, self.slots
        share = rng.dirichlet((self.alpha, self.alpha))
        copies = rng.dirichlet((self.alpha,) * self.width)
        weights = np.concatenate([share[:, :1], share[:, 1:] * copies], axis=1)
        depths = [
            rng.fields((draw_integer("depth", self.depth),))["depth"] for _ in range(self.width)
        ]
        deep = np.arange(slots) < np.stack(depths, axis=1)[:, :, None]  # (N, width, slots)
        which, strength, sign, _ = uniforms(rng, self.width * slots)
        place = (which * len(rules.names)).astype(np.int64)
        if rules.bins:
            magnitude = (strength * self.severity).astype(np.int64)
        else:
            magnitude = 0.1 + strength * (self.severity - 0.1)
        happens = deep.reshape(rng.samples, self.width * slots)
        return {"weights": weights} | slot_numbers(
            rules, place, magnitude, sign < 0.5, happens, size
        )

    def happens(self, stage_index: int, numbers: Numbers) -> Array:
        """Tell which samples are mixed."""
        return numbers["active"]

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> tuple[list[Any], Array]:
        """Return the branches, each a chain with its numbers, and their weights.

        A sample that is left alone keeps all of its own pixels.
        """
        slots = self.slots
        chain = Chain(slots, table=self._table_name, interpolation=self.interpolation,
                      fill=self.fill)  # fmt: skip
        branches = []
        for first in range(0, self.width * slots, slots):
            mine = {name: numbers[name][:, first : first + slots] for name in ("ops", "values")}
            branches.append((chain, mine | {"active": numbers["active"]}, size))
        alone = np.eye(1, self.width + 1)
        return branches, np.where(numbers["active"][:, None], numbers["weights"], alone)
