"""Policies: what a magnitude means in each table, drawn for each sample, the same everywhere."""

import numpy as np
import pytest

import imgkit as ik
from imgkit.augment.plan.batch import _branch
from imgkit.augment.transforms import magnitudes as tables
from imgkit.augment.transforms import policy
from imgkit.augment.transforms import policy_base as slots
from imgkit.backends.array import plan as array
from imgkit.backends.reference import plan as reference
from imgkit.image import full_range

POLICIES = [
    ik.RandAugment(2, 9),
    ik.RandAugment(3, 9, "timm", noise=0.5),
    ik.RandAugment(2, 5.5, "timm-increasing"),
    ik.RandAugment(2, 20, "paper"),
    ik.TrivialAugment(),
    ik.TrivialAugment("paper"),
    ik.AutoAugment(),
    ik.AutoAugment("cifar10"),
    ik.AutoAugment("svhn"),
    ik.AugMix(),
    ik.AugMix(5, 2, 2, table="paper", all_ops=False, p=0.5),
]
IDS = [f"{op.name}-{i}" for i, op in enumerate(POLICIES)]
WARPS = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")
FACTORS = ("Brightness", "Color", "Contrast", "Sharpness")


def photograph(height=48, width=64, dtype=np.uint8, channels=3):
    """Return a smooth image with detail."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 9 + c) * np.cos(y / 7 - c) for c in range(channels)]
    smooth = 0.5 + 0.4 * np.stack(waves, -1) + rng.uniform(-0.05, 0.05, (height, width, 1))
    image = np.clip(smooth, 0, 1) * full_range(dtype)
    return np.rint(image).astype(dtype) if np.dtype(dtype).kind == "u" else image.astype(dtype)


def value(rules, name, magnitude, size=(224, 224), negative=False):
    """Return one op's value."""
    place = np.array([[rules.names.index(name)]])
    return tables.values(rules, place, magnitude, np.array([[negative]]), size)[0, 0]


def stages_of(name, number, size, interpolation="bilinear"):
    """Return the stages of one op of a given value."""
    table = "torchvision" if name in tables.AUGMIX["torchvision"].names else "timm"
    op = (
        policy.Chain(1, interpolation=interpolation)
        if table == "torchvision"
        else ik.RandAugment(1, 9, "timm")
    )
    numbers = {
        "active": np.array([True]),
        "ops": np.array([[tables.OPS.index(name)]]),
        "values": np.array([[number]], np.float64),
    }
    return _branch(op, numbers, size)


# --- the tables, each against its source --------------------------------------------------------


def torchvision_value(space, name, bins, index, size):
    """Return what torchvision hands its functional for a magnitude, in our units."""
    magnitudes = space[name][0](bins, *size)
    if magnitudes is None:
        return None
    found = float(magnitudes[index])
    if name in FACTORS:
        return 1 + found
    if name in ("TranslateX", "TranslateY", "Posterize"):
        return int(found)
    return found


@pytest.mark.parametrize("size", [(224, 224), (331, 512), (60, 97)])
@pytest.mark.parametrize("kind", ["rand", "trivial", "auto", "augmix"])
def test_torchvision_tables_are_torchvisions(kind, size):
    v2 = pytest.importorskip("torchvision.transforms.v2")
    source, rules, bins = {
        "rand": (v2.RandAugment, tables.RAND["torchvision"], 31),
        "trivial": (v2.TrivialAugmentWide, tables.TRIVIAL["torchvision"], 31),
        "auto": (v2.AutoAugment, tables.LEARNED, 10),
        "augmix": (v2.AugMix, tables.AUGMIX["torchvision"], 10),
    }[kind]
    space = source._AUGMENTATION_SPACE
    assert sorted(rules.names) == sorted(space)
    for name in rules.names:
        for index in range(bins):
            wanted = torchvision_value(space, name, bins, index, size)
            if wanted is None or name == "Solarize":  # whose levels are compared below
                continue
            ours = value(rules, name, index, size)
            # torch.linspace counts in float32, and a shift just below a whole pixel is cut
            lost = name in ("TranslateX", "TranslateY") and ours == wanted + 1
            shift = float(space[name][0](bins, *size)[index])
            assert lost or ours == pytest.approx(wanted, abs=2e-6), (name, index)
            assert not lost or abs(shift - ours) < 1e-4, (name, index)
            signed = rules.levels[name].signed
            assert signed == space[name][1]


