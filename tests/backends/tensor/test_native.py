"""Prepared stages: compiled and with gradients."""

import pytest
from mixed_pipelines import COLORFUL, SIZE, batch

import imgkit as ik

torch = pytest.importorskip("torch")
from imgkit.backends.tensor import native as device_plan  # noqa: E402


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
