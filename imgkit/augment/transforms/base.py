"""What a transform is: a frozen declaration of fields that turns numbers into fragments of stages.

A transform draws its numbers (its fields by their declaration, others by `draw`), then lowers them
to one fragment for each of its `stage_kinds`; it never sees pixels, unless it is a user's with an
`apply`. See docs/extending.md.

Numbers are arrays of length N. Where the transform is `scalar`, they may be plain numbers of one
sample: then "active" is a bool, and fragments hold lists of one sample in place of arrays.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
from collections.abc import Iterator
from dataclasses import field
from typing import Any, ClassVar, dataclass_transform

import numpy as np
import numpy.typing as npt

from imgkit.augment.transforms import parameters
from imgkit.augment.transforms.unused import refuse_unused
from imgkit.backends import call_untraced, is_traced
from imgkit.border import check_border_word
from imgkit.checks import check_choice, check_number, suggest
from imgkit.draws import FieldDraw
from imgkit.registry import public
from imgkit.stages import IDENTITY_STEP, GeometricStep, Size

Array = npt.NDArray[Any]
Numbers = dict[str, Any]  # what a transform drew: arrays of length N, or plain numbers
GIVES = {"apply": "call", "matrix": "resample", "color": "color"}  # of a user's transform


def _check_probability(value: Any, name: str) -> float:
    return check_number(value, name, 0, 1)


@dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
@dataclasses.dataclass(frozen=True)
class Transform:
    """The base of every transform, imgkit's and your own: checked fields and a probability `p`.

    A subclass becomes a frozen dataclass. A field annotated `float` or `int` takes a number, a
    pair (uniform) or a `Choice`, and arrives drawn in ``numbers``; a field of another type arrives
    as given. A subclass of your own defines one of:

    - ``apply(self, image, numbers)``: the pixels of one image (H, W, C), same shape and dtype back;
    - ``matrix(self, numbers, size)``: a 3x3 map of pixel centers, input to output; it is fused
      with its neighbors, and labels follow;
    - ``color(self, numbers)``: a 3x4 matrix on RGB fractions of the full range; it is fused.

    ``draw(self, rng, size)`` may return more numbers, from ``rng.uniform``, ``rng.integers``,
    ``rng.normal`` and ``rng.choice``.

    Args:
        p: the probability that the transform happens to an image.

    Raises:
        TypeError: a subclass defines none of the three, or a method that a pipeline never runs
            (``__call__``, ``forward``, ``apply_to_mask``); a field is unknown or of a wrong type.
        ValueError: a field is out of its range.

    Example:
        >>> import imgkit as ik, numpy as np
        >>> class Shade(ik.Transform):
        ...     share: float = 0.5
        ...     def apply(self, image, numbers):
        ...         return (image * numbers["share"]).astype(image.dtype)
        >>> Shade((0.2, 0.8))(np.full((2, 2, 3), 100, np.uint8), key=3)[0, 0].tolist()
        [47, 47, 47]
    """

    __slots__ = ("__dict__", "__weakref__", "_field_draws")  # the last apart from the fields

    # spelled out for type checkers, which know dataclasses.field alone
    p: float = field(
        default=1.0,
        kw_only=True,
        metadata={"check": _check_probability, "limits": {"low": 0, "high": 1}},
    )

    # Traits, read by whoever plans, explains or runs; a subclass sets those that differ.
    stage_kinds: ClassVar[tuple[str, ...]] = ()  # of the fragments, in order
    colors: ClassVar[bool] = False  # needs 1 (gray) or 3 (RGB) channels
    scalar: ClassVar[bool] = True  # draws and lowers one sample in plain numbers
    vectorized: ClassVar[bool] = False  # draws and lowers N samples in arrays
    blocks: ClassVar[int] = 1  # blocks of four random words that it usually takes
    motion: ClassVar[str] = "aligned"  # of geometric ones; or "warp" by a matrix, or a "field"
    exact: ClassVar[bool] = False  # keeps the source's pixels whole, and shows no other
    changes_size: ClassVar[bool] = False
    keeps_scale: ClassVar[bool] = False  # a result is as large in the image as before, or smaller
    needs_whole_image: ClassVar[bool] = False  # its curve depends on all pixels
    host_only: ClassVar[str] = ""  # why it has no device kernel
    exclusive: ClassVar[bool] = False  # at most one of its children happens
    specs: ClassVar[tuple[dataclasses.Field[Any], ...]] = ()  # the fields, as declared
    drawn_fields: ClassVar[tuple[tuple[str, Any], ...]] = ()  # (name, how it is drawn)
    draws_more: ClassVar[bool] = False  # has a `draw` of its own
    happens_apart: ClassVar[bool] = False  # has a `happens` of its own

    def __init_subclass__(cls, init: bool = True, eq: bool = True) -> None:
        super().__init_subclass__()
        _declare_annotated(cls)
        dataclasses.dataclass(frozen=True, init=init, eq=eq, repr=False)(cls)
        del cls.__setattr__, cls.__delattr__  # so that a decorated subclass is one as well
        cls.specs = dataclasses.fields(cls)
        for spec in cls.specs:
            if spec.name != "p" and (spec.name == "active" or hasattr(Transform, spec.name)):
                raise TypeError(f"{cls.__name__}.{spec.name}: that name is taken, choose another")
        cls.drawn_fields = tuple(
            (spec.name, spec.metadata["drawn"])
            for spec in cls.specs
            if spec.metadata.get("drawn") is not None
        )
        cls.draws_more = cls.draw is not Transform.draw
        cls.happens_apart = cls.happens is not Transform.happens
        if init:
            cls.__init__ = _explaining(cls)  # type: ignore[method-assign]
        if not _is_imgkits(cls):
            refuse_unused(cls, Transform)
        given = [name for name in GIVES if callable(getattr(cls, name, None))]
        if cls.vectorized and any(name in cls.__dict__ for name in GIVES) and not _is_imgkits(cls):
            raise TypeError(
                f"{cls.__name__} defines a result anew: derive it from imgkit.Transform"
            )
        if given and not cls.vectorized:
            cls.stage_kinds = tuple(GIVES[name] for name in given)
            cls.colors = cls.colors or "color" in given
            cls.motion = "warp" if "matrix" in given else cls.motion

    def __post_init__(self) -> None:
        if not self.vectorized and len(self.stage_kinds) != 1:
            count = "several" if self.stage_kinds else "none"
            raise TypeError(f"{self.name} defines {count} of apply, matrix and color: define one")
        for spec in self.specs:
            check = spec.metadata.get("check")
            if check is not None:
                value = check(getattr(self, spec.name), spec.name)
                object.__setattr__(self, spec.name, value)

    def __call__(self, x: Any = None, /, *, key: Any = None, **targets: Any) -> Any:
        """Run this transform alone; see `Pipeline.__call__`."""
        if is_traced():
            return call_untraced(Transform.__call__, self, x, key=key, **targets)
        return public("Pipeline")([self])(x, key=key, **targets)

    def __repr__(self) -> str:
        specs = sorted(self.specs, key=lambda spec: (spec.name == "p", spec.kw_only))
        values = ", ".join(f"{s.name}={getattr(self, s.name)!r}" for s in specs if s.repr)
        return f"{self.name}({values})"

    @property
    def name(self) -> str:
        """The transform's name, as pipelines and plans write it."""
        return type(self).__name__

    @property
    def commutes(self) -> bool:
        """Whether it is linear color that never clips: then it commutes with resampling."""
        return False

    @property
    def children(self) -> tuple[Transform, ...]:
        """The transforms that a control transform chooses from."""
        return ()

    @property
    def is_drawing(self) -> bool:
        """Whether it takes random words."""
        return bool(self.drawn_fields) or self.draws_more or 0 < self.p < 1

    @property
    def is_random(self) -> bool:
        """Whether its numbers differ from image to image."""
        drawn = any(spec.kind != "constant" for spec in self.field_draws)
        return drawn or self.draws_more or 0 < self.p < 1

    @property
    def field_draws(self) -> tuple[FieldDraw, ...]:
        """How each drawn field of this transform is drawn."""
        found: tuple[FieldDraw, ...] | None = getattr(self, "_field_draws", None)
        if found is None:
            found = tuple(how(name, getattr(self, name)) for name, how in self.drawn_fields)
            object.__setattr__(self, "_field_draws", found)
        return found

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__

    def draw(self, rng: Any, size: Size) -> Numbers:
        """Draw more numbers than the fields, for images of `size`."""
        return {}

    def happens(self, stage_index: int, numbers: Numbers) -> Any:
        """Return where a stage happens: wherever the transform does, unless stages exclude."""
        return numbers["active"]

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> Any:
        """Turn numbers into the fragment of a stage of kind ``stage_kinds[stage_index]``."""
        return LOWER_CUSTOM[self.stage_kinds[stage_index]](self, numbers, size)


