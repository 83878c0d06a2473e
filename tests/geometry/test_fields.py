"""Displacement fields."""

import numpy as np

from imgkit import geometry as g
from imgkit.geometry.fields import sample_field


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