def test_solarize_thresholds_invert_the_same_levels_as_torchvision():
    v2 = pytest.importorskip("torchvision.transforms.v2")
    torch = pytest.importorskip("torch")
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    for rules, bins in ((tables.RAND["torchvision"], 31), (tables.AUGMIX["torchvision"], 10)):
        for magnitude in range(bins):
            threshold = value(rules, "Solarize", magnitude)
            ours = array.run(stages_of("Solarize", threshold, (16, 16)), 0, ramp)
            level = float(torch.linspace(1.0, 0.0, bins)[magnitude])
            theirs = v2.functional.solarize(torch.from_numpy(ramp[None, ..., 0]), 255.0 * level)
            differ = np.flatnonzero(ours.ravel() != theirs.numpy().ravel())
            # a threshold that is a level, missed in float32 by torch.linspace
            assert all(abs(at - 255.0 * level) < 1e-4 for at in differ), magnitude


@pytest.mark.parametrize("name", ["imagenet", "cifar10", "svhn"])
def test_learned_pairs_are_torchvisions(name):
    v2 = pytest.importorskip("torchvision.transforms.v2")
    known = v2.AutoAugment(getattr(v2.AutoAugmentPolicy, name.upper()))._policies
    rules, places, odds, magnitudes = tables.policy_table(name)
    assert len(known) == len(places) == 25
    for ours, chances, levels, theirs in zip(places, odds, magnitudes, known, strict=True):
        for place, chance, level, (op, probability, index) in zip(
            ours, chances, levels, theirs, strict=True
        ):
            assert (rules.names[place], chance) == (op, probability)
            assert index is None or index == level


# timm/data/auto_augment.py, functions *_level_to_arg, at M = 9 on 224 px, in its own units
TIMM_AT_9 = {
    "Rotate": 27.0, "Posterize": 3, "Solarize": 230, "SolarizeAdd": 99, "Color": 1.72,
    "Contrast": 1.72, "Brightness": 1.72, "Sharpness": 1.72, "ShearX": 0.27, "ShearY": 0.27,
    "TranslateX": 90.72, "TranslateY": 90.72,
}  # fmt: skip
TIMM_INCREASING_AT_9 = TIMM_AT_9 | {
    "Posterize": 1, "Solarize": 26, "Color": 1.81, "Contrast": 1.81, "Brightness": 1.81,
    "Sharpness": 1.81,
}  # fmt: skip
# tensorflow/tpu models/official/efficientnet/autoaugment.py, level_to_arg, with _MAX_LEVEL 10,
# translate_const 100 and cutout_const 40
PAPER_AT_9 = TIMM_AT_9 | {"TranslateX": 90.0, "TranslateY": 90.0, "Cutout": 36}


def source_units(name, number):
    """Return a value as the sources write it."""
    if name == "Solarize":
        return np.ceil(number * 255)
    return number * 255 if name == "SolarizeAdd" else number


@pytest.mark.parametrize(
    ("table", "golden"),
    [("timm", TIMM_AT_9), ("timm-increasing", TIMM_INCREASING_AT_9), ("paper", PAPER_AT_9)],
)
def test_tables_have_their_sources_numbers_at_nine(table, golden):
    rules = tables.RAND[table]
    free = {"AutoContrast", "Equalize", "Invert"}
    assert set(rules.names) == set(golden) | free
    for name, wanted in golden.items():
        assert source_units(name, value(rules, name, 9)) == pytest.approx(wanted), name


