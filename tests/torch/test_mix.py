"""MixUp, CutMix and Mosaic: tensors are mixed as arrays are, by the same keys."""

import numpy as np
import pytest
import torch
import torch._dynamo

import imgkit as ik
from imgkit.torch import CutMix, MixUp, Mosaic

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 16, 20, 3), np.uint8)


def batch():
    return torch.from_numpy(IMAGES).permute(0, 3, 1, 2)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("kind", ["MixUp", "CutMix"])
def test_mixers_do_to_tensors_what_they_do_to_arrays(kind, dtype):
    x = batch() if dtype == torch.uint8 else batch().float() / 255
    masks = np.random.default_rng(1).integers(0, 3, (5, 16, 20))
    boxes = [np.array([[0.0, 0, 8, 8], [4, 4, 20, 16]])] * 5
    names = [np.array([1, 2])] * 5
    settings = {"alpha": 1.0, "num_classes": 3, "p": 0.8, "seed": 7}
    array = getattr(ik, kind)(**settings)(
        np.ascontiguousarray(x.permute(0, 2, 3, 1).numpy()), np.arange(5) % 3,
        masks=masks, boxes=boxes, box_labels=names, key=(3, range(5)),
    )  # fmt: skip
    ours = {"MixUp": MixUp, "CutMix": CutMix}[kind](settings.pop("alpha"), **settings)(
        x, torch.arange(5) % 3, masks=torch.from_numpy(masks),
        boxes=[torch.from_numpy(b) for b in boxes], box_labels=names, key=(3, range(5)),
    )  # fmt: skip
    assert set(ours) == set(array)
    pixels = ours["images"].permute(0, 2, 3, 1).double().numpy()
    # 1 level: both round, the one from float32, the other from float64
    atol = 1 if dtype == torch.uint8 else 1e-6
    np.testing.assert_allclose(pixels, array["images"].astype(float), atol=atol)
    assert ours["images"].dtype == dtype
    np.testing.assert_allclose(ours["masks"].numpy(), array["masks"], atol=1e-6)
    np.testing.assert_array_equal(ours["labels"].numpy(), array["labels"])
    for name in ("boxes", "box_labels"):
        for mine, other in zip(ours[name], array[name], strict=True):
            np.testing.assert_array_equal(mine.numpy(), other)


def test_mixers_rest_in_eval_mode():
    out = MixUp(num_classes=3).eval()(batch(), torch.zeros(5, dtype=torch.long))
    assert set(out) == {"images", "labels"}
    torch.testing.assert_close(out["images"], batch(), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: MixUp()(IMAGES), TypeError, r"images is a ndarray: pass a tensor \(N, C, H, W\)"),
        (lambda: MixUp()(batch()[0]), ValueError, r"images has shape \(3, 16, 20\): a batch is"),
        (lambda: MixUp()(batch(), torch.arange(5)), ValueError, "num_classes is None: integer"),
        (
            lambda: CutMix()(batch(), masks=torch.zeros(5, 16, 20, device="meta")),
            ValueError,
            "masks is on meta, images on cpu: move them together",
        ),
        (
            lambda: CutMix()(batch(), masks=torch.zeros(5, 4, 4)),
            ValueError,
            r"masks\[0\] has shape \(4, 4\): it must be \(16, 20\)",
        ),
        (lambda: CutMix(alpha=0), ValueError, "alpha is 0"),
    ],
)
def test_what_cannot_be_mixed_says_why(call, error, message):
    with pytest.raises(error, match=message):
        call()


# --- the parts of a batch, in the types that they had -------------------------------------------

KEY = (3, range(5))
MIXERS = {
    "MixUp": lambda **o: (ik.MixUp(1.0, seed=7, **o), MixUp(1.0, seed=7, **o)),
    "CutMix": lambda **o: (ik.CutMix(1.0, seed=7, **o), CutMix(1.0, seed=7, **o)),
    "Mosaic": lambda **o: (ik.Mosaic((12, 18), seed=7, **o), Mosaic((12, 18), seed=7, **o)),
}
BOX = np.array([[2.0, 3, 12, 13], [4, 4, 20, 16]])
CORNERS = BOX[:, [[0, 1], [2, 1], [2, 3], [0, 3]]]


