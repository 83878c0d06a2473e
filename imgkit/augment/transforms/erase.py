"""What may be cut out: rectangles set to a fill."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from imgkit.augment.transforms.base import Array, Numbers, Transform
from imgkit.augment.transforms.parameters import Param, count, fill, interval, number
from imgkit.augment.transforms.resizes import fit_box
from imgkit.stages import Size

Fragment = tuple[Array, tuple[float, ...]]  # rectangles and their fill


class Holes(Transform):
    """The base: rectangles set to a fill."""

    _: dataclasses.KW_ONLY
    fill: Any = fill()
    stage_kinds: ClassVar[tuple[str, ...]] = ("erase",)
    vectorized: ClassVar[bool] = True
    scalar: ClassVar[bool] = False
    keeps_scale: ClassVar[bool] = True


class Erase(Holes):
    """Fill a random rectangle; `scale` bounds its fraction of the area, `ratio` height by width.

    Zhong et al., "Random erasing data augmentation", AAAI 2020; the ranges are torchvision's.
    """

    scale: Any = interval((0.02, 0.33), low=0)
    ratio: Any = interval((0.3, 3.3), low=1e-6)

    def draw(self, rng: Any, size: Size) -> Numbers:
        """Draw a box; none if ten do not fit."""
        none = (np.zeros(rng.samples, np.int64),) * 4
        wide_by_tall = (1 / self.ratio[1], 1 / self.ratio[0])
        box = fit_box(rng, size, self.scale, wide_by_tall, lambda: none)
        return dict(zip(("top", "left", "height", "width"), box, strict=True))

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> Fragment:
        """Return one rectangle."""
        top, left = numbers["top"], numbers["left"]
        right, bottom = left + numbers["width"], top + numbers["height"]
        return np.stack([left, top, right, bottom], axis=-1)[:, None], self.fill


class GridMask(Holes):
    """Fill squares on a grid: `cells` along the shorter side, `ratio` of each cell, shifted.

    Chen et al., "GridMask data augmentation", 2020.
    """

    cells: int = count(4)
    ratio: Param = number(0.5, low=0, high=1)

    def draw(self, rng: Any, size: Size) -> Numbers:
        """Draw the shift of the grid, a fraction of a cell."""
        return {"shift_x": rng.uniform(), "shift_y": rng.uniform()}

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> Fragment:
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
