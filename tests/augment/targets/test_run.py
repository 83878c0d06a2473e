"""Labels go where the pixels go: shapes are moved as pixels and as coordinates, and compared."""

import copy
import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imgkit as ik
from imgkit import geometry, registry
from imgkit.augment.targets import polygons
from imgkit.augment.targets.run import run_targets
from imgkit.backends.array import masks as array_masks
from imgkit.backends.reference import masks as reference_masks

SIZE = (120, 160)
IMAGE = np.zeros((*SIZE, 3), np.uint8)
BOX = [50, 40, 120, 80]
LARGE = {  # sizes that suit the test image; all other ops run their example of the registry
    "RandomCrop": {"size": (90, 110), "padding": 12},
    "CenterCrop": {"size": (100, 180)},
    "RandomResizedCrop": {"size": (90, 110), "scale": (0.5, 1.0)},
    "Resize": {"size": (90, 130)},
    "Letterbox": {"size": (128, 128)},
    "Elastic": {"alpha": (3, 6), "sigma": 8},
    "Translate": {"x": (-0.1, 0.1), "y": (-0.1, 0.1)},
    "Pad": {"padding": (3, 9, 5, 0)},
}
GEOMETRIC = [op.name for op in registry.TRANSFORMS.values() if op.is_geometric]
POLICIES = ["RandAugment", "TrivialAugment", "AutoAugment"]
STILL = {"color", "filters", "noise", "erase", "output"}
OTHERS = [op.name for op in registry.TRANSFORMS.values() if op.family in STILL]
FIELDS = {"Elastic", "GridDistortion"}
SIMILAR = ["HorizontalFlip", "VerticalFlip", "Rotate90", "Transpose", "Rotate", "Scale"]
EXACT = {
    "HorizontalFlip",
    "VerticalFlip",
    "Rotate90",
    "Transpose",
    "RandomCrop",
    "CenterCrop",
    "Pad",
}


def make(name, **options):
    example = {**LARGE.get(name, registry.TRANSFORMS[name].example), **options}
    return getattr(ik, name)(**example)


def pipeline(*names, seed=5, **options):
    return ik.Pipeline([make(name, **options) for name in names], seed=seed)


def unfused(aug):
    """Return the same pipeline run op by op."""
    twin = copy.copy(aug)
    twin._planner = copy.copy(aug._planner)
    twin._planner.plan = functools.partial(aug._planner.plan, fuse=False)
    return twin


def draw(polygon, size):
    """Return which pixel centers lie inside a polygon given in pixel edges (even-odd rule)."""
    x, y = np.meshgrid(np.arange(size[1]) + 0.5, np.arange(size[0]) + 0.5)
    inside = np.zeros(size, bool)
    for (x0, y0), (x1, y1) in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        if y0 != y1:
            crosses = (y0 > y) != (y1 > y)
            inside ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside


def perimeter(polygon):
    return np.hypot(*(polygon - np.roll(polygon, -1, axis=0)).T).sum()


def check_cover(mask, polygon):
    """Check that a moved mask and a moved polygon are one shape in one place."""
    found = draw(polygon, mask.shape)
    # the mask was drawn in whole pixels and sampled in whole pixels: half a pixel along the edge
    assert (found ^ mask).sum() <= 4 + 0.5 * perimeter(polygon)
    if mask.sum() > 400:  # nearest sampling shifts a whole mask by up to half a pixel
        middles = [np.argwhere(shape).mean(axis=0) for shape in (mask, found)]
        np.testing.assert_allclose(*middles, atol=0.6)


def corners(box):
    x0, y0, x1, y1 = box
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], float)


def oriented_corners(cx, cy, w, h, degrees):
    a = np.deg2rad(degrees)
    u, v = np.array([np.cos(a), -np.sin(a)]) * w / 2, np.array([np.sin(a), np.cos(a)]) * h / 2
    return np.array([cx, cy]) + np.array([-u - v, u - v, u + v, v - u])


SHAPES = [  # at odd fractions, so that no edge runs exactly through a pixel's center
    np.add([[40, 30], [90, 34], [110, 70], [60, 95], [35, 60]], [0.1371, 0.2713]),
    corners([50, 40, 120, 80]),
    np.add(
        [[70, 20], [80, 50], [110, 55], [82, 66], [72, 100], [62, 64], [30, 58], [61, 48]],
        [0.0917, 0.3191],
    ),
]


# --- coordinates = pixels, for every op ---------------------------------------------------------


@pytest.mark.parametrize("name", GEOMETRIC + POLICIES)
@pytest.mark.parametrize("index", range(4))
def test_polygons_cover_the_pixels_of_their_mask(name, index):
    aug = pipeline(name)
    drawn = np.stack([draw(p, SIZE) for p in SHAPES])
    out = aug(image=IMAGE, masks=drawn, polygons=SHAPES, key=(1, index))
    for mask, polygon in zip(out["masks"], out["polygons"], strict=True):
        check_cover(mask, polygon)
        if name in EXACT:
            np.testing.assert_array_equal(draw(polygon, mask.shape), mask)


@pytest.mark.parametrize("name", GEOMETRIC)
@pytest.mark.parametrize("index", range(4))
def test_boxes_frame_the_pixels_of_what_they_frame(name, index):
    aug = pipeline(name)
    box = [50, 40, 120, 80]
    out = aug(mask=draw(corners(box), SIZE), boxes=[box], key=(2, index))
    rows, columns = np.nonzero(out["mask"])
    seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    # a turned corner's tip is narrower than a pixel, so that up to a pixel and a half is not seen
    np.testing.assert_allclose(out["boxes"][0], seen, atol=1e-9 if name in EXACT else 1.6)


