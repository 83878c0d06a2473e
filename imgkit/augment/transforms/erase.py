"""What may be cut out: rectangles set to a fill."""

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
    count,
    draw_number,
    fill,
    interval,
    number,
)
from imgkit.augment.transforms.resizes import fit_box

if TYPE_CHECKING:
    from imgkit.draws import Draw

Piece = tuple[Array, tuple[float, ...]]


@dataclass(frozen=True)
class Erase(Transform):
    """Fill a random rectangle; `scale` bounds its share of the area, `ratio` height by width.

    Zhong et al., "Random erasing data augmentation", AAAI 2020; the ranges are torchvision's.
    """

    scale: Any = interval((0.02, 0.33), low=0)
    ratio: Any = interval((0.3, 3.3), low=1e-6)
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = ("erase",)

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw a box; none if ten do not fit."""
        none = (np.zeros(samples, np.int64),) * 4
        wide_by_tall = (1 / self.ratio[1], 1 / self.ratio[0])
        box = fit_box(draw, samples, size, self.scale, wide_by_tall, lambda: none)
        return dict(zip(("top", "left", "height", "width"), box, strict=True))

    def lower(self, part: int, numbers: Numbers, size: Size) -> Piece:
        """Return one rectangle."""
        top, left = numbers["top"], numbers["left"]
        right, bottom = left + numbers["width"], top + numbers["height"]
        return np.stack([left, top, right, bottom], axis=-1)[:, None], self.fill


@dataclass(frozen=True)
class GridMask(Transform):
    """Fill squares on a grid: `cells` along the shorter side, `ratio` of each cell, shifted.

    Chen et al., "GridMask data augmentation", 2020.
    """

    cells: int = count(4)
    ratio: Param = number(0.5, low=0, high=1)
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = ("erase",)

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the ratio and the shift of the grid, a fraction of a cell."""
        ratio = draw_number(draw, self.ratio, samples)
        return {"ratio": ratio, "shift_x": draw.uniform(), "shift_y": draw.uniform()}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Piece:
        """Return the squares, as many as the larger side needs."""
        height, width = (np.asarray(v, np.float64) for v in size)
        cell = np.minimum(height, width) / self.cells
        squares = []
        for row in range(int(np.ceil(np.max(height / cell))) + 1):
            for column in range(int(np.ceil(np.max(width / cell))) + 1):
                left = (column - numbers["shift_x"]) * cell
                top = (row - numbers["shift_y"]) * cell
                side = numbers["ratio"] * cell
                edges = [left, top, left + side, top + side]
                limits = [width, height, width, height]
                squares.append(
                    np.stack(
                        [np.clip(np.rint(e), 0, m) for e, m in zip(edges, limits, strict=True)], -1
                    )
                )
        return np.stack(squares, axis=1).astype(np.int64), self.fill
