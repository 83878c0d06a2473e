"""The numbers of the fused kernel: the constants of a launch, and the work of its programs.

NumPy alone. `layout` turns a plan into one row of numbers a sample and the spec of the kernel that
reads them; `share` returns the number of programs and the work of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from imgkit.backends.tensor import prepare
from imgkit.border import BORDERS
from imgkit.geometry import resolve_batch as resolve
from imgkit.image import Array
from imgkit.kernels import gaussian_taps_of_each
from imgkit.stages import GeometricStep, Resample, Stage

FIXED = 33  # columns before the Gaussians: see `fused_kernel`
KERNELS = {"nearest": 0, "bilinear": 1, "bicubic": 2}
MIXED = len(BORDERS)
KINDS = {"linear": 1, "means": 2, "hue": 3, "curve": 4, "erase": 5, "normalize": 6}
PIXELS, ALONE = -1, -2  # what a launch does, if not the mean of that number


class KernelSpec(NamedTuple):
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
    def pixels(self) -> int:
        """The number of pixels of a sample."""
        return self.out_size[0] * self.out_size[1]


# --- who computes what -----------------------------------------------------------------------

PROCESSORS = 132  # multiprocessors of an H100 and an H200; an A100 has 108
SMALL, PROJECTIVE = (8, 64), (8, 80)  # warps and registers; left alone ptxas spills at 40
LARGE = (16, 128)  # those that fill a multiprocessor
ALONE_LIMIT = 2**16  # pixels that a program computes for its own means and others do again


class Share(NamedTuple):
    """The programs of a batch, and the pixels of each."""

    launches: tuple[int, ...]  # PIXELS, ALONE, or the numbers of means
    programs: int  # of a sample
    warps: int  # of a program, 32 pixels each at a time
    registers: int  # that a thread may use
    tiles: int  # of a sample: what its programs compute at a time

    @property
    def block(self) -> int:
        """The number of pixels of a tile."""
        return 32 * self.warps


def share(spec: KernelSpec, samples: int, processors: int = PROCESSORS) -> Share:
    """Distribute a batch over programs.

    Without contrast every tile has a program of its own. Contrast is relative to the mean of a
    whole image. One launch is enough where each program adds up the means of its sample by itself,
    before it writes the tiles that are its own: none waits for another, which can hang where not
    all fit on the device. Such a program fills a multiprocessor, and a sample has as many of them
    as there are multiprocessors for each.

    The programs of a sample repeat one another's sums. A batch that fills the device has one
    program a sample and repeats nothing. If samples are fewer, and have more than `ALONE_LIMIT`
    pixels to repeat (256 x 256 with one contrast), each mean has a launch in front of the pixels'
    instead, in which every tile has a program.
    """
    if spec.means:
        programs = max(processors // samples, 1)
        if spec.means * spec.pixels * (1 - 1 / programs) < ALONE_LIMIT:
            return _shared((ALONE,), spec, LARGE, programs)
    return _shared((*range(spec.means), PIXELS), spec, PROJECTIVE if spec.projective else SMALL)


def _shared(
    launches: tuple[int, ...], spec: KernelSpec, size: tuple[int, int], programs: int | None = None
) -> Share:
    warps, registers = size
    tiles = -(-spec.pixels // (32 * warps))
    return Share(
        launches, tiles if programs is None else min(programs, tiles), warps, registers, tiles
    )


# --- numbers ---------------------------------------------------------------------------------


def layout(
    stages: Sequence[Stage], sizes: Array, offsets: Array, pitches: Array
) -> tuple[KernelSpec, Array, Array]:
    """Lay out the numbers of a plan that `capability.fusion_blocker` accepts.

    Args:
        stages: of the plan.
        sizes: (N, 2) height and width of the sources.
        offsets: (N,) where each begins.
        pitches: (N,) values from a row of pixels to the next.

    Returns:
        What to compile for, the numbers (N, row) float64, and the tables (N, T, 256) uint8.
    """
    samples = len(sizes)
    geometric = next((stage for stage in stages if isinstance(stage, Resample)), None)
    source, columns = _source(geometric, sizes, offsets, pitches)
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
    size = source.pop("out_size")
    names: Any = tuple(zip(*steps, strict=True)) if steps else ((), (), ())
    spec = KernelSpec(size, **source, steps=names[0], columns=names[1], counts=names[2],
                means=stops.shape[1], stops=width, tables=max(len(tables), 1),
                row=width + stops.shape[1])  # fmt: skip
    stacked = np.stack(tables, axis=1) if tables else np.zeros((samples, 1, 256))
    return spec, np.concatenate(columns, axis=1, dtype=np.float64), stacked.astype(np.uint8)


def _stops(reads: list[tuple[int, Array]], samples: int) -> Array:
    """Return the steps of each sample that read a mean, in order, (N, most of any); -1 ends."""
    if not reads:
        return np.zeros((samples, 0))
    places, mine = np.array([place for place, _ in reads]), np.stack([m for _, m in reads], axis=1)
    most = int(mine.sum(axis=1).max())
    order = np.argsort(~mine, axis=1, kind="stable")[:, :most]
    return np.where(np.take_along_axis(mine, order, axis=1), places[order], -1)


def _source(
    stage: Resample | None, sizes: Array, offsets: Array, pitches: Array
) -> tuple[dict[str, Any], list[Array]]:
    """Lay out the numbers of reading the source."""
    samples = len(sizes)
    head = [offsets[:, None], sizes, pitches[:, None]]
    if stage is None:
        maps = _still(sizes)
        out_size = tuple(sizes[0].tolist())
    else:
        maps = resolve.resolve_batch(stage.geometric_steps, samples, 3)
        out_size = prepare.uniform(stage.out_size)
    inverse = resolve.inverses(maps)
    interpolation = "nearest" if (maps.kind == resolve.MOVE).all() else maps.interpolation
    reach = KERNELS[interpolation]
    smooth = (maps.kind == resolve.RESIZE) & maps.antialias & (reach > 0)
    shrink = np.maximum(maps.window[:, :1:-1] / np.maximum(maps.resized[:, ::-1], 1), 1.0)
    stretch = np.where(smooth[:, None], shrink, 1.0)
    sigma = np.zeros((samples, 2)) if reach == 0 else resolve.sigmas(maps, inverse)
    (taps_x, wide), (taps_y, tall) = (gaussian_taps_of_each(s) for s in sigma.T)
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
    """Return the maps of a plan without geometric ops."""
    size = (sizes[:, 0], sizes[:, 1])
    matrix = np.tile(np.eye(3), (len(sizes), 1, 1))
    step = GeometricStep("identity", "move", size, size, matrix, antialias=False)
    return resolve.resolve_batch([step], len(sizes), 3)


def _code(codes: Array) -> int:
    """Return the one border that occurs, or MIXED."""
    return int(codes[0]) if (codes == codes[0]).all() else MIXED


def _gaussian(taps: Array, spread: int) -> Array:
    """Return taps (N, 2 R + 1) with zeros around them, (N, 2 spread + 9)."""
    margin = spread + 4 - taps.shape[1] // 2
    return np.pad(taps, ((0, 0), (margin, margin)))


def _steps(stage: Stage, samples: int) -> list[tuple[str, Array]]:
    """Lay out the numbers of a stage behind the resampling, one block a step of the kernel."""
    if stage.kind == "resample":
        return []
    prepared = prepare.prepare(stage, prepare.BatchShape(samples, 3, (1, 1), 255.0, True))
    if prepared is None:
        return []
    own = prepared.numbers
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
            for k, reads in enumerate(prepared.spec)
        ]
    if stage.kind == "hue":
        return [("hue", own["shift"][:, None])]
    if stage.kind == "curve":
        return [("curve", np.concatenate([own["0.active"][:, None], own["0.table"]], axis=1))]
    if stage.kind == "erase":
        fill = np.broadcast_to(own["fill"], (samples, 3))
        return [("erase", np.concatenate([fill, own["rectangles"].reshape(samples, -1)], axis=1))]
    return [("normalize", np.tile(np.concatenate([own["scale"], own["offset"]]), (samples, 1)))]
