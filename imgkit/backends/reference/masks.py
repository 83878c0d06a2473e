"""Moves masks: each output pixel takes the source pixel nearest to where it maps back to."""

from __future__ import annotations

import numpy as np

from imgkit import geometry
from imgkit.border import source_index
from imgkit.image import Array


def sample_mask(sampling: geometry.Sampling, mask: Array, fill: float) -> Array:
    """Move a mask (H, W) or (H, W, C) by a resolved run."""
    at, cuts = geometry.sampling_positions(sampling._replace(interpolation="nearest"))
    at = np.floor(at + 0.5 + geometry.EXACT).astype(np.int64)  # halfway goes right and down
    top, left, height, width = sampling.window
    border = "constant" if sampling.kind == "move" else sampling.border
    rows = source_index(at[..., 1], height, border)
    columns = source_index(at[..., 0], width, border)
    visible = (rows >= 0) & (columns >= 0)
    rows = source_index(rows + top, mask.shape[0], sampling.pad[0])
    columns = source_index(columns + left, mask.shape[1], sampling.pad[0])
    visible &= (rows >= 0) & (columns >= 0)
    for cover, _ in cuts:
        visible &= cover > 0
    result = mask[rows, columns]
    result[~visible] = fill
    return np.asarray(result)
