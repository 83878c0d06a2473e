"""MixUp and CutMix: tensors are mixed as arrays are, by the same keys."""

import numpy as np
import pytest
import torch
import torch._dynamo

import imgkit as ik
from imgkit.torch import CutMix, MixUp

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 16, 20, 3), np.uint8)


def batch():
    return torch.from_numpy(IMAGES).permute(0, 3, 1, 2)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("kind", ["MixUp", "CutMix"])
def test_mixers_do_to_tensors_what_they_do_to_arrays(kind, dtype):
    x = batch() if dtype == torch.uint8 else batch().float() / 255
    masks = np.random.default_rng(1).integers(0, 3, (5, 16, 20))
    boxes = [np.array([[0.0, 0, 8, 8], [4, 4, 20, 16]])] * 5
    names = [np.array([1, 2])] * 5
    settings = {"alpha": 1.0, "num_classes": 3, "p": 0.8, "seed": 7}
    array = getattr(ik, kind)(**settings)(
        np.ascontiguousarray(x.permute(0, 2, 3, 1).numpy()), np.arange(5) % 3,
        masks=masks, boxes=boxes, box_labels=names, key=(3, range(5)),
    )  # fmt: skip
    ours = {"MixUp": MixUp, "CutMix": CutMix}[kind](settings.pop("alpha"), **settings)(
        x, torch.arange(5) % 3, masks=torch.from_numpy(masks),
        boxes=[torch.from_numpy(b) for b in boxes], box_labels=names, key=(3, range(5)),
    )  # fmt: skip
    assert set(ours) == set(array)
    pixels = ours["images"].permute(0, 2, 3, 1).double().numpy()
    # 1 level: both round, the one from float32, the other from float64
    atol = 1 if dtype == torch.uint8 else 1e-6
    np.testing.assert_allclose(pixels, array["images"].astype(float), atol=atol)
    assert ours["images"].dtype == dtype
    np.testing.assert_allclose(ours["masks"].numpy(), array["masks"], atol=1e-6)
    np.testing.assert_array_equal(ours["labels"].numpy(), array["labels"])
    for name in ("boxes", "box_labels"):
        for mine, other in zip(ours[name], array[name], strict=True):
            np.testing.assert_array_equal(mine.numpy(), other)


def test_mixers_rest_in_eval_mode():
    out = MixUp(num_classes=3).eval()(batch(), torch.zeros(5, dtype=torch.long))
    assert set(out) == {"images", "labels"}
    torch.testing.assert_close(out["images"], batch(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: MixUp()(IMAGES), TypeError, r"images is a ndarray: pass a tensor \(N, C, H, W\)"),
        (lambda: MixUp()(batch()[0]), ValueError, r"images has shape \(3, 16, 20\): a batch is"),
        (lambda: MixUp()(batch(), torch.arange(5)), ValueError, "num_classes is None: integer"),
        (
            lambda: CutMix()(batch(), masks=torch.zeros(5, 16, 20, device="meta")),
            ValueError,
            "masks is on meta, images on cpu: move them together",
        ),
        (lambda: CutMix()(batch(), masks=torch.zeros(5, 4, 4)), ValueError, "masks has shape"),
        (lambda: CutMix(alpha=0), ValueError, "alpha is 0"),
    ],
)
def test_what_cannot_be_mixed_says_why(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("mixer", [MixUp, CutMix])
def test_a_compiled_mixer_is_the_eager_one_for_every_key(mixer):
    torch._dynamo.reset()
    module, twin = (mixer(1.0, num_classes=3, seed=7) for _ in range(2))
    compiled = torch.compile(module, backend="eager")
    labels = torch.arange(5) % 3
    for key in ((0, np.arange(5)), (1, range(5)), (2, torch.arange(5)), None, None):
        with torch._dynamo.config.patch(error_on_recompile=True):
            found = compiled(batch(), labels, key=key)
        expected = twin(batch(), labels, key=key)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in found)
    torch._dynamo.reset()


@pytest.mark.parametrize("name", ["MixUp", "CutMix"])
def test_a_mixer_of_arrays_within_compiled_code_is_the_eager_one(name):
    torch._dynamo.reset()
    mixer = getattr(ik, name)(alpha=1.0, num_classes=3, seed=7)

    def run(images, labels):
        return mixer(images, labels, key=(0, range(5)))

    labels = np.arange(5) % 3
    found, expected = torch.compile(run, backend="eager")(IMAGES, labels), run(IMAGES, labels)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[part], expected[part]) for part in found)
    torch._dynamo.reset()
