"""What may happen to the place of pixels: each op lowers to a hop from one canvas to the next.

Positive angles turn counter-clockwise as seen. Shifts are fractions of the width and height.
`border` and `fill` say what lies beyond the canvas.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from imgkit import geometry
from imgkit.augment.noise import draw_key
from imgkit.augment.stages import Field, Hop
from imgkit.augment.transform import (
    INTERPOLATIONS,
    Array,
    Numbers,
    Param,
    Size,
    Transform,
    count,
    declare,
    draw_integer,
    draw_number,
    fill,
    flag,
    image_size,
    integer,
    interval,
    number,
    word,
)
from imgkit.border import BORDERS
from imgkit.image import check_int

if TYPE_CHECKING:
    from imgkit.draws import Draw

RESAMPLE: tuple[str, ...] = ("resample",)
ATTEMPTS = 10  # of RandomResizedCrop and Erase to fit their box, as in torchvision


def _center(size: Size) -> Array:
    """Return the middle (x, y) of a canvas, (2,) or (N, 2)."""
    x, y = geometry.center(size)
    return np.stack(np.broadcast_arrays(x, y), axis=-1)


def _warp(op: Any, matrix: Array, size: Size) -> Hop:
    """Return a hop that keeps the canvas and samples it anew."""
    return Hop(op.name, "warp", size, size, matrix, interpolation=op.interpolation,
               antialias=op.antialias, border=op.border, fill=op.fill)  # fmt: skip


def _move(op: Any, matrix: Array, samples: int, size: Size, out_size: Size) -> Hop:
    """Return a hop that keeps pixels whole."""
    return Hop(op.name, "move", size, out_size, _broadcast(matrix, samples))


def _broadcast(matrix: Array, samples: int) -> Array:
    """Return (N, 3, 3) of one matrix or N."""
    if samples == 1:  # np.broadcast_to costs five times as much
        return matrix if matrix.ndim == 3 else matrix[None]
    return np.broadcast_to(matrix, (samples, 3, 3))


def _samples(numbers: Numbers) -> int:
    return len(numbers["active"])


# --- moves --------------------------------------------------------------------------------


@dataclass(frozen=True)
class HorizontalFlip(Transform):
    """Mirror left and right."""

    parts: ClassVar[tuple[str, ...]] = RESAMPLE

    def lower(self, part: int, numbers: Numbers, size: Size) -> Hop:
        """Return a move."""
        return _move(self, geometry.horizontal_flip(size), _samples(numbers), size, size)


@dataclass(frozen=True)
class VerticalFlip(Transform):
    """Mirror top and bottom."""

    parts: ClassVar[tuple[str, ...]] = RESAMPLE

    def lower(self, part: int, numbers: Numbers, size: Size) -> Hop:
        """Return a move."""
        return _move(self, geometry.vertical_flip(size), _samples(numbers), size, size)


@dataclass(frozen=True)
class Rotate90(Transform):
    """Turn counter-clockwise by `k` quarter turns; odd ones exchange height and width."""

    k: Param = integer((0, 3), low=-3, high=3)
    parts: ClassVar[tuple[str, ...]] = RESAMPLE

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the quarter turns."""
        return {"k": draw_integer(draw, self.k, samples)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Hop:
        """Return a move."""
        k = numbers["k"] % 4
        turns = np.stack([_broadcast(geometry.quarter_turn(i, size), len(k)) for i in range(4)])
        matrix = turns[k, np.arange(len(k))]
        odd = k % 2 == 1
        return _move(self, matrix, len(k), size, _swapped(size, odd))


@dataclass(frozen=True)
class Transpose(Transform):
    """Exchange rows and columns; height and width change places."""

    parts: ClassVar[tuple[str, ...]] = RESAMPLE

    def lower(self, part: int, numbers: Numbers, size: Size) -> Hop:
        """Return a move."""
        out_size = (size[1], size[0])
        return _move(self, geometry.transposition(), _samples(numbers), size, out_size)


def _swapped(size: Size, odd: Array) -> Size:
    """Return the size with height and width exchanged where `odd`."""
    height, width = size
    if np.array_equal(height, width) or not odd.any():
        return size
    if odd.all():
        return width, height
    return np.where(odd, width, height), np.where(odd, height, width)


@dataclass(frozen=True)
class CenterCrop(Transform):
    """Keep the middle; what a smaller image lacks is filled."""

    size: Any = image_size()
    border: str = word(tuple(BORDERS), "constant")
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = RESAMPLE

    def lower(self, part: int, numbers: Numbers, size: Size) -> Hop:
        """Return a move; an odd remainder rounds as torchvision's does."""
        top = np.rint((np.asarray(size[0]) - self.size[0]) / 2.0)
        left = np.rint((np.asarray(size[1]) - self.size[1]) / 2.0)
        matrix = _broadcast(geometry.crop(top, left), _samples(numbers))
        return Hop(self.name, "move", size, self.size, matrix, outside=True, border=self.border,
                   fill=self.fill)  # fmt: skip


@dataclass(frozen=True)
class RandomCrop(Transform):
    """Keep a window of `size` anywhere on the image, grown by `padding` on each side first."""

    size: Any = image_size()
    padding: int = count(0, low=0)
    border: str = word(tuple(BORDERS), "constant")
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = RESAMPLE

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw top and left, each as likely."""
        room = []
        for axis, name in enumerate(("height", "width")):
            spare = np.asarray(size[axis]) + 2 * self.padding - self.size[axis]
            if (spare < 0).any():
                raise ValueError(
                    f"size is {self.size}: the image's {name} is {size[axis]} with {self.padding} "
                    f"of padding; Resize it first, or pad by at least {-int(spare.min()) + 1 >> 1}"
                    " more"
                )
            room.append(spare + 1)
        top, left = (draw.integers(0, spare) - self.padding for spare in room)
        return {"top": top, "left": left}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Hop:
        """Return a move."""
        matrix = geometry.crop(numbers["top"], numbers["left"])
        return Hop(self.name, "move", size, self.size, matrix, outside=self.padding > 0,
                   border=self.border, fill=self.fill)  # fmt: skip


def _four_sides(value: Any, name: str) -> tuple[int, int, int, int]:
    """Check a padding: one integer, (vertical, horizontal) or (top, bottom, left, right)."""
    values = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    sides = tuple(check_int(v, f"{name}[{i}]", 0) for i, v in enumerate(values))
    if len(sides) == 1:
        return sides * 4
    if len(sides) == 2:
        return sides[0], sides[0], sides[1], sides[1]
    if len(sides) == 4:
        return sides
    raise ValueError(
        f"{name} is {value!r}: it takes one integer, (vertical, horizontal) or "
        "(top, bottom, left, right)"
    )


@dataclass(frozen=True)
class Pad(Transform):
    """Add pixels around: one integer, (vertical, horizontal) or (top, bottom, left, right)."""

    padding: Any = declare(_four_sides, 0)
    border: str = word(tuple(BORDERS), "constant")
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = RESAMPLE

    def lower(self, part: int, numbers: Numbers, size: Size) -> Hop:
        """Return a move."""
        top, bottom, left, right = self.padding
        out_size = (size[0] + top + bottom, size[1] + left + right)
        matrix = _broadcast(geometry.crop(-top, -left), _samples(numbers))
        return Hop(self.name, "move", size, out_size, matrix, outside=True, border=self.border,
                   fill=self.fill)  # fmt: skip


# --- resizes ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Resize(Transform):
    """Make the image `size`; or its shorter or longer `edge` alone, with the shape kept."""

    size: Any = image_size()
    edge: str = word(("both", "shorter", "longer"), "both")
    interpolation: str = word(INTERPOLATIONS, "bilinear")
    antialias: bool = flag(True)
    parts: ClassVar[tuple[str, ...]] = RESAMPLE

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.edge != "both" and self.size[0] != self.size[1]:
            raise ValueError(f"size is {self.size}: the {self.edge} edge takes one integer")

    def lower(self, part: int, numbers: Numbers, size: Size) -> Hop:
        """Return a resize of the whole canvas."""
        out_size = self.size if self.edge == "both" else self._shaped(size)
        matrix = _broadcast(geometry.resize_matrix(size, out_size), _samples(numbers))
        return Hop(self.name, "resize", size, out_size, matrix,
                   interpolation=self.interpolation, antialias=self.antialias)  # fmt: skip

    def _shaped(self, size: Size) -> Size:
        """Return the size whose one edge is `size`, the other cut to whole pixels."""
        height, width = (np.asarray(v) for v in size)
        edge = (np.minimum if self.edge == "shorter" else np.maximum)(height, width)
        tall, wide = (np.maximum(self.size[0] * v // edge, 1) for v in (height, width))
        return (int(tall), int(wide)) if edge.ndim == 0 else (tall, wide)


@dataclass(frozen=True)
class RandomResizedCrop(Transform):
    """Cut a box of random area and shape and resize it; Inception's crop, as in torchvision.

    `scale` bounds the area as a share of the image's, `ratio` its width by height. Ten boxes are
    tried; if none fits, the largest centered one with a ratio in range is taken.
    """

    size: Any = image_size()
    scale: Any = interval((0.08, 1.0), low=0)
    ratio: Any = interval((3 / 4, 4 / 3), low=1e-6)
    interpolation: str = word(INTERPOLATIONS, "bilinear", kw_only=False)
    antialias: bool = flag(True, kw_only=False)
    parts: ClassVar[tuple[str, ...]] = RESAMPLE

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw a box in whole pixels."""
        box = fit_box(
            draw, samples, size, self.scale, self.ratio, lambda: self._fallback(samples, size)
        )
        return dict(zip(("top", "left", "height", "width"), box, strict=True))

    def _fallback(self, samples: int, size: Size) -> tuple[Array, ...]:
        height, width = (np.broadcast_to(np.asarray(v, np.int64), samples) for v in size)
        low, high = self.ratio
        shape = width / height
        tall = np.where(shape < low, np.rint(width / low), height).astype(np.int64)
        wide = np.where(shape > high, np.rint(height * high), width).astype(np.int64)
        return (height - tall) // 2, (width - wide) // 2, tall, wide

    def lower(self, part: int, numbers: Numbers, size: Size) -> Hop:
        """Return a resize of the box."""
        matrices, windows = [], []
        for top, left, height, width in zip(
            *(numbers[name].tolist() for name in ("top", "left", "height", "width")), strict=True
        ):
            sx, sy = self.size[1] / width, self.size[0] / height
            dx, dy = (0.5 - left) * sx - 0.5, (0.5 - top) * sy - 0.5
            matrices.append(((sx, 0.0, dx), (0.0, sy, dy), (0.0, 0.0, 1.0)))
            windows.append((left, top, left + width, top + height))
        matrix = np.array(matrices, np.float64).reshape(-1, 3, 3)
        window = np.array(windows, np.float64).reshape(-1, 4)
        return Hop(self.name, "resize", size, self.size, matrix, window=window,
                   interpolation=self.interpolation, antialias=self.antialias)  # fmt: skip


def fit_box(
    draw: Draw,
    samples: int,
    size: Size,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    fallback: Callable[[], tuple[Array, ...]],
) -> tuple[Array, ...]:
    """Draw (top, left, height, width) of a box within `size`, or take the fallback.

    Each attempt takes four words of every sample: area, log ratio, top, left.
    """
    heights, widths = (v.tolist() if isinstance(v, np.ndarray) else [v] * samples for v in size)
    ratios = math.log(ratio[0]), math.log(ratio[1])
    boxes: list[tuple[int, int, int, int] | None] = [None] * samples
    missing = list(range(samples))
    for _ in range(ATTEMPTS):
        words = draw.words(4).tolist()
        for i in missing:
            boxes[i] = _try_box(words[i], heights[i], widths[i], scale, ratios)
        missing = [i for i in missing if boxes[i] is None]
        if not missing:
            break
    for i in missing:
        boxes[i] = tuple(int(v[i]) for v in fallback())  # type: ignore[assignment]
    return tuple(np.array(boxes, np.int64).reshape(samples, 4).T)


def _try_box(
    words: list[int],
    height: int,
    width: int,
    scale: tuple[float, float],
    log_ratio: tuple[float, float],
) -> tuple[int, int, int, int] | None:
    """Return the box that four words mean, or None if it does not fit."""
    u = [word * 2.0**-32 for word in words]
    area = (scale[0] + u[0] * (scale[1] - scale[0])) * height * width
    shape = math.exp(log_ratio[0] + u[1] * (log_ratio[1] - log_ratio[0]))
    wide, tall = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
    if not (0 < wide <= width and 0 < tall <= height):
        return None
    return int(u[2] * (height - tall + 1)), int(u[3] * (width - wide + 1)), tall, wide


@dataclass(frozen=True)
class Letterbox(Transform):
    """Resize to fit inside `size` with the shape kept, and fill what remains on both sides."""

    size: Any = image_size()
    interpolation: str = word(INTERPOLATIONS, "bilinear")
    antialias: bool = flag(True)
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = ("resample", "resample")

    def lower(self, part: int, numbers: Numbers, size: Size) -> Hop:
        """Return the resize, then the pad."""
        samples = _samples(numbers)
        if part == 0:
            inner = self._inner(size)
            matrix = _broadcast(geometry.resize_matrix(size, inner), samples)
            return Hop(self.name, "resize", size, inner, matrix,
                       interpolation=self.interpolation, antialias=self.antialias)  # fmt: skip
        top, left = ((self.size[axis] - np.asarray(size[axis])) // 2 for axis in (0, 1))
        matrix = _broadcast(geometry.crop(-top, -left), samples)
        return Hop(self.name, "move", size, self.size, matrix, outside=True, fill=self.fill)

    def _inner(self, size: Size) -> Size:
        """Return the size of the picture inside the box."""
        height, width = (np.asarray(v) for v in size)
        scale = np.minimum(self.size[0] / height, self.size[1] / width)
        tall, wide = (
            np.clip(np.rint(v * scale), 1, limit).astype(np.int64)
            for v, limit in ((height, self.size[0]), (width, self.size[1]))
        )
        return (int(tall), int(wide)) if tall.ndim == 0 else (tall, wide)


# --- warps --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rotate(Transform):
    """Turn about the center, counter-clockwise as seen; the canvas stays."""

    degrees: Param = number()
    interpolation: str = word(INTERPOLATIONS, "bilinear")
    antialias: bool = flag(True)
    border: str = word(tuple(BORDERS), "constant")
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = RESAMPLE

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the angle."""
        return {"degrees": draw_number(draw, self.degrees, samples)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Hop:
        """Return a warp."""
        return _warp(self, geometry.rotation(numbers["degrees"], _center(size)), size)


@dataclass(frozen=True)
class Translate(Transform):
    """Shift right by `x` widths and down by `y` heights."""

    x: Param = number(0.0)
    y: Param = number(0.0)
    interpolation: str = word(INTERPOLATIONS, "bilinear")
    antialias: bool = flag(True)
    border: str = word(tuple(BORDERS), "constant")
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = RESAMPLE

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw both shifts."""
        return {name: draw_number(draw, getattr(self, name), samples) for name in ("x", "y")}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Hop:
        """Return a warp."""
        matrix = geometry.translation(numbers["x"] * size[1], numbers["y"] * size[0])
        return _warp(self, matrix, size)


@dataclass(frozen=True)
class Scale(Transform):
    """Enlarge about the center by a factor; the canvas stays."""

    factor: Param = number(low=0, above=True)
    interpolation: str = word(INTERPOLATIONS, "bilinear")
    antialias: bool = flag(True)
    border: str = word(tuple(BORDERS), "constant")
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = RESAMPLE

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the factor."""
        return {"factor": draw_number(draw, self.factor, samples)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Hop:
        """Return a warp."""
        return _warp(self, geometry.scaling(numbers["factor"], center=_center(size)), size)


@dataclass(frozen=True)
class Shear(Transform):
    """Lean about the center by angles in degrees: `x` moves rows sideways, `y` columns down."""

    x: Param = number(0.0, low=-89, high=89)
    y: Param = number(0.0, low=-89, high=89)
    interpolation: str = word(INTERPOLATIONS, "bilinear")
    antialias: bool = flag(True)
    border: str = word(tuple(BORDERS), "constant")
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = RESAMPLE

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw both angles."""
        return {name: draw_number(draw, getattr(self, name), samples) for name in ("x", "y")}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Hop:
        """Return a warp."""
        slope_x, slope_y = (np.tan(np.deg2rad(numbers[name])) for name in ("x", "y"))
        return _warp(self, geometry.shear(slope_x, slope_y, _center(size)), size)


@dataclass(frozen=True)
class Affine(Transform):
    """Shear, scale and rotate about the center, then translate; the canvas stays.

    `rotate` and `shear` (of rows, sideways) are in degrees; `translate` is a fraction of width
    and height, drawn for each; `scale` is a factor.
    """

    rotate: Param = number(0.0)
    translate: Param = number(0.0)
    scale: Param = number(1.0, low=0, above=True)
    shear: Param = number(0.0, low=-89, high=89)
    interpolation: str = word(INTERPOLATIONS, "bilinear")
    antialias: bool = flag(True)
    border: str = word(tuple(BORDERS), "constant")
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = RESAMPLE

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw all five numbers."""
        return {
            "rotate": draw_number(draw, self.rotate, samples),
            "translate_x": draw_number(draw, self.translate, samples),
            "translate_y": draw_number(draw, self.translate, samples),
            "scale": draw_number(draw, self.scale, samples),
            "shear": draw_number(draw, self.shear, samples),
        }

    def lower(self, part: int, numbers: Numbers, size: Size) -> Hop:
        """Return a warp: T C R S K C⁻¹ with K the shear and C the center."""
        angle, factor = np.deg2rad(numbers["rotate"]), numbers["scale"]
        cos, sin = np.cos(angle) * factor, np.sin(angle) * factor
        slope = np.tan(np.deg2rad(numbers["shear"]))
        center_x, center_y = geometry.center(size)
        matrix = np.zeros((len(angle), 3, 3))
        matrix[:, 0, 0], matrix[:, 0, 1] = cos, cos * slope + sin
        matrix[:, 1, 0], matrix[:, 1, 1] = -sin, cos - sin * slope
        matrix[:, 2, 2] = 1
        for row, (middle, shift) in enumerate(
            ((center_x, numbers["translate_x"] * size[1]),
             (center_y, numbers["translate_y"] * size[0]))
        ):  # fmt: skip
            turned = matrix[:, row, 0] * center_x + matrix[:, row, 1] * center_y
            matrix[:, row, 2] = middle + shift - turned
        return _warp(self, matrix, size)


@dataclass(frozen=True)
class Perspective(Transform):
    """Pull each corner inward by up to `distortion` of half the width and height."""

    distortion: Param = number(0.5, low=0, high=0.999)
    interpolation: str = word(INTERPOLATIONS, "bilinear")
    antialias: bool = flag(True)
    border: str = word(tuple(BORDERS), "constant")
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = RESAMPLE

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw how far each corner moves, (N, 4, 2), as a fraction of width and height."""
        most = draw_number(draw, self.distortion, samples) / 2
        moves = [draw.uniform(0, most) for _ in range(8)]
        return {"corners": np.stack(moves, axis=-1).reshape(samples, 4, 2)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Hop:
        """Return a warp that takes the corners to their new places."""
        unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float64)
        inward = np.where(unit > 0, -1.0, 1.0)
        extent = np.stack(np.broadcast_arrays(size[1], size[0]), -1)[..., None, :]
        target = (unit + inward * numbers["corners"]) * extent - 0.5  # pixel edges
        source = np.broadcast_to(unit * extent - 0.5, target.shape)
        return _warp(self, geometry.perspective(source, target), size)


@dataclass(frozen=True)
class Elastic(Transform):
    """Move pixels along a smooth random field; at most `alpha` pixels, `sigma` pixels smooth."""

    alpha: Param = number(low=0)
    sigma: Param = number(8.0, low=0.5)
    interpolation: str = word(INTERPOLATIONS, "bilinear")
    border: str = word(tuple(BORDERS), "constant")
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = RESAMPLE

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw strength and smoothness, and the key of the field."""
        numbers = {n: draw_number(draw, getattr(self, n), samples) for n in ("alpha", "sigma")}
        return numbers | {"key": draw_key(draw)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Hop:
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
    border: str = word(tuple(BORDERS), "constant")
    fill: Any = fill()
    parts: ClassVar[tuple[str, ...]] = RESAMPLE

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the moves of all nodes, (N, cells + 1, cells + 1, 2), as fractions of a cell."""
        side = self.cells + 1
        most = draw_number(draw, self.distortion, samples)
        words = draw.words(2 * side * side).astype(np.float64)
        moves = (words * 2.0**-31 - 1.0) * most[:, None]
        return {"moves": moves.reshape(samples, side, side, 2)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Hop:
        """Return a warp by a field."""
        width, height = (np.asarray(v, np.float64) for v in (size[1], size[0]))
        cell = (np.stack(np.broadcast_arrays(width, height), -1) - 1) / self.cells
        nodes = numbers["moves"] * cell[..., None, None, :]
        active = numbers["active"]
        nodes = np.where(active[:, None, None, None], nodes, 0.0)
        none = np.zeros(len(active))
        key = np.zeros((len(active), 2), np.uint64)
        return _field_warp(self, Field("grid", none, none, key, nodes), size)


def _field_warp(op: Any, field: Field, size: Size) -> Hop:
    """Return a hop along a field."""
    return Hop(op.name, "warp", size, size, None, field, interpolation=op.interpolation,
               antialias=False, border=op.border, fill=op.fill)  # fmt: skip
