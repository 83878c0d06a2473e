"""Gradients, Laplacians, Canny edges and corners on arrays, with OpenCV and SciPy."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from imgkit.backends.array.primitives.cast import cast_into
from imgkit.backends.array.primitives.row_tiles import STRIP_VALUES, Inner, direct_output, in_strips
from imgkit.image import Array, float_dtype
from imgkit.kernels import DIFFERENCE, LAPLACIAN, SMOOTH, gaussian_taps, log_taps

# spatialGradient knows these two borders alone
SPATIAL_BORDERS = (cv2.BORDER_REFLECT_101, cv2.BORDER_REPLICATE)


def gradient(
    x: Array, operator: str, scale: float, border: str, value: float, dtype: np.dtype[Any]
) -> tuple[Array, Array]:
    """Return both derivatives, each times `scale`."""
    outs = np.empty(x.shape, dtype), np.empty(x.shape, dtype)
    working = _working(x, dtype)

    def fill(strip: Array, cv_border: int, inner: Inner, *targets: Array) -> None:
        first, second = (direct_output(strip, target, working) for target in targets)
        pair = _pair(strip, operator, cv_border, working, (first, second))
        for derivative, direct, target in zip(pair, (first, second), targets, strict=True):
            if scale != 1:
                derivative *= working.type(scale)
            if direct is None:
                cast_into(derivative[inner], target)

    in_strips(fill, x, outs, 1, border, value, size=x.size if x.dtype == working else STRIP_VALUES)
    return outs


def magnitude(
    x: Array, operator: str, scale: float, border: str, value: float, dtype: np.dtype[Any]
) -> Array:
    """Return the length of the gradient times `scale`."""
    working = _working(x, dtype)
    out = _aligned(x.size, dtype)[: x.size].reshape(x.shape)
    scratch = functools.cache(lambda values: (_aligned(values, working), _aligned(values, working)))
    # rows, and with them strips and images, then begin and end at multiples of 64 bytes
    direct = dtype == working and x.shape[2] * x.shape[3] % 16 == 0

    def fill(strip: Array, cv_border: int, inner: Inner, out: Array) -> None:
        along, down = scratch(strip.size)
        gx, gy = (flat[: strip.size].reshape(strip.shape) for flat in (along, down))
        _pair(strip, operator, cv_border, working, (gx, gy))
        if direct and strip.shape[1:] == out.shape[1:] and out.flags.c_contiguous:
            cv2.magnitude(gx[inner], gy[inner], out)
            if scale != 1:
                out *= working.type(scale)
        else:
            cv2.magnitude(along[None], down[None], along[None])
            cast_into(gx[inner] * working.type(scale), out, signed=False)

    in_strips(fill, x, (out,), 1, border, value)
    return out


def _aligned(values: int, dtype: np.dtype[Any]) -> Array:
    """Return `values`, then zeros, in memory that starts and ends at multiples of 64 bytes.

    OpenCV's magnitude rounds by address and by the values nearby: elsewhere, or beside garbage,
    the last bit of a result would change from run to run.
    """
    size = -(-values * dtype.itemsize // 64) * 64
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    flat = memory[start : start + size].view(dtype)
    flat[values:] = 0
    return flat


def _working(x: Array, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the float type to compute in."""
    return np.dtype(np.result_type(float_dtype(x.dtype), float_dtype(dtype)))


def _pair(
    strip: Array,
    operator: str,
    cv_border: int,
    working: np.dtype[Any],
    outs: tuple[Array | None, Array | None] = (None, None),
) -> tuple[Array, Array]:
    """Return both derivatives of a strip, written into `outs` if given.

    Both routes subtract equal sums on a constant image, so that its gradient is exactly 0; the
    running sum of a 2-D kernel would leave a rounding error of floats.
    """
    single = working == np.float32
    if operator == "sobel" and single and _is_spatial(strip, cv_border):
        dx, dy = cv2.spatialGradient(strip, borderType=cv_border)
        gx = np.empty(strip.shape, working) if outs[0] is None else outs[0]
        gy = np.empty(strip.shape, working) if outs[1] is None else outs[1]
        gx[...], gy[...] = dx, dy
        return gx, gy
    depth = cv2.CV_32F if single else cv2.CV_64F
    across, along = np.array(DIFFERENCE), np.array(SMOOTH[operator])
    gx = cv2.sepFilter2D(strip, depth, across, along, outs[0], borderType=cv_border)
    gy = cv2.sepFilter2D(strip, depth, along, across, outs[1], borderType=cv_border)
    return gx.reshape(strip.shape), gy.reshape(strip.shape)


def _is_spatial(strip: Array, cv_border: int) -> bool:
    """Return whether OpenCV's exact int16 Sobel pair takes this strip."""
    return strip.dtype == np.uint8 and strip.ndim == 2 and cv_border in SPATIAL_BORDERS


