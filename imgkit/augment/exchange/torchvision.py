"""How each torchvision transform reads in imgkit, or why it does not; v1 and v2 alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from imgkit.augment.exchange.translate import (
    Library,
    Ops,
    Output,
    Read,
    bounds,
    fraction,
    inner,
    normalize,
    one_or_two,
    only_p,
    refuse,
    together,
    turned,
    uncut,
)
from imgkit.augment.transforms import (
    color,
    control,
    erase,
    exact,
    filters,
    noise,
    output,
    policy,
    resizes,
    warps,
)
from imgkit.checks import suggest

BORDERS = {"constant": "constant", "edge": "edge", "reflect": "reflect", "symmetric": "symmetric"}
INTERPOLATIONS = {
    "nearest": "nearest", "nearest-exact": "nearest", "bilinear": "bilinear", "bicubic": "bicubic"
}  # fmt: skip


def _interpolation(t: Any) -> str:
    word = getattr(t.interpolation, "value", t.interpolation)
    refuse(word not in INTERPOLATIONS, f"interpolation {word!r}: {suggest(word, INTERPOLATIONS)}")
    return INTERPOLATIONS[word]


def _sampling(t: Any, out: Output) -> dict[str, Any]:
    """Return how a torchvision warp samples: never antialiased."""
    fill = fraction(t.fill, out)
    return {"interpolation": _interpolation(t), "antialias": False, "fill": fill}


def _resize(t: Any, _: Output) -> Ops:
    refuse(t.max_size is not None, "max_size has no translation; leave it out")
    refuse(t.size is None, "size is None: give one")
    size = one_or_two(t.size)
    edge = "both" if isinstance(size, tuple) else "shorter"
    return [resizes.Resize(size, edge=edge, interpolation=_interpolation(t),
                             antialias=bool(t.antialias))]  # fmt: skip


def _resized_crop(t: Any, _: Output) -> Ops:
    how: dict[str, Any] = {"interpolation": _interpolation(t), "antialias": bool(t.antialias)}
    size = one_or_two(t.size)
    return [resizes.RandomResizedCrop(size, tuple(t.scale), tuple(t.ratio), **how)]


def _pad(t: Any, out: Output) -> Ops:
    left, top, right, bottom = _sides(t)
    fill = fraction(t.fill, out)
    return [exact.Pad((top, bottom, left, right), border=BORDERS[t.padding_mode], fill=fill)]


def _sides(t: Any) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of a padding."""
    values = one_or_two(t.padding)
    if not isinstance(values, tuple):
        return (values,) * 4
    if len(values) == 2:
        return values * 2
    left, top, right, bottom = values
    if type(t).__name__ == "RandomCrop" and ".v2." in type(t).__module__:
        return left, right, top, bottom  # held as left, right, top, bottom
    return left, top, right, bottom


def _random_crop(t: Any, out: Output) -> Ops:
    refuse(t.pad_if_needed, "pad_if_needed has no translation; put a Pad or Resize before")
    size = one_or_two(t.size)
    if t.padding is None:
        return [exact.RandomCrop(size)]
    sides = set(_sides(t))
    if len(sides) > 1:
        return [*_pad(t, out), exact.RandomCrop(size)]
    return [exact.RandomCrop(size, sides.pop(), border=BORDERS[t.padding_mode],
                                 fill=fraction(t.fill, out))]  # fmt: skip


def _rotation(t: Any, out: Output) -> Ops:
    refuse(t.expand, "expand=True makes a canvas of another size for every angle")
    refuse(t.center is not None, "center has no translation; imgkit turns about the middle")
    return [warps.Rotate(bounds(t.degrees), **_sampling(t, out))]


def _affine(t: Any, out: Output) -> Ops:
    refuse(t.center is not None, "center has no translation; imgkit turns about the middle")
    shear = list(t.shear or (0.0, 0.0))
    refuse(any(shear[2:]), "a shear of columns has no translation; give two numbers")
    x, y = t.translate or (0.0, 0.0)
    scale = bounds(t.scale or (1.0, 1.0))
    still = (turned(t.degrees), scale, turned(shear[:2])) == (0.0, 1.0, 0.0)
    if x != y and still:
        return [warps.Translate(bounds((-x, x)), bounds((-y, y)), **_sampling(t, out))]
    refuse(x != y, "translate differs in x and y; Affine has one range for both")
    return [warps.Affine(turned(t.degrees), bounds((-x, x)), scale, turned(shear[:2]),
                             **_sampling(t, out))]  # fmt: skip


