"""The modules: made from the registry, whole under torch.compile, plain to keep and copy."""

import copy
import inspect
import pickle
import subprocess
import sys

import numpy as np
import pytest

import imgkit as ik
from imgkit.registry import FUNCTIONS, HOST_ONLY

torch = pytest.importorskip("torch")

import imgkit.torch as it  # noqa: E402

FUNCTIONS_OF_IMAGES = it.IMAGE_FUNCTIONS
MODULES = [
    name
    for name, value in vars(it.modules).items()
    if isinstance(value, type) and issubclass(value, it.Function) and value is not it.Function
]
# One of each kind of work: shifted sums, layers, sorting, windows, matrices, gathers, tables.
COMPILED = {
    "Sobel": {},
    "Convolve": {"kernel": ik.kernel("gaussian", 5), "border": "wrap"},
    "GaussianBlur": {"sigma": 1.5},
    "MedianBlur": {"size": 3},
    "MaxPool": {"size": 2},
    "Resize": {"size": (12, 9), "interpolation": "lanczos"},
    "Warp": {"matrix_or_field": [[1, 0.2, 0], [0, 1, 3], [0, 0, 1]]},
    "AdjustHue": {"shift": 0.1},
    "Equalize": {},
    "Normalize": {"mean": "imagenet"},
    "Gradient": {},
}


def example(module):
    if module is it.Conv2d:
        return {"weight": torch.ones(4, 3, 3, 3)}
    return dict(FUNCTIONS[module.function].example)


