"""Runs a plan on NumPy arrays, one sample at a time.

Integers stay integers where nothing is lost by it; between stages that would lose precision
(`_keeps_fractions`) the values are float32 in the units of the input's dtype, rounded once when
that run of stages ends. Inputs are never written to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from imgkit import draws, geometry
from imgkit.backends.array import color_pass, filters, tone
from imgkit.backends.array.plan_resample import in_units, sample_map
from imgkit.backends.array.primitives.cast import as_float, cast_into
from imgkit.image import Array, float_dtype, full_range, saturate
from imgkit.stages import (
    ROUNDED_INPUT,
    WHOLE_IMAGE_CURVES,
    Call,
    Color,
    Curve,
    Erase,
    Filter,
    Hue,
    Mix,
    Noise,
    Normalize,
    Resample,
    Stage,
    gives_floats,
)

DType = np.dtype[Any]  # of the image that entered the plan


def run(stages: Sequence[Stage], sample: int, image: Array) -> Array:
    """Run the stages of one sample of a plan on its image (H, W, C)."""
    dtype = image.dtype
    stages = [stage for stage in stages if stage.acts(sample)]  # the others would round
    x = image
    index = 0
    while index < len(stages):
        stage = stages[index]
        end = index
        if stage.kind in color_pass.JOINING and x.shape[-1] == 3:
            end = color_pass.pass_end(stages, index, sample)
        if end > index:  # neighboring color stages are one pass
            x = color_pass.run(stages[index:end], sample, x, dtype, _unrounded(stages, end))
            index = end
            continue
        if stage.kind in ROUNDED_INPUT and x.dtype != dtype:
            x = saturate(x, dtype)
        if x is not image and not x.flags.c_contiguous:  # planes of a resize
            x = np.ascontiguousarray(x)
        fractions = x.dtype.kind == "f" or _keeps_fractions(stages, index, sample)
        x = RUN[stage.kind](stage, sample, x, dtype, fractions)
        index += 1
    if x.dtype != dtype and not gives_floats(stages):
        x = saturate(x, dtype)
    return x.copy() if np.may_share_memory(x, image) else x


def _unrounded(stages: Sequence[Stage], index: int) -> bool:
    """Return whether the stages from `index` on take values that are not rounded."""
    for later in stages[index:]:
        if isinstance(later, Normalize):
            return later.to_float
        if later.kind != "erase":
            return later.kind not in ROUNDED_INPUT
    return False


def _keeps_fractions(stages: Sequence[Stage], index: int, sample: int) -> bool:
    """Return whether the next stage uses the result of this one unrounded."""
    stage = stages[index]
    if stage.kind in ROUNDED_INPUT:
        return False
    if isinstance(stage, Color) and len(stage.steps_of(sample)) > 1:
        return True
    return index + 1 < len(stages) and _unrounded(stages, index + 1)


# --- geometry -----------------------------------------------------------------------------


def _resample(stage: Resample, sample: int, x: Array, dtype: DType, fractions: bool) -> Array:
    """Move the pixels; cubics overshoot the range of integers until canvases have cut them."""
    sampling = geometry.resolve(stage.geometric_steps, sample)
    cubic = dtype.kind in "iu" and sampling.kind != "move" and sampling.interpolation == "bicubic"
    cut = cubic and (sampling.kind == "field" or bool(sampling.canvases))
    result = sample_map(sampling, x, dtype, fractions or cut)
    if cut and not fractions:
        return saturate(result, dtype)
    if fractions and cubic:
        np.clip(result, 0, full_range(dtype), out=result)
    return result


# --- color --------------------------------------------------------------------------------


def _color(stage: Color, sample: int, x: Array, dtype: DType, fractions: bool) -> Array:
    """Run linear steps on gray, or the one factor that other channels allow; not on RGB."""
    top = full_range(dtype)
    values = as_float(x)
    for step in map(np.asarray, stage.steps_of(sample)):
        scale, mean, offset = step[0, 0], step[0, 3:6].sum(), step[0, 6] * top
        if x.shape[-1] == 1:
            scale, mean, offset = (
                step[:, :3].sum() / 3,
                step[:, 3:6].sum() / 3,
                step[:, 6].mean() * top,
            )
        if scale != 1 or mean or offset:
            values = np.clip(
                values * values.dtype.type(scale) + (mean * values.mean() + offset), 0, top
            )
    return values if fractions else saturate(values, dtype)


def _hue(stage: Hue, sample: int, x: Array, dtype: DType, fractions: bool) -> Array:
    return x  # gray has no hue


def _curve(stage: Curve, sample: int, x: Array, dtype: DType, fractions: bool) -> Array:
    """Compose neighboring curves of one value into a table."""
    pending: list[tuple[str, float]] = []
    for name, parameter in stage.curves_of(sample):
        if name in WHOLE_IMAGE_CURVES:
            x = getattr(tone, name)(_apply_curves(x, pending)[None])[0]
            pending = []
        else:
            pending.append((name, parameter))
    return _apply_curves(x, pending)


def _apply_curves(x: Array, curves: list[tuple[str, float]]) -> Array:
    """Run functions of one value, on all levels of an integer dtype rather than on all pixels."""
    if not curves:
        return x
    integer = x.dtype.kind in "iu"
    values = tone.levels(x.dtype) if integer else x[None]
    for name, parameter in curves:
        values = color_pass.CURVES[name](values, parameter)
    return tone.apply_table(x[None], values.ravel())[0] if integer else values[0]


# --- neighborhoods and functions -----------------------------------------------------------


def _filter(stage: Filter, sample: int, x: Array, dtype: DType, fractions: bool) -> Array:
    result = filters.find(stage.name)(x[None], **stage.numbers_of(sample))[0]
    return np.clip(result, 0, 1) if x.dtype.kind == "f" else result


def _call(stage: Call, sample: int, x: Array, dtype: DType, fractions: bool) -> Array:
    return stage.function(np.array(x, order="C"), stage.numbers_of(sample))


# --- noise, holes, output -------------------------------------------------------------------


def _noise(stage: Noise, sample: int, x: Array, dtype: DType, fractions: bool) -> Array:
    amount = float(stage.amount[sample])
    if stage.name == "gaussian":
        return _add_noise(x, stage.key[sample], amount * full_range(dtype), dtype, fractions)
    height, width = x.shape[:2]
    words = _words(stage.key[sample], height * width).reshape(height, width)
    share = round(amount * 32768)
    x = x.copy()
    x[words < share] = full_range(dtype)
    x[words >= 65536 - share] = 0
    return x


def _words(key: Array, count: int) -> Array:
    """Return 16-bit words of Philox4x64-10 under a key, in order."""
    raw = np.random.Philox(key=key).random_raw(-(-count // 4))
    return raw.astype("<u8", copy=False).view("<u2")[:count]


def _add_noise(x: Array, key: Array, deviation: float, dtype: DType, fractions: bool) -> Array:
    """Add normal numbers, by table from 16-bit words, strip by strip."""
    working = float_dtype(x.dtype)
    out = np.empty(x.shape, working if fractions else dtype)
    words = _words(key, x.size).reshape(x.shape)
    table = draws.normal_table() * np.float32(deviation)
    top = full_range(dtype)
    for rows in color_pass.strips(x):
        noisy = table.take(words[rows]).astype(working, copy=False)
        noisy += x[rows]
        cast_into(np.clip(noisy, 0, top, out=noisy), out[rows], signed=False)
    return out


def _erase(stage: Erase, sample: int, x: Array, dtype: DType, fractions: bool) -> Array:
    x = x.copy()
    fill = in_units(stage.fill, x.shape[-1], dtype)
    value = saturate(fill.astype(np.float64), dtype)  # a level, whatever the stages around need
    for left, top, right, bottom in stage.rectangles[sample]:
        x[top:bottom, left:right] = value
    return x


def _mix(stage: Mix, sample: int, x: Array, dtype: DType, fractions: bool) -> Array:
    weights = stage.weights[sample]
    whole = saturate(x, dtype)
    total = as_float(x) * np.float32(weights[0])
    for branch, weight in zip(stage.branches, weights[1:], strict=True):
        if weight:
            total += np.float32(weight) * run(branch, sample, whole)
    return total


def _normalize(stage: Normalize, sample: int, x: Array, dtype: DType, fractions: bool) -> Array:
    if not stage.to_float:
        return np.ascontiguousarray(x.transpose(2, 0, 1)) if stage.chw else x
    working = float_dtype(dtype)
    matrix = color_pass.normalizing(stage.mean, stage.std, full_range(dtype), x.shape[-1])
    scaled = np.multiply(x, matrix.diagonal().astype(working), dtype=working)
    scaled += matrix[:, -1].astype(working)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)) if stage.chw else scaled


RUN: dict[str, Callable[..., Array]] = {
    "resample": _resample,
    "color": _color,
    "hue": _hue,
    "curve": _curve,
    "filter": _filter,
    "call": _call,
    "noise": _noise,
    "erase": _erase,
    "mix": _mix,
    "normalize": _normalize,
}
