"""From files to batches on a device: workers decode, the device augments.

A batch is what its key says: sample i of epoch e is the pipeline's result for the key (e, i),
whatever the number of workers, the batch size, the order, the device or a resume.
"""

from __future__ import annotations

import math
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info

from imgkit.augment.pipeline import Pipeline
from imgkit.backends import fused
from imgkit.draws import EPOCH_BITS, SEED_BITS, Draw, check_bits, stream
from imgkit.image import check_int
from imgkit.torch import samples
from imgkit.torch.data import ImageFolder
from imgkit.torch.transform import Transform, check_transform

Array = npt.NDArray[Any]


class Packed(NamedTuple):
    """Images of several sizes in one flat buffer, (H, W, C) after (H, W, C)."""

    flat: torch.Tensor  # every value of every image, of their dtype
    offsets: tuple[int, ...]  # where each begins
    shapes: tuple[tuple[int, int, int], ...]  # (H, W, C) of each

    def images(self) -> list[torch.Tensor]:
        """Return views of the images, each (C, H, W)."""
        return [
            self.flat[start : start + h * w * c].view(h, w, c).permute(2, 0, 1)
            for start, (h, w, c) in zip(self.offsets, self.shapes, strict=True)
        ]


class Batch(NamedTuple):
    """What a worker sends: the images, done or packed, and a sample's form to put them in."""

    images: Any
    rest: Any  # the collated samples, without their images
    path: samples.Path  # where the images belong
    epoch: int
    indices: tuple[int, ...]


