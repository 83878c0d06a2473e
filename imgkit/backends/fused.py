"""The default pipeline on CUDA in one Triton kernel: resample, color, curve, normalize, cast.

The source is a batch tensor, or a packed ragged one (a flat uint8 buffer, where each image begins,
and its size). One copy brings the numbers of the plan, nothing waits for the device, and each
output pixel is computed and written once. A plan is fused if it starts with at most one matrix
resampling of uint8 RGB and goes on with color, hue, curves, up to `HOLES` rectangles and
normalization; `why_not` says what keeps it from that. Everything else takes the tensor backend.

Contrast needs the mean of a whole image before its first pixel can be written, so a plan with it
launches the kernel twice: first each sample is computed up to its own contrast, wherever that
stands in its order, and sums are written instead of pixels. (More than one contrast in a list: a
launch each.) They are added in a fixed order: the same key gives the same bits.
"""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from imgkit.backends.tensor import prepare, resolve
from imgkit.backends.tensor.pack import upload
from imgkit.backends.tensor.pointwise import OF_THE_WHOLE
from imgkit.border import BORDERS

Array = npt.NDArray[Any]

BLOCK = 256  # pixels a program
WARPS = 8  # one pixel a thread; two spill (benchmarks/cuda_static.py)
HOLES = 8  # rectangles tested in registers
FIXED = 33  # columns before the Gaussians: see `fused_kernel`
KERNELS = {"nearest": 0, "bilinear": 1, "bicubic": 2}
MIXED = len(BORDERS)
KINDS = {"linear": 1, "means": 2, "hue": 3, "curve": 4, "erase": 5, "normalize": 6}
DTYPES = {"float32": 4, "float16": 2, "bfloat16": 2, "uint8": 1}


