"""Runs neighboring color stages on RGB arrays in strips that stay in the cache.

A run of linear steps, hue turns, curves and the final normalization is one pass: each strip is
read once, changed in place, and written where it belongs. Float buffers of a whole photograph
would be mapped afresh on every call, which costs more than the arithmetic.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np

from imgkit.backends.array import tone
from imgkit.backends.array.primitives.cast import as_float, cast_into
from imgkit.image import Array, float_dtype, full_range, saturate
from imgkit.stages import WHOLE_IMAGE_CURVES, Color, ColorStep, Curve, Hue, Normalize, Stage

StripStep = Callable[[Array], Array]  # maps the floats of one strip
DType = np.dtype[Any]  # of the image that entered the plan

STRIP_BYTES = 200_000  # benchmarks/pipelines.py, "color chain": flat from 100 kB to 400 kB
WHOLE_BYTES = 1_000_000  # up to which a normalization alone is one pass (benchmarks/pipelines.py)
JOINING = ("color", "hue", "curve", "normalize")  # kinds of stages that may join a pass


def pass_end(stages: Sequence[Stage], start: int, sample: int) -> int:
    """Return the end of the stages from `start` on that can be one pass over strips."""
    for place in range(start, len(stages)):
        stage = stages[place]
        joins = stage.kind in JOINING
        if isinstance(stage, Curve):
            joins = not any(name in WHOLE_IMAGE_CURVES for name, _ in stage.curves_of(sample))
        elif isinstance(stage, Normalize):
            joins = stage.to_float
        if not joins:
            return place
    return len(stages)


def run(stages: Sequence[Stage], sample: int, x: Array, dtype: DType, unrounded: bool) -> Array:
    """Run stages that `pass_end` accepts on an RGB image (H, W, 3).

    `unrounded` leaves fractions to the stage that follows.
    """
    steps: list[StripStep] = []
    top = full_range(dtype)
    if x.flags.c_contiguous is False and len(stages) > 1:  # planes of a resize
        x = np.ascontiguousarray(x)
    for stage in stages:
        if isinstance(stage, Color):
            x = _add_linear(steps, stage.steps_of(sample), x, dtype, top)
        elif isinstance(stage, Hue):
            _add_hue(steps, float(stage.shift[sample]), top if dtype.kind == "f" else None)
        elif isinstance(stage, Curve):
            _add_curve(steps, stage.curves_of(sample), dtype)
    last = stages[-1]
    if isinstance(last, Normalize):
        return _normalized(steps, last, x, dtype, top)
    if not steps:
        return x
    whole = last.kind == "curve" or not unrounded
    if whole and len(steps) == 1 and isinstance(steps[0], LinearStep) and x.dtype == np.uint8:
        # one step alone: OpenCV's 8-bit path takes a third of the time
        return cv2.transform(np.ascontiguousarray(x), steps[0].matrix)
    out = np.empty(x.shape, dtype if whole else float_dtype(dtype))
    for rows in strips(x):
        cast_into(_apply(steps, x[rows]), out[rows])
    return out


def strips(x: Array) -> list[slice]:
    """Return the rows of each strip of an image (H, W, C), about as many in each."""
    height, width, channels = x.shape
    number = min(max(1, round(height * width * channels * 4 / STRIP_BYTES)), height)
    count = -(-height // number)
    return [slice(top, min(top + count, height)) for top in range(0, height, count)]


def _apply(steps: Sequence[StripStep], strip: Array) -> Array:
    for step in steps:
        strip = step(strip)
    return strip


# --- the steps ------------------------------------------------------------------------------


@dataclass(frozen=True)
class LinearStep:
    """A 3x4 matrix in the units of the image, and the ends of the range that it may leave."""

    matrix: Array
    low: float | None
    high: float | None

    def __call__(self, strip: Array) -> Array:
        """Map every pixel of a strip, and clip what left the range."""
        mapped = cv2.transform(as_float(strip), self.matrix)
        if self.low is None and self.high is None:
            return mapped
        both = self.low is not None and self.high is not None  # floats, perhaps with NaN
        if both or mapped.dtype != np.float32 or mapped.size == 0:
            return np.clip(mapped, self.low, self.high, out=mapped)
        if self.high is not None:  # one side alone takes a third of the time of np.clip
            cv2.threshold(mapped, self.high, 0, cv2.THRESH_TRUNC, dst=mapped)
        elif self.low is not None:
            cv2.threshold(mapped, self.low, 0, cv2.THRESH_TOZERO, dst=mapped)
        return mapped


def _add_linear(
    steps: list[StripStep], colors: Sequence[ColorStep], x: Array, dtype: DType, top: float
) -> Array:
    """Append linear steps, each with its clipping where a value can leave 0 to `top`.

    Returns:
        The image that the steps read: the result of the steps so far, where a step needs a mean.
    """
    for color in colors:
        matrix = [[*row[:3], row[6] * top] for row in color]
        if any(row[3] or row[4] or row[5] for row in color):
            x, mean = _mean(steps, x)
            for line, seven in zip(matrix, color, strict=True):
                line[3] += seven[3] * mean[0] + seven[4] * mean[1] + seven[5] * mean[2]
        low, high = _ends(matrix, top)
        loose = dtype.kind == "f"  # from a cubic kernel or the caller they may leave the range
        steps.append(
            LinearStep(
                np.array(matrix),
                0.0 if loose or low < -1e-3 else None,
                top if loose or high > top * (1 + 1e-5) else None,
            )
        )
    return x


def _ends(matrix: list[list[float]], top: float) -> tuple[float, float]:
    """Return the least and the largest value that a matrix gives for values in 0..top."""
    low, high = math.inf, -math.inf
    for a, b, c, shift in matrix:
        low = min(low, (min(a, 0.0) + min(b, 0.0) + min(c, 0.0)) * top + shift)
        high = max(high, (max(a, 0.0) + max(b, 0.0) + max(c, 0.0)) * top + shift)
    return low, high


def _mean(steps: list[StripStep], x: Array) -> tuple[Array, Sequence[float]]:
    """Return the result of the steps and its channel means; a slow result replaces the steps."""
    if not steps:
        return x, cv2.mean(np.ascontiguousarray(x))
    tiles = strips(x)
    keeps = len(tiles) == 1 or any(step.func is _hue for step in steps if isinstance(step, partial))
    result = np.empty(x.shape, x.dtype if x.dtype.kind == "f" else np.float32) if keeps else x
    total = np.zeros(4)
    for rows in tiles:
        strip = np.ascontiguousarray(_apply(steps, x[rows]))
        total += np.array(cv2.mean(strip)) * len(strip)
        if keeps:
            result[rows] = strip
    if keeps:
        steps.clear()
    return result, (total / len(x)).tolist()


def _add_hue(steps: list[StripStep], shift: float, top: float | None) -> None:
    steps.append(partial(_hue, degrees=360 * (shift % 1.0), top=top))


def _hue(strip: Array, degrees: float, top: float | None) -> Array:
    """Turn the hue in float32; OpenCV's HSV2RGB takes any angle from 0 up, none below.

    Floats may lie outside 0..top; what was an integer does not.
    """
    strip = as_float(strip)
    if top is not None:
        strip = np.clip(strip, 0, top)
    hsv = cv2.cvtColor(strip.astype(np.float32, copy=False), cv2.COLOR_RGB2HSV)
    hue = hsv[..., 0]
    hue += degrees
    turned = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return turned.astype(strip.dtype) if strip.dtype == np.float64 else turned


def _add_curve(steps: list[StripStep], curves: Sequence[tuple[str, float]], dtype: DType) -> None:
    """Append curves: one table for integers, function by function for floats."""
    bitwise = all(name in BITWISE for name, _ in curves)
    if dtype.kind == "u" and bitwise:
        steps.append(partial(_whole, dtype=dtype))
    if dtype.kind == "f" or bitwise:
        steps.extend(partial(_curve, name=name, parameter=parameter) for name, parameter in curves)
        return
    table = tone.levels(dtype)
    for name, parameter in curves:
        table = CURVES[name](table, parameter)
    steps.append(partial(_look_up, table=table.ravel()))


def _curve(strip: Array, name: str, parameter: float) -> Array:
    return CURVES[name](strip[None], parameter)[0]


BITWISE = {"invert", "posterize"}  # of integers: one instruction, where a table takes ten


def _look_up(strip: Array, table: Array) -> Array:
    """Round to whole levels and read the table."""
    return tone.apply_table(_whole(strip, table.dtype)[None], table)[0]


def _whole(strip: Array, dtype: DType) -> Array:
    """Round to whole levels."""
    if strip.dtype == dtype:
        return strip
    whole = np.empty(strip.shape, dtype)
    cast_into(strip, whole)
    return whole


def _solarize(x: Array, threshold: float) -> Array:
    """Invert values from a threshold on, a fraction of the full range; above 1 inverts none."""
    return x if threshold > 1 else tone.solarize(x, threshold * full_range(x.dtype))


def _solarize_add(x: Array, add: float) -> Array:
    """Brighten the darker half of the range, up to its top."""
    top = full_range(x.dtype)
    return np.where(x < top / 2, saturate(np.minimum(x + add, top), x.dtype), x)


CURVES: dict[str, Callable[..., Array]] = {
    "adjust_gamma": lambda x, parameter: tone.adjust_gamma(x, parameter, 1.0),
    "posterize": lambda x, parameter: tone.posterize(x, int(parameter)),
    "solarize": lambda x, parameter: _solarize(x, parameter),
    "solarize_add": lambda x, parameter: _solarize_add(x, parameter * full_range(x.dtype)),
    "invert": lambda x, parameter: tone.invert(x),
}


# --- normalization ---------------------------------------------------------------------------


def _normalized(
    steps: list[StripStep], stage: Normalize, x: Array, dtype: DType, top: float
) -> Array:
    """Run the steps and write ``(value / full - mean) / std``, channels first if asked."""
    kind = float_dtype(dtype)
    matrix = alone = normalizing(stage.mean, stage.std, top, 3)
    last = steps[-1] if steps else None
    if (
        isinstance(last, LinearStep) and last.low is None and last.high is None
    ):  # one matrix for both
        matrix = matrix[:, :3] @ last.matrix + matrix * [0, 0, 0, 1]
        steps = steps[:-1]
    height, width = x.shape[:2]
    out = np.empty((3, height, width) if stage.chw else (height, width, 3), kind)
    planes = x.transpose(2, 0, 1)
    in_place = not steps and matrix is alone and stage.chw and x.dtype == kind
    if in_place and planes.flags.c_contiguous:
        scales = np.asarray(matrix).diagonal().astype(kind)
        np.multiply(planes, scales[:, None, None], out=out)
        out += matrix[:, 3].astype(kind)[:, None, None]
        return out
    small = not steps and x.nbytes <= WHOLE_BYTES
    for rows in [slice(0, height)] if small else strips(x):
        strip = _apply(steps, x[rows]).astype(kind, copy=False)
        if stage.chw:
            cv2.split(cv2.transform(strip, matrix), [plane[rows] for plane in out])
        else:
            cv2.transform(strip, matrix, dst=out[rows])
    return out


@functools.lru_cache(maxsize=64)
def normalizing(
    mean: tuple[float, ...], std: tuple[float, ...], top: float, channels: int
) -> Array:
    """Return (C, C + 1): a diagonal of scales and a column of offsets."""
    divisor = np.broadcast_to(std, (channels,))
    offset = -np.broadcast_to(mean, (channels,)) / divisor
    matrix = np.column_stack([np.diag(1 / (divisor * top)), offset])
    matrix.flags.writeable = False
    return matrix
