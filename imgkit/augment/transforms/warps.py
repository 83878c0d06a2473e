"""Geometric transforms that sample the image anew, by a matrix or along a field; the canvas stays.

Positive angles turn counter-clockwise as seen. `border` and `fill` say what lies beyond the
canvas. One number is always that value; a pair draws.
"""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np

from imgkit.augment.transforms.base import Numbers, Transform, is_scalar, matrices
from imgkit.augment.transforms.noise import draw_key
from imgkit.augment.transforms.parameters import (
    INTERPOLATIONS,
    Param,
    border,
    count,
    draw_number,
    fill,
    flag,
    number,
    one_of,
)
from imgkit.geometry.entries import RADIANS, about_entries, corner_entries, like_number, turn
from imgkit.stages import Field, GeometricStep, Size


class Warp(Transform):
    """The base: a map given by `entries`, sampled anew."""

    _: dataclasses.KW_ONLY
    interpolation: str = one_of(INTERPOLATIONS, "bilinear")
    antialias: bool = flag(True)
    border: str = border()
    fill: Any = fill()
    stage_kinds: ClassVar[tuple[str, ...]] = ("resample",)
    vectorized: ClassVar[bool] = True
    motion: ClassVar[str] = "warp"

    def entries(self, numbers: Numbers, size: Size) -> tuple[Any, ...]:
        """Return the entries of the map, six or nine."""
        raise TypeError(f"{self.name} has no map")

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> GeometricStep:
        """Return a warp."""
        return GeometricStep(
            self.name, "warp", size, size, matrices(numbers, self.entries(numbers, size)),
            interpolation=self.interpolation, antialias=self.antialias, border=self.border,
            fill=self.fill,
        )  # fmt: skip


class Rotate(Warp):
    """Turn about the center, counter-clockwise as seen; the canvas stays.

    One number is always that angle: ``Rotate(15)`` turns every image alike, ``Rotate((-15, 15))``
    draws.
    """

    degrees: Param = number(neutral=0)
    keeps_scale: ClassVar[bool] = True

    def entries(self, numbers: Numbers, size: Size) -> tuple[Any, ...]:
        """Return the turn."""
        cos, sin = turn(numbers["degrees"])
        return about_entries(cos, sin, 0.0 - sin, cos, size)


class Translate(Warp):
    """Shift right by `x` widths and down by `y` heights.

    One number is always that shift: ``x=0.07`` moves every image right, ``x=(-0.07, 0.07)`` draws.
    """

    x: Param = number(0.0, neutral=0)
    y: Param = number(0.0, neutral=0)
    keeps_scale: ClassVar[bool] = True

    def entries(self, numbers: Numbers, size: Size) -> tuple[Any, ...]:
        """Return the shift."""
        return 1.0, 0.0, numbers["x"] * size[1], 0.0, 1.0, numbers["y"] * size[0]


class Scale(Warp):
    """Enlarge about the center by a factor; the canvas stays."""

    factor: Param = number(low=0, above=True, neutral=1)

    def entries(self, numbers: Numbers, size: Size) -> tuple[Any, ...]:
        """Return the enlargement."""
        factor = numbers["factor"]
        return about_entries(factor, 0.0, 0.0, factor, size)


class Shear(Warp):
    """Lean about the center by angles in degrees: `x` moves rows sideways, `y` columns down.

    One number is always that angle: ``x=7`` leans every image alike, ``x=(-7, 7)`` draws.
    """

    x: Param = number(0.0, low=-89, high=89, neutral=0)
    y: Param = number(0.0, low=-89, high=89, neutral=0)

    def entries(self, numbers: Numbers, size: Size) -> tuple[Any, ...]:
        """Return the shear."""
        x, y = (like_number(np.tan, numbers[name] * RADIANS) for name in ("x", "y"))
        return about_entries(1.0, x, y, 1.0, size)


class Affine(Warp):
    """Shear, scale and rotate about the center, then translate; the canvas stays.

    One number is always that: ``translate=0.07`` shifts every image by +7 %, where
    ``translate=(-0.07, 0.07)`` draws (only `ColorJitter` takes a number for a range about none).
    `rotate` and `shear` (of rows, sideways) are in degrees; `translate` is a fraction of width
    and height, drawn for each; `scale` is a factor.
    """

    rotate: Param = number(0.0, drawn=False, neutral=0)
    translate: Param = number(0.0, drawn=False, neutral=0)
    scale: Param = number(1.0, low=0, above=True, drawn=False, neutral=1)
    shear: Param = number(0.0, low=-89, high=89, drawn=False, neutral=0)
    blocks: ClassVar[int] = 2

    def draw(self, rng: Any, size: Size) -> Numbers:
        """Draw all five numbers, the translation for each axis."""
        numbers: Numbers = rng.fields(
            (
                draw_number("rotate", self.rotate),
                draw_number("translate_x", self.translate),
                draw_number("translate_y", self.translate),
                draw_number("scale", self.scale),
                draw_number("shear", self.shear),
            )
        )
        return numbers

    def entries(self, numbers: Numbers, size: Size) -> tuple[Any, ...]:
        """Return the map: T C R S K C⁻¹ with K the shear and C the center."""
        angle, factor = numbers["rotate"] * RADIANS, numbers["scale"]
        cos, sin = (like_number(f, angle) * factor for f in (np.cos, np.sin))
        slope = like_number(np.tan, numbers["shear"] * RADIANS)
        shift = numbers["translate_x"] * size[1], numbers["translate_y"] * size[0]
        linear = (cos, cos * slope + sin, 0.0 - sin, cos - sin * slope)
        return about_entries(*linear, size, *shift)


