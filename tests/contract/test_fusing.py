"""A fused plan gives what its ops give one by one, wherever interpolation loses nothing.

One by one, an op interpolates what an earlier op left, its blended borders included: there a
fill or a kink is smeared once more with every op. Fused, each border is blended once. So the
band about the border of every canvas, `near_a_border`, is left out, and that band alone.
"""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage

import imgkit as ik
from imgkit import geometry
from imgkit.augment.plan.color_steps import merge_batch
from imgkit.augment.transforms.color import brightness_rows, contrast_rows, saturation_rows, stacked
from imgkit.backends.array import plan as array_plan
from imgkit.draws import parse_key
from imgkit.image import saturate

SIZE = (56, 64)
# What bilinear interpolation loses on a wave of 8 image widths, four times over: 1e-4; what a
# perspective bends a slope between two pixels: 5e-4.
TOLERANCE = 1e-3
# An antialiased resize as Pillow's samples its triangle and normalizes it: on a slope it is off
# by up to 0.13 pixel, where a fused run blurs by a Gaussian, or not at all.
RESIZED = 2e-3
LEVEL = 1.0  # both sides round to a level
REACH = 2.5  # pixels of a canvas by which later ops may smear its border


def constant(size=SIZE):
    return np.full((*size, 1), 0.6)


def step_of(rows, factors):
    """Return the steps (N, 1, 3, 7) of N factors."""
    return stacked(rows(np.asarray(factors, float)), len(factors))


def slope(size=SIZE):
    y, x = np.mgrid[: size[0], : size[1]]
    return (0.1 + 0.5 * x / size[1] + 0.3 * y / size[0])[..., None]


def wave(size=SIZE):
    y, x = np.mgrid[: size[0], : size[1]] / max(size) * 2 * np.pi / 8
    return (0.5 + 0.2 * np.sin(x + 0.4) * np.cos(y) + 0.2 * np.cos(x - y))[..., None]


IMAGES = {"constant": constant, "slope": slope, "wave": wave}


def hops_of(aug, size, key):
    plan = aug._planner.plan(size, parse_key(key), fuse=False)
    return [hop for stage in plan.stages for hop in stage.geometric_steps], plan.out_size


def near_a_border(aug, size, key):
    """Tell which output pixels see the border of the source or of any canvas, (H, W) bool."""
    steps, out_size = hops_of(aug, size, key)
    out_size = tuple(int(np.max(n)) for n in out_size)
    at, near, apart = geometry.grid(out_size), np.zeros(out_size, bool), 1.0
    for hop in reversed(steps):
        at, later = back(hop, at), apart
        apart = spacing(at)
        if hop.kind == "move" and not hop.outside:
            continue  # it shows no border
        height, width = (int(np.max(n)) for n in hop.in_size)
        left, top, right, bottom = (0, 0, width, height)
        if hop.window is not None:
            left, top, right, bottom = hop.window[0]
        inside = np.stack(
            [at[..., 0] - left, right - 1 - at[..., 0], at[..., 1] - top, bottom - 1 - at[..., 1]]
        )
        if hop.border == "constant":  # others fold along lines that run on beyond the corners
            inside = inside.min(axis=0, keepdims=True)
        shrinks = max(apart, apart / later, 1.0)  # by that much it is blurred before, too
        reach = REACH + 2 * np.sqrt(shrinks**2 - 1)
        near |= ((inside > -1 - reach) & (inside < reach)).any(axis=0)
    return ndimage.binary_dilation(near, np.ones((3, 3)))


def back(hop, at):
    """Return where positions of a hop's output lie in its input."""
    if hop.field is None:
        return geometry.transform(np.linalg.inv(hop.matrix[0]), at)
    moved = geometry.displacement(hop.field, 0, tuple(int(np.max(n)) for n in hop.in_size))
    y, x = np.clip(at[..., 1], 0, len(moved) - 1), np.clip(at[..., 0], 0, moved.shape[1] - 1)
    parts = [ndimage.map_coordinates(moved[..., i], [y, x], order=1) for i in (0, 1)]
    return at + np.stack(parts, axis=-1)


def spacing(at):
    """Return how far apart two neighboring output pixels read, where it is farthest."""
    steps = [
        np.hypot(d[..., 0], d[..., 1]).max() for d in (np.diff(at, axis=0), np.diff(at, axis=1))
    ]
    return float(max(steps))


def one_by_one(aug, x, key):
    """Run the ops one by one on the array backend, in float64."""
    plan = aug._planner.plan(x.shape[:2], parse_key(key), fuse=False)
    return array_plan.run(plan.stages, 0, x)


