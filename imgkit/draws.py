"""Every random number, from (seed, op name and its occurrence, epoch, index, draw number).

Numbers come from Philox4x32-10, a function from a 128-bit counter and a 64-bit key to four
32-bit words, so each can be computed alone, anywhere, in any order::

    key     = blake2b-64(seed, occurrence, op name)
    counter = (draw // 4, epoch, index low, index high);  the word is number draw % 4

A `Stream` holds the key of one op; a `Draw` hands out its numbers for N samples at once, each
method taking a fixed count of words. Seeds and indices have 64 bits, epochs 32. Only + - * / and
square roots touch a number (`dirichlet` alone adds log and exp), so that they are equal bit for
bit on every platform.

Noise fields, which need a number per pixel, come from Philox4x64-10 as NumPy has it in C.

Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

import functools
import hashlib
import math
import os
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Number = float | Array

MASK = 0xFFFFFFFF
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
SEED_BITS, INDEX_BITS, EPOCH_BITS = 64, 64, 32
WORD = 2.0**-32
FEW_BLOCKS = 20  # up to here Python integers beat NumPy (docs/draws.md, Speed)
FEW_NORMALS = 16  # up to here Python floats do


# --- words ------------------------------------------------------------------------------


def philox4x32(counter: npt.ArrayLike, key: npt.ArrayLike, rounds: int = 10) -> Array:
    """Return the Philox4x32 block of each counter under each key.

    Args:
        counter: (..., 4) uint32, the least significant word first.
        key: (..., 2) uint32; the leading axes broadcast against those of `counter`.
        rounds: 10 is the published default, of proven quality.

    Returns:
        (..., 4) uint32.

    Example:
        >>> philox4x32([0, 0, 0, 0], [0, 0]) == [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]
        array([ True,  True,  True,  True])
    """
    counters = np.moveaxis(np.asarray(counter, np.uint32).astype(np.uint64), -1, 0)
    keys = np.moveaxis(np.asarray(key, np.uint32).astype(np.uint64), -1, 0)
    c0, c1, c2, c3 = counters
    words = _rounds(c0, c1, c2, c3, _schedule(keys[0], keys[1], rounds))
    return np.stack(np.broadcast_arrays(*words), axis=-1).astype(np.uint32)


def _schedule(k0: Any, k1: Any, rounds: int = 10) -> Iterator[tuple[Any, Any]]:
    """Yield the key pair of each round."""
    for step in range(rounds):
        yield (k0 + (step * WEYL[0] & MASK)) & MASK, (k1 + (step * WEYL[1] & MASK)) & MASK


def _rounds(c0: Any, c1: Any, c2: Any, c3: Any, schedule: Iterable[tuple[Any, Any]]) -> Any:
    """Apply the Philox rounds to Python integers or uint64 arrays alike."""
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
        occurrence: how many ops of that name stand before it in the pipeline.

    Raises:
        TypeError: `seed` is no integer.
        ValueError: `seed` is negative or has more than 64 bits.

    Example:
        >>> hex(stream(7, "HorizontalFlip").key)
        '0x9514a10bb2a2ca1d'
    """
    seed = check_bits(seed, "seed", SEED_BITS)
    occurrence = check_bits(occurrence, "occurrence", 64)
    key = _hash(seed.to_bytes(8, "little") + occurrence.to_bytes(8, "little") + name.encode(), 8)
    return Stream(key, tuple(_schedule(key & MASK, key >> 32)))


