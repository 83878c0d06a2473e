"""Packed ragged batches: the contract of `tensor.plan.run_packed`."""

import numpy as np
import pytest

import imgkit as ik

torch = pytest.importorskip("torch")
from imgkit.backends.cuda import launch as fused  # noqa: E402
from imgkit.backends.tensor import plan as plan_of_tensors  # noqa: E402


def stages(*ops, size=(20, 24), count=4):
    return ik.Pipeline(list(ops), seed=1).plan(size, (0, range(count))).stages


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
