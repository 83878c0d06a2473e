"""Labels go where the pixels go: masks, boxes, polygons and points through the same plan.

The targets of a call, all by name::

    image           (H, W), (H, W, C), a batch (N, H, W, C) or a list of images
    images          one video or volume (T, H, W), (T, H, W, C), or a list of frames: one draw
    mask            (H, W) or (H, W, C), any bool, integer or float dtype; nearest sampling
    masks           (K, H, W), or a list of masks
    boxes           (N, 4), see the options; clipped to the canvas, dropped when off it
    oriented_boxes  (N, 5): cx, cy, w, h, degrees counter-clockwise as seen; likewise
    polygons        a list of (P, 2); likewise
    keypoints       (N, 2) or (N, 3) with visibility, which are all kept and never clamped; or
                    (N, K, 2 or 3) or a list of N (K, 2 or 3), by object
    labels          rows that belong to the boxes (else to the oriented boxes, else to the
                    polygons) and are dropped with them; without any of these, as they are

A target that is None comes back as None. Rows of one object are dropped together: see
`imgkit.augment.targets.rows`. Boxes of torchvision are read in the format that they declare.

Tensors have their channels first: `image` (C, H, W) or (N, C, H, W), `images` (T, C, H, W), a
`mask` (H, W) or (C, H, W). Each target comes back as it came, a tensor as a tensor of its dtype
where it was (whole numbers of boxes and points as float32). Pixels of images are made on their
device, a batch at once, and keep their gradient; all else moves on the host.

The options::

    box_format      "xyxy", "xywh" or "cxcywh"
    box_normalized  True: boxes are fractions of the width and height
    invalid_boxes   "error"; "drop" drops shapes without area, off the image, or not finite, and
                    their rows; "clip" keeps the part on the image, and drops those without one
    min_visibility  0 to 1: the share of its area that a shape must keep
    fill_mask       what masks hold where they show no source pixel
    size            (H, W) of the image, where none is given

Boxes and polygons are in pixel edges, 0 to W; keypoints in pixel centers, 0 to W - 1: see
`imgkit.augment.targets.boxes`. Color, noise and erasing leave all labels alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from imgkit import geometry
from imgkit.augment.layout import stack
from imgkit.augment.plan.planner import Planner, refuse_moving_calls, run_stages
from imgkit.augment.targets import boxes
from imgkit.augment.targets.rows import SHAPES, kept_rows, select
from imgkit.augment.targets.sample import (
    PIXELS,
    Canvas,
    Named,
    SampleContext,
    TargetOptions,
    a_tensor,
    batch_size,
    check_one_place,
    read_targets,
    sample_contexts,
    source_size,
    split,
    with_absent,
)
from imgkit.backends import backend
from imgkit.draws import Key
from imgkit.image import is_tensor

Array = npt.NDArray[Any]
NONE: Named = {}


def run_targets(planner: Planner, key: Any, targets: Named) -> Named:
    """Run a pipeline on named targets; see the module.

    Args:
        planner: of the pipeline.
        key: as in a call.
        targets: the targets and options by name.

    Returns:
        The targets, under the same names and in the same order.

    Raises:
        TypeError, ValueError: a name is unknown, or a target is not what its name says.

    Example:
        >>> import numpy as np, imgkit as ik
        >>> flip = ik.Pipeline([ik.HorizontalFlip()])
        >>> image = np.zeros((10, 20, 3), np.uint8)
        >>> flip(image=image, boxes=[[0, 1, 4, 5]], keypoints=[[0, 0]])["boxes"].tolist()
        [[16.0, 1.0, 20.0, 5.0]]
        >>> flip(image=image, keypoints=[[0, 0]])["keypoints"].tolist()
        [[19.0, 0.0]]
    """
    named, options = read_targets(targets)
    labels = [name for name in named if name not in ("image", "images", "labels")]
    if labels:
        refuse_moving_calls(planner.nodes, labels)
    samples = batch_size(named, key)
    keys = planner.keys(key, samples)
    pixels = {n: v for n, v in named.items() if "image" in n and a_tensor(v) is not None}
    if pixels:
        moved = _run_tensors(planner, keys, named, pixels, options, samples)
    else:
        rows = [named] if samples is None else split(named, samples)
        moved = _run_rows(planner, keys, named, rows, [], options, samples)
    return with_absent(targets, moved)


def _run_tensors(
    planner: Planner, keys: Key, named: Named, pixels: Named, options: TargetOptions,
    samples: int | None,
) -> Named:  # fmt: skip
    """Run a pipeline on images that are tensors, a batch at once, and on the other targets."""
    tensors = backend(a_tensor(list(pixels.values())), "targets")
    rows = [named] if samples is None else split(named, samples)
    others = {name: value for name, value in named.items() if name not in pixels}
    sizes = [source_size(_as_arrays(row, pixels), options) for row in rows]
    rows = [{name: value for name, value in row.items() if name not in pixels} for row in rows]
    moved = _run_rows(planner, keys, others, rows, sizes, options, samples) if others else {}
    indices = int(keys.indices[0]) if samples is None else keys.indices
    for name, value in pixels.items():
        moved[name] = tensors.run_pixels(planner.run, name, value, keys.epoch, indices)
    return moved


def _run_rows(
    planner: Planner, keys: Key, named: Named, rows: list[Named], sizes: list[Canvas],
    options: TargetOptions, samples: int | None,
) -> Named:  # fmt: skip
    """Run a pipeline on rows of targets, one for each sample; `sizes` of images run elsewhere."""
    arrays = [_as_arrays(row) for row in rows]
    sizes = sizes or [source_size(row, options) for row in arrays]
    results = []
    contexts = sample_contexts(planner, keys, sizes, options)
    for row, array, context in zip(rows, arrays, contexts, strict=True):
        check_one_place(context.plan, row)
        moved, kept = _run(array, context)
        results.append(_as_given(moved, row, kept, context.output))
    if samples is None:
        return results[0]
    if not rows:
        return _none(planner, named, keys)
    return {name: _join(name, named, [r.get(name) for r in results]) for name in named}


def _as_arrays(row: Named, whole: Named = NONE) -> Named:
    """Return a sample's targets with arrays for tensors, but for labels and those in `whole`."""
    found = dict(row)
    for name, value in row.items():
        tensor = None if name == "labels" or name in whole else a_tensor(value)
        if tensor is not None:
            found[name] = backend(tensor, "targets").as_arrays(name, value)
    return found


