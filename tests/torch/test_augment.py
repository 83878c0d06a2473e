"""Augment: the pipeline on batches, by key, in training mode."""

import numpy as np
import pytest
import torch
import torch._dynamo
from compiled_graphs import Graphs
from torch import nn

import imgkit as ik
from imgkit.registry import TRANSFORMS
from imgkit.torch import Augment, Transform

AUG = ik.Pipeline(
    [ik.HorizontalFlip(p=0.5), ik.Rotate((-20, 20)), ik.Brightness((0.6, 1.4))], seed=7
)
CROP = ik.Pipeline([ik.RandomResizedCrop(8), ik.Normalize("imagenet")], seed=7)
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 16, 20, 3), np.uint8)


def batch():
    return torch.from_numpy(IMAGES).permute(0, 3, 1, 2)


def test_a_batch_is_its_samples_by_their_keys():
    done = Augment(AUG)(batch(), key=(2, [4, 9, 0, 1, 7]))
    for image, array, index in zip(done, IMAGES, (4, 9, 0, 1, 7), strict=True):
        expected = torch.from_numpy(AUG(array, key=(2, index))).permute(2, 0, 1)
        # 1 level: the contract between backends
        assert int((image.int() - expected.int()).abs().max()) <= 1
    one = Augment(AUG)(batch()[1], key=(2, 9))
    torch.testing.assert_close(one, done[1], rtol=0, atol=0)


def test_lists_are_ragged():
    images = [batch()[0], batch()[1, :, :9]]
    done = Augment(CROP)(images, key=(0, [0, 1]))
    assert isinstance(done, list)
    assert [tuple(image.shape) for image in done] == [(3, 8, 8)] * 2
    same = Augment(CROP)(images[1], key=(0, 1))
    torch.testing.assert_close(done[1], same, rtol=0, atol=1e-5)


def test_calls_without_a_key_are_counted():
    module = Augment(ik.Pipeline(AUG.ops, seed=3))
    first, second = module(batch()), module(batch())
    again = Augment(ik.Pipeline(AUG.ops, seed=3))
    torch.testing.assert_close(again(batch()), first, rtol=0, atol=0)
    assert not torch.equal(first, second)
    torch.testing.assert_close(second, again(batch(), key=(0, range(5, 10))), rtol=0, atol=0)


def test_in_sequential_and_in_eval_mode():
    model = nn.Sequential(Augment(AUG), nn.Flatten())
    assert model(batch()).shape == (5, 960)
    torch.testing.assert_close(model.eval()(batch()), batch().flatten(1), rtol=0, atol=0)
    assert not list(model.parameters())
    assert not model.state_dict()


def test_eval_mode_needs_what_the_network_must_see():
    with pytest.raises(
        ValueError, match="pipeline has RandomResizedCrop, Normalize, without which"
    ):
        Augment(CROP).eval()(batch())
    evaluate = ik.Pipeline([ik.Resize(8), ik.Normalize("imagenet")])
    both = Augment(CROP, evaluate=evaluate)
    assert both(batch()).shape == both.eval()(batch()).shape == (5, 3, 8, 8)
    torch.testing.assert_close(both(batch()), evaluate(batch(), key=(0, range(5))), rtol=0, atol=0)


def test_labels_follow():
    flip = Augment(ik.Pipeline([ik.HorizontalFlip()], seed=7))
    masks = torch.arange(5 * 16 * 20).reshape(5, 16, 20)
    boxes = [torch.tensor([[0.0, 0, 5, 5]])] * 5
    labels = [torch.tensor([i]) for i in range(5)]
    out = flip(image=batch(), mask=masks, boxes=boxes, labels=labels, key=(0, range(5)))
    assert list(out) == ["image", "mask", "boxes", "labels"]
    torch.testing.assert_close(out["image"], batch().flip(-1), rtol=0, atol=0)
    torch.testing.assert_close(out["mask"], masks.flip(-1), rtol=0, atol=0)
    assert [b.tolist() for b in out["boxes"]] == [[[15, 0, 20, 5]]] * 5
    assert [int(label) for label in out["labels"]] == list(range(5))
    one = Augment(Transform(flip.pipeline, box_normalized=True))
    out = one(image=batch()[0], boxes=torch.tensor([[0.0, 0, 0.25, 1]]), key=0)
    assert out["boxes"].tolist() == [[0.75, 0, 1, 1]]


