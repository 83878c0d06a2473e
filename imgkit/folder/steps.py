"""What to do with each image: operations by name, with plain arguments.

Two ways to write them, one meaning: ``max_pool size=2`` on the command line, and in a file::

    version: 1
    seed: 7
    ops:
      - gaussian_blur: {sigma: 1.5}
      - Rotate: {degrees: [-15, 15]}
      - HorizontalFlip: {p: 0.5}

Names and parameters are checked against the registry and the function's own signature before
any image is touched. Functions (small letters) and transforms (capitals) may be mixed:
neighboring transforms become one `Pipeline`, fused, and functions run in between.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import itertools
import json
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit.augment.exchange.document import parse_yaml, read_document, read_item, read_value
from imgkit.checks import suggest
from imgkit.registry import CONTROLS, FUNCTIONS, PUBLIC, SYNONYMS, TRANSFORMS

if TYPE_CHECKING:
    from imgkit.augment.pipeline import Pipeline
    from imgkit.augment.transforms.base import Transform

Array = npt.NDArray[Any]
CHANNELS_FIRST = "ToCHW"  # after it an array is no image that a function or a picture file takes


class Step(NamedTuple):
    """One operation and its arguments."""

    name: str
    arguments: Mapping[str, Any]


class Recipe(NamedTuple):
    """A pipeline as written: its steps in order, the seed of its draws, and its canvas."""

    steps: tuple[Step, ...]
    seed: int | None = None
    canvas: str = "cut"


# --- reading ----------------------------------------------------------------------------


def parse_op(text: str) -> Step:
    """Read one operation as the command line writes it, and check it.

    >>> parse_op("resize size=60,90")
    Step(name='resize', arguments={'size': (60, 90)})
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"op is {text!r}: {error}") from None
    if not words:
        raise ValueError("op is empty: write a name and name=value arguments")
    arguments: dict[str, Any] = {}
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise ValueError(f"{words[0]}: {word!r} is no argument: write name=value")
        if name in arguments:
            raise ValueError(f"{words[0]}: {name} is given twice")
        arguments[name] = parse_value(value)
    return check_step(Step(words[0], arguments))


def parse_value(text: str) -> Any:
    """Read a value: a number, true, a word, a list in brackets, or parts between commas.

    >>> parse_value("60,90"), parse_value("1e-3"), parse_value("sobel_x")
    ((60, 90), 0.001, 'sobel_x')
    """
    import yaml

    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    if isinstance(value, str) and "," in value:
        return tuple(parse_value(part) for part in value.split(",") if part)
    return read_value(value) if value is not None else text


def read_pipeline(text: str) -> Recipe:
    """Read the text of a pipeline file, and check every step.

    Raises:
        ValueError: naming the key, operation or parameter that is wrong and the nearest known.
    """
    return read_recipe(parse_yaml(text))


def read_recipe(document: Any) -> Recipe:
    """Check a pipeline document, as `read_pipeline` parses it and `document` writes it."""
    entries, seed = read_document(document)
    if not entries:
        raise ValueError("ops must be a list of at least one operation")
    steps = tuple(_read_step(entry, f"ops[{i}]") for i, entry in enumerate(entries))
    return Recipe(steps, seed, document.get("canvas", "cut"))


def _read_step(entry: Any, where: str) -> Step:
    name, arguments = read_item(entry, where)
    try:
        return check_step(Step(name, arguments))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: {error}") from None


def document(steps: Iterable[Step], seed: int | None = None, canvas: str = "cut") -> dict[str, Any]:
    """Return steps as the plain document that a pipeline file holds; `read_recipe` reads it."""
    ops = [{step.name: {k: _plain(v) for k, v in step.arguments.items()}} for step in steps]
    seeded = {} if seed is None else {"seed": seed}
    opened = {} if canvas == "cut" else {"canvas": canvas}
    return {"version": 1, **seeded, **opened, "ops": ops}


