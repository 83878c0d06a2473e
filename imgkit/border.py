"""What lies beyond an image: five borders, how far filters see of them, how much they keep.

The words are NumPy's. For a row ``a b c d``::

    constant   v v v | a b c d | v v v     a given value
    edge       a a a | a b c d | d d d     the last pixel again
    reflect    d c b | a b c d | c b a     mirrored, the edge pixel not repeated
    symmetric  c b a | a b c d | d c b     mirrored, the edge pixel repeated
    wrap       b c d | a b c d | a b c     from the other side

The value of a constant border is in the image's own units. It is a pixel of the image: within
the range of its dtype, and of integers rounded to a level. Filters take one number, resampling
also one per channel. Convolution alone computes with it, in floats: there it is any number.

A filter's window may be larger than the image, but reaches at most `REACH` pixels to each side;
what takes time for every pixel of its window sets less.

`MODES` says at which positions a convolution is kept: where the kernel lies inside the image,
at every pixel, or wherever it touches the image.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from imgkit.checks import check_choice, check_number, printable
from imgkit.image import Array, dtype_name, full_range

MODES = ("valid", "same", "full")
REACH = 4096  # pixels: larger windows are slips, such as a sigma in the wrong unit


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


# Other libraries' words for the borders, in small letters and digits alone.
_OTHER_WORDS = {
    "constant": "zeros zero fill gridconstant borderconstant",
    "edge": "replicate nearest clamp border borderreplicate",
    "reflect": "mirror reflect101 borderreflect101 borderdefault",
    "symmetric": "gridmirror reflection borderreflect",
    "wrap": "circular gridwrap periodic borderwrap",
}
SYNONYMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {word: (ours,) for ours, words in _OTHER_WORDS.items() for word in words.split()}
    | {str(names.cv2): (ours,) for ours, names in BORDERS.items()}
)


def check_border(border: Any, value: Any, dtype: Any) -> tuple[str, float]:
    """Return a border word and the value of a constant border of an image of this dtype."""
    return check_border_word(border), check_value(value, dtype)


def check_border_word(border: Any, name: str = "border") -> str:
    """Return a border word; one of another library is answered with ours.

    >>> check_border_word("replicate")
    Traceback (most recent call last):
    ValueError: border is 'replicate': did you mean 'edge'? Known: constant, edge, reflect, ...
    """
    return check_choice(border, name, BORDERS, SYNONYMS)


def check_value(value: Any, dtype: Any, name: str = "value") -> float:
    """Return a pixel of an image of this dtype."""
    number, top = check_number(value, name), full_range(dtype)
    if top == 1:
        return number
    if not 0 <= number <= top:
        raise ValueError(f"{name} is {value!r}: a {dtype_name(dtype)} image holds 0 to {top:.0f}")
    return float(np.rint(number))


def check_values(value: Any, count: int, dtype: Any) -> Array:
    """Return the pixel (C,) of a constant border from one number, or one per channel."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if not isinstance(value, (list, tuple)):
        return np.full(count, check_value(value, dtype))
    if len(value) != count:
        raise ValueError(
            f"value is {printable(value)}: give one number, or {count}, one per channel"
        )
    return np.array([check_value(v, dtype, f"value[{i}]") for i, v in enumerate(value)])


def check_reach(reach: float, name: str, value: Any, most: int = REACH) -> None:
    """Raise for a window that reaches too far; `value` is the argument that makes it."""
    if reach > most:
        raise ValueError(
            f"{name} is {printable(value)}: its window reaches {reach:.4g} pixels to each side, "
            f"{most} at most; resize the image to use a smaller one"
        )


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
