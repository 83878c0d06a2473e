"""Pipelines as documents: YAML or JSON, the same mapping.

::

    version: 1
    seed: 7
    ops:
      - RandomResizedCrop: {size: [224, 224]}
      - HorizontalFlip: {p: 0.5}
      - gaussian_blur: {sigma: 1.5}
      - OneOf: {ops: [Invert, Posterize: {bits: 4}], weights: [1.0, 3.0]}
      - Rotate90: {k: {choice: [1, 3]}}

Transforms (capitals), imgkit's functions of an image (small letters) and registered transforms of
a user stand in one list. Values are numbers, words and lists; reading builds transforms from them
and executes nothing. An unknown name is an error that names the nearest known one.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from imgkit.augment.transforms.base import Transform
from imgkit.augment.transforms.custom import Call, registered, registered_names
from imgkit.augment.transforms.parameters import Choice
from imgkit.checks import check_choice, suggest
from imgkit.registry import CONTROLS, FUNCTIONS, TRANSFORMS, public

VERSION = 1
KEYS = ("version", "seed", "canvas", "ops")
SUFFIXES = (".yaml", ".yml", ".json")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


class Document(NamedTuple):
    """What a document says: transforms in order, the seed of their draws, their canvas."""

    ops: tuple[Transform, ...]
    seed: int | None = None
    canvas: str = "cut"


def functions() -> list[str]:
    """Return the names of the functions that take one image and return one image."""
    return [op.name for op in FUNCTIONS.values() if op.result != "other"]


def known_names() -> list[str]:
    """Return every name that a document may use."""
    return [*TRANSFORMS, *CONTROLS, *functions(), *registered_names()]


# --- writing ----------------------------------------------------------------------------


def write(document: Document) -> dict[str, Any]:
    """Return a document as plain values; parameters at their default are left out.

    Raises:
        ValueError: an op is a function or a transform of a user that is not registered.
    """
    seed = {} if document.seed is None else {"seed": document.seed}
    canvas = {} if document.canvas == "cut" else {"canvas": document.canvas}
    ops = []
    for place, op in enumerate(document.ops):
        try:
            ops.append(write_op(op))
        except ValueError as error:
            raise ValueError(f"ops[{place}]: {error}") from None
    return {"version": VERSION, **seed, **canvas, "ops": ops}


def to_yaml(document: Document) -> str:
    """Return a document as YAML that `from_yaml` reads."""
    import yaml

    return str(yaml.safe_dump(write(document), sort_keys=False, default_flow_style=None, width=100))


def to_json(document: Document) -> str:
    """Return a document as JSON that `from_json` reads."""
    return json.dumps(write(document))


def write_op(op: Transform) -> Any:
    """Return an op as its name, or {name: {parameter: value}} of what is not the default."""
    if isinstance(op, Call):
        return _write_call(op)
    if not _is_named(op):
        raise ValueError(
            f"{op.name} is not registered: imgkit.register({op.name}) gives it a name in documents"
        )
    specs = sorted(op.specs, key=lambda spec: (spec.name == "p", spec.kw_only))
    written = {
        spec.name: _write_value(getattr(op, spec.name))
        for spec in specs
        if getattr(op, spec.name) != _default(spec)
    }
    return {op.name: written} if written else op.name


def _is_named(op: Transform) -> bool:
    """Return whether a transform is what its name stands for in a document."""
    if op.name in TRANSFORMS or op.name in CONTROLS:
        return public(op.name) is type(op)
    return registered(op.name) is type(op)


def _write_call(op: Call) -> Any:
    if not op.registered:
        raise ValueError(
            f"{op.name} is a function of your own: a document holds names; make it a subclass of "
            "imgkit.Transform and register it"
        )
    written = {name: _write_value(value) for name, value in op.options.items()}
    if op.p != 1:
        written["p"] = op.p
    return {op.name: written} if written else op.name


def _default(spec: dataclasses.Field[Any]) -> Any:
    """Return a parameter's default as a transform holds it: checked and normalized."""
    check = spec.metadata.get("check")
    if check is None or spec.default is dataclasses.MISSING:
        return spec.default
    try:
        return check(spec.default, spec.name)
    except (TypeError, ValueError):  # the default of a parameter that must be given
        return spec.default


