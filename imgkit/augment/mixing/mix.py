"""Mixing the samples of a batch: MixUp, CutMix and Mosaic, with labels, masks and boxes.

They are no transforms of one image and stand behind a pipeline::

    out = ik.MixUp(0.2, num_classes=10, seed=7)(images, labels, key=(epoch, indices))
    out["images"], out["labels"]

What a sample draws (its share, its box, its center) follows from its own key alone. Whom it is
mixed with follows from its place in the batch: sample i takes sample i - 1, the first the last
(Mosaic: i - 1, i - 2 and i - 3). The same batch gives the same result; another batch size or
order pairs other samples.

Images are (N, H, W, C), or a tensor (N, C, H, W), which is mixed on its device; a `Mosaic` also
takes a list of images of several sizes. Masks are (N, H, W), or a list. Boxes are a list of N
arrays (M, 4), ``left, top, right, bottom`` in pixels, with corners as edges; `box_labels` a list of
N arrays (M,), `polygons` of N lists, `keypoints` of N arrays. Rows of one object stay together.
Labels are (N,) integers, or (N, C) rows of weights; they leave as float32 (N, C) rows that sum to
what came in. A label or mask value of `ignore_index` has no weight.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from imgkit.augment.mixing.batch import Batch, check_batch, one_hot, rows_back
from imgkit.augment.mixing.objects import Objects, areas, join
from imgkit.augment.transforms.parameters import count, declare, fixed, image_size
from imgkit.backends import backend, call_untraced, is_traced
from imgkit.checks import check_int
from imgkit.draws import SEED_BITS, Calls, Draw, check_bits, parse_key, stream
from imgkit.image import is_tensor

Array = npt.NDArray[Any]
Size = tuple[int, int]
Result = dict[str, Any]
MIDDLE = (0.25, 0.75)  # where the four images of a Mosaic meet, as a share of its size


def _seed(value: Any, name: str) -> int | None:
    return None if value is None else check_bits(value, name, SEED_BITS)


def _ignored(value: Any, name: str) -> int | None:
    return None if value is None else check_int(value, name)


# --- the base -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mixer:
    """The base: checked parameters, a seed, keys for calls without one."""

    num_classes: int | None = count(None, kw_only=True)
    p: float = fixed(1.0, low=0, high=1, kw_only=True)
    seed: int | None = declare(_seed, None, True)
    ignore_index: int | None = declare(_ignored, None, True)
    _calls: Any = field(default=None, init=False, repr=False, compare=False)

    ragged = False

    def __post_init__(self) -> None:
        for spec in dataclasses.fields(self):
            check = spec.metadata.get("check")
            value = getattr(self, spec.name)
            if check is not None and not (value is None and spec.name == "num_classes"):
                object.__setattr__(self, spec.name, check(value, spec.name))
        object.__setattr__(self, "_calls", Calls(self.seed is not None))

    def __call__(
        self, images: Any, labels: Any = None, *, masks: Any = None, boxes: Any = None,
        box_labels: Any = None, polygons: Any = None, keypoints: Any = None, key: Any = None,
    ) -> Result:  # fmt: skip
        """Mix a batch.

        Args:
            images: (N, H, W, C), or a tensor (N, C, H, W), which is mixed on its device.
            labels: (N,) integers, with `num_classes`; or (N, C) floats.
            masks: (N, H, W) of class numbers, bool or weights.
            boxes: a list of N arrays (M, 4) in pixels; boxes of torchvision in their format.
            box_labels: a list of N lists or arrays (M,), one entry a box (or polygon).
            polygons: a list of N lists of M arrays (P, 2), one a box.
            keypoints: a list of N arrays (M, P, 2 or 3), one set a box; or of N arrays (P, 2 or
                3), which belong to no box.
            key: ``(epoch, indices)``, or an array of N indices. Without it calls are counted.

        Returns:
            A dict of what came in, mixed; the class says what it adds.

        Raises:
            ValueError, TypeError: the parts of the batch do not fit each other.
        """
        if is_traced():
            given = {"masks": masks, "boxes": boxes, "box_labels": box_labels, "key": key}
            given |= {"polygons": polygons, "keypoints": keypoints}
            return call_untraced(Mixer.__call__, self, images, labels, **given)
        rows = {"boxes": boxes, "box_labels": box_labels, "polygons": polygons,
                "keypoints": keypoints}  # fmt: skip
        batch = check_batch(
            images, labels, masks, rows, self.num_classes, self.ignore_index, self.ragged
        )
        known = self._calls.next(len(batch)) if key is None else parse_key(key)
        if len(known.indices) != len(batch):
            raise ValueError(f"key has {len(known.indices)} indices for {len(batch)} images")
        draw = Draw(stream(self.seed or 0, type(self).__name__), known.epoch, known.indices)
        return self._as_given(batch, self._mix(batch, draw))

    def _as_given(self, batch: Batch, result: Result) -> Result:
        """Return objects by their names, and numbers as tensors if images are."""
        objects = result.pop("objects", None)
        if batch.has_tensors:
            numbers = backend(batch.first, "mix").numbers
            for name, value in result.items():
                if name not in ("images", "masks"):
                    result[name] = numbers(value, batch.first)
        if objects is None:
            return result
        sizes = [getattr(self, "size", None) or batch.size(i) for i in range(len(batch))]
        return result | rows_back(batch, objects, sizes)

    def _mix(self, batch: Batch, draw: Draw) -> Result:
        raise TypeError(f"{type(self).__name__} mixes nothing")


def _roll(number: int, by: int = 1) -> Array:
    """Return the partner of each of N samples: the one `by` places before it."""
    return (np.arange(number) - by) % max(number, 1)


def _shared(labels: Array | None, partner: Array, share: Array) -> Result:
    """Return the weighted labels."""
    if labels is None:
        return {}
    weight = share.astype(np.float32)[:, None]
    return {"labels": labels * weight + labels[partner] * (1 - weight)}


# --- the mixers -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class MixUp(Mixer):
    """Blend each image with another, and their labels likewise.

    Zhang et al., "mixup: beyond empirical risk minimization", ICLR 2018. The share of the image
    itself is drawn from Beta(alpha, alpha).

    The result has `share` (N,) and `partner` (N,). Integer masks become weights (N, H, W,
    num_classes) float32, float masks are blended. Boxes of both images stay; `box_weights` says
    how much of its image each box is (Zhang et al., "Bag of freebies", 2019).

    Args:
        alpha: above 0; small values give shares near 0 and 1.
        num_classes: needed for integer labels and masks.
        p: how often a sample is mixed.
        seed: 0 to 2**64 - 1.
        ignore_index: a class number without weight, such as 255; None for none.

    >>> mixup = MixUp(1.0, num_classes=2, seed=7)
    >>> out = mixup(np.zeros((2, 4, 4, 1), np.uint8), [0, 1], key=(0, range(2)))
    >>> out["labels"].sum(axis=1)
    array([1., 1.], dtype=float32)
    """

    alpha: float = fixed(0.2, low=0, above=True)

    def _mix(self, batch: Batch, draw: Draw) -> Result:
        partner = _roll(len(batch))
        share = np.where(draw.bernoulli(self.p), draw.dirichlet((self.alpha,) * 2)[:, 0], 1.0)
        pixels = backend(batch.images, "mix")
        result: Result = {"images": pixels.blend(batch.images, partner, share)}
        result |= _shared(batch.labels, partner, share)
        if batch.masks is not None:
            masks = batch.masks
            if not _is_weights(masks):
                masks = one_hot(masks, "masks", self.num_classes, self.ignore_index)
            result["masks"] = pixels.blend(masks, partner, share)
        if batch.objects is not None:
            result |= _all_objects(batch.objects, partner, share)
        return result | {"share": share, "partner": partner}


def _is_weights(masks: Any) -> bool:
    """Whether masks hold fractions, not class numbers."""
    return bool(masks.is_floating_point() if is_tensor(masks) else masks.dtype.kind == "f")


def _all_objects(objects: list[Objects], partner: Array, share: Array) -> Result:
    """Return the objects of each image and its partner, and the share of each."""
    joined, weights = [], []
    for i, (other, weight) in enumerate(zip(partner.tolist(), share.tolist(), strict=True)):
        mixed = weight < 1 and other != i
        sources = ((i, weight), (other, 1 - weight)) if mixed else ((i, 1.0),)
        joined.append(join([objects[j] for j, _ in sources]))
        weights.append(np.concatenate([np.full(len(objects[j]), w) for j, w in sources]))
    return {"objects": joined, "box_weights": weights}


@dataclass(frozen=True)
class CutMix(Mixer):
    """Paste a box of another image at the same place; labels follow the area.

    Yun et al., "CutMix: regularization strategy to train strong classifiers with localizable
    features", ICCV 2019. The box has the image's shape and 1 - Beta(alpha, alpha) of its area,
    about a center anywhere; what lies beyond the image is lost, and the share of the image is
    exactly the share of its pixels that remain.

    The result has `share` (N,), `partner` (N,) and `region` (N, 4): left, top, right, bottom.
    Boxes of the image are cut back to what is still visible of them, boxes of the other to the
    region; those with less than `min_visibility` of their area left are dropped.

    Args:
        alpha: above 0.
        min_visibility: 0 to 1; boxes of which nothing is visible are always dropped.
        num_classes, p, seed, ignore_index: as in `MixUp`.
    """

    alpha: float = fixed(1.0, low=0, above=True)
    min_visibility: float = fixed(0.1, low=0, high=1, kw_only=True)

    def _mix(self, batch: Batch, draw: Draw) -> Result:
        height, width = batch.size()
        partner = _roll(len(batch))
        happens, share = draw.bernoulli(self.p), draw.dirichlet((self.alpha,) * 2)[:, 0]
        center = np.floor(draw.uniform() * width), np.floor(draw.uniform() * height)
        region = _region(happens, share, center, (height, width))
        share = 1 - areas(region) / max(height * width, 1)
        pixels = backend(batch.images, "mix")
        result: Result = {"images": pixels.paste(batch.images, partner, region)}
        result |= _shared(batch.labels, partner, share)
        if batch.masks is not None:
            result["masks"] = pixels.paste(batch.masks, partner, region)
        if batch.objects is not None:
            result["objects"] = self._objects(batch.objects, partner, region)
        return result | {"share": share, "partner": partner, "region": region}

    def _objects(self, objects: list[Objects], partner: Array, region: Array) -> list[Objects]:
        """Return the objects that are still visible."""
        found = []
        for i, (other, hole) in enumerate(zip(partner.tolist(), region.tolist(), strict=True)):
            if other == i:
                found.append(objects[i])
                continue
            parts = [objects[i].behind(hole, self.min_visibility)]
            if hole[2] > hole[0] and hole[3] > hole[1]:
                parts.append(objects[other].cut(hole, self.min_visibility))
            found.append(join(parts))
        return found


def _region(happens: Array, share: Array, center: tuple[Array, Array], size: Size) -> Array:
    """Return the pasted boxes (N, 4) int64, clipped to the image; empty where none happens."""
    height, width = size
    half = 0.5 * np.sqrt(1 - share)
    edges = []
    for middle, length in ((center[0], width), (center[1], height)):
        reach = np.where(happens, np.floor(half * length), 0)
        edges.append((np.clip(middle - reach, 0, length), np.clip(middle + reach, 0, length)))
    (left, right), (top, bottom) = edges
    return np.stack([left, top, right, bottom], axis=-1).astype(np.int64)


@dataclass(frozen=True)
class Mosaic(Mixer):
    """Join four images in one of `size`: each fills a tile, the tiles meet in a drawn place.

    Bochkovskiy et al., "YOLOv4", 2020. A window of each image, of its tile's shape and as large
    as fits, anywhere on it, is resized to the tile; so nothing is stretched by more than
    rounding, and no tile shows fill. The image itself is upper left, then i - 1, i - 2, i - 3.

    Labels are weighted by the area of the tiles. Boxes are cut to their tile and dropped below
    `min_visibility`. The result has `partners` (N, 4) and `center` (N, 2), where the tiles meet.

    Args:
        size: (H, W), or one integer for both; also the images' size where `p` leaves them alone.
        min_visibility, num_classes, seed, ignore_index: as in `CutMix`; `p` below 1 is not
            supported, as sizes would differ.
    """

    size: Any = image_size()
    min_visibility: float = fixed(0.1, low=0, high=1, kw_only=True)
    ragged = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.p != 1:
            raise ValueError(f"p is {self.p}: a mosaic has a size of its own, so p must be 1")

    def _mix(self, batch: Batch, draw: Draw) -> Result:
        number, (height, width) = len(batch), self.size
        middle = [np.rint(draw.uniform(*MIDDLE) * n).astype(np.int64) for n in (width, height)]
        places = np.stack([draw.uniform() for _ in range(8)], axis=-1).reshape(number, 4, 2)
        center = np.stack(middle, axis=-1)
        partners = np.stack([_roll(number, by) for by in range(4)], axis=-1)
        mixed: Result = {"images": [], "masks": [], "objects": []}
        shares = np.zeros((number, 4))
        for i in range(number):
            tiles = _tiles(center[i], self.size)
            shares[i] = areas(np.array(tiles)) / (height * width)
            sources = partners[i].tolist()
            windows = [
                _fit_window(batch.size(j), tile, place)
                for j, tile, place in zip(sources, tiles, places[i], strict=True)
            ]
            self._assemble(batch, sources, tiles, windows, mixed)
        result = self._stacked(batch, mixed)
        if batch.labels is not None:
            weights = shares[:, :, None].astype(np.float32)
            result["labels"] = (batch.labels[partners] * weights).sum(axis=1)
        return result | {"partners": partners, "center": center}

    def _assemble(
        self, batch: Batch, sources: list[int], tiles: Any, windows: Any, mixed: Result
    ) -> None:
        """Append one mosaic's image, mask and objects."""
        images = [batch.images[j] for j in sources]
        pixels = backend(images[0], "mix")
        mixed["images"].append(pixels.assemble(images, tiles, windows, self.size, False))
        if batch.masks is not None:
            masks = [batch.masks[j] for j in sources]
            mixed["masks"].append(pixels.assemble(masks, tiles, windows, self.size, True))
        if batch.objects is not None:
            parts = [
                batch.objects[j].placed(window, tile).cut(tile, self.min_visibility)
                for j, tile, window in zip(sources, tiles, windows, strict=True)
                if tile[2] > tile[0] and tile[3] > tile[1]
            ]
            mixed["objects"].append(join(parts))

    def _stacked(self, batch: Batch, mixed: Result) -> Result:
        """Return what came in, images and masks as arrays or tensors."""
        result: Result = {}
        for name, source in (("images", batch.images), ("masks", batch.masks)):
            if source is None:
                continue
            pixels = backend(batch.first, "mix")
            result[name] = (
                pixels.stack(mixed[name]) if mixed[name] else pixels.empty(source, self.size)
            )
        return result if batch.objects is None else result | {"objects": mixed["objects"]}


def _tiles(center: Array, size: Size) -> list[tuple[int, int, int, int]]:
    """Return upper left, upper right, lower left and lower right, as left, top, right, bottom."""
    x, y = center.tolist()
    height, width = size
    return [(0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)]


def _fit_window(
    size: Size, tile: tuple[int, int, int, int], place: Array
) -> tuple[int, int, int, int]:
    """Return the largest window of a tile's shape, at a place (x, y) from 0 to 1."""
    height, width = size
    tall, wide = tile[3] - tile[1], tile[2] - tile[0]
    if not (tall and wide):
        return 0, 0, width, height
    scale = max(tall / height, wide / width)
    rows = min(max(round(tall / scale), 1), height)
    columns = min(max(round(wide / scale), 1), width)
    left = int(place[0] * (width - columns + 1))
    top = int(place[1] * (height - rows + 1))
    return left, top, left + columns, top + rows
