"""Plans on tensors: the oracle's numbers from every path, gradients, compiled and by views."""

import numpy as np
import pytest

import imgkit as ik
from imgkit import geometry
from imgkit.border import BORDERS
from imgkit.image import full_range, saturate
from imgkit.registry import TRANSFORMS

torch = pytest.importorskip("torch")
from imgkit.backends.tensor import native as device_plan  # noqa: E402
from imgkit.backends.tensor.numpy_view import native  # noqa: E402
from imgkit.backends.tensor.primitives import philox  # noqa: E402
from imgkit.geometry import resolve_batch as resolve  # noqa: E402

SIZE = (33, 40)
# A curve of CLAHE has a slope of up to 8, and its luma is rounded before: see test_transforms.
LEVELS = {"CLAHE": 9}
FLOAT = 1e-4
FINE = 9  # levels of uint16: 1.4e-4 of the range, and a rounding

GEOMETRIC = {
    "flips": [ik.HorizontalFlip(p=0.5), ik.VerticalFlip(p=0.5)],
    "turns and padded crops": [ik.Rotate90(p=0.7), ik.RandomCrop(20, padding=5, border="reflect")],
    "resized crops, some turned": [
        ik.RandomResizedCrop(24),
        ik.HorizontalFlip(p=0.5),
        ik.Rotate((-15, 15), p=0.5),
    ],
    "resized crops on their side": [
        ik.RandomResizedCrop((20, 28)),
        ik.Rotate90(k=1),
        ik.Transpose(p=0.5),
    ],
    "pads, then a resize": [ik.Pad(4, p=0.5, fill=0.5), ik.Resize(20), ik.Perspective(0.3, p=0.5)],
    "many canvases": [
        ik.Rotate(30, p=0.5, fill=0.5),
        ik.Translate((-0.3, 0.3), p=0.5),
        ik.Scale((0.5, 2), p=0.5),
        ik.CenterCrop(20),
        ik.Shear(10, fill=0.2),
    ],
    "flips, then resized crops": [ik.HorizontalFlip(p=0.5), ik.RandomResizedCrop(24)],
    "letterbox": [ik.Letterbox(30, fill=0.4), ik.Rotate((-20, 20), p=0.5)],
    "fields": [
        ik.HorizontalFlip(p=0.5),
        ik.Elastic((0, 4), p=0.6, fill=0.3),
        ik.Rotate((-10, 10), p=0.5),
        ik.GridDistortion(p=0.5),
        ik.Resize(20),
    ],
    "sizes that vary": [ik.RandomCrop(20, p=0.5), ik.Contrast((0.5, 1.5)), ik.Equalize(p=0.5)],
}
COLORFUL = {
    "training": [
        ik.RandomResizedCrop(24),
        ik.HorizontalFlip(p=0.5),
        ik.Rotate((-15, 15), p=0.5),
        ik.ColorJitter(0.4, 0.4, 0.4, 0.1),
        ik.Normalize("imagenet"),
    ],
    "bicubic": [
        ik.Posterize(4, p=0.5),
        ik.RandomResizedCrop(24, interpolation="bicubic"),
        ik.Invert(p=0.5),
    ],
    "filters": [
        ik.Sharpen((0, 1.5), p=0.5),
        ik.MedianBlur((1, 5)),
        ik.BoxBlur((1, 7)),
        ik.MotionBlur((3, 7)),
        ik.Emboss((0.0, 1.0), p=0.5),
        ik.GaussianBlur((0.1, 2.0), p=0.5),
    ],
    "noise and holes": [
        ik.GaussianNoise((0, 0.2)),
        ik.SaltPepper((0.0, 0.1)),
        ik.Erase(p=0.5),
        ik.GridMask(p=0.5),
    ],
    "RandAugment": [ik.RandAugment()],
    "AugMix": [ik.AugMix()],
    "choices": [
        ik.OneOf([ik.Rotate(20), ik.Hue(0.2), ik.Solarize(0.5)]),
        ik.SomeOf([ik.Invert(), ik.AutoContrast(), ik.Grayscale()], 2),
    ],
}


def batch(dtype="uint8", count=6, size=SIZE, channels=3):
    rng = np.random.default_rng(0)
    smooth = rng.random((count, *size, channels)).cumsum(axis=1).cumsum(axis=2)
    values = 0.9 * smooth / smooth.max() + 0.1 * rng.random(smooth.shape)
    return saturate(values * full_range(dtype), dtype)


