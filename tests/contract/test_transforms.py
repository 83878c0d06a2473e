"""Laws that every registered transform keeps; a new op is tested by its line alone."""

import dataclasses
import functools
import inspect
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imgkit as ik
from imgkit.image import DTYPES, full_range, saturate
from imgkit.registry import TRANSFORMS

# By how many levels of uint8 a call may differ from the float64 oracle, where it is not 1.
# CLAHE rounds its luma to a level before a curve, whose slope reaches 8 on tiles of 20 pixels.
LEVELS = {"CLAHE": 8}
FLOAT_TOLERANCE = 1e-4  # of the full range: float32 sums of up to a few hundred products


def image(dtype="uint8", shape=(33, 40, 3), seed=0):
    """Return what photographs have: slopes, and some grain."""
    rng = np.random.default_rng(seed)
    smooth = rng.random(shape).cumsum(axis=0).cumsum(axis=1)
    values = 0.9 * smooth / smooth.max() + 0.1 * rng.random(shape)
    return saturate(values * full_range(dtype), dtype)


def transform(op, **options):
    return getattr(ik, op.name)(**{**op.example, **options})


@functools.cache
def _cached(name, seed):
    return ik.Pipeline([transform(TRANSFORMS[name])], seed=seed)


def pipeline(op, seed=3):
    return _cached(op.name, seed)


def is_colors(op):
    return transform(op).colors or op.name == "Normalize"  # its preset has three means


def draws_something(op):
    """Tell whether the op draws numbers with its example's arguments."""
    plan = pipeline(op).plan((33, 40), (0, range(64)))
    return any(
        len(np.unique(np.asarray(value).reshape(64, -1), axis=0)) > 1
        for record in plan.ops
        for key, value in record.items()
        if key not in ("op", "occurrence")
    )


def numbers(aug, name, key, occurrence=0, size=(33, 40)):
    """Return what an op of a pipeline drew."""
    for record in aug.plan(size, key).ops:
        if (record["op"], record["occurrence"]) == (name, occurrence):
            return {k: v for k, v in record.items() if k not in ("op", "occurrence")}
    raise AssertionError(f"no {name} in {aug.ops}")


