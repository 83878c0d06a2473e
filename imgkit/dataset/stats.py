"""Figures of many images: mean and standard deviation of each channel, sizes, formats, classes.

Intensities are fractions of the full range: 255 and 65535 are 1, floats stay. Every pixel has the
same weight, so a large image counts more than a small one. The deviation is that of all pixels
together, ``sqrt(E[x²] - E[x]²)``, not the mean of the images' deviations.

Sums are exact (integers, and fractions for floats) and are divided once, at the end: the result
does not depend on the order of the images or on the number of processes.
"""

from __future__ import annotations

import functools
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit.folder.engines.ordered import ordered
from imgkit.io.decode import MAX_PIXELS, Limits, decode_details
from imgkit.io.files import printable_path

Array = npt.NDArray[Any]
BINS = 256
SHOWN_SIZES = 20
SIDES = (0, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)  # of the histogram of longer sides
EXACT = 1 << 24  # pixels up to which OpenCV's float32 counts are whole numbers


class Bad(NamedTuple):
    """A file that could not be read, and the reason; `error` is one word."""

    path: str
    error: str
    message: str


@dataclass
class Sums:
    """Sums over the pixels of one channel, in its own units (0..255, 0..65535 or 0..1)."""

    first: Fraction | int = 0  # Σx
    second: Fraction | int = 0  # Σx²
    low: float = math.inf
    high: float = -math.inf

    def add(self, other: Sums) -> None:
        """Add the sums over other pixels."""
        self.first += other.first
        self.second += other.second
        self.low = min(self.low, other.low)
        self.high = max(self.high, other.high)

    def plain(self) -> list[Any]:
        """Return the sums as plain values for JSON; `of` reads them."""
        return [str(self.first), str(self.second), self.low, self.high]

    @classmethod
    def of(cls, stored: Sequence[Any]) -> Sums:
        """Return the figures of the values that `plain` returned."""
        return cls(Fraction(stored[0]), Fraction(stored[1]), stored[2], stored[3])


class Moments(NamedTuple):
    """Figures of each channel, as fractions of the full range."""

    mean: list[float]
    std: list[float]
    low: list[float]
    high: list[float]


@dataclass
class Figures:
    """The figures of some images. `add` adds those of others, in any order.

    `sums` is by (channels, full range), `pixels` too; `histograms`, (C, 256), by channels.
    """

    images: int = 0
    pixels: Counter[tuple[int, int]] = field(default_factory=Counter)
    sums: dict[tuple[int, int], list[Sums]] = field(default_factory=dict)
    histograms: dict[int, Array] = field(default_factory=dict)
    formats: Counter[str] = field(default_factory=Counter)
    dtypes: Counter[str] = field(default_factory=Counter)
    channels: Counter[int] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)  # (width, height)
    classes: Counter[str] = field(default_factory=Counter)

    def add(self, other: Figures) -> None:
        """Add the figures of other images."""
        self.images += other.images
        for name in ("pixels", "formats", "dtypes", "channels", "sizes", "classes"):
            getattr(self, name).update(getattr(other, name))
        for key, sums in other.sums.items():
            mine = self.sums.setdefault(key, [Sums() for _ in sums])
            for own, new in zip(mine, sums, strict=True):
                own.add(new)
        for count, histogram in other.histograms.items():
            self.histograms[count] = self.histograms.get(count, 0) + histogram

    def moments(self) -> Moments | None:
        """Return mean, deviation and range of each channel; gray counts as equal R, G and B.

        None if there are no images, or images whose channels cannot be pooled.
        """
        width = pooled(self.channels)
        if width is None:
            return None
        return Moments(*map(list, zip(*(self._channel(c) for c in range(width)), strict=True)))

    def _channel(self, channel: int) -> tuple[float, float, float, float]:
        count, first, second = 0, Fraction(0), Fraction(0)
        low, high = math.inf, -math.inf
        for (channels, top), sums in self.sums.items():
            own = sums[min(channel, channels - 1)]
            count += self.pixels[channels, top]
            first += Fraction(own.first) / top
            second += Fraction(own.second) / top**2
            low, high = min(low, own.low / top), max(high, own.high / top)
        mean = first / count
        # sums of floats are rounded, so a variance of 0 may become slightly negative
        variance = max(Fraction(0), second / count - mean**2)
        return float(mean), math.sqrt(float(variance)), low, high

    def normalize(self) -> dict[str, list[float]] | None:
        """Return the arguments of `Normalize`; None without images, or if a channel is constant."""
        moments = self.moments()
        if moments is None or min(moments.std) <= 0:
            return None
        return {"mean": moments.mean, "std": moments.std}

    def plain(self) -> dict[str, Any]:
        """Return the figures as plain values for JSON, exactly; `of` reads them."""
        return {
            "images": self.images,
            "pixels": [[*key, n] for key, n in self.pixels.items()],
            "sums": [[*key, [each.plain() for each in sums]] for key, sums in self.sums.items()],
            "histograms": [[count, part.tolist()] for count, part in self.histograms.items()],
            "channels": list(self.channels.items()),
            "sizes": [[*size, n] for size, n in self.sizes.items()],
            **{name: dict(getattr(self, name)) for name in ("formats", "dtypes", "classes")},
        }

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Figures:
        """Return the figures of the values that `plain` returned."""
        return cls(
            images=stored["images"],
            pixels=Counter({(channels, top): n for channels, top, n in stored["pixels"]}),
            sums={
                (channels, top): list(map(Sums.of, sums)) for channels, top, sums in stored["sums"]
            },
            histograms={count: np.array(part, np.int64) for count, part in stored["histograms"]},
            channels=Counter(dict(stored["channels"])),
            sizes=Counter({(width, height): n for width, height, n in stored["sizes"]}),
            **{name: Counter(stored[name]) for name in ("formats", "dtypes", "classes")},
        )


