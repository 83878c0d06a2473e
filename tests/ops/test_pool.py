"""Pooling: arithmetic, the oracle, torch, scikit-image, SciPy, and the laws."""

import contextlib
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imgkit as ik
from imgkit.backends.array import pool as array_pool
from imgkit.backends.array.primitives import medians
from imgkit.backends.reference import pool as reference
from imgkit.image import saturate

DTYPES = (np.uint8, np.uint16, np.float32, np.float64)
POOLS = {"max": ik.max_pool, "min": ik.min_pool, "avg": ik.avg_pool, "median": ik.median_pool}
COUNTED = np.arange(16, dtype=np.uint8).reshape(4, 4)


def image_of(shape, dtype, seed=0):
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "u":
        return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)
    return rng.normal(size=shape).astype(dtype)


def close(dtype):
    """Sums in another order: a few units in the last place."""
    return {np.float32: 2e-6, np.float64: 1e-14}.get(np.dtype(dtype).type, 0)


# --- by arithmetic ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_two_by_two_windows(dtype):
    x = COUNTED.astype(dtype)
    np.testing.assert_array_equal(ik.max_pool(x, 2), [[5, 7], [13, 15]])
    np.testing.assert_array_equal(ik.min_pool(x, 2), [[0, 2], [8, 10]])
    for pool in (ik.avg_pool, ik.median_pool):
        expected = [[2.5, 4.5], [10.5, 12.5]] if x.dtype.kind == "f" else [[2, 4], [10, 12]]
        assert pool(x, 2).dtype == dtype
        np.testing.assert_array_equal(pool(x, 2), expected)


def test_integer_means_are_rounded_half_to_even():
    x = np.array([0, 1, 1, 2, 2, 3, 254, 255], np.uint8)
    np.testing.assert_array_equal(ik.avg_pool(x, 2), [0, 2, 2, 254])
    np.testing.assert_array_equal(ik.median_pool(x, 2), [0, 2, 2, 254])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("native", [None, False, True])
def test_every_mean_of_integers_is_the_exact_one_rounded_half_to_even(dtype, native):
    rng = np.random.default_rng(32)
    for shape in itertools.product((1, 3, 6, 7, 10), (2, 5, 12)):
        area = shape[0] * shape[1]
        for top in (3, 255, np.iinfo(dtype).max):
            x = rng.integers(0, top, (30, *shape, 1), dtype, endpoint=True)
            quotient, rest = np.divmod(x.astype(np.int64).sum((1, 2, 3)), area)
            expected = quotient + (2 * rest + quotient % 2 > area)
            for found in _means(x, shape, native):
                np.testing.assert_array_equal(np.asarray(found).ravel(), expected)


def _means(x, shape, native):
    """Return the mean of each image by every pool; `native` of a tensor, None of an array."""
    if native is not None:
        torch = pytest.importorskip("torch")
        from imgkit.backends.tensor.numpy_view import native as by_torch

        x = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    with by_torch() if native else contextlib.nullcontext():
        yield ik.global_pool(x, "avg")
        yield ik.adaptive_pool(x, 1, "avg")
        yield ik.avg_pool(x, shape)
        if shape[0] > 1:
            wide = (shape[0] + 2, shape[1] + 2)
            yield ik.avg_pool(x, wide, padding=1, count_include_pad=False)


def test_every_mean_of_16_bit_numbers_is_exact():
    x = np.random.default_rng(0).integers(65000, 65536, (64, 64 * 17), dtype=np.uint16)
    sums = x.astype(np.int64).reshape(2, 32, 64, 17).sum(axis=(1, 3))
    quotient, rest = np.divmod(sums, 32 * 17)
    expected = quotient + (2 * rest + quotient % 2 > 32 * 17)
    np.testing.assert_array_equal(ik.avg_pool(x, (32, 17)), expected)


def test_a_ceil_window_that_starts_in_the_right_padding_is_dropped():
    x = np.arange(4.0)
    np.testing.assert_array_equal(ik.max_pool(x, 2, 3, 1, ceil=True), [0, 3])


def test_overhang_is_not_counted_and_padding_is():
    x = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    np.testing.assert_array_equal(ik.avg_pool(x, 2, ceil=True), [1.5, 3.5, 5])
    np.testing.assert_array_equal(ik.avg_pool(x, 2, padding=1), [0.5, 2.5, 4.5])
    alone = ik.avg_pool(x, 2, padding=1, count_include_pad=False)
    np.testing.assert_array_equal(alone, [1, 2.5, 4.5])


