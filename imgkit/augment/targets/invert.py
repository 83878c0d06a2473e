"""Predictions go back where the pixels came from: the plan read from its end."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from imgkit import geometry
from imgkit.augment.plan.planner import Planner, refuse_moving_calls
from imgkit.augment.targets import boxes
from imgkit.augment.targets.rows import SHAPES
from imgkit.augment.targets.run import check_fill, transform_shapes
from imgkit.augment.targets.sample import (
    PIXELS,
    Named,
    SampleContext,
    by,
    check_frame,
    check_mask,
    check_one_place,
    check_size,
    read_targets,
    sample_contexts,
    split,
)
from imgkit.backends import backend
from imgkit.draws import parse_key
from imgkit.geometry import identity_grid

Array = npt.NDArray[Any]
WHOLE = 1 - 1e-6  # the share of its area that a valid shape has kept


def invert_targets(planner: Planner, size: Any, key: Any, targets: Named) -> Named:
    """Map predictions on the output back to the source image.

    Args:
        planner: of the pipeline.
        size: (H, W) of the source; for a batch also a list of them.
        key: the key of the call that made the output; with several indices all targets hold
            one entry for each.
        targets: predictions and options by name, as in a call. Images are read bilinearly, masks
            at the nearest pixel; colors are not turned back.

    Returns:
        The targets on the source. `boxes`, `oriented_boxes`, `polygons` and `keypoints` keep
        all their rows and come with `boxes_valid` and so on: which rows lay on every canvas of
        the way, whole. What lies off them entirely is NaN (no vertices, for polygons).
        Pixels come with `valid` (H, W): which of the source's pixels the output shows.

    Raises:
        TypeError, ValueError: a name is unknown, or a target is not what its name says.

    Example:
        >>> import imgkit as ik
        >>> crop = ik.Pipeline([ik.CenterCrop(10)])
        >>> found = crop.invert(keypoints=[[0, 0], [50, 0]], size=(20, 30), key=0)
        >>> found["keypoints"].tolist(), found["keypoints_valid"].tolist()
        ([[10.0, 5.0], [60.0, 5.0]], [True, False])
    """
    named, options = read_targets(targets)
    refuse_moving_calls(planner.nodes, list(named))
    keys = parse_key(key)
    samples = None if keys.scalar else len(keys.indices)
    rows = [named] if samples is None else split(named, samples)
    several = isinstance(size, list) and samples is not None
    if several and len(size) != samples:
        raise ValueError(f"size has {len(size)} entries: the key names {samples} images")
    sizes = [check_size(s) for s in size] if several else [check_size(size)] * len(rows)
    results = []
    for row, context in zip(rows, sample_contexts(planner, keys, sizes, options), strict=True):
        check_one_place(context.plan, row)
        results.append(_invert(row, context))
    absent: Named = {name: None for name, value in targets.items() if value is None}
    if samples is None:
        return absent | results[0]
    names = results[0] if results else named
    return absent | {n: _join_back(n, [result.get(n) for result in results]) for n in names}


def _invert(row: Named, context: SampleContext) -> Named:
    """Map one sample's predictions back."""
    result: Named = {}
    for name, value in row.items():
        if name in SHAPES:
            result[name], share = transform_shapes(name, value, context.inverse, context.options)
            result[f"{name}_valid"] = share > WHOLE
        elif name == "keypoints":
            result[name], result["keypoints_valid"] = boxes.transform_keypoints(
                value, context.inverse
            )
        elif name == "labels":
            result[name] = value
    if any(name in row for name in PIXELS):
        result |= _pull(row, context)
    return result


def _pull(row: Named, context: SampleContext) -> Named:
    """Read the output's pixels at the places where the source's pixels went."""
    at, inside = geometry.transform_points(
        context.forward.segments, context.source, identity_grid(context.source)
    )
    at, valid = at.reshape(*context.source, 2), inside.reshape(context.source)
    last = context.plan.stages[-1] if context.plan.stages else None
    channels_first = last is not None and last.kind == "normalize" and last.chw

    def one(name: str, pixels: Any) -> Array:
        is_mask = "mask" in name
        turn = channels_first and not is_mask and getattr(pixels, "ndim", 0) == 3
        pixels = pixels.transpose(1, 2, 0) if turn else pixels
        found = (check_mask if is_mask else check_frame)(name, pixels)
        if found != context.output:
            raise ValueError(
                f"{name} is {by(found)} (H x W): the output of this plan is {by(context.output)}"
            )
        fill = context.options.fill_mask if is_mask else 0
        if is_mask:
            check_fill(fill, pixels.dtype)
        how = "nearest" if is_mask else "bilinear"
        back = backend(pixels, "masks").pull(pixels, at, valid, how, fill)
        return np.ascontiguousarray(back.transpose(2, 0, 1)) if turn else back

    result: Named = {}
    for name in PIXELS:
        if name in ("image", "mask") and name in row:
            result[name] = one(name, row[name])
        elif name in row:
            several = [one(f"{name}[{i}]", value) for i, value in enumerate(row[name])]
            result[name] = np.stack(several) if isinstance(row[name], np.ndarray) else several
    return result | {"valid": valid}


def _join_back(name: str, column: list[Any]) -> Any:
    """Stack images, masks and where they are valid; all else stays a list."""
    shapes = {getattr(value, "shape", None) for value in column}
    fixed = name in PIXELS or name == "valid"
    return np.stack(column) if fixed and len(shapes) == 1 and None not in shapes else column
