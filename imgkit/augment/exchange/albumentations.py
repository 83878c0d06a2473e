"""How each albumentations transform reads in imgkit, or why it does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from imgkit.augment.exchange.torchvision import REFUSED as TORCHVISION
from imgkit.augment.exchange.translate import (
    Library,
    Ops,
    Output,
    Read,
    bounds,
    fraction,
    inner,
    normalize,
    only_p,
    refuse,
    together,
    turned,
    uncut,
)
from imgkit.augment.transforms import color, control, exact, filters, noise, resizes, warps
from imgkit.augment.transforms.base import Transform

CV_INTERPOLATIONS = {0: "nearest", 1: "bilinear", 2: "bicubic", 5: "bilinear", 6: "nearest"}
ONE_SHIFT = "translate differs in x and y; Affine has one range for both"
CV_BORDERS = {0: "constant", 1: "edge", 2: "symmetric", 3: "wrap", 4: "reflect"}


def _cv_interpolation(t: Any) -> str:
    known = t.interpolation in CV_INTERPOLATIONS
    refuse(not known, f"interpolation {t.interpolation}: use nearest, linear or cubic")
    refuse(getattr(t, "area_for_downscale", None), "area_for_downscale has no translation")
    return CV_INTERPOLATIONS[t.interpolation]


def _cv_border(t: Any) -> dict[str, Any]:
    return {"border": CV_BORDERS[t.border_mode], "fill": fraction(t.fill, Output())}


def _cv_sampling(t: Any) -> dict[str, Any]:
    return {"interpolation": _cv_interpolation(t), "antialias": False, "p": t.p, **_cv_border(t)}


def _resize(t: Any, _: Output) -> Ops:
    return [resizes.Resize((t.height, t.width), interpolation=_cv_interpolation(t),
                             antialias=False, p=t.p)]  # fmt: skip


def _edge(edge: str) -> Read:
    def read(t: Any, _: Output) -> Ops:
        refuse(not isinstance(t.max_size, int), "one max_size alone has a translation")
        return [resizes.Resize(t.max_size, edge=edge, interpolation=_cv_interpolation(t),
                                 antialias=False, p=t.p)]  # fmt: skip

    return read


def _resized_crop(t: Any, _: Output) -> Ops:
    how: dict[str, Any] = {"interpolation": _cv_interpolation(t), "antialias": False, "p": t.p}
    return [resizes.RandomResizedCrop(tuple(t.size), tuple(t.scale), tuple(t.ratio), **how)]


def _crop(kind: Callable[..., Transform]) -> Read:
    def read(t: Any, _: Output) -> Ops:
        refuse(t.pad_if_needed, "pad_if_needed has no translation; put a Pad or Resize before")
        return [kind((t.height, t.width), p=t.p)]

    return read


def _pad(t: Any, _: Output) -> Ops:
    refuse(not isinstance(t.padding, int), "one padding for all sides alone has a translation")
    return [exact.Pad(t.padding, p=t.p, **_cv_border(t))]


def _rotate(t: Any, _: Output) -> Ops:
    refuse(t.crop_border, "crop_border makes a canvas of another size for every angle")
    return [warps.Rotate(bounds(t.limit), **_cv_sampling(t))]


def _is_drawn_apart(t: Any) -> bool:
    """Return whether an Affine scales x and y by different numbers."""
    return t.scale["x"] != t.scale["y"] or not (t.keep_ratio or len(set(t.scale["x"])) == 1)


def _shift_scale_rotate(t: Any, out: Output) -> Ops:
    """Read an Affine that takes no keep_ratio, so that the advice is another."""
    shift = t.translate_percent["x"]
    refuse(shift != t.translate_percent["y"], ONE_SHIFT)
    if _is_drawn_apart(t):
        raise ValueError(
            "it draws its scale for x and y apart and takes no keep_ratio: write "
            f"Affine(scale={tuple(t.scale['x'])}, translate_percent={tuple(shift)}, "
            f"rotate={tuple(t.rotate)}, keep_ratio=True, p={t.p}), or scale_limit=0"
        )
    return _affine(t, out)


def _affine(t: Any, _: Output) -> Ops:
    refuse(
        _is_drawn_apart(t), "scale is drawn for x and y apart; keep_ratio=True has a translation"
    )
    moved = any(map(any, (t.translate_px or {}).values()))
    refuse(moved, "translate_px: use translate_percent, a fraction")
    shift = t.translate_percent or {"x": (0.0, 0.0), "y": (0.0, 0.0)}
    refuse(shift["x"] != shift["y"], ONE_SHIFT)
    refuse(any(t.shear["y"]), "a shear of columns has no translation")
    refuse(any(t.shear["x"]) and any(t.rotate), "it shears after it turns; imgkit shears first")
    refuse(t.fit_output, "fit_output makes a canvas of another size for every draw")
    refuse(t.balanced_scale, "balanced_scale has no translation")
    return [warps.Affine(bounds(t.rotate), bounds(shift["x"]), bounds(t.scale["x"]),
                             turned(t.shear["x"]), **_cv_sampling(t))]  # fmt: skip


def _jitter(t: Any, _: Output) -> Ops:
    names = ("brightness", "contrast", "saturation", "hue")
    return [color.ColorJitter(p=t.p, **{name: tuple(getattr(t, name)) for name in names})]


def _gray(t: Any, _: Output) -> Ops:
    refuse(t.num_output_channels != 3, "the number of channels changes; keep it at 3")
    refuse(t.method != "weighted_average", "method 'weighted_average' alone has a translation")
    return [color.Grayscale(p=t.p)]


def _blur(t: Any, _: Output) -> Ops:
    if any(t.blur_limit):
        uncut(min(t.blur_limit), t.sigma_limit[1])
    return [filters.GaussianBlur(bounds(t.sigma_limit), p=t.p)]


def _noise(t: Any, _: Output) -> Ops:
    refuse(any(t.mean_range), "a mean other than 0 has no translation")
    refuse(not t.per_channel, "per_channel=False has no translation")
    refuse(t.noise_scale_factor != 1, "noise_scale_factor other than 1 has no translation")
    return [noise.GaussianNoise(bounds(t.std_range), p=t.p)]


def _gamma(t: Any, _: Output) -> Ops:
    return [color.Gamma(bounds([v / 100 for v in t.gamma_limit]), p=t.p)]


def _posterize(t: Any, _: Output) -> Ops:
    refuse(
        not all(isinstance(b, int) for b in t.num_bits), "bits for each channel have no translation"
    )
    return [color.Posterize(bounds(t.num_bits), p=t.p)]


def _autocontrast(t: Any, _: Output) -> Ops:
    refuse(t.method != "pil" or t.cutoff or t.ignore is not None,
            "method 'pil' without cutoff and ignore alone has a translation")  # fmt: skip
    return [color.AutoContrast(p=t.p)]


def _jpeg(t: Any, _: Output) -> Ops:
    refuse(t.compression_type != "jpeg", "JPEG alone has a translation")
    return [filters.JpegCompression(bounds(t.quality_range), p=t.p)]


def _float(t: Any, out: Output) -> Ops:
    refuse(t.max_value not in (None, 255), "max_value is what the dtype holds; leave it out")
    refuse(t.p != 1, "an output op happens to every image; p must be 1")
    out.floats = True
    return []


def _normalize(t: Any, out: Output) -> Ops:
    refuse(t.normalization != "standard", "normalization 'standard' alone has a translation")
    refuse(t.p != 1, "an output op happens to every image; p must be 1")
    refuse(t.max_pixel_value not in (None, 1.0 if out.floats else 255.0),
            "max_pixel_value must be what the dtype holds")  # fmt: skip
    mean, std = (v if isinstance(v, Sequence) else (v,) for v in (t.mean, t.std))
    return normalize(mean, std, out)


def _tensor(t: Any, out: Output) -> Ops:
    out.channels_first = True
    return []


def _one_of(t: Any, out: Output) -> Ops:
    """Read OneOf: the p of its children are weights, and the chosen one always happens."""
    weights = tuple(item.p for item in t.transforms)
    options = [together(inner([item], LIBRARY, out))
               for item in t.transforms]  # fmt: skip
    sure = [dataclasses.replace(op, p=1.0) for op in options]
    return [control.OneOf(sure, None if len(set(weights)) == 1 else weights, p=t.p)]


def _some_of(t: Any, out: Output) -> Ops:
    refuse(t.replace, "replace=True has no translation")
    options = [together(inner([item], LIBRARY, out))
               for item in t.transforms]  # fmt: skip
    return [control.SomeOf(options, t.n, p=t.p)]


def _sequence(t: Any, out: Output) -> Ops:
    ops = inner(t.transforms, LIBRARY, out)
    return [together(ops, t.p)] if ops else []


KNOWN: dict[str, Read] = {
    "NoOp": lambda t, out: [],
    "Compose": _sequence,
    "Sequential": _sequence,
    "OneOf": _one_of,
    "SomeOf": _some_of,
    "ToTensorV2": _tensor,
    "ToFloat": _float,
    "Normalize": _normalize,
    "Resize": _resize,
    "SmallestMaxSize": _edge("shorter"),
    "LongestMaxSize": _edge("longer"),
    "CenterCrop": _crop(exact.CenterCrop),
    "RandomCrop": _crop(exact.RandomCrop),
    "RandomResizedCrop": _resized_crop,
    "Pad": _pad,
    "HorizontalFlip": only_p(exact.HorizontalFlip),
    "VerticalFlip": only_p(exact.VerticalFlip),
    "Transpose": only_p(exact.Transpose),
    "RandomRotate90": only_p(exact.Rotate90),
    "Rotate": _rotate,
    "Affine": _affine,
    "ShiftScaleRotate": _shift_scale_rotate,
    "ColorJitter": _jitter,
    "ToGray": _gray,
    "InvertImg": only_p(color.Invert),
    "ChannelShuffle": only_p(color.ChannelShuffle),
    "RandomGamma": _gamma,
    "Posterize": _posterize,
    "Solarize": lambda t, out: [color.Solarize(bounds(t.threshold_range), p=t.p)],
    "AutoContrast": _autocontrast,
    "Blur": lambda t, out: [filters.BoxBlur(bounds(t.blur_limit), p=t.p)],
    "MedianBlur": lambda t, out: [filters.MedianBlur(bounds(t.blur_limit), p=t.p)],
    "GaussianBlur": _blur,
    "GaussNoise": _noise,
    "ImageCompression": _jpeg,
}
REFUSED = {
    "RandomOrder": TORCHVISION["RandomOrder"],
    "Lambda": TORCHVISION["Lambda"],
    "ElasticTransform": TORCHVISION["ElasticTransform"],
    "RandomBrightnessContrast": "its brightness adds; use ColorJitter",
    "HueSaturationValue": "it adds to saturation and value; imgkit scales them; use ColorJitter",
    "Equalize": "its curve is another than Pillow's, in both modes",
    "CLAHE": "it works on L of Lab; imgkit's on luma",
    "GridDistortion": "it moves whole rows and columns; imgkit's moves every node",
    "Perspective": "its corners move by normal numbers; imgkit's uniformly, inward",
    "Sharpen": "it blends with another kernel than imgkit's Laplacian",
    "Emboss": "it blends with another kernel",
    "MotionBlur": "it draws shifted lines of one of its own laws",
    "Erasing": "it draws the box by another law than random erasing's",
    "CoarseDropout": "its holes have sizes for each side; imgkit's Erase has area and shape",
    "SaltAndPepper": "its share of salt is drawn; imgkit has as much salt as pepper",
    "SafeRotate": "it shrinks the turned image to fit",
    "PadIfNeeded": "its padding depends on the image; use Letterbox, or CenterCrop, which pads",
    "ReplayCompose": "imgkit replays a key; use Compose",
}
LIBRARY = Library(("albumentations",), "2.0.8", KNOWN, REFUSED, frozenset({"ToTensorV2", "NoOp"}))