def tolerance(ops):
    names = ("Resize", "RandomResizedCrop", "Letterbox")
    return RESIZED if any(op.name in names and op.antialias for op in ops) else TOLERANCE


def assert_agree(found, expected, near, tolerance):
    assert found.shape == expected.shape
    apart = np.abs(found.astype(np.float64) - expected)[~near]
    assert apart.max(initial=0) <= tolerance


# --- named chains against the oracle ----------------------------------------------------------

CHAINS = {
    "rotate, center crop, rotate": [
        ik.Rotate(20, fill=0.9),
        ik.CenterCrop((40, 44)),
        ik.Rotate(-35, fill=0.2),
    ],
    "random resized crop, rotate, flip": [
        ik.RandomResizedCrop((48, 52), (0.3, 0.8)),
        ik.Rotate(25),
        ik.HorizontalFlip(),
    ],
    "the same without antialias": [
        ik.RandomResizedCrop((48, 52), (0.3, 0.8), antialias=False),
        ik.Rotate(25, antialias=False),
        ik.HorizontalFlip(),
    ],
    "pad, rotate": [ik.Pad((5, 9, 3, 0), fill=0.3), ik.Rotate(40, fill=0.8)],
    "pad by reflection, rotate": [ik.Pad(6, border="reflect"), ik.Rotate(15, fill=0.8)],
    "crop, pad, rotate": [ik.CenterCrop((44, 40)), ik.Pad(5, fill=0.3), ik.Rotate(15, fill=0.8)],
    "rotate, pad, shear": [ik.Rotate(12, fill=0.1), ik.Pad(4, fill=0.5), ik.Shear(10, fill=1.0)],
    "perspective, affine": [ik.Perspective(0.4, fill=0.3), ik.Affine(15, 0.1, 1.2, 8, fill=0.7)],
    "affine, perspective": [ik.Affine(15, 0.1, 0.9, 8, fill=0.7), ik.Perspective(0.3, fill=0.3)],
    "elastic, rotate": [ik.Elastic(3, 8, fill=0.2), ik.Rotate(30, fill=0.9)],
    "rotate, elastic": [ik.Rotate(30, fill=0.9), ik.Elastic(3, 8, fill=0.2)],
    "elastic, elastic, flip": [ik.Elastic(2, 8), ik.Elastic(3, 10, fill=1.0), ik.VerticalFlip()],
    "grid distortion, scale, turn": [ik.GridDistortion(3, 0.2), ik.Scale(1.2), ik.Rotate90(1)],
    "letterbox, rotate": [ik.Letterbox((60, 44), fill=0.45), ik.Rotate(10, fill=0.9)],
    "resize, elastic": [ik.Resize((70, 60)), ik.Elastic(3, 8, fill=0.3)],
    "reflect, then constant": [ik.Translate(0.15, -0.1, border="reflect"), ik.Rotate(10, fill=0.7)],
    "constant, then reflect": [ik.Rotate(10, fill=0.7), ik.Translate(0.15, -0.1, border="reflect")],
    "edge, then wrap": [ik.Scale(0.8, border="edge"), ik.Translate(0.2, 0.1, border="wrap")],
    "flip, rotate by symmetry": [ik.HorizontalFlip(), ik.Rotate(10, border="symmetric")],
    "random crop with padding, shear": [
        ik.RandomCrop((50, 54), padding=6, fill=0.2),
        ik.Shear(8, -5, fill=0.6),
    ],
    "shrink, enlarge": [ik.Scale(0.6, fill=0.2), ik.Scale(1.5, fill=0.9)],
    "enlarge, shrink: the canvas cuts": [ik.Scale(1.6, fill=0.2), ik.Scale(0.7, fill=0.9)],
    "flip, random resized crop": [
        ik.HorizontalFlip(),
        ik.RandomResizedCrop((48, 52), (0.3, 0.8)),
        ik.Rotate90(1),
    ],
    "turn, letterbox": [ik.Rotate90(1), ik.Letterbox((70, 80), fill=0.5), ik.VerticalFlip()],
    "crop, transpose, resize": [
        ik.CenterCrop((40, 50)),
        ik.Transpose(),
        ik.Resize((70, 60), antialias=False),
    ],
    "rotate, shear, scale, translate": [
        ik.Rotate(20),
        ik.Shear(10),
        ik.Scale(1.1),
        ik.Translate(0.1),
    ],
}


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("picture", IMAGES)
def test_a_fused_chain_is_its_ops_one_by_one(name, picture):
    aug, x, key = ik.Pipeline(CHAINS[name], seed=1), IMAGES[picture](), (0, 3)
    near = near_a_border(aug, SIZE, key)
    assert near.mean() < 0.75
    expected = aug.reference(x, key, fuse=False)
    assert_agree(aug.reference(x, key), expected, near, tolerance(aug.ops))
    assert_agree(aug(x, key=key), expected, near, tolerance(aug.ops))
    x8 = saturate(x * 255, "uint8")
    expected = aug.reference(x8, key, fuse=False).astype(np.float64)
    assert_agree(aug(x8, key=key), expected, near, LEVEL)