@pytest.mark.parametrize("increasing", [False, True])
def test_timm_tables_are_timms(increasing):
    theirs = pytest.importorskip("timm.data.auto_augment")
    names = theirs._RAND_INCREASING_TRANSFORMS if increasing else theirs._RAND_TRANSFORMS
    rules = tables.RAND["timm-increasing" if increasing else "timm"]
    for name in names:
        ours = name.removesuffix("Increasing").removesuffix("Rel")
        level = theirs.LEVEL_TO_ARG[name]
        if level is None:
            continue
        for magnitude in np.linspace(0, 10, 21):
            (found,) = level(magnitude, {})
            if name.endswith("Rel"):
                found *= 224
            both = [value(rules, ours, magnitude, negative=sign) for sign in (False, True)]
            units = [source_units(ours, number) for number in both]
            # a product that should be whole may fall below it in floats, and be cut a level lower
            slack = 1 if rules.levels[ours].whole else 1e-9
            assert min(abs(found - unit) for unit in units) <= slack, (name, magnitude)


def test_what_nine_means_differs_between_tables():
    """The same M: rotate, bits, first inverted level, shift in pixels of 224."""
    found = {
        table: [
            value(rules, "Rotate", 9),
            value(rules, "Posterize", 9),
            np.ceil(value(rules, "Solarize", 9) * 255),
            value(rules, "TranslateX", 9),
        ]
        for table, rules in tables.RAND.items()
    }
    assert found["torchvision"] == pytest.approx([9, 7, 179, 30])
    assert found["timm"] == pytest.approx([27, 3, 230, 90.72])
    assert found["timm-increasing"] == pytest.approx([27, 1, 26, 90.72])
    assert found["paper"] == pytest.approx([27, 3, 230, 90])


def test_trivial_augment_of_the_paper_cuts_to_whole_numbers():
    """automl/trivialaugment aug_lib.py, 'wide', level 17 of 0..30."""
    rules = tables.TRIVIAL["paper"]
    assert value(rules, "Rotate", 17) == 76  # int(76.5)
    assert value(rules, "TranslateX", 17) == 18  # int(18.13)
    assert value(rules, "Posterize", 17) == 5  # 8 - int(3.4)
    assert np.ceil(value(rules, "Solarize", 17) * 255) == 111  # 256 - int(145.07)
    assert value(rules, "Color", 0) == pytest.approx(0.01)
    assert value(rules, "Color", 30) == pytest.approx(2.0)


def test_aug_mix_of_the_paper_has_its_numbers():
    """google-research/augmix augmentations.py at level 2.5 of 10, 224 px."""
    rules = tables.AUGMIX["paper"]
    assert value(rules, "Rotate", 2.5) == 7  # int(7.5)
    assert value(rules, "TranslateX", 2.5) == 18  # int(18.67)
    assert value(rules, "Posterize", 2.5) == 3  # 4 - int(1.0)
    assert np.ceil(value(rules, "Solarize", 2.5) * 255) == 192  # 256 - int(64)
    assert value(rules, "Sharpness", 2.5) == pytest.approx(0.55)


# --- traps known from others --------------------------------------------------------------------


def test_posterize_never_blacks_out_in_torchvisions_tables():
    assert min(value(tables.RAND["torchvision"], "Posterize", m) for m in range(31)) == 4
    assert min(value(tables.TRIVIAL["torchvision"], "Posterize", m) for m in range(31)) == 2


def test_timms_posterize_is_stronger_at_smaller_magnitudes():
    """As its source has it; with M below 2.5 the image is black."""
    bits = [value(tables.RAND["timm"], "Posterize", m) for m in (2, 3, 5, 10)]
    assert bits == [0, 1, 2, 4]


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize("magnitude", [1, 9, 30])
def test_translate_moves_whole_pixels(magnitude, interpolation):
    image = photograph(60, 97)
    shift = int(value(tables.RAND["torchvision"], "TranslateX", magnitude, (60, 97)))
    moved = array.run(stages_of("TranslateX", shift, (60, 97), interpolation), 0, image)
    wanted = np.zeros_like(image)
    wanted[:, shift:] = image[:, : 97 - shift]
    np.testing.assert_array_equal(moved, wanted)


