"""Pipelines as text: YAML or JSON, the same document.

::

    version: 1
    seed: 7
    ops:
      - RandomResizedCrop: {size: [224, 224]}
      - HorizontalFlip: {p: 0.5}
      - OneOf: {ops: [Invert, Posterize: {bits: 4}], weights: [1.0, 3.0]}
      - Rotate90: {k: {choice: [1, 3]}}

Values are numbers, words and lists; reading builds transforms from them and executes nothing.
What is unknown is an error that names the nearest known.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgkit.augment.transforms.base import Choice, Transform
from imgkit.checks import check_choice, suggest
from imgkit.registry import CONTROLS, PUBLIC, SYNONYMS, TRANSFORMS

if TYPE_CHECKING:
    from imgkit.augment.pipeline import Pipeline

VERSION = 1
KNOWN = (*TRANSFORMS, *CONTROLS)
KEYS = ("version", "seed", "canvas", "ops")
SUFFIXES = (".yaml", ".yml", ".json")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


# --- writing ----------------------------------------------------------------------------


def to_yaml(pipeline: Pipeline) -> str:
    """Return a pipeline as YAML that `from_yaml` reads; parameters at their default are left out.

    Args:
        pipeline: of registered transforms.

    Returns:
        The text, with a version.

    Raises:
        ValueError: an op is not one of imgkit's.

    Example:
        >>> import imgkit as ik
        >>> print(to_yaml(ik.Pipeline([ik.HorizontalFlip(p=0.5), ik.Rotate((-15, 15))], seed=7)))
        version: 1
        seed: 7
        ops:
        - HorizontalFlip: {p: 0.5}
        - Rotate:
            degrees: [-15.0, 15.0]
        <BLANKLINE>
    """
    import yaml

    text = yaml.safe_dump(_document(pipeline), sort_keys=False, default_flow_style=None, width=100)
    return str(text)


def to_json(pipeline: Pipeline) -> str:
    """Return a pipeline as JSON that `from_json` reads: the document of `to_yaml`.

    Args:
        pipeline: of registered transforms.

    Returns:
        The text, with a version.

    Raises:
        ValueError: an op is not one of imgkit's.

    Example:
        >>> import imgkit as ik
        >>> to_json(ik.Pipeline([ik.Rotate90(1)]))
        '{"version": 1, "ops": [{"Rotate90": {"k": 1}}]}'
    """
    return json.dumps(_document(pipeline))


def _document(pipeline: Pipeline) -> dict[str, Any]:
    seed = {} if pipeline.seed is None else {"seed": pipeline.seed}
    canvas = {} if pipeline.canvas == "cut" else {"canvas": pipeline.canvas}
    return {"version": VERSION, **seed, **canvas, "ops": [_item(op) for op in pipeline.ops]}


def _item(op: Transform) -> Any:
    """Return an op as its name, or {name: {parameter: value}} of what is not the default."""
    module = PUBLIC.get(op.name)
    if module is None or getattr(importlib.import_module(module), op.name) is not type(op):
        raise ValueError(f"{op.name} is no transform of imgkit: {suggest(op.name, KNOWN)}")
    written = {
        spec.name: _plain(getattr(op, spec.name))
        for spec in sorted(dataclasses.fields(op), key=lambda spec: spec.name == "p")
        if getattr(op, spec.name) != _default(spec)
    }
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


def _plain(value: Any) -> Any:
    if isinstance(value, Transform):
        return _item(value)
    if isinstance(value, Choice):
        return {"choice": list(value.options)}
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    return value


# --- reading ----------------------------------------------------------------------------


def from_yaml(text_or_path: Any) -> Pipeline:
    """Read a pipeline from YAML; nothing in it is executed.

    Args:
        text_or_path: a `Path`, or one line that ends in .yaml, .yml or .json, is a file; any
            other text is the YAML itself.

    Returns:
        The pipeline.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: naming the line, key, op or parameter that is wrong and the nearest known.

    Example:
        >>> from_yaml("{version: 1, ops: [HorizontalFlip, {Rotate: {degrees: [-5, 5]}}]}").ops[0]
        HorizontalFlip(p=1.0)
    """
    return _pipeline(parse_yaml(_text(text_or_path)))


def from_json(text_or_path: Any) -> Pipeline:
    """Read a pipeline from JSON.

    Args:
        text_or_path: as for `from_yaml`.

    Returns:
        The pipeline.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: naming the line, key, op or parameter that is wrong and the nearest known.

    Example:
        >>> from_json('{"version": 1, "ops": ["HorizontalFlip"]}')
        Pipeline([HorizontalFlip(p=1.0)], seed=None)
    """
    try:
        content = json.loads(_text(text_or_path), object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: line {error.lineno}: {error.msg}") from None
    except RecursionError:
        raise ValueError("not JSON: lists are nested too deeply") from None
    return _pipeline(content)


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


def read_document(content: Any) -> tuple[list[Any], int | None]:
    """Check the outer mapping of a pipeline; return its list of ops as written, and its seed."""
    if not isinstance(content, dict):
        raise ValueError("a pipeline is a mapping with the keys version and ops")
    for key in content:
        if key not in KEYS:
            raise ValueError(f"key {key!r} is unknown: {suggest(key, KEYS)}")
    if content.get("version") != VERSION or isinstance(content["version"], bool):
        raise ValueError(f"version is {content.get('version')!r}: this imgkit reads version 1")
    seed, ops = content.get("seed"), content.get("ops")
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise ValueError(f"seed is {seed!r}: it must be an integer")
    check_choice(content.get("canvas", "cut"), "canvas", ("cut", "open"))
    if not isinstance(ops, list):
        raise ValueError("ops must be a list of at least one operation")
    return ops, seed


def read_item(item: Any, where: str) -> tuple[str, dict[str, Any]]:
    """Read one item of `ops`, a name or {name: {parameter: value}}, as (name, parameters)."""
    if isinstance(item, str):
        return item, {}
    if not isinstance(item, dict) or len(item) != 1:
        raise ValueError(f"{where} is {item!r}: write a name, or name: {{parameter: value}}")
    ((name, parameters),) = item.items()
    parameters = {} if parameters is None else parameters
    if not isinstance(parameters, dict):
        raise ValueError(f"{where}: {name} has {parameters!r}: write {{parameter: value}}")
    return str(name), {str(key): read_value(value) for key, value in parameters.items()}


def read_value(value: Any) -> Any:
    """Return lists as tuples, and numbers that YAML 1.1 takes for words (1e-3) as numbers."""
    if isinstance(value, list):
        return tuple(read_value(part) for part in value)
    if isinstance(value, str) and NUMBER.fullmatch(value):
        return float(value)
    return value


def _pipeline(content: Any) -> Pipeline:
    from imgkit.augment.pipeline import Pipeline

    items, seed = read_document(content)
    ops = [_transform(item, f"ops[{i}]") for i, item in enumerate(items)]
    return Pipeline(ops, seed, canvas=content.get("canvas", "cut"))


def _transform(item: Any, where: str) -> Transform:
    """Build the transform that an item describes."""
    name, parameters = read_item(item, where)
    if name not in KNOWN:
        raise ValueError(f"{where}: {name} is no transform: {suggest(name, KNOWN, SYNONYMS)}")
    kind = getattr(importlib.import_module(PUBLIC[name]), name)
    specs = {spec.name: spec for spec in dataclasses.fields(kind) if spec.init}
    for key in parameters:
        if key not in specs:
            raise ValueError(f"{where}: {name} has no parameter {key!r}: {suggest(key, specs)}")
    for key, spec in specs.items():
        if key not in parameters and _needed(spec):
            raise ValueError(f"{where}: {name} needs {key}: write {name}: {{{key}: ...}}")
    built = {key: _argument(key, value, f"{where}.{name}") for key, value in parameters.items()}
    try:
        return kind(**built)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {name}: {error}") from None


def _needed(spec: dataclasses.Field[Any]) -> bool:
    return spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING


def _argument(key: str, value: Any, owner: str) -> Any:
    """Return what a transform takes: numbers and words as they are, a `Choice`, nested ops."""
    where = f"{owner}.{key}"
    if key == "ops":
        if not isinstance(value, tuple):
            raise ValueError(f"{where} is {value!r}: it takes a list of transforms")
        return tuple(_transform(item, f"{where}[{i}]") for i, item in enumerate(value))
    if not isinstance(value, Mapping):
        return value
    if list(value) != ["choice"]:
        raise ValueError(f"{where} is {value!r}: write a number, a pair or {{choice: [...]}}")
    try:
        return Choice(read_value(value["choice"]))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


# --- text -------------------------------------------------------------------------------


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
