"""The two routes of a CPU tensor: the array backend on a view, and torch operations.

Peer times are those of torch operations: a ratio is the gain of the view. The last cases compare
the torch routes of a convolution, which determines `SPECTRAL_TAPS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch

import imgkit as ik
from imgkit.backends.tensor.numpy_view import native
from imgkit.registry import FUNCTIONS, HOST_ONLY

from .harness import Case

OPS = ("sobel", "gaussian_blur", "median_blur", "resize", "warp", "adjust_hue", "equalize")


def cases(quick: bool) -> Iterator[Case]:
    generator = torch.Generator().manual_seed(0)
    batch = torch.rand((8, 3, 256, 256), generator=generator)
    names = OPS if quick else [n for n, op in FUNCTIONS.items() if op.result != "other"]
    for x in (batch, (batch * 255).to(torch.uint8)):
        for name in names:
            if name not in HOST_ONLY:
                yield _both(name, x)
    for taps in (9, 13, 17, 21, 25, 31):
        yield _routes(batch, taps, generator)


def _both(name: str, x: torch.Tensor) -> Case:
    """Compare the two routes of one function."""
    run, options = getattr(ik, name), dict(FUNCTIONS[name].example)
    options |= {"size": (128, 100)} if name == "resize" else {}
    if "sigma_color" in options and x.is_floating_point():
        options["sigma_color"] /= 255
    result = run(x, **options)
    floats = result.is_floating_point()
    tolerance = 1e-4 * max(1.0, float(result.abs().max())) if floats else 1.0
    title = f"{name}, {'x'.join(map(str, x.shape))} {str(x.dtype).removeprefix('torch.')}"
    peers = {"native": _natively(lambda: run(x, **options))}
    return Case(title, lambda: run(x, **options), peers, {"native": tolerance})


def _routes(x: torch.Tensor, taps: int, generator: torch.Generator) -> Case:
    """Compare spectra with direct sums; the kernel has full rank."""
    kernel = torch.rand((taps, taps), generator=generator).numpy() / taps**2
    fft, direct = (
        _natively(lambda m=method: ik.convolve(x, kernel, method=m)) for method in ("fft", "direct")
    )
    return Case(f"native fft, {taps}x{taps} taps", fft, {"native direct": direct})


def _natively(call: Callable[[], Any]) -> Callable[[], Any]:
    def run() -> Any:
        with native():
            return call()

    return run