class Perspective(Warp):
    """Pull each corner inward by up to `distortion` of half the width and height."""

    distortion: Param = number(0.5, low=0, high=0.999, drawn=False)
    blocks: ClassVar[int] = 3

    def draw(self, rng: Any, size: Size) -> Numbers:
        """Draw how far each corner moves, (N, 4, 2), as a fraction of width and height."""
        largest = rng.fields((draw_number("distortion", self.distortion),))["distortion"] / 2
        moves = [rng.uniform(0, largest) for _ in range(8)]
        if not isinstance(largest, np.ndarray):
            return {"corners": [moves[i : i + 2] for i in (0, 2, 4, 6)]}
        return {"corners": np.stack(moves, axis=-1).reshape(len(largest), 4, 2)}

    def entries(self, numbers: Numbers, size: Size) -> tuple[Any, ...]:
        """Return the map that takes the corners, of pixel edges, to their new places."""
        corners: Any = numbers["corners"]
        moves = corners if is_scalar(numbers) else np.asarray(corners).transpose(1, 2, 0)
        places = tuple(
            ((right + side * x) * size[1] - 0.5, (below + up * y) * size[0] - 0.5)
            for (x, y), (right, below, side, up) in zip(moves, INWARD, strict=True)
        )
        return corner_entries(places, size)


INWARD = ((0, 0, 1, 1), (1, 0, -1, 1), (1, 1, -1, -1), (0, 1, 1, -1))  # corners, and signs


class FieldWarp(Transform):
    """The base: a displacement field given by `field`, sampled anew."""

    _: dataclasses.KW_ONLY
    interpolation: str = one_of(INTERPOLATIONS, "bilinear")
    border: str = border()
    fill: Any = fill()
    stage_kinds: ClassVar[tuple[str, ...]] = ("resample",)
    vectorized: ClassVar[bool] = True
    scalar: ClassVar[bool] = False
    motion: ClassVar[str] = "field"

    def field(self, numbers: Numbers, size: Size) -> Field:
        """Return the field."""
        raise TypeError(f"{self.name} has no field")

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> GeometricStep:
        """Return a warp by a field."""
        return GeometricStep(
            self.name, "warp", size, size, None, self.field(numbers, size),
            interpolation=self.interpolation, antialias=False, border=self.border, fill=self.fill,
        )  # fmt: skip


class Elastic(FieldWarp):
    """Move pixels along a smooth random field.

    `alpha` is the largest displacement and `sigma` the standard deviation of the Gaussian-like
    smoothing, both in pixels.
    """

    alpha: Param = number(low=0)
    sigma: Param = number(8.0, low=0.5)

    def draw(self, rng: Any, size: Size) -> Numbers:
        """Draw the key of the field."""
        return {"key": draw_key(rng)}

    def field(self, numbers: Numbers, size: Size) -> Field:
        """Return the field."""
        alpha = np.where(numbers["active"], numbers["alpha"], 0.0)
        nodes = np.zeros((len(alpha), 0, 0, 2))
        return Field("elastic", alpha, numbers["sigma"], numbers["key"], nodes)


class GridDistortion(FieldWarp):
    """Move the nodes of a grid of `cells` x `cells` by up to `distortion` of a cell."""

    cells: int = count(5)
    distortion: Param = number(0.3, low=0, high=0.49, drawn=False)

    def draw(self, rng: Any, size: Size) -> Numbers:
        """Draw the moves of all nodes, (N, cells + 1, cells + 1, 2), as fractions of a cell."""
        side = self.cells + 1
        largest = rng.fields((draw_number("distortion", self.distortion),))["distortion"]
        words = rng.words(2 * side * side).astype(np.float64)
        moves = (words * 2.0**-31 - 1.0) * largest[:, None]
        return {"moves": moves.reshape(rng.samples, side, side, 2)}

    def field(self, numbers: Numbers, size: Size) -> Field:
        """Return the field."""
        width, height = (np.asarray(v, np.float64) for v in (size[1], size[0]))
        cell = (np.stack(np.broadcast_arrays(width, height), -1) - 1) / self.cells
        active = numbers["active"]
        nodes = numbers["moves"] * cell[..., None, None, :]
        nodes = np.where(active[:, None, None, None], nodes, 0.0)
        none = np.zeros(len(active))
        return Field("grid", none, none, np.zeros((len(active), 2), np.uint64), nodes)
