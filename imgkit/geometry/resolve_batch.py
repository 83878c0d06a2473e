"""A run of geometric steps, resolved for all N samples at once: `resolve` in arrays.

Masks over the samples say which steps change a sample, where its leading moves end and which
canvases cut it, so that no number is multiplied or inverted sample by sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from imgkit.border import BORDERS
from imgkit.geometry.local_scale import antialias_sigmas, jacobian
from imgkit.geometry.matrix import EXACT, apply, products, translation
from imgkit.geometry.matrix import inverses as invert
from imgkit.image import Array
from imgkit.stages import GeometricStep, Size, batched

KINDS = ("move", "resize", "warp", "field")
MOVE, RESIZE, WARP, FIELD = range(4)
CODES = {name: code for code, name in enumerate(BORDERS)}
CONSTANT, EDGE = CODES["constant"], CODES["edge"]
ENDLESS = 2.0**40  # the size of a canvas that cuts nothing


class Maps(NamedTuple):
    """The numbers of `geometry.Sampling` for N samples.

    `first` is the step that each sample's matrices begin with (-1 in moves), `rest` (N, steps)
    the steps behind its leading moves. `canvases` (N, M, 3, 3) of `canvas_sizes` (N, M, 2) cut
    where `cuts` (N, M); M counts the steps, whose fills they show.
    """

    kind: Array  # (N,)
    window: Array  # (N, 4) top, left, height, width
    pad: Array  # (N,) border codes
    pad_fill: Array  # (N, C)
    matrix: Array  # (N, 3, 3)
    out_size: Array  # (N, 2)
    border: Array  # (N,)
    fill: Array  # (N, C)
    interpolation: str
    antialias: Array  # (N,)
    canvases: Array
    canvas_sizes: Array
    cuts: Array
    canvas_fills: Array  # (M, C)
    resized: Array  # (N, 2)
    move: Array  # (N, 3, 3)
    entering: Array  # (N, 3, 3), window to the canvas that `first` reads
    rest: Array


def resolve_batch(steps: Sequence[GeometricStep], samples: int, channels: int) -> Maps:
    """Resolve a run of steps; `geometry.resolve` gives the same numbers sample by sample."""
    sizes_in = [_sizes(step.in_size, samples) for step in steps]
    sizes_out = [_sizes(step.out_size, samples) for step in steps]
    idle: Array = np.stack(
        [_is_idle(*v) for v in zip(steps, sizes_in, sizes_out, strict=True)], axis=1
    )
    start, leading, window, padded, led = _leading_moves(steps, idle, sizes_in, sizes_out)
    rest = ~idle & (np.arange(len(steps)) >= start[:, None])
    moves_only = np.asarray(~rest.any(axis=1))
    first = np.where(moves_only, -1, rest.argmax(axis=1))
    last = len(steps) - 1 - rest[:, ::-1].argmax(axis=1)
    everyone = np.arange(samples)
    turned = np.where((leading[:, 0, 0] != 0)[:, None], window[:, 2:], window[:, :1:-1])
    out_size = np.where(moves_only[:, None], turned, np.stack(sizes_out, axis=1)[everyone, last])
    for place, step in enumerate(steps):
        if step.kind == "resize" and step.window is not None:
            mine = first == place
            window = np.where(
                mine[:, None],
                _resize_window(batched(step.window), leading, led, window),
                window,
            )
    entering = leading @ _shift(window)
    fills = np.stack([np.broadcast_to(step.fill, (channels,)) for step in steps])
    cut, backs, product = _canvases(steps, rest, first, sizes_in, out_size)
    starts_resized = _of_first(first, [step.kind == "resize" for step in steps], False)
    border = np.where(
        starts_resized, EDGE, _of_first(first, [CODES[step.border] for step in steps], 0)
    )
    fill = np.where(moves_only[:, None], 0.0, fills[first])
    bent = (rest & np.array([step.matrix is None for step in steps])).any(axis=1)
    flat = ~bent & ~moves_only
    border, fill, cut = _window_cuts(steps, rest, first, cut, window, sizes_in, sizes_out,
                                     starts_resized & flat, border, fill, fills)  # fmt: skip
    matrix = products(products(product, leading), _shift(window))
    matrix[bent] = np.eye(3)
    resized, move, is_resize = _as_resize(steps, rest, first, entering, window, sizes_out)
    is_resize &= starts_resized & flat & (border == EDGE) & ~cut.any(axis=1)
    kind = np.select([moves_only, bent, is_resize], [MOVE, FIELD, RESIZE], WARP)
    sampled = np.array([step.kind != "move" for step in steps])
    smooth = (rest & sampled & np.array([step.antialias for step in steps])).any(axis=1)
    words = [step.interpolation for step in steps if step.kind != "move"]
    pad = np.where(padded < 0, CONSTANT, np.array([CODES[step.border] for step in steps])[padded])
    pad_fill = np.where((padded < 0)[:, None], 0.0, fills[padded])
    return Maps(kind, window, pad, pad_fill, matrix, out_size, border, fill,
                words[0] if words else "bilinear", smooth & (kind != FIELD), backs,
                np.stack(sizes_in, axis=1), cut, fills, resized, move, entering, rest)  # fmt: skip


def _sizes(size: Size, samples: int) -> Array:
    """Return (N, 2) int64."""
    return np.stack([np.broadcast_to(side, (samples,)) for side in size], axis=1).astype(np.int64)


def _of_first(first: Array, values: Sequence[Any], default: Any) -> Array:
    """Return a value of each sample's first step."""
    return np.where(first < 0, default, np.asarray(values)[first])


