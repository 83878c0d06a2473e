"""Which way to convolve: what each route would cost, and the cheapest.

Everything here looks at shapes and taps, never at pixels, so the answers are cached. The
constants of the cost model come from `benchmarks/conv_constants.py`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
import scipy.fft

from imgkit.border import BORDERS
from imgkit.image import Array

Block = tuple[slice, ...]

ROUTES = ("direct", "separable", "low-rank", "shift-add", "fft", "overlap-add")
# cv2.filter2D turns to a DFT at 130 taps of float32 and at 50 of float64
BLOCK = {"float32": 11, "float64": 7}  # sides of a kernel that stays direct
LINE = {"float32": 121, "float64": 49}  # the same for a kernel of one row
BEYOND = ("shift-add", "fft", "overlap-add")  # routes of a kernel that is not laid out
SPARSE = 1 << 20  # positions that a dilated kernel covers; beyond, its taps are added one by one
RANKED = 1 << 20  # bytes of float64 taps; the SVD of 362 x 362 takes a tenth of a second
CHANNELS = 128  # more than that cv2.filter2D refuses
TILES = (  # lengths tried: products of 2, 3 and 5
    *(32, 48, 64, 80, 96, 120, 144, 180, 216, 240, 270, 300, 324, 360, 432, 500, 648, 768),
    *(1000, 1536, 2048, 4096),
)


class Problem(NamedTuple):
    """One correlation, checked and hashable: everything but the pixels.

    `axes` ascend and `taps` (float64 bytes of shape `size`) are in their order and already
    flipped where a true convolution is wanted. `dtype` is the type computed in.
    """

    shape: tuple[int, ...]
    axes: tuple[int, ...]
    taps: bytes
    size: tuple[int, ...]
    mode: str = "same"
    border: str = "constant"
    value: float = 0.0
    stride: tuple[int, ...] = (1, 1)
    dilation: tuple[int, ...] = (1, 1)
    method: str = "auto"
    dtype: str = "float32"


def as_problem(
    shape: tuple[int, ...],
    axes: tuple[int, ...],
    taps: Array,
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> Problem:
    """Return a problem with its axes in ascending order."""
    order = sorted(range(taps.ndim), key=axes.__getitem__)
    taps = taps.transpose(order)
    axes, stride, dilation = (tuple(t[i] for i in order) for t in (axes, stride, dilation))
    return Problem(shape, axes, taps.tobytes(), taps.shape, stride=stride, dilation=dilation)


class Window(NamedTuple):
    """Where the outputs lie on each convolved axis of the image, before `stride`."""

    pixels: tuple[int, ...]  # on the image's axis
    reach: tuple[int, ...]  # pixels that the kernel covers beyond the first
    before: tuple[int, ...]  # border pixels that the first output sees
    outputs: tuple[int, ...]  # positions of the kernel

    @property
    def after(self) -> tuple[int, ...]:
        """Border pixels that the last output sees."""
        sizes = zip(self.outputs, self.reach, self.before, self.pixels, strict=True)
        return tuple(count + reach - before - pixels for count, reach, before, pixels in sizes)

    @property
    def seen(self) -> tuple[int, ...]:
        """Pixels, border included, that the outputs see."""
        return tuple(c + r for c, r in zip(self.outputs, self.reach, strict=True))


class Choice(NamedTuple):
    """The route taken, the predicted milliseconds of every possible one, and the reason."""

    route: str
    costs: dict[str, float]
    why: str


class Costs(NamedTuple):
    """Constants of the cost model, microseconds a call and nanoseconds a pixel."""

    call: float  # one cv2.filter2D
    tap: float  # a tap of a filter2D
    pixel: float  # a pass over pixels that stay in the cache
    far: float  # what a pass costs more where the image outgrows the cache
    shift_call: float  # one shift-and-add
    shift: float  # a pixel of it
    fft_call: float  # transform forth and back, and the product
    fft: float  # a point of both transforms, for each doubling of the length


# The rounding error of a transform is about 2**-24 of the largest value in float32 and 2**-53 in
# float64: what lies in 0..1 is off by 1e-5, or 1e-8, times the norm of the taps.
LIMITS = {"float32": 256.0, "float64": float(1 << 24)}
SPECTRUM_BYTES = 4 << 20  # larger spectra of kernels are computed on every call
CACHE = 1 << 20  # bytes of an image that the second-level cache keeps
# Measured by benchmarks/conv_constants.py.
COSTS = {
    "float32": Costs(3.0, 0.038, 0.11, 0.09, 2.3, 0.27, 17, 0.3),
    "float64": Costs(2.7, 0.12, 0.19, 0.38, 2.2, 0.53, 16, 0.47),
}


def window(p: Problem) -> Window:
    """Resolve the mode to positions."""
    pixels = tuple(p.shape[axis] for axis in p.axes)
    reach = tuple((k - 1) * d for k, d in zip(p.size, p.dilation, strict=True))
    if p.mode == "valid":
        count = tuple(n - r for n, r in zip(pixels, reach, strict=True))
        return Window(pixels, reach, (0,) * len(reach), count)
    if p.mode == "full":
        count = tuple(n + r for n, r in zip(pixels, reach, strict=True))
        return Window(pixels, reach, reach, count)
    return Window(pixels, reach, tuple(r - r // 2 for r in reach), pixels)


def kernel_of(p: Problem) -> Array:
    """Return the taps as they are laid on the image."""
    return np.frombuffer(p.taps).reshape(p.size)


def dilated(taps: Array, dilation: tuple[int, ...]) -> Array:
    """Put dilation - 1 zeros between the taps of each axis."""
    if set(dilation) == {1}:
        return taps
    size = [(k - 1) * d + 1 for k, d in zip(taps.shape, dilation, strict=True)]
    spread = np.zeros(size, taps.dtype)
    spread[tuple(slice(None, None, d) for d in dilation)] = taps
    return spread


def factors(taps: Array, tolerance: float) -> list[list[Array]]:
    """Write a kernel as a sum of outer products of 1-D factors, one list of factors a term.

    A chain of singular value decompositions. What is dropped adds up to at most `tolerance` of
    the sum of the absolute taps, and so does what it changes in any output.
    """
    if taps.ndim == 1:
        return [[taps]]
    rest = taps.reshape(len(taps), -1)
    left, values, right = np.linalg.svd(rest, full_matrices=False)
    enough = tolerance * np.abs(rest).sum()
    terms: list[list[Array]] = []
    for column, value, row in zip(left.T, values, right, strict=True):
        scale = math.sqrt(value)
        inner = (row * scale).reshape(taps.shape[1:])
        terms += [[column * scale, *term] for term in factors(inner, tolerance)]
        rest = rest - np.outer(column * value, row)
        if np.abs(rest).sum() <= enough:
            break
    return terms


def ranked(p: Problem) -> bool:
    """Say whether the kernel's rank is looked for: decomposing a large one takes too long."""
    return len(p.taps) <= RANKED or p.method in ("separable", "low-rank")


