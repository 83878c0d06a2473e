"""Named kernels, built from their 1-D factors.

Kernels are correlation templates: without flipping, `sobel_x` gives a positive value on a ramp
that rises to the right. `convolve` flips its kernel, so its result has the opposite sign;
`correlate` does not.

Lengths (`size`, `sigma`, `wavelength`) are in pixels, angles in degrees, counter-clockwise as
seen (0 points right, 90 up).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from imgkit.border import check_reach
from imgkit.checks import check_int, check_number, check_real, printable, suggest
from imgkit.image import Array

DIFFERENCE = (-1.0, 0.0, 1.0)
SMOOTH = {"prewitt": (1.0, 1.0, 1.0), "sobel": (1.0, 2.0, 1.0), "scharr": (3.0, 10.0, 3.0)}
LAPLACIAN = {
    4: ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0)),
    8: ((1.0, 1.0, 1.0), (1.0, -8.0, 1.0), (1.0, 1.0, 1.0)),
}
SHARPEN = ((0.0, -1.0, 0.0), (-1.0, 5.0, -1.0), (0.0, -1.0, 0.0))
EMBOSS = ((-2.0, -1.0, 0.0), (-1.0, 1.0, 1.0), (0.0, 1.0, 2.0))
ROBERTS = {"roberts_x": ((1.0, 0.0), (0.0, -1.0)), "roberts_y": ((0.0, 1.0), (-1.0, 0.0))}

FIXED: dict[str, Any] = {
    **{f"{name}_x": np.outer(smooth, DIFFERENCE) for name, smooth in SMOOTH.items()},
    **{f"{name}_y": np.outer(DIFFERENCE, smooth) for name, smooth in SMOOTH.items()},
    **ROBERTS,
    "roberts": ROBERTS["roberts_x"],
    "laplacian": LAPLACIAN[4],
    "laplacian_8": LAPLACIAN[8],
    "sharpen": SHARPEN,
    "emboss": EMBOSS,
}


TRUNCATE = 4.0  # reach of a Gaussian's taps in multiples of sigma


def gaussian_taps(sigma: float, size: int | None = None) -> Array:
    """Return the taps of a 1-D Gaussian that sum to 1; `size` defaults to ±4 sigma."""
    length = 2 * int(TRUNCATE * sigma + 0.5) + 1 if size is None else size
    position = _centered(length)
    if sigma == 0:
        taps = (np.abs(position) < 1).astype(float)
    else:
        taps = np.exp(-0.5 * (position / sigma) ** 2)
    return np.asarray(taps / taps.sum())


def gaussian_taps_of_each(sigma: Array) -> tuple[Array, Array]:
    """Return the taps of Gaussians of each sigma (N,), (N, 2 R + 1), and their radii (N,)."""
    radius = (TRUNCATE * sigma + 0.5).astype(np.int64)
    widest = int(radius.max(initial=0))
    at = np.arange(-widest, widest + 1)
    narrow = np.where(radius > 0, sigma, 1.0)[:, None]
    taps = np.exp(-0.5 * (at / narrow) ** 2) * (np.abs(at) <= radius[:, None])
    return taps / taps.sum(axis=1, keepdims=True), radius


def log_taps(sigma: float) -> tuple[Array, Array]:
    """Return the taps of a Gaussian and of its second derivative.

    The second derivative gives exactly 0 on a constant and 2 on a parabola x²; plain samples do
    not.
    """
    radius = max(1, int(TRUNCATE * sigma + 0.5))
    smooth = gaussian_taps(sigma, 2 * radius + 1)
    squares = np.arange(-radius, radius + 1.0) ** 2
    second = (squares - squares @ smooth) * smooth
    return smooth, second * (2 / (squares @ second))


def kernel(
    name: str,
    size: int | None = None,
    sigma: float | None = None,
    *,
    theta: float | None = None,
    wavelength: float | None = None,
    angle: float | None = None,
) -> Array:
    """Return a named kernel, oriented for `correlate`.

    Of fixed size: ``prewitt_x``, ``prewitt_y``, ``sobel_x``, ``sobel_y``, ``scharr_x``,
    ``scharr_y`` (x to the right, y down), ``roberts_x`` (also ``roberts``), ``roberts_y``,
    ``laplacian`` (4 neighbors, center -4), ``laplacian_8`` (8 neighbors, center -8),
    ``sharpen``, ``emboss``. Of any size: ``gaussian``, ``box`` and ``motion`` (each sums to 1),
    ``log`` (Laplacian of Gaussian, sums to 0), ``gabor``.

    Args:
        name: one of the names above.
        size: taps on each side, at least 1. gaussian and log default to ±4 `sigma`, gabor to
            ±3 `sigma`, box to 3, motion to 9; the others have a fixed size.
        sigma: standard deviation in pixels, above 0; only gaussian, log and gabor; default 1,
            or, if `size` is given, size / 8 (gabor: size / 6).
        theta: direction of a gabor wave, degrees; default 0.
        wavelength: period of a gabor wave, above 0; default 2 `sigma`.
        angle: direction of the motion, degrees; default 0.

    Returns:
        float64 array (size, size).

    Raises:
        ValueError: an unknown name, an option that the kernel does not take, a value out of
            range.

    Source: the cosine gabor of Daugman (1985) with a circular envelope; its mean is not removed.

    >>> import imgkit as ik
    >>> ik.kernel("sobel_x")
    array([[-1.,  0.,  1.],
           [-2.,  0.,  2.],
           [-1.,  0.,  1.]])
    >>> ik.kernel("gaussian", sigma=0.8).shape
    (7, 7)
    """
    if not isinstance(name, str) or name not in KERNELS:
        raise ValueError(f"kernel is {printable(name)}: {suggest(name, KERNELS)}")
    given = {"size": size, "sigma": sigma, "theta": theta, "wavelength": wavelength, "angle": angle}
    options = {word: value for word, value in given.items() if value is not None}
    if name in FIXED:
        _refuse(options, (), name)
        return np.array(FIXED[name])
    make, words = GENERATED[name]
    _refuse(options, words, name)
    for word, value in options.items():
        if word == "size":
            check_reach(check_int(value, word, 1) // 2, word, value)
        else:
            positive = word in ("sigma", "wavelength")
            number = check_number(value, word, 0.0 if positive else -math.inf, above=positive)
            if word == "sigma" and size is None:
                check_reach(TRUNCATE * number, word, value)
    return np.asarray(make(**options))


named = kernel  # for functions that have an argument `kernel`


def as_kernel(kernel: Any, name: str = "kernel") -> Array:
    """Return a kernel given by name or as numbers as a float64 array of 1 to 3 dimensions.

    Raises:
        ValueError: an unknown name, an empty axis, a NaN or infinite tap, more than 3 axes.
        TypeError: taps that are not real numbers.
    """
    if isinstance(kernel, str):
        return named(kernel)
    taps = check_real(kernel, name)
    if not 1 <= taps.ndim <= 3:
        raise ValueError(f"{name} has shape {taps.shape}: it must have 1, 2 or 3 axes")
    if taps.size == 0:
        raise ValueError(f"{name} has shape {taps.shape}: every axis needs at least one tap")
    return np.ascontiguousarray(taps, np.float64)


def _refuse(options: dict[str, Any], words: tuple[str, ...], name: str) -> None:
    """Raise for an option that the named kernel does not take."""
    for word, value in options.items():
        if word not in words:
            has = "its taps are fixed" if not words else f"it takes {', '.join(words)}"
            raise ValueError(f"{word} is {value!r}: {name} has no {word}; {has}")


def _centered(size: int) -> Array:
    """Positions of `size` taps around 0."""
    return np.asarray(np.arange(size) - (size - 1) / 2)


def _gaussian(size: int | None = None, sigma: float | None = None) -> Array:
    taps = gaussian_taps(_sigma(size, sigma, 8), size)
    return np.outer(taps, taps)


def _box(size: int = 3) -> Array:
    return np.full((size, size), 1 / size**2)


def _log(size: int | None = None, sigma: float | None = None) -> Array:
    """Laplacian of Gaussian, shifted so that it gives 0 on a constant image."""
    sigma = _sigma(size, sigma, 8)
    taps = gaussian_taps(sigma, size)
    squared = _centered(len(taps)) ** 2
    wave = (squared[:, None] + squared - 2 * sigma**2) / sigma**4 * np.outer(taps, taps)
    return np.asarray(wave - wave.mean())


def _motion(size: int = 9, angle: float = 0.0) -> Array:
    """A line through the center, one pixel wide, distributed bilinearly over its taps."""
    along = np.linspace(-(size - 1) / 2, (size - 1) / 2, 8 * size - 7)
    radians = math.radians(angle)
    column = along * math.cos(radians) + (size - 1) / 2
    row = -along * math.sin(radians) + (size - 1) / 2
    position = np.arange(size)
    rows = np.maximum(0, 1 - np.abs(row[:, None] - position))
    columns = np.maximum(0, 1 - np.abs(column[:, None] - position))
    taps = rows.T @ columns
    return np.asarray(taps / taps.sum())


def _gabor(
    size: int | None = None,
    sigma: float | None = None,
    theta: float = 0.0,
    wavelength: float | None = None,
) -> Array:
    """A cosine wave times a circular Gaussian."""
    sigma = _sigma(size, sigma, 6)
    position = _centered(2 * math.ceil(3 * sigma) + 1 if size is None else size)
    radians = math.radians(theta)
    along = position * math.cos(radians) - position[:, None] * math.sin(radians)
    envelope = np.exp(-0.5 * (position**2 + position[:, None] ** 2) / sigma**2)
    return np.asarray(envelope * np.cos(2 * math.pi * along / (wavelength or 2 * sigma)))


def _sigma(size: int | None, sigma: float | None, sizes: int) -> float:
    """Return sigma: as given, a fraction of the size, or 1."""
    if sigma is not None:
        return sigma
    return 1.0 if size is None else size / sizes


GENERATED: dict[str, tuple[Callable[..., Array], tuple[str, ...]]] = {
    "gaussian": (_gaussian, ("size", "sigma")),
    "box": (_box, ("size",)),
    "log": (_log, ("size", "sigma")),
    "motion": (_motion, ("size", "angle")),
    "gabor": (_gabor, ("size", "sigma", "theta", "wavelength")),
}
KERNELS = (*FIXED, *GENERATED)
