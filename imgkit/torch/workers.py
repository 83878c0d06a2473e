"""The work of a loader's process: decode the samples of a batch, pack or augment their images."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from imgkit.image import Array
from imgkit.torch import samples
from imgkit.torch.data import ImageFolder
from imgkit.torch.packing import Buffers, listed, pack, stack
from imgkit.torch.reading import reading
from imgkit.torch.transform import Transform


class Batch(NamedTuple):
    """The result of a worker: the images, augmented or packed, and the samples to put them in."""

    images: Any
    rest: Any  # the collated samples, without their images
    path: samples.Path  # of the image in a sample
    epoch: int
    indices: tuple[int, ...]


def uncollated(batch: Batch) -> Batch:
    """Return a batch unchanged: `BatchDataset` has collated it."""
    return batch


def one_thread(worker: int) -> None:
    """Limit OpenCV to one thread in a worker.

    A forked process has no other threads and must not change the number: it would wait forever
    for the threads of its parent.
    """
    import cv2

    if multiprocessing.get_start_method() != "fork":
        cv2.setNumThreads(1)


class BatchDataset(Dataset[Batch]):  # type: ignore[misc]  # torch is not read by mypy
    """Returns the batch of a list of (epoch, index)."""

    def __init__(
        self, dataset: Any, transform: Transform, packs: bool, stack: bool, buffers: int = 3
    ) -> None:
        self.dataset, self.transform, self.packs, self.stack = dataset, transform, packs, stack
        self.buffers = Buffers(buffers)

    def __getitems__(self, keys: list[tuple[int, int]]) -> Batch:
        rows: list[Any] = []
        paths: set[samples.Path] = set()
        decoded = self._images(keys, rows, paths)
        if self.packs:
            images: Any = pack(decoded, len(keys), self.buffers)
        else:
            images = (stack if self.stack else listed)(decoded, len(keys))
        if len(paths) > 1:
            raise ValueError(f"samples have their images at different paths: {sorted(paths)}")
        path = paths.pop()
        indices = tuple(index for _, index in keys)
        return Batch(images, _collate(rows, path), path, keys[0][0], indices)

    def _images(
        self, keys: list[tuple[int, int]], rows: list[Any], paths: set[samples.Path]
    ) -> Iterator[Array]:
        """Yield the images one by one; collect the rest of their samples and the image paths."""
        for epoch, index in keys:
            image, path, rest = self._sample(epoch, index)
            rows.append(rest)
            paths.add(path)
            yield image

    def _sample(self, epoch: int, index: int) -> tuple[Array, samples.Path, Any]:
        """Return the image, its path, and its sample without it."""
        try:
            if isinstance(self.dataset, ImageFolder):
                image, sample = self.dataset.decode(index), (None, self.dataset.targets[index])
                return self._image(image, (epoch, index)), (0,), sample
            with reading("Loader", runs=bool(self.transform.pipeline.ops)):
                sample = self.dataset[index]
            return self._any(sample, (epoch, index))
        except Exception as error:
            raise _named(error, self._name(index)) from error

    def _image(self, image: Array, key: tuple[int, int]) -> Array:
        return image if self.packs else self.transform.run([], image, key)[0]

    def _any(self, sample: Any, key: tuple[int, int]) -> tuple[Array, samples.Path, Any]:
        parts = self.transform.find(sample)
        image = samples.pixels(parts[0].value)
        if self.packs:
            moved = self.transform.labels(parts, key)
        else:
            image, moved = self.transform.run(parts, image, key)
        lists = {
            p.path: _Rows(moved.get(p.path, p.value)) for p in parts[1:] if _is_row(p.value, p)
        }
        return image, parts[0].path, samples.put(sample, {**moved, **lists, parts[0].path: None})

    def _name(self, index: int) -> str:
        if isinstance(self.dataset, ImageFolder):
            return self.dataset.name(index)
        return f"sample {index} of {type(self.dataset).__name__}"


class _Rows(NamedTuple):
    """A label with any number of rows, which is never stacked."""

    value: Any


def _is_row(value: Any, part: samples.Part) -> bool:
    """Whether a label has one row per object."""
    single = part.name in ("image", "mask") and part.owner is None
    return not single and hasattr(value, "__len__")


def _named(error: Exception, name: str) -> Exception:
    """Return an error whose message names the sample, of a type that can be pickled."""
    if name in str(error):
        return error
    kind = type(error) if type(error) in (ValueError, TypeError, FileNotFoundError) else None
    return (kind or RuntimeError)(f"{name}: {error}")


def _collate(rows: list[Any], path: samples.Path | None = None) -> Any:
    """Collate samples of one form: a tensor or list for each of their values.

    A list in a sample is a value, unless the image at `path` lies in it. Values that only some
    samples have are listed beside None.
    """
    if all(row is None for row in rows):
        return None
    if any(isinstance(row, _Rows) for row in rows):
        return [row.value if isinstance(row, _Rows) else row for row in rows]
    if _are(rows, Mapping):
        _check_same([sorted(map(str, row)) for row in rows], "keys")
        names = list(rows[0])
        return {name: _collate([row[name] for row in rows], _below(path, name)) for name in names}
    if _are(rows, tuple) or (_are(rows, list) and path):
        _check_same([len(row) for row in rows], "numbers of items")
        columns = [
            _collate(list(column), _below(path, i))
            for i, column in enumerate(zip(*rows, strict=True))
        ]
        return _like(columns, rows[0])
    if _are(rows, (bool, int, float, np.number)):
        return torch.tensor(rows)
    rows = [torch.from_numpy(row) if isinstance(row, np.ndarray) else row for row in rows]
    if _are(rows, torch.Tensor) and len({row.shape for row in rows}) == 1:
        return torch.stack(rows)
    return [_unwrapped(row) for row in rows]


def _are(rows: list[Any], kinds: Any) -> bool:
    return all(isinstance(row, kinds) for row in rows)


def _like(items: list[Any], given: Any) -> Any:
    """Return items as a tuple, named tuple or list, as `given` is."""
    return type(given)(*items) if hasattr(given, "_fields") else type(given)(items)


def _unwrapped(value: Any) -> Any:
    """Return a value that is not collated as it came."""
    if isinstance(value, _Rows):
        return value.value
    if isinstance(value, Mapping):
        return {name: _unwrapped(each) for name, each in value.items()}
    if isinstance(value, (tuple, list)):
        return _like([_unwrapped(each) for each in value], value)
    return value


def _check_same(forms: list[Any], what: str) -> None:
    """Raise unless all samples of a batch are of one form."""
    other = next((i for i, form in enumerate(forms) if form != forms[0]), None)
    if other is not None:
        raise ValueError(
            f"samples of one batch have different {what}: {forms[0]} in sample 0 of it, "
            f"{forms[other]} in sample {other}; give each the same, with None for what it lacks"
        )


def _below(path: samples.Path | None, key: Any) -> samples.Path | None:
    """Return the rest of a path that goes through `key`."""
    return path[1:] if path and path[0] == key else None