@functools.lru_cache(maxsize=4)
def terms_of(p: Problem) -> tuple[tuple[Array, ...], ...]:
    """Return the 1-D factors of a problem's kernel, dilated."""
    # The rounding of taps to float32 is half an eps of them; SVD in float64 is a few dozen off.
    tolerance = float(np.finfo(p.dtype).eps) * (2 if p.dtype == "float32" else 64)
    return tuple(
        tuple(dilated(f, (d,)) for f, d in zip(term, p.dilation, strict=True))
        for term in factors(kernel_of(p), tolerance)
    )


def _sides(rows: int, columns: int, dtype: str) -> tuple[int, int]:
    """Return the sides of the pieces that a kernel of so many rows and columns is cut into."""
    line, block = LINE[dtype], BLOCK[dtype]
    return (1, line) if rows == 1 else (line, 1) if columns == 1 else (block, block)


def count_blocks(p: Problem) -> int:
    """Return the number of `blocks` of a dilated kernel, which is not laid out for it."""
    size = [(k - 1) * d + 1 for k, d in zip(p.size, p.dilation, strict=True)]
    *_, rows, columns = (1, *size)
    steps = (*(1 for _ in size[:-2]), *_sides(rows, columns, p.dtype)[-len(size) :])
    used = kernel_of(p) != 0
    for axis, (d, step) in enumerate(zip(p.dilation, steps, strict=True)):
        block = np.arange(p.size[axis]) * d // step
        used = np.logical_or.reduceat(used, np.flatnonzero(np.diff(block, prepend=-1)), axis)
    return max(1, int(np.count_nonzero(used)))


