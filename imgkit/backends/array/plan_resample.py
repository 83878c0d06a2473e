"""Moves the pixels of one image by a resolved run of geometric ops (`imgkit.geometry`)."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from imgkit import geometry
from imgkit.backends.array import resample
from imgkit.backends.array.primitives.cast import as_float
from imgkit.backends.array.primitives.sampling import sample_matrix, sample_positions, widens
from imgkit.border import BORDERS
from imgkit.geometry import matrix as matrices
from imgkit.image import Array, full_range, saturate
from imgkit.stages import Entries


def in_units(fill: tuple[float, ...], channels: int, dtype: npt.DTypeLike) -> Array:
    """Return a fill in the array's own units, one number a channel; a whole one for integers."""
    top = full_range(dtype)
    whole = np.dtype(dtype).kind in "iu"
    values = [float(round(v * top)) if whole else v * top for v in fill]
    return np.array(values * channels if len(values) == 1 else values)


def sample_map(
    sampling: geometry.Sampling, x: Array, dtype: npt.DTypeLike, fractions: bool
) -> Array:
    """Move the pixels of one image (H, W, C); `fractions` leaves floats in the units of `dtype`."""
    view = _window(x, sampling, dtype)
    if sampling.kind == "move":
        return _move(view, sampling.matrix, sampling.out_size)
    if sampling.kind == "resize" and sampling.resized is not None:
        return _resized(sampling, view, dtype, fractions)
    fill = in_units(sampling.fill, x.shape[-1], dtype)
    if sampling.kind == "warp" and fractions and x.dtype.kind in "iu" and _is_plain(sampling):
        warped = _warp_as_float(view, sampling, fill)
        return _cut(warped, sampling, dtype) if sampling.canvases else warped
    if fractions:
        view = as_float(view)
    if sampling.kind == "field":
        return _along_links(sampling, view, fill, dtype)
    warped = _warp(view, sampling, fill)
    return _cut(warped, sampling, dtype) if sampling.canvases else warped


def _window(x: Array, sampling: geometry.Sampling, dtype: npt.DTypeLike) -> Array:
    """Return the window of the source, padded where it reaches beyond."""
    top, left, height, width = sampling.window
    if top >= 0 and left >= 0 and top + height <= x.shape[0] and left + width <= x.shape[1]:
        return x[top : top + height, left : left + width]
    border, fill = sampling.pad
    values = in_units(fill, x.shape[-1], dtype)
    return resample.place(x[None], -top, -left, (height, width), border, values)[0]


def _move(view: Array, matrix: Array, out_size: tuple[int, int]) -> Array:
    """Flip, turn and cut without interpolation, into a fresh array."""
    spec = geometry.exact_move(matrix, (view.shape[0], view.shape[1]))
    assert spec is not None  # a resolved run is a move only if its matrix is one
    return resample.move(view[None], spec, out_size, "constant", np.zeros(view.shape[-1]))[0]


# --- resizes --------------------------------------------------------------------------------


def _resized(
    sampling: geometry.Sampling, view: Array, dtype: npt.DTypeLike, fractions: bool
) -> Array:
    """Resize the window and move the result."""
    assert sampling.resized is not None  # the caller has looked
    floats = fractions and np.dtype(dtype).kind in "iu"
    move = sampling.move
    result_bytes = sampling.resized[0] * sampling.resized[1] * view.shape[2] * (4 if floats else 1)
    mirrors = sampling.interpolation == "bilinear" and _is_mirror(sampling)
    if mirrors and (view.nbytes < result_bytes or sampling.antialias):  # which reads all in floats
        view, move = _mirrored(view, move), geometry.IDENTITY
    kernel = sampling.interpolation, sampling.antialias
    if floats:
        view = resample.resize_to_float(view, sampling.resized, *kernel, full_range(dtype))
    elif view.shape[:2] != sampling.resized:
        view = resample.resize(view[None], sampling.resized, *kernel)[0]
    if move is geometry.IDENTITY and sampling.resized == sampling.out_size:
        return view
    return _move(view, move, sampling.out_size)


def _is_mirror(sampling: geometry.Sampling) -> bool:
    """Return whether the move after a resize flips the whole canvas and does nothing else."""
    if sampling.move is geometry.IDENTITY or sampling.resized != sampling.out_size:
        return False
    (a, b, x), (_, d, y), _ = sampling.move.tolist()
    height, width = sampling.out_size
    right, bottom = (width - 1 if a < 0 else 0), (height - 1 if d < 0 else 0)
    return b == 0 and (x, y) == (right, bottom)


def _mirrored(view: Array, move: Array) -> Array:
    """Flip an image as a mirroring move does the result's canvas."""
    x, y = bool(move[0, 0] < 0), bool(move[1, 1] < 0)
    if view.shape[2] > 4:
        return resample.mirror(view[None], x, y)[0]
    return cv2.flip(view, -1 if x and y else int(x)).reshape(view.shape)


# --- warps ----------------------------------------------------------------------------------


def _is_plain(sampling: geometry.Sampling) -> bool:
    """Return whether a warp reads nothing but the pixels around each position."""
    if sampling.border not in ("constant", "edge") or not geometry.is_affine(sampling.matrix):
        return False
    return not (sampling.antialias and geometry.shrinks(np.linalg.inv(sampling.matrix)[:2, :2]))


