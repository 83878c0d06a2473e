"""The default pipeline on CUDA in one Triton kernel: resample, color, curve, normalize, cast.

The source is a batch tensor, or a packed ragged one (a flat uint8 buffer, where each image begins,
and its size). One copy brings the numbers of the plan, no call waits for the device, and one
launch writes each output pixel once. A plan is fused if it starts with at most one matrix
resampling of uint8 RGB and goes on with color, hue, curves, a few rectangles and normalization;
`capability.fusion_blocker` says what keeps it from that. `imgkit.backends.tensor.plan` decides.

Contrast needs the mean of a whole image before its first pixel can be written: each program adds it
up by itself, up to the sample's own contrast, wherever that stands in its order
(`layout.share`). Sums are added in a fixed order: the same key gives the same bits.
"""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from imgkit.backends.cuda.layout import KINDS, PROCESSORS, KernelSpec, Share, layout, share
from imgkit.backends.tensor.primitives.upload import upload
from imgkit.image import Array
from imgkit.stages import Stage

TRITON = (3, 3)  # from here on constants may be tuples
DTYPES = {"float32": 4, "float16": 2, "bfloat16": 2, "uint8": 1}


class Packed(NamedTuple):
    """A ragged batch of RGB images: flat uint8, first value and size of each image."""

    flat: Tensor  # (values,)
    offsets: Array  # (N,) int64
    sizes: Array  # (N, 2) height, width

    def image(self, sample: int) -> Tensor:
        """View one image as (3, H, W)."""
        height, width = self.sizes[sample].tolist()
        start = int(self.offsets[sample])
        values = self.flat[start : start + 3 * height * width]
        return values.view(height, width, 3).permute(2, 0, 1)


@functools.cache
def has_triton() -> bool:
    """Whether there is a Triton that compiles the kernel; that of torch 2.6, 3.2, does not."""
    if importlib.util.find_spec("triton") is None:
        return False
    import triton

    return tuple(int(number) for number in triton.__version__.split(".")[:2]) >= TRITON


def launch_batch(
    stages: Sequence[Stage],
    x: Tensor,
    dtype: torch.dtype = torch.float32,
    channels_last: bool = False,
) -> Tensor:
    """Run the kernel on a uint8 batch (N, 3, H, W), N >= 1; no stage is a `fusion_blocker`."""
    count, _, height, width = x.shape
    offsets = np.arange(count) * x.stride(0)
    sizes = np.tile([height, width], (count, 1))
    spec, numbers, tables = layout(stages, sizes, offsets, np.full(count, x.stride(2)))
    return _launch(x, spec, numbers, tables, x.stride(3), x.stride(1), dtype, channels_last)


def launch_packed(
    stages: Sequence[Stage], packed: Packed, dtype: torch.dtype = torch.float32,
    channels_last: bool = False,
) -> Tensor:  # fmt: skip
    """Run the kernel of a plan that `fusion_blocker` accepts on a packed batch of N >= 1 images."""
    pitches = 3 * packed.sizes[:, 1]
    spec, numbers, tables = layout(stages, packed.sizes, packed.offsets, pitches)
    return _launch(packed.flat, spec, numbers, tables, 3, 1, dtype, channels_last)


def _launch(
    source: Tensor, spec: KernelSpec, numbers: Array, tables: Array, column: int, channel: int,
    dtype: torch.dtype, channels_last: bool,
) -> Tensor:  # fmt: skip
    if not any(step == KINDS["normalize"] for step in spec.steps):
        dtype = torch.uint8
    on_device = upload([numbers, tables], source.device)
    text = _text(spec)
    result: Tensor = torch.ops.imgkit.fused_augment(
        source,
        *on_device,
        text,
        column,
        channel,
        str(dtype).removeprefix("torch."),
        channels_last,
    )
    return result


@functools.lru_cache(maxsize=256)
def _text(spec: KernelSpec) -> str:
    return json.dumps(spec)


@functools.lru_cache(maxsize=256)
def _spec(text: str) -> KernelSpec:
    return KernelSpec._make(tuple(v) if isinstance(v, list) else v for v in json.loads(text))


def _new(
    source: Tensor, numbers: Tensor, spec: KernelSpec, dtype: str, channels_last: bool
) -> Tensor:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    shape = (numbers.shape[0], 3, *spec.out_size)
    return torch.empty(
        shape, dtype=getattr(torch, dtype), device=source.device, memory_format=layout
    )


@torch.library.custom_op("imgkit::fused_augment", mutates_args=())  # type: ignore[untyped-decorator]
def _fused_augment(
    source: Tensor, numbers: Tensor, tables: Tensor, spec: str, column: int, channel: int,
    dtype: str, channels_last: bool,
) -> Tensor:  # fmt: skip
    """Launch the kernel."""
    from imgkit.backends.cuda import kernel as fused_kernel

    compiled = _spec(spec)
    out = _new(source, numbers, compiled, dtype, channels_last)
    count = len(numbers)
    work = share(compiled, count, processors(source.device))
    slots = max(3 * compiled.means * count * work.programs, 1)
    sums = torch.empty(slots, dtype=torch.float32, device=source.device)
    for launch in work.launches:
        fused_kernel.augment[(count * work.programs,)](
            source, numbers, tables, sums, out, work.programs, column, channel, *out.stride(),
            **constants(compiled, work, launch), num_warps=work.warps, maxnreg=work.registers,
        )  # fmt: skip
    return out


@_fused_augment.register_fake  # type: ignore[untyped-decorator]
def _(
    source: Tensor, numbers: Tensor, tables: Tensor, spec: str, column: int, channel: int,
    dtype: str, channels_last: bool,
) -> Tensor:  # fmt: skip
    return _new(source, numbers, _spec(spec), dtype, channels_last)


@functools.cache
def processors(device: torch.device) -> int:
    """Return the number of multiprocessors of a device; that of an H100 if it is not a GPU."""
    if device.type != "cuda":
        return PROCESSORS
    return int(torch.cuda.get_device_properties(device).multi_processor_count)


def constants(spec: KernelSpec, work: Share, launch: int) -> dict[str, Any]:
    """Return the constants that a launch of the kernel is compiled for."""
    return {
        "HEIGHT": spec.out_size[0],
        "WIDTH": spec.out_size[1],
        "ROW": spec.row,
        "TABLES": spec.tables,
        "TILES": work.tiles,
        "SPAN": 1 << (work.tiles - 1).bit_length(),  # a power of two
        "MEANS": spec.means,
        "PASS": launch,
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
        "BLOCK": work.block,
    }
