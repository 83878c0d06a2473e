"""The samples of each batch of an epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch.utils.data import Sampler

from imgkit.draws import Draw, stream
from imgkit.image import Array


class Order(Sampler[list[tuple[int, int]]]):  # type: ignore[misc]  # torch is not read by mypy
    """The batches of an epoch from a given one on, as lists of (epoch, index)."""

    def __init__(
        self, count: int, batch_size: int, shuffle: bool, seed: int, drop_last: bool
    ) -> None:
        self.count, self.batch_size, self.shuffle = count, batch_size, shuffle
        self.seed, self.drop_last = seed, drop_last
        self.batches = count // batch_size if drop_last else -(-count // batch_size)
        self.begin(0, 0)

    def begin(self, epoch: int, batch: int) -> None:
        """Set the epoch and batch at which the next iterator starts."""
        self.epoch, self.batch = epoch, batch

    def settings(self) -> dict[str, Any]:
        """Return everything that determines the order, except the epoch."""
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
    """Return the indices of an epoch, sorted by 64 random bits of each index.

    >>> shuffled(5, 7, 0).tolist(), shuffled(5, 7, 1).tolist()
    ([4, 3, 2, 1, 0], [0, 3, 1, 4, 2])
    """
    indices = np.arange(count, dtype=np.uint64)
    words = Draw(stream(seed, "Loader"), epoch, indices).words(2).astype(np.uint64)
    return np.argsort(words[:, 0] << np.uint64(32) | words[:, 1], kind="stable")
