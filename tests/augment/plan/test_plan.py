"""Plans as values, and the rules by which ops come to share a stage."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imgkit as ik
from imgkit import geometry, stages
from imgkit.augment.plan.color_steps import merge_batch
from imgkit.augment.plan.compile import compile_ops
from imgkit.augment.transforms.color import brightness_rows, contrast_rows, saturation_rows, stacked
from imgkit.registry import TRANSFORMS

SIZE = (64, 80)
OUTPUT = ("Normalize", "ToFloat", "ToCHW")


def step_of(rows, *values):
    """Return the steps (N, 1, 3, 7) of N values."""
    return stacked(rows(*values), len(values[0]))


def example(name, **changes):
    return getattr(ik, name)(**{**TRANSFORMS[name].example, **changes})


def groups(*ops, fuse=True):
    """The stages of a list: (kind, names of the ops in order)."""
    compiled = compile_ops(tuple(ops), fuse)
    return [
        (t.kind, [compiled.nodes[node].op.name for node, _ in t.entries]) for t in compiled.groups
    ]


def reasons(*ops):
    return [t.reason for t in compile_ops(tuple(ops)).groups]


# --- plans as values --------------------------------------------------------------------

CHAINS = {
    **{name: [example(name) if name in OUTPUT else example(name, p=0.6)] for name in TRANSFORMS},
    "chain": [
        ik.RandomResizedCrop(24),
        ik.Rotate((-9, 9)),
        ik.Elastic(2),
        ik.ColorJitter(0.3, 0.3, 0.3, 0.1),
        ik.GaussianBlur((0.5, 1)),
        ik.Normalize("imagenet"),
        ik.ToCHW(),
    ],
    "choices": [
        ik.OneOf([ik.Rotate90(), ik.Posterize(4), ik.Rotate((0, 9))], p=0.8),
        ik.SomeOf([ik.Invert(), ik.Solarize(), ik.Erase()], (0, 2)),
    ],
    "nothing": [],
}


@pytest.mark.parametrize("indices", [7, [3, 2**64 - 1, 12]], ids=["one", "batch"])
@pytest.mark.parametrize("ops", CHAINS.values(), ids=CHAINS.keys())
def test_plans_come_back_exactly_from_json_and_pickle(ops, indices):
    aug = ik.Pipeline(ops, seed=5)
    plan = aug.plan(SIZE, (2, indices))
    for back in (ik.Plan.from_json(plan.to_json()), pickle.loads(pickle.dumps(plan))):
        assert back == plan
        assert hash(back) == hash(plan)
        assert str(back) == str(plan)
        assert back.to_json() == plan.to_json()
    assert aug.plan(SIZE, (2, indices)) == plan
    assert len(plan) == np.size(indices)
    assert plan != aug.plan(SIZE, (3, indices))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_plan_read_back_makes_the_same_pixels(name):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*SIZE, 3), np.uint8)
    aug = ik.Pipeline(CHAINS[name], seed=5)
    plan = aug.plan(SIZE, (2, 7))
    back = ik.Plan.from_json(plan.to_json())
    assert np.array_equal(aug.run(back, 0, image), aug(image, key=(2, 7)))


def test_a_plan_names_its_ops_and_stages():
    plan = ik.Pipeline([ik.Rotate((-9, 9)), ik.Invert()], seed=1).plan(SIZE, (4, [8, 9]))
    data = json.loads(plan.to_json())
    assert data["epoch"] == 4
    assert data["indices"] == [8, 9]
    assert [op["op"] for op in data["ops"]] == ["Rotate", "Invert"]
    assert [stage["kind"] for stage in data["stages"]] == ["resample", "curve"]
    lines = str(plan).splitlines()
    assert lines[0] == "plan of 2 x 64 x 80 -> 64 x 80"
    assert lines[1].strip().startswith("1. resample   Rotate: 64 x 80 -> 64 x 80")


def test_a_plan_tells_its_sizes():
    ops = [ik.Rotate90(1), ik.Pad((1, 2, 3, 4)), ik.Rotate90(1, p=0.5), ik.CenterCrop((30, 20))]
    assert ik.Pipeline(ops[:2]).plan(SIZE, 0).out_size == (83, 71)
    heights, widths = ik.Pipeline(ops[:3], seed=0).plan(SIZE, (0, range(20))).out_size
    assert set(zip(heights.tolist(), widths.tolist(), strict=True)) == {(83, 71), (71, 83)}
    assert ik.Pipeline(ops).plan(SIZE, (0, range(20))).out_size == (30, 20)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "text is not a plan"),
        ("[]", "text is not a plan"),
        ("{}", "text is not a plan: 'version'"),
        ('{"version": 2}', "version is 2: this imgkit reads 1"),
    ],
)
def test_what_is_no_plan(text, message):
    with pytest.raises(ValueError, match=message):
        ik.Plan.from_json(text)


def test_an_unknown_stage_is_named_with_the_nearest():
    data = ik.Pipeline([ik.Invert()]).plan(SIZE, 0).to_dict()
    data["stages"][0]["kind"] = "curv"
    with pytest.raises(ValueError, match="kind is 'curv': did you mean 'curve'"):
        ik.Plan.from_json(json.dumps(data))


# --- which ops share a stage ------------------------------------------------------------

GEOMETRIC = [
    op.name
    for op in TRANSFORMS.values()
    if op.is_geometric
]  # fmt: skip


def test_a_run_of_geometric_ops_is_one_resample():
    ops = [example(name) for name in GEOMETRIC]
    assert {kind for kind, _ in groups(*ops)} == {"resample"}
    assert len(groups(*ops)) == 1
    plan = ik.Pipeline(ops, seed=0).plan((96, 96), 0)
    assert [stage.kind for stage in plan.stages] == ["resample"]


def test_a_run_ends_at_what_is_not_geometric():
    flip, turn = ik.HorizontalFlip(), ik.Rotate(5)
    for between in (
        ik.GaussianBlur(1),
        ik.Erase(),
        ik.GaussianNoise(0.1),
        ik.Hue(0.1),
        ik.Invert(),
    ):
        kinds = [kind for kind, _ in groups(turn, flip, between, flip, turn)]
        assert kinds == ["resample", between.stage_kinds[0], "resample"]
    assert reasons(turn, ik.GaussianBlur(1), turn) == [
        "the first stage", "filter follows resample", "resample follows filter"
    ]  # fmt: skip


def test_each_neighborhood_op_is_a_stage_of_its_own():
    ops = (ik.GaussianBlur(1), ik.BoxBlur(3), ik.Erase(), ik.Erase())
    assert [kind for kind, _ in groups(*ops)] == ["filter", "filter", "erase", "erase"]
    assert reasons(*ops)[1] == "each filter is a stage of its own"
    assert reasons(*ops)[3] == "each erase is a stage of its own"


def test_another_interpolation_ends_the_run():
    one, other = ik.Rotate(5), ik.Shear(5, interpolation="nearest")
    assert groups(one, ik.HorizontalFlip(), other) == [
        ("resample", ["Rotate", "HorizontalFlip"]), ("resample", ["Shear"])
    ]  # fmt: skip
    assert reasons(one, other)[1] == "interpolation 'nearest' after 'bilinear'"
    assert len(groups(ik.HorizontalFlip(), other)) == 1  # a flip has none


def test_a_folded_border_ends_the_run_unless_pixels_only_moved():
    folded = ik.Rotate(5, border="reflect")
    assert len(groups(ik.Rotate(3), folded)) == 2
    assert (
        reasons(ik.Rotate(3), folded)[1] == "border 'reflect' folds the canvas that Rotate leaves"
    )
    assert len(groups(ik.HorizontalFlip(), ik.Rotate90(), folded)) == 1
    assert len(groups(folded, ik.Rotate(3))) == 1  # what comes later sees fill


def test_color_hue_and_curves_share_with_their_like():
    assert groups(ik.Brightness(1.1), ik.Grayscale(), ik.ChannelShuffle()) == [
        ("color", ["Brightness", "Grayscale", "ChannelShuffle"])
    ]
    assert groups(ik.Gamma(2), ik.Invert(), ik.Equalize()) == [
        ("curve", ["Gamma", "Invert", "Equalize"])
    ]
    assert [kind for kind, _ in groups(ik.ColorJitter(0.1))] == ["color"]
    assert [kind for kind, _ in groups(ik.ColorJitter(0.1, hue=0.1))] == ["color", "hue", "color"]


def test_the_children_of_one_choice_are_grouped_by_kind():
    mixed = [ik.Rotate(5), ik.Invert(), ik.Shear(5), ik.Gamma(2)]
    assert groups(ik.OneOf(mixed)) == [
        ("resample", ["Rotate", "Shear"]), ("curve", ["Invert", "Gamma"])
    ]  # fmt: skip
    assert groups(ik.Translate(0.1), ik.OneOf(mixed), ik.Posterize(3)) == [
        ("resample", ["Translate", "Rotate", "Shear"]),
        ("curve", ["Invert", "Gamma", "Posterize"]),
    ]
    in_order = [kind for kind, _ in groups(ik.SomeOf(mixed, 2))]
    assert in_order == ["resample", "curve", "resample", "curve"]  # several happen: order counts


def test_output_ops_share_the_last_pass_and_stand_there():
    assert groups(ik.Invert(), ik.ToFloat(), ik.Normalize("clip"), ik.ToCHW())[-1] == (
        "normalize", ["ToFloat", "Normalize", "ToCHW"]
    )  # fmt: skip
    with pytest.raises(ValueError, match="HorizontalFlip comes after ToCHW; output ops"):
        ik.Pipeline([ik.ToCHW(), ik.HorizontalFlip()])
    with pytest.raises(ValueError, match=r"p is .*: Normalize happens to every image or to none"):
        ik.Pipeline([ik.Normalize("clip", p=0.5)])


def test_a_choice_that_does_not_happen_draws_nothing_and_does_nothing():
    """A single sample for which the choice, or the choice around it, is idle."""
    inner = ik.OneOf([ik.Rotate(5), ik.SomeOf([ik.Invert(), ik.Gamma(2)], 1)])
    aug = ik.Pipeline([ik.OneOf([inner, ik.HorizontalFlip()], p=0.3)], seed=0)
    together = aug.plan(SIZE, (0, range(40)))
    for index in range(40):
        alone = aug.plan(SIZE, (0, index))
        happened = [record["active"][0] for record in alone.ops]
        assert happened == [record["active"][index] for record in together.ops]
        assert bool(alone.stages) == any(happened[1:])


def test_normalizations_compose():
    stage = ik.Pipeline([ik.Normalize(0.5, 0.5), ik.Normalize(0.25, 2)]).plan(SIZE, 0).stages[0]
    # ((x - 0.5) / 0.5 - 0.25) / 2 = (x - 0.625) / 1
    assert (stage.mean, stage.std, stage.to_float, stage.chw) == ((0.625,), (1.0,), True, False)


def test_without_fusing_every_op_is_a_stage():
    ops = (ik.Rotate(5), ik.Shear(5), ik.Brightness(0.5), ik.Saturation(0.5))
    assert len(groups(*ops)) == 2
    assert [names for _, names in groups(*ops, fuse=False)] == [[op.name] for op in ops]


# --- how runs resolve -------------------------------------------------------------------


def resolved(*ops, size=SIZE):
    (stage,) = ik.Pipeline(ops, seed=0).plan(size, 0).stages
    return geometry.resolve(stage.geometric_steps, 0)


def test_moves_stay_exact():
    assert (
        resolved(ik.Pad(3), ik.HorizontalFlip(), ik.Rotate90(1), ik.CenterCrop(20)).kind == "move"
    )


def test_a_pad_after_a_crop_shows_fill_and_keeps_pixels_whole():
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    result = ik.Pipeline([ik.CenterCrop(20), ik.Pad(3, fill=1.0)])(image, key=0)
    expected = np.pad(image[22:42, 30:50], ((3, 3), (3, 3), (0, 0)), constant_values=255)
    assert np.array_equal(result, expected)


def test_a_crop_that_is_resized_and_flipped_is_a_resize():
    how = resolved(ik.RandomResizedCrop(24), ik.HorizontalFlip())
    assert how.kind == "resize"
    assert how.resized == (24, 24)
    assert how.antialias


def test_matrices_multiply_and_fields_compose():
    assert resolved(ik.Rotate(5), ik.Shear(5), ik.Scale(1.1)).kind == "warp"
    assert resolved(ik.Rotate(5), ik.Elastic(3)).kind == "field"
    assert np.allclose(resolved(ik.Rotate(5), ik.Rotate(-5)).matrix, np.eye(3))


def test_a_canvas_that_cuts_is_kept_and_one_that_does_not_is_not():
    assert len(resolved(ik.Translate(0.5), ik.Translate(-0.5)).canvases) == 1
    assert len(resolved(ik.Rotate(5), ik.CenterCrop(20)).canvases) == 0
    assert len(resolved(ik.Rotate(5), ik.Scale(2.0)).canvases) == 0  # its view lies inside


# --- linear color -----------------------------------------------------------------------


def one(function, factor):
    return stacked(function(np.array([float(factor)])), 1)


def merged(*steps):
    return merge_batch(np.concatenate(steps, axis=1))


def test_steps_multiply_where_nothing_can_be_clipped_between():
    result = merged(one(brightness_rows, 0.5), one(saturation_rows, 0.5))
    assert result.shape == (1, 1, 3, 7)
    gray = np.array([0.2989, 0.587, 0.114])
    expected = 0.5 * (0.5 * np.eye(3) + 0.5 * gray)  # factors 0.5 of brightness and saturation
    assert np.allclose(result[0, 0, :, :3], expected)
    assert not result[0, 0, :, 3:].any()


def test_steps_that_can_clip_stay_apart():
    steps = merged(one(brightness_rows, 2.0), one(brightness_rows, 0.5))
    assert steps.shape == (1, 2, 3, 7)
    assert np.allclose(steps[0, :, 0, 0], [2.0, 0.5])
    assert merged(one(brightness_rows, 0.5), one(brightness_rows, 2.0)).shape[1] == 1


def test_identities_vanish_and_samples_differ():
    two = np.concatenate([one(brightness_rows, 2.0), one(brightness_rows, 1.0)])
    later = np.concatenate([one(brightness_rows, 0.5)] * 2)
    steps = merge_batch(np.concatenate([two, later], axis=1))
    assert np.allclose(steps[:, :, 0, 0], [[2.0, 0.5], [0.5, 1.0]])
    idle = merge_batch(np.tile(stages.IDENTITY_STEP, (2, 3, 1, 1)))
    assert np.array_equal(idle, np.tile(stages.IDENTITY_STEP, (2, 1, 1, 1)))


def run(steps, x):
    """Run steps (K, 3, 7) on pixels (P, 3), one by one, clipped after each."""
    for step in steps:
        x = x @ step[:, :3].T + x.mean(axis=0) @ step[:, 3:6].T + step[:, 6]
        x = np.clip(x, 0, 1)
    return x


@given(
    st.lists(
        st.tuples(
            st.sampled_from([brightness_rows, contrast_rows, saturation_rows]), st.floats(0, 2)
        ),
        min_size=1,
        max_size=5,
    )
)
@settings(deadline=None, max_examples=80)
def test_merged_steps_do_what_the_steps_did(factors):
    steps = np.concatenate([one(function, factor) for function, factor in factors], axis=1)
    x = np.random.default_rng(0).random((50, 3))
    assert np.allclose(run(merge_batch(steps)[0], x), run(steps[0], x), atol=1e-6)
