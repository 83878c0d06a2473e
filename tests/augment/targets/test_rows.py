"""Rows of one object stay together, and labels are selected as they are."""

import numpy as np
import pytest

import imgkit as ik
from imgkit.augment.targets.rows import ImageMasks, select

IMAGE = np.zeros((120, 160, 3), np.uint8)
CROP = ik.Pipeline([ik.CenterCrop((50, 80))], seed=7)
L_SHAPE = np.array([[0.0, 0], [100, 0], [100, 20], [20, 20], [20, 100], [0, 100]])
SQUARE = np.array([[60.0, 40], [100, 40], [100, 80], [60, 80]])
BOXES = np.array([[0.0, 0, 100, 100], [60, 40, 100, 80]])  # of the two
TURNED = np.array([[50.0, 50, 100, 100, 0], [80, 60, 40, 40, 0]])
POINTS = np.arange(18.0).reshape(2, 3, 3)
MASKS = np.stack([np.full((120, 160), 1, np.uint8), np.full((120, 160), 2, np.uint8)])


def test_an_object_without_its_polygon_is_dropped_with_all_its_rows():
    """The box of an L covers the crop, the L itself does not."""
    out = CROP(
        image=IMAGE, polygons=[L_SHAPE, SQUARE], boxes=BOXES, oriented_boxes=TURNED, masks=MASKS,
        keypoints=POINTS, labels=["l", "square"], key=0,
    )  # fmt: skip
    assert {name: len(value) for name, value in out.items() if name != "image"} == {
        name: 1 for name in ("polygons", "boxes", "oriented_boxes", "masks", "keypoints", "labels")
    }
    assert out["labels"] == ["square"]
    assert (out["masks"] == 2).all()
    assert out["keypoints"].shape == (1, 3, 3)
    assert out["boxes"].tolist() == [[20, 5, 60, 45]]
    np.testing.assert_allclose(out["oriented_boxes"], [[40, 25, 40, 40, 0]])


@pytest.mark.parametrize("first", ["boxes", "oriented_boxes"])
def test_the_least_visible_shape_of_an_object_decides(first):
    shapes = {"boxes": BOXES, "oriented_boxes": TURNED}[first]
    square = {first: shapes[1:], "polygons": [SQUARE]}
    half = ik.Pipeline([ik.CenterCrop((120, 40))])  # half of the square's 40 columns remain
    assert len(half(**square, size=(120, 160), key=0)[first]) == 1
    narrow = {first: shapes[1:], "polygons": [SQUARE - [20, 0]]}
    out = half(**narrow, size=(120, 160), min_visibility=0.6, key=0)
    assert (len(out[first]), len(out["polygons"])) == (0, 0)


def test_what_has_another_number_of_rows_is_not_of_the_objects():
    out = CROP(
        image=IMAGE, boxes=BOXES[:1] * 0 + [0, 0, 9, 9], polygons=[L_SHAPE, SQUARE], masks=MASKS,
        keypoints=[[1.0, 2]], labels=[5], key=0,
    )  # fmt: skip
    assert (len(out["boxes"]), out["labels"]) == (0, [])
    assert (len(out["polygons"]), len(out["masks"]), len(out["keypoints"])) == (1, 2, 1)


def test_a_mask_and_masks_of_the_image_lose_no_plane():
    gone = [[0.0, 0, 9, 9]]
    out = CROP(image=IMAGE, mask=IMAGE[..., :1], boxes=gone, key=0)
    assert out["mask"].shape == (50, 80, 1)
    out = CROP(image=IMAGE, masks=ImageMasks([IMAGE[..., 0]]), boxes=gone, key=0)
    assert len(out["masks"]) == 1


def test_keypoints_by_object_move_as_one_by_one():
    flip = ik.Pipeline([ik.HorizontalFlip()])
    points = np.array([[[1.0, 2], [3, 4]], [[5, 6], [7, 8]]])
    wanted = flip(image=IMAGE, keypoints=points.reshape(-1, 2), key=0)["keypoints"]
    out = flip(image=IMAGE, keypoints=points, key=0)["keypoints"]
    np.testing.assert_array_equal(out, wanted.reshape(2, 2, 2))
    listed = flip(image=IMAGE, keypoints=[points[0], points[1, :1]], key=0)["keypoints"]
    assert [each.tolist() for each in listed] == [wanted[:2].tolist(), wanted[2:3].tolist()]
    back = flip.invert(keypoints=out, size=(120, 160), key=0)
    np.testing.assert_array_equal(back["keypoints"], points)
    assert back["keypoints_valid"].shape == (2, 2)
    assert flip(image=IMAGE, keypoints=points[:0], key=0)["keypoints"].shape == (0, 2, 2)


