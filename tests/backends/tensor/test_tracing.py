"""Functions under torch.compile: one node of the graph each, with the numbers of eager calls."""

import numpy as np
import pytest
import torch
import torch._dynamo
from compiled_graphs import Graphs

import imgkit as ik
from imgkit.registry import FUNCTIONS, HOST_ONLY, IMAGE_FUNCTIONS

WHOLE = [name for name in IMAGE_FUNCTIONS if name not in HOST_ONLY]
# Functions whose plan needs no numbers of the image's size: one graph serves every size.
ANY_SIZE = ["sobel", "gaussian_blur", "adjust_gamma", "adjust_hue", "equalize", "conv2d"]
PLANNED = {
    "convolve": {"kernel": "sobel_x", "border": "wrap"},
    "max_pool": {"size": 2},
    "flip": {"axis": "horizontal"},
    "resize": {"size": (12, 9), "interpolation": "lanczos"},
    "pad": {"padding": 2, "border": "edge"},
    "rotate": {"degrees": 30, "border": "reflect"},
    "letterbox": {"size": 16, "interpolation": "nearest"},
}
# Compiled on integers, the others on floats: the routes differ by the values that they hold.
INTEGERS = set(WHOLE[::2])
GAUSSIAN = ik.kernel("gaussian", 5)


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def images(*shape):
    whole = torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0))
    return whole.to(torch.uint8)


def options(name):
    if name == "conv2d":
        return {"weight": torch.ones(4, 3, 3, 3)}
    if name == "bilateral_blur":  # of the size of the example Dynamo traces for ten seconds
        return {"sigma_color": 20.0, "sigma_space": 0.5}
    return dict(FUNCTIONS[name].example)


def parts(result):
    return result if isinstance(result, (tuple, list)) else (result,)


def assert_same(found, expected):
    for one, other in zip(parts(found), parts(expected), strict=True):
        assert one.dtype == other.dtype
        assert one.stride() == other.stride()
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", WHOLE)
def test_a_function_in_one_graph_is_the_eager_one_bit_for_bit(name):
    given = options(name)

    def run(x):
        return getattr(ik, name)(x, **given)

    compiled = torch.compile(run, backend="eager", fullgraph=True)
    x = images(2, 3, 9, 8)
    x = x if name in INTEGERS else x.float() / 255
    assert_same(compiled(x), run(x))


@pytest.mark.parametrize("name", ["sobel", "convolve", "resize", "adjust_contrast", "avg_pool"])
def test_a_function_traced_to_torch_operations_keeps_the_parity_of_backends(name):
    def run(x):
        return getattr(ik, name)(x, **options(name))

    compiled = torch.compile(run, backend="aot_eager", fullgraph=True)
    x = images(2, 3, 9, 8).float() / 255
    # the contract between backends, here torch's operations and the array backend
    torch.testing.assert_close(compiled(x), run(x), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", sorted(set(HOST_ONLY) - {"convolution_matrix"}))
def test_functions_of_the_host_end_the_graph_and_say_why_it_is_not_whole(name):
    def run(x):
        return getattr(ik, name)(x, **options(name)) * 1

    x = images(3, 16, 14)
    assert_same(torch.compile(run, backend="eager")(x), run(x))
    torch._dynamo.reset()
    with pytest.raises(Exception, match="runs on the host: it cannot be compiled"):
        torch.compile(run, backend="eager", fullgraph=True)(x)


@pytest.mark.parametrize(
    "run",
    [
        lambda x: ik.convolve(x, GAUSSIAN),
        lambda x: ik.gaussian_blur(x.numpy(), 1.5),
        lambda x: ik.resize([x, x[:, :9]], 8),
        lambda x: ik.sobel(x.permute(1, 2, 0).numpy()),
        lambda x: ik.warp(x, torch.eye(3)),
        lambda x: ik.convolve(x, torch.ones(3, 3) / 9),
        lambda x: ik.conv2d(x[None], torch.ones(2, 3, 3, 3)),
    ],
    ids=["kernel", "array", "list", "array of channels", "matrix", "taps", "weight"],
)
def test_arrays_and_lists_within_compiled_code_give_the_eager_result(run):
    x = images(3, 16, 14)
    found, expected = torch.compile(run, backend="eager")(x), run(x)
    for one, other in zip(parts(found), parts(expected), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("name", ANY_SIZE)
def test_one_graph_serves_every_size(name):
    graphs = Graphs()
    given = options(name)
    run = torch.compile(
        lambda x: getattr(ik, name)(x, **given), backend=graphs, fullgraph=True, dynamic=True
    )
    for more in range(3):
        x = images(2, 3, 16 + more, 14 + 2 * more)
        assert_same(run(x), getattr(ik, name)(x, **given))
    assert graphs.count == 1


@pytest.mark.parametrize("name", PLANNED)
def test_changing_sizes_are_compiled_anew_where_a_plan_needs_them(name):
    given = PLANNED[name]
    run = torch.compile(
        lambda x: getattr(ik, name)(x, **given), backend="eager", fullgraph=True, dynamic=True
    )
    for more in range(3):
        x = images(2, 3, 16 + more, 14 + 2 * more)
        assert_same(run(x), getattr(ik, name)(x, **given))


def test_many_sizes_are_no_error_without_fullgraph():
    run = torch.compile(lambda x: ik.resize(x, 8), backend="eager", dynamic=True)
    for more in range(torch._dynamo.config.recompile_limit + 2):
        x = images(3, 16 + more, 14)
        assert_same(run(x), ik.resize(x, 8))
