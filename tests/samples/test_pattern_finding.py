"""Normalized cross-correlation against scikit-image, and the peak that follows a translation."""

import numpy as np
import pytest
from skimage.feature import match_template


def test_normalized_is_match_template(sample):
    rng = np.random.default_rng(0)
    image, template = rng.integers(0, 256, (40, 50)), rng.integers(0, 256, (9, 6))
    found = sample("pattern_finding").normalized(image, template)
    np.testing.assert_allclose(found, match_template(image, template), atol=1e-9)


def test_the_peak_moves_with_the_image(sample):
    module = sample("pattern_finding")
    coins = module.photograph("coins")[..., 0]
    rows = {row[0]: row for row in module.follow(coins, coins[168:214, 189:235])}
    assert rows["unchanged"][3] == (168, 189)
    assert rows["10 right, 20 up"][3] == (148, 199)
    for name in ("10 right, 20 up", "half as bright", "contrast 0.4, +20"):
        _, _, scores, found, place = rows[name]
        assert found == pytest.approx(place)
        assert scores.max() > 0.999


def test_only_the_largest_of_a_neighborhood_is_a_peak(sample):
    scores = np.zeros((9, 9))
    scores[2, 2], scores[2, 3], scores[7, 7], scores[0, 8] = 0.9, 0.8, 0.7, 0.3
    assert sample("pattern_finding").peaks(scores, 0.5, 3).tolist() == [[2, 2], [7, 7]]
