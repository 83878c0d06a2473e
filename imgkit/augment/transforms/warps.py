"""Geometric ops that sample the image anew, by a matrix or along a field; the canvas stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from imgkit.augment.transforms.base import (
    INTERPOLATIONS,
    Numbers,
    Param,
    Size,
    Transform,
    border_word,
    count,
    draw_number,
    fill,
    flag,
    number,
    word,
)
from imgkit.augment.transforms.hops import RADIANS, RESAMPLE, about, plainly, warp
from imgkit.augment.transforms.noise import draw_key
from imgkit.draws import ScalarDraw
from imgkit.stages import Field, GeometricStep

if TYPE_CHECKING:
    from imgkit.draws import Draw


def _turn(degrees: Any) -> tuple[Any, Any]:
    """Return cosine and sine, exact for multiples of 90."""
    quarters = np.rint(degrees / 90)
    rest = (degrees - 90 * quarters) * RADIANS
    cos, sin = np.cos(rest), np.sin(rest)
    turn = np.asarray(quarters).astype(np.int64) % 4
    if isinstance(degrees, np.ndarray):
        return np.choose(turn, [cos, -sin, -cos, sin]), np.choose(turn, [sin, cos, -sin, -cos])
    ways = ((cos, sin), (-sin, cos), (-cos, -sin), (sin, -cos))
    cos, sin = ways[turn]
    return float(cos), float(sin)


@dataclass(frozen=True)
class Rotate(Transform):
    """Turn about the center, counter-clockwise as seen; the canvas stays.

    One number is always that angle: ``Rotate(15)`` turns every image alike, ``Rotate((-15, 15))``
    draws.
    """

    degrees: Param = number()
    interpolation: str = word(INTERPOLATIONS, "bilinear")
    antialias: bool = flag(True)
    border: str = border_word()
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = RESAMPLE
    motion: ClassVar[str] = "warp"
    plain: ClassVar[bool] = True

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the angle."""
        return {"degrees": draw_number(draw, self.degrees, samples)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> GeometricStep:
        """Return a warp."""
        cos, sin = _turn(numbers["degrees"])
        return warp(self, numbers, about(cos, sin, 0.0 - sin, cos, size), size)


@dataclass(frozen=True)
class Translate(Transform):
    """Shift right by `x` widths and down by `y` heights.

    One number is always that shift: ``x=0.07`` moves every image right, ``x=(-0.07, 0.07)`` draws.
    """

    x: Param = number(0.0)
    y: Param = number(0.0)
    interpolation: str = word(INTERPOLATIONS, "bilinear")
    antialias: bool = flag(True)
    border: str = border_word()
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = RESAMPLE
    motion: ClassVar[str] = "warp"
    plain: ClassVar[bool] = True

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw both shifts."""
        return {name: draw_number(draw, getattr(self, name), samples) for name in ("x", "y")}

    def lower(self, part: int, numbers: Numbers, size: Size) -> GeometricStep:
        """Return a warp."""
        entries = (1.0, 0.0, numbers["x"] * size[1], 0.0, 1.0, numbers["y"] * size[0])
        return warp(self, numbers, entries, size)


@dataclass(frozen=True)
class Scale(Transform):
    """Enlarge about the center by a factor; the canvas stays."""

    factor: Param = number(low=0, above=True)
    interpolation: str = word(INTERPOLATIONS, "bilinear")
    antialias: bool = flag(True)
    border: str = border_word()
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = RESAMPLE
    motion: ClassVar[str] = "warp"
    plain: ClassVar[bool] = True

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the factor."""
        return {"factor": draw_number(draw, self.factor, samples)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> GeometricStep:
        """Return a warp."""
        factor = numbers["factor"]
        return warp(self, numbers, about(factor, 0.0, 0.0, factor, size), size)


@dataclass(frozen=True)
class Shear(Transform):
    """Lean about the center by angles in degrees: `x` moves rows sideways, `y` columns down.

    One number is always that angle: ``x=7`` leans every image alike, ``x=(-7, 7)`` draws.
    """

    x: Param = number(0.0, low=-89, high=89)
    y: Param = number(0.0, low=-89, high=89)
    interpolation: str = word(INTERPOLATIONS, "bilinear")
    antialias: bool = flag(True)
    border: str = border_word()
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = RESAMPLE
    motion: ClassVar[str] = "warp"
    plain: ClassVar[bool] = True

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw both angles."""
        return {name: draw_number(draw, getattr(self, name), samples) for name in ("x", "y")}

    def lower(self, part: int, numbers: Numbers, size: Size) -> GeometricStep:
        """Return a warp."""
        x, y = (plainly(np.tan, numbers[name] * RADIANS) for name in ("x", "y"))
        return warp(self, numbers, about(1.0, x, y, 1.0, size), size)


@dataclass(frozen=True)
class Affine(Transform):
    """Shear, scale and rotate about the center, then translate; the canvas stays.

    One number is always that: ``translate=0.07`` shifts every image by +7 %, where
    ``translate=(-0.07, 0.07)`` draws (only `ColorJitter` takes a number for a range about none).
    `rotate` and `shear` (of rows, sideways) are in degrees; `translate` is a fraction of width
    and height, drawn for each; `scale` is a factor.
    """

    rotate: Param = number(0.0)
    translate: Param = number(0.0)
    scale: Param = number(1.0, low=0, above=True)
    shear: Param = number(0.0, low=-89, high=89)
    interpolation: str = word(INTERPOLATIONS, "bilinear")
    antialias: bool = flag(True)
    border: str = border_word()
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = RESAMPLE
    motion: ClassVar[str] = "warp"
    plain: ClassVar[bool] = True
    blocks: ClassVar[int] = 2

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw all five numbers."""
        return {
            "rotate": draw_number(draw, self.rotate, samples),
            "translate_x": draw_number(draw, self.translate, samples),
            "translate_y": draw_number(draw, self.translate, samples),
            "scale": draw_number(draw, self.scale, samples),
            "shear": draw_number(draw, self.shear, samples),
        }

    def lower(self, part: int, numbers: Numbers, size: Size) -> GeometricStep:
        """Return a warp: T C R S K C⁻¹ with K the shear and C the center."""
        angle, factor = numbers["rotate"] * RADIANS, numbers["scale"]
        cos, sin = (plainly(f, angle) * factor for f in (np.cos, np.sin))
        slope = plainly(np.tan, numbers["shear"] * RADIANS)
        shift = numbers["translate_x"] * size[1], numbers["translate_y"] * size[0]
        linear = (cos, cos * slope + sin, 0.0 - sin, cos - sin * slope)
        return warp(self, numbers, about(*linear, size, *shift), size)


@dataclass(frozen=True)
class Perspective(Transform):
    """Pull each corner inward by up to `distortion` of half the width and height."""

    distortion: Param = number(0.5, low=0, high=0.999)
    interpolation: str = word(INTERPOLATIONS, "bilinear")
    antialias: bool = flag(True)
    border: str = border_word()
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = RESAMPLE
    motion: ClassVar[str] = "warp"
    plain: ClassVar[bool] = True
    blocks: ClassVar[int] = 3

    def draw(self, draw: Any, samples: int, size: Size) -> Any:
        """Draw how far each corner moves, (N, 4, 2), as a fraction of width and height."""
        most = draw_number(draw, self.distortion, samples) / 2
        moves = [draw.uniform(0, most) for _ in range(8)]
        if isinstance(draw, ScalarDraw):
            return {"corners": [moves[i : i + 2] for i in (0, 2, 4, 6)]}
        return {"corners": np.stack(moves, axis=-1).reshape(samples, 4, 2)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> GeometricStep:
        """Return a warp that takes the corners, of pixel edges, to their new places."""
        corners: Any = numbers["corners"]
        many = isinstance(corners, np.ndarray)
        moves = corners.transpose(1, 2, 0) if many else corners
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = (
            ((right + side * x) * size[1] - 0.5, (below + up * y) * size[0] - 0.5)
            for (x, y), (right, below, side, up) in zip(moves, INWARD, strict=True)
        )
        return warp(self, numbers, _from_rectangle(x0, y0, x1, y1, x2, y2, x3, y3, size), size)


INWARD = ((0, 0, 1, 1), (1, 0, -1, 1), (1, 1, -1, -1), (0, 1, 1, -1))  # corners, and signs


def _from_rectangle(
    x0: Any, y0: Any, x1: Any, y1: Any, x2: Any, y2: Any, x3: Any, y3: Any, size: Size
) -> tuple[Any, ...]:
    """Return the entries of the map that takes a canvas's corners, clockwise, to others.

    Source: Heckbert, Fundamentals of Texture Mapping and Image Warping, 1989, section 2.2.3.
    """
    height, width = size
    dx1, dx2, dy1, dy2 = x1 - x2, x3 - x2, y1 - y2, y3 - y2
    sx, sy = x0 - x1 + x2 - x3, y0 - y1 + y2 - y3
    det = dx1 * dy2 - dx2 * dy1
    g, h = (sx * dy2 - dx2 * sy) / det / width, (dx1 * sy - sx * dy1) / det / height
    a, b = (x1 - x0) / width + g * x1, (x3 - x0) / height + h * x3
    d, e = (y1 - y0) / width + g * y1, (y3 - y0) / height + h * y3
    last = 1 + (g + h) / 2  # the corner of pixel edges lies at -1/2
    x, y = x0 + (a + b) / 2, y0 + (d + e) / 2
    return tuple(v / last for v in (a, b, x, d, e, y, g, h, last))


@dataclass(frozen=True)
class Elastic(Transform):
    """Move pixels along a smooth random field; at most `alpha` pixels, `sigma` pixels smooth."""

    alpha: Param = number(low=0)
    sigma: Param = number(8.0, low=0.5)
    interpolation: str = word(INTERPOLATIONS, "bilinear")
    border: str = border_word()
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = RESAMPLE
    motion: ClassVar[str] = "field"

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw strength and smoothness, and the key of the field."""
        numbers = {n: draw_number(draw, getattr(self, n), samples) for n in ("alpha", "sigma")}
        return numbers | {"key": draw_key(draw)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> GeometricStep:
        """Return a warp by a field."""
        alpha = np.where(numbers["active"], numbers["alpha"], 0.0)
        nodes = np.zeros((len(alpha), 0, 0, 2))
        field = Field("elastic", alpha, numbers["sigma"], numbers["key"], nodes)
        return _field_warp(self, field, size)


@dataclass(frozen=True)
class GridDistortion(Transform):
    """Move the nodes of a grid of `cells` x `cells` by up to `distortion` of a cell."""

    cells: int = count(5)
    distortion: Param = number(0.3, low=0, high=0.49)
    interpolation: str = word(INTERPOLATIONS, "bilinear")
    border: str = border_word()
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = RESAMPLE
    motion: ClassVar[str] = "field"

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the moves of all nodes, (N, cells + 1, cells + 1, 2), as fractions of a cell."""
        side = self.cells + 1
        most = draw_number(draw, self.distortion, samples)
        words = draw.words(2 * side * side).astype(np.float64)
        moves = (words * 2.0**-31 - 1.0) * most[:, None]
        return {"moves": moves.reshape(samples, side, side, 2)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> GeometricStep:
        """Return a warp by a field."""
        width, height = (np.asarray(v, np.float64) for v in (size[1], size[0]))
        cell = (np.stack(np.broadcast_arrays(width, height), -1) - 1) / self.cells
        nodes = numbers["moves"] * cell[..., None, None, :]
        active = numbers["active"]
        nodes = np.where(active[:, None, None, None], nodes, 0.0)
        none = np.zeros(len(active))
        key = np.zeros((len(active), 2), np.uint64)
        return _field_warp(self, Field("grid", none, none, key, nodes), size)


def _field_warp(op: Any, field: Field, size: Size) -> GeometricStep:
    """Return a hop along a field."""
    return GeometricStep(op.name, "warp", size, size, None, field, interpolation=op.interpolation,
               antialias=False, border=op.border, fill=op.fill)  # fmt: skip
