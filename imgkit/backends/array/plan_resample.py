"""Moves the pixels of one image as a resolved run of geometric ops says (`imgkit.geometry`)."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from imgkit import geometry
from imgkit.backends.array import resample
from imgkit.border import BORDERS
from imgkit.geometry import matrix as matrices
from imgkit.geometry.matrix import Entries
from imgkit.image import full_range, saturate

Array = npt.NDArray[Any]


def in_units(fill: tuple[float, ...], channels: int, dtype: npt.DTypeLike) -> Array:
    """Return a fill in the array's own units, one number a channel; a whole one for integers."""
    top = full_range(dtype)
    whole = np.dtype(dtype).kind in "iu"
    values = [float(round(v * top)) if whole else v * top for v in fill]
    return np.array(values * channels if len(values) == 1 else values)


def sample_map(how: geometry.Sampling, x: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    """Move the pixels of one image (H, W, C); `fractions` leaves floats in the units of `dtype`."""
    view = _window(x, how, dtype)
    if how.kind == "move":
        return _move(view, how.matrix, how.out_size)
    if how.kind == "resize" and how.resized is not None:
        return _resized(how, view, dtype, fractions)
    fill = in_units(how.fill, x.shape[-1], dtype)
    if how.kind == "warp" and fractions and x.dtype.kind in "iu" and _is_plain(how):
        return _cut(_warp_as_float(view, how, fill), how, dtype)
    if fractions:
        view = as_float(view)
    if how.kind == "field":
        return _along_links(how, view, fill, dtype)
    return _cut(_warp(view, how, fill), how, dtype)


def as_float(x: Array) -> Array:
    """Return floats of the same values."""
    return x if x.dtype.kind == "f" else x.astype(np.float32)


def _window(x: Array, how: geometry.Sampling, dtype: npt.DTypeLike) -> Array:
    """Return the window of the source, padded where it reaches beyond."""
    top, left, height, width = how.window
    if top >= 0 and left >= 0 and top + height <= x.shape[0] and left + width <= x.shape[1]:
        return x[top : top + height, left : left + width]
    border, fill = how.pad
    values = in_units(fill, x.shape[-1], dtype)
    return resample.place(x[None], -top, -left, (height, width), border, values)[0]


def _move(view: Array, matrix: Array, out_size: tuple[int, int]) -> Array:
    """Flip, turn and cut without interpolation, into a fresh array."""
    how = geometry.exact_move(matrix, (view.shape[0], view.shape[1]))
    assert how is not None  # a resolved run is a move only if its matrix is one
    return resample.move(view[None], how, out_size, "constant", np.zeros(view.shape[-1]))[0]


# --- resizes --------------------------------------------------------------------------------


def _resized(how: geometry.Sampling, view: Array, dtype: npt.DTypeLike, fractions: bool) -> Array:
    """Resize the window and move the result."""
    assert how.resized is not None  # the caller has looked
    floats = fractions and np.dtype(dtype).kind in "iu"
    move = how.move
    result_bytes = how.resized[0] * how.resized[1] * view.shape[2] * (4 if floats else 1)
    mirrors = how.interpolation == "bilinear" and _is_mirror(move, how.resized, how.out_size)
    if mirrors and (view.nbytes < result_bytes or how.antialias):  # which reads all in floats
        view, move = _mirrored(view, move), geometry.IDENTITY
    if floats:
        top = full_range(dtype)
        view = resample.resize_to_float(view, how.resized, how.interpolation, how.antialias, top)
    elif view.shape[:2] != how.resized:
        view = resample.resize(view[None], how.resized, how.interpolation, how.antialias)[0]
    if move is geometry.IDENTITY and how.resized == how.out_size:
        return view
    return _move(view, move, how.out_size)


def _is_mirror(move: Array, resized: tuple[int, int], out_size: tuple[int, int]) -> bool:
    """Tell whether a move flips the whole canvas and does nothing else."""
    if move is geometry.IDENTITY or resized != out_size:
        return False
    (a, b, x), (_, d, y), _ = move.tolist()
    right, bottom = (resized[1] - 1 if a < 0 else 0), (resized[0] - 1 if d < 0 else 0)
    return b == 0 and (x, y) == (right, bottom)


def _mirrored(view: Array, move: Array) -> Array:
    """Flip an image as a mirroring move does the result's canvas."""
    x, y = bool(move[0, 0] < 0), bool(move[1, 1] < 0)
    if view.shape[2] > 4:
        return resample.mirror(view[None], x, y)[0]
    return cv2.flip(view, -1 if x and y else int(x)).reshape(view.shape)


# --- warps ----------------------------------------------------------------------------------


def _is_plain(how: geometry.Sampling) -> bool:
    """Tell whether a warp reads nothing but the pixels around each position."""
    if how.border not in ("constant", "edge") or not geometry.is_affine(how.matrix):
        return False
    return not (how.antialias and geometry.shrinks(np.linalg.inv(how.matrix)[:2, :2]))


def _warp(view: Array, how: geometry.Sampling, fill: Array) -> Array:
    """Sample a window by one matrix."""
    if how.antialias or geometry.exact_move(how.matrix, (view.shape[0], view.shape[1])) is not None:
        return resample.warp(view[None], how.matrix[None], how.out_size, how.interpolation,
                             how.border, fill, how.antialias)[0]  # fmt: skip
    inverse = matrices.array(matrices.inverse(matrices.entries(how.matrix)))
    return resample.sample_matrix(view, inverse, how.out_size, how.interpolation, how.border, fill)


def _warp_as_float(view: Array, how: geometry.Sampling, fill: Array) -> Array:
    """Warp integers to float32, strip by strip: each casts the part of the window that it reads.

    A float copy of the whole window would be mapped afresh on every call.
    """
    height, width = how.out_size
    out = np.empty((height, width, view.shape[-1]), np.float32)
    a, b, c, d, e, f, *_ = inverse = matrices.inverse(matrices.entries(how.matrix))
    count = max(1, round(height * CAST_PIXELS / (view.shape[0] * view.shape[1])))
    for top in range(0, height, count):
        rows = min(count, height - top)
        left, upper, right, lower = _reach(inverse, top, (rows, width), view.shape)
        part = view[upper:lower, left:right]
        back = np.array([[a, b, b * top + c - left], [d, e, e * top + f - upper]])
        if how.interpolation == "bilinear" and resample.widens(part.shape, (rows, width), 4):
            _warp_widened(part, back, out[top : top + rows], how.border, fill)
        else:
            square = np.concatenate([back, [[0.0, 0.0, 1.0]]])
            out[top : top + rows] = resample.sample_matrix(
                part.astype(np.float32), square, (rows, width), how.interpolation, how.border, fill
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


def _warp_widened(part: Array, back: Array, out: Array, border: str, fill: Array) -> None:
    """Sample three channels as four, bilinear: widened as integers, then cast."""
    wide = cv2.cvtColor(part, cv2.COLOR_RGB2RGBA).astype(np.float32)
    found = cv2.warpAffine(
        wide, back, out.shape[1::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=BORDERS[border].cv2, borderValue=[*fill.tolist(), 0.0],
    )  # fmt: skip
    cv2.cvtColor(found, cv2.COLOR_RGBA2RGB, dst=out)


# --- what canvases cut ------------------------------------------------------------------------


def _cut(x: Array, how: geometry.Sampling, dtype: npt.DTypeLike) -> Array:
    """Blend with the fills where the canvases of a run do not cover the output."""
    if not how.canvases:
        return x
    fills = [in_units(canvas.fill, x.shape[-1], dtype) for canvas in how.canvases]
    if x.shape[0] * x.shape[1] <= SMALL:
        mixed = x.astype(np.float64)
        for canvas, fill in zip(how.canvases, fills, strict=True):
            share = geometry.coverage_mask(canvas, how.out_size, how.interpolation)[..., None]
            mixed *= share
            if fill.any():
                mixed += (1 - share) * fill
        return saturate(mixed, x.dtype)
    cut = geometry.cut_region(how)
    pixels = x.reshape(-1, x.shape[-1])
    if cut.partial.size:
        mixed = pixels[cut.partial].astype(np.float64)
        for share, fill in zip(cut.alphas, fills, strict=True):
            mixed *= share[:, None]
            if fill.any():
                mixed += (1 - share[:, None]) * fill
        pixels[cut.partial] = saturate(mixed, x.dtype)
    for outside, fill in zip(cut.outside, fills, strict=True):
        if outside.size:
            pixels[outside] = saturate(fill, x.dtype)
    return x


SMALL = 4096  # pixels up to which looking at all is sooner done than finding an edge


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


def _along_links(how: geometry.Sampling, view: Array, fill: Array, dtype: npt.DTypeLike) -> Array:
    """Sample along a run with fields."""
    at, cuts = geometry.sampling_positions(
        how, np.float64 if view.dtype == np.float64 else np.float32
    )
    result = resample.sample_positions(view, at, how.interpolation, how.border, fill)
    for cover, value in cuts:
        result = _blend(result, cover[..., None], in_units(value, view.shape[-1], dtype))
    return result
