"""Costs of the CUDA kernel that need no GPU to measure: registers, spills, shared memory, bytes.

Compiles every variant of the kernel for sm_80 and sm_90, reads the report of `ptxas`, and
compares the bytes that each pipeline must move with the bandwidth of an A100 and an H100::

    python -m benchmarks.cuda_static        # writes benchmarks/cuda_static.md
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

import imgkit as ik
from imgkit import geometry
from imgkit.backends.cuda import launch as fused
from imgkit.backends.cuda import layout as fused_layout

PAGE = pathlib.Path(__file__).with_suffix(".md")
ARCHITECTURES = (80, 90)
BANDWIDTH = {"A100 80 GB": 2039e9, "H100 SXM": 3352e9}  # bytes/s, of the vendors' data sheets
L2 = {"A100": 40e6, "H100": 50e6}  # bytes, likewise
SOURCE, OUTPUT, SAMPLES = (375, 500), 224, 64
TYPES = {"float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "uint8": "u8"}


class Variant(NamedTuple):
    """One pipeline and output that the kernel is compiled for."""

    name: str
    pipeline: Any
    dtype: str = "float32"


class Cost(NamedTuple):
    """The resources of one compiled kernel."""

    registers: int
    spills: int  # bytes stored to and loaded from local memory
    shared: int


def variants() -> Iterator[Variant]:
    """Yield every kind of kernel: interpolations, footprints, borders, steps, dtypes."""
    last = [ik.Normalize("imagenet")]
    crop = [ik.RandomResizedCrop(OUTPUT), ik.HorizontalFlip(p=0.5)]
    affine = ik.Affine((-15, 15), (0.1, 0.1), (0.8, 1.2))
    jitter = ik.ColorJitter(0.2, 0.2, 0.2, 0.05)
    lists: dict[str, list[Any]] = {
        "crop, flip, normalize": [*crop, *last],
        "crop, flip, affine, normalize": [*crop, affine, *last],
        "crop, flip, affine, jitter, normalize": [*crop, affine, jitter, *last],
        "crop, flip, affine, jitter without contrast, normalize":
            [*crop, affine, ik.ColorJitter(0.2, 0, 0.2, 0.05), *last],
        "bicubic crop, flip, jitter, posterize, erase, normalize":
            [ik.RandomResizedCrop(OUTPUT, interpolation="bicubic"), ik.HorizontalFlip(p=0.5),
             jitter, ik.Posterize(4, p=0.5), ik.Erase(p=0.5), *last],
        "perspective": [ik.Resize(OUTPUT), ik.Perspective(0.3), *last],
        "perspective, jitter": [ik.Resize(OUTPUT), ik.Perspective(0.3), jitter, *last],
        "crop without antialias, flip": [ik.RandomResizedCrop(OUTPUT, antialias=False),
                                         ik.HorizontalFlip(p=0.5), *last],
        "nearest crop": [ik.RandomResizedCrop(OUTPUT, interpolation="nearest"), *last],
        "flip, pad, crop": [ik.HorizontalFlip(p=0.5), ik.RandomCrop(OUTPUT, padding=16), *last],
        "six geometric ops": [ik.Rotate(15, p=0.5), ik.Shear(10, p=0.5), ik.Translate((-0.1, 0.1)),
                              ik.Scale((0.7, 1.4)), ik.CenterCrop(OUTPUT), ik.Rotate(5), *last],
        "crop, two contrasts": [*crop, jitter, ik.Contrast((0.8, 1.25)), *last],
        "crop to 512, affine, jitter": [ik.RandomResizedCrop(512), affine, jitter, *last],
    }  # fmt: skip
    for name, ops in lists.items():
        yield Variant(name, ik.Pipeline(ops, seed=0))
    for border in ("edge", "reflect", "symmetric", "wrap"):
        for word in ("bilinear", "bicubic"):
            ops = [ik.Affine((-15, 15), (0.1, 0.1), (0.4, 1.2), border=border, interpolation=word)]
            yield Variant(f"{word} affine, {border}", ik.Pipeline([*ops, *last], seed=0))
    full = ik.Pipeline(lists["crop, flip, affine, jitter, normalize"], seed=0)
    for dtype in ("float16", "bfloat16"):
        yield Variant(f"crop, flip, affine, jitter, normalize, {dtype}", full, dtype)
    yield Variant(
        "crop, flip, affine, jitter", ik.Pipeline([*crop, affine, jitter], seed=0), "uint8"
    )


def stages_of(pipeline: Any) -> tuple[Any, ...]:
    """Return the stages of a batch of typical photographs."""
    stages: tuple[Any, ...] = pipeline.plan(SOURCE, (0, range(SAMPLES))).stages
    return stages


def spec_of(pipeline: Any) -> tuple[fused_layout.KernelSpec, np.ndarray]:
    """Return the spec of a pipeline's kernel, and the numbers of a batch."""
    sizes = np.tile(SOURCE, (SAMPLES, 1))
    count = SOURCE[0] * SOURCE[1] * 3
    spec, numbers, _ = fused_layout.layout(
        stages_of(pipeline), sizes, np.arange(SAMPLES) * count, np.full(SAMPLES, 3 * SOURCE[1])
    )
    return spec, numbers