def test_padding_never_wins():
    x = np.full((3, 3), -5.0)
    assert (ik.max_pool(x, 3, 1, 1) == -5).all()
    assert (ik.min_pool(-x, 3, 1, 1) == 5).all()
    assert (ik.median_pool(x, 3, 1, 1) == -5).all()


def test_median_at_a_corner_is_of_the_elements_there():
    x = np.array([[1, 2, 9], [3, 8, 9], [9, 9, 9]], np.uint8)
    assert ik.median_pool(x, 3, 1, 1)[0, 0] == 2  # 1 2 3 8: 2.5, to even
    assert ik.median_pool(x, 3, 1, 1)[1, 1] == 9


def test_a_window_without_elements_gives_the_neutral_value():
    x = np.array([[7.0]])
    options = {"size": 2, "stride": 1, "padding": 1, "dilation": 2}
    assert ik.max_pool(x, **options).item() == -np.inf
    assert ik.min_pool(x, **options).item() == np.inf
    assert ik.avg_pool(x, **options, count_include_pad=False).item() == 0
    assert ik.median_pool(x, **options).item() == 0
    assert ik.max_pool(x.astype(np.uint8), **options).item() == 0
    assert ik.min_pool(x.astype(np.uint8), **options).item() == 255


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("size", [2, 3, 5])
def test_nan_reaches_the_windows_that_hold_it_and_no_other(kind, size):
    x = image_of((12, 13), np.float32)
    x[5, 6] = np.nan
    expected = POOLS["max"](np.isnan(x).astype(np.uint8), size, 1) > 0
    np.testing.assert_array_equal(np.isnan(POOLS[kind](x, size, 1)), expected)


@pytest.mark.parametrize("kind", POOLS)
def test_infinities_are_values(kind):
    x = np.array([-np.inf, -np.inf, 1, np.inf, -np.inf, np.inf])
    expected = {
        "max": [-np.inf, np.inf, np.inf],
        "min": [-np.inf, 1, -np.inf],
        "avg": [-np.inf, np.inf, np.nan],
        "median": [-np.inf, np.inf, np.nan],
    }
    np.testing.assert_array_equal(POOLS[kind](x, 2), expected[kind])


def test_default_axes():
    x = image_of((2, 4, 6, 3), np.uint8)
    assert ik.max_pool(x, 2).shape == (2, 2, 3, 3)
    assert ik.max_pool(x, (2,)).shape == (2, 4, 3, 3)
    assert ik.max_pool(x, (2, 2, 3)).shape == (1, 2, 2, 3)
    assert ik.max_pool(x[0], (2,)).shape == (4, 3, 3)
    assert ik.max_pool(x[0], (2, 2, 3)).shape == (2, 3, 1)
    assert ik.max_pool(x[0, :, :, 0], (2,)).shape == (4, 3)
    assert ik.max_pool(x[None], (1, 2, 2)).shape == (1, 2, 2, 3, 3)
    assert ik.max_pool(x[0, 0, :, 0], 2).shape == (3,)
    assert ik.max_pool(x, 3, axes=-1).shape == (2, 4, 6, 1)
    assert ik.max_pool(x, (2, 3), axes=(0, 3)).shape == (1, 4, 6, 1)
    assert ik.global_pool(x, "max").shape == (2, 1, 1, 3)
    assert ik.global_pool(x[None], "max").shape == (1, 1, 1, 1, 3)
    assert ik.adaptive_pool(x, (3, 2), "max").shape == (2, 3, 2, 3)
    assert ik.adaptive_pool(x, 3, "max", axes=2).shape == (2, 4, 3, 3)


def test_the_order_of_named_axes_does_not_matter():
    x = image_of((9, 8, 3), np.uint8)
    expected = ik.max_pool(x, (3, 2), (1, 2))
    np.testing.assert_array_equal(ik.max_pool(x, (2, 3), (2, 1), axes=(1, 0)), expected)


