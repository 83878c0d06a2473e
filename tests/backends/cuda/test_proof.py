"""What can be proven of CUDA without a GPU: devices, launches, no waiting, and compiled kernels."""

import pathlib
import re
from collections import Counter

import numpy as np
import pytest

import imgkit as ik
from imgkit.registry import TRANSFORMS

torch = pytest.importorskip("torch")
from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: E402
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

from benchmarks import cuda_static  # noqa: E402
from imgkit.backends.cuda import capability as device  # noqa: E402
from imgkit.backends.cuda import launch as fused  # noqa: E402
from imgkit.backends.cuda import layout as fused_layout  # noqa: E402
from imgkit.backends.tensor.numpy_view import native  # noqa: E402

SIZE = (33, 40)
HOST = [name for name in TRANSFORMS if getattr(ik, name).host_only]
PREPARING = r"fused_augment|_to_copy|view|slice|lift_fresh|detach|empty|prim.device"
WAITS = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "unique", "equal.default")
has_triton = pytest.mark.skipif(not fused.has_triton(), reason="Triton is not installed")


class Watch(TorchDispatchMode):
    """Counts operations, copies between devices among them."""

    def __init__(self):
        super().__init__()
        self.names = Counter()
        self.uploads = self.downloads = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        self.names[str(function)] += 1
        before = {a.device.type for a in args if isinstance(a, torch.Tensor)}
        after = result.device.type if isinstance(result, torch.Tensor) else None
        self.uploads += before == {"cpu"} and after == "cuda"
        self.downloads += before == {"cuda"} and after == "cpu"
        return result


