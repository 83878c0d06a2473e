"""Declared parameters: what they refuse, what they draw, and from what alone the draw follows."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imgkit as ik
from imgkit.registry import TRANSFORMS

SIZE = (64, 80)
MANY = np.arange(10_000)
OUTPUT = ("Normalize", "ToFloat", "ToCHW")


def example(name, **changes):
    return getattr(ik, name)(**{**TRANSFORMS[name].example, **changes})


def numbers(ops, key, seed=0, size=SIZE):
    """What each op of a list drew: a list of dicts without the names."""
    ops = ops if isinstance(ops, list) else [ops]
    records = ik.Pipeline(ops, seed).plan(size, key).ops
    return [{k: v for k, v in r.items() if k not in ("op", "occurrence")} for r in records]


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


# --- declarations -----------------------------------------------------------------------


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_are_frozen_hashable_and_equal(name):
    one, two = example(name), example(name)
    assert one == two
    assert hash(one) == hash(two)
    assert one.name == name
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.p = 0.5
    if name not in OUTPUT:
        assert dataclasses.replace(one, p=0.5) != one


def test_choice():
    choice = ik.Choice([3, 1])
    assert choice.options == (3, 1)
    assert choice == ik.Choice((3, 1))
    assert hash(choice) == hash(ik.Choice([3, 1]))
    for wrong in ([], 3, "ab"):
        with pytest.raises(ValueError, match="Choice takes a list of at least one value"):
            ik.Choice(wrong)


def test_values_are_held_in_one_form():
    assert ik.Rotate(15).degrees == 15.0
    assert ik.Rotate([-15, 15]) == ik.Rotate((-15, 15))
    assert ik.Resize(24).size == (24, 24)
    assert ik.Pad((1, 2)).padding == (1, 1, 2, 2)
    assert ik.Rotate(1, fill=0.5).fill == (0.5,)
    assert ik.ColorJitter(0.2).brightness == (0.8, 1.2)
    assert ik.ColorJitter(1.5).brightness == (0.0, 2.5)
    assert ik.SomeOf([ik.Invert()], 1).count == (1, 1)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ik.Rotate(), TypeError, "degrees"),
        (lambda: ik.Rotate("15"), TypeError, "degrees is '15': it must be a number"),
        (lambda: ik.Rotate(True), TypeError, "degrees is True"),
        (lambda: ik.Rotate((15, -15)), ValueError, "degrees is .*: the first must not exceed"),
        (lambda: ik.Rotate((1, 2, 3)), ValueError,
         r"degrees is \(1, 2, 3\): it takes a number, a pair"),
        (lambda: ik.Rotate(float("nan")), ValueError, "degrees is nan"),
        (lambda: ik.Rotate((0, float("inf"))), ValueError, r"degrees\[1\] is inf"),
        (lambda: ik.Rotate(1, p=1.5), ValueError, "p is 1.5: it must be at least 0 and at most 1"),
        (lambda: ik.Rotate(1, border="mirror"), ValueError, "border is 'mirror'"),
        (lambda: ik.Rotate(1, interpolation="linear"), ValueError, "did you mean 'bilinear'"),
        (lambda: ik.Rotate(1, antialias=1), TypeError, "antialias is 1: it must be true or false"),
        (lambda: ik.Rotate(1, fill=2), ValueError,
         r"fill\[0\] is 2: it must be at least 0 and at most 1"),
        (lambda: ik.Rotate(1, fill=[]), ValueError, "fill is"),
        (lambda: ik.Scale(0), ValueError, "factor is 0: it must be greater than 0"),
        (lambda: ik.Scale(ik.Choice([1, -1])), ValueError, r"factor.options\[1\] is -1"),
        (lambda: ik.Shear(90), ValueError, "x is 90: it must be at least -89 and at most 89"),
        (lambda: ik.Rotate90(4), ValueError, "k is 4"),
        (lambda: ik.Rotate90(1.5), TypeError, "k is 1.5: it must be an integer"),
        (lambda: ik.BoxBlur(4), ValueError, "size is 4: it must be odd, such as 5"),
        (lambda: ik.MedianBlur((3, 6)), ValueError, r"size\[1\] is 6: it must be odd"),
        (lambda: ik.Resize((1, 2, 3)), ValueError, "a size is \\(height, width\\) or one integer"),
        (lambda: ik.Resize(0), ValueError, "size is 0"),
        (lambda: ik.Resize((3, 4), edge="shorter"), ValueError,
         "the shorter edge takes one integer"),
        (lambda: ik.RandomResizedCrop(9, scale=(1, 0.5)), ValueError, "scale is"),
        (lambda: ik.RandomResizedCrop(9, scale=0.5), ValueError, "it must be a pair"),
        (lambda: ik.Pad((1, 2, 3)), ValueError, "padding is"),
        (lambda: ik.ColorJitter(hue=0.6), ValueError, "hue is 0.6"),
        (lambda: ik.ColorJitter((-0.5, 1)), ValueError, "brightness is"),
        (lambda: ik.Posterize(9), ValueError, "bits is 9"),
        (lambda: ik.GaussianNoise(-1), ValueError, "std is -1"),
        (lambda: ik.Normalize("imagnet"), ValueError, "did you mean 'imagenet'"),
        (lambda: ik.Normalize(0.5), ValueError, "std is None"),
        (lambda: ik.Normalize("imagenet", 0.5), ValueError, "the preset 'imagenet' brings its own"),
        (lambda: ik.Normalize(0.5, 0), ValueError, r"std\[0\] is 0"),
        (lambda: ik.OneOf([]), ValueError, "ops is"),
        (lambda: ik.OneOf([3]), TypeError, r"ops\[0\] is 3: it must be a transform"),
        (lambda: ik.OneOf([ik.ToFloat()]), ValueError, "output ops stand at the pipeline's end"),
        (lambda: ik.OneOf([ik.Invert()], [1, 2]), ValueError, "weights has 2 entries for 1 ops"),
        (lambda: ik.SomeOf([ik.Invert()], 2), ValueError, "count is .* at most 1"),
        (lambda: ik.SomeOf([ik.Invert()], (1, 0)), ValueError, "count is"),
        (lambda: ik.SomeOf([ik.Invert()], (0, 1, 1)), ValueError, "count is"),
        (lambda: ik.Pipeline(ik.Invert()), TypeError, "it takes a list of transforms"),
        (lambda: ik.Pipeline([ik.Invert]), TypeError, r"ops\[0\] is"),
        (lambda: ik.Pipeline([], seed=-1), ValueError, "seed is -1"),
    ],
)  # fmt: skip
def test_wrong_parameters_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


# --- draws ------------------------------------------------------------------------------

PAIRS = [
    (ik.Rotate((-15, 40)), "degrees", -15, 40),
    (ik.Translate((-0.1, 0.3)), "x", -0.1, 0.3),
    (ik.Scale((0.5, 2)), "factor", 0.5, 2),
    (ik.Affine(shear=(-3, 5)), "shear", -3, 5),
    (ik.ColorJitter(0.4), "brightness", 0.6, 1.4),
    (ik.ColorJitter(hue=(-0.1, 0.3)), "hue", -0.1, 0.3),
    (ik.GaussianNoise((0.01, 0.2)), "std", 0.01, 0.2),
    (ik.Gamma((0.5, 0.7)), "gamma", 0.5, 0.7),
    (ik.Elastic((1, 4)), "alpha", 1, 4),
]


@pytest.mark.parametrize(
    ("op", "name", "low", "high"), PAIRS, ids=lambda v: getattr(v, "name", None)
)
def test_a_pair_is_uniform_between_its_ends(op, name, low, high):
    (drawn,) = numbers(op, (1, MANY))
    values = drawn[name]
    assert values.min() >= low
    assert values.max() <= high
    shares, _ = np.histogram(values, 10, (low, high))
    assert abs(shares - 1000).max() < 150  # five deviations of a count of 1,000 in 10,000


@pytest.mark.parametrize(
    ("op", "name", "expected"),
    [
        (ik.Rotate90((-1, 2)), "k", {-1, 0, 1, 2}),
        (ik.Posterize((3, 6)), "bits", {3, 4, 5, 6}),
        (ik.BoxBlur((3, 7)), "size", {3, 5, 7}),
        (ik.JpegCompression((40, 42)), "quality", {40, 41, 42}),
        (ik.Rotate90(ik.Choice([0, 3])), "k", {0, 3}),
        (ik.Rotate(ik.Choice([-1.5, 2, 9])), "degrees", {-1.5, 2.0, 9.0}),
        (ik.Rotate(7), "degrees", {7.0}),
    ],
)
def test_integers_and_choices_are_each_as_likely(op, name, expected):
    (drawn,) = numbers(op, (1, MANY))
    values, counts = np.unique(drawn[name], return_counts=True)
    assert set(values.tolist()) == expected
    share = 10_000 / len(expected)
    assert abs(counts - share).max() < 5 * share**0.5


def test_crops_lie_on_the_image():
    (drawn,) = numbers(ik.RandomResizedCrop(16), (0, MANY))
    assert drawn["top"].min() == 0
    assert drawn["left"].min() == 0
    assert (drawn["top"] + drawn["height"]).max() == SIZE[0]
    assert (drawn["left"] + drawn["width"]).max() == SIZE[1]
    area = drawn["height"] * drawn["width"] / (SIZE[0] * SIZE[1])
    assert area.min() > 0.07  # 0.08, and the rounding of sides
    shape = drawn["width"] / drawn["height"]
    assert shape.min() > 0.75 / 1.06
    assert shape.max() < 1.34 * 1.06
    (drawn,) = numbers(ik.RandomCrop(60, padding=2), (0, MANY))
    assert set(np.unique(drawn["top"])) == set(range(-2, 7))
    assert set(np.unique(drawn["left"])) == set(range(-2, 23))


def test_one_of_follows_its_weights():
    (control, first, second) = numbers(
        ik.OneOf([ik.Invert(), ik.HorizontalFlip()], weights=[1, 3], p=0.5), (0, MANY)
    )
    assert abs(control["active"].mean() - 0.5) < 0.025
    assert abs(first["active"].mean() - 0.125) < 0.017
    assert abs(second["active"].mean() - 0.375) < 0.025
    assert not (first["active"] & second["active"]).any()


def test_some_of_does_as_many_as_it_draws():
    drawn = numbers(ik.SomeOf([ik.Invert(), ik.HorizontalFlip(), ik.Gamma(2)], (1, 2)), (0, MANY))
    done = sum(child["active"].astype(int) for child in drawn[1:])
    assert set(np.unique(done)) == {1, 2}
    for child in drawn[1:]:
        assert abs(child["active"].mean() - 0.5) < 0.025  # (1 + 2) / 2 of three


# --- the key law ------------------------------------------------------------------------


@pytest.mark.parametrize("name", TRANSFORMS)
def test_samples_together_draw_what_they_draw_alone(name):
    ops = [example(name)] if name in OUTPUT else [example(name, p=0.7)]
    aug = ik.Pipeline(ops, seed=3)
    together = aug.plan(SIZE, (2, [3, 5, 2**40]))
    for place, index in enumerate((3, 5, 2**40)):
        alone = aug.plan(SIZE, (2, index))
        for record, own in zip(together.ops, alone.ops, strict=True):
            assert record["active"][place] == own["active"][0]
            if own["active"][0]:  # what does not happen need not be drawn
                assert record.keys() == own.keys()
                for key in record.keys() - {"op", "occurrence"}:
                    assert np.array_equal(record[key][place], own[key][0]), key


@pytest.mark.parametrize("key", [(0, 4), (1, 3), (0, 3 + 2**32)])
def test_another_key_or_seed_draws_other_numbers(key):
    (one,) = numbers(ik.Rotate((0, 1)), (0, 3))
    (other,) = numbers(ik.Rotate((0, 1)), key)
    assert one["degrees"] != other["degrees"]
    (seeded,) = numbers(ik.Rotate((0, 1)), (0, 3), seed=1)
    assert one["degrees"] != seeded["degrees"]


@given(p=st.floats(0, 1), others=st.lists(st.floats(0, 1), max_size=3))
@settings(deadline=None, max_examples=30)
def test_p_changes_no_other_number(p, others):
    jitter, crop = ik.ColorJitter(0.4, hue=0.1, p=0.5), ik.RandomResizedCrop(16)
    indices = (0, [1, 2, 3, 4])
    plain = numbers([crop, jitter], indices)
    more = numbers(
        [ik.Rotate((-9, 9), p=p), crop, *(ik.GaussianNoise((0, 1), p=q) for q in others), jitter],
        indices,
    )
    assert same(more[1], plain[0])
    assert same(more[-1], plain[1])


def test_p_changes_only_which_samples_happen():
    (always,) = numbers(ik.Rotate((-9, 9), p=1), (0, MANY))
    (never,) = numbers(ik.Rotate((-9, 9), p=0), (0, MANY))
    (often,) = numbers(ik.Rotate((-9, 9), p=0.75), (0, MANY))
    assert always["active"].all()
    assert not never["active"].any()
    assert abs(often["active"].mean() - 0.75) < 0.025
    assert np.array_equal(often["degrees"], always["degrees"])


def test_ops_of_one_name_are_numbered():
    records = (
        ik.Pipeline(
            [ik.Rotate((0, 1)), ik.OneOf([ik.Rotate((0, 1)), ik.Invert()]), ik.Rotate((0, 1))],
            seed=1,
        )
        .plan(SIZE, (0, MANY[:50]))
        .ops
    )
    rotations = [r for r in records if r["op"] == "Rotate"]
    assert [r["occurrence"] for r in rotations] == [0, 1, 2]
    assert not np.array_equal(rotations[0]["degrees"], rotations[1]["degrees"])
    assert not np.array_equal(rotations[0]["degrees"], rotations[2]["degrees"])
    alone = numbers(ik.Rotate((0, 1)), (0, MANY[:50]), seed=1)[0]
    assert np.array_equal(rotations[0]["degrees"], alone["degrees"])


def test_shorter_and_longer_edges():
    for edge, expected in (("shorter", (40, 57)), ("longer", (28, 40))):
        plan = ik.Pipeline([ik.Resize(40, edge=edge)]).plan((70, 100), 0)
        assert plan.out_size == expected
    aug = ik.Pipeline([ik.Rotate90(), ik.Resize(40, edge="shorter")], seed=0)
    assert {aug(np.zeros((70, 100, 3), np.uint8), key=k).shape for k in range(9)} == {
        (40, 57, 3),
        (57, 40, 3),
    }


def test_an_offset_of_brightness_saturates_and_never_wraps():
    x = np.arange(256, dtype=np.uint8).reshape(16, 16)
    brighter = ik.Pipeline([ik.Brightness(1, 100 / 255)])(x)
    assert brighter.ravel().tolist() == [min(value + 100, 255) for value in range(256)]
    darker = ik.Pipeline([ik.Brightness(0.5, -20 / 255)])(x)
    assert darker[0, ::8].tolist() == [0, 0]
    assert darker[-1, -2:].tolist() == [107, 108]  # 127 - 20 and 127.5 - 20, half to even


def test_an_offset_of_brightness_changes_no_factor():
    alone, both = ik.Brightness((0.5, 1.5)), ik.Brightness((0.5, 1.5), (-0.5, 0.5))
    first, second = numbers(alone, (0, 3))[0], numbers(both, (0, 3))[0]
    assert np.array_equal(first["factor"], second["factor"])
    assert first["offset"] == 0
    assert -0.5 <= second["offset"] <= 0.5
    assert second["offset"] != 0


def test_an_offset_of_brightness_stays_within_the_range():
    with pytest.raises(ValueError, match="offset is 100"):
        ik.Brightness(1, 100)
