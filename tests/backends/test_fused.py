"""The fused kernel: which plans it takes, how they are laid out, and what it computes."""

import importlib.util
import os
import pathlib
import subprocess
import sys
import types

import numpy as np
import pytest

import imgkit as ik

torch = pytest.importorskip("torch")
from imgkit.backends.cuda import launch as fused  # noqa: E402
from imgkit.backends.cuda.capability import fusion_blocker  # noqa: E402
from imgkit.backends.cuda.layout import ALONE, PIXELS, layout, share  # noqa: E402
from imgkit.backends.tensor import plan as plan_of_tensors  # noqa: E402

HERE = pathlib.Path(__file__).parent
JITTER = ik.ColorJitter(0.4, 0.4, 0.4, 0.1)


def stages(*ops, size=(20, 24), count=4):
    return ik.Pipeline(list(ops), seed=1).plan(size, (0, range(count))).stages


def spec(*ops, size=(20, 24), count=4):
    sizes = np.tile(size, (count, 1))
    offsets = np.arange(count) * size[0] * size[1] * 3
    return layout(stages(*ops, size=size, count=count), sizes, offsets, sizes[:, 1] * 3)[0]


@pytest.mark.skipif(not fused.has_triton(), reason="Triton is not installed")
def test_kernel_gives_what_the_oracle_gives():
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, str(HERE / "interpreted_fused.py")],
        capture_output=True,
        text=True,
        env={**os.environ, "TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""},
        cwd=HERE.parent.parent,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " skipped" not in done.stdout


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_kernel_gives_what_the_oracle_gives_on_cuda():
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, str(HERE / "interpreted_fused.py")],
        capture_output=True,
        text=True,
        cwd=HERE.parent.parent,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("ops", "reason"),
    [
        ([ik.Elastic(3)], "a displacement field"),
        ([ik.Hue(0.1), ik.Rotate(10)], "a resampling stands behind other stages"),
        ([ik.Equalize()], "a curve that needs the whole image"),
        ([ik.GaussianBlur(1.0)], "a stage of kind filter"),
        ([ik.GaussianNoise(0.1)], "a stage of kind noise"),
        ([ik.Rotate90((0, 3))], "sizes that vary within the batch"),
    ],
)
def test_plans_that_are_not_one_kernel_say_why(ops, reason):
    assert fusion_blocker(stages(*ops, count=16)) == reason


def test_other_images_than_uint8_rgb_are_not_for_the_kernel():
    assert "float32 with 3 channels" in fusion_blocker(stages(ik.Rotate(10)), "float32")
    assert "uint8 with 4 channels" in fusion_blocker(stages(ik.Rotate(10)), "uint8", 4)


CROP = (ik.RandomResizedCrop(224), ik.HorizontalFlip(p=0.5), ik.Affine(10))


@pytest.mark.parametrize(
    "colors",
    [
        (),
        (ik.ColorJitter(0.4, 0, 0.4, 0.1),),
        (JITTER,),
        (ik.Contrast((0.5, 1.5)), ik.Hue(0.1)),
    ],
)
@pytest.mark.parametrize("count", [1, 16, 64, 200])
def test_a_batch_is_one_launch(colors, count):
    made = spec(*CROP, *colors, ik.Normalize("imagenet"), count=count)
    assert len(share(made, count).launches) == 1


def test_with_contrast_programs_fill_the_device_once():
    made = spec(*CROP, JITTER, count=8)
    assert made.means == 1
    assert [share(made, count, 132).programs for count in (64, 66, 67, 500)] == [2, 2, 1, 1]
    assert [share(made, count, 108).programs for count in (32, 64)] == [3, 1]
    assert share(made, 1, 132).programs == 98  # no more than there are tiles


def test_a_mean_has_its_own_launch_where_one_program_would_be_long_alone():
    large = spec(ik.Resize(512), JITTER, count=2)
    assert share(large, 2).launches == (0, PIXELS)
    assert share(large, 2).programs == share(large, 2).tiles
    assert share(large, 67).launches == (ALONE,)  # a program a sample repeats nothing
    assert share(spec(ik.Resize(256), JITTER), 1).launches == (ALONE,)
    assert share(spec(ik.Resize(257), JITTER), 1).launches == (0, PIXELS)
    twice = spec(ik.Resize(224), ik.Contrast((0.5, 1.5)), ik.Hue(0.1), ik.Contrast((0.5, 1.5)))
    assert share(twice, 1).launches == (0, 1, PIXELS)
    assert share(twice, 64).launches == (ALONE,)


def test_every_tile_of_a_batch_is_written_by_one_program():
    for count in (1, 7, 64, 150):
        work = share(spec(*CROP, JITTER), count)
        written = [
            tile
            for program in range(work.programs)
            for tile in range(program, work.tiles, work.programs)
        ]
        assert sorted(written) == list(range(work.tiles))
        assert work.block * (work.tiles - 1) < 224 * 224 <= work.block * work.tiles


def test_layout_counts_the_footprint_and_the_borders():
    plain = spec(ik.Rotate(15))
    assert (plain.interpolation, plain.static_taps, plain.spread, plain.borders) == (1, 2, 0, 0)
    assert spec(ik.HorizontalFlip()).static_taps == 1  # whole pixels need one read
    assert spec(ik.Resize(5)).static_taps == 0
    assert spec(ik.Scale(0.5)).spread == 3  # of a sigma of sqrt(1/2)
    assert spec(ik.Rotate(15, border="wrap")).borders == 4
    assert spec(ik.Pad(2), ik.Resize(9)).pads == 0
    assert spec(ik.Perspective(0.3)).projective


@pytest.mark.parametrize(
    ("version", "found"), [("3.2.0", False), ("3.3.1", True), ("3.10.0+git1", True)]
)
def test_an_old_triton_is_none(version, found, monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", types.SimpleNamespace(__version__=version))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert fused.has_triton.__wrapped__() is found


def test_packed_images_without_a_device_take_the_array_backend():
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (*size, 3), np.uint8) for size in ((9, 14), (12, 8))]
    flat = torch.from_numpy(np.concatenate([image.ravel() for image in images]))
    packed = fused.Packed(flat, np.array([0, images[0].size]), np.array([(9, 14), (12, 8)]))
    aug = ik.Pipeline([ik.RandomResizedCrop(8), ik.Normalize("imagenet"), ik.ToCHW()], seed=2)
    key = (3, [5, 6])
    made = plan_of_tensors.run_packed(
        aug.plan(tuple(packed.sizes.T), key).stages, packed, torch.float16, True
    )
    wanted = np.stack([aug(image, key=(3, 5 + i)) for i, image in enumerate(images)])
    assert made.dtype == torch.float16
    assert made.is_contiguous(memory_format=torch.channels_last)
    assert np.abs(made.double().numpy() - wanted).max() < 2e-3  # half a unit of float16 at 2.6


def test_packed_images_that_end_in_several_sizes_are_refused():
    flat = torch.zeros(3 * (4 * 5 + 6 * 7), dtype=torch.uint8)
    packed = fused.Packed(flat, np.array([0, 60]), np.array([(4, 5), (6, 7)]))
    plan = ik.Pipeline([ik.Invert()]).plan(tuple(packed.sizes.T), (0, range(2)))
    with pytest.raises(ValueError, match="end with one that has a `size`"):
        plan_of_tensors.run_packed(plan.stages, packed)
    none = fused.Packed(flat[:0], np.zeros(0, int), np.zeros((0, 2), int))
    with pytest.raises(ValueError, match="packed holds no images"):
        plan_of_tensors.run_packed(plan.stages, none)
