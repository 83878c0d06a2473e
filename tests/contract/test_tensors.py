"""Laws that every registered function of layer one keeps on torch tensors.

Each function has two ways for a tensor: the array backend on a view of its memory, and torch's
own operations. Both must give the numbers of the float64 oracle.
"""

import contextlib
import importlib
import inspect
import operator

import numpy as np
import pytest

import imgkit as ik
from imgkit.image import DTYPES, TENSOR_DTYPES, full_range, saturate
from imgkit.registry import FUNCTIONS, HOST_ONLY

torch = pytest.importorskip("torch")
fake_tensor = pytest.importorskip("torch._subclasses.fake_tensor")
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from imgkit.backends.tensor.numpy_view import native  # noqa: E402

IMAGE_OPS = [op for op in FUNCTIONS.values() if op.result != "other" or op.name == "gradient"]
DEVICE_OPS = [op for op in IMAGE_OPS if op.name not in HOST_ONLY]
WAYS = {"view": contextlib.nullcontext, "native": native}
# Levels of uint8 by which a way may differ from the oracle, where it is not 1.
# uint16: its luma is rounded to a level before a curve whose slope exceeds 1
LEVELS = {("clahe", "uint16"): 500}
# Where the derivative exists almost everywhere and is not 0.
SMOOTH = [
    op
    for op in DEVICE_OPS
    if op.name not in ("to_uint8", "posterize", "equalize")
]  # fmt: skip


def image(dtype="uint8", shape=(21, 26, 3), seed=0):
    rng = np.random.default_rng(seed)
    smooth = rng.random(shape).cumsum(axis=-3).cumsum(axis=-2)
    return saturate(smooth / smooth.max() * full_range(dtype), dtype)


def tensor(dtype="uint8", shape=(21, 26, 3), seed=0):
    held = dtype if dtype in DTYPES else "float32"
    planes = np.ascontiguousarray(np.moveaxis(image(held, shape, seed), -1, -3))
    return torch.from_numpy(planes).to(getattr(torch, dtype))


def arguments(op, dtype):
    """The example of the registry; intensities named by fraction scale with the dtype."""
    scaled = {"low", "high", "sigma_color"}
    top = full_range(dtype)
    return {k: v * top if k in scaled else v for k, v in op.example.items()}


def call(op, x):
    """Run a function; of two results the first."""
    first = x[0] if isinstance(x, list) else x
    result = getattr(ik, op.name)(x, **arguments(op, first.dtype))
    return result[0] if isinstance(result, tuple) else result


def each(ops):
    return pytest.mark.parametrize("op", ops, ids=operator.attrgetter("name"))


each_way = pytest.mark.parametrize("way", WAYS)


def result_dtype(op, dtype):
    if op.result == "input":
        return getattr(torch, dtype)
    if op.result == "fixed":
        return {"canny": torch.bool, "to_uint8": torch.uint8}[op.name]
    return torch.float64 if dtype == "float64" else torch.float32


@each(IMAGE_OPS)
@each_way
def test_dtype_device_and_input_are_kept(op, way):
    for dtype in TENSOR_DTYPES:
        x = tensor(dtype)
        before, version = x.clone(), x._version
        with WAYS[way]():
            result = call(op, x)
        assert result.dtype == result_dtype(op, dtype)
        assert result.device == x.device
        assert torch.equal(x.view(torch.uint8), before.view(torch.uint8))
        assert x._version == version
        assert result.untyped_storage().data_ptr() != x.untyped_storage().data_ptr()


@each(IMAGE_OPS)
@each_way
@pytest.mark.parametrize("dtype", DTYPES)
def test_agrees_with_the_reference(op, way, dtype):
    x = image(dtype)
    expected = oracle(op, x, dtype)
    with WAYS[way]():
        found = call(op, torch.from_numpy(x).permute(2, 0, 1))
    assert found.ndim == 3
    compare(op, np.moveaxis(found.numpy(), 0, -1), expected)