def _refuse(self: Transform, name: str, *value: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"{self.name}.{name} cannot change: make another op")


Transform.__setattr__ = Transform.__delattr__ = _refuse  # type: ignore[assignment, method-assign]


def _is_imgkits(cls: type) -> bool:
    return cls.__module__.startswith("imgkit.")


def _declare_annotated(cls: type) -> None:
    """Declare the fields annotated `float` or `int` as drawn numbers."""
    for name, annotation in inspect.get_annotations(cls).items():
        default = cls.__dict__.get(name, dataclasses.MISSING)
        by_name = False
        if isinstance(default, dataclasses.Field):
            if default.metadata:
                continue
            by_name = default.kw_only is True
            default = default.default
        if annotation in (float, "float"):
            setattr(cls, name, parameters.number(default, kw_only=by_name))
        elif annotation in (int, "int"):
            setattr(cls, name, parameters.integer(default, kw_only=by_name))


def _explaining(cls: type[Transform]) -> Any:
    """Return the constructor of a transform, with errors that name the nearest parameter."""
    build = cls.__init__
    names = [spec.name for spec in cls.specs if spec.init]

    @functools.wraps(build)
    def init(self: Transform, *args: Any, **given: Any) -> None:
        for name in given:
            if name not in names:
                raise TypeError(f"{cls.__name__} has no parameter {name!r}: {suggest(name, names)}")
        try:
            build(self, *args, **given)
        except TypeError:
            _check_arguments(cls, args, given)
            raise

    return init


