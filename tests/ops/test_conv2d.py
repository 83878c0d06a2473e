"""The convolutional layer: torch's numbers, and those of correlate."""

import itertools
import warnings

import numpy as np
import pytest

import imgkit as ik
from imgkit.backends.reference import conv2d as reference
from imgkit.border import BORDERS, MODES

X = np.ones((5, 6), np.float32)


def test_a_layer_by_hand():
    x = np.array([[[1, 10], [2, 20], [3, 30]]], np.uint8)  # one row of two channels
    weight = np.array([[[[1, 1]], [[2, 0]]], [[[0, 1]], [[0, 0]]]])
    out = ik.conv2d(x, weight, [100, 0])
    assert out.dtype == np.float32
    assert out.tolist() == [[[123, 2], [145, 3]]]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((4, 5), (4, 5, 2)),
        ((4, 5, 1), (4, 5, 2)),
        ((3, 4, 5, 1), (3, 4, 5, 2)),
        ((0, 4, 5, 1), (0, 4, 5, 2)),
    ],
)
def test_layouts_and_dtypes(shape, expected):
    for dtype, result in (("uint8", "float32"), ("float64", "float64")):
        out = ik.conv2d(np.ones(shape, dtype), np.ones((2, 1, 3, 3)), mode="same")
        assert out.shape == expected
        assert out.dtype == result
    x = np.full(shape, 200, np.uint8)
    assert (ik.conv2d(x, np.full((1, 1, 1, 1), 2.0), dtype="input") == 255).all()


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("padding", [0, 1, (2, 0), "same", "valid"])
def test_conv2d_is_torchs(groups, padding):
    rng = np.random.default_rng(6)
    torch = pytest.importorskip("torch")
    x = rng.random((2, 9, 10, 4))
    bias = rng.random(8)
    for size, stride, dilation in itertools.product([(3, 3), (2, 4)], [1, (2, 3)], [1, (1, 2)]):
        if padding == "same" and stride != 1:
            continue
        weight = rng.standard_normal((8, 4 // groups, *size))
        options = {"padding": padding, "stride": stride, "dilation": dilation, "groups": groups}
        arrays = (torch.from_numpy(a) for a in (x.transpose(0, 3, 1, 2).copy(), weight, bias))
        with warnings.catch_warnings():  # torch tells that it copies for "same" and even kernels
            warnings.simplefilter("ignore")
            theirs = torch.nn.functional.conv2d(*arrays, **options)
        ours = ik.conv2d(x, weight, bias, **options)
        np.testing.assert_allclose(ours, theirs.numpy().transpose(0, 2, 3, 1), atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("border", sorted(BORDERS))
def test_conv2d_of_one_channel_is_correlate(mode, border):
    rng = np.random.default_rng(6)
    x = rng.random((7, 8)).astype(np.float32)
    for size in ((3, 3), (2, 4)):
        taps = rng.standard_normal(size)
        ours = ik.conv2d(x, taps[None, None], mode=mode, border=border, value=0.5)
        expected = ik.correlate(x, taps, mode, border=border, value=0.5)
        # float32 sums in another order
        np.testing.assert_allclose(ours[..., 0], expected, rtol=0, atol=1e-5)


def test_conv2d_equals_its_reference():
    rng = np.random.default_rng(6)
    x = rng.random((12, 9, 4))
    weight, bias = rng.standard_normal((6, 2, 3, 2)), rng.random(6)
    options = {"stride": (2, 1), "dilation": (1, 2), "groups": 2, "border": "reflect"}
    expected = reference.conv2d(x, weight, bias, padding=((2, 2), (1, 1)), **options)
    ours = ik.conv2d(x, weight, bias, padding=(2, 1), **options)
    np.testing.assert_allclose(ours, expected, atol=1e-12)


def test_conv2d_lays_out_large_layers_in_strips(monkeypatch):
    rng = np.random.default_rng(6)
    from imgkit.backends.array import conv2d

    x, weight = rng.random((3, 20, 20, 3)), rng.random((4, 3, 3, 3))
    whole = ik.conv2d(x, weight)
    monkeypatch.setattr(conv2d, "GATHER_BYTES", 10_000)
    np.testing.assert_allclose(ik.conv2d(x, weight), whole, atol=1e-13)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ik.conv2d(X, np.ones((3, 3))), ValueError, r"weight has shape \(3, 3\)"),
        (lambda: ik.conv2d(X, np.ones((2, 3, 3, 3))), ValueError, "x has 1 channels"),
        (lambda: ik.conv2d(X, np.full((1, 1, 1, 1), 1j)), TypeError, "weight has dtype complex"),
        (
            lambda: ik.conv2d(X, [[[[np.nan]]]]),
            ValueError,
            r"weight has nan at \(0, 0, 0, 0\): every number must be finite",
        ),
        (lambda: ik.conv2d(X, [[1, 2], [3]]), ValueError, "weight is .*: its rows must be equally"),
        (
            lambda: ik.conv2d(X, np.ones((1, 1, 1, 1)), [[1, 2], [3]]),
            ValueError,
            "bias is .*: its rows",
        ),
        (
            lambda: ik.conv2d(X, np.full((1, 1, 1, 1), 1e300)),
            ValueError,
            "weight .* than float32 can",
        ),
        (
            lambda: ik.conv2d(X, np.ones((1, 1, 1, 1)), [1e300]),
            ValueError,
            "bias .* than float32 can",
        ),
        (lambda: ik.conv2d(X, np.ones((1, 1, 1, 1)), value=1e300), ValueError, "value is 1e.300"),
        (
            lambda: ik.conv2d(X, np.ones((1, 1, 1, 1)), padding=10**9),
            ValueError,
            "padding is 10000",
        ),
        (lambda: ik.conv2d(X, np.ones((2, 1, 3, 3)), [1.0]), ValueError, r"bias has shape \(1,\)"),
        (lambda: ik.conv2d(X, np.ones((2, 1, 7, 7))), ValueError, "mode 'valid' needs it to fit"),
        (
            lambda: ik.conv2d(X, np.ones((2, 1, 3, 3)), mode="same", padding=1),
            ValueError,
            "mode is 'same' beside padding 1",
        ),
        (
            lambda: ik.conv2d(X, np.ones((2, 1, 3, 3)), padding="same", stride=2),
            ValueError,
            "torch's rule needs stride 1",
        ),
        (lambda: ik.conv2d(X, np.ones((2, 1, 3, 3)), groups=0), ValueError, "groups is 0"),
        (lambda: ik.conv2d(X, np.ones((2, 1, 3, 3)), padding=-1), ValueError, "padding is -1"),
        (lambda: ik.conv2d(X, np.ones((2, 1, 3, 3)), padding="full"), ValueError, "padding is 'f"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