def _warp(view: Array, sampling: geometry.Sampling, fill: Array) -> Array:
    """Sample a window by one matrix."""
    matrix, look = sampling.matrix, (sampling.interpolation, sampling.border, fill)
    if sampling.antialias or geometry.exact_move(matrix, view.shape[:2]) is not None:
        return resample.warp(
            view[None], matrix[None], sampling.out_size, *look, sampling.antialias
        )[0]
    inverse = matrices.array(matrices.inverse(matrices.entries(matrix)))
    return sample_matrix(view, inverse, sampling.out_size, *look)


def _warp_as_float(view: Array, sampling: geometry.Sampling, fill: Array) -> Array:
    """Warp integers to float32, strip by strip: each casts the part of the window that it reads.

    A float copy of the whole window would be mapped afresh on every call.
    """
    height, width = sampling.out_size
    look = sampling.interpolation, sampling.border, fill
    out = np.empty((height, width, view.shape[-1]), np.float32)
    a, b, c, d, e, f, *_ = inverse = matrices.inverse(matrices.entries(sampling.matrix))
    count = max(1, round(height * CAST_PIXELS / (view.shape[0] * view.shape[1])))
    for top in range(0, height, count):
        rows = min(count, height - top)
        left, upper, right, lower = _reach(inverse, top, (rows, width), view.shape)
        window = view[upper:lower, left:right]
        back = np.array([[a, b, b * top + c - left], [d, e, e * top + f - upper]])
        if sampling.interpolation == "bilinear" and widens(window.shape, (rows, width), 4):
            _warp_widened(window, back, out[top : top + rows], sampling.border, fill)
        else:
            square = np.concatenate([back, [[0.0, 0.0, 1.0]]])
            out[top : top + rows] = sample_matrix(
                window.astype(np.float32), square, (rows, width), *look
            )
    return out


CAST_PIXELS = 400_000  # in one strip: a camera's image is cut (benchmarks/pipelines.py)


def _reach(
    inverse: Entries, top: int, size: tuple[int, int], shape: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of what a strip reads: bicubic taps and one more."""
    a, b, c, d, e, f, *_ = inverse
    corners = [(x, y) for x in (0, size[1] - 1) for y in (top, top + size[0] - 1)]
    xs, ys = [a * x + b * y + c for x, y in corners], [d * x + e * y + f for x, y in corners]
    left, right = _taps(min(xs), max(xs), shape[1])
    upper, lower = _taps(min(ys), max(ys), shape[0])
    return left, upper, right, lower


def _taps(low: float, high: float, length: int) -> tuple[int, int]:
    """Return the pixels of an axis that positions between two read."""
    first = min(max(math.floor(low) - 2, 0), length - 1)
    return first, max(min(math.floor(high) + 4, length), first + 1)


def _warp_widened(window: Array, back: Array, out: Array, border: str, fill: Array) -> None:
    """Sample three channels as four, bilinear: widened as integers, then cast."""
    wide = cv2.cvtColor(window, cv2.COLOR_RGB2RGBA).astype(np.float32)
    found = cv2.warpAffine(
        wide, back, out.shape[1::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=BORDERS[border].cv2, borderValue=[*fill.tolist(), 0.0],
    )  # fmt: skip
    cv2.cvtColor(found, cv2.COLOR_RGBA2RGB, dst=out)


# --- what canvases cut ------------------------------------------------------------------------


def _cut(x: Array, sampling: geometry.Sampling, dtype: npt.DTypeLike) -> Array:
    """Blend with the fills where the canvases of a run do not cover the output."""
    fills = [in_units(canvas.fill, x.shape[-1], dtype) for canvas in sampling.canvases]
    if x.shape[0] * x.shape[1] <= SMALL:
        mixed = x.astype(np.float64)
        for canvas, fill in zip(sampling.canvases, fills, strict=True):
            mask = geometry.coverage_mask(canvas, sampling.out_size, sampling.interpolation)
            alpha = mask[..., None]
            mixed *= alpha
            if fill.any():
                mixed += (1 - alpha) * fill
        return saturate(mixed, x.dtype)
    cut = geometry.cut_region(sampling)
    pixels = x.reshape(-1, x.shape[-1])
    if cut.partial.size:
        mixed = pixels[cut.partial].astype(np.float64)
        for alpha, fill in zip(cut.alphas, fills, strict=True):
            mixed *= alpha[:, None]
            if fill.any():
                mixed += (1 - alpha[:, None]) * fill
        pixels[cut.partial] = saturate(mixed, x.dtype)
    for outside, fill in zip(cut.outside, fills, strict=True):
        if outside.size:
            pixels[outside] = saturate(fill, x.dtype)
    return x


SMALL = 4096  # pixels of an output up to which blending all of them is faster


def _blend_into(x: Array, mask: Array, fill: Array) -> None:
    """Turn x into mask * x + (1 - mask) * fill, touching only the rows that are cut."""
    rows = np.flatnonzero(mask.reshape(len(mask), -1).min(axis=1) < 1)
    if rows.size:
        cut = slice(rows[0], rows[-1] + 1)
        mixed = x[cut] * mask[cut] + (1 - mask[cut]) * fill.astype(np.float32)
        x[cut] = saturate(mixed, x.dtype)


def _along_links(
    sampling: geometry.Sampling, view: Array, fill: Array, dtype: npt.DTypeLike
) -> Array:
    """Sample along a run with fields."""
    at, cuts = geometry.sampling_positions(
        sampling, np.float64 if view.dtype == np.float64 else np.float32
    )
    result = sample_positions(view, at, sampling.interpolation, sampling.border, fill)
    for mask, value in cuts:
        _blend_into(result, mask[..., None], in_units(value, view.shape[-1], dtype))
    return result