def same_numbers(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def each_op(condition=lambda op: True):
    chosen = [op for op in TRANSFORMS.values() if condition(op)]
    return pytest.mark.parametrize("op", chosen, ids=lambda op: op.name)


# --- images -----------------------------------------------------------------------------------


@each_op()
@pytest.mark.parametrize("dtype", DTYPES)
def test_shape_and_dtype_stay_but_for_sizes_and_outputs(op, dtype):
    x, aug = image(dtype), pipeline(op)
    result = aug(x, key=(0, 5))
    if op.name in ("Normalize", "ToFloat"):
        assert result.dtype == ("float64" if dtype == "float64" else "float32")
    else:
        assert result.dtype == dtype
    size = tuple(int(np.max(n)) for n in aug.plan(x.shape[:2], (0, 5)).out_size)
    assert transform(op).changes_size or size == x.shape[:2]
    assert result.shape == ((3, *size) if op.name == "ToCHW" else (*size, 3))


@each_op()
def test_ops_that_say_so_change_the_size_and_no_others(op):
    sizes = pipeline(op).plan((33, 40), (0, range(64))).out_size
    height, width = (np.broadcast_to(side, 64) for side in sizes)
    assert bool(((height != 33) | (width != 40)).any()) == transform(op).changes_size


@each_op()
def test_input_is_never_written_to(op):
    x = image()
    x.flags.writeable = False
    before = x.copy()
    for index in range(4):
        pipeline(op)(x, key=index)
    assert np.array_equal(x, before)


@each_op()
@pytest.mark.parametrize("p", [0.0, 1.0])
def test_result_is_fresh_and_writable(op, p):
    if op.family == "output" and p == 0:
        pytest.skip("an output op that never happens is left out of pipelines")
    x = image()
    result = ik.Pipeline([transform(op, p=p)], seed=3)(x, key=1)
    assert not np.shares_memory(result, x)
    result[...] = 0


@each_op()
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_batch_equals_one_by_one(op, dtype):
    aug, batch = pipeline(op), np.stack([image(dtype, seed=s) for s in range(5)])
    indices = np.array([7, 0, 12, 3, 7])
    result = aug(batch, key=(2, indices))
    for x, index, found in zip(batch, indices, result, strict=True):
        assert np.array_equal(found, aug(x, key=(2, int(index))))


@each_op()
def test_ragged_list_equals_one_by_one(op):
    aug = pipeline(op)
    images = [image(shape=(33, 40, 3)), image(shape=(27, 29, 3), seed=1)]
    results = aug(images, key=(0, [4, 9]))
    assert isinstance(results, list)
    for x, index, found in zip(images, (4, 9), results, strict=True):
        assert np.array_equal(found, aug(x, key=(0, index)))


@each_op()
@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_empty_batch_keeps_the_law_of_shapes(op, dtype):
    x = image(dtype, (40, 40, 3))[None]  # square: quarter turns keep it
    one = pipeline(op)(x, key=(0, [0]))
    none = pipeline(op)(x[:0], key=(0, []))
    assert none.shape == (0, *one.shape[1:])
    assert none.dtype == one.dtype


@each_op()
@pytest.mark.parametrize("dtype", DTYPES)
def test_one_pixel(op, dtype):
    x = image(dtype, (1, 1, 3))
    for key in range(3):
        result = pipeline(op)(x, key=key)
        assert np.isfinite(result.astype(np.float64)).all()
        assert transform(op).changes_size or result.size == x.size


@each_op()
@pytest.mark.parametrize("shape", [(1, 37, 3), (41, 1, 3), (2, 3, 3)], ids=str)
def test_images_thinner_than_any_kernel(op, shape):
    x = image(shape=shape)
    assert transform(op).changes_size or pipeline(op)(x, key=1).size == x.size


@each_op()
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_gray_without_and_with_a_channel_axis(op, dtype):
    aug = ik.Pipeline([ik.Normalize(0.5, 0.25)]) if op.name == "Normalize" else pipeline(op)
    flat = image(dtype, (33, 40))
    plain, with_axis = aug(flat, key=3), aug(flat[..., None], key=3)
    if op.name == "ToCHW":
        assert with_axis.shape == (1, 33, 40)
        assert np.array_equal(plain, with_axis[0])
    else:
        assert plain.ndim == 2
        assert np.array_equal(plain[..., None], with_axis)


@each_op(lambda op: not is_colors(op))
@pytest.mark.parametrize("channels", [2, 5, 130])
def test_any_number_of_channels(op, channels):
    """Whatever moves or maps pixels does to each channel what it does to the channel alone."""
    x = image(shape=(17, 19, channels))
    result = pipeline(op)(x, key=1)
    if op.name == "ToCHW":
        result = result.transpose(1, 2, 0)
    assert result.shape[2] == channels
    if op.name == "GaussianNoise":
        return  # its numbers run on from channel to channel
    for c in {0, 1, channels - 1}:
        alone = pipeline(op)(x[..., c], key=1)
        difference = np.abs(alone.astype(float) - result[..., c].astype(float)).max()
        # OpenCV rounds ties of its vector and scalar loops differently, which curves leave alone
        assert difference <= 1


@each_op(is_colors)
def test_color_ops_refuse_other_channels(op):
    with pytest.raises(ValueError, match=f"image has 5 channels: {op.name}"):
        pipeline(op)(image(shape=(8, 8, 5)), key=0)


@each_op()
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[::-1, ::-1],
        lambda x: x[::2, 1::2],
        lambda x: np.asfortranarray(x),
        lambda x: x[..., ::-1],
        lambda x: x.transpose(1, 0, 2),
    ],
    ids=["negative-stride", "strided", "fortran", "bgr-view", "transposed"],
)
def test_memory_layout_does_not_matter(op, dtype, view):
    x = view(image(dtype, (34, 40, 3)))
    found = pipeline(op)(x, key=2)
    assert np.array_equal(found, pipeline(op)(np.ascontiguousarray(x), key=2))


# --- the oracle -------------------------------------------------------------------------------


def assert_close(found, expected, name, x_dtype):
    """1 level of an integer dtype, 1e-4 of full range in floats."""
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    worst = float(np.abs(found.astype(np.float64) - expected.astype(np.float64)).max(initial=0))
    if found.dtype.kind == "u":
        steep = name in LEVELS and x_dtype != "uint8"  # of 8 bits the luma is the same integer
        assert worst <= (LEVELS[name] * full_range(x_dtype) / 255 if steep else 1)
    else:
        levels = LEVELS.get(name, 0) / 255
        scale = max(1.0, float(np.abs(expected).max(initial=0)))  # normalized values reach 2.6
        assert worst <= max(FLOAT_TOLERANCE * scale, levels)


