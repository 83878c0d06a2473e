"""Five border words, and what NumPy, SciPy, OpenCV and torch call them.

The words are NumPy's. For a row ``a b c d``::

    constant   v v v | a b c d | v v v     a given value
    edge       a a a | a b c d | d d d     the last pixel again
    reflect    d c b | a b c d | c b a     mirrored, the edge pixel not repeated
    symmetric  c b a | a b c d | d c b     mirrored, the edge pixel repeated
    wrap       b c d | a b c d | a b c     from the other side
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit.image import check_choice, check_number, dtype_name, full_range

Array = npt.NDArray[Any]


class Names(NamedTuple):
    """One border in the words of each library (None: the library lacks it)."""

    numpy: str
    ndimage: str  # scipy.ndimage calls symmetric "reflect", and its warps need "grid-wrap"
    cv2: int  # cv2.BORDER_*; BORDER_WRAP is refused by its filters
    torch: str | None


BORDERS: dict[str, Names] = {
    "constant": Names("constant", "constant", 0, "constant"),
    "edge": Names("edge", "nearest", 1, "replicate"),
    "reflect": Names("reflect", "mirror", 4, "reflect"),
    "symmetric": Names("symmetric", "reflect", 2, None),
    "wrap": Names("wrap", "grid-wrap", 3, "circular"),
}


def check_border(border: Any, value: Any, dtype: Any) -> tuple[str, float]:
    """Return a border word and the value of a constant border, which `dtype` must hold."""
    check_choice(border, "border", BORDERS)
    number = check_number(value, "value")
    top = full_range(dtype)
    if top > 1 and (not number.is_integer() or not 0 <= number <= top):
        raise ValueError(
            f"value is {value!r}: a {dtype_name(dtype)} image holds integers 0 to {top:.0f}"
        )
    return border, number


def source_index(position: Array, size: int, border: str) -> Array:
    """Map positions on an endless axis to the pixels that a border shows there.

    Args:
        position: integers, any shape; 0 is the first pixel.
        size: pixels on the axis, at least 1.
        border: one of `BORDERS`.

    Returns:
        Indices in 0..size-1, and -1 where a constant border shows its value.

    >>> source_index(np.arange(-3, 7), 4, "reflect").tolist()
    [3, 2, 1, 0, 1, 2, 3, 2, 1, 0]
    """
    position = np.asarray(position)
    if border == "constant":
        return np.where((position >= 0) & (position < size), position, -1)
    if border == "edge":
        return np.clip(position, 0, size - 1)
    if border == "wrap":
        return position % size
    if border == "symmetric":
        folded = position % (2 * size)
        return np.minimum(folded, 2 * size - 1 - folded)
    if size == 1:  # reflect around a single pixel shows that pixel
        return np.zeros_like(position)
    folded = position % (2 * size - 2)
    return np.minimum(folded, 2 * size - 2 - folded)
