"""Convolution as a sparse matrix, built from where each output meets each tap."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse

from imgkit.border import source_index
from imgkit.image import Array


def convolution_matrix(taps: Array, shape: tuple[int, ...], mode: str, border: str) -> Any:
    """Return the CSR matrix of a convolution of arrays of one shape."""
    axes = [
        source_index(positions(n, k, mode), n, border)
        for n, k in zip(shape, taps.shape, strict=True)
    ]  # each (outputs, taps)
    columns: Array = np.zeros((1, 1), np.int64)
    inside = np.ones((1, 1), bool)
    for source, size in zip(axes, shape, strict=True):
        columns = _outer(columns * size, source, np.add)
        inside = _outer(inside, source >= 0, np.logical_and)
    weights = taps.ravel()
    inside &= weights != 0
    data = np.broadcast_to(weights, inside.shape)[inside]
    rows = np.concatenate([[0], np.cumsum(inside.sum(1))])
    matrix = scipy.sparse.csr_array(
        (data, columns[inside], rows), shape=(len(inside), math.prod(shape))
    )
    matrix.sum_duplicates()  # a border shows some pixels twice
    return matrix


def positions(size: int, taps: int, mode: str) -> Array:
    """Return where on an endless axis each output (rows) meets each tap (columns)."""
    start = {"full": 0, "same": (taps - 1) // 2, "valid": taps - 1}[mode]
    outputs = {"full": size + taps - 1, "same": size, "valid": size - taps + 1}[mode]
    return np.arange(outputs)[:, None] + start - np.arange(taps)


def _outer(left: Array, right: Array, combine: Callable[[Array, Array], Array]) -> Array:
    """Combine every row and column of one table with every one of the other, as `kron` does."""
    table = combine(left[:, None, :, None], right[None, :, None, :])
    return table.reshape(len(left) * len(right), -1)