def laplacian(x: Array, neighbors: int, border: str, value: float, dtype: np.dtype[Any]) -> Array:
    """Return the sum of differences to 4 or 8 neighbors."""
    out = np.empty(x.shape, dtype)
    working = _working(x, dtype)
    cross = np.array(LAPLACIAN[4])
    diagonal = np.array(LAPLACIAN[8]) - cross

    def fill(strip: Array, cv_border: int, inner: Inner, out: Array) -> None:
        strip = strip.astype(working, copy=False)  # filter2D is 4x faster on floats: `edges`
        direct = direct_output(strip, out, working)
        total = cv2.filter2D(strip, -1, cross, direct, borderType=cv_border)
        if neighbors == 8:  # apart, so that the sums of a constant image cancel exactly
            total += cv2.filter2D(strip, -1, diagonal, borderType=cv_border)
        if direct is None:
            cast_into(total.reshape(strip.shape)[inner], out)

    in_strips(
        fill, x, (out,), 1, border, value, size=x.size if x.dtype == working else STRIP_VALUES
    )
    return out


def laplacian_of_gaussian(
    x: Array, sigma: float, border: str, value: float, dtype: np.dtype[Any]
) -> Array:
    """Return the Laplacian of the image blurred by a Gaussian."""
    out = np.empty(x.shape, dtype)
    working = _working(x, dtype)
    smooth, second = log_taps(sigma)

    def fill(strip: Array, cv_border: int, inner: Inner, out: Array) -> None:
        strip = strip.astype(working, copy=False)
        total = cv2.sepFilter2D(strip, -1, second, smooth, borderType=cv_border)
        total += cv2.sepFilter2D(strip, -1, smooth, second, borderType=cv_border)
        cast_into(total.reshape(strip.shape)[inner], out)

    in_strips(fill, x, (out,), len(smooth) // 2, border, value)
    return out


def canny(x: Array, low: float, high: float, sigma: float, border: str, value: float) -> Array:
    """Return the edges of each image, (N, H, W, 1)."""
    smooth = np.empty(x.shape, float_dtype(x.dtype))
    taps = gaussian_taps(sigma)

    def fill(strip: Array, cv_border: int, inner: Inner, out: Array) -> None:
        blurred = strip.astype(out.dtype, copy=False)
        blurred = cv2.sepFilter2D(blurred, -1, taps, taps, borderType=cv_border)
        out[...] = blurred.reshape(strip.shape)[inner]

    in_strips(fill, x, (smooth,), len(taps) // 2, border, value)
    gx, gy = gradient(smooth, "sobel", 1.0, "edge", 0.0, smooth.dtype)
    edges = np.zeros((*x.shape[:3], 1), bool)
    for n in range(len(x)):
        edges[n, :, :, 0] = _linked(*_thinned(gx[n], gy[n], low), high)
    return edges


def _thinned(gx: Array, gy: Array, low: float) -> tuple[Array, Array]:
    """Return the gradient length (H, W), and where it is a ridge of at least `low`."""
    length = np.sqrt(gx * gx + gy * gy)  # cv2.magnitude may break ties by memory address
    if gx.shape[-1] > 1:  # each pixel follows its strongest channel
        strongest = length.argmax(-1, keepdims=True)
        gx, gy, length = (np.take_along_axis(a, strongest, -1) for a in (gx, gy, length))
    gx, gy, length = gx[..., 0], gy[..., 0], length[..., 0]
    ridge = (length >= low) & (length > 0)
    ridge[[0, -1]] = ridge[:, [0, -1]] = False  # no neighbor to compare with
    at = np.flatnonzero(ridge)
    dx, dy, here = gx.ravel()[at], gy.ravel()[at], length.ravel()[at]
    right, down = np.where(dx < 0, -1, 1), np.where(dy < 0, -1, 1) * gx.shape[1]
    wide, tall = np.abs(dx), np.abs(dy)
    main = np.where(wide >= tall, right, down)
    share = np.minimum(wide, tall) / np.maximum(wide, tall)  # of the diagonal neighbor
    around = length.ravel()
    ahead = share * around[at + right + down] + (1 - share) * around[at + main]
    behind = share * around[at - right - down] + (1 - share) * around[at - main]
    ridge.ravel()[at] = (here >= ahead) & (here >= behind)
    return length, ridge


def _linked(length: Array, ridge: Array, high: float) -> Array:
    """Keep the connected ridges that reach `high` somewhere."""
    count, labels = cv2.connectedComponents(ridge.astype(np.uint8), connectivity=8)
    strong = np.zeros(count, bool)
    strong[labels[ridge & (length >= high)]] = True
    return np.asarray(strong[labels])


def corners(x: Array, method: str, sigma: float, k: float, border: str, value: float) -> Array:
    """Return the corner response of every channel."""
    working = float_dtype(x.dtype)
    out = np.empty(x.shape, working)
    taps = gaussian_taps(sigma)
    response: Callable[[Array, Array, Array], Array] = (
        (lambda xx, yy, xy: xx * yy - xy * xy - working.type(k) * (xx + yy) ** 2)
        if method == "harris"
        else (lambda xx, yy, xy: (xx + yy) / 2 - np.hypot((xx - yy) / 2, xy))
    )

    def fill(strip: Array, cv_border: int, inner: Inner, out: Array) -> None:
        gx, gy = (d / working.type(8) for d in _pair(strip, "sobel", cv_border, working))
        tensor = (
            cv2.sepFilter2D(product, -1, taps, taps).reshape(strip.shape)[inner]
            for product in (gx * gx, gy * gy, gx * gy)
        )
        out[...] = response(*tensor)

    # laid out in full: mirrored gradients are not the gradients of a mirrored image
    in_strips(fill, x, (out,), 1 + len(taps) // 2, border, value, pad=True)
    return out
