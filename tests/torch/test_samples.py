"""Samples of any form: every label moves with the pixels, wherever it lies."""

import collections
import dataclasses
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import imgkit as ik
from imgkit.torch import Augment, Keyed, Loader, Transform

tv = pytest.importorskip("torchvision.tv_tensors")
functional = pytest.importorskip("torchvision.transforms.v2.functional")

SIZE = (24, 32)
FLIP = ik.Pipeline([ik.HorizontalFlip()], seed=7)
CROP = ik.Pipeline([ik.CenterCrop(6)], seed=7)  # columns 13..18, rows 9..14
GONE, SEEN = [0.0, 0, 4, 4], [14.0, 10, 17, 13]


def image():
    return torch.zeros(3, *SIZE, dtype=torch.uint8)


def tv_boxes(rows, form="XYXY"):
    return tv.BoundingBoxes(rows, format=form, canvas_size=SIZE)


# --- the property: dots and rectangles, found again where the labels are -----------------------

PIPELINES = [
    ik.Pipeline([ik.HorizontalFlip(p=0.5), ik.VerticalFlip(p=0.5)], seed=1),
    ik.Pipeline([ik.RandomCrop((16, 20), padding=4), ik.HorizontalFlip(p=0.5)], seed=2),
    ik.Pipeline([ik.Rotate90(ik.Choice([0, 1, 2, 3])), ik.Pad((1, 2, 3, 4))], seed=3),
    ik.Pipeline([ik.Transpose(p=0.5), ik.CenterCrop(18)], seed=4),
]
Pair = collections.namedtuple("Pair", "first second")
corner = st.tuples(st.integers(0, SIZE[1] - 1), st.integers(0, SIZE[0] - 1))


@st.composite
def rectangles(draw):
    """Draw up to four boxes of whole pixels, each on a row of the image of its own."""
    rows = draw(st.lists(st.integers(0, 7), min_size=1, max_size=4, unique=True))
    found = []
    for row in rows:
        left = draw(st.integers(0, SIZE[1] - 2))
        right = draw(st.integers(left + 1, SIZE[1] - 1))
        found.append([left, 3 * row, right, 3 * row + draw(st.integers(1, 2))])
    return np.array(found, np.float64)


def as_boxes(boxes, kind):
    """Return boxes as one of the types that a sample may hold."""
    if kind == "array":
        return boxes
    if kind == "tensor":
        return torch.from_numpy(boxes).float()
    return functional.convert_bounding_box_format(
        tv_boxes(boxes.tolist()), new_format=kind
    )  # fmt: skip


def xyxy(boxes):
    """Return boxes of any of the types as rows of left, top, right, bottom."""
    if isinstance(boxes, tv.BoundingBoxes):
        boxes = functional.convert_bounding_box_format(boxes, new_format="XYXY")
    return np.asarray(boxes, np.float64).reshape(-1, 4)


def wrap(draw, entries):
    """Put entries into dicts, lists, tuples and named tuples, to any depth."""
    entries = dict(entries)
    for _ in range(draw(st.integers(0, 3))):
        form = draw(st.sampled_from(["dict", "list", "tuple", "named"]))
        if form == "dict":
            entries = {"target": entries, "note": "text", "seven": 7}
        elif form == "list":
            entries = [entries, "text"]
        elif form == "tuple":
            entries = ("text", entries, None)
        else:
            entries = Pair(3.5, entries)
    return entries


def find(sample, name):
    """Return what a nested sample holds under a name."""
    if isinstance(sample, dict):
        if name in sample:
            return sample[name]
        sample = tuple(sample.values())
    if isinstance(sample, (list, tuple)):
        return next((v for each in sample if (v := find(each, name)) is not None), None)
    return None


def skeleton(sample):
    """Return the containers of a sample, without what is in them."""
    if isinstance(sample, dict):
        return {name: name == "labels" or skeleton(value) for name, value in sample.items()}
    if isinstance(sample, (list, tuple)) and type(sample) is not list:
        return type(sample).__name__, [skeleton(value) for value in sample]
    return type(sample).__name__