def _as_given(moved: Named, row: Named, kept: dict[str, Array], size: Canvas) -> Named:
    """Return a sample's results in the types that its targets had."""
    found = dict(moved)
    for name, value in row.items():
        tensor = None if name == "labels" else a_tensor(value)
        if tensor is not None:
            same = (
                value if name not in kept or hasattr(value, "ndim") else select(value, kept[name])
            )
            found[name] = backend(tensor, "targets").as_tensors(name, moved[name], same, size)
    return found


def _run(row: Named, context: SampleContext) -> tuple[Named, dict[str, Array]]:
    """Run one sample; also return which rows stayed, for each target that has rows to lose."""
    result: Named = {}
    shares: dict[str, Array] = {}
    for name, value in row.items():
        if name in SHAPES:
            result[name], shares[name] = transform_shapes(
                name, value, context.forward, context.options
            )
        elif name == "keypoints":
            result[name] = boxes.transform_keypoints(value, context.forward)[0]
        else:
            result[name] = value if name == "labels" else RUN[name](value, context)
    kept = kept_rows(row, shares, context.options.min_visibility)
    return result | {name: select(result[name], rows) for name, rows in kept.items()}, kept


def transform_shapes(
    name: str, value: Any, point_map: boxes.PointMap, options: TargetOptions
) -> tuple[Any, Array]:
    """Return shapes at the end of a point map, and the fraction of each that is left."""
    if name == "boxes":
        return boxes.transform_boxes(
            value, options.box_format, bool(options.box_normalized), point_map,
            options.invalid_boxes,
        )  # fmt: skip
    transform = boxes.transform_oriented if name == "oriented_boxes" else boxes.transform_polygons
    return transform(value, point_map, options.invalid_boxes)