@each_op()
@pytest.mark.parametrize("dtype", DTYPES)
def test_agrees_with_the_reference(op, dtype):
    x = image(dtype)
    for key in ((0, 1), (4, 2)):
        found, expected = pipeline(op)(x, key=key), pipeline(op).reference(x, key)
        if op.family == "policy":  # its curves enlarge a level: see below
            level = full_range(dtype) / 255
            assert (np.abs(found.astype(float) - expected) > 1.01 * level).mean() < 0.01
        else:
            assert_close(found, expected, op.name, dtype)


@each_op(lambda op: op.family != "output" and op.name not in LEVELS)
def test_agrees_with_the_reference_before_a_normalization(op):
    """What leaves as floats was rounded nowhere, or where the oracle rounds too."""
    x = image()
    aug = ik.Pipeline([transform(op), ik.Normalize("imagenet"), ik.ToCHW()], seed=3)
    found, expected = aug(x, key=(1, 6)), aug.reference(x, (1, 6))
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    apart = np.abs(found - expected) * 0.224 * 255  # in levels, at most
    if op.family == "policy":  # its curves enlarge a level: see below
        assert (apart > 1.01).mean() < 0.01
    elif op.family == "filters":
        # a filter gives whole levels; a tie between two is rounded either way by float sums
        assert apart.max() <= 1.01
        assert (apart > 0.02).mean() < 0.01
    else:
        assert apart.max() <= 255 * FLOAT_TOLERANCE


QUANTIZING = {
    "Posterize": {"bits": 3},
    "Solarize": {"threshold": 0.5},
    "Equalize": {},
    "AutoContrast": {},
    "Gamma": {"gamma": 0.4},
}


@pytest.mark.parametrize("name", QUANTIZING)
@pytest.mark.parametrize("first", [ik.Rotate(17), ik.GaussianBlur(1.3), ik.Brightness(1.21)])
def test_a_curve_enlarges_a_level_in_few_pixels_only(name, first):
    """A value on the edge between two levels may be rounded either way: a jump of a curve there

    makes one level many. Bounded by counting: under 1 % of the values, of one rounding's edge.
    """
    x = image(shape=(61, 67, 3))
    aug = ik.Pipeline([first, getattr(ik, name)(**QUANTIZING[name])], seed=0)
    before = ik.Pipeline([first], seed=0)
    apart = aug(x, key=0).astype(int) - aug.reference(x, 0)
    edge = before(x, key=0).astype(int) - before.reference(x, 0)
    assert np.abs(edge).max() <= 1
    assert (np.abs(apart) > 1).mean() < 0.01
    if name not in ("Equalize", "AutoContrast"):  # these read the whole image
        assert not apart[edge == 0].any()


# --- keys -------------------------------------------------------------------------------------


@each_op(lambda op: op.family != "output")
def test_numbers_depend_on_no_other_op(op):
    """Not on ops before or after, and not on whether those happen."""
    other = "VerticalFlip" if op.name != "VerticalFlip" else "HorizontalFlip"
    alone = numbers(pipeline(op), op.name, (1, range(9)))
    for ops in (
        [getattr(ik, other)(p=0), transform(op)],
        [getattr(ik, other)(p=0.5), transform(op)],
        [getattr(ik, other)(p=1), transform(op), ik.Rotate90((0, 3), p=0.5)],
        [ik.OneOf([ik.Invert(), getattr(ik, other)()], p=0.7), transform(op)],
    ):
        if op.name == "Invert" and ops[0].name == "OneOf":
            continue  # the second Invert is an occurrence of its own
        aug = ik.Pipeline(ops, seed=3)
        assert same_numbers(numbers(aug, op.name, (1, range(9))), alone)


@each_op()
def test_numbers_depend_on_no_other_sample_and_no_call_before(op):
    aug = pipeline(op)
    together = numbers(aug, op.name, (1, [5, 900, 2**63]))
    for place, index in ((2, 2**63), (0, 5), (1, 900)):
        alone = numbers(aug, op.name, (1, index))
        assert all(np.array_equal(together[k][place], alone[k][0]) for k in alone)
    fresh = ik.Pipeline([transform(op)], seed=3)
    assert same_numbers(numbers(fresh, op.name, (1, [5, 900, 2**63])), together)


@each_op(draws_something)
def test_epoch_seed_index_and_occurrence_all_change_the_numbers(op):
    one = numbers(pipeline(op), op.name, (0, range(64)))
    assert not same_numbers(one, numbers(pipeline(op), op.name, (1, range(64))))
    assert not same_numbers(one, numbers(pipeline(op, seed=4), op.name, (0, range(64))))
    assert not same_numbers(one, numbers(pipeline(op), op.name, (0, range(64, 128))))
    if not transform(op).changes_size:  # a second crop finds another size
        twice = ik.Pipeline([transform(op), transform(op)], seed=3)
        assert same_numbers(one, numbers(twice, op.name, (0, range(64))))
        assert not same_numbers(one, numbers(twice, op.name, (0, range(64)), occurrence=1))


