"""A convolutional layer as the sum of correlations that it is."""

from __future__ import annotations

import numpy as np

from imgkit.backends.reference.conv import correlate, look_up
from imgkit.image import Array


def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    *,
    padding: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0)),
    border: str = "constant",
    value: float = 0.0,
    stride: tuple[int, int] = (1, 1),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Array:
    """Cross-correlate every output channel's weight with its group of channels, and sum."""
    weight = np.asarray(weight, np.float64)
    positions = [np.arange(-p, n + q) for n, (p, q) in zip(x.shape, padding, strict=False)]
    padded = look_up(np.asarray(x, np.float64), positions, border, value)
    inputs, outputs = weight.shape[1], len(weight) // groups
    planes = []
    for out, taps in enumerate(weight):
        first = out // outputs * inputs
        group = padded[:, :, first : first + inputs]
        each = [
            correlate(group[:, :, c], taps[c], "valid", stride=stride, dilation=dilation)
            for c in range(inputs)
        ]
        planes.append(sum(each) + (0.0 if bias is None else bias[out]))
    return np.stack(planes, axis=-1)
