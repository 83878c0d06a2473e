"""One transform at a time, 512² uint8 RGB: each library as its users call it.

A transform with fixed numbers gives the same picture in every library, which is checked; a note
marks other definitions and numbers that are drawn for each call. kornia works in float32, so that
its values are not compared.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network for its version

import albumentations as A
import cv2
import kornia.augmentation as K
import skimage.data
import torch
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional as F

import imgkit as ik
from benchmarks.harness import Call, Case

BILINEAR = InterpolationMode.BILINEAR
OWN = "own draws"


def cases(quick: bool) -> Iterator[Case]:
    x = skimage.data.astronaut()
    case = Maker(x)
    yield from moves(case)
    yield from warps(case)
    yield from colors(case)
    yield from filters(case)
    yield from noise(case)


class Maker:
    """Creates a case from one transform of each library."""

    def __init__(self, x: Any) -> None:
        self.x = x
        self.view = torch.from_numpy(x).permute(2, 0, 1)
        self.floats = self.view.float().div(255)[None]  # what kornia takes

    def __call__(
        self,
        op: Any,
        alb: Any = None,
        tv: Any = None,
        kornia: Any = None,
        tolerance: dict[str, float | None] | None = None,
        goal: float | None = None,
        note: str = "",
    ) -> Case:
        aug, x = ik.Pipeline([op], seed=1), self.x
        peers: dict[str, Call] = {}
        if alb is not None:
            compose = A.Compose([alb])
            peers["albumentations"] = lambda: compose(image=x)["image"]
        if tv is not None:
            peers["torchvision"] = lambda: tv(self.view).permute(1, 2, 0)
        if kornia is not None:
            peers["kornia"] = lambda: kornia(self.floats)[0].permute(1, 2, 0)
        allowed = dict.fromkeys(peers, None) | (tolerance or {})
        goals = {} if goal is None else {"albumentations": goal}
        return Case(op.name, lambda: aug(x), peers, allowed, goals, note)


def moves(case: Maker) -> Iterator[Case]:
    exact = {"albumentations": 0.0, "torchvision": 0.0}
    yield case(ik.HorizontalFlip(), A.HorizontalFlip(p=1), F.horizontal_flip,
               K.RandomHorizontalFlip(p=1), exact)  # fmt: skip
    yield case(ik.VerticalFlip(), A.VerticalFlip(p=1), F.vertical_flip, tolerance=exact)
    yield case(ik.Transpose(), A.Transpose(p=1), None, tolerance=exact)
    yield case(ik.CenterCrop(448), A.CenterCrop(448, 448), v2.CenterCrop(448), None, exact)
    yield case(ik.Pad(16, border="reflect"), A.Pad(16, border_mode=cv2.BORDER_REFLECT_101),
               v2.Pad(16, padding_mode="reflect"), None, exact)  # fmt: skip


def warps(case: Maker) -> Iterator[Case]:
    plain: dict[str, Any] = {"antialias": False}
    cut = "torchvision shows half a pixel less at the border"
    yield case(
        ik.Rotate(17, **plain), A.Rotate((17, 17), p=1), v2.RandomRotation((17, 17), BILINEAR),
        K.RandomRotation((17.0, 17.0), p=1), {"albumentations": 1.0}, note=cut,
    )  # fmt: skip
    yield case(
        ik.Affine(10, 0.0, 1.1, **plain), A.Affine(rotate=(10, 10), scale=(1.1, 1.1), p=1),
        v2.RandomAffine((-10, -10), scale=(1.1, 1.1), interpolation=BILINEAR),
        K.RandomAffine((-10.0, -10.0), scale=(1.1, 1.1), p=1), {"albumentations": 1.0}, note=cut,
    )  # fmt: skip
    yield case(ik.Perspective(0.3, **plain), A.Perspective((0.1, 0.1), p=1),
               v2.RandomPerspective(0.3, 1.0, BILINEAR), K.RandomPerspective(0.3, p=1),
               note=f"{OWN}; the corners move by up to 15 % of a side")  # fmt: skip
    yield case(
        ik.Elastic(5, 8), A.ElasticTransform(60, 8, p=1), v2.ElasticTransform(60.0, 8.0),
        K.RandomElasticTransform((49, 49), (8.0, 8.0), (0.02, 0.02), p=1), goal=1.5,
        note=f"{OWN}; the same smoothness and about the same reach, from a lattice here, from a "
        "blurred field of noise there",
    )  # fmt: skip
    yield case(ik.GridDistortion(5, 0.3), A.GridDistortion(5, (-0.3, 0.3), p=1), note=OWN)
    yield case(ik.Resize(224), A.Resize(224, 224, interpolation=cv2.INTER_AREA),
               v2.Resize((224, 224), BILINEAR, antialias=True), None, {"torchvision": 1.0},
               note="albumentations by INTER_AREA, a box")  # fmt: skip


def colors(case: Maker) -> Iterator[Case]:
    light, level = (0.8, 1.2), {"albumentations": 1.0, "torchvision": 1.0}
    yield case(
        ik.ColorJitter(0.2, 0.2, 0.2, 0.05), A.ColorJitter(light, light, light, (-0.05, 0.05), p=1),
        v2.ColorJitter(0.2, 0.2, 0.2, 0.05), K.ColorJitter(0.2, 0.2, 0.2, 0.05, p=1), note=OWN,
    )  # fmt: skip
    yield case(ik.Gamma(1.3), A.RandomGamma((130, 130), p=1), lambda v: F.adjust_gamma(v, 1.3),
               None, level)  # fmt: skip
    yield case(ik.Grayscale(), A.ToGray(p=1), v2.Grayscale(3), K.RandomGrayscale(p=1), level)
    yield case(ik.Invert(), A.InvertImg(p=1), F.invert, K.RandomInvert(p=1), level)
    yield case(ik.Posterize(4), A.Posterize(4, p=1), v2.RandomPosterize(4, 1.0), None,
               {"albumentations": 0.0, "torchvision": 0.0})  # fmt: skip
    yield case(ik.Solarize(0.5), A.Solarize((0.5, 0.5), p=1), v2.RandomSolarize(128, 1.0), None,
               {"albumentations": 0.0, "torchvision": 0.0})  # fmt: skip
    yield case(
        ik.Equalize(), A.Equalize(p=1), v2.RandomEqualize(1.0), K.RandomEqualize(p=1),
        {"torchvision": 0.0}, 1.0, "albumentations has OpenCV's formula, others Pillow's",
    )  # fmt: skip
    yield case(ik.AutoContrast(), A.AutoContrast(method="pil", p=1), v2.RandomAutocontrast(1.0),
               None, level)  # fmt: skip
    yield case(ik.CLAHE(2.0), A.CLAHE((2.0, 2.0), p=1), None, K.RandomClahe((2.0, 2.0), p=1),
               note="on Lab's lightness there, kornia on each channel")  # fmt: skip
    yield case(ik.ChannelShuffle(), A.ChannelShuffle(p=1), v2.RandomChannelPermutation(), note=OWN)


def filters(case: Maker) -> Iterator[Case]:
    yield case(
        ik.GaussianBlur(1.5), A.GaussianBlur((13, 13), (1.5, 1.5), p=1), v2.GaussianBlur(13, 1.5),
        K.RandomGaussianBlur((13, 13), (1.5, 1.5), p=1),
        {"albumentations": 1.0, "torchvision": 1.0}, 1.0,
    )  # fmt: skip
    yield case(ik.BoxBlur(5), A.Blur((5, 5), p=1), None, K.RandomBoxBlur((5, 5), p=1),
               {"albumentations": 1.0})  # fmt: skip
    yield case(ik.MedianBlur(5), A.MedianBlur((5, 5), p=1), None, K.RandomMedianBlur((5, 5), p=1),
               note="borders are reflected here, repeated or zero there")  # fmt: skip
    yield case(ik.MotionBlur(7), A.MotionBlur((7, 7), p=1), None,
               K.RandomMotionBlur(7, 180.0, 0.0, p=1), note=OWN)  # fmt: skip
    yield case(ik.Sharpness(2.0), None, v2.RandomAdjustSharpness(2.0, 1.0), None,
               {"torchvision": 1.0})  # fmt: skip
    yield case(ik.Sharpen(1.0), A.Sharpen((0.5, 0.5), p=1), None, None,
               note="another kernel there")  # fmt: skip
    yield case(ik.Emboss(1.0), A.Emboss((1.0, 1.0), p=1), note="another kernel there")
    yield case(
        ik.JpegCompression(60), A.ImageCompression(quality_range=(60, 60), p=1), v2.JPEG(60), None,
        {"torchvision": 0.0},
        note="albumentations hands its RGB to a BGR codec, and other colors come back",
    )  # fmt: skip


def noise(case: Maker) -> Iterator[Case]:
    yield case(ik.GaussianNoise(0.05), A.GaussNoise(std_range=(0.05, 0.05), p=1),
               v2.GaussianNoise(0.0, 0.05), K.RandomGaussianNoise(0.0, 0.05, p=1), goal=2.0,
               note=OWN)  # fmt: skip
    yield case(ik.SaltPepper(0.05), A.SaltAndPepper((0.05, 0.05), p=1), None,
               K.RandomSaltAndPepperNoise(0.05, 0.5, p=1), note=OWN)  # fmt: skip
    yield case(ik.Erase(), A.Erasing(p=1), v2.RandomErasing(1.0), K.RandomErasing(p=1), note=OWN)
    yield case(ik.GridMask(), A.GridDropout(0.5, p=1), note=OWN)
