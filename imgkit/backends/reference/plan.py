"""Evaluates a plan in float64, slowly and plainly: the oracle that every backend is compared with.

Values are rounded to an integer dtype only before a curve, a filter or a call, and once at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from imgkit import draws, geometry
from imgkit.backends.reference import color, filters, resample, tone
from imgkit.border import source_index
from imgkit.image import Array, float_dtype, full_range, saturate
from imgkit.stages import (
    ROUNDED_INPUT,
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
    """Run the stages of one sample on its image (H, W, C); the result has a call's dtype."""
    dtype = image.dtype
    x = image.astype(np.float64)
    for stage in (stage for stage in stages if stage.acts(sample)):
        if stage.kind in ROUNDED_INPUT:
            x = _rounded(x, dtype)
        x = RUN[stage.kind](stage, sample, x, dtype)
    if gives_floats(stages):
        return x.astype(float_dtype(dtype))
    return saturate(x, dtype)


def _rounded(x: Array, dtype: DType) -> Array:
    return saturate(x, dtype).astype(np.float64)


def _fill(fill: tuple[float, ...], x: Array, dtype: DType) -> Array:
    values = np.asarray(fill, np.float64) * full_range(dtype)
    return np.broadcast_to(np.rint(values) if dtype.kind in "iu" else values, (x.shape[-1],))


# --- geometry -------------------------------------------------------------------------------


def _resample(stage: Resample, sample: int, x: Array, dtype: DType) -> Array:
    result = sample_map(geometry.resolve(stage.geometric_steps, sample), x, dtype)
    return np.clip(result, 0, full_range(dtype)) if dtype.kind in "iu" else result


def sample_map(sampling: geometry.Sampling, x: Array, dtype: DType) -> Array:
    """Move the pixels of one image by a resolved run."""
    view = _window(x, sampling, dtype)
    if sampling.kind == "move":
        return _pick(view, sampling.matrix, sampling.out_size)
    if sampling.kind == "resize" and sampling.resized is not None:
        clip = full_range(dtype) if dtype.kind in "iu" else None
        small = resample.resize(
            view, sampling.resized, sampling.interpolation, sampling.antialias, clip=clip
        )
        return _pick(small, sampling.move, sampling.out_size)
    fill = _fill(sampling.fill, x, dtype)
    at, cuts = geometry.sampling_positions(sampling)
    if sampling.kind == "warp":
        look = sampling.interpolation, sampling.border, fill, sampling.antialias
        result = resample.warp(view, sampling.matrix, sampling.out_size, *look)
    else:
        result = resample.sample(view, at, sampling.interpolation, sampling.border, fill)
    for mask, value in cuts:
        weight = mask[..., None]
        result = weight * result + (1 - weight) * _fill(value, x, dtype)
    return np.asarray(result)


def _window(x: Array, sampling: geometry.Sampling, dtype: DType) -> Array:
    """Return the window, reading beyond the source from the pad's border."""
    top, left, height, width = sampling.window
    border, fill = sampling.pad
    rows = source_index(np.arange(top, top + height), x.shape[0], border)
    columns = source_index(np.arange(left, left + width), x.shape[1], border)
    view = x[rows][:, columns]
    outside = (rows < 0)[:, None] | (columns < 0)
    value = _fill(fill, x, dtype)
    return np.where(outside[..., None], value, view)


def _pick(view: Array, matrix: Array, out_size: tuple[int, int]) -> Array:
    """Read each output pixel from the one whole pixel it shows."""
    at = np.rint(geometry.positions(np.linalg.inv(matrix), out_size)).astype(np.int64)
    return view[at[..., 1], at[..., 0]]


# --- color ----------------------------------------------------------------------------------