def rows(convert):
    """Return the objects of five images."""
    return {
        "boxes": [convert(BOX)] * 5,
        "box_labels": [convert(np.array([1, 2]))] * 5,
        "polygons": [[convert(corners) for corners in CORNERS]] * 5,
        "keypoints": [convert(np.concatenate([CORNERS, np.ones((2, 4, 1))], axis=2))] * 5,
    }


@pytest.mark.parametrize("kind", MIXERS)
@pytest.mark.parametrize("own", [0, 1], ids=["imgkit", "imgkit.torch"])
def test_tensors_are_mixed_as_arrays_are_with_all_their_objects(kind, own):
    masks = np.random.default_rng(1).integers(0, 3, (5, 16, 20))
    mixer = MIXERS[kind](num_classes=3)
    array = mixer[0](IMAGES, np.arange(5) % 3, masks=masks, **rows(np.asarray), key=KEY)
    ours = mixer[own](
        batch(), torch.arange(5) % 3, masks=torch.from_numpy(masks), **rows(torch.from_numpy),
        key=KEY,
    )  # fmt: skip
    assert set(ours) == set(array)
    pixels = ours["images"].permute(0, 2, 3, 1).numpy().astype(int)
    # 1 level: both round, the one from float32, the other from float64
    assert np.abs(pixels - array["images"]).max() <= 1
    np.testing.assert_allclose(ours["masks"].numpy(), array["masks"], atol=1e-6)
    for name in ("labels", "box_weights", "share", "partner", "partners", "center", "region"):
        if name in array:
            np.testing.assert_array_equal(np.asarray(ours[name][0]), array[name][0], name)
    for name in rows(np.asarray):
        for mine, other in zip(ours[name], array[name], strict=True):
            assert len(mine) == len(other)
            for one, two in zip(mine, other, strict=True):
                assert isinstance(one, torch.Tensor)
                np.testing.assert_array_equal(one.numpy(), two)


