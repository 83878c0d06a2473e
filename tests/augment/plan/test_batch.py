"""A sample is the same in every batch, alone and in a list: structure follows the list of ops."""

import numpy as np
import pytest

import imgkit as ik
from imgkit.registry import TRANSFORMS

SIZE = (33, 40)
KEYS = list(range(6))
CANVASES = ("cut", "open")
RANDOM = {
    "Rotate": {"fill": 1.0},
    "Translate": {"x": 0.3},
    "CenterCrop": {"size": (28, 44)},
    "RandomCrop": {"size": 16, "padding": 6, "fill": 0.5},
    "Pad": {"padding": 3, "fill": 0.7},
}
GEOMETRIC = {
    name: getattr(ik, name)(**{**op.example, **RANDOM.get(name, {})}, p=0.5)
    for name, op in TRANSFORMS.items()
    if op.is_geometric
}
NAMED = {
    "an idle warp": [ik.Rotate(30, p=0.5, fill=1.0), ik.Translate(0.3)],
    "an idle warp at the end": [ik.Resize(16), ik.Rotate((-15, 15), p=0.5)],
    "a pad of another fill": [ik.RandomCrop(16, padding=6, fill=1.0), ik.Rotate(10, p=0.5)],
    "a crop": [ik.Perspective(0.4, p=0.5), ik.RandomCrop(16)],
    "an idle field": [ik.Rotate(20, p=0.5), ik.Elastic(4, p=0.5), ik.Translate(0.2, p=0.5)],
    "a choice": [ik.OneOf([ik.Rotate(20), ik.Resize(20), ik.HorizontalFlip()]), ik.Scale(1.2)],
    "a policy": [ik.Resize(24, p=0.5), ik.RandAugment(2, 9, p=0.5)],
}


def photo():
    return np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)


def check(ops, canvas):
    aug, x = ik.Pipeline(ops, seed=1, canvas=canvas), photo()
    batch = aug(np.stack([x] * len(KEYS)), key=(0, KEYS))
    listed = aug([x] * len(KEYS), key=(0, KEYS))
    for key, together, one in zip(KEYS, batch, listed, strict=True):
        alone = aug(x, key=(0, key))
        assert np.array_equal(together, alone), key
        assert np.array_equal(one, alone), key


@pytest.mark.parametrize("canvas", CANVASES)
@pytest.mark.parametrize("first", GEOMETRIC)
def test_pairs_of_geometric_ops_that_may_not_happen(first, canvas):
    for second in GEOMETRIC:
        check([GEOMETRIC[first], GEOMETRIC[second]], canvas)


@pytest.mark.parametrize("canvas", CANVASES)
@pytest.mark.parametrize("name", NAMED)
def test_lists_whose_batches_once_told(name, canvas):
    check(NAMED[name], canvas)


@pytest.mark.parametrize("canvas", CANVASES)
@pytest.mark.parametrize("name", NAMED)
def test_oracle_and_tensors_alike(name, canvas):
    torch = pytest.importorskip("torch")
    aug, x = ik.Pipeline(NAMED[name], seed=1, canvas=canvas), photo()
    floats = torch.from_numpy(x).permute(2, 0, 1) / 255
    floats.requires_grad_()  # so that torch operations run, not the array backend
    batch = np.stack([x] * len(KEYS))
    oracle = aug.reference(batch, (0, KEYS))
    tensors = aug(torch.stack([floats] * len(KEYS)), key=(0, KEYS))
    for key in KEYS:
        expected = aug.reference(x, (0, key))
        assert np.array_equal(oracle[key], expected)
        assert np.abs(aug(x, key=(0, key)).astype(int) - expected).max() <= 1
        alone = aug(floats, key=(0, key))
        assert torch.allclose(tensors[key], alone, rtol=0, atol=1e-5)  # float32, in another order


def test_labels_follow_the_list_as_well():
    aug, x = ik.Pipeline(NAMED["an idle warp"], seed=1, canvas="open"), photo()
    points, mask = np.array([[3.0, 4.0]]), np.ones(SIZE, np.uint8)
    batch = aug(image=np.stack([x] * 6), mask=np.stack([mask] * 6), keypoints=[points] * 6,
                key=(0, KEYS))  # fmt: skip
    for key in KEYS:
        alone = aug(image=x, mask=mask, keypoints=points, key=(0, key))
        for name, value in alone.items():
            assert np.array_equal(batch[name][key], value)


def test_an_open_canvas_is_one_warp_whether_it_turns_or_not():
    aug = ik.Pipeline([ik.Resize(16), ik.Rotate((-15, 15), p=0.5)], seed=1, canvas="open")
    kinds = {
        (len(stage.geometric_steps), stage.geometric_steps[0].kind)
        for key in range(12)
        for stage in aug.plan(SIZE, key).stages
    }
    assert kinds == {(1, "warp")}


def test_a_crop_that_does_not_happen_does_not_raise():
    # turned, the image is too narrow; the crop must not ask samples that it leaves alone
    aug = ik.Pipeline([ik.Transpose(p=0.5), ik.RandomCrop((30, 36), p=0.5)], seed=1)
    x, (turned, cropped) = photo(), (op["active"] for op in aug.plan((50, 50), (0, range(16))).ops)
    fits = np.flatnonzero(~(turned & cropped)).tolist()
    assert 0 < len(fits) < 16
    batch = aug(np.stack([x] * len(fits)), key=(0, fits))
    for key, together in zip(fits, batch, strict=True):
        assert np.array_equal(together, aug(x, key=(0, key)))
    for keys in (range(16), [key for key in range(16) if key not in fits]):
        with pytest.raises(
            ValueError, match="the image's width is 33 with 0 of padding; Resize it"
        ):
            aug(np.stack([x] * len(keys)), key=(0, keys))