def _write_value(value: Any) -> Any:
    if isinstance(value, Transform):
        return write_op(value)
    if isinstance(value, Choice):
        return {"choice": [_write_value(option) for option in value.options]}
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, (tuple, list)):
        return [_write_value(v) for v in value]
    if isinstance(value, str):
        return str.__str__(value)  # of an Enum its text, not its name
    return int(value) if isinstance(value, enum.IntEnum) else value


# --- reading ----------------------------------------------------------------------------


def from_yaml(text_or_path: Any) -> Document:
    """Read a document from YAML; nothing in it is executed.

    Args:
        text_or_path: a `Path`, or one line that ends in .yaml, .yml or .json, is a file; any
            other text is the YAML itself.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: naming the line, key, op or parameter that is wrong and the nearest known.
    """
    return read(parse_yaml(_text(text_or_path)))


def from_json(text_or_path: Any) -> Document:
    """Read a document from JSON; see `from_yaml`."""
    try:
        content = json.loads(_text(text_or_path), object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: line {error.lineno}: {error.msg}") from None
    except RecursionError:
        raise ValueError("not JSON: lists are nested too deeply") from None
    return read(content)


def read(content: Any) -> Document:
    """Build the document that plain values describe."""
    if not isinstance(content, dict):
        raise ValueError("a pipeline is a mapping with the keys version and ops")
    for key in content:
        if key not in KEYS:
            raise ValueError(f"key {key!r} is unknown: {suggest(key, KEYS)}")
    if content.get("version") != VERSION or isinstance(content["version"], bool):
        raise ValueError(f"version is {content.get('version')!r}: this imgkit reads version 1")
    seed, items = content.get("seed"), content.get("ops")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise ValueError(f"seed is {seed!r}: it must be an integer")
    canvas = check_choice(content.get("canvas", "cut"), "canvas", ("cut", "open"))
    if not isinstance(items, list):
        raise ValueError("ops must be a list of operations")
    return Document(tuple(read_op(v, f"ops[{i}]") for i, v in enumerate(items)), seed, canvas)


def read_op(item: Any, where: str) -> Transform:
    """Build the op that an item describes: a name, or {name: {parameter: value}}."""
    if callable(item):
        raise ValueError(f"{where} is a function: a document holds names; see imgkit.register")
    if isinstance(item, str):
        item = {item: {}}
    if not isinstance(item, dict) or len(item) != 1:
        raise ValueError(f"{where} is {item!r}: write a name, or name: {{parameter: value}}")
    ((name, parameters),) = item.items()
    parameters = {} if parameters is None else parameters
    if not isinstance(parameters, dict):
        raise ValueError(f"{where}: {name} has {parameters!r}: write {{parameter: value}}")
    texts = _text_fields(str(name))
    values = {
        str(key): value if key in texts and isinstance(value, str) else read_value(value)
        for key, value in parameters.items()
    }
    return build_op(str(name), values, where)


def _text_fields(name: str) -> set[str]:
    """Return the fields of a user's transform that hold text, numbers as text included."""
    known = name in TRANSFORMS or name in CONTROLS or name in FUNCTIONS
    kind = None if known else registered(name)
    return set() if kind is None else {s.name for s in kind.specs if s.type in (str, "str")}


def read_value(value: Any) -> Any:
    """Return lists as tuples, and numbers that YAML 1.1 takes for words (1e-3) as numbers."""
    if isinstance(value, (list, tuple)):
        return tuple(read_value(part) for part in value)
    if isinstance(value, str) and NUMBER.fullmatch(value):
        return float(value)
    return value


def build_op(name: str, values: Mapping[str, Any], where: str = "") -> Transform:
    """Return the op of a name with these parameters; errors name `where`."""
    prefix = f"{where}: " if where else ""
    if name in FUNCTIONS:
        return _build_call(name, dict(values), prefix)
    kind = public(name) if name in TRANSFORMS or name in CONTROLS else registered(name)
    if kind is None:
        own = "; imgkit.register(...) or --import MODULE makes a transform of your own known"
        raise ValueError(f"{prefix}unknown operation {name!r}: {suggest(name, known_names())}{own}")
    specs = {spec.name: spec for spec in kind.specs if spec.init}
    for key in values:
        if key not in specs:
            raise ValueError(f"{prefix}{name} has no parameter {key!r}: {suggest(key, specs)}")
    for key, spec in specs.items():
        if key not in values and _is_required(spec):
            raise ValueError(f"{prefix}{name} needs {key}: write {name}: {{{key}: ...}}")
    owner = f"{where}.{name}" if where else name
    arguments = {key: _argument(key, value, owner) for key, value in values.items()}
    try:
        built: Transform = kind(**arguments)
        return built
    except (TypeError, ValueError) as error:
        raise ValueError(f"{prefix}{name}: {error}") from None


def _build_call(name: str, values: dict[str, Any], prefix: str) -> Call:
    if name not in functions():
        raise ValueError(f"{prefix}{name} does not return an image: {suggest(name, functions())}")
    p = values.pop("p", 1.0)
    try:
        return Call(public(name), p, **values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{prefix}{error}") from None


def _is_required(spec: dataclasses.Field[Any]) -> bool:
    return spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING


def _argument(key: str, value: Any, owner: str) -> Any:
    """Return what a transform takes: numbers and words as they are, a `Choice`, nested ops."""
    where = f"{owner}.{key}"
    if key == "ops":
        if not isinstance(value, tuple):
            raise ValueError(f"{where} is {value!r}: it takes a list of transforms")
        return tuple(read_op(item, f"{where}[{i}]") for i, item in enumerate(value))
    if not isinstance(value, Mapping):
        return value
    if list(value) != ["choice"]:
        raise ValueError(f"{where} is {value!r}: write a number, a pair or {{choice: [...]}}")
    try:
        return Choice(read_value(value["choice"]))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


# --- the command line -------------------------------------------------------------------


def parse_op(text: str) -> Transform:
    """Read one op as the command line writes it: a name, then name=value arguments.

    >>> parse_op("Rotate degrees=-15,15")
    Rotate(degrees=(-15.0, 15.0), interpolation='bilinear', antialias=True, border='constant', \
fill=(0.0,), p=1.0)
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"op is {text!r}: {error}") from None
    if not words:
        raise ValueError("op is empty: write a name and name=value arguments")
    values: dict[str, Any] = {}
    texts = _text_fields(words[0])
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise ValueError(f"{words[0]}: {word!r} is not an argument: write name=value")
        if name in values:
            raise ValueError(f"{words[0]}: {name} is given twice")
        values[name] = value if name in texts else parse_value(value)
    return build_op(words[0], values)


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


# --- text -------------------------------------------------------------------------------


def parse_yaml(text: str) -> Any:
    """Return what YAML text says, as dicts, lists, numbers and words.

    Raises:
        ValueError: with the line, if it is not YAML, repeats a key, or refers to other parts of
            itself (which a few lines can make endless).
    """
    import yaml

    try:
        for node in _nodes(yaml.compose(text, yaml.SafeLoader), set()):
            _unique_keys(node)
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise ValueError(f"not YAML: {line}{error.problem}") from None
    except yaml.YAMLError as error:  # an unreadable character
        raise ValueError(f"not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise ValueError("not YAML: lists are nested too deeply") from None


def _text(text_or_path: Any) -> str:
    """Return the text given, or that of the file named."""
    if isinstance(text_or_path, Path):
        return text_or_path.read_text(encoding="utf-8")
    if not isinstance(text_or_path, str):
        raise TypeError(f"text_or_path is {text_or_path!r}: it takes text, or the path of a file")
    if "\n" not in text_or_path and text_or_path.endswith(SUFFIXES):
        return Path(text_or_path).read_text(encoding="utf-8")
    return text_or_path


def _nodes(node: Any, seen: set[int]) -> list[Any]:
    """Return a YAML node and all below it; refuse one that occurs twice."""
    if node is None or isinstance(node.value, str):
        return []
    if id(node) in seen:
        line = node.start_mark.line + 1
        raise ValueError(f"not YAML: line {line}: anchors are not read; write the value twice")
    seen.add(id(node))
    below = [part for entry in node.value for part in (entry if type(entry) is tuple else (entry,))]
    return [node, *(found for part in below for found in _nodes(part, seen))]


def _unique_keys(node: Any) -> None:
    """Raise for a mapping that gives a key twice: only the last would count."""
    if node.id != "mapping":
        return
    known = set()
    for key, _ in node.value:
        if str(key.value) in known:
            line = key.start_mark.line + 1
            raise ValueError(f"not YAML: line {line}: key {key.value!r} is given twice")
        known.add(str(key.value))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs of a JSON object as a dict, each key once."""
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"not JSON: key {key!r} is given twice")
        result[key] = value
    return result
