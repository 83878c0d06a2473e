"""Translated pipelines give what their originals give, and the rest is refused by name."""

import os
import warnings

import numpy as np
import pytest

import imgkit as ik

torch = pytest.importorskip("torch")
v1 = pytest.importorskip("torchvision.transforms")
v2 = pytest.importorskip("torchvision.transforms.v2")


def image(seed=0, size=(48, 61)):
    """A smooth color image, so that interpolation error stays small."""
    rng = np.random.default_rng(seed)
    x = rng.random((*size, 3)).cumsum(0).cumsum(1)
    x = np.sin(x / x.max() * 9) * 0.5 + 0.5
    return np.rint(x * 255).astype(np.uint8)


def tensor(x):
    return torch.from_numpy(x).permute(2, 0, 1).contiguous()


def both(transform, x=None, key=0):
    """The result of torchvision on a tensor and of the translation, both (H, W, C)."""
    x = image() if x is None else x
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision's own
        theirs = transform(tensor(x)).permute(1, 2, 0).numpy()
    ours = ik.Pipeline.from_torchvision(transform, seed=1)(x, key=key)
    return np.asarray(ours), theirs


def levels(transform, x=None):
    ours, theirs = both(transform, x)
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    return np.abs(ours.astype(int) - theirs.astype(int)).max()


# --- the same numbers give the same pixels -----------------------------------------------

SAME = {  # within 1 level of uint8: rounding
    "Resize": lambda m: m.Resize((20, 31)),
    "Resize up": lambda m: m.Resize((90, 100)),
    "Resize plain": lambda m: m.Resize((20, 31), antialias=False),
    "Resize bicubic": lambda m: m.Resize((70, 31), interpolation=v2.InterpolationMode.BICUBIC),
    "Resize shorter": lambda m: m.Resize(20),
    "CenterCrop": lambda m: m.CenterCrop((21, 30)),
    "CenterCrop even": lambda m: m.CenterCrop(40),
    "CenterCrop larger": lambda m: m.CenterCrop((52, 65)),
    "Pad": lambda m: m.Pad((1, 2, 3, 4), fill=100),
    "Pad two": lambda m: m.Pad((1, 2), padding_mode="reflect"),
    "Pad symmetric": lambda m: m.Pad(3, padding_mode="symmetric"),
    "Pad edge": lambda m: m.Pad(3, padding_mode="edge"),
    "HorizontalFlip": lambda m: m.RandomHorizontalFlip(1.0),
    "VerticalFlip": lambda m: m.RandomVerticalFlip(1.0),
    "Brightness": lambda m: m.ColorJitter(brightness=(1.3, 1.3)),
    "Contrast": lambda m: m.ColorJitter(contrast=(0.6, 0.6)),
    "Saturation": lambda m: m.ColorJitter(saturation=(1.7, 1.7)),
    "Hue": lambda m: m.ColorJitter(hue=(0.1, 0.1)),
    "Grayscale": lambda m: m.Grayscale(3),
    "RandomGrayscale": lambda m: m.RandomGrayscale(1.0),
    "GaussianBlur": lambda m: m.GaussianBlur(13, (1.5, 1.5)),
    "Invert": lambda m: m.RandomInvert(1.0),
    "Posterize": lambda m: m.RandomPosterize(3, p=1.0),
    "Solarize": lambda m: m.RandomSolarize(100, p=1.0),
    "Autocontrast": lambda m: m.RandomAutocontrast(1.0),
    "Equalize": lambda m: m.RandomEqualize(1.0),
    "Sharpness": lambda m: m.RandomAdjustSharpness(1.7, p=1.0),
    "RandomApply": lambda m: m.RandomApply([m.CenterCrop(30), m.RandomInvert(1.0)], p=1.0),
    "RandomChoice": lambda m: m.RandomChoice([m.CenterCrop(30), m.RandomInvert(1.0)], p=[0, 1]),
    "RandomResizedCrop": lambda m: m.RandomResizedCrop(24, scale=(1, 1), ratio=(61 / 48, 61 / 48)),
    "RandomCrop": lambda m: m.RandomCrop((48, 61)),
    "nested": lambda m: m.Compose([m.RandomInvert(1.0), m.Compose([m.Resize((20, 31))])]),
}


@pytest.mark.parametrize("module", [v1, v2], ids=["v1", "v2"])
@pytest.mark.parametrize("build", SAME.values(), ids=SAME.keys())
def test_same_pixels_as_torchvision(build, module):
    assert levels(build(module)) <= 1


