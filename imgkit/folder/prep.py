"""A data set for training, made of a folder that has one folder of images for each class.

Every image is resized by a preset, written as 8-bit RGB, and put into a part: train, val and test,
or one of k folds. The parts come as folders, WebDataset shards or ``.npy`` batches, with a card
that states what was done and the mean and deviation of the pixels to train on.

**The law of the split.** An image's place is a number in 0..1: a hash of the seed and of its path
below the folder, and of nothing else. Under 80/10/10 it goes to train below 0.8, to val below
0.9, and to test else; of k folds it goes to ``floor(k * place)``. So adding, removing or changing
files moves nobody else, and a file is in the part it was in before. Each class is split by the
same thresholds; no class gets an exact count, as keeping that up would move images. A share p of a
class of n images comes out with a standard deviation of ``sqrt(p * (1 - p) / n)``: of 1000 images
at 80 %, 787 to 813 in two runs of three. The order in a part goes by place too, so shards are
shuffled already.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit.augment.geometric import CenterCrop, Letterbox, Resize
from imgkit.augment.pipeline import Pipeline
from imgkit.folder import shards
from imgkit.folder.codec import MAX_PIXELS, BadImage, Limits, encode, read
from imgkit.folder.engines.ordered import ordered
from imgkit.folder.scan import OWN, Source, output_name, shown
from imgkit.folder.scan import plan as plan_names
from imgkit.folder.stats import Bad, Figures, bad, label_of, measure
from imgkit.ops.color import to_uint8

Array = npt.NDArray[Any]

CARD, FACTS = "README.md", "dataset.json"
PARTS = ("train", "val", "test")
FORMATS = ("folder", "webdataset", "npy")
PER_SHARD = 1000
SPLIT_ALREADY = {"train", "training", "val", "valid", "validation", "test", "testing"}


class Preset(NamedTuple):
    """How images are brought to a size; `Preprocess` of imgkit.torch does the same by that name.

    `resize` is the shorter side; `crop` the side of the square cut from the middle. "squash"
    and "letterbox" have no crop: both sides become `resize`, by stretching or with a margin.
    """

    resize: int
    crop: int | None
    interpolation: str = "bilinear"
    how: str = "crop"


PRESETS: dict[str, Preset | None] = {
    "imagenet": Preset(256, 224),
    "clip": Preset(224, 224, "bicubic"),
    "siglip": Preset(224, None, "bicubic", "squash"),
    "inception": Preset(341, 299, "bicubic"),
    "cifar10": Preset(32, None, "bilinear", "squash"),
    "letterbox": Preset(224, None, "bilinear", "letterbox"),
    "none": None,  # images keep their size
}


def resized(preset: str, size: int | None = None) -> Pipeline | None:
    """Return the pipeline of a preset, for another size of the results if one is given."""
    chosen = PRESETS[preset]
    if chosen is None:
        return None
    resize, crop, interpolation, how = chosen
    if size is not None:
        resize, crop = (size, None) if crop is None else (round(resize * size / crop), size)
    if crop is not None:
        edge = Resize(resize, edge="shorter", interpolation=interpolation)
        return Pipeline([edge, CenterCrop(crop)])
    op = Letterbox if how == "letterbox" else Resize
    return Pipeline([op(resize, interpolation=interpolation)])


# --- the split --------------------------------------------------------------------------


@dataclass(frozen=True)
class Law:
    """Which part an image belongs to: the parts' names, their weights, and the seed."""

    names: tuple[str, ...]
    weights: tuple[int, ...]
    seed: int = 0

    def place(self, path: str) -> int:
        """Return an image's place, in 0..2^64."""
        text = os.fsencode(path.replace(os.sep, "/"))
        digest = hashlib.blake2b(b"%d\0" % self.seed + text, digest_size=8, person=b"imgkit split")
        return int.from_bytes(digest.digest(), "big")

    def part(self, path: str) -> str:
        """Return the name of the part that a path belongs to."""
        place, total = self.place(path), sum(self.weights)
        ends = itertools.accumulate(self.weights)
        return next(n for n, end in zip(self.names, ends, strict=True) if place * total < end << 64)

    @property
    def folds(self) -> bool:
        """Whether the parts are folds, of which each is left out of training once."""
        return self.names[0] != PARTS[0]


