"""Evaluates a plan in float64, slowly and plainly: what every backend is compared with.

Values are rounded to an integer dtype only before a curve or a filter, and once at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from imgkit import draws, geometry
from imgkit.backends.reference import blur, color, conv, edges, resample, tone
from imgkit.border import source_index
from imgkit.image import full_range, saturate
from imgkit.kernels import EMBOSS, kernel

Array = npt.NDArray[Any]


def run(stages: Sequence[Any], sample: int, image: Array) -> Array:
    """Run the stages of one sample on its image (H, W, C); the result has a call's dtype."""
    dtype = image.dtype
    x = image.astype(np.float64)
    for stage in (stage for stage in stages if stage.acts(sample)):
        if stage.kind in ("curve", "filter"):
            x = _rounded(x, dtype)
        x = RUN[stage.kind](stage, sample, x, dtype)
    if any(stage.kind == "normalize" and stage.to_float for stage in stages):
        return x.astype(np.float64 if dtype == np.float64 else np.float32)
    return saturate(x, dtype)


def _rounded(x: Array, dtype: np.dtype[Any]) -> Array:
    return saturate(x, dtype).astype(np.float64)


def _fill(fill: tuple[float, ...], x: Array, dtype: npt.DTypeLike) -> Array:
    values = np.asarray(fill, np.float64) * full_range(dtype)
    whole = np.dtype(dtype).kind in "iu"
    return np.broadcast_to(np.rint(values) if whole else values, (x.shape[-1],))


# --- geometry -------------------------------------------------------------------------------


def _resample(stage: Any, sample: int, x: Array, dtype: np.dtype[Any]) -> Array:
    result = sample_map(geometry.resolve(stage.geometric_steps, sample), x, dtype)
    return np.clip(result, 0, full_range(dtype)) if dtype.kind in "iu" else result


def sample_map(how: geometry.Sampling, x: Array, dtype: np.dtype[Any]) -> Array:
    """Move the pixels of one image as a resolved run says."""
    view = _window(x, how, dtype)
    if how.kind == "move":
        return _pick(view, how.matrix, how.out_size)
    if how.kind == "resize" and how.resized is not None:
        clip = full_range(dtype) if dtype.kind in "iu" else None
        small = resample.resize(view, how.resized, how.interpolation, how.antialias, clip=clip)
        return _pick(small, how.move, how.out_size)
    fill = _fill(how.fill, x, dtype)
    at, cuts = geometry.sampling_positions(how)
    if how.kind == "warp":
        result = resample.warp(view, how.matrix, how.out_size, how.interpolation, how.border, fill,
                               how.antialias)  # fmt: skip
    else:
        result = resample.sample(view, at, how.interpolation, how.border, fill)
    for cover, value in cuts:
        weight = cover[..., None]
        result = weight * result + (1 - weight) * _fill(value, x, dtype)
    return np.asarray(result)


def _window(x: Array, how: geometry.Sampling, dtype: npt.DTypeLike) -> Array:
    """Return the window, reading beyond the source from the pad's border."""
    top, left, height, width = how.window
    border, fill = how.pad
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


def _color(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike) -> Array:
    top = full_range(dtype)
    for step in stage.steps[sample]:
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


def _hue(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike) -> Array:
    shift = float(stage.shift[sample])
    if not shift or x.shape[-1] != 3:
        return x
    return color.adjust_hue(np.clip(x, 0, full_range(dtype)), shift)


def _curve(stage: Any, sample: int, x: Array, dtype: np.dtype[Any]) -> Array:
    top = full_range(dtype)
    for name, value, active in zip(
        stage.names, stage.parameters[sample], stage.active[sample], strict=True
    ):
        if active:
            x = _rounded(CURVES[name](x, float(value), top), dtype)
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


# --- neighborhoods ---------------------------------------------------------------------------


def _filter(stage: Any, sample: int, x: Array, dtype: np.dtype[Any]) -> Array:
    if not stage.active[sample]:
        return x
    numbers = {name: values[sample] for name, values in stage.parameters.items()}
    if stage.name == "jpeg":  # the codec is the definition
        from imgkit.backends.array import plan

        return plan.FILTERS["jpeg"](saturate(x, dtype)[None], **numbers)[0].astype(np.float64)
    top = full_range(dtype)
    return np.clip(_rounded(FILTERS[stage.name](x, top, **numbers), dtype), 0, top)


def _correlate(x: Array, taps: Array) -> Array:
    planes = [conv.correlate(x[..., c], taps, "same", border="reflect") for c in range(x.shape[2])]
    return np.stack(planes, axis=-1)


def _emboss(x: Array, top: float, strength: Any) -> Array:
    return (1 - strength) * x + strength * _correlate(x, np.array(EMBOSS))


def _sharpness(x: Array, top: float, factor: Any) -> Array:
    if min(x.shape[:2]) < 3:
        return x
    taps = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
    result = x.copy()
    inner = (slice(1, -1), slice(1, -1))
    result[inner] = factor * x[inner] + (1 - factor) * _correlate(x, taps)[inner]
    return result


FILTERS: dict[str, Callable[..., Array]] = {
    "gaussian_blur": lambda x, top, sigma: blur.gaussian_blur(x, float(sigma)),
    "box_blur": lambda x, top, size: blur.box_blur(x, int(size)),
    "median_blur": lambda x, top, size: blur.median_blur(x, int(size)),
    "motion_blur": lambda x, top, size, degrees: _correlate(
        x, kernel("motion", size=int(size), angle=float(degrees))
    ),
    "sharpen": lambda x, top, amount: blur.sharpen(x, float(amount)),
    "sharpness": _sharpness,
    "emboss": _emboss,
    "sobel": lambda x, top: edges.sobel(x),
    "sobel_normalized": lambda x, top: edges.sobel(x, normalized=True),
    "laplacian": lambda x, top: np.abs(edges.laplacian(x)),
    "clahe": lambda x, top, clip_limit, tiles: tone.clahe(
        x, float(clip_limit), (int(tiles),) * 2, top=top
    ),
}


# --- noise, holes, output ---------------------------------------------------------------------


def _noise(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike) -> Array:
    amount, top = float(stage.amount[sample]), full_range(dtype)
    if not stage.active[sample] or amount == 0:
        return x
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


def _erase(stage: Any, sample: int, x: Array, dtype: np.dtype[Any]) -> Array:
    x = x.copy()
    for left, top, right, bottom in stage.rectangles[sample]:
        x[top:bottom, left:right] = _fill(stage.fill, x, dtype)
    return x


def _mix(stage: Any, sample: int, x: Array, dtype: np.dtype[Any]) -> Array:
    weights = stage.weights[sample]
    if weights[0] == 1:
        return x
    total = weights[0] * x
    for branch, weight in zip(stage.branches, weights[1:], strict=True):
        total = total + weight * run(branch, sample, saturate(x, dtype)).astype(np.float64)
    return np.asarray(total)


def _normalize(stage: Any, sample: int, x: Array, dtype: npt.DTypeLike) -> Array:
    if stage.to_float:
        x = (x / full_range(dtype) - np.asarray(stage.mean)) / np.asarray(stage.std)
    return x.transpose(2, 0, 1) if stage.chw else x


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
