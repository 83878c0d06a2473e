"""One sample in plain numbers is the plan of one sample in arrays, bit for bit."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imgkit as ik
from imgkit import geometry, stages
from imgkit.augment.plan import color_steps
from imgkit.augment.plan.color_steps import merge_batch
from imgkit.augment.transforms import policy_base as slots
from imgkit.geometry import matrix as matrices
from imgkit.geometry.fields import displacement

SIZE = (37, 52)
PAIR = (0.6, 1.4)
OPS = {
    "HorizontalFlip": ik.HorizontalFlip(p=0.5),
    "VerticalFlip": ik.VerticalFlip(),
    "Rotate90": ik.Rotate90((-3, 3)),
    "Transpose": ik.Transpose(),
    "CenterCrop": ik.CenterCrop((30, 61)),
    "RandomCrop": ik.RandomCrop((20, 31), padding=3, border="reflect"),
    "Pad": ik.Pad((1, 2, 3, 4), fill=0.5),
    "Resize": ik.Resize((20, 71)),
    "RandomResizedCrop": ik.RandomResizedCrop(24),
    "narrow crop": ik.RandomResizedCrop(24, scale=(0.99, 1.0), ratio=(3.0, 4.0)),  # falls back
    "Rotate": ik.Rotate((-180, 180)),
    "quarter": ik.Rotate(ik.Choice([0, 90, 180, 270]), antialias=False),
    "Translate": ik.Translate((-0.2, 0.2), 0.1),
    "Scale": ik.Scale((0.5, 2.0)),
    "Shear": ik.Shear((-20, 20), (-5, 5)),
    "Affine": ik.Affine((-15, 15), (-0.1, 0.1), PAIR, (-5, 5), p=0.8),
    "Perspective": ik.Perspective((0.1, 0.5)),
    "Brightness": ik.Brightness(PAIR, (-0.1, 0.1)),
    "Contrast": ik.Contrast(PAIR),
    "Saturation": ik.Saturation(PAIR),
    "Hue": ik.Hue((-0.2, 0.2)),
    "ColorJitter": ik.ColorJitter(0.4, 0.4, 0.4, 0.1, p=0.8),
    "ColorJitter without hue": ik.ColorJitter(0.4, 0.4, 0.4),
    "Grayscale": ik.Grayscale(p=0.5),
    "ChannelShuffle": ik.ChannelShuffle(),
    "Gamma": ik.Gamma(PAIR),
    "Posterize": ik.Posterize((1, 7)),
    "Solarize": ik.Solarize((0.2, 0.8)),
    "Invert": ik.Invert(),
    "Equalize": ik.Equalize(p=0.5),
    "AutoContrast": ik.AutoContrast(),
}
NOT_PLAIN = {"GaussianBlur": ik.GaussianBlur((0.5, 2)), "Elastic": ik.Elastic(3, 6)}


def told(stage):
    """Return a stage's numbers of its one sample, as plain lists."""
    if isinstance(stage, stages.Resample):
        return [
            (h.name, h.kind, h.in_size, h.out_size, h.border, h.fill,
             None if h.matrix is None else list(matrices.entries(h.matrix[0])),
             None if h.window is None else [float(v) for v in h.window[0]])
            for h in stage.geometric_steps
        ]  # fmt: skip
    if isinstance(stage, stages.Color):
        return np.asarray(stage.steps[0]).tolist()
    if isinstance(stage, stages.Hue):
        return float(stage.shift[0])
    if isinstance(stage, stages.Curve):
        return stage.names, list(stage.parameters[0]), [bool(v) for v in stage.active[0]]
    return stage.kind


def both(aug, index):
    plan = aug.plan(SIZE, (3, index))
    mine = aug._planner.single.sample_plan(3, index, SIZE)
    return [told(s) for s in mine], [told(s) for s in plan.stages]


@pytest.mark.parametrize("name", OPS)
def test_each_op_alone_has_the_numbers_of_its_plan(name):
    aug = ik.Pipeline([OPS[name]], seed=5)
    for index in (0, 1, 2, 3, 2**40, 2**64 - 1):
        mine, plans = both(aug, index)
        assert mine == plans
    assert aug._planner.single.scalar == {0}


@settings(deadline=None, max_examples=60)
@given(
    names=st.lists(st.sampled_from(sorted(OPS | NOT_PLAIN)), min_size=1, max_size=5),
    seed=st.integers(0, 2**64 - 1),
    index=st.integers(0, 2**64 - 1),
)
def test_any_list_alone_has_the_numbers_of_its_plan(names, seed, index):
    crops = ("RandomCrop", "CenterCrop")
    ops = [(OPS | NOT_PLAIN)[n] for n in names if n not in crops]
    aug = ik.Pipeline([ik.Resize(SIZE), *ops], seed=seed)
    mine, plans = both(aug, index)
    assert mine == plans


