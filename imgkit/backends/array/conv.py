"""Convolution of NumPy arrays: six routes to the same numbers.

All work on ``(B, *S, C)``: images, the convolved axes, and what lies behind them. Where OpenCV's
own border does not serve, the image is extended first, and the outputs are those at which the
kernel lies inside it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import cv2
import numpy as np
import scipy.fft

from imgkit.backends.array.primitives.conv_routes import (
    CHANNELS,
    Choice,
    Problem,
    as_problem,
    blocks,
    choose,
    cv2_border,
    dilated,
    fft_lengths,
    is_sparse,
    keeps_spectrum,
    kernel_of,
    largest_held,
    native,
    terms_of,
    tile_lengths,
    whole,
    window,
    zero_border,
)
from imgkit.backends.array.primitives.magnitudes import by_magnitude, is_held
from imgkit.border import source_index
from imgkit.image import Array

Run = Callable[[Array], Array]
Guarded = Callable[[Array, "np.dtype[Any]"], Array]  # image, the dtype that it was given in
Filter = Callable[[Array, Sequence[int], int], Array]  # image, anchor on each axis, cv2 border


def explain(problem: Problem) -> Choice:
    """Return which route `prepare` takes."""
    return choose(problem)


def prepare(p: Problem) -> Run:
    """Return the function of the array that runs a problem; it keeps no pixels."""
    counts = tuple(-(-n // s) for n, s in zip(window(p).outputs, p.stride, strict=True))
    first, last = p.axes[0], p.axes[-1]
    if math.prod(p.shape) == 0:
        result = list(p.shape)
        for axis, count in zip(p.axes, counts, strict=True):
            result[axis] = count
        return lambda x: np.zeros(result, p.dtype)
    name = choose(p).route
    if _is_plain(p, name):
        return _plain(p, name)
    route = _guarded(p, name)
    if last - first + 1 == len(p.axes):
        before, behind = p.shape[:first], p.shape[last + 1 :]
        folded = (-1, *p.shape[first : last + 1], math.prod(behind))
        unfolded = (*before, *counts, *behind)

        def run(x: Array) -> Array:
            y = np.ascontiguousarray(x, p.dtype).reshape(folded)
            return np.ascontiguousarray(route(y, x.dtype)).reshape(unfolded)

        return run
    return _apart(p, route, counts)


def _guarded(p: Problem, name: str) -> Guarded:
    """Return a route that looks at the values first, where it would spread them."""
    route = ROUTES[name](p)
    limit = largest_held(p, name)
    if limit == math.inf:
        return lambda y, source: route(y)

    def run(y: Array, source: np.dtype[Any]) -> Array:
        if is_held(y, source, p, limit):
            return route(y)
        return by_magnitude(p, extend(y, p), _fastest)

    return run


def _fastest(p: Problem) -> Run:
    """Return the cheapest route, which does not look at the values."""
    return ROUTES[choose(p).route](p)


def _apart(p: Problem, route: Guarded, counts: tuple[int, ...]) -> Run:
    """Bring axes that do not lie side by side to the end, and back."""
    moved = tuple(range(-len(p.axes), 0))
    rest = [n for axis, n in enumerate(p.shape) if axis not in p.axes]
    folded = (-1, *window(p).pixels, 1)

    def run(x: Array) -> Array:
        y = np.ascontiguousarray(np.moveaxis(x, p.axes, moved), p.dtype)
        found = route(y.reshape(folded), x.dtype)
        return np.moveaxis(found.reshape(*rest, *counts), moved, p.axes)

    return run


def _is_plain(p: Problem, route: str) -> bool:
    """Return whether cv2.filter2D alone suffices, called once or once for each axis."""
    planes = len(p.shape) == 2 or (len(p.shape) == 3 and 2 <= p.shape[2] <= CHANNELS)
    once = route == "separable" or (route == "direct" and whole(p))
    simple = planes and once and native(p) and set(p.stride) == {1}
    return p.axes == (0, 1) and simple and largest_held(p, route) == math.inf


def _plain(p: Problem, route: str) -> Run:
    """Return the shortest path: the calls of a small image cost as much as its pixels."""
    (down, across), border, dtype = window(p).before, cv2_border(p), np.dtype(p.dtype)
    if route == "direct":
        taps, anchor = dilated(kernel_of(p), p.dilation).astype(dtype), (across, down)

        def once(x: Array) -> Array:
            y = np.ascontiguousarray(x, dtype)
            out: Array = cv2.filter2D(y, -1, taps, None, anchor, 0, border)
            return out

        return once
    column, row = (factor.astype(dtype) for factor in terms_of(p)[0])

    def twice(x: Array) -> Array:
        y = np.ascontiguousarray(x, dtype)
        y = cv2.filter2D(y, -1, row[None], None, (across, 0), 0, border)
        return np.asarray(cv2.filter2D(y, -1, column[:, None], None, (0, down), 0, border))

    return twice


# --- routes -----------------------------------------------------------------------------


def extend(y: Array, p: Problem) -> Array:
    """Continue the convolved axes of ``(B, *S, C)`` by the border, as far as the outputs see."""
    w = window(p)
    if p.mode == "valid":
        return y
    shape = (len(y), *w.seen, y.shape[-1])
    inside = tuple(slice(b, b + n) for b, n in zip(w.before, w.pixels, strict=True))
    extended = (
        np.full(shape, p.value, y.dtype)
        if p.border == "constant"
        else np.empty_like(y, shape=shape)
    )
    extended[(slice(None), *inside)] = y
    if p.border != "constant":
        for axis, (before, after, pixels) in enumerate(
            zip(w.before, w.after, w.pixels, strict=True)
        ):
            _continue(extended, axis + 1, before, after, pixels, p.border)
    return extended


def _continue(
    extended: Array, axis: int, before: int, after: int, pixels: int, border: str
) -> None:
    """Fill the two ends of one axis, whose middle holds the image."""
    for start, stop in ((-before, 0), (pixels, pixels + after)):
        index = source_index(np.arange(start, stop), pixels, border) + before
        end = (slice(None),) * axis + (slice(start + before, stop + before),)
        extended[end] = np.take(extended, index, axis)


def _filter2d(images: Array, taps: Array, anchor: Sequence[int], border: int) -> Array:
    """Correlate every plane of ``(B, H, W, C)``; `anchor` is (row, column)."""
    out = np.empty(images.shape, images.dtype)
    at = (anchor[1], anchor[0])
    for source, target in zip(images, out, strict=True):
        if images.shape[-1] <= CHANNELS:
            cv2.filter2D(source, -1, taps, target, at, 0, border)
            continue
        for c in range(0, images.shape[-1], CHANNELS):
            pixels = np.ascontiguousarray(source[..., c : c + CHANNELS])
            shape = target[..., c : c + CHANNELS].shape
            filtered = cv2.filter2D(pixels, -1, taps, None, at, 0, border)
            target[..., c : c + CHANNELS] = filtered.reshape(shape)
    return out


def _along(y: Array, taps: Array, axis: int, anchor: int, border: int) -> Array:
    """Correlate one axis of an array of any shape with 1-D taps."""
    before, trail = math.prod(y.shape[:axis]), math.prod(y.shape[axis + 1 :])
    if trail <= CHANNELS:
        images = y.reshape(1, before, y.shape[axis], trail)
        filtered = _filter2d(images, taps[None], (0, anchor), border)
    else:
        images = y.reshape(before, y.shape[axis], trail, 1)
        filtered = _filter2d(images, taps[:, None], (anchor, 0), border)
    return filtered.reshape(y.shape)


def _laid(p: Problem, same_size: Filter) -> Run:
    """Run a filter that keeps the size on the image, or on the extended image and cut it."""
    w = window(p)
    keep = (slice(None), *(slice(0, n, s) for n, s in zip(w.outputs, p.stride, strict=True)))
    if native(p):
        return lambda y: same_size(y, w.before, cv2_border(p))[keep]
    corner = (0,) * len(w.outputs)
    return lambda y: same_size(extend(y, p), corner, 0)[keep]


# --- routes -----------------------------------------------------------------------------


def _direct(p: Problem) -> Run:
    """Multiply and add every tap, in blocks so small that OpenCV does not take a DFT."""
    if is_sparse(p):
        return _shift_add(p)
    taps = dilated(kernel_of(p), p.dilation).astype(p.dtype)
    if whole(p):
        if taps.ndim == 1:
            return _laid(p, lambda y, anchor, border: _along(y, taps, 1, anchor[0], border))
        return _laid(p, lambda y, anchor, border: _filter2d(y, taps, anchor, border))
    fragments = [(block, np.ascontiguousarray(taps[block])) for block in blocks(taps, p.dtype)]
    count = window(p).outputs
    keep = (slice(None), *(slice(None, None, s) for s in p.stride))

    def run(y: Array) -> Array:
        extended = extend(y, p)
        total = np.zeros((len(y), *count, y.shape[-1]), y.dtype)
        for block, fragment in fragments:
            window = [
                slice(b.start, b.start + n + k - 1)
                for b, n, k in zip(block, count, fragment.shape, strict=True)
            ]
            total += _inside(extended[(slice(None), *window)], fragment)
        return total[keep]

    return run


def _inside(y: Array, taps: Array) -> Array:
    """Correlate ``(B, *S, C)`` where the taps lie inside; of three axes the first has one tap."""
    if taps.ndim == 1:
        return _along(y, taps, 1, 0, 0)[:, : y.shape[1] - len(taps) + 1]
    planes = y.reshape(-1, *y.shape[-3:])
    rows, columns = (n - k + 1 for n, k in zip(y.shape[-3:-1], taps.shape[-2:], strict=True))
    filtered = _filter2d(planes, taps.reshape(taps.shape[-2:]), (0, 0), 0)
    return filtered.reshape(y.shape)[..., :rows, :columns, :]


def _separable(p: Problem) -> Run:
    """Correlate one axis after the other; a kernel of rank r is the sum of r such."""
    if is_sparse(p):
        return _shift_add(p)
    terms = [[factor.astype(p.dtype) for factor in term] for term in terms_of(p)]

    def same_size(y: Array, anchor: Sequence[int], border: int) -> Array:
        total: Array | None = None
        for term in terms:
            product = y
            for axis, taps in enumerate(term):
                product = _along(product, taps, axis + 1, anchor[axis], border)
            total = product if total is None else np.add(total, product, out=total)
        assert total is not None
        return total

    return _laid(p, same_size)


def _shift_add(p: Problem) -> Run:
    """Add the shifted image once for each tap that is not 0; positions out of step cost nothing."""
    taps, w = kernel_of(p), window(p)
    counts = [-(-n // s) for n, s in zip(w.outputs, p.stride, strict=True)]
    shifts = [tuple(int(i) for i in index) for index in np.argwhere(taps)]
    shifted = _looked_up if is_sparse(p) else _sliced

    def run(y: Array) -> Array:
        shift_of = shifted(p, y)
        total = np.zeros((len(y), *counts, y.shape[-1]), y.dtype)
        product_ = np.empty_like(total)
        for shift in shifts:
            starts = [i * d for i, d in zip(shift, p.dilation, strict=True)]
            np.multiply(shift_of(starts), y.dtype.type(taps[shift]), out=product_)
            total += product_
        return total

    return run


def _sliced(p: Problem, y: Array) -> Callable[[list[int]], Array]:
    """Return the function that cuts a shifted image out of the extended one."""
    w, extended = window(p), extend(y, p)

    def shift(starts: list[int]) -> Array:
        spans = zip(starts, w.outputs, p.stride, strict=True)
        return extended[(slice(None), *(slice(a, a + n, s) for a, n, s in spans))]

    return shift


def _looked_up(p: Problem, y: Array) -> Callable[[list[int]], Array]:
    """Return the function that gathers a shifted image; the border would take too much memory."""
    w = window(p)

    def shift(starts: list[int]) -> Array:
        image = y
        spans = zip(starts, w.before, w.outputs, p.stride, w.pixels, strict=True)
        for axis, (start, before, count, step, pixels) in enumerate(spans, 1):
            index = source_index(np.arange(0, count, step) + start - before, pixels, p.border)
            image = np.take(image, np.maximum(index, 0), axis)
            image[(slice(None),) * axis + (index < 0,)] = p.value
        return image

    return shift


def _spectrum(p: Problem, lengths: tuple[int, ...]) -> Array:
    """Transform of the kernel, as ``(1, *lengths, 1)``."""
    taps = dilated(kernel_of(p), p.dilation)
    flipped = taps[(slice(None, None, -1),) * taps.ndim]
    # In float64 for every dtype: a rounded kernel would change every pixel.
    spectrum = scipy.fft.rfftn(flipped, lengths)[None, ..., None]
    return np.asarray(spectrum.astype(np.result_type(p.dtype, np.complex64), copy=False))


_kept_spectrum = functools.lru_cache(maxsize=16)(_spectrum)


def _multiplied(p: Problem, lengths: tuple[int, ...]) -> Run:
    """Return the full convolution of ``(B, *S, C)`` by transforms of these lengths."""
    axes = tuple(range(1, len(lengths) + 1))
    spectrum = _kept_spectrum if keeps_spectrum(p, lengths) else _spectrum

    def run(y: Array) -> Array:
        transformed = scipy.fft.rfftn(y, lengths, axes)
        transformed *= spectrum(p, lengths)
        return np.asarray(scipy.fft.irfftn(transformed, lengths, axes, overwrite_x=True))

    return run


def _cut(p: Problem) -> tuple[slice, ...]:
    """Where the outputs lie in the full convolution of the image or of the extended image."""
    w = window(p)
    before = w.before if zero_border(p) else (0,) * len(w.before)
    starts = [r - b for r, b in zip(w.reach, before, strict=True)]
    spans = zip(starts, w.outputs, p.stride, strict=True)
    return (slice(None), *(slice(start, start + n, s) for start, n, s in spans))


def _fft(p: Problem) -> Run:
    """Multiply in the frequency domain, all at once."""
    convolved, cut, bare = _multiplied(p, fft_lengths(p)), _cut(p), zero_border(p)
    return lambda y: convolved(y if bare else extend(y, p))[cut]


def _overlap_add(p: Problem) -> Run:
    """Multiply in the frequency domain tile by tile, and add the tails."""
    lengths, reach, cut = tile_lengths(p), window(p).reach, _cut(p)
    convolved = _multiplied(p, lengths)
    steps = [length - r for length, r in zip(lengths, reach, strict=True)]

    def run(y: Array) -> Array:
        source = y if zero_border(p) else extend(y, p)
        pixels = source.shape[1:-1]
        ends = [n + r for n, r in zip(pixels, reach, strict=True)]
        total = np.zeros((len(y), *ends, y.shape[-1]), y.dtype)
        for starts in product(*map(range, [0] * len(steps), pixels, steps)):
            tile = [slice(a, a + s) for a, s in zip(starts, steps, strict=True)]
            tails = [slice(a, a + n) for a, n in zip(starts, lengths, strict=True)]
            target = total[(slice(None), *tails)]
            target += convolved(source[(slice(None), *tile)])[tuple(map(slice, target.shape))]
        return total[cut]

    return run


__all__ = ["as_problem", "explain", "prepare"]

ROUTES: dict[str, Callable[[Problem], Run]] = {
    "direct": _direct,
    "separable": _separable,
    "low-rank": _separable,
    "shift-add": _shift_add,
    "fft": _fft,
    "overlap-add": _overlap_add,
}