def test_gradients_pass_through():
    x = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    Augment(ik.Pipeline([ik.HorizontalFlip()], seed=7))(x, key=(0, [0, 1])).sum().backward()
    torch.testing.assert_close(x.grad, torch.ones_like(x))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Augment(AUG)(), TypeError, "x is missing: pass a batch"),
        (lambda: Augment(AUG)(IMAGES), TypeError, "x is a ndarray: Augment takes tensors"),
        (lambda: Augment(AUG)(batch(), boxes=[]), TypeError, "everything by name"),
        (lambda: Augment([]), TypeError, "pipeline is a list: pass an imgkit Pipeline"),
        (
            lambda: Augment(AUG)([torch.zeros(3, 4, 4), torch.zeros(3, 4, 4, device="meta")]),
            ValueError,
            "x has images on cpu and meta: move them to one device",
        ),
        (
            lambda: Augment(AUG)(
                batch(), key=(0, torch.zeros(5, dtype=torch.int64, device="meta"))
            ),
            ValueError,
            "key indices are on meta: pass them on the CPU",
        ),
        (
            lambda: Augment(AUG)(batch(), key=(0, [1])),
            ValueError,
            "key has 1 indices: a batch of 5",
        ),
        (
            lambda: Augment(ik.Pipeline([ik.Rotate90()], seed=1))(batch(), key=(0, range(5))),
            ValueError,
            "results have sizes .* end the pipeline with Resize .* or pass a list",
        ),
    ],
)
def test_what_cannot_be_augmented_says_why(call, error, message):
    with pytest.raises(error, match=message):
        call()


# --- torch.compile ------------------------------------------------------------------------

MIXED = {
    "photograph": [ik.RandomResizedCrop(16), ik.ColorJitter(0.3, 0.3, 0.3, 0.1), ik.Normalize()],
    "warps": [ik.Perspective(0.3, p=0.7), ik.Elastic(2.0, sigma=4.0), ik.Gamma((0.7, 1.4))],
    "noise": [ik.GaussianNoise(0.05), ik.SaltPepper(0.02), ik.JpegCompression((40, 90))],
    "choices": [ik.OneOf([ik.Rotate((-20, 20)), ik.GaussianBlur(1.0)]), ik.RandAugment()],
    "sizes": [ik.Resize(20), ik.RandomCrop(12), ik.Equalize(p=0.5), ik.ToFloat()],
}
KEYS = [(0, np.arange(4)), (1, [4, 5, 6, 7]), (2, range(4)), (3, torch.arange(4)), None]


@pytest.fixture
def compiling():
    """Compile from a fresh state, in which a recompilation is an error."""
    torch._dynamo.reset()
    with torch._dynamo.config.patch(error_on_recompile=True):
        yield
    torch._dynamo.reset()


def square():
    return batch()[:4, :, :16, :16].contiguous()


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_compiled_crop_is_the_eager_one_bit_for_bit(compiling, backend):
    module = Augment(ik.Pipeline([ik.RandomResizedCrop(64)], seed=1))
    x = torch.randint(0, 256, (4, 3, 128, 128), generator=torch.Generator().manual_seed(0))
    x, key = x.to(torch.uint8), (0, np.arange(4))
    assert torch.equal(torch.compile(module, backend=backend)(x, key=key), module(x, key=key))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_compiled_transform_is_the_eager_one_for_every_key(compiling, name):
    transform = getattr(ik, name)(**TRANSFORMS[name].example)
    module, twin = (Augment(ik.Pipeline([transform], seed=3)) for _ in range(2))
    compiled = torch.compile(module, backend="eager")
    for key in KEYS:
        assert torch.equal(compiled(square(), key=key), twin(square(), key=key))
    for key in (5, (1, 2), None):
        assert torch.equal(compiled(square()[0], key=key), twin(square()[0], key=key))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("name", MIXED)