@pytest.mark.parametrize("name", CHAINS)
def test_chains_become_one_resample_unless_a_border_folds(name):
    kinds = [stage.kind for stage in ik.Pipeline(CHAINS[name]).plan(SIZE, 0).stages]
    folds = name in ("constant, then reflect", "edge, then wrap")
    assert kinds == ["resample"] * (2 if folds else 1)


def test_the_band_is_no_wider_than_a_few_pixels():
    """A quarter turn of a warp sees one border: the source's, in the corners."""
    aug = ik.Pipeline([ik.Rotate(45, antialias=False), ik.HorizontalFlip()])
    near = near_a_border(aug, (200, 200), 0)
    assert near.mean() < 0.12


def test_what_a_canvas_cuts_away_does_not_come_back():
    """Enlarging by 2 and shrinking back shows the middle, in a frame of the second fill."""
    aug = ik.Pipeline([ik.Scale(2.0, fill=0.2), ik.Scale(0.5, fill=0.9, antialias=False)])
    found = aug(constant(), key=0)[..., 0]
    assert np.allclose(found[16:40, 18:46], 0.6)
    for frame in (found[:12], found[-12:], found[:, :14], found[:, -14:]):
        assert np.allclose(frame, 0.9)


# --- any chain --------------------------------------------------------------------------------


def between(low, high):
    return st.floats(low, high)


fills = st.sampled_from([0.0, 0.25, 1.0])
warps = st.one_of(
    st.builds(ik.Rotate, between(-180, 180), fill=fills, antialias=st.booleans()),
    st.builds(ik.Scale, between(0.7, 1.6), fill=fills, antialias=st.booleans()),
    st.builds(ik.Shear, between(-20, 20), between(-20, 20), fill=fills, antialias=st.booleans()),
    st.builds(ik.Translate, between(-0.3, 0.3), between(-0.3, 0.3), fill=fills),
    st.builds(ik.Affine, between(-90, 90), between(-0.1, 0.1), between(0.8, 1.3),
              between(-10, 10), fill=fills),
    st.builds(ik.Perspective, between(0, 0.4), fill=fills),
    st.builds(ik.Elastic, between(0, 3), between(6, 12), fill=fills),
    st.builds(ik.GridDistortion, st.integers(2, 4), between(0, 0.2), fill=fills),
)  # fmt: skip
moves = st.one_of(
    st.builds(ik.HorizontalFlip), st.builds(ik.VerticalFlip), st.builds(ik.Transpose),
    st.builds(ik.Rotate90, st.integers(1, 3)),
    st.builds(ik.CenterCrop, st.tuples(st.integers(38, 70), st.integers(38, 70)), fill=fills),
    st.builds(ik.Pad, st.tuples(*[st.integers(0, 8)] * 4), fill=fills),
    st.builds(ik.RandomCrop, st.tuples(st.integers(30, 36), st.integers(30, 36)),
              padding=st.integers(0, 6), fill=fills),
)  # fmt: skip
sides = st.tuples(st.integers(40, 90), st.integers(40, 90))
resizes = st.one_of(
    st.builds(ik.Resize, sides, antialias=st.booleans()),
    st.builds(ik.RandomResizedCrop, sides, st.just((0.4, 0.9)), antialias=st.booleans()),
    st.builds(ik.Letterbox, sides, fill=fills),
)
kinds = st.sampled_from([warps, warps, moves, resizes]).flatmap(lambda kind: kind)
chains = st.lists(kinds, min_size=2, max_size=4)


def fitting(ops):
    """Take a random crop only where no image before it may be too small."""
    return not any(op.name == "RandomCrop" for op in ops[1:])


@settings(deadline=None, max_examples=200)
@given(
    ops=chains.filter(fitting), picture=st.sampled_from(sorted(IMAGES)), index=st.integers(0, 99)
)
def test_any_fused_chain_is_its_ops_one_by_one(ops, picture, index):
    aug, x, key = ik.Pipeline(ops, seed=1), IMAGES[picture](), (0, index)
    near = near_a_border(aug, SIZE, key)
    assume(near.mean() < 0.9)
    found, expected = aug(x, key=key), one_by_one(aug, x, key)
    assert_agree(found, expected, near, tolerance(ops))
    if picture == "constant":  # also on the borders: a mixture of what is there
        printable = [0.6, *(value for op in ops for value in getattr(op, "fill", ()))]
        assert found.min() >= min(printable) - 1e-6
        assert found.max() <= max(printable) + 1e-6


