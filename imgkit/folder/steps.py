"""What to do with each image: operations by name, with plain arguments.

Two ways to write them, one meaning: ``max_pool size=2`` on the command line, and in a file::

    version: 1
    ops:
      - grayscale
      - gaussian_blur: {sigma: 1.5}

Names and parameters are checked against the registry and the function's own signature before
any image is touched.
"""

from __future__ import annotations

import importlib
import inspect
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit.image import nearest
from imgkit.registry import FUNCTIONS, PUBLIC

Array = npt.NDArray[Any]

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
FILE_KEYS = ("version", "seed", "ops")


class Step(NamedTuple):
    """One operation and its arguments."""

    name: str
    arguments: Mapping[str, Any]


class Recipe(NamedTuple):
    """A pipeline as written: its steps in order, and the seed of its random draws."""

    steps: tuple[Step, ...]
    seed: int | None = None


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
    return _plain(value) if value is not None else text


def _plain(value: Any) -> Any:
    """Lists as tuples, and numbers that YAML 1.1 takes for words (1e-3) as numbers."""
    if isinstance(value, list):
        return tuple(_plain(part) for part in value)
    if isinstance(value, str) and NUMBER.fullmatch(value):
        return float(value)
    return value


def read_pipeline(text: str) -> Recipe:
    """Read the text of a pipeline file, and check every step.

    Raises:
        ValueError: naming the key, operation or parameter that is wrong and the nearest known.
    """
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ValueError("a pipeline is a mapping with the keys version and ops")
    for key in content:
        if key not in FILE_KEYS:
            raise ValueError(f"key {key!r} is unknown: {nearest(key, FILE_KEYS)}")
    if content.get("version") != 1 or isinstance(content["version"], bool):
        raise ValueError(f"version is {content.get('version')!r}: this imgkit reads version 1")
    seed, ops = content.get("seed"), content.get("ops")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise ValueError(f"seed is {seed!r}: it must be an integer")
    if not isinstance(ops, list) or not ops:
        raise ValueError("ops must be a list of at least one operation")
    return Recipe(tuple(_read_entry(entry, f"ops[{i}]") for i, entry in enumerate(ops)), seed)


def _read_entry(entry: Any, where: str) -> Step:
    """Read one item of `ops`: a name, or {name: {parameter: value}}."""
    if isinstance(entry, str):
        entry = {entry: None}
    if not isinstance(entry, dict) or len(entry) != 1:
        raise ValueError(f"{where} is {entry!r}: write a name, or name: {{parameter: value}}")
    (name, arguments), *_ = entry.items()
    arguments = {} if arguments is None else arguments
    if not isinstance(arguments, dict):
        raise ValueError(f"{where}: {name} has {arguments!r}: write {{parameter: value}}")
    try:
        return check_step(Step(name, {str(k): _plain(v) for k, v in arguments.items()}))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


# --- checking ---------------------------------------------------------------------------


def usable() -> list[str]:
    """Names of the operations that take one image and give one image."""
    return [op.name for op in FUNCTIONS.values() if op.result != "other"]


def function(name: str) -> Callable[..., Any]:
    """Return the public function of a name."""
    found: Callable[..., Any] = getattr(importlib.import_module(PUBLIC[name]), name)
    return found


def check_step(step: Step) -> Step:
    """Return the step if its operation exists and takes these parameters."""
    if step.name not in usable():
        why = "gives no image" if step.name in PUBLIC else "is no operation"
        raise ValueError(f"{step.name} {why}: {nearest(step.name, usable())}")
    _image, *parameters = inspect.signature(function(step.name)).parameters.values()
    known = [p.name for p in parameters]
    for name in step.arguments:
        if name not in known:
            raise ValueError(f"{step.name} has no parameter {name!r}: {nearest(name, known)}")
    for p in parameters:
        if p.default is p.empty and p.name not in step.arguments:
            raise ValueError(f"{step.name} needs {p.name}: write {p.name}=...")
    return step


def apply(steps: Iterable[Step], image: Array) -> Any:
    """Run the steps on one image, in order."""
    for step in steps:
        image = function(step.name)(image, **step.arguments)
    return image


def probe(steps: tuple[Step, ...]) -> np.dtype[Any] | None:
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