class Loader:
    """Yields batches of a dataset, decoded in workers and augmented where the network runs.

    With ``device="cpu"`` workers augment, too. With ``device="cuda"`` they send the decoded
    images as one packed buffer; it goes to the device from pinned memory on a stream of its
    own, where the pipeline runs while the network is busy with the batch before.

    Each loop over the loader is the next epoch, in another order if `shuffle`, unless
    `set_epoch` says which. ``loader.state_dict()`` after some batches and `load_state_dict` in
    another process give exactly the batches that remain.

    Args:
        source: a folder with one folder of images a class; or a dataset whose samples have a
            form that `imgkit.torch.samples` describes.
        pipeline: a `Pipeline`, or a `Transform` with options; None decodes alone.
        batch_size: samples a batch.
        workers: processes that decode; 0 decodes in this one.
        device: "cpu", "cuda", or a torch device: where batches are made.
        shuffle: another order each epoch, from (seed, epoch) alone.
        seed: of the order, 0 to 2**64 - 1; the pipeline has its own.
        prefetch: batches that each worker is ahead.
        drop_last: leave out a last batch that is not full.
        stack: True stacks images to (N, C, H, W); False gives a list of (C, H, W).

    Yields:
        Batches in the form of the samples: (images, labels) of (image, label). Numbers become
        tensors; boxes, their labels and other rows stay lists, one entry an image.

    Raises:
        FileNotFoundError, TypeError, ValueError: an argument is not what it should be; a file
            cannot be read, and the message names it.

    Example:
        >>> import imgkit as ik
        >>> data = [(np.zeros((20, 30, 3), np.uint8), label) for label in (0, 1, 2)]
        >>> loader = Loader(data, ik.Pipeline([ik.RandomCrop(16)], seed=7), batch_size=2)
        >>> [(tuple(images.shape), labels.tolist()) for images, labels in loader]
        [((2, 3, 16, 16), [0, 1]), ((1, 3, 16, 16), [2])]
    """

    def __init__(
        self,
        source: Any,
        pipeline: Pipeline | Transform | None = None,
        batch_size: int = 32,
        *,
        workers: int = 0,
        device: str | torch.device = "cpu",
        shuffle: bool = False,
        seed: int = 0,
        prefetch: int = 2,
        drop_last: bool = False,
        stack: bool = True,
    ) -> None:
        dataset = ImageFolder(source) if isinstance(source, (str, os.PathLike)) else source
        _check_dataset(dataset)
        self.dataset = dataset
        self.device = _check_device(device)
        self.stack = bool(stack)
        self.transform = check_transform(Pipeline([], seed=0) if pipeline is None else pipeline)
        check_int(workers, "workers", 0)
        self._order = _Order(
            len(dataset),
            check_int(batch_size, "batch_size", 1),
            bool(shuffle),
            check_bits(seed, "seed", SEED_BITS),
            bool(drop_last),
        )
        self._next = (0, 0)  # the epoch and the batch that the next loop begins with
        self._position = (0, 0)  # those of the batch that comes next in this one
        check_int(prefetch, "prefetch", 1)
        work = _Work(dataset, self.transform, self.device.type != "cpu", self.stack, prefetch + 1)
        self._loader = DataLoader(
            work,
            batch_sampler=self._order,
            num_workers=workers,
            collate_fn=_as_it_is,
            pin_memory=self.device.type == "cuda",
            prefetch_factor=prefetch if workers else None,
            persistent_workers=workers > 0,
            worker_init_fn=_one_thread,
            generator=torch.Generator(),  # its own, so that torch's is not drawn from
        )

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return self._order.batches

    def __iter__(self) -> Iterator[Any]:
        epoch, start = self._next
        self._next, self._position = (epoch + 1, 0), (epoch, start)
        self._order.begin(epoch, start)
        ready = self._on_device if self.device.type != "cpu" else self._on_host
        for number, batch in enumerate(ready(iter(self._loader)), start + 1):
            self._position = (epoch, number)
            yield batch
        self._position = (epoch + 1, 0)

    # --- where it stands ---

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch the next loop is; a place inside it that was loaded is kept."""
        check_bits(epoch, "epoch", EPOCH_BITS)
        if epoch != self._next[0]:
            self._next = (epoch, 0)
            self._position = self._next

    def state_dict(self) -> dict[str, Any]:
        """Return where the loader stands: its epoch, and the batches of it that were yielded."""
        epoch, batch = self._position
        return {"epoch": epoch, "batch": batch, **self._order.settings()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where a loader with the same data and settings stood.

        Raises:
            ValueError: the settings differ, so that other batches would remain.
        """
        for name, ours in self._order.settings().items():
            if state.get(name) != ours:
                raise ValueError(
                    f"{name} is {ours} here and {state.get(name)} in the state: the batches that "
                    "remain would be others; make the loader with the same settings"
                )
        epoch = check_bits(state.get("epoch"), "epoch", EPOCH_BITS)
        self._next = (epoch, check_int(state.get("batch"), "batch", 0, len(self)))
        self._position = self._next

    # --- batches ---

    def _on_host(self, batches: Iterator[Batch]) -> Iterator[Any]:
        for batch in batches:
            yield samples.put(batch.rest, {batch.path: batch.images})

    def _on_device(self, batches: Iterator[Batch]) -> Iterator[Any]:
        """Yield each batch after the work on the next one was launched."""
        stream = torch.cuda.Stream(self.device)
        waiting = None
        for batch in batches:
            with torch.cuda.stream(stream):
                images = _moved(batch.images, self.device)
                launched = self._augmented(images, batch), _moved(batch.rest, self.device)
                done = stream.record_event()
            if waiting is not None:
                yield self._hand_over(*waiting)
            waiting = (launched, batch.path, done)
        if waiting is not None:
            yield self._hand_over(*waiting)

    def _augmented(self, packed: Packed, batch: Batch) -> Any:
        """Run the pipeline on a packed batch, on its device."""
        pipeline = self.transform.pipeline
        key = (batch.epoch, np.array(batch.indices, np.uint64))
        shapes = np.array(packed.shapes)
        if self.stack and packed.flat.dtype == torch.uint8 and (shapes[:, 2] == 3).all():
            pipeline.check(packed.images()[0])
            plan = pipeline.plan((shapes[:, 0], shapes[:, 1]), key)
            source = fused.Packed(packed.flat, np.array(packed.offsets), shapes[:, :2])
            return fused.run_packed(plan.stages, source)  # one launch, where there is a kernel
        results = list(pipeline(packed.images(), key=key))
        if not self.stack:
            return results
        _check_alike([tuple(image.shape) for image in results])
        return torch.stack(results)

    def _hand_over(self, launched: Any, path: samples.Path, done: Any) -> Any:
        """Let the caller's stream wait for a batch, and own its memory."""
        current = torch.cuda.current_stream(self.device)
        current.wait_event(done)
        images, rest = launched
        for tensor in _tensors((images, rest)):
            tensor.record_stream(current)
        return samples.put(rest, {path: images})


