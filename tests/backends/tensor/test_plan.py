"""Plans on tensors: the oracle's numbers from every route."""

import numpy as np
import pytest
from mixed_pipelines import COLORFUL, GEOMETRIC, SIZE, batch

import imgkit as ik
from imgkit.border import BORDERS
from imgkit.registry import TRANSFORMS

torch = pytest.importorskip("torch")
from imgkit.backends.tensor.numpy_view import native  # noqa: E402

LEVELS = {"CLAHE": 9}


FLOAT = 1e-4


FINE = 9  # levels of uint16: 1.4e-4 of the range, and a rounding


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
