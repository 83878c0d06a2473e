"""From files to batches on a device: workers decode, the device augments.

A batch depends only on its keys: sample i of epoch e is the pipeline's result for the key (e, i),
for any number of workers, batch size, order, device, and after a resume.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

from imgkit.augment.pipeline import Pipeline
from imgkit.backends.cuda.launch import Packed as PackedImages
from imgkit.backends.tensor.plan import run_packed
from imgkit.checks import check_int
from imgkit.draws import EPOCH_BITS, SEED_BITS, check_bits
from imgkit.torch import samples
from imgkit.torch.data import ImageFolder
from imgkit.torch.epochs import KeyedDataset
from imgkit.torch.fingerprint import data_fingerprint, pipeline_fingerprint
from imgkit.torch.order import Order
from imgkit.torch.packing import Packed, check_alike
from imgkit.torch.transform import Transform, check_transform
from imgkit.torch.workers import Batch, BatchDataset, one_thread, uncollated


class Loader:
    """Yields batches of a dataset, decoded in workers and augmented on the network's device.

    With ``device="cpu"`` workers also augment. With ``device="cuda"`` they send the decoded
    images as one packed buffer, which is copied to the device from pinned memory on a separate
    stream; the pipeline runs there while the network processes the previous batch.

    Each loop over the loader is the next epoch, in another order if `shuffle`, unless
    `set_epoch` sets it. ``loader.state_dict()`` after some batches and `load_state_dict` in
    another process give exactly the remaining batches.

    Under torch.distributed each rank takes its part of the epoch's order, equally many samples on
    all ranks: the order is filled up with samples from its start, or with `drop_last` its tail is
    dropped. The key of a sample stays (epoch, index), whatever rank takes it.

    Args:
        source: a folder with one folder of images per class; or a dataset whose samples have a
            form that `imgkit.torch.samples` describes, without a pipeline of its own.
        pipeline: a `Pipeline`, or a `Transform` with options; None decodes only.
        batch_size: samples per batch, on each rank.
        workers: processes that decode; 0 decodes in this one.
        device: "cpu", "cuda", or a torch device: the device of the batches.
        shuffle: another order each epoch; it depends only on (seed, epoch).
        seed: of the order, 0 to 2**64 - 1; the pipeline has its own.
        prefetch: batches that each worker prepares ahead.
        drop_last: drop an incomplete last batch, and samples that do not divide among the ranks.
        stack: True stacks images to (N, C, H, W); False gives a list of (C, H, W).
        rank: ``(r, n)``: this process takes part r of n, from 0; by default those of
            torch.distributed when a loop starts. ``(0, 1)`` gives every rank all samples.

    Yields:
        Batches in the form of the samples: (images, labels) for (image, label). Numbers become
        tensors; boxes, their labels and other rows stay lists, one entry per image.

    Raises:
        FileNotFoundError, TypeError, ValueError: an argument is invalid; a file cannot be read,
            and the message names it.

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
        rank: tuple[int, int] | None = None,
    ) -> None:
        dataset = ImageFolder(source) if isinstance(source, (str, os.PathLike)) else source
        _check_dataset(dataset)
        self.dataset = dataset
        self.device = _check_device(device)
        self.stack = bool(stack)
        self.transform = check_transform(Pipeline([], seed=0) if pipeline is None else pipeline)
        check_int(workers, "workers", 0)
        self._order = Order(
            len(dataset),
            check_int(batch_size, "batch_size", 1),
            bool(shuffle),
            check_bits(seed, "seed", SEED_BITS),
            bool(drop_last),
            None if rank is None else _check_rank(rank),
        )
        self._next = (0, 0)  # epoch and batch at which the next loop starts
        self._position = (0, 0)  # epoch and batch that this loop yields next
        check_int(prefetch, "prefetch", 1)
        work = BatchDataset(
            dataset, self.transform, self.device.type != "cpu", self.stack, prefetch + 1
        )
        self._loader = DataLoader(
            work,
            batch_sampler=self._order,
            num_workers=workers,
            collate_fn=uncollated,
            pin_memory=self.device.type == "cuda",
            prefetch_factor=prefetch if workers else None,
            persistent_workers=workers > 0,
            worker_init_fn=one_thread,
            generator=torch.Generator(),  # separate, so that torch's generator does not change
        )

    def __len__(self) -> int:
        """Return the number of batches of an epoch, on each rank."""
        return self._order.batches

    def __repr__(self) -> str:
        order = self._order
        return (
            f"Loader({order.count} samples, {self.transform.pipeline!r}, "
            f"batch_size={order.batch_size}, device={str(self.device)!r}, "
            f"shuffle={order.shuffle}, seed={order.seed})"
        )

    def __iter__(self) -> Iterator[Any]:
        epoch, start = self._next
        self._next, self._position = (epoch + 1, 0), (epoch, start)
        self._order.begin(epoch, start)
        ready = self._on_device if self.device.type != "cpu" else self._on_host
        for number, batch in enumerate(ready(iter(self._loader)), start + 1):
            self._position = (epoch, number)
            yield batch
        self._position = (epoch + 1, 0)

    # --- state ---

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the next loop; a loaded position inside this epoch is kept."""
        check_bits(epoch, "epoch", EPOCH_BITS)
        if epoch != self._next[0]:
            self._next = (epoch, 0)
            self._position = self._next

    def state_dict(self) -> dict[str, Any]:
        """Return the position: the epoch, the number of batches yielded in it, the settings.

        It is the same on all ranks. The settings hold fingerprints of the pipeline and the dataset
        (see `imgkit.torch.fingerprint`), so that `load_state_dict` can tell others.
        """
        epoch, batch = self._position
        return {"epoch": epoch, "batch": batch, **self._settings()}

    def _settings(self) -> dict[str, Any]:
        """Return everything that determines the batches, except the epoch."""
        return {**self._order.settings(), **self._fingerprints}

    @cached_property
    def _fingerprints(self) -> dict[str, str]:
        """Those of the pipeline and the dataset; a second for a million files, so once."""
        return {
            "pipeline": pipeline_fingerprint(self.transform),
            "data": data_fingerprint(self.dataset),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue at the position of a loader with the same data, pipeline and settings.

        Warns if the state is of a release that did not write fingerprints.

        Raises:
            ValueError: the settings differ, so that the remaining batches would differ.
        """
        settings = self._settings()
        unknown = [name for name in ADDED if name not in state]
        for name, ours in settings.items():
            if name not in unknown and state.get(name) != ours:
                raise ValueError(_difference(name, ours, state.get(name)))
        epoch = check_bits(state.get("epoch"), "epoch", EPOCH_BITS)
        position = epoch, check_int(state.get("batch"), "batch", 0, len(self))
        if unknown:
            warnings.warn(
                f"state has no {', '.join(unknown)}: it was written by an earlier release, so that "
                "another pipeline or dataset would not be noticed",
                UserWarning,
                stacklevel=2,
            )
        self._next = self._position = position

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
            source = PackedImages(packed.flat, np.array(packed.offsets), shapes[:, :2])
            return run_packed(plan.stages, source)  # one launch if there is a kernel
        results = list(pipeline(packed.images(), key=key))
        if not self.stack:
            return results
        check_alike([tuple(image.shape) for image in results])
        return torch.stack(results)

    def _hand_over(self, launched: Any, path: samples.Path, done: Any) -> Any:
        """Make the caller's stream wait for a batch and own its memory."""
        current = torch.cuda.current_stream(self.device)
        current.wait_event(done)
        images, rest = launched
        for tensor in _tensors((images, rest)):
            tensor.record_stream(current)
        return samples.put(rest, {path: images})