def oracle(op, x, dtype):
    """Run the oracle with the public arguments, which it spells out."""
    module = importlib.import_module(f"imgkit.backends.reference.{op.family}")
    run = getattr(module, op.name)
    options = arguments(op, dtype)
    if "kernel" in options:
        options["kernel"] = ik.kernel(options["kernel"])
    names = inspect.signature(run).parameters
    public = inspect.signature(getattr(ik, op.name)).parameters
    if "top" in names and "top" not in public:
        options["top"] = full_range(dtype)
    for name, parameter in list(names.items())[1:]:
        if parameter.default is parameter.empty and name not in options and name in public:
            options[name] = public[name].default
    if op.name == "solarize":
        options["threshold"] = full_range(dtype) / 2
    if op.name == "clahe":
        options["tiles"] = (8, 8)
    if op.name == "normalize":
        options |= {"mean": (0.5,) * 3, "std": (0.25,) * 3}
    expected = run(x.astype(np.float64), **options)
    return np.asarray(expected[0] if isinstance(expected, tuple) else expected)


def compare(op, found, expected):
    """Within 1 level of uint8, or 1e-4 of the full range."""
    if found.dtype == bool:
        assert np.mean(found != expected) < 0.01
    elif found.dtype.kind == "u":
        levels = LEVELS.get((op.name, found.dtype.name), 1)
        rounded = saturate(expected, found.dtype).astype(np.float64)
        assert np.abs(found.astype(np.float64) - rounded).max() <= levels
    else:
        top = max(1.0, float(np.abs(expected).max()))
        assert np.abs(found - expected).max() <= 1e-4 * top


