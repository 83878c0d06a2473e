"""Pipelines of each kind of stage, and a smooth batch with noise, for tests of several modules."""

import numpy as np

import imgkit as ik
from imgkit.image import full_range, saturate

SIZE = (33, 40)

GEOMETRIC = {
    "flips": [ik.HorizontalFlip(p=0.5), ik.VerticalFlip(p=0.5)],
    "turns and padded crops": [ik.Rotate90(p=0.7), ik.RandomCrop(20, padding=5, border="reflect")],
    "resized crops, some turned": [
        ik.RandomResizedCrop(24),
        ik.HorizontalFlip(p=0.5),
        ik.Rotate((-15, 15), p=0.5),
    ],
    "resized crops on their side": [
        ik.RandomResizedCrop((20, 28)),
        ik.Rotate90(k=1),
        ik.Transpose(p=0.5),
    ],
    "pads, then a resize": [ik.Pad(4, p=0.5, fill=0.5), ik.Resize(20), ik.Perspective(0.3, p=0.5)],
    "many canvases": [
        ik.Rotate(30, p=0.5, fill=0.5),
        ik.Translate((-0.3, 0.3), p=0.5),
        ik.Scale((0.5, 2), p=0.5),
        ik.CenterCrop(20),
        ik.Shear(10, fill=0.2),
    ],
    "flips, then resized crops": [ik.HorizontalFlip(p=0.5), ik.RandomResizedCrop(24)],
    "letterbox": [ik.Letterbox(30, fill=0.4), ik.Rotate((-20, 20), p=0.5)],
    "fields": [
        ik.HorizontalFlip(p=0.5),
        ik.Elastic((0, 4), p=0.6, fill=0.3),
        ik.Rotate((-10, 10), p=0.5),
        ik.GridDistortion(p=0.5),
        ik.Resize(20),
    ],
    "sizes that vary": [ik.RandomCrop(20, p=0.5), ik.Contrast((0.5, 1.5)), ik.Equalize(p=0.5)],
}

COLORFUL = {
    "training": [
        ik.RandomResizedCrop(24),
        ik.HorizontalFlip(p=0.5),
        ik.Rotate((-15, 15), p=0.5),
        ik.ColorJitter(0.4, 0.4, 0.4, 0.1),
        ik.Normalize("imagenet"),
    ],
    "bicubic": [
        ik.Posterize(4, p=0.5),
        ik.RandomResizedCrop(24, interpolation="bicubic"),
        ik.Invert(p=0.5),
    ],
    "filters": [
        ik.Sharpen((0, 1.5), p=0.5),
        ik.MedianBlur((1, 5)),
        ik.BoxBlur((1, 7)),
        ik.MotionBlur((3, 7)),
        ik.Emboss((0.0, 1.0), p=0.5),
        ik.GaussianBlur((0.1, 2.0), p=0.5),
    ],
    "noise and holes": [
        ik.GaussianNoise((0, 0.2)),
        ik.SaltPepper((0.0, 0.1)),
        ik.Erase(p=0.5),
        ik.GridMask(p=0.5),
    ],
    "RandAugment": [ik.RandAugment()],
    "AugMix": [ik.AugMix()],
    "choices": [
        ik.OneOf([ik.Rotate(20), ik.Hue(0.2), ik.Solarize(0.5)]),
        ik.SomeOf([ik.Invert(), ik.AutoContrast(), ik.Grayscale()], 2),
    ],
}


def batch(dtype="uint8", count=6, size=SIZE, channels=3):
    rng = np.random.default_rng(0)
    smooth = rng.random((count, *size, channels)).cumsum(axis=1).cumsum(axis=2)
    values = 0.9 * smooth / smooth.max() + 0.1 * rng.random(smooth.shape)
    return saturate(values * full_range(dtype), dtype)
