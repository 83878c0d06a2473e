"""The resizes of `prep`, by name."""

from __future__ import annotations

from typing import NamedTuple

from imgkit.augment.pipeline import Pipeline
from imgkit.augment.transforms.exact import CenterCrop
from imgkit.augment.transforms.resizes import Letterbox, Resize


class Preset(NamedTuple):
    """A way to resize images; `Preprocess` of imgkit.torch has the same presets by name.

    `resize` is the shorter side; `crop` the side of the square cut from the middle. The
    methods "squash" and "letterbox" do not crop: both sides become `resize`, stretched or padded.
    """

    resize: int
    crop: int | None
    interpolation: str = "bilinear"
    method: str = "crop"


PRESETS: dict[str, Preset | None] = {
    "imagenet": Preset(256, 224),
    "clip": Preset(224, 224, "bicubic"),
    "siglip": Preset(224, None, "bicubic", "squash"),
    "inception": Preset(341, 299, "bicubic"),
    "cifar10": Preset(32, None, "bilinear", "squash"),
    "letterbox": Preset(224, None, "bilinear", "letterbox"),
    "none": None,  # images keep their size
}


def preset_pipeline(preset: str, size: int | None = None) -> Pipeline | None:
    """Return the pipeline of a preset, for another size of the results if given."""
    chosen = PRESETS[preset]
    if chosen is None:
        return None
    resize, crop, interpolation, method = chosen
    if size is not None:
        resize, crop = (size, None) if crop is None else (round(resize * size / crop), size)
    if crop is not None:
        edge = Resize(resize, edge="shorter", interpolation=interpolation)
        return Pipeline([edge, CenterCrop(crop)])
    op = Letterbox if method == "letterbox" else Resize
    return Pipeline([op(resize, interpolation=interpolation)])