@each(IMAGE_OPS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_halves_are_computed_in_float32(op, dtype):
    x = tensor(dtype)
    found, expected = call(op, x), call(op, x.float())
    if found.dtype == torch.bool:
        assert torch.equal(found, expected)
        return
    # Half a unit of the last place of the result, and 1e-6 where float32 rounds otherwise.
    step = torch.finfo(found.dtype).eps if found.is_floating_point() else 1
    bound = step * expected.abs().max() if found.is_floating_point() else 1
    assert (found.double() - expected.double()).abs().max() <= bound + 1e-6


@each(IMAGE_OPS)
@each_way
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_batch_equals_one_by_one(op, way, dtype):
    batch = torch.stack([tensor(dtype, seed=s) for s in range(3)])
    with WAYS[way]():
        together = call(op, batch)
        single = [call(op, x) for x in batch]
    for one, expected in zip(single, together, strict=True):
        # sums may be taken in another order
        torch.testing.assert_close(one, expected, rtol=1e-5, atol=1 if dtype == "uint8" else 1e-5)


@each(IMAGE_OPS)
def test_a_list_gives_a_list(op):
    images = [tensor(), tensor(shape=(17, 9, 3), seed=1)]
    results = getattr(ik, op.name)(images, **arguments(op, torch.uint8))
    assert isinstance(results, list)
    for x, result in zip(images, results, strict=True):
        result = result[0] if isinstance(result, tuple) else result
        assert torch.equal(result, call(op, x))


@each(IMAGE_OPS)
@each_way
def test_empty_batch_keeps_the_law_of_shapes(op, way):
    with WAYS[way]():
        one, none = call(op, tensor()[None]), call(op, tensor()[None][:0])
    assert none.shape == (0, *one.shape[1:])
    assert none.dtype == one.dtype


@each(IMAGE_OPS)
@each_way
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_one_pixel(op, way, dtype):
    for channels in (1, 3):
        with WAYS[way]():
            found = call(op, tensor(dtype, (1, 1, channels)))
        expected = np.moveaxis(call(op, image(dtype, (1, 1, channels))), -1, 0)
        assert found.shape == expected.shape
        # Where taps cancel, what is left is the rounding of the full range.
        bound = 1e-6 * full_range(dtype) if found.is_floating_point() else 1
        difference = found.numpy().astype(np.float64) - expected.astype(np.float64)
        assert np.abs(difference).max() <= bound


LAYOUTS = {
    "channels-last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "strided": lambda x: x.repeat_interleave(2, -1)[..., ::2],
    "transposed": lambda x: x.transpose(-1, -2).contiguous().transpose(-1, -2),
    "offset": lambda x: torch.nn.functional.pad(x, (3, 2, 1, 4))[..., 1:-4, 3:-2],
    "bgr-view": lambda x: x.flip(1).contiguous().flip(1),
}


@each(IMAGE_OPS)
@each_way
def test_memory_layout_does_not_matter(op, way):
    x = torch.stack([tensor("float32"), tensor("float32", seed=1)])
    with WAYS[way]():
        expected = call(op, x)
        results = {layout: call(op, change(x)) for layout, change in LAYOUTS.items()}
    for layout, found in results.items():
        if found.dtype == torch.bool:  # ties between pixels are broken by the last digit
            assert (expected != found).double().mean() < 0.01
        else:
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
        order = torch.channels_last if layout == "channels-last" else torch.contiguous_format
        assert found.is_contiguous(memory_format=order), layout


@each(IMAGE_OPS)
def test_gray_without_channel_axis_keeps_its_layout(op):
    x = tensor()[0]
    result = call(op, x)
    assert result.ndim == 2
    if op.name not in ("clahe", "canny"):
        torch.testing.assert_close(result, call(op, x[None])[0], rtol=0, atol=0)


@each(IMAGE_OPS)
def test_subclasses_and_parameters_are_images(op):
    x = tensor("float32")
    frozen = torch.nn.Parameter(x, requires_grad=False)
    assert torch.equal(call(op, frozen), call(op, x))


@each(SMOOTH)
def test_gradients_are_those_of_finite_differences(op):
    generator = torch.Generator().manual_seed(1)
    shape = (2, 3, 5, 4)
    x = (0.2 + 0.6 * torch.rand(shape, generator=generator, dtype=torch.float64)).requires_grad_()
    options = arguments(op, torch.float64)
    options |= {"size": (3, 7)} if op.name == "resize" else {}
    run = getattr(ik, op.name)
    torch.autograd.gradcheck(lambda y: run(y, **options), x, fast_mode=True)


@each([op for op in DEVICE_OPS if op.result != "fixed"])
def test_gradients_of_flat_images_are_finite(op):
    for level in (0.0, 0.5, 1.0):
        x = torch.full((1, 3, 6, 5), level, requires_grad=True)
        result = call(op, x)
        if result.requires_grad:
            (slope,) = torch.autograd.grad(result.sum(), x)
            assert slope.isfinite().all()


# --- CUDA without a GPU -----------------------------------------------------------------


class Traffic(TorchDispatchMode):
    """Refuses what waits for the device or leaves it; counts what arrives from the host."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "equal.default")

    def __init__(self):
        super().__init__()
        self.copies = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = str(function)
        assert not any(word in name for word in self.WAITING), f"{name} waits for the device"
        result = function(*args, **kwargs)
        if "_to_copy" in name and isinstance(result, torch.Tensor):
            origin = args[0].device.type
            assert not (origin == "cuda" and result.device.type == "cpu"), "leaves the device"
            if origin == "cpu" and result.device.type == "cuda":
                self.copies += 1
                assert kwargs.get("non_blocking"), "a copy that waits for the device"
                assert result.numel() <= 4096, "only constants come from the host"
        return result


@each(DEVICE_OPS)
@pytest.mark.parametrize("dtype", TENSOR_DTYPES)
def test_runs_on_the_device_without_waiting_for_it(op, dtype):
    with fake_tensor.FakeTensorMode(), Traffic():
        x = torch.empty((2, 3, 21, 26), dtype=getattr(torch, dtype), device="cuda")
        result = call(op, x)
        assert result.device.type == "cuda"
        assert result.dtype == result_dtype(op, dtype)


@each([op for op in DEVICE_OPS if op.result != "fixed"])
def test_backward_reads_no_pixel_on_the_host(op):
    # On the device that has no pixels: autograd does not start on a CUDA that is not there.
    x = torch.empty((2, 3, 21, 26), device="meta", requires_grad=True)
    result = call(op, x)
    if result.requires_grad:
        (slope,) = torch.autograd.grad(result.sum(), x)
        assert slope.device.type == "meta"


def test_integers_that_would_cut_a_gradient_are_refused():
    x = tensor("float32").requires_grad_()
    for run in (ik.to_uint8, lambda y: ik.sobel(y, dtype="uint8")):
        with pytest.raises(ValueError, match=r"carries no gradient: pass x.detach\(\)"):
            run(x)


def test_the_traffic_guard_sees_what_it_forbids():
    with fake_tensor.FakeTensorMode(), Traffic() as guard:
        x = torch.empty(3, device="cuda")
        with pytest.raises(AssertionError, match="leaves the device"):
            x.cpu()
        with pytest.raises(AssertionError, match="waits for the device"):
            x.nonzero()
        with pytest.raises(AssertionError, match="a copy that waits"):
            torch.zeros(3).to("cuda")
        with pytest.raises(AssertionError, match="waits for the device"):
            float(x.sum())
        assert guard.copies == 1


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@each(IMAGE_OPS)
def test_cuda_gives_the_numbers_of_the_cpu(op):
    for dtype in TENSOR_DTYPES:
        same_on_cuda(op, dtype)


def same_on_cuda(op, dtype):
    x = torch.stack([tensor(dtype), tensor(dtype, seed=1)])
    on_host = call(op, x)
    on_device = call(op, x.cuda())
    assert on_device.device.type == "cuda"
    assert on_device.dtype == on_host.dtype
    found, expected = on_device.cpu().double(), on_host.double()
    if on_host.dtype == torch.bool:
        assert torch.equal(found, expected)
    elif on_host.is_floating_point():
        halves = dtype in ("float16", "bfloat16") and op.result == "input"
        bound = torch.finfo(on_host.dtype).eps if halves else 1e-4
        assert (found - expected).abs().max() <= bound * max(1.0, expected.abs().max())
    else:
        assert (found - expected).abs().max() <= 1


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@each(DEVICE_OPS)
def test_cuda_does_not_wait(op):
    x = torch.stack([tensor("float32"), tensor("float32", seed=1)]).cuda()
    call(op, x)
    torch.cuda.set_sync_debug_mode("error")
    try:
        call(op, x)
    finally:
        torch.cuda.set_sync_debug_mode("default")


# --- errors -----------------------------------------------------------------------------


BAD = (
    (torch.zeros(3, 4, 4, dtype=torch.int64), "has dtype torch.int64: images are uint8"),
    (torch.zeros(3, 4, 4, dtype=torch.bool), r"to\(torch.uint8\) keeps a mask"),
    (torch.zeros(3, 4, 4, dtype=torch.complex64), "has dtype torch.complex64"),
    (torch.zeros(4, 4).to_sparse(), r"to_dense\(\)"),
    (torch.zeros(3, 0, 4), "height and width must be at least 1|at least 1 pixel|not be empty"),
    (torch.zeros(513, 4, 4), "the axis before H and W holds 1 to 512 channels"),
    (torch.zeros(1, 1, 3, 4, 4), r"\(C, H, W\) or \(N, C, H, W\)"),
)


@each(IMAGE_OPS)
def test_bad_tensors_are_refused_by_name_value_and_rule(op):
    for bad, message in BAD:
        if bad.ndim == 5 and op.family == "pool":
            continue  # there it is a batch of volumes
        with pytest.raises((TypeError, ValueError), match=message):
            getattr(ik, op.name)(bad, **op.example)


@each([op for op in IMAGE_OPS if op.name in HOST_ONLY])
def test_host_only_functions_refuse_gradients(op):
    x = tensor("float32").requires_grad_()
    with pytest.raises(ValueError, match=r"runs on the host and has none; pass x.detach\(\)"):
        call(op, x)
    with torch.no_grad():
        assert not call(op, x).requires_grad


@each([op for op in DEVICE_OPS if op.colors])
def test_color_functions_refuse_other_channels(op):
    with pytest.raises(ValueError, match=r"x has 5 channels.*x\[..., :3, :, :\] keeps"):
        call(op, torch.zeros(5, 4, 4))
