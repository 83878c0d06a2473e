"""MixUp and CutMix of batches (N, C, H, W) on their device.

Partners and proportions are drawn by `imgkit.augment.mixing.mix`, so the same key gives the same
numbers for arrays and tensors; the pixels never leave their device.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from imgkit.augment.mixing import mix
from imgkit.backends.tensor.tracing import PIPELINES
from imgkit.image import check_image, full_range

Result = dict[str, Any]


@torch.compiler.disable(reason=PIPELINES)
class _Mixer(nn.Module):  # type: ignore[misc]  # torch is not read by mypy
    """A mixer of `imgkit.augment.mixing.mix`, run on tensors in training mode."""

    mixer: Any

    def forward(
        self, images: torch.Tensor, labels: Any = None, *, masks: Any = None, boxes: Any = None,
        box_labels: Any = None, key: Any = None,
    ) -> Result:  # fmt: skip
        """Mix a batch.

        Args:
            images: (N, C, H, W), of any dtype that images have.
            labels: (N,) integers, with `num_classes`; or (N, C) floats.
            masks: (N, H, W), on the device of the images.
            boxes: a list of N tensors or arrays (M, 4) in pixels.
            box_labels: a list of N tensors or arrays (M,), one entry per box.
            key: ``(epoch, indices)``, or indices. Without it calls are counted.

        Returns:
            A dict of the mixed arguments and the numbers drawn. Labels are float32 (N, classes)
            on the device of the images. In eval mode nothing is mixed: `images`, `labels` and the
            others are returned unchanged.
        """
        _check_batch(images, masks)
        if not self.training:
            given = {"labels": labels, "masks": masks, "boxes": boxes, "box_labels": box_labels}
            return {"images": images} | {n: v for n, v in given.items() if v is not None}
        size = (len(images), *images.shape[-2:], 1)
        stand_in = np.broadcast_to(np.uint8(0), size if self._needs_size else (size[0], 1, 1, 1))
        drawn = self.mixer(
            stand_in, _host(labels), boxes=_hosts(boxes), box_labels=_hosts(box_labels), key=key
        )
        del drawn["images"]
        result = {name: _like(value, images) for name, value in drawn.items()}
        partner = result["partner"]
        result["images"] = self._pixels(images, partner, drawn)
        if masks is not None:
            result["masks"] = self._masks(masks, partner, drawn)
        return result

    _needs_size = False

    def _pixels(self, images: torch.Tensor, partner: torch.Tensor, drawn: Result) -> torch.Tensor:
        raise TypeError(f"{type(self).__name__} does not mix images")

    def _masks(self, masks: torch.Tensor, partner: torch.Tensor, drawn: Result) -> torch.Tensor:
        return self._pixels(masks, partner, drawn)

    def extra_repr(self) -> str:
        """Return the options as text."""
        return repr(self.mixer)


class MixUp(_Mixer):
    """Blend each image with another, and their labels likewise; see `imgkit.MixUp`.

    Args:
        alpha: above 0; small values give proportions near 0 and 1.
        num_classes: needed for integer labels and masks.
        p: probability that a sample is mixed.
        seed: 0 to 2**64 - 1.

    Example:
        >>> mixed = MixUp(1.0, num_classes=2, seed=7)(torch.zeros(2, 3, 4, 4), torch.tensor([0, 1]))
        >>> mixed["labels"].sum(1)
        tensor([1., 1.])
    """

    def __init__(
        self, alpha: float = 0.2, *, num_classes: int | None = None, p: float = 1.0,
        seed: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.mixer = mix.MixUp(alpha=alpha, num_classes=num_classes, p=p, seed=seed)

    def _pixels(self, images: torch.Tensor, partner: torch.Tensor, drawn: Result) -> torch.Tensor:
        exact = torch.float64 if images.dtype == torch.float64 else torch.float32
        share = torch.from_numpy(drawn["share"]).to(images.device, exact, non_blocking=True)
        share = share.reshape(-1, *(1,) * (images.ndim - 1))
        mixed = share * images + (1 - share) * images[partner]
        if images.is_floating_point():
            return mixed.to(images.dtype)
        return mixed.round().clamp(0, full_range(images.dtype)).to(images.dtype)

    def _masks(self, masks: torch.Tensor, partner: torch.Tensor, drawn: Result) -> torch.Tensor:
        if not masks.is_floating_point():
            if self.mixer.num_classes is None:
                raise ValueError("num_classes is None: integer masks need it to become weights")
            masks = nn.functional.one_hot(masks.long(), self.mixer.num_classes).float()
        return self._pixels(masks, partner, drawn)


class CutMix(_Mixer):
    """Paste a box of another image at the same place; see `imgkit.CutMix`.

    Args:
        alpha: above 0.
        min_visibility: 0 to 1; boxes with less of their area left are dropped.
        num_classes, p, seed: as in `MixUp`.
    """

    _needs_size = True

    def __init__(
        self, alpha: float = 1.0, *, min_visibility: float = 0.1, num_classes: int | None = None,
        p: float = 1.0, seed: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.mixer = mix.CutMix(
            alpha=alpha, min_visibility=min_visibility, num_classes=num_classes, p=p, seed=seed
        )

    def _pixels(self, images: torch.Tensor, partner: torch.Tensor, drawn: Result) -> torch.Tensor:
        height, width = images.shape[-2:]
        region = torch.from_numpy(drawn["region"]).to(images.device, non_blocking=True)
        left, top, right, bottom = region.unsqueeze(-1).unbind(1)
        rows, columns = (torch.arange(n, device=images.device) for n in (height, width))
        inside = ((rows >= top) & (rows < bottom))[:, :, None]
        inside = inside & ((columns >= left) & (columns < right))[:, None, :]
        if images.ndim == 4:
            inside = inside[:, None]
        return torch.where(inside, images[partner], images)


def _check_batch(images: Any, masks: Any) -> None:
    if not isinstance(images, torch.Tensor):
        raise TypeError(
            f"images is a {type(images).__name__}: pass a tensor (N, C, H, W); "
            "imgkit.MixUp and imgkit.CutMix take arrays"
        )
    if check_image(images, "images").ndim != 4:
        raise ValueError(f"images has shape {tuple(images.shape)}: a batch is (N, C, H, W)")
    if masks is None:
        return
    if not isinstance(masks, torch.Tensor) or masks.device != images.device:
        where = masks.device if isinstance(masks, torch.Tensor) else type(masks).__name__
        raise ValueError(f"masks is on {where}, images on {images.device}: move them together")
    if masks.shape != (len(images), *images.shape[-2:]):
        raise ValueError(
            f"masks has shape {tuple(masks.shape)}: it must be {(len(images), *images.shape[-2:])}"
        )


def _host(value: Any) -> Any:
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value


def _hosts(values: Any) -> Any:
    return None if values is None else [_host(value) for value in values]


def _like(value: Any, images: torch.Tensor) -> Any:
    """Return numbers as tensors on the device of the images."""
    if isinstance(value, list):
        return [_like(each, images) for each in value]
    return torch.from_numpy(np.ascontiguousarray(value)).to(images.device, non_blocking=True)