# --- errors -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, r"size is 0: it must be at least 1"),
        ({"size": (2, 0)}, r"size\[1\] is 0: it must be at least 1"),
        ({"size": 2, "stride": 0}, r"stride is 0: it must be at least 1"),
        ({"size": 2, "dilation": 0}, r"dilation is 0: it must be at least 1"),
        ({"size": 3, "padding": 2}, r"padding is 2: it must be at most half of size 3, at most 1"),
        ({"size": 2, "padding": -1}, r"padding is -1: it must be at least 0"),
        ({"size": 5}, r"size is 5 with dilation 1: a window spans 5, axis 0 of x has 4"),
        ({"size": 3, "dilation": 2}, r"a window spans 5, axis 0 of x has 4"),
        ({"size": (1, 1, 1)}, r"x has 2 dimensions: give the 3 of them"),
        ({"size": 2, "axes": (0, 0)}, r"axes is \(0, 0\): an axis is given twice"),
        ({"size": 2, "axes": 2}, r"axes is 2: x has 2 dimensions"),
    ],
)
@pytest.mark.parametrize("pool", POOLS.values())
def test_bad_values(pool, options, message):
    with pytest.raises(ValueError, match=message):
        pool(COUNTED, **options)


@pytest.mark.parametrize("pool", POOLS.values())
def test_bad_types(pool):
    with pytest.raises(TypeError, match=r"size is 2\.0: it must be an integer"):
        pool(COUNTED, 2.0)
    with pytest.raises(TypeError, match="x has dtype int64"):
        pool(COUNTED.astype(np.int64), 2)
    with pytest.raises(TypeError, match="pass a NumPy array"):
        pool(2, 2)


@pytest.mark.parametrize("function", [ik.global_pool, lambda x, k: ik.adaptive_pool(x, 2, k)])
def test_unknown_kind(function):
    with pytest.raises(ValueError, match="kind is 'maxx': did you mean 'max'"):
        function(COUNTED, "maxx")


def test_bad_output_size_and_empty_images():
    with pytest.raises(ValueError, match="output_size is 0: it must be at least 1"):
        ik.adaptive_pool(COUNTED, 0, "max")
    with pytest.raises(ValueError, match="height and width must be at least 1"):
        ik.max_pool(np.empty((0, 4), np.uint8), 2)
    with pytest.raises(ValueError, match="axis 0 is pooled and must not be empty"):
        ik.max_pool(np.empty(0, np.uint8), 2)


# --- the oracle -------------------------------------------------------------------------

layouts = st.tuples(
    st.integers(1, 5), st.integers(1, 4), st.integers(0, 2), st.integers(1, 3), st.booleans()
).map(lambda t: (t[0], t[1], min(t[2], t[0] // 2), t[3], t[4]))


def fits(length, layout):
    size, stride, padding, dilation, ceil = layout
    return (length + 2 * padding - dilation * (size - 1) - 1) + (stride - 1 if ceil else 0) >= 0


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(sorted(POOLS)),
    st.sampled_from(DTYPES),
    st.tuples(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 3, 5])),
    layouts,
    st.booleans(),
)
def test_agrees_with_the_reference(kind, dtype, shape, layout, include):
    if not (fits(shape[0], layout) and fits(shape[1], layout)):
        return
    x = image_of(shape, dtype)
    extra = {"count_include_pad": include} if kind == "avg" else {}
    result = POOLS[kind](x, *layout, **extra)
    expected = getattr(reference, f"{kind}_pool")(x.astype(np.float64), *layout, **extra)
    bounds = (-np.inf, np.inf) if result.dtype.kind == "f" else (0, np.iinfo(dtype).max)
    expected = saturate(np.clip(expected, *bounds), dtype)
    assert result.dtype == dtype
    np.testing.assert_allclose(result, expected, rtol=0, atol=4 * close(dtype))


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output", [1, 2, (4, 3), (7, 20), (14, 1)])
def test_adaptive_agrees_with_the_reference(kind, dtype, output):
    x = image_of((14, 9, 3), dtype)
    expected = reference.adaptive_pool(x.astype(np.float64), output, kind)
    result = ik.adaptive_pool(x, output, kind)
    np.testing.assert_allclose(result, saturate(expected, dtype), rtol=0, atol=close(dtype))
    if output == 1:
        np.testing.assert_array_equal(ik.global_pool(x, kind), result)
        expected = saturate(reference.global_pool(x.astype(np.float64), kind), dtype)
        np.testing.assert_allclose(result, expected, rtol=0, atol=close(dtype))


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("layout", [(3, 1, 1, 1, False), (4, 2, 2, 2, True), (9, 3, 4, 1, True)])
def test_strips_join_without_a_seam(kind, dtype, layout, monkeypatch):
    x = image_of((61, 40, 3), dtype)
    monkeypatch.setattr(array_pool, "STRIP_BYTES", 1 << 30)
    monkeypatch.setattr(array_pool, "TAP_BYTES", 1 << 30)
    whole = POOLS[kind](x, *layout)
    for name in ("STRIP_BYTES", "TAP_BYTES"):
        monkeypatch.setattr(array_pool, name, 1)
    monkeypatch.setattr(array_pool, "_strip_rows", lambda *_: 1)
    np.testing.assert_array_equal(POOLS[kind](x, *layout), whole)