def pooled(channels: Iterable[int]) -> int | None:
    """Return the number of channels that images of these have together; None if they do not mix."""
    outcome = set(channels)
    if outcome == {1, 3}:
        return 3
    return outcome.pop() if len(outcome) == 1 else None


# --- one image --------------------------------------------------------------------------


def measure(image: Array, kind: str = "", label: str | None = None) -> Figures:
    """Return the figures of one image (H, W) or (H, W, C).

    Args:
        image: uint8, uint16, or floats that count as 0..1.
        kind: the format of its file.
        label: its class, if it has one.

    Raises:
        ValueError: if it holds values that are not finite.
    """
    planes = image[..., None] if image.ndim == 2 else image
    height, width, channels = planes.shape
    top = np.iinfo(planes.dtype).max if planes.dtype.kind == "u" else 1
    count = _count if planes.dtype.kind == "u" else _sum
    outcome = [count(np.ascontiguousarray(planes[..., c])) for c in range(channels)]
    return Figures(
        images=1,
        pixels=Counter({(channels, top): height * width}),
        sums={(channels, top): [sums for sums, _ in outcome]},
        histograms={channels: np.stack([histogram for _, histogram in outcome])},
        formats=Counter([kind]),
        dtypes=Counter([planes.dtype.name]),
        channels=Counter([channels]),
        sizes=Counter([(width, height)]),
        classes=Counter() if label is None else Counter([label]),
    )


