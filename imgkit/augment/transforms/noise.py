"""Transforms that add noise, from a counter-based sequence.

The numbers of a field depend on seed, op, epoch and index only, never on the backend.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from imgkit.augment.transforms.base import Array, Numbers, Transform
from imgkit.augment.transforms.parameters import Param, number
from imgkit.stages import Size


def draw_key(rng: Any) -> Array:
    """Return the (N, 2) uint64 key of a noise field."""
    words = rng.words(4).astype(np.uint64)  # (N, 4)
    return np.stack([words[:, 0] | words[:, 1] << np.uint64(32),
                     words[:, 2] | words[:, 3] << np.uint64(32)], axis=1)  # fmt: skip


class Noise(Transform):
    """The base: a kind of noise, its one drawn field as the strength, the key of its field."""

    stage_kinds: ClassVar[tuple[str, ...]] = ("noise",)
    vectorized: ClassVar[bool] = True
    scalar: ClassVar[bool] = False
    keeps_scale: ClassVar[bool] = True
    kind: ClassVar[str] = ""

    def draw(self, rng: Any, size: Size) -> Numbers:
        """Draw the key of the field."""
        return {"key": draw_key(rng)}

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> tuple[str, Any, Array]:
        """Return a noise."""
        ((strength, _),) = self.drawn_fields
        return self.kind, numbers[strength], numbers["key"]


class GaussianNoise(Noise):
    """Add normal noise of standard deviation `std`, a fraction of the full range."""

    std: Param = number(low=0)
    kind: ClassVar[str] = "gaussian"


class SaltPepper(Noise):
    """Set a fraction `amount` of the pixels to black or white, with equal probability."""

    amount: Param = number(low=0, high=1)
    kind: ClassVar[str] = "salt_pepper"