@settings(deadline=None, max_examples=120)
@given(st.data())
def test_every_coordinate_of_a_nested_sample_is_where_its_pixels_are(data):
    """Each box is filled with a level of its own; dots and masks hold the levels, too."""
    draw = data.draw
    boxes = draw(rectangles())
    levels = np.arange(1, len(boxes) + 1) * 10
    picture = np.zeros((*SIZE, 3), np.uint8)
    for (left, top, right, bottom), level in zip(boxes.astype(int), levels, strict=True):
        picture[top:bottom, left:right] = level
    semantic = picture[..., 0].copy()
    instances = np.stack([(semantic == level) * level for level in levels]).astype(np.uint8)
    centers = np.stack([boxes[:, 0], boxes[:, 1], np.ones(len(boxes))], axis=1)  # first pixels
    form = draw(st.sampled_from(["array", "tensor", "XYXY", "XYWH", "CXCYWH"]))
    kept_as = draw(st.sampled_from([list, tuple, np.array, torch.tensor]))
    target = {
        "boxes": as_boxes(boxes, form),
        "labels": kept_as(levels.tolist()),
        "keypoints": torch.from_numpy(centers[:, None]),
        "masks": tv.Mask(torch.from_numpy(instances)),
        "track": [f"object {level}" for level in levels],
        "image_id": torch.tensor([5]),
    }
    corners = boxes[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]
    target["polygons"] = list(corners if draw(st.booleans()) else torch.from_numpy(corners))
    scene = {"mask": torch.from_numpy(semantic)[None], "dots": tv.KeyPoints(
        torch.from_numpy(centers[:, :2]), canvas_size=SIZE)}  # fmt: skip
    sample = {
        "image": picture if draw(st.booleans()) else torch.from_numpy(picture).permute(2, 0, 1),
        "rest": wrap(draw, target),
        "scene": wrap(draw, scene),
    }
    aug, key = draw(st.sampled_from(PIPELINES)), (0, draw(st.integers(0, 99)))
    out = Transform(aug)(sample, key=key)
    pixels = np.asarray(out["image"])
    pixels = pixels[..., 0] if isinstance(out["image"], np.ndarray) else pixels[0]
    for name in ("rest", "scene"):
        assert skeleton(out[name]) == skeleton(sample[name])
    np.testing.assert_array_equal(np.asarray(find(out, "mask"))[0], pixels)
    kept = [int(level) for level in find(out, "labels")]
    assert kept == [level for level in levels if (pixels == level).any()]
    assert find(out, "track") == [f"object {level}" for level in kept]
    assert find(out, "image_id").tolist() == [5]
    assert all(len(find(out, n)) == len(kept) for n in ("boxes", "masks", "keypoints", "polygons"))
    for i, level in enumerate(kept):
        rows, columns = np.nonzero(pixels == level)
        seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        # float32 boxes: exact for whole pixels and halves
        np.testing.assert_array_equal(xyxy(find(out, "boxes"))[i], seen)
        polygon = np.asarray(find(out, "polygons")[i])
        np.testing.assert_allclose([*polygon.min(0), *polygon.max(0)], seen)
        np.testing.assert_array_equal(np.asarray(find(out, "masks"))[i] == level, pixels == level)
        x, y, visible = find(out, "keypoints")[i, 0].tolist()
        if visible:
            assert pixels[int(y), int(x)] == level
    inside = [
        pixels[int(y), int(x)]
        for x, y in find(out, "dots").tolist()
        if 0 <= x < pixels.shape[1] and 0 <= y < pixels.shape[0]
    ]
    assert set(inside) <= set(kept)


# --- where a part may lie ---------------------------------------------------------------------


def nested(value):
    return [
        {"image": image(), "target": {"boxes": value}},
        (image(), [({"deep": {"boxes": value}},)]),
        (image(), Pair("boxes", value)),
        [image(), {"annotations": [{"boxes": value}]}],
        {"image": image(), "boxes": {"any name": value}},
        {"image": image(), "boxes": [value]},
        collections.OrderedDict(image=image(), other=(value, "text")),
        {"a": {"image": image()}, "b": {"c": (value,)}},
        ({"image": image(), "label": 3}, {"target": value}),
        ((image(), 3), value),
    ]


@pytest.mark.parametrize("number", range(10))
def test_boxes_that_say_what_they_are_are_moved_wherever_they_lie(number):
    sample = nested(tv_boxes([[1.0, 2, 5, 6]]))[number]
    out = Transform(FLIP)(sample, key=0)
    assert type(out) is type(sample)

    def boxes(value):
        if isinstance(value, tv.BoundingBoxes):
            return [value]
        inner = value.values() if isinstance(value, dict) else value
        return (
            [b for v in inner for b in boxes(v)] if isinstance(value, (dict, list, tuple)) else []
        )

    assert [b.tolist() for b in boxes(out)] == [[[27, 2, 31, 6]]]


