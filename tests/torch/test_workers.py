"""What a loader collates: a value that some samples lack, samples of several forms."""

import numpy as np
import pytest
import torch

import imgkit as ik
from imgkit.torch import Loader

FLIP = ik.Pipeline([ik.HorizontalFlip()], seed=7)
IMAGE = np.zeros((4, 6, 3), np.uint8)
MASK = np.arange(24, dtype=np.uint8).reshape(4, 6)


def load(*samples, workers=0):
    return next(iter(Loader(list(samples), FLIP, len(samples), workers=workers)))


@pytest.mark.parametrize(
    "value",
    [5, 0.5, np.float32(2), "a", True, np.ones(3), torch.ones(3), {"a": 1}, {"a": None}, (1, 2)],
    ids=repr,
)
@pytest.mark.parametrize("order", [[None, 0], [0, None], [None, None, 0], [0, None, 0]], ids=str)
def test_none_lies_beside_what_other_samples_have(value, order):
    rows = [None if one is None else value for one in order]
    for found in (
        load(*((IMAGE, row) for row in rows))[1],
        load(*({"image": IMAGE, "x": row} for row in rows))["x"],
    ):
        assert isinstance(found, list)
        for one, row in zip(found, rows, strict=True):
            assert (one is None) == (row is None)
            if row is not None and not isinstance(row, (np.ndarray, torch.Tensor)):
                assert one == row
            elif row is not None:
                assert torch.equal(one, torch.as_tensor(row))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_mask_that_some_samples_lack(turned, workers):
    samples = [{"image": IMAGE, "mask": None}, {"image": IMAGE, "mask": MASK}]
    found = load(*samples[:: -1 if turned else 1], workers=workers)["mask"]
    assert found[int(turned)] is None
    assert found[1 - turned].tolist() == MASK[:, ::-1].tolist()


def test_labels_that_some_samples_lack_and_what_all_lack():
    target = {"boxes": np.array([[0.0, 0, 2, 4]]), "labels": [3]}
    assert load((IMAGE, None), (IMAGE, None))[1] is None
    found = load((IMAGE, None), (IMAGE, target))[1]
    assert (found[0], found[1]["labels"]) == (None, [3])
    assert found[1]["boxes"].tolist() == [[4, 0, 6, 4]]
    found = load({"image": IMAGE, "boxes": None}, {"image": IMAGE, "boxes": target["boxes"]})
    assert (found["boxes"][0], found["boxes"][1].tolist()) == (None, [[4, 0, 6, 4]])


@pytest.mark.parametrize("turned", [False, True])
def test_samples_of_other_keys_or_lengths_are_refused_by_name(turned):
    def load_in_order(*samples):
        return load(*samples[:: -1 if turned else 1])

    match = "different keys: .*'extra', 'image'.*None for what it lacks"
    with pytest.raises(ValueError, match=match):
        load_in_order({"image": IMAGE}, {"image": IMAGE, "extra": 3})
    with pytest.raises(ValueError, match=r"different keys: .*'a', 'b'"):
        load_in_order((IMAGE, {"a": 1}), (IMAGE, {"a": 1, "b": 2}))
    with pytest.raises(ValueError, match="different numbers of items"):
        load_in_order((IMAGE, 1), (IMAGE, 1, 2))


def test_values_of_several_types_are_a_list():
    assert load((IMAGE, 1), (IMAGE, "a"))[1] == [1, "a"]
    assert load((IMAGE, {"a": 1}), (IMAGE, "a"))[1] == [{"a": 1}, "a"]
    found = load((IMAGE, np.ones(2)), (IMAGE, torch.zeros(2, dtype=torch.float64)))[1]
    assert found.tolist() == [[1, 1], [0, 0]]


def test_boxes_in_a_list_are_no_less_boxes():
    tv = pytest.importorskip("torchvision.tv_tensors")
    boxes = tv.BoundingBoxes([[0.0, 0, 2, 4]], format="XYXY", canvas_size=(4, 6))
    found = load({"image": IMAGE, "more": [boxes, boxes]}, {"image": IMAGE, "more": [boxes]})
    assert [[each.tolist() for each in row] for row in found["more"]] == [
        [[[4, 0, 6, 4]]] * 2,
        [[[4, 0, 6, 4]]],
    ]
