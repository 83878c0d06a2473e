"""A pipeline as a dataset's transform: samples of any form in, the same form out.

A NumPy array stays an array in the layout of the pipeline's result; a tensor stays a tensor
``(C, H, W)``; a Pillow image becomes a tensor ``(C, H, W)``; tv_tensors keep their type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from imgkit.augment.pipeline import Pipeline
from imgkit.augment.targets.sample import read_targets
from imgkit.augment.transforms.output import ToCHW
from imgkit.image import Array
from imgkit.pillow import is_pillow, orientation
from imgkit.torch import samples
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

    Raises:
        TypeError, ValueError: an argument is invalid; a sample has no image.

    Example:
        >>> import imgkit as ik, numpy as np
        >>> flip = Transform(ik.Pipeline([ik.HorizontalFlip()], seed=7))
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
    _first: Pipeline = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_first", channels_first(check_pipeline(self.pipeline)))
        samples.check_names(self.names)
        read_targets({"labels": (), **self._options()})

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
        parts = samples.find(whole, self.names)
        image = parts[0].value
        known = self._key(key)
        if samples.is_viewed(image):
            return samples.put(whole, self._together(parts, known))
        moved = self.labels(parts, known)
        moved[parts[0].path] = samples.like(self.pipeline(image, key=known), image)
        return samples.put(whole, moved)

    def labels(self, parts: list[Part], key: Key) -> dict[Path, Any]:
        """Return the transformed targets by path; only the size of the image is used."""
        labels = _Labels(parts, self.box_format)
        if not labels.named:
            return {}
        size = samples.size_of(parts[0].value)
        options = self._options() | {"box_format": labels.box_format}
        if not any(labels.stacks):
            options["size"] = size
        output = self.pipeline.plan(size, key).out_size
        moved = self.pipeline(**labels.named, **options, key=key)
        return labels.back(moved, (_one(output[0]), _one(output[1])))

    def _key(self, key: Any) -> Key:
        known = self.pipeline.keys(key, None)
        return known.epoch, int(known.indices[0])

    def _options(self) -> dict[str, Any]:
        names = ("box_format", "box_normalized", "min_visibility", "fill_mask")
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
        labels = _Labels(parts, self.box_format)
        if not labels.named:
            return pipeline(image, key=key), {}
        _check_turned(parts[0].value)
        options = self._options() | {"box_format": labels.box_format}
        moved = pipeline(image=image, **labels.named, **options, key=key)
        result = moved["image"]
        planar = is_channels_first(pipeline) and result.ndim == 3
        return result, labels.back(moved, result.shape[-2:] if planar else result.shape[:2])

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


def _one(length: Any) -> int:
    return int(np.asarray(length).reshape(-1)[0])


class _Labels:
    """The labels of one sample, under the names of a pipeline's targets."""

    def __init__(self, parts: list[Part], box_format: str) -> None:
        self.parts = parts[1:]
        self.box_format = box_format
        self.named: dict[str, Any] = {}
        owners = [p for p in self.parts if p.name in ("boxes", "oriented_boxes")]
        if len(owners) > 1:
            places = " and ".join(p.place for p in owners)
            raise ValueError(f"{places} are both boxes: a sample has one set of boxes")
        self.owner = owners[0] if owners else None
        self.count = -1 if self.owner is None else len(self.owner.value)
        if self.owner is not None:
            self.named[self.owner.name] = self._boxes(self.owner)
            self.named["labels"] = np.arange(self.count)
        self.masks = [p for p in self.parts if p.name in ("mask", "masks")]
        self.stacks = [samples.masks_in(part) for part in self.masks]
        if self.masks:
            self.named["masks"] = [mask for stack in self.stacks for mask in stack]
        for name in ("keypoints", "polygons"):
            self._take(name)

    def _boxes(self, part: Part) -> Array:
        """Return boxes (N, 4), or oriented boxes (N, 5)."""
        value = part.value
        own = getattr(value, "format", None)
        if own is None:
            return samples.numbers(value).reshape(self.count, 5 if "oriented" in part.name else 4)
        if part.name == "boxes":
            self.box_format = own.value.lower()
            return samples.numbers(value)
        return samples.numbers(_turned(value, "CXCYWHR"))

    def _take(self, name: str) -> None:
        found = [p for p in self.parts if p.name == name]
        if len(found) > 1:
            raise ValueError(f"{found[0].place} and {found[1].place} are both {name}: keep one")
        for part in found:
            if name == "keypoints":
                points = samples.numbers(part.value)
                self.named[name] = points.reshape(-1, points.shape[-1])
            else:
                self.named[name] = [samples.numbers(polygon) for polygon in part.value]

    def back(self, moved: dict[str, Any], size: tuple[int, int]) -> dict[Path, Any]:
        """Return the transformed labels by path, each in its original form."""
        rows = moved.get("labels")
        size = (int(size[0]), int(size[1]))
        result: dict[Path, Any] = {}
        masks = iter(moved.get("masks", ()))
        for part, stack in zip(self.masks, self.stacks, strict=True):
            result[part.path] = samples.masks_back([next(masks) for _ in stack], part, size)
        for part in self.parts:
            if part is self.owner:
                result[part.path] = _boxes_back(moved[part.name], part.value, size)
            elif part.name == "keypoints":
                points = moved["keypoints"].reshape(samples.numbers(part.value).shape)
                result[part.path] = samples.numbers_back(points, part.value, size)
            elif part.name == "polygons":
                result[part.path] = moved["polygons"]
            if rows is not None and self._follows(part):
                value = result.get(part.path, part.value)
                result[part.path] = samples.select(value, rows, part, self.count)
        return result

    def _follows(self, part: Part) -> bool:
        """Whether a part has one row per box."""
        if self.owner is None or part is self.owner or part.path[:-1] != self.owner.path[:-1]:
            return False
        if part.name in samples.ROWS:
            return True
        stacked = getattr(part.value, "ndim", 0) == 3 or isinstance(part.value, (list, tuple))
        return part.name in ("mask", "masks", "keypoints") and stacked and (
            len(part.value) == self.count
        )  # fmt: skip


def _turned(boxes: Any, form: str) -> Any:
    """Return torchvision's oriented boxes in another of its formats."""
    if boxes.format.value == form:
        return boxes
    from torchvision.transforms.v2.functional import convert_bounding_box_format

    return convert_bounding_box_format(samples.like(boxes.float(), boxes), new_format=form)


def _boxes_back(result: Array, value: Any, size: tuple[int, int]) -> Any:
    own = getattr(value, "format", None)
    if own is None or own.value in ("XYXY", "XYWH", "CXCYWH", "CXCYWHR"):
        return samples.numbers_back(result, value, size)
    middle = type(value)(torch.from_numpy(result).float(), format="CXCYWHR", canvas_size=size)
    return _turned(middle, own.value)


def check_transform(pipeline: Any) -> Transform:
    """Return a `Transform` of a pipeline, or the given `Transform`."""
    return pipeline if isinstance(pipeline, Transform) else Transform(check_pipeline(pipeline))