def run_fake(aug, dtype=torch.uint8, count=4):
    """Run on a fake CUDA batch; return the result and what was watched."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        x = torch.empty(count, 3, *SIZE, device="cuda", dtype=dtype)
        with Watch() as watch:
            made = aug(x, key=(0, range(count)))
    return made, watch


def assert_device_alone(made, watch):
    for tensor in made if isinstance(made, list) else [made]:
        assert tensor.device.type == "cuda"
    assert watch.downloads == 0
    assert not [name for name in watch.names if any(word in name for word in WAITS)]


@pytest.mark.parametrize(
    "op", [op for op in TRANSFORMS.values() if op.name not in HOST], ids=lambda op: op.name
)
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_every_transform_stays_on_the_device(op, dtype):
    aug = ik.Pipeline([getattr(ik, op.name)(**op.example)], seed=3)
    made, watch = run_fake(aug, dtype)
    assert_device_alone(made, watch)
    sizes = 2 if isinstance(made, list) else 1  # one copy for each size of a batch, and its rows
    assert watch.uploads <= (1 if sizes == 1 else 2 * len(made))


@pytest.mark.parametrize("op", HOST)
def test_filters_without_a_device_kernel_are_named(op):
    """They move to the host and back, which a fake tensor cannot: there and nowhere else."""
    aug = ik.Pipeline([getattr(ik, op)()], seed=3)
    stage = aug.plan(SIZE, (0, range(4))).stages[0]
    assert stage.host_only == device.host_reason(stage) == getattr(ik, op).host_only
    with pytest.raises(RuntimeError, match="numpy"):
        run_fake(aug)


@has_triton
def test_default_pipeline_is_one_kernel_and_one_copy():
    aug = ik.Pipeline(
        [
            ik.RandomResizedCrop(16),
            ik.HorizontalFlip(p=0.5),
            ik.Affine(10),
            ik.ColorJitter(0.2, 0.2, 0.2, 0.05),
            ik.Normalize("imagenet"),
        ],
        seed=3,
    )
    made, watch = run_fake(aug)
    assert (made.shape, made.dtype) == ((4, 3, 16, 16), torch.float32)
    assert_device_alone(made, watch)
    assert watch.names["imgkit.fused_augment.default"] == 1
    assert watch.uploads == 1
    computing = [n for n in watch.names if not re.search(PREPARING, n)]
    assert computing == []


@has_triton
def test_native_context_turns_the_kernel_off():
    with native():
        _, watch = run_fake(ik.Pipeline([ik.Rotate(10)], seed=3))
    assert watch.names["imgkit.fused_augment.default"] == 0
    assert watch.uploads == 1


# --- compiled ahead of time --------------------------------------------------------------------


VARIANTS = list(cuda_static.variants())
QUICK = (
    "crop, flip, affine, normalize",
    "perspective",
    "bilinear affine, wrap",
    "crop, flip, affine, jitter, normalize",
    "crop, flip, affine, jitter",  # uint8
    "crop, two contrasts",
    "perspective, jitter",
    "crop to 512, affine, jitter",  # a launch for the mean
)


@has_triton
@pytest.mark.parametrize("architecture", cuda_static.ARCHITECTURES)
@pytest.mark.parametrize("name", QUICK)
def test_kernels_compile_without_spilling(name, architecture):
    variant = next(v for v in VARIANTS if v.name == name)
    spec, _ = cuda_static.spec_of(variant.pipeline)
    work = fused_layout.share(spec, cuda_static.SAMPLES)
    for launch in work.launches:
        cost = cuda_static.compile_for(spec, variant.dtype, architecture, launch)
        assert cost.spills == 0
        # three programs of 256 threads fit a multiprocessor, or one of 512 that adds up means
        assert cost.registers <= (128 if launch == fused_layout.ALONE else 80)
        assert cost.shared <= 4096


def test_page_lists_every_variant_without_spills():
    page = pathlib.Path(cuda_static.PAGE).read_text()
    uses = r"(\d+) / (\d+) / \d+ \|"
    row = rf"^\| (.+?) \| (\w+) \| [\w ]+ \| \d+ \| \d+ \| {uses} {uses}$"
    used = re.findall(row, page, re.M)
    assert {name for name, *_ in used} == {variant.name for variant in VARIANTS}
    assert all(row[3] == row[5] == "0" for row in used)


BUDGET = [v for v in VARIANTS if v.name.startswith("crop, flip, affine, jitter")]


@pytest.mark.parametrize("variant", BUDGET, ids=lambda v: f"{v.name}, {v.dtype}")
def test_default_pipelines_are_one_launch_and_move_what_they_must(variant):
    """The mean reads the source once more, from the cache: what is computed at a time fits."""
    spec, _ = cuda_static.spec_of(variant.pipeline)
    assert len(fused_layout.share(spec, cuda_static.SAMPLES).launches) == 1
    cost = cuda_static.budget(variant)
    assert cost.moved <= 1.02 * cost.least
    assert cost.flying <= min(cuda_static.L2.values())
    assert (cost.again > 0) == bool(spec.means)
    row = f"| {variant.name} | {variant.dtype} | 1 | {cost.least / 1e6:.1f} | "
    row += f"{cost.moved / 1e6:.1f} | {cost.moved / cost.least:.2f} |"
    assert row in pathlib.Path(cuda_static.PAGE).read_text()


# --- on a device ---------------------------------------------------------------------------------


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(
    "op", [op for op in TRANSFORMS.values() if op.name != "CLAHE"], ids=lambda op: op.name
)
def test_device_gives_what_the_oracle_gives(op):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (4, *SIZE, 3), np.uint8)
    aug, key = ik.Pipeline([getattr(ik, op.name)(**op.example)], seed=3), (0, range(4))
    made = aug(torch.from_numpy(x).permute(0, 3, 1, 2).cuda(), key=key)
    for mine, wanted in zip(made, aug.reference(x, key=key), strict=True):
        first = np.moveaxis(wanted, -1, 0) if wanted.shape[-1] == 3 else wanted
        tolerance = 1 if wanted.dtype == np.uint8 else 1e-4
        assert np.abs(mine.cpu().double().numpy() - first.astype(np.float64)).max() <= tolerance


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_nothing_waits_for_the_device():
    aug = ik.Pipeline([ik.RandomResizedCrop(16), ik.ColorJitter(0.2, 0.2, 0.2, 0.05)], seed=3)
    x = torch.zeros(4, 3, *SIZE, dtype=torch.uint8, device="cuda")
    aug(x, key=(0, range(4)))  # compiles
    torch.cuda.set_sync_debug_mode("error")
    try:
        aug(x, key=(0, range(4)))
    finally:
        torch.cuda.set_sync_debug_mode("default")