def _perspective(t: Any, out: Output) -> Ops:
    return [warps.Perspective(t.distortion_scale, p=t.p, **_sampling(t, out))]


def _jitter(t: Any, _: Output) -> Ops:
    names = ("brightness", "contrast", "saturation", "hue")
    given: dict[str, Any] = {name: getattr(t, name) for name in names}
    given = {k: tuple(v) for k, v in given.items() if v is not None}
    return [color.ColorJitter(**given)]


def _gray(t: Any, _: Output) -> Ops:
    refuse(t.num_output_channels != 3, "one channel is left; use num_output_channels=3")
    return [color.Grayscale()]


def _blur(t: Any, _: Output) -> Ops:
    uncut(min(t.kernel_size), t.sigma[1])
    return [filters.GaussianBlur(bounds(t.sigma))]


def _erasing(t: Any, out: Output) -> Ops:
    refuse(isinstance(t.value, str) or t.value is None, "value 'random' has no translation")
    values = list(t.value) if isinstance(t.value, Sequence) else [t.value]
    if out.normalize is None:
        fill = fraction(tuple(values), out)
    else:
        mean, std = _statistics(out.normalize)
        count = max(len(values), len(mean), len(std))
        m, s, v = (w * count if len(w) == 1 else w for w in (list(mean), list(std), values))
        fill = tuple(a + b * c for a, b, c in zip(m, s, v, strict=True))
    return [erase.Erase(tuple(t.scale), tuple(t.ratio), fill=fill, p=t.p)]


def _statistics(op: output.Normalize) -> tuple[Sequence[float], Sequence[float]]:
    return output.PRESETS[op.mean] if isinstance(op.mean, str) else (op.mean, op.std)


def _noise(t: Any, _: Output) -> Ops:
    refuse(t.mean != 0, "a mean other than 0 has no translation")
    refuse(not t.clip, "clip=False leaves 0..1; imgkit clips")
    return [noise.GaussianNoise(t.sigma)]


def _apply(t: Any, out: Output) -> Ops:
    ops = inner(t.transforms, LIBRARY, out)
    return [together(ops, t.p)] if ops else []


def _choice(t: Any, out: Output) -> Ops:
    options = [together(inner([item], LIBRARY, out))
               for item in t.transforms]  # fmt: skip
    equal = t.p is None or len(set(t.p)) == 1
    return [control.OneOf(options, None if equal else tuple(t.p))]


def _policy_style(t: Any, out: Output) -> dict[str, Any]:
    bins = getattr(t, "num_magnitude_bins", 31)
    refuse(bins != 31, f"num_magnitude_bins is {bins}: the table has 31")
    fill = getattr(t, "fill", None)
    return {"interpolation": _interpolation(t), "fill": fraction(fill, out)}


def _rand_augment(t: Any, out: Output) -> Ops:
    return [policy.RandAugment(t.num_ops, t.magnitude, **_policy_style(t, out))]


def _trivial_augment(t: Any, out: Output) -> Ops:
    return [policy.TrivialAugment(**_policy_style(t, out))]


def _auto_augment(t: Any, out: Output) -> Ops:
    return [policy.AutoAugment(t.policy.value, **_policy_style(t, out))]


def _augmix(t: Any, out: Output) -> Ops:
    depth: Any = t.chain_depth if t.chain_depth > 0 else (1, 3)
    return [policy.AugMix(t.severity, t.mixture_width, depth, t.alpha, all_ops=t.all_ops,
                          **_policy_style(t, out))]  # fmt: skip


def _dtype(t: Any, out: Output) -> Ops:
    word = str(t.dtype)
    scaled = getattr(t, "scale", True)
    refuse(isinstance(t.dtype, dict), "a dtype for each type has no translation")
    refuse(word not in ("torch.float32", "torch.uint8"), f"a dtype of {word} has no translation")
    refuse(word == "torch.uint8" and out.floats, "it turns floats into integers again")
    refuse(not scaled and not out.floats,
            "without scale=True floats run to 255; imgkit's are 0..1")  # fmt: skip
    out.floats |= word == "torch.float32"
    return []


