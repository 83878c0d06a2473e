"""Predictions go back to where the pixels came from, and say which of them can be trusted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imgkit as ik
from imgkit import geometry, registry

SIZE = (120, 160)
LARGE = {
    "RandomCrop": {"size": (90, 110), "padding": 12},
    "CenterCrop": {"size": (100, 180)},
    "RandomResizedCrop": {"size": (90, 110), "scale": (0.5, 1.0)},
    "Resize": {"size": (90, 130)},
    "Letterbox": {"size": (128, 128)},
    "Elastic": {"alpha": (3, 6), "sigma": 8},
    "Pad": {"padding": (3, 9, 5, 0)},
}
GEOMETRIC = [op.name for op in registry.TRANSFORMS.values() if op.is_geometric]
FIELDS = {"Elastic", "GridDistortion"}
MOVES = {
    "HorizontalFlip",
    "VerticalFlip",
    "Rotate90",
    "Transpose",
    "RandomCrop",
    "CenterCrop",
    "Pad",
}
chains = st.lists(st.sampled_from(GEOMETRIC), min_size=1, max_size=4)


def pipeline(*names, **options):
    examples = [{**LARGE.get(n, registry.TRANSFORMS[n].example), **options} for n in names]
    return ik.Pipeline([getattr(ik, n)(**e) for n, e in zip(names, examples, strict=True)], seed=5)


def smooth():
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.stack([x / 200, y / 200, 0.5 + 0.3 * np.sin(x / 20)], axis=-1)


# --- coordinates --------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(chains, st.integers(0, 2**32))
def test_what_was_visible_goes_there_and_comes_back(names, index):
    aug = pipeline(*names)
    points = np.random.default_rng(0).uniform([0, 0], [159, 119], (40, 2))
    visible = np.concatenate([points, np.ones((40, 1))], axis=1)
    there = aug(keypoints=visible, size=SIZE, key=index)["keypoints"]
    seen = there[:, 2] == 1
    back = aug.invert(keypoints=there[:, :2], size=SIZE, key=index)
    assert back["keypoints_valid"][seen].all()
    # fields are inverted to 1e-4 of a pixel, and each enlarges the error of the last
    atol = 0.01 if FIELDS & set(names) else 1e-6
    np.testing.assert_allclose(back["keypoints"][seen], points[seen], atol=atol)


@settings(max_examples=50, deadline=None)
@given(chains, st.integers(0, 2**32))
def test_a_prediction_is_valid_if_the_source_sends_it_there(names, index):
    aug = pipeline(*names)
    height, width = aug.plan(SIZE, index).out_size
    found = np.random.default_rng(0).uniform([0, 0], [float(width) - 1, float(height) - 1], (40, 2))
    back = aug.invert(keypoints=found, size=SIZE, key=index)
    at, valid = back["keypoints"], back["keypoints_valid"]
    inside = geometry.within(at[valid], SIZE)
    assert inside.all()
    again = aug(keypoints=np.column_stack([at[valid], np.ones(valid.sum())]), size=SIZE, key=index)
    again = again["keypoints"]
    if not FIELDS & set(names):
        assert (again[:, 2] == 1).all()
        np.testing.assert_allclose(again[:, :2], found[valid], atol=1e-6)


@pytest.mark.parametrize("name", sorted(MOVES | {"Resize", "Letterbox", "Scale", "Translate"}))
@pytest.mark.parametrize("form", ["xyxy", "xywh", "cxcywh"])
@pytest.mark.parametrize("normalized", [False, True])
def test_boxes_come_back_where_they_stay_upright(name, form, normalized):
    aug = pipeline(name)
    box = np.array([[0.4, 0.4, 0.3, 0.2]]) if normalized else np.array([[64.0, 48, 48, 24]])
    if form == "xyxy":
        box[:, 2:] += box[:, :2]
    options = {"box_format": form, "box_normalized": normalized}
    there = aug(boxes=box, size=SIZE, key=3, **options)["boxes"]
    back = aug.invert(boxes=there, size=SIZE, key=3, **options)
    np.testing.assert_allclose(back["boxes"], box, atol=1e-9)
    assert back["boxes_valid"].tolist() == [True]


def test_predicted_boxes_keep_their_rows_and_say_which_are_whole():
    """Crop 40..120 x 30..90, padded by 10: inside, over the pad, on the pad, off the output."""
    aug = ik.Pipeline([ik.CenterCrop((60, 80)), ik.Pad(10)])
    predicted = [
        [10, 10, 20, 20],
        [0, 20, 30, 30],
        [0, 0, 5, 5],
        [200, 0, 210, 9],
        [30, 30, 30, 40],
    ]
    back = aug.invert(boxes=predicted, labels=list("abcde"), size=SIZE, key=0)
    np.testing.assert_array_equal(back["boxes"], [
        [40, 30, 50, 40], [40, 40, 60, 50], [np.nan] * 4, [np.nan] * 4, [60, 50, 60, 60],
    ])  # fmt: skip
    assert back["boxes_valid"].tolist() == [True, False, False, False, True]
    assert back["labels"] == list("abcde")


def test_oriented_boxes_and_polygons_come_back():
    aug = pipeline("HorizontalFlip", "Rotate", "Scale")
    boxes, triangle = [[80, 60, 30, 20, 25]], np.array([[60.0, 50], [90, 55], [70, 80]])
    there = aug(oriented_boxes=boxes, polygons=[triangle], size=SIZE, key=1)
    back = aug.invert(**there, size=SIZE, key=1)
    np.testing.assert_allclose(back["oriented_boxes"], boxes, atol=1e-9)
    np.testing.assert_allclose(back["polygons"][0], triangle, atol=1e-9)
    assert back["oriented_boxes_valid"].all()
    assert back["polygons_valid"].all()


def test_polygons_off_the_source_come_back_empty():
    back = ik.Pipeline([ik.Pad(20)]).invert(polygons=[[[0, 0], [9, 0], [0, 9]]], size=SIZE, key=0)
    assert back["polygons"][0].shape == (0, 2)
    assert not back["polygons_valid"][0]


def test_the_third_column_of_predicted_keypoints_is_kept():
    back = ik.Pipeline([ik.Pad(20)]).invert(
        keypoints=[[5, 5, 0.9], [30, 30, 0.4]], size=SIZE, key=0
    )
    assert back["keypoints"].tolist() == [[-15, -15, 0.9], [10, 10, 0.4]]
    assert back["keypoints_valid"].tolist() == [False, True]


@pytest.mark.parametrize("index", range(5))
def test_a_field_that_nearly_folds_is_inverted_too(index):
    """Fixed-point iteration diverges here; a search from the nearest pixel finds the place."""
    aug = ik.Pipeline([ik.Elastic(alpha=2.0, sigma=1.0)], seed=1)
    points = np.random.default_rng(index).uniform([5, 5], [150, 110], (200, 2))
    there = aug(keypoints=points, size=SIZE, key=index)["keypoints"]
    back = aug.invert(keypoints=there, size=SIZE, key=index)["keypoints"]
    assert np.abs(back - points).max() < 0.01


# --- pixels -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(MOVES))
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_moves_are_undone_bit_by_bit(name, dtype):
    aug = pipeline(name)
    image = np.random.default_rng(0).integers(0, 250, (*SIZE, 3)).astype(dtype) / (
        dtype.startswith("float") * 254 + 1
    )
    image = image.astype(dtype)
    out = aug(image=image, mask=image[..., 0], key=4)
    back = aug.invert(image=out["image"], mask=out["mask"], size=SIZE, key=4)
    valid = back["valid"]
    np.testing.assert_array_equal(back["image"][valid], image[valid])
    np.testing.assert_array_equal(back["mask"][valid], image[valid][:, 0])
    assert not back["image"][~valid].any()
    assert back["image"].dtype == dtype


@settings(max_examples=20, deadline=None)
@given(chains, st.integers(0, 2**32))
def test_smooth_images_come_back_where_they_were_seen(names, index):
    aug = pipeline(*names)
    image = smooth()
    out = aug(image=image, key=index)["image"]
    back = aug.invert(image=out, size=SIZE, key=index)
    assert back["image"].shape == image.shape
    valid = back["valid"]
    if valid.sum() < 500:
        return
    error = np.abs(back["image"] - image)[valid]
    # at the edge of a canvas an op's fill is blended in; elsewhere two interpolations blur a little
    assert np.median(error) < 0.01


def test_valid_is_what_the_output_shows():
    aug = ik.Pipeline([ik.CenterCrop((60, 80)), ik.Rotate(90), ik.Pad(3)])
    back = aug.invert(mask=np.ones((66, 86), np.int32), size=SIZE, key=0, fill_mask=-1)
    rows, columns = np.nonzero(back["valid"])
    # the crop 30..90 x 40..120, of which a turn by 90 degrees keeps the square in the middle
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (30, 89, 50, 109)
    assert back["valid"].sum() == 60 * 60
    np.testing.assert_array_equal(back["mask"], np.where(back["valid"], 1, -1))


@pytest.mark.parametrize("name", GEOMETRIC)
def test_segmentations_come_back_over_what_they_segment(name):
    aug = pipeline(name)
    mask = np.zeros(SIZE, bool)
    mask[40:80, 50:120] = True
    back = aug.invert(mask=aug(mask=mask, key=2)["mask"], size=SIZE, key=2)
    wrong = (back["mask"] != mask) & back["valid"]
    assert wrong.sum() <= 220  # a pixel along the edge, which is 220 long
    assert back["valid"][42:78, 52:118].any()


def test_channels_stay_where_the_pipeline_puts_them():
    aug = ik.Pipeline([ik.HorizontalFlip(), ik.Normalize(), ik.ToCHW()])
    scores = np.random.default_rng(0).random((5, *SIZE), np.float32)
    back = aug.invert(image=scores, mask=scores[0], size=SIZE, key=0)
    np.testing.assert_array_equal(back["image"], scores[:, :, ::-1])
    np.testing.assert_array_equal(back["mask"], scores[0, :, ::-1])


def test_stacks_and_lists_come_back_as_such():
    aug = pipeline("Resize")
    masks = np.zeros((3, 90, 130), np.uint8)
    assert aug.invert(masks=masks, size=SIZE, key=0)["masks"].shape == (3, *SIZE)
    assert isinstance(aug.invert(masks=list(masks), size=SIZE, key=0)["masks"], list)


# --- batches ------------------------------------------------------------------------------------


def test_a_batch_is_its_samples_one_by_one():
    aug = pipeline("HorizontalFlip", "Rotate", "Elastic", "Resize", p=0.7)
    rng = np.random.default_rng(0)
    images = rng.random((3, *SIZE, 3))
    points = rng.uniform(20, 80, (3, 4, 2))
    out = aug(image=images, key=(1, [4, 9, 2]))["image"]
    back = aug.invert(image=out, keypoints=points, boxes=[[], [[9, 9, 20, 20]], []],
                      size=SIZE, key=(1, [4, 9, 2]))  # fmt: skip
    assert back["valid"].shape == (3, *SIZE)
    for i, index in enumerate((4, 9, 2)):
        alone = aug.invert(image=out[i], keypoints=points[i], size=SIZE, key=(1, index))
        np.testing.assert_array_equal(back["image"][i], alone["image"])
        np.testing.assert_array_equal(back["keypoints"][i], alone["keypoints"])
    assert [len(boxes) for boxes in back["boxes"]] == [0, 1, 0]


def test_a_batch_may_come_from_images_of_several_sizes():
    aug = pipeline("Resize")
    back = aug.invert(
        mask=[np.ones((90, 130), np.uint8)] * 2, size=[SIZE, (60, 70)], key=(0, [1, 2])
    )
    assert [mask.shape for mask in back["mask"]] == [SIZE, (60, 70)]


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("call", "error", "message"), [
    ({"maks": 1, "size": SIZE, "key": 0}, TypeError, "'maks' is not a target.*'masks'"),
    ({"mask": np.ones((9, 9), np.uint8), "size": SIZE, "key": 0}, ValueError,
     r"mask is 9 x 9 .* the output of this plan is 90 x 130"),
    ({"boxes": [[9, 9, 2, 20]], "size": SIZE, "key": 0}, ValueError, r"boxes\[0\]"),
    ({"keypoints": [[np.nan, 3]], "size": SIZE, "key": 0}, ValueError, r"keypoints\[0\]"),
    ({"keypoints": [[1, 3]], "size": 8, "key": 0}, ValueError, "size is 8"),
    ({"keypoints": [[1, 3]], "size": SIZE, "key": None}, TypeError, "key is None"),
    ({"keypoints": [[[1, 3]]], "size": SIZE, "key": (0, [1, 2])}, ValueError, "a batch of 2"),
    ({"keypoints": [[[1, 3]]], "size": [SIZE] * 2, "key": (0, [1])}, ValueError, "size has 2"),
])  # fmt: skip
def test_bad_predictions_say_what_is_wrong(call, error, message):
    with pytest.raises(error, match=message):
        pipeline("Resize").invert(**call)
