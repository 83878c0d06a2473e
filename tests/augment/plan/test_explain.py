"""What a person reads: which ops merged, why a run ended, what happens to sizes."""

import pytest

import imgkit as ik
from imgkit.backends.cuda import capability as device
from imgkit.registry import TRANSFORMS


def example(name):
    return getattr(ik, name)(**TRANSFORMS[name].example)


def block(text, number):
    """The lines of one stage, without their indent."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"{number:2d}  "))
    rest = [line for line in lines[start + 1 :]]
    end = next((i for i, line in enumerate(rest) if line[:2].strip()), len(rest))
    return [lines[start].strip(), *(line.strip() for line in rest[:end])]


def test_the_whole_text():
    aug = ik.Pipeline(
        [
            ik.RandomResizedCrop(224),
            ik.HorizontalFlip(),
            ik.Posterize(4),
            ik.Normalize("inception"),
        ],
        seed=7,
    )
    plan = aug.plan((512, 640), (1, 2))
    height, width = (int(plan.ops[0][name][0]) for name in ("height", "width"))
    resize = f"one resize of {height} x {width} to 224 x 224"
    assert aug.explain((512, 640), key=(1, 2)).splitlines() == [
        "4 ops in 3 stages, seed 7",
        "512 x 640 -> 224 x 224 for key (1, 2)",
        "on CUDA a uint8 RGB batch is one kernel",
        "",
        " 1  resample   RandomResizedCrop + HorizontalFlip",
        "               shares  2 ops, one interpolation",
        "               size    512 x 640 -> 224 x 224",
        f"               runs    {resize}, bilinear, antialiased, then an exact",
        "                       move",
        " 2  curve      Posterize",
        "               starts because  curve follows geometry",
        "               runs    posterize",
        " 3  normalize  Normalize",
        "               starts because  normalize follows curve",
        "               runs    mean (0.5, 0.5, 0.5), std (0.5, 0.5, 0.5)",
    ]


def test_without_a_size_the_structure_alone_is_told():
    text = ik.Pipeline(
        [ik.Rotate((0, 5), p=0.5), ik.Shear((0, 3)), ik.GaussianBlur(1), ik.Rotate((0, 5))]
    ).explain()
    assert text.splitlines() == [
        "4 ops in 3 stages",
        "",
        " 1  resample   Rotate p=0.5 + Shear",
        "               shares  2 ops, one interpolation",
        " 2  filter     GaussianBlur",
        "               starts because  filter follows geometry",
        "               CUDA    not for the fused kernel: a stage of kind filter",
        " 3  resample   Rotate",
        "               starts because  filter lies between it and the geometry before",
        "               CUDA    not for the fused kernel: a resampling stands behind other stages",
    ]


@pytest.mark.parametrize(
    ("ops", "words"),
    [
        ([ik.Rotate(1), ik.Shear(1, interpolation="nearest")],
         "interpolation 'nearest' after 'bilinear'"),
        ([ik.Rotate(1), ik.Shear(1, border="wrap")],
         "border 'wrap' folds the canvas that Rotate leaves"),
        ([ik.Erase(), ik.Erase()], "each erase is a stage of its own"),
    ],
)  # fmt: skip
def test_why_a_run_ended(ops, words):
    assert f"starts because  {words}" in block(ik.Pipeline(ops).explain(), 2)


def runs(*ops, size=(64, 80), stage=1):
    lines = block(ik.Pipeline(ops, seed=0).explain(size), stage)
    start = next(i for i, line in enumerate(lines) if line.startswith("runs"))
    return " ".join(lines[start:]).removeprefix("runs    ")


def test_how_pixels_move():
    assert (
        runs(ik.HorizontalFlip(), ik.CenterCrop(9))
        == "exact: pixels move whole, nothing is interpolated"
    )
    assert runs(ik.Resize(30)).startswith("one resize of 64 x 80 to 30 x 30, bilinear, antialiased")
    assert runs(ik.Rotate(5)) == "one warp by the map, bilinear, antialiased"
    assert "the product of 2 maps" in runs(ik.Rotate(5), ik.HorizontalFlip(), ik.Shear(5))
    assert "1 canvas between may cut" in runs(ik.Translate(0.5), ik.Translate(-0.5))
    assert runs(ik.Elastic(3)).startswith("one warp along the composed fields")


def test_how_linear_steps_multiply():
    half, double = ik.Brightness(0.5), ik.Brightness(2.0)
    assert runs(half, ik.Saturation(0.5), double) == "3 linear steps multiplied into 1"
    assert (
        runs(half, double, double, half) == "4 linear steps multiplied into 2: the others may clip"
    )
    assert runs(double, half) == "2 linear steps"
    assert runs(double) == "1 linear step"
    assert runs(ik.Brightness(1.0)) == "nothing changes for this key"


def test_what_does_not_happen_is_said():
    text = ik.Pipeline([ik.Rotate(5, p=0.0), ik.HorizontalFlip(), ik.Invert(p=0.0)]).explain((9, 9))
    assert "idle    Rotate" in block(text, 1)
    assert block(text, 2)[-1] == "runs    not for this key: none of its ops happens"


def test_choices_stand_in_brackets():
    text = ik.Pipeline(
        [ik.OneOf([ik.Rotate(5), ik.Invert(), ik.Shear(3, p=0.5)], p=0.5), ik.Scale(2)]
    ).explain()
    assert block(text, 1)[0] == "1  resample   OneOf p=0.5(Rotate, Shear p=0.5, ...)"
    assert block(text, 2)[0] == "2  curve      OneOf p=0.5(Invert, ...)"


@pytest.mark.parametrize("size", [None, (40, 60)])
@pytest.mark.parametrize("name", TRANSFORMS)
def test_what_leaves_the_device_is_said(name, size):
    said = "CUDA    the batch goes to the host and back: "
    text = ik.Pipeline([example(name)], seed=1).explain(size)
    reason = getattr(ik, name).host_only
    assert (said in text) == bool(reason)
    assert text.count(f"{said}{reason}") == bool(reason)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_what_is_one_kernel_is_said(name):
    aug = ik.Pipeline([example(name), ik.Normalize("imagenet")], seed=1)
    apart = device.fusion_blocker(aug.plan((40, 60), (0, 0)).stages)
    text = aug.explain((40, 60))
    assert ("on CUDA a uint8 RGB batch is one kernel" in text) == (not apart)
    assert (f"on CUDA torch operations run: {apart}" in text) == bool(apart)
    if apart and not getattr(ik, name).host_only:
        assert f"CUDA    not for the fused kernel: {apart}" in text
        if "holes" not in apart and TRANSFORMS[name].family != "policy":  # numbers decide
            assert f"fused kernel: {apart}" in aug.explain()


def test_what_keeps_a_list_from_the_kernel_stands_at_its_stage():
    aug = ik.Pipeline([ik.Rotate(5), ik.GaussianBlur(1), ik.Rotate(5), ik.Equalize()], seed=1)
    for text in (aug.explain(), aug.explain((40, 60))):
        assert not any("CUDA" in line for line in block(text, 1))
        assert "CUDA    not for the fused kernel: a stage of kind filter" in block(text, 2)
        assert any("a resampling stands behind other stages" in line for line in block(text, 3))
        assert any("a curve that needs the whole image" in line for line in block(text, 4))
    assert "on CUDA torch operations run: a stage of kind filter" in aug.explain((40, 60))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_op_is_told_within_the_page(name):
    aug = ik.Pipeline([example(name)], seed=1)
    for text in (aug.explain(), aug.explain((64, 80)), aug.explain((64, 80), key=(2, [4, 5]))):
        assert name in text
        assert max(map(len, text.splitlines())) <= 100
        assert all(line == line.rstrip() for line in text.splitlines())


def test_long_lists_are_broken():
    text = ik.Pipeline(
        [example(name) for name in TRANSFORMS if name not in ("Normalize",)]
    ).explain((96, 96))
    assert max(map(len, text.splitlines())) <= 100


def test_nothing():
    assert ik.Pipeline([]).explain() == "0 ops in 0 stages"


def test_a_size_that_cannot_be():
    with pytest.raises(ValueError, match="size is"):
        ik.Pipeline([ik.RandomCrop(20)]).explain((9, 9))


def test_one_number_of_a_warp_is_said_to_be_always_that():
    aug = ik.Pipeline([ik.Affine((-5, 5), translate=0.07, p=0.5), ik.Scale(1.2), ik.Shear((-3, 3))])
    for text in (aug.explain(), aug.explain((40, 60))):
        told = [line.strip() for line in text.splitlines() if "always" in line]
        assert told == [
            "always  Affine translate=0.07; (-0.07, 0.07) would be drawn",
            "always  Scale factor=1.2",
        ]
    assert "always" not in ik.Pipeline([ik.Affine((-5, 5), (-0.1, 0.1))]).explain()


@pytest.mark.parametrize("name", ["Rotate", "Translate", "Shear", "Affine"])
def test_one_number_is_explained_where_the_op_is(name):
    assert "One number is always that" in getattr(ik, name).__doc__
