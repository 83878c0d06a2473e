"""The numbers of an op: arrays for N samples, or scalars for one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from imgkit.draws.normal import inverse_normal
from imgkit.draws.words import MASK, WORD, Stream, apply_rounds, block_rows
from imgkit.image import Array

Number = float | Array


class FieldDraw(NamedTuple):
    """How one declared field of a transform is drawn.

    `kind` is "constant" (`low`; no word), "uniform" (``low <= x < high``; one word), "integers"
    (``low <= x < high``; two words), "odd" (``low + 2 k``, k below `high`; two words) or "choice"
    (one of the tuple `low`; two words).
    """

    name: str
    kind: str
    low: Any
    high: Any = None


class Draw:
    """The numbers of one op for N samples, drawn in order.

    Each method returns an array of length N (also for one sample) and consumes a number of words
    that does not depend on the values drawn, so that later numbers do not depend on earlier ones.
    Bounds may be numbers or arrays of length N.

    Args:
        stream: the op's stream.
        epoch: 0 to 2**32 - 1.
        indices: (N,) uint64; see `parse_key`, which checks both.

    Example:
        >>> from imgkit.draws import stream
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
        self._words = block_rows(stream, epoch, indices, 0, 1)

    @property
    def samples(self) -> int:
        """How many samples are drawn for."""
        return len(self._indices)

    def words(self, count: int) -> Array:
        """Return the next `count` 32-bit words of each sample, (N, count) uint32."""
        return self._next(count).astype(np.uint32).T

    def fields(self, specs: Sequence[FieldDraw]) -> dict[str, Any]:
        """Return the numbers of declared fields, in order."""
        numbers: dict[str, Any] = {}
        for name, kind, low, high in specs:
            if kind == "constant":
                numbers[name] = self.constant(low)
            elif kind == "uniform":
                numbers[name] = self.uniform(low, high)
            elif kind == "integers":
                numbers[name] = self.integers(low, high)
            elif kind == "odd":
                numbers[name] = low + 2 * self.integers(0, high)
            else:
                numbers[name] = self.choice(low)
        return numbers

    def _next(self, count: int) -> Array:
        """Take `count` words of each sample, (count, N)."""
        start = self._position
        self._position += count
        if self._position > len(self._words):
            blocks = len(self._words) // 4, -(-self._position // 4)
            more = block_rows(self._stream, self._epoch, self._indices, *blocks)
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

    def constant(self, value: float) -> Array:
        """Return a constant for every sample; consumes no words."""
        return np.full(len(self._indices), value)

    def uniform(self, low: Number = 0.0, high: Number = 1.0) -> Array:
        """Return float64 in ``low <= x < high`` in steps of (high - low) / 2**32; one word."""
        scaled: Array = self._word() * ((high - low) * WORD)
        return scaled + low

    def bernoulli(self, p: Number) -> Array:
        """Return True with probability `p`, in steps of 2**-32, exact for 0 and 1; one word."""
        happens: Array = self._word() < p * 2.0**32
        return happens

    def integers(self, low: int | Array, high: int | Array) -> Array:
        """Return int64 in ``low <= x < high``; probabilities are exact to 2**-64; two words.

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
        """Return an element of `options` for each sample, or an index below it; two words.

        Args:
            options: a count, or values of one kind.
            weights: relative probability of each; equal by default.
        """
        count = options if isinstance(options, int) else len(options)
        picked = self.integers(0, count) if weights is None else self._weighted(count, weights)
        return picked if isinstance(options, int) else np.asarray(options)[picked]

    def _weighted(self, count: int, weights: Sequence[float]) -> Array:
        """Return indices drawn by weight, by inverting the cumulative sum at 53 bits."""
        odds = check_odds(count, weights)
        upper, lower = self._next(2).astype(np.float64)
        return pick_weighted(odds, upper * 2.0**21 + np.floor(lower / 2.0**11))

    def permutation(self, count: int) -> Array:
        """Return (N, count) int64, a random order of 0..count-1 each; `count` words."""
        return np.argsort(self._next(count), axis=0, kind="stable").T

    def normal(self, mean: Number = 0.0, std: Number = 1.0) -> Array:
        """Return float64 normal numbers, at most 6.3 deviations from the mean; one word."""
        deviation: Array = inverse_normal((self._word() + 0.5) * WORD) * std
        return deviation + mean

    def dirichlet(self, concentration: Sequence[float]) -> Array:
        """Return (N, K) float64 weights that sum to 1; 17 words for each of the K entries.

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

        If all eight attempts fail (1 in 10**10), the result is the mode.
        """
        d = shape + 2 / 3  # drawn for shape + 1, where fewer than 1 in 20 attempts fail
        normal = inverse_normal((self._next(8) + 0.5) * WORD)
        uniform = (self._next(8) + 0.5) * WORD
        log_v = 3 * np.log(np.maximum(1 + normal / math.sqrt(9 * d), 1e-300))
        taken = np.log(uniform) < 0.5 * normal**2 + d - d * np.exp(log_v) + d * log_v
        first = np.take_along_axis(log_v, taken.argmax(axis=0)[None], axis=0)[0]
        log_v = np.where(taken.any(axis=0), first, 0.0)
        boost = np.log((self._word() + 0.5) * WORD) / shape  # converts shape + 1 to shape
        return np.asarray(math.log(d) + log_v + boost)


class ScalarDraw:
    """`Draw` for one sample, with scalars instead of arrays: the same numbers, much faster.

    Args:
        stream, epoch: as for `Draw`.
        index: of the sample.
        words: its first words, if they are known (`first_words`).
    """

    __slots__ = ("_epoch", "_index", "_position", "_stream", "_words")

    def __init__(self, stream: Stream, epoch: int, index: int, words: Sequence[int] = ()) -> None:
        self._stream, self._epoch, self._index = stream, epoch, index
        self._position = 0
        self._words = list(words)

    @property
    def samples(self) -> int:
        """One sample is drawn for."""
        return 1

    def words(self, count: int) -> list[int]:
        """Return the next `count` 32-bit words."""
        start = self._position
        self._position += count
        while self._position > len(self._words):
            low, high = self._index & MASK, self._index >> 32
            block = len(self._words) // 4
            self._words += apply_rounds(block, self._epoch, low, high, self._stream.schedule)
        return self._words[start : self._position]

    def fields(self, specs: Sequence[FieldDraw]) -> dict[str, Any]:
        """Return the numbers of declared fields, in order; see `Draw.fields`."""
        count = 0
        for spec in specs:
            count += WORDS_OF[spec.kind]
        words = iter(self.words(count) if count else ())
        numbers: dict[str, Any] = {}
        for name, kind, low, high in specs:
            if kind == "constant":
                numbers[name] = low
            elif kind == "uniform":
                numbers[name] = next(words) * ((high - low) * WORD) + low
            else:
                count = len(low) if kind == "choice" else high if kind == "odd" else high - low
                upper, lower = next(words), next(words)
                picked = (upper * count + (lower * count >> 32)) >> 32
                if kind == "choice":
                    numbers[name] = low[picked]
                else:
                    numbers[name] = low + (2 * picked if kind == "odd" else picked)
        return numbers

    def constant(self, value: float) -> float:
        """Return the number itself; consumes no words."""
        return value

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Return a number in ``low <= x < high``; one word."""
        return self.words(1)[0] * ((high - low) * WORD) + low

    def bernoulli(self, p: float) -> bool:
        """Return True with probability `p`; one word."""
        place = self._position
        if place < len(self._words):  # the usual: a word that is known
            self._position = place + 1
            return self._words[place] < p * 2.0**32
        return self.words(1)[0] < p * 2.0**32

    def integers(self, low: int, high: int) -> int:
        """Return an integer in ``low <= x < high``. Two words.

        Raises:
            ValueError: `low` does not lie below `high`, or by 2**32 or more.
        """
        upper, lower = self.words(2)
        span = high - low
        if not 0 < span <= MASK:
            raise ValueError(
                f"low is {low!r} and high {high!r}: low must lie below high, by less than 2**32"
            )
        return ((upper * span + (lower * span >> 32)) >> 32) + low

    def choice(self, options: int | Sequence[Any], weights: Sequence[float] | None = None) -> Any:
        """Return one of several values, or an index below a count. Two words.

        Args:
            options: a count, or values.
            weights: the relative probability of each; equal by default.
        """
        count = options if isinstance(options, int) else len(options)
        picked = self.integers(0, count) if weights is None else self._weighted(count, weights)
        return picked if isinstance(options, int) else options[picked]

    def _weighted(self, count: int, weights: Sequence[float]) -> int:
        """Return an index drawn by weight."""
        odds = check_odds(count, weights)
        upper, lower = self.words(2)
        return int(pick_weighted(odds, np.array([upper * 2.0**21 + lower // 2**11]))[0])

    def normal(self, mean: float = 0.0, std: float = 1.0) -> float:
        """Return a normal number, at most 6.3 deviations from the mean. One word."""
        quantile = inverse_normal(np.array([(self.words(1)[0] + 0.5) * WORD]))
        return float(quantile[0]) * std + mean

    def permutation(self, count: int) -> list[int]:
        """Return a random order of 0..count-1; `count` words."""
        words = self.words(count)
        return sorted(range(count), key=words.__getitem__)


WORDS_OF = {"constant": 0, "uniform": 1, "integers": 2, "odd": 2, "choice": 2}


def check_odds(count: int, weights: Sequence[float]) -> Array:
    """Return weights as an array, or raise."""
    odds = np.asarray(weights, np.float64)
    if odds.shape != (count,) or not (np.all(odds >= 0) and 0 < odds.sum() < math.inf):
        raise ValueError(
            f"weights is {weights!r}: it must hold {count} numbers, none below 0, one above"
        )
    return odds


def pick_weighted(odds: Array, bits: Array) -> Array:
    """Return indices drawn by weight from 53 random bits (N,), by inverting the cumulative sum."""
    edges = np.cumsum(odds)
    picked = np.searchsorted(edges, bits * 2.0**-53 * edges[-1], side="right")
    return np.minimum(picked, np.flatnonzero(odds)[-1])
