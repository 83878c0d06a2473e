"""Resampling in plain float64: dense matrices for resizing, one formula for warping."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from imgkit import geometry
from imgkit.border import source_index
from imgkit.checks import check_ints
from imgkit.image import Array


def _cubic(t: float, a: float) -> float:
    """Weigh by Keys' cubic."""
    t = abs(t)
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0


def _kernel(interpolation: str, antialias: bool, t: float) -> float:
    """Weigh a pixel at distance `t`, in units of the kernel's own width."""
    if interpolation == "bilinear":
        return max(1 - abs(t), 0.0)
    if interpolation == "bicubic":
        return _cubic(t, -0.5 if antialias else -0.75)
    return float(np.sinc(t) * np.sinc(t / 3)) if abs(t) < 3 else 0.0


def resize_weights(n: int, m: int, interpolation: str, antialias: bool) -> Array:
    """Return the matrix (m, n) that resizes one axis; every row sums to 1."""
    scale = n / m
    weights = np.zeros((m, n))
    for i in range(m):
        middle = (i + 0.5) * scale - 0.5
        if interpolation == "nearest":
            weights[i, (2 * i + 1) * n // (2 * m)] = 1
        elif interpolation == "area":
            for j in range(n):
                weights[i, j] = max(min(j + 1, (i + 1) * scale) - max(j, i * scale), 0)
        elif antialias:
            width = max(scale, 1.0)
            for j in range(n):
                weights[i, j] = _kernel(interpolation, antialias, (j - middle) / width)
        else:
            for j in range(int(np.floor(middle)) - 3, int(np.floor(middle)) + 5):
                weights[i, min(max(j, 0), n - 1)] += _kernel(interpolation, False, j - middle)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def resize(
    x: Array,
    size: int | Sequence[int],
    interpolation: str = "bilinear",
    antialias: bool = True,
    *,
    clip: float | None = None,
) -> Array:
    """Resize along the rows, then along the columns.

    `clip` is full intensity for integer images; antialiased ones saturate after each axis.
    """
    height, width = check_ints(size, "size", 2)
    across = resize_weights(x.shape[1], width, interpolation, antialias)
    down = resize_weights(x.shape[0], height, interpolation, antialias)
    half = np.einsum("ij,hjc->hic", across, x)
    if clip is not None and antialias:
        half = half.clip(0, clip)
    result = np.einsum("ij,jwc->iwc", down, half)
    return np.asarray(result if clip is None else result.clip(0, clip))


def _look_up(x: Array, column: Array, row: Array, border: str, fill: Array) -> Array:
    """Read the endless plane that an image and its border make."""
    i = source_index(row, x.shape[0], border)
    j = source_index(column, x.shape[1], border)
    return np.where(((i < 0) | (j < 0))[..., None], fill, x[i, j])


def sample(x: Array, at: Array, interpolation: str, border: str, fill: Array) -> Array:
    """Interpolate the endless plane at positions (..., 2)."""
    at = np.clip(at, -1e9, 1e9)
    if interpolation == "nearest":
        column, row = np.moveaxis(np.rint(at).astype(int), -1, 0)
        return _look_up(x, column, row, border, fill)
    base = np.floor(at).astype(int)
    fraction = at - base
    total = np.zeros((*at.shape[:-1], x.shape[-1]))
    kernel = np.vectorize(lambda t: max(1 - abs(t), 0.0))
    if interpolation == "bicubic":
        kernel = np.vectorize(lambda t: _cubic(t, -0.75))
    for dy in range(-1, 3):
        for dx in range(-1, 3):
            weight = kernel(fraction[..., 0] - dx) * kernel(fraction[..., 1] - dy)
            pixels = _look_up(x, base[..., 0] + dx, base[..., 1] + dy, border, fill)
            total += weight[..., None] * pixels
    return total


def _blur_plane(x: Array, sigmas: Array, border: str, fill: Array) -> tuple[Array, int]:
    """Blur the plane around an image; return it with a margin, and the margin's width."""
    radii = [int(4 * sigma + 0.5) for sigma in sigmas]
    if max(radii) == 0:
        return x, 0
    margin = 2 * max(radii)
    column, row = np.meshgrid(
        np.arange(-margin, x.shape[1] + margin), np.arange(-margin, x.shape[0] + margin)
    )
    plane = _look_up(x, column, row, border, fill)
    for axis, sigma, radius in ((1, sigmas[0], radii[0]), (0, sigmas[1], radii[1])):
        if radius:
            taps = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
            plane = ndimage.correlate1d(plane, taps / taps.sum(), axis=axis)
    half = margin // 2
    return plane[half:-half, half:-half], half


def warp(
    x: Array,
    matrix_or_field: npt.ArrayLike,
    size: int | Sequence[int] | None = None,
    interpolation: str = "bilinear",
    border: str = "constant",
    value: npt.ArrayLike = 0,
    antialias: bool = True,
) -> Array:
    """Blur the plane as far as the map shrinks it, then sample it where the map points."""
    chart = np.asarray(matrix_or_field, np.float64)
    fill = np.broadcast_to(np.asarray(value, np.float64), x.shape[-1:])
    if chart.ndim == 3:
        out_size = chart.shape[:2]
        at = geometry.identity_grid(out_size) + chart
        reach = geometry.mean_field_jacobian(chart)
    else:
        if chart.shape == (2, 3):
            chart = np.vstack([chart, (0, 0, 1)])
        rows, columns = x.shape[:2] if size is None else check_ints(size, "size", 2)
        out_size = (rows, columns)
        at = geometry.positions(np.linalg.inv(chart), out_size)
        reach = geometry.mean_inverse_jacobian(chart, x.shape[:2], out_size)
        if geometry.exact_move(chart, x.shape[:2]) is not None:
            at = np.rint(at)
    if interpolation == "nearest" or not antialias:
        return sample(x, at, interpolation, border, fill)
    sigmas = geometry.antialias_sigmas(reach, x.shape[:2])
    if border in ("constant", "edge"):
        plane, margin = _blur_plane(x, sigmas, border, fill)
        return sample(plane, at + margin, interpolation, border, fill)
    plane, margin = _blur_plane(x, sigmas, border, fill)
    inner = plane[margin : margin + x.shape[0], margin : margin + x.shape[1]]
    return sample(inner, at, interpolation, border, fill)


def rotate(
    x: Array,
    degrees: float,
    *,
    expand: bool = False,
    center: Sequence[float] | None = None,
    interpolation: str = "bilinear",
    border: str = "constant",
    value: npt.ArrayLike = 0,
    antialias: bool = True,
) -> Array:
    """Turn by the rotation matrix."""
    matrix, size = geometry.rotation_on_canvas(degrees, x.shape[:2], expand, center)
    return warp(x, matrix, size, interpolation, border, value, antialias)


def flip(x: Array, axis: str = "horizontal") -> Array:
    """Mirror."""
    if axis in ("horizontal", "both"):
        x = x[:, ::-1]
    return x if axis == "horizontal" else x[::-1]


def crop(x: Array, top: int, left: int, height: int, width: int) -> Array:
    """Cut out a rectangle."""
    return x[top : top + height, left : left + width]


def pad(
    x: Array,
    padding: int | Sequence[int],
    *,
    border: str = "constant",
    value: npt.ArrayLike = 0,
) -> Array:
    """Read the plane beyond the image."""
    sides = [padding] * 4 if isinstance(padding, (int, np.integer)) else list(padding)
    top, bottom, left, right = sides if len(sides) == 4 else np.repeat(sides, 2)
    column, row = np.meshgrid(
        np.arange(-left, x.shape[1] + right), np.arange(-top, x.shape[0] + bottom)
    )
    fill = np.broadcast_to(np.asarray(value, np.float64), x.shape[-1:])
    return _look_up(x, column, row, border, fill)


def letterbox(
    x: Array,
    size: int | Sequence[int],
    *,
    interpolation: str = "bilinear",
    antialias: bool = True,
    value: npt.ArrayLike = 0,
) -> Array:
    """Resize to what fits, on a canvas of the value."""
    height, width = check_ints(size, "size", 2)
    top, left, rows, columns = geometry.letterbox_size(x.shape[:2], (height, width))
    out = np.empty((height, width, x.shape[-1]))
    out[:] = value
    out[top : top + rows, left : left + columns] = resize(
        x, (rows, columns), interpolation, antialias
    )
    return out
