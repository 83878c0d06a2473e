"""What every transform owes its caller: results of their own memory, batch or not."""

import numpy as np
import pytest

import imgkit as ik
from imgkit.registry import TRANSFORMS

EVERY = {
    **{name: [getattr(ik, name)(**TRANSFORMS[name].example)] for name in TRANSFORMS},
    "nothing": [],
    "exact window": [ik.RandomResizedCrop(8, scale=(0.25, 0.25), ratio=(1, 1))],
    "too small": [ik.Sharpness(2.0)],
    "idle": [ik.Rotate(0), ik.Brightness(1.0), ik.HorizontalFlip(p=0)],
}


def own(result, *given):
    """Tell whether an array is writable and shares no memory with those given."""
    return result.flags.writeable and not any(np.may_share_memory(result, x) for x in given)


# sizes at which an op may have nothing to do: one channel, one pixel, a window's own size
@pytest.mark.parametrize("shape", [(2, 2, 3), (16, 16, 3), (16, 16, 1), (16, 16), (1, 1, 3)])
@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_result_shares_no_memory_with_what_was_given(name, shape, dtype):
    aug = ik.Pipeline(EVERY[name], seed=1)
    x = (np.random.default_rng(0).random(shape) * (255 if dtype == np.uint8 else 1)).astype(dtype)
    before = x.copy()
    mask = np.ones(shape[:2], bool)
    for index in range(3):
        try:
            result = aug(x, key=(0, index))
        except ValueError as error:
            if "size is" in str(error) or "channels" in str(error):
                return
            raise
        assert own(result, x)
        assert all(own(image, x) for image in aug([x, x], key=(0, [index, 3])))
        if x.ndim == 3:
            batch = np.stack([x, x])
            assert all(own(image, batch) for image in aug(batch, key=(0, [index, 3])))
        if name == "AugMix":  # blends: labels have no one place
            continue
        named = aug(image=x, mask=mask, masks=[mask, mask], key=(0, index))
        assert own(named["image"], x)
        assert own(named["mask"], mask)
        assert all(own(one, mask) for one in named["masks"])
    assert np.array_equal(x, before)


@pytest.mark.parametrize("shape", [(5, 1), (1, 5), (1, 1), (5, 7)])
@pytest.mark.parametrize("ops", [[], [ik.ToCHW()], [ik.ToFloat(), ik.ToCHW()], [ik.ToFloat()]])
def test_an_image_without_channels_keeps_its_shape(ops, shape):
    x = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    aug = ik.Pipeline(ops, seed=1)
    top = 255 if any(op.name == "ToFloat" for op in ops) else 1
    for result in (aug(x, key=0), aug(image=x, key=0)["image"], aug.reference(x, 0)):
        assert result.shape == shape
        assert np.allclose(result * top, x, atol=1e-4)  # float32


@pytest.mark.parametrize("needs_gradient", [False, True])  # the array backend, torch operations
@pytest.mark.parametrize("name", ["nothing", "idle", "ToCHW", "exact window"])
def test_a_tensor_shares_no_memory_with_what_was_given(name, needs_gradient):
    torch = pytest.importorskip("torch")
    seeded = torch.Generator().manual_seed(0)
    x = torch.rand(2, 3, 16, 16, generator=seeded, requires_grad=needs_gradient)
    aug = ik.Pipeline(EVERY[name], seed=1)
    for given, key in ((x, (0, [0, 1])), (x[0], (0, 0))):
        found = aug(given, key=key).untyped_storage().data_ptr()
        assert found != x.untyped_storage().data_ptr()