@pytest.mark.parametrize("kind", ["max", "min", "avg"])
@pytest.mark.parametrize("layout", [(2, 2, 0, 1, False), (5, 1, 2, 1, False), (3, 2, 1, 2, True)])
def test_both_passes_give_the_same(kind, layout, monkeypatch):
    x = image_of((31, 40, 3), np.uint8)
    monkeypatch.setattr(array_pool, "ROW_BYTES", 0)
    strided = POOLS[kind](x, *layout)
    monkeypatch.setattr(array_pool, "ROW_BYTES", 1 << 30)
    np.testing.assert_array_equal(POOLS[kind](x, *layout), strided)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_large_medians_are_partitioned_alike(dtype, monkeypatch):
    x = image_of((30, 30), dtype)
    if dtype is np.float32:
        x[3, 4] = np.nan
    network = ik.median_pool(x, 7, 2, 3)
    monkeypatch.setattr(medians, "NETWORK_TAPS", 8)
    np.testing.assert_array_equal(ik.median_pool(x, 7, 2, 3), network)


def test_what_was_allowed_once_does_not_let_its_equals_through():
    x = np.zeros((4, 4), np.uint8)
    assert ik.max_pool(x, 1).shape == ik.max_pool(x, (1, 1)).shape == (4, 4)
    for size in (True, 1.0, (1.0, 1), (True, 1)):
        with pytest.raises(TypeError, match="size"):
            ik.max_pool(x, size)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("shape", [(20, 23), (20, 23, 3), (2, 20, 23, 5), (1, 9, 8, 130)])
@pytest.mark.parametrize(("size", "stride"), [(3, 1), (3, 2), (3, (1, 3)), (5, 1), (5, 3)])
def test_medians_by_opencv_are_those_of_the_networks(monkeypatch, dtype, shape, size, stride):
    x = np.random.default_rng(3).integers(0, 255, shape).astype(dtype)
    ours = ik.median_pool(x, size, stride)
    assert ours.flags.c_contiguous
    monkeypatch.setattr(array_pool, "_is_blur", lambda *_: False)
    np.testing.assert_array_equal(ours, ik.median_pool(x, size, stride))


def test_a_median_with_nan_is_nan_by_every_route():
    x = np.ones((9, 9), np.float32)
    x[4, 4] = np.nan
    assert np.isnan(ik.median_pool(x, 3, 1)).sum() == 9


def test_the_network_sorts():
    """Zeros and ones suffice (Knuth's 0-1 principle)."""
    for size in range(2, 10):
        wires = np.array(list(itertools.product((0, 1), repeat=size))).T
        for i, j, *_ in medians.selection_network(size, frozenset(range(size))):
            wires[i], wires[j] = np.minimum(wires[i], wires[j]), np.maximum(wires[i], wires[j])
        assert (np.diff(wires, axis=0) >= 0).all()


# --- peers ------------------------------------------------------------------------------


def torch_pool(kind, x, dims, layout, **extra):
    """Pool an array of `dims` axes with torch."""
    torch = pytest.importorskip("torch")
    size, stride, padding, dilation, ceil = layout
    tensor = torch.from_numpy(np.ascontiguousarray(x))[None, None]
    function = getattr(torch.nn.functional, f"{kind}_pool{dims}d")
    if kind == "max":
        extra["dilation"] = dilation
    return function(tensor, size, stride, padding, ceil_mode=ceil, **extra)[0, 0].numpy()


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from([1, 2, 3]),
    st.lists(st.integers(1, 13), min_size=3, max_size=3),
    layouts,
    st.sampled_from([np.float32, np.float64]),
    st.booleans(),
)
def test_agrees_with_torch(dims, lengths, layout, dtype, include):
    lengths = lengths[:dims]
    if not all(fits(n, layout) for n in lengths):
        return
    x = image_of(lengths, dtype)
    axes = tuple(range(dims))
    if dims == 3 and any(n < layout[0] or not fits(n, (*layout[:4], False)) for n in lengths):
        return  # torch's 3-D pools refuse a window that fits only by its padding or ceil
    expected = torch_pool("max", x, dims, layout)
    np.testing.assert_array_equal(ik.max_pool(x, *layout, axes=axes), expected)
    if layout[3] == 1:  # torch averages without dilation
        expected = torch_pool("avg", x, dims, layout, count_include_pad=include)
        result = ik.avg_pool(x, *layout, count_include_pad=include, axes=axes)
        np.testing.assert_allclose(result, expected, rtol=0, atol=close(dtype))


