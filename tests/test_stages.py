"""The stages of a plan: what a sample's numbers are, and whether a stage changes it."""

import numpy as np
import pytest

import imgkit as ik
from imgkit import stages

SIZE = (8, 6)
TURN = (0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)


def both(values):
    """Return numbers as the planner of a batch holds them, and as that of one sample does."""
    return [np.array(values), values]


@pytest.mark.parametrize("matrices", [np.array([TURN]).reshape(1, 3, 3), [TURN]])
def test_a_matrix_is_read_as_entries(matrices):
    step = stages.GeometricStep("Transpose", "move", SIZE, SIZE[::-1], matrices)
    assert step.matrix_of(0) == TURN
    assert step.moves(0)


def test_a_step_moves_if_its_matrix_its_size_or_its_field_does():
    identity = np.tile(np.eye(3), (2, 1, 1))
    shrunk = (np.array([8, 5]), 6)
    assert not stages.GeometricStep("", "move", SIZE, SIZE, identity).moves(1)
    crop = stages.GeometricStep("", "move", SIZE, shrunk, identity)
    assert [crop.moves(i) for i in (0, 1)] == [False, True]
    assert stages.size_of(shrunk, 1) == (5, 6)
    assert stages.Resample((crop,)).acts(1)
    assert not stages.Resample((crop,)).acts(0)
    key = np.zeros((2, 2), np.uint64)
    field = stages.Field("elastic", np.array([0.0, 2.0]), np.ones(2), key, np.zeros((2, 0, 0, 2)))
    bent = stages.GeometricStep("", "warp", SIZE, SIZE, field=field)
    assert [bent.moves(i) for i in (0, 1)] == [False, True]


@pytest.mark.parametrize("kind", ["array", "numbers"])
def test_color_returns_the_steps_that_change_a_sample(kind):
    half = [[0.5 if i == j else 0.0 for j in range(7)] for i in range(3)]
    identity = stages.IDENTITY_STEP.tolist()
    values = [[half, identity], [identity, identity]]
    color = stages.Color(np.array(values) if kind == "array" else values)
    assert color.steps_of(0) == [half]
    assert color.steps_of(1) == []
    assert [color.acts(i) for i in (0, 1)] == [True, False]
    assert not stages.Color([[stages.IDENTITY_ROWS]]).acts(0)


@pytest.mark.parametrize("parameters", both([[0.5, 4.0], [2.0, 8.0]]))
@pytest.mark.parametrize("active", both([[True, False], [False, False]]))
def test_curves_of_a_sample_are_those_that_act(parameters, active):
    curve = stages.Curve(("adjust_gamma", "posterize"), parameters, active)
    assert curve.curves_of(0) == [("adjust_gamma", 0.5)]
    assert curve.curves_of(1) == []
    assert [curve.acts(i) for i in (0, 1)] == [True, False]


@pytest.mark.parametrize("sizes", both([3, 5]))
@pytest.mark.parametrize("stage", [stages.Filter, stages.Call])
def test_numbers_of_a_sample_are_pythons(stage, sizes):
    numbers = {"size": sizes}
    made = (
        stage("box_blur", numbers, [True, False])
        if stage is stages.Filter
        else stage("mine", lambda image, numbers: image, numbers, [True, False])
    )
    assert made.numbers_of(1) == {"size": 5}
    assert type(made.numbers_of(1)["size"]) is int
    assert [made.acts(i) for i in (0, 1)] == [True, False]


def test_every_kind_of_stage_is_listed_by_its_kind():
    assert set(stages.STAGES.values()) == set(stages.Stage.__args__)
    assert all(stage.kind == kind for kind, stage in stages.STAGES.items())
    assert set(stages.ROUNDED_INPUT) <= set(stages.STAGES)


@pytest.mark.parametrize("op", ["CLAHE", "JpegCompression", "GaussianBlur"])
def test_a_filter_says_why_it_has_no_device_kernel(op):
    arguments = {"sigma": 1} if op == "GaussianBlur" else {}
    (stage,) = ik.Pipeline([getattr(ik, op)(**arguments)], seed=0).plan(SIZE, 0).stages
    assert bool(stage.host_only) == (op != "GaussianBlur")


def test_gives_floats_and_batched():
    normalize = stages.Normalize(True, (0.0,), (1.0,), False)
    assert stages.gives_floats([normalize])
    assert not stages.gives_floats([stages.Hue([0.1])])
    array = np.ones(3)
    assert stages.batched(array) is array
    assert stages.batched([1, 2]).tolist() == [1, 2]
