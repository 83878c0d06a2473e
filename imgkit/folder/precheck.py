"""What is known of a pipeline before any image is read: the dtype, layout and scale it gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from imgkit.augment.pipeline import Pipeline
from imgkit.augment.transforms.custom import Call
from imgkit.augment.transforms.resizes import Letterbox, Resize


def probe(pipeline: Pipeline) -> np.dtype[Any] | None:
    """Try a pipeline on black images; return the dtype it makes of uint8, if it can be known.

    Values that are wrong for every image are found here, before work begins. A small image may be
    refused for its size or its channels, so only what a large gray one and a large RGB one are
    refused for as well counts as wrong.

    Raises:
        ValueError: with the message of the operation that refuses its arguments.
    """
    refused: Exception | None = None
    for side in (48, 4096):
        for shape in ((side, side, 3), (side, side)):
            try:
                result = pipeline(np.zeros(shape, np.uint8), key=(0, 0))
            except (ValueError, TypeError) as error:
                refused = error
            except Exception:  # not about arguments: the images themselves will show it
                return None
            else:
                return getattr(result, "dtype", None)
    raise ValueError(str(refused))


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
