"""MixUp, CutMix and Mosaic of batches (N, C, H, W) as modules that rest in eval mode.

They run the mixers of `imgkit.augment.mixing.mix`, so the same key gives the same numbers for
arrays and tensors; the pixels never leave their device.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from imgkit.augment.mixing import mix
from imgkit.backends.tensor.tracing import PIPELINES

Result = dict[str, Any]


@torch.compiler.disable(reason=PIPELINES)
class _Mixer(nn.Module):  # type: ignore[misc]  # torch is not read by mypy
    """A mixer of `imgkit.augment.mixing.mix`, run on tensors in training mode."""

    mixer: Any

    def forward(
        self, images: torch.Tensor, labels: Any = None, *, masks: Any = None, boxes: Any = None,
        box_labels: Any = None, polygons: Any = None, keypoints: Any = None, key: Any = None,
    ) -> Result:  # fmt: skip
        """Mix a batch.

        Args:
            images: (N, C, H, W), of any dtype that images have.
            labels: (N,) integers, with `num_classes`; or (N, C) floats.
            masks: (N, H, W), on the device of the images.
            boxes: a list of N tensors or arrays (M, 4) in pixels.
            box_labels: a list of N tensors, arrays or lists (M,), one entry per box.
            polygons: a list of N lists of tensors or arrays (P, 2), one per box.
            keypoints: a list of N tensors or arrays (M, P, 2 or 3), one set per box; or (P, 2 or
                3), which belong to no box.
            key: ``(epoch, indices)``, or indices. Without it calls are counted.

        Returns:
            A dict of the mixed arguments and the numbers drawn. Labels are float32 (N, classes)
            on the device of the images. In eval mode nothing is mixed: `images`, `labels` and the
            others are returned unchanged.
        """
        _check_tensors(images)
        given = {
            "labels": labels, "masks": masks, "boxes": boxes, "box_labels": box_labels,
            "polygons": polygons, "keypoints": keypoints,
        }  # fmt: skip
        if not self.training:
            return {"images": images} | {n: v for n, v in given.items() if v is not None}
        result: Result = self.mixer(images, **given, key=key)
        return result

    def extra_repr(self) -> str:
        """Return the options as text."""
        return repr(self.mixer)


def _check_tensors(images: Any) -> None:
    several = images if isinstance(images, (list, tuple)) else [images]
    for image in several:
        if not isinstance(image, torch.Tensor):
            raise TypeError(
                f"images is a {type(image).__name__}: pass a tensor (N, C, H, W); "
                "imgkit.MixUp, imgkit.CutMix and imgkit.Mosaic take arrays"
            )


class MixUp(_Mixer):
    """Blend each image with another, and their labels likewise; see `imgkit.MixUp`.

    Args:
        alpha: above 0; small values give proportions near 0 and 1.
        num_classes: needed for integer labels and masks.
        p: probability that a sample is mixed.
        seed: 0 to 2**64 - 1.
        ignore_index: a class number without weight, such as 255; None for none.

    Example:
        >>> mixed = MixUp(1.0, num_classes=2, seed=7)(torch.zeros(2, 3, 4, 4), torch.tensor([0, 1]))
        >>> mixed["labels"].sum(1)
        tensor([1., 1.])
    """

    def __init__(
        self, alpha: float = 0.2, *, num_classes: int | None = None, p: float = 1.0,
        seed: int | None = None, ignore_index: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.mixer = mix.MixUp(
            alpha=alpha, num_classes=num_classes, p=p, seed=seed, ignore_index=ignore_index
        )


class CutMix(_Mixer):
    """Paste a box of another image at the same place; see `imgkit.CutMix`.

    Args:
        alpha: above 0.
        min_visibility: 0 to 1; boxes with less of their area left are dropped.
        num_classes, p, seed, ignore_index: as in `MixUp`.
    """

    def __init__(
        self, alpha: float = 1.0, *, min_visibility: float = 0.1, num_classes: int | None = None,
        p: float = 1.0, seed: int | None = None, ignore_index: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.mixer = mix.CutMix(
            alpha=alpha, min_visibility=min_visibility, num_classes=num_classes, p=p, seed=seed,
            ignore_index=ignore_index,
        )  # fmt: skip


class Mosaic(_Mixer):
    """Join four images in one of `size`; see `imgkit.Mosaic`.

    Args:
        size: (H, W), or one integer for both; images may be a list of several sizes.
        min_visibility: 0 to 1; boxes with less of their area left are dropped.
        num_classes, seed, ignore_index: as in `MixUp`.
    """

    def __init__(
        self, size: Any, *, min_visibility: float = 0.1, num_classes: int | None = None,
        seed: int | None = None, ignore_index: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.mixer = mix.Mosaic(
            size=size, min_visibility=min_visibility, num_classes=num_classes, seed=seed,
            ignore_index=ignore_index,
        )  # fmt: skip
