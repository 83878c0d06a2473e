"""Pooled numbers, what pooling forgets, and shifts."""

import numpy as np


def test_pooled_numbers(sample, capsys):
    sample("pooling").example()
    printed = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "stride 2 6 5 3.5 2 1 0 3.5 1.5" in printed
    assert "stride 1 6 6 5 3.5 4 2 1 2 0 3.5 4 1.5" in printed
    assert "global: max 9, avg 3.5, min 0" in printed


def test_shuffled_windows_keep_their_pixels(sample):
    module = sample("pooling")
    image = np.arange(64).reshape(8, 8)
    other = module.shuffle_windows(image, 4, np.random.default_rng(0))
    assert not np.array_equal(other, image)
    for window in (np.s_[:4, :4], np.s_[4:, :4], np.s_[4:, 4:]):
        assert sorted(other[window].ravel()) == sorted(image[window].ravel())


def test_larger_pools_are_disturbed_less(sample):
    module = sample("pooling")
    image = module.ik.grayscale(module.photograph("coffee"))[100:236, 150:286]
    series = module.shifts(image)
    at_two = [series[name][1] for name in ("edges", "max pool 2", "max pool 4", "max pool 8")]
    assert at_two == sorted(at_two, reverse=True)
    assert max(series["global average"]) < 0.2
