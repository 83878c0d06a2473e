"""Convolution of values that a transform would spread: NaN, infinities and large numbers.

A Fourier transform mixes all pixels, so that its rounding error is a fraction of the largest one,
and one NaN makes every result NaN. Here the values are split by magnitude, and what each part
gives is kept only where the kernel reaches it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from imgkit.backends.array.primitives.conv_routes import LIMITS, Problem, kernel_of
from imgkit.image import Array

Run = Callable[[Array], Array]

BAND = float(1 << 24)  # ratio of the magnitudes that one transform in float64 takes together


def largest(x: Array) -> float:
    """Return the largest magnitude in an array of floats, NaN if it holds one."""
    return max(float(x.max()), -float(x.min())) if x.size else 0.0


def is_held(y: Array, source: np.dtype[Any], p: Problem, limit: float) -> bool:
    """Return whether an image, and its border, hold no NaN and no value beyond a limit.

    Args:
        y: the image, in floats.
        source: the dtype that it was given in; integers are never too large.
        p: the problem.
        limit: largest magnitude.
    """
    limit = limit if source.kind == "f" else max(limit, LIMITS["float64"])
    beyond = p.mode != "valid" and p.border == "constant" and abs(p.value) > limit
    return not beyond and (source.kind != "f" or largest(y) <= limit)


def by_magnitude(p: Problem, extended: Array, route: Callable[[Problem], Run]) -> Array:
    """Correlate ``(B, *S, C)``, which is extended already, in parts of similar magnitude.

    Args:
        p: the problem; its mode and border are done.
        extended: the image, continued as far as the outputs see.
        route: prepares the fastest route of a problem.
    """
    rank = len(p.axes)
    y = extended.astype(np.float64)
    inner = p._replace(
        shape=y.shape, axes=tuple(range(1, rank + 1)), mode="valid", method="auto", dtype="float64"
    )
    convolve = route(inner)
    size = np.abs(y)
    result = convolve(np.where(size <= LIMITS["float64"], y, 0))
    if not (size <= LIMITS["float64"]).all():
        reaches = _indicator(inner, route, kernel_of(p) != 0)
        for part in _bands(y, size):
            result += np.where(reaches(part != 0), convolve(part), 0)
        if not np.isfinite(y).all():
            _add_infinities(result, y, inner, route)
            result[reaches(np.isnan(y))] = np.nan
    return result.astype(p.dtype)


def _bands(y: Array, size: Array) -> Iterator[Array]:
    """Yield the large finite values, those of similar magnitude together and 0 elsewhere."""
    rest = np.where(np.isfinite(y) & (size > LIMITS["float64"]), size, 0)
    while (top := rest.max()) > 0:
        band = rest > top / BAND
        yield np.where(band, y, 0)
        rest[band] = 0


def _indicator(p: Problem, route: Callable[[Problem], Run], taps: Array) -> Callable[[Array], Any]:
    """Return the function that marks the outputs which some taps lead to from marked pixels."""
    count = route(p._replace(taps=taps.astype(np.float64).tobytes()))
    return lambda marked: count(marked.astype(np.float64)) > 0.5


def _add_infinities(result: Array, y: Array, p: Problem, route: Callable[[Problem], Run]) -> None:
    """Add the infinities that the taps of each sign lead to; those of both signs give NaN."""
    taps = kernel_of(p)
    positive, negative = (_indicator(p, route, part) for part in (taps > 0, taps < 0))
    up, down = y == np.inf, y == -np.inf
    result[positive(up) | negative(down)] += np.inf
    result[positive(down) | negative(up)] -= np.inf
