"""MixUp, CutMix and Mosaic: pixels, labels, masks and boxes stay together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imgkit as ik
from imgkit.augment.mixing import mix
from imgkit.augment.mixing.objects import uncover, visible
from imgkit.backends.array import mix as array
from imgkit.backends.reference import mix as reference

KEY = (0, range(4))


def flat(levels, height=8, width=12, dtype=np.uint8):
    """Return a batch of images of one level each."""
    return np.stack([np.full((height, width, 3), level, dtype) for level in levels])


def noise(number=4, height=20, width=30, channels=3, dtype=np.uint8):
    """Return a batch of noise."""
    rng = np.random.default_rng(5)
    if np.dtype(dtype).kind == "f":
        return rng.random((number, height, width, channels)).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, (number, height, width, channels), dtype, True)


MIXERS = [
    ik.MixUp(0.5, num_classes=4, seed=3),
    ik.CutMix(1.0, num_classes=4, seed=3),
    ik.Mosaic((16, 24), num_classes=4, seed=3),
]


# --- mixup ------------------------------------------------------------------------------------


def test_mixup_blends_images_and_labels_by_the_same_share():
    out = ik.MixUp(1.0, num_classes=4, seed=3)(flat([0, 50, 100, 200]), [0, 1, 2, 3], key=KEY)
    share = out["share"]
    for i, (own, other) in enumerate(((0, 200), (50, 0), (100, 50), (200, 100))):
        level = share[i] * own + (1 - share[i]) * other
        assert np.abs(out["images"][i] - level).max() <= 0.5 + 1e-6
        wanted = np.zeros(4)
        wanted[i], wanted[i - 1] = share[i], 1 - share[i]
        np.testing.assert_allclose(out["labels"][i], wanted, atol=1e-6)
    np.testing.assert_array_equal(out["partner"], [3, 0, 1, 2])


def test_mixup_shares_follow_the_beta_distribution():
    images = np.zeros((4000, 1, 1, 1), np.uint8)
    share = ik.MixUp(0.2, seed=1)(images, key=(0, range(4000)))["share"]
    assert abs(share.mean() - 0.5) < 0.03
    assert abs(share.var() - 0.25 / 1.4) < 0.01  # of Beta(a, a): 1 / (4 (2 a + 1))


def test_mixup_takes_soft_labels():
    soft = np.array([[0.2, 0.8], [1.0, 0.0]])
    out = ik.MixUp(1.0, seed=1)(flat([0, 9]), soft, key=(0, [4, 5]))
    share = out["share"][:, None]
    np.testing.assert_allclose(out["labels"], share * soft + (1 - share) * soft[::-1], atol=1e-6)


def test_mixup_turns_integer_masks_into_weights():
    masks = np.zeros((2, 8, 12), np.int32)
    masks[1] = 2
    out = ik.MixUp(1.0, num_classes=3, seed=1)(flat([0, 9]), masks=masks, key=(0, [4, 5]))
    assert out["masks"].shape == (2, 8, 12, 3)
    np.testing.assert_allclose(out["masks"].sum(axis=-1), 1, atol=1e-6)
    np.testing.assert_allclose(
        out["masks"][0, 0, 0], [out["share"][0], 0, 1 - out["share"][0]], atol=1e-6
    )


def test_mixup_keeps_the_boxes_of_both_and_weighs_them():
    boxes = [np.array([[0, 0, 4, 4.0]]), np.array([[2, 2, 6, 6.0], [1, 1, 3, 3]])]
    out = ik.MixUp(1.0, seed=1)(
        flat([0, 9]), boxes=boxes, box_labels=[[7], [8, 9]], key=(0, [4, 5])
    )
    np.testing.assert_array_equal(out["boxes"][0], np.concatenate(boxes))
    np.testing.assert_array_equal(out["box_labels"][1], [8, 9, 7])
    share = out["share"]
    np.testing.assert_allclose(out["box_weights"][1], [share[1], share[1], 1 - share[1]])


# --- cutmix -----------------------------------------------------------------------------------


def test_cutmix_pastes_a_box_and_labels_count_its_pixels():
    out = ik.CutMix(num_classes=4, seed=3)(flat([0, 50, 100, 200]), [0, 1, 2, 3], key=KEY)
    for i, own in enumerate((0, 50, 100, 200)):
        kept = (out["images"][i, ..., 0] == own).mean()
        assert out["share"][i] == pytest.approx(kept)
        assert out["labels"][i, i] == pytest.approx(kept)
        left, top, right, bottom = out["region"][i]
        other = (0, 50, 100, 200)[i - 1]
        assert (out["images"][i, top:bottom, left:right] == other).all()


def test_cutmix_pastes_masks_with_the_pixels():
    images = noise()
    masks = images[..., 0].astype(np.int32)
    out = ik.CutMix(seed=8)(images, masks=masks, key=KEY)
    np.testing.assert_array_equal(out["masks"], out["images"][..., 0])


def test_cutmix_boxes_hold_what_is_still_seen_of_them():
    """Two drawn rectangles, found again in the pixels."""
    images = np.zeros((2, 40, 40, 1), np.uint8)
    images[0, 5:20, 4:30] = 100
    images[1, 10:35, 10:38] = 200
    boxes = [np.array([[4, 5, 30, 20.0]]), np.array([[10, 10, 38, 35.0]])]
    aug = ik.CutMix(seed=2, min_visibility=0.0)
    for index in range(40):
        out = aug(images, boxes=boxes, box_labels=[[100], [200]], key=(index, [0, 1]))
        for i in range(2):
            found = dict(zip(out["box_labels"][i].tolist(), out["boxes"][i], strict=True))
            for level in (100, 200):
                rows, columns = np.nonzero(out["images"][i, ..., 0] == level)
                assert (level in found) == bool(rows.size)
                if rows.size:
                    seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
                    np.testing.assert_array_equal(found[level], seen)


def test_cutmix_drops_boxes_that_are_hardly_seen():
    hole = (0, 0, 9, 10)
    bounds, seen = uncover(np.array([[0, 0, 10, 10.0], [20, 0, 30, 10]]), hole)
    np.testing.assert_allclose(seen, [0.1, 1.0])
    np.testing.assert_allclose(bounds, [[9, 0, 10, 10], [20, 0, 30, 10]])
    np.testing.assert_array_equal(visible(seen, 0.1), [True, True])
    np.testing.assert_array_equal(visible(seen, 0.11), [False, True])


coordinates = st.tuples(*[st.integers(0, 12)] * 4)


@settings(deadline=None, max_examples=200)
@given(coordinates, coordinates)
def test_uncover_is_what_the_pixels_say(box, hole):
    (x0, x1), (y0, y1) = sorted(box[:2]), sorted(box[2:])
    (h0, h1), (v0, v1) = sorted(hole[:2]), sorted(hole[2:])
    if x0 == x1 or y0 == y1:
        return
    canvas = np.zeros((12, 12), bool)
    canvas[y0:y1, x0:x1] = True
    whole = canvas.sum()
    canvas[v0:v1, h0:h1] = False
    bounds, seen = uncover(np.array([[x0, y0, x1, y1]], float), (h0, v0, h1, v1))
    assert seen[0] == pytest.approx(canvas.sum() / whole)
    if canvas.any():
        rows, columns = np.nonzero(canvas)
        wanted = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_array_equal(bounds[0], wanted)


def test_cutmix_leaves_a_lone_sample_alone():
    images = noise(1)
    out = ik.CutMix(seed=1, num_classes=2)(images, [1], boxes=[[[1, 1, 9, 9]]], key=(0, [5]))
    np.testing.assert_array_equal(out["images"], images)
    np.testing.assert_allclose(out["labels"], [[0, 1]])
    np.testing.assert_array_equal(out["boxes"][0], [[1, 1, 9, 9]])


# --- mosaic -----------------------------------------------------------------------------------


def test_mosaic_fills_four_tiles_and_labels_count_their_pixels():
    out = ik.Mosaic((16, 24), num_classes=4, seed=3)(flat([0, 50, 100, 200]), [0, 1, 2, 3], key=KEY)
    assert out["images"].shape == (4, 16, 24, 3)
    for i in range(4):
        image, (x, y) = out["images"][i, ..., 0], out["center"][i]
        assert 4 <= y <= 12
        assert 6 <= x <= 18
        for by, tile in enumerate((np.s_[:y, :x], np.s_[:y, x:], np.s_[y:, :x], np.s_[y:, x:])):
            assert (image[tile] == (0, 50, 100, 200)[i - by]).all()
        shares = [(image == level).mean() for level in (0, 50, 100, 200)]
        np.testing.assert_allclose(out["labels"][i], shares, atol=1e-6)


def test_mosaic_boxes_hold_the_pixels_they_held():
    """A bright rectangle on each image, found again in its tile, to a pixel of resizing."""
    images = np.zeros((4, 40, 60, 1), np.uint8)
    images[:, 8:32, 12:48] = 255
    boxes = [np.array([[12, 8, 48, 32.0]])] * 4
    out = ik.Mosaic(64, seed=5, min_visibility=0.0)(images, boxes=boxes, key=KEY)
    for i in range(4):
        x, y = out["center"][i]
        bright = out["images"][i, ..., 0] > 127
        for tile in ((0, 0, x, y), (x, 0, 64, y), (0, y, x, 64), (x, y, 64, 64)):
            rows, columns = np.nonzero(bright[tile[1] : tile[3], tile[0] : tile[2]])
            seen = [tile[0] + columns.min(), tile[1] + rows.min(),
                    tile[0] + columns.max() + 1, tile[1] + rows.max() + 1]  # fmt: skip
            assert any(np.abs(box - seen).max() <= 1 for box in out["boxes"][i])


def test_mosaic_masks_follow_the_pixels():
    images = np.repeat(np.repeat(noise(4, 5, 6, 1), 8, axis=1), 8, axis=2)
    masks = (images[..., 0] > 127).astype(np.int64)
    out = ik.Mosaic(48, seed=5)(images, masks=masks, key=KEY)
    assert out["masks"].dtype == np.int64
    agree = (out["masks"] == (out["images"][..., 0] > 127)).mean()
    assert agree > 0.85  # but where the image is blurred between two squares


def test_mosaic_takes_images_of_several_sizes():
    images = [noise(1, 20 + 9 * i, 50 - 8 * i)[0] for i in range(4)]
    masks = [np.zeros(image.shape[:2], np.uint8) for image in images]
    out = ik.Mosaic((30, 30), seed=1)(images, masks=masks, key=KEY)
    assert out["images"].shape == (4, 30, 30, 3)
    assert out["masks"].shape == (4, 30, 30)


def test_mosaic_windows_keep_the_shape_of_their_tile():
    for size, tile in (
        ((40, 60), (0, 0, 30, 30)),
        ((40, 60), (10, 0, 90, 20)),
        ((70, 90), (0, 0, 64, 9)),
    ):
        left, top, right, bottom = mix._fit_window(size, tile, np.array([0.999999, 0.5]))
        assert 0 <= left < right <= size[1]
        assert 0 <= top < bottom <= size[0]
        scale_x = (tile[2] - tile[0]) / (right - left)
        scale_y = (tile[3] - tile[1]) / (bottom - top)
        half = max(scale_x / (right - left), scale_y / (bottom - top))
        assert abs(scale_x - scale_y) <= half  # half a pixel of rounding, either way


# --- all three --------------------------------------------------------------------------------


@pytest.mark.parametrize("mixer", MIXERS, ids=lambda mixer: type(mixer).__name__)
def test_label_weights_sum_to_one(mixer):
    out = mixer(noise(), [0, 1, 2, 3], key=KEY)
    np.testing.assert_allclose(out["labels"].sum(axis=1), 1, atol=1e-6)
    assert out["labels"].dtype == np.float32


@pytest.mark.parametrize("mixer", MIXERS, ids=lambda mixer: type(mixer).__name__)
def test_what_a_sample_draws_follows_from_its_own_key(mixer):
    images = noise(6)
    whole = mixer(images, key=(2, range(6)))
    part = mixer(images[3:], key=(2, range(3, 6)))
    name = "center" if "center" in whole else "share"
    np.testing.assert_array_equal(whole[name][3:], part[name])
    assert len({str(row) for row in whole[name]}) > 3
    again = mixer(images, key=(2, range(6)))
    np.testing.assert_array_equal(whole["images"], again["images"])
    later = mixer(images, key=(3, range(6)))
    assert (later["images"] != whole["images"]).any()


@pytest.mark.parametrize("mixer", MIXERS, ids=lambda mixer: type(mixer).__name__)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_dtypes_stay_and_inputs_are_not_written_to(mixer, dtype, channels):
    images = noise(3, channels=channels, dtype=dtype)
    images.flags.writeable = False
    before = images.copy()
    out = mixer(images, key=(0, range(3)))["images"]
    assert out.dtype == dtype
    assert out.shape[-1] == channels
    np.testing.assert_array_equal(images, before)
    assert not np.shares_memory(out, images)


@pytest.mark.parametrize("mixer", MIXERS, ids=lambda mixer: type(mixer).__name__)
def test_an_empty_batch_stays_empty(mixer):
    out = mixer(np.zeros((0, 16, 24, 3), np.uint8), np.zeros(0, int), boxes=[], key=(0, range(0)))
    assert out["images"].shape == (0, 16, 24, 3)
    assert out["labels"].shape == (0, 4)
    assert out["boxes"] == []


@pytest.mark.parametrize("mixer", [ik.MixUp(seed=1, p=0.0), ik.CutMix(seed=1, p=0.0)])
def test_p_zero_mixes_nothing(mixer):
    images = noise()
    out = mixer(images, boxes=[[[1, 1, 5, 5]]] * 4, key=KEY)
    np.testing.assert_array_equal(out["images"], images)
    np.testing.assert_array_equal(out["share"], 1)
    assert [len(boxes) for boxes in out["boxes"]] == [1] * 4


def test_calls_without_a_key_are_counted_with_a_seed_and_fresh_without():
    images = noise()
    first, second = ik.MixUp(1.0, seed=1), ik.MixUp(1.0, seed=1)
    shares = [first(images)["share"], first(images)["share"]]
    np.testing.assert_array_equal(shares[0], second(images)["share"])
    assert (shares[0] != shares[1]).all()
    free = ik.MixUp(1.0)
    assert (free(images)["share"] != free(images)["share"]).all()


# --- the pixels, against the reference ----------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [1, 3, 7])
def test_pixels_equal_the_reference(dtype, channels):
    """One level of rounding for integers, one part in a million for floats."""
    batch = noise(3, channels=channels, dtype=dtype)
    partner, share = np.array([2, 0, 1]), np.array([0.3, 1.0, 0.77])
    tolerance = 1 if np.dtype(dtype).kind == "u" else 1e-6
    boxes = np.array([[0, 0, 5, 6], [3, 4, 30, 20], [7, 7, 7, 7]])
    tiles = [(0, 0, 10, 9), (10, 0, 33, 9), (0, 9, 10, 21), (10, 9, 33, 21)]
    windows = [(0, 0, 30, 20), (3, 5, 26, 14), (20, 0, 30, 12), (0, 8, 6, 11)]
    images = [batch[0], batch[1], batch[2], batch[0]]
    calls = [
        lambda module: module.blend(batch, partner, share),
        lambda module: module.paste(batch, partner, boxes),
        lambda module: module.assemble(images, tiles, windows, (21, 33), False),
        lambda module: module.assemble(images, tiles, windows, (21, 33), True),
    ]
    for call in calls:
        ours, oracle = call(array), call(reference)
        assert ours.dtype == oracle.dtype == dtype
        assert np.abs(ours.astype(float) - oracle.astype(float)).max() <= tolerance


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ik.MixUp(0), "alpha is 0"),
        (lambda: ik.CutMix(min_visibility=2), "min_visibility is 2"),
        (lambda: ik.Mosaic(0), "size is 0"),
        (lambda: ik.Mosaic(9, p=0.5), "p is 0.5: a mosaic has a size of its own"),
        (lambda: ik.MixUp()(noise()[0]), r"images has shape \(20, 30, 3\): a batch is"),
        (lambda: ik.MixUp()(noise(), [0, 1, 2, 3]), "num_classes is None"),
        (lambda: ik.MixUp(num_classes=3)(noise(), [0, 1, 2, 3]), "labels go from 0 to 3"),
        (lambda: ik.MixUp(num_classes=3)(noise(), [0, 1]), "labels has 2 entries for 4 images"),
        (lambda: ik.MixUp(num_classes=3)(noise(), np.ones((4, 2))), "labels has 2 columns"),
        (lambda: ik.MixUp()(noise(), [0.5, 1, 2, 3]), r"they are \(N,\) integers or"),
        (lambda: ik.CutMix()(noise(), masks=np.zeros((4, 3, 3))), r"masks\[0\] has shape \(3, 3\)"),
        (lambda: ik.CutMix()(noise(), boxes=[[[0, 0, 1]]] * 4), r"boxes\[0\] has shape \(1, 3\)"),
        (lambda: ik.CutMix()(noise(), boxes=[[[5, 0, 1, 1]]] * 4), r"boxes\[0\] holds a box"),
        (lambda: ik.CutMix()(noise(), box_labels=[[]] * 4), "box_labels came without boxes"),
        (
            lambda: ik.CutMix()(noise(), boxes=[[[0, 0, 1, 1]]] * 4, box_labels=[[]] * 4),
            r"box_labels\[0\] has 0 entries for 1 boxes",
        ),
        (lambda: ik.MixUp()(noise(), key=(0, [1, 2])), "key has 2 indices for 4 images"),
        (lambda: ik.Mosaic(9)([]), "images is an empty list"),
        (lambda: ik.Mosaic(9)([noise()[0], noise(channels=1)[0]]), "differ in channels or dtype"),
        (lambda: ik.Mosaic(9)([noise()]), r"images\[0\] has shape"),
    ],
)
def test_bad_batches_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
