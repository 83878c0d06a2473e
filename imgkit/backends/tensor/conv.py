"""Convolution of tensors on any axes.

A CPU tensor without gradient takes the array backend's route. Natively there are three: direct,
one axis after the other for kernels of low rank, and products of spectra for what is left of the
large ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import scipy.fft
import torch
from torch import Tensor

from imgkit.backends.array import conv as array
from imgkit.backends.array.primitives.conv_routes import (
    LIMITS,
    Choice,
    Problem,
    as_problem,
    dilated,
    is_sparse,
    kernel_of,
    ranked,
    terms_of,
    window,
)
from imgkit.backends.tensor.numpy_view import can_look, in_order, is_viewed
from imgkit.backends.tensor.primitives.pixels import depthwise, extend
from imgkit.backends.tensor.primitives.upload import constant
from imgkit.border import source_index
from imgkit.image import Array

Run = Callable[[Tensor], Tensor]

# Taps on a pixel from which spectra are faster: benchmarks/tensor.py, 8x3x256x256 on one core.
SPECTRAL_TAPS = 400

__all__ = ["as_problem", "explain", "prepare"]


def explain(problem: Problem) -> Choice:
    """Return the array backend's route, which a CPU tensor without gradient takes."""
    return array.explain(problem)


def prepare(p: Problem) -> Run:
    """Return the function of the tensor that runs a problem; it keeps no pixels."""
    terms = _terms(p)
    dtype = getattr(torch, p.dtype)

    def run(x: Tensor) -> Tensor:
        if is_viewed(x):
            return in_order(_through_array(p, x), x)
        last = tuple(range(x.ndim - len(p.axes), x.ndim))
        moved = x.to(dtype).movedim(p.axes, last)
        kept = moved.shape[: x.ndim - len(p.axes)]
        planes = moved.reshape(1, math.prod(kept), *moved.shape[len(kept) :])
        found = _sparse(p, planes) if is_sparse(p) else _correlate(p, terms, _extended(p, planes))
        return in_order(found.reshape(*kept, *found.shape[2:]).movedim(last, p.axes), x)

    return run


def _extended(p: Problem, planes: Tensor) -> Tensor:
    """Continue ``(1, B, *S)`` as far as the outputs see."""
    w = window(p)
    pads = [(0, 0)] * len(p.axes)
    if p.mode != "valid":
        pads = list(zip(w.before, w.after, strict=True))
    return extend(planes, pads, p.border, p.value)


def _sparse(p: Problem, planes: Tensor) -> Tensor:
    """Gather and add the shifted planes once for each tap, since the border is too large to lay."""
    taps, sizes = kernel_of(p), zip(window(p).outputs, p.stride, strict=True)
    total = planes.new_zeros((*planes.shape[:2], *(-(-n // s) for n, s in sizes)))
    for shift in np.argwhere(taps).tolist():
        total = total + _shifted(p, shift, planes) * float(taps[tuple(shift)])
    return total


def _shifted(p: Problem, shift: list[int], planes: Tensor) -> Tensor:
    """Return the pixels that one tap lies on, for every output."""
    w = window(p)
    for axis, (tap, step) in enumerate(zip(shift, p.dilation, strict=True)):
        first = tap * step - w.before[axis]
        at = np.arange(first, first + w.outputs[axis], p.stride[axis])
        index = source_index(at, w.pixels[axis], p.border)
        held = constant(np.maximum(index, 0), planes, torch.int64)
        planes = planes.index_select(axis + 2, held)
        if index.min() < 0:
            outside = (index < 0).reshape([-1 if a == axis + 2 else 1 for a in range(planes.ndim)])
            planes = torch.where(constant(outside, planes, torch.bool), p.value, planes)
    return planes


def _through_array(p: Problem, x: Tensor) -> Tensor:
    """Run the array backend on a view."""
    result = array.prepare(p)(x.numpy(force=True))
    return torch.from_numpy(np.ascontiguousarray(result))


def _terms(p: Problem) -> list[list[Array]] | None:
    """Return the kernel as sums of products of 1-D factors, or None to take it whole."""
    if p.method in ("direct", "shift-add", "fft", "overlap-add") or not ranked(p):
        return None
    terms = terms_of(p)
    taps = sum(len(factor) for term in terms for factor in term)
    named = p.method in ("separable", "low-rank")
    return [list(term) for term in terms] if named or taps < math.prod(p.size) else None


def _correlate(p: Problem, terms: list[list[Array]] | None, planes: Tensor) -> Tensor:
    """Correlate ``(1, B, *S)`` where the kernel lies inside."""
    if terms is not None:
        return torch.stack([_by_axes(term, p.stride, planes) for term in terms]).sum(0)
    taps = kernel_of(p)
    spectral = p.method in ("fft", "overlap-add")
    if spectral or (p.method == "auto" and taps.size >= SPECTRAL_TAPS):
        return _by_size(p, planes)
    return _direct(p, planes)


def _direct(p: Problem, planes: Tensor) -> Tensor:
    """Multiply and add every tap."""
    taps = kernel_of(p)
    weight = constant(taps, planes).expand(planes.shape[1], 1, *taps.shape)
    return depthwise(planes, weight, p.stride, p.dilation)


def _by_size(p: Problem, planes: Tensor) -> Tensor:
    """Multiply spectra, but keep large values, which spectra would spread, to their windows.

    A compiled or transformed call cannot look at values: there they spread.
    """
    taps = dilated(kernel_of(p), p.dilation)
    if not can_look(planes):
        return _spectral(taps, p.stride, planes)
    size = planes.detach().abs()
    top = float(size.amax())
    if top <= LIMITS[p.dtype]:
        return _spectral(taps, p.stride, planes)
    wide, limit = planes.double(), LIMITS["float64"]
    if top <= limit:
        return _spectral(taps, p.stride, wide).to(planes.dtype)
    tame = size <= limit
    rest = _direct(p, torch.where(tame, 0, planes))
    return _spectral(taps, p.stride, torch.where(tame, wide, 0)).to(planes.dtype) + rest


def _by_axes(term: list[Array], stride: tuple[int, ...], planes: Tensor) -> Tensor:
    """Correlate one axis after the other with 1-D factors, dilated already."""
    rank = len(term)
    for axis, (taps, step) in enumerate(zip(term, stride, strict=True)):
        shape = [1] * rank
        shape[axis] = len(taps)
        weight = constant(taps, planes).reshape(1, 1, *shape).expand(planes.shape[1], 1, *shape)
        steps = [1] * rank
        steps[axis] = step
        planes = depthwise(planes, weight, steps, [1] * rank)
    return planes


def _spectral(taps: Array, stride: tuple[int, ...], planes: Tensor) -> Tensor:
    """Multiply spectra: those of the image and of the flipped kernel."""
    axes, seen = tuple(range(2, planes.ndim)), planes.shape[2:]
    sizes = [scipy.fft.next_fast_len(n, real=True) for n in seen]
    flipped = constant(taps[(slice(None, None, -1),) * taps.ndim], planes)
    spectrum = torch.fft.rfftn(planes, sizes, axes) * torch.fft.rfftn(flipped, sizes)
    found = torch.fft.irfftn(spectrum, sizes, axes)
    spans = zip(taps.shape, seen, stride, strict=True)
    inside = (slice(k - 1, n, s) for k, n, s in spans)
    return found[(slice(None), slice(None), *inside)]