@each_op(lambda op: op.family != "output")
def test_p_says_how_often(op):
    x, p = image(), 0.4
    aug = ik.Pipeline([transform(op, p=p)], seed=11)
    active = numbers(aug, op.name, (0, range(2000)))["active"]
    assert abs(active.mean() - p) < 0.05  # 4.5 deviations of 2000 draws
    index = int(np.flatnonzero(~active)[0])
    assert np.array_equal(aug(x, key=(0, index)), x)
    assert np.array_equal(ik.Pipeline([transform(op, p=0)], seed=11)(x, key=0), x)


@each_op(lambda op: op.family != "output")
def test_a_sample_that_is_spared_changes_no_other(op):
    aug = ik.Pipeline([transform(op, p=0.5)], seed=2)
    x = image(shape=(40, 40, 3))
    batch = aug([x] * 8, key=(0, range(8)))
    stacked = aug(np.stack([x] * 8), key=(0, range(8)))
    for index, found in enumerate(batch):
        assert np.array_equal(found, aug(x, key=(0, index)))
        assert np.array_equal(found, stacked[index])


@each_op(lambda op: op.family != "output")
def test_chosen_by_control_ops(op):
    """A choice does what the op alone would, with the same numbers, or nothing of it."""
    x, other = image(shape=(40, 40, 3)), ik.Brightness(0.5)
    if op.name == "Brightness":
        other = ik.Invert()
    for control in (ik.OneOf([transform(op), other]), ik.SomeOf([transform(op), other], 1)):
        aug = ik.Pipeline([control], seed=3)
        chosen = numbers(aug, op.name, (0, range(6)))["active"]
        for index in range(6):
            alone = pipeline(op) if chosen[index] else ik.Pipeline([other], seed=3)
            assert np.array_equal(aug(x, key=(0, index)), alone(x, key=(0, index)))


# --- round trips ------------------------------------------------------------------------------


@each_op()
def test_plan_goes_through_json_and_pickle_exactly(op):
    aug, x = pipeline(op), image()
    plan = aug.plan((33, 40), (3, [1, 2**64 - 1, 17]))
    for back in (ik.Plan.from_json(plan.to_json()), pickle.loads(pickle.dumps(plan))):
        assert back == plan
        assert hash(back) == hash(plan)
        assert str(back) == str(plan)
        for sample in range(3):
            assert np.array_equal(aug.run(back, sample, x), aug.run(plan, sample, x))
    assert [stage["kind"] for stage in plan.to_dict()["stages"]]
    assert plan.to_dict()["ops"][0]["op"] == op.name


@each_op(draws_something)
def test_plans_of_other_keys_are_not_equal(op):
    plans = [pipeline(op).plan((33, 40), (epoch, range(64))) for epoch in (0, 1)]
    assert plans[0] != plans[1]


@each_op()
def test_pipeline_pickles_compares_and_repeats(op):
    aug, x = pipeline(op), image()
    back = pickle.loads(pickle.dumps(aug))
    assert back == aug
    assert hash(back) == hash(aug)
    assert np.array_equal(back(x, key=(1, 2)), aug(x, key=(1, 2)))
    assert transform(op) == transform(op)
    assert op.name in repr(aug)


@each_op()
def test_pipeline_goes_through_yaml_and_json(op):
    aug = pipeline(op)
    assert ik.Pipeline.from_yaml(aug.to_yaml()) == aug
    assert ik.Pipeline.from_json(aug.to_json()) == aug


# --- declarations -----------------------------------------------------------------------------


@each_op()
def test_declaration_is_frozen_documented_and_checks_p(op):
    made = transform(op)
    assert inspect.getdoc(type(made))
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.p = 0.5
    with pytest.raises(ValueError, match=r"p is 1\.5: it must be at least 0 and at most 1"):
        transform(op, p=1.5)
    with pytest.raises(TypeError, match="p is 'often': it must be a number"):
        transform(op, p="often")


@each_op()
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([[1, 2], [3, 4]], "is a list"),
        (np.zeros((4, 4), np.int32), "has dtype int32"),
        (np.zeros((4, 4), bool), r"astype\(np.uint8\)"),
        (np.zeros((0, 4), np.uint8), "height and width must be at least 1"),
        (np.zeros((4, 4, 513), np.uint8), "1 to 512 channels"),
    ],
    ids=["list", "int32", "bool", "empty", "513-channels"],
)
def test_bad_images_are_refused_by_name_value_and_rule(op, bad, message):
    with pytest.raises((TypeError, ValueError), match=message):
        pipeline(op)(bad, key=0 if not isinstance(bad, list) else (0, [0, 1]))


