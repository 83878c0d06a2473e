"""Deconvolution by dense least squares."""

from __future__ import annotations

import numpy as np

from imgkit.backends.reference.conv_matrix import convolution_matrix
from imgkit.image import Array


def deconvolve(
    b: Array,
    kernel: Array,
    mode: str = "same",
    border: str = "constant",
    regularization: float = 0.0,
) -> Array:
    """Solve min |Ax - b|^2 + r |x|^2 for each channel of (H, W, C)."""
    change = {"full": -1, "same": 0, "valid": 1}[mode]
    size = [n + change * (k - 1) for n, k in zip(b.shape[:2], kernel.shape, strict=True)]
    matrix = convolution_matrix(kernel, (size[0], size[1]), mode, border)
    damped = np.vstack([matrix, np.sqrt(regularization) * np.eye(matrix.shape[1])])
    right = np.vstack([b.reshape(-1, b.shape[2]), np.zeros((matrix.shape[1], b.shape[2]))])
    return np.linalg.lstsq(damped, right, rcond=None)[0].reshape(*size, b.shape[2])