def _count(plane: Array) -> tuple[Sums, Array]:
    """Sum up integers by counting each level: exact, and quicker than squaring pixels."""
    import cv2

    levels = np.iinfo(plane.dtype).max + 1
    counts = np.zeros(levels, np.int64)
    rows = max(1, EXACT // plane.shape[1])
    for at in range(0, plane.shape[0], rows):
        part = cv2.calcHist([plane[at : at + rows]], [0], None, [levels], [0, levels])
        counts += part.ravel().astype(np.int64)
    values = np.arange(levels, dtype=np.int64)
    there = np.flatnonzero(counts)
    first, second = int(counts @ values), int(counts @ values**2)  # below 2^61
    sums = Sums(first, second, float(there[0]), float(there[-1]))
    return sums, counts.reshape(BINS, -1).sum(axis=1)


def _sum(plane: Array) -> tuple[Sums, Array]:
    """Sum up floats; the histogram's ends take what lies outside 0..1."""
    values = plane.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("the image holds values that are not finite")
    first, second = Fraction(float(values.sum())), Fraction(float(np.square(values).sum()))
    bins = np.clip(values * BINS, 0, BINS - 1).astype(np.int64)
    histogram = np.bincount(bins.ravel(), minlength=BINS)
    return Sums(first, second, float(values.min()), float(values.max())), histogram


# --- a folder ---------------------------------------------------------------------------


def label_of(path: str) -> str | None:
    """Return the class of a path below a folder: the first folder on it.

    >>> label_of(os.path.join("cats", "2024", "tom.jpg")), label_of("tom.jpg")
    ('cats', None)
    """
    first, separator, _ = path.partition(os.sep)
    return first if separator else None


def measure_file(root: str, max_pixels: int, path: str) -> Figures | Bad:
    """Return the figures of one file, or the reason for their absence."""
    try:
        with open(os.path.join(root, path), "rb") as file:
            decoded = decode_details(file.read(), Limits(max_pixels))
        return measure(decoded.image, decoded.kind, label_of(path))
    except Exception as error:  # decoders raise any type
        return bad(path, error)


def bad(path: str, error: BaseException) -> Bad:
    """Return in one word and one line why a file could not be read."""
    kind = getattr(error, "kind", None) or type(error).__name__
    message = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return Bad(path, kind, " ".join(message.split()))


def collect(
    root: str,
    paths: Sequence[str],
    workers: int = 0,
    max_pixels: int = MAX_PIXELS,
    on_image: Callable[[str, Bad | None], None] = lambda path, bad: None,
) -> tuple[Figures, list[Bad]]:
    """Return the figures of the images of a folder, and the files that could not be read.

    Args:
        root: the folder.
        paths: of the images, below it.
        workers: processes, 0 for this one alone; the result does not depend on it.
        max_pixels: larger images count as bad.
        on_image: called after each file, with its path and the reason if it failed.
    """
    total, wrong = Figures(), []
    call = functools.partial(measure_file, root, max_pixels)
    for path, outcome in zip(paths, ordered(call, paths, min(workers, len(paths))), strict=True):
        if isinstance(outcome, Figures):
            total.add(outcome)
            on_image(path, None)
            continue
        problem = bad(path, outcome) if isinstance(outcome, BaseException) else outcome
        wrong.append(problem)
        on_image(path, problem)
    return total, wrong


# --- summary ----------------------------------------------------------------------------


def summary(figures: Figures, wrong: Sequence[Bad] = ()) -> dict[str, Any]:
    """Return the figures as plain values, as ``imgkit stats --json`` prints them."""
    moments = figures.moments()
    sizes = figures.sizes.most_common()
    sizes.sort(key=lambda item: (-item[1], item[0]))
    return {
        "images": figures.images,
        "bad": len(wrong),
        "pixels": figures.pixels.total(),
        "mean": moments.mean if moments else None,
        "std": moments.std if moments else None,
        "min": moments.low if moments else None,
        "max": moments.high if moments else None,
        "normalize": figures.normalize(),
        "channels": {str(count): n for count, n in sorted(figures.channels.items())},
        "dtypes": dict(sorted(figures.dtypes.items())),
        "formats": dict(sorted(figures.formats.items())),
        "width": _spread(figures.sizes, 0),
        "height": _spread(figures.sizes, 1),
        "sizes": {f"{w}x{h}": n for (w, h), n in sizes[:SHOWN_SIZES]},
        "distinct_sizes": len(sizes),
        "longer_sides": [list(row) for row in sides(figures)],
        "classes": {printable_path(name): n for name, n in sorted(figures.classes.items())},
        "failures": [
            {"path": printable_path(row.path), "error": row.error, "message": row.message}
            for row in sorted(wrong)
        ],
    }


def _spread(sizes: Counter[tuple[int, int]], axis: int) -> dict[str, float] | None:
    """Smallest, mean and largest width or height."""
    if not sizes:
        return None
    lengths = [size[axis] for size in sizes]
    total = sum(size[axis] * n for size, n in sizes.items())
    return {"min": min(lengths), "mean": total / sizes.total(), "max": max(lengths)}


def sides(figures: Figures) -> list[tuple[int, int | None, int]]:
    """Count images by their longer side: (from, below, images); the last has no upper end."""
    ends: tuple[int | None, ...] = (*SIDES[1:], None)
    counts = [0] * len(SIDES)
    for size, n in figures.sizes.items():
        counts[sum(max(size) >= low for low in SIDES) - 1] += n
    return list(zip(SIDES, ends, counts, strict=True))