ADDED = ("ranks", "pipeline", "data")  # settings that the states of earlier releases lack
DIFFERENT = {
    "pipeline": "pipeline (its ops, seed, canvas, or the options of a Transform)",
    "data": "dataset (its type, classes, labels or files)",
}


def _difference(name: str, ours: Any, theirs: Any) -> str:
    """Return the message for a setting that is not that of a state."""
    what = f"{name} is {ours!r} here and {theirs!r} in the state"
    if name in DIFFERENT:
        what = f"the {DIFFERENT[name]} is another than in the state ({ours}, {theirs})"
    return (
        f"{what}: the remaining batches would differ; create the loader with the same settings, "
        "or start without the state"
    )


def _check_rank(rank: Any) -> tuple[int, int]:
    """Return this process and the number of processes."""
    if not isinstance(rank, (tuple, list)) or len(rank) != 2:
        raise TypeError(f"rank is {rank!r}: it must be a pair, such as (0, 2) for the first of two")
    count = check_int(rank[1], "rank[1]", 1)
    return check_int(rank[0], "rank[0]", 0, count - 1), count


def _check_dataset(dataset: Any) -> None:
    if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
        raise TypeError(
            f"source is a {type(dataset).__name__}: pass a folder, or a dataset with __getitem__ "
            "and __len__"
        )
    if isinstance(dataset, KeyedDataset) and dataset.transform is not None:
        raise ValueError("source already has a pipeline: give it to the Loader instead")


def _check_device(device: Any) -> torch.device:
    """Return an available device."""
    found = torch.device(device)
    if found.type not in ("cpu", "cuda"):
        raise ValueError(f"device is {str(found)!r}: a Loader works on 'cpu' and 'cuda'")
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device is {str(found)!r}: torch sees no CUDA device; use device='cpu'")
    return found


# --- to the device --------------------------------------------------------------------------


def _moved(value: Any, device: torch.device) -> Any:
    """Copy nested tensors to a device without synchronizing."""
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
    """Yield all tensors of a nested structure."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _tensors(each)
    elif isinstance(value, (tuple, list)):
        for each in value:
            yield from _tensors(each)