def _is_idle(step: GeometricStep, size_in: Array, size_out: Array) -> Array:
    """Return which samples a step leaves as they are: `GeometricStep.moves` in arrays."""
    if step.matrix is None:
        field = step.field
        assert field is not None  # a step has a matrix or a field
        return np.asarray((field.amount == 0) & ~field.nodes.any(axis=(1, 2, 3)))
    same = (size_in == size_out).all(axis=1)
    return np.asarray(same & (_matrices(step) == np.eye(3)).all(axis=(1, 2)))


def _matrices(step: GeometricStep) -> Array:
    """Return the matrices (N, 3, 3) of a step; those of a field are identities."""
    return np.eye(3)[None] if step.matrix is None else batched(step.matrix)


def _leading_moves(
    steps: Sequence[GeometricStep], idle: Array, sizes_in: list[Array], sizes_out: list[Array]
) -> tuple[Array, Array, Array, Array, Array]:
    """Fold the moves that each sample begins with into a window of the source.

    Returns:
        The step where they end (N,), their matrix, the window, the step that pads (or -1), and
        whether there was any.
    """
    samples = len(idle)
    matrix = np.tile(np.eye(3), (samples, 1, 1))
    source = np.concatenate([np.zeros_like(sizes_in[0]), sizes_in[0]], axis=1)
    window, padded = source.copy(), np.full(samples, -1)
    start, leads, led = (
        np.full(samples, len(steps)),
        np.ones(samples, bool),
        np.zeros(samples, bool),
    )
    for place, step in enumerate(steps):
        mine = leads & ~idle[:, place]
        if not mine.any():
            continue
        ends = mine.copy()
        if step.kind == "move" and step.matrix is not None:
            following = products(_matrices(step), matrix)
            wanted = _source_window(following, sizes_out[place])
            beyond = mine & ~_inside(wanted, window) & step.outside
            ends = beyond & (window != source).any(axis=1)
            goes = mine & ~ends
            padded = np.where(goes & beyond, place, padded)
            matrix = np.where(goes[:, None, None], following, matrix)
            window = np.where(goes[:, None], wanted, window)
            led |= goes
        start[ends] = place
        leads &= ~ends
    return start, matrix, window, padded, led


def _source_window(matrix: Array, size: Array) -> Array:
    """Return the windows of the source that canvases show after whole-pixel moves."""
    inverse = np.rint(np.linalg.inv(matrix)).astype(np.int64)
    first = inverse[:, :2, 2]
    last = first + (inverse[:, :2, :2] @ (size[:, ::-1, None] - 1))[..., 0]
    low, high = np.minimum(first, last), np.maximum(first, last)
    return np.concatenate([low[:, ::-1], (high - low + 1)[:, ::-1]], axis=1)


def _inside(window: Array, other: Array) -> Array:
    """Return which windows (N, 4) lie within others."""
    ends = window[:, :2] + window[:, 2:] <= other[:, :2] + other[:, 2:]
    return np.asarray(((window[:, :2] >= other[:, :2]) & ends).all(axis=1))


def _shift(window: Array) -> Array:
    """Return the matrices from windows' pixels to the source's."""
    return translation(window[:, 1], window[:, 0])