@pytest.mark.parametrize("kind", MIXERS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_dtypes_of_images_and_rows_stay(kind, dtype):
    x = batch().to(dtype) / 255
    soft = torch.full((5, 3), 1 / 3, dtype=dtype)
    given = {n: v for n, v in rows(lambda a: torch.from_numpy(a).to(dtype)).items()}
    for mixer in MIXERS[kind]():
        out = mixer(x, soft, masks=x[:, 0], **given, key=KEY)
        assert out["images"].dtype == out["masks"].dtype == dtype
        assert out["labels"].dtype == torch.float32
        assert {t.dtype for name in given for each in out[name] for t in each} == {dtype}


@pytest.mark.parametrize("kind", MIXERS)
def test_float32_boxes_of_arrays_stay_float32(kind):
    mixer = MIXERS[kind]()[0]
    for given, found in (("float32", "float32"), ("float64", "float64"), ("int64", "float64")):
        out = mixer(IMAGES, boxes=[BOX.astype(given)] * 5, key=KEY)
        assert {boxes.dtype.name for boxes in out["boxes"]} == {found}


@pytest.mark.parametrize("kind", ["MixUp", "CutMix"])
def test_boxes_of_torchvision_are_read_in_their_format(kind):
    tv = pytest.importorskip("torchvision.tv_tensors")
    xywh = BOX - np.concatenate([np.zeros((2, 2)), BOX[:, :2]], axis=1)
    boxes = tv.BoundingBoxes(torch.from_numpy(xywh), format="XYWH", canvas_size=(16, 20))
    for mixer in MIXERS[kind]():
        wanted = mixer(batch(), boxes=[BOX] * 5, key=KEY)["boxes"]
        out = mixer(batch(), boxes=[boxes] * 5, key=KEY)["boxes"]
        for one, two in zip(out, wanted, strict=True):
            assert (type(one), one.format.value) == (tv.BoundingBoxes, "XYWH")
            np.testing.assert_allclose(one.numpy()[:, :2] + one.numpy()[:, 2:], two[:, 2:])


@pytest.mark.parametrize("as_tensor", [False, True])
@pytest.mark.parametrize("kind", MIXERS)
def test_masks_and_labels_with_an_ignored_class(kind, as_tensor):
    masks = np.random.default_rng(1).integers(0, 3, (5, 16, 20)).astype(np.uint8)
    masks[:, 4:9] = 255
    labels = np.array([0, 1, 2, -1, 1])
    mixer = MIXERS[kind](num_classes=3, ignore_index=255)[0]
    x, masks = (batch(), torch.from_numpy(masks)) if as_tensor else (IMAGES, masks)
    out = mixer(x, masks=masks, key=KEY)["masks"]
    if kind == "MixUp":
        total = np.asarray(out).sum(axis=-1)
        # float32 sums of three weights
        np.testing.assert_allclose(total[:, 4:9], 0)
        np.testing.assert_allclose(total[:, 9:], 1, atol=1e-6)
        with pytest.raises(ValueError, match=r"masks go from 0 to 255: .*ignore_index=255 gives"):
            MIXERS[kind](num_classes=3)[0](x, masks=masks, key=KEY)
    else:
        assert set(np.unique(out)) <= {0, 1, 2, 255}
    ignoring = MIXERS[kind](num_classes=3, ignore_index=-1)[0]
    weights = np.asarray(ignoring(x, labels, key=KEY)["labels"])
    assert weights.sum(axis=1).min() < 0.999
    with pytest.raises(ValueError, match=r"labels go from -1 to 2: .*ignore_index=-1 gives"):
        MIXERS[kind](num_classes=3)[0](x, labels, key=KEY)


@pytest.mark.parametrize("as_tensor", [False, True])
@pytest.mark.parametrize("kind", MIXERS)
def test_bool_masks(kind, as_tensor):
    masks = np.zeros((5, 16, 20), bool)
    masks[::2, 4:] = True
    mixer = MIXERS[kind](num_classes=2)[0]
    plain = mixer(IMAGES, masks=masks.astype(np.int64), key=KEY)["masks"]
    given = (batch(), torch.from_numpy(masks)) if as_tensor else (IMAGES, masks)
    out = mixer(given[0], masks=given[1], key=KEY)["masks"]
    np.testing.assert_allclose(np.asarray(out).astype(float), plain, atol=1e-6)
    if kind != "MixUp":
        assert np.asarray(out).dtype == bool


def test_a_mosaic_takes_tensors_of_several_sizes():
    images = [batch()[0], batch()[1, :, :9], batch()[2, :, :, :7]]
    masks = [torch.full(image.shape[-2:], i) for i, image in enumerate(images)]
    out = Mosaic(10, seed=1)(images, masks=masks, key=(0, range(3)))
    assert (out["images"].shape, out["masks"].shape) == ((3, 3, 10, 10), (3, 10, 10))
    assert set(out["masks"][0].unique().tolist()) == {0, 1, 2}


def test_text_labels_and_empty_batches_of_tensors():
    out = ik.MixUp(1.0, seed=1)(batch(), boxes=[BOX] * 5, box_labels=[["cat", "dog"]] * 5, key=KEY)
    assert out["box_labels"][0] == ["cat", "dog", "cat", "dog"]
    for kind, make in MIXERS.items():
        for mixer in make(num_classes=2):
            none = mixer(batch()[:0], torch.zeros(0, dtype=torch.long), boxes=[], key=(0, range(0)))
            size = (12, 18) if kind == "Mosaic" else (16, 20)
            assert none["images"].shape == (0, 3, *size)
            assert (none["labels"].shape, none["boxes"]) == ((0, 2), [])


# --- compiled -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MIXERS)
def test_a_compiled_mixer_is_the_eager_one_for_every_key(kind):
    torch._dynamo.reset()
    module, twin = (MIXERS[kind](num_classes=3)[1] for _ in range(2))
    compiled = torch.compile(module, backend="eager")
    labels = torch.arange(5) % 3
    for key in ((0, np.arange(5)), (1, range(5)), (2, torch.arange(5)), None, None):
        with torch._dynamo.config.patch(error_on_recompile=True):
            found = compiled(batch(), labels, key=key)
        expected = twin(batch(), labels, key=key)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in found)
    torch._dynamo.reset()


@pytest.mark.parametrize("name", ["MixUp", "CutMix"])
def test_a_mixer_of_arrays_within_compiled_code_is_the_eager_one(name):
    torch._dynamo.reset()
    mixer = getattr(ik, name)(alpha=1.0, num_classes=3, seed=7)

    def run(images, labels):
        return mixer(images, labels, key=(0, range(5)))

    labels = np.arange(5) % 3
    found, expected = torch.compile(run, backend="eager")(IMAGES, labels), run(IMAGES, labels)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[part], expected[part]) for part in found)
    torch._dynamo.reset()
