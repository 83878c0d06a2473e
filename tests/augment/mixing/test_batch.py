"""What a mixer takes: keypoints of one form in all entries, masks of every integer type."""

import dataclasses

import numpy as np
import pytest

import imgkit as ik
from imgkit.augment.mixing.objects import Objects, join

SIZE = (8, 8)
BOXES = [np.zeros((0, 4)), [[0, 0, 8, 8]]]
MIXERS = [
    ik.MixUp(1.0, num_classes=3, seed=1),
    ik.CutMix(1.0, num_classes=3, seed=1, min_visibility=0.0),
    ik.Mosaic(SIZE, num_classes=3, seed=1, min_visibility=0.0),
]
mixers = pytest.mark.parametrize("mixer", MIXERS, ids=lambda mixer: type(mixer).__name__)
tensors = pytest.mark.parametrize("is_tensor", [False, True], ids=["array", "tensor"])


def batch(number=2, is_tensor=False):
    """Return a black batch."""
    images = np.zeros((number, *SIZE, 3), np.uint8)
    if not is_tensor:
        return images
    torch = pytest.importorskip("torch")
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def form(values, is_tensor):
    """Return arrays as tensors, also those in lists."""
    if isinstance(values, list):
        return [form(each, is_tensor) for each in values]
    return pytest.importorskip("torch").from_numpy(values) if is_tensor else values


@mixers
@tensors
@pytest.mark.parametrize("none", [[], np.zeros((0, 3)), np.zeros((0, 3, 3))], ids=str)
@pytest.mark.parametrize("some", [[np.ones((3, 3))], np.ones((1, 3, 3))], ids=["list", "array"])
@pytest.mark.parametrize("turned", [False, True])
def test_an_image_without_keypoints_takes_none_from_the_others(
    mixer, is_tensor, none, some, turned
):
    boxes, keypoints = BOXES, form([none, some], is_tensor)
    if turned:
        boxes, keypoints = boxes[::-1], keypoints[::-1]
    seen = 0
    for epoch in range(8):
        images = batch(is_tensor=is_tensor)
        out = mixer(images, boxes=boxes, keypoints=keypoints, key=(epoch, range(2)))
        for rows, sets in zip(out["boxes"], out["keypoints"], strict=True):
            assert len(sets) == len(rows)
            assert all(tuple(points.shape) == (3, 3) for points in sets)
            seen += len(sets)
    assert seen


@mixers
def test_an_object_may_have_no_keypoints(mixer):
    boxes = [[[0, 0, 8, 8], [1, 1, 7, 7]], [[0, 0, 8, 8]]]
    for keypoints in (
        [[[], np.ones((3, 3))], [[]]],
        [[[], []], [np.ones((3, 3))]],
        [[[], []], [[]]],
    ):
        out = mixer(batch(), boxes=boxes, keypoints=keypoints, key=(0, range(2)))
        assert [len(sets) for sets in out["keypoints"]] == [len(rows) for rows in out["boxes"]]


@mixers
@pytest.mark.parametrize("turned", [False, True])
def test_points_beside_keypoints_by_object_are_refused(mixer, turned):
    boxes, keypoints = [[[0, 0, 8, 8]]] * 2, [np.ones((1, 3)), np.ones((1, 3, 3))]
    keypoints = keypoints[::-1] if turned else keypoints
    match = rf"keypoints\[{int(turned)}\] has shape \(1, 3\).*one set a box.*\[\] for no keypoints"
    with pytest.raises(ValueError, match=match):
        mixer(batch(), boxes=boxes, keypoints=keypoints)
    with pytest.raises(ValueError, match=r"keypoints\[0\] has 0 entries for 1 boxes"):
        mixer(batch(), boxes=boxes, keypoints=[[], np.ones((1, 3, 3))])


@pytest.mark.parametrize("name", ["boxes", "labels", "polygons", "keypoints", "points"])
def test_rows_of_some_images_alone_are_not_dropped(name):
    with pytest.raises(ValueError, match=f"{name} came with 1 of 2 images"):
        join([Objects(**{name: np.zeros((0, 4))}), Objects()])


@mixers
@tensors
@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16", "int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("ignore", [None, 2, -1])
def test_masks_of_every_integer_type_are_mixed_alike(mixer, is_tensor, dtype, ignore):
    masks = np.random.default_rng(0).integers(0, 2, (2, *SIZE))
    mixer = dataclasses.replace(mixer, ignore_index=ignore)
    images = batch(is_tensor=is_tensor)
    found, expected = (
        np.asarray(mixer(images, masks=form(each, is_tensor), key=(0, range(2)))["masks"])
        for each in (masks.astype(dtype), masks)
    )
    np.testing.assert_array_equal(found, expected)
