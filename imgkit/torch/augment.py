"""A pipeline as an `nn.Module`, for batches on any device."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from imgkit.augment.pipeline import Pipeline
from imgkit.backends.tensor.tracing import PIPELINES
from imgkit.pillow import is_pillow
from imgkit.torch import samples
from imgkit.torch.reading import refuse_second_pipeline
from imgkit.torch.transform import Transform, check_pipeline, check_transform


@torch.compiler.disable(reason=PIPELINES)
class Augment(nn.Module):  # type: ignore[misc]  # torch is not read by mypy
    """Runs a pipeline on a batch, with separate numbers for every sample.

    **Keys.** With ``key=(epoch, indices)`` the result depends only on the key. Without a key
    the pipeline counts its calls: sample n of this process gets the key (0, n), so that no key
    repeats. The count is not part of `state_dict` and starts at 0 in a new process. A pipeline
    without a seed draws fresh entropy.

    **Modes.** In training mode the pipeline runs. In eval mode `evaluate` runs; without it
    images pass through unchanged, as in `nn.Dropout`, if the pipeline keeps size and dtype. A
    pipeline that changes them (crops, resizes, normalizes) raises instead, because the input of
    the network would differ from training.

    Args:
        pipeline: a `Pipeline`; or a `Transform`, whose options define the labels.
        evaluate: the pipeline for eval mode, such as ``Preprocess("imagenet").pipeline``; its
            labels follow the same options.

    Example:
        >>> import imgkit as ik
        >>> model = nn.Sequential(Augment(ik.Pipeline([ik.HorizontalFlip(p=0.5)], seed=7)))
        >>> model.eval()(torch.zeros(2, 3, 4, 4)).shape
        torch.Size([2, 3, 4, 4])
    """

    def __init__(self, pipeline: Pipeline | Transform, evaluate: Pipeline | None = None) -> None:
        super().__init__()
        self.transform = check_transform(pipeline)
        self.pipeline = self.transform.pipeline
        self.evaluate = None if evaluate is None else check_pipeline(evaluate)
        names = self.transform.names
        named = {**(names if isinstance(names, Mapping) else {}), "image": "image"}
        self._train_labels = dataclasses.replace(self.transform, names=named)
        evaluated = self.pipeline if self.evaluate is None else self.evaluate
        self._evaluate_labels = dataclasses.replace(self._train_labels, pipeline=evaluated)

    def forward(self, x: Any = None, *, key: Any = None, **targets: Any) -> Any:
        """Run on images, or on images and their targets.

        Args:
            x: a batch (N, C, H, W), an image (C, H, W) or (H, W), or a list of images.
            key: ``(epoch, index)``, or ``(epoch, indices)`` for N samples.
            **targets: `image` and its `boxes`, `labels`, `masks`, `mask`, `keypoints`,
                `polygons`: for a batch one entry per image.

        Returns:
            The images, a batch as a batch and a list as a list; or a dict of the targets.

        Raises:
            TypeError, ValueError: not images, images on several devices, or results of a
                stacked batch that differ in size.
        """
        refuse_second_pipeline()
        images = targets.get("image") if x is None else x
        if images is None:
            raise TypeError("x is missing: pass a batch (N, C, H, W), or image=... by name")
        if x is not None and targets:
            raise TypeError("pass the images alone, or everything by name: image=..., boxes=...")
        pipeline = self._current()
        if pipeline is None:
            return images if x is not None else targets
        _check_key(key)
        known = pipeline.keys(key, _count(images))
        index = int(known.indices[0]) if _count(images) is None else known.indices
        done = _stacked(pipeline(_check_images(images), key=(known.epoch, index)), images)
        if x is not None:
            return done
        return {**targets, **self._labels(pipeline, targets, known), "image": done}

    def _current(self) -> Pipeline | None:
        """Return the pipeline of the mode; None to pass through."""
        if self.training or self.evaluate is not None:
            return self.pipeline if self.training else self.evaluate
        changing = [
            node.op.name
            for node in self.pipeline.nodes
            if node.op.p and (node.op.changes_size or "normalize" in node.op.stage_kinds)
        ]
        if changing:
            raise ValueError(
                f"Augment is in eval mode, and its pipeline has {', '.join(changing)}, without "
                "which the input of the network differs from training: pass "
                "evaluate=Pipeline([...]) for evaluation, or call Augment only in training"
            )
        return None

    def _labels(self, pipeline: Pipeline, targets: dict[str, Any], known: Any) -> dict[str, Any]:
        """Return the labels of each image, transformed with the same keys."""
        single = _count(targets["image"]) is None
        mover = self._train_labels if pipeline is self.pipeline else self._evaluate_labels
        rows = []
        for i, index in enumerate(known.indices.tolist()):
            row = (
                targets if single else {n: None if v is None else v[i] for n, v in targets.items()}
            )
            parts = mover.find(row)
            moved = mover.labels(parts, (known.epoch, index))
            rows.append(samples.put(row, moved))
        if single:
            return rows[0]
        names = [name for name in targets if name != "image"] if rows else ()
        return {name: _gather(targets[name], [row[name] for row in rows]) for name in names}

    def extra_repr(self) -> str:
        """Name the pipelines."""
        tail = "" if self.evaluate is None else f", evaluate={self.evaluate!r}"
        return f"{self.pipeline!r}{tail}"


def _gather(value: Any, column: list[Any]) -> Any:
    """Return masks stacked if they were stacked; everything else as a list, one per image."""
    if value is None:
        return None
    stacked = isinstance(value, torch.Tensor) and value.ndim >= 3 and len(column) > 0
    if stacked and len({tuple(v.shape) for v in column}) == 1:
        return torch.stack(column)
    return column


def _count(images: Any) -> int | None:
    """Return the number of images of a batch or list; None for one image."""
    if isinstance(images, (list, tuple)):
        return len(images)
    return len(images) if getattr(images, "ndim", 0) == 4 else None


def _check_images(images: Any) -> Any:
    """Return images as tensors of one device."""
    if isinstance(images, (list, tuple)):
        checked = [_check_images(image) for image in images]
        devices = sorted({str(image.device) for image in checked})
        if len(devices) > 1:
            raise ValueError(
                f"x has images on {' and '.join(devices)}: move them to one device first"
            )
        return checked
    if is_pillow(images):
        return torch.from_numpy(samples.pixels(images).copy()).permute(2, 0, 1)
    if not isinstance(images, torch.Tensor):
        raise TypeError(
            f"x is a {type(images).__name__}: Augment takes tensors (N, C, H, W); for arrays call "
            "the pipeline itself, or to_chw(torch.from_numpy(x))"
        )
    return images


def _check_key(key: Any) -> None:
    """Refuse indices on a device: reading them would synchronize."""
    indices = key[1] if isinstance(key, tuple) and len(key) == 2 else key
    if isinstance(indices, torch.Tensor) and indices.device.type != "cpu":
        raise ValueError(
            f"key indices are on {indices.device}: pass them on the CPU, before they are moved; "
            "reading them back would synchronize the device"
        )


def _stacked(done: Any, images: Any) -> Any:
    """Return the result of a batch, if it is one."""
    if isinstance(done, list) and isinstance(images, torch.Tensor):
        sizes = sorted({tuple(image.shape[-2:]) for image in done})
        raise ValueError(
            f"results have sizes {sizes}: a stacked batch needs one; end the pipeline with Resize "
            "or RandomResizedCrop, or pass a list of images"
        )
    return done
