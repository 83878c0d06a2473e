"""The stages of a plan: numbers for N samples, no pixels.

Every array has N as its first axis; for one sample alone lists may stand in their place
(`imgkit.augment.plan.single`). A stage whose `active` is False for a sample leaves it alone.
Fills and offsets are fractions of the full range.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Size = tuple[Any, Any]  # height and width: integers, or arrays of length N


@dataclass(frozen=True, eq=False)
class Field:
    """A displacement field, as the numbers it is computed from.

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
    matrix: Array | None = None
    field: Field | None = None
    window: Array | None = None
    outside: bool = False  # a move that may show what lies beyond its canvas: a pad
    interpolation: str = "bilinear"
    antialias: bool = True
    border: str = "constant"
    fill: tuple[float, ...] = (0.0,)

    def moves(self, sample: int) -> bool:
        """Tell whether the hop changes a sample."""
        if self.in_size is not self.out_size and self._resizes(sample):
            return True
        if self.matrix is not None:
            matrix = self.matrix[sample]
            found = matrix.ravel().tolist() if isinstance(matrix, np.ndarray) else matrix
            return tuple(found) != IDENTITY_MATRIX
        field = self.field
        return field is None or bool(field.amount[sample] != 0 or field.nodes[sample].any())

    def _resizes(self, sample: int) -> bool:
        height, width, tall, wide = (
            side[sample] if isinstance(side, np.ndarray) and side.ndim else side
            for side in (*self.in_size, *self.out_size)
        )
        return bool(height != tall or width != wide)


@dataclass(frozen=True, eq=False)
class Resample:
    """A run of geometric ops, to be done with one interpolation."""

    kind: ClassVar[str] = "resample"
    geometric_steps: tuple[GeometricStep, ...]

    @property
    def in_size(self) -> Size:
        """Height and width of what goes in."""
        return self.geometric_steps[0].in_size

    @property
    def out_size(self) -> Size:
        """Height and width of what comes out."""
        return self.geometric_steps[-1].out_size

    def acts(self, sample: int) -> bool:
        """Tell whether the stage changes a sample."""
        return any(step.moves(sample) for step in self.geometric_steps)


@dataclass(frozen=True, eq=False)
class Color:
    """Linear color steps, each clipped to the range: ``x' = A x + B mean(x) + c``.

    `steps` is (N, K, 3, 7), rows of [A | B | c]; mean(x) holds the channel means of the image
    that enters the step. Samples with fewer than K steps end in identities.
    """

    kind: ClassVar[str] = "color"
    steps: Array

    def count(self, sample: int) -> int:
        """Return how many steps change a sample."""
        steps = self.steps[sample]
        listed = steps.tolist() if isinstance(steps, np.ndarray) else steps
        return sum(not is_identity(step) for step in listed)

    def acts(self, sample: int) -> bool:
        """Tell whether the stage changes a sample."""
        return self.count(sample) > 0


@dataclass(frozen=True, eq=False)
class Hue:
    """A turn of the HSV hue by `shift` (N,), in turns."""

    kind: ClassVar[str] = "hue"
    shift: Array

    def acts(self, sample: int) -> bool:
        """Tell whether the stage changes a sample."""
        return bool(self.shift[sample] != 0)


@dataclass(frozen=True, eq=False)
class Curve:
    """Functions of one value each, in order: `names` and their `parameters` (N, K).

    They become one table for integers. `active` is (N, K).
    """

    kind: ClassVar[str] = "curve"
    names: tuple[str, ...]
    parameters: Array
    active: Array

    def acts(self, sample: int) -> bool:
        """Tell whether the stage changes a sample."""
        return any(self.active[sample])


@dataclass(frozen=True, eq=False)
class Filter:
    """A layer-one neighborhood function and its parameters, each of length N."""

    kind: ClassVar[str] = "filter"
    name: str
    parameters: dict[str, Array]
    active: Array

    def acts(self, sample: int) -> bool:
        """Tell whether the stage changes a sample."""
        return bool(self.active[sample])


@dataclass(frozen=True, eq=False)
class Noise:
    """Noise from the counter-based sequence of `key` (N, 2), `amount` (N,) strong."""

    kind: ClassVar[str] = "noise"
    name: str
    amount: Array
    key: Array
    active: Array

    def acts(self, sample: int) -> bool:
        """Tell whether the stage changes a sample."""
        return bool(self.active[sample] and self.amount[sample] != 0)


@dataclass(frozen=True, eq=False)
class Erase:
    """Rectangles (N, K, 4) of left, top, right, bottom in pixels, set to `fill`."""

    kind: ClassVar[str] = "erase"
    rectangles: Array
    fill: tuple[float, ...]

    def acts(self, sample: int) -> bool:
        """Tell whether the stage changes a sample."""
        return bool(self.rectangles[sample].any())


@dataclass(frozen=True, eq=False)
class Mix:
    """A weighted sum of branches of stages; `weights` (N, B + 1), the image itself first."""

    kind: ClassVar[str] = "mix"
    branches: tuple[tuple[Any, ...], ...]
    weights: Array

    def acts(self, sample: int) -> bool:
        """Tell whether the stage changes a sample."""
        return bool(self.weights[sample, 0] != 1)


@dataclass(frozen=True, eq=False)
class Call:
    """A Python function of one image on the host, and the numbers that it gets, each of length N.

    The function gets an image (H, W, C) of the image's dtype and a dict of one sample's numbers,
    and returns an image of the same shape and dtype.
    """

    kind: ClassVar[str] = "call"
    name: str
    function: Callable[[Array, dict[str, Any]], Array]
    numbers: dict[str, Array]
    active: Array

    def acts(self, sample: int) -> bool:
        """Tell whether the stage changes a sample."""
        return bool(self.active[sample])


@dataclass(frozen=True, eq=False)
class Normalize:
    """What leaves the pipeline: scaled to 0..1, minus mean, by std, channels first."""

    kind: ClassVar[str] = "normalize"
    to_float: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    chw: bool

    def acts(self, sample: int) -> bool:
        """Tell whether the stage changes a sample."""
        return True


Stage = Resample | Color | Hue | Curve | Filter | Noise | Erase | Mix | Call | Normalize
STAGES: dict[str, type] = {
    stage.kind: stage
    for stage in (Resample, Color, Hue, Curve, Filter, Noise, Erase, Mix, Call, Normalize)
}
IDENTITY_MATRIX = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)  # row by row
IDENTITY_STEP = np.concatenate([np.eye(3), np.zeros((3, 4))], axis=1)  # (3, 7)
IDENTITY_STEP.flags.writeable = False
IDENTITY_ROWS = tuple(map(tuple, IDENTITY_STEP.tolist()))


def is_identity(step: Sequence[Sequence[float]]) -> bool:
    """Tell whether a step in plain numbers, 3 rows of 7, changes nothing."""
    return all(tuple(row) == rest for row, rest in zip(step, IDENTITY_ROWS, strict=True))
