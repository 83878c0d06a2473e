"""Resizing and warping against OpenCV, Pillow, torchvision, scikit-image and ndimage."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import skimage.transform
from PIL import Image
from scipy import ndimage

import imgkit as ik
from benchmarks.harness import Case
from imgkit import geometry

PILLOW = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
LEVELS = {np.uint8: 1.0, np.float32: 1e-4 * 4}  # noise; positions are float32 in OpenCV too


def photo(size: int, dtype: Any, channels: int = 3) -> Any:
    x = np.random.default_rng(0).integers(0, 256, (size, size, channels), np.uint8)
    return x if dtype is np.uint8 else (x / 255).astype(dtype)


def cases(quick: bool) -> Iterator[Case]:
    yield from shrinking(quick)
    yield from warps(quick)
    yield from moves()


def shrinking(quick: bool) -> Iterator[Case]:
    sides = [(512, 224)] if quick else [(512, 224), (512, 256), (1024, 224), (224, 512)]
    for before, after in sides:
        x = photo(before, np.uint8)
        for word in ("bilinear", "bicubic"):
            peers = {"Pillow": pillow(x, after, word)} | torchvision(x, after, word)
            yield Case(
                f"resize antialias {word} u8 {before}→{after}",
                lambda x=x, after=after, word=word: ik.resize(x, after, word),
                peers,
                dict.fromkeys(peers, 1.0),
                {"Pillow": 2.0} if (before, word) == (512, "bilinear") else {},
                "planar: the tensor in CHW order; interleaved: a channels-last view",
            )
    x = photo(512, np.float32)
    peers = torchvision(x, 224, "bilinear")
    yield Case("resize antialias bilinear f32 512→224", lambda: ik.resize(x, 224), peers)
    u8 = photo(512, np.uint8)
    yield Case(
        "resize bilinear u8 512→224, no antialias",
        lambda: ik.resize(u8, 224, antialias=False),
        {"OpenCV": lambda: cv2.resize(u8, (224, 224))},
        {"OpenCV": 0.0},
        {"OpenCV": 0.9},
    )
    yield Case(
        "resize antialias u8 512→224 against other definitions",
        lambda: ik.resize(u8, 224),
        {
            "OpenCV INTER_AREA": lambda: cv2.resize(u8, (224, 224), interpolation=cv2.INTER_AREA),
            "scikit-image": lambda: skimage.transform.resize(
                u8, (224, 224), anti_aliasing=True, preserve_range=True
            ),
        },
        {"OpenCV INTER_AREA": None, "scikit-image": None},
        note="INTER_AREA averages a box, scikit-image blurs with a Gaussian",
    )
    yield Case(
        "resize nearest u8 512→224",
        lambda: ik.resize(u8, 224, "nearest"),
        {
            "OpenCV": lambda: cv2.resize(u8, (224, 224), interpolation=cv2.INTER_NEAREST_EXACT),
            "Pillow": lambda: Image.fromarray(u8).resize((224, 224), Image.Resampling.NEAREST),
        },
        {"OpenCV": None, "Pillow": None},
        note="both round to another pixel where a position lies exactly between two",
    )


def pillow(x: Any, after: int, word: str) -> Callable[[], Any]:
    image = Image.fromarray(x)
    return lambda: image.resize((after, after), PILLOW[word])


def torchvision(x: Any, after: int, word: str) -> dict[str, Callable[[], Any]]:
    if importlib.util.find_spec("torchvision") is None:
        return {}
    import torch
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional as tv

    mode = InterpolationMode(word)
    view = torch.from_numpy(x).permute(2, 0, 1)
    planar = view.contiguous()

    def run(tensor: Any) -> Any:
        return tv.resize(tensor, [after, after], mode, antialias=True).permute(1, 2, 0)

    return {
        "torchvision planar": lambda: run(planar),
        "torchvision interleaved": lambda: run(view),
    }


def warps(quick: bool) -> Iterator[Case]:
    for size in (512,) if quick else (512, 1024):
        middle = geometry.center((size, size))
        affine = geometry.rotation(17, middle) @ geometry.scaling(1.1, 1.2, middle)
        corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (size - 1.0)
        bent = corners + np.array([[-9, 3], [5, -8], [12, 9], [2, 7]]) * size / 512
        projective = geometry.perspective(corners, bent)
        rng = np.random.default_rng(1)
        field = ndimage.gaussian_filter(rng.normal(0, 60, (size, size, 2)), (8, 8, 0))
        field = field.astype(np.float32)
        for dtype in (np.uint8, np.float32):
            x = photo(size, dtype)
            name = f"{np.dtype(dtype).name} {size}²x3"
            for word in ("bilinear", "bicubic"):
                yield affine_case(f"warp affine {word} {name}", x, affine, word, LEVELS[dtype])
            yield perspective_case(f"warp perspective {name}", x, projective)
            yield field_case(f"warp field {name}", x, field)


def affine_case(name: str, x: Any, matrix: Any, word: str, level: float) -> Case:
    flag = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}[word]
    size = x.shape[1::-1]
    peers = {"OpenCV": lambda: cv2.warpAffine(x, matrix[:2], size, flags=flag)}
    if word == "bilinear":
        inverse = np.linalg.inv(matrix)
        rows = inverse[1::-1, 1::-1]

        def by_ndimage() -> Any:
            planes = [
                ndimage.affine_transform(x[..., c], rows, inverse[1::-1, 2], order=1, cval=0)
                for c in range(3)
            ]
            return np.stack(planes, -1)

        peers["ndimage"] = by_ndimage
        peers["scikit-image"] = lambda: skimage.transform.warp(
            x, inverse, order=1, preserve_range=True
        )
    tolerance = dict.fromkeys(peers, None) | {"OpenCV": level}
    return Case(
        name, lambda: ik.warp(x, matrix, None, word), peers, tolerance, {"OpenCV": 1 / 1.1},
        "ndimage and scikit-image cut off the last half pixel of a constant border",
    )  # fmt: skip


def perspective_case(name: str, x: Any, matrix: Any) -> Case:
    size = x.shape[1::-1]
    return Case(
        name,
        lambda: ik.warp(x, matrix, antialias=False),
        {"OpenCV": lambda: cv2.warpPerspective(x, matrix, size)},
        goal={"OpenCV": 1 / 1.1},
        tolerance={"OpenCV": LEVELS[x.dtype.type]},
    )


def field_case(name: str, x: Any, field: Any) -> Case:
    grid = geometry.identity_grid(x.shape[:2]).astype(np.float32)

    def by_remap() -> Any:
        return cv2.remap(x, grid + field, None, cv2.INTER_LINEAR)

    return Case(
        name,
        lambda: ik.warp(x, field),
        {"OpenCV, grid + remap": by_remap},
        {"OpenCV, grid + remap": LEVELS[x.dtype.type]},
        {"OpenCV, grid + remap": 1 / 1.1},
    )


def moves() -> Iterator[Case]:
    x = photo(512, np.uint8)
    yield Case("flip u8 512²x3", lambda: ik.flip(x), {"NumPy": lambda: x[:, ::-1].copy()})
    yield Case(
        "rotate 90 u8 512²x3", lambda: ik.rotate(x, 90), {"NumPy": lambda: np.rot90(x).copy()}
    )
    yield Case(
        "pad reflect u8 512²x3",
        lambda: ik.pad(x, 16, border="reflect"),
        {
            "NumPy": lambda: np.pad(x, ((16, 16), (16, 16), (0, 0)), "reflect"),
            "OpenCV": lambda: cv2.copyMakeBorder(x, 16, 16, 16, 16, cv2.BORDER_REFLECT_101),
        },
    )
