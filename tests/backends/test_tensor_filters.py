"""Convolution, edges, blurs and pooling by torch's own operations."""

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


# --- convolution ------------------------------------------------------------------------


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


# --- edges and blurs --------------------------------------------------------------------


@pytest.mark.parametrize("border", BORDERS)
def test_filters_at_every_border(border):
    x = torch.randint(0, 256, (2, 3, 6, 9), dtype=torch.uint8)
    images = np.moveaxis(as_array(x), 1, -1)
    for run, options in (
        (ik.scharr, {"normalized": True}),
        (ik.laplacian, {"neighbors": 8}),
        (ik.laplacian_of_gaussian, {"sigma": 1.2}),
        (ik.corners, {"method": "shi-tomasi"}),
        (ik.gaussian_blur, {"sigma": 2.5}),
        (ik.box_blur, {"size": (4, 3)}),
        (ik.median_blur, {"size": 5}),
        (ik.bilateral_blur, {"sigma_color": 60.0, "sigma_space": 1.5}),
        (ik.sharpen, {"amount": 0.5}),
    ):
        options |= {"border": border, "value": 9}
        expected = run(images, **options)
        found = np.moveaxis(run(x, **options).numpy(), 1, -1)
        assert found.dtype == expected.dtype
        top = max(1.0, np.abs(expected).max())
        bound = 1 if found.dtype == np.uint8 else 2e-5 * top
        assert np.abs(found.astype(float) - expected).max() <= bound, run


def test_flat_images_have_no_slope_at_all():
    for level in (0.1, 0.3, 0.7):
        x = torch.full((3, 9, 8), level)
        for found in (*ik.gradient(x, "scharr"), ik.sobel(x), ik.laplacian(x), ik.laplacian(x, 8)):
            assert not found.any()


def test_medians_of_a_few_images_at_a_time(monkeypatch):
    x = random(5, 2, 6, 7)
    for size in (3, 7):
        expected = ik.median_blur(x, size)
        monkeypatch.setattr("imgkit.backends.tensor.blur.NETWORK_TAPS", 0)
        monkeypatch.setattr("imgkit.backends.tensor.blur.MEDIAN_VALUES", 2 * size**2 * 2 * 6 * 7)
        assert torch.equal(ik.median_blur(x, size), expected)
        monkeypatch.undo()


# --- pooling ----------------------------------------------------------------------------

LAYOUTS = [
    {"size": 2},
    {"size": 3, "stride": 2, "padding": 1},
    {"size": (2, 3), "stride": (1, 2), "padding": (1, 0), "ceil": True},
    {"size": 3, "stride": 1, "dilation": 2, "padding": 1},
    {"size": 2, "stride": 5, "ceil": True},
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_windows_are_those_of_torch(layout):
    x = random(2, 3, 11, 10)
    torchs = {("kernel_size" if k == "size" else k): v for k, v in layout.items()}
    torchs["ceil_mode"] = torchs.pop("ceil", False)
    assert torch.equal(ik.max_pool(x, **layout), F.max_pool2d(x, **torchs))
    assert torch.equal(ik.min_pool(x, **layout), -F.max_pool2d(-x, **torchs))
    if "dilation" not in layout:
        for counted in (True, False):
            found = ik.avg_pool(x, **layout, count_include_pad=counted)
            expected = F.avg_pool2d(x, **torchs, count_include_pad=counted)
            torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32, torch.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_pools_are_those_of_arrays(layout, dtype):
    top = {torch.uint8: 255, torch.uint16: 65535}.get(dtype, 1)
    x = (random(2, 3, 11, 10) * top).to(dtype)
    images = np.moveaxis(as_array(x), 1, -1)
    for run in (ik.max_pool, ik.min_pool, ik.avg_pool, ik.median_pool):
        expected = np.moveaxis(run(images, **layout), -1, 1)
        np.testing.assert_allclose(run(x, **layout).numpy(), expected, rtol=1e-6)


def test_a_window_with_nothing_in_it():
    x = np.ones((1, 1), np.float32)
    layout = {"size": 2, "dilation": 2, "padding": 1, "stride": 1}
    for run in (ik.max_pool, ik.avg_pool, ik.median_pool):
        found = run(torch.from_numpy(x), **layout)
        assert np.array_equal(found.numpy(), run(x, **layout))
        assert not found.isnan().any()


@pytest.mark.parametrize("kind", ["max", "min", "avg", "median"])
@pytest.mark.parametrize("output", [1, 4, (3, 5), (11, 20)])
def test_adaptive_and_global_pools_are_those_of_arrays(kind, output):
    for x in (random(2, 3, 12, 10), torch.randint(0, 256, (2, 3, 12, 10), dtype=torch.uint8)):
        images = np.moveaxis(as_array(x), 1, -1)
        expected = np.moveaxis(ik.adaptive_pool(images, output, kind), -1, 1)
        np.testing.assert_allclose(ik.adaptive_pool(x, output, kind).numpy(), expected, rtol=1e-9)
        expected = np.moveaxis(ik.global_pool(images, kind), -1, 1)
        np.testing.assert_allclose(ik.global_pool(x, kind).numpy(), expected, rtol=1e-9)


def test_a_window_with_nan_gives_nan():
    x = torch.ones(1, 4, 6)
    x[0, 1, 1] = torch.nan
    for run in (ik.max_pool, ik.min_pool, ik.avg_pool, ik.median_pool):
        assert run(x, 2).isnan().tolist() == [[[True, False, False], [False] * 3]]


def test_signals_volumes_and_named_axes_are_pooled():
    volume = random(2, 4, 6, 5)
    assert torch.equal(ik.max_pool(volume, (2, 3, 2)), F.max_pool3d(volume, (2, 3, 2)))
    assert torch.equal(ik.max_pool(volume[0, 0, 0], 2), F.max_pool1d(volume[0, 0, :1], 2)[0])
    assert ik.max_pool(volume, 2, axes=1).shape == (2, 2, 6, 5)


def test_the_mean_of_many_bright_pixels_is_bright():
    x = torch.full((1, 300, 300), 65535, dtype=torch.int32).to(torch.uint16)
    assert ik.global_pool(x, "avg").item() == 65535
    assert ik.avg_pool(x, 300).item() == 65535
