"""Rows of an object under any name, and what describes the image under the same names."""

import collections

import numpy as np
import pytest
import torch

import imgkit as ik
from imgkit.torch import Augment, Keyed, Loader, Transform

tv = pytest.importorskip("torchvision.tv_tensors")

SIZE = (24, 32)
FLIP = ik.Pipeline([ik.HorizontalFlip()], seed=7)
CROP = ik.Pipeline([ik.CenterCrop(6)], seed=7)  # columns 13..18, rows 9..14
GONE, SEEN = [0.0, 0, 4, 4], [14.0, 10, 17, 13]
Sample = collections.namedtuple("Sample", "image boxes id segm")


def image():
    return torch.zeros(3, *SIZE, dtype=torch.uint8)


def boxes(number=2):
    """Return boxes of which the last is seen."""
    rows = [GONE] * (number - 1) + [SEEN]
    return tv.BoundingBoxes(rows, format="XYXY", canvas_size=SIZE)


def masks(number=2):
    """Return instance masks, each full of the number of its object."""
    return tv.Mask(torch.arange(number, dtype=torch.uint8)[:, None, None].expand(-1, *SIZE).clone())


# --- instance masks -------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize("key", ["segm", "instance_masks", "masks", 3])
def test_a_mask_of_torchvision_follows_its_boxes_under_any_name(key, number):
    labels = torch.arange(number)
    sample = {"image": image(), "boxes": boxes(number), "labels": labels, key: masks(number)}
    samples = [(tv.Image(image()), boxes(number), labels, masks(number))] if key == 3 else [
        sample, (image(), {name: v for name, v in sample.items() if name != "image"}),
    ]  # fmt: skip
    for each in samples:
        for out in (Transform(CROP)(each, key=0), Keyed([each], CROP)[0]):
            found = out if key == 3 or isinstance(out, dict) else out[1]
            assert found[1 if key == 3 else "boxes"].tolist() == [[1, 1, 4, 4]]
            assert found[2 if key == 3 else "labels"].tolist() == [number - 1]
            assert found[key].shape == (1, 6, 6)
            assert (found[key] == number - 1).all()
            assert isinstance(found[key], tv.Mask)


def test_a_mask_without_a_name_follows_boxes_that_are_all_gone():
    gone = tv.BoundingBoxes([GONE], format="XYXY", canvas_size=SIZE)
    out = Transform(CROP)((image(), gone, torch.tensor([1]), masks(1)), key=0)
    assert [len(part) for part in out[1:]] == [0, 0, 0]


@pytest.mark.parametrize("value", [masks(), torch.zeros(2, *SIZE)], ids=["typed", "plain"])
def test_a_mask_that_a_name_calls_semantic_keeps_its_planes(value):
    sample = {"image": image(), "boxes": boxes()}
    assert Transform(CROP)({**sample, "mask": value}, key=0)["mask"].shape == (2, 6, 6)
    named = Transform(CROP, names={"segm": "mask"})({**sample, "segm": value}, key=0)
    assert named["segm"].shape == (2, 6, 6)
    other = tv.Mask(torch.zeros(5, *SIZE))
    assert Transform(CROP)({**sample, "segm": other}, key=0)["segm"].shape == (5, 6, 6)
    flat = tv.Mask(torch.zeros(SIZE))
    assert Transform(CROP)({**sample, "segm": flat}, key=0)["segm"].shape == (6, 6)


def test_a_loader_lists_instance_masks_of_every_name():
    rows = [{"image": image(), "boxes": boxes(n), "segm": masks(n)} for n in (2, 2)]
    batch = next(iter(Loader(rows, FLIP, 2)))
    assert isinstance(batch["segm"], list)
    assert [mask.shape for mask in batch["segm"]] == [(2, *SIZE)] * 2


# --- names that an image and an object may have ---------------------------------------------------

EITHER = ["id", "index", "idx", "key", "path", "size", "width", "height", "caption"]


@pytest.mark.parametrize("name", EITHER)
def test_columns_of_objects_go_with_their_boxes(name):
    objects = {name: [11, 12], "area": [1.0, 2], "bbox": np.array([GONE, SEEN]), "category": [3, 4]}
    sample = {"image": image(), "image_id": [1, 2], "objects": objects}
    out = Transform(CROP, names={"bbox": "boxes"})(sample, key=0)
    assert (out["objects"][name], out["objects"]["area"], out["objects"]["category"]) == (
        [12], [2.0], [4],
    )  # fmt: skip
    assert out["image_id"] == [1, 2]
    out = Transform(CROP, names={"bbox": "boxes"})((image(), objects), key=0)
    assert out[1][name] == [12]
    with_dict = {"boxes": boxes(), "attributes": {name: ["a", "b"]}}
    assert Transform(CROP)((image(), with_dict), key=0)[1]["attributes"][name] == ["b"]


