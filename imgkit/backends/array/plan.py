"""Runs a plan on NumPy arrays, one sample at a time.

Integers stay integers where nothing is lost by it; between stages that would lose
(`_keeps_fractions`) the values are float32 in the units of the input's dtype, rounded once when
that run of stages ends. Inputs are never written to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from imgkit import draws, geometry, maps
from imgkit.backends.array import blur, color, edges, pointwise, resample
from imgkit.image import full_range, saturate
from imgkit.kernels import EMBOSS, kernel

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
        if end > place:  # neighbouring color stages are one pass
            x = pointwise.run(stages[place:end], sample, x, dtype, _unrounded(stages, end))
            place = end
            continue
        if stage.kind in WHOLE and x.dtype != dtype:
            x = saturate(x, dtype)
        fractions = x.dtype.kind == "f" or _keeps_fractions(stages, place, sample)
        x = RUN[stage.kind](stage, sample, x, dtype, fractions)
        place += 1
    if x.dtype != dtype and not _floats_leave(stages):
        x = saturate(x, dtype)
    return x.copy() if x is image else x


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


def _as_float(x: Array) -> Array:
    """Return floats of the same values."""
    return x if x.dtype.kind == "f" else x.astype(np.float32)


def _fill(fill: tuple[float, ...], channels: int, dtype: npt.DTypeLike) -> Array:
    """Return a fill in the array's own units, one number a channel; a whole one for integers."""
    values = np.asarray(fill, np.float64) * full_range(dtype)
    return np.broadcast_to(np.rint(values) if np.dtype(dtype).kind in "iu" else values, (channels,))


# --- geometry -----------------------------------------------------------------------------