def _image(image: Array, context: SampleContext) -> Array:
    context.planner.check(image)
    return run_stages(context.plan.stages, context.sample, image)


def _images(frames: Any, context: SampleContext) -> Any:
    done = [_image(frame, context) for frame in frames]
    return np.stack(done) if isinstance(frames, np.ndarray) else done


def _mask(mask: Array, context: SampleContext) -> Array:
    return _move_masks([mask], context)[0]


def _masks(masks: Any, context: SampleContext) -> Any:
    moved = _move_masks(list(masks), context)
    if isinstance(masks, np.ndarray):
        empty = np.empty((0, *context.output, *masks.shape[3:]), masks.dtype)
        return np.stack(moved) if moved else empty
    return moved


def _move_masks(masks: list[Array], context: SampleContext) -> list[Array]:
    """Run the geometric stages on masks."""
    for mask in masks:
        check_fill(context.options.fill_mask, mask.dtype)
    moved = masks
    for stage in context.plan.stages:
        if stage.kind == "resample" and moved:
            how = geometry.resolve(stage.geometric_steps, context.sample)
            sample_mask = backend(moved[0], "masks").sample_mask
            moved = [sample_mask(how, mask, context.options.fill_mask) for mask in moved]
    return [
        new.copy() if np.may_share_memory(new, old) else new
        for new, old in zip(moved, masks, strict=True)
    ]


def check_fill(fill: float, dtype: np.dtype[Any]) -> None:
    """Raise unless masks of this dtype can hold the fill."""
    if dtype.kind == "f":
        return
    low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    if fill != int(fill) or not low <= fill <= high:
        raise ValueError(f"fill_mask is {fill!r}: a mask of dtype {dtype} holds {low} to {high}")


RUN: dict[str, Callable[[Any, SampleContext], Any]] = {
    "image": _image,
    "images": _images,
    "mask": _mask,
    "masks": _masks,
}


# --- batches --------------------------------------------------------------------------------


def _join(name: str, named: Named, column: list[Any]) -> Any:
    """Return a batch as it came: an array or tensor where the results are of one shape.

    Shapes and the labels that may be dropped are always a list, one entry for each image. Labels
    that belong to no shape come back as they are.
    """
    value = named[name]
    if name == "labels" and not any(shape in named for shape in SHAPES):
        return value
    fixed = name in PIXELS or name == "keypoints"
    if fixed and hasattr(value, "ndim") and len({v.shape for v in column}) == 1:
        return backend(value, "targets").stack(column) if is_tensor(value) else np.stack(column)
    return column


def _none(planner: Planner, named: Named, keys: Key) -> Named:
    """Return the targets of a batch of no images."""
    result: Named = {}
    for name, given in named.items():
        inner = "masks" if name == "mask" else name  # of a batch, one dimension more
        value = backend(given, "targets").as_arrays(inner, given) if is_tensor(given) else given
        found: Any = value if isinstance(value, np.ndarray) else []
        if name in ("image", "mask") and isinstance(value, np.ndarray):
            plan = planner.plan((value.shape[1], value.shape[2]), keys)
            geometric = [stage for stage in plan.stages if stage.kind == "resample"]
            if name == "mask":
                plan = dataclasses.replace(plan, stages=tuple(geometric))
            found = stack([], value if value.ndim == 4 else value[..., None], plan)
            found = found if value.ndim == 4 else found[..., 0]
        if is_tensor(given):
            found = backend(given, "targets").as_tensors(inner, found, given, None)
        result[name] = found
    return result
