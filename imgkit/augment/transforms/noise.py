"""What may happen to each pixel alone: noise from a counter-based sequence.

The numbers of a field depend on seed, op, epoch and index only, never on the backend.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from imgkit.augment.transforms.base import (
    Array,
    Numbers,
    Param,
    Size,
    Transform,
    draw_number,
    number,
)

if TYPE_CHECKING:
    from imgkit.draws import Draw


def draw_key(draw: Draw) -> Array:
    """Return the (N, 2) uint64 key of a noise field."""
    words = draw.words(4).astype(np.uint64)  # (N, 4)
    return np.stack([words[:, 0] | words[:, 1] << np.uint64(32),
                     words[:, 2] | words[:, 3] << np.uint64(32)], axis=1)  # fmt: skip


@dataclass(frozen=True)
class GaussianNoise(Transform):
    """Add normal noise of standard deviation `std`, a fraction of the full range."""

    std: Param = number(low=0)
    parts: ClassVar[tuple[str, ...]] = ("noise",)

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the deviation and the key of the field."""
        return {"std": draw_number(draw, self.std, samples), "key": draw_key(draw)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> tuple[str, Any, Array]:
        """Return a noise."""
        return "gaussian", numbers["std"], numbers["key"]


@dataclass(frozen=True)
class SaltPepper(Transform):
    """Set a share `amount` of the pixels to black or white, as often."""

    amount: Param = number(low=0, high=1)
    parts: ClassVar[tuple[str, ...]] = ("noise",)

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the share and the key of the field."""
        return {"amount": draw_number(draw, self.amount, samples), "key": draw_key(draw)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> tuple[str, Any, Array]:
        """Return a noise."""
        return "salt_pepper", numbers["amount"], numbers["key"]
