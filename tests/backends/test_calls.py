"""Python functions as stages of a plan: `imgkit.stages.Call` on every backend."""

import dataclasses

import numpy as np
import pytest

import imgkit as ik
from imgkit.backends.array import plan as array_plan
from imgkit.backends.cuda.capability import fusion_blocker, host_reason
from imgkit.backends.reference import plan as oracle
from imgkit.image import full_range, saturate
from imgkit.stages import Call, Color, Filter, Mix

SIZE = (9, 7)
COUNT = 4
DTYPES = ("uint8", "uint16", "float32", "float64")


def photo(dtype="uint8", channels=3):
    rng = np.random.default_rng(0)
    return saturate(rng.random((COUNT, *SIZE, channels)) * full_range(dtype), dtype)


class Recorder:
    """Inverts the left `columns` columns in place, and keeps what it was called with."""

    def __init__(self):
        self.calls = []

    def __call__(self, image, numbers):
        self.calls.append((image.shape, image.dtype.name, image.flags.c_contiguous, numbers))
        columns = image[:, : numbers["columns"]]
        columns[...] = full_range(image.dtype) - columns
        return image


def call(function, active=(True, False, True, True), columns=(1, 2, 3, 7)):
    numbers = {"columns": np.array(columns), "weight": np.arange(2.0 * COUNT).reshape(COUNT, 2)}
    return Call("invert columns", function, numbers, np.array(active))


def expected(x, active=(True, False, True, True), columns=(1, 2, 3, 7)):
    x = x.copy()
    for image, on, count in zip(x, active, columns, strict=True):
        if on:
            image[:, :count] = full_range(x.dtype) - image[:, :count]
    return x