def _check_dataset(dataset: Any) -> None:
    if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
        raise TypeError(
            f"source is a {type(dataset).__name__}: pass a folder, or a dataset with __getitem__ "
            "and __len__"
        )
    if isinstance(dataset, ImageFolder) and dataset.transform is not None:
        raise ValueError("source has a pipeline of its own: give it to the Loader instead")


def _check_device(device: Any) -> torch.device:
    """Return a device that is there."""
    found = torch.device(device)
    if found.type not in ("cpu", "cuda"):
        raise ValueError(f"device is {str(found)!r}: a Loader works on 'cpu' and 'cuda'")
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device is {str(found)!r}: torch sees no CUDA device; use device='cpu'")
    return found


# --- order ----------------------------------------------------------------------------------


class _Order(Sampler[list[tuple[int, int]]]):  # type: ignore[misc]  # torch is not read by mypy
    """The batches of an epoch, from one of them on, as lists of (epoch, index)."""

    def __init__(
        self, count: int, batch_size: int, shuffle: bool, seed: int, drop_last: bool
    ) -> None:
        self.count, self.batch_size, self.shuffle = count, batch_size, shuffle
        self.seed, self.drop_last = seed, drop_last
        self.batches = count // batch_size if drop_last else -(-count // batch_size)
        self.begin(0, 0)

    def begin(self, epoch: int, batch: int) -> None:
        """Say where the next iterator begins."""
        self.epoch, self.batch = epoch, batch

    def settings(self) -> dict[str, Any]:
        """Return all that the order follows from, but for the epoch."""
        return {
            "samples": self.count,
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "seed": self.seed,
            "drop_last": self.drop_last,
        }

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch = self.epoch
        order = shuffled(self.count, self.seed, epoch) if self.shuffle else np.arange(self.count)
        for batch in range(self.batch, self.batches):
            some = order[batch * self.batch_size : (batch + 1) * self.batch_size]
            yield [(epoch, index) for index in some.tolist()]


def shuffled(count: int, seed: int, epoch: int) -> Array:
    """Return the indices of an epoch in the order of 64 random bits, which each has of its own.

    >>> shuffled(5, 7, 0).tolist(), shuffled(5, 7, 1).tolist()
    ([4, 3, 2, 1, 0], [0, 3, 1, 4, 2])
    """
    indices = np.arange(count, dtype=np.uint64)
    words = Draw(stream(seed, "Loader"), epoch, indices).words(2).astype(np.uint64)
    return np.argsort(words[:, 0] << np.uint64(32) | words[:, 1], kind="stable")


# --- in the workers -------------------------------------------------------------------------


def _as_it_is(batch: Batch) -> Batch:
    return batch


def _one_thread(worker: int) -> None:
    """Keep OpenCV to one thread in a process that stands beside others like it.

    A forked process has none but its own, and would wait forever for those of its parent to end.
    """
    import cv2

    if multiprocessing.get_start_method() != "fork":
        cv2.setNumThreads(1)