# --- labels are selected --------------------------------------------------------------------


LABELS = [
    ["a", "b"],
    ("a", 2),
    [object(), None],
    np.array([1, 2**63], np.uint64),
    np.array(["cat", "dog"]),
    np.array([{"any": 1}, None], object),
    [np.int8(3), np.float64(0.5)],
]


@pytest.mark.parametrize("labels", LABELS, ids=lambda labels: type(labels).__name__)
def test_labels_are_selected_not_converted(labels):
    boxes = [[0.0, 0, 9, 9], [60, 40, 100, 80]]
    out = CROP(image=IMAGE, boxes=boxes, labels=labels, key=0)["labels"]
    assert type(out) is type(labels)
    assert len(out) == 1
    assert out[0] is labels[1] or (type(out[0]) is type(labels[1]) and out[0] == labels[1])
    if isinstance(labels, np.ndarray):
        assert out.dtype == labels.dtype


def test_labels_of_tensors_stay_as_they_are():
    torch = pytest.importorskip("torch")
    boxes = [[0.0, 0, 9, 9], [60, 40, 100, 80]]
    image = torch.zeros(3, 120, 160)
    mixed = [torch.tensor(3), torch.tensor(4, dtype=torch.int8)]
    for given in (IMAGE, image):
        (kept,) = CROP(image=given, boxes=boxes, labels=mixed, key=0)["labels"]
        assert kept is mixed[1]
        assert CROP(image=given, labels=mixed, key=0)["labels"] is mixed
    for dtype in (torch.uint64, torch.int32, torch.bfloat16, torch.bool):
        labels = torch.tensor([0, 1]).to(dtype)
        out = CROP(image=image, boxes=boxes, labels=labels, key=0)["labels"]
        assert (out.dtype, out.shape) == (dtype, (1,))
        assert torch.equal(out, labels[1:])
    polygons = [torch.from_numpy(SQUARE - 60).double(), torch.from_numpy(SQUARE).float()]
    (kept,) = CROP(image=image, polygons=polygons, key=0)["polygons"]
    assert kept.dtype == torch.float32


def test_labels_of_a_batch_without_shapes_come_back_as_they_are():
    labels = np.array([1, 2])
    assert CROP(image=np.stack([IMAGE] * 2), labels=labels, key=(0, [0, 1]))["labels"] is labels


def test_select_keeps_containers():
    rows = np.array([1])
    assert select(("a", "b"), rows) == ("b",)
    assert select(range(2), rows) == [1]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("cat", r"labels is 'cat': boxes has 3 rows.*\['cat'\] \* 3"),
        (7, r"labels is 7: boxes has 3 rows.*\[7\] \* 3"),
        (np.array(7), r"labels is array\(7\).*one value for all"),
        ({1, 2, 3}, "labels is {1, 2, 3}.*pass a list"),
        ({1: 1, 2: 2, 3: 3}, "labels is {1: 1.*pass a list"),
        (b"cat", "labels is b'cat'.*list, tuple, array or tensor"),
        ([1, 2], "labels has 2 entries: boxes has 3 rows"),
        (iter([1, 2, 3]), "labels is <list_iterator.*list, tuple, array or tensor"),
    ],
)
def test_labels_that_are_no_rows_are_named(labels, message):
    with pytest.raises(ValueError, match=message):
        CROP(image=IMAGE, boxes=[[0, 0, 9, 9]] * 3, labels=labels, key=0)


# --- absent, empty, invalid ------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["mask", "masks", "boxes", "oriented_boxes", "polygons", "keypoints", "labels"]
)
def test_what_is_none_stays_none(name):
    flip = ik.Pipeline([ik.HorizontalFlip()], seed=1)
    assert flip(image=IMAGE, **{name: None}, key=0)[name] is None
    out = flip(image=[IMAGE, IMAGE], **{name: None}, key=(0, [1, 2]))
    assert (out[name], len(out["image"])) == (None, 2)
    with_function = ik.Pipeline([ik.HorizontalFlip(), lambda image: image])
    assert with_function(image=IMAGE, **{name: None}, key=0)[name] is None
    if name in ("boxes", "polygons"):
        assert flip.invert(**{name: None}, keypoints=[[0, 0]], size=(9, 9), key=0)[name] is None


def test_none_for_some_of_a_batch():
    flip = ik.Pipeline([ik.HorizontalFlip()])
    out = flip(image=[IMAGE, IMAGE], boxes=[None, [[0, 0, 9, 9]]], key=(0, [0, 1]))["boxes"]
    assert out[0] is None
    assert out[1].tolist() == [[151, 0, 160, 9]]