class Spec(NamedTuple):
    """What a launch is compiled for, and the layout of its numbers."""

    out_size: tuple[int, int]
    interpolation: int
    static_taps: int  # 0: each sample has its own
    spread: int  # the largest radius of a Gaussian
    borders: int  # a code, or MIXED
    pads: int  # likewise; -1 where every window lies within its source
    cuts: int  # canvases
    projective: bool
    steps: tuple[int, ...]
    columns: tuple[int, ...]  # where the numbers of each step begin
    counts: tuple[int, ...]  # table or holes of each step
    means: int  # the most of any sample
    stops: int  # where the steps that read them are listed
    tables: int
    row: int  # numbers of a sample

    @property
    def tiles(self) -> int:
        """How many programs share a sample."""
        return -(-self.out_size[0] * self.out_size[1] // BLOCK)

    @property
    def registers(self) -> int:
        """How many a thread may use: left to itself ptxas stops at 40 and spills 8 bytes of some.

        64 leave room for four programs on a multiprocessor; float64 division needs more.
        """
        return 80 if self.projective else 64

    @property
    def launches(self) -> int:
        """How often the kernel runs for a batch."""
        return 1 + self.means


class Packed(NamedTuple):
    """A ragged batch of RGB images: flat uint8, first value and size of each image."""

    flat: Tensor  # (values,)
    offsets: Array  # (N,) int64
    sizes: Array  # (N, 2) height, width


@functools.cache
def has_triton() -> bool:
    """Whether Triton can be imported."""
    return importlib.util.find_spec("triton") is not None


# --- which plans are fused -----------------------------------------------------------------


def why_not(stages: Sequence[Any], dtype: str = "uint8", channels: int = 3) -> str:
    """Say why a plan takes the tensor backend instead; empty if it is one kernel."""
    if dtype != "uint8" or channels != 3:
        return f"the kernel reads uint8 RGB; this is {dtype} with {channels} channels"
    for place, stage in enumerate(stages):
        if stage.kind == "resample":
            if place:
                return "a resampling stands behind other stages"
            if any(hop.field is not None for hop in stage.hops):
                return "a displacement field"
            if any(np.size(side) and np.ptp(side) for side in stage.out_size):
                return "sizes that vary within the batch"
        elif stage.kind == "curve" and any(name in OF_THE_WHOLE for name in stage.names):
            return "a curve that needs the whole image"
        elif stage.kind == "erase" and stage.rectangles.shape[1] > HOLES:
            return f"more than {HOLES} holes"
        elif stage.kind not in ("color", "hue", "curve", "erase", "normalize"):
            return f"a stage of kind {stage.kind}"
    return ""


# --- numbers ---------------------------------------------------------------------------------


def layout(
    stages: Sequence[Any], sizes: Array, offsets: Array, pitches: Array
) -> tuple[Spec, Array, Array]:
    """Lay out the numbers of a plan that `why_not` accepts.

    Args:
        stages: of the plan.
        sizes: (N, 2) height and width of the sources.
        offsets: (N,) where each begins.
        pitches: (N,) values from a row of pixels to the next.

    Returns:
        What to compile for, the numbers (N, row) float64, and the tables (N, T, 256) uint8.
    """
    samples = len(sizes)
    geometric = next((stage for stage in stages if stage.kind == "resample"), None)
    how, columns = _source(geometric, sizes, offsets, pitches)
    width = sum(column.shape[1] for column in columns)
    steps: list[tuple[int, int, int]] = []
    tables: list[Array] = []
    reads: list[tuple[int, Array]] = []
    for stage in stages:
        for kind, own in _steps(stage, samples):
            count = 0
            if kind == "curve":
                count, own, table = len(tables), own[:, :1], own[:, 1:]
                tables.append(table)
            elif kind == "means":
                reads.append((len(steps), np.asarray(own[:, 9:18].any(axis=1))))
            elif kind == "erase":
                count = (own.shape[1] - 3) // 4
            steps.append((KINDS[kind], width, count))
            columns.append(own)
            width += own.shape[1]
    stops = _stops(reads, samples)
    columns.append(stops)
    size = how.pop("out_size")
    names: Any = tuple(zip(*steps, strict=True)) if steps else ((), (), ())
    spec = Spec(size, **how, steps=names[0], columns=names[1], counts=names[2],
                means=stops.shape[1], stops=width, tables=max(len(tables), 1),
                row=width + stops.shape[1])  # fmt: skip
    made = np.stack(tables, axis=1) if tables else np.zeros((samples, 1, 256))
    return spec, np.concatenate(columns, axis=1, dtype=np.float64), made.astype(np.uint8)


def _stops(reads: list[tuple[int, Array]], samples: int) -> Array:
    """Return the steps of each sample that read a mean, in order, (N, most of any); -1 ends."""
    if not reads:
        return np.zeros((samples, 0))
    places, mine = np.array([place for place, _ in reads]), np.stack([m for _, m in reads], axis=1)
    most = int(mine.sum(axis=1).max())
    order = np.argsort(~mine, axis=1, kind="stable")[:, :most]
    return np.where(np.take_along_axis(mine, order, axis=1), places[order], -1)


def _source(
    stage: Any, sizes: Array, offsets: Array, pitches: Array
) -> tuple[dict[str, Any], list[Array]]:
    """Lay out how the source is read."""
    samples = len(sizes)
    head = [offsets[:, None], sizes, pitches[:, None]]
    if stage is None:
        maps = _still(sizes)
        out_size = tuple(sizes[0].tolist())
    else:
        maps = resolve.resolve_batch(stage.hops, samples, 3)
        out_size = prepare.uniform(stage.out_size)
    inverse = resolve.inverses(maps)
    word = "nearest" if (maps.kind == resolve.MOVE).all() else maps.interpolation
    reach = KERNELS[word]
    smooth = (maps.kind == resolve.RESIZE) & maps.antialias & (reach > 0)
    shrink = np.maximum(maps.window[:, :1:-1] / np.maximum(maps.resized[:, ::-1], 1), 1.0)
    stretch = np.where(smooth[:, None], shrink, 1.0)
    sigma = np.zeros((samples, 2)) if reach == 0 else resolve.sigmas(maps, inverse)
    (taps_x, wide), (taps_y, tall) = (resolve.gaussians(s) for s in sigma.T)
    spread = max(taps_x.shape[1], taps_y.shape[1]) // 2
    radius = np.where(sigma.max(axis=1)[:, None] > 0, np.stack([wide, tall], axis=1), -1)
    taps = (
        2 * np.ceil(reach * stretch) + 2 * np.maximum(radius, 0) if reach else np.ones((samples, 2))
    )
    same = not spread and not smooth.any()
    used = np.flatnonzero(maps.cuts.any(axis=0))
    beyond = (maps.window[:, :2] < 0).any() or (
        maps.window[:, :2] + maps.window[:, 2:] > sizes
    ).any()
    bottom = np.concatenate([inverse[:, 2], maps.canvases[maps.cuts][:, 2]])
    projective = bool((bottom != (0, 0, 1)).any())
    numbers = [
        *head, maps.window, maps.border[:, None], maps.pad[:, None], stretch, taps, smooth[:, None],
        np.where(smooth, -0.5, -0.75)[:, None], radius, inverse.reshape(samples, 9),
        np.rint(maps.fill * 255.0), np.rint(maps.pad_fill * 255.0),
        _gaussian(taps_x, spread), _gaussian(taps_y, spread),
    ]  # fmt: skip
    for place in used:
        cut = maps.cuts[:, place, None]
        matrix = np.where(cut, maps.canvases[:, place].reshape(samples, 9), np.eye(3).ravel())
        edges = np.where(cut, maps.canvas_sizes[:, place], resolve.ENDLESS)
        fill = np.broadcast_to(np.rint(maps.canvas_fills[place] * 255.0), (samples, 3))
        numbers += [matrix, edges, fill]
    return {
        "out_size": out_size,
        "interpolation": reach,
        "static_taps": max(2 * reach, 1) if same else 0,
        "spread": spread,
        "borders": _code(maps.border),
        "pads": _code(maps.pad) if beyond else -1,
        "cuts": len(used),
        "projective": projective,
    }, numbers


def _still(sizes: Array) -> resolve.Maps:
    """Return the maps of a plan that moves nothing."""
    hop = _Still("move", (sizes[:, 0], sizes[:, 1]), np.tile(np.eye(3), (len(sizes), 1, 1)))
    return resolve.resolve_batch([hop], len(sizes), 3)


class _Still(NamedTuple):
    """A hop that leaves everything where it is."""

    kind: str
    in_size: Any
    matrix: Array
    field: None = None
    window: None = None
    outside: bool = False
    interpolation: str = "bilinear"
    antialias: bool = False
    border: str = "constant"
    fill: tuple[float, ...] = (0.0,)

    @property
    def out_size(self) -> Any:
        """The size that comes out."""
        return self.in_size


def _code(codes: Array) -> int:
    """Return the one border that occurs, or MIXED."""
    return int(codes[0]) if (codes == codes[0]).all() else MIXED


def _gaussian(taps: Array, spread: int) -> Array:
    """Return taps (N, 2 R + 1) with zeros around them, (N, 2 spread + 9)."""
    margin = spread + 4 - taps.shape[1] // 2
    return np.pad(taps, ((0, 0), (margin, margin)))


def _steps(stage: Any, samples: int) -> list[tuple[str, Array]]:
    """Lay out the numbers of a stage behind the resampling, one part a step of the kernel."""
    canvas = prepare.Canvas(samples, 3, (1, 1), 255.0, True)
    if stage.kind == "resample":
        return []
    step = prepare.PREPARE[stage.kind](stage, canvas)
    if step is None:
        return []
    own = step.numbers
    if stage.kind == "color":
        return [
            (
                "means" if reads else "linear",
                np.concatenate(
                    [
                        own[name][:, k].reshape(samples, -1)
                        for name in ("weights", "means", "offsets")
                    ]
                    + [own["active"][:, None]],
                    axis=1,
                ),
            )
            for k, reads in enumerate(step.how)
        ]
    if stage.kind == "hue":
        return [("hue", own["shift"][:, None])]
    if stage.kind == "curve":
        return [("curve", np.concatenate([own["0.active"][:, None], own["0.table"]], axis=1))]
    if stage.kind == "erase":
        fill = np.broadcast_to(own["fill"], (samples, 3))
        return [("erase", np.concatenate([fill, own["rectangles"].reshape(samples, -1)], axis=1))]
    return [("normalize", np.tile(np.concatenate([own["scale"], own["offset"]]), (samples, 1)))]


# --- running ---------------------------------------------------------------------------------


def run_packed(
    stages: Sequence[Any], packed: Packed, dtype: torch.dtype = torch.float32,
    channels_last: bool = False,
) -> Tensor:  # fmt: skip
    """Run a plan on a packed ragged batch, by the kernel where that can be.

    Args:
        stages: of a plan of the sizes of the images, ``pipeline.plan((heights, widths), key)``.
        packed: the images, on any device.
        dtype: of a normalized result; one that is not normalized stays uint8.
        channels_last: whether the channels of a pixel lie side by side in the result.

    Returns:
        (N, 3, H, W).

    Raises:
        ValueError: the results differ in size, or the batch is empty.
    """
    if len(packed.sizes) == 0:
        raise ValueError("packed holds no images: a batch of none has no size")
    if packed.flat.device.type == "cuda" and has_triton() and not why_not(stages):
        return launch_packed(stages, packed, dtype, channels_last)
    from imgkit.backends.tensor import plan

    images = [_image(packed, sample) for sample in range(len(packed.sizes))]
    results = [plan.run(stages, sample, image) for sample, image in enumerate(images)]
    sizes = {tuple(result.shape) for result in results}
    if len(sizes) > 1:
        raise ValueError(f"the results have sizes {sorted(sizes)}: end with one that has a `size`")
    batch = torch.stack(results)
    batch = batch.to(dtype) if batch.is_floating_point() else batch
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return batch.contiguous(memory_format=layout)


def _image(packed: Packed, sample: int) -> Tensor:
    """View one image of a packed batch as (3, H, W)."""
    height, width = packed.sizes[sample].tolist()
    start = int(packed.offsets[sample])
    flat = packed.flat[start : start + 3 * height * width]
    return flat.view(height, width, 3).permute(2, 0, 1)


def launch_batch(
    stages: Sequence[Any],
    x: Tensor,
    dtype: torch.dtype = torch.float32,
    channels_last: bool = False,
) -> Tensor:
    """Run the kernel of a plan that `why_not` accepts on a uint8 batch (N, 3, H, W), N >= 1."""
    count, _, height, width = x.shape
    offsets = np.arange(count) * x.stride(0)
    sizes = np.tile([height, width], (count, 1))
    spec, numbers, tables = layout(stages, sizes, offsets, np.full(count, x.stride(2)))
    return _launch(x, spec, numbers, tables, x.stride(3), x.stride(1), dtype, channels_last)


def launch_packed(
    stages: Sequence[Any], packed: Packed, dtype: torch.dtype = torch.float32,
    channels_last: bool = False,
) -> Tensor:  # fmt: skip
    """Run the kernel of a plan that `why_not` accepts on a packed batch of N >= 1 images."""
    pitches = 3 * packed.sizes[:, 1]
    spec, numbers, tables = layout(stages, packed.sizes, packed.offsets, pitches)
    return _launch(packed.flat, spec, numbers, tables, 3, 1, dtype, channels_last)


def _launch(
    source: Tensor, spec: Spec, numbers: Array, tables: Array, column: int, channel: int,
    dtype: torch.dtype, channels_last: bool,
) -> Tensor:  # fmt: skip
    if not any(step == KINDS["normalize"] for step in spec.steps):
        dtype = torch.uint8
    on_device = upload([numbers, tables], source.device)
    text = _text(spec)
    made: Tensor = torch.ops.imgkit.fused_augment(
        source,
        *on_device,
        text,
        [column, channel],
        str(dtype).removeprefix("torch."),
        channels_last,
    )
    return made


@functools.lru_cache(maxsize=256)
def _text(spec: Spec) -> str:
    return json.dumps(spec)


@functools.lru_cache(maxsize=256)
def _spec(text: str) -> Spec:
    return Spec._make(tuple(v) if isinstance(v, list) else v for v in json.loads(text))


def _new(source: Tensor, numbers: Tensor, spec: Spec, dtype: str, channels_last: bool) -> Tensor:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    shape = (numbers.shape[0], 3, *spec.out_size)
    return torch.empty(
        shape, dtype=getattr(torch, dtype), device=source.device, memory_format=layout
    )


@torch.library.custom_op("imgkit::fused_augment", mutates_args=())  # type: ignore[untyped-decorator]
def _fused_augment(
    source: Tensor, numbers: Tensor, tables: Tensor, spec: str, strides: list[int], dtype: str,
    channels_last: bool,
) -> Tensor:  # fmt: skip
    """Launch the kernel: once for each mean, and once for the pixels."""
    import triton

    from imgkit.backends import fused_kernel

    how = _spec(spec)
    out = _new(source, numbers, how, dtype, channels_last)
    count = len(numbers)
    sums = torch.empty(
        (count, max(how.means, 1), how.tiles, 3), dtype=torch.float32, device=source.device
    )
    fixed = constants(how)
    for step in (*range(how.means), -1):
        fused_kernel.augment[(count * how.tiles,)](
            source, numbers, tables, sums, out, *strides, *out.stride(), **fixed,
            SPAN=triton.next_power_of_2(how.tiles), PASS=step, num_warps=WARPS,
            maxnreg=how.registers,
        )  # fmt: skip
    return out


@_fused_augment.register_fake  # type: ignore[untyped-decorator]
def _(
    source: Tensor, numbers: Tensor, tables: Tensor, spec: str, strides: list[int], dtype: str,
    channels_last: bool,
) -> Tensor:  # fmt: skip
    return _new(source, numbers, _spec(spec), dtype, channels_last)


def constants(spec: Spec) -> dict[str, Any]:
    """Return the constants that the kernel is compiled for."""
    return {
        "HEIGHT": spec.out_size[0],
        "WIDTH": spec.out_size[1],
        "ROW": spec.row,
        "TABLES": spec.tables,
        "TILES": spec.tiles,
        "MEANS": spec.means,
        "STOPS": spec.stops,
        "INTERPOLATION": spec.interpolation,
        "STATIC_TAPS": spec.static_taps,
        "SPREAD": spec.spread,
        "BORDERS": spec.borders,
        "PADS": spec.pads,
        "CUTS": spec.cuts,
        "PROJECTIVE": spec.projective,
        "STEPS": spec.steps,
        "COLUMNS": spec.columns,
        "COUNTS": spec.counts,
        "BLOCK": BLOCK,
    }
