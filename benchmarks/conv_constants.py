"""Measure the constants of the cost model of `convolve`.

``python -m benchmarks.conv_constants`` prints the table `COSTS` of
`imgkit/backends/array/primitives/conv_routes.py`: the costs of the machine's primitives, one
thread, fitted by least squares over small images (which stay in the cache) and large ones (which do
not).
"""

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import time
from collections.abc import Callable

import cv2
import numpy as np
import scipy.fft
import scipy.optimize

from imgkit.backends.array.primitives.conv_routes import Costs

NEAR = (64, 128, 256)
FAR = (1024, 1536)


def nanoseconds(call: Callable[[], object]) -> float:
    """Return the lower quartile of a call's time: its time on an idle machine."""
    call()
    start = time.perf_counter()
    call()
    repeat = max(1, int(5e-4 / max(time.perf_counter() - start, 1e-7)))
    times = []
    for _ in range(15):
        start = time.perf_counter()
        for _ in range(repeat):
            call()
        times.append((time.perf_counter() - start) / repeat)
    return float(np.percentile(times, 25)) * 1e9


def image(size: int, dtype: str) -> np.ndarray:
    return np.random.default_rng(0).random((size, size)).astype(dtype)


def fit(rows: list[tuple[float, ...]], times: list[float]) -> np.ndarray:
    """Fit times as sums of the columns, with equally weighted relative errors, none negative."""
    weight = 1 / np.asarray(times)
    solution = scipy.optimize.nnls(np.asarray(rows) * weight[:, None], np.ones(len(times)))
    return np.asarray(solution[0])


def filters(dtype: str) -> tuple[float, float, float, float]:
    """Return call, tap, pixel and far."""
    rows, times = [], []
    for size in NEAR + FAR:
        x = image(size, dtype)
        for taps in ((1, 3), (3, 1), (3, 3), (5, 5), (9, 9), (1, 41), (41, 1)):
            kernel = np.random.default_rng(1).random(taps).astype(dtype)
            used = x.size * kernel.size
            rows.append((1.0, used, x.size, x.size * (size in FAR)))
            times.append(
                nanoseconds(lambda x=x, kernel=kernel: cv2.filter2D(x, -1, kernel, borderType=0))
            )
    call, tap, pixel, far = fit(rows, times)
    return call / 1e3, tap, pixel, far


def shifts(dtype: str) -> tuple[float, float]:
    """Return shift_call and shift."""
    rows, times = [], []
    for size in NEAR:
        x = image(size + 2, dtype)
        total, scaled = (np.zeros((size, size), dtype) for _ in range(2))

        def step(x=x, total=total, scaled=scaled) -> None:
            np.multiply(x[1:-1, 1:-1], x.dtype.type(3), out=scaled)
            np.add(total, scaled, out=total)

        rows.append((1.0, total.size))
        times.append(nanoseconds(step))
    call, pixel = fit(rows, times)
    return call / 1e3, pixel


def transforms(dtype: str) -> tuple[float, float]:
    """Return fft_call and fft."""
    rows, times = [], []
    for size in (30, 64, 90, 135, 180, 270, 384):
        x = image(size, dtype)
        spectrum = scipy.fft.rfftn(x)

        def step(x=x, spectrum=spectrum) -> None:
            transformed = scipy.fft.rfftn(x)
            transformed *= spectrum
            scipy.fft.irfftn(transformed, x.shape, overwrite_x=True)

        rows.append((1.0, x.size * np.log2(x.size + 1)))
        times.append(nanoseconds(step))
    call, point = fit(rows, times)
    return call / 1e3, point


def main() -> None:
    cv2.setNumThreads(1)
    for dtype in ("float32", "float64"):
        costs = Costs(*filters(dtype), *shifts(dtype), *transforms(dtype))
        print(f'    "{dtype}": Costs({", ".join(f"{c:.2g}" for c in costs)}),')


if __name__ == "__main__":
    main()