def split(text: str, seed: int = 0) -> Law:
    """Read a split such as 80/10/10 (train, val, test) or 90/10 (train, val).

    Raises:
        ValueError: if it is no list of one to three whole numbers above 0.
    """
    try:
        weights = tuple(int(part) for part in text.split("/"))
    except ValueError:
        weights = ()
    if not 1 <= len(weights) <= 3 or min(weights) < 1:
        raise ValueError(f"split is {text!r}: write up to three numbers above 0, as 80/10/10")
    return Law(PARTS[: len(weights)], weights, seed)


def folds(count: int, seed: int = 0) -> Law:
    """Return the law of k folds of the same size."""
    return Law(tuple(f"fold-{i}" for i in range(count)), (1,) * count, seed)


# --- the plan ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Recipe:
    """Everything that, with the inputs, decides the data set. It pickles."""

    law: Law
    preset: str = "imagenet"
    size: int | None = None
    format: str = "folder"
    image: str = "jpg"
    quality: int = 95
    per_shard: int = PER_SHARD
    max_pixels: int = MAX_PIXELS

    @functools.cached_property
    def pipeline(self) -> Pipeline | None:
        """What is done to each image."""
        return resized(self.preset, self.size)


class Planned(NamedTuple):
    """One image: its path below SRC, its class, its part, and its number there."""

    path: str
    label: str
    number: int  # of the class
    part: str
    order: int


def plan(images: Sequence[Source], src: str, dst: str, recipe: Recipe) -> list[Planned]:
    """Decide the part, the class and the number of every image, in the order of the work.

    Raises:
        ValueError: if there are no classes, SRC is split already, DST is in SRC or SRC in DST,
            or two outputs would have one name.
    """
    if not images:
        raise ValueError(f"{shown(src)} has no images")
    loose = [image.path for image in images if label_of(image.path) is None]
    if loose:
        raise ValueError(f"{shown(loose[0])} is in no class: SRC needs one folder for each class")
    labels = sorted({str(label_of(image.path)) for image in images})
    if {label.lower() for label in labels} <= SPLIT_ALREADY:
        raise ValueError(f"{shown(src)} has {', '.join(labels)}: it is split already")
    if recipe.format == "npy" and PRESETS[recipe.preset] is None:
        raise ValueError("npy batches need images of one size: choose a preset but none")
    _check_folders(images, src, dst, recipe)
    numbers = {label: number for number, label in enumerate(labels)}
    paths = sorted((image.path for image in images), key=lambda p: (recipe.law.place(p), p))
    planned = []
    for part in recipe.law.names:
        own = (path for path in paths if recipe.law.part(path) == part)
        for order, path in enumerate(own):
            label = str(label_of(path))
            planned.append(Planned(path, label, numbers[label], part, order))
    return planned


def _check_folders(images: Sequence[Source], src: str, dst: str, recipe: Recipe) -> None:
    real_src, real_dst = os.path.realpath(src), os.path.realpath(dst)
    if os.path.join(real_src, "").startswith(os.path.join(real_dst, "")):
        raise ValueError(f"SRC {shown(real_src)} lies inside DST {shown(real_dst)}")
    plan_names(images if recipe.format == "folder" else (), src, dst, recipe.image)


# --- one image --------------------------------------------------------------------------


class Prepared(NamedTuple):
    """What became of one image: figures of the result, the source's facts, and the result."""

    figures: Figures
    size: int  # of the source
    sha256: str  # of the source
    result: Any  # bytes of a file; for npy the array; None where it is written already