def tensor(x):
    return torch.from_numpy(x).permute(0, 3, 1, 2)


def difference(made, wanted):
    """Compare tensors, channels first, with the oracle's images."""
    worst = 0.0
    for mine, image in zip(made, wanted, strict=True):
        first = np.moveaxis(image, -1, 0) if image.shape[-1] in (1, 3, 5) else image
        assert tuple(mine.shape) == first.shape
        assert str(mine.dtype) == f"torch.{image.dtype}"
        worst = max(worst, np.abs(mine.double().numpy() - first.astype(np.float64)).max())
    return worst


def check(ops, x, level=1):
    """Compare both ways of a CPU tensor with the oracle."""
    aug, key = ik.Pipeline(ops, seed=4), (1, range(len(x)))
    wanted = aug.reference(x, key=key)
    tolerance = {"uint8": level, "uint16": FINE * level}.get(wanted[0].dtype.name, FLOAT)
    assert difference(aug(tensor(x), key=key), wanted) <= tolerance
    with native():
        assert difference(aug(tensor(x), key=key), wanted) <= tolerance


# --- the numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", GEOMETRIC)
def test_batch_of_maps_is_its_samples_one_by_one(name):
    aug, count = ik.Pipeline(GEOMETRIC[name], seed=4), 40
    for stage in aug.plan(SIZE, (0, range(count))).stages:
        if stage.kind != "resample":
            continue
        whole = resolve.resolve_batch(stage.geometric_steps, count, 3)
        for i in range(count):
            one = geometry.resolve(stage.geometric_steps, i)
            assert resolve.KINDS[whole.kind[i]] == one.kind
            assert (tuple(whole.window[i]), tuple(whole.out_size[i])) == (one.window, one.out_size)
            assert whole.pad[i] == resolve.CODES[one.pad[0]]
            assert np.array_equal(whole.pad_fill[i], np.broadcast_to(one.pad[1], 3))
            if one.kind != "field":
                assert np.array_equal(whole.matrix[i], one.matrix)
            if one.kind == "resize":
                assert (tuple(whole.resized[i]), whole.antialias[i]) == (one.resized, one.antialias)
                assert np.array_equal(whole.move[i], one.move)
            if one.kind == "warp":
                assert whole.border[i] == resolve.CODES[one.border]
                assert np.array_equal(whole.fill[i], np.broadcast_to(one.fill, 3))
                cuts = np.flatnonzero(whole.cuts[i])
                assert np.array_equal(
                    whole.canvases[i, cuts], [c.matrix for c in one.canvases] or np.zeros((0, 3, 3))
                )
                assert [tuple(s) for s in whole.canvas_sizes[i, cuts]] == [
                    c.size for c in one.canvases
                ]


def test_noise_words_are_numpys():
    keys = np.random.default_rng(0).integers(0, 2**64, (3, 2), dtype=np.uint64)
    words = philox.words(torch.from_numpy(keys.view(np.int64)), 1001).numpy().view(np.uint64)
    shorts = philox.shorts(torch.from_numpy(keys.view(np.int64)), 1001).numpy()
    for key, row, short in zip(keys, words, shorts, strict=True):
        raw = np.random.Philox(key=key).random_raw(1001)
        assert np.array_equal(row, raw)
        assert np.array_equal(short, raw.astype("<u8").view("<u2")[:1001])


# --- the pixels -----------------------------------------------------------------------------


@pytest.mark.parametrize("op", TRANSFORMS.values(), ids=lambda op: op.name)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_every_transform(op, dtype):
    check([getattr(ik, op.name)(**op.example)], batch(dtype, 4), LEVELS.get(op.name, 1))


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("name", GEOMETRIC)
def test_runs_of_geometric_ops(name, dtype):
    check(GEOMETRIC[name], batch(dtype))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float64"])
@pytest.mark.parametrize("name", COLORFUL)
def test_pipelines(name, dtype):
    check(COLORFUL[name], batch(dtype))


@pytest.mark.parametrize("word", ["bilinear", "bicubic"])
@pytest.mark.parametrize("border", BORDERS)
def test_borders_of_warps_that_shrink_and_grow(border, word):
    warp = ik.Affine((-40, 40), (0.2, 0.2), (0.4, 1.5), border=border, fill=0.3, interpolation=word)
    check([warp], batch(count=4))