def _check_arguments(cls: type[Transform], args: tuple[Any, ...], given: dict[str, Any]) -> None:
    """Raise for arguments that are missing or too many, in the words of the transform."""
    positional = [s.name for s in cls.specs if s.init and not s.kw_only]
    if len(args) > len(positional):
        raise TypeError(
            f"{cls.__name__} takes {len(positional)} arguments by place, not {len(args)}: name "
            "the others"
        ) from None
    for spec in cls.specs:
        placed = spec.name in positional[: len(args)] or spec.name in given
        if spec.init and not placed and spec.default is dataclasses.MISSING:
            raise TypeError(
                f"{cls.__name__} needs {spec.name}: write {cls.__name__}({spec.name}=...)"
            ) from None


def is_scalar(numbers: Numbers) -> bool:
    """Tell whether numbers are plain ones of one sample."""
    return isinstance(numbers["active"], bool)


def samples_of(numbers: Numbers) -> int:
    """Return how many samples the numbers are of."""
    return 1 if is_scalar(numbers) else len(numbers["active"])


def matrices(numbers: Numbers, entries: Any) -> Any:
    """Return (N, 3, 3) of entries, six or nine, that are numbers or arrays of length N.

    For one sample in plain numbers it is a list of one tuple.
    """
    if isinstance(numbers["active"], bool):
        return [(*map(float, entries), *LAST_ROW[len(entries) - 6 :])]
    matrices = np.zeros((len(numbers["active"]), 9))
    matrices[:, 8] = 1
    for place, entry in enumerate(entries):
        matrices[:, place] = entry
    return matrices.reshape(-1, 3, 3)


LAST_ROW = (0.0, 0.0, 1.0)


# --- a user's transform ---------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class AppliedTransform:
    """A user's `apply` as the function of a `Call` stage: it checks what comes back."""

    op: Any
    where: str = ""  # its place in the list

    def __call__(self, image: Array, numbers: Numbers) -> Array:
        """Return the pixels that the transform makes of an image (H, W, C)."""
        place = f"{self.where}: {self.op.name}" if self.where else self.op.name
        with errors_at(place):
            result = self.op.apply(image, _given(self.op) | numbers)
        if not isinstance(result, np.ndarray):
            raise TypeError(
                f"{place} returned {type(result).__name__}: it must return an array (H, W, C)"
            )
        if result.dtype != image.dtype or result.shape != image.shape:
            raise ValueError(
                f"{place} returned shape {result.shape} and dtype {result.dtype} for shape "
                f"{image.shape} and dtype {image.dtype}: it must keep both"
            )
        return result


