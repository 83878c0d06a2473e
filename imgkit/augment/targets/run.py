"""Labels go where the pixels go: masks, boxes, polygons and points through the same plan.

The targets of a call, all by name::

    image           (H, W), (H, W, C), a batch (N, H, W, C) or a list of images
    images          one video or volume (T, H, W), (T, H, W, C), or a list of frames: one draw
    mask            (H, W) or (H, W, C), any bool, integer or float dtype; nearest sampling
    masks           (K, H, W), or a list of masks
    boxes           (N, 4), see the options; clipped to the canvas, dropped when off it
    oriented_boxes  (N, 5): cx, cy, w, h, degrees counter-clockwise as seen; likewise
    polygons        a list of (P, 2); likewise
    keypoints       (N, 2) or (N, 3) with visibility; none is dropped, moved or clamped
    labels          rows that belong to the boxes (else to the oriented boxes, else to the
                    polygons) and are dropped with them; without any of these, as they are

Tensors have their channels first: `image` (C, H, W) or (N, C, H, W), `images` (T, C, H, W), a
`mask` (H, W) or (C, H, W). Each target comes back as it came, a tensor as a tensor of its dtype
where it was (whole numbers of boxes and points as float32). Pixels of images are made on their
device, a batch at once, and keep their gradient; all else moves on the host.

The options::

    box_format      "xyxy", "xywh" or "cxcywh"
    box_normalized  True: boxes are fractions of the width and height
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
from imgkit.augment.targets.sample import (
    PIXELS,
    SHAPES,
    Canvas,
    Named,
    Options,
    SampleContext,
    a_tensor,
    batch_size,
    check_one_place,
    read_targets,
    sample_contexts,
    source_size,
    split,
)
from imgkit.backends import backend
from imgkit.draws import Key

Array = npt.NDArray[Any]
ROUNDING = 1e-9  # of shares of areas


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
    tensor = next((v for value in named.values() if (v := a_tensor(value)) is not None), None)
    if tensor is not None:
        return _run_tensors(planner, key, named, options, samples, backend(tensor, "targets"))
    rows = [named] if samples is None else split(named, samples)
    sizes = [source_size(row, options) for row in rows]
    return _run_arrays(
        planner, planner.keys(key, samples), named, rows, sizes, options, samples is not None
    )


def _run_tensors(
    planner: Planner, key: Any, named: Named, options: Options, samples: int | None, tensors: Any
) -> Named:
    """Run a pipeline on targets with tensors among them: see `imgkit.backends.tensor.targets`."""
    batched = samples is not None
    pixels = {n: v for n, v in named.items() if "image" in n and a_tensor(v) is not None}
    seen = {n: v if n in pixels else tensors.as_arrays(n, v, batched) for n, v in named.items()}
    rows = [seen] if samples is None else split(seen, samples)
    sizes = [source_size(row, options) for row in rows]
    keys = planner.keys(key, samples)
    others = {name: value for name, value in seen.items() if name not in pixels}
    rows = [{name: row[name] for name in others} for row in rows]
    moved: Named = {}
    if others:
        moved = _run_arrays(planner, keys, others, rows, sizes, options, batched)
        moved = {n: tensors.as_tensors(n, v, named[n], batched) for n, v in moved.items()}
    indices = keys.indices if batched else int(keys.indices[0])
    for name, value in pixels.items():
        moved[name] = tensors.run_pixels(planner.run, name, value, keys.epoch, indices)
    return {name: moved[name] for name in named}


def _run_arrays(
    planner: Planner, keys: Key, named: Named, rows: list[Named], sizes: list[Canvas],
    options: Options, batched: bool,
) -> Named:  # fmt: skip
    """Run a pipeline on rows of targets, one for each sample, of images of these sizes."""
    results = []
    for row, context in zip(rows, sample_contexts(planner, keys, sizes, options), strict=True):
        check_one_place(context.plan, row)
        results.append(_run(row, context))
    if not batched:
        return results[0]
    if not rows:
        return _none(planner, named, keys)
    return {name: _join(name, value, [r[name] for r in results]) for name, value in named.items()}


def _run(row: Named, context: SampleContext) -> Named:
    """Run one sample."""
    result: Named = {}
    shares: dict[str, Array] = {}
    for name, value in row.items():
        if name in SHAPES:
            moved, shares[name] = transform_shapes(name, value, context.forward, context.options)
            result[name] = _select(moved, _seen(shares[name], context.options))
        elif name == "keypoints":
            result[name] = boxes.transform_keypoints(value, context.forward)[0]
        else:
            result[name] = value if name == "labels" else RUN[name](value, context)
    owner = next((name for name in SHAPES if name in row), None)
    if "labels" in row and owner is not None:
        _check_labels(row["labels"], owner, len(shares[owner]))
        result["labels"] = _select(row["labels"], _seen(shares[owner], context.options))
    return result


def transform_shapes(
    name: str, value: Any, point_map: boxes.PointMap, options: Options
) -> tuple[Any, Array]:
    """Return shapes at the end of a point map, and the fraction of each that is left."""
    if name == "boxes":
        return boxes.transform_boxes(
            value, options.box_format, bool(options.box_normalized), point_map
        )
    transform = boxes.transform_oriented if name == "oriented_boxes" else boxes.transform_polygons
    return transform(value, point_map)


def _seen(share: Array, options: Options) -> Array:
    """Return the rows of which enough is left."""
    return np.flatnonzero((share > ROUNDING) & (share >= options.min_visibility - ROUNDING))


def _select(values: Any, rows: Array) -> Any:
    """Return rows of an array, list or tuple."""
    if isinstance(values, np.ndarray):
        return values[rows]
    picked = [values[row] for row in rows]
    return tuple(picked) if isinstance(values, tuple) else picked


def _check_labels(labels: Any, owner: str, rows: int) -> None:
    if not hasattr(labels, "__len__") or isinstance(labels, (str, dict)) or len(labels) != rows:
        count = f"has {len(labels)} entries" if hasattr(labels, "__len__") else f"is {labels!r}"
        raise ValueError(f"labels {count}: {owner} has {rows} rows, and each takes one label")


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


def _join(name: str, value: Any, column: list[Any]) -> Any:
    """Return a batch as it came: an array where the results are of one shape, else a list.

    Shapes and the labels that may be dropped are always a list, one entry for each image.
    """
    fixed = name in PIXELS or name == "keypoints"
    if fixed and isinstance(value, np.ndarray) and len({v.shape for v in column}) == 1:
        return np.stack(column)
    return column


def _none(planner: Planner, named: Named, keys: Key) -> Named:
    """Return the targets of a batch of no images."""
    result: Named = {}
    for name, value in named.items():
        result[name] = value if isinstance(value, np.ndarray) else []
        if name in ("image", "mask") and isinstance(value, np.ndarray):
            plan = planner.plan((value.shape[1], value.shape[2]), keys)
            geometric = [stage for stage in plan.stages if stage.kind == "resample"]
            if name == "mask":
                plan = dataclasses.replace(plan, stages=tuple(geometric))
            empty = stack([], value if value.ndim == 4 else value[..., None], plan)
            result[name] = empty if value.ndim == 4 else empty[..., 0]
    return result
