"""Matrices at pixel centers, and exact moves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imgkit import geometry as g

numbers = st.floats(-50, 50, allow_nan=False)


POINTS = np.array([[0.0, 0.0], [3.0, 1.0], [-2.0, 7.5]])


SQUARE = [[0, 0], [9, 0], [9, 7], [0, 7]]


BENT = [[1, 0.5], [8, 1], [10, 8], [-1, 6]]


def test_rotation_is_counter_clockwise_as_seen():
    """y points down: a quarter turn takes the point on the right to the top."""
    assert g.apply(g.rotation(90), [1.0, 0.0]).tolist() == [0, -1]
    np.testing.assert_allclose(
        g.apply(g.rotation(45), [1.0, 0.0]), [np.sqrt(0.5), -np.sqrt(0.5)], rtol=1e-15
    )


@pytest.mark.parametrize("turns", range(-5, 6))
def test_quarter_rotations_hold_integers(turns):
    matrix = g.rotation(90.0 * turns)
    assert np.array_equal(matrix, np.rint(matrix))
    power = np.linalg.matrix_power(g.rotation(90), turns % 4)
    assert np.array_equal(matrix, power)


def test_center_of_rotation_stays():
    for size in ((5, 8), (1, 1), (4, 7)):
        middle = np.array(g.center(size))
        np.testing.assert_allclose(g.apply(g.rotation(33, middle), middle), middle, atol=1e-13)
    assert g.center((3, 5)) == (2, 1)


def test_matrices_agree_with_their_arithmetic():
    np.testing.assert_array_equal(g.apply(g.translation(2, -1), POINTS), POINTS - (-2, 1))
    np.testing.assert_array_equal(g.apply(g.scaling(2, 3), POINTS), POINTS * (2, 3))
    np.testing.assert_array_equal(g.apply(g.scaling(2), POINTS), POINTS * 2)
    sheared = POINTS + POINTS[:, ::-1] * (0.5, 0.25)
    np.testing.assert_array_equal(g.apply(g.shear(0.5, 0.25), POINTS), sheared)
    np.testing.assert_array_equal(g.apply(g.transposition(), POINTS), POINTS[:, ::-1])
    np.testing.assert_array_equal(g.apply(g.crop(1, 2), POINTS), POINTS - (2, 1))
    np.testing.assert_array_equal(
        g.apply(g.horizontal_flip((3, 5)), POINTS)[:, 0], 4 - POINTS[:, 0]
    )
    np.testing.assert_array_equal(g.apply(g.vertical_flip((3, 5)), POINTS)[:, 1], 2 - POINTS[:, 1])
    np.testing.assert_array_equal(
        g.apply(g.scaling(2, center=(3, 1)), POINTS), (POINTS - (3, 1)) * 2 + (3, 1)
    )


def test_compose_runs_in_the_order_given():
    both = g.compose(g.translation(1, 0), g.scaling(2))
    np.testing.assert_array_equal(g.apply(both, [1.0, 1.0]), [4, 2])
    np.testing.assert_array_equal(both, g.scaling(2) @ g.translation(1, 0))
    np.testing.assert_array_equal(g.compose(), np.eye(3))


def test_resize_matrix_aligns_pixel_edges_not_centers():
    """The corner (-0.5, -0.5) stays, the far corner goes to the far corner."""
    matrix = g.resize_matrix((4, 10), (8, 5))
    np.testing.assert_allclose(
        g.apply(matrix, [[-0.5, -0.5], [9.5, 3.5]]), [[-0.5, -0.5], [4.5, 7.5]]
    )


def test_letterbox_keeps_the_shape_and_centers():
    assert g.letterbox_size((10, 20), (30, 30)) == (7, 0, 15, 30)
    assert g.letterbox_size((1, 1000), (8, 8)) == (3, 0, 1, 8)
    middle = g.apply(g.letterbox_matrix((10, 20), (30, 30)), g.center((10, 20)))
    np.testing.assert_allclose(middle, (14.5, 14.0))


def test_stacks_of_matrices_broadcast():
    angles = np.array([0.0, 30.0, 90.0, 210.0])
    stack = g.rotation(angles, (3, 4))
    assert stack.shape == (4, 3, 3)
    for matrix, angle in zip(stack, angles, strict=True):
        np.testing.assert_array_equal(matrix, g.rotation(angle, (3, 4)))
    moved = g.apply(stack, POINTS)
    assert moved.shape == (4, 3, 2)
    np.testing.assert_allclose(moved[1], g.apply(stack[1], POINTS))
    assert g.scaling(angles + 1).shape == g.shear(angles).shape == (4, 3, 3)
    assert g.translation(angles, 0).shape == (4, 3, 3)
    assert g.antialias_sigmas(g.mean_inverse_jacobian(stack, (9, 9), (9, 9)), (9, 9)).shape == (
        4,
        2,
    )


def test_perspective_takes_the_points_and_refuses_a_line():
    matrix = g.perspective(SQUARE, BENT)
    np.testing.assert_allclose(g.apply(matrix, SQUARE), BENT, atol=1e-12)
    assert not g.is_affine(matrix)
    stack = g.perspective(np.stack([SQUARE, BENT]), np.stack([BENT, SQUARE]))
    np.testing.assert_allclose(g.apply(stack[1], BENT), SQUARE, atol=1e-12)
    for line in ([[0, 0], [1, 1], [2, 2]], [[0, 0], [0.1, 0.3], [0.3, 0.9]]):
        with pytest.raises(ValueError, match="lie on a line"):
            g.affine(line, POINTS)
    with pytest.raises(ValueError, match="lie on a line"):
        g.perspective([[0, 0], [1, 1], [2, 2], [0, 1]], SQUARE)
    with pytest.raises(ValueError, match="four points"):
        g.perspective([[0, 0]], [[1, 1]])


def test_affine_takes_three_points_and_refuses_a_line():
    bent = np.array([[10.0, 100.0], [200.0, 50.0], [100.0, 250.0]])
    matrix = g.affine(POINTS, bent)
    np.testing.assert_allclose(g.apply(matrix, POINTS), bent, atol=1e-12)
    assert matrix[2].tolist() == [0, 0, 1]
    np.testing.assert_allclose(
        g.affine(POINTS, g.apply(g.rotation(20, (3, 4)), POINTS)),
        g.rotation(20, (3, 4)),
        atol=1e-12,
    )
    stack = g.affine(np.stack([POINTS, bent]), np.stack([bent, POINTS]))
    np.testing.assert_allclose(g.apply(stack[1], bent), POINTS, atol=1e-12)
    with pytest.raises(ValueError, match="lie on a line"):
        g.affine([[0, 0], [1, 1], [2, 2]], POINTS)
    with pytest.raises(ValueError, match="three points"):
        g.affine([[0, 0]], [[1, 1]])


def test_a_homogeneous_scale_changes_nothing():
    matrix = g.rotation(20, (3, 4))
    np.testing.assert_allclose(g.apply(matrix * 2, POINTS), g.apply(matrix, POINTS))


def test_positions_are_the_inverse_map_of_the_grid():
    for matrix in (g.rotation(20, (3, 4)), g.perspective(SQUARE, BENT), g.rotation(20) * 3):
        inverse = np.linalg.inv(matrix)
        grid = g.identity_grid((6, 5))
        expected = g.apply(inverse, grid.reshape(-1, 2)).reshape(6, 5, 2)
        np.testing.assert_allclose(g.positions(inverse, (6, 5)), expected, atol=1e-10)
        np.testing.assert_array_equal(
            g.positions(inverse, (2, 5), 3), g.positions(inverse, (6, 5))[3:5]
        )


@pytest.mark.parametrize("k", range(4))
def test_quarter_turn_is_an_exact_move_onto_the_turned_canvas(k):
    move = g.exact_move(g.quarter_turn(k, (4, 6)), (4, 6))
    assert move is not None
    assert (move.top, move.left) == (0, 0)
    assert move.transpose == bool(k % 2)


def test_what_is_not_an_exact_move():
    for matrix in (
        g.rotation(45),
        g.translation(0.5, 0),
        g.scaling(2),
        g.shear(1),
        g.perspective(SQUARE, BENT),
        g.rotation(90, g.center((4, 5))),  # centers fall between pixels
        np.diag([1.0, 0.0, 1.0]),
    ):
        assert g.exact_move(matrix, (4, 5)) is None


def test_composed_moves_stay_exact_in_spite_of_rounding():
    size = (7, 7)
    matrix = g.compose(g.rotation(30, g.center(size)), g.rotation(60, g.center(size)))
    assert g.exact_move(matrix, size) == g.exact_move(g.quarter_turn(1, size), size)


def test_angles_of_many_turns_are_those_of_one():
    for degrees in (30, -135, 405 - 360):
        np.testing.assert_array_equal(g.rotation(degrees + 360 * 1000), g.rotation(degrees))
    assert np.isfinite(g.rotation(1e38)).all()


@settings(deadline=None, max_examples=50)
@given(numbers, numbers, numbers, st.floats(0.2, 5), st.floats(-1, 1))
def test_inverse_brings_points_back(degrees, dx, dy, scale, slope):
    matrix = g.compose(g.rotation(degrees), g.shear(slope), g.scaling(scale), g.translation(dx, dy))
    back = g.apply(np.linalg.inv(matrix), g.apply(matrix, POINTS))
    np.testing.assert_allclose(back, POINTS, atol=1e-9)
