"""Keys: the samples of a call, given by the caller or counted."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any, NamedTuple

import numpy as np

from imgkit.draws.words import EPOCH_BITS, INDEX_BITS, MASK, check_bits, hashed
from imgkit.image import Array


class Key(NamedTuple):
    """The samples of a call; `scalar` is True for one index, False for an array."""

    epoch: int
    indices: Array  # (N,) uint64
    scalar: bool


def parse_key(key: Any) -> Key:
    """Return the epoch and indices that a pipeline's `key` argument names.

    Args:
        key: an index, ``(epoch, index)``, ``(epoch, indices)``, or an array of indices alone;
            without an epoch it is 0. Indices are integers of 64 bits, from 0.

    Raises:
        TypeError: `key` has another form, or a part of it is not an integer.
        ValueError: a part is negative or too large.

    Example:
        >>> parse_key((3, 12))
        Key(epoch=3, indices=array([12], dtype=uint64), scalar=True)
        >>> parse_key((3, range(2))).indices
        array([0, 1], dtype=uint64)
    """
    epoch, index = 0, key
    if isinstance(key, tuple):
        if len(key) != 2:
            raise TypeError(f"key is {key!r}: a tuple is (epoch, index) or (epoch, indices)")
        epoch, index = check_bits(key[0], "key epoch", EPOCH_BITS), key[1]
    elif isinstance(key, list):
        raise TypeError(f"key is {key!r}: pass (epoch, index) as a tuple, or indices as an array")
    if isinstance(index, (int, np.integer)) or getattr(index, "ndim", None) == 0:
        index = index if isinstance(index, (int, np.integer)) else np.asarray(index)[()]
        return Key(epoch, np.array([check_bits(index, "key index", INDEX_BITS)], np.uint64), True)
    return Key(epoch, _check_indices(index), False)


def _check_indices(indices: Any) -> Array:
    """Return a sequence, array or tensor of indices as (N,) uint64."""
    if isinstance(indices, (list, tuple, range)):
        checked = [check_bits(index, "key index", INDEX_BITS) for index in indices]
        return np.array(checked, dtype=np.uint64)
    if not hasattr(indices, "__array__"):
        raise TypeError(
            f"key is {indices!r}: it must be an index, (epoch, index) or (epoch, array)"
        )
    array = np.asarray(indices)
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise TypeError(
            f"key indices have dtype {array.dtype} and shape {array.shape}: "
            "they must be integers in one dimension"
        )
    if array.size and array.min() < 0:
        raise ValueError(f"key index is {array.min()}: it must be at least 0")
    return array.astype(np.uint64)


class Process(NamedTuple):
    """Identifies the calls of one process: a 48-bit tag and a worker number."""

    tag: int = 0
    worker: int = 0


class Calls:
    """Keys for calls without a key. This count is the only state of a pipeline.

    With a seed the calls of the main process are counted: call n gets key (0, n), a batch of N
    takes N numbers. In a `DataLoader` worker the worker's number and the loader's seed of this
    epoch are part of the key; another child process gets a tag from the system's entropy, so that
    no two workers draw the same numbers. Without a seed every key is fresh entropy.
    """

    def __init__(self, seeded: bool, count: int = 0) -> None:
        self._seeded = seeded
        self._count = count
        self._enter(Process(_entropy(6)) if _is_child() else Process())

    def __reduce__(self) -> tuple[Any, ...]:
        return Calls, (self._seeded, self._count)

    def _enter(self, process: Process) -> None:
        """Store the process, with a new lock: one that was held during a fork is never released."""
        self._pid, self._process, self._lock = os.getpid(), process, threading.Lock()

    def next(self, samples: int | None = None) -> Key:
        """Return the key of the next call: of one image (None), or of a batch of `samples`."""
        size = 1 if samples is None else samples
        if not self._seeded:
            indices = np.frombuffer(os.urandom(8 * size), np.uint64)
            return Key(_entropy(4), indices, samples is None)
        if os.getpid() != self._pid:
            self._enter(Process(_entropy(6)))
        with self._lock:
            first = self._count
            self._count += size
        return counted_key(first, samples, loader_worker() or self._process)


def counted_key(call: int, samples: int | None, process: Process) -> Key:
    """Return the key of a numbered call, from 32 bits of tag | 16 of tag, 12 of worker, 36 of call.

    Args:
        call: the number of the first sample.
        samples: the size of a batch; None for one image.
        process: the calling process.
    """
    size = 1 if samples is None else samples
    check_bits(call + size, "call", 36)
    worker = check_bits(process.worker, "worker", 12)
    first = (process.tag >> 32) << 48 | worker << 36 | call
    indices = np.uint64(first) + np.arange(size, dtype=np.uint64)
    return Key(process.tag & MASK, indices, samples is None)


def loader_worker() -> Process | None:
    """Return the torch `DataLoader` worker of this process, or None outside of one."""
    data = sys.modules.get("torch.utils.data")
    worker = data.get_worker_info() if data is not None else None
    if worker is None:
        return None
    loader = worker.seed - worker.id  # torch draws a new seed for each epoch
    return Process(hashed(loader.to_bytes(16, "little", signed=True), 6), worker.id + 1)


def _is_child() -> bool:
    """Whether `multiprocessing` started this process."""
    module = sys.modules.get("multiprocessing")
    return module is not None and module.parent_process() is not None


def _entropy(size: int) -> int:
    """Return an integer of `size` random bytes from the system."""
    return int.from_bytes(os.urandom(size), "little")
