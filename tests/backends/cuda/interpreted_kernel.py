"""The Triton kernel under its interpreter against the float64 oracle; run by `test_kernel`.

Triton looks at TRITON_INTERPRET when it is imported, so this runs in a process of its own (and on
CUDA as it is, where a device is).
"""

import numpy as np
import pytest
import torch

import imgkit as ik
from imgkit.backends.cuda import launch as fused
from imgkit.backends.cuda import layout as fused_layout
from imgkit.backends.cuda.capability import fusion_blocker
from imgkit.backends.tensor import native as device_plan
from imgkit.backends.tensor.numpy_view import native
from imgkit.border import BORDERS

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SIZE = (11, 13)
LEVEL = 1  # both round once, from sums in another order
FLOAT = 1e-4
HALF = {torch.float16: 2e-3, torch.bfloat16: 2e-2}  # half a unit in the last place of 2.6


def photograph(size, seed):
    rng = np.random.default_rng(seed)
    smooth = rng.random((*size, 3)).cumsum(axis=0).cumsum(axis=1)
    return np.rint((0.9 * smooth / smooth.max() + 0.1 * rng.random((*size, 3))) * 255).astype(
        np.uint8
    )


def batch(count=3, size=SIZE):
    return np.stack([photograph(size, seed) for seed in range(count)])


def channels_first(results):
    stacked = np.stack(results)
    return stacked if stacked.shape[1] == 3 else np.moveaxis(stacked, -1, 1)


def both(ops, x=None, **options):
    """Return the kernel's result and the oracle's, (N, 3, H, W)."""
    x = batch() if x is None else x
    aug, key = ik.Pipeline(ops, seed=4), (1, range(len(x)))
    stages = aug.plan(x.shape[1:3], key).stages
    assert fusion_blocker(stages) == ""
    tensor = torch.from_numpy(x).to(DEVICE).permute(0, 3, 1, 2)
    return fused.launch_batch(stages, tensor, **options).cpu(), channels_first(
        aug.reference(x, key=key)
    )


def difference(made, wanted):
    return np.abs(made.double().numpy() - wanted).max()


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("word", ["nearest", "bilinear", "bicubic"])
def test_every_border_and_interpolation(border, word):
    ops = [
        ik.Affine((-40, 40), (0.2, 0.2), (0.9, 1.4), border=border, fill=0.3, interpolation=word)
    ]
    made, wanted = both(ops)
    assert made.dtype == torch.uint8
    assert difference(made, wanted) <= LEVEL


@pytest.mark.parametrize("border", ["constant", "edge", "reflect"])
def test_shrinking_warps_blur_first(border):
    ops = [ik.Affine((-20, 20), (0.1, 0.1), (0.5, 0.7), border=border, fill=0.3)]
    made, wanted = both(ops)
    assert difference(made, wanted) <= LEVEL
    sharp, _ = both([ik.Affine((-20, 20), (0.1, 0.1), (0.5, 0.7), border=border, antialias=False)])
    assert difference(sharp, wanted) > LEVEL


@pytest.mark.parametrize("border", ["constant", "symmetric"])
def test_pads_before_a_resize(border):
    made, wanted = both([ik.Pad(3, border=border, fill=0.4), ik.Resize((7, 9))])
    assert difference(made, wanted) <= LEVEL


def test_moves_are_equal_bit_for_bit():
    made, wanted = both(
        [ik.HorizontalFlip(p=0.5), ik.Rotate90((0, 3)), ik.RandomCrop(8, padding=2)]
    )
    assert np.array_equal(made.numpy(), wanted)


@pytest.mark.parametrize("word", ["nearest", "bilinear", "bicubic"])
def test_resized_crops_beside_rotations(word):
    crop = ik.RandomResizedCrop(8, interpolation=word)
    turn = ik.Rotate((-15, 15), p=0.5, interpolation=word)
    made, wanted = both([crop, ik.HorizontalFlip(p=0.5), turn, ik.Normalize("imagenet")])
    assert made.dtype == torch.float32
    assert difference(made, wanted) <= FLOAT


def test_perspective_and_canvases_cut():
    ops = [
        ik.Rotate(30, fill=0.5),
        ik.Perspective(0.3, p=0.5),
        ik.CenterCrop(9),
        ik.Shear(10, fill=0.2),
    ]
    made, wanted = both(ops)
    assert difference(made, wanted) <= LEVEL


def test_borders_that_differ_within_a_batch():
    ops = [ik.Affine(20, p=0.5, border="reflect"), ik.Perspective(0.2, fill=0.7)]
    made, wanted = both([ik.OneOf(ops)], batch(4))
    assert difference(made, wanted) <= LEVEL


def test_jitter_in_every_order_reads_the_mean_where_it_stands():
    ops = [ik.RandomResizedCrop(8), ik.ColorJitter(0.4, 0.4, 0.4, 0.2), ik.Normalize("imagenet")]
    made, wanted = both(ops, batch(5))
    assert difference(made, wanted) <= FLOAT


