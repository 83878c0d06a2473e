"""Runs neighbouring color stages on RGB arrays in strips that stay in the cache.

A run of linear steps, hue turns, curves and the final normalization is one pass: each strip is
read once, changed in place, and written where it belongs. Float buffers of a whole photograph
would be mapped afresh on every call, which costs more than the arithmetic.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from imgkit.backends.array import color
from imgkit.image import full_range, saturate

Array = npt.NDArray[Any]
Step = Callable[[Array], Array]

STRIP_BYTES = 200_000  # benchmarks/pipelines.py, "color chain": flat from 100 kB to 400 kB
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
    steps: list[Step] = []
    leaves = stages[-1] if stages[-1].kind == "normalize" else None
    for stage in stages:
        if stage.kind == "color":
            _add_linear(steps, stage.steps[sample], x, full_range(dtype))
        elif stage.kind == "hue":
            _add_hue(steps, float(stage.shift[sample]), full_range(dtype))
        elif stage.kind == "curve":
            _add_curve(steps, stage, sample, dtype)
    if leaves is not None:
        return _normalized(steps, leaves, x, dtype)
    if not steps:
        return x
    whole = stages[-1].kind == "curve" or not unrounded
    if whole and len(steps) == 1 and stages[0].kind == "color" and x.dtype == np.uint8:
        # one step alone: OpenCV's 8-bit path takes a third of the time
        return cv2.transform(np.ascontiguousarray(x), steps[0].keywords["matrix"])  # type: ignore[attr-defined]
    out = np.empty(x.shape, dtype if whole else _float_of(dtype))
    for rows in strips(x):
        store(_apply(steps, x[rows]), out[rows])
    return out


def _float_of(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.float64 if dtype == np.float64 else np.float32)


def strips(x: Array) -> list[slice]:
    """Return the rows of each strip of an image (H, W, C)."""
    height, width = x.shape[:2]
    count = max(1, STRIP_BYTES // (width * x.shape[2] * 4))
    return [slice(top, min(top + count, height)) for top in range(0, height, count)]


def _apply(steps: list[Step], strip: Array) -> Array:
    for step in steps:
        strip = step(strip)
    return strip


def store(values: Array, out: Array) -> None:
    """Write values into an array of an image dtype, rounded and saturated."""
    if values.dtype == out.dtype:
        out[...] = values
    elif out.dtype == np.uint8:  # a quarter of the time of rint, clip and astype
        cv2.convertScaleAbs(np.maximum(values, 0), dst=out)
    else:
        out[...] = saturate(values, out.dtype)


def as_float(strip: Array) -> Array:
    """Return floats of the same values."""
    return strip if strip.dtype.kind == "f" else strip.astype(np.float32)


# --- the steps ------------------------------------------------------------------------------


def _add_linear(steps: list[Step], rows: Array, x: Array, top: float) -> None:
    """Append linear steps (K, 3, 7), each with its clipping where a value can leave the range."""
    for row in rows:
        if (row == IDENTITY).all():
            continue
        matrix = np.column_stack([row[:, :3], row[:, 6] * top])
        if row[:, 3:6].any():
            matrix[:, 3] += row[:, 3:6] @ _mean(steps, x)
        low = np.minimum(matrix[:, :3], 0).sum(axis=1) * top + matrix[:, 3]
        high = np.maximum(matrix[:, :3], 0).sum(axis=1) * top + matrix[:, 3]
        # floats may come in out of range: from a cubic kernel, or as the caller's
        clips = bool(top == 1 or low.min() < -1e-3 or high.max() > top * (1 + 1e-5))
        steps.append(functools.partial(_linear, matrix=matrix, top=top if clips else None))


IDENTITY = np.concatenate([np.eye(3), np.zeros((3, 4))], axis=1)


def _linear(strip: Array, matrix: Array, top: float | None) -> Array:
    mapped = cv2.transform(as_float(strip), matrix)
    return mapped if top is None else np.clip(mapped, 0, top, out=mapped)


def _mean(steps: list[Step], x: Array) -> Array:
    """Return the channel means of what the steps so far make of the image."""
    total = np.zeros(3)
    for rows in strips(x):
        strip = np.ascontiguousarray(_apply(steps, x[rows]))
        total += np.array(cv2.mean(strip)[:3]) * len(strip)
    return total / len(x)


def _add_hue(steps: list[Step], shift: float, top: float) -> None:
    if shift:
        steps.append(functools.partial(_hue, degrees=360 * (shift % 1.0), top=top))


def _hue(strip: Array, degrees: float, top: float) -> Array:
    """Turn the hue in float32; OpenCV's HSV2RGB takes any angle from 0 up, none below."""
    strip = np.clip(as_float(strip), 0, top)  # floats may lie outside; bicubic overshoots
    hsv = cv2.cvtColor(strip.astype(np.float32, copy=False), cv2.COLOR_RGB2HSV)
    hue = hsv[..., 0]
    hue += degrees
    turned = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return turned.astype(strip.dtype) if strip.dtype == np.float64 else turned


def _add_curve(steps: list[Step], stage: Any, sample: int, dtype: np.dtype[Any]) -> None:
    """Append curves: one table for integers, function by function for floats."""
    curves = [
        functools.partial(CURVES[name], parameter=float(parameter))
        for name, parameter, active in zip(
            stage.names, stage.parameters[sample], stage.active[sample], strict=True
        )
        if active
    ]
    if not curves:
        return
    used = {n for n, a in zip(stage.names, stage.active[sample], strict=True) if a}
    if dtype.kind == "u" and used <= BITWISE:
        steps.append(functools.partial(_whole, dtype=dtype))
    if dtype.kind == "f" or used <= BITWISE:
        steps.extend(lambda strip, curve=curve: curve(strip[None])[0] for curve in curves)  # type: ignore[misc]
        return
    table = color.levels(dtype)
    for curve in curves:
        table = curve(table)
    table = table.ravel()
    steps.append(functools.partial(_look_up, table=table))


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


def _normalized(steps: list[Step], stage: Any, x: Array, dtype: np.dtype[Any]) -> Array:
    """Run the steps and write ``(value / full - mean) / std``, channels first if asked."""
    kind = _float_of(dtype)
    matrix = normalizing(stage.mean, stage.std, full_range(dtype), 3)
    height, width = x.shape[:2]
    out = np.empty((3, height, width) if stage.chw else (height, width, 3), kind)
    for rows in strips(x):
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