def test_translate_x_and_y_are_two_ops():
    image = photograph(60, 97)
    down = array.run(stages_of("TranslateY", 5.0, (60, 97)), 0, image)
    np.testing.assert_array_equal(down[5:], image[:-5])
    for rules in (*tables.RAND.values(), *tables.TRIVIAL.values(), *tables.AUGMIX.values()):
        assert len(set(rules.names)) == len(rules.names)
        assert {"TranslateX", "TranslateY"} <= set(rules.names)


def test_shear_is_a_slope_in_every_policy():
    """0.09 at M = 9 of 30 and 0.99 at the wide end: a tangent, never an angle in degrees."""
    assert value(tables.RAND["torchvision"], "ShearX", 9) == pytest.approx(0.09, abs=1e-6)
    assert value(tables.TRIVIAL["torchvision"], "ShearX", 30) == pytest.approx(0.99, abs=1e-6)
    assert value(tables.RAND["timm"], "ShearX", 9) == pytest.approx(0.27)


@pytest.mark.parametrize("name", [*WARPS, *FACTORS, "Posterize", "AutoContrast", "Equalize"])
@pytest.mark.parametrize("sign", [1, -1])
def test_pixels_are_torchvisions(name, sign):
    """Ops in float or in fixed point, rounded or cut: 1 level; equalize rounds its table: 2."""
    v2 = pytest.importorskip("torchvision.transforms.v2")
    torch = pytest.importorskip("torch")
    image = photograph(56, 80)
    size = image.shape[:2]
    amount = {"Rotate": 21.0, "Posterize": 4, "TranslateX": 17, "TranslateY": 9}.get(name, 0.27)
    amount = amount if name == "Posterize" else sign * amount
    ours = array.run(stages_of(name, 1 + amount if name in FACTORS else amount, size), 0, image)
    theirs = v2.RandAugment()._apply_image_or_video_transform(
        torch.from_numpy(image).permute(2, 0, 1),
        name,
        amount,
        interpolation=v2.InterpolationMode.BILINEAR,
        fill={torch.Tensor: None},
    )
    theirs = theirs.permute(1, 2, 0).numpy().astype(int)
    assert np.abs(ours.astype(int) - theirs).max() <= (2 if name == "Equalize" else 1)
    if name not in ("AutoContrast", "Equalize"):
        assert np.abs(ours.astype(int) - image).max() > 2  # something did happen


@pytest.mark.parametrize("name", ["ShearX", "ShearY", "Rotate"])
def test_nearest_pixels_are_torchvisions(name):
    """Positions exactly between two pixels may go either way: fewer than 1 in 100."""
    v2 = pytest.importorskip("torchvision.transforms.v2")
    torch = pytest.importorskip("torch")
    image = photograph(56, 80)
    amount = 21.0 if name == "Rotate" else 0.27
    ours = array.run(stages_of(name, amount, (56, 80), "nearest"), 0, image)
    theirs = v2.RandAugment()._apply_image_or_video_transform(
        torch.from_numpy(image).permute(2, 0, 1), name, amount,
        interpolation=v2.InterpolationMode.NEAREST, fill={torch.Tensor: None},
    )  # fmt: skip
    differ = (ours != theirs.permute(1, 2, 0).numpy()).any(axis=-1)
    assert differ.mean() < 0.01


def test_shear_turns_about_the_corner():
    """The edge of the first row stays; a pixel 10 rows down moves by 10.5 slopes."""
    image = np.zeros((24, 40, 1))
    image[10, 20] = 1.0
    out = reference.run(stages_of("ShearX", 0.4, (24, 40)), 0, image)
    center = (out[10, :, 0] * np.arange(40)).sum() / out[10, :, 0].sum()
    assert center == pytest.approx(20 - 0.4 * 10.5)


def test_the_papers_largest_magnitudes_leave_bits_and_levels_alone():
    image = photograph()
    aug = ik.Pipeline([ik.RandAugment(1, 30, "paper")], seed=1)
    drawn = aug.plan((48, 64), (0, range(200))).ops[0]["ops"][:, 0]
    for name in ("Posterize", "Solarize"):
        at = np.flatnonzero(drawn == tables.OPS.index(name))[0]
        np.testing.assert_array_equal(aug(image, key=int(at)), image)


