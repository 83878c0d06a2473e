"""Augment: the pipeline on batches, by key, in training mode."""

import numpy as np
import pytest
import torch
from torch import nn

import imgkit as ik
from imgkit.torch import Augment, CutMix, MixUp, Transform, bgr_to_rgb, rgb_to_bgr, to_chw, to_hwc

AUG = ik.Pipeline(
    [ik.HorizontalFlip(p=0.5), ik.Rotate((-20, 20)), ik.Brightness((0.6, 1.4))], seed=7
)
CROP = ik.Pipeline([ik.RandomResizedCrop(8), ik.Normalize("imagenet")], seed=7)
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 16, 20, 3), np.uint8)


def batch():
    return torch.from_numpy(IMAGES).permute(0, 3, 1, 2)


def test_a_batch_is_its_samples_by_their_keys():
    done = Augment(AUG)(batch(), key=(2, [4, 9, 0, 1, 7]))
    for image, array, index in zip(done, IMAGES, (4, 9, 0, 1, 7), strict=True):
        expected = torch.from_numpy(AUG(array, key=(2, index))).permute(2, 0, 1)
        # 1 level: the contract between backends
        assert int((image.int() - expected.int()).abs().max()) <= 1
    one = Augment(AUG)(batch()[1], key=(2, 9))
    torch.testing.assert_close(one, done[1], rtol=0, atol=0)


def test_lists_are_ragged():
    images = [batch()[0], batch()[1, :, :9]]
    done = Augment(CROP)(images, key=(0, [0, 1]))
    assert isinstance(done, list)
    assert [tuple(image.shape) for image in done] == [(3, 8, 8)] * 2
    same = Augment(CROP)(images[1], key=(0, 1))
    torch.testing.assert_close(done[1], same, rtol=0, atol=1e-5)


def test_calls_without_a_key_are_counted():
    module = Augment(ik.Pipeline(AUG.ops, seed=3))
    first, second = module(batch()), module(batch())
    again = Augment(ik.Pipeline(AUG.ops, seed=3))
    torch.testing.assert_close(again(batch()), first, rtol=0, atol=0)
    assert not torch.equal(first, second)
    torch.testing.assert_close(second, again(batch(), key=(0, range(5, 10))), rtol=0, atol=0)


def test_in_sequential_and_in_eval_mode():
    model = nn.Sequential(Augment(AUG), nn.Flatten())
    assert model(batch()).shape == (5, 960)
    torch.testing.assert_close(model.eval()(batch()), batch().flatten(1), rtol=0, atol=0)
    assert not list(model.parameters())
    assert not model.state_dict()


def test_eval_mode_needs_what_the_network_must_see():
    with pytest.raises(
        ValueError, match="pipeline has RandomResizedCrop, Normalize, without which"
    ):
        Augment(CROP).eval()(batch())
    evaluate = ik.Pipeline([ik.Resize(8), ik.Normalize("imagenet")])
    both = Augment(CROP, evaluate=evaluate)
    assert both(batch()).shape == both.eval()(batch()).shape == (5, 3, 8, 8)
    torch.testing.assert_close(both(batch()), evaluate(batch(), key=(0, range(5))), rtol=0, atol=0)


def test_labels_follow():
    flip = Augment(ik.Pipeline([ik.HorizontalFlip()], seed=7))
    masks = torch.arange(5 * 16 * 20).reshape(5, 16, 20)
    boxes = [torch.tensor([[0.0, 0, 5, 5]])] * 5
    labels = [torch.tensor([i]) for i in range(5)]
    out = flip(image=batch(), mask=masks, boxes=boxes, labels=labels, key=(0, range(5)))
    assert list(out) == ["image", "mask", "boxes", "labels"]
    torch.testing.assert_close(out["image"], batch().flip(-1), rtol=0, atol=0)
    torch.testing.assert_close(out["mask"], masks.flip(-1), rtol=0, atol=0)
    assert [b.tolist() for b in out["boxes"]] == [[[15, 0, 20, 5]]] * 5
    assert [int(label) for label in out["labels"]] == list(range(5))
    one = Augment(Transform(flip.pipeline, box_normalized=True))
    out = one(image=batch()[0], boxes=torch.tensor([[0.0, 0, 0.25, 1]]), key=0)
    assert out["boxes"].tolist() == [[0.75, 0, 1, 1]]


def test_gradients_pass_through():
    x = torch.rand(2, 3, 8, 8, requires_grad=True)
    Augment(ik.Pipeline([ik.HorizontalFlip()], seed=7))(x, key=(0, [0, 1])).sum().backward()
    torch.testing.assert_close(x.grad, torch.ones_like(x))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Augment(AUG)(), TypeError, "x is missing: pass a batch"),
        (lambda: Augment(AUG)(IMAGES), TypeError, "x is a ndarray: Augment takes tensors"),
        (lambda: Augment(AUG)(batch(), boxes=[]), TypeError, "everything by name"),
        (lambda: Augment([]), TypeError, "pipeline is a list: pass an imgkit Pipeline"),
        (
            lambda: Augment(AUG)([torch.zeros(3, 4, 4), torch.zeros(3, 4, 4, device="meta")]),
            ValueError,
            "x has images on cpu and meta: move them to one device",
        ),
        (
            lambda: Augment(AUG)(
                batch(), key=(0, torch.zeros(5, dtype=torch.int64, device="meta"))
            ),
            ValueError,
            "key indices are on meta: pass them on the CPU",
        ),
        (
            lambda: Augment(AUG)(batch(), key=(0, [1])),
            ValueError,
            "key has 1 indices: a batch of 5",
        ),
        (
            lambda: Augment(ik.Pipeline([ik.Rotate90()], seed=1))(batch(), key=(0, range(5))),
            ValueError,
            "results have sizes .* end the pipeline with Resize .* or pass a list",
        ),
    ],
)
def test_what_cannot_be_augmented_says_why(call, error, message):
    with pytest.raises(error, match=message):
        call()


# --- mixing ---------------------------------------------------------------------------------


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


# --- layout ---------------------------------------------------------------------------------


def test_layouts_are_views_and_come_back():
    x = batch()
    for last in (IMAGES, torch.from_numpy(IMAGES)):
        first = to_chw(last)
        assert tuple(first.shape) == (5, 3, 16, 20)
        assert type(first) is type(last)
        np.testing.assert_array_equal(np.asarray(to_hwc(first)), IMAGES)
    assert to_chw(torch.from_numpy(IMAGES)).data_ptr() == torch.from_numpy(IMAGES).data_ptr()
    assert to_chw(IMAGES[0, :, :, 0]).shape == (1, 16, 20)
    assert to_hwc(x[0, 0]).shape == (16, 20, 1)
    np.testing.assert_array_equal(bgr_to_rgb(IMAGES), IMAGES[..., ::-1])
    torch.testing.assert_close(to_hwc(rgb_to_bgr(x)), to_hwc(x).flip(-1), rtol=0, atol=0)


def test_what_has_no_layout_says_why():
    with pytest.raises(TypeError, match="x is a list: pass an array or a tensor"):
        to_chw([1])
    with pytest.raises(ValueError, match=r"x has shape \(3,\): an image has"):
        to_hwc(np.zeros(3))
    with pytest.raises(ValueError, match=r"x has shape \(1, 4, 4\): colors are \(..., 3, H, W\)"):
        bgr_to_rgb(torch.zeros(1, 4, 4))