def _hash(data: bytes, size: int) -> int:
    """Hash bytes to an integer of `size` bytes, alike in every process."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=size).digest(), "little")


def _block_rows(stream: Stream, epoch: int, indices: Array, first: int, stop: int) -> Array:
    """Return words 4*first..4*stop of each sample, (words, N), exact in float64."""
    samples, blocks = len(indices), stop - first
    if samples * blocks > FEW_BLOCKS:
        block = np.arange(first, stop, dtype=np.uint64)[:, None]
        words = _rounds(block, epoch, indices & MASK, indices >> 32, stream.schedule)
        return np.stack(np.broadcast_arrays(*words), axis=1).reshape(-1, samples)
    rows = [
        word
        for index in indices.tolist()
        for block in range(first, stop)
        for word in _rounds(block, epoch, index & MASK, index >> 32, stream.schedule)
    ]
    return np.array(rows, dtype=np.float64).reshape(samples, 4 * blocks).T


# --- numbers ----------------------------------------------------------------------------


class Draw:
    """The numbers of one op for N samples, handed out in order.

    Each method returns an array of length N (also for one sample) and takes the same count of
    words whatever its arguments, so that what is drawn next never depends on a value. Bounds
    may be numbers or arrays of length N.

    Args:
        stream: the op's stream.
        epoch: 0 to 2**32 - 1.
        indices: (N,) uint64; see `parse_key`, which checks both.

    Example:
        >>> draw = Draw(stream(7, "Rotate"), 0, np.array([4, 9], np.uint64))
        >>> draw.bernoulli(1.0), draw.uniform(-15, 15).round(3)
        (array([ True,  True]), array([-4.287, 13.973]))
    """

    __slots__ = ("_epoch", "_indices", "_position", "_stream", "_words")

    def __init__(self, stream: Stream, epoch: int, indices: Array) -> None:
        self._stream = stream
        self._epoch = epoch
        self._indices = indices
        self._position = 0
        self._words = _block_rows(stream, epoch, indices, 0, 1)

    def words(self, count: int) -> Array:
        """Return the next `count` 32-bit words of each sample, (N, count) uint32."""
        return self._next(count).astype(np.uint32).T

    def _next(self, count: int) -> Array:
        """Take `count` words of each sample, (count, N)."""
        start = self._position
        self._position += count
        if self._position > len(self._words):
            blocks = len(self._words) // 4, -(-self._position // 4)
            more = _block_rows(self._stream, self._epoch, self._indices, *blocks)
            self._words = np.concatenate([self._words, more])
        return self._words[start : self._position]

    def _word(self) -> Array:
        """Take one word of each sample, (N,)."""
        if self._position == len(self._words):
            self._next(1)
        else:
            self._position += 1
        word: Array = self._words[self._position - 1]
        return word

    def uniform(self, low: Number = 0.0, high: Number = 1.0) -> Array:
        """Return float64 in ``low <= x < high`` in steps of (high - low) / 2**32. One word."""
        scaled: Array = self._word() * ((high - low) * WORD)
        return scaled + low

    def bernoulli(self, p: Number) -> Array:
        """Return True with probability `p`, to 2**-32; 0 is never and 1 is always. One word."""
        happens: Array = self._word() < p * 2.0**32
        return happens

    def integers(self, low: int | Array, high: int | Array) -> Array:
        """Return int64 in ``low <= x < high``; a value's odds are off by < 2**-64. Two words.

        The span may have up to 32 bits: the result is the high part of 64 random bits times it.
        """
        if isinstance(low, int) and isinstance(high, int):
            span: Any = high - low
            valid = 0 < span <= MASK
        else:
            span = np.asarray(high, np.int64) - np.asarray(low, np.int64)
            valid = bool(np.all((span > 0) & (span <= MASK)))
            span = span.astype(np.uint64)
        if not valid:
            raise ValueError(
                f"low is {low!r} and high {high!r}: low must lie below high, by less than 2**32"
            )
        upper, lower = self._next(2).astype(np.uint64)
        picked: Array = (upper * span + (lower * span >> 32)) >> 32
        return picked.astype(np.int64) + low

    def choice(
        self, options: int | Sequence[Any] | Array, weights: Sequence[float] | None = None
    ) -> Array:
        """Return an element of `options` for each sample, or an index below it. Two words.

        Args:
            options: a count, or values of one kind.
            weights: how often each is drawn, relative to the others; equally often by default.
        """
        count = options if isinstance(options, int) else len(options)
        picked = self.integers(0, count) if weights is None else self._weighted(count, weights)
        return picked if isinstance(options, int) else np.asarray(options)[picked]

    def _weighted(self, count: int, weights: Sequence[float]) -> Array:
        """Return indices drawn by weight, by inverting the cumulative sum at 53 bits."""
        odds = np.asarray(weights, np.float64)
        if odds.shape != (count,) or not (np.all(odds >= 0) and 0 < odds.sum() < math.inf):
            raise ValueError(
                f"weights is {weights!r}: it must hold {count} numbers, none below 0, one above"
            )
        upper, lower = self._next(2).astype(np.float64)
        fraction = (upper * 2.0**21 + np.floor(lower / 2.0**11)) * 2.0**-53
        edges = np.cumsum(odds)
        picked = np.searchsorted(edges, fraction * edges[-1], side="right")
        result: Array = np.minimum(picked, np.flatnonzero(odds)[-1])
        return result

    def permutation(self, count: int) -> Array:
        """Return (N, count) int64, a random order of 0..count-1 each. `count` words."""
        return np.argsort(self._next(count), axis=0, kind="stable").T

    def normal(self, mean: Number = 0.0, std: Number = 1.0) -> Array:
        """Return float64 normal numbers, at most 6.3 deviations from the mean. One word."""
        deviation: Array = inverse_normal((self._word() + 0.5) * WORD) * std
        return deviation + mean

    def dirichlet(self, concentration: Sequence[float]) -> Array:
        """Return (N, K) float64 weights that sum to 1. 17 words for each of the K entries.

        The first entry of ``dirichlet((a, b))`` is Beta(a, b). The last digit may differ between
        platforms, as their log and exp do.
        """
        if len(concentration) == 0 or min(concentration) <= 0:
            raise ValueError(f"concentration is {concentration!r}: every entry must be above 0")
        logs = np.stack([self._log_gamma_variate(shape) for shape in concentration], axis=-1)
        shares = np.exp(logs - logs.max(axis=-1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=-1, keepdims=True))

    def _log_gamma_variate(self, shape: float) -> Array:
        """Return logs of Gamma(shape) variates: Marsaglia and Tsang (2000), eight attempts.

        All eight missing (1 in 10**10) gives the mode.
        """
        d = shape + 2 / 3  # drawn for shape + 1, where fewer than 1 in 20 attempts miss
        normal = inverse_normal((self._next(8) + 0.5) * WORD)
        uniform = (self._next(8) + 0.5) * WORD
        log_v = 3 * np.log(np.maximum(1 + normal / math.sqrt(9 * d), 1e-300))
        taken = np.log(uniform) < 0.5 * normal**2 + d - d * np.exp(log_v) + d * log_v
        first = np.take_along_axis(log_v, taken.argmax(axis=0)[None], axis=0)[0]
        log_v = np.where(taken.any(axis=0), first, 0.0)
        boost = np.log((self._word() + 0.5) * WORD) / shape  # brings shape + 1 to shape
        return np.asarray(math.log(d) + log_v + boost)


# Coefficients of Wichura, "Algorithm AS 241: the percentage points of the normal distribution",
# Applied Statistics 37 (1988), PPND16, highest power first; |p - 1/2| <= 0.425, then the tails.
CENTER_TOP = (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853,
              45921.953931549871457, 13731.693765509461125, 1971.5909503065514427,
              133.14166789178437745, 3.387132872796366608)  # fmt: skip
CENTER_BOTTOM = (5226.495278852854561, 28729.085735721942674, 39307.89580009271061,
                 21213.794301586595867, 5394.1960214247511077, 687.1870074920579083,
                 42.313330701600911252, 1.0)  # fmt: skip
TAIL_TOP = (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177,
            1.27045825245236838258, 3.64784832476320460504, 5.7694972214606914055,
            4.6303378461565452959, 1.42343711074968357734)  # fmt: skip
TAIL_BOTTOM = (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966,
               0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494,
               2.05319162663775882187, 1.0)  # fmt: skip
LOG_SERIES = tuple(2 / power for power in range(23, 0, -2))  # log(1+s)/(1-s) = s * poly(s²)
LOG_2 = 0.6931471805599453


def inverse_normal(p: Array) -> Array:
    """Return the normal quantile of each probability, equal on every platform.

    Args:
        p: float64 in 1e-11 < p < 1 - 1e-11.

    Returns:
        float64 of the same shape, within 1e-14 relative.

    Example:
        >>> inverse_normal(np.array([0.5, 0.975])).round(6)
        array([0.      , 1.959964])
    """
    if p.size <= FEW_NORMALS:
        values = [_center(v - 0.5) if abs(v - 0.5) <= 0.425 else _tail(v) for v in p.flat]
        return np.array(values, dtype=np.float64).reshape(p.shape)
    center = np.abs(p - 0.5) <= 0.425
    result = np.empty_like(p)
    result[center] = _center(p[center] - 0.5)
    result[~center] = _tail(p[~center])
    return result


def _center(q: Any) -> Any:
    """Return quantiles near the middle, of floats or arrays."""
    r = 0.180625 - q * q
    return q * _polynomial(CENTER_TOP, r) / _polynomial(CENTER_BOTTOM, r)


def _tail(p: Any) -> Any:
    """Return quantiles of the tails, of floats or arrays."""
    r = np.sqrt(-_log(np.minimum(p, 1.0 - p))) - 1.6
    return np.copysign(_polynomial(TAIL_TOP, r) / _polynomial(TAIL_BOTTOM, r), p - 0.5)


def _log(x: Any) -> Any:
    """Return the logarithm, without the last-digit differences between math libraries."""
    mantissa, exponent = np.frexp(x)
    mantissa = mantissa * math.sqrt(2)  # 0.7 to 1.4, where the series converges fast
    s = (mantissa - 1.0) / (mantissa + 1.0)
    return s * _polynomial(LOG_SERIES, s * s) + (exponent - 0.5) * LOG_2


def _polynomial(coefficients: tuple[float, ...], x: Any) -> Any:
    """Evaluate by Horner's rule."""
    total = coefficients[0]
    for coefficient in coefficients[1:]:
        total = total * x + coefficient
    return total