def test_two_sets_of_boxes_lose_their_own_rows():
    sample = {
        "image": image(),
        "left": {"boxes": tv_boxes([GONE, SEEN]), "labels": ["a", "b"]},
        "right": {"boxes": torch.tensor([SEEN, GONE, SEEN]), "labels": [1, 2, 3]},
        "more": [tv_boxes([[14.0, 10, 3, 3]], "XYWH"), tv_boxes([SEEN])],
    }
    out = Transform(CROP)(sample, key=0)
    assert (out["left"]["labels"], out["right"]["labels"]) == (["b"], [1, 3])
    assert out["left"]["boxes"].tolist() == [[1, 1, 4, 4]]
    assert out["right"]["boxes"].tolist() == [[1, 1, 4, 4]] * 2
    assert [b.tolist() for b in out["more"]] == [[[1, 1, 3, 3]], [[1, 1, 4, 4]]]


def test_rows_that_two_sets_of_boxes_may_own_are_refused():
    sample = (image(), tv_boxes([SEEN]), tv_boxes([GONE]), ["a"])
    with pytest.raises(ValueError, match=r"sample\[3\] has as many rows as sample\[1\] and"):
        Transform(CROP)(sample, key=0)


@pytest.mark.parametrize(
    "shapes",
    [
        {"boxes": [GONE, SEEN]},
        {"polygons": [np.array(GONE).reshape(2, 2)[[0, 1, 1]] + [[0, 0], [0, 0], [0, 4]],
                      np.array([[14.0, 10], [17, 10], [17, 13]])]},
        {"oriented_boxes": [[2.0, 2, 4, 4, 0], [15.5, 11.5, 3, 3, 0]]},
    ],
    ids=["boxes", "polygons", "oriented"],
)  # fmt: skip
def test_every_row_of_an_object_goes_with_it(shapes):
    rows = {
        "labels": [torch.tensor(3), torch.tensor(4, dtype=torch.int8)],
        "area": np.array([1, 2**63], np.uint64),
        "difficult": (False, True),
        "embedding": torch.ones(2, 5, dtype=torch.bfloat16),
        "attributes": {"color": ["red", "blue"], "pose": np.array(["up", "down"])},
        "keypoints": [torch.zeros(3, 2), torch.zeros(1, 2)],
        "masks": [np.zeros(SIZE, bool), np.ones(SIZE, bool)],
    }
    still = {
        "image_id": [7, 8],
        "orig_size": torch.tensor([480, 640]),
        "text": "ab",
        "free": [1, 2],
    }
    sample = {"image": image(), "mask": torch.zeros(2, *SIZE), "t": {**shapes, **rows, **still}}
    out = Transform(CROP, names={"free": None})(sample, key=0)
    moved = out["t"]
    assert all(len(moved[name]) == 1 for name in (*shapes, *rows) if name != "attributes")
    assert moved["labels"][0] is rows["labels"][1]
    assert (moved["area"].dtype, moved["area"].tolist()) == (np.uint64, [2**63])
    assert moved["difficult"] == (True,)
    assert (moved["embedding"].dtype, moved["embedding"].shape) == (torch.bfloat16, (1, 5))
    assert moved["attributes"]["color"] == ["blue"]
    assert moved["attributes"]["pose"].tolist() == ["down"]
    assert moved["keypoints"][0].shape == (1, 2)
    assert moved["masks"][0].all()
    assert out["mask"].shape == (2, 6, 6)
    for name, value in still.items():
        assert moved[name] is value


@pytest.mark.parametrize("planes", [1, 2])
@pytest.mark.parametrize("typed", [False, True])
def test_a_semantic_mask_keeps_its_planes(planes, typed):
    mask = torch.zeros(planes, *SIZE)
    sample = {"image": image(), "mask": tv.Mask(mask) if typed else mask,
              "boxes": torch.tensor([GONE] * planes), "labels": [1] * planes}  # fmt: skip
    out = Transform(CROP)(sample, key=0)
    assert (out["mask"].shape, out["labels"]) == ((planes, 6, 6), [])
    sample["masks"] = sample.pop("mask")
    assert Transform(CROP)(sample, key=0)["masks"].shape == (0, 6, 6)