def _plain(value: Any) -> Any:
    """Return arrays and tuples as lists."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    return value


# --- checking ---------------------------------------------------------------------------


def usable() -> list[str]:
    """Names of the functions that take one image and give one image."""
    return [op.name for op in FUNCTIONS.values() if op.result != "other"]


def transforms() -> list[str]:
    """Names of the transforms."""
    return [*TRANSFORMS, *CONTROLS]


def is_transform(step: Step) -> bool:
    """Tell a transform from a function."""
    return step.name in TRANSFORMS or step.name in CONTROLS


def function(name: str) -> Callable[..., Any]:
    """Return the public function, or the class of a transform, of a name."""
    found: Callable[..., Any] = getattr(importlib.import_module(PUBLIC[name]), name)
    return found


def check_step(step: Step) -> Step:
    """Return the step if its operation exists and takes these parameters."""
    if is_transform(step):
        transform(step)
        return step
    if step.name not in usable():
        nearest = suggest(step.name, [*usable(), *transforms()], SYNONYMS)
        if step.name in PUBLIC:
            raise ValueError(f"{step.name} does not return an image: {nearest}")
        raise ValueError(f"unknown operation {step.name!r}: {nearest}")
    _image, *parameters = inspect.signature(function(step.name)).parameters.values()
    known = [p.name for p in parameters]
    for name in step.arguments:
        if name not in known:
            raise ValueError(f"{step.name} has no parameter {name!r}: {suggest(name, known)}")
    for p in parameters:
        if p.default is p.empty and p.name not in step.arguments:
            raise ValueError(f"{step.name} needs {p.name}: write {p.name}=...")
    return step


def transform(step: Step) -> Transform:
    """Build the transform that a step names."""
    from imgkit.augment.exchange.document import from_json

    try:
        return from_json(json.dumps(document([step]), default=str)).ops[0]
    except ValueError as error:
        raise ValueError(str(error).removeprefix("ops[0]: ")) from None


# --- running ----------------------------------------------------------------------------

Program = tuple["Step | Pipeline", ...]


def program(steps: Iterable[Step], seed: int | None = None, canvas: str = "cut") -> Program:
    """Join neighboring transforms to pipelines of a canvas; functions stay as they are.

    The first pipeline has `seed` itself, so that a list of transforms alone draws what
    ``Pipeline(ops, seed)`` draws. Each later one has a seed made of it, so that two rotations
    with a function between them do not turn alike.

    Raises:
        ValueError: if something follows channels-first output, or the seed is out of range.
    """
    from imgkit.augment.pipeline import Pipeline

    parts: list[Step | Pipeline] = []
    pipelines = 0
    for drawn, neighbors in itertools.groupby(steps, is_transform):
        group = tuple(neighbors)
        if parts and channels_first(parts):
            raise ValueError(f"{group[0].name} comes after {CHANNELS_FIRST}: that must be the last")
        if not drawn:
            parts.extend(group)
            continue
        ops = [transform(step) for step in group]
        parts.append(Pipeline(ops, _seed(seed or 0, pipelines), canvas=canvas))
        pipelines += 1
    return tuple(parts)


def _seed(seed: int, place: int) -> int:
    if place == 0:
        return seed
    text = f"{seed} {place}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def channels_first(parts: Iterable[Step | Pipeline]) -> bool:
    """Tell whether the channels come first in what a program makes."""
    *_, last = parts
    return not isinstance(last, Step) and any(op.name == CHANNELS_FIRST for op in last.ops)


def apply(steps: Iterable[Step | Pipeline], image: Array, key: tuple[int, int] = (0, 0)) -> Any:
    """Run steps and pipelines on one image, in order; pipelines draw by the key."""
    for step in steps:
        if isinstance(step, Step):
            image = function(step.name)(image, **step.arguments)
        else:
            image = step(image, key=key)
    return image


def explain(
    steps: Program, size: tuple[int, int] | None, key: tuple[int, int] = (0, 0)
) -> Iterator[str]:
    """Explain each pipeline and name the functions between; sizes are followed through both."""
    for step in steps:
        if isinstance(step, Step):
            values = " ".join(f"{name}={value}" for name, value in step.arguments.items())
            text = f"{step.name} {values}".rstrip() + ": a function, on the pixels as they are"
        else:
            text = step.explain(size, key)
        yield text
        if size is not None:
            result = apply((step,), np.zeros((*size, 3), np.uint8), key)
            size = (result.shape[0], result.shape[1])


def probe(steps: Program) -> np.dtype[Any] | None:
    """Try the steps on empty images; return the dtype they make of uint8, if it can be told.

    Values that no image can make right are found here, before work begins. A small image may
    be refused for its size or its channels, so only what a large gray one and a large RGB one
    are refused for as well counts as wrong.

    Raises:
        ValueError: with the message of the operation that refuses its arguments.
    """
    refused: Exception | None = None
    for side in (48, 4096):
        for shape in ((side, side, 3), (side, side)):
            try:
                result = apply(steps, np.zeros(shape, np.uint8))
            except (ValueError, TypeError) as error:
                refused = error
            except Exception:  # not about arguments: the images themselves will tell
                return None
            else:
                return getattr(result, "dtype", None)
    raise ValueError(str(refused))


# --- shrinking --------------------------------------------------------------------------

# What may follow a resize in its own pipeline. The two are one interpolation then, so nothing may
# follow that enlarges again what the resize made small.
KEEP_SCALE = (
    *("HorizontalFlip", "VerticalFlip", "Rotate90", "Transpose", "Rotate", "Translate"),
    *("CenterCrop", "RandomCrop", "Pad"),
)
KEEP_PLACE = ("color", "filters", "noise", "erase", "output")  # families


def shrinks_to(steps: Program) -> tuple[int, int] | None:
    """Return (height, width) that every image is first brought to, antialiased, if there is one.

    Of an edge or a letterbox it is the box that was asked for: the result fits in it, or its
    shorter side is that of the box.
    """
    first = steps[0]
    if isinstance(first, Step):
        known = first.name in ("resize", "letterbox")
        return _target(first.arguments) if known else None
    ops = getattr(first, "ops", ())
    if not ops or ops[0].name not in ("Resize", "Letterbox") or ops[0].p != 1:
        return None
    opening, *others = ops
    return _target(vars(opening)) if all(_keeps_scale(op.name) for op in others) else None


def _keeps_scale(name: str) -> bool:
    return name in KEEP_SCALE or (name in TRANSFORMS and TRANSFORMS[name].family in KEEP_PLACE)


def _target(arguments: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the size of a resize, if it takes in every pixel of the image."""
    size, interpolation = arguments["size"], arguments.get("interpolation", "bilinear")
    if interpolation == "nearest" or not arguments.get("antialias", True):
        return None
    height, width = size if isinstance(size, (tuple, list)) else (size, size)
    return int(height), int(width)