def blocks(taps: Array, dtype: str) -> Iterator[Block]:
    """Cut a kernel into pieces that cv2.filter2D runs directly, without the empty ones."""
    *depth, rows, columns = (1, *taps.shape) if taps.ndim == 1 else taps.shape
    high, wide = _sides(rows, columns, dtype)
    starts = product(*map(range, depth), range(0, rows, high), range(0, columns, wide))
    for *planes, row, column in starts:
        piece = (slice(row, row + high), slice(column, column + wide))[-taps.ndim :]
        place = (*(slice(d, d + 1) for d in planes), *piece)
        if taps[place].any():
            yield place


def whole(p: Problem) -> bool:
    """Say whether a kernel is small enough for one direct call."""
    sides = sorted(r + 1 for r in window(p).reach)
    if len(sides) == 3:
        return False
    return sides[-1] <= (LINE if len(sides) == 1 or sides[0] == 1 else BLOCK)[p.dtype]


def largest_held(p: Problem, route: str) -> float:
    """Return the largest magnitude that a route keeps where the kernel reaches it.

    A Fourier transform mixes all pixels; OpenCV takes one on long lines, too. The terms of a
    kernel of low rank cancel, but infinities do not.
    """
    lines = route in ("separable", "low-rank") and max(window(p).reach) + 1 > LINE[p.dtype]
    if route in ("fft", "overlap-add") or lines:
        return LIMITS[p.dtype]
    return float(np.finfo(p.dtype).max) if route == "low-rank" else math.inf


def is_sparse(p: Problem) -> bool:
    """Say whether a dilated kernel covers so much that it is not laid out, nor the border."""
    return max(p.dilation) > 1 and math.prod(r + 1 for r in window(p).reach) > SPARSE


def native(p: Problem) -> bool:
    """Say whether OpenCV's own border gives the result, without extending the image."""
    own = p.border != "wrap" and (p.border != "constant" or p.value == 0)
    return p.mode == "same" and own


def cv2_border(p: Problem) -> int:
    """Return OpenCV's word for the border; constant where the border is laid by hand."""
    return BORDERS[p.border].cv2 if native(p) else 0


def zero_border(p: Problem) -> bool:
    """Return whether pixels beyond the image are 0, or none are read."""
    return p.mode == "valid" or (p.border == "constant" and p.value == 0)


def fft_lengths(p: Problem) -> tuple[int, ...]:
    """Return the shortest fast transforms whose wrapped-around part is never looked at."""
    w = window(p)
    if not zero_border(p):
        return tuple(scipy.fft.next_fast_len(n, real=True) for n in w.seen)
    needed = []
    for pixels, reach, before, count in zip(*w, strict=True):
        start = reach - before  # of the outputs, in the full convolution
        needed.append(max(pixels + reach - start, start + count))
    return tuple(scipy.fft.next_fast_len(n, real=True) for n in needed)


def tile_lengths(p: Problem) -> tuple[int, ...]:
    """Return the transform lengths of the tiles that make overlap-add cheapest."""
    w = window(p)
    source = w.pixels if zero_border(p) else w.seen
    whole = [
        scipy.fft.next_fast_len(n + r, real=True) for n, r in zip(source, w.reach, strict=True)
    ]
    least = [scipy.fft.next_fast_len(2 * r + 1, real=True) for r in w.reach]

    def tiles(length: int) -> tuple[int, ...]:
        return tuple(min(n, max(length, low)) for n, low in zip(whole, least, strict=True))

    return min((tiles(length) for length in TILES), key=lambda tile: _tiled(p, tile))


