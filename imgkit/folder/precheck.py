"""What is known of a pipeline before any image is read: the dtype, layout and scale it gives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from imgkit.augment.pipeline import Pipeline
from imgkit.augment.transforms.custom import Call
from imgkit.augment.transforms.resizes import Letterbox, Resize
from imgkit.registry import FUNCTIONS

SMALL, LARGE, OTHER = 48, 4096, 3000  # sides of the images that are tried
PLACE = re.compile(r"ops\[(\d+)\]")  # in an error: the op that raised it


def probe(pipeline: Pipeline) -> np.dtype[Any] | None:
    """Try a pipeline on black images; return the dtype it makes of uint8, if it can be known.

    Values that are wrong for every image are found here, before work begins. An image may be
    refused for its channels or its size, so a gray and an RGB one are tried, small and large. If
    all are refused, two large sizes tell whether a still larger image could pass: an error that
    depends on the size names it, so the messages differ.

    Raises:
        ValueError: with the message of the operation that refuses its arguments.
    """
    small, _ = _try(pipeline, SMALL)
    if isinstance(small, _Result):
        return small.dtype
    large, place = _try(pipeline, LARGE)
    if isinstance(large, _Result):
        return large.dtype
    if not _is_ours(pipeline, place):
        return None
    other, _ = _try(pipeline, OTHER)
    if isinstance(other, _Result) or other != large:
        return _declared_dtype(pipeline)
    raise ValueError(large[-1])


class _Result(NamedTuple):
    """What is known of the results; None where an error was not about arguments."""

    dtype: np.dtype[Any] | None


def _try(pipeline: Pipeline, side: int) -> tuple[_Result | list[str], int]:
    """Run a pipeline on an RGB and a gray image, until one passes.

    Return the result, or the messages of both refusals; and the op that refused the last one.
    """
    refused = []
    for shape in ((side, side, 3), (side, side)):
        try:
            result = pipeline(np.zeros(shape, np.uint8), key=(0, 0))
        except (ValueError, TypeError) as error:
            refused.append(str(error))
        except Exception:  # not about arguments: the images themselves will show it
            return _Result(None), -1
        else:
            return _Result(getattr(result, "dtype", None)), -1
    place = PLACE.match(refused[-1])
    return refused, int(place[1]) if place else -1


def _is_ours(pipeline: Pipeline, place: int) -> bool:
    """Whether imgkit defines an op; a user's own may refuse images for any reason."""
    if not 0 <= place < len(pipeline):
        return True
    op = pipeline[place]
    return (
        bool(op.registered) if isinstance(op, Call) else type(op).__module__.startswith("imgkit.")
    )


def _declared_dtype(pipeline: Pipeline) -> np.dtype[Any] | None:
    """Return the dtype that a pipeline makes of uint8, op by op; None if one of them hides it.

    An op that refuses a small image has the type of result that its function declares.
    """
    dtype: np.dtype[Any] = np.dtype(np.uint8)
    for place, op in enumerate(pipeline):
        try:
            result = pipeline[place : place + 1](np.zeros((SMALL, SMALL, 3), dtype), key=(0, 0))
        except Exception:  # of any type, as in a run
            function = FUNCTIONS.get(op.registered) if isinstance(op, Call) else None
            kind = function.result if function else "other" if isinstance(op, Call) else "input"
            if kind not in ("input", "float"):
                return None
            dtype = np.dtype(np.float32) if kind == "float" else dtype
        else:
            if not isinstance(result, np.ndarray):
                return None
            dtype = result.dtype
    return dtype


def check_layout(pipeline: Pipeline, kind: str) -> None:
    """Raise if the pipeline puts the channels where the format does not have them."""
    if pipeline.channels_first and kind != "npy":
        raise ValueError(
            f"ToCHW puts the channels first; {kind} files have them last: add --format npy, or "
            "leave it out"
        )


def shrinks_to(pipeline: Pipeline) -> tuple[int, int] | None:
    """Return (height, width) that every image is first brought to, antialiased, if there is one.

    Of an edge or a letterbox it is the box that was asked for: the result fits in it, or its
    shorter side is that of the box. A resize is one interpolation with the transforms after it,
    so none of them may enlarge again what it made small.
    """
    if not len(pipeline):
        return None
    opening, *others = pipeline.ops
    if isinstance(opening, Call):
        known = opening.registered in ("resize", "letterbox") and opening.p == 1
        return _target(opening.options) if known else None
    if not isinstance(opening, (Resize, Letterbox)) or opening.p != 1:
        return None
    for op in others:
        if isinstance(op, Call):
            break
        if not op.keeps_scale:
            return None
    return _target(vars(opening))


def _target(options: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the size of a resize, if it takes in every pixel of the image."""
    size, interpolation = options["size"], options.get("interpolation", "bilinear")
    if interpolation == "nearest" or not options.get("antialias", True):
        return None
    height, width = size if isinstance(size, (tuple, list)) else (size, size)
    return int(height), int(width)
