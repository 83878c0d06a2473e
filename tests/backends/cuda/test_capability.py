"""Which plans the fused kernel takes, and why not the others."""

import pytest

import imgkit as ik

torch = pytest.importorskip("torch")
from imgkit.backends.cuda.capability import fusion_blocker  # noqa: E402


def stages(*ops, size=(20, 24), count=4):
    return ik.Pipeline(list(ops), seed=1).plan(size, (0, range(count))).stages


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
