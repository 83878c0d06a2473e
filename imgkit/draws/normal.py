"""Normal numbers, equal on every platform, and fields of noise."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from imgkit.draws.words import Stream
from imgkit.image import Array

FEW_NORMALS = 16  # up to here Python floats beat NumPy (docs/draws.md, Speed)

# Coefficients of Wichura, "Algorithm AS 241: the percentage points of the normal distribution",
# Applied Statistics 37 (1988), PPND16, highest power first; |p - 1/2| <= 0.425, then the tails.
CENTER_TOP = (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853,
              45921.953931549871457, 13731.693765509461125, 1971.5909503065514427,
              133.14166789178437745, 3.387132872796366608)  # fmt: skip
CENTER_BOTTOM = (5226.495278852854561, 28729.085735721942674, 39307.89580009271061,
                 21213.794301586595867, 5394.1960214247511077, 687.1870074920579083,
                 42.313330701600911252, 1.0)  # fmt: skip
TAIL_TOP = (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177,
            1.27045825245236838258, 3.64784832476320460504, 5.7694972214606914055,
            4.6303378461565452959, 1.42343711074968357734)  # fmt: skip
TAIL_BOTTOM = (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966,
               0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494,
               2.05319162663775882187, 1.0)  # fmt: skip
LOG_SERIES = tuple(2 / power for power in range(23, 0, -2))  # log(1+s)/(1-s) = s * poly(s²)
LOG_2 = 0.6931471805599453


def inverse_normal(p: Array) -> Array:
    """Return the normal quantile of each probability, equal on every platform.

    Args:
        p: float64 in 1e-11 < p < 1 - 1e-11.

    Returns:
        float64 of the same shape, within 1e-14 relative.

    Example:
        >>> inverse_normal(np.array([0.5, 0.975])).round(6)
        array([0.      , 1.959964])
    """
    if p.size <= FEW_NORMALS:
        values = [_center(v - 0.5) if abs(v - 0.5) <= 0.425 else _tail(v) for v in p.flat]
        return np.array(values, dtype=np.float64).reshape(p.shape)
    center = np.abs(p - 0.5) <= 0.425
    result = np.empty_like(p)
    result[center] = _center(p[center] - 0.5)
    result[~center] = _tail(p[~center])
    return result


def _center(q: Any) -> Any:
    """Return quantiles near the middle, of floats or arrays."""
    r = 0.180625 - q * q
    return q * _polynomial(CENTER_TOP, r) / _polynomial(CENTER_BOTTOM, r)


def _tail(p: Any) -> Any:
    """Return quantiles of the tails, of floats or arrays."""
    r = np.sqrt(-_log(np.minimum(p, 1.0 - p))) - 1.6
    return np.copysign(_polynomial(TAIL_TOP, r) / _polynomial(TAIL_BOTTOM, r), p - 0.5)


def _log(x: Any) -> Any:
    """Return the logarithm, without the last-digit differences between math libraries."""
    mantissa, exponent = np.frexp(x)
    mantissa = mantissa * math.sqrt(2)  # 0.7 to 1.4, where the series converges fast
    s = (mantissa - 1.0) / (mantissa + 1.0)
    return s * _polynomial(LOG_SERIES, s * s) + (exponent - 0.5) * LOG_2


def _polynomial(coefficients: tuple[float, ...], x: Any) -> Any:
    """Evaluate by Horner's rule."""
    total = coefficients[0]
    for coefficient in coefficients[1:]:
        total = total * x + coefficient
    return total


# --- fields of noise --------------------------------------------------------------------


def field_words(stream: Stream, epoch: int, indices: Array, count: int, field: int = 0) -> Array:
    """Return uniform 16-bit words, one for each element of a noise field of each sample.

    Block b (0, 1, ...) of 16 words is Philox4x64-10 of counter ``(b + 1, field, epoch, index)``
    under key ``(stream.key, 0)``; each of its four 64-bit words gives four, the lowest first.

    Args:
        stream: the op's stream.
        epoch: 0 to 2**32 - 1.
        indices: (N,) uint64.
        count: words per sample.
        field: number of the field, for ops with several fields per sample.

    Returns:
        (N, count) uint16.
    """
    words = np.empty((len(indices), count), np.uint16)
    key = np.array([stream.key, 0], np.uint64)
    for row, index in zip(words, indices.tolist(), strict=True):
        counter = np.array([0, field, epoch, index], np.uint64)
        raw = np.random.Philox(key=key, counter=counter).random_raw(-(-count // 4))
        row[:] = raw.astype("<u8", copy=False).view("<u2")[:count]
    return words


def normal_field(stream: Stream, epoch: int, indices: Array, count: int, field: int = 0) -> Array:
    """Return standard normal noise: `field_words` looked up in `normal_table`.

    Arguments as in `field_words`.

    Returns:
        (N, count) float32.
    """
    return np.take(normal_table(), field_words(stream, epoch, indices, count, field))


@functools.cache
def normal_table() -> Array:
    """Return the normal quantiles at (w + 1/2) / 65536, scaled to variance 1: float32, ±4.2."""
    quantiles = inverse_normal((np.arange(65536) + 0.5) / 65536)
    table = (quantiles / np.sqrt(np.mean(quantiles**2))).astype(np.float32)
    table.flags.writeable = False
    return np.asarray(table)
