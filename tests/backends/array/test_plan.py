"""Whole plans on the array backend against the float64 oracle, stage by stage and together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imgkit as ik
from imgkit.backends.array import plan as array_plan
from imgkit.backends.reference import plan as oracle
from imgkit.image import full_range, saturate

FLOAT = 1e-4  # of full range: float32 through a handful of stages
MEAN, STD = 0.45, 0.225


def photo(dtype="uint8", shape=(46, 53, 3), seed=0):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]] / max(shape)
    waves = [
        np.sin(2 * np.pi * (a * x + b * y) + c) for a, b, c in rng.uniform(-3, 3, (shape[2], 3))
    ]
    values = 0.5 + 0.3 * np.stack(waves, axis=-1) + 0.1 * rng.random(shape)
    return saturate(np.clip(values, 0, 1) * full_range(dtype), dtype)


PIPELINES = {
    "training": [
        ik.RandomResizedCrop((32, 32)), ik.HorizontalFlip(p=0.5), ik.Rotate((-15, 15)),
        ik.ColorJitter(0.2, 0.2, 0.2, 0.05), ik.Normalize(MEAN, STD), ik.ToCHW(),
    ],
    "training without antialias": [
        ik.RandomResizedCrop((32, 32), antialias=False), ik.HorizontalFlip(p=0.5),
        ik.Normalize(MEAN, STD), ik.ToCHW(),
    ],
    "three warps": [ik.Rotate((-30, 30)), ik.Shear((-10, 10)), ik.Scale((0.8, 1.2), fill=0.5)],
    "fields": [ik.Elastic((1, 4), 8), ik.GridDistortion(3, 0.2), ik.Rotate90((0, 3)), ik.ToFloat()],
    "offsets": [ik.Rotate(7), ik.Brightness((0.5, 1.5), (-0.5, 0.5)), ik.Brightness(1, 0.1),
                ik.Saturation(0.5), ik.ToFloat()],
    "color": [ik.Brightness((0.5, 1.5)), ik.Contrast((0.5, 1.5)), ik.Hue((-0.2, 0.2)),
              ik.Saturation((0.5, 1.5)), ik.ToFloat()],
    "noise and holes": [ik.GaussianNoise((0, 0.1)), ik.SaltPepper(0.05), ik.Erase(fill=0.3),
                        ik.GridMask(), ik.Normalize(MEAN, STD)],
    "color after geometry": [ik.Perspective(0.4, fill=0.25), ik.Saturation(0.4),
                             ik.Letterbox((40, 60))],
    "choices": [ik.OneOf([ik.Rotate((-40, 40)), ik.Brightness((0.5, 1.5)), ik.GaussianNoise(0.05)]),
                ik.SomeOf([ik.VerticalFlip(), ik.Contrast(1.4), ik.Translate(0.1, 0.1)], (1, 2)),
                ik.ToFloat()],
}  # fmt: skip
ROUNDED = {  # stages that read whole levels: a tie before them is rounded either way
    "jitter, gamma, posterize": [
        ik.ColorJitter(0.3, 0.3, 0.3),
        ik.Gamma((0.7, 1.4)),
        ik.Posterize(5),
    ],
    "warp, blur, jitter": [
        ik.Rotate((-20, 20)),
        ik.GaussianBlur((0.5, 2)),
        ik.ColorJitter(0.3, 0.3),
    ],
    "blur, sharpen, equalize": [ik.BoxBlur(3), ik.Sharpen(0.5), ik.Equalize()],
    "jpeg, median": [ik.JpegCompression(60), ik.MedianBlur(3), ik.ToFloat()],
}


@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_whole_pipelines_agree_with_the_oracle(name, dtype):
    """1 level for integers, 1e-4 for floats: also where bytes go in and floats come out."""
    aug, x = ik.Pipeline(PIPELINES[name], seed=2), photo(dtype)
    for key in range(4):
        found, expected = aug(x, key=key), aug.reference(x, key)
        assert found.dtype == expected.dtype
        apart = np.abs(found.astype(np.float64) - expected).max()
        normalized = isinstance(aug.ops[-1], ik.Normalize | ik.ToCHW)
        assert apart <= (1 if found.dtype.kind == "u" else FLOAT / STD if normalized else FLOAT)


@pytest.mark.parametrize("name", ROUNDED)
def test_stages_of_whole_levels_agree_but_for_ties(name):
    """At most a level where nothing enlarges it; else in under 1 % of the values."""
    aug, x = ik.Pipeline(ROUNDED[name], seed=2), photo()
    for key in range(4):
        found, expected = aug(x, key=key), aug.reference(x, key)
        level = 1.001 / 255 if found.dtype.kind == "f" else 1
        apart = np.abs(found.astype(np.float64) - expected)
        assert (apart > level).mean() < 0.01


@pytest.mark.parametrize("name", [*PIPELINES, *ROUNDED])
def test_a_plan_of_many_samples_is_the_plans_of_each(name):
    aug = ik.Pipeline((PIPELINES | ROUNDED)[name], seed=2)
    x, indices = photo(), [3, 0, 8, 5, 2**40]
    together = aug.plan(x.shape[:2], (1, indices))
    for sample, index in enumerate(indices):
        alone = aug.plan(x.shape[:2], (1, index))
        for runner in (array_plan, oracle):
            found = runner.run(together.stages, sample, x)
            assert np.array_equal(found, runner.run(alone.stages, 0, x))


@pytest.mark.parametrize("name", [*PIPELINES, *ROUNDED])
def test_a_plan_read_from_json_runs_alike(name):
    aug, x = ik.Pipeline((PIPELINES | ROUNDED)[name], seed=2), photo()
    plan = aug.plan(x.shape[:2], (1, [4, 7]))
    back = ik.Plan.from_json(plan.to_json())
    assert back == plan
    for sample in (0, 1):
        assert np.array_equal(aug.run(back, sample, x), aug.run(plan, sample, x))


def test_integers_are_rounded_once_where_no_stage_needs_levels():
    """Two halvings of odd bytes: rounding between them would give 0 or 2 for 3, not 1."""
    x = np.full((4, 4, 3), 3, np.uint8)
    aug = ik.Pipeline([ik.Brightness(0.5), ik.Saturation(0.5), ik.Hue(0.1), ik.Brightness(0.5)])
    assert (aug(x, key=0) == 1).all()


def test_what_leaves_as_floats_was_never_rounded():
    x = photo()
    aug = ik.Pipeline([ik.Rotate(13), ik.Brightness(0.31), ik.ToFloat()])
    found = aug(x, key=0)
    inner = found[20:26, 20:26].astype(np.float64) * 255
    assert np.abs(inner - np.rint(inner)).max() > 0.2
    exact = aug.reference(x.astype(np.float64) / 255, 0)
    assert np.abs(found - exact).max() < FLOAT


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**64 - 1),
    index=st.integers(0, 2**64 - 1),
    epoch=st.integers(0, 2**32 - 1),
    height=st.integers(9, 40),
    width=st.integers(9, 40),
    dtype=st.sampled_from(["uint8", "float32"]),
    name=st.sampled_from(sorted(PIPELINES)),
)
def test_any_key_and_size_agree_with_the_oracle(seed, index, epoch, height, width, dtype, name):
    aug, x = ik.Pipeline(PIPELINES[name], seed=seed), photo(dtype, (height, width, 3), seed % 7)
    found, expected = aug(x, key=(epoch, index)), aug.reference(x, (epoch, index))
    apart = np.abs(found.astype(np.float64) - expected).max()
    assert apart <= (1 if found.dtype.kind == "u" else FLOAT / STD)
