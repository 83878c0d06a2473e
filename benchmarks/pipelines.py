"""Whole training pipelines: one 512² uint8 photograph, as a data loader's worker would run them.

Every side draws its own numbers for each call, so the outputs differ; before timing, copies of the
pipelines with fixed numbers are compared.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network for its version

import albumentations as A
import cv2
import kornia.augmentation as K
import numpy as np
import skimage.data
import torch
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional as F

import imgkit as ik
from benchmarks.harness import Call, Case, check_equal
from imgkit.registry import TRANSFORMS

BILINEAR = InterpolationMode.BILINEAR
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
OVERHEAD = 60e-6  # seconds a call may cost beside its pixels
LAYOUTS = "torchvision starts from a channels-last view, kornia from float32"


def cases(quick: bool) -> Iterator[Case]:
    x = skimage.data.astronaut()
    yield crop(x, antialias=False)
    yield crop(x, antialias=True)
    yield crop_affine_jitter(x)
    yield three_warps(x)
    yield color_chain(x)
    if "RandAugment" in TRANSFORMS:
        yield rand_augment(x)
    yield from overhead()


# --- one call of each library -----------------------------------------------------------------


def ours(x: Any, *ops: Any) -> Call:
    aug = ik.Pipeline(list(ops), seed=1)
    return lambda: aug(x)


def albumentations(x: Any, *ops: Any) -> Call:
    aug = A.Compose(list(ops))
    return lambda: aug(image=x)["image"]


def torchvision(x: Any, *ops: Any) -> Call:
    aug = v2.Compose(list(ops))
    view = torch.from_numpy(x).permute(2, 0, 1)
    return lambda: aug(view)


def kornia(x: Any, *ops: Any) -> Call:
    aug = K.AugmentationSequential(*ops)
    batch = torch.from_numpy(x).permute(2, 0, 1).float().div(255)[None]
    return lambda: aug(batch)


def same(name: str, mine: Call, peers: dict[str, Call], tolerance: dict[str, float]) -> None:
    """Raise unless the copies with fixed numbers agree; bytes have channels last or first."""

    def flat(call: Call) -> Call:
        def run() -> Any:
            result = np.asarray(call())
            result = result[0] if result.ndim == 4 else result
            return result.transpose(1, 2, 0) if result.shape[0] == 3 else result

        return run

    check_equal(
        Case(f"{name}, fixed", flat(mine), {k: flat(c) for k, c in peers.items()}, tolerance)
    )


def smooth(x: Any) -> Any:
    return cv2.GaussianBlur(x, (0, 0), 8)


def leave_tv() -> list[Any]:
    return [v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]


# --- crops ------------------------------------------------------------------------------------


def crop(x: Any, antialias: bool) -> Case:
    """RandomResizedCrop(224) + flip + normalize + CHW."""
    whole: dict[str, Any] = {"scale": (1.0, 1.0), "ratio": (1.0, 1.0)}

    def build(p: float, **box: Any) -> tuple[Call, dict[str, Call]]:
        mine = ours(
            x, ik.RandomResizedCrop(224, **box, antialias=antialias), ik.HorizontalFlip(p=p),
            ik.Normalize("imagenet"), ik.ToCHW(),
        )  # fmt: skip
        peers = {
            "torchvision": torchvision(
                x, v2.RandomResizedCrop(224, **box, antialias=antialias),
                v2.RandomHorizontalFlip(p), *leave_tv(),
            ),
        }  # fmt: skip
        if not antialias:
            peers["albumentations"] = albumentations(
                x, A.RandomResizedCrop((224, 224), **box, interpolation=cv2.INTER_LINEAR),
                A.HorizontalFlip(p=p), A.Normalize(), A.ToTensorV2(),
            )  # fmt: skip
            peers["kornia"] = kornia(
                x, K.RandomResizedCrop((224, 224), **box), K.RandomHorizontalFlip(p=p),
                K.Normalize(MEAN, STD),
            )  # fmt: skip
        return mine, peers

    name = (
        f"RandomResizedCrop(224{'' if antialias else ', antialias=False'}) + flip + normalize + CHW"
    )
    fixed, twins = build(1.0, **whole)
    twins.pop("kornia", None)  # aligns corners in its crop
    level = 1.02 / 255 / min(STD)  # torchvision and albumentations round to bytes before
    same(name, fixed, twins, dict.fromkeys(twins, level))
    mine, peers = build(0.5)
    goal = {"torchvision": 3.0} if antialias else {"albumentations": 1.8}
    note = f"own draws; {LAYOUTS}" + ("" if antialias else "; kornia aligns the corners")
    return Case(name, mine, peers, dict.fromkeys(peers, None), goal, note)


def crop_affine_jitter(x: Any) -> Case:
    """The crop with an affine map and a color jitter."""

    def build(x: Any, p: float, box: Any, turn: Any, grow: Any, light: Any, hue: float) -> Any:
        mine = ours(
            x, ik.RandomResizedCrop(224, **box, antialias=False), ik.HorizontalFlip(p=p),
            ik.Affine(turn, (-0.1, 0.1) if p < 1 else 0.0, grow, (-5, 5) if p < 1 else 0.0,
                      antialias=False),
            ik.ColorJitter(light, light, light, hue), ik.Normalize("imagenet"), ik.ToCHW(),
        )  # fmt: skip
        peers = {
            "albumentations": albumentations(
                x, A.RandomResizedCrop((224, 224), **box), A.HorizontalFlip(p=p),
                A.Affine(rotate=turn, translate_percent=(-0.1, 0.1) if p < 1 else (0, 0),
                         scale=grow, shear=(-5, 5) if p < 1 else (0, 0), p=1),
                A.ColorJitter(light, light, light, (-hue, hue), p=1), A.Normalize(), A.ToTensorV2(),
            ),
            "torchvision": torchvision(
                x, v2.RandomResizedCrop(224, **box, antialias=False), v2.RandomHorizontalFlip(p),
                v2.RandomAffine([-turn[1], -turn[0]], (0.1, 0.1) if p < 1 else None, grow,
                                5 if p < 1 else None, BILINEAR),
                v2.ColorJitter(light, light, light, hue), *leave_tv(),
            ),
            "kornia": kornia(
                x, K.RandomResizedCrop((224, 224), **box), K.RandomHorizontalFlip(p=p),
                K.RandomAffine(15, (0.1, 0.1), grow, 5, p=1),
                K.ColorJitter(light, light, light, hue, p=1), K.Normalize(MEAN, STD),
            ),
        }  # fmt: skip
        return mine, peers

    name = "RandomResizedCrop(224, antialias=False) + flip + affine + jitter + normalize + CHW"
    whole = {"scale": (1.0, 1.0), "ratio": (1.0, 1.0)}
    # enlarged, so that no border shows; smooth, so that a second interpolation loses little
    fixed, twins = build(smooth(x), 1.0, whole, (10, 10), (1.5, 1.5), (1.0, 1.0), 0.0)
    del twins["kornia"]
    same(name, fixed, twins, dict.fromkeys(twins, 3 / 255 / min(STD)))
    mine, peers = build(x, 0.5, {}, (-15, 15), (0.9, 1.1), (0.8, 1.2), 0.05)
    return Case(name, mine, peers, dict.fromkeys(peers, None),
                {"albumentations": 3.0, "torchvision": 12.0},
                f"own draws; one interpolation here, two there; {LAYOUTS}")  # fmt: skip


# --- warps ------------------------------------------------------------------------------------


def three_warps(x: Any) -> Case:
    """Rotate, Affine and Perspective, all at 512², bytes in and out."""
    name = "three warps at 512²: rotate + affine + perspective"

    def build(x: Any, turn: Any, lean: Any, grow: Any, far: float) -> Any:
        mine = ours(
            x, ik.Rotate(turn, antialias=False),
            ik.Affine(shear=lean, scale=grow, antialias=False),
            *([ik.Perspective(far, antialias=False)] if far else []),
        )  # fmt: skip
        peers = {
            "albumentations": albumentations(
                x, A.Rotate(turn, p=1), A.Affine(shear={"x": (-lean[1], -lean[0]), "y": (0, 0)},
                                                 scale=grow, p=1),
                *([A.Perspective((far / 3, far / 3), p=1)] if far else []),
            ),
            "torchvision": torchvision(
                x, v2.RandomRotation(turn, BILINEAR),
                v2.RandomAffine(0, None, grow, [-lean[1], -lean[0]], BILINEAR),
                *([v2.RandomPerspective(far, 1.0, BILINEAR)] if far else []),
            ),
            "kornia": kornia(
                x, K.RandomRotation(turn, p=1), K.RandomAffine(0, None, grow, lean, p=1),
                *([K.RandomPerspective(far, p=1)] if far else []),
            ),
        }  # fmt: skip
        return mine, peers

    fixed, twins = build(smooth(x), (10, 10), (5, 5), (1.6, 1.6), 0.0)
    del twins["kornia"]
    same(name, fixed, twins, dict.fromkeys(twins, 3))
    mine, peers = build(x, (-30, 30), (-10, 10), (0.9, 1.2), 0.3)
    return Case(name, mine, peers, dict.fromkeys(peers, None),
                {"albumentations": 2.5, "torchvision": 10.0},
                f"own draws; one interpolation here, three there; {LAYOUTS}")  # fmt: skip


# --- color ------------------------------------------------------------------------------------


class TorchGamma(torch.nn.Module):
    """torchvision has only the function."""

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = low, high

    def forward(self, image: Any) -> Any:
        return F.adjust_gamma(image, self.low + (self.high - self.low) * torch.rand(()).item())


def color_chain(x: Any) -> Case:
    """Jitter + gamma + posterize at 512²."""
    name = "color chain at 512²: jitter + gamma + posterize"

    def build(light: Any, hue: float, low: float, high: float) -> Any:
        mine = ours(
            x, ik.ColorJitter(light, light, light, hue), ik.Gamma((low, high)), ik.Posterize(4)
        )
        peers = {
            "albumentations": albumentations(
                x, A.ColorJitter(light, light, light, (-hue, hue), p=1),
                A.RandomGamma((low * 100, high * 100), p=1), A.Posterize(4, p=1),
            ),
            "torchvision": torchvision(
                x, v2.ColorJitter(light, light, light, hue), TorchGamma(low, high),
                v2.RandomPosterize(4, 1.0),
            ),
            "kornia": kornia(
                x, K.ColorJitter(light, light, light, hue, p=1), K.RandomGamma((low, high), p=1),
                K.RandomPosterize(4, p=1),
            ),
        }  # fmt: skip
        return mine, peers

    fixed, twins = build((1.0, 1.0), 0.0, 1.3, 1.3)
    del twins["kornia"]
    # a level before the posterization may be a step of 16 after it
    same(name, fixed, twins, dict.fromkeys(twins, 16))
    mine, peers = build((0.8, 1.2), 0.05, 0.7, 1.4)
    return Case(name, mine, peers, dict.fromkeys(peers, None),
                {"albumentations": 2.0, "torchvision": 8.0},
                f"own draws; albumentations rounds hue to 2 degrees; {LAYOUTS}")  # fmt: skip


def rand_augment(x: Any) -> Case:
    peers = {"torchvision": torchvision(x, v2.RandAugment())}
    return Case(
        "RandAugment(2, 9) at 512²", ours(x, ik.RandAugment(2, 9)), peers, {"torchvision": None},
        {"torchvision": 4.0}, "own draws from the same table of ops and magnitudes",
    )  # fmt: skip


# --- overhead ---------------------------------------------------------------------------------


def waiting(seconds: float) -> Callable[[], None]:
    """Return a call that takes a given time: a peer that represents a limit."""

    def wait() -> None:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            pass

    return wait


def overhead() -> Iterator[Case]:
    """The overhead of a call, on 8x8 images, where the pixels take almost no time."""
    x = np.zeros((8, 8, 3), np.uint8)
    limit = f"{OVERHEAD * 1e6:.0f} µs"
    short = (
        [ik.RandomResizedCrop(8, antialias=False), ik.HorizontalFlip(p=0.5),
         ik.Normalize("imagenet"), ik.ToCHW()],
        [A.RandomResizedCrop((8, 8)), A.HorizontalFlip(p=0.5), A.Normalize(), A.ToTensorV2()],
        [v2.RandomResizedCrop(8, antialias=False), v2.RandomHorizontalFlip(), *leave_tv()],
    )  # fmt: skip
    light = (0.8, 1.2)
    long = (
        [*short[0][:2], ik.Affine((-15, 15), 0.1, antialias=False),
         ik.ColorJitter(0.2, 0.2, 0.2, 0.05), *short[0][2:]],
        [*short[1][:2], A.Affine(rotate=(-15, 15), translate_percent=(0.1, 0.1), p=1),
         A.ColorJitter(light, light, light, (-0.05, 0.05), p=1), *short[1][2:]],
        [*short[2][:2], v2.RandomAffine(15, (0.1, 0.1), interpolation=BILINEAR),
         v2.ColorJitter(0.2, 0.2, 0.2, 0.05), *short[2][2:]],
    )  # fmt: skip
    one = [ik.HorizontalFlip(p=0.5)], [A.HorizontalFlip(p=0.5)], [v2.RandomHorizontalFlip()]
    for name, (mine, theirs, others) in {
        "flip": one,
        "crop + flip + normalize + CHW": short,
        "crop + flip + affine + jitter + normalize + CHW": long,
    }.items():
        peers = {
            limit: waiting(OVERHEAD),
            "albumentations": albumentations(x, *theirs),
            "torchvision": torchvision(x, *others),
        }
        yield Case(f"overhead of a call, 8x8: {name}", ours(x, *mine), peers,
                   dict.fromkeys(peers, None), {limit: 1.0},
                   f"{limit} waits so long: a ratio above 1 keeps the limit")  # fmt: skip
