"""A pipeline as a dataset's transform: samples of any form in, the same form out.

A NumPy array stays an array in the layout of the pipeline's result; a tensor stays a tensor
``(C, H, W)``; a Pillow image becomes a tensor ``(C, H, W)``; tv_tensors keep their type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from imgkit.augment.calls import plain_size
from imgkit.augment.pipeline import Pipeline
from imgkit.augment.targets.sample import TargetOptions, check_options
from imgkit.augment.transforms.output import ToCHW
from imgkit.backends.tensor.targets import like
from imgkit.image import Array
from imgkit.pillow import is_pillow, orientation
from imgkit.torch import objects, samples
from imgkit.torch.labels import Labels
from imgkit.torch.reading import refuse_second_pipeline
from imgkit.torch.samples import Part, Path

Key = tuple[int, int]


def check_pipeline(pipeline: Any) -> Pipeline:
    """Return `pipeline` if it is a `Pipeline`."""
    if not isinstance(pipeline, Pipeline):
        raise TypeError(
            f"pipeline is a {type(pipeline).__name__}: pass an imgkit Pipeline; "
            "Pipeline.from_torchvision and Pipeline.from_yaml convert others"
        )
    return pipeline


def is_channels_first(pipeline: Pipeline) -> bool:
    """Whether a pipeline puts the channels of an array first."""
    return any(isinstance(op, ToCHW) and op.p for op in pipeline.ops)


def channels_first(pipeline: Pipeline) -> Pipeline:
    """Return the pipeline with channels first; ToCHW draws no numbers, so results do not change."""
    if is_channels_first(pipeline):
        return pipeline
    return Pipeline([*pipeline.ops, ToCHW()], seed=pipeline.seed, canvas=pipeline.canvas)


@dataclass(frozen=True)
class Transform:
    """A pipeline for samples of any form: the transform of a dataset.

    It fits the interfaces of torchvision, timm and Hugging Face datasets: ``transform=`` (image
    in, image out), ``transforms=`` (image and target in, both out), and ``set_transform`` (a dict
    of lists in and out). `imgkit.torch.samples` describes which parts are transformed.

    Args:
        pipeline: the ops for the image and its targets.
        names: the kinds of the parts of a sample, where neither type nor name gives them.
        box_format: "xyxy", "xywh" or "cxcywh", for boxes without a format.
        box_normalized: True if boxes are fractions of the width and height.
        min_visibility: 0 to 1, the fraction of its area that a box must keep.
        fill_mask: value of mask pixels without a source pixel.
        invalid_boxes: "error"; "drop" to drop boxes without area, off the image, or not finite,
            with their rows; "clip" to keep the part of a box on the image.

    Raises:
        TypeError, ValueError: an argument is invalid; a sample has no image.

    Example:
        >>> import imgkit as ik, numpy as np
        >>> flip = Transform(ik.Pipeline([ik.HorizontalFlip()], seed=7))
        >>> import torch
        >>> image = torch.arange(3.0).div(2).expand(1, 2, 3)
        >>> flip(image, {"boxes": torch.tensor([[0.0, 0, 1, 2]])})[1]["boxes"]
        tensor([[2., 0., 3., 2.]])
    """

    pipeline: Pipeline
    names: Any = ("image",)
    box_format: str = "xyxy"
    box_normalized: bool = False
    min_visibility: float = 0.0
    fill_mask: float = 0
    invalid_boxes: str = "error"
    _first: Pipeline = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_first", channels_first(check_pipeline(self.pipeline)))
        samples.check_names(self.names)
        check_options(TargetOptions(**self._options()))

    def __call__(self, *sample: Any, key: Any = None) -> Any:
        """Run on a sample, or on a dict of lists.

        Args:
            *sample: one sample; or its parts, which are returned as a tuple.
            key: ``(epoch, index)``; without one the pipeline counts its calls.

        Returns:
            The sample in its original form.
        """
        refuse_second_pipeline()
        whole = sample[0] if len(sample) == 1 else sample
        if isinstance(whole, Mapping) and self._is_columns(whole):
            return self._columns(whole, key)
        parts = self.find(whole)
        image = parts[0].value
        known = self._key(key)
        if samples.is_viewed(image):
            return samples.put(whole, self._together(parts, known))
        moved = self.labels(parts, known)
        moved[parts[0].path] = like(self.pipeline(image, key=known), image)
        return samples.put(whole, moved)

    def find(self, sample: Any) -> list[Part]:
        """Return the parts of a sample that are transformed, the image first."""
        return objects.find(sample, self.names)

    def labels(self, parts: list[Part], key: Key) -> dict[Path, Any]:
        """Return the transformed targets by path; only the size of the image is used."""
        labels = Labels(parts)
        if not labels.groups:
            return {}
        size = samples.size_of(parts[0].value)
        output = plain_size(self.pipeline.plan(size, key).out_size)
        for number in range(len(labels.groups)):
            self._move(self.pipeline, labels, number, key, size, output)
        return labels.moved

    def _move(
        self, pipeline: Pipeline, labels: Labels, number: int, key: Key, size: Any, output: Any
    ) -> None:
        """Move a group of labels of an image of `size`."""
        targets = labels.targets(number)
        canvas = {} if targets.get("masks") else {"size": size}
        moved = pipeline(**self._options() | canvas | targets, key=key)
        labels.back(number, moved, output)

    def _key(self, key: Any) -> Key:
        known = self.pipeline.keys(key, None)
        return known.epoch, int(known.indices[0])

    def _options(self) -> dict[str, Any]:
        names = ("box_format", "box_normalized", "min_visibility", "fill_mask", "invalid_boxes")
        return {name: getattr(self, name) for name in names}

    def _together(self, parts: list[Part], key: Key) -> dict[Path, Any]:
        """Run on the image and its targets."""
        image = parts[0].value
        kept = isinstance(image, np.ndarray)
        result, moved = self.run(parts, image if kept else samples.pixels(image), key, not kept)
        return {parts[0].path: samples.image_back(result, image)} | moved

    def run(
        self, parts: list[Part], image: Array, key: Key, first: bool = True
    ) -> tuple[Array, dict[Path, Any]]:
        """Run on an array and its labels with one plan.

        Args:
            parts: the parts of the sample.
            image: the pixels of the first of them.
            key: ``(epoch, index)``.
            first: put the channels first, even if the pipeline does not.

        Returns:
            The pixels, and the transformed labels by path.
        """
        pipeline = self._first if first else self.pipeline
        if len(parts) < 2:
            return pipeline(image, key=key), {}
        labels = Labels(parts)
        if not labels.groups:
            return pipeline(image, key=key), {}
        _check_turned(parts[0].value)
        moved = pipeline(image=image, **self._options() | labels.targets(0), key=key)
        result = moved["image"]
        planar = is_channels_first(pipeline) and result.ndim == 3
        height, width = result.shape[-2:] if planar else result.shape[:2]
        labels.back(0, moved, (height, width))
        for number in range(1, len(labels.groups)):
            self._move(pipeline, labels, number, key, image.shape[:2], (height, width))
        return result, labels.moved

    def _is_columns(self, sample: Mapping[Any, Any]) -> bool:
        return any(
            isinstance(value, list) and name == "image"
            for path, name, value in samples.leaves(sample, self.names)
            if len(path) == 1
        )

    def _columns(self, columns: Mapping[Any, Any], key: Any) -> dict[Any, Any]:
        """Run on a dict of lists, row by row."""
        count = len(next(iter(columns.values())))
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        known = self.pipeline.keys(key, count)
        done = [
            self(row, key=(known.epoch, int(index)))
            for row, index in zip(rows, known.indices, strict=True)
        ]
        return {name: [row[name] for row in done] for name in columns}


def _check_turned(image: Any) -> None:
    """Refuse labels of an image whose EXIF orientation is not applied yet."""
    if is_pillow(image) and orientation(image) != 1:
        raise ValueError(
            f"image has EXIF orientation {orientation(image)}, and labels that may "
            "refer to either orientation: pass ImageOps.exif_transpose(image), or clear the tag"
        )


def check_transform(pipeline: Any) -> Transform:
    """Return a `Transform` of a pipeline, or the given `Transform`."""
    return pipeline if isinstance(pipeline, Transform) else Transform(check_pipeline(pipeline))