def test_an_image_alone_is_the_image_of_a_batch():
    x = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)
    aug = ik.Pipeline(
        [OPS["RandomResizedCrop"], OPS["Affine"], ik.OneOf([OPS["Hue"], OPS["Gamma"]]),
         NOT_PLAIN["GaussianBlur"], OPS["ColorJitter"], ik.Normalize("imagenet"), ik.ToCHW()],
        seed=1,
    )  # fmt: skip
    together = aug(x, key=(0, [7, 8]))
    assert np.array_equal(together[0], aug(x[0], key=(0, 7)))
    assert np.array_equal(together[1], aug(x[1], key=(0, 8)))


def test_every_form_of_a_key_gives_the_same_image():
    x = np.random.default_rng(0).integers(0, 256, (9, 8, 3), np.uint8)
    aug = ik.Pipeline([OPS["Affine"], OPS["ColorJitter"]], seed=1)
    forms = [(3, np.int64(5)), (np.uint32(3), 5), (3, [5]), (3, np.array(5))]
    for key in forms:
        assert np.array_equal(aug(x, key=key), aug(x, key=(3, 5)))
    top = 2**32 - 1, 2**64 - 1
    assert np.array_equal(aug(x, key=top), aug(x, key=(top[0], [top[1]])))


@pytest.mark.parametrize("key", [(True, 1), (0, True), (-1, 0), (0, -1), (2**32, 0), (0, 2**64)])
def test_a_key_of_one_image_is_checked_as_that_of_a_batch(key):
    aug, x = ik.Pipeline([ik.HorizontalFlip()], seed=1), np.zeros((4, 4, 3), np.uint8)
    with pytest.raises((TypeError, ValueError)) as alone:
        aug(x, key=key)
    with pytest.raises(type(alone.value)) as checked:
        aug.keys(key, None)
    assert str(alone.value) == str(checked.value)


def test_a_transform_tells_itself_where_it_happens():
    class Never(ik.HorizontalFlip):
        def happens(self, stage_index, numbers):
            return False & numbers["active"]

    x = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert np.array_equal(Never()(x, key=0), x)


@pytest.mark.parametrize("name", ["HorizontalFlip", "VerticalFlip", "Rotate90", "Transpose"])
def test_one_move_of_the_whole_canvas_resolves_as_a_run_of_moves_does(name):
    op = dataclasses.replace(OPS[name], p=1.0)
    (stage,) = ik.Pipeline([op], seed=1).plan((6, 6), (0, 2)).stages
    alone = geometry.resolve(stage.geometric_steps, 0)
    fifth = geometry.resolve(stage.geometric_steps * 5, 0)  # each repeats after four at most
    assert np.array_equal(alone.matrix, fifth.matrix)
    assert (alone.kind, alone.window, alone.pad) == (fifth.kind, fifth.window, fifth.pad)
    assert alone.out_size == fifth.out_size


def test_an_op_beside_one_that_is_not_plain_is_not_plain_either():
    aug = ik.Pipeline([ik.Rotate(5), ik.Elastic(3, 6), ik.Brightness(0.5)])
    assert aug._planner.single.scalar == {2}


def test_steps_multiply_alike():
    rng = np.random.default_rng(0)
    for _ in range(50):
        steps = rng.uniform(-0.2, 0.5, (1, 4, 3, 7))
        assert color_steps.merge(steps[0].tolist()) == merge_batch(steps)[0].tolist()


def test_matrices_of_a_sample_and_of_a_stack_agree_to_the_bit():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(2, 20, 3, 3))
    products, inverses = matrices.products(second, first), matrices.inverses(first)
    assert np.allclose(products, second @ first)
    assert np.allclose(inverses, np.linalg.inv(first))
    for a, b, product, inverse in zip(second, first, products, inverses, strict=True):
        a, b = matrices.entries(a), matrices.entries(b)
        assert matrices.product(a, b) == matrices.entries(product)
        assert matrices.inverse(b) == matrices.entries(inverse)


def test_sums_add_from_the_left_as_arrays_do(monkeypatch):
    monkeypatch.setattr(color_steps, "sum", math.fsum, raising=False)  # as exact as 3.12's, or more
    aug = ik.Pipeline([ik.Hue(0.1)] * 10, seed=1)
    mine, plans = both(aug, 0)
    assert mine == plans
    assert mine != [1.0]  # 1 ulp below
    together = aug.plan(SIZE, (3, [0, 1]))
    assert together.stages[0].shift.tolist() == [*plans, *plans]
    row = [1.0, 1e100, 1.0, -1e100]
    assert color_steps.add_up(row) == np.array(row).sum() != math.fsum(row)


def test_what_plans_share_is_not_to_be_written():
    aug = ik.Pipeline([ik.Elastic(0, 6)], seed=1)
    still = displacement(aug.plan(SIZE, 0).stages[0].geometric_steps[0].field, 0, SIZE)
    for shared in (still, slots.NEVER, geometry.IDENTITY, stages.IDENTITY_STEP):
        assert not shared.flags.writeable
    (rows,) = color_steps.merge([])
    assert isinstance(rows, tuple)
    assert all(isinstance(row, tuple) for row in rows)
