"""The contract between planners and backends: the stages of a plan, as numbers for N samples.

Every array has N as its first axis. A plan for one sample may hold sequences of plain numbers in
place of arrays (`imgkit.augment.plan.single`): code that runs one sample reads them with the
`..._of` methods, code that runs a batch calls `batched`. A stage does nothing to a sample for which
`acts` is False. Fills and offsets are fractions of the full range.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from imgkit.image import Array

Size = tuple[int | Array, int | Array]  # height and width: integers, or arrays (N,)
Entries = tuple[float, float, float, float, float, float, float, float, float]  # a matrix by rows
ColorStep = Sequence[Sequence[float]]  # three rows of seven numbers: see `Color`

Column = Array | Sequence[float]  # (N,)
Rows = Array | Sequence[Sequence[float]]  # (N, K)
Matrices = Array | Sequence[Entries]  # (N, 3, 3)
ColorSteps = Array | Sequence[Sequence[ColorStep]]  # (N, K, 3, 7)

IDENTITY_MATRIX: Entries = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
IDENTITY_STEP = np.concatenate([np.eye(3), np.zeros((3, 4))], axis=1)  # (3, 7)
IDENTITY_STEP.flags.writeable = False
IDENTITY_ROWS = tuple(map(tuple, IDENTITY_STEP.tolist()))

LUMA = (0.2989, 0.587, 0.114)  # ITU-R BT.601, rounded as torchvision rounds it
WHOLE_IMAGE_CURVES = ("equalize", "autocontrast")  # their table depends on the whole image
ROUNDED_INPUT = ("curve", "filter", "call")  # kinds that read whole levels of an integer image


@dataclass(frozen=True, eq=False)
class Field:
    """The numbers that a displacement field is computed from.

    kind "elastic": `key` (N, 2) uint64 seeds a lattice of B-spline weights, `smoothness` (N,)
    pixels apart by standard deviation, scaled until the largest displacement is `amount` (N,)
    pixels. kind "grid": `nodes` (N, rows, columns, 2) displacements in pixels, bilinear between.
    """

    kind: str
    amount: Array
    smoothness: Array
    key: Array
    nodes: Array


@dataclass(frozen=True, eq=False)
class GeometricStep:
    """One geometric op of a run: where the pixels of one canvas lie on the next.

    `kind` is "move" (flips, quarter turns, integer crops and pads: pixels stay whole), "resize"
    (axis-aligned, reads `window` alone and repeats its edge) or "warp" (reads beyond its canvas
    what `border` shows). `matrix` (N, 3, 3) maps input pixel centers to output pixel centers;
    a warp with a `field` has displacements instead. `window` (N, 4) is left, top, right, bottom
    in pixel edges.
    """

    name: str
    kind: str
    in_size: Size
    out_size: Size
    matrix: Matrices | None = None
    field: Field | None = None
    window: Rows | None = None
    outside: bool = False  # a move that may show what lies beyond its canvas: a pad
    interpolation: str = "bilinear"
    antialias: bool = True
    border: str = "constant"
    fill: tuple[float, ...] = (0.0,)

    def matrix_of(self, sample: int) -> Entries | None:
        """Return the entries of a sample's matrix."""
        if self.matrix is None:
            return None
        own = self.matrix[sample]
        return tuple(own.ravel().tolist()) if isinstance(own, np.ndarray) else own

    def moves(self, sample: int) -> bool:
        """Return whether the step changes a sample."""
        if self.matrix is None:
            field = self.field
            return field is None or bool(field.amount[sample] != 0 or field.nodes[sample].any())
        own = self.matrix[sample]
        if (own if isinstance(own, tuple) else self.matrix_of(sample)) != IDENTITY_MATRIX:
            return True
        same = self.in_size is self.out_size
        return not same and size_of(self.in_size, sample) != size_of(self.out_size, sample)


def size_of(size: Size, sample: int) -> tuple[int, int]:
    """Return the height and width of one sample."""
    height, width = size
    return (
        int(height[sample]) if isinstance(height, np.ndarray) and height.ndim else int(height),
        int(width[sample]) if isinstance(width, np.ndarray) and width.ndim else int(width),
    )


@dataclass(frozen=True, eq=False)
class Resample:
    """A run of geometric ops, carried out with one interpolation."""

    kind: ClassVar[str] = "resample"
    geometric_steps: tuple[GeometricStep, ...]

    @property
    def in_size(self) -> Size:
        """Height and width of the input."""
        return self.geometric_steps[0].in_size

    @property
    def out_size(self) -> Size:
        """Height and width of the output."""
        return self.geometric_steps[-1].out_size

    def acts(self, sample: int) -> bool:
        """Return whether the stage changes a sample."""
        return any(step.moves(sample) for step in self.geometric_steps)


@dataclass(frozen=True, eq=False)
class Color:
    """Linear color steps, each clipped to the range: ``x' = A x + B mean(x) + c``.

    `steps` is (N, K, 3, 7), rows of [A | B | c]; mean(x) holds the channel means of the image
    that enters the step. Samples with fewer than K steps end in identities.
    """

    kind: ClassVar[str] = "color"
    steps: ColorSteps

    def steps_of(self, sample: int) -> list[ColorStep]:
        """Return the steps that change a sample, in plain numbers."""
        own = self.steps[sample]
        steps = own.tolist() if isinstance(own, np.ndarray) else own
        return [step for step in steps if tuple(map(tuple, step)) != IDENTITY_ROWS]

    def acts(self, sample: int) -> bool:
        """Return whether the stage changes a sample."""
        return bool(self.steps_of(sample))


