"""Edges: first and second derivatives, edge maps, corners.

x points right, y points down, and a rising ramp has a positive slope. Channels are processed
separately unless a function says otherwise. Intensities and thresholds are in the units of `x`
(0..255 for uint8). Results are float32, or float64 for float64 input; ``dtype="input"`` returns
the input's type, rounded half to even and saturated, so that negative slopes become 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from imgkit.border import check_border, check_reach
from imgkit.checks import check_choice, check_flag, check_int, check_number
from imgkit.image import Array, inspect_image, result_dtype
from imgkit.kernels import SMOOTH, TRUNCATE
from imgkit.ops.dispatch import backend_of
from imgkit.ops.ragged import ragged


@ragged
def gradient(
    x: Array,
    operator: str = "sobel",
    *,
    normalized: bool = False,
    border: str = "reflect",
    value: float = 0,
    dtype: Any = None,
) -> tuple[Array, Array]:
    """Return the derivatives in x (right) and y (down) of a 3x3 operator.

    The raw kernels give 8 (Sobel), 6 (Prewitt) or 32 (Scharr) on a ramp of slope 1.

    Args:
        x: image (H, W) or (H, W, C), batch (N, H, W, C), or a list of images.
        operator: ``sobel`` (smoothing 1 2 1), ``prewitt`` (1 1 1) or ``scharr`` (3 10 3).
        normalized: divide by 8, 6 or 32, so that a ramp of slope 1 gives 1.
        border: the pixels outside: constant, edge, reflect, symmetric, wrap.
        value: the pixel value of a constant border.
        dtype: of the result; None for float32 or float64, "input", or a name.

    Returns:
        ``(gx, gy)``, each of the shape of `x`.

    Raises:
        ValueError: an unknown operator, border or dtype, a value that `x` cannot hold.
        TypeError: `x` is not an image.

    Source: I. Sobel, G. Feldman, "A 3x3 isotropic gradient operator for image processing"
    (1968); J. Prewitt, "Object enhancement and extraction" (1970); H. Scharr, "Optimal
    operators in digital image processing" (2000).

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ramp = np.tile(np.arange(5, dtype=np.uint8), (3, 1))
    >>> gx, gy = ik.gradient(ramp, normalized=True)
    >>> gx[1].tolist(), gy[1].tolist()
    ([0.0, 1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0])
    """
    image = inspect_image(x)
    options = _derivative_options(x.dtype, operator, normalized, border, value, dtype)
    gx, gy = backend_of(image.is_tensor, "edges").gradient(image.batch, *options)
    return image.restore(gx), image.restore(gy)


@ragged
def sobel(
    x: Array,
    *,
    normalized: bool = False,
    border: str = "reflect",
    value: float = 0,
    dtype: Any = None,
) -> Array:
    """Return the magnitude of the Sobel gradient, √(gx² + gy²).

    Args:
        x: image (H, W) or (H, W, C), batch (N, H, W, C), or a list of images.
        normalized: divide by 8, so that a ramp of slope 1 gives 1.
        border: the pixels outside: constant, edge, reflect, symmetric, wrap.
        value: the pixel value of a constant border.
        dtype: of the result; None for float32 or float64, "input", or a name.

    Returns:
        The magnitude at every pixel, of the shape of `x`.

    Raises:
        ValueError: an unknown border or dtype, a value that `x` cannot hold.
        TypeError: `x` is not an image.

    Source: I. Sobel, G. Feldman, "A 3x3 isotropic gradient operator for image processing" (1968).

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.sobel(np.tile(np.arange(5, dtype=np.uint8), (3, 1)))[1].tolist()
    [0.0, 8.0, 8.0, 8.0, 0.0]
    """
    image = inspect_image(x)
    options = _derivative_options(x.dtype, "sobel", normalized, border, value, dtype)
    run = backend_of(image.is_tensor, "edges").magnitude
    return image.restore(run(image.batch, *options))


@ragged
def prewitt(
    x: Array,
    *,
    normalized: bool = False,
    border: str = "reflect",
    value: float = 0,
    dtype: Any = None,
) -> Array:
    """Return the magnitude of the Prewitt gradient, √(gx² + gy²).

    Args:
        x: image (H, W) or (H, W, C), batch (N, H, W, C), or a list of images.
        normalized: divide by 6, so that a ramp of slope 1 gives 1.
        border: the pixels outside: constant, edge, reflect, symmetric, wrap.
        value: the pixel value of a constant border.
        dtype: of the result; None for float32 or float64, "input", or a name.

    Returns:
        The magnitude at every pixel, of the shape of `x`.

    Raises:
        ValueError: an unknown border or dtype, a value that `x` cannot hold.
        TypeError: `x` is not an image.

    Source: J. Prewitt, "Object enhancement and extraction" (1970).

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.prewitt(np.tile(np.arange(5, dtype=np.uint8), (3, 1)))[1].tolist()
    [0.0, 6.0, 6.0, 6.0, 0.0]
    """
    image = inspect_image(x)
    options = _derivative_options(x.dtype, "prewitt", normalized, border, value, dtype)
    run = backend_of(image.is_tensor, "edges").magnitude
    return image.restore(run(image.batch, *options))


@ragged
def scharr(
    x: Array,
    *,
    normalized: bool = False,
    border: str = "reflect",
    value: float = 0,
    dtype: Any = None,
) -> Array:
    """Return the magnitude √(gx² + gy²) of the Scharr gradient, the most isotropic of the three.

    Args:
        x: image (H, W) or (H, W, C), batch (N, H, W, C), or a list of images.
        normalized: divide by 32, so that a ramp of slope 1 gives 1.
        border: the pixels outside: constant, edge, reflect, symmetric, wrap.
        value: the pixel value of a constant border.
        dtype: of the result; None for float32 or float64, "input", or a name.

    Returns:
        The magnitude at every pixel, of the shape of `x`.

    Raises:
        ValueError: an unknown border or dtype, a value that `x` cannot hold.
        TypeError: `x` is not an image.

    Source: H. Scharr, "Optimal operators in digital image processing" (2000).

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.scharr(np.tile(np.arange(5, dtype=np.uint8), (3, 1)))[1].tolist()
    [0.0, 32.0, 32.0, 32.0, 0.0]
    """
    image = inspect_image(x)
    options = _derivative_options(x.dtype, "scharr", normalized, border, value, dtype)
    run = backend_of(image.is_tensor, "edges").magnitude
    return image.restore(run(image.batch, *options))


def _derivative_options(
    x_dtype: Any, operator: Any, normalized: Any, border: Any, value: Any, dtype: Any
) -> tuple[str, float, str, float, np.dtype[Any]]:
    """Check the options that the derivatives share; return the backend's arguments."""
    smooth = SMOOTH[check_choice(operator, "operator", SMOOTH)]
    scale = 1 / (2 * sum(smooth)) if check_flag(normalized, "normalized") else 1.0
    return operator, scale, *check_border(border, value, x_dtype), result_dtype(x_dtype, dtype)


