"""Geometric transforms that resize a window of the image, aligned with its axes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from imgkit.augment.transforms.base import Array, Numbers, Transform, matrices
from imgkit.augment.transforms.parameters import (
    INTERPOLATIONS,
    fill,
    flag,
    image_size,
    interval,
    one_of,
)
from imgkit.draws import ScalarDraw
from imgkit.geometry.entries import crop_entries, resize_entries
from imgkit.stages import GeometricStep, Size

ATTEMPTS = 10  # of RandomResizedCrop and Erase to fit their box, as in torchvision


class Resize(Transform):
    """Make the image `size`; or its shorter or longer `edge` alone, with the shape kept."""

    size: Any = image_size()
    _: dataclasses.KW_ONLY
    edge: str = one_of(("both", "shorter", "longer"), "both")
    interpolation: str = one_of(INTERPOLATIONS, "bilinear")
    antialias: bool = flag(True)
    stage_kinds: ClassVar[tuple[str, ...]] = ("resample",)
    vectorized: ClassVar[bool] = True
    changes_size: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.edge != "both" and self.size[0] != self.size[1]:
            raise ValueError(f"size is {self.size}: the {self.edge} edge takes one integer")

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> GeometricStep:
        """Return a resize of the whole canvas."""
        out_size = self.size if self.edge == "both" else self._shaped(size)
        matrix = matrices(numbers, resize_entries(size, out_size))
        return GeometricStep(self.name, "resize", size, out_size, matrix,
                             interpolation=self.interpolation,
                             antialias=self.antialias)  # fmt: skip

    def _shaped(self, size: Size) -> Size:
        """Return the size whose one edge is `size`, the other cut to whole pixels."""
        height, width = (np.asarray(v) for v in size)
        edge = (np.minimum if self.edge == "shorter" else np.maximum)(height, width)
        tall, wide = (np.maximum(self.size[0] * v // edge, 1) for v in (height, width))
        return (int(tall), int(wide)) if edge.ndim == 0 else (tall, wide)


class RandomResizedCrop(Transform):
    """Cut a box of random area and shape and resize it; Inception's crop, as in torchvision.

    `scale` bounds the area as a fraction of the image's, `ratio` its width by height. Ten boxes
    are tried; if none fits, the largest centered one with a ratio in range is taken.
    """

    size: Any = image_size()
    scale: Any = interval((0.08, 1.0), low=0)
    ratio: Any = interval((3 / 4, 4 / 3), low=1e-6)
    interpolation: str = one_of(INTERPOLATIONS, "bilinear", kw_only=False)
    antialias: bool = flag(True, kw_only=False)
    stage_kinds: ClassVar[tuple[str, ...]] = ("resample",)
    vectorized: ClassVar[bool] = True
    changes_size: ClassVar[bool] = True
    blocks: ClassVar[int] = 2

    def draw(self, rng: Any, size: Size) -> Numbers:
        """Draw a box in whole pixels."""
        box = fit_box(rng, size, self.scale, self.ratio, lambda: self._fallback(rng.samples, size))
        return dict(zip(("top", "left", "height", "width"), box, strict=True))

    def _fallback(self, samples: int, size: Size) -> tuple[Array, ...]:
        height, width = (np.broadcast_to(np.asarray(v, np.int64), samples) for v in size)
        low, high = self.ratio
        shape = width / height
        tall = np.where(shape < low, np.rint(width / low), height).astype(np.int64)
        wide = np.where(shape > high, np.rint(height * high), width).astype(np.int64)
        return (height - tall) // 2, (width - wide) // 2, tall, wide

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> GeometricStep:
        """Return a resize of the box."""
        top, left = numbers["top"], numbers["left"]
        height, width = numbers["height"], numbers["width"]
        sx, sy = self.size[1] / width, self.size[0] / height
        dx, dy = (0.5 - left) * sx - 0.5, (0.5 - top) * sy - 0.5
        matrix = matrices(numbers, (sx, 0.0, dx, 0.0, sy, dy))
        window: Any = (left, top, left + width, top + height)
        many = isinstance(matrix, np.ndarray)
        window = np.stack(window, axis=-1).astype(np.float64) if many else [window]
        return GeometricStep(self.name, "resize", size, self.size, matrix, window=window,
                             interpolation=self.interpolation,
                             antialias=self.antialias)  # fmt: skip


def fit_box(
    rng: Any,
    size: Size,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    fallback: Callable[[], tuple[Array, ...]],
) -> tuple[Any, ...]:
    """Draw (top, left, height, width) of a box within `size`, or take the fallback.

    Each attempt takes four words of every sample: area, log ratio, top, left.
    """
    log_ratio = math.log(ratio[0]), math.log(ratio[1])
    if isinstance(rng, ScalarDraw):
        height, width = (int(v) for v in size)  # of one image
        for _ in range(ATTEMPTS):
            box = _try_box(rng.words(4), height, width, scale, log_ratio)
            if box is not None:
                return box
        return tuple(int(v[0]) for v in fallback())
    samples = rng.samples
    heights, widths = (v.tolist() if isinstance(v, np.ndarray) else [v] * samples for v in size)
    boxes: list[tuple[int, int, int, int] | None] = [None] * samples
    missing = list(range(samples))
    for _ in range(ATTEMPTS):
        words = rng.words(4).tolist()
        for i in missing:
            boxes[i] = _try_box(words[i], heights[i], widths[i], scale, log_ratio)
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
    first, second, third, fourth = words
    area = (scale[0] + first * 2.0**-32 * (scale[1] - scale[0])) * height * width
    shape = math.exp(log_ratio[0] + second * 2.0**-32 * (log_ratio[1] - log_ratio[0]))
    wide, tall = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
    if not (0 < wide <= width and 0 < tall <= height):
        return None
    top = int(third * 2.0**-32 * (height - tall + 1))
    return top, int(fourth * 2.0**-32 * (width - wide + 1)), tall, wide


class Letterbox(Transform):
    """Resize to fit inside `size` with the shape kept, and fill what remains on both sides."""

    size: Any = image_size()
    _: dataclasses.KW_ONLY
    interpolation: str = one_of(INTERPOLATIONS, "bilinear")
    antialias: bool = flag(True)
    fill: Any = fill()
    stage_kinds: ClassVar[tuple[str, ...]] = ("resample", "resample")
    vectorized: ClassVar[bool] = True
    scalar: ClassVar[bool] = False
    changes_size: ClassVar[bool] = True

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> GeometricStep:
        """Return the resize, then the pad."""
        if stage_index == 0:
            inner = self._inner(size)
            matrix = matrices(numbers, resize_entries(size, inner))
            return GeometricStep(self.name, "resize", size, inner, matrix,
                                 interpolation=self.interpolation,
                                 antialias=self.antialias)  # fmt: skip
        top, left = ((self.size[axis] - np.asarray(size[axis])) // 2 for axis in (0, 1))
        matrix = matrices(numbers, crop_entries(-top, -left))
        return GeometricStep(self.name, "move", size, self.size, matrix, outside=True,
                             fill=self.fill)  # fmt: skip

    def _inner(self, size: Size) -> Size:
        """Return the size of the picture inside the box."""
        height, width = (np.asarray(v) for v in size)
        scale = np.minimum(self.size[0] / height, self.size[1] / width)
        tall, wide = (
            np.clip(np.rint(v * scale), 1, limit).astype(np.int64)
            for v, limit in ((height, self.size[0]), (width, self.size[1]))
        )
        return (int(tall), int(wide)) if tall.ndim == 0 else (tall, wide)
