"""Named kernels, written as the 1-D factors they are made of.

Kernels are given as correlation templates: laid on the image as printed, a rising ramp to the
right answers a positive `sobel_x`. `convolve` flips its kernel, so it answers with the other
sign; `correlate` does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from imgkit.image import check_int, check_number, nearest

Array = npt.NDArray[Any]

DIFFERENCE = (-1.0, 0.0, 1.0)
SMOOTH = {"prewitt": (1.0, 1.0, 1.0), "sobel": (1.0, 2.0, 1.0), "scharr": (3.0, 10.0, 3.0)}
LAPLACIAN = {
    4: ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0)),
    8: ((1.0, 1.0, 1.0), (1.0, -8.0, 1.0), (1.0, 1.0, 1.0)),
}
SHARPEN = ((0.0, -1.0, 0.0), (-1.0, 5.0, -1.0), (0.0, -1.0, 0.0))
EMBOSS = ((-2.0, -1.0, 0.0), (-1.0, 1.0, 1.0), (0.0, 1.0, 2.0))
ROBERTS = {"roberts_x": ((1.0, 0.0), (0.0, -1.0)), "roberts_y": ((0.0, 1.0), (-1.0, 0.0))}


def gaussian_taps(sigma: float, size: int | None = None) -> Array:
    """Return the taps of a 1-D Gaussian that sum to 1; `size` defaults to ±4 sigma."""
    radius = int(4.0 * sigma + 0.5) if size is None else None
    length = 2 * radius + 1 if radius is not None else int(size or 1)
    position = np.arange(length) - (length - 1) / 2
    if sigma == 0:
        taps = (np.abs(position) < 1).astype(float)
    else:
        taps = np.exp(-0.5 * (position / sigma) ** 2)
    return taps / taps.sum()