@ragged
def laplacian(
    x: Array,
    neighbors: int = 4,
    *,
    border: str = "reflect",
    value: float = 0,
    dtype: Any = None,
) -> Array:
    """Return the sum of the differences to the 4 or 8 nearest pixels.

    Args:
        x: image (H, W) or (H, W, C), batch (N, H, W, C), or a list of images.
        neighbors: 4 (center tap -4) or 8 (center tap -8).
        border: the pixels outside: constant, edge, reflect, symmetric, wrap.
        value: the pixel value of a constant border.
        dtype: of the result; None for float32 or float64, "input", or a name.

    Returns:
        The Laplacian, negative on bright spots, of the shape of `x`.

    Raises:
        ValueError: `neighbors` is neither 4 nor 8; an unknown border or dtype.
        TypeError: `x` is not an image, or `neighbors` is not an integer.

    Source: R. Gonzalez, R. Woods, "Digital Image Processing", the isotropic derivatives of
    second order.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> spot = np.zeros((3, 3), np.uint8)
    >>> spot[1, 1] = 1
    >>> ik.laplacian(spot, border="constant").tolist()
    [[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]]
    """
    image = inspect_image(x)
    if check_int(neighbors, "neighbors") not in (4, 8):
        raise ValueError(f"neighbors is {neighbors!r}: it must be 4 or 8")
    options = *check_border(border, value, x.dtype), result_dtype(x.dtype, dtype)
    run = backend_of(image.is_tensor, "edges").laplacian
    return image.restore(run(image.batch, int(neighbors), *options))


@ragged
def laplacian_of_gaussian(
    x: Array,
    sigma: float,
    *,
    border: str = "reflect",
    value: float = 0,
    dtype: Any = None,
) -> Array:
    """Return the Laplacian of the image blurred by a Gaussian.

    The taps are samples out to ±4 `sigma`, corrected so that a constant gives 0 and the
    parabola x² gives 2 for every `sigma`.

    Args:
        x: image (H, W) or (H, W, C), batch (N, H, W, C), or a list of images.
        sigma: standard deviation of the Gaussian in pixels, 0.1 to 1024.
        border: the pixels outside: constant, edge, reflect, symmetric, wrap.
        value: the pixel value of a constant border.
        dtype: of the result; None for float32 or float64, "input", or a name.

    Returns:
        The filtered image, negative on bright blobs, of the shape of `x`.

    Raises:
        ValueError: `sigma` below 0.1; an unknown border or dtype.
        TypeError: `x` is not an image, or `sigma` is not a number.

    Source: D. Marr, E. Hildreth, "Theory of edge detection" (1980).

    >>> import imgkit as ik
    >>> import numpy as np
    >>> parabola = np.tile(np.arange(-9.0, 10) ** 2, (19, 1))
    >>> round(float(ik.laplacian_of_gaussian(parabola, 1.0)[9, 9]), 6)
    2.0
    """
    image = inspect_image(x)
    sigma = _check_sigma(sigma, 0.1)
    options = *check_border(border, value, x.dtype), result_dtype(x.dtype, dtype)
    run = backend_of(image.is_tensor, "edges").laplacian_of_gaussian
    return image.restore(run(image.batch, sigma, *options))


