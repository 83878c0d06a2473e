"""Every random number, from (seed, op name and its occurrence, epoch, index, draw number).

Numbers come from Philox4x32-10, a function from a 128-bit counter and a 64-bit key to four
32-bit words, so each word can be computed on its own, on any machine, in any order::

    key     = blake2b-64(seed, occurrence, op name)
    counter = (draw // 4, epoch, index low, index high);  the word is number draw % 4

A `Stream` holds the key of one op; a `Draw` returns its numbers for N samples at once, and each
method consumes a fixed number of words. Seeds and indices have 64 bits, epochs 32. Numbers are
computed with + - * / and square roots only (`dirichlet` also uses log and exp), so that they are
equal bit for bit on every platform.

Noise fields, which need a number per pixel, use NumPy's Philox4x64-10, which is written in C.

Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from imgkit.draws.keys import (
    Calls,
    Key,
    Process,
    counted_key,
    loader_worker,
    parse_key,
)
from imgkit.draws.normal import field_words, inverse_normal, normal_field, normal_table
from imgkit.draws.numbers import Draw, FieldDraw, ScalarDraw
from imgkit.draws.words import (
    EPOCH_BITS,
    INDEX_BITS,
    MASK,
    SEED_BITS,
    WORD,
    PackedBlocks,
    Stream,
    check_bits,
    first_words,
    packed_blocks,
    philox4x32,
    stream,
)

__all__ = [
    "EPOCH_BITS",
    "INDEX_BITS",
    "MASK",
    "SEED_BITS",
    "WORD",
    "Calls",
    "Draw",
    "FieldDraw",
    "Key",
    "PackedBlocks",
    "Process",
    "ScalarDraw",
    "Stream",
    "check_bits",
    "counted_key",
    "field_words",
    "first_words",
    "inverse_normal",
    "loader_worker",
    "normal_field",
    "normal_table",
    "packed_blocks",
    "parse_key",
    "philox4x32",
    "stream",
]  # fmt: skip
