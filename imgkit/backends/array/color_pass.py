"""Runs neighboring color stages on RGB arrays in strips that stay in the cache.

A run of linear steps, hue turns, curves and the final normalization is one pass: each strip is
read once, changed in place, and written where it belongs. Float buffers of a whole photograph
would be mapped afresh on every call, which costs more than the arithmetic.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from imgkit.backends.array import color
from imgkit.image import full_range, saturate

Array = npt.NDArray[Any]
Step = Callable[[Array], Array]

STRIP_BYTES = 200_000  # benchmarks/pipelines.py, "color chain": flat from 100 kB to 400 kB
WHOLE_BYTES = 1_000_000  # up to which a normalization alone is one pass (benchmarks/pipelines.py)
OF_THE_WHOLE = ("equalize", "autocontrast")  # curves that need the whole image first


def joins(stage: Any, sample: int) -> bool:
    """Tell whether a stage can join a pass over strips."""
    if stage.kind == "curve":
        return not any(
            active and name in OF_THE_WHOLE
            for name, active in zip(stage.names, stage.active[sample], strict=True)
        )
    return stage.kind in ("color", "hue") or (stage.kind == "normalize" and stage.to_float)


def run(
    stages: Sequence[Any], sample: int, x: Array, dtype: np.dtype[Any], unrounded: bool
) -> Array:
    """Run stages that `joins` accepts on an RGB image (H, W, 3).

    `unrounded` leaves fractions to the stage that follows.
    """
    steps: list[Step | Linear] = []
    if x.flags.c_contiguous is False and len(stages) > 1:  # planes of a resize
        x = np.ascontiguousarray(x)
    leaves = stages[-1] if stages[-1].kind == "normalize" else None
    for stage in stages:
        if stage.kind == "color":
            x = _add_linear(steps, stage.steps[sample], x, dtype)
        elif stage.kind == "hue":
            _add_hue(steps, float(stage.shift[sample]), dtype)
        elif stage.kind == "curve":
            _add_curve(steps, stage, sample, dtype)
    if leaves is not None:
        return _normalized(steps, leaves, x, dtype)
    if not steps:
        return x
    whole = stages[-1].kind == "curve" or not unrounded
    if whole and len(steps) == 1 and isinstance(steps[0], Linear) and x.dtype == np.uint8:
        # one step alone: OpenCV's 8-bit path takes a third of the time
        return cv2.transform(np.ascontiguousarray(x), steps[0].matrix)
    out = np.empty(x.shape, dtype if whole else _float_of(dtype))
    for rows in strips(x):
        store(_apply(steps, x[rows]), out[rows])
    return out


def _float_of(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.float64 if dtype == np.float64 else np.float32)


def strips(x: Array) -> list[slice]:
    """Return the rows of each strip of an image (H, W, C), about as many in each."""
    height, width, channels = x.shape
    number = min(max(1, round(height * width * channels * 4 / STRIP_BYTES)), height)
    count = -(-height // number)
    return [slice(top, min(top + count, height)) for top in range(0, height, count)]


def _apply(steps: list[Step | Linear], strip: Array) -> Array:
    for step in steps:
        strip = step(strip)
    return strip


def store(values: Array, out: Array) -> None:
    """Write values into an array of an image dtype, rounded and saturated."""
    if values.dtype == out.dtype:
        out[...] = values
    elif out.dtype == np.uint8 and values.size:  # a tenth of the time of rint, clip and astype
        _, raised = cv2.threshold(values.reshape(len(values), -1), 0, 0, cv2.THRESH_TOZERO)
        cv2.convertScaleAbs(raised.reshape(values.shape), dst=out)
    else:
        out[...] = saturate(values, out.dtype)


def as_float(strip: Array) -> Array:
    """Return floats of the same values."""
    return strip if strip.dtype.kind == "f" else strip.astype(np.float32)


# --- the steps ------------------------------------------------------------------------------


class Linear(NamedTuple):
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


def _add_linear(steps: list[Step | Linear], rows: Any, x: Array, dtype: np.dtype[Any]) -> Array:
    """Append linear steps (K, 3, 7), each with its clipping where a value can leave the range.

    Returns:
        The image that the steps read: what those so far made of it, where a mean was asked for.
    """
    top = full_range(dtype)
    for row in rows if isinstance(rows, list) else rows.tolist():
        if row == IDENTITY:
            continue
        matrix = [[*line[:3], line[6] * top] for line in row]
        if any(line[3] or line[4] or line[5] for line in row):
            x, mean = _mean(steps, x)
            for line, seven in zip(matrix, row, strict=True):
                line[3] += seven[3] * mean[0] + seven[4] * mean[1] + seven[5] * mean[2]
        low = min(sum(min(v, 0.0) for v in line[:3]) * top + line[3] for line in matrix)
        high = max(sum(max(v, 0.0) for v in line[:3]) * top + line[3] for line in matrix)
        # floats may come in out of range: from a cubic kernel, or as the caller's
        loose = dtype.kind == "f"
        steps.append(
            Linear(
                np.array(matrix),
                0.0 if loose or low < -1e-3 else None,
                top if loose or high > top * (1 + 1e-5) else None,
            )
        )
    return x


IDENTITY = [[1.0 if i == j else 0.0 for j in range(7)] for i in range(3)]


def _mean(steps: list[Step | Linear], x: Array) -> tuple[Array, Sequence[float]]:
    """Return what the steps make of the image and its channel means; keep what took long."""
    if not steps:
        return x, cv2.mean(np.ascontiguousarray(x))
    parts = strips(x)
    keeps = len(parts) == 1 or any(step.func is _hue for step in steps if isinstance(step, partial))
    made = np.empty(x.shape, x.dtype if x.dtype.kind == "f" else np.float32) if keeps else x
    total = np.zeros(4)
    for rows in parts:
        strip = np.ascontiguousarray(_apply(steps, x[rows]))
        total += np.array(cv2.mean(strip)) * len(strip)
        if keeps:
            made[rows] = strip
    if keeps:
        steps.clear()
    return made, (total / len(x)).tolist()


def _add_hue(steps: list[Step | Linear], shift: float, dtype: np.dtype[Any]) -> None:
    if shift:
        loose = full_range(dtype) if dtype.kind == "f" else None
        steps.append(partial(_hue, degrees=360 * (shift % 1.0), top=loose))


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


def _add_curve(steps: list[Step | Linear], stage: Any, sample: int, dtype: np.dtype[Any]) -> None:
    """Append curves: one table for integers, function by function for floats."""
    curves = [
        partial(CURVES[name], parameter=float(parameter))
        for name, parameter, active in zip(
            stage.names, stage.parameters[sample], stage.active[sample], strict=True
        )
        if active
    ]
    if not curves:
        return
    used = {n for n, a in zip(stage.names, stage.active[sample], strict=True) if a}
    if dtype.kind == "u" and used <= BITWISE:
        steps.append(partial(_whole, dtype=dtype))
    if dtype.kind == "f" or used <= BITWISE:
        steps.extend(lambda strip, curve=curve: curve(strip[None])[0] for curve in curves)  # type: ignore[misc]
        return
    table = color.levels(dtype)
    for curve in curves:
        table = curve(table)
    table = table.ravel()
    steps.append(partial(_look_up, table=table))


BITWISE = {"invert", "posterize"}  # of integers: one instruction, where a table takes ten


def _look_up(strip: Array, table: Array) -> Array:
    """Round to whole levels and read the table."""
    return color.apply_table(_whole(strip, table.dtype)[None], table)[0]


def _whole(strip: Array, dtype: np.dtype[Any]) -> Array:
    """Round to whole levels."""
    if strip.dtype == dtype:
        return strip
    whole = np.empty(strip.shape, dtype)
    store(strip, whole)
    return whole


def _solarize(x: Array, threshold: float) -> Array:
    """Invert from a threshold on, a fraction of the full range; above 1 nothing is."""
    return x if threshold > 1 else color.solarize(x, threshold * full_range(x.dtype))


def _solarize_add(x: Array, add: float) -> Array:
    """Brighten the darker half of the range, up to its top."""
    top = full_range(x.dtype)
    return np.where(x < top / 2, saturate(np.minimum(x + add, top), x.dtype), x)


CURVES: dict[str, Callable[..., Array]] = {
    "adjust_gamma": lambda x, parameter: color.adjust_gamma(x, parameter, 1.0),
    "posterize": lambda x, parameter: color.posterize(x, int(parameter)),
    "solarize": lambda x, parameter: _solarize(x, parameter),
    "solarize_add": lambda x, parameter: _solarize_add(x, parameter * full_range(x.dtype)),
    "invert": lambda x, parameter: color.invert(x),
}


# --- normalization ---------------------------------------------------------------------------


def _normalized(steps: list[Step | Linear], stage: Any, x: Array, dtype: np.dtype[Any]) -> Array:
    """Run the steps and write ``(value / full - mean) / std``, channels first if asked."""
    kind = _float_of(dtype)
    matrix = alone = normalizing(stage.mean, stage.std, full_range(dtype), 3)
    last = steps[-1] if steps else None
    if isinstance(last, Linear) and last.low is None and last.high is None:  # one matrix for both
        matrix = matrix[:, :3] @ last.matrix + matrix * [0, 0, 0, 1]
        steps = steps[:-1]
    height, width = x.shape[:2]
    out = np.empty((3, height, width) if stage.chw else (height, width, 3), kind)
    planes = x.transpose(2, 0, 1)
    if (
        not steps
        and matrix is alone
        and stage.chw
        and x.dtype == kind
        and planes.flags.c_contiguous
    ):
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
