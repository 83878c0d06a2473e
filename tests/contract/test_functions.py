"""Laws that every registered function of layer one keeps; a new op is tested by its line alone."""

import importlib
import inspect

import numpy as np
import pytest

import imgkit as ik
from imgkit.image import DTYPES, full_range, saturate
from imgkit.registry import FUNCTIONS

IMAGE_OPS = [op for op in FUNCTIONS.values() if op.result != "other"]
# uint16: its luma is rounded to a level before a curve whose slope exceeds 1
LEVELS = {("clahe", "uint16"): 500}
FLOAT_TOLERANCE = 1e-4  # of the full range: float32 sums of up to a few hundred products
# What the contract of these functions writes after `*`.
CONVOLUTION = {"border", "value", "stride", "dilation", "axes", "method", "dtype"}
DERIVATIVE = {"normalized", "border"}
KEYWORD_ONLY = {
    "convolve": CONVOLUTION,
    "correlate": CONVOLUTION,
    "explain_convolve": CONVOLUTION,
    "gradient": DERIVATIVE,
    "sobel": DERIVATIVE,
    "prewitt": DERIVATIVE,
    "scharr": DERIVATIVE,
}
# Options that mean the same in many functions: by name alone, but for those listed by position.
SHARED = {"border", "value", "axes", "dtype", "truncate", "normalized"}
WINDOWS = {"size", "stride", "padding", "dilation", "ceil"}
POSITIONAL = {
    "warp": {"size", "interpolation", "border", "value", "antialias"},
    "resize": {"interpolation", "antialias"},
    "convolution_matrix": {"mode", "border"},
    "deconvolve": {"method", "mode", "border", "regularization"},
    "laplacian": {"neighbors"},
    "gradient": {"operator"},
    "canny": {"low", "high", "sigma"},
    "corners": {"method"},
    "grayscale": {"keep_channels"},
    "conv2d": {"weight", "bias", "mode"},
    "conv_output_size": {"stride", "padding", "dilation", "mode"},
    "global_pool": {"kind"},
    "adaptive_pool": {"output_size", "kind"},
    "max_pool": WINDOWS,
    "min_pool": WINDOWS,
    "avg_pool": WINDOWS,
    "median_pool": WINDOWS,
}


def image(dtype="uint8", shape=(21, 26, 3), seed=0):
    rng = np.random.default_rng(seed)
    smooth = rng.random(shape).cumsum(axis=-3).cumsum(axis=-2)
    return saturate(smooth / smooth.max() * full_range(dtype), dtype)


def arguments(op, dtype="uint8"):
    """The example of the registry; intensities named by fraction scale with the dtype."""
    scale = full_range(dtype)
    words = {"low", "high", "sigma_color"}
    return {k: v * scale if k in words else v for k, v in op.example.items()}


def call(op, x):
    return getattr(ik, op.name)(
        x, **arguments(op, np.asarray(x[0]).dtype if isinstance(x, list) else x.dtype)
    )


def each_op(condition=lambda op: True):
    return pytest.mark.parametrize(
        "op", [op for op in IMAGE_OPS if condition(op)], ids=lambda op: op.name
    )


@each_op()
@pytest.mark.parametrize("dtype", DTYPES)
def test_result_has_the_dtype_the_registry_promises(op, dtype):
    result = call(op, image(dtype))
    if op.result == "input":
        assert result.dtype == dtype
    elif op.result == "float":
        assert result.dtype == ("float64" if dtype == "float64" else "float32")
    else:
        assert result.dtype == {"canny": "bool", "to_uint8": "uint8"}[op.name]


@each_op()
def test_input_is_never_written_to(op):
    x = image()
    x.flags.writeable = False
    before = x.copy()
    call(op, x)
    assert np.array_equal(x, before)


@each_op()
def test_result_does_not_share_memory_with_the_input(op):
    x = image()
    assert not np.shares_memory(call(op, x), x)