WARPS = {
    "Rotation": lambda m: m.RandomRotation((17, 17), v2.InterpolationMode.BILINEAR),
    "Rotation fill": lambda m: m.RandomRotation((-30, -30), v2.InterpolationMode.BILINEAR, fill=90),
    "Affine": lambda m: m.RandomAffine(
        (12, 12), scale=(1.2, 1.2), shear=(9, 9), interpolation=v2.InterpolationMode.BILINEAR
    ),
}


@pytest.mark.parametrize("module", [v1, v2], ids=["v1", "v2"])
@pytest.mark.parametrize("build", WARPS.values(), ids=WARPS.keys())
def test_same_warps_as_torchvision(build, module):
    """But for pixels that the canvas half covers: torchvision weighs those by their cover twice."""
    transform = build(module)
    ours, theirs = both(transform)
    cover, _ = both(transform, np.full((48, 61, 3), 255, np.uint8))
    fill, _ = both(transform, np.zeros((48, 61, 3), np.uint8))
    sure = (cover == 255) | (cover == fill)
    assert sure.mean() > 0.9
    assert np.abs(ours.astype(int) - theirs.astype(int))[sure].max() <= 1


def test_same_pixels_as_torchvision_where_v2_alone_has_the_op():
    assert levels(v2.Identity()) == 0
    assert levels(v2.JPEG((60, 60))) <= 2  # two JPEG decoders round color conversion apart
    ours, theirs = both(v2.GaussianNoise(sigma=0.0), image().astype(np.float32) / 255)
    assert np.abs(ours - theirs).max() < 1e-6


def test_nearest_rotation():
    ours, theirs = both(v2.RandomRotation((17, 17), v2.InterpolationMode.NEAREST))
    assert (ours != theirs).any(axis=-1).mean() < 0.01  # positions halfway between pixels


STATISTICS = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


@pytest.mark.parametrize(
    "ends",
    [
        [v1.ToTensor(), v1.Normalize(*STATISTICS)],
        [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(*STATISTICS)],
        [v2.ToImage(), v2.ConvertImageDtype(torch.float32), v2.Normalize(*STATISTICS),
         v2.ToPureTensor()],
        [v1.PILToTensor(), v1.ConvertImageDtype(torch.float32), v1.Normalize(*STATISTICS)],
    ],
)  # fmt: skip
def test_the_usual_evaluation_pipeline(ends):
    """Pillow in, as torchvision users do, because ToTensor and PILToTensor take it."""
    from PIL import Image

    x = image(size=(70, 90))
    module = v1 if type(ends[0]).__module__.endswith("transforms.transforms") else v2
    transform = module.Compose([module.Resize(40), module.CenterCrop(32), *ends])
    theirs = transform(Image.fromarray(x)).numpy()
    ours = ik.Pipeline.from_torchvision(transform)(x, key=0)
    assert ours.shape == theirs.shape == (3, 32, 32)
    assert ours.dtype == np.float32
    # Pillow rounds after each pass of the resize, imgkit once: 2 levels, over the smallest std
    assert np.abs(ours - theirs).max() < 2.1 / 255 / 0.224


def test_output_conversions():
    x = image()
    pairs = [
        (v2.Compose([v2.ToImage()]), np.uint8),
        (v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]), np.float32),
        (v2.Compose([v2.ToImage(), v2.ToDtype(torch.uint8, scale=True)]), np.uint8),
        (v1.Compose([v1.ToTensor()]), np.float32),
    ]
    for transform, dtype in pairs:
        ours = ik.Pipeline.from_torchvision(transform)(x, key=0)
        theirs = np.asarray(transform(x))
        assert ours.dtype == dtype
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() < 1e-6
    left = ik.Pipeline.from_torchvision(v2.Compose([v2.ToDtype(torch.float32, scale=True)]))
    assert left.ops == (ik.ToFloat(),)  # no layout was asked for


# --- parameters that translate ------------------------------------------------------------


def translated(*transforms):
    return ik.Pipeline.from_torchvision(list(transforms)).ops


