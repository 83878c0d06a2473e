"""Augment: the pipeline on batches, by key, in training mode."""

import numpy as np
import pytest
import torch
from torch import nn

import imgkit as ik
from imgkit.torch import Augment, Transform

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
    x = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
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