class _Work(Dataset[Batch]):  # type: ignore[misc]  # torch is not read by mypy
    """Makes a batch of a list of (epoch, index)."""

    def __init__(
        self, dataset: Any, transform: Transform, packs: bool, stack: bool, buffers: int = 3
    ) -> None:
        self.dataset, self.transform, self.packs, self.stack = dataset, transform, packs, stack
        self.buffers = Buffers(buffers)

    def __getitems__(self, keys: list[tuple[int, int]]) -> Batch:
        rows: list[Any] = []
        paths: set[samples.Path] = set()
        made = self._images(keys, rows, paths)
        if self.packs:
            images: Any = pack(made, len(keys), self.buffers)
        else:
            images = (stack if self.stack else listed)(made, len(keys))
        if len(paths) > 1:
            raise ValueError(f"samples hold their images in different places: {sorted(paths)}")
        indices = tuple(index for _, index in keys)
        return Batch(images, _collate(rows), paths.pop(), keys[0][0], indices)

    def _images(
        self, keys: list[tuple[int, int]], rows: list[Any], paths: set[samples.Path]
    ) -> Iterator[Array]:
        """Yield the images one by one; note the rest of their samples, and where images belong."""
        for epoch, index in keys:
            image, path, rest = self._sample(epoch, index)
            rows.append(rest)
            paths.add(path)
            yield image

    def _sample(self, epoch: int, index: int) -> tuple[Array, samples.Path, Any]:
        """Return the image, where it belongs, and its sample without it."""
        try:
            if isinstance(self.dataset, ImageFolder):
                image, sample = self.dataset.decode(index), (None, self.dataset.targets[index])
                return self._image(image, (epoch, index)), (0,), sample
            return self._any(self.dataset[index], (epoch, index))
        except Exception as error:
            raise _named(error, self._name(index)) from error

    def _image(self, image: Array, key: tuple[int, int]) -> Array:
        return image if self.packs else self.transform.run([], image, key)[0]

    def _any(self, sample: Any, key: tuple[int, int]) -> tuple[Array, samples.Path, Any]:
        parts = samples.find(sample, self.transform.names)
        image = samples.pixels(parts[0].value)
        if self.packs:
            moved = self.transform.labels(parts, key)
        else:
            image, moved = self.transform.run(parts, image, key)
        lists = {p.path: [moved.get(p.path, p.value)] for p in parts[1:] if _is_row(p.value, p)}
        return image, parts[0].path, samples.put(sample, {**moved, **lists, parts[0].path: None})

    def _name(self, index: int) -> str:
        if isinstance(self.dataset, ImageFolder):
            return self.dataset.name(index)
        return f"sample {index} of {type(self.dataset).__name__}"


def _is_row(value: Any, part: samples.Part) -> bool:
    """Whether a label has as many rows as its image has objects."""
    return part.name not in ("image", "mask") and hasattr(value, "__len__")


def _named(error: Exception, name: str) -> Exception:
    """Return an error whose message names the sample; of a type that a worker can send."""
    if name in str(error):
        return error
    kind = type(error) if type(error) in (ValueError, TypeError, FileNotFoundError) else None
    return (kind or RuntimeError)(f"{name}: {error}")


# What images are collected in is allocated where other processes see it, and each image is copied
# there as soon as it is made, while it is in the cache: benchmarks/loader.py.


class Buffers:
    """The memory in which a worker sends packed batches, used in turn.

    Fresh shared memory costs half of what decoding does. What was sent is pinned, that is
    copied, before torch asks for as many batches more as a worker is ahead; so one buffer more
    than that is never written while it is read.
    """

    def __init__(self, count: int) -> None:
        self.held: list[Any] = [None] * count
        self.turn = 0

    def next(self, size: int, dtype: np.dtype[Any]) -> torch.Tensor:
        """Return a buffer of at least `size` numbers for the next batch."""
        self.turn = (self.turn + 1) % len(self.held)
        held = self.held[self.turn]
        if get_worker_info() is None or held is None or held.dtype != torch_dtype(dtype):
            return self.larger(size, dtype)
        return held if len(held) >= size else self.larger(size, dtype)

    def larger(self, size: int, dtype: np.dtype[Any]) -> torch.Tensor:
        """Return a new buffer for this batch."""
        held = _shared((size,), dtype)
        self.held[self.turn] = None if get_worker_info() is None else held
        return held