def predict(p: Problem) -> dict[str, float]:
    """Return the predicted milliseconds of every route that can run the problem."""
    w, c, others = window(p), COSTS[p.dtype], _others(p)
    seen = others * math.prod(w.pixels if native(p) else w.seen)
    each = c.pixel + (c.far if seen * _bytes(p) > CACHE else 0.0)
    border = 0.0 if native(p) or p.mode == "valid" else seen * each / 1e6
    used = max(1, int(np.count_nonzero(kernel_of(p))))  # no route is free, not that of zeros
    images = max(1, math.prod(p.shape[: p.axes[0]]))
    pieces = count_blocks(p)
    planes = images * (w.outputs[0] if len(w.outputs) == 3 else 1)
    costs = {
        "direct": border
        + (pieces * planes * c.call * 1e3 + seen * (used * c.tap + (2 * pieces - 1) * each)) / 1e6
    }
    if ranked(p):
        costs |= _by_axes(p, seen, each, border)
    kept = others * math.prod(-(-n // s) for n, s in zip(w.outputs, p.stride, strict=True))
    border = 0.0 if p.mode == "valid" else seen * each / 1e6
    costs["shift-add"] = border + used * (c.shift_call * 1e3 + kept * (c.shift + each)) / 1e6
    border = 0.0 if zero_border(p) else seen * each / 1e6
    costs["fft"] = border + _transformed(p, fft_lengths(p))
    costs["overlap-add"] = border + _tiled(p, tile_lengths(p))
    return costs


def _by_axes(p: Problem, seen: int, each: float, border: float) -> dict[str, float]:
    """Milliseconds of one pass an axis for each term of the kernel."""
    terms, c = terms_of(p), COSTS[p.dtype]
    calls = max(1, math.prod(p.shape[: p.axes[0]])) * sum(map(len, terms))
    taps = sum(int(np.count_nonzero(factor)) for term in terms for factor in term)
    passes = sum(map(len, terms)) + len(terms) - 1  # the terms are added up
    cost = border + (calls * c.call * 1e3 + seen * (taps * c.tap + passes * each)) / 1e6
    return {"separable" if len(terms) == 1 else "low-rank": cost}


def keeps_spectrum(p: Problem, lengths: tuple[int, ...]) -> bool:
    """Say whether the kernel's transform of these lengths is small enough to be remembered."""
    return math.prod(lengths) * _bytes(p) <= SPECTRUM_BYTES


def _transformed(p: Problem, lengths: tuple[int, ...]) -> float:
    """Milliseconds of a transform forth and back, and of the kernel's own if it is not kept."""
    c, points, each = COSTS[p.dtype], math.prod(lengths), _others(p)
    passes = 4 * c.far if each * points * _bytes(p) > CACHE else 0.0
    images = each if keeps_spectrum(p, lengths) else each + 0.5
    return (c.fft_call * 1e3 + images * points * (math.log2(points + 1) * c.fft + passes)) / 1e6


def _tiled(p: Problem, lengths: tuple[int, ...]) -> float:
    """Milliseconds of overlap-add with transforms of these lengths."""
    w, c, others = window(p), COSTS[p.dtype], _others(p)
    source = w.pixels if zero_border(p) else w.seen
    steps = [length - r for length, r in zip(lengths, w.reach, strict=True)]
    count = math.prod(-(-n // s) for n, s in zip(source, steps, strict=True))
    added = others * (count * math.prod(lengths) * c.pixel + math.prod(source) * c.far)
    return count * _transformed(p, lengths) + added / 1e6


def _bytes(p: Problem) -> int:
    """Bytes of a value."""
    return 8 if p.dtype == "float64" else 4


def _others(p: Problem) -> int:
    """Values on the axes that are not convolved: images times channels."""
    return math.prod(n for axis, n in enumerate(p.shape) if axis not in p.axes)


def choose(p: Problem) -> Choice:
    """Return the route of a problem: the named one, or the cheapest."""
    costs = predict(p)
    if p.method != "auto":
        return Choice(p.method, costs, f"method is {p.method!r}")
    possible = {name: costs[name] for name in BEYOND} if is_sparse(p) else costs
    route = min(possible, key=possible.__getitem__)
    size = " x ".join(map(str, p.size))
    rank = f"a kernel of {size} taps" + (f" and rank {len(terms_of(p))}" if ranked(p) else "")
    second = sorted(possible, key=possible.__getitem__)[1]
    return Choice(
        route,
        costs,
        f"{rank}: {route} is predicted {costs[second] / costs[route]:.2g} times "
        f"as fast as {second}",
    )
