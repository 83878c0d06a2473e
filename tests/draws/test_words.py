"""Words: Philox as published, and one stream for each op."""

import pickle

import numpy as np
import pytest
from by_hand import M32, hexes, indices64, many, philox_in_plain_integers, quick, word
from hypothesis import given
from hypothesis import strategies as st

from imgkit import draws
from imgkit.draws import Draw, philox4x32, stream

# Random123, tests/kat_vectors: (rounds, counter, key, words)
PI = "243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0"


KNOWN = [
    (10, "0 0 0 0", "0 0", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    (
        10,
        " ".join(["ffffffff"] * 4),
        "ffffffff ffffffff",
        "408f276d 41c83b0e a20bc7c6 6d5451fd",
    ),
    (10, *PI, "d16cfe09 94fdcceb 5001e420 24126ea1"),
    (7, *PI, "4dfccaba 190a87f0 c47362ba b6b5242a"),
]


KNOWN_64 = (
    "243f6a8885a308d3 13198a2e03707344 a4093822299f31d0 082efa98ec4e6c89",
    "452821e638d01377 be5466cf34e90c6c",
    "a528f45403e61d95 38c72dbd566e9788 a5a1610e72fd18b5 57bd43b5e52b7fe6",
)


@pytest.mark.parametrize(("rounds", "counter", "key", "words"), KNOWN)
def test_philox_gives_the_published_words(rounds, counter, key, words):
    got = philox4x32(hexes(counter), hexes(key), rounds)
    assert got.dtype == np.uint32
    assert got.tolist() == hexes(words)


def test_the_plain_integers_give_the_published_words_too():
    counter, key, words = map(hexes, KNOWN_64)
    assert philox_in_plain_integers(counter, key, 64) == words
    counter, key, words = map(hexes, KNOWN[2][1:])
    assert philox_in_plain_integers(counter, key, 32) == words


@quick
@given(st.lists(st.integers(0, M32), min_size=6, max_size=6))
def test_philox_is_the_paper_for_any_input(numbers):
    got = philox4x32(numbers[:4], numbers[4:])
    assert got.tolist() == philox_in_plain_integers(numbers[:4], numbers[4:], 32)


def test_philox_broadcasts_counters_against_keys():
    counters = np.arange(12, dtype=np.uint32).reshape(3, 1, 4)
    keys = np.arange(4, dtype=np.uint32).reshape(2, 2)
    got = philox4x32(counters, keys)
    assert got.shape == (3, 2, 4)
    for i in range(3):
        for j in range(2):
            assert np.array_equal(got[i, j], philox4x32(counters[i, 0], keys[j]))
    assert philox4x32(np.empty((0, 4), np.uint32), keys[0]).shape == (0, 4)


@quick
@given(
    st.integers(0, 2**64 - 1), indices64, st.integers(0, M32), st.integers(0, 9), st.integers(1, 9)
)
def test_every_word_follows_from_seed_op_epoch_index_and_number(
    seed, indices, epoch, occurrence, count
):
    of = stream(seed, "Rotate", occurrence)
    got = Draw(of, epoch, np.array(indices, np.uint64)).words(count)
    expected = [[word(of, epoch, index, d) for d in range(count)] for index in indices]
    assert got.dtype == np.uint32
    assert got.tolist() == expected


def test_nothing_shares_a_word():
    """100,000 samples under other epochs, ops, occurrences and seeds: no pair of words recurs."""
    seen = [
        np.ascontiguousarray(many(100_000, **which).words(4)).view(np.uint64)
        for which in (
            {},
            {"epoch": 4},
            {"name": "Shear"},
            {"occurrence": 1},
            {"seed": 8},
            {"name": "Rotate1"},
            {"epoch": 0},
        )
    ]
    values = np.concatenate(seen).ravel()
    assert len(np.unique(values)) == len(values)  # by chance: 5e-8


def test_the_name_and_its_occurrence_do_not_run_together():
    assert stream(0, "a", 11).key != stream(0, "a1", 1).key
    assert stream(1, "a").key != stream(0, "a", 1).key


def test_streams_compare_and_pickle():
    assert pickle.loads(pickle.dumps(stream(7, "Rotate"))) == stream(7, "Rotate")
    assert stream(7, "Rotate") != stream(8, "Rotate")


@pytest.mark.parametrize(
    ("seed", "error", "message"),
    [
        (-1, ValueError, "seed is -1: it must be at least 0 and below 2"),
        (2**64, ValueError, "seed is 18446744073709551616: it must be at least 0 and below 2"),
        (1.5, TypeError, "seed is 1.5: it must be an integer"),
        (True, TypeError, "seed is True"),
        (None, TypeError, "seed is None"),
    ],
)
def test_a_seed_has_64_bits(seed, error, message):
    with pytest.raises(error, match=message):
        stream(seed, "Rotate")


@quick
@given(
    seed=st.integers(0, 2**64 - 1),
    index=st.integers(0, 2**64 - 1),
    epoch=st.integers(0, M32),
    counts=st.lists(st.integers(0, 4), min_size=1, max_size=6),
)
def test_lanes_hold_the_first_words_of_each_stream(seed, index, epoch, counts):
    streams = [stream(seed, "Op", place) for place in range(len(counts))]
    found = draws.first_words(draws.packed_blocks(streams, counts), epoch, index)
    for each, count, words in zip(streams, counts, found, strict=True):
        draw = Draw(each, epoch, np.array([index], np.uint64))
        assert words == draw.words(4 * count)[0].tolist()
