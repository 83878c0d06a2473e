"""Pooling by torch's own operations."""

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
