"""Local scale of maps."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from imgkit import geometry as g

numbers = st.floats(-50, 50, allow_nan=False)


POINTS = np.array([[0.0, 0.0], [3.0, 1.0], [-2.0, 7.5]])


SQUARE = [[0, 0], [9, 0], [9, 7], [0, 7]]


BENT = [[1, 0.5], [8, 1], [10, 8], [-1, 6]]


def test_jacobian_is_the_derivative():
    matrix, step = g.perspective(SQUARE, BENT), 1e-6
    found = g.jacobian(matrix, POINTS)
    for axis, delta in enumerate(np.eye(2) * step):
        slope = (g.apply(matrix, POINTS + delta) - g.apply(matrix, POINTS - delta)) / (2 * step)
        np.testing.assert_allclose(found[..., axis], slope, rtol=1e-6, atol=1e-8)


def test_sigmas_of_shrinking_growing_and_turning():
    def sigmas(matrix):
        return g.antialias_sigmas(g.mean_inverse_jacobian(matrix, (99, 99), (99, 99)), (99, 99))

    np.testing.assert_allclose(sigmas(g.scaling(1 / 4, 1 / 2)), np.sqrt([15 / 6, 3 / 6]))
    np.testing.assert_array_equal(sigmas(g.scaling(3)), [0, 0])
    np.testing.assert_array_equal(sigmas(g.rotation(33) @ g.scaling(1.0)), [0, 0])
    np.testing.assert_allclose(sigmas(g.scaling(3, 1 / 2)), [0, np.sqrt(0.5)])
    np.testing.assert_allclose(sigmas(g.rotation(90) @ g.scaling(1 / 4, 1)), np.sqrt([15 / 6, 0]))
    np.testing.assert_allclose(sigmas(g.scaling(1e-6)), [99, 99])


@settings(deadline=None, max_examples=50)
@given(numbers, st.floats(0.3, 3), st.floats(0.3, 3), st.floats(-1, 1))
def test_shrinks_says_when_there_is_a_sigma(degrees, sx, sy, slope):
    reach = np.linalg.inv(g.compose(g.scaling(sx, sy), g.shear(slope), g.rotation(degrees)))[:2, :2]
    largest = np.linalg.svd(reach, compute_uv=False).max()
    limit = np.sqrt(g.SHRINKS)
    if abs(largest - limit) > 1e-6:
        assert g.shrinks(reach) == (largest > limit)
        assert g.shrinks(np.stack([np.eye(2), reach])) == (largest > limit)
        assert (g.antialias_sigmas(reach, (9, 9)).max() > 0) == (largest > limit)


def test_mean_reach_of_projective_maps_counts_what_is_seen():
    nearly = g.scaling(0.5)
    nearly[2, :2] = 1e-12
    np.testing.assert_allclose(
        g.mean_inverse_jacobian(nearly, (99, 99), (99, 99)), np.eye(2) * 2, atol=1e-9
    )
    away = g.translation(1e4, 0) @ nearly
    np.testing.assert_array_equal(g.mean_inverse_jacobian(away, (99, 99), (99, 99)), np.eye(2))


def test_mean_reach_of_a_field_is_that_of_its_matrix():
    matrix = g.rotation(20) @ g.scaling(0.4, 0.7)
    field = g.matrix_field(matrix, (12, 9))
    expected = np.linalg.inv(matrix)[:2, :2]
    np.testing.assert_allclose(g.mean_field_jacobian(field), expected)
    np.testing.assert_allclose(g.mean_field_jacobian(np.stack([field, 0 * field]))[0], expected)