@pytest.mark.parametrize("name", [*EITHER, "image_id", "orig_size", "mean"])
def test_what_lies_beside_the_image_is_the_images(name):
    sample = {"image": image(), "boxes": boxes(), name: [11, 12]}
    assert Transform(CROP)(sample, key=0)[name] == [11, 12]
    assert Transform(CROP)((sample, 0), key=0)[0][name] == [11, 12]
    assert Transform(CROP)(Sample(image(), boxes(), [11, 12], masks()), key=0).id == [11, 12]


@pytest.mark.parametrize("name", EITHER)
def test_one_row_is_the_images(name):
    gone = tv.BoundingBoxes([GONE], format="XYXY", canvas_size=SIZE)
    out = Transform(CROP)((image(), {"boxes": gone, name: torch.tensor([7])}), key=0)
    assert (len(out[1]["boxes"]), out[1][name].tolist()) == (0, [7])


@pytest.mark.parametrize("form", [list, tuple, np.array, torch.tensor])
@pytest.mark.parametrize("size", [SIZE, SIZE[::-1]])
def test_the_size_of_the_image_in_its_target_is_the_images(form, size):
    target = {"boxes": boxes(), "size": form(size), "labels": [1, 2]}
    out = Transform(CROP)((image(), target), key=0)[1]
    assert (tuple(out["size"]), out["labels"]) == (size, [2])
    target["size"] = form([5, 6])
    assert list(Transform(CROP)((image(), target), key=0)[1]["size"]) == [6]


# --- keypoints by object --------------------------------------------------------------------------


@pytest.mark.parametrize("width", [2, 3])
@pytest.mark.parametrize("form", [np.asarray, torch.as_tensor], ids=["arrays", "tensors"])
@pytest.mark.parametrize("gap", [0, 1])
def test_an_object_without_keypoints_keeps_its_place(width, form, gap):
    points = [form(np.full((2, width), 2.0)), form(np.full((1, width), 2.0))]
    points.insert(gap, [])
    rows = [SEEN, [14.0, 10, 16, 12], GONE]
    sample = {"image": image(), "boxes": torch.tensor(rows), "keypoints": points}
    for out in (Transform(FLIP)(sample, key=0), Keyed([sample], FLIP)[0]):
        assert [len(each) for each in out["keypoints"]] == [len(each) for each in points]
        for each in out["keypoints"]:
            assert all(row[:2].tolist() == [29, 2] for row in each)
    out = Transform(CROP)(sample, key=0)
    assert [len(each) for each in out["keypoints"]] == [len(each) for each in points[:2]]
    moved = Augment(FLIP)(image=image()[None], keypoints=[points], key=(0, [0]))["keypoints"][0]
    assert [len(each) for each in moved] == [len(each) for each in points]


def test_objects_that_all_have_no_keypoints_are_still_rows():
    sample = {"image": image(), "boxes": boxes(), "keypoints": [[], []]}
    assert len(Transform(CROP)(sample, key=0)["keypoints"]) == 1


# --- videos ---------------------------------------------------------------------------------------


def test_a_video_is_refused_by_name_and_may_be_left_alone():
    clip = tv.Video(torch.zeros(2, 3, *SIZE, dtype=torch.uint8))
    with pytest.raises(TypeError, match=r"sample\['clip'\] is a Video.*names={'clip': None}"):
        Transform(FLIP)({"image": image(), "clip": clip}, key=0)
    with pytest.raises(TypeError, match=r"sample\['image'\] is a Video"):
        Transform(FLIP)({"image": clip}, key=0)
    with pytest.raises(TypeError, match=r"sample\[1\] is a Video.*names=\(\"image\", None\)"):
        Transform(FLIP)((image(), clip), key=0)
    assert (
        Transform(FLIP, names={"clip": None})({"image": image(), "clip": clip}, key=0)["clip"]
        is clip
    )
    assert Transform(FLIP, names=("image", None))((image(), clip), key=0)[1] is clip