# --- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "sample", "message"),
    [
        ({"x": "boxes"}, {"image": 0, "y": 1}, "names has 'x', and the sample has no entry of"),
        ({"x": "boxes"}, (0, {"y": 1}), "names has 'x'.*its names: 'y'"),
        ({"x": "boxes"}, (0, 1), "names has 'x'.*its names: none"),
        (("image", "boxes", "labels"), (0, 1), "names has 3 names, and the sample 2 items"),
        (("image", "mask"), {"image": 0}, r"names is \('image', 'mask'\).*a dict has names"),
        (("image", "mask"), 0, "names is .*the sample is a Tensor: this is one image"),
    ],
)
def test_names_that_match_nothing_are_errors(names, sample, message):
    filled = {0: image()}
    if isinstance(sample, dict):
        sample = {k: filled.get(v, v) for k, v in sample.items()}
    elif isinstance(sample, tuple):
        sample = tuple(image() if v == 0 else v for v in sample)
    else:
        sample = image()
    with pytest.raises(ValueError, match=message):
        Transform(FLIP, names=names)(sample, key=0)
    with pytest.raises(ValueError, match=message):
        Keyed([sample], Transform(FLIP, names=names))[0]


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("bbox", [[1.0, 1, 3, 3]], "boxes"), ("bboxes", np.ones((1, 4)), "boxes"),
        ("GT_Boxes", torch.ones(1, 4), "boxes"), ("landmarks", [[1.0, 1]], "keypoints"),
        ("segmentation", [[1.0, 1, 3, 3, 1, 3]], "polygons"), ("obb", np.ones((1, 5)),
        "oriented_boxes"),
    ],
)  # fmt: skip
def test_other_libraries_names_are_refused_until_named(key, value, kind):
    for sample in ({"image": image(), key: value}, (image(), {"objects": {key: value}})):
        with pytest.raises(ValueError, match=rf"\['{key}'\] may be {kind}: take it with names="):
            Transform(FLIP)(sample, key=0)
        alone = Transform(FLIP, names={key: None})(sample, key=0)
        assert find(alone, key) is value
    empty = Transform(FLIP)({"image": image(), key: []}, key=0)
    assert empty[key] == []


def test_names_reach_any_depth_and_coco_boxes_are_read():
    sample = {"image": image(), "objects": {"bbox": [[14.0, 10, 3, 3], [0, 0, 4, 4]],
                                            "category": [1, 2], "id": [8, 9]}}  # fmt: skip
    named = Transform(CROP, names={"bbox": "boxes", "id": "labels"}, box_format="xywh")
    out = named(sample, key=0)["objects"]
    assert out["bbox"].tolist() == [[1, 1, 3, 3]]
    assert (out["category"], out["id"]) == ([1], [8])


@pytest.mark.parametrize("value", [np.zeros(SIZE), torch.zeros(1, *SIZE), np.zeros((*SIZE, 2))])
def test_an_array_of_the_images_size_needs_a_name_wherever_it_lies(value):
    for sample in ((image(), {"deep": [value]}), {"image": image(), "depth": value}):
        with pytest.raises(ValueError, match="the height and width of the image: name it"):
            Transform(FLIP)(sample, key=0)
    named = Transform(FLIP, names={"depth": None})({"image": image(), "depth": value}, key=0)
    assert named["depth"] is value


# --- options ----------------------------------------------------------------------------------


def test_options_survive_every_wrapping():
    transform = Transform(FLIP, box_format="xywh")
    sample = {"image": image(), "boxes": torch.tensor([[1.0, 2, 4, 5]])}
    wanted = [[27, 2, 4, 5]]
    assert transform(sample, key=0)["boxes"].tolist() == wanted
    assert Keyed([sample], transform)[0]["boxes"].tolist() == wanted
    batch = next(iter(Loader([sample], transform, 1)))
    assert batch["boxes"][0].tolist() == wanted
    for module in (Augment(transform), Augment(transform, evaluate=FLIP).eval()):
        assert module(**sample, key=0)["boxes"].tolist() == wanted
        assert pickle.loads(pickle.dumps(module))(**sample, key=0)["boxes"].tolist() == wanted
    assert dataclasses.replace(transform, pipeline=FLIP[:])(sample, key=0)["boxes"].tolist() == (
        wanted
    )


def test_names_survive_augment():
    named = Transform(FLIP, names={"rects": "boxes"}, min_visibility=0.5, box_normalized=True)
    for module in (Augment(named), Augment(named, evaluate=FLIP).eval()):
        out = module(image=image(), rects=torch.tensor([[0.0, 0, 0.25, 1]]), key=0)
        assert out["rects"].tolist() == [[0.75, 0, 1, 1]]


