"""`convolve` against every peer's convolution: zero border, same size, float32 out.

Peers that correlate get the kernel flipped beforehand; OpenCV gets the image already converted,
and torch its tensors. cv2.sepFilter2D gets the factors, which `convolve` has to find. SciPy gets
float32, since it is slower on uint8.
"""

from collections.abc import Iterator
from functools import partial

import cv2
import numpy as np
import scipy.ndimage
import scipy.signal

import imgkit as ik
from benchmarks.harness import Call, Case

SIZES = (128, 512, 1536)
TAPS = (3, 7, 13, 41)
GOAL = 1 / 1.2
SLOW = 4e8  # multiplications: peers that do not know the FFT would take seconds beyond


def cases(quick: bool) -> Iterator[Case]:
    for size in SIZES:
        for dtype in ("uint8", "float32"):
            for taps in TAPS:
                for kind in ("random", "separable"):
                    yield one(size, dtype, taps, kind)
    yield from layers()


def one(size: int, dtype: str, taps: int, kind: str) -> Case:
    rng = np.random.default_rng(7)
    x = rng.integers(0, 256, (size, size), dtype=np.uint8).astype(dtype)
    down, across = (rng.random(taps, dtype=np.float32) / taps for _ in range(2))
    kernel = np.outer(down, across)
    if kind == "random":
        kernel = rng.standard_normal((taps, taps), dtype=np.float32) / taps**2
    peers = others(x, kernel)
    if kind == "separable":
        peers["cv2.sepFilter2D"] = partial(
            cv2.sepFilter2D, x, cv2.CV_32F, across[::-1].copy(), down[::-1].copy(), borderType=0
        )
    # float32 sums of taps**2 products of 255 and the kernel's absolute values
    tolerance = 255 * float(np.abs(kernel).sum()) * 3e-6
    return Case(
        f"{size}² {dtype} {taps}x{taps} {kind}",
        partial(ik.convolve, x, kernel),
        peers,
        dict.fromkeys(peers, tolerance),
        {peer: GOAL for peer in peers if peer != "cv2.sepFilter2D"},
    )


def others(x: np.ndarray, kernel: np.ndarray) -> dict[str, Call]:
    flipped = np.ascontiguousarray(kernel[::-1, ::-1])
    floats = x.astype(np.float32)
    peers: dict[str, Call] = {
        "cv2.filter2D": partial(cv2.filter2D, x, cv2.CV_32F, flipped, borderType=0),
        "scipy fftconvolve": partial(scipy.signal.fftconvolve, floats, kernel, "same"),
        "scipy oaconvolve": partial(scipy.signal.oaconvolve, floats, kernel, "same"),
    }
    if x.size * kernel.size <= SLOW:
        peers["ndimage.convolve"] = partial(scipy.ndimage.convolve, floats, kernel, mode="constant")
        peers |= torch_conv2d(floats, flipped)
    return peers


def torch_conv2d(x: np.ndarray, flipped: np.ndarray) -> dict[str, Call]:
    try:
        import torch
    except ImportError:
        return {}
    image, weight = torch.from_numpy(x)[None, None], torch.from_numpy(flipped)[None, None]

    def run() -> np.ndarray:
        with torch.inference_mode():
            padding = flipped.shape[0] // 2
            return torch.nn.functional.conv2d(image, weight, padding=padding)[0, 0].numpy()

    return {"torch conv2d": run}


def layers() -> Iterator[Case]:
    """Yield layers of networks: `conv2d` has no goal, as its peer is the same operation."""
    try:
        import torch
    except ImportError:
        return
    for size, inputs, outputs, taps, stride in ((224, 3, 64, 7, 2), (56, 64, 64, 3, 1)):
        rng = np.random.default_rng(7)
        x = rng.random((size, size, inputs), dtype=np.float32)
        weight = rng.standard_normal((outputs, inputs, taps, taps), dtype=np.float32)
        image = torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)))[None]
        kernel = torch.from_numpy(weight)

        def peer(image=image, kernel=kernel, stride=stride, taps=taps) -> np.ndarray:
            with torch.inference_mode():
                out = torch.nn.functional.conv2d(image, kernel, stride=stride, padding=taps // 2)
                return out[0].permute(1, 2, 0).numpy()

        yield Case(
            f"conv2d {size}²x{inputs} → {outputs}, {taps}x{taps}/{stride}",
            partial(ik.conv2d, x, weight, padding=taps // 2, stride=stride),
            {"torch conv2d": peer},
            {"torch conv2d": 1e-6 * inputs * taps**2 * 4},
        )