def test_the_ceil_grid_of_torch():
    for n, k, s, p in itertools.product(range(1, 12), range(1, 6), range(1, 6), range(3)):
        layout = (k, s, p, 1, True)
        if p > k // 2 or not fits(n, layout):
            continue
        x = np.arange(1.0, n + 1)
        np.testing.assert_array_equal(ik.max_pool(x, *layout), torch_pool("max", x, 1, layout))
        expected = torch_pool("avg", x, 1, layout)
        np.testing.assert_allclose(ik.avg_pool(x, *layout), expected, rtol=1e-14)


@pytest.mark.parametrize("layout", [(2, 2, 0, 1, False), (3, 2, 1, 1, True), (3, 1, 1, 2, False)])
def test_uint8_maximum_of_torch(layout):
    x = image_of((37, 29), np.uint8)
    np.testing.assert_array_equal(ik.max_pool(x, *layout), torch_pool("max", x, 2, layout))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("output", [1, 2, 3, 5, 7, 12])
def test_adaptive_agrees_with_torch(dtype, dims, output):
    torch = pytest.importorskip("torch")
    x = image_of((12, 7, 10)[:dims], dtype)
    tensor = torch.from_numpy(x)[None, None]
    for kind in ("max", "avg"):
        function = getattr(torch.nn.functional, f"adaptive_{kind}_pool{dims}d")
        expected = function(tensor, output)[0, 0].numpy()
        result = ik.adaptive_pool(x, output, kind, axes=tuple(range(dims)))
        tolerance = 0 if kind == "max" else close(dtype)
        np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance)


def test_nan_is_where_torch_has_it():
    x = image_of((20, 20), np.float32)
    x[4, 4] = x[11, 17] = np.nan
    layout = (3, 2, 1, 1, False)
    np.testing.assert_array_equal(ik.max_pool(x, *layout), torch_pool("max", x, 2, layout))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [(2, 2), (3, 4)])
