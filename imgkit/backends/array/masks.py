"""Moves masks, of any dtype, and pulls predictions back to the source image.

Nearest sampling copies whole pixels, so a dtype that images do not have travels as lanes of
uint8 or uint16: one route, OpenCV's, moves bool, int64 and float masks bit by bit.
"""

from __future__ import annotations

import numpy as np

from imgkit import geometry
from imgkit.backends.array.plan_resample import sample_map
from imgkit.backends.array.primitives.sampling import gather
from imgkit.image import Array, full_range


def sample_mask(sampling: geometry.Sampling, mask: Array, fill: float) -> Array:
    """Move a mask (H, W) or (H, W, C) by a resolved run; `fill` is a value of the mask."""
    channels = mask[..., None] if mask.ndim == 2 else mask
    lanes, value = (
        _as_lanes(channels),
        _as_lanes(np.full(channels.shape[-1], fill, mask.dtype)),
    )
    moved = sample_map(nearest(sampling, value), lanes, lanes.dtype, False)
    result = np.ascontiguousarray(moved).view(mask.dtype)
    return result[..., 0] if mask.ndim == 2 else result


def _as_lanes(values: Array) -> Array:
    """View the last axis as uint8 or uint16."""
    lane = np.uint8 if values.dtype.itemsize == 1 else np.uint16
    return np.ascontiguousarray(values).view(lane)


def nearest(sampling: geometry.Sampling, fill: Array) -> geometry.Sampling:
    """Return the run with nearest sampling and another fill, in the units of its dtype."""
    fractions = tuple((fill / full_range(fill.dtype)).tolist())
    return sampling._replace(
        pad=(sampling.pad[0], fractions),
        fill=fractions,
        interpolation="nearest",
        antialias=False,
        canvases=tuple(canvas._replace(fill=fractions) for canvas in sampling.canvases),
        links=tuple(
            link._replace(canvas=link.canvas and link.canvas._replace(fill=fractions))
            for link in sampling.links
        ),
    )


def pull(image: Array, at: Array, inside: Array, interpolation: str, fill: float) -> Array:
    """Read an image (H, W[, C]) at positions (h, w, 2); where not `inside`, `fill`."""
    channels = image[..., None] if image.ndim == 2 else image
    at = np.where(inside[..., None], at, 0.0)
    result = gather(
        channels, lambda row, rows: at[row : row + rows], inside.shape, interpolation, "edge",
        np.zeros(channels.shape[-1]),
    )  # fmt: skip
    result[~inside] = fill
    return result[..., 0] if image.ndim == 2 else result