@dataclass(frozen=True, eq=False)
class Hue:
    """A turn of the HSV hue by `shift` (N,), in turns."""

    kind: ClassVar[str] = "hue"
    shift: Column

    def acts(self, sample: int) -> bool:
        """Return whether the stage changes a sample."""
        return bool(self.shift[sample] != 0)


@dataclass(frozen=True, eq=False)
class Curve:
    """Functions of one value each, in order: `names` and their `parameters` (N, K).

    They become one table for integers. `active` is (N, K).
    """

    kind: ClassVar[str] = "curve"
    names: tuple[str, ...]
    parameters: Rows
    active: Rows

    def curves_of(self, sample: int) -> list[tuple[str, float]]:
        """Return the name and parameter of each curve that changes a sample."""
        values, active = _plain(self.parameters, sample), _plain(self.active, sample)
        every = zip(self.names, values, active, strict=True)
        return [(name, float(value)) for name, value, on in every if on]

    def acts(self, sample: int) -> bool:
        """Return whether the stage changes a sample."""
        return any(self.active[sample])


@dataclass(frozen=True, eq=False)
class Filter:
    """A neighborhood function and its parameters, each of length N.

    `name` is that of a layer-one function, or of a function in a backend's `filters`. `host_only`
    says why the filter has no device kernel; it is empty for a filter that has one.
    """

    kind: ClassVar[str] = "filter"
    name: str
    parameters: dict[str, Column]
    active: Column
    host_only: str = ""

    def numbers_of(self, sample: int) -> dict[str, Any]:
        """Return a sample's parameters as plain numbers."""
        return {name: _plain(values, sample) for name, values in self.parameters.items()}

    def acts(self, sample: int) -> bool:
        """Return whether the stage changes a sample."""
        return bool(self.active[sample])


@dataclass(frozen=True, eq=False)
class Call:
    """A Python function on the host; its pixels are unknown to the planner.

    `function` takes one image (H, W, C) of the image's own dtype and one sample's `numbers`, and
    returns an image of the same shape and dtype. It may write to the image, which is a copy.
    """

    kind: ClassVar[str] = "call"
    name: str
    function: Callable[[Array, dict[str, Any]], Array]
    numbers: dict[str, Column]
    active: Column

    def numbers_of(self, sample: int) -> dict[str, Any]:
        """Return a sample's numbers as plain numbers."""
        return {name: _plain(values, sample) for name, values in self.numbers.items()}

    def acts(self, sample: int) -> bool:
        """Return whether the stage changes a sample."""
        return bool(self.active[sample])


@dataclass(frozen=True, eq=False)
class Noise:
    """Noise of strength `amount` (N,) from the counter-based sequence of `key` (N, 2)."""

    kind: ClassVar[str] = "noise"
    name: str
    amount: Column
    key: Array
    active: Column

    def acts(self, sample: int) -> bool:
        """Return whether the stage changes a sample."""
        return bool(self.active[sample] and self.amount[sample] != 0)


@dataclass(frozen=True, eq=False)
class Erase:
    """Rectangles (N, K, 4) of left, top, right, bottom in pixels, set to `fill`."""

    kind: ClassVar[str] = "erase"
    rectangles: Array
    fill: tuple[float, ...]

    def acts(self, sample: int) -> bool:
        """Return whether the stage changes a sample."""
        return bool(self.rectangles[sample].any())


@dataclass(frozen=True, eq=False)
class Mix:
    """A weighted sum of branches of stages; `weights` (N, B + 1), the image itself first."""

    kind: ClassVar[str] = "mix"
    branches: tuple[tuple[Stage, ...], ...]
    weights: Array

    def acts(self, sample: int) -> bool:
        """Return whether the stage changes a sample."""
        return bool(self.weights[sample, 0] != 1)


@dataclass(frozen=True, eq=False)
class Normalize:
    """The form of the output: scaled to 0..1, minus mean, by std, channels first."""

    kind: ClassVar[str] = "normalize"
    to_float: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    chw: bool

    def acts(self, sample: int) -> bool:
        """Return whether the stage changes a sample."""
        return True


Stage = Resample | Color | Hue | Curve | Filter | Call | Noise | Erase | Mix | Normalize
STAGES: dict[str, type] = {
    stage.kind: stage
    for stage in (Resample, Color, Hue, Curve, Filter, Call, Noise, Erase, Mix, Normalize)
}


def gives_floats(stages: Sequence[Stage]) -> bool:
    """Return whether the stages turn integers into floats."""
    return any(isinstance(stage, Normalize) and stage.to_float for stage in stages)


def batched(values: Array | Sequence[Any]) -> Array:
    """Return the numbers of N samples as an array."""
    return values if isinstance(values, np.ndarray) else np.asarray(values)


def _plain(values: Any, sample: int) -> Any:
    """Return one sample's numbers without NumPy's types."""
    own = values[sample]
    if isinstance(values, np.ndarray) and values.dtype == object:
        return own  # as a user's `draw` gave it
    return own.tolist() if isinstance(own, (np.ndarray, np.generic)) else own