@pytest.mark.parametrize("name", GEOMETRIC)
@pytest.mark.parametrize("index", range(4))
def test_keypoints_sit_on_the_middle_of_their_disc(name, index):
    aug = pipeline(name)
    points = np.array([[60.0, 50], [100, 70], [80, 60]])
    x, y = np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0]))
    image = np.stack([np.exp(-((x - px) ** 2 + (y - py) ** 2) / 8) for px, py in points], axis=-1)
    out = aug(image=image, keypoints=points, key=(3, index))
    height, width = out["image"].shape[:2]
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    for (px, py), blob in zip(out["keypoints"], np.moveaxis(out["image"], -1, 0), strict=True):
        if not (12 < px < width - 13 and 12 < py < height - 13):
            continue  # the canvas cuts the disc, so its middle is another
        total = blob.sum()
        found = (x * blob).sum() / total, (y * blob).sum() / total
        # fields stretch one side of a disc more than the other, which moves its mean
        np.testing.assert_allclose((px, py), found, atol=1.5 if name in FIELDS else 0.1)


@pytest.mark.parametrize("name", GEOMETRIC)
@pytest.mark.parametrize("index", range(4))
def test_the_pixel_at_a_keypoint_is_the_pixel_that_was_there(name, index):
    """An image that holds its own coordinates says exactly where each of its pixels went."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(np.float64)
    points = np.random.default_rng(index).uniform([30, 30], [130, 90], (30, 2))
    out = pipeline(name)(image=np.stack([x, y], -1) / 200, keypoints=points, key=(6, index))
    height, width = out["image"].shape[:2]
    at = out["keypoints"]
    inside = (at >= 1).all(axis=1) & (at[:, 0] <= width - 3) & (at[:, 1] <= height - 3)
    x0, y0 = np.floor(at[inside]).astype(int).T
    fx, fy = (at[inside] - np.floor(at[inside])).T[..., None]
    image = out["image"] * 200
    above = image[y0, x0] * (1 - fx) + image[y0, x0 + 1] * fx
    below = image[y0 + 1, x0] * (1 - fx) + image[y0 + 1, x0 + 1] * fx
    found = above * (1 - fy) + below * fy
    # Pillow's antialiasing reproduces a ramp to 0.08; fields are curved between two pixels
    np.testing.assert_allclose(found, points[inside], atol=0.2 if name in FIELDS else 0.1)


@pytest.mark.parametrize("name", GEOMETRIC)
@pytest.mark.parametrize("index", range(4))
def test_oriented_boxes_frame_their_pixels_closely(name, index):
    aug = pipeline(name)
    box = [80, 60, 70, 30, 25]
    out = aug(mask=draw(oriented_corners(*box), SIZE), oriented_boxes=[box], key=(4, index))
    frame = oriented_corners(*out["oriented_boxes"][0])
    if name in SIMILAR:
        check_cover(out["mask"], frame)
    framed = draw(frame, out["mask"].shape)
    assert (out["mask"] & ~framed).sum() <= 0.25 * perimeter(frame)
    assert out["mask"].sum() > 0.7 * framed.sum()


@pytest.mark.parametrize("name", SIMILAR)
def test_oriented_boxes_keep_their_shape_under_similarity_maps(name):
    aug = pipeline(name)
    before = [80, 60, 40, 20, 25]
    after = aug(oriented_boxes=[before], size=SIZE, key=3)["oriented_boxes"][0]
    assert after[2] / after[3] == pytest.approx(2, abs=1e-9)
    legs = geometry.forward_segments(aug.plan(SIZE, 3).stages[0].geometric_steps, 0)
    moved, _ = geometry.transform_points(legs, SIZE, oriented_corners(*before) - 0.5)
    found = oriented_corners(*after)
    for corner in moved + 0.5:
        assert np.hypot(*(found - corner).T).min() < 1e-9


def test_oriented_boxes_turn_with_the_image():
    """Angles are counter-clockwise as seen, as those of Rotate; w stays the same side."""
    turned = ik.Pipeline([ik.Rotate(30)])(oriented_boxes=[[80, 60, 40, 20, 10]], size=SIZE, key=0)
    np.testing.assert_allclose(turned["oriented_boxes"], [[80, 60, 40, 20, 40]], atol=1e-9)
    flipped = ik.Pipeline([ik.HorizontalFlip()])(
        oriented_boxes=[[70, 60, 40, 20, 10]], size=SIZE, key=0
    )
    np.testing.assert_allclose(flipped["oriented_boxes"], [[90, 60, 40, 20, 170]], atol=1e-9)


def test_an_oriented_box_under_a_shear_is_the_rectangle_of_least_area():
    """A square of side 20 leaning by 45 degrees: 40 x 20 upright, 30√2 x 10√2 along its slope."""
    aug = ik.Pipeline([ik.Shear(x=45)])
    box = aug(oriented_boxes=[[80, 60, 20, 20, 0]], size=SIZE, key=0)["oriented_boxes"][0]
    np.testing.assert_allclose(sorted(box[2:4]), [200**0.5, 1800**0.5], atol=1e-9)
    np.testing.assert_allclose(box[:2], [80, 60], atol=1e-9)


def test_an_oriented_box_that_is_cut_keeps_its_angle():
    aug = ik.Pipeline([ik.CenterCrop((100, 100))])  # the left of the box is cut off
    out = aug(oriented_boxes=[[40, 60, 60, 20, 30]], size=SIZE, key=0)["oriented_boxes"]
    assert out[0, 4] == pytest.approx(30, abs=1e-9)
    # what is left reaches from the lower edge's crossing of x = 30 to the far end, 30 along w
    near = (30 - 40 - 10 * 0.5) / np.cos(np.pi / 6)
    np.testing.assert_allclose(out[0, 2:4], [30 - near, 20], atol=1e-9)


# --- chains -------------------------------------------------------------------------------------

chains = st.lists(st.sampled_from(GEOMETRIC), min_size=2, max_size=4, unique=True)


@settings(max_examples=40, deadline=None)
@given(chains, st.integers(0, 2**32))
def test_shapes_cover_their_pixels_through_any_chain(names, index):
    aug = pipeline(*names)
    drawn = np.stack([draw(p, SIZE) for p in SHAPES])
    labels = np.arange(3)
    out = aug(masks=drawn, polygons=SHAPES, labels=labels, key=index)
    left = dict(zip(out["labels"].tolist(), out["polygons"], strict=True))
    for label, mask in enumerate(out["masks"]):
        polygon = left.get(label, np.zeros((0, 2)))
        found = draw(polygon, mask.shape) if len(polygon) else np.zeros(mask.shape, bool)
        # along the edge a pixel more or less for each side, where sizes are small it weighs more
        edge = perimeter(polygon) if len(polygon) else 0
        assert (found ^ mask).sum() <= 8 + 0.8 * edge


@settings(max_examples=40, deadline=None)
@given(chains, st.integers(0, 2**32))
def test_a_fused_chain_is_its_ops_one_after_the_other(names, index):
    """Ops of different names draw the same alone as in a list, so a list is its ops in turn."""
    points = np.array([[60.0, 50, 1], [100, 70, 1], [20, 100, 1], [155, 5, 1]])
    box = [50, 40, 120, 80]
    one = pipeline(*names)(
        image=np.zeros(SIZE, np.uint8), keypoints=points, polygons=[corners(box)], boxes=[box],
        key=index,
    )  # fmt: skip
    step = {"image": np.zeros(SIZE, np.uint8), "keypoints": points, "polygons": [corners(box)]}
    for name in names:
        step = pipeline(name)(**step, key=index)
        if not step["polygons"]:
            break
    if not step["polygons"]:
        assert not one["polygons"]
        assert not len(one["boxes"])
        return
    np.testing.assert_allclose(one["keypoints"], step["keypoints"], atol=1e-6)
    area_one, area_step = polygons.area(one["polygons"][0]), polygons.area(step["polygons"][0])
    assert area_one == pytest.approx(area_step, rel=1e-3, abs=1e-3)
    last = step["polygons"][0]
    np.testing.assert_allclose(one["boxes"][0], polygons.bounds([last])[0], atol=0.01)


@settings(max_examples=20, deadline=None)
@given(chains, st.integers(0, 2**32))
def test_fused_and_unfused_plans_move_labels_alike(names, index):
    aug = pipeline(*names)
    labels = {"boxes": [[50, 40, 120, 80]], "keypoints": [[60.0, 50]], "size": SIZE}
    fused, plain = aug(**labels, key=index), run_targets(unfused(aug)._planner, index, dict(labels))
    np.testing.assert_allclose(fused["boxes"], plain["boxes"], atol=1e-9)
    np.testing.assert_allclose(fused["keypoints"], plain["keypoints"], atol=1e-9)


def test_what_a_crop_cut_does_not_come_back_with_a_pad():
    aug = ik.Pipeline([ik.CenterCrop((60, 80)), ik.Pad(30)])
    boxes = [[30, 50, 70, 70], [0, 0, 30, 20]]  # the crop keeps 40..120 x 30..90
    out = aug(image=np.zeros(SIZE, np.uint8), boxes=boxes, labels=["part", "gone"],
              keypoints=[[35, 60, 2], [60, 60, 2]], key=0)  # fmt: skip
    assert out["boxes"].tolist() == [[30, 50, 60, 70]]
    assert out["labels"] == ["part"]
    assert out["keypoints"].tolist() == [[25, 60, 0], [50, 60, 2]]


def test_a_box_turned_there_and_back_is_no_looser():
    """Box by box each turn would frame the frame; the polygon itself is carried."""
    aug = ik.Pipeline([ik.Rotate(30), ik.Affine(rotate=-30)])
    out = aug(boxes=[[60, 50, 100, 70]], size=SIZE, key=0)
    np.testing.assert_allclose(out["boxes"], [[60, 50, 100, 70]], atol=1e-9)


# --- exact arithmetic ---------------------------------------------------------------------------


def test_flips_mirror_edges_at_w_and_centers_at_w_minus_1():
    height, width = SIZE
    boxes, points = np.array([[10.25, 20, 30, 41.5]]), np.array([[0.0, 0], [7, 9]])
    out = pipeline("HorizontalFlip")(boxes=boxes, keypoints=points, size=SIZE, key=0)
    assert out["boxes"].tolist() == [[width - 30, 20, width - 10.25, 41.5]]
    assert out["keypoints"].tolist() == [[width - 1, 0], [width - 1 - 7, 9]]
    out = pipeline("VerticalFlip")(boxes=boxes, keypoints=points, size=SIZE, key=0)
    assert out["boxes"].tolist() == [[10.25, height - 41.5, 30, height - 20]]
    assert out["keypoints"].tolist() == [[0, height - 1], [7, height - 1 - 9]]


def test_the_box_of_the_whole_image_stays_the_whole_canvas():
    height, width = SIZE
    for name in ("HorizontalFlip", "Rotate90", "Transpose", "Resize"):
        out = pipeline(name)(image=np.zeros(SIZE, np.uint8), boxes=[[0, 0, width, height]], key=1)
        h, w = out["image"].shape
        assert out["boxes"].tolist() == [[0, 0, w, h]]


def test_a_resized_crop_scales_edges_without_half_a_pixel():
    aug = pipeline("RandomResizedCrop")
    drawn = aug.plan(SIZE, 9).ops[0]
    top, left = drawn["top"][0], drawn["left"][0]
    sy, sx = 90 / drawn["height"][0], 110 / drawn["width"][0]
    out = aug(boxes=[[70, 50, 90, 70]], keypoints=[[70, 50]], size=SIZE, key=9)
    edges = [(70 - left) * sx, (50 - top) * sy, (90 - left) * sx, (70 - top) * sy]
    np.testing.assert_allclose(out["boxes"][0], edges, atol=1e-9)
    center = [(70.5 - left) * sx - 0.5, (50.5 - top) * sy - 0.5]
    np.testing.assert_allclose(out["keypoints"][0], center, atol=1e-9)


def test_letterboxed_boxes_are_scaled_then_shifted():
    out = ik.Pipeline([ik.Letterbox(80)])(boxes=[[20, 40, 60, 80]], size=(120, 160), key=0)
    assert out["boxes"].tolist() == [[10, 30, 30, 50]]  # half the size, 10 pixels of fill above


def test_positive_degrees_turn_labels_counter_clockwise():
    """Right of the middle goes to above it."""
    out = ik.Pipeline([ik.Rotate(90)])(keypoints=[[15, 10]], size=(21, 21), key=0)
    np.testing.assert_allclose(out["keypoints"], [[10, 5]], atol=1e-9)


# --- masks --------------------------------------------------------------------------------------

DTYPES = [
    "bool",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "int32",
    "int64",
    "float16",
    "float32",
    "float64",
]


@pytest.mark.parametrize("dtype", DTYPES)
def test_masks_of_any_dtype_move_alike(dtype):
    aug = pipeline("Rotate", "RandomResizedCrop", "GridDistortion", "Pad")
    mask = draw(SHAPES[0], SIZE).astype(dtype)
    out = aug(mask=mask, key=4)["mask"]
    assert out.dtype == dtype
    np.testing.assert_array_equal(out, aug(mask=mask.astype(np.uint8), key=4)["mask"].astype(dtype))


@pytest.mark.parametrize(("dtype", "values"), [
    ("int64", [-(2**63), 2**63 - 1, -1, 2**40 + 1]),
    ("int32", [-(2**31), 2**31 - 1, -1, 70000]),
    ("float64", [np.nan, -np.inf, 1e-300, -0.0]),
])  # fmt: skip
def test_masks_keep_every_bit_of_a_label(dtype, values):
    mask = np.repeat(np.array(values, dtype), 40)[None].repeat(120, axis=0)
    out = pipeline("Rotate", "Elastic")(mask=mask, key=4, fill_mask=7)["mask"]
    bits = f"u{mask.dtype.itemsize}"
    wanted = set(np.array([*values, 7], dtype).view(bits).tolist())
    assert set(np.ascontiguousarray(out).view(bits).ravel().tolist()) <= wanted


@pytest.mark.parametrize("name", GEOMETRIC)
def test_a_mask_moves_as_an_image_sampled_nearest(name):
    op = make(name)
    if hasattr(op, "interpolation"):
        op = make(name, interpolation="nearest")
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    out = ik.Pipeline([op], seed=5)(image=image, mask=image, key=2)
    np.testing.assert_array_equal(out["mask"], out["image"])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(GEOMETRIC), min_size=1, max_size=3), st.integers(0, 2**32))
def test_masks_agree_with_the_reference(names, index):
    (stage,) = pipeline(*names).plan(SIZE, index).stages
    how = geometry.resolve(stage.geometric_steps, 0)
    mask = np.random.default_rng(0).integers(0, 2**40, SIZE)
    found = array_masks.sample_mask(how, mask, -1)
    expected = reference_masks.sample_mask(how, mask, -1)
    # halfway between two pixels, rounding sends a position to either
    part = np.abs(geometry.sampling_positions(how)[0] % 1 - 0.5)
    clear = (part > 1e-3).all(axis=-1)
    # and halfway out of a canvas, to either side
    assert (found != expected)[clear].mean() < 0.005


@pytest.mark.parametrize("border", ["edge", "reflect", "symmetric", "wrap"])
def test_masks_follow_the_border_of_the_op(border):
    op = ik.Rotate(40, border=border, interpolation="nearest")
    image = np.random.default_rng(0).integers(0, 256, SIZE, np.uint8)
    out = ik.Pipeline([op])(image=image, mask=image, fill_mask=9, key=2)
    assert (out["mask"] != out["image"]).mean() < 0.001  # ties


def test_fill_mask_fills_what_no_source_pixel_shows():
    aug = ik.Pipeline([ik.CenterCrop((60, 80)), ik.Rotate(45), ik.Pad(10)])
    mask = np.ones(SIZE, np.uint8)
    assert set(np.unique(aug(mask=mask, key=0)["mask"])) == {0, 1}
    assert set(np.unique(aug(mask=mask, fill_mask=255, key=0)["mask"])) == {1, 255}
    assert set(np.unique(aug(mask=mask.astype(int), fill_mask=-100, key=0)["mask"])) == {1, -100}


def test_masks_come_back_in_the_container_they_came_in():
    aug = pipeline("Resize")
    stack = np.stack([draw(p, SIZE) for p in SHAPES])
    out = aug(masks=stack, key=0)["masks"]
    assert out.shape == (3, 90, 130)
    listed = aug(masks=[*stack], key=0)["masks"]
    assert isinstance(listed, list)
    np.testing.assert_array_equal(np.stack(listed), out)
    assert aug(image=np.zeros(SIZE, np.uint8), masks=stack[:0], key=0)["masks"].shape == (
        0,
        90,
        130,
    )
    layers = np.moveaxis(stack, 0, -1)
    np.testing.assert_array_equal(np.moveaxis(aug(mask=layers, key=0)["mask"], -1, 0), out)


# --- what leaves labels alone -------------------------------------------------------------------


@pytest.mark.parametrize("name", OTHERS)
def test_ops_that_move_nothing_leave_every_label_alone(name):
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    mask, boxes, points = image[..., 0].copy(), [[50.0, 40, 120, 80]], [[60.0, 50, 1]]
    out = pipeline(name)(image=image, mask=mask, boxes=boxes, keypoints=points, key=1)
    np.testing.assert_array_equal(out["mask"], mask)
    assert out["mask"] is not mask
    assert out["boxes"].tolist() == boxes
    assert out["keypoints"].tolist() == points


@pytest.mark.parametrize("border", ["reflect", "wrap"])
def test_a_mirrored_copy_has_no_box_and_its_original_keeps_its_own(border):
    aug = ik.Pipeline([ik.Translate(x=0.25, border=border)])
    mask = draw(corners([5, 50, 25, 70]), SIZE)
    out = aug(mask=mask, boxes=[[5, 50, 25, 70]], keypoints=[[150, 60, 1]], key=0)
    assert out["boxes"].tolist() == [[45, 50, 65, 70]]
    assert out["keypoints"].tolist() == [[190, 60, 0]]


def test_labels_of_blended_places_are_refused():
    with pytest.raises(ValueError, match=r"mask: the pipeline blends images .* no one place"):
        pipeline("AugMix")(image=IMAGE, mask=IMAGE, key=1)
    out = pipeline("AugMix")(image=IMAGE, labels=3, key=1)
    assert out["labels"] == 3


# --- dropping -----------------------------------------------------------------------------------


def test_boxes_are_clipped_and_dropped_below_min_visibility():
    aug = ik.Pipeline([ik.CenterCrop((120, 80))])  # keeps 40..120 across
    boxes = [[30, 10, 50, 20], [0, 10, 20, 20], [60, 0, 70, 120], [20, 0, 45, 10]]
    for share, kept in (
        (0, [0, 2, 3]),
        (0.2, [0, 2, 3]),
        (0.21, [0, 2]),
        (0.5, [0, 2]),
        (0.51, [2]),
    ):
        out = aug(boxes=boxes, labels=np.arange(4), size=SIZE, min_visibility=share, key=0)
        assert out["labels"].tolist() == kept
    assert out["boxes"].tolist() == [[20, 0, 30, 120]]
    assert aug(boxes=boxes, size=SIZE, min_visibility=1.0, key=0)["boxes"].shape == (1, 4)


@settings(max_examples=30, deadline=None)
@given(chains, st.integers(0, 2**32), st.floats(0, 1), st.floats(0, 1))
def test_fewer_shapes_stay_the_more_of_them_must_be_seen(names, index, a, b):
    aug = pipeline(*names)
    boxes = [[x, y, x + 30, y + 25] for x in (0, 60, 120) for y in (0, 45, 90)]
    low, high = sorted((a, b))
    many, few = (
        aug(boxes=boxes, labels=np.arange(9), size=SIZE, min_visibility=v, key=index)["labels"]
        for v in (low, high)
    )
    assert set(few.tolist()) <= set(many.tolist())


@pytest.mark.parametrize("labels", [["a", "b"], ("a", "b"), np.array([3, 4]), np.eye(2)])
def test_labels_follow_their_boxes_in_the_container_they_came_in(labels):
    aug = ik.Pipeline([ik.CenterCrop((120, 80))])
    out = aug(boxes=[[0, 0, 10, 10], [50, 0, 60, 10]], labels=labels, size=SIZE, key=0)["labels"]
    assert type(out) is type(labels)
    assert len(out) == 1
    np.testing.assert_array_equal(out[0], labels[1])


def test_labels_belong_to_boxes_else_oriented_boxes_else_polygons():
    aug = ik.Pipeline([ik.CenterCrop((120, 80))])
    gone, seen = corners([0, 0, 10, 10]), corners([50, 0, 60, 10])
    out = aug(polygons=[gone, seen], labels=[1, 2], size=SIZE, key=0)
    assert out["labels"] == [2]
    out = aug(oriented_boxes=[[5, 5, 4, 4, 0]], polygons=[gone, seen], labels=[1], size=SIZE, key=0)
    assert out["labels"] == []
    assert out["oriented_boxes"].shape == (0, 5)


def test_labels_without_boxes_are_returned_as_they_are():
    labels = {"any": "thing"}
    image = np.zeros(SIZE, np.uint8)
    assert pipeline("HorizontalFlip")(image=image, labels=labels, key=0)["labels"] is labels


def test_no_keypoint_is_clamped_or_dropped():
    aug = ik.Pipeline([ik.CenterCrop((20, 20))])
    out = aug(keypoints=[[0, 0, 2], [80, 60, 1], [75, 59, 0]], size=SIZE, key=0)
    assert out["keypoints"].tolist() == [[-70, -50, 0], [10, 10, 1], [5, 9, 0]]
    out = aug(keypoints=[[0, 0], [80, 60]], size=SIZE, key=0)
    assert out["keypoints"].tolist() == [[-70, -50], [10, 10]]


def test_keypoints_off_the_source_are_never_visible():
    out = ik.Pipeline([ik.Pad(20)])(keypoints=[[-5, 3, 2], [0, 0, 2]], size=SIZE, key=0)
    assert out["keypoints"].tolist() == [[15, 23, 0], [20, 20, 2]]


def test_a_point_beyond_the_horizon_is_nowhere():
    aug = pipeline("Perspective", distortion=0.9)
    far = [[x, y, 1] for x in (-9000, 80, 9000) for y in (-9000, 60, 9000)]
    for index in range(5):
        out = aug(keypoints=far, size=SIZE, key=index)["keypoints"]
        assert out[4, 2] == 1
        assert not np.delete(out[:, 2], 4).any()
        assert np.isnan(out[:, 0]).any()


# --- formats ------------------------------------------------------------------------------------


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("form", ["xyxy", "xywh", "cxcywh"])
def test_box_formats_say_the_same(form, normalized):
    aug = pipeline("Rotate", "Resize")

    def convert(boxes, size):
        x0, y0, x1, y1 = (boxes / (np.array([size[1], size[0]] * 2) if normalized else 1)).T
        if form == "xyxy":
            columns = x0, y0, x1, y1
        elif form == "xywh":
            columns = x0, y0, x1 - x0, y1 - y0
        else:
            columns = (x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0
        return np.stack(columns, axis=1)

    boxes = np.array([[50.0, 40, 120, 80], [60, 50, 70, 90]])
    plain = aug(boxes=boxes, size=SIZE, key=1)["boxes"]
    out = aug(
        boxes=convert(boxes, SIZE), box_format=form, box_normalized=normalized, size=SIZE, key=1
    )
    np.testing.assert_allclose(out["boxes"], convert(plain, (90, 130)), atol=1e-9)


def test_float32_coordinates_stay_float32_and_others_are_float64():
    aug = pipeline("Rotate")
    for given_as, found in (("float32", "float32"), ("float64", "float64"), ("int32", "float64")):
        out = aug(boxes=np.array([[50, 40, 120, 80]], given_as), size=SIZE, key=0,
                  keypoints=np.array([[5, 6]], given_as), polygons=[SHAPES[0].astype(given_as)],
                  oriented_boxes=np.array([[80, 60, 20, 20, 0]], given_as))  # fmt: skip
        assert {v[0].dtype.name for v in out.values()} == {found}


def test_no_rows_stay_no_rows():
    out = pipeline("Rotate")(boxes=[], keypoints=np.zeros((0, 3)), polygons=[], labels=[],
                             oriented_boxes=np.zeros((0, 5)), size=SIZE, key=0)  # fmt: skip
    assert out["boxes"].shape == (0, 4)
    assert out["keypoints"].shape == (0, 3)
    assert out["oriented_boxes"].shape == (0, 5)
    assert out["polygons"] == out["labels"] == []


def test_boxes_reach_beyond_the_image_without_that_part():
    out = pipeline("HorizontalFlip")(boxes=[[-10, -5, 20, 30]], size=SIZE, min_visibility=1, key=0)
    assert out["boxes"].tolist() == [[140, 0, 160, 30]]


def test_targets_come_back_by_the_same_names_in_order():
    image = np.zeros((*SIZE, 3), np.uint8)
    out = pipeline("HorizontalFlip")(
        labels=[1], mask=image, boxes=[[0, 0, 9, 9]], image=image, key=0
    )
    assert list(out) == ["labels", "mask", "boxes", "image"]


def test_inputs_are_not_written_to():
    given_as = {
        "image": np.ones((*SIZE, 3), np.uint8), "mask": np.ones(SIZE, np.uint8),
        "boxes": np.array([[50.0, 40, 120, 80]]), "keypoints": np.array([[-9.0, 6, 1]]),
        "oriented_boxes": np.array([[80.0, 60, 20, 20, 0]]), "labels": np.array([1]),
    }  # fmt: skip
    for value in given_as.values():
        value.flags.writeable = False
    kept = copy.deepcopy(given_as)
    pipeline("Rotate", "Elastic", "RandomCrop")(**given_as, key=0)
    for name, value in kept.items():
        np.testing.assert_array_equal(given_as[name], value)


# --- batches, videos ----------------------------------------------------------------------------


def several(count):
    rng = np.random.default_rng(1)
    return {
        "image": rng.integers(0, 256, (count, *SIZE, 3), np.uint8),
        "mask": rng.integers(0, 9, (count, *SIZE)),
        "boxes": [np.array([[50.0, 40, 120, 80]] * i) + i for i in range(1, count + 1)],
        "labels": [list(range(i)) for i in range(1, count + 1)],
        "keypoints": rng.uniform(0, 100, (count, 5, 2)),
        "polygons": [SHAPES[:i] for i in range(1, count + 1)],
    }


@pytest.mark.parametrize("listed", [False, True])
def test_a_batch_is_its_samples_one_by_one(listed):
    aug = pipeline("HorizontalFlip", "Rotate", "Elastic", "RandomResizedCrop", p=0.7)
    batch = several(3)
    if listed:
        batch = {name: list(value) for name, value in batch.items()}
        batch["image"][1] = batch["image"][1][:100]  # sizes may differ
        batch["mask"][1] = batch["mask"][1][:100]
    out = aug(**batch, key=(2, [7, 3, 11]))
    for i, index in enumerate((7, 3, 11)):
        alone = aug(**{name: value[i] for name, value in batch.items()}, key=(2, index))
        assert alone["labels"] == out["labels"][i]
        for name in ("image", "mask", "keypoints"):
            np.testing.assert_array_equal(out[name][i], alone[name])
        np.testing.assert_allclose(out["boxes"][i], alone["boxes"], atol=1e-9)
        for a, b in zip(out["polygons"][i], alone["polygons"], strict=True):
            np.testing.assert_allclose(a, b, atol=1e-9)


def test_a_batch_that_keeps_one_size_is_stacked():
    out = pipeline("Rotate")(**several(2), key=(0, [1, 2]))
    assert out["image"].shape == (2, *SIZE, 3)
    assert out["mask"].shape == (2, *SIZE)
    assert out["keypoints"].shape == (2, 5, 2)
    assert [len(boxes) for boxes in out["boxes"]] == [1, 2]


def test_a_batch_of_no_images():
    out = pipeline("Resize")(image=np.zeros((0, *SIZE, 3), np.uint8), boxes=[], key=(0, []))
    assert out["image"].shape == (0, 90, 130, 3)
    assert out["boxes"] == []


def test_a_batch_of_coordinates_alone_is_told_by_its_key():
    aug = pipeline("Rotate")
    points = [[[1.0, 2]], [[1.0, 2]]]
    out = aug(keypoints=points, size=SIZE, key=(0, [4, 5]))["keypoints"]
    for i, index in enumerate((4, 5)):
        alone = aug(keypoints=points[i], size=SIZE, key=(0, index))["keypoints"]
        np.testing.assert_array_equal(out[i], alone)


def test_all_frames_of_a_video_share_one_draw():
    aug = pipeline("Rotate", "ColorJitter", "GaussianNoise", "RandomCrop")
    video = np.random.default_rng(0).integers(0, 256, (4, *SIZE, 3), np.uint8)
    masks = video[..., 0]
    out = aug(images=video, masks=masks, boxes=[[50, 40, 120, 80]], key=6)
    assert out["images"].shape == (4, 90, 110, 3)
    for t in range(4):
        alone = aug(image=video[t], mask=masks[t], key=6)
        np.testing.assert_array_equal(out["images"][t], alone["image"])
        np.testing.assert_array_equal(out["masks"][t], alone["mask"])
    listed = aug(images=list(video), key=6)["images"]
    np.testing.assert_array_equal(np.stack(listed), out["images"])


def test_videos_may_be_gray_and_batched():
    aug = pipeline("Rotate", "Resize")
    video = np.random.default_rng(0).integers(0, 256, (2, 3, *SIZE, 1), np.uint8)
    out = aug(images=video, key=(0, [5, 6]))["images"]
    assert out.shape == (2, 3, 90, 130, 1)
    gray = aug(images=video[1, ..., 0], key=(0, 6))["images"]
    np.testing.assert_array_equal(gray, out[1, ..., 0])


def test_without_a_key_all_targets_of_a_call_share_its_draw():
    aug = pipeline("Rotate", interpolation="nearest")
    image = np.random.default_rng(0).integers(0, 256, SIZE, np.uint8)
    for _ in range(3):
        out = aug(image=image, mask=image)
        np.testing.assert_array_equal(out["image"], out["mask"])


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("targets", "error", "message"), [
    ({"image": IMAGE, "masc": IMAGE}, TypeError, "'masc' is not a target .*'mask'"),
    ({"image": IMAGE, "box_formt": "xywh"}, TypeError, "did you mean 'box_format'"),
    ({"size": SIZE}, TypeError, "no target was passed"),
    ({"boxes": [BOX]}, ValueError, r"size is missing: .*size=\(H, W\)"),
    ({"image": IMAGE, "size": SIZE}, ValueError, "size is .*that of image"),
    ({"boxes": [BOX], "size": 7}, ValueError, r"size is 7: it must be \(H, W\)"),
    ({"image": IMAGE, "mask": IMAGE[:50]}, ValueError, r"mask is 50 x 160 .* image is 120 x 160"),
    ({"image": IMAGE, "masks": IMAGE[..., 0]}, ValueError, r"masks has shape \(120, 160\)"),
    ({"image": IMAGE, "masks": [IMAGE, IMAGE[:9]]}, ValueError, "masks is 9 x 160"),
    ({"image": IMAGE, "mask": [[1]]}, TypeError, "mask is a list"),
    ({"image": IMAGE, "mask": IMAGE.astype(complex)}, TypeError, "mask has dtype complex128"),
    ({"images": [IMAGE, IMAGE[:9]]}, ValueError, "images is 9 x 160"),
    ({"images": []}, ValueError, "images is empty"),
    ({"image": IMAGE, "mask": IMAGE, "fill_mask": 256}, ValueError, "fill_mask is 256.*0 to 255"),
    ({"image": IMAGE, "mask": IMAGE, "fill_mask": 0.5}, ValueError, "fill_mask is 0.5"),
    ({"image": IMAGE, "boxes": [BOX], "box_format": "xyxz"}, ValueError, "did you mean 'xyxy'"),
    ({"image": IMAGE, "boxes": [BOX], "box_normalized": 1}, TypeError, "box_normalized is 1"),
    ({"image": IMAGE, "boxes": [BOX], "min_visibility": 1.5}, ValueError, "min_visibility is 1.5"),
    ({"image": IMAGE, "boxes": [BOX, [9, 9, 5, 20]]}, ValueError,
     r"boxes\[1\] is \[9.0, 9.0, 5.0, 20.0\]: .*right must exceed the left.*'xywh'"),
    ({"image": IMAGE, "boxes": [[9, 9, 0, 5]], "box_format": "xywh"}, ValueError, "above 0"),
    ({"image": IMAGE, "boxes": [[9, 9, 9, 15]]}, ValueError, r"boxes\[0\]"),
    ({"image": IMAGE, "boxes": [[170, 5, 180, 15]]}, ValueError,
     r"boxes\[0\] .*lies off the image of 120 x 160, in pixels; box_normalized=True"),
    ({"image": IMAGE, "boxes": [[-5, 5, 0, 15]]}, ValueError, "lies off the image"),
    ({"image": IMAGE, "boxes": [[0.5, 0.5, 40, 30]], "box_normalized": True}, ValueError,
     "reaches further.*box_normalized=False reads pixels"),
    ({"image": IMAGE, "boxes": [[0, np.nan, 4, 4]]}, ValueError, r"boxes\[0\].*must be finite"),
    ({"image": IMAGE, "boxes": BOX}, ValueError, r"boxes has shape \(4,\): it must be \(N, 4\)"),
    ({"image": IMAGE, "boxes": [[1, 2, 3, 4, 5]]}, ValueError, r"it must be \(N, 4\)"),
    ({"image": IMAGE, "boxes": [["a", 2, 3, 4]]}, ValueError, "rows of numbers"),
    ({"image": IMAGE, "boxes": [BOX], "labels": [1, 2]}, ValueError,
     "labels has 2 entries: boxes has 1 rows"),
    ({"image": IMAGE, "boxes": [BOX], "labels": 5}, ValueError, "labels is 5"),
    ({"image": IMAGE, "oriented_boxes": [[5, 5, 0, 4, 0]]}, ValueError, "cx, cy, w, h, degrees"),
    ({"image": IMAGE, "oriented_boxes": [[500, 5, 4, 4, 0]]}, ValueError, "lies off the image"),
    ({"image": IMAGE, "polygons": [[[1, 2], [3, 4]]]}, ValueError, r"polygons\[0\] has 2 points"),
    ({"image": IMAGE, "polygons": [[[1, 2, 3], [3, 4, 5], [1, 1, 1]]]}, ValueError, r"\(N, 2\)"),
    ({"image": IMAGE, "polygons": 3}, TypeError, "polygons is 3"),
    ({"image": IMAGE, "polygons": [corners([200, 0, 210, 9])]}, ValueError, "off the image"),
    ({"image": IMAGE, "keypoints": [[1, 2], [np.nan, 3]]}, ValueError, r"keypoints\[1\].*finite"),
    ({"image": IMAGE, "keypoints": [[1, 2, 3, 4]]}, ValueError, r"\(N, 2\) or \(N, 3\)"),
    ({"image": [IMAGE, IMAGE], "boxes": [[BOX]]}, ValueError,
     "boxes has 1 entries: a batch of 2 images"),
    ({"image": IMAGE[None], "labels": 3}, ValueError, "labels has value 3: a batch of 1"),
    ({"image": "x"}, TypeError, "image is a str"),
])  # fmt: skip
def test_bad_targets_say_what_is_wrong(targets, error, message):
    key = None if not isinstance(targets.get("image"), list) else (0, [0, 1])
    with pytest.raises(error, match=message):
        pipeline("HorizontalFlip")(**targets, key=key)


def test_an_image_goes_alone_or_by_name():
    with pytest.raises(TypeError, match="by name"):
        pipeline("HorizontalFlip")(IMAGE, mask=IMAGE)


# --- peers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "call"), [
    ("HorizontalFlip", lambda f, b: f.horizontal_flip(b)),
    ("VerticalFlip", lambda f, b: f.vertical_flip(b)),
    ("Resize", lambda f, b: f.resize(b, [90, 130])),
])  # fmt: skip
def test_boxes_move_as_in_torchvision(name, call):
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    tv_tensors = pytest.importorskip("torchvision.tv_tensors")
    boxes = np.array([[50.0, 40, 120, 80], [3, 4, 9, 20]], np.float32)
    theirs = tv_tensors.BoundingBoxes(torch.from_numpy(boxes), format="XYXY", canvas_size=SIZE)
    ours = pipeline(name)(boxes=boxes, size=SIZE, key=0)["boxes"]
    np.testing.assert_allclose(ours, call(functional, theirs).numpy(), rtol=1e-6)  # float32


@pytest.mark.parametrize("name", ["HorizontalFlip", "VerticalFlip", "Transpose"])
def test_boxes_and_keypoints_move_as_in_albumentations(name):
    albumentations = pytest.importorskip("albumentations")
    theirs = albumentations.Compose(
        [getattr(albumentations, name)(p=1)],
        bbox_params=albumentations.BboxParams("pascal_voc", label_fields=[]),
        keypoint_params=albumentations.KeypointParams("xy"),
    )
    boxes, points = np.array([[50.0, 40, 120, 80]]), np.array([[0.0, 0], [7, 9]])
    found = theirs(image=IMAGE, bboxes=boxes, keypoints=points)
    ours = pipeline(name)(image=IMAGE, boxes=boxes, keypoints=points, key=0)
    np.testing.assert_allclose(ours["boxes"], found["bboxes"], atol=1e-4)  # theirs are float32
    np.testing.assert_allclose(ours["keypoints"], found["keypoints"], atol=1e-4)
