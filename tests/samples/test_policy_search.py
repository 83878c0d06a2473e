"""Policies are different points of the grid, the same for the same seed."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")


def test_policies_are_different_points_of_the_grid(sample):
    module = sample("policy_search")
    policies = module.sample(9)
    assert len(set(policies)) == 9
    assert all(n in module.COUNTS and m in module.MAGNITUDES for n, m in policies)
    assert policies == module.sample(9) != module.sample(9, seed=1)


def test_no_policy_is_the_plain_pipeline(sample):
    module = sample("policy_search")
    assert module.pipeline((0, 0)) == module.PLAIN
    assert module.pipeline((2, 9)).ops[0].magnitude == 9
