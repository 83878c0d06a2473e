"""Color and tone: one 512² (and 224²) photograph against every library with the same operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

import imgkit as ik
from benchmarks.harness import Call, Case
from imgkit.ops.tone import PRESETS

MEAN, STD = PRESETS["imagenet"]


def cases(quick: bool) -> Iterator[Case]:
    import cv2
    import skimage.data

    photo = skimage.data.astronaut()
    for size in (224,) if quick else (224, 512):
        image = cv2.resize(photo, (size, size), interpolation=cv2.INTER_AREA)
        yield from _bytes(image)
        yield from _floats(ik.to_float(image))


def _bytes(x: np.ndarray) -> Iterator[Case]:
    """All peers take uint8."""
    import cv2
    import torch
    from albumentations.augmentations.pixel import functional as alb
    from torchvision.transforms.v2 import functional as tv

    tensor = torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)))
    picture = Image.fromarray(x)
    case = _named(f"uint8 {x.shape[0]}²")

    def vision(call: Callable[..., Any], *arguments: Any) -> Call:
        return lambda: call(tensor, *arguments).numpy().transpose(1, 2, 0)

    def pillow(enhancer: Any, factor: float) -> Call:
        return lambda: enhancer(picture).enhance(factor)

    level = {"torchvision": 1, "pillow": 1, "albumentations": 1}
    yield case(
        "brightness", lambda: ik.adjust_brightness(x, 1.3),
        {
            "torchvision": vision(tv.adjust_brightness, 1.3),
            "pillow": pillow(ImageEnhance.Brightness, 1.3),
            "albumentations": lambda: alb.adjust_brightness_torchvision(x, 1.3),
        }, level,
    )  # fmt: skip
    yield case(
        "contrast", lambda: ik.adjust_contrast(x, 1.3),
        {
            "torchvision": vision(tv.adjust_contrast, 1.3),
            "pillow": pillow(ImageEnhance.Contrast, 1.3),
            "albumentations": lambda: alb.adjust_contrast_torchvision(x, 1.3),
        }, level,
    )  # fmt: skip
    yield case(
        "saturation", lambda: ik.adjust_saturation(x, 1.3),
        {
            "torchvision": vision(tv.adjust_saturation, 1.3),
            "pillow": pillow(ImageEnhance.Color, 1.3),
            "albumentations": lambda: alb.adjust_saturation_torchvision(x, 1.3),
        }, level,
    )  # fmt: skip
    yield case(
        "hue", lambda: ik.adjust_hue(x, 0.1),
        {
            "torchvision": vision(tv.adjust_hue, 0.1),
            "albumentations": lambda: alb.adjust_hue_torchvision(x, 0.1),
        },
        {"torchvision": 1, "albumentations": None},
        "albumentations rounds hue to 2 degrees and saturation to a byte: up to 10 levels off",
    )  # fmt: skip
    table = np.power(np.arange(256) / 255, 1.7)
    yield case(
        "gamma", lambda: ik.adjust_gamma(x, 1.7),
        {
            "torchvision": vision(tv.adjust_gamma, 1.7),
            "pillow": lambda: picture.point((table * 255).astype(np.uint8).tolist() * 3),
            "albumentations": lambda: alb.gamma_transform(x, 1.7),
        }, level,
    )  # fmt: skip
    yield case(
        "grayscale", lambda: ik.grayscale(x),
        {
            "torchvision": lambda: tv.rgb_to_grayscale(tensor).numpy()[0],
            "pillow": lambda: picture.convert("L"),
            "albumentations": lambda: alb.to_gray_weighted_average(x),
        }, level,
    )  # fmt: skip
    yield case(
        "invert", lambda: ik.invert(x),
        {
            "torchvision": vision(tv.invert),
            "pillow": lambda: ImageOps.invert(picture),
            "albumentations": lambda: alb.invert(x),
        }, dict.fromkeys(level, 0),
    )  # fmt: skip
    yield case(
        "posterize 3", lambda: ik.posterize(x, 3),
        {
            "torchvision": vision(tv.posterize, 3),
            "pillow": lambda: ImageOps.posterize(picture, 3),
            "albumentations": lambda: alb.posterize(x, 3),
        }, dict.fromkeys(level, 0),
    )  # fmt: skip
    yield case(
        "solarize", lambda: ik.solarize(x),
        {
            "torchvision": vision(tv.solarize, 128),
            "pillow": lambda: ImageOps.solarize(picture, 128),
            "albumentations": lambda: alb.solarize(x, 128 / 255),
        }, dict.fromkeys(level, 0),
    )  # fmt: skip
    yield case(
        "equalize", lambda: ik.equalize(x),
        {
            "torchvision": vision(tv.equalize),
            "pillow": lambda: ImageOps.equalize(picture),
            "albumentations": lambda: alb.equalize(x, mode="cv"),
        }, {"torchvision": 0, "pillow": 0, "albumentations": None},
        "albumentations has OpenCV's formula, the others Pillow's",
    )  # fmt: skip
    yield case(
        "autocontrast", lambda: ik.autocontrast(x),
        {
            "torchvision": vision(tv.autocontrast),
            "pillow": lambda: ImageOps.autocontrast(picture),
            "albumentations": lambda: alb.auto_contrast(x, 0, None, "pil"),
        }, level,
    )  # fmt: skip
    gray = ik.grayscale(x)
    yield case(
        "clahe", lambda: ik.clahe(x),
        {"albumentations": lambda: alb.clahe(x, 4.0, (8, 8))}, {"albumentations": None},
        "albumentations equalizes L of Lab, imgkit Y of Y'CbCr",
    )  # fmt: skip
    tiles = cv2.createCLAHE(4.0, (8, 8))
    yield case("clahe gray", lambda: ik.clahe(gray), {"opencv": lambda: tiles.apply(gray)})
    yield _normalize(case, x, tensor)


def _normalize(case: Callable[..., Case], x: np.ndarray, tensor: Any) -> Case:
    """Bytes to normalized float32."""
    import kornia
    import torch
    from albucore import normalize as alb_normalize
    from torchvision.transforms.v2 import functional as tv

    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    wide = (np.array(MEAN) * 255).astype(np.float32), (1 / (np.array(STD) * 255)).astype(np.float32)

    def vision() -> Any:
        return tv.normalize(tv.to_dtype(tensor, torch.float32, scale=True), MEAN, STD)

    def korn() -> Any:
        return kornia.enhance.normalize(tensor[None] / 255, mean, std)[0]

    return case(
        "normalize", lambda: ik.normalize(x, "imagenet"),
        {
            "torchvision": lambda: vision().numpy().transpose(1, 2, 0),
            "kornia": lambda: korn().numpy().transpose(1, 2, 0),
            "albumentations": lambda: alb_normalize(x, *wide),
        }, dict.fromkeys(("torchvision", "kornia", "albumentations"), 1e-4),
    )  # fmt: skip


def _floats(x: np.ndarray) -> Iterator[Case]:
    """float32: torchvision and kornia."""
    import kornia
    import torch
    from torchvision.transforms.v2 import functional as tv

    tensor = torch.from_numpy(np.ascontiguousarray(x.transpose(2, 0, 1)))
    batch = tensor[None]
    case = _named(f"float32 {x.shape[0]}²")
    enhance = kornia.enhance
    # kornia's gray weights and its hue (radians) and contrast (about 0) are its own
    calls: dict[str, tuple[Call, Callable[[], Any], Callable[[], Any], float | None]] = {
        "brightness": (
            lambda: ik.adjust_brightness(x, 1.3),
            lambda: tv.adjust_brightness(tensor, 1.3),
            lambda: enhance.adjust_brightness_accumulative(batch, 1.3), 1e-5,
        ),
        "contrast": (
            lambda: ik.adjust_contrast(x, 1.3),
            lambda: tv.adjust_contrast(tensor, 1.3),
            lambda: enhance.adjust_contrast_with_mean_subtraction(batch, 1.3), 1e-3,
        ),
        "saturation": (
            lambda: ik.adjust_saturation(x, 1.3),
            lambda: tv.adjust_saturation(tensor, 1.3),
            lambda: enhance.adjust_saturation_with_gray_subtraction(batch, 1.3), 1e-3,
        ),
        "hue": (
            lambda: ik.adjust_hue(x, 0.1),
            lambda: tv.adjust_hue(tensor, 0.1),
            lambda: enhance.adjust_hue(batch, 0.2 * np.pi), 1e-4,
        ),
        "gamma": (
            lambda: ik.adjust_gamma(x, 1.7),
            lambda: tv.adjust_gamma(tensor, 1.7),
            lambda: enhance.adjust_gamma(batch, 1.7), 1e-5,
        ),
        "invert": (
            lambda: ik.invert(x),
            lambda: tv.invert(tensor),
            lambda: enhance.invert(batch), 1e-6,
        ),
        "solarize": (
            lambda: ik.solarize(x),
            lambda: tv.solarize(tensor, 0.5),
            lambda: enhance.solarize(batch, 0.5), 1e-6,
        ),
        "posterize 3": (
            lambda: ik.posterize(x, 3),
            lambda: tv.posterize(tensor, 3),
            lambda: enhance.posterize(batch, 3), None,
        ),
        "equalize": (
            lambda: ik.equalize(x),
            lambda: tv.equalize(tensor),
            lambda: enhance.equalize(batch), None,
        ),
        "autocontrast": (
            lambda: ik.autocontrast(x),
            lambda: tv.autocontrast(tensor),
            lambda: enhance.normalize_min_max(batch), 1e-5,
        ),
    }  # fmt: skip
    for name, (ours, vision, korn, tolerance) in calls.items():
        yield case(
            name, ours,
            {
                "torchvision": lambda vision=vision: vision().numpy().transpose(1, 2, 0),
                "kornia": lambda korn=korn: korn()[0].numpy().transpose(1, 2, 0),
            },
            {"torchvision": 1e-5, "kornia": tolerance},
            "" if tolerance else "kornia masks 8-bit levels, or leaves them out",
        )  # fmt: skip


def _named(prefix: str) -> Callable[..., Case]:
    """Return a function that creates cases with a common prefix of their names."""

    def make(
        name: str,
        ours: Call,
        peers: dict[str, Call],
        tolerance: dict[str, float | None] | None = None,
        note: str = "",
    ) -> Case:
        return Case(f"{name}, {prefix}", ours, peers, tolerance or {}, {}, note)

    return make
