"""Moves masks pixel by pixel, each from the one source pixel nearest to where it maps back to."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from imgkit import geometry
from imgkit.border import source_index

Array = npt.NDArray[Any]


def sample_mask(how: geometry.Sampling, mask: Array, fill: float) -> Array:
    """Move a mask (H, W) or (H, W, C) as a resolved run says."""
    at, cuts = geometry.sampling_positions(how._replace(interpolation="nearest"))
    at = np.floor(at + 0.5 + geometry.EXACT).astype(np.int64)  # halfway goes right and down
    top, left, height, width = how.window
    border = "constant" if how.kind == "move" else how.border
    rows = source_index(at[..., 1], height, border)
    columns = source_index(at[..., 0], width, border)
    visible = (rows >= 0) & (columns >= 0)
    rows = source_index(rows + top, mask.shape[0], how.pad[0])
    columns = source_index(columns + left, mask.shape[1], how.pad[0])
    visible &= (rows >= 0) & (columns >= 0)
    for cover, _ in cuts:
        visible &= cover > 0
    result = mask[rows, columns]
    result[~visible] = fill
    return np.asarray(result)