def _resize_window(edges: Array, leading: Array, led: Array, window: Array) -> Array:
    """Return the windows of the source that a leading resize reads."""
    corners = edges.reshape(-1, 2, 2).swapaxes(1, 2) - 0.5  # rows x and y, columns the two ends
    both = np.concatenate([corners, np.ones_like(corners[:, :1])], axis=1)
    through = np.sort((np.linalg.inv(leading) @ both)[:, :2] + 0.5, axis=2)
    ends = np.where(led[:, None, None], through, corners + 0.5)
    low = np.floor(ends[:, ::-1, 0] + EXACT).astype(np.int64)
    high = np.ceil(ends[:, ::-1, 1] - EXACT).astype(np.int64)
    return np.concatenate([low, high - low], axis=1)


def _canvases(
    steps: Sequence[GeometricStep],
    rest: Array,
    first: Array,
    sizes_in: list[Array],
    out_size: Array,
) -> tuple[Array, Array, Array]:
    """Multiply each sample's matrices, last step first, and find the canvases that cut."""
    samples, count = rest.shape
    product = np.tile(np.eye(3), (samples, 1, 1))
    backs = np.tile(np.eye(3), (samples, count, 1, 1))
    cut = np.zeros((samples, count), bool)
    for place in range(count - 1, -1, -1):
        step, mine = steps[place], rest[:, place]
        if step.matrix is not None:
            product = np.where(mine[:, None, None], products(product, _matrices(step)), product)
        if step.kind == "warp" or step.outside:
            backs[:, place] = invert(product)
            cuts = mine & (place > first)
            cut[:, place] = cuts & ~_covers(backs[:, place], sizes_in[place], out_size)
    return cut, backs, product