def compile_for(spec: fused_layout.KernelSpec, dtype: str, architecture: int, launch: int) -> Cost:
    """Compile one launch of the kernel and return its resources."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from imgkit.backends.cuda import kernel as fused_kernel

    work = fused_layout.share(spec, SAMPLES)
    fixed = fused.constants(spec, work, launch)
    kinds = {"source": "*u8", "numbers": "*fp64", "tables": "*u8", "sums": "*fp32"}
    kinds["out"] = f"*{TYPES[dtype]}"
    names = fused_kernel.augment.arg_names
    signature = {n: "constexpr" if n in fixed else kinds.get(n, "i32") for n in names}
    aligned = {(names.index(n),): [["tt.divisibility", 16]] for n in kinds}
    source = ASTSource(fused_kernel.augment, signature, fixed, aligned)
    target = GPUTarget("cuda", architecture, 32)
    made = triton.compile(
        source, target=target, options={"num_warps": work.warps, "maxnreg": work.registers}
    )
    return resources(made.asm["ptx"], architecture)._replace(shared=made.metadata.shared)


def resources(ptx: str, architecture: int) -> Cost:
    """Return the resources of a kernel, from `ptxas`."""
    import triton

    tool = pathlib.Path(triton.__file__).parent / "backends/nvidia/bin/ptxas"
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder) / "kernel.ptx"
        source.write_text(ptx)
        target = f"sm_{architecture}{'a' if architecture == 90 else ''}"
        done = subprocess.run(
            [tool, "-v", f"--gpu-name={target}", str(source), "-o", f"{folder}/kernel.cubin"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    spills = sum(int(n) for n in re.findall(r"(\d+) bytes spill", done.stderr))
    shared = re.search(r"(\d+) bytes smem", done.stderr)
    registers = re.search(r"Used (\d+) registers", done.stderr)
    assert registers is not None, done.stderr
    return Cost(int(registers[1]), spills, int(shared[1]) if shared else 0)


# --- bytes ---------------------------------------------------------------------------------------


def source_footprint(pipeline: Any) -> float:
    """Return the bytes of source pixels that a sample shows, on average."""
    stage = next((s for s in stages_of(pipeline) if s.kind == "resample"), None)
    if stage is None:
        return SOURCE[0] * SOURCE[1] * 3.0
    seen = [_seen(geometry.resolve(stage.geometric_steps, sample)) for sample in range(SAMPLES)]
    return 3.0 * float(np.mean(seen))


def _seen(how: geometry.Sampling) -> int:
    """Count the source pixels that a resolved run reads, to the pixels beside each position."""
    top, left, height, width = how.window
    hit = np.zeros(SOURCE, bool)
    if how.kind == "resize":
        hit[max(top, 0) : top + height, max(left, 0) : left + width] = True
        return int(hit.sum())
    at, _ = geometry.sampling_positions(how)
    grow = max(1, int(np.ceil(np.sqrt(abs(np.linalg.det(np.linalg.inv(how.matrix[:2, :2])))))))
    for dy in range(-grow + 1, grow + 1):
        for dx in range(-grow + 1, grow + 1):
            x = np.floor(at[..., 0]).astype(int) + dx + left
            y = np.floor(at[..., 1]).astype(int) + dy + top
            inside = (x >= 0) & (x < SOURCE[1]) & (y >= 0) & (y < SOURCE[0])
            hit[y[inside], x[inside]] = True
    return int(hit.sum())


class Budget(NamedTuple):
    """The bytes of one batch: the minimum of any program, and those that the kernel requests."""

    least: float
    moved: float
    again: float  # read from the L2 cache: what a program of the same sample has just read
    flying: float  # of the source, of all samples that are computed at a time


def budget(variant: Variant) -> Budget:
    """Count the bytes of a batch."""
    spec, numbers = spec_of(variant.pipeline)
    work = fused_layout.share(spec, SAMPLES)
    sample = source_footprint(variant.pipeline)
    source = SAMPLES * sample
    output = SAMPLES * 3 * spec.pixels * fused.DTYPES[variant.dtype]
    sums = 2 * 12 * SAMPLES * spec.means * work.programs
    extra = 2 * numbers.nbytes + 2 * 256 * SAMPLES * spec.tables + sums
    if fused_layout.ALONE not in work.launches:
        return Budget(source + output, len(work.launches) * source + output + extra, 0, 0)
    flying = sample * min(SAMPLES, -(-fused_layout.PROCESSORS // work.programs))
    passes = 1 if flying <= min(L2.values()) else 1 + spec.means
    again = source * (work.programs * spec.means + 1 - passes)
    return Budget(source + output, passes * source + output + extra, again, flying)


# --- the page ------------------------------------------------------------------------------------


LAUNCHES = {fused_layout.PIXELS: "pixels", fused_layout.ALONE: "means and pixels"}


def write() -> str:
    """Return the page."""
    listed = list(variants())
    return "\n".join([*_introduction(), *_resources(listed), *_bytes(listed)]) + "\n"


def _introduction() -> list[str]:
    return [
        "# The CUDA kernel, without a GPU",
        "",
        "Written by `python -m benchmarks.cuda_static`: compiled ahead of time, not run. No time",
        "on this page was measured: times are bytes by bandwidth, which no kernel beats.",
        "",
        f"Batches of {SAMPLES} RGB photographs of {SOURCE[0]} x {SOURCE[1]} pixels, a device of "
        f"{fused_layout.PROCESSORS} multiprocessors.",
        "",
    ]


def _resources(listed: list[Variant]) -> list[str]:
    """Return the resources of every launch of every variant."""
    lines = [
        "## What each variant uses",
        "",
        "Every launch of every variant: registers a thread, bytes spilled, bytes of shared memory.",
        "",
        "| pipeline | output | launch | programs | warps | sm_80 | sm_90 |",
        "|---|---|---|--:|--:|--:|--:|",
    ]
    for variant in listed:
        spec, _ = spec_of(variant.pipeline)
        work = fused_layout.share(spec, SAMPLES)
        for launch in work.launches:
            cells = [compile_for(spec, variant.dtype, sm, launch) for sm in ARCHITECTURES]
            printable = " | ".join(f"{c.registers} / {c.spills} / {c.shared}" for c in cells)
            lines.append(
                f"| {variant.name} | {variant.dtype} | {LAUNCHES.get(launch, 'mean')} | "
                f"{SAMPLES * work.programs} | {work.warps} | {printable} |"
            )
    return [*lines, ""]


def _bytes(listed: list[Variant]) -> list[str]:
    """Return the bytes of every variant."""
    lines = [
        "## Bytes and rooflines",
        "",
        "Least: the source pixels that the batch shows, read once, and the output, written once.",
        "Moved: what the launches ask of the device's memory, with the numbers of the plan.",
        "",
        "Contrast reads every sample twice or more, first for its mean. Within one launch all but",
        "the first reading is traffic of the L2 cache, not of memory: a program computes one",
        "sample, so what is read again is what it read just before. `L2` are these bytes; `in",
        "flight` is the source of all the samples that are computed at a time, which has to fit in",
        f"the cache ({L2['A100'] / 1e6:.0f} MB in an A100, {L2['H100'] / 1e6:.0f} MB in an H100). "
        "Where it does not, the second reading",
        "counts as moved, and so it does where a mean has a launch of its own. The pixels written",
        "pass through the cache, too; they are never read.",
        "",
        "Bytes are not all: the programs of one sample repeat its sums (`fused_layout.share`),",
        "which costs arithmetic that this page does not time.",
        "",
        "| pipeline | output | launches | least, MB | moved, MB | ratio | L2, MB | in flight, MB | "
        + " | ".join(f"{name}, us" for name in BANDWIDTH) + " |",
        "|---|---|--:|--:|--:|--:|--:|--:|" + "--:|" * len(BANDWIDTH),
    ]  # fmt: skip
    for variant in listed:
        spec, _ = spec_of(variant.pipeline)
        cost, work = budget(variant), fused_layout.share(spec, SAMPLES)
        times = " | ".join(f"{cost.moved / speed * 1e6:.0f}" for speed in BANDWIDTH.values())
        lines.append(
            f"| {variant.name} | {variant.dtype} | {len(work.launches)} | "
            f"{cost.least / 1e6:.1f} | {cost.moved / 1e6:.1f} | {cost.moved / cost.least:.2f} | "
            f"{cost.again / 1e6:.1f} | {cost.flying / 1e6:.1f} | {times} |"
        )
    return lines


if __name__ == "__main__":
    page = write()
    PAGE.write_text(page)
    sys.stdout.write(page)