# --- exact moves ------------------------------------------------------------------------------

images = st.builds(
    lambda height, width, channels, dtype, seed: image(dtype, (height, width, channels), seed),
    st.integers(1, 23), st.integers(1, 23), st.sampled_from([1, 3, 4, 6]),
    st.sampled_from(DTYPES), st.integers(0, 99),
)  # fmt: skip
exactly = settings(deadline=None, max_examples=40)


def run(x, *ops):
    return ik.Pipeline(list(ops))(x, key=0)


@exactly
@given(x=images)
def test_flips_and_turns_are_numpy_slices(x):
    assert np.array_equal(run(x, ik.HorizontalFlip()), x[:, ::-1])
    assert np.array_equal(run(x, ik.VerticalFlip()), x[::-1])
    assert np.array_equal(run(x, ik.Transpose()), x.swapaxes(0, 1))
    for k in range(-3, 4):
        assert np.array_equal(run(x, ik.Rotate90(k)), np.rot90(x, k))


@exactly
@given(x=images, data=st.data())
def test_crops_and_pads_are_numpy_slices(x, data):
    height, width = x.shape[:2]
    tall, wide = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    top, left = round((height - tall) / 2), round((width - wide) / 2)
    found = run(x, ik.CenterCrop((tall, wide)))
    assert np.array_equal(found, x[top : top + tall, left : left + wide])
    aug = ik.Pipeline([ik.RandomCrop((tall, wide))], seed=5)
    box = numbers(aug, "RandomCrop", (0, 3), size=(height, width))
    top, left = int(box["top"][0]), int(box["left"][0])
    assert np.array_equal(aug(x, key=(0, 3)), x[top : top + tall, left : left + wide])
    sides = data.draw(st.tuples(*[st.integers(0, 9)] * 4))
    spans = ((sides[0], sides[1]), (sides[2], sides[3]), (0, 0))
    fill = np.rint(0.25 * full_range(x.dtype)) if x.dtype.kind == "u" else 0.25
    padded = np.pad(x, spans, constant_values=fill)
    assert np.array_equal(run(x, ik.Pad(sides, fill=0.25)), padded)
    for border in ("edge", "reflect", "symmetric", "wrap"):
        if border == "reflect" and min(height, width) == 1:
            continue  # NumPy repeats the only pixel; so does imgkit, by a rule of its own
        padded = np.pad(x, spans, border)
        assert np.array_equal(run(x, ik.Pad(sides, border=border)), padded)


STEPS = {
    "flip": (ik.HorizontalFlip(), lambda x: x[:, ::-1]),
    "flop": (ik.VerticalFlip(), lambda x: x[::-1]),
    "transpose": (ik.Transpose(), lambda x: x.swapaxes(0, 1)),
    "turn": (ik.Rotate90(1), lambda x: np.rot90(x)),
    "back": (ik.Rotate90(-1), lambda x: np.rot90(x, -1)),
    "pad": (ik.Pad((1, 2, 3, 4)), lambda x: np.pad(x, ((1, 2), (3, 4), (0, 0)))),
    "mirror": (ik.Pad((2, 1), border="symmetric"),
               lambda x: np.pad(x, ((2, 2), (1, 1), (0, 0)), "symmetric")),
    "crop": (ik.CenterCrop((3, 5)), lambda x: _middle(x, 3, 5)),
}  # fmt: skip


def _middle(x, height, width):
    """Cut or pad to the middle, as torchvision's CenterCrop."""
    top, left = (int(np.rint((n - m) / 2)) for n, m in zip(x.shape, (height, width), strict=False))
    above, before = max(-top, 0), max(-left, 0)
    x = np.pad(x, ((above, height), (before, width), (0, 0)))
    top, left = top + above, left + before
    return x[top : top + height, left : left + width]


@settings(deadline=None, max_examples=150)
@given(x=images, names=st.lists(st.sampled_from(sorted(STEPS)), min_size=2, max_size=6))
def test_chains_of_moves_are_chains_of_numpy_slices(x, names):
    aug = ik.Pipeline([STEPS[name][0] for name in names])
    expected = x
    for name in names:
        expected = STEPS[name][1](expected)
    assert np.array_equal(aug(x, key=0), expected)
    assert np.array_equal(aug.reference(x, 0), expected)