def _check_sigma(sigma: Any, low: float = 0) -> float:
    """Return the standard deviation of a Gaussian whose window is not too large."""
    number = check_number(sigma, "sigma", low)
    check_reach(TRUNCATE * number, "sigma", sigma)
    return number


@ragged
def canny(
    x: Array,
    low: float,
    high: float,
    sigma: float = 1.0,
    *,
    border: str = "reflect",
    value: float = 0,
) -> Array:
    """Return thin, connected edges: Gaussian blur, Sobel, ridges, hysteresis.

    A pixel is a ridge if its gradient magnitude is at least that of the two points one step away
    along the gradient (interpolated linearly between neighbors). Ridges of at least `low` are
    kept where they connect, diagonals included, to one of at least `high`. The outermost pixels
    are never edges. With several channels each pixel uses the channel with the strongest gradient.

    Args:
        x: image (H, W) or (H, W, C), batch (N, H, W, C), or a list of images.
        low: threshold on the magnitude of the raw Sobel gradient (8 for a ramp of slope 1), in the
            units of `x`, at least 0.
        high: threshold that a connected edge must reach, at least `low`.
        sigma: standard deviation of the Gaussian in pixels, up to 1024; 0 for none.
        border: the pixels outside, for the blur: constant, edge, reflect, symmetric, wrap.
        value: the pixel value of a constant border.

    Returns:
        bool; (H, W) stays (H, W), otherwise the last axis has one channel.

    Raises:
        ValueError: a negative threshold or `sigma`, `high` below `low`, an unknown border.
        TypeError: `x` is not an image, or a threshold is not a number.

    Source: J. Canny, "A computational approach to edge detection" (1986).

    >>> import imgkit as ik
    >>> import numpy as np
    >>> step = np.zeros((5, 6), np.uint8)
    >>> step[:, 3:] = 100
    >>> step[:, 2] = 40
    >>> ik.canny(step, 100, 200, sigma=0)[2].astype(int).tolist()
    [0, 0, 1, 0, 0, 0]
    """
    image = inspect_image(x)
    low = check_number(low, "low", 0)
    high = check_number(high, "high", 0)
    if high < low:
        raise ValueError(f"high is {high:g}: it must be at least low, which is {low:g}")
    sigma = _check_sigma(sigma)
    options = low, high, sigma, *check_border(border, value, x.dtype)
    run = backend_of(image.is_tensor, "edges").canny
    return image.restore(run(image.batch, *options))


@ragged
def corners(
    x: Array,
    method: str = "harris",
    *,
    sigma: float = 1.0,
    k: float = 0.05,
    border: str = "reflect",
    value: float = 0,
) -> Array:
    """Return the corner response of every pixel.

    The structure tensor A = [[gx², gxgy], [gxgy, gy²]] of the normalized Sobel gradient is
    averaged by a Gaussian. ``harris`` is det A - k (trace A)²; ``shi-tomasi`` is the smaller
    eigenvalue of A.

    Args:
        x: image (H, W) or (H, W, C), batch (N, H, W, C), or a list of images.
        method: ``harris`` or ``shi-tomasi``.
        sigma: standard deviation of the average in pixels, up to 1024; 0 for none.
        k: Harris' sensitivity, 0 to 0.25; a smaller value also finds blunt corners.
        border: the pixels outside: constant, edge, reflect, symmetric, wrap.
        value: the pixel value of a constant border.

    Returns:
        float32, or float64 for float64 input, of the shape of `x`; in units of `x` to the
        power 4 (Harris) or 2.

    Raises:
        ValueError: an unknown method or border, a negative `sigma`, `k` outside its range.
        TypeError: `x` is not an image.

    Source: C. Harris, M. Stephens, "A combined corner and edge detector" (1988); J. Shi,
    C. Tomasi, "Good features to track" (1994).

    >>> import imgkit as ik
    >>> import numpy as np
    >>> square = np.zeros((21, 21), np.float32)
    >>> square[5:16, 5:16] = 1
    >>> response = ik.corners(square)
    >>> bool(response[5, 5] == response.max()), bool(response[5, 10] < 0)
    (True, True)
    """
    image = inspect_image(x)
    check_choice(method, "method", ("harris", "shi-tomasi"))
    sigma = _check_sigma(sigma)
    k = check_number(k, "k", 0, 0.25)
    options = method, sigma, k, *check_border(border, value, x.dtype)
    run = backend_of(image.is_tensor, "edges").corners
    return image.restore(run(image.batch, *options))