# --- empty, absent, invalid ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mask", "masks", "boxes", "polygons", "keypoints", "labels"])
def test_absent_and_empty_annotations(name):
    for empty in (None, *([] if name == "mask" else [[]])):
        sample = {"image": image(), name: empty}
        for out in (
            Transform(FLIP)(sample, key=0),
            Keyed([(image(), sample)][:0] or [sample], FLIP)[0],
        ):
            assert out[name] is None if empty is None else len(out[name]) == 0
    if name in ("boxes", "keypoints"):
        none = torch.zeros(0, 4 if name == "boxes" else 3)
        out = Transform(FLIP)({"image": image(), name: none}, key=0)[name]
        assert (out.shape, out.dtype) == (none.shape, torch.float32)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            {"boxes": torch.ones(2, 5)},
            r"boxes has shape \(2, 5\): it must be \(N, 4\); pass a fifth",
        ),
        ({"boxes": {1.0}}, r"sample\['boxes'\] is {1.0}: boxes are a list, array or tensor"),
        ({"boxes": [SEEN] * 3, "labels": "cat"}, r"sample\['labels'\] is 'cat'.*\['cat'\] \* 3"),
        ({"boxes": [SEEN] * 3, "labels": {1, 2, 3}}, "pass a list"),
        ({"boxes": [SEEN] * 3, "labels": {"a": 1}}, "pass a list"),
        ({"boxes": [SEEN] * 3, "labels": torch.tensor(3)}, r"sample\['labels'\] is tensor\(3\)"),
        ({"boxes": [SEEN] * 3, "scores": 0.5}, r"sample\['scores'\] is 0.5"),
        ({"mask": "a.png"}, r"sample\['mask'\] is 'a.png': a mask is an array or tensor"),
        ({"keypoints": 5}, r"sample\['keypoints'\] is 5: keypoints are a list"),
        ({"polygons": "x"}, r"sample\['polygons'\] is 'x': polygons are a list"),
    ],
)
def test_annotations_that_are_none_say_why(target, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Transform(FLIP)({"image": image(), **target}, key=0)


@pytest.mark.parametrize(("mode", "kept"), [("drop", [4]), ("clip", [3, 4])])
def test_invalid_boxes_go_with_their_rows(mode, kept):
    bad = [[5.0, 5, 2, 7], [0, 0, float("nan"), 3], [40, 1, 45, 3], [-60, -30, 5, 5], [1, 1, 4, 4]]
    sample = {
        "image": image(),
        "boxes": tv_boxes(bad),
        "labels": torch.arange(5),
        "x": list("abcde"),
    }
    transform = Transform(FLIP, invalid_boxes=mode)
    for out in (transform(sample, key=0), Keyed([sample], transform)[0]):
        assert out["labels"].tolist() == kept
        assert out["x"] == ["abcde"[i] for i in kept]
        assert len(out["boxes"]) == len(kept)
    with pytest.raises(ValueError, match="invalid_boxes='drop' drops such rows"):
        Transform(FLIP)(sample, key=0)
    with pytest.raises(ValueError, match="invalid_boxes is 'none'"):
        Transform(FLIP, invalid_boxes="none")


def test_bfloat16_and_pillow_labels():
    sample = {"image": image(), "boxes": torch.tensor([SEEN], dtype=torch.bfloat16),
              "masks": [Image.new("L", SIZE[::-1], 3), torch.ones(SIZE, dtype=torch.bfloat16)],
              "keypoints": torch.tensor([[1.0, 2]], dtype=torch.bfloat16)}  # fmt: skip
    out = Transform(FLIP)(sample, key=0)
    assert out["boxes"].dtype == out["keypoints"].dtype == out["masks"][1].dtype == torch.bfloat16
    assert out["keypoints"].tolist() == [[30, 2]]
    assert (out["masks"][0] == 3).all()


def test_a_loader_takes_rows_that_only_some_samples_have_by_count():
    rows = [
        {"image": image(), "boxes": [SEEN] * n, "weights": torch.ones(2)} for n in (1, 2)
    ]  # fmt: skip
    batch = next(iter(Loader(rows, FLIP, 2)))
    assert [w.shape for w in batch["weights"]] == [(2,), (2,)]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_collates_samples_that_are_lists(workers):
    """A list that holds the image is a container; other lists are values."""
    forms = [
        ([image(), 3, [1, 2]], lambda batch: (batch[0], batch[1], batch[2])),
        ({"a": [{"image": image()}, 3], "b": [1, 2]},
         lambda batch: (batch["a"][0]["image"], batch["a"][1], batch["b"])),
    ]  # fmt: skip
    for sample, parts in forms:
        images, numbers, values = parts(next(iter(Loader([sample] * 2, FLIP, 2, workers=workers))))
        assert images.shape == (2, 3, *SIZE)
        assert numbers.tolist() == [3, 3]
        assert values == [[1, 2]] * 2


def test_augment_takes_labels_that_are_none():
    out = Augment(FLIP)(
        image=torch.stack([image()] * 2), boxes=None, keypoints=[None, torch.tensor([[0.0, 0]])],
        key=(0, [0, 1]),
    )  # fmt: skip
    assert (out["boxes"], out["keypoints"][0]) == (None, None)
    assert out["keypoints"][1].tolist() == [[31, 0]]