def _covers(back: Array, canvas: Array, out_size: Array) -> Array:
    """Return which canvases hold every output pixel and so cut none."""
    right, bottom = out_size[:, 1] - 1, out_size[:, 0] - 1
    zero, one = np.zeros_like(right), np.ones_like(right)
    corners = np.array([[zero, right, zero, right], [zero, zero, bottom, bottom], [one] * 4])
    found = back @ corners.transpose(2, 0, 1)
    weight = found[:, 2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        at = found[:, :2] / weight
    inside = (at >= -EXACT) & (at <= canvas[:, ::-1, None] - 1 + EXACT)
    return np.asarray(inside.all(axis=(1, 2)) & (weight > 0).all(axis=(1, 2)))


def _window_cuts(
    steps: Sequence[GeometricStep], rest: Array, first: Array, cut: Array, window: Array,
    sizes_in: list[Array], sizes_out: list[Array], asked: Array,
    border: Array, fill: Array, fills: Array,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Let the edge of the window cut where the first canvas is a whole leading resize."""
    everyone = np.arange(len(cut))
    canvas = cut.argmax(axis=1)
    size = np.stack(sizes_in, axis=1)[everyone, canvas]
    resized = np.stack(sizes_out, axis=1)[everyone, first]
    cutting = np.array([step.kind == "warp" or bool(step.outside) for step in steps])
    place = np.arange(len(steps))
    behind = rest & (place > first[:, None])
    ending = (behind & cutting).argmax(axis=1)  # the step that a move may not follow
    between = behind & (place < ending[:, None])
    moves = np.array([step.kind == "move" for step in steps])
    same = np.stack(
        [(a == b).all(axis=1) for a, b in zip(sizes_in, sizes_out, strict=True)], axis=1
    )
    whole = (~between | (moves & same)).all(axis=1)
    shrinks = (window[:, 2:] >= size).all(axis=1)
    mine = asked & cut.any(axis=1) & (size == resized).all(axis=1) & whole & shrinks
    cut = cut.copy()
    cut[everyone[mine], canvas[mine]] = False
    return (
        np.where(mine, CONSTANT, border),
        np.where(mine[:, None], fills[canvas], fill),
        cut,
    )


def _as_resize(
    steps: Sequence[GeometricStep], rest: Array, first: Array, entering: Array, window: Array,
    sizes_out: list[Array],
) -> tuple[Array, Array, Array]:  # fmt: skip
    """Find the samples whose run resizes a window and then only moves pixels.

    Returns:
        What the window is resized to (N, 2), the moves that follow (N, 3, 3), and which samples.
    """
    samples = len(rest)
    everyone = np.arange(samples)
    place = np.arange(len(steps))
    after = rest & (place > first[:, None])
    plain = np.array([step.kind == "move" for step in steps])  # none cuts: the caller has checked
    whole = ~(after & ~plain).any(axis=1)
    starts = np.stack([np.broadcast_to(_matrices(step), (samples, 3, 3)) for step in steps])
    matrix = starts[first, everyone] @ entering
    height, width = window[:, 2], window[:, 3]
    low = matrix[:, :2, :2] @ np.full((samples, 2, 1), -0.5)
    high = matrix[:, :2, :2] @ np.stack([width - 0.5, height - 0.5], axis=1)[..., None]
    ends = np.sort(np.concatenate([low, high], axis=2), axis=2) + matrix[:, :2, 2:]
    resized = np.stack(sizes_out, axis=1)[everyone, first]
    wanted = np.stack([np.full((samples, 2), -0.5), resized[:, ::-1] - 0.5], axis=2)
    whole &= np.abs(ends - wanted).max(axis=(1, 2)) <= 1e-6
    straight = matrix[:, 0, 0] != 0
    size = np.where(straight[:, None], resized, resized[:, ::-1])
    orient = _orientation(matrix, size)
    for index, step in enumerate(steps):
        if step.kind == "move" and step.matrix is not None:
            follows = after[:, index, None, None]
            orient = np.where(follows, _matrices(step) @ orient, orient)
    return size, orient, whole


def _orientation(matrix: Array, size: Array) -> Array:
    """Return the flips and quarter turns of axis-aligned matrices, on canvases of `size`."""
    signs = np.sign(np.where(np.abs(matrix) > 1e-12, matrix, 0.0))[:, :2, :2]
    last = (size[:, ::-1] - 1.0)[..., None]
    result = np.tile(np.eye(3), (len(matrix), 1, 1))
    result[:, :2, :2] = signs
    result[:, :2, 2] = np.where(signs.sum(axis=2) < 0, (np.abs(signs) @ last)[..., 0], 0.0)
    return result


# --- what a sampler needs ----------------------------------------------------------------


def inverses(resolved: Maps) -> Array:
    """Return the maps from output to window pixel centers, whole where pixels stay whole."""
    inverse = np.linalg.inv(resolved.matrix)
    whole = (resolved.kind == MOVE) | _is_exact(resolved.matrix)
    return np.where(whole[:, None, None], np.rint(inverse), inverse)


def _is_exact(matrix: Array) -> Array:
    """Return which matrices are flips, quarter turns and whole shifts (`exact_move`)."""
    rounded = np.rint(matrix)
    near = np.abs(matrix - rounded).max(axis=(1, 2)) <= EXACT
    affine = (rounded[:, 2] == (0, 0, 1)).all(axis=1)
    turn = np.abs(rounded[:, :2, :2])
    ones = (turn.sum(axis=1) == 1).all(axis=1) & (turn.sum(axis=2) == 1).all(axis=1)
    return np.asarray(near & affine & ones)


def sigmas(resolved: Maps, inverse: Array) -> Array:
    """Return the Gaussian (sigma_x, sigma_y) that each warp needs before it is sampled, (N, 2)."""
    wanted = (resolved.kind == WARP) & resolved.antialias & (resolved.interpolation != "nearest")
    if not wanted.any():
        return np.zeros((len(inverse), 2))
    reach = inverse[:, :2, :2].copy()
    bent = wanted & resolved.matrix[:, 2, :2].any(axis=1)
    if bent.any():
        reach[bent] = _mean_reach(
            resolved.matrix[bent], resolved.window[bent, 2:], resolved.out_size[bent]
        )
    found = antialias_sigmas(reach, (np.inf, np.inf))  # type: ignore[arg-type]
    found = np.minimum(found, resolved.window[:, 2:].max(axis=1)[:, None])
    return np.where(wanted[:, None], found, 0.0)


def _mean_reach(matrix: Array, in_size: Array, out_size: Array) -> Array:
    """Return `mean_inverse_jacobian` of maps between canvases of different sizes."""
    nine = np.linspace(0, 1, 9)
    grid = np.stack(np.meshgrid(nine, nine), -1).reshape(-1, 2) * (in_size[:, None, ::-1] - 1)
    moved = apply(matrix, grid)
    inside = np.asarray((moved >= -0.5) & (moved <= out_size[:, None, ::-1] - 0.5))
    visible = np.asarray(inside.all(axis=-1))[..., None, None]
    forward = np.where(visible, jacobian(matrix, grid), np.eye(2))
    total = np.where(visible, np.linalg.inv(forward), 0).sum(axis=1)
    count = visible.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.eye(2))
