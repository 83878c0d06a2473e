"""Philox4x32-10 and the streams of ops: words of 32 bits from a counter and a key."""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit.image import Array

MASK = 0xFFFFFFFF
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
SEED_BITS, INDEX_BITS, EPOCH_BITS = 64, 64, 32
WORD = 2.0**-32
FEW_BLOCKS = 20  # up to here Python integers beat NumPy (docs/draws.md, Speed)


def philox4x32(counter: npt.ArrayLike, key: npt.ArrayLike, rounds: int = 10) -> Array:
    """Return the Philox4x32 block of each counter under each key.

    Args:
        counter: (..., 4) uint32, the least significant word first.
        key: (..., 2) uint32; the leading axes broadcast against those of `counter`.
        rounds: 10 is the published default.

    Returns:
        (..., 4) uint32.

    Example:
        >>> philox4x32([0, 0, 0, 0], [0, 0]) == [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]
        array([ True,  True,  True,  True])
    """
    counters = np.moveaxis(np.asarray(counter, np.uint32).astype(np.uint64), -1, 0)
    keys = np.moveaxis(np.asarray(key, np.uint32).astype(np.uint64), -1, 0)
    c0, c1, c2, c3 = counters
    words = apply_rounds(c0, c1, c2, c3, schedule(keys[0], keys[1], rounds))
    return np.stack(np.broadcast_arrays(*words), axis=-1).astype(np.uint32)


def schedule(k0: Any, k1: Any, rounds: int = 10) -> Iterator[tuple[Any, Any]]:
    """Yield the key pair of each round."""
    for step in range(rounds):
        yield (k0 + (step * WEYL[0] & MASK)) & MASK, (k1 + (step * WEYL[1] & MASK)) & MASK


def apply_rounds(c0: Any, c1: Any, c2: Any, c3: Any, schedule: Iterable[tuple[Any, Any]]) -> Any:
    """Apply the Philox rounds to Python integers or uint64 arrays."""
    m0, m1 = MULTIPLIERS
    for k0, k1 in schedule:
        left, right = c0 * m0, c2 * m1
        c0, c1 = (right >> 32) ^ c1 ^ k0, right & 0xFFFFFFFF
        c2, c3 = (left >> 32) ^ c3 ^ k1, left & 0xFFFFFFFF
    return c0, c1, c2, c3


class Stream(NamedTuple):
    """The numbers of one op of one pipeline: a 64-bit key, and the key pair of each round."""

    key: int
    schedule: tuple[tuple[int, int], ...]


def stream(seed: int, name: str, occurrence: int = 0) -> Stream:
    """Return the stream of an op.

    Args:
        seed: 0 to 2**64 - 1.
        name: the op's name.
        occurrence: number of ops of that name before it in the pipeline.

    Raises:
        TypeError: `seed` is not an integer.
        ValueError: `seed` is negative or has more than 64 bits.

    Example:
        >>> hex(stream(7, "HorizontalFlip").key)
        '0x9514a10bb2a2ca1d'
    """
    seed = check_bits(seed, "seed", SEED_BITS)
    occurrence = check_bits(occurrence, "occurrence", 64)
    key = hashed(seed.to_bytes(8, "little") + occurrence.to_bytes(8, "little") + name.encode(), 8)
    return Stream(key, tuple(schedule(key & MASK, key >> 32)))


def hashed(data: bytes, size: int) -> int:
    """Hash bytes to an integer of `size` bytes, the same in every process."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=size).digest(), "little")


def block_rows(stream: Stream, epoch: int, indices: Array, first: int, stop: int) -> Array:
    """Return words 4*first..4*stop of each sample, (words, N), exact in float64."""
    samples, blocks = len(indices), stop - first
    if samples * blocks > FEW_BLOCKS:
        block = np.arange(first, stop, dtype=np.uint64)[:, None]
        words = apply_rounds(block, epoch, indices & MASK, indices >> 32, stream.schedule)
        return np.stack(np.broadcast_arrays(*words), axis=1).reshape(-1, samples)
    rows = [
        word
        for index in indices.tolist()
        for block in range(first, stop)
        for word in apply_rounds(block, epoch, index & MASK, index >> 32, stream.schedule)
    ]
    return np.array(rows, dtype=np.float64).reshape(samples, 4 * blocks).T


# --- blocks side by side ----------------------------------------------------------------------


class PackedBlocks(NamedTuple):
    """Blocks of several streams side by side, each 32-bit number in 64 bits of one integer.

    One multiplication then serves all blocks: 8 blocks take the time of 2.
    """

    counts: tuple[int, ...]  # blocks of each stream
    ones: int
    numbers: int  # of the blocks, within their streams
    mask: int
    schedule: tuple[tuple[int, int], ...]


def packed_blocks(streams: Sequence[Stream], counts: Sequence[int]) -> PackedBlocks:
    """Lay out the first `counts` blocks of each stream."""
    owners = [stream for stream, count in zip(streams, counts, strict=True) for _ in range(count)]
    numbers = [number for count in counts for number in range(count)]
    rounds = zip(*(owner.schedule for owner in owners), strict=True)
    keys = tuple(tuple(_packed(side) for side in zip(*pairs, strict=True)) for pairs in rounds)
    ones = _packed([1] * len(owners))
    return PackedBlocks(tuple(counts), ones, _packed(numbers), ones * MASK, keys)  # type: ignore[arg-type]


def _packed(numbers: Iterable[int]) -> int:
    """Put each number in 64 bits of an integer, the first lowest."""
    return sum(number << 64 * place for place, number in enumerate(numbers))


def first_words(layout: PackedBlocks, epoch: int, index: int) -> list[list[int]]:
    """Return the first words of each stream for one sample."""
    m0, m1 = MULTIPLIERS
    ones, mask = layout.ones, layout.mask
    c0, c1, c2, c3 = layout.numbers, epoch * ones, (index & MASK) * ones, (index >> 32) * ones
    for k0, k1 in layout.schedule:
        left, right = c0 * m0, c2 * m1
        c0, c1 = (right >> 32) & mask ^ c1 ^ k0, right & mask
        c2, c3 = (left >> 32) & mask ^ c3 ^ k1, left & mask
    total = sum(layout.counts)
    columns = (
        struct.unpack(f"<{total}Q", c.to_bytes(8 * total, "little")) for c in (c0, c1, c2, c3)
    )
    words = [word for block in zip(*columns, strict=True) for word in block]
    ends = itertools.accumulate(layout.counts)
    return [words[4 * (end - n) : 4 * end] for end, n in zip(ends, layout.counts, strict=True)]


# --- checks -----------------------------------------------------------------------------------


def check_bits(value: Any, name: str, bits: int) -> int:
    """Return an integer of at most `bits` bits, not negative."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} is {value!r}: it must be an integer")
    number = int(value)
    if number < 0 or number >> bits:
        raise ValueError(f"{name} is {value!r}: it must be at least 0 and below 2**{bits}")
    return number
