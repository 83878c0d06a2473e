"""Floats that are not 0..1 are pointed out, once, whatever holds them."""

import warnings

import numpy as np
import pytest
import torch

import imgkit as ik
from imgkit.torch import Augment, Loader, Transform

MESSAGE = r"image has values from 0 to 25[05]: floats mean 0..1, and color ops clip .*divide by 255"


def aug():
    return ik.Pipeline([ik.Brightness((0.5, 1.5)), ik.HorizontalFlip(p=0.5)], seed=7)


def values(*shape):
    levels = np.random.default_rng(0).integers(0, 251, shape).astype(np.float32)
    levels.flat[:2] = 0, 250
    return levels


def tensor(*shape, dtype=torch.float32):
    return torch.from_numpy(values(*shape)).to(dtype)


def image_of_torchvision():
    return pytest.importorskip("torchvision.tv_tensors").Image(tensor(3, 8, 9))


CALLS = {
    "array": lambda: aug()(values(8, 9, 3), key=0),
    "float64": lambda: aug()(values(8, 9, 3).astype(np.float64), key=0),
    "batch of arrays": lambda: aug()(values(2, 8, 9, 3), key=(0, [0, 1])),
    "tensor": lambda: aug()(tensor(3, 8, 9), key=0),
    "gray tensor": lambda: ik.Pipeline([ik.Brightness(0.5)], seed=7)(tensor(8, 9), key=0),
    "batch": lambda: aug()(tensor(2, 3, 8, 9), key=(0, [0, 1])),
    "list": lambda: aug()([tensor(3, 8, 9), tensor(3, 9, 8)], key=(0, [0, 1])),
    "half": lambda: aug()(tensor(2, 3, 8, 9, dtype=torch.float16), key=(0, [0, 1])),
    "bfloat16": lambda: aug()(tensor(2, 3, 8, 9, dtype=torch.bfloat16), key=(0, [0, 1])),
    "gradient": lambda: aug()(tensor(2, 3, 8, 9).requires_grad_(), key=(0, [0, 1])),
    "tv_tensor": lambda: aug()(image_of_torchvision(), key=0),
    "target": lambda: aug()(image=tensor(3, 8, 9), boxes=[[0, 0, 2, 2]], key=0),
    "function": lambda: ik.Pipeline([*aug(), ik.sobel], seed=7)(tensor(3, 8, 9), key=0),
    "Augment": lambda: Augment(aug())(tensor(2, 3, 8, 9)),
    "Transform": lambda: Transform(aug())(tensor(3, 8, 9), key=0),
    "Loader": lambda: next(iter(Loader([tensor(3, 8, 9)], aug(), 1))),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_floats_out_of_range_are_pointed_out(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    assert [each.category for each in caught] == [UserWarning]
    with pytest.warns(UserWarning, match=MESSAGE):
        call()


def test_it_is_said_once():
    pipeline = aug()
    with pytest.warns(UserWarning, match=MESSAGE):
        pipeline(tensor(3, 8, 9), key=0)
    pipeline(tensor(3, 8, 9), key=1)
    pipeline(values(8, 9, 3), key=1)


def test_what_is_in_range_or_cannot_be_read_is_not_pointed_out():
    aug()(tensor(3, 8, 9) / 255, key=0)
    aug()(tensor(3, 8, 9).to(torch.uint8), key=0)
    aug()(tensor(0, 3, 8, 9), key=(0, []))
    flip = ik.Pipeline([ik.HorizontalFlip()], seed=7)
    torch.func.vmap(lambda x: flip(x, key=0))(tensor(2, 3, 8, 9))  # traced, not read


def test_values_on_a_device_are_not_read():
    """Reading a value of a device waits for it; a meta tensor has none."""
    from imgkit.augment.layout import warn_range

    assert not warn_range(torch.empty(3, 8, 9, device="meta"))
