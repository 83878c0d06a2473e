"""Convolution by torch's own operations."""

import contextvars

import numpy as np
import pytest

import imgkit as ik
from imgkit.border import BORDERS

torch = pytest.importorskip("torch")
F = torch.nn.functional
from imgkit.backends.tensor import conv as tensor_conv  # noqa: E402
from imgkit.backends.tensor.numpy_view import native  # noqa: E402


@pytest.fixture(autouse=True)
def _native():
    with native():
        yield


def random(*shape, dtype=torch.float64, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def as_array(x):
    return x.numpy().copy()


@pytest.mark.parametrize("mode", ["valid", "same", "full"])
@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("size", [(3, 3), (2, 4), (5, 1), (9, 8)])
def test_convolve_in_every_mode_and_border(mode, border, size):
    x, kernel = random(2, 3, 10, 9), as_array(random(*size, seed=1)) - 0.5
    options = {"mode": mode, "border": border, "value": 0.3}
    expected = ik.convolve(as_array(x), kernel, axes=(2, 3), **options)
    found = ik.convolve(x, kernel, **options)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)
    expected = ik.convolve(as_array(x), kernel, axes=(2, 3), stride=(2, 3), dilation=1, **options)
    found = ik.convolve(x, kernel, stride=(2, 3), **options)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("method", ["direct", "low-rank", "shift-add", "fft", "overlap-add"])
def test_every_method_gives_the_same_numbers(method):
    x, kernel = random(2, 3, 12, 11), as_array(random(5, 4, seed=1))
    options = {"method": method, "border": "reflect", "dilation": (1, 2), "stride": (2, 1)}
    expected = ik.convolve(as_array(x), kernel, axes=(2, 3), **options)
    np.testing.assert_allclose(ik.convolve(x, kernel, **options).numpy(), expected, atol=1e-12)


def test_separable_and_spectral_kernels_of_some_size():
    x = random(2, 40, 37, dtype=torch.float32)
    for kernel in (ik.kernel("gaussian", 21), as_array(random(21, 21, seed=1)) / 441):
        expected = ik.convolve(as_array(x), kernel, axes=(1, 2))
        np.testing.assert_allclose(ik.convolve(x, kernel).numpy(), expected, atol=2e-6)


@pytest.mark.parametrize("axes", [None, (0, 3), (3, 1), 2])
def test_any_axes(axes):
    x = random(4, 3, 6, 5)
    kernel = as_array(random(3, seed=1)) if axes == 2 else as_array(random(3, 2, seed=1))
    expected = ik.convolve(as_array(x), kernel, axes=(2, 3) if axes is None else axes)
    np.testing.assert_allclose(ik.convolve(x, kernel, axes=axes).numpy(), expected, atol=1e-12)


def test_signals_and_volumes():
    signal, volume = random(9), random(2, 3, 4, 5, 6)
    line, cube = as_array(random(3, seed=1)), as_array(random(2, 3, 3, seed=2))
    np.testing.assert_allclose(
        ik.convolve(signal, line, "full").numpy(), np.convolve(as_array(signal), line), atol=1e-12
    )
    expected = ik.convolve(as_array(volume), cube, axes=(2, 3, 4))
    np.testing.assert_allclose(ik.convolve(volume, cube).numpy(), expected, atol=1e-12)
    assert ik.convolve(volume[0], cube).shape == (3, 4, 5, 6)


def test_the_view_takes_the_same_axes():
    x, kernel = random(2, 3, 6, 5), as_array(random(3, 3, seed=1))
    outside = contextvars.Context()  # where nothing asks for the native way
    viewed = outside.run(ik.convolve, x, kernel)
    np.testing.assert_allclose(ik.convolve(x, kernel).numpy(), viewed.numpy(), atol=1e-12)


def test_a_kernel_may_be_a_tensor_of_the_host():
    x, kernel = random(3, 6, 5), random(3, 3, seed=1)
    assert torch.equal(ik.convolve(x, kernel), ik.convolve(x, as_array(kernel)))
    with pytest.raises(ValueError, match=r"kernel requires a gradient.*use conv2d"):
        ik.convolve(x, kernel.clone().requires_grad_())
    with pytest.raises(ValueError, match=r"kernel is on meta: routes are planned on the host"):
        ik.convolve(x, kernel.to("meta"))


def test_explain_takes_a_tensor():
    assert ik.explain_convolve(random(3, 64, 64), "gaussian").route in tensor_conv.array.ROUTES


@pytest.mark.parametrize("border", BORDERS)
def test_a_dilated_kernel_is_never_laid_out(border):
    x, kernel = random(2, 3, 10, 9), as_array(random(3, 3, seed=1)) - 0.5
    options = {"border": border, "value": 0.3, "dilation": 5000, "stride": (2, 1)}
    expected = ik.convolve(as_array(x), kernel, axes=(2, 3), **options)
    np.testing.assert_allclose(ik.convolve(x, kernel, **options).numpy(), expected, atol=1e-12)


def test_large_values_keep_their_windows_and_gradients():
    x = random(1, 1, 60, 61, dtype=torch.float32)
    x[0, 0, 20, 20], x[0, 0, 50, 50] = 1e12, torch.nan
    kernel = as_array(random(25, 25, seed=1)) - 0.5
    x.requires_grad_()
    found = ik.convolve(x, kernel)
    expected = ik.convolve(as_array(x.detach()), kernel, axes=(2, 3), method="shift-add")
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-4, atol=1e-4)
    (gradient,) = torch.autograd.grad(found[0, 0, 30, 30], x)
    np.testing.assert_allclose(gradient[0, 0, 18:43, 18:43].numpy(), kernel[::-1, ::-1], atol=1e-5)