def _tensor(t: Any, out: Output) -> Ops:
    """Read what makes a tensor: channels first, and floats if it is ToTensor."""
    out.channels_first = True
    out.floats |= type(t).__name__ == "ToTensor"
    return []


KNOWN: dict[str, Read] = {
    "Identity": lambda t, out: [],
    "ToPureTensor": lambda t, out: [],
    "ToImage": _tensor,
    "PILToTensor": _tensor,
    "ToTensor": _tensor,
    "ToDtype": _dtype,
    "ConvertImageDtype": _dtype,
    "Normalize": lambda t, out: normalize(t.mean, t.std, out),
    "Resize": _resize,
    "CenterCrop": lambda t, out: [exact.CenterCrop(one_or_two(t.size))],
    "RandomCrop": _random_crop,
    "RandomResizedCrop": _resized_crop,
    "Pad": _pad,
    "RandomHorizontalFlip": only_p(exact.HorizontalFlip),
    "RandomVerticalFlip": only_p(exact.VerticalFlip),
    "RandomRotation": _rotation,
    "RandomAffine": _affine,
    "RandomPerspective": _perspective,
    "ColorJitter": _jitter,
    "Grayscale": _gray,
    "RandomGrayscale": only_p(color.Grayscale),
    "RandomInvert": only_p(color.Invert),
    "RandomPosterize": lambda t, out: [color.Posterize(t.bits, p=t.p)],
    "RandomSolarize": lambda t, out: [color.Solarize(fraction(t.threshold, out), p=t.p)],
    "RandomAutocontrast": only_p(color.AutoContrast),
    "RandomEqualize": only_p(color.Equalize),
    "RandomChannelPermutation": only_p(color.ChannelShuffle),
    "GaussianBlur": _blur,
    "GaussianNoise": _noise,
    "JPEG": lambda t, out: [filters.JpegCompression(bounds(t.quality))],
    "RandomAdjustSharpness": lambda t, out: [filters.Sharpness(t.sharpness_factor, p=t.p)],
    "RandAugment": _rand_augment,
    "TrivialAugmentWide": _trivial_augment,
    "AutoAugment": _auto_augment,
    "AugMix": _augmix,
    "RandomErasing": _erasing,
    "RandomApply": _apply,
    "RandomChoice": _choice,
}
_LABELS = "imgkit moves, clips and drops boxes by itself; leave it out"
_SIZES = "its output size is random; imgkit has fixed sizes, or Resize(size, edge='shorter')"
REFUSED = {
    "ElasticTransform": "its alpha scales noise; imgkit's is the largest displacement in pixels",
    "RandomPhotometricDistort": "it draws whether each part happens; use ColorJitter",
    "RandomOrder": "the order of ops is part of a plan; only ColorJitter's parts change places",
    "FiveCrop": "it gives several images", "TenCrop": "it gives several images",
    "Lambda": "a function cannot be translated; put it before or after the pipeline",
    "LinearTransformation": "whitening has no translation",
    "ToPILImage": "imgkit takes and gives arrays; leave it out",
    "RGB": "it changes the number of channels; convert before the pipeline",
    "RandomZoomOut": "its canvas size is random", "RandomIoUCrop": "it depends on the boxes",
    "RandomResize": _SIZES, "RandomShortestSize": _SIZES, "ScaleJitter": _SIZES,
    "MixUp": "it mixes a batch; see imgkit's MixUp", "CutMix": "it mixes a batch; see imgkit's",
    "ClampBoundingBoxes": _LABELS, "ClampKeyPoints": _LABELS, "ConvertBoundingBoxFormat": _LABELS,
    "SanitizeBoundingBoxes": _LABELS, "SanitizeKeyPoints": _LABELS, "SetClampingMode": _LABELS,
    "UniformTemporalSubsample": "it drops frames; do it before the pipeline",
}  # fmt: skip
LIBRARY = Library(
    ("torchvision", "torch"),
    "0.29.1",
    KNOWN,
    REFUSED,
    frozenset({"RandomErasing", "ToPureTensor", "Identity", "ToDtype", "ConvertImageDtype"}),
)