def test_an_image_that_is_none_is_an_error():
    with pytest.raises(TypeError, match="image is None: pass pixels"):
        CROP(image=None, boxes=[[0, 0, 9, 9]])


BAD = [[5.0, 5, 2, 7], [0, 0, np.nan, 3], [200, 1, 210, 3], [-300, -30, 50, 50], [1, 1, 4, 4]]


@pytest.mark.parametrize(("mode", "kept"), [("drop", ["e"]), ("clip", ["d", "e"])])
def test_invalid_boxes_are_dropped_or_clipped_with_their_rows(mode, kept):
    still = ik.Pipeline([ik.Brightness(1.0)])
    masks = np.stack([np.full((120, 160), i) for i in range(5)])
    out = still(image=IMAGE, boxes=BAD, labels=list("abcde"), masks=masks, invalid_boxes=mode,
                key=0)  # fmt: skip
    assert out["labels"] == kept
    assert [chr(97 + m[0, 0]) for m in out["masks"]] == kept
    wanted = {"d": [0, 0, 50, 50], "e": [1, 1, 4, 4]}
    assert out["boxes"].tolist() == [wanted[k] for k in kept]


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("oriented_boxes", [[5, 5, 0, 4, 0], [np.inf, 5, 4, 4, 0], [500, 5, 4, 4, 0],
                            [10, 10, 4, 4, 0]]),
        ("polygons", [[[1, 2], [3, 4]], [[1, 2], [np.nan, 4], [3, 9]], SQUARE + 500, SQUARE]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("mode", ["drop", "clip"])
def test_other_invalid_shapes_are_dropped(name, rows, mode):
    still = ik.Pipeline([ik.Brightness(1.0)])
    targets = {name: rows, "labels": [0, 1, 2, 3], "invalid_boxes": mode}
    out = still(image=IMAGE, **targets, key=0)
    assert out["labels"] == [3]
    np.testing.assert_allclose(out[name][0], rows[3])
    with pytest.raises(ValueError, match=rf"{name}\[\d\]"):
        still(image=IMAGE, **targets | {"invalid_boxes": "error"}, key=0)


def test_invalid_boxes_is_checked():
    with pytest.raises(ValueError, match="invalid_boxes is 'dorp': did you mean 'drop'"):
        CROP(image=IMAGE, boxes=[], invalid_boxes="dorp")


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("bboxes", "boxes"), ("bbox", "boxes"), ("class_labels", "labels"),
        ("category_id", "labels"), ("landmarks", "keypoints"), ("segmentation", "polygons"),
        ("img", "image"),
    ],
)  # fmt: skip
def test_other_libraries_names_are_answered_with_ours(name, known):
    with pytest.raises(TypeError, match=f"'{name}' is not a target.*did you mean '{known}'"):
        CROP(**{"image": IMAGE, name: [[1, 2]]})


def test_a_fifth_column_is_answered():
    with pytest.raises(ValueError, match=r"\(1, 5\): it must be \(N, 4\); pass a fifth column as"):
        CROP(image=IMAGE, boxes=[[0, 0, 9, 9, 1]])


# --- formats that boxes declare ---------------------------------------------------------------


@pytest.mark.parametrize("form", ["XYXY", "XYWH", "CXCYWH"])
def test_boxes_are_read_and_returned_in_the_format_that_they_declare(form):
    torch = pytest.importorskip("torch")
    tv = pytest.importorskip("torchvision.tv_tensors")
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    aug = ik.Pipeline([ik.HorizontalFlip(), ik.CenterCrop((50, 80))])
    plain = tv.BoundingBoxes([[60.0, 40, 100, 80]], format="XYXY", canvas_size=(120, 160))
    boxes = functional.convert_bounding_box_format(plain, new_format=form)
    wanted = aug(image=IMAGE, boxes=plain.numpy(), key=0)["boxes"]
    image = tv.Image(torch.zeros(3, 120, 160))
    for options in ({}, {"box_format": "xyxy"}, {"box_normalized": True}):
        out = aug(image=image, boxes=boxes, labels=torch.tensor([1]), **options, key=0)
        moved = out["boxes"]
        assert type(moved) is tv.BoundingBoxes
        assert (moved.format, moved.canvas_size, moved.dtype) == (boxes.format, (50, 80),
                                                                 torch.float32)  # fmt: skip
        xyxy = functional.convert_bounding_box_format(moved, new_format="XYXY")
        np.testing.assert_allclose(xyxy.numpy(), wanted)
        assert type(out["image"]) is tv.Image
    batch = aug(image=torch.zeros(2, 3, 120, 160), boxes=[boxes, boxes], key=(0, [0, 1]))["boxes"]
    assert [each.format for each in batch] == [boxes.format] * 2
    back = aug.invert(boxes=moved, size=(120, 160), key=0)["boxes"]
    np.testing.assert_allclose(back, boxes.numpy())
    with_function = ik.Pipeline([ik.HorizontalFlip(), lambda x: x, ik.CenterCrop((50, 80))])
    again = with_function(image=IMAGE, boxes=boxes, key=0)["boxes"]
    np.testing.assert_allclose(again.numpy(), moved.numpy())