@pytest.mark.parametrize("m", [v1, v2], ids=["v1", "v2"])
def test_ranges(m):
    bilinear = v2.InterpolationMode.BILINEAR
    sampling = {"interpolation": "bilinear", "antialias": False}
    assert translated(
        m.RandomRotation(15, bilinear),
        m.RandomAffine((-5, 20), (0.1, 0.1), (0.9, 1.1), (-3, 8), bilinear),
        m.RandomAffine(0, (0.1, 0.2), interpolation=bilinear),
        m.RandomPerspective(0.4, p=0.3),
        m.RandomCrop(32, padding=4, padding_mode="reflect"),
        m.RandomCrop(32, padding=(1, 2), fill=51),
        m.RandomCrop(32, padding=(1, 2, 3, 4)),
        m.RandomResizedCrop(24, (0.2, 1), interpolation=v2.InterpolationMode.BICUBIC),
        m.ColorJitter(0.4, 0.3, hue=0.1),
        m.GaussianBlur(23),
        m.RandomHorizontalFlip(),
    ) == (
        ik.Rotate((-15, 15), **sampling),
        ik.Affine((-20, 5), (-0.1, 0.1), (0.9, 1.1), (-8, 3), **sampling),
        ik.Translate((-0.1, 0.1), (-0.2, 0.2), **sampling),
        ik.Perspective(0.4, p=0.3, **sampling),
        ik.RandomCrop(32, 4, border="reflect"),
        ik.Pad((2, 2, 1, 1), fill=0.2),
        ik.RandomCrop(32),
        ik.Pad((2, 4, 1, 3)),
        ik.RandomCrop(32),
        ik.RandomResizedCrop(24, (0.2, 1.0), interpolation="bicubic"),
        ik.ColorJitter(0.4, 0.3, hue=0.1),
        ik.GaussianBlur((0.1, 2.0)),
        ik.HorizontalFlip(p=0.5),
    )


@pytest.mark.parametrize("m", [v1, v2], ids=["v1", "v2"])
def test_containers(m):
    jitter = ik.ColorJitter(0.4)
    assert translated(m.RandomApply([m.ColorJitter(0.4)], p=0.8)) == (ik.ColorJitter(0.4, p=0.8),)
    assert translated(m.RandomApply([m.RandomHorizontalFlip(0.5)], p=0.5)) == (
        ik.HorizontalFlip(p=0.25),
    )
    assert translated(m.RandomApply([m.ColorJitter(0.4), m.RandomInvert(0.5)], p=0.8)) == (
        ik.SomeOf([jitter, ik.Invert(p=0.5)], 2, p=0.8),
    )
    assert translated(m.RandomChoice([m.ColorJitter(0.4), m.RandomInvert(0.5)])) == (
        ik.OneOf([jitter, ik.Invert(p=0.5)]),
    )
    (weighted,) = translated(
        m.RandomChoice([m.ColorJitter(0.4), m.RandomInvert(0.5)], p=[0.75, 0.25])
    )
    assert weighted.weights == (0.75, 0.25)
    assert translated(torch.nn.Sequential(m.ColorJitter(0.4), torch.nn.Identity())) == (jitter,)


@pytest.mark.parametrize("m", [v1, v2], ids=["v1", "v2"])
def test_erasing_after_normalize_comes_before_with_the_mean(m):
    tensor = m.ToTensor() if m is v1 else v2.ToImage()
    ops = translated(tensor, v2.ToDtype(torch.float32, scale=True),
                     m.Normalize(*STATISTICS), m.RandomErasing(p=0.25))  # fmt: skip
    erase = ik.Erase((0.02, 0.33), (0.3, 3.3), fill=tuple(STATISTICS[0]), p=0.25)
    assert ops == (erase, ik.Normalize(*map(tuple, STATISTICS)), ik.ToCHW())
    # a hole of value 0 after Normalize is a hole of the mean before it
    x = np.ones((40, 40, 3), np.float32)
    result = ik.Pipeline([ik.Erase((0.2, 0.3), fill=tuple(STATISTICS[0])), ops[1]], seed=0)(
        x, key=0
    )
    hole = np.abs(result).max(axis=-1) < 1e-6
    assert 0.1 < hole.mean() < 0.4
    # before a conversion the value counts in levels
    assert translated(v2.RandomErasing(value=51))[0].fill == (0.2,)


def test_policies():
    assert translated(
        v2.RandAugment(3, 7), v2.TrivialAugmentWide(), v2.AutoAugment(), v2.AugMix(5)
    ) == (
        ik.RandAugment(3, 7),
        ik.TrivialAugment(),
        ik.AutoAugment(),
        ik.AugMix(5),
    )
    with pytest.raises(ValueError, match="num_magnitude_bins is 10"):
        translated(v2.RandAugment(num_magnitude_bins=10))


