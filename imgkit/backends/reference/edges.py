"""Gradients, Laplacians, Canny edges and corners: the image is padded, then correlated."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

from imgkit.border import source_index
from imgkit.image import Array

DERIVATIVES = {
    "sobel": ([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], 8),
    "prewitt": ([[-1, 0, 1], [-1, 0, 1], [-1, 0, 1]], 6),
    "scharr": ([[-3, 0, 3], [-10, 0, 10], [-3, 0, 3]], 32),
}


def gradient(
    image: Array,
    operator: str = "sobel",
    *,
    normalized: bool = False,
    border: str = "reflect",
    value: float = 0,
) -> tuple[Array, Array]:
    """Derivatives to the right and down."""
    kernel, slope = DERIVATIVES[operator]
    across = np.array(kernel) / (slope if normalized else 1)
    return _correlate(image, across, border, value), _correlate(image, across.T, border, value)


def sobel(image: Array, **options: Any) -> Array:
    """Length of the Sobel gradient."""
    return np.hypot(*gradient(image, "sobel", **options))


def prewitt(image: Array, **options: Any) -> Array:
    """Length of the Prewitt gradient."""
    return np.hypot(*gradient(image, "prewitt", **options))


def scharr(image: Array, **options: Any) -> Array:
    """Length of the Scharr gradient."""
    return np.hypot(*gradient(image, "scharr", **options))


def laplacian(
    image: Array, neighbors: int = 4, *, border: str = "reflect", value: float = 0
) -> Array:
    """Sum of the differences to the neighbors."""
    corner = 1 if neighbors == 8 else 0
    kernel = np.array([[corner, 1, corner], [1, -neighbors, 1], [corner, 1, corner]])
    return _correlate(image, kernel, border, value)


def laplacian_of_gaussian(
    image: Array, sigma: float, *, border: str = "reflect", value: float = 0
) -> Array:
    """Correlation with the 2-D kernel (x² + y² - 2m) g(x) g(y), scaled to a curvature."""
    radius = max(1, int(4 * sigma + 0.5))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    bell = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    bell /= bell.sum()
    kernel = (x**2 + y**2 - ((x**2 + y**2) * bell).sum()) * bell
    kernel /= (kernel * x**2).sum() / 2  # a parabola x² has Laplacian 2
    return _correlate(image, kernel, border, value)


def canny(
    image: Array,
    low: float,
    high: float,
    sigma: float = 1.0,
    *,
    border: str = "reflect",
    value: float = 0,
) -> Array:
    """Blur, Sobel, ridges across the gradient, hysteresis; the strongest channel of a pixel."""
    smooth = _gaussian(image, sigma, border, value)
    gx, gy = gradient(smooth, "sobel", border="edge")
    strongest = np.hypot(gx, gy).argmax(-1)[..., None]
    gx = np.take_along_axis(gx, strongest, -1)[..., 0]
    gy = np.take_along_axis(gy, strongest, -1)[..., 0]
    length = np.hypot(gx, gy)
    ridge = np.zeros(length.shape, bool)
    for row in range(1, length.shape[0] - 1):
        for column in range(1, length.shape[1] - 1):
            here = length[row, column]
            if here > 0 and here >= low:
                ridge[row, column] = _is_ridge(
                    length, gx[row, column], gy[row, column], row, column
                )
    labels, _ = ndimage.label(ridge, np.ones((3, 3)))
    strong = np.unique(labels[ridge & (length >= high)])
    return np.isin(labels, strong)[..., None] & ridge[..., None]


def _is_ridge(length: Array, dx: float, dy: float, row: int, column: int) -> bool:
    """Compare a pixel with the two points where its gradient line leaves the 3x3 square."""
    step = max(abs(dx), abs(dy))
    for sign in (1, -1):
        y, x = row + sign * dy / step, column + sign * dx / step
        beyond = ndimage.map_coordinates(length, [[y], [x]], order=1, mode="nearest")[0]
        if beyond > length[row, column] * (1 + 1e-12):
            return False
    return True


def corners(
    image: Array,
    method: str = "harris",
    *,
    sigma: float = 1.0,
    k: float = 0.05,
    border: str = "reflect",
    value: float = 0,
) -> Array:
    """Response from the Gaussian-weighted structure tensor of normalized Sobel gradients."""
    margin = 1 + int(4 * sigma + 0.5)
    gx, gy = gradient(_pad(image, margin, border, value), "sobel", normalized=True)
    xx, yy, xy = (
        _gaussian(product, sigma, "edge", 0)[margin:-margin, margin:-margin]
        for product in (gx * gx, gy * gy, gx * gy)
    )
    if method == "harris":
        return np.asarray(xx * yy - xy**2 - k * (xx + yy) ** 2)
    return np.asarray((xx + yy) / 2 - np.sqrt((xx - yy) ** 2 / 4 + xy**2))


def _gaussian(image: Array, sigma: float, border: str, value: float) -> Array:
    """Blur with Gaussian taps out to 4 sigma."""
    position = np.arange(-int(4 * sigma + 0.5), int(4 * sigma + 0.5) + 1)
    taps = np.exp(-0.5 * (position / sigma) ** 2) if sigma else np.ones(1)
    kernel = np.outer(taps, taps) / taps.sum() ** 2
    return _correlate(image, kernel, border, value)


def _correlate(image: Array, kernel: Array, border: str, value: float) -> Array:
    """Lay a kernel with odd sides on every pixel of every channel."""
    margin = kernel.shape[0] // 2
    padded = _pad(image, margin, border, value)
    total = np.zeros(image.shape)
    for (row, column), tap in np.ndenumerate(kernel):
        total += tap * padded[row : row + image.shape[0], column : column + image.shape[1]]
    return total


def _pad(image: Array, margin: int, border: str, value: float) -> Array:
    """Continue an image by `margin` pixels on all four sides."""
    height, width = image.shape[:2]
    rows = source_index(np.arange(-margin, height + margin), height, border)
    columns = source_index(np.arange(-margin, width + margin), width, border)
    padded = image[rows[:, None], columns].copy()
    padded[rows < 0] = value
    padded[:, columns < 0] = value
    return padded