def prepare(recipe: Recipe, src: str, into: str, planned: Planned) -> Prepared | Bad:
    """Read, resize and encode one image; a folder's file is written here."""
    try:
        with open(os.path.join(src, planned.path), "rb") as file:
            data = file.read()
        image = read(data, Limits(recipe.max_pixels)).image
        if recipe.pipeline is not None:
            image = recipe.pipeline(image, key=(0, 0))
        image = as_rgb(image)
        kind = "npy" if recipe.format == "npy" else recipe.image
        figures = measure(image, kind, planned.label)
        result: Any = image
        if recipe.format != "npy":
            result = encode(image, recipe.image, quality=recipe.quality)
    except Exception as error:  # whatever a decoder or operation raises, it is about this image
        return bad(planned.path, error)
    if recipe.format == "folder":
        _write(os.path.join(into, planned.part, output_name(planned.path, kind)[0]), result)
        result = None
    return Prepared(figures, len(data), hashlib.sha256(data).hexdigest(), result)


def as_rgb(image: Array) -> Array:
    """Return an image as uint8 (H, W, 3): gray as equal channels, 16 bits and floats rounded.

    Raises:
        BadImage: if it has other channels, or floats outside 0..1.
    """
    planes = image[..., None] if image.ndim == 2 else image
    if planes.shape[2] not in (1, 3):
        raise BadImage("unsupported", f"{planes.shape[2]} channels: a data set is gray or RGB")
    if planes.dtype.kind == "f" and not (planes.min() >= 0 and planes.max() <= 1):
        raise BadImage("unsupported", "floats outside 0..1: what is white cannot be told")
    levels: Array = planes if planes.dtype == np.uint8 else to_uint8(planes)
    return np.ascontiguousarray(np.broadcast_to(levels, (*levels.shape[:2], 3)))


