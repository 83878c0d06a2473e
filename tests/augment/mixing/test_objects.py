"""Objects of mixed images: drawn, found again in the pixels, row by row."""

import numpy as np
import pytest

import imgkit as ik
from imgkit.augment.mixing.objects import Objects, join

SIZE = (40, 48)
L_SHAPE = np.array([[4.0, 5], [34, 5], [34, 14], [14, 14], [14, 36], [4, 36]])
DIAMOND = np.array([[24.0, 4], [44, 20], [24, 36], [8, 20]])


def draw(polygon, size=SIZE):
    """Return which pixel centers lie inside a polygon in pixel edges (even-odd rule)."""
    x, y = np.meshgrid(np.arange(size[1]) + 0.5, np.arange(size[0]) + 0.5)
    inside = np.zeros(size, bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 != y1:
            crosses = (y0 > y) != (y1 > y)
            inside ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside


def scene():
    """Return two images with one object each, its level, and its keypoints on its pixels."""
    images = np.zeros((2, *SIZE, 1), np.uint8)
    given = {"boxes": [], "box_labels": [], "polygons": [], "keypoints": []}
    for i, (shape, level) in enumerate(((L_SHAPE, 100), (DIAMOND, 200))):
        inside = draw(shape)
        images[i, inside] = level
        given["boxes"].append([[*shape.min(0), *shape.max(0)]])
        given["box_labels"].append([level])
        given["polygons"].append([shape])
        dots = np.argwhere(inside)[::40, ::-1]
        given["keypoints"].append(np.c_[dots, np.full(len(dots), 2)][None])
    return images, given


def test_cutmix_polygons_and_keypoints_are_what_is_still_seen():
    images, given = scene()
    aug = ik.CutMix(seed=2, min_visibility=0.0)
    for index in range(60):
        out = aug(images, **given, key=(index, [0, 1]))
        for i in range(2):
            pixels, names = out["images"][i, ..., 0], out["box_labels"][i].tolist()
            assert all(len(out[name][i]) == len(names) for name in given)
            assert set(names) == set(np.unique(pixels)) - {0}
            for level, polygon, points in zip(
                names, out["polygons"][i], out["keypoints"][i], strict=True
            ):
                np.testing.assert_array_equal(draw(polygon), pixels == level)
                x, y, seen = points.astype(int).T
                np.testing.assert_array_equal(pixels[y, x] == level, seen == 2)


def test_mosaic_polygons_and_keypoints_are_where_their_pixels_are():
    images, given = scene()
    images, given = np.tile(images, (2, 1, 1, 1)), {n: v * 2 for n, v in given.items()}
    aug = ik.Mosaic(64, seed=5, min_visibility=0.0)
    for index in range(12):
        out = aug(images, masks=images[..., 0], **given, key=(index, range(4)))
        for i in range(4):
            pixels = out["masks"][i]
            assert all(len(out[name][i]) == len(out["boxes"][i]) for name in given)
            for level in (100, 200):
                shown = np.zeros((64, 64), bool)
                for name, polygon in zip(out["box_labels"][i], out["polygons"][i], strict=True):
                    if name == level:
                        shown |= draw(polygon, (64, 64))
                # nearest sampling moves a boundary by at most a pixel
                edge = np.abs(np.diff(np.pad(shown, 1).astype(int), axis=0)).sum()
                assert (shown != (pixels == level)).sum() <= 2 * edge + 4
            for name, points in zip(out["box_labels"][i], out["keypoints"][i], strict=True):
                for x, y, seen in points:
                    around = pixels[
                        max(int(y) - 1, 0) : int(y) + 3, max(int(x) - 1, 0) : int(x) + 3
                    ]
                    assert not seen or (around == name).any()


def test_mixup_keeps_the_objects_of_both():
    images, given = scene()
    points = [np.array([[1.0, 2]]), np.array([[3.0, 4]])]
    out = ik.MixUp(1.0, seed=1)(images, **given | {"keypoints": points}, key=(0, [4, 5]))
    assert out["box_labels"][1].tolist() == [200, 100]
    np.testing.assert_array_equal(out["polygons"][1][1], L_SHAPE)
    np.testing.assert_array_equal(out["keypoints"][1], [[3, 4], [1, 2]])


def test_points_without_an_object_are_marked_and_not_dropped():
    frame = (0, 0, 10, 10)
    points = Objects(points=np.array([[9.4, 3], [9.6, 3], [-1, 3]]))
    for found, seen in (
        (points.cut(frame, 0).points, [True, False, False]),
        (points.behind(frame, 0).points, [False, True, True]),
    ):
        np.testing.assert_array_equal(~np.isnan(found[:, 0]), seen)
    both = join([points, Objects(points=np.zeros((0, 2)))]).points
    assert both.shape == (3, 2)


def test_a_hole_in_a_polygon_is_cut_out():
    square = np.array([[4.0, 4], [36, 4], [36, 36], [4, 36]])
    inside = np.zeros(SIZE, bool)
    inside[4:36, 4:36] = True
    inside[10:20, 8:30] = False
    (polygon,) = Objects(polygons=[square]).behind((8, 10, 30, 20), 0).polygons
    np.testing.assert_array_equal(draw(polygon), inside)
    kept = Objects(polygons=[square], labels=np.array(["a"]))
    assert len(kept.behind((8, 10, 30, 20), 0.79)) == 0
    assert kept.behind((8, 10, 30, 20), 0.78).labels.tolist() == ["a"]


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ([np.array([1], np.uint64), np.array([-2])], [1, -2]),
        ([[1], ["a"]], [1, "a"]),
        ([["a"], ["longer"]], ["a", "longer"]),
        ([np.array([1.5]), np.array([2])], [1.5, 2]),
        ([np.array([2**63], np.uint64), []], [2**63]),
        ([[(1, 2)], [None]], [(1, 2), None]),
    ],
)
def test_labels_of_a_batch_are_joined_not_converted(labels, wanted):
    images, _ = scene()
    boxes = [[[1, 1, 9, 9]] * len(each) for each in labels]
    out = ik.MixUp(1.0, seed=1)(images, boxes=boxes, box_labels=labels, key=(0, [4, 5]))
    found = out["box_labels"][0].tolist()
    assert found == wanted
    plain = [value.item() if isinstance(value, np.generic) else value for value in found]
    assert [type(value) for value in plain] == [type(value) for value in wanted]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"polygons": [[L_SHAPE[:2]], []]}, r"polygons\[0\]\[0\] has shape \(2, 2\)"),
        ({"polygons": [5, []]}, r"polygons\[0\] is 5: it must be a list of arrays"),
        (
            {"boxes": [[[0, 0, 1, 1]], []], "polygons": [[], []]},
            r"polygons\[0\] has 0 entries for 1",
        ),
        ({"keypoints": [[[1, 2, 3, 4]], []]}, r"keypoints\[0\] has shape \(1, 4\)"),
        ({"keypoints": [3, []]}, r"keypoints\[0\] is 3"),
        ({"box_labels": [[], []]}, "box_labels came without boxes or polygons"),
        ({"boxes": [[], []], "box_labels": ["", ""]}, "box_labels holds ''"),
        ({"boxes": "xy"}, "boxes is 'xy': it must be a list"),
    ],
)
def test_bad_objects_are_named(given, message):
    with pytest.raises((TypeError, ValueError), match=message):
        ik.CutMix()(scene()[0], **given)


def test_ignore_index_is_checked():
    with pytest.raises(TypeError, match=r"ignore_index is 0\.5"):
        ik.MixUp(ignore_index=0.5)