def test_moves_are_equal_bit_for_bit():
    x = batch("float32")
    aug, key = (
        ik.Pipeline(
            [ik.HorizontalFlip(p=0.5), ik.Rotate90((0, 3)), ik.RandomCrop(20, padding=3)], seed=1
        ),
        (0, range(6)),
    )
    with native():
        made = aug(tensor(x), key=key)
    assert np.array_equal(made.permute(0, 2, 3, 1).numpy(), aug(x, key=key))


@pytest.mark.parametrize("channels", [1, 5])
def test_other_channel_counts(channels):
    check(
        [ik.RandomResizedCrop(16), ik.GaussianBlur(1.0, p=0.5), ik.Rotate(20)],
        batch(channels=channels),
    )


@pytest.mark.parametrize("by_view", [True, False])
def test_layouts_in_and_out(by_view):
    x = tensor(batch(count=2))
    aug = ik.Pipeline([ik.Rotate(10), ik.Normalize("imagenet"), ik.ToCHW()], seed=0)
    with torch.no_grad() if by_view else native():
        whole = aug(x, key=(0, [3, 4]))
        assert whole.shape == (2, 3, *SIZE)
        assert aug(x[1], key=(0, 4)).shape == (3, *SIZE)
        gray = ik.Pipeline([ik.Rotate(10)], seed=0)(x[0, 0], key=(0, 3))
        assert gray.shape == SIZE
        assert aug(x[:0], key=(0, [])).shape == (0, 3, *SIZE)
        assert aug(x[:0], key=(0, [])).dtype == torch.float32
    assert torch.allclose(aug(x[1], key=(0, 4)), whole[1], atol=1e-5)


def test_memory_order_is_kept_and_input_never_written():
    x = tensor(batch(count=2))
    aug = ik.Pipeline([ik.Brightness(1.2)], seed=0)
    before = x.clone()
    assert aug(x, key=(0, [0, 1])).is_contiguous(memory_format=torch.channels_last)
    assert aug(x.contiguous(), key=(0, [0, 1])).is_contiguous()
    assert torch.equal(x, before)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_halves_are_computed_in_float32(dtype):
    x = tensor(batch("float32", 3))
    aug = ik.Pipeline([ik.RandomResizedCrop(16), ik.ColorJitter(0.2, 0.2, 0.2, 0.1)], seed=2)
    made = aug(x.to(dtype), key=(0, range(3)))
    wanted = aug(x.to(dtype).float(), key=(0, range(3)))
    assert made.dtype == dtype
    assert (made.float() - wanted).abs().max() <= torch.finfo(dtype).eps


# --- gradients and compiling ------------------------------------------------------------------


@pytest.mark.parametrize(
    "ops",
    [
        [
            ik.RandomResizedCrop(5),
            ik.Rotate((-20, 20), p=0.7, border="reflect"),
            ik.ColorJitter(0.3, 0.3, 0.3, 0.1),
        ],
        [ik.Scale(0.6), ik.Gamma(0.7), ik.GaussianBlur(0.6), ik.Normalize("imagenet")],
        [ik.Elastic(1.5, sigma=2.0), ik.GaussianNoise(0.01), ik.Erase()],
    ],
)
def test_gradients_flow_through_images(ops):
    x = torch.rand(1, 3, 6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    aug = ik.Pipeline(ops, seed=2)
    x = (x * 0.8 + 0.1).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: aug(v, key=(0, [1])), x, fast_mode=True)


def test_compiled_is_eager():
    x = torch.from_numpy(batch("float32", 3)).permute(0, 3, 1, 2).contiguous()
    aug = ik.Pipeline(COLORFUL["training"], seed=4)
    stages = aug.plan(SIZE, (0, range(3))).stages
    steps = device_plan.prepared_stages(stages, x)
    work, numbers = tuple((s.kind, s.spec) for s in steps), device_plan.uploaded(steps, x.device)
    eager = device_plan.execute(x, work, numbers, x.dtype)
    compiled = torch.compile(device_plan.execute, fullgraph=True, backend="aot_eager")
    assert torch.allclose(compiled(x, work, numbers, x.dtype), eager, atol=1e-6)


def test_host_filters_refuse_gradients():
    x = torch.rand(1, 3, 16, 16, requires_grad=True)
    with pytest.raises(ValueError, match="jpeg runs on the host"):
        ik.Pipeline([ik.JpegCompression()], seed=0)(x, key=(0, [0]))