def test_agrees_with_block_reduce(dtype, size):
    from skimage.measure import block_reduce

    x = image_of((24, 36, 3), dtype)
    for kind, function in (
        ("max", np.max),
        ("min", np.min),
        ("median", np.median),
        ("avg", np.mean),
    ):
        wide = x if kind in ("max", "min") else x.astype(np.float64)
        expected = saturate(block_reduce(wide, (*size, 1), function), dtype)
        np.testing.assert_allclose(POOLS[kind](x, size), expected, rtol=0, atol=close(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [3, 5, 9])
def test_agrees_with_ndimage_filters(dtype, size):
    """With stride 1 the interior is SciPy's; extremes repeat the edge, which changes nothing."""
    from scipy import ndimage

    x = image_of((33, 26), dtype)
    layout = (size, 1, size // 2)
    for pool, rank in (
        (ik.max_pool, ndimage.maximum_filter),
        (ik.min_pool, ndimage.minimum_filter),
    ):
        np.testing.assert_array_equal(pool(x, *layout), rank(x, size, mode="nearest"))
    inner = (slice(size // 2, -(size // 2)),) * 2
    median = ik.median_pool(x, *layout)[inner]
    np.testing.assert_array_equal(median, ndimage.median_filter(x, size)[inner])


# --- laws -------------------------------------------------------------------------------

CALLS = {
    **{kind: (lambda x, pool=pool: pool(x, 3, 2, 1)) for kind, pool in POOLS.items()},
    "global": lambda x: ik.global_pool(x, "avg"),
    "adaptive": lambda x: ik.adaptive_pool(x, (3, 2), "max"),
    "adaptive median": lambda x: ik.adaptive_pool(x, (3, 2), "median"),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_layouts_agree_and_input_is_kept(name, dtype):
    call = CALLS[name]
    x = image_of((3, 11, 8, 5), dtype)
    before = x.copy()
    x.setflags(write=False)
    result = call(x)
    assert result.dtype == dtype
    assert result.flags.writeable
    assert not np.shares_memory(result, x)
    np.testing.assert_array_equal(x, before)
    for i, image in enumerate(x):
        np.testing.assert_array_equal(call(image), result[i])
        # NumPy sums one channel in another order than it sums five side by side.
        np.testing.assert_allclose(
            call(image[:, :, 2]), result[i][:, :, 2], rtol=0, atol=close(dtype)
        )
    np.testing.assert_array_equal(call(list(x))[1], result[1])
    assert call(x[:0]).shape == (0, *result.shape[1:])
    np.testing.assert_array_equal(call(x[:, ::-1, ::-1]), call(x[:, ::-1, ::-1].copy()))
    np.testing.assert_array_equal(call(x[:, ::2, 1:]), call(x[:, ::2, 1:].copy()))


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("channels", [1, 2, 64, 512])
def test_channels_are_pooled_one_by_one(name, channels):
    x = image_of((7, 6, channels), np.uint8)
    expected = np.stack([CALLS[name](x[:, :, c]) for c in range(channels)], axis=-1)
    np.testing.assert_array_equal(CALLS[name](x), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", POOLS)
def test_one_pixel_and_size_one(kind, dtype):
    x = image_of((1, 1, 3), dtype)
    result = POOLS[kind](x, 1)
    np.testing.assert_array_equal(result, x)
    assert not np.shares_memory(result, x)
    np.testing.assert_array_equal(ik.global_pool(x, kind), x)
    np.testing.assert_array_equal(ik.adaptive_pool(x, 1, kind), x)
    wide = image_of((5, 6), dtype)
    np.testing.assert_array_equal(POOLS[kind](wide, 1, 2), wide[::2, ::2])


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(sorted(POOLS)))
def test_adaptive_keeps_within_the_image(length, output, kind):
    x = image_of((length,), np.uint8, seed=length)
    result = ik.adaptive_pool(x, output, kind)
    assert result.shape == (output,)
    assert x.min() <= result.min() <= result.max() <= x.max()
    if length == output:
        np.testing.assert_array_equal(result, x)


@settings(deadline=None, max_examples=60)
@given(layouts, st.integers(1, 20))
def test_minimum_is_the_maximum_of_the_negative(layout, length):
    if not fits(length, layout):
        return
    x = image_of((length, 3), np.float32)
    np.testing.assert_array_equal(
        ik.min_pool(x, *layout, axes=0), -ik.max_pool(-x, *layout, axes=0)
    )


def test_a_list_that_is_no_cache_key_is_named_by_its_wrong_item():
    with pytest.raises(TypeError, match=r"size\[1\] is 2.0"):
        ik.max_pool(np.zeros((8, 8, 3), np.uint8), [2, 2.0])


# --- medians of large windows, and of many -----------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("output", [1, 7, (13, 1), (29, 40), (61, 70)])
def test_adaptive_medians_are_those_of_each_window(output, dtype):
    x = image_of((2, 31, 42, 2), dtype, seed=7)
    if x.dtype.kind == "f":
        x[0, 5, 6, 0], x[1, 7, 8, 1] = np.nan, np.inf
    rows, columns = (output, output) if isinstance(output, int) else output
    found = ik.adaptive_pool(x, output, "median")
    for i, j in itertools.product(range(rows), range(columns)):
        down = slice(i * 31 // rows, -((i + 1) * 31 // -rows))
        across = slice(j * 42 // columns, -((j + 1) * 42 // -columns))
        window = x[:, down, across]
        expected = saturate(np.median(window, (1, 2)), x.dtype)
        np.testing.assert_allclose(found[:, i, j], expected, rtol=1e-6)


def test_many_adaptive_medians_take_no_loop(monkeypatch):
    calls = []
    median = np.median
    monkeypatch.setattr(np, "median", lambda *a, **k: (calls.append(1), median(*a, **k))[1])
    ik.adaptive_pool(image_of((500, 700), np.uint8), (300, 401), "median")
    assert len(calls) < 20  # one for each shape of a window


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("size", "stride", "padding"), [(17, 1, 0), (17, 1, 8), (9, 2, 0), (21, 4, 3)]
)
def test_median_pools_of_large_windows(size, stride, padding, dtype):
    x = image_of((40, 45, 2), dtype, seed=8)
    found = ik.median_pool(x, size, stride, padding)
    expected = saturate(reference.median_pool(x.astype(float), size, stride, padding), x.dtype)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
