"""The presets of `prep` give their size, and are those of `Preprocess`."""

import numpy as np
import pytest

import imgkit as ik
from imgkit.dataset.presets import PRESETS, preset_pipeline


@pytest.mark.parametrize(
    ("preset", "size", "shape"),
    [
        ("imagenet", None, (224, 224)),
        ("imagenet", 112, (112, 112)),
        ("clip", None, (224, 224)),
        ("siglip", 50, (50, 50)),
        ("inception", None, (299, 299)),
        ("cifar10", None, (32, 32)),
        ("letterbox", 64, (64, 64)),
    ],
)
def test_presets_give_their_size(preset, size, shape):
    image = np.zeros((60, 90, 3), np.uint8)
    assert preset_pipeline(preset, size)(image, key=(0, 0)).shape == (*shape, 3)


def test_presets_are_those_of_preprocess():
    preprocess = pytest.importorskip("imgkit.torch.preprocess", reason="needs torch")
    for name in preprocess.INPUT_SPECS:
        if name in PRESETS:
            theirs = preprocess.Preprocess(name).pipeline.ops
            mine = preset_pipeline(name).ops
            assert [repr(op) for op in theirs[: len(mine)]] == [repr(op) for op in mine], name


def test_imagenet_is_resize_and_a_crop_of_the_middle():
    image = np.random.default_rng(0).integers(0, 256, (400, 600, 3), np.uint8)
    expected = ik.resize(image, (256, 384))[16:240, 80:304]
    result = preset_pipeline("imagenet")(image, key=(0, 0)).astype(int)
    assert np.abs(result - expected).max() <= 1