def picture(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


def test_every_function_of_an_image_has_a_module():
    assert {getattr(it, name).function for name in MODULES} == set(FUNCTIONS_OF_IMAGES)
    for word in ("Convolve", "Sobel", "Prewitt", "Scharr", "Laplacian", "MaxPool", "AvgPool"):
        assert word in it.__all__
        assert word in MODULES
    assert it.CLAHE.function == "clahe"


@pytest.mark.parametrize("name", MODULES)
def test_signature_document_and_result_are_those_of_the_function(name):
    module = getattr(it, name)
    run = getattr(ik, module.function)
    _, *expected = inspect.signature(run).parameters.values()
    *found, last = inspect.signature(module).parameters.values()
    assert found == expected
    assert last.name == "native"
    assert module.__module__ == "imgkit.torch.modules"
    assert inspect.getdoc(module).startswith(inspect.getdoc(run).partition("\n")[0])
    assert ">>>" not in module.__doc__
    assert ("Runs on the host" in module.__doc__) == (module.function in HOST_ONLY)
    made, x = module(**example(module)), picture(2, 3, 9, 8)
    expected = run(x, **example(module))
    for built in (made, pickle.loads(pickle.dumps(made)), copy.deepcopy(made)):
        for one, other in zip(as_tuple(built(x)), as_tuple(expected), strict=True):
            assert torch.equal(one, other)


def as_tuple(result):
    return result if isinstance(result, tuple) else (result,)


def test_options_are_checked_when_they_are_given():
    with pytest.raises(TypeError, match="missing a required argument: 'sigma'"):
        it.GaussianBlur()
    with pytest.raises(TypeError, match="unexpected keyword argument 'sigmas'"):
        it.GaussianBlur(1, sigmas=1)
    with pytest.raises(ValueError, match="sigma is -1: it must be at least 0"):
        it.GaussianBlur(-1)(picture(3, 4, 4))


def test_repr_names_the_options():
    assert repr(it.GaussianBlur(1.5, border="edge")) == "GaussianBlur(sigma=1.5, border='edge')"
    assert repr(it.MaxPool((2, 3), native=True)) == "MaxPool(size=(2, 3), native=True)"
    assert repr(it.Conv2d(torch.ones(2, 3, 1, 1))) == "Conv2d(weight: (2, 3, 1, 1))"
    assert repr(it.Convolve(np.eye(2))) == "Convolve(kernel=((1.0, 0.0), (0.0, 1.0)))"


def test_tensors_among_the_options_are_buffers():
    layer = it.Conv2d(torch.ones(2, 3, 3, 3), bias=torch.nn.Parameter(torch.zeros(2)))
    assert list(layer.state_dict()) == ["bias", "weight"]
    assert [name for name, _ in layer.named_parameters()] == ["bias"]
    assert layer.double().weight.dtype == torch.float64
    layer(picture(3, 6, 6)).sum().backward()
    assert layer.bias.grad.tolist() == [16, 16]
    field = it.Warp(np.zeros((4, 5, 2)))
    assert list(field.state_dict()) == ["matrix_or_field"]
    assert field(picture(3, 4, 5)).shape == (3, 4, 5)
    assert not it.Convolve(np.ones((3, 3))).state_dict()


def test_arrays_are_copied():
    field = np.zeros((4, 5, 2))
    module, x = it.Warp(field), picture(3, 4, 5)
    field += 1
    assert torch.equal(module(x), x)


def test_lists_give_lists():
    sizes = [tuple(y.shape) for y in it.MaxPool(2)([picture(3, 4, 4), picture(3, 8, 6)])]
    assert sizes == [(3, 2, 2), (3, 4, 3)]


def test_modules_chain_and_learn():
    chain = torch.nn.Sequential(it.GaussianBlur(1.0), it.Sobel(normalized=True), it.MaxPool(2))
    x = picture(2, 3, 12, 12).requires_grad_()
    chain(x).sum().backward()
    assert x.grad.abs().sum() > 0


def test_native_is_torch_s_own_way_everywhere(monkeypatch):
    from imgkit.backends.array import blur

    monkeypatch.setattr(blur, "gaussian_blur", None)
    x = picture(3, 6, 5)
    with pytest.raises(TypeError, match="not callable"):
        it.GaussianBlur(1.0)(x)
    assert it.GaussianBlur(1.0, native=True)(x).shape == x.shape
    with it.native():
        assert it.GaussianBlur(1.0)(x).shape == x.shape


@pytest.mark.parametrize("name", COMPILED)
def test_compiles_whole(name):
    torch._dynamo.reset()
    module = getattr(it, name)(**COMPILED[name])
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    for shape in ((2, 3, 16, 14), (2, 3, 9, 14)):  # the second is traced anew
        x = picture(*shape).requires_grad_()
        found, expected = compiled(x), module(x)
        for one, other in zip(as_tuple(found), as_tuple(expected), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
        (slope,) = torch.autograd.grad(as_tuple(found)[0].sum(), x)
        (wanted,) = torch.autograd.grad(as_tuple(expected)[0].sum(), x)
        torch.testing.assert_close(slope, wanted, rtol=1e-5, atol=1e-5)


def test_compiles_without_gradients_in_uint8_and_in_a_chain():
    torch._dynamo.reset()
    chain = torch.nn.Sequential(it.GaussianBlur(1.0), it.Resize((8, 8)), it.Normalize("half"))
    compiled = torch.compile(chain, backend="aot_eager", fullgraph=True)
    x = (picture(2, 3, 16, 16) * 255).to(torch.uint8)
    # 1 level of uint8 twice, divided by 0.5 * 255
    torch.testing.assert_close(compiled(x), chain(x), rtol=0, atol=2 / 127.5 + 1e-6)


def test_changed_options_are_compiled_anew():
    torch._dynamo.reset()
    module = it.AdjustBrightness(0.5)
    compiled, x = torch.compile(module, backend="eager", fullgraph=True), picture(3, 4, 4)
    torch.testing.assert_close(compiled(x), x * 0.5)
    module.options["factor"] = 0.25
    torch.testing.assert_close(compiled(x), x * 0.25)


def test_host_only_functions_say_that_they_cannot_be_compiled():
    torch._dynamo.reset()
    compiled = torch.compile(it.Canny(0.1, 0.2), backend="aot_eager", fullgraph=True)
    with pytest.raises(Exception, match="runs on the host: it cannot be compiled"):
        compiled(picture(3, 8, 8))


def test_autocast_leaves_the_numbers_alone():
    x = picture(2, 3, 8, 8).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        blurred, small = it.GaussianBlur(1.0)(x), it.Resize((4, 3), "lanczos")(x)
    torch.testing.assert_close(blurred, it.GaussianBlur(1.0)(x), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(small, it.Resize((4, 3), "lanczos")(x), rtol=1e-5, atol=1e-5)


def test_imgkit_alone_does_not_import_torch():
    code = (
        "import sys, numpy, imgkit; imgkit.sobel(numpy.zeros((4, 4)));"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