@pytest.mark.parametrize("form", ["CXCYWHR", "XYWHR", "XYXYXYXY"])
def test_oriented_boxes_of_torchvision_keep_their_format(form):
    tv = pytest.importorskip("torchvision.tv_tensors")
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    plain = tv.BoundingBoxes([[80.0, 60, 20, 10, 30]], format="CXCYWHR", canvas_size=(120, 160))
    boxes = functional.convert_bounding_box_format(plain, new_format=form)
    flip = ik.Pipeline([ik.HorizontalFlip()])
    out = flip(image=IMAGE, oriented_boxes=boxes, key=0)["oriented_boxes"]
    assert (type(out), out.format) == (tv.BoundingBoxes, boxes.format)
    turned = functional.convert_bounding_box_format(out, new_format="CXCYWHR")
    wanted = flip(image=IMAGE, oriented_boxes=plain.numpy(), key=0)["oriented_boxes"]
    # float32 sines of torchvision: 1e-4 of a pixel
    np.testing.assert_allclose(turned.numpy()[:, :4], wanted[:, :4], atol=1e-3)
    with pytest.raises(ValueError, match=f"boxes has format {form}: pass it as oriented_boxes="):
        flip(image=IMAGE, boxes=boxes, key=0)


def test_other_tv_tensors_come_back_in_their_type():
    torch = pytest.importorskip("torch")
    tv = pytest.importorskip("torchvision.tv_tensors")
    mask = tv.Mask(torch.ones(1, 120, 160, dtype=torch.uint8))
    points = tv.KeyPoints([[80.0, 60]], canvas_size=(120, 160))
    out = CROP(image=IMAGE, mask=mask, keypoints=points, key=0)
    assert (type(out["mask"]), out["mask"].shape) == (tv.Mask, (1, 50, 80))
    assert (type(out["keypoints"]), out["keypoints"].canvas_size) == (tv.KeyPoints, (50, 80))


def test_boxes_of_several_formats_in_one_call_are_refused():
    tv = pytest.importorskip("torchvision.tv_tensors")
    pair = [tv.BoundingBoxes([[1.0, 1, 9, 9]], format=f, canvas_size=(120, 160))
            for f in ("XYXY", "XYWH")]  # fmt: skip
    with pytest.raises(ValueError, match="boxes declare the formats XYWH and XYXY: a call takes"):
        CROP(image=[IMAGE, IMAGE], boxes=pair, key=(0, [0, 1]))


@pytest.mark.parametrize("gap", [0, 1, 2])
def test_an_object_without_keypoints_is_a_row(gap):
    points = [np.array([[15.0, 10, 2]]), np.array([[14.0, 10, 2], [15, 11, 2]])]
    points.insert(gap, [])
    aug = ik.Pipeline([ik.HorizontalFlip()], seed=0)
    image, boxes = np.zeros((24, 32, 3), np.uint8), [[14.0, 10, 17, 13]] * 3
    out = aug(image=image, boxes=boxes, labels=[0, 1, 2], keypoints=points, key=0)
    assert [len(each) for each in out["keypoints"]] == [len(each) for each in points]
    crop = ik.Pipeline([ik.CenterCrop(6)], seed=0)
    boxes = [[14.0, 10, 17, 13], [0, 0, 4, 4], [14, 10, 17, 13]]
    out = crop(image=image, boxes=boxes, labels=[0, 1, 2], keypoints=points, key=0)
    assert [len(each) for each in out["keypoints"]] == [len(points[0]), len(points[2])]


@pytest.mark.parametrize("first", [[], [[[1.0, 2]]]])
def test_rows_of_unequal_length_are_named(first):
    points = [*first, [[1.0, 2], [3.0]]]
    with pytest.raises(ValueError, match=r"keypoints.*must"):
        CROP(image=IMAGE, keypoints=points, key=0)
