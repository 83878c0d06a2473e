"""Derivatives, Canny and blurs against OpenCV, scikit-image and SciPy, on photographs."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import skimage.data
import skimage.feature
import skimage.filters
from scipy import ndimage

import imgkit as ik
from benchmarks.harness import Case
from imgkit.kernels import DIFFERENCE, SMOOTH

SIZES = ((512, 512), (1536, 2048), (3000, 4000))
SCALE = {"sobel": 4, "prewitt": 3, "scharr": 16}  # scikit-image divides by it, and by √2
OURS = {"sobel": ik.sobel, "prewitt": ik.prewitt, "scharr": ik.scharr}


def photograph(shape: tuple[int, int], dtype: str) -> np.ndarray:
    """Return a gray photograph of any size."""
    x = cv2.resize(skimage.data.camera(), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return x if dtype == "uint8" else x / np.float32(255)


def cases(quick: bool) -> Iterator[Case]:
    """Yield every size and dtype; `quick` omits 12 megapixels."""
    cv2.setNumThreads(1)
    for shape in SIZES[:2] if quick else SIZES:
        for dtype in ("uint8", "float32"):
            x = photograph(shape, dtype)
            label = f"{shape[1]}x{shape[0]} {dtype}"
            for operator in OURS:
                yield magnitude(x, operator, label)
            yield gradient(x, label)
            yield laplacian(x, label)
            yield gaussian(x, label)
            yield median(x, label)
            if shape == SIZES[0]:
                yield canny(x, label)


def magnitude(x: np.ndarray, operator: str, label: str) -> Case:
    ours = OURS[operator]
    across, along = np.float32(DIFFERENCE), np.float32(SMOOTH[operator])
    as_float = x.astype(np.float64)  # ndimage would wrap uint8
    theirs = getattr(skimage.filters, operator)
    scale = SCALE[operator] * np.sqrt(2)

    def plain() -> np.ndarray:
        if operator == "sobel":
            gx, gy = cv2.Sobel(x, cv2.CV_32F, 1, 0), cv2.Sobel(x, cv2.CV_32F, 0, 1)
        else:
            gx = cv2.sepFilter2D(x, cv2.CV_32F, across, along)
            gy = cv2.sepFilter2D(x, cv2.CV_32F, along, across)
        return cv2.magnitude(gx, gy)

    def ndimage_pair() -> np.ndarray:
        peer = getattr(ndimage, operator)
        return np.hypot(peer(as_float, 1, mode="mirror"), peer(as_float, 0, mode="mirror"))

    # raw, at scikit-image's own scale its result would need one more pass
    peers = {"cv2": plain, "skimage": lambda: theirs(as_float, mode="mirror")}
    if operator != "scharr":
        peers["ndimage"] = ndimage_pair
    np.testing.assert_allclose(ours(x), peers["skimage"]() * scale, atol=1e-6 * scale * x.max())
    goal = {} if operator == "scharr" else {"cv2": 1.5, "skimage": 8.0}
    return Case(
        f"{operator} {label}", lambda: ours(x), peers, {"skimage": None}, goal,
        "scikit-image compared after multiplying by its scale",
    )  # fmt: skip


def gradient(x: np.ndarray, label: str) -> Case:
    def plain() -> list[np.ndarray]:
        return [cv2.Sobel(x, cv2.CV_32F, 1, 0), cv2.Sobel(x, cv2.CV_32F, 0, 1)]

    return Case(f"gradient {label}", lambda: ik.gradient(x), {"cv2": plain})


def laplacian(x: np.ndarray, label: str) -> Case:
    as_float = x.astype(np.float64)
    peers = {
        "cv2": lambda: cv2.Laplacian(x, cv2.CV_32F),
        "ndimage": lambda: ndimage.laplace(as_float, mode="mirror"),
    }
    return Case(f"laplacian {label}", lambda: ik.laplacian(x), peers)


def gaussian(x: np.ndarray, label: str) -> Case:
    peers = {
        "cv2": lambda: cv2.GaussianBlur(x, (17, 17), 2),
        "ndimage": lambda: ndimage.gaussian_filter(x, 2, mode="mirror"),
    }
    levels = {"cv2": 2.0, "ndimage": 2.0} if x.dtype == np.uint8 else {}
    note = "cv2 has 8-bit taps, ndimage truncates twice" if x.dtype == np.uint8 else ""
    return Case(
        f"gaussian sigma 2 {label}", lambda: ik.gaussian_blur(x, 2), peers, levels, note=note
    )


def median(x: np.ndarray, label: str) -> Case:
    peers = {"cv2": lambda: cv2.medianBlur(x, 5)}
    if x.size < 1 << 20:
        peers["ndimage"] = lambda: ndimage.median_filter(x, 5, mode="nearest")
    return Case(f"median 5 {label}", lambda: ik.median_blur(x, 5, border="edge"), peers, {})


def canny(x: np.ndarray, label: str) -> Case:
    as_float = x.astype(np.float64)
    top = as_float.max()
    low, high = 0.2 * top, 0.5 * top

    def plain() -> np.ndarray:
        blurred = cv2.GaussianBlur(x, (17, 17), 2)
        if x.dtype != np.uint8:
            blurred = np.uint8(blurred * 255)
        return cv2.Canny(blurred, 0.2 * 255, 0.5 * 255, L2gradient=True)

    peers = {
        "skimage": lambda: skimage.feature.canny(as_float / top, 2, 0.2, 0.5, mode="mirror"),
        "cv2": plain,
    }
    assert (ik.canny(x, low, high, 2) != peers["skimage"]()).mean() < 1e-3
    return Case(
        f"canny sigma 2 {label}", lambda: ik.canny(x, low, high, 2), peers,
        {"skimage": None, "cv2": None},
        note="scikit-image agrees on 99.9% of the pixels; cv2 compares with 4 directions, on uint8",
    )  # fmt: skip
