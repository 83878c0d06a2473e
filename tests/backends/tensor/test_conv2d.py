"""The CNN layer by torch's own operations."""

import numpy as np
import pytest

import imgkit as ik

torch = pytest.importorskip("torch")
F = torch.nn.functional
from imgkit.backends.tensor.numpy_view import native  # noqa: E402


@pytest.fixture(autouse=True)
def _native():
    with native():
        yield


def random(*shape, dtype=torch.float64, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def as_array(x):
    return x.numpy().copy()


def test_conv2d_is_the_layer_of_torch():
    x = random(2, 4, 9, 8).requires_grad_()
    weight, bias = random(6, 2, 3, 2, seed=1).requires_grad_(), random(6, seed=2)
    options = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2), "groups": 2}
    found = ik.conv2d(x, weight, bias, **options)
    assert torch.equal(found, F.conv2d(x, weight, bias, **options))
    found.sum().backward()
    assert x.grad is not None
    assert weight.grad is not None


def test_conv2d_with_arrays_and_borders():
    x, weight = random(2, 3, 7, 6, dtype=torch.float32), as_array(random(4, 3, 3, 3, seed=1))
    expected = ik.conv2d(np.moveaxis(as_array(x), 1, -1), weight, mode="same", border="wrap")
    found = ik.conv2d(x, weight, mode="same", border="wrap")
    np.testing.assert_allclose(np.moveaxis(found.numpy(), 1, -1), expected, atol=1e-5)


def test_conv2d_names_the_devices_that_do_not_match():
    with pytest.raises(ValueError, match=r"weight is on meta, x on cpu: pass weight.to\(x.device"):
        ik.conv2d(random(3, 5, 5), torch.zeros(2, 3, 3, 3, device="meta"))