def _resample(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    how = maps.resolve(stage.hops, sample)
    result = sample_map(how, x, dtype, fractions)
    cubic = how.kind != "move" and how.interpolation == "bicubic"
    if fractions and cubic and np.dtype(dtype).kind in "iu":  # cubics overshoot, integers do not
        np.clip(result, 0, full_range(dtype), out=result)
    return result


def sample_map(how: maps.Sampling, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    """Move the pixels of one image (H, W, C) as a resolved run says."""
    view = _window(x, how, dtype)
    if how.kind == "move":
        return _move(view, how.matrix, how.out_size)
    if fractions and how.kind == "warp" and x.dtype.kind in "iu" and _is_plain(how):
        return _cut(_warp_as_float(view, how, dtype), how, dtype)
    if how.kind == "resize" and how.resized is not None:
        turned = how.move[0, 0] == 0
        if fractions and np.dtype(dtype).kind in "iu":
            view = resample.resize_to_float(
                view, how.resized, how.interpolation, how.antialias, full_range(dtype)
            )
        elif view.shape[:2] != how.resized:
            view = resample.resize(view[None], how.resized, how.interpolation, how.antialias)[0]
        same = not turned and (how.move == np.eye(3)).all() and how.resized == how.out_size
        return view if same else _move(view, how.move, how.out_size)
    if fractions:
        view = _as_float(view)
    fill = _fill(how.fill, x.shape[-1], dtype)
    if how.kind == "field":
        return _along_links(how, view, fill, dtype)
    result = resample.warp(view[None], how.matrix[None], how.out_size, how.interpolation,
                           how.border, fill, how.antialias)[0]  # fmt: skip
    return _cut(result, how, dtype)


def _is_plain(how: maps.Sampling) -> bool:
    """Tell whether a warp reads nothing but the pixels around each position."""
    affine = geometry.is_affine(how.matrix)
    shrinks = how.antialias and geometry.shrinks(np.linalg.inv(how.matrix)[:2, :2])
    return affine and not shrinks and how.border in ("constant", "edge")


def _warp_as_float(view: Array, how: maps.Sampling, dtype: npt.DTypeLike) -> Array:
    """Warp integers to float32, strip by strip: each casts the part of the window that it reads.

    A float copy of the whole window would be mapped afresh on every call.
    """
    height, width = how.out_size
    out = np.empty((height, width, view.shape[-1]), np.float32)
    inverse = np.linalg.inv(how.matrix)
    fill = _fill(how.fill, view.shape[-1], dtype)
    count = max(1, round(height * CAST_PIXELS / (view.shape[0] * view.shape[1])))
    for top in range(0, height, count):
        rows = min(count, height - top)
        shift = geometry.translation(0, top)
        corners = [[0, 0], [width - 1, 0], [0, rows - 1], [width - 1, rows - 1]]
        at = geometry.apply(inverse @ shift, np.array(corners, np.float64))
        left, right = _reach(at[:, 0], view.shape[1])
        upper, lower = _reach(at[:, 1], view.shape[0])
        part = view[upper:lower, left:right].astype(np.float32)
        back = geometry.translation(-left, -upper) @ inverse @ shift
        out[top : top + rows] = resample.sample_matrix(
            part, back, (rows, width), how.interpolation, how.border, fill
        )
    return out


CAST_PIXELS = 60_000  # in one strip: 1 MB as four float channels (benchmarks/pipelines.py)


def _reach(at: Array, length: int) -> tuple[int, int]:
    """Return the pixels of an axis that positions read, bicubic taps and one more included."""
    first, end = int(np.floor(at.min())) - 2, int(np.floor(at.max())) + 4
    first = min(max(first, 0), length - 1)
    return first, max(min(end, length), first + 1)


def _window(x: Array, how: maps.Sampling, dtype: npt.DTypeLike) -> Array:
    """Return the window of the source, padded where it reaches beyond."""
    top, left, height, width = how.window
    if top >= 0 and left >= 0 and top + height <= x.shape[0] and left + width <= x.shape[1]:
        return x[top : top + height, left : left + width]
    border, fill = how.pad
    values = _fill(fill, x.shape[-1], dtype)
    return resample.place(x[None], -top, -left, (height, width), border, values)[0]


def _move(view: Array, matrix: Array, out_size: tuple[int, int]) -> Array:
    """Flip, turn and cut without interpolation, into a fresh array."""
    how = geometry.exact_move(matrix, view.shape[:2])
    assert how is not None  # a resolved run is a move only if its matrix is one
    return resample.move(view[None], how, out_size, "constant", np.zeros(view.shape[-1]))[0]


def _cut(x: Array, how: maps.Sampling, dtype: npt.DTypeLike) -> Array:
    """Blend with the fills where the canvases of a run do not cover the output."""
    if not how.canvases:
        return x
    edge = maps.edge(how)
    pixels = x.reshape(-1, x.shape[-1])
    fills = [_fill(canvas.fill, x.shape[-1], dtype) for canvas in how.canvases]
    mixed = pixels[edge.band].astype(np.float64)
    for share, fill in zip(edge.shares, fills, strict=True):
        mixed = share[:, None] * mixed + (1 - share[:, None]) * fill
    pixels[edge.band] = saturate(mixed, x.dtype)
    for outside, fill in zip(edge.outside, fills, strict=True):
        pixels[outside] = saturate(fill, x.dtype)
    return x


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
    at, cuts = maps.positions(how, np.float64 if view.dtype == np.float64 else np.float32)
    result = resample.sample_positions(view, at, how.interpolation, how.border, fill)
    for cover, value in cuts:
        result = _blend(result, cover[..., None], _fill(value, view.shape[-1], dtype))
    return result


# --- color --------------------------------------------------------------------------------


def _color(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    """Run linear steps on gray, or the one factor that other channels allow; not on RGB."""
    top = full_range(dtype)
    values = _as_float(x)
    for step in stage.steps[sample]:
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


# --- neighbourhoods -----------------------------------------------------------------------


def _filter(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    if not stage.active[sample]:
        return x
    numbers = {name: values[sample] for name, values in stage.parameters.items()}
    made = FILTERS[stage.name](x[None], **numbers)[0]
    return np.clip(made, 0, 1) if x.dtype.kind == "f" else made


def _jpeg(x: Array, quality: Any) -> Array:
    """Encode and decode; other dtypes than uint8 go through 8 bits."""
    image = color.to_uint8(x)[0]
    rgb = image.shape[-1] == 3
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if rgb else image
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    back = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB if rgb else cv2.IMREAD_GRAYSCALE)
    assert back is not None  # it was encoded two lines above
    back = back.reshape(image.shape)
    if x.dtype == np.uint8:
        return back[None]
    return saturate(back[None] * (full_range(x.dtype) / 255.0), x.dtype)


def _correlate(x: Array, taps: Array) -> Array:
    """Correlate H and W of every channel, mirrored at the border, back to the input's dtype."""
    parts = [
        cv2.filter2D(x[0, ..., c : c + 4], -1, taps, borderType=cv2.BORDER_REFLECT_101)
        for c in range(0, x.shape[-1], 4)
    ]
    result = parts[0] if len(parts) == 1 else np.dstack(parts)
    if x.dtype.kind == "f":
        np.clip(result, 0, 1, out=result)
    return result.reshape(x.shape)


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
    most = resample.MAX_CV_CHANNELS
    out = np.empty(image.shape, image.dtype)
    for c in range(0, image.shape[-1], most):
        part = np.ascontiguousarray(image[..., c : c + most])
        out[..., c : c + most] = cv2.filter2D(part, -1, taps).reshape(part.shape)
    if out.dtype.kind == "f":
        np.clip(out, 0, 1, out=out)
    out[0], out[-1], out[:, 0], out[:, -1] = image[0], image[-1], image[:, 0], image[:, -1]
    return out[None]


def _in_range(values: Array, dtype: np.dtype[Any]) -> Array:
    return saturate(np.clip(values, 0, full_range(dtype)), dtype)


def _sobel(x: Array, normalized: bool) -> Array:
    kind = np.dtype(np.float64 if x.dtype == np.float64 else np.float32)
    return _in_range(
        edges.magnitude(x, "sobel", 1 / 8 if normalized else 1.0, "reflect", 0.0, kind), x.dtype
    )


def _laplacian(x: Array) -> Array:
    kind = np.dtype(np.float64 if x.dtype == np.float64 else np.float32)
    return _in_range(np.abs(edges.laplacian(x, 4, "reflect", 0.0, kind)), x.dtype)


FILTERS: dict[str, Callable[..., Array]] = {
    "gaussian_blur": lambda x, sigma: blur.gaussian_blur(x, float(sigma), "reflect", 0.0, 4.0),
    "box_blur": lambda x, size: blur.box_blur(x, (int(size), int(size)), "reflect", 0.0),
    "median_blur": lambda x, size: blur.median_blur(x, int(size), "reflect", 0.0),
    "motion_blur": lambda x, size, degrees: _correlate(
        x, kernel("motion", size=int(size), angle=float(degrees))
    ),
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
    fill = _fill(stage.fill, x.shape[-1], dtype)
    value = saturate(fill.astype(np.float64), dtype)  # a level, whatever the stages around need
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
