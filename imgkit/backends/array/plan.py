"""Runs a plan on NumPy arrays, one sample at a time.

Integers stay integers where nothing is lost by it; between stages that would lose
(`_keeps_fractions`) the values are float32 in the units of the input's dtype, rounded once when
that run of stages ends. Inputs are never written to.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from imgkit import draws, geometry, maps
from imgkit.backends.array import blur, color, edges, resample
from imgkit.border import source_index
from imgkit.image import full_range, saturate
from imgkit.kernels import EMBOSS, kernel

Array = npt.NDArray[Any]
WHOLE = ("curve", "filter")  # stages that read integers: tables, medians, codecs


def run(stages: Sequence[Any], sample: int, image: Array) -> Array:
    """Run the stages of one sample of a plan on its image (H, W, C)."""
    dtype = image.dtype
    x = image
    for place, stage in enumerate(stages):
        if stage.kind in WHOLE and x.dtype != dtype:
            x = saturate(x, dtype)
        fractions = x.dtype.kind == "f" or _keeps_fractions(stages, place)
        x = RUN[stage.kind](stage, sample, x, dtype, fractions)
    if x.dtype != dtype and not _floats_leave(stages):
        x = saturate(x, dtype)
    return x.copy() if x is image else x


def _keeps_fractions(stages: Sequence[Any], place: int) -> bool:
    """Tell whether what this stage makes is used unrounded by the stage after it."""
    stage = stages[place]
    if stage.kind in WHOLE or (stage.kind == "color" and stage.steps.shape[1] > 1):
        return stage.kind not in WHOLE
    for later in stages[place + 1 :]:
        if later.kind == "normalize":
            return bool(later.to_float)
        if later.kind != "erase":
            return later.kind not in WHOLE
    return False


def _floats_leave(stages: Sequence[Any]) -> bool:
    return any(stage.kind == "normalize" and stage.to_float for stage in stages)


def _as_float(x: Array) -> Array:
    """Return floats of the same values."""
    return x if x.dtype.kind == "f" else x.astype(np.float32)


def _fill(fill: tuple[float, ...], channels: int, dtype: npt.DTypeLike) -> Array:
    """Return a fill in the array's own units, one number a channel."""
    return np.broadcast_to(np.asarray(fill, np.float64) * full_range(dtype), (channels,))


# --- geometry -----------------------------------------------------------------------------