# --- what is refused ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (v2.RandomOrder([v2.RandomInvert()]), "RandomOrder: the order of ops"),
        (v2.Lambda(lambda x: x), "Lambda: a function cannot be translated"),
        (v2.ElasticTransform(), "ElasticTransform: its alpha scales noise"),
        (v2.FiveCrop(3), "FiveCrop: it gives several images"),
        (v2.Resize(20, max_size=30), "Resize: max_size"),
        (v2.Resize(20, v2.InterpolationMode.LANCZOS), "Resize: interpolation 'lanczos'"),
        (v2.RandomRotation(9, expand=True), "RandomRotation: expand=True"),
        (v2.RandomRotation(9, center=(1, 2)), "RandomRotation: center"),
        (v2.RandomRotation(9, fill={torch.Tensor: 3}), "RandomRotation: a fill of"),
        (v2.RandomAffine(9, shear=(0, 0, 1, 2)), "RandomAffine: a shear of columns"),
        (v2.RandomAffine(9, (0.1, 0.2)), "RandomAffine: translate differs"),
        (v2.RandomCrop(9, pad_if_needed=True), "RandomCrop: pad_if_needed"),
        (v2.GaussianBlur(5), "GaussianBlur: a kernel of 5 cuts off a sigma of 2; make it 13"),
        (v2.Grayscale(1), "Grayscale: one channel is left"),
        (v2.RandomErasing(value="random"), "RandomErasing: value 'random'"),
        (v2.GaussianNoise(clip=False), "GaussianNoise: clip=False"),
        (v2.ToDtype(torch.float16, scale=True), "ToDtype: a dtype of torch.float16"),
        (v2.ToDtype(torch.float32), "ToDtype: without scale=True"),
        (v2.ToDtype({torch.Tensor: torch.float32}), "ToDtype: a dtype for each type"),
        (v2.RandomApply([v2.Normalize([0.5], [0.5])]), "RandomApply: it holds an output op"),
        (v2.RandomApply([v2.Lambda(len)]), "RandomApply: Lambda: a function"),
        ([v2.RandomInvert(), v2.Compose([v2.RandomZoomOut()])], r"transforms\[1\]: RandomZoomOut"),
        ([v2.Normalize([0.5], [0.5]), v2.RandomInvert()], "RandomInvert: it comes after Normalize"),
        (v2.SanitizeBoundingBoxes(), "SanitizeBoundingBoxes: imgkit moves"),
        (torch.nn.ReLU(), "ReLU: it has no translation"),
        (3, r"transforms\[0\]: int is not a transform of torchvision"),
        (lambda x: x, "function is not a transform of torchvision"),
    ],
)  # fmt: skip
def test_what_means_something_else_is_refused_by_name(transform, message):
    with pytest.raises(ValueError, match=message):
        ik.Pipeline.from_torchvision(transform)


def test_every_public_transform_of_torchvision_is_translated_or_refused_by_name():
    from imgkit.augment.exchange.torchvision import KNOWN, REFUSED

    assert not set(KNOWN) & set(REFUSED)
    for module in (v1, v2):
        names = {
            n for n, c in vars(module).items() if isinstance(c, type) and issubclass(c, object)
        }
        names -= {"Compose", "Transform", "InterpolationMode", "AutoAugmentPolicy", "Any"}
        missing = {n for n in names if n[0].isupper()} - set(KNOWN) - set(REFUSED)
        assert not missing


# --- albumentations -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def albumentations():
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("albumentations", reason="a benchmark dependency alone")


