"""Displacement fields."""

import tracemalloc

import numpy as np
import pytest

from imgkit import geometry as g
from imgkit.geometry.fields import displacement, sample_field
from imgkit.stages import Field


def test_the_field_of_a_matrix_points_to_where_pixels_come_from():
    matrix = g.rotation(20, (4, 3)) @ g.scaling(1.3, 0.8)
    field = g.matrix_field(matrix, (9, 11))
    seen = g.apply(matrix, (g.identity_grid((9, 11)) + field).reshape(-1, 2))
    np.testing.assert_allclose(seen, g.identity_grid((9, 11)).reshape(-1, 2), atol=1e-12)


def test_sample_field_interpolates_and_continues_the_edge():
    field = g.identity_grid((3, 4)) * (1, 10)
    at = np.array([[0.5, 0.25], [3, 2], [-7, 1], [50, 50]])
    expected = [[0.5, 2.5], [3, 20], [0, 10], [3, 20]]
    np.testing.assert_allclose(sample_field(field, at), expected)
    assert sample_field(field[:1, :1], at).tolist() == [[0, 0]] * 4


def elastic(amount, sigma, key=(3, 4)):
    return Field(
        "elastic",
        amount=np.array([amount], float),
        smoothness=np.array([sigma], float),
        key=np.array([key], np.uint64),
        nodes=np.zeros((1, 0, 0, 2)),
    )


def by_matrices(sigma, size, key):
    """The field by its definition: a cubic B-spline around each node of a lattice."""
    spacing = max(sigma * np.sqrt(3), 1)
    bases = []
    for n in size:
        nodes = int(np.ceil((n - 1) / spacing)) + 3
        t = np.abs(np.arange(n)[:, None] / spacing - (np.arange(nodes) - 1))
        near, far = 2 / 3 - t**2 + t**3 / 2, np.clip(2 - t, 0, None) ** 3 / 6
        bases.append(np.where(t < 1, near, far))
    shape = (2, bases[0].shape[1], bases[1].shape[1])
    raw = np.random.Philox(key=np.array(key, np.uint64)).random_raw(int(np.prod(shape)))
    lattice = ((raw >> np.uint64(40)) * 2.0**-23 - 1).reshape(shape)
    field = np.einsum("hr,drc,wc->hwd", bases[0], lattice, bases[1])
    return field / np.sqrt((field**2).sum(-1).max())


@pytest.mark.parametrize("size", [(1, 1), (1, 90), (64, 33), (65, 97), (31, 32)])
@pytest.mark.parametrize("sigma", [0.2, 1 / np.sqrt(3), 2, 2 / np.sqrt(3), 5.5, 40])
def test_an_elastic_field_is_a_sum_of_splines(sigma, size):
    found = displacement(elastic(3, sigma), 0, size)
    np.testing.assert_allclose(found, 3 * by_matrices(sigma, size, (3, 4)), atol=2e-6)


@pytest.mark.parametrize("size", [(4, 20_000), (20_000, 4), (300, 300)])
@pytest.mark.parametrize("sigma", [0.5, 4])
def test_an_elastic_field_takes_memory_in_its_pixels(sigma, size):
    tracemalloc.start()
    try:
        displacement(elastic(3, sigma, (7, 8)), 0, size)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200 * (size[0] + 3) * (size[1] + 3)  # lattice, its draws, and the field


def test_fields_of_drawn_smoothness_are_not_all_kept():
    tracemalloc.start()
    try:
        for key in range(12):
            displacement(elastic(3, 4 + key / 100, (key, 9)), 0, (200, 250))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 3 * 8 * 200 * 250
