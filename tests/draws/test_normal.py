"""Normal numbers and fields of noise: the quantiles of other libraries, bit for bit repeatable."""

import statistics

import numpy as np
import pytest
from by_hand import assert_even, philox_in_plain_integers
from scipy import special, stats

from imgkit import draws
from imgkit.draws import stream


def test_inverse_normal_agrees_with_scipy_and_the_standard_library():
    """Both compute it their own way; AS 241 states 1e-16, evaluation adds a few roundings."""
    p = np.concatenate([np.linspace(0.0005, 0.9995, 1999), 2.0 ** -np.arange(2.0, 34)])
    p = np.concatenate([p, 1 - p])
    got = draws.inverse_normal(p)
    np.testing.assert_allclose(got, special.ndtri(p), rtol=4e-15, atol=1e-16)
    library = [statistics.NormalDist().inv_cdf(v) for v in p.tolist()]
    np.testing.assert_allclose(got, library, rtol=4e-15, atol=1e-16)
    alone = [draws.inverse_normal(p[i : i + 1])[0] for i in range(len(p))]
    assert np.array_equal(got, alone)  # floats and arrays: the same bits


def test_a_field_can_be_recomputed_from_key_and_counter():
    of, count = stream(7, "GaussianNoise"), 37
    indices = np.array([0, 5, 2**64 - 1], np.uint64)
    got = draws.field_words(of, 3, indices, count, field=2)
    assert got.dtype == np.uint16
    for row, index in zip(got.tolist(), indices.tolist(), strict=True):
        expected = []
        for block in range(3):
            for raw in philox_in_plain_integers((block + 1, 2, 3, index), (of.key, 0), 64):
                expected += [raw >> shift & 0xFFFF for shift in (0, 16, 32, 48)]
        assert row == expected[:count]


def test_field_golden_values():
    of = stream(7, "GaussianNoise")
    words = draws.field_words(of, 3, np.array([0, 1], np.uint64), 5)
    assert words.tolist() == [
        [42076, 5116, 23006, 55530, 21436],
        [59953, 35642, 25390, 21982, 59161],
    ]
    noise = draws.normal_field(of, 3, np.array([0], np.uint64), 2)
    assert noise.tolist() == [[0.36391112208366394, -1.4181773662567139]]


def test_a_field_is_even_and_fields_differ():
    of = stream(7, "SaltPepper")
    indices = np.arange(2, dtype=np.uint64)
    words = draws.field_words(of, 0, indices, 100_000)
    assert_even(np.bincount(words.ravel() >> 8, minlength=256))
    other = draws.field_words(of, 0, indices, 100_000, field=1)
    for a, b in ((words[0], words[1]), (words[0], other[0])):
        assert abs(np.corrcoef(a, b)[0, 1]) < 0.015
    assert draws.field_words(of, 0, indices[:0], 10).shape == (0, 10)
    assert draws.field_words(of, 0, indices, 0).shape == (2, 0)


def test_a_normal_field_has_the_moments_of_the_normal_distribution():
    table = draws.normal_table()
    assert table.dtype == np.float32
    assert not table.flags.writeable
    wide = table.astype(np.float64)
    assert np.array_equal(wide, -wide[::-1])
    assert wide.mean() == 0
    assert wide.var() == pytest.approx(1, abs=1e-7)
    assert (wide**4).mean() == pytest.approx(3, abs=0.01)  # tails end at 4.2
    x = draws.normal_field(stream(1, "GaussianNoise"), 0, np.array([9], np.uint64), 200_000)[0]
    assert x.dtype == np.float32
    # 32-bit words spread over the steps of the table, which the test would otherwise see
    assert stats.kstest(x[:20_000].astype(np.float64), "norm").pvalue > 1e-3