def brightness(factor=0.703):
    step = np.concatenate([factor * np.eye(3), np.zeros((3, 4))], axis=1)
    return Color(np.tile(step, (COUNT, 1, 1, 1)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("runner", [array_plan, oracle], ids=["array", "reference"])
def test_a_function_gets_one_image_and_plain_numbers(runner, dtype):
    x, function = photo(dtype), Recorder()
    before = x.copy()
    x.flags.writeable = False
    results = [runner.run((call(function),), i, image) for i, image in enumerate(x)]
    np.testing.assert_array_equal(results, expected(before))
    shape = (*SIZE, 3)
    assert [seen[:3] for seen in function.calls] == [(shape, dtype, True)] * 3
    assert [seen[3] for seen in function.calls] == [
        {"columns": n, "weight": [2.0 * i, 2.0 * i + 1]} for i, n in ((0, 1), (2, 3), (3, 7))
    ]
    assert type(function.calls[0][3]["columns"]) is int


@pytest.mark.parametrize("runner", [array_plan, oracle], ids=["array", "reference"])
def test_levels_are_whole_before_and_after_a_function(runner):
    """A function between two color stages gets uint8, rounded as if the plan ended there."""
    x, seen = photo(), []

    def keep(image, numbers):
        seen.append(image.copy())
        return image

    stages = (brightness(), call(keep, active=[True] * COUNT), brightness(1.4))
    for i, image in enumerate(x):
        result = runner.run(stages, i, image)
        alone = runner.run((brightness(),), i, image)
        np.testing.assert_array_equal(seen[-1], alone)
        np.testing.assert_array_equal(result, runner.run((brightness(1.4),), i, alone))


@pytest.mark.parametrize("runner", [array_plan, oracle], ids=["array", "reference"])
def test_a_function_after_a_geometric_run_gets_contiguous_pixels(runner):
    x = photo()
    aug = ik.Pipeline([ik.Resize((5, 6)), ik.HorizontalFlip()], seed=0)
    function = Recorder()
    stages = (*aug.plan(SIZE, (0, range(COUNT))).stages, call(function))
    runner.run(stages, 0, x[0])
    assert function.calls[0][:3] == ((5, 6, 3), "uint8", True)


def test_backends_agree():
    x = photo()
    stages = (brightness(), call(Recorder()), brightness(1.3))
    for i, image in enumerate(x):
        ours, wanted = array_plan.run(stages, i, image), oracle.run(stages, i, image)
        assert np.abs(ours.astype(int) - wanted).max() <= 1


def test_a_function_runs_on_the_host_and_is_never_fused():
    stage = call(Recorder())
    assert host_reason(stage) == "a Python function runs on the host"
    assert fusion_blocker((stage,)) == "a stage of kind call"
    assert host_reason(Mix(((stage,),), np.full((COUNT, 2), 0.5))) == host_reason(stage)


# --- tensors --------------------------------------------------------------------------------


def tensor_plan():
    pytest.importorskip("torch")
    from imgkit.backends.tensor import plan

    return plan


@pytest.mark.parametrize("way", ["views", "torch operations"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_tensors_go_to_the_host_and_back(dtype, way):
    plan = tensor_plan()
    import torch

    from imgkit.backends.tensor.numpy_view import native

    x, function = photo(dtype), Recorder()
    tensor = torch.from_numpy(x).permute(0, 3, 1, 2)
    before = tensor.clone()
    if way == "views":
        result = plan.run_batch((call(function),), tensor)
    else:
        with native():
            result = plan.run_batch((call(function),), tensor)
    assert result.dtype == tensor.dtype
    assert torch.equal(tensor, before)
    np.testing.assert_array_equal(result.permute(0, 2, 3, 1).numpy(), expected(x))
    assert [seen[:3] for seen in function.calls] == [((*SIZE, 3), dtype, True)] * 3
    assert function.calls[0][3] == {"columns": 1, "weight": [0.0, 1.0]}


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_halves_reach_a_function_as_float32(half):
    plan = tensor_plan()
    import torch

    function = Recorder()
    tensor = torch.from_numpy(photo("float32")).permute(0, 3, 1, 2).to(getattr(torch, half))
    result = plan.run_batch((call(function),), tensor)
    assert result.dtype == tensor.dtype
    assert function.calls[0][1] == "float32"
    wanted = expected(tensor.float().permute(0, 2, 3, 1).numpy())
    made = result.float().permute(0, 2, 3, 1).numpy()
    assert np.abs(made - wanted).max() <= torch.finfo(tensor.dtype).eps


def test_a_tensor_that_requires_a_gradient_is_refused():
    plan = tensor_plan()
    import torch

    x = torch.zeros(COUNT, 3, *SIZE, requires_grad=True)
    with pytest.raises(ValueError, match="invert columns runs on the host and has none"):
        plan.run_batch((call(Recorder()),), x)


def test_samples_of_several_sizes_keep_their_numbers():
    """A dataclass as the function is passed on whole, not taken apart by samples."""
    plan = tensor_plan()
    import torch

    @dataclasses.dataclass(frozen=True)
    class Add:
        table: np.ndarray

        def __call__(self, image, numbers):
            return image + self.table[numbers["columns"]]

    stages = ik.Pipeline([ik.RandomCrop(4, p=0.5)], seed=3).plan(SIZE, (0, range(COUNT))).stages
    table = np.arange(8, dtype=np.float32) / 16
    stage = call(Add(table), active=[True] * COUNT)
    x = torch.rand(COUNT, 3, *SIZE, generator=torch.Generator().manual_seed(0))
    from imgkit.backends.tensor.numpy_view import native

    with native():
        plain, added = plan.run_batch(stages, x), plan.run_batch((*stages, stage), x)
    assert len({tuple(image.shape) for image in plain}) == 2
    for before, after, columns in zip(plain, added, (1, 2, 3, 7), strict=True):
        assert torch.allclose(after, before + float(table[columns]))


def test_a_layer_one_filter_without_a_form_for_batches_runs_sample_by_sample():
    """`bilateral_blur` is in no backend's table of filters: the plan finds it by its name."""
    plan = tensor_plan()
    import torch

    from imgkit.backends.tensor.numpy_view import native

    numbers = {"sigma_color": np.full(COUNT, 30.0), "sigma_space": np.array([0.5, 1.0, 1.5, 2.0])}
    stage = Filter("bilateral_blur", numbers, np.array([True, True, False, True]))
    x = photo()
    with native():
        made = plan.run_batch((stage,), torch.from_numpy(x).permute(0, 3, 1, 2))
    for i, image in enumerate(x):
        wanted = oracle.run((stage,), i, image)
        assert np.abs(array_plan.run((stage,), i, image).astype(int) - wanted).max() <= 1
        assert np.abs(made[i].permute(1, 2, 0).numpy().astype(int) - wanted).max() <= 1
