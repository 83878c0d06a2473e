"""Preprocessing for trained networks agrees with what they were trained with."""

import pathlib

import numpy as np
import pytest
import torch
import torch._dynamo
from PIL import Image

from imgkit.torch import Preprocess, native

IMAGES = pathlib.Path(__file__).parents[2] / "samples" / "images"
PHOTOGRAPHS = ("astronaut.jpg", "chelsea.png", "coffee.webp", "rocket.jpg")


def photograph(name):
    with Image.open(IMAGES / name) as image:
        return image.convert("RGB")


def levels(ours, theirs, recipe):
    """Largest difference in 8-bit levels."""
    std = torch.tensor(recipe.std)[:, None, None]
    return float(((ours - theirs).abs() * std).max()) * 255


def reference(recipe, image):
    """What torchvision does to a Pillow image."""
    tv = pytest.importorskip("torchvision.transforms")
    mode = tv.InterpolationMode(recipe.interpolation)
    steps = [tv.Resize(recipe.resize, mode), tv.CenterCrop(recipe.crop), tv.ToTensor()]
    return tv.Compose([*steps, tv.Normalize(recipe.mean, recipe.std)])(image)


# 1 level: both round to 8 bits after each axis, Pillow from weights of 22 bits
@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("preset", ["imagenet", "clip", "siglip", "inception", "cifar10"])
def test_presets_agree_with_torchvision_on_photographs(preset, name):
    image, ours = photograph(name), Preprocess(preset)
    done = ours(image)
    assert done.shape == (3, *ours.spec.crop)
    assert done.dtype == torch.float32
    assert levels(done, reference(ours.spec, image), ours.spec) <= 1.01


def test_imagenet_is_what_torchvisions_weights_bring():
    presets = pytest.importorskip("torchvision.transforms._presets")
    image = photograph("coffee.webp")
    theirs = presets.ImageClassification(crop_size=224)(image)
    ours = Preprocess("imagenet")
    assert levels(ours(image), theirs, ours.spec) <= 1.01


def test_mnist_is_gray_and_untouched_but_for_its_scale():
    digit = np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)
    done = Preprocess("mnist")(Image.fromarray(digit))
    assert done.shape == (1, 28, 28)
    np.testing.assert_allclose(done[0], (digit / 255 - 0.1307) / 0.3081, atol=1e-5)
    assert Preprocess("mnist")(photograph("chelsea.png")).shape == (1, 28, 28)


CONFIGS = {
    "resnet": {"crop_pct": 0.95, "crop_mode": "center"},
    "squash": {"crop_pct": 0.9, "crop_mode": "squash", "input_size": (3, 240, 200)},
    "whole": {"crop_pct": 1.0, "interpolation": "bilinear"},
}


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_timm_configs(name):
    data = pytest.importorskip("timm.data")
    config = {
        "input_size": (3, 224, 224), "interpolation": "bicubic",
        "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.4),
    } | CONFIGS[name]  # fmt: skip
    image, ours = photograph("astronaut.jpg"), Preprocess(config)
    theirs = data.create_transform(**config, is_training=False)(image)
    assert levels(ours(image), theirs, ours.spec) <= 1.01


def test_open_clip():
    clip = pytest.importorskip("open_clip.transform", exc_type=ImportError)
    image, ours = photograph("rocket.jpg"), Preprocess("clip")
    theirs = clip.image_transform(224, is_train=False, mean=ours.spec.mean, std=ours.spec.std)
    assert levels(ours(image), theirs(image), ours.spec) <= 1.01


def test_every_kind_of_image_gives_the_same():
    ours = Preprocess("imagenet")
    picture = photograph("chelsea.png")
    array = np.array(picture)
    tensor = torch.from_numpy(array).permute(2, 0, 1)
    want = ours(picture)
    for image in (array, tensor):
        torch.testing.assert_close(ours(image), want, rtol=0, atol=0)
    for batch in ([picture, array], np.stack([array] * 2), torch.stack([tensor] * 2)):
        torch.testing.assert_close(ours(batch), torch.stack([want] * 2), rtol=0, atol=1e-6)
    with native():  # 1 level: the contract between backends
        assert levels(ours(tensor[None])[0], want, ours.spec) <= 1.01
    assert levels(torch.from_numpy(ours.pipeline(array, key=3)), want, ours.spec) <= 1.01
    assert ours([]).shape == (0, 3, 224, 224)


