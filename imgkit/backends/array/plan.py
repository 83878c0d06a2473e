"""Runs a plan on NumPy arrays, one sample at a time.

Integers stay integers where nothing is lost by it; between stages that would lose
(`_keeps_fractions`) the values are float32 in the units of the input's dtype, rounded once when
that run of stages ends. Inputs are never written to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from imgkit import draws, geometry
from imgkit.backends.array import color
from imgkit.backends.array import color_pass as pointwise
from imgkit.backends.array.plan_filters import FILTERS as FILTERS
from imgkit.backends.array.plan_resample import as_float, in_units, sample_map
from imgkit.image import full_range, saturate

Array = npt.NDArray[Any]
WHOLE = ("curve", "filter")  # stages that read integers: tables, medians, codecs


def run(stages: Sequence[Any], sample: int, image: Array) -> Array:
    """Run the stages of one sample of a plan on its image (H, W, C)."""
    dtype = image.dtype
    stages = [stage for stage in stages if stage.acts(sample)]  # an idle one rounds nothing
    x = image
    place = 0
    while place < len(stages):
        stage = stages[place]
        end = _pass_end(stages, place, sample) if x.shape[-1] == 3 else place
        if end > place:  # neighboring color stages are one pass
            x = pointwise.run(stages[place:end], sample, x, dtype, _unrounded(stages, end))
            place = end
            continue
        if stage.kind in WHOLE and x.dtype != dtype:
            x = saturate(x, dtype)
        if x is not image and not x.flags.c_contiguous:  # planes of a resize
            x = np.ascontiguousarray(x)
        fractions = x.dtype.kind == "f" or _keeps_fractions(stages, place, sample)
        x = RUN[stage.kind](stage, sample, x, dtype, fractions)
        place += 1
    if x.dtype != dtype and not _floats_leave(stages):
        x = saturate(x, dtype)
    return x.copy() if np.may_share_memory(x, image) else x


def _pass_end(stages: Sequence[Any], place: int, sample: int) -> int:
    """Return the end of the run of stages that can be one pass over strips."""
    end = place
    while end < len(stages) and pointwise.joins(stages[end], sample):
        end += 1
    return end


def _unrounded(stages: Sequence[Any], place: int) -> bool:
    """Tell whether the stages from `place` on take values that are not rounded."""
    for later in stages[place:]:
        if later.kind != "erase":
            return later.kind not in WHOLE and (later.kind != "normalize" or later.to_float)
    return False


def _keeps_fractions(stages: Sequence[Any], place: int, sample: int) -> bool:
    """Tell whether what this stage makes is used unrounded by the stage after it."""
    stage = stages[place]
    if stage.kind in WHOLE or (stage.kind == "color" and stage.count(sample) > 1):
        return stage.kind not in WHOLE
    return _unrounded(stages, place + 1)


def _floats_leave(stages: Sequence[Any]) -> bool:
    return any(stage.kind == "normalize" and stage.to_float for stage in stages)


# --- geometry -----------------------------------------------------------------------------


def _resample(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    """Move the pixels; cubics overshoot what integers hold, until canvases have cut them."""
    how = geometry.resolve(stage.geometric_steps, sample)
    whole = np.dtype(dtype).kind in "iu"
    cubic = whole and how.kind != "move" and how.interpolation == "bicubic"
    cut = cubic and (how.kind == "field" or bool(how.canvases))
    result = sample_map(how, x, dtype, fractions or cut)
    if cut and not fractions:
        return saturate(result, dtype)
    if fractions and cubic:
        np.clip(result, 0, full_range(dtype), out=result)
    return result


# --- color --------------------------------------------------------------------------------


def _color(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    """Run linear steps on gray, or the one factor that other channels allow; not on RGB."""
    top = full_range(dtype)
    values = as_float(x)
    for step in np.asarray(stage.steps[sample]):
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


def _hue(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    return x  # gray has none


def _curve(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    """Compose the curves of one value into a table; those of a whole image end it."""
    pending: list[tuple[str, float]] = []
    for name, parameter, active in zip(
        stage.names, stage.parameters[sample], stage.active[sample], strict=True
    ):
        if not active:
            continue
        if name in ("equalize", "autocontrast"):
            x = getattr(color, name)(_apply_curves(x, pending)[None])[0]
            pending = []
        else:
            pending.append((name, float(parameter)))
    return _apply_curves(x, pending)


def _apply_curves(x: Array, curves: list[tuple[str, float]]) -> Array:
    """Run functions of one value, on all levels of an integer dtype rather than on all pixels."""
    if not curves:
        return x
    integer = x.dtype.kind in "iu"
    values = color.levels(x.dtype) if integer else x[None]
    for name, parameter in curves:
        values = pointwise.CURVES[name](values, parameter)
    return color.apply_table(x[None], values.ravel())[0] if integer else values[0]


# --- neighborhoods -----------------------------------------------------------------------


def _filter(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    if not stage.active[sample]:
        return x
    numbers = {name: values[sample] for name, values in stage.parameters.items()}
    made = FILTERS[stage.name](x[None], **numbers)[0]
    return np.clip(made, 0, 1) if x.dtype.kind == "f" else made


# --- noise, holes, output -------------------------------------------------------------------


def _noise(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    amount = float(stage.amount[sample])
    if not stage.active[sample] or amount == 0:
        return x
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


def _add_noise(
    x: Array, key: Array, deviation: float, dtype: npt.DTypeLike, fractions: bool
) -> Array:
    """Add normal numbers, by table from 16-bit words, strip by strip."""
    kind = np.dtype(np.float64 if x.dtype == np.float64 else np.float32)
    out = np.empty(x.shape, kind if fractions else dtype)
    words = _words(key, x.size).reshape(x.shape)
    table = draws.normal_table() * np.float32(deviation)
    top = full_range(dtype)
    for rows in pointwise.strips(x):
        noisy = table.take(words[rows]).astype(kind, copy=False)
        noisy += x[rows]
        pointwise.store(np.clip(noisy, 0, top, out=noisy), out[rows])
    return out


def _erase(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    rectangles = stage.rectangles[sample]
    if not rectangles.any():
        return x
    x = x.copy()
    fill = in_units(stage.fill, x.shape[-1], dtype)
    value = saturate(fill.astype(np.float64), dtype)  # a level, whatever the stages around need
    for left, top, right, bottom in rectangles:
        x[top:bottom, left:right] = value
    return x


def _mix(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    weights = stage.weights[sample]
    if weights[0] == 1:
        return x
    whole = saturate(x, dtype)
    total = as_float(x) * np.float32(weights[0])
    for branch, weight in zip(stage.branches, weights[1:], strict=True):
        if weight:
            total += np.float32(weight) * run(branch, sample, whole)
    return total


def _normalize(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    if not stage.to_float:
        return np.ascontiguousarray(x.transpose(2, 0, 1)) if stage.chw else x
    channels = x.shape[-1]
    kind = np.float64 if dtype == np.float64 else np.float32
    matrix = pointwise.normalizing(stage.mean, stage.std, full_range(dtype), channels)
    scaled = np.multiply(x, matrix.diagonal().astype(kind), dtype=kind)
    scaled += matrix[:, -1].astype(kind)
    return np.ascontiguousarray(scaled.transpose(2, 0, 1)) if stage.chw else scaled


RUN: dict[str, Callable[..., Array]] = {
    "resample": _resample,
    "color": _color,
    "hue": _hue,
    "curve": _curve,
    "filter": _filter,
    "noise": _noise,
    "erase": _erase,
    "mix": _mix,
    "normalize": _normalize,
}
