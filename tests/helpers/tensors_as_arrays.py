"""Compare a function of tensors, channels first, with the same function of arrays."""

import numpy as np
import torch


def photo(dtype=np.uint8, shape=(2, 13, 17, 3), seed=0):
    rng = np.random.default_rng(seed)
    x = rng.random(shape).cumsum(-3).cumsum(-2)
    x /= x.max()
    return (
        x.astype(dtype)
        if np.dtype(dtype).kind == "f"
        else np.rint(x * np.iinfo(dtype).max).astype(dtype)
    )


def planar(x):
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, -3)))


def same(run, x, atol, *args, **options):
    """Compare the tensor's way with the array's."""
    expected = run(x, *args, **options)
    found = np.moveaxis(run(planar(x), *args, **options).numpy(), -3, -1)
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert np.abs(found.astype(float) - expected.astype(float)).max() <= atol