@settings(deadline=None, max_examples=60)
@given(ops=st.lists(warps, min_size=2, max_size=3), index=st.integers(0, 99))
def test_bytes_of_a_fused_chain_are_within_a_level(ops, index):
    aug, x, key = ik.Pipeline(ops, seed=1), slope(), (0, index)
    near = near_a_border(aug, SIZE, key)
    x8 = saturate(x * 255, "uint8")
    expected = one_by_one(aug, x8 / 255.0, key) * 255
    assert_agree(aug(x8, key=key), expected, near, LEVEL + 255 * TOLERANCE)


# --- linear color -----------------------------------------------------------------------------


def run_steps(x, steps):
    """Run (K, 3, 7) steps one by one on (H, W, 3), each clipped."""
    for step in steps:
        x = x @ step[:, :3].T + step[:, 3:6] @ x.mean(axis=(0, 1)) + step[:, 6]
        x = np.clip(x, 0, 1)
    return x


STEPS = (brightness_rows, contrast_rows, saturation_rows)
factors = st.one_of(between(0, 1), between(1, 3))
orders = st.lists(st.tuples(st.sampled_from(STEPS), factors), min_size=1, max_size=5)


@settings(deadline=None, max_examples=150)
@given(drawn=orders, seed=st.integers(0, 9))
def test_merged_steps_are_the_steps_one_by_one(drawn, seed):
    """Clipping included: a step that may clip is never merged with the next."""
    x = np.random.default_rng(seed).random((6, 5, 3))
    steps = np.concatenate([step_of(make, [factor]) for make, factor in drawn], axis=1)
    merged = merge_batch(steps)
    assert merged.shape[1] <= steps.shape[1]
    np.testing.assert_allclose(run_steps(x, merged[0]), run_steps(x, steps[0]), atol=1e-9)


def test_steps_that_cannot_clip_become_one():
    steps = np.concatenate([step_of(make, [0.7]) for make in STEPS], axis=1)
    assert merge_batch(steps).shape == (1, 1, 3, 7)
    steps = np.concatenate([step_of(brightness_rows, [1.5]), step_of(contrast_rows, [0.7])], axis=1)
    assert merge_batch(steps).shape == (1, 2, 3, 7)


def test_merging_one_sample_leaves_the_others_alone():
    rng = np.random.default_rng(0)
    factor = rng.uniform(0.4, 1.6, (7, 3))
    steps = np.concatenate([step_of(make, factor[:, i]) for i, make in enumerate(STEPS)], axis=1)
    together, x = merge_batch(steps), rng.random((4, 4, 3))
    for sample in range(7):
        alone = merge_batch(steps[sample : sample + 1])[0]
        assert np.array_equal(run_steps(x, together[sample]), run_steps(x, alone))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize(
    "ops",
    [
        [ik.Brightness(1.6), ik.Contrast(0.6), ik.Saturation(0.5)],
        [ik.Brightness(0.6), ik.Saturation(0.3), ik.Contrast(0.8), ik.ChannelShuffle()],
        [ik.Grayscale(), ik.Contrast(2.0), ik.Brightness(0.7)],
        [ik.ColorJitter(0.4, 0.4, 0.4), ik.Brightness(1.2)],
        [ik.Saturation(2.5), ik.Hue(0.2), ik.Contrast(1.7)],
        [ik.Brightness(1, (0.2, 0.6)), ik.Contrast(0.7), ik.Brightness(1, -0.3)],
    ],
    ids=lambda ops: "-".join(op.name for op in ops),
)
def test_color_chains_are_their_ops_one_by_one(ops, dtype):
    x = np.random.default_rng(3).random((30, 34, 3))
    x = saturate(x * (1 if dtype == "float32" else np.iinfo(dtype).max), dtype)
    aug = ik.Pipeline(ops, seed=4)
    for index in range(4):
        found = aug(x, key=index).astype(np.float64)
        expected = aug.reference(x, index, fuse=False).astype(np.float64)
        assert np.abs(found - expected).max() <= (1e-4 if dtype == "float32" else 1)


# --- torchvision's jitter ---------------------------------------------------------------------