def _color(stage: Color, sample: int, x: Array, dtype: DType) -> Array:
    top = full_range(dtype)
    for step in map(np.asarray, stage.steps_of(sample)):
        weights, means, offset = step[:, :3], step[:, 3:6], step[:, 6] * top
        if x.shape[-1] == 3:
            x = x @ weights.T + means @ x.mean(axis=(0, 1)) + offset
        elif x.shape[-1] == 1:
            gray = np.repeat(x, 3, axis=2)
            mapped = gray @ weights.T + means @ gray.mean(axis=(0, 1)) + offset
            x = mapped.mean(axis=2, keepdims=True)
        else:
            x = x * weights[0, 0] + offset[0]
        x = np.clip(x, 0, top)
    return x


def _hue(stage: Hue, sample: int, x: Array, dtype: DType) -> Array:
    if x.shape[-1] != 3:
        return x
    return color.adjust_hue(np.clip(x, 0, full_range(dtype)), float(stage.shift[sample]))


def _curve(stage: Curve, sample: int, x: Array, dtype: DType) -> Array:
    top = full_range(dtype)
    for name, parameter in stage.curves_of(sample):
        x = _rounded(CURVES[name](x, parameter, top), dtype)
    return x


CURVES: dict[str, Callable[[Array, float, float], Array]] = {
    "adjust_gamma": lambda x, gamma, top: tone.adjust_gamma(x, gamma, 1.0, top=top),
    "posterize": lambda x, bits, top: tone.posterize(x, int(bits), top=top),
    "solarize": lambda x, threshold, top: tone.solarize(x, threshold * top, top=top),
    "solarize_add": lambda x, add, top: np.where(x < top / 2, np.minimum(x + add * top, top), x),
    "invert": lambda x, _, top: tone.invert(x, top=top),
    "equalize": lambda x, _, top: tone.equalize(x, top=top),
    "autocontrast": lambda x, _, top: tone.autocontrast(x, top=top),
}


# --- neighborhoods and functions --------------------------------------------------------------


def _filter(stage: Filter, sample: int, x: Array, dtype: DType) -> Array:
    top = full_range(dtype)
    result = filters.apply(stage.name, x, top, stage.numbers_of(sample), dtype)
    return np.clip(_rounded(result, dtype), 0, top)


def _call(stage: Call, sample: int, x: Array, dtype: DType) -> Array:
    image = np.array(saturate(x, dtype), order="C")
    return stage.function(image, stage.numbers_of(sample)).astype(np.float64)


# --- noise, holes, output ---------------------------------------------------------------------


def _noise(stage: Noise, sample: int, x: Array, dtype: DType) -> Array:
    amount, top = float(stage.amount[sample]), full_range(dtype)
    height, width, channels = x.shape
    count = height * width * (channels if stage.name == "gaussian" else 1)
    raw = np.random.Philox(key=stage.key[sample]).random_raw(-(-count // 4))
    words = raw.astype("<u8").view("<u2")[:count]
    if stage.name == "gaussian":
        noise = draws.normal_table().astype(np.float64)[words].reshape(x.shape)
        return np.clip(x + noise * amount * top, 0, top)
    words = words.reshape(height, width, 1)
    share = round(amount * 32768)
    return np.where(words < share, top, np.where(words >= 65536 - share, 0.0, x))


def _erase(stage: Erase, sample: int, x: Array, dtype: DType) -> Array:
    x = x.copy()
    for left, top, right, bottom in stage.rectangles[sample]:
        x[top:bottom, left:right] = _fill(stage.fill, x, dtype)
    return x


def _mix(stage: Mix, sample: int, x: Array, dtype: DType) -> Array:
    weights = stage.weights[sample]
    total = weights[0] * x
    for branch, weight in zip(stage.branches, weights[1:], strict=True):
        total = total + weight * run(branch, sample, saturate(x, dtype)).astype(np.float64)
    return np.asarray(total)


def _normalize(stage: Normalize, sample: int, x: Array, dtype: DType) -> Array:
    if stage.to_float:
        x = (x / full_range(dtype) - np.asarray(stage.mean)) / np.asarray(stage.std)
    return x.transpose(2, 0, 1) if stage.chw else x


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
