"""Contract of layer one under torch.func: each transform gives what a loop, or autograd, gives."""

import operator

import pytest

import imgkit as ik
from imgkit.registry import FUNCTIONS, HOST_ONLY

torch = pytest.importorskip("torch")
from torch.autograd import forward_ad  # noqa: E402
from torch.func import grad, jacfwd, jacrev, jvp, vmap  # noqa: E402

from imgkit.backends.tensor.numpy_view import native  # noqa: E402

pytestmark = [
    # torch's own: jvp scripts its decompositions, and pooling windows have no batched gradient yet
    pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated"),
    pytest.mark.filterwarnings("ignore:There is a performance drop"),
]
IMAGE_OPS = [op for op in FUNCTIONS.values() if op.result != "other" or op.name == "gradient"]
DEVICE_OPS = [op for op in IMAGE_OPS if op.name not in HOST_ONLY]
HOST_OPS = [op for op in IMAGE_OPS if op.name in HOST_ONLY]
# to_uint8 cuts gradients; the others are steps or sorted by levels, flat almost everywhere
SMOOTH = [op for op in DEVICE_OPS if op.name not in ("to_uint8", "posterize", "equalize")]


def call(op, x):
    result = getattr(ik, op.name)(x, **op.example)
    return result[0] if isinstance(result, tuple) else result


def images(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, dtype=torch.float64, generator=generator)


def each(ops):
    return pytest.mark.parametrize("op", ops, ids=operator.attrgetter("name"))


def assert_close(made, wanted):
    # the loop takes OpenCV's way, whose hue is float32 inside; it rounds to levels, too
    tolerance = 1 if wanted.dtype == torch.uint8 else 1e-4
    torch.testing.assert_close(made, wanted, rtol=1e-5, atol=tolerance)


@each(DEVICE_OPS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.uint8])
def test_vmap_is_a_loop(op, dtype):
    x = (images(3, 3, 8, 9) * (255 if dtype == torch.uint8 else 1)).to(dtype)
    assert_close(vmap(lambda image: call(op, image))(x), torch.stack([call(op, v) for v in x]))
    batches = torch.stack([x, x.flip(0)])
    made = vmap(lambda batch: call(op, batch))(batches)
    assert_close(made, torch.stack([call(op, batch) for batch in batches]))


@each(SMOOTH)
def test_gradients_are_those_of_autograd(op):
    x = images(2, 3, 6, 7)
    weight = torch.linspace(0.1, 1.3, call(op, x[0]).numel(), dtype=torch.float64)

    def loss(image):
        return (call(op, image).flatten() * weight).sum()

    wanted = []
    for image in x:
        leaf = image.clone().requires_grad_()
        loss(leaf).backward()
        wanted.append(leaf.grad)
    assert any(g.abs().max() > 0 for g in wanted)
    torch.testing.assert_close(vmap(grad(loss))(x), torch.stack(wanted))


@each(SMOOTH)
def test_jacobians_agree_forward_and_back(op):
    x = images(3, 5, 4)
    back = jacrev(lambda image: call(op, image))(x)
    torch.testing.assert_close(jacfwd(lambda image: call(op, image))(x), back)
    assert back.abs().max() > 0


def test_forward_mode_keeps_the_tangent():
    x, step = images(3, 8, 9), images(3, 8, 9, seed=1)
    made, moved = jvp(lambda image: ik.gaussian_blur(image, 1.5), (x,), (step,))
    torch.testing.assert_close(moved, ik.gaussian_blur(step, 1.5), rtol=0, atol=1e-6)  # linear
    with forward_ad.dual_level():
        dual = ik.gaussian_blur(forward_ad.make_dual(x, step), 1.5)
        assert torch.equal(forward_ad.unpack_dual(dual).tangent, moved)
        assert torch.equal(forward_ad.unpack_dual(dual).primal, made)


def test_gradients_of_gradients():
    x = images(1, 6, 6)
    hessian = jacrev(grad(lambda image: (ik.convolve(image, "gaussian") ** 2).sum() / 2))(x)
    with native():
        matrix = jacrev(lambda image: ik.convolve(image, "gaussian"))(x).reshape(36, 36)
    torch.testing.assert_close(hessian.reshape(36, 36), matrix.T @ matrix)


@each(HOST_OPS)
@pytest.mark.parametrize("transform", [vmap, jacfwd])
def test_functions_of_the_host_refuse_transforms(op, transform):
    with pytest.raises(ValueError, match=r"runs on the host: .* torch\.func; call it outside"):
        transform(lambda image: call(op, image))(images(2, 3, 8, 9))


@each(HOST_OPS)
def test_functions_of_the_host_have_no_gradient(op):
    with pytest.raises(ValueError, match=r"runs on the host and has none; pass x\.detach"):
        grad(lambda image: call(op, image).sum())(images(3, 8, 9))


def test_gradients_of_the_layer_of_a_network_are_those_of_finite_differences():
    x, weight, bias = images(2, 4, 6, 5), images(6, 2, 3, 2, seed=1), images(6, seed=2)
    leaves = [leaf.requires_grad_() for leaf in (x, weight, bias)]
    torch.autograd.gradcheck(
        lambda *given: ik.conv2d(*given, stride=2, padding=1, groups=2), leaves, fast_mode=True
    )


def test_tensors_of_another_device_are_refused():
    x, away = images(1, 3, 8, 9), {"device": "meta", "dtype": torch.float64}
    with pytest.raises(ValueError, match=r"weight is on meta, x on cpu: pass weight.to\(x.device"):
        ik.conv2d(x, torch.ones(1, 3, 3, 3, **away))
    with pytest.raises(ValueError, match=r"bias is on meta, x on cpu"):
        ik.conv2d(x, torch.ones(1, 3, 3, 3, dtype=torch.float64), torch.ones(1, **away))
    with pytest.raises(ValueError, match="matrix_or_field is on meta, x on cpu: move one"):
        ik.warp(x, torch.eye(3, **away), antialias=False)