@each_op()
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_batch_equals_one_by_one(op, dtype):
    batch = np.stack([image(dtype, seed=s) for s in range(3)])
    result = call(op, batch)
    for x, expected in zip(batch, result, strict=True):
        one = np.asarray(call(op, x))
        if dtype == "uint8":
            assert np.array_equal(one, expected)
        else:  # OpenCV fuses multiply and add in its vector loop alone, not in a row's tail
            np.testing.assert_allclose(one, expected, rtol=1e-6, atol=1e-6)


@each_op()
def test_ragged_list_equals_one_by_one(op):
    images = [image(shape=(21, 26, 3)), image(shape=(17, 9, 3), seed=1)]
    results = call(op, images)
    assert isinstance(results, list)
    for x, result in zip(images, results, strict=True):
        assert np.array_equal(result, call(op, x))


@each_op()
def test_empty_batch_keeps_the_law_of_shapes(op):
    one = call(op, image()[None])
    none = call(op, image()[None][:0])
    assert none.shape == (0, *one.shape[1:])
    assert none.dtype == one.dtype


@each_op()
@pytest.mark.parametrize("dtype", DTYPES)
def test_one_pixel(op, dtype):
    result = call(op, image(dtype, (1, 1, 3)))
    assert np.isfinite(np.asarray(result, np.float64)).all()


@each_op()
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[::-1, ::-1],
        lambda x: x[::2, 1::2],
        lambda x: np.asfortranarray(x),
        lambda x: x[..., ::-1],
        lambda x: x.transpose(1, 0, 2),
    ],
    ids=["negative-stride", "strided", "fortran", "bgr-view", "transposed"],
)
def test_memory_layout_does_not_matter(op, dtype, view):
    x = view(image(dtype))
    assert np.array_equal(call(op, x), call(op, np.ascontiguousarray(x)))


@each_op(lambda op: not op.colors)
@pytest.mark.parametrize("channels", [1, 2, 5, 65])
def test_any_number_of_channels(op, channels):
    x = image(shape=(12, 11, channels))
    result = call(op, x)
    if op.name == "canny":
        return  # one map of edges for all channels
    each = [call(op, np.ascontiguousarray(x[..., c])) for c in range(channels)]
    if op.name in ("bilateral_blur", "normalize"):  # joint in its channels; statistics of three
        assert result.shape == x.shape
        return
    np.testing.assert_allclose(
        np.asarray(result, np.float64), np.stack(each, axis=-1).astype(np.float64), atol=1
    )


@each_op(lambda op: op.colors)
def test_color_ops_refuse_other_channels(op):
    with pytest.raises(ValueError, match=r"x has 5 channels: a color operation needs"):
        call(op, image(shape=(8, 8, 5)))


@each_op()
@pytest.mark.parametrize("dtype", DTYPES)
def test_agrees_with_the_reference(op, dtype):
    x = image(dtype)
    module = importlib.import_module(f"imgkit.backends.reference.{op.family}")
    oracle = getattr(module, op.name)
    options = arguments(op, dtype)
    if "kernel" in options:
        options["kernel"] = ik.kernel(options["kernel"])
    names = inspect.signature(oracle).parameters
    public = inspect.signature(getattr(ik, op.name)).parameters
    if "top" in names and "top" not in public:
        options["top"] = full_range(dtype)
    for name, parameter in list(names.items())[1:]:  # oracles spell every option out
        if parameter.default is parameter.empty and name not in options and name in public:
            options[name] = public[name].default
    expected = np.asarray(oracle(x.astype(np.float64), **adapted(op, options, dtype)))
    result = call(op, x)
    if result.dtype == bool:
        assert np.mean(result != expected) < 0.01
    elif result.dtype.kind == "u":
        worst = np.abs(result.astype(np.float64) - saturate(expected, result.dtype)).max()
        levels = LEVELS.get((op.name, result.dtype.name), 1)
        assert worst <= levels
    else:
        top = max(1.0, float(np.abs(expected).max()))
        assert np.abs(result - expected).max() <= FLOAT_TOLERANCE * top