ALBUMENTATIONS = {
    "Resize": (lambda a: a.Resize(20, 31), 1),
    "SmallestMaxSize": (lambda a: a.SmallestMaxSize(24), 1),
    "CenterCrop": (lambda a: a.CenterCrop(20, 31), 0),
    "Pad": (lambda a: a.Pad(3, border_mode=4), 0),
    "Flips": (
        lambda a: a.Compose([a.HorizontalFlip(p=1), a.VerticalFlip(p=1), a.Transpose(p=1)]),
        0,
    ),
    "Rotate": (lambda a: a.Rotate((17, 17), p=1), 1),
    "Affine": (lambda a: a.Affine(1.2, rotate=12, p=1), 1),
    "Shear": (lambda a: a.Affine(shear={"x": (9, 9), "y": (0, 0)}, p=1), 1),
    "Shift": (lambda a: a.Affine(translate_percent=0.25, p=1), 2),  # theirs moves whole pixels
    "Jitter": (lambda a: a.ColorJitter((1.2, 1.2), (1, 1), (1, 1), (0, 0), p=1), 1),
    "Contrast": (lambda a: a.ColorJitter((1, 1), (0.7, 0.7), (1, 1), (0, 0), p=1), 1),
    "ToGray": (lambda a: a.ToGray(p=1), 1),
    "Invert": (lambda a: a.InvertImg(p=1), 0),
    "Gamma": (lambda a: a.RandomGamma((130, 130), p=1), 1),
    "Posterize": (lambda a: a.Posterize(3, p=1), 0),
    "Solarize": (lambda a: a.Solarize((0.4, 0.4), p=1), 0),
    "Blur": (lambda a: a.Blur((5, 5), p=1), 1),
    "GaussianBlur": (lambda a: a.GaussianBlur(sigma_limit=(1.5, 1.5), p=1), 1),
    "OneOf": (lambda a: a.OneOf([a.InvertImg(p=1)], p=1), 0),
    "SomeOf": (lambda a: a.SomeOf([a.InvertImg(p=1), a.Posterize(3, p=1)], 2, p=1), 0),
    "Sequential": (lambda a: a.Sequential([a.InvertImg(p=1), a.Posterize(3, p=1)], p=1), 0),
}


@pytest.mark.parametrize(("build", "tolerance"), ALBUMENTATIONS.values(), ids=ALBUMENTATIONS.keys())
def test_same_pixels_as_albumentations(build, tolerance, albumentations):
    # a width and height that a quarter divides, and even remainders of crops
    x = image(size=(48, 61 if "Crop" in build.__code__.co_names else 60))
    transform = albumentations.Compose([build(albumentations)])
    theirs = transform(image=x)["image"]
    ours = ik.Pipeline.from_albumentations(transform)(x, key=0)
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= tolerance


def test_albumentations_median_within_its_border(albumentations):
    transform = albumentations.MedianBlur((5, 5), p=1)
    x = image()
    ours = ik.Pipeline.from_albumentations(transform)(x, key=0)
    theirs = transform(image=x)["image"]
    assert np.array_equal(ours[2:-2, 2:-2], theirs[2:-2, 2:-2])  # the edge repeats there


def test_albumentations_normalize(albumentations):
    transform = albumentations.Compose([albumentations.Normalize()])
    x = image()
    theirs = transform(image=x)["image"]
    ours = ik.Pipeline.from_albumentations(transform)(x, key=0)
    assert np.abs(ours - theirs).max() < 1e-5


def test_albumentations_ranges(albumentations):
    a = albumentations
    ops = ik.Pipeline.from_albumentations(
        a.Compose(
            [
                a.Rotate(20),
                a.RandomResizedCrop((24, 24)),
                a.OneOf([a.InvertImg(p=0.2), a.NoOp(p=0.6)]),
            ]
        )
    ).ops
    assert ops == (
        ik.Rotate((-20, 20), antialias=False, p=0.5),
        ik.RandomResizedCrop(24, antialias=False),
        ik.OneOf([ik.Invert(), ik.Pad(0)], weights=(0.2, 0.6), p=0.5),
    )


def test_albumentations_refuses_by_name(albumentations):
    a = albumentations
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ShiftScaleRotate says that it is an Affine
        old = a.ShiftScaleRotate()
    for transform, message in (
        (a.RandomBrightnessContrast(), "RandomBrightnessContrast: its brightness adds"),
        (a.CLAHE(), "CLAHE: it works on L"),
        (old, r"ShiftScaleRotate: it draws its scale .* write Affine\(scale=\(0.9, 1.1\)"),
        (a.Rotate(crop_border=True), "Rotate: crop_border"),
        (a.Equalize(), "Equalize: its curve is another"),
        (a.Affine(translate_px=3), "Affine: translate_px"),
        (a.RandomFog(), "RandomFog: it has no translation"),
        (v2.RandomInvert(), "RandomInvert is not a transform of albumentations"),
    ):
        with pytest.raises(ValueError, match=message):
            ik.Pipeline.from_albumentations(transform)


def test_neither_library_is_imported():
    """What the translation needs of the objects is in the objects."""
    import subprocess
    import sys

    code = (
        "import sys, imgkit as ik\n"
        "ik.Pipeline.from_torchvision([]); ik.Pipeline.from_albumentations([])\n"
        "assert not {'torch', 'torchvision', 'albumentations'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