def test_solarize_add_brightens_the_dark_half():
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)
    out = array.run(stages_of("SolarizeAdd", 99 / 255, (16, 16)), 0, ramp)
    levels = np.arange(256)
    wanted = np.where(levels < 128, np.minimum(levels + 99, 255), levels)
    np.testing.assert_array_equal(out.ravel(), wanted)


def test_cutout_fills_a_square_about_a_pixel():
    center = np.array([[0.5, 0.5], [0.0, 0.99]])
    holes = slots._holes(np.array([3.0, 3.0]), center, (20, 30))
    np.testing.assert_array_equal(holes[:, 0], [[12, 7, 18, 13], [0, 16, 3, 20]])


# --- sharpness, the transform -------------------------------------------------------------------


def test_sharpness_blends_with_a_smoothed_image():
    image = np.zeros((5, 5, 1), np.float64)
    image[2, 2] = 0.5
    out = ik.Pipeline([ik.Sharpness(0.0)])(image, key=0)
    assert out[2, 2, 0] == pytest.approx(0.5 * 5 / 13)
    assert out[1, 2, 0] == pytest.approx(0.5 / 13)
    doubled = ik.Pipeline([ik.Sharpness(1.5)])(image, key=0)
    assert doubled[2, 2, 0] == pytest.approx(0.5 * 1.5 - 0.5 * 0.5 * 5 / 13)
    assert doubled[1, 2, 0] == 0  # below the range


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 9, 3), (9, 9, 5), (7, 8, 1)])
def test_sharpness_keeps_the_outermost_pixels(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    out = ik.Pipeline([ik.Sharpness(1.9)])(image, key=0)
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        np.testing.assert_array_equal(out[edge], image[edge])


@pytest.mark.parametrize("factor", [0.0, 0.3, 1.0, 1.9])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_sharpness_equals_the_reference(factor, dtype):
    image = photograph(20, 30, dtype)
    aug = ik.Pipeline([ik.Sharpness(factor)])
    ours, oracle = aug(image, key=0), aug.reference(image, 0)
    assert ours.dtype == dtype
    tolerance = 1 if np.dtype(dtype).kind == "u" else 1e-6
    assert np.abs(ours.astype(float) - oracle.astype(float)).max() <= tolerance


# --- draws ------------------------------------------------------------------------------------


def test_each_sample_of_a_batch_has_its_own_ops():
    aug = ik.Pipeline([ik.RandAugment(2, 9)], seed=5)
    ops = aug.plan((32, 32), (0, range(2000))).ops[0]["ops"]
    counts = np.bincount(ops.ravel(), minlength=len(tables.OPS))
    drawn = [tables.OPS.index(name) for name in tables.RAND["torchvision"].names]
    share = counts[drawn] / counts.sum()
    assert counts[drawn].sum() == 4000
    assert np.abs(share - 1 / 14).max() < 0.02  # five deviations
    assert abs(np.corrcoef(ops.T)[0, 1]) < 0.1  # the two slots have nothing to do with each other


def test_signs_are_drawn_for_each_sample():
    plan = ik.Pipeline([ik.RandAugment(1, 9)], seed=5).plan((32, 32), (0, range(3000)))
    drawn = plan.ops[0]
    turns = drawn["values"][drawn["ops"] == tables.OPS.index("Rotate")]
    assert set(np.round(turns, 3)) == {-9.0, 9.0}
    assert 0.35 < (turns > 0).mean() < 0.65


def test_trivial_augment_draws_every_strength():
    plan = ik.Pipeline([ik.TrivialAugment()], seed=1).plan((64, 64), (0, range(8000)))
    drawn = plan.ops[0]
    turns = np.abs(drawn["values"][drawn["ops"] == tables.OPS.index("Rotate")])
    np.testing.assert_allclose(np.unique(np.round(turns, 2)), np.arange(31) * 4.5)


def test_timm_ops_happen_half_the_time():
    plan = ik.Pipeline([ik.RandAugment(2, 9, "timm")], seed=1).plan((64, 64), (0, range(4000)))
    assert abs((plan.ops[0]["ops"] == 0).mean() - 0.5) < 0.03
    sure = ik.Pipeline([ik.RandAugment(2, 9, "timm", each=1)], seed=1)
    assert (sure.plan((64, 64), (0, range(100))).ops[0]["ops"] > 0).all()


def test_noise_spreads_magnitudes_within_the_table():
    aug = ik.Pipeline([ik.RandAugment(1, 9, "timm", noise=1.0, each=1)], seed=1)
    drawn = aug.plan((64, 64), (0, range(4000))).ops[0]
    turns = np.abs(drawn["values"][drawn["ops"] == tables.OPS.index("Rotate")])
    assert turns.max() <= 30 + 1e-9
    assert abs(np.median(turns) - 27) < 1
    assert 1.5 < turns.std() < 3


def test_auto_augment_draws_pairs_and_their_odds():
    plan = ik.Pipeline([ik.AutoAugment()], seed=2).plan((64, 64), (0, range(5000)))
    drawn = plan.ops[0]
    assert set(drawn["policy"]) == set(range(25))
    first = drawn["policy"] == 0  # Posterize 0.4, Rotate 0.6
    assert abs((drawn["ops"][first, 1] == tables.OPS.index("Rotate")).mean() - 0.6) < 0.15
    assert set(drawn["ops"][first, 0]) == {0, tables.OPS.index("Posterize")}


def test_aug_mix_weights_are_shares():
    op = ik.AugMix(width=3, depth=(1, 3))
    drawn = ik.Pipeline([op], seed=2).plan((64, 64), (0, range(3000))).ops[0]
    weights = drawn["weights"]
    assert weights.shape == (3000, 4)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    # Beta(1, 1) for the image; the copies have a third of the rest each
    np.testing.assert_allclose(weights.mean(axis=0), [1 / 2, 1 / 6, 1 / 6, 1 / 6], atol=0.02)
    depth = (drawn["ops"].reshape(3000, 3, 3) > 0).sum(axis=2)
    np.testing.assert_allclose([(depth == d).mean() for d in (1, 2, 3)], 1 / 3, atol=0.03)


def test_aug_mix_is_the_weighted_sum_of_its_branches():
    image = photograph()
    aug = ik.Pipeline([ik.AugMix(5)], seed=4)
    for index in range(6):
        (stage,) = aug.plan((48, 64), index).stages
        copies = [image, *(array.run(branch, 0, image) for branch in stage.branches)]
        mixed = sum(
            w * copy.astype(float) for w, copy in zip(stage.weights[0], copies, strict=True)
        )
        assert np.abs(aug(image, key=index) - mixed).max() <= 0.5 + 1e-3


def test_a_policy_changes_no_other_ops_numbers():
    alone = ik.Pipeline([ik.Rotate((-90, 90))], seed=3).plan((32, 32), (0, range(20)))
    after = ik.Pipeline([ik.RandAugment(), ik.Rotate((-90, 90))], seed=3)
    degrees = after.plan((32, 32), (0, range(20))).ops[1]["degrees"]
    np.testing.assert_array_equal(degrees, alone.ops[0]["degrees"])


# --- every policy -----------------------------------------------------------------------------


@pytest.mark.parametrize("op", POLICIES, ids=IDS)
def test_a_batch_is_its_samples_one_by_one(op):
    image = photograph()
    aug = ik.Pipeline([op], seed=11)
    out = aug(np.stack([image] * 12), key=(2, range(12)))
    for index in range(12):
        np.testing.assert_array_equal(out[index], aug(image, key=(2, index)))
    assert len({sample.tobytes() for sample in out}) > 4


@pytest.mark.parametrize("op", POLICIES, ids=IDS)
def test_plans_survive_json(op):
    plan = ik.Pipeline([op], seed=1).plan((40, 30), (0, range(5)))
    assert ik.Plan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize("op", POLICIES, ids=IDS)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_policies_equal_the_reference(op, dtype):
    """Within 1 level; a curve or histogram after an op may make more of that level: 1 in 50."""
    smooth = {"interpolation": "bilinear"}
    op = type(op)(**{**vars_of(op), **smooth})
    image = photograph(dtype=dtype)
    aug = ik.Pipeline([op], seed=11)
    level = full_range(dtype) / 255
    for index in range(15):
        gap = np.abs(aug(image, key=index).astype(float) - aug.reference(image, index)) / level
        assert (gap > 1.01).mean() < 0.02, (index, gap.max(), aug.plan((48, 64), index))


def vars_of(op):
    """Return an op's parameters."""
    return {name: value for name, value in vars(op).items() if name != "stages"}


@pytest.mark.parametrize("op", POLICIES, ids=IDS)
@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 4, 1), (7, 9)])
def test_small_gray_and_read_only_images_work(op, shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    image.flags.writeable = False
    aug = ik.Pipeline([op], seed=1)
    for index in range(8):
        out = aug(image, key=index)
        assert (out.shape, out.dtype) == (image.shape, image.dtype)
    assert aug(np.zeros((0, 6, 5, 3), np.uint8), key=(0, range(0))).shape == (0, 6, 5, 3)


@pytest.mark.parametrize("op", [ik.RandAugment(0), ik.RandAugment(each=0.0), ik.AugMix(p=0.0)])
def test_policies_that_do_nothing_leave_the_image(op):
    image = photograph()
    np.testing.assert_array_equal(ik.Pipeline([op], seed=1)(image, key=4), image)


def test_two_neighboring_warps_are_one_resample():
    aug = ik.Pipeline([ik.RandAugment(2, 9)], seed=1)
    warps = {tables.OPS.index(name) for name in WARPS}
    plans = [aug.plan((48, 64), index) for index in range(60)]
    both = [plan for plan in plans if set(plan.ops[0]["ops"][0].tolist()) <= warps]
    assert both
    assert all([stage.kind for stage in plan.stages] == ["resample"] for plan in both)


def test_only_the_drawn_ops_are_stages():
    aug = ik.Pipeline([ik.RandAugment(2, 9)], seed=1)
    assert max(len(aug.plan((48, 64), index).stages) for index in range(60)) == 2


def test_policies_work_inside_one_of():
    aug = ik.Pipeline([ik.OneOf([ik.TrivialAugment(), ik.AugMix()])], seed=2)
    image = photograph()
    out = aug(np.stack([image] * 8), key=(0, range(8)))
    for index in range(8):
        np.testing.assert_array_equal(out[index], aug(image, key=index))


def test_the_fill_is_the_tables_own():
    assert ik.RandAugment().fill == (0.0,)
    assert ik.RandAugment(table="timm").fill == (128 / 255,)
    assert ik.RandAugment(table="timm", fill=(0.1, 0.2, 0.3)).fill == (0.1, 0.2, 0.3)
    assert ik.AugMix().interpolation == "bilinear"


# --- errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ik.RandAugment(-1), "n is -1"),
        (lambda: ik.RandAugment(2, 31), "magnitude is 31: the 'torchvision' table ends at 30"),
        (lambda: ik.RandAugment(2, 11, "timm"), "the 'timm' table ends at 10"),
        (lambda: ik.RandAugment(2, 8.5), "table takes an integer and no noise"),
        (lambda: ik.RandAugment(noise=0.5), "table takes an integer and no noise"),
        (lambda: ik.RandAugment(table="tim"), "table is 'tim'"),
        (lambda: ik.RandAugment(each=2), "each is 2"),
        (lambda: ik.RandAugment(fill=3), r"fill\[0\] is 3"),
        (lambda: ik.RandAugment(interpolation="lanczos"), "interpolation is 'lanczos'"),
        (lambda: ik.TrivialAugment("timm"), "table is 'timm'"),
        (lambda: ik.AutoAugment("imagnet"), "policy is 'imagnet'"),
        (lambda: ik.AugMix(11), "severity is 11: it must be at most 10"),
        (lambda: ik.AugMix(width=0), "width is 0"),
        (lambda: ik.AugMix(depth=0), "depth is 0"),
        (lambda: ik.AugMix(alpha=0), "alpha is 0"),
    ],
)
def test_bad_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
