"""Resampling of tensors ``(N, C, H, W)``: matrices on each axis, or one gather for a batch of maps.

Positions are float64, so that large images keep their places, and those of exact moves are whole
numbers.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from imgkit import geometry
from imgkit.backends.array.primitives.antialias_resize import OVERSHOOT, tap_weights
from imgkit.backends.array.resample import nearest_index
from imgkit.backends.tensor.numpy_view import (
    can_look,
    is_channels_last,
    is_viewed,
    ordered,
    through_array,
    viewed,
)
from imgkit.backends.tensor.primitives.pixels import (
    along,
    extend,
    fold,
    full_precision,
    movable,
    work,
)
from imgkit.backends.tensor.primitives.symbols import with_fixed_size
from imgkit.backends.tensor.primitives.upload import constant
from imgkit.border import source_index
from imgkit.geometry import Move, Size
from imgkit.geometry.resolve_batch import CODES
from imgkit.image import Array, saturate
from imgkit.kernels import gaussian_taps

FAR = 1e9  # positions are cut here: outside every image, yet whole numbers of int64


# --- moving pixels ----------------------------------------------------------------------


@viewed()
def mirror(x: Tensor, horizontal: bool, vertical: bool) -> Tensor:
    """Mirror into a fresh tensor."""
    return x.flip([axis for axis, wanted in ((2, vertical), (3, horizontal)) if wanted])


@ordered
def place(x: Tensor, top: int, left: int, size: Size, border: str, fill: Array) -> Tensor:
    """Put images at a row and column of a canvas: crop and pad at once, into a fresh tensor."""
    if is_viewed(x):
        return _by_planes("place", x, border, fill, top, left, size)
    x = with_fixed_size(x)
    starts, sizes = (top, left), x.shape[2:]
    if border != "constant":
        for axis, (start, n, count) in enumerate(zip(starts, sizes, size, strict=True), 2):
            index = source_index(np.arange(count) - start, n, border)
            x = x.index_select(axis, constant(index, x, torch.int64))
        return x
    spans = list(zip(starts, sizes, size, strict=True))
    inside = x
    for axis, (start, n, count) in enumerate(spans, 2):
        first, last = max(-start, 0), max(min(count - start, n), 0)
        inside = inside.narrow(axis, min(first, n), max(last - first, 0))
    pads = [(max(start, 0), max(count - start - n, 0)) for start, n, count in spans]
    if not any(map(any, pads)):
        return inside.clone()
    if 0 in inside.shape[2:]:
        return _filled(x, size, fill)
    if fill.min(initial=fill[0]) == fill.max(initial=fill[0]):
        return extend(inside, pads, "constant", fill[0].item())
    canvas = _filled(x, size, fill)
    (above, below), (before, behind) = pads
    canvas[:, :, above : size[0] - below, before : size[1] - behind] = inside
    return canvas


def _filled(x: Tensor, size: Size, fill: Array) -> Tensor:
    """Return canvases of one value a channel."""
    values = constant(fill, x, x.dtype).reshape(1, -1, 1, 1)
    return values.expand(x.shape[0], -1, *size).contiguous()


def move(x: Tensor, spec: Move, size: Size, border: str, fill: Array) -> Tensor:
    """Carry out a `geometry.Move`: no interpolation."""
    moved = x.transpose(2, 3) if spec.transpose else x
    if spec.mirror_x or spec.mirror_y:
        moved = moved.flip([a for a, wanted in ((2, spec.mirror_y), (3, spec.mirror_x)) if wanted])
    return place(moved, spec.top, spec.left, size, border, fill)


def _by_planes(name: str, x: Tensor, border: str, fill: Array, *args: Any) -> Tensor:
    """Run the array backend; where the fill differs by channel, channels go together."""
    uniform = border != "constant" or (fill == fill[0]).all()
    planes = uniform and not is_channels_last(x)
    return through_array(
        "resample", name, x, not planes, *args, border, fill[:1] if planes else fill
    )


# --- resizing ---------------------------------------------------------------------------


@viewed()
def resize(x: Tensor, size: Size, interpolation: str, antialias: bool) -> Tensor:
    """Resize with aligned pixel edges."""
    if tuple(x.shape[2:]) == size:
        return x.clone()
    x = with_fixed_size(x)
    if interpolation == "nearest":
        for axis, count in enumerate(size, 2):
            index = nearest_index(x.shape[axis], count)
            x = x.index_select(axis, constant(index, x, torch.int64))
        return x
    floats = work(x)
    stepwise = antialias and interpolation in OVERSHOOT and not x.is_floating_point()
    if interpolation in ("bilinear", "bicubic") and not stepwise:
        found = F.interpolate(
            floats, size, mode=interpolation, align_corners=False, antialias=antialias
        )
        return saturate(found, x.dtype)
    for axis in (3, 2):
        if x.shape[axis] == size[axis - 2]:
            continue
        floats = _multiply(floats, axis, size[axis - 2], interpolation, antialias)
        if stepwise:  # integers saturate after each axis, as Pillow's do
            floats = work(saturate(floats, x.dtype))
    return saturate(floats, x.dtype)


def _multiply(x: Tensor, axis: int, count: int, interpolation: str, antialias: bool) -> Tensor:
    """Resize one axis by its dense matrix; its zeros would spread NaN, so there tap by tap."""
    if can_look(x) and not bool(x.isfinite().all()):
        return _by_taps(x, axis, count, interpolation, antialias)
    matrix = constant(_matrix(x.shape[axis], count, interpolation, antialias), x)
    with full_precision(x):
        return matrix @ x if axis == 2 else x @ matrix.T


def _by_taps(x: Tensor, axis: int, count: int, interpolation: str, antialias: bool) -> Tensor:
    """Resize one axis tap by tap, without those of weight 0."""
    taps, shares = tap_weights(x.shape[axis], count, interpolation, antialias)
    lies = (-1, 1) if axis == 2 else (-1,)
    total: Any = 0.0
    for tap, share in zip(np.clip(taps, 0, x.shape[axis] - 1).T, shares.T, strict=True):
        weight = constant(share, x).reshape(lies)
        pixels = x.index_select(axis, constant(tap, x, torch.int64))
        total = total + torch.where(weight == 0, 0, weight * pixels)
    return total


@functools.lru_cache(maxsize=64)
def _matrix(n: int, m: int, interpolation: str, antialias: bool) -> Array:
    """Return the ``(m, n)`` matrix that resizes an axis."""
    taps, shares = tap_weights(n, m, interpolation, antialias)
    matrix = np.zeros((m, n))
    np.add.at(matrix, (np.arange(m)[:, None], np.clip(taps, 0, n - 1)), shares)
    matrix.flags.writeable = False
    return matrix


# --- warping ----------------------------------------------------------------------------


@ordered
def warp(
    x: Tensor,
    maps: Any,
    size: Size,
    interpolation: str,
    border: str,
    fill: Array,
    antialias: bool,
) -> Tensor:
    """Warp every image by its map: arrays or tensors (N, 3, 3) or (N, H, W, 2)."""
    if isinstance(maps, Tensor):
        return _sample_tensors(x, maps, size, interpolation, border, fill)
    if is_viewed(x):
        return _warp_view(x, maps, size, interpolation, border, fill, antialias)
    in_size = (int(x.shape[2]), int(x.shape[3]))
    is_matrix = maps.ndim == 3
    moves = [geometry.exact_move(m, in_size) if is_matrix else None for m in maps]
    if moves and moves[0] is not None and len(set(moves)) == 1:
        return move(x, moves[0], size, border, fill)
    inverse = np.linalg.inv(maps) if is_matrix else None
    plane, shift = x, (0, 0)
    if antialias and interpolation != "nearest" and len(maps):
        plane, shift = _blur(x, _sigmas(maps, inverse, moves, in_size, size), border, fill)
    if inverse is not None:
        exact = np.array([move_of is not None for move_of in moves], bool)[:, None, None]
        inverse = np.where(exact, np.rint(inverse), inverse)
        at = _positions(constant(inverse, x, torch.float64), size)
    else:
        at = _grid(x, size) + constant(maps, x, torch.float64)
    at = at + constant(shift, x, torch.float64) if shift != (0, 0) else at
    return saturate(_sample(plane, at, interpolation, border, fill), x.dtype)


def _warp_view(
    x: Tensor,
    maps: Array,
    size: Size,
    interpolation: str,
    border: str,
    fill: Array,
    antialias: bool,
) -> Tensor:
    """Run the array backend; the planes of an image share its map."""
    c = x.shape[1]
    uniform = border != "constant" or (fill == fill[0]).all()
    planes = uniform and x.is_contiguous() and c > 1
    args = (size, interpolation, border)
    if planes:
        stack = x.reshape(-1, 1, *x.shape[2:])
        each = np.repeat(maps, c, axis=0)
        found = through_array("resample", "warp", stack, False, each, *args, fill[:1], antialias)
        return found.reshape(-1, c, *size) if len(x) else found.reshape(0, c, *size)
    return through_array("resample", "warp", x, True, maps, *args, fill, antialias)


def _sample_tensors(
    x: Tensor, maps: Tensor, size: Size, interpolation: str, border: str, fill: Array
) -> Tensor:
    """Sample where maps point that only the device knows."""
    maps = maps.to(torch.float64).expand(x.shape[0], *maps.shape[1:])
    at = _grid(x, size) + maps if maps.ndim == 4 else _positions(torch.linalg.inv(maps), size)
    return saturate(_sample(x, at, interpolation, border, fill), x.dtype)


def _grid(x: Tensor, size: Size) -> Tensor:
    """Return the pixel centers of a canvas, (H, W, 2)."""
    rows, columns = (torch.arange(n, device=x.device, dtype=torch.float64) for n in size)
    return torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1)


def _positions(inverse: Tensor, size: Size) -> Tensor:
    """Return where each output pixel lies in the input, (N, H, W, 2)."""
    x, y = _grid(inverse, size).unbind(-1)
    m = inverse[..., None, None]
    rows = [m[:, i, 0] * x + (m[:, i, 1] * y + m[:, i, 2]) for i in range(3)]
    tiny = torch.finfo(torch.float64).tiny ** 0.5
    weight = torch.where(rows[2] == 0, tiny, rows[2])
    return torch.stack([rows[0] / weight, rows[1] / weight], -1)


def _sigmas(
    maps: Array, inverse: Array | None, moves: list[Move | None], in_size: Size, size: Size
) -> Array:
    """Return the Gaussian (sigma_x, sigma_y) that each map needs before it is sampled."""
    found = np.zeros((len(maps), 2))
    for i, chart in enumerate(maps):
        if moves[i] is not None:
            continue
        if inverse is None:
            reach = geometry.mean_field_jacobian(chart)
        elif geometry.is_affine(chart):
            reach = inverse[i, :2, :2]
        else:
            reach = geometry.mean_inverse_jacobian(chart, in_size, size)
        if geometry.shrinks(reach):
            found[i] = geometry.antialias_sigmas(reach, in_size)
    return found


def _blur(x: Tensor, sigmas: Array, border: str, fill: Array) -> tuple[Tensor, tuple[int, int]]:
    """Blur each image by its own sigmas, with what its border shows around it.

    Returns the blurred images and how far right and down their first pixel moved.
    """
    lines = [[gaussian_taps(float(s)) for s in sigmas[:, i]] for i in (0, 1)]
    rx, ry = (max(len(taps) for taps in line) // 2 for line in lines)
    if rx == ry == 0:
        return x, (0, 0)
    kept_x, kept_y = (rx, ry) if border in ("constant", "edge") else (0, 0)
    top, left = ry + kept_y, rx + kept_x
    padded = place(work(x), top, left, (x.shape[2] + 2 * top, x.shape[3] + 2 * left), border, fill)
    for axis, line, reach in ((3, lines[0], rx), (2, lines[1], ry)):
        taps = np.stack([np.pad(t, reach - len(t) // 2) for t in line])
        padded = along(padded, constant(taps, padded), axis)
    return padded, (kept_x, kept_y)


def _sample(x: Tensor, at: Tensor, interpolation: str, border: str, fill: Array) -> Tensor:
    """Interpolate the endless planes of images at positions (N, H, W, 2)."""
    at = at.clamp(-FAR, FAR)
    look = functools.partial(_look_up, border=border, fill=fill)
    if interpolation == "nearest":
        column, row = at.round().to(torch.int64).unbind(-1)
        return look(movable(x), row, column)
    floats = work(x)
    base = at.floor()
    fraction = (at - base).to(floats.dtype)
    column, row = base.to(torch.int64).unbind(-1)
    offsets = (0, 1) if interpolation == "bilinear" else (-1, 0, 1, 2)
    across, down = (_shares(fraction[..., i], interpolation) for i in (0, 1))
    total: Any = 0.0
    for dy, below in zip(offsets, down, strict=True):
        for dx, beside in zip(offsets, across, strict=True):
            pixels = look(floats, row + dy, column + dx)
            total = total + pixels * (beside * below)[:, None]
    return total


def _shares(fraction: Tensor, interpolation: str) -> list[Tensor]:
    """Return the weight of each neighbor on one axis."""
    if interpolation == "bilinear":
        return [1 - fraction, fraction]
    near, far = (functools.partial(f, a=-0.75) for f in (_near, _far))
    return [far(fraction + 1), near(fraction), near(1 - fraction), far(2 - fraction)]


def _near(t: Tensor, a: float) -> Tensor:
    """Weigh by Keys' cubic at distances up to 1."""
    return ((a + 2) * t - (a + 3)) * t * t + 1


def _far(t: Tensor, a: float) -> Tensor:
    """Weigh by Keys' cubic at distances 1 to 2."""
    return ((t - 5) * t + 8) * t * a - 4 * a


def _look_up(x: Tensor, row: Tensor, column: Tensor, *, border: str, fill: Array) -> Tensor:
    """Read (N, C, H, W) at whole positions (N, h, w), those outside from the border."""
    height, width = x.shape[2:]
    code = CODES[border]
    rows, columns = fold(row, height, code), fold(column, width, code)
    index = (rows * width + columns).flatten(1)[:, None].expand(-1, x.shape[1], -1)
    pixels = x.flatten(2).gather(2, index).reshape(*x.shape[:2], *row.shape[1:])
    if border != "constant":
        return pixels
    inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    return torch.where(inside[:, None], pixels, constant(fill, x).reshape(1, -1, 1, 1))
