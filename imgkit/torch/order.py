"""The samples of each batch of an epoch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import distributed
from torch.utils.data import Sampler

from imgkit.draws import Draw, stream
from imgkit.image import Array


class Order(Sampler[list[tuple[int, int]]]):  # type: ignore[misc]  # torch is not read by mypy
    """The batches of an epoch from a given one on, as lists of (epoch, index).

    Rank r of n takes every n-th sample of the epoch's order, from the r-th on. All ranks take
    equally many: the order is filled up with samples from its start, or its tail is dropped.
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        shuffle: bool,
        seed: int,
        drop_last: bool,
        rank: tuple[int, int] | None = None,
    ) -> None:
        self.count, self.batch_size, self.shuffle = count, batch_size, shuffle
        self.seed, self.drop_last, self._rank = seed, drop_last, rank
        self.begin(0, 0)

    @property
    def rank(self) -> tuple[int, int]:
        """The rank and the number of ranks; torch.distributed may start at any time."""
        return current_rank() if self._rank is None else self._rank

    @property
    def batches(self) -> int:
        """The number of batches of an epoch, the same on all ranks."""
        _, ranks = self.rank
        share = self.count // ranks if self.drop_last else -(-self.count // ranks)
        return share // self.batch_size if self.drop_last else -(-share // self.batch_size)

    def begin(self, epoch: int, batch: int) -> None:
        """Set the epoch and batch at which the next iterator starts."""
        self.epoch, self.batch = epoch, batch

    def settings(self) -> dict[str, Any]:
        """Return everything that determines the order of all ranks, except the epoch."""
        return {
            "samples": self.count,
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "seed": self.seed,
            "drop_last": self.drop_last,
            "ranks": self.rank[1],
        }

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch = self.epoch
        order = shuffled(self.count, self.seed, epoch) if self.shuffle else np.arange(self.count)
        order = share_of(order, *self.rank, self.drop_last)
        for batch in range(self.batch, self.batches):
            some = order[batch * self.batch_size : (batch + 1) * self.batch_size]
            yield [(epoch, index) for index in some.tolist()]


def current_rank() -> tuple[int, int]:
    """Return this process and the number of processes of torch.distributed; (0, 1) without."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def share_of(order: Array, rank: int, ranks: int, drop_last: bool) -> Array:
    """Return the part of one rank; all parts have the same length.

    >>> [share_of(np.arange(5), rank, 2, False).tolist() for rank in (0, 1)]
    [[0, 2, 4], [1, 3, 0]]
    >>> [share_of(np.arange(5), rank, 2, True).tolist() for rank in (0, 1)]
    [[0, 2], [1, 3]]
    """
    share = len(order) // ranks if drop_last else -(-len(order) // ranks)
    return np.resize(order, share * ranks)[rank::ranks]


class Visits(Sampler[tuple[int, int]]):  # type: ignore[misc]  # torch is not read by mypy
    """A sampler that repeats indices, as pairs (index, visit) for `Keyed` and `ImageFolder`.

    The visit counts how often this pass gave the index before, so that each copy is drawn with a
    key of its own.

    Args:
        sampler: yields indices, such as a `WeightedRandomSampler`.

    Example:
        >>> list(Visits([4, 2, 4, 4]))
        [(4, 0), (2, 0), (4, 1), (4, 2)]
    """

    def __init__(self, sampler: Any) -> None:
        if not hasattr(sampler, "__iter__"):
            raise TypeError(
                f"sampler is a {type(sampler).__name__}: pass a sampler, or a sequence of indices"
            )
        self.sampler = sampler

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of a sampler that has one."""
        if hasattr(self.sampler, "set_epoch"):
            self.sampler.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.sampler)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        seen: Counter[int] = Counter()
        for index in map(int, self.sampler):
            yield index, seen[index]
            seen[index] += 1


def shuffled(count: int, seed: int, epoch: int) -> Array:
    """Return the indices of an epoch, sorted by 64 random bits of each index.

    >>> shuffled(5, 7, 0).tolist(), shuffled(5, 7, 1).tolist()
    ([4, 3, 2, 1, 0], [0, 3, 1, 4, 2])
    """
    indices = np.arange(count, dtype=np.uint64)
    words = Draw(stream(seed, "Loader"), epoch, indices).words(2).astype(np.uint64)
    return np.argsort(words[:, 0] << np.uint64(32) | words[:, 1], kind="stable")
