"""Split a folder that has one folder of images for each class into parts of a data set.

Every image is resized by a preset, written as 8-bit RGB, and put into a part: train, val or test,
or one of k folds. The parts are folders, WebDataset shards or ``.npy`` batches, with a card that
states the steps and the mean and deviation of the pixels to train on.

**The rule of the split.** The split hash of an image is a number in 0..1, a hash of the seed and of
the path below the folder alone. Under 80/10/10 an image goes to train below 0.8, to val below 0.9,
else to test; of k folds it goes to ``floor(k * split_hash)``. So adding, removing or changing files
does not move any other image, and a file stays in its part. Each class is split by the same
thresholds; the counts of a class are not exact, as exact counts would move images. A share p of a
class of n images has a standard deviation of ``sqrt(p * (1 - p) / n)``: of 1000 images at 80 %,
787 to 813 in two splits of three. The order in a part follows the split hash too, so shards are
shuffled.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from imgkit.augment.pipeline import Pipeline
from imgkit.dataset.presets import PRESETS, preset_pipeline
from imgkit.dataset.stats import label_of
from imgkit.folder.plan_outputs import plan_outputs as plan_names
from imgkit.folder.scan import Source
from imgkit.io.decode import MAX_PIXELS
from imgkit.io.files import printable_path

PARTS = ("train", "val", "test")
FORMATS = ("folder", "webdataset", "npy")
PER_SHARD = 1000
SPLIT_ALREADY = {"train", "training", "val", "valid", "validation", "test", "testing"}


@dataclass(frozen=True)
class SplitRule:
    """The assignment of images to parts: names of the parts, their weights, and the seed."""

    names: tuple[str, ...]
    weights: tuple[int, ...]
    seed: int = 0

    def split_hash(self, path: str) -> int:
        """Return the split hash of a path, scaled to 0..2^64."""
        text = os.fsencode(path.replace(os.sep, "/"))
        digest = hashlib.blake2b(b"%d\0" % self.seed + text, digest_size=8, person=b"imgkit split")
        return int.from_bytes(digest.digest(), "big")

    def part(self, path: str) -> str:
        """Return the name of the part that a path belongs to."""
        split_hash, total = self.split_hash(path), sum(self.weights)
        ends = itertools.accumulate(self.weights)
        return next(
            n for n, end in zip(self.names, ends, strict=True) if split_hash * total < end << 64
        )

    @property
    def folds(self) -> bool:
        """Whether the parts are folds, each of which is left out of training once."""
        return self.names[0] != PARTS[0]


def split(text: str, seed: int = 0) -> SplitRule:
    """Read a split such as 80/10/10 (train, val, test) or 90/10 (train, val).

    Raises:
        ValueError: it is not a list of one to three whole numbers above 0.
    """
    try:
        weights = tuple(int(part) for part in text.split("/"))
    except ValueError:
        weights = ()
    if not 1 <= len(weights) <= 3 or min(weights) < 1:
        raise ValueError(f"split is {text!r}: write up to three numbers above 0, as 80/10/10")
    return SplitRule(PARTS[: len(weights)], weights, seed)


def folds(count: int, seed: int = 0) -> SplitRule:
    """Return the rule of k folds of the same size."""
    return SplitRule(tuple(f"fold-{i}" for i in range(count)), (1,) * count, seed)


# --- the plan ---------------------------------------------------------------------------


@dataclass(frozen=True)
class BuildOptions:
    """All that determines the data set together with the inputs. It pickles."""

    split_rule: SplitRule
    preset: str = "imagenet"
    size: int | None = None
    format: str = "folder"
    image: str = "jpg"
    quality: int = 95
    per_shard: int = PER_SHARD
    max_pixels: int = MAX_PIXELS

    @functools.cached_property
    def pipeline(self) -> Pipeline | None:
        """The pipeline that each image goes through."""
        return preset_pipeline(self.preset, self.size)


class Planned(NamedTuple):
    """One image: its path below SRC, its class, its part, and its number there."""

    path: str
    label: str
    number: int  # of the class
    part: str
    order: int
    size: int = -1  # of the source when it was planned, in bytes
    mtime_ns: int = -1


def plan(
    images: Sequence[Source], src: str, dst: str, build_options: BuildOptions
) -> list[Planned]:
    """Choose the part, the class and the number of every image, in the order of the work.

    Raises:
        ValueError: there are no classes, SRC is split already, DST is in SRC or SRC in DST,
            or two outputs would have one name.
    """
    if not images:
        raise ValueError(f"{printable_path(src)} has no images")
    loose = [image.path for image in images if label_of(image.path) is None]
    if loose:
        raise ValueError(
            f"{printable_path(loose[0])} is in no class: SRC needs one folder for each class"
        )
    labels = sorted({str(label_of(image.path)) for image in images})
    if {label.lower() for label in labels} <= SPLIT_ALREADY:
        raise ValueError(f"{printable_path(src)} has {', '.join(labels)}: it is split already")
    if build_options.format == "npy" and PRESETS[build_options.preset] is None:
        raise ValueError("npy batches need images of one size: choose a preset other than none")
    _check_folders(images, src, dst, build_options)
    numbers = {label: number for number, label in enumerate(labels)}
    placed = sorted(
        images, key=lambda image: (build_options.split_rule.split_hash(image.path), image.path)
    )
    planned = []
    for part in build_options.split_rule.names:
        own = (image for image in placed if build_options.split_rule.part(image.path) == part)
        for order, (path, *state) in enumerate(own):
            label = str(label_of(path))
            planned.append(Planned(path, label, numbers[label], part, order, *state))
    return planned


def _check_folders(
    images: Sequence[Source], src: str, dst: str, build_options: BuildOptions
) -> None:
    real_src, real_dst = os.path.realpath(src), os.path.realpath(dst)
    if os.path.join(real_src, "").startswith(os.path.join(real_dst, "")):
        raise ValueError(
            f"SRC {printable_path(real_src)} lies inside DST {printable_path(real_dst)}"
        )
    plan_names(images if build_options.format == "folder" else (), src, dst, build_options.image)