# --- fields of noise --------------------------------------------------------------------


def field_words(stream: Stream, epoch: int, indices: Array, count: int, field: int = 0) -> Array:
    """Return uniform 16-bit words, one for each element of a noise field of each sample.

    Block b (0, 1, ...) of 16 words is Philox4x64-10 of counter ``(b + 1, field, epoch, index)``
    under key ``(stream.key, 0)``; each of its four 64-bit words gives four, the lowest first.

    Args:
        stream: the op's stream.
        epoch: 0 to 2**32 - 1.
        indices: (N,) uint64.
        count: how many words a sample needs.
        field: tells the fields of one op and sample apart.

    Returns:
        (N, count) uint16.
    """
    words = np.empty((len(indices), count), np.uint16)
    key = np.array([stream.key, 0], np.uint64)
    for row, index in zip(words, indices.tolist(), strict=True):
        counter = np.array([0, field, epoch, index], np.uint64)
        raw = np.random.Philox(key=key, counter=counter).random_raw(-(-count // 4))
        row[:] = raw.astype("<u8", copy=False).view("<u2")[:count]
    return words


def normal_field(stream: Stream, epoch: int, indices: Array, count: int, field: int = 0) -> Array:
    """Return standard normal noise: `field_words` looked up in `normal_table`.

    Arguments as in `field_words`.

    Returns:
        (N, count) float32.
    """
    return np.take(normal_table(), field_words(stream, epoch, indices, count, field))


@functools.cache
def normal_table() -> Array:
    """Return the normal quantiles at (w + 1/2) / 65536, scaled to variance 1: float32, ±4.2."""
    quantiles = inverse_normal((np.arange(65536) + 0.5) / 65536)
    table = (quantiles / np.sqrt(np.mean(quantiles**2))).astype(np.float32)
    table.flags.writeable = False
    return np.asarray(table)


# --- keys -------------------------------------------------------------------------------


class Key(NamedTuple):
    """Which samples a call is about; `scalar` if it was one index rather than an array."""

    epoch: int
    indices: Array  # (N,) uint64
    scalar: bool


def parse_key(key: Any) -> Key:
    """Return the epoch and indices that a pipeline's `key` argument names.

    Args:
        key: an index, ``(epoch, index)``, ``(epoch, indices)``, or an array of indices alone;
            where the epoch is left out it is 0. Indices are integers of 64 bits, from 0.

    Raises:
        TypeError: `key` has another form, or a part of it is no integer.
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


def check_bits(value: Any, name: str, bits: int) -> int:
    """Return an integer of at most `bits` bits, not negative."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} is {value!r}: it must be an integer")
    number = int(value)
    if number < 0 or number >> bits:
        raise ValueError(f"{name} is {value!r}: it must be at least 0 and below 2**{bits}")
    return number


class Process(NamedTuple):
    """What tells the calls of one process from another's: a 48-bit tag, and a worker number."""

    tag: int = 0
    worker: int = 0


class Calls:
    """Keys for the calls that bring none. The state of a pipeline; nothing else has any.

    With a seed the calls of the main process are counted: call n gets key (0, n), a batch of N
    takes N numbers. In a `DataLoader` worker the worker's number and the loader's seed of this
    epoch join it; another child process gets a tag from the system's entropy, so that nobody
    repeats anybody. Without a seed every key is fresh entropy.
    """

    def __init__(self, seeded: bool, count: int = 0) -> None:
        self._seeded = seeded
        self._count = count
        self._enter(Process(_entropy(6)) if _is_child() else Process())

    def __reduce__(self) -> tuple[Any, ...]:
        return Calls, (self._seeded, self._count)

    def _enter(self, process: Process) -> None:
        """Note the process; a lock that was held during a fork would never open again."""
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
        process: which process calls.
    """
    size = 1 if samples is None else samples
    check_bits(call + size, "call", 36)
    worker = check_bits(process.worker, "worker", 12)
    first = (process.tag >> 32) << 48 | worker << 36 | call
    indices = np.uint64(first) + np.arange(size, dtype=np.uint64)
    return Key(process.tag & MASK, indices, samples is None)


def loader_worker() -> Process | None:
    """Return the torch `DataLoader` worker that this process is, if it is one."""
    data = sys.modules.get("torch.utils.data")
    worker = data.get_worker_info() if data is not None else None
    if worker is None:
        return None
    loader = worker.seed - worker.id  # torch draws it anew for each epoch
    return Process(_hash(loader.to_bytes(16, "little", signed=True), 6), worker.id + 1)


def _is_child() -> bool:
    """Tell whether `multiprocessing` started this process."""
    module = sys.modules.get("multiprocessing")
    return module is not None and module.parent_process() is not None


def _entropy(size: int) -> int:
    """Return an integer of `size` random bytes from the system."""
    return int.from_bytes(os.urandom(size), "little")
