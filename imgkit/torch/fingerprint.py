"""Fingerprints of a pipeline and a dataset, to recognize them when a run continues elsewhere."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

import numpy as np

from imgkit.augment.exchange import document
from imgkit.augment.transforms.base import Transform as Op
from imgkit.torch.transform import Transform


def pipeline_fingerprint(transform: Transform) -> str:
    """Return a hash of a pipeline's ops, seed and canvas, and of the options of its labels.

    It is the same in every process. Of an op that no document can name (a function of the user),
    the name counts and the parameters do not.
    """
    pipeline = transform.pipeline
    options = (transform.names, transform.box_format, transform.box_normalized,
               transform.min_visibility, transform.fill_mask, transform.invalid_boxes)  # fmt: skip
    ops = [_op(op) for op in pipeline.ops]
    return _hash([ops, pipeline.seed, pipeline.canvas, repr(options)])


def _op(op: Op) -> Any:
    try:
        return document.write_op(op)
    except ValueError:  # it has no name in documents
        return [type(op).__name__, op.name]


def data_fingerprint(dataset: Any) -> str:
    """Return a hash of what can be compared of a dataset without reading a sample.

    That is its type and length, and where it has them: classes, labels, the files of a folder
    (below its root, so that the folder may move), the indices of a `Subset`, the datasets inside.
    """
    return _hash(_describe(dataset))


def _describe(dataset: Any) -> list[Any]:
    parts: list[Any] = [type(dataset).__qualname__, len(dataset)]
    classes = getattr(dataset, "classes", None)
    if isinstance(classes, (list, tuple)):
        parts.append(["classes", [str(name) for name in classes]])
    for name in ("targets", "indices"):
        values = _values(getattr(dataset, name, None))
        if values is not None:
            parts.append([name, values])
    files = _files(getattr(dataset, "samples", None), getattr(dataset, "root", None))
    if files is not None:
        parts.append(["files", files])
    several = getattr(dataset, "datasets", ())
    inner = [getattr(dataset, "dataset", None), *(several if isinstance(several, list) else ())]
    parts += [_describe(each) for each in inner if hasattr(each, "__len__") and each is not dataset]
    return parts


def _values(values: Any) -> str | None:
    """Return a hash of a sequence of numbers or words, whatever holds it; None for others."""
    if values is None or not hasattr(values, "__len__") or isinstance(values, (str, dict)):
        return None
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError):  # ragged; on a device; a library's own type
        return None
    if array.dtype.kind == "U":
        return _hash(array.tolist())
    if array.dtype.kind not in "iufb":
        return None
    wide = array.astype(np.int64 if array.dtype.kind in "iu" else np.float64)
    return hashlib.sha256(wide.tobytes()).hexdigest()


def _files(samples: Any, root: Any) -> str | None:
    """Return a hash of the paths of a folder's samples (path, label)."""
    if not isinstance(samples, list) or not isinstance(root, (str, os.PathLike)):
        return None
    paths = [row[0] for row in samples if isinstance(row, (tuple, list)) and row]
    if len(paths) != len(samples) or not all(isinstance(path, (str, bytes)) for path in paths):
        return None
    start = os.fsencode(root)
    below = (os.fsencode(path).removeprefix(start).lstrip(os.fsencode(os.sep)) for path in paths)
    return hashlib.sha256(b"\0".join(below)).hexdigest()


def _hash(content: Any) -> str:
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]