def _write(target: str, data: bytes) -> None:
    """Write a file below a folder that nobody sees yet."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "xb") as file:
        file.write(data)


# --- all of them ------------------------------------------------------------------------


@dataclass
class Made:
    """What was made: figures and shards of each part, and the images that failed."""

    recipe: Recipe
    labels: list[str]
    figures: dict[str, Figures]
    shards: dict[str, list[shards.Shard]] = field(default_factory=dict)
    failures: list[Bad] = field(default_factory=list)
    _parts: dict[bytes, int] = field(default_factory=dict)  # by hash of the source, a bit each
    _twins: dict[bytes, int] = field(default_factory=dict)  # sources met before, how often

    def train(self, leave_out: str | None = None) -> Figures:
        """Return the figures to train on: of train, or of all folds but one."""
        total = Figures()
        for part, figures in self.figures.items():
            if part != leave_out if self.recipe.law.folds else part == PARTS[0]:
                total.add(figures)
        return total

    def note(self, planned: Planned, prepared: Prepared) -> None:
        """Count an image that went well."""
        self.figures[planned.part].add(prepared.figures)
        source = bytes.fromhex(prepared.sha256)[:16]  # a million of them are kept in memory
        if source in self._parts:
            self._twins[source] = self._twins.get(source, 1) + 1
        bit = 1 << self.recipe.law.names.index(planned.part)
        self._parts[source] = self._parts.get(source, 0) | bit

    @property
    def straddling(self) -> int:
        """How many images have a twin, byte for byte, in another part."""
        return sum(n for source, n in self._twins.items() if self._parts[source].bit_count() > 1)


def build(
    planned: Sequence[Planned],
    src: str,
    dst: str,
    recipe: Recipe,
    *,
    workers: int = 1,
    force: bool = False,
    seen: Callable[[str, Bad | None], None] = lambda path, bad: None,
) -> Made:
    """Make the data set. DST shows nothing of it, or all of it.

    Args:
        planned: as `plan` gives them.
        src: the folder of the images.
        dst: the folder to make; it must not exist, or be empty.
        recipe: what to make.
        workers: processes; no byte depends on it.
        force: replace a data set that stands at DST.
        seen: called after each image, with its path and what is wrong with it.

    Raises:
        FileExistsError: if DST holds anything else.
        OSError: if the disk is full or may not be written.
    """
    from imgkit.folder import card

    check_free(dst, force)
    labels = sorted({image.label for image in planned})
    made = Made(recipe, labels, {part: Figures() for part in recipe.law.names})
    with _staged(dst) as staging:
        call = functools.partial(prepare, recipe, src, staging)
        results = ordered(call, planned, min(workers, len(planned)))
        good = _sorted_out(zip(planned, results, strict=True), made, seen)
        with contextlib.closing(results):
            pack = {"folder": _consume, "webdataset": _tars, "npy": _batches}[recipe.format]
            pack(good, staging, made)
        card.write(staging, made)
    return made


def _sorted_out(
    pairs: Iterable[tuple[Planned, Any]], made: Made, seen: Callable[[str, Bad | None], None]
) -> Iterator[tuple[Planned, Prepared]]:
    """Yield the images that went well; note all."""
    for planned, found in pairs:
        if isinstance(found, OSError) and found.errno is not None:
            raise found  # of writing: what is wrong with an image is `Bad`, a dead worker no errno
        if isinstance(found, Prepared):
            made.note(planned, found)
            seen(planned.path, None)
            yield planned, found
        else:
            problem = found if isinstance(found, Bad) else bad(planned.path, found)
            made.failures.append(problem)
            seen(planned.path, problem)


def _consume(good: Iterator[tuple[Planned, Prepared]], into: str, made: Made) -> None:
    for _ in good:
        pass


def _by_shard(
    good: Iterator[tuple[Planned, Prepared]], size: int
) -> Iterator[tuple[str, int, Iterator[tuple[Planned, Prepared]]]]:
    """Group images by part and by the shard that the plan gives them."""
    grouped = itertools.groupby(good, lambda pair: (pair[0].part, pair[0].order // size))
    for (part, number), group in grouped:
        yield part, number, group


def _tars(good: Iterator[tuple[Planned, Prepared]], into: str, made: Made) -> None:
    for part, number, group in _by_shard(good, made.recipe.per_shard):
        samples = (_sample(planned, prepared, made.recipe.image) for planned, prepared in group)
        shard = shards.write_tar(os.path.join(into, part), number, samples)
        made.shards.setdefault(part, []).append(shard)
    for part, written in made.shards.items():
        shards.write_index(os.path.join(into, part), written)


def _sample(planned: Planned, prepared: Prepared, extension: str) -> shards.Sample:
    return shards.Sample(
        key=shards.key(planned.order),
        data=prepared.result or b"",
        extension=extension,
        path=planned.path,
        label=planned.label,
        number=planned.number,
        size=prepared.size,
        sha256=prepared.sha256,
    )


def _batches(good: Iterator[tuple[Planned, Prepared]], into: str, made: Made) -> None:
    for part, number, group in _by_shard(good, made.recipe.per_shard):
        pairs = list(group)
        folder = os.path.join(into, part)
        images = [prepared.result for _, prepared in pairs]
        shard = shards.write_npy(folder, number, images, [planned.number for planned, _ in pairs])
        made.shards.setdefault(part, []).append(shard)
        facts = [_sample(planned, p._replace(result=b""), "npy").facts() for planned, p in pairs]
        text = "".join(json.dumps(row, sort_keys=True) + "\n" for row in facts)
        _write(os.path.join(folder, f"samples-{number:05}.jsonl"), text.encode())


# --- the folder -------------------------------------------------------------------------


def check_free(dst: str, force: bool) -> None:
    """Raise if something stands at DST that this may not replace."""
    if not os.path.lexists(dst) or (os.path.isdir(dst) and not os.listdir(dst)):
        return
    if not os.path.isfile(os.path.join(dst, FACTS)):
        raise FileExistsError(f"{shown(dst)} is not empty: choose a new folder")
    if not force:
        raise FileExistsError(f"{shown(dst)} holds a data set: --force replaces it")


@contextlib.contextmanager
def _staged(dst: str) -> Iterator[str]:
    """Give a folder beside DST that takes its place, and its name, when all went well."""
    dst = os.path.realpath(dst)
    parent = os.path.dirname(dst)
    os.makedirs(parent, exist_ok=True)
    staging = os.path.join(parent, f"{OWN}-{os.getpid()}-{uuid.uuid4().hex}")
    os.mkdir(staging)
    try:
        yield staging
        if hasattr(os, "sync"):
            os.sync()  # once for all files: none has its name before all are on the disk
        if os.path.lexists(dst):
            old = f"{staging}-old"
            os.rename(dst, old)
            os.rename(staging, dst)
            shutil.rmtree(old)
        else:
            os.rename(staging, dst)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
