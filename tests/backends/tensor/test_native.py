"""Prepared stages: compiled and with gradients."""

import numpy as np
import pytest

import imgkit as ik
from imgkit.image import full_range, saturate

torch = pytest.importorskip("torch")
from imgkit.backends.tensor import native as device_plan  # noqa: E402

SIZE = (33, 40)


COLORFUL = {
    "training": [
        ik.RandomResizedCrop(24),
        ik.HorizontalFlip(p=0.5),
        ik.Rotate((-15, 15), p=0.5),
        ik.ColorJitter(0.4, 0.4, 0.4, 0.1),
        ik.Normalize("imagenet"),
    ],
    "bicubic": [
        ik.Posterize(4, p=0.5),
        ik.RandomResizedCrop(24, interpolation="bicubic"),
        ik.Invert(p=0.5),
    ],
    "filters": [
        ik.Sharpen((0, 1.5), p=0.5),
        ik.MedianBlur((1, 5)),
        ik.BoxBlur((1, 7)),
        ik.MotionBlur((3, 7)),
        ik.Emboss((0.0, 1.0), p=0.5),
        ik.GaussianBlur((0.1, 2.0), p=0.5),
    ],
    "noise and holes": [
        ik.GaussianNoise((0, 0.2)),
        ik.SaltPepper((0.0, 0.1)),
        ik.Erase(p=0.5),
        ik.GridMask(p=0.5),
    ],
    "RandAugment": [ik.RandAugment()],
    "AugMix": [ik.AugMix()],
    "choices": [
        ik.OneOf([ik.Rotate(20), ik.Hue(0.2), ik.Solarize(0.5)]),
        ik.SomeOf([ik.Invert(), ik.AutoContrast(), ik.Grayscale()], 2),
    ],
}


def batch(dtype="uint8", count=6, size=SIZE, channels=3):
    rng = np.random.default_rng(0)
    smooth = rng.random((count, *size, channels)).cumsum(axis=1).cumsum(axis=2)
    values = 0.9 * smooth / smooth.max() + 0.1 * rng.random(smooth.shape)
    return saturate(values * full_range(dtype), dtype)


@pytest.mark.parametrize(
    "ops",
    [
        [
            ik.RandomResizedCrop(5),
            ik.Rotate((-20, 20), p=0.7, border="reflect"),
            ik.ColorJitter(0.3, 0.3, 0.3, 0.1),
        ],
        [ik.Scale(0.6), ik.Gamma(0.7), ik.GaussianBlur(0.6), ik.Normalize("imagenet")],
        [ik.Elastic(1.5, sigma=2.0), ik.GaussianNoise(0.01), ik.Erase()],
    ],
)
def test_gradients_flow_through_images(ops):
    x = torch.rand(1, 3, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    aug = ik.Pipeline(ops, seed=2)
    x = (x * 0.8 + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: aug(v, key=(0, [1])), x, fast_mode=True)


def test_compiled_is_eager():
    x = torch.from_numpy(batch("float32", 3)).permute(0, 3, 1, 2).contiguous()
    aug = ik.Pipeline(COLORFUL["training"], seed=4)
    stages = aug.plan(SIZE, (0, range(3))).stages
    steps = device_plan.prepared_stages(stages, x)
    work, numbers = tuple((s.kind, s.spec) for s in steps), device_plan.uploaded(steps, x.device)
    eager = device_plan.execute(x, work, numbers, x.dtype)
    compiled = torch.compile(device_plan.execute, fullgraph=True, backend="aot_eager")
    assert torch.allclose(compiled(x, work, numbers, x.dtype), eager, atol=1e-6)