def _resample(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    return sample_map(maps.resolve(stage.hops, sample), x, dtype, fractions)


def sample_map(how: maps.Sampling, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    """Move the pixels of one image (H, W, C) as a resolved run says."""
    view = _window(x, how, dtype)
    if how.kind == "move":
        return _move(view, how.matrix, how.out_size)
    if fractions:
        view = _as_float(view)
    if how.kind == "resize" and how.resized is not None:
        turned = how.move[0, 0] == 0
        if view.shape[:2] != how.resized:
            view = resample.resize(view[None], how.resized, how.interpolation, how.antialias)[0]
        same = not turned and (how.move == np.eye(3)).all() and how.resized == how.out_size
        return view if same else _move(view, how.move, how.out_size)
    fill = _fill(how.fill, x.shape[-1], dtype)
    if how.kind == "field":
        return _along_links(how, view, fill, dtype)
    result = resample.warp(view[None], how.matrix[None], how.out_size, how.interpolation,
                           how.border, fill, how.antialias)[0]  # fmt: skip
    for canvas in how.canvases:
        result = _cut(result, canvas, how, _fill(canvas.fill, x.shape[-1], dtype))
    return result


def _window(x: Array, how: maps.Sampling, dtype: npt.DTypeLike) -> Array:
    """Return the window of the source, padded where it reaches beyond."""
    top, left, height, width = how.window
    if top >= 0 and left >= 0 and top + height <= x.shape[0] and left + width <= x.shape[1]:
        return x[top : top + height, left : left + width]
    border, fill = how.pad
    values = _fill(fill, x.shape[-1], dtype)
    if x.dtype.kind in "iu":
        values = np.rint(values)
    if border == "constant":
        return resample.place(x[None], -top, -left, (height, width), border, values)[0]
    rows = source_index(np.arange(top, top + height), x.shape[0], border)
    columns = source_index(np.arange(left, left + width), x.shape[1], border)
    return x.take(rows, axis=0).take(columns, axis=1)


def _move(view: Array, matrix: Array, out_size: tuple[int, int]) -> Array:
    """Flip, turn and cut without interpolation, into a fresh array."""
    how = geometry.exact_move(matrix, view.shape[:2])
    assert how is not None  # a resolved run is a move only if its matrix is one
    return resample.move(view[None], how, out_size, "constant", np.zeros(view.shape[-1]))[0]


def _cut(x: Array, canvas: maps.Canvas, how: maps.Sampling, fill: Array) -> Array:
    """Blend with the fill where the canvas does not cover the output."""
    nearest = how.interpolation == "nearest"
    ones = np.ones((*canvas.size, 1), np.float32)
    inverse = np.linalg.inv(canvas.matrix)  # type: ignore[arg-type]
    cover = resample.warp(ones[None], inverse[None], how.out_size,
                          "nearest" if nearest else "bilinear", "constant", np.zeros(1), False)[0]  # fmt: skip
    return _blend(x, cover, fill)


def _blend(x: Array, cover: Array, fill: Array) -> Array:
    """Return cover * x + (1 - cover) * fill, touching only the rows that are not covered."""
    out = x
    rows = np.flatnonzero(cover.reshape(len(cover), -1).min(axis=1) < 1)
    if rows.size:
        first, last = rows[0], rows[-1] + 1
        part = cover[first:last]
        mixed = x[first:last] * part + (1 - part) * fill.astype(np.float32)
        out[first:last] = saturate(mixed, x.dtype)
    return out


def _along_links(how: maps.Sampling, view: Array, fill: Array, dtype: npt.DTypeLike) -> Array:
    """Sample along a run with fields."""
    at, cuts = maps.positions(how, np.float32)
    field = at - geometry.identity_grid(how.out_size).astype(np.float32)
    result = resample.warp(view[None], field[None], how.out_size, how.interpolation,
                           how.border, fill, False)[0]  # fmt: skip
    for cover, value in cuts:
        result = _blend(result, cover[..., None], _fill(value, view.shape[-1], dtype))
    return result


# --- color --------------------------------------------------------------------------------


def _color(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    steps = stage.steps[sample]
    if fractions:
        x = _as_float(x)
    for step in steps:
        if not (step[:, :6] == IDLE).all() or step[:, 6].any():
            x = _linear(x, step, full_range(dtype))
    return x


IDLE = np.concatenate([np.eye(3), np.zeros((3, 3))], axis=1)


def _linear(x: Array, step: Array, top: float) -> Array:
    """Run one linear step and clip."""
    weights, offset = step[:, :3], step[:, 6] * top
    if step[:, 3:6].any():
        mean = np.array(cv2.mean(np.ascontiguousarray(x))[:3]) if x.shape[-1] == 3 else x.mean()
        offset = offset + step[:, 3:6] @ np.broadcast_to(mean, 3)
    if x.shape[-1] == 3:
        matrix = np.concatenate([weights, offset[:, None]], axis=1)
        mapped = cv2.transform(np.ascontiguousarray(x), matrix)
    else:
        mapped = _linear_gray(x, weights, offset)
    return np.clip(mapped, 0, top, out=mapped) if mapped.dtype.kind == "f" else mapped


def _linear_gray(x: Array, weights: Array, offset: Array) -> Array:
    """Run a linear step on gray, or the one factor that other channels allow."""
    if x.shape[-1] == 1:
        scale, shift = weights.sum(axis=1).mean(), offset.mean()
    else:
        scale, shift = weights[0, 0], offset[0]
    return saturate(_as_float(x) * float(scale) + float(shift), x.dtype)


def _hue(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    shift = float(stage.shift[sample])
    if not shift or x.shape[-1] == 1:
        return x
    return color.adjust_hue((_as_float(x) if fractions else x)[None], shift)[0]


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
        values = CURVES[name](values, parameter)
    return color.apply_table(x[None], values.ravel())[0] if integer else values[0]


def _solarize_add(x: Array, add: float) -> Array:
    """Brighten the darker half of the range, up to its top."""
    top = full_range(x.dtype)
    return np.where(x < top / 2, saturate(np.minimum(x + add, top), x.dtype), x)


CURVES: dict[str, Callable[[Array, float], Array]] = {
    "adjust_gamma": lambda x, gamma: color.adjust_gamma(x, gamma, 1.0),
    "posterize": lambda x, bits: color.posterize(x, int(bits)),
    "solarize": lambda x, threshold: (
        color.solarize(x, threshold * full_range(x.dtype)) if threshold <= 1 else x
    ),
    "solarize_add": lambda x, add: _solarize_add(x, add * full_range(x.dtype)),
    "invert": lambda x, _: color.invert(x),
}


# --- neighbourhoods -----------------------------------------------------------------------


def _filter(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    if not stage.active[sample]:
        return x
    numbers = {name: values[sample] for name, values in stage.parameters.items()}
    return FILTERS[stage.name](x[None], **numbers)[0]


def _jpeg(x: Array, quality: Any) -> Array:
    """Encode and decode; other dtypes than uint8 go through 8 bits."""
    image = color.to_uint8(x)[0]
    rgb = image.shape[-1] == 3
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if rgb else image
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    back = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB if rgb else cv2.IMREAD_GRAYSCALE)
    back = back.reshape(image.shape)
    if x.dtype == np.uint8:
        return back[None]
    return saturate(back[None] * (full_range(x.dtype) / 255.0), x.dtype)


def _correlate(x: Array, taps: Array) -> Array:
    """Correlate H and W of every channel, mirrored at the border, back to the input's dtype."""
    planes = [
        cv2.filter2D(_as_float(plane), -1, taps, borderType=cv2.BORDER_REFLECT_101)
        for plane in (np.ascontiguousarray(x[0, ..., c]) for c in range(x.shape[-1]))
    ]
    return np.clip(saturate(np.stack(planes, axis=-1), x.dtype), 0, full_range(x.dtype))[None]


def _emboss(x: Array, strength: Any) -> Array:
    """Blend with the relief, which is one correlation."""
    taps = strength * np.array(EMBOSS)
    taps[1, 1] += 1 - strength
    return _correlate(x, taps)


SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13


def _sharpness(x: Array, factor: Any) -> Array:
    """Blend with the smoothed image, which is one correlation; the outermost pixels stay."""
    image = x[0]
    if factor == 1 or min(image.shape[:2]) < 3:
        return x
    taps = (1 - factor) * SMOOTH
    taps[1, 1] += factor
    out = cv2.filter2D(np.ascontiguousarray(image), -1, taps).reshape(image.shape)
    if out.dtype.kind == "f":
        np.clip(out, 0, 1, out=out)
    out[0], out[-1], out[:, 0], out[:, -1] = image[0], image[-1], image[:, 0], image[:, -1]
    return out[None]


def _in_range(values: Array, dtype: np.dtype[Any]) -> Array:
    return saturate(np.clip(values, 0, full_range(dtype)), dtype)


def _sobel(x: Array, normalized: bool) -> Array:
    kind = np.dtype(np.float64 if x.dtype == np.float64 else np.float32)
    return _in_range(edges.magnitude(x, "sobel", 1 / 8 if normalized else 1.0, "reflect", 0.0, kind), x.dtype)


def _laplacian(x: Array) -> Array:
    kind = np.dtype(np.float64 if x.dtype == np.float64 else np.float32)
    return _in_range(np.abs(edges.laplacian(x, 4, "reflect", 0.0, kind)), x.dtype)


FILTERS: dict[str, Callable[..., Array]] = {
    "gaussian_blur": lambda x, sigma: blur.gaussian_blur(x, float(sigma), "reflect", 0.0, 4.0),
    "box_blur": lambda x, size: blur.box_blur(x, (int(size), int(size)), "reflect", 0.0),
    "median_blur": lambda x, size: blur.median_blur(x, int(size), "reflect", 0.0),
    "motion_blur": lambda x, size, degrees: _correlate(x, kernel("motion", size=int(size), angle=float(degrees))),
    "sharpen": lambda x, amount: np.clip(
        blur.sharpen(x, float(amount), 1.0, "reflect", 0.0), 0, full_range(x.dtype)
    ),
    "sharpness": _sharpness,
    "emboss": _emboss,
    "sobel": lambda x: _sobel(x, False),
    "sobel_normalized": lambda x: _sobel(x, True),
    "laplacian": _laplacian,
    "jpeg": _jpeg,
    "clahe": lambda x, clip_limit, tiles: color.clahe(x, float(clip_limit), (int(tiles),) * 2),
}


# --- noise, holes, output -------------------------------------------------------------------


def _noise(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    amount = float(stage.amount[sample])
    if not stage.active[sample] or amount == 0:
        return x
    if stage.name == "gaussian":
        noise = _normal(stage.key[sample], x.size).reshape(x.shape)
        noise *= np.float32(amount * full_range(dtype))
        noisy = np.add(x, noise, dtype=np.float64 if x.dtype == np.float64 else np.float32)
        np.clip(noisy, 0, full_range(dtype), out=noisy)
        return noisy if fractions else saturate(noisy, x.dtype)
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


def _normal(key: Array, count: int) -> Array:
    """Return float32 normal numbers, by table from 16-bit words."""
    return draws.normal_table().take(_words(key, count))


def _erase(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    rectangles = stage.rectangles[sample]
    if not rectangles.any():
        return x
    x = x.copy()
    fill = _fill(stage.fill, x.shape[-1], dtype)
    value = saturate(fill.astype(np.float64), x.dtype)
    for left, top, right, bottom in rectangles:
        x[top:bottom, left:right] = value
    return x


def _mix(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    weights = stage.weights[sample]
    if weights[0] == 1:
        return x
    whole = saturate(x, dtype)
    total = _as_float(x) * np.float32(weights[0])
    for branch, weight in zip(stage.branches, weights[1:], strict=True):
        if weight:
            total += np.float32(weight) * run(branch, sample, whole)
    return total


def _normalize(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    if not stage.to_float:
        return np.ascontiguousarray(x.transpose(2, 0, 1)) if stage.chw else x
    channels = x.shape[-1]
    kind = np.float64 if dtype == np.float64 else np.float32
    matrix = _normalizing(stage.mean, stage.std, full_range(dtype), channels)
    if channels != 3:
        scaled = np.multiply(x, matrix.diagonal().astype(kind), dtype=kind)
        scaled += matrix[:, -1].astype(kind)
        return np.ascontiguousarray(scaled.transpose(2, 0, 1)) if stage.chw else scaled
    scaled = cv2.transform(x.astype(kind, copy=False), matrix)
    if not stage.chw:
        return scaled
    out = np.empty((channels, *x.shape[:2]), kind)
    cv2.split(scaled, list(out))
    return out


@functools.lru_cache(maxsize=64)
def _normalizing(
    mean: tuple[float, ...], std: tuple[float, ...], top: float, channels: int
) -> Array:
    """Return (C, C + 1): a diagonal of scales and a column of offsets."""
    divisor = np.broadcast_to(std, (channels,))
    offset = -np.broadcast_to(mean, (channels,)) / divisor
    matrix = np.column_stack([np.diag(1 / (divisor * top)), offset])
    matrix.flags.writeable = False
    return matrix


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
