"""Gradients, Laplacians and corners on tensors; `canny` on the host."""

from __future__ import annotations

import torch
from torch import Tensor

from imgkit.backends.tensor.numpy_view import on_host, viewed
from imgkit.backends.tensor.primitives.pixels import along, length, margin, work
from imgkit.backends.tensor.primitives.upload import constant
from imgkit.image import saturate
from imgkit.kernels import SMOOTH, gaussian_taps, log_taps


@viewed()
def gradient(
    x: Tensor, operator: str, scale: float, border: str, value: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Return both derivatives, each times `scale`."""
    gx, gy = _pair(margin(_working(x, dtype), 1, border, value), operator)
    return saturate(gx * scale, dtype), saturate(gy * scale, dtype)


@viewed()
def magnitude(
    x: Tensor, operator: str, scale: float, border: str, value: float, dtype: torch.dtype
) -> Tensor:
    """Return the length of the gradient times `scale`."""
    return saturate(slope(_working(x, dtype), operator, scale, border, value), dtype)


def slope(
    floats: Tensor, operator: str, scale: float = 1.0, border: str = "reflect", value: float = 0.0
) -> Tensor:
    """Return the length of the gradient of floats times `scale`."""
    return length(*_pair(margin(floats, 1, border, value), operator)) * scale


def _working(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Return `x` in the float type to compute in."""
    return x.to(dtype) if dtype == torch.float64 else work(x)


def _pair(p: Tensor, operator: str) -> tuple[Tensor, Tensor]:
    """Return both derivatives of an image with a margin of 1; differences first: 0 where flat."""
    a, b, _ = SMOOTH[operator]
    across = p[..., 2:] - p[..., :-2]
    down = p[..., 2:, :] - p[..., :-2, :]
    gx = a * (across[..., :-2, :] + across[..., 2:, :]) + b * across[..., 1:-1, :]
    gy = a * (down[..., :-2] + down[..., 2:]) + b * down[..., 1:-1]
    return gx, gy


@viewed()
def laplacian(x: Tensor, neighbors: int, border: str, value: float, dtype: torch.dtype) -> Tensor:
    """Return the sum of differences to 4 or 8 neighbors."""
    return saturate(curvature(_working(x, dtype), neighbors, border, value), dtype)


def curvature(
    floats: Tensor, neighbors: int, border: str = "reflect", value: float = 0.0
) -> Tensor:
    """Return the Laplacian of floats."""
    p = margin(floats, 1, border, value)
    rows = p[..., :-2, :] + p[..., 2:, :]
    middle = p[..., 1:-1, :]
    center = middle[..., 1:-1]
    total = rows[..., 1:-1] + middle[..., :-2] + middle[..., 2:] - 4 * center
    if neighbors == 8:
        total = total + (rows[..., :-2] + rows[..., 2:] - 4 * center)
    return total


@viewed()
def laplacian_of_gaussian(
    x: Tensor, sigma: float, border: str, value: float, dtype: torch.dtype
) -> Tensor:
    """Return the Laplacian of the image blurred by a Gaussian."""
    floats = _working(x, dtype)
    smooth, second = (constant(taps, floats) for taps in log_taps(sigma))
    p = margin(floats, len(smooth) // 2, border, value)
    total = along(along(p, second, 3), smooth, 2) + along(along(p, smooth, 3), second, 2)
    return saturate(total, dtype)


canny = on_host("edges", "canny")  # following edges goes from pixel to pixel


@viewed()
def corners(x: Tensor, method: str, sigma: float, k: float, border: str, value: float) -> Tensor:
    """Return the corner response of every channel."""
    floats = work(x)
    taps = constant(gaussian_taps(sigma), floats)
    reach = len(taps) // 2
    gx, gy = _pair(margin(floats, reach + 1, border, value), "sobel")
    gx, gy = gx / 8, gy / 8
    xx, yy, xy = (along(along(p, taps, 3), taps, 2) for p in (gx * gx, gy * gy, gx * gy))
    if method == "harris":
        return xx * yy - xy * xy - k * (xx + yy) ** 2
    return (xx + yy) / 2 - length((xx - yy) / 2, xy)
