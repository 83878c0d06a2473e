"""Pooling against torch, scikit-image, SciPy and OpenCV.

torch gets its own layout ``(N, C, H, W)``, contiguous, created outside the timing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage
from skimage.measure import block_reduce

import imgkit as ik

from .harness import Case

SHAPES = ((1024, 1024, 3), (1024, 1024), (2048, 1536, 3), (256, 256, 64), (128, 128))
GOAL = {"torch": 6.0, "skimage": 12.0}


def cases(quick: bool) -> Iterator[Case]:
    rng = np.random.default_rng(0)
    for shape in SHAPES[:2] if quick else SHAPES:
        for dtype in (np.uint8, np.float32):
            x = rng.integers(0, 256, shape).astype(dtype)
            name = f"{'x'.join(map(str, shape))} {x.dtype}"
            for size, stride in ((2, 2), (3, 2), (3, 1), (8, 8)) + (() if quick else ((7, 1),)):
                yield _maximum(name, x, size, stride)
            yield from _others(name, x)


def _maximum(name: str, x: Any, size: int, stride: int) -> Case:
    peers = {"torch": _torch(x, lambda t: F.max_pool2d(t, size, stride))}
    blocks = (size, size, 1)[: x.ndim]
    if size == stride and all(n % size == 0 for n in x.shape[:2]):
        peers["skimage"] = lambda: block_reduce(x, blocks, np.max)
    if stride == 1:
        inner = tuple(slice(size // 2, n - (size - 1) // 2) for n in x.shape[:2])
        peers["scipy"] = lambda: ndimage.maximum_filter(x, blocks)[inner]
        kernel = np.ones((size, size), np.uint8)
        peers["cv2.dilate"] = lambda: cv2.dilate(x, kernel)[inner]
    title = f"max {size} stride {stride}, {name}"
    return Case(title, lambda: ik.max_pool(x, size, stride), peers, dict.fromkeys(peers, 0), GOAL)


def _others(name: str, x: Any) -> Iterator[Case]:
    blocks = (2, 2, 1)[: x.ndim]
    peers = {"skimage": lambda: block_reduce(x, blocks, np.min)}
    yield Case(f"min 2 stride 2, {name}", lambda: ik.min_pool(x, 2), peers, {"skimage": 0})
    peers = {"skimage": lambda: block_reduce(x, blocks, np.mean)}
    if x.dtype == np.float32:
        peers["torch"] = _torch(x, lambda t: F.avg_pool2d(t, 2))
        if x.ndim == 2 or x.shape[2] < 5:
            half = (x.shape[1] // 2, x.shape[0] // 2)
            peers["cv2.resize"] = lambda: cv2.resize(x, half, interpolation=cv2.INTER_AREA)
    # A mean of integers is rounded here; scikit-image returns float64.
    tolerance = dict.fromkeys(peers, 1e-4 if x.dtype == np.float32 else 0.5)
    yield Case(f"avg 2 stride 2, {name}", lambda: ik.avg_pool(x, 2), peers, tolerance)
    if x.ndim == 2 or x.shape[2] < 5:
        peers = {"cv2.medianBlur": lambda: cv2.medianBlur(x, 3)[1:-1, 1:-1]}
        yield Case(f"median 3 stride 1, {name}", lambda: ik.median_pool(x, 3, 1), peers)
    if x.dtype == np.float32:
        for kind, function in (("max", F.adaptive_max_pool2d), ("avg", F.adaptive_avg_pool2d)):
            for output in (1, 7):
                peers = {"torch": _torch(x, lambda t, f=function, o=output: f(t, o))}
                yield Case(
                    f"adaptive {kind} to {output}, {name}",
                    lambda k=kind, o=output: ik.adaptive_pool(x, o, k),
                    peers,
                    # torch adds a million float32 one by one
                    {"torch": 0 if kind == "max" else 0.02},
                )


def _torch(x: Any, function: Callable[[Any], Any]) -> Callable[[], Any]:
    """Run a torch function on `x` as (1, C, H, W); return its result in the layout of `x`."""
    image = x if x.ndim == 3 else x[:, :, None]
    tensor = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]

    def call() -> Any:
        result = function(tensor)[0].permute(1, 2, 0).numpy()
        return result if x.ndim == 3 else result[:, :, 0]

    return call