@pytest.mark.parametrize("last", [(), (ik.Normalize("imagenet"),)], ids=["uint8", "float32"])
def test_the_same_key_gives_the_same_pictures_everywhere(last):
    """From the oracle, arrays, tensors, compiled tensors and the kernel."""
    ops = [ik.RandomResizedCrop(8), ik.HorizontalFlip(p=0.5), ik.Affine((-15, 15), (0.1, 0.1)),
           ik.ColorJitter(0.2, 0.2, 0.2, 0.05), *last]  # fmt: skip
    x = batch(4)
    kernel, oracle = both(ops, x)
    aug, key = ik.Pipeline(ops, seed=4), (1, range(4))
    tensor = torch.from_numpy(x).to(DEVICE).permute(0, 3, 1, 2)
    stages = aug.plan(SIZE, key).stages
    steps = device_plan.prepared_stages(stages, tensor)
    work, numbers = (
        tuple((s.kind, s.spec) for s in steps),
        device_plan.uploaded(steps, tensor.device),
    )
    compiled = torch.compile(device_plan.execute, fullgraph=True, backend="aot_eager")
    with native():
        eager = aug(tensor, key=key)
    ways = {
        "array": channels_first(aug(x, key=key)),
        "views of tensors": aug(tensor, key=key).cpu().numpy(),
        "eager": eager.cpu().numpy(),
        "compiled": compiled(tensor, work, numbers, eager.dtype).cpu().numpy(),
        "kernel": kernel.numpy(),
    }
    for name, made in ways.items():
        assert made.dtype == (np.float32 if last else np.uint8), name
        assert np.abs(made.astype(float) - oracle).max() <= (FLOAT if last else LEVEL), name


def test_two_contrasts_and_every_other_step():
    ops = [
        ik.Contrast((0.5, 1.5)),
        ik.Hue((-0.5, 0.5)),
        ik.Contrast((0.5, 1.5)),
        ik.Gamma((0.5, 2)),
        ik.Solarize(0.5, p=0.5),
        ik.Saturation(0.4, p=0.5),
        ik.Posterize(3),
        ik.Erase(fill=0.5),
    ]
    made, wanted = both(ops)
    assert difference(made, wanted) <= LEVEL


TWICE = [ik.Contrast((0.5, 1.5)), ik.Hue(0.1), ik.Contrast((0.5, 1.5), p=0.5)]


def test_contrast_is_the_same_however_the_work_is_shared(monkeypatch):
    """Three tiles a sample, which 1, 2 or 3 programs share; or a launch for each mean."""
    x = batch(2, (33, 40))
    aug, key = ik.Pipeline([*TWICE, ik.Normalize("imagenet")], seed=4), (1, range(2))
    stages, tensor = aug.plan((33, 40), key).stages, torch.from_numpy(x).to(DEVICE)
    made = []
    for processors in (1, 5, 132):
        monkeypatch.setattr(fused, "processors", lambda device, count=processors: count)
        made.append(fused.launch_batch(stages, tensor.permute(0, 3, 1, 2)).cpu())
    assert torch.equal(made[0], made[1])  # bit for bit: sums are added in one order
    assert torch.equal(made[0], made[2])
    monkeypatch.setattr(fused_layout, "ALONE_LIMIT", -1)
    apart = fused.launch_batch(stages, tensor.permute(0, 3, 1, 2)).cpu()
    wanted = channels_first(aug.reference(x, key=key))
    assert difference(made[0], wanted) <= FLOAT
    assert difference(apart, wanted) <= FLOAT


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("channels_last", [False, True])
def test_dtypes_and_layouts(dtype, channels_last):
    ops = [ik.Rotate((-15, 15)), ik.Normalize("imagenet")]
    made, wanted = both(ops, dtype=dtype, channels_last=channels_last)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    assert made.dtype == dtype
    assert made.is_contiguous(memory_format=layout)
    assert difference(made, wanted) <= HALF.get(dtype, FLOAT)


def test_layout_of_the_source_does_not_matter():
    x, aug = batch(), ik.Pipeline([ik.Rotate(15), ik.Hue(0.2)], seed=4)
    stages = aug.plan(SIZE, (1, range(3))).stages
    last = torch.from_numpy(x).to(DEVICE).permute(0, 3, 1, 2)
    assert torch.equal(
        fused.launch_batch(stages, last), fused.launch_batch(stages, last.contiguous())
    )


def ragged(sizes):
    images = [photograph(size, seed) for seed, size in enumerate(sizes)]
    flat = torch.from_numpy(np.concatenate([image.ravel() for image in images])).to(DEVICE)
    lengths = [image.size for image in images]
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return images, fused.Packed(flat, offsets, np.array(sizes))


def test_packed_ragged_batch_is_its_images_one_by_one():
    images, packed = ragged([(9, 14), (12, 8), (15, 10)])
    aug = ik.Pipeline(
        [
            ik.RandomResizedCrop(8),
            ik.HorizontalFlip(p=0.5),
            ik.Rotate((-15, 15), p=0.5),
            ik.Contrast(0.4),
            ik.Normalize("imagenet"),
        ],
        seed=4,
    )
    stages = aug.plan(tuple(packed.sizes.T), (1, range(3))).stages
    made = fused.launch_packed(stages, packed).cpu()
    wanted = channels_first([aug.reference(image, key=(1, i)) for i, image in enumerate(images)])
    assert difference(made, wanted) <= FLOAT


def test_the_same_key_gives_the_same_bits():
    ops = [ik.Rotate((-15, 15)), ik.ColorJitter(0.4, 0.4, 0.4, 0.2), ik.Normalize("imagenet")]
    assert torch.equal(both(ops)[0], both(ops)[0])


def test_offsets_of_brightness_saturate():
    ops = [ik.Rotate((-20, 20)), ik.Brightness((0.5, 1.2), (-0.5, 0.5)), ik.Brightness(1, 0.4)]
    made, wanted = both(ops)
    assert made.max() == 255
    assert difference(made, wanted) <= LEVEL