@contextlib.contextmanager
def errors_at(place: str) -> Iterator[None]:
    """Name the place of an op in the errors of a user's function."""
    try:
        yield
    except Exception as error:
        if type(error) in (ValueError, TypeError):
            raise type(error)(f"{place}: {error}") from error
        error.add_note(f"in {place}")
        raise


def _given(op: Transform) -> Numbers:
    """Return the fields that are not drawn, as given."""
    drawn = {name for name, _ in op.drawn_fields} | {"p"}
    return {s.name: getattr(op, s.name) for s in op.specs if s.name not in drawn}


def _each(op: Transform, numbers: Numbers) -> Iterator[tuple[int, Numbers | None]]:
    """Yield each sample's numbers in plain form; None where the transform does not happen."""
    given = _given(op)
    if is_scalar(numbers):
        yield 0, given | numbers
        return
    for sample, active in enumerate(numbers["active"].tolist()):
        row = {k: v[sample] for k, v in numbers.items() if k != "active"}
        plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in row.items()}
        yield sample, (given | plain if active else None)


def _lower_apply(op: Any, numbers: Numbers, size: Size) -> tuple[Any, Numbers]:
    """Return the function and the numbers of a call."""
    return AppliedTransform(op), {k: v for k, v in numbers.items() if k != "active"}


def _lower_matrix(op: Any, numbers: Numbers, size: Size) -> GeometricStep:
    """Return a warp by the matrix of each sample, with the sampling that fields of the op name."""
    fill = getattr(op, "fill", 0.0)
    fill = tuple(fill) if isinstance(fill, (tuple, list)) else (check_number(fill, "fill", 0, 1),)
    interpolation = getattr(op, "interpolation", "bilinear")
    check_choice(interpolation, "interpolation", parameters.INTERPOLATIONS)
    rows = []
    for sample, mine in _each(op, numbers):
        here = tuple(int(v[sample]) if isinstance(v, np.ndarray) else int(v) for v in size)
        rows.append(np.eye(3) if mine is None else _checked_matrix(op.matrix(mine, here)))
    entries: Any = np.stack(rows) if rows else np.zeros((0, 3, 3))
    if is_scalar(numbers):
        entries = [tuple(rows[0].ravel().tolist())]
    return GeometricStep(
        op.name, "warp", size, size, entries,
        interpolation=interpolation, antialias=getattr(op, "antialias", True),
        border=check_border_word(getattr(op, "border", "constant")), fill=fill,
    )  # fmt: skip


def _checked_matrix(value: Any) -> Array:
    """Return the matrix that a user's transform gave, if it maps pixels."""
    matrix = np.asarray(value, np.float64)
    if matrix.shape == (2, 3):
        matrix = np.vstack([matrix, LAST_ROW])
    if matrix.shape != (3, 3):
        raise ValueError(f"matrix returned shape {matrix.shape}: it must return (3, 3)")
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < SINGULAR:
        raise ValueError(
            f"matrix returned {matrix.tolist()}: it needs an inverse, of finite numbers"
        )
    return matrix


SINGULAR = 1e-12  # a determinant below it has no inverse


def _lower_color(op: Any, numbers: Numbers, size: Size) -> Any:
    """Return the linear step (3, 7) of each sample."""
    steps = []
    for _, mine in _each(op, numbers):
        step = IDENTITY_STEP if mine is None else _checked_color(op.color(mine))
        steps.append(step)
    if is_scalar(numbers):
        return [steps[0].tolist()]
    return np.stack(steps)[:, None] if steps else np.zeros((0, 1, 3, 7))


def _checked_color(value: Any) -> Array:
    """Return the step [A | 0 | c] of a 3x4 matrix [A | c] that a user's transform gave."""
    matrix = np.asarray(value, np.float64)
    if matrix.shape != (3, 4) or not np.isfinite(matrix).all():
        raise ValueError(
            f"color returned {matrix.tolist()}: it must return a 3x4 matrix of finite numbers"
        )
    return np.concatenate([matrix[:, :3], np.zeros((3, 3)), matrix[:, 3:]], axis=1)


LOWER_CUSTOM = {"call": _lower_apply, "resample": _lower_matrix, "color": _lower_color}