def torchvision_jitter(x, numbers):
    """Run torchvision's four adjustments with the factors and the order that were drawn."""
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    names = ("brightness", "contrast", "saturation", "hue")
    result = torch.from_numpy(x.transpose(2, 0, 1).copy())
    for which in numbers["order"][0]:
        name = names[int(which)]
        result = getattr(functional, f"adjust_{name}")(result, float(numbers[name][0]))
    return result.numpy().transpose(1, 2, 0)


@pytest.mark.parametrize("index", range(12))
def test_color_jitter_means_what_torchvision_means(index):
    """Floats to 2e-4: float32 sums, and a hue formula that amplifies them near gray.

    Bytes to 1 level of what torchvision computes in floats, and to 8 levels of what it computes
    in bytes: it cuts off the fraction after each of its four steps, imgkit rounds once, and a
    later hue, contrast or saturation enlarges what was lost.
    """
    x = wave((40, 44)) * [1.0, 0.7, 0.4] + np.random.default_rng(index).random((40, 44, 3)) * 0.3
    x8 = saturate(np.clip(x, 0, 1) * 255, "uint8")
    x = (x8 / 255).astype(np.float32)
    aug, key = ik.Pipeline([ik.ColorJitter(0.4, 0.4, 0.4, 0.1)], seed=8), (0, index)
    numbers = aug.plan(x.shape[:2], key).ops[0]
    exact = torchvision_jitter(x, numbers).astype(np.float64)
    assert np.abs(aug(x, key=key) - exact).max() <= 2e-4
    found = aug(x8, key=key).astype(np.float64)
    assert np.abs(found - np.rint(exact * 255)).max() <= 1
    truncated = torchvision_jitter(x8, numbers)
    assert np.abs(found - truncated).max() <= 8
    assert np.abs(found - truncated).mean() <= 2.5


# --- open canvases, color that commutes -----------------------------------------------------


def test_an_open_canvas_keeps_what_the_source_still_has():
    x = np.full((40, 60, 3), 200, np.uint8)
    ops = [ik.CenterCrop(20), ik.Rotate(45)]
    cut = ik.Pipeline(ops, seed=1)(x, key=0)
    kept = ik.Pipeline(ops, seed=1, canvas="open")(x, key=0)
    assert (cut == 0).any()  # the corners of the crop
    assert (kept == 200).all()
    assert kept.shape == cut.shape == (20, 20, 3)


def test_an_open_canvas_is_the_reference_too_and_goes_through_yaml():
    x = smooth_photo()
    aug = ik.Pipeline(
        [ik.RandomResizedCrop(24, scale=(0.3, 0.5)), ik.Rotate(30), ik.Affine(shear=10)],
        seed=3,
        canvas="open",
    )
    difference = aug(x, key=(0, 4)).astype(int) - aug.reference(x, (0, 4)).astype(int)
    assert np.abs(difference).max() <= 1
    assert ik.Pipeline.from_yaml(aug.to_yaml()) == aug != ik.Pipeline(aug.ops, seed=3)
    with pytest.raises(ValueError, match=r"canvas is 'opne'.*did you mean 'open'"):
        ik.Pipeline([], canvas="opne")


def smooth_photo():
    y, x = np.mgrid[0:48, 0:64]
    return np.stack([x * 3, y * 4, (x + y) * 2], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("color", [ik.Grayscale(), ik.Brightness((0.5, 1)), ik.Saturation(0.3)])
def test_linear_color_that_cannot_clip_does_not_end_a_run(color):
    aug = ik.Pipeline([ik.Rotate((5, 20)), color, ik.Shear((3, 9))], seed=5)
    plan = aug.plan((48, 64), (0, 1))
    assert [stage.kind for stage in plan.stages] == ["color", "resample"]
    x = smooth_photo()
    fused = aug.reference(x, (0, 1)).astype(int)
    one_by_one = aug.reference(x, (0, 1), fuse=False).astype(int)
    inner = np.s_[14:-14, 14:-14]  # away from the soft edges of the canvases
    assert np.abs(fused - one_by_one)[inner].max() <= 1


@pytest.mark.parametrize(
    "ops",
    [
        [ik.Rotate(5), ik.Brightness(1.1), ik.Shear(3)],  # may clip
        [ik.Rotate(5), ik.Brightness(0.5, -0.1), ik.Shear(3)],  # may clip below
        [ik.Rotate(5), ik.Contrast(0.9), ik.Shear(3)],  # needs the mean of what it sees
        [ik.Rotate(5, fill=0.5), ik.Brightness(0.9), ik.Shear(3)],  # would darken the fill
    ],
)
def test_color_that_does_not_commute_ends_a_run(ops):
    plan = ik.Pipeline(ops, seed=5).plan((48, 64), (0, 1))
    assert [stage.kind for stage in plan.stages] == ["resample", "color", "resample"]
