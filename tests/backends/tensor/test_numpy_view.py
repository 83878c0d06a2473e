"""CPU tensors as views of the array backend: who is viewed, and what is not copied."""

import sys

import numpy as np
import pytest

import imgkit as ik
from imgkit.image import as_batch, channels, dtype_name, is_tensor, like_input

torch = pytest.importorskip("torch")

from imgkit.backends.array import blur as array_blur  # noqa: E402
from imgkit.backends.array import pool as array_pool  # noqa: E402
from imgkit.backends.tensor import numpy_view as views  # noqa: E402


@pytest.fixture
def x():
    return torch.rand(2, 3, 7, 5, generator=torch.Generator().manual_seed(0))


def seen_by(monkeypatch, module, name):
    """Record the address and shape of the array that a backend function is given."""
    seen = []
    run = getattr(module, name)

    def spy(view, *args):
        seen.append((view.ctypes.data, view.shape))
        return run(view, *args)

    monkeypatch.setattr(module, name, spy)
    return seen


def test_planes_of_a_contiguous_tensor_are_seen_where_they_lie(monkeypatch, x):
    seen = seen_by(monkeypatch, array_blur, "gaussian_blur")
    ik.gaussian_blur(x, 1.0)
    assert seen == [(x.data_ptr(), (6, 7, 5, 1))]


def test_pixels_of_a_channels_last_tensor_are_seen_where_they_lie(monkeypatch, x):
    seen = seen_by(monkeypatch, array_blur, "gaussian_blur")
    last = x.contiguous(memory_format=torch.channels_last)
    result = ik.gaussian_blur(last, 1.0)
    assert seen == [(last.data_ptr(), (2, 7, 5, 3))]
    assert result.is_contiguous(memory_format=torch.channels_last)


def test_channels_that_belong_together_are_seen_as_pixels(monkeypatch, x):
    seen = seen_by(monkeypatch, array_blur, "bilateral_blur")
    last = x.contiguous(memory_format=torch.channels_last)
    ik.bilateral_blur(last, 0.1, 1.0)
    ik.bilateral_blur(x, 0.1, 1.0)
    assert seen[0] == (last.data_ptr(), (2, 7, 5, 3))
    assert seen[1][1] == (2, 7, 5, 3)


def test_pooled_axes_follow_the_order_of_memory(monkeypatch, x):
    seen = seen_by(monkeypatch, array_pool, "max_pool")
    last = x.contiguous(memory_format=torch.channels_last)
    expected = torch.nn.functional.max_pool2d(x, (2, 3))
    assert torch.equal(ik.max_pool(x, (2, 3)), expected)
    found = ik.max_pool(last, (2, 3))
    assert torch.equal(found, expected)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert [address for address, _ in seen] == [x.data_ptr(), last.data_ptr()]


def test_who_is_viewed(x):
    assert views.is_viewed(x)
    assert views.is_viewed(x.to(torch.uint16))
    assert views.is_viewed(torch.nn.Parameter(x, requires_grad=False))
    assert not views.is_viewed(x.half())
    assert not views.is_viewed(x.to("meta"))
    assert not views.is_viewed(x.as_subclass(type("Own", (torch.Tensor,), {})))
    needs = x.clone().requires_grad_()
    assert not views.is_viewed(needs)
    with torch.no_grad():
        assert views.is_viewed(needs)
    with views.native():
        assert not views.is_viewed(x)
        with views.native():
            pass
        assert not views.is_viewed(x)
    assert views.is_viewed(x)


def test_native_ends_with_its_context_after_an_error(x):
    with pytest.raises(RuntimeError, match="inside"), views.native():
        raise RuntimeError("inside")
    assert views.is_viewed(x)


def test_both_ways_give_the_same_numbers_on_both_sides_of_no_grad(x):
    needs = x.clone().requires_grad_()
    tracked = ik.sobel(needs)
    assert tracked.requires_grad
    with torch.no_grad():
        plain = ik.sobel(needs)
    assert not plain.requires_grad
    torch.testing.assert_close(tracked.detach(), plain, rtol=1e-6, atol=1e-6)


def test_host_only_functions_come_back_in_dtype_and_order(x):
    halves = x.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)
    even = ik.clahe(halves, tiles=2)
    assert even.dtype == torch.bfloat16
    assert even.is_contiguous(memory_format=torch.channels_last)
    edges = ik.canny(x, 0.1, 0.2)
    assert edges.dtype == torch.bool
    assert edges.shape == (2, 1, 7, 5)


def test_the_layout_of_tensors():
    x = torch.zeros(4, 5, 6)
    assert as_batch(x).shape == (1, 4, 5, 6)
    assert as_batch(x[0]).shape == (1, 1, 5, 6)
    assert (channels(x), channels(x[0]), channels(x[None])) == (4, 1, 4)
    assert like_input(torch.zeros(1, 2, 5, 6), x[0]).shape == (2, 5, 6)
    assert like_input(torch.zeros(1, 1, 5, 6), x[0]).shape == (5, 6)
    assert like_input(torch.zeros(1, 9, 5, 6), x).shape == (9, 5, 6)
    assert dtype_name(torch.bfloat16) == "bfloat16"


def test_torch_is_looked_for_and_not_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, "torch")
    assert not is_tensor(np.zeros((2, 2)))
    assert "torch" not in sys.modules


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (None, torch.float32),
        ("input", torch.uint8),
        ("float64", torch.float64),
        (torch.float16, torch.float16),
        (np.float64, torch.float64),
    ],
)
@pytest.mark.parametrize("run", [ik.laplacian, lambda x, **o: ik.convolve(x, "emboss", **o)])
def test_result_dtype_may_be_named_in_the_words_of_either(run, dtype, expected):
    x = torch.randint(0, 256, (3, 6, 5), dtype=torch.uint8)
    assert run(x, dtype=dtype).dtype == expected
    with views.native():
        assert run(x, dtype=dtype).dtype == expected


def test_unknown_result_dtype_is_refused():
    with pytest.raises(ValueError, match="dtype is 'int7': choose one of input, uint8"):
        ik.sobel(torch.zeros(3, 4, 4), dtype="int7")


def test_a_route_does_not_wait_for_a_device_to_look_at_values():
    from imgkit.backends.tensor.numpy_view import can_look

    assert can_look(torch.ones(2))
    assert not can_look(torch.ones(2, device="meta"))
    assert not can_look(torch.ones(0))
