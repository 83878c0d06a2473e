"""Steps as written, checked before any image is touched."""

import numpy as np
import pytest

from imgkit.folder.steps import (
    Step,
    apply,
    check_step,
    parse_op,
    parse_value,
    probe,
    read_pipeline,
    usable,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-0.5", -0.5),
        ("1e-3", 0.001),
        ("true", True),
        ("sobel_x", "sobel_x"),
        ("60,90", (60, 90)),
        ("-15,15", (-15, 15)),
        ("5,", (5,)),
        ("[[0, 1e2], [2, 3]]", ((0, 100.0), (2, 3))),
        ("0.5,half", (0.5, "half")),
        ("null", "null"),
        ("[oops", "[oops"),
    ],
)
def test_values(text, value):
    assert parse_value(text) == value
    assert type(parse_value(text)) is type(value)


def test_an_operation_is_a_name_and_arguments():
    assert parse_op("max_pool size=2,3 ceil=true") == Step(
        "max_pool", {"size": (2, 3), "ceil": True}
    )
    assert parse_op("convolve kernel='sobel_x'").arguments == {"kernel": "sobel_x"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "op is empty"),
        ("max_pol size=2", "unknown operation 'max_pol': did you mean 'max_pool'"),
        ("gradient", "gradient does not return an image"),
        ("max_pool sise=2", "max_pool has no parameter 'sise': did you mean 'size'"),
        ("max_pool x=2 size=2", "max_pool has no parameter 'x'"),
        ("max_pool", "max_pool needs size: write size=..."),
        ("max_pool 2", "'2' is no argument: write name=value"),
        ("max_pool size=2 size=3", "size is given twice"),
        ("max_pool 'size=2", "No closing quotation"),
    ],
)
def test_what_is_wrong_is_named_with_the_nearest_known(text, message):
    with pytest.raises(ValueError, match=message):
        parse_op(text)


def test_a_pipeline_file():
    text = """
    version: 1
    seed: 3
    ops:
      - max_pool: {size: [2, 3], ceil: true}
      - convolve: {kernel: [[1e0, 0], [0, -1]]}
      - sharpen
    """
    recipe = read_pipeline(text)
    assert recipe.seed == 3
    assert recipe.steps == (
        Step("max_pool", {"size": (2, 3), "ceil": True}),
        Step("convolve", {"kernel": ((1.0, 0), (0, -1))}),
        Step("sharpen", {}),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not YAML"),
        ("- max_pool", "a mapping with the keys version and ops"),
        ("version: 1\nopps: []", "key 'opps' is unknown: did you mean 'ops'"),
        ("ops: [max_pool]", "version is None: this imgkit reads version 1"),
        ("version: 2\nops: [invert]", "version is 2"),
        ("version: true\nops: [invert]", "version is True"),
        ("version: 1\nseed: x\nops: [invert]", "seed is 'x'"),
        ("version: 1\nops: []", "at least one operation"),
        ("version: 1\nops: invert", "ops must be a list"),
        ("version: 1\nops: [max_pool: {sise: 2}]", r"ops\[0\]: max_pool has no parameter 'sise'"),
        ("version: 1\nops: [max_pool: 2]", r"ops\[0\]: max_pool has 2"),
        ("version: 1\nops: [3]", r"ops\[0\] is 3: write a name"),
        ("version: 1\nops: [{a: 1, b: 2}]", r"ops\[0\] is"),
        ("version: 1\nops: [!!python/object:os.system {}]", "not YAML"),
    ],
)
def test_a_wrong_pipeline_says_where(text, message):
    with pytest.raises(ValueError, match=message):
        read_pipeline(text)


def test_steps_run_in_order():
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    steps = (Step("max_pool", {"size": 2}), Step("min_pool", {"size": 4}))
    assert apply(steps, image).tolist() == [[9]]  # the least of the largest of each 2 x 2


def test_probe_tells_the_result_type_and_refuses_what_no_image_makes_right():
    assert probe((Step("max_pool", {"size": 2}),)) == np.uint8
    assert probe((Step("convolve", {"kernel": "sobel_x"}),)) == np.float32
    with pytest.raises(ValueError, match="size is -2"):
        probe((Step("max_pool", {"size": -2}),))
    large = Step("convolve", {"kernel": np.ones((65, 65)), "mode": "valid"})
    assert probe((large,)) == np.float32  # too large for a small image: not wrong for every one


def test_every_usable_operation_exists_and_takes_its_example():
    from imgkit.registry import FUNCTIONS

    for name in usable():
        assert check_step(Step(name, FUNCTIONS[name].example)).name == name
