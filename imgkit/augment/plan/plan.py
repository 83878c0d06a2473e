"""A plan: what will happen to N images, as numbers.

It prints, compares, pickles, and goes to JSON and back exactly. Backends run its `stages`; its
`ops` record what each op of the list drew.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from imgkit import stages
from imgkit.augment.exchange.document import read_op, write_op
from imgkit.augment.transforms.base import AppliedTransform
from imgkit.checks import suggest

Array = npt.NDArray[Any]
VERSION = 1


@dataclass(frozen=True, eq=False)
class Plan:
    """Numbers for N samples.

    Attributes:
        epoch, indices: the key, indices (N,) uint64.
        in_size, out_size: height and width, integers or arrays of length N.
        ops: for each op of the flattened list its name, occurrence and numbers.
        stages: what will run, in order.
    """

    epoch: int
    indices: Array
    in_size: stages.Size
    out_size: stages.Size
    ops: tuple[dict[str, Any], ...]
    stages: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.indices)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(json.dumps(self.to_dict(), default=repr))

    def __str__(self) -> str:
        lines = [f"plan of {len(self)} x {_size(self.in_size)} -> {_size(self.out_size)}"]
        lines += [f"  {place}. {describe(stage)}" for place, stage in enumerate(self.stages, 1)]
        return "\n".join(lines)

    __repr__ = __str__

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain lists, numbers and words."""
        return {
            "version": VERSION,
            "epoch": self.epoch,
            "indices": [int(i) for i in self.indices],
            "in_size": _plain(self.in_size),
            "out_size": _plain(self.out_size),
            "ops": [{key: _plain(value) for key, value in op.items()} for op in self.ops],
            "stages": [_plain(stage) for stage in self.stages],
        }

    def to_json(self) -> str:
        """Return the plan as JSON, every number exact.

        Raises:
            ValueError: a stage calls a function or a transform that is not registered.
        """
        for stage in self.stages:
            if isinstance(stage, stages.Call) and isinstance(stage.function, AppliedTransform):
                write_op(stage.function.op)
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read a plan that `to_json` wrote.

        Raises:
            ValueError: the text is not such a plan.
        """
        try:
            data = json.loads(text)
            if data["version"] != VERSION:
                raise ValueError(f"version is {data['version']!r}: this imgkit reads {VERSION}")
            return cls(
                data["epoch"],
                np.array(data["indices"], np.uint64),
                _back(data["in_size"]),
                _back(data["out_size"]),
                tuple({k: _back(v) for k, v in op.items()} for op in data["ops"]),
                tuple(_back(stage) for stage in data["stages"]),
            )
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"text is not a plan: {error}") from None


# --- to plain values and back ---------------------------------------------------------------

RECORDS: dict[str, type] = {**stages.STAGES, "step": stages.GeometricStep, "field": stages.Field}


def _plain(value: Any) -> Any:
    """Return arrays as lists, with their dtype where a list would not tell it."""
    if isinstance(value, np.ndarray):
        listed = value.dtype.name in ("float64", "int64", "bool") and value.size
        data = value.tolist()
        return data if listed else {"dtype": value.dtype.name, "shape": value.shape, "data": data}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, AppliedTransform):
        return {"applied": _named(value.op), "where": value.where}
    if isinstance(value, tuple):
        return {"tuple": [_plain(v) for v in value]}
    if isinstance(value, dict):
        return {"dict": {k: _plain(v) for k, v in value.items()}}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        named = {"kind": _record_kind(value)}
        for spec in dataclasses.fields(value):
            key = "type" if spec.name == "kind" else spec.name
            named[key] = _plain(getattr(value, spec.name))
        return named
    return value


def _named(op: Any) -> Any:
    """Return an op as documents write it; as text if it has no name there."""
    try:
        return write_op(op)
    except ValueError:
        return {"unregistered": repr(op)}


def _record_kind(value: Any) -> str:
    return next(kind for kind, record in RECORDS.items() if type(value) is record)


def _back(value: Any) -> Any:
    if isinstance(value, list):
        return np.array(value)
    if not isinstance(value, dict):
        return value
    if "applied" in value:
        return AppliedTransform(read_op(value["applied"], value["where"]), value["where"])
    if "tuple" in value:
        return tuple(_back(v) for v in value["tuple"])
    if "dict" in value:
        return {k: _back(v) for k, v in value["dict"].items()}
    if value.get("dtype") == "object":  # of a user's `draw`: one value of any form a sample
        column = np.empty(len(value["data"]), object)
        column[:] = value["data"]
        return column
    if "dtype" in value:
        return np.array(value["data"], value["dtype"]).reshape(value["shape"])
    if value.get("kind") not in RECORDS:
        raise ValueError(f"kind is {value.get('kind')!r}: {suggest(value.get('kind'), RECORDS)}")
    record = RECORDS[value["kind"]]
    fields = {("kind" if k == "type" else k): _back(v) for k, v in value.items() if k != "kind"}
    return record(**fields)


# --- for people ------------------------------------------------------------------------------


def _size(size: stages.Size) -> str:
    height, width = size
    if isinstance(height, np.ndarray) or isinstance(width, np.ndarray):
        return "sizes that vary"
    return f"{height} x {width}"


def describe(stage: Any) -> str:
    """Return one line that says what a stage does, with the first sample's numbers."""
    if isinstance(stage, stages.Resample):
        names = " + ".join(dict.fromkeys(step.name for step in stage.geometric_steps))
        return f"resample   {names}: {_size(stage.in_size)} -> {_size(stage.out_size)}"
    if isinstance(stage, stages.Color):
        count = stages.batched(stage.steps).shape[1]
        return f"color      {count} linear step{'s' if count > 1 else ''}"
    if isinstance(stage, stages.Hue):
        return f"hue        {_few(stage.shift)} turns"
    if isinstance(stage, stages.Curve):
        return "curve      " + " + ".join(stage.names)
    if isinstance(stage, stages.Filter):
        numbers = ", ".join(f"{name} {_few(v)}" for name, v in stage.parameters.items())
        return f"filter     {stage.name} {numbers}".rstrip()
    if isinstance(stage, stages.Noise):
        return f"noise      {stage.name} {_few(stage.amount)}"
    if isinstance(stage, stages.Erase):
        return f"erase      {stage.rectangles.shape[1]} rectangle(s)"
    if isinstance(stage, stages.Call):
        return f"call       {stage.name}"
    if isinstance(stage, stages.Mix):
        return f"mix        {len(stage.branches)} branches"
    layout = ", channels first" if stage.chw else ""
    scaled = f"mean {stage.mean}, std {stage.std}" if stage.to_float else "values as they are"
    return f"normalize  {scaled}{layout}"


def _few(values: stages.Column) -> str:
    text = ", ".join(f"{float(v):.4g}" for v in values[:3])
    return text + (", ..." if len(values) > 3 else "")
