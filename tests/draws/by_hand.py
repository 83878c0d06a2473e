"""Philox in plain integers, and draws for the tests of this folder."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from scipy import stats

from imgkit.draws import Draw, stream

M32 = 2**32 - 1


indices64 = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=30)


quick = settings(deadline=None, max_examples=25)


def philox_in_plain_integers(counter, key, bits):
    """Philox-4 as the paper prints it, for words of 32 or 64 bits; ten rounds."""
    multipliers = {32: (0xD2511F53, 0xCD9E8D57), 64: (0xD2E7470EE14C6C93, 0xCA5A826395121157)}
    weyl = {32: (0x9E3779B9, 0xBB67AE85), 64: (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)}
    modulus = 2**bits
    words, keys = list(counter), list(key)
    for turn in range(10):
        if turn:
            keys = [(k + w) % modulus for k, w in zip(keys, weyl[bits], strict=True)]
        high0, low0 = divmod(multipliers[bits][0] * words[0], modulus)
        high1, low1 = divmod(multipliers[bits][1] * words[2], modulus)
        words = [high1 ^ words[1] ^ keys[0], low1, high0 ^ words[3] ^ keys[1], low0]
    return words


def word(seed_stream, epoch, index, number):
    """One word by the documented mapping, alone."""
    key = (seed_stream.key % 2**32, seed_stream.key >> 32)
    counter = (number // 4, epoch, index % 2**32, index >> 32)
    return philox_in_plain_integers(counter, key, 32)[number % 4]


def draw(indices=(0, 1, 2**64 - 1), seed=7, name="Rotate", occurrence=0, epoch=3):
    return Draw(stream(seed, name, occurrence), epoch, np.array(indices, np.uint64))


def many(count=20_000, **which):
    return draw(range(count), **which)


def hexes(text):
    return [int(word, 16) for word in text.split()]


def assert_even(counts, expected=None):
    assert stats.chisquare(counts, expected).pvalue > 1e-3