def pack(images: Iterable[Array], count: int, buffers: Buffers) -> Packed:
    """Lay images (H, W, C) of one dtype behind one another."""
    starts: list[int] = []
    shapes: list[Any] = []
    end = 0
    for image in images:
        if not starts:
            flat = buffers.next(image.size * count, image.dtype)
            seen = flat.numpy()
        if image.dtype != seen.dtype:
            raise ValueError(
                f"images of one batch have dtypes {seen.dtype} and {image.dtype}: convert them to "
                "one"
            )
        start, end = end, end + image.size
        if end > len(seen):
            flat, short = buffers.larger(max(end, len(seen) * 5 // 4), image.dtype), seen[:start]
            seen = flat.numpy()
            seen[:start] = short
        seen[start:end].reshape(image.shape)[...] = image
        starts.append(start)
        shapes.append(image.shape)
    return Packed(flat[:end], tuple(starts), tuple(shapes))


def stack(images: Iterable[Array], count: int) -> torch.Tensor:
    """Return images (C, H, W) of one shape as a batch."""
    for place, image in enumerate(images):
        if place == 0:
            batch = _shared((count, *image.shape), image.dtype)
            seen = batch.numpy()
        _check_alike([seen.shape[1:], image.shape])
        seen[place] = image
    return batch


def listed(images: Iterable[Array], count: int) -> list[torch.Tensor]:
    """Return images (C, H, W) as a list."""
    return [torch.from_numpy(image) for image in images]


def _shared(shape: tuple[int, ...], dtype: np.dtype[Any]) -> torch.Tensor:
    """Return a tensor; in a worker, in memory that it shares, so that sending copies nothing."""
    kind = torch_dtype(dtype)
    if get_worker_info() is None:
        return torch.empty(shape, dtype=kind)
    storage = torch.UntypedStorage._new_shared(math.prod(shape) * dtype.itemsize)
    return torch.empty(0, dtype=kind).set_(storage).view(shape)


def torch_dtype(dtype: np.dtype[Any]) -> torch.dtype:
    """Return torch's dtype of the same name."""
    return getattr(torch, dtype.name)


def _check_alike(shapes: list[tuple[int, ...]]) -> None:
    if len(set(shapes)) > 1:
        raise ValueError(
            f"images of one batch have shapes {sorted(set(shapes))[:4]}: end the pipeline with "
            "Resize, RandomResizedCrop or Letterbox, or take a list with stack=False"
        )


def _collate(rows: list[Any]) -> Any:
    """Return samples of one form as one, with a tensor or list for each of its numbers."""
    first = rows[0]
    if isinstance(first, Mapping):
        return {name: _collate([row[name] for row in rows]) for name in first}
    if isinstance(first, tuple):
        columns = [_collate(list(column)) for column in zip(*rows, strict=True)]
        return type(first)(*columns) if hasattr(first, "_fields") else tuple(columns)
    if isinstance(first, list) and len(first) == 1:  # a label that may have any number of rows
        return [row[0] for row in rows]
    if isinstance(first, (bool, int, float, np.number)):
        return torch.tensor(rows)
    if isinstance(first, np.ndarray):
        rows = [torch.from_numpy(row) for row in rows]
    if isinstance(rows[0], torch.Tensor) and len({row.shape for row in rows}) == 1:
        return torch.stack(rows)
    return None if first is None else rows


# --- to the device --------------------------------------------------------------------------


def _moved(value: Any, device: torch.device) -> Any:
    """Return a nest of tensors on a device, without waiting for it."""
    if isinstance(value, torch.Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, Mapping):
        return {name: _moved(each, device) for name, each in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_moved(each, device) for each in value))
    if isinstance(value, (tuple, list)):
        return type(value)(_moved(each, device) for each in value)
    return value


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors of a nest."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _tensors(each)
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from _tensors(each)