def test_gray_becomes_equal_channels():
    gray = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    done = Preprocess("clip")(gray)
    std, mean = (torch.tensor(v)[:, None, None] for v in Preprocess("clip").spec[:2:-1])
    back = done * std + mean
    torch.testing.assert_close(back[0], back[2], atol=1e-5, rtol=0)


def test_another_size_keeps_the_proportion():
    assert Preprocess("imagenet", 112).spec[:2] == (128, (112, 112))
    assert Preprocess("siglip", 384).spec[:2] == ((384, 384), (384, 384))
    assert Preprocess("clip", 336)(np.zeros((40, 30, 3), np.uint8)).shape == (3, 336, 336)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Preprocess("imagnet"), ValueError, "preset is 'imagnet': did you mean 'imagenet'"),
        (lambda: Preprocess("clip", 0), ValueError, "size is 0: it must be at least 1"),
        (lambda: Preprocess({"std": (1,)}), ValueError, "mean is missing: the config has std"),
        (
            lambda: Preprocess({"mean": (0,), "std": (1,), "crop_mode": "border"}),
            ValueError,
            "crop_mode is 'border': known: center, squash",
        ),
        (
            lambda: Preprocess({"mean": (0,), "std": (1,), "input_size": (3, 224, 160)}),
            ValueError,
            "with crop_mode 'center' it must be square",
        ),
        (lambda: Preprocess("clip")("photo.jpg"), TypeError, "image is a str: pass a Pillow image"),
        (
            lambda: Preprocess("clip")(np.zeros((4, 4, 4), np.uint8)),
            ValueError,
            "image has 4 channels",
        ),
    ],
)
def test_what_cannot_be_prepared_says_why(call, error, message):
    with pytest.raises(error, match=message):
        call()


# --- torch.compile ------------------------------------------------------------------------


def tensor(*shape):
    whole = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0))
    return whole.to(torch.uint8)


@pytest.mark.parametrize("preset", ["imagenet", "mnist"])
def test_one_graph_gives_the_eager_result_bit_for_bit(preset):
    torch._dynamo.reset()
    module = Preprocess(preset, size=16)
    compiled = torch.compile(module, backend="eager", fullgraph=True, dynamic=True)
    image = tensor(3, 40, 50)
    for x in (image, tensor(2, 3, 33, 40), image[0], [image, image[:, :30].float() / 255]):
        assert torch.equal(compiled(x), module(x))
    torch._dynamo.reset()


def test_one_graph_of_torch_operations_keeps_the_parity_of_backends():
    torch._dynamo.reset()
    module = Preprocess(size=16)
    compiled, x = torch.compile(module, backend="aot_eager", fullgraph=True), tensor(3, 40, 50)
    # 1 level: the contract between backends, divided by the standard deviation
    assert levels(compiled(x), module(x), module.spec) <= 1.001
    torch._dynamo.reset()


def test_images_that_are_no_tensors_stay_outside_of_the_graph():
    torch._dynamo.reset()
    module = Preprocess(size=16)
    compiled = torch.compile(module, backend="eager")
    # a copy: Dynamo refuses an array on the memory of bytes, as Pillow gives it
    for image in (photograph("coffee.webp"), np.array(photograph("chelsea.png"))):
        assert torch.equal(compiled(image), module(image))
    torch._dynamo.reset()


def test_exported_with_sizes_that_may_change_it_is_the_eager_one():
    sizes = {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
    module, x = Preprocess(size=16), tensor(2, 3, 33, 40)
    exported = torch.export.export(module, (x,), dynamic_shapes=(sizes,)).module()
    assert levels(exported(x), module(x), module.spec) <= 1.001
