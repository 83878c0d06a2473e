"""Pipelines of other libraries, translated where imgkit means the same and refused by name else.

Neither library is imported: a transform is known by its module and class name, and read by its
attributes. docs/interop.md lists what each translation keeps and where results differ.

Output ops come last in imgkit. So conversions to float, normalization and channels first are
collected (`Output`) and written at the end; a transform after `Normalize` is refused unless it
can be moved before it.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from imgkit.augment.transforms import control, exact, output
from imgkit.augment.transforms.base import Transform
from imgkit.augment.transforms.parameters import Param
from imgkit.checks import suggest

Ops = list[Transform]
CUT_OFF = 3  # a Gaussian cut off here keeps 99.7 % of its weight: within 1 level


@dataclasses.dataclass
class Output:
    """What the list read so far says of the pipeline's output."""

    floats: bool = False
    channels_first: bool = False
    normalize: output.Normalize | None = None

    def ops(self) -> Ops:
        """Return the output ops."""
        last: Ops = [output.ToCHW()] if self.channels_first else []
        if self.normalize is not None:
            return [self.normalize, *last]
        return [output.ToFloat(), *last] if self.floats else last


Read = Callable[[Any, Output], Ops]


class Library(NamedTuple):
    """How the transforms of another library read in imgkit, by class name."""

    packages: tuple[str, ...]  # whose transforms they are; the library's own comes first
    release: str  # that the readers were written for
    known: dict[str, Read]
    refused: dict[str, str]  # why one has no translation
    after_normalize: frozenset[str]  # those that may stand after a normalization


def translate(transform: Any, library: Library) -> Ops:
    """Translate a transform, a `Compose` or `nn.Sequential` of them, or a list.

    Raises:
        ValueError: naming the transform that means something else here, and why.
    """
    out = Output()
    ops: Ops = []
    for place, item in enumerate(_flat(transform)):
        name = type(item).__name__
        where = f"transforms[{place}]: {name}"
        if type(item).__module__.partition(".")[0] not in library.packages:
            owner = library.packages[0]
            raise ValueError(f"{where} is not a transform of {owner}; translate it by hand")
        try:
            ops += _read(item, out, library)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{where}: {error}") from None
    return ops + out.ops()


def _flat(transform: Any) -> Iterable[Any]:
    """Yield the transforms of lists within lists."""
    name = type(transform).__name__
    if isinstance(transform, (list, tuple)):
        parts: Iterable[Any] = transform
    elif name == "Sequential" and type(transform).__module__.startswith("torch."):
        parts = transform
    elif name == "Compose" and getattr(transform, "p", 1) == 1 and hasattr(transform, "transforms"):
        parts = transform.transforms
    else:
        yield transform
        return
    for part in parts:
        yield from _flat(part)


def _read(item: Any, out: Output, library: Library) -> Ops:
    """Translate one transform."""
    name = type(item).__name__
    if name in library.refused:
        raise ValueError(library.refused[name])
    if name not in library.known:
        raise ValueError(f"it has no translation; {suggest(name, library.known)}")
    if out.normalize is not None and name not in library.after_normalize:
        raise ValueError("it comes after Normalize, which is last in imgkit; move it before")
    try:
        return library.known[name](item, out)
    except (AttributeError, LookupError, TypeError) as error:
        if not _is_unreadable(error):
            raise
        raise ValueError(_unreadable(item, library, error)) from error


def _is_unreadable(error: Exception) -> bool:
    """Return whether an object was not of the form that its reader knows.

    A check of imgkit's own transforms raises from its own module, with a message for the user.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__"))
    return isinstance(error, AttributeError) or place.startswith(__package__ or __name__)


def _unreadable(item: Any, library: Library, error: Exception) -> str:
    """Return the message for an object of another release, or of a library of the same name."""
    package = library.packages[0]
    release = getattr(sys.modules.get(package), "__version__", None)
    here = "" if release is None else f" (this is {release})"
    lacks = getattr(error, "name", None)
    if not isinstance(error, AttributeError) or not lacks:
        what = f"its parameters have another form than in {package} {library.release} ({error})"
    else:
        what = f"it has no attribute {lacks!r}, which {package} {library.release} has"
    return (
        f"{what}: it is of another release{here}, or of a library of the same name; install "
        f"{package}=={library.release}, or write the imgkit transform by hand"
    )


# --- reading parameters -----------------------------------------------------------------


def refuse(condition: Any, reason: str) -> None:
    """Raise with a reason if a condition holds."""
    if condition:
        raise ValueError(reason)


def bounds(values: Any) -> Param:
    """Return bounds as a parameter: a number if they are equal."""
    low, high = values
    return low if low == high else (low, high)


def turned(values: Any) -> Param:
    """Return bounds with the sign turned."""
    return bounds((-values[1] or 0.0, -values[0] or 0.0))


def one_or_two(value: Any) -> Any:
    """Return a size of one or two numbers."""
    values = list(value) if isinstance(value, Sequence) else [value]
    return values[0] if len(values) == 1 else tuple(values)


def fraction(value: Any, out: Output) -> Any:
    """Return a fill or threshold in fractions of the full range; 0..255 before a conversion."""
    refuse(isinstance(value, (dict, str)), f"a fill of {value!r} has no translation")
    top = 1.0 if out.floats else 255.0
    if isinstance(value, Sequence):
        return tuple(v / top for v in value)
    return 0.0 if value is None else value / top


def together(ops: Ops, p: float = 1.0) -> Transform:
    """Return one op that does all of several, or none."""
    if not ops:
        return exact.Pad(0)
    if len(ops) == 1:
        return dataclasses.replace(ops[0], p=ops[0].p * p)
    return control.SomeOf(ops, len(ops), p=p)


def inner(items: Iterable[Any], library: Library, out: Output) -> Ops:
    """Translate what a container holds; it cannot hold output ops."""
    before = dataclasses.replace(out)
    ops: Ops = []
    for item in _flat(list(items)):
        try:
            ops += _read(item, out, library)
        except ValueError as error:
            raise ValueError(f"{type(item).__name__}: {error}") from None
    refuse(out != before, "it holds an output op, which would happen to some images only")
    return ops


def only_p(kind: Callable[..., Transform]) -> Read:
    """Read a transform whose only parameter is p."""
    return lambda t, _: [kind(p=getattr(t, "p", 1.0))]


def normalize(mean: Any, std: Any, out: Output) -> Ops:
    """Keep a normalization for the end."""
    refuse(out.normalize is not None, "a second Normalize; make it one")
    out.normalize = output.Normalize(tuple(mean), tuple(std))
    return []


def uncut(kernel: int, sigma: float) -> None:
    """Refuse a kernel that cuts off a Gaussian which imgkit computes to four sigmas."""
    needed = 2 * int(CUT_OFF * sigma + 0.999) + 1
    refuse(kernel < needed,
            f"a kernel of {kernel} cuts off a sigma of {sigma:g}; make it {needed}")  # fmt: skip