def adapted(op, options, dtype):
    """Arguments that the public function resolves before a backend sees them."""
    if op.name == "solarize" and options.get("threshold") is None:
        options["threshold"] = full_range(dtype) / 2
    if op.name == "clahe":
        options["tiles"] = (8, 8)
    if op.name == "normalize":
        options |= {"mean": (0.5,) * 3, "std": (0.25,) * 3}
    return options


@pytest.mark.parametrize("op", FUNCTIONS.values(), ids=lambda op: op.name)
def test_every_function_is_documented(op):
    doc = inspect.getdoc(getattr(ik, op.name)) or ""
    for part in ("Args:", "Returns:", ">>> "):
        assert part in doc, f"{op.name}: its docstring needs {part}"


@each_op()
def test_the_image_comes_first(op):
    first = next(iter(inspect.signature(getattr(ik, op.name)).parameters.values()))
    assert first.name == ("b" if op.name == "deconvolve" else "x")
    assert first.kind is first.POSITIONAL_OR_KEYWORD
    assert first.default is first.empty


@pytest.mark.parametrize("op", FUNCTIONS.values(), ids=lambda op: op.name)
def test_options_that_the_contract_writes_after_the_star_are_keyword_only(op):
    after = KEYWORD_ONLY.get(op.name, SHARED - POSITIONAL.get(op.name, set()))
    parameters = inspect.signature(getattr(ik, op.name)).parameters
    assert op.name not in KEYWORD_ONLY or after <= set(parameters)
    for name in after & set(parameters):
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY, name


@pytest.mark.parametrize("name", POSITIONAL)
def test_options_that_the_contract_allows_by_position_are(name):
    parameters = inspect.signature(getattr(ik, name)).parameters
    for word in POSITIONAL[name]:
        assert parameters[word].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD, word


@each_op()
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([[1, 2], [3, 4]], "is a list"),
        (np.zeros((4, 4), np.int32), "has dtype int32"),
        (np.zeros((4, 4), bool), r"astype\(np.uint8\)"),
        (np.zeros((0, 4), np.uint8), "height and width must be at least 1"),
        (np.zeros((4, 4, 513), np.uint8), "1 to 512 channels"),
        (np.zeros((1, 2, 3, 4, 5), np.uint8), r"an image is \(H, W\)"),
    ],
    ids=["list", "int32", "bool", "empty", "513-channels", "5-d"],
)
def test_bad_images_are_refused_by_name_value_and_rule(op, bad, message):
    if op.family in ("conv", "pool") and not isinstance(bad, list) and bad.dtype == np.uint8:
        pytest.skip("works along named axes of arrays of any shape; its own tests cover it")
    with pytest.raises((TypeError, ValueError), match=message):
        getattr(ik, op.name)(bad, **op.example)


@each_op()
@pytest.mark.parametrize("kind", [np.matrix, np.ma.MaskedArray, np.recarray])
def test_subclasses_of_arrays_are_refused(op, kind):
    x = image(shape=(21, 26, 1))[..., 0]
    call(op, x)  # so that what is cached for an array is not used for its subclass
    for given in (x.view(kind), [x.view(kind)]):
        with pytest.raises(TypeError, match=r"NumPy array; (images have no mask|np.asarray)"):
            call(op, given)


class WithMetadata(np.ndarray):
    """As readers return: an array with a dict of what the file says."""

    def __array_finalize__(self, source):
        self.meta = getattr(source, "meta", {})


@each_op()
def test_arrays_with_metadata_are_arrays(op):
    x = image(shape=(21, 26, 1))[..., 0]
    expected, found = call(op, x), call(op, x.view(WithMetadata))
    for one, other in zip(np.atleast_1d(expected), np.atleast_1d(found), strict=True):
        np.testing.assert_array_equal(one, other)


@each_op()
def test_memory_maps_are_arrays(op, tmp_path):
    x = image(shape=(21, 26, 1))[..., 0]
    mapped = np.memmap(tmp_path / "image", np.uint8, "w+", shape=x.shape)
    mapped[:] = x
    expected, found = call(op, x), call(op, mapped)
    for one, other in zip(np.atleast_1d(expected), np.atleast_1d(found), strict=True):
        np.testing.assert_array_equal(one, other)