def test_a_compiled_pipeline_is_the_eager_one_for_every_key(compiling, name, dtype):
    x = square() if dtype == torch.uint8 else square().to(dtype) / 255
    module, twin = (Augment(ik.Pipeline(MIXED[name], seed=5)) for _ in range(2))
    compiled = torch.compile(module, backend="eager", dynamic=True)
    for key in KEYS:
        assert torch.equal(compiled(x, key=key), twin(x, key=key))


def test_a_compiled_pipeline_moves_labels_and_carries_gradients(compiling):
    module = Augment(AUG)
    compiled = torch.compile(module, backend="eager")
    boxes = [torch.tensor([[1.0, 2, 9, 8]])] * 4
    given = {"image": square(), "boxes": boxes, "labels": [torch.tensor([1])] * 4}
    found, expected = compiled(key=(0, range(4)), **given), module(key=(0, range(4)), **given)
    assert torch.equal(found["image"], expected["image"])
    assert all(map(torch.equal, found["boxes"], expected["boxes"]))
    x = (square().float() / 255).requires_grad_()
    (slope,) = torch.autograd.grad(compiled(x, key=(0, range(4))).sum(), x)
    (wanted,) = torch.autograd.grad(module(x, key=(0, range(4))).sum(), x)
    assert torch.equal(slope, wanted)


class Net(nn.Module):
    """A network behind an augmentation: what users compile as one."""

    def __init__(self, augment):
        super().__init__()
        self.augment, self.first = augment, nn.Conv2d(3, 2, 3)

    def forward(self, x, epoch, indices):
        return self.first(self.augment(x, key=(epoch, indices)).float())


@pytest.mark.parametrize("indices", [np.arange(4), torch.arange(4)], ids=["array", "tensor"])
def test_a_network_behind_is_compiled_once_for_all_keys(compiling, indices):
    graphs = Graphs()
    net = Net(Augment(ik.Pipeline(MIXED["warps"], seed=5)))
    compiled = torch.compile(net, backend=graphs)
    for step in range(4):
        expected = net(square(), 7, indices + 4 * step)
        assert torch.equal(compiled(square(), 7, indices + 4 * step), expected)
    assert graphs.count == 1


def test_numbers_of_a_key_that_compiled_code_reads_compile_no_graph_anew():
    torch._dynamo.reset()
    graphs = Graphs()
    net = Net(Augment(ik.Pipeline(MIXED["warps"], seed=5)))
    compiled = torch.compile(net, backend=graphs)
    for epoch in range(12):  # Dynamo makes a number a symbol when it changes
        assert torch.equal(compiled(square(), epoch, range(4)), net(square(), epoch, range(4)))
    assert graphs.count == 1
    torch._dynamo.reset()


def test_a_whole_graph_is_refused_with_the_reason():
    torch._dynamo.reset()
    compiled = torch.compile(Net(Augment(AUG)), backend="eager", fullgraph=True)
    with pytest.raises(Exception, match="imgkit draws and plans each call in Python"):
        compiled(square(), 0, range(4))
    torch._dynamo.reset()


def test_a_module_that_compiles_itself_is_the_same(compiling):
    module, twin = (Augment(ik.Pipeline(MIXED["photograph"], seed=5)) for _ in range(2))
    module.compile(backend="eager")
    for key in KEYS:
        assert torch.equal(module(square(), key=key), twin(square(), key=key))


def test_exported_with_sizes_that_may_change_it_is_the_eager_one():
    module = Augment(ik.Pipeline([ik.Letterbox(20), ik.Rotate(10), ik.Normalize("half")], seed=1))
    sizes = {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
    x = square().float() / 255
    exported = torch.export.export(module, (x,), dynamic_shapes=(sizes,)).module()
    # the contract between backends, divided by the standard deviation
    torch.testing.assert_close(exported(x), module(x), rtol=0, atol=2e-4)
