"""Pipelines with calls: functions of an image stand between the transforms.

What a function makes (another size, floats) is known only when it has run. So the transforms
before and after it are planned apart, each for the image that is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from imgkit.augment.plan import explain as explanations
from imgkit.augment.plan.compile import CompiledPipeline
from imgkit.augment.plan.plan import Plan
from imgkit.augment.plan.planner import Planner, checked_key, refuse_moving_calls, run_stages
from imgkit.augment.targets.invert import invert_targets
from imgkit.augment.targets.run import run_targets as run_planned_targets
from imgkit.augment.targets.sample import (
    OPTIONS,
    batch_size,
    read_targets,
    split,
    with_absent,
)
from imgkit.augment.transforms.base import AppliedTransform, errors_at
from imgkit.augment.transforms.custom import Call
from imgkit.backends import backend
from imgkit.draws import Calls, Draw, Key, parse_key
from imgkit.image import Array, check_image, image_size, is_tensor
from imgkit.stages import Call as CallStage
from imgkit.stages import Size, Stage

Runs = Sequence[Any]  # planners and call runners, in order


class CallRunner:
    """A `Call` of a pipeline's list: runs the function where the key says so.

    Args:
        op: the call.
        compiled: the call alone, compiled, for its stream and its place.
        seed: of the draws.
    """

    def __init__(self, op: Any, compiled: CompiledPipeline, seed: int) -> None:
        self.op = op
        self.nodes = compiled.nodes
        (self.node,) = compiled.nodes
        (self.stream,) = compiled.streams(seed)

    def active(self, epoch: int, indices: Array) -> Array:
        """Return for which samples the function runs."""
        if self.op.p in (0, 1):
            return np.full(len(indices), self.op.p == 1)
        return Draw(self.stream, epoch, indices).bernoulli(self.op.p)

    def active_at(self, key: tuple[int, int]) -> Array:
        """Return whether the function runs for one sample, (1,)."""
        return self.active(key[0], np.array([key[1]], np.uint64))

    def run(self, image: Any) -> Any:
        """Return what the function makes of one image, or of a batch that it takes whole."""
        place = f"{self.node.where}: {self.op.name}"
        with errors_at(place):
            result = self.op.apply(image, {})
        shape = getattr(result, "shape", None)
        if shape is None or len(shape) not in (2, 3):
            what = type(result).__name__ if shape is None else f"shape {tuple(shape)}"
            raise TypeError(
                f"{place} returned {what} for an image of shape {tuple(image.shape)}: it must "
                "return an image (H, W) or (H, W, C)"
            )
        return result

    def keep(self, x: Any) -> bool:
        """Return whether the function takes a batch of tensors as it is, gradients included."""
        return bool(self.op.registered) and is_tensor(x)


# --- running ------------------------------------------------------------------------------


def run(
    runs: Runs, counter: Calls, x: Any, key: Any, reference: bool = False, fuse: bool = True
) -> Any:
    """Run on an image or batch, array or tensor; a batch comes back as one if sizes agree."""
    check_image(x)
    batched = x.ndim == 4
    keys = checked_key(counter, key, len(x) if batched else None)
    if not batched:
        return _run_one(runs, x, (keys.epoch, int(keys.indices[0])), reference, fuse)
    if not len(x):
        return _run_empty(runs, x)
    results = [
        _run_one(runs, image, (keys.epoch, int(index)), reference, fuse)
        for image, index in zip(x, keys.indices, strict=True)
    ]
    if len({tuple(result.shape) for result in results}) > 1:
        return results
    return backend(x, "plan").stack(results) if is_tensor(x) else np.stack(results)


def _run_empty(runs: Runs, x: Any) -> Any:
    """Run on a batch of no images: functions are tried on a black image for shape and dtype."""
    for each in runs:
        if isinstance(each, CallRunner):
            black = x.new_zeros(x.shape[1:]) if is_tensor(x) else np.zeros(x.shape[1:], x.dtype)
            if each.op.p:
                black = _applied(each, black)
            x = black[None][:0]
        else:
            x = each.run(x, (0, []))
    return x


def _run_one(runs: Runs, image: Any, key: tuple[int, int], reference: bool, fuse: bool) -> Any:
    for each in runs:
        if isinstance(each, CallRunner):
            image = _call(each, image, key)
        else:
            image = each.reference(image, key, fuse) if reference else each.run(image, key)
    return image


def _call(runner: CallRunner, image: Any, key: tuple[int, int]) -> Any:
    """Run a call on one image where the key says so; the result has memory of its own."""
    if runner.active_at(key)[0]:
        return _applied(runner, image)
    return image.clone() if is_tensor(image) else image.copy()


def _applied(runner: CallRunner, image: Any) -> Any:
    """Run a call on one image; a tensor goes to the host and back unless the function is ours."""
    if runner.keep(image):
        return runner.run(image)
    if not is_tensor(image):  # a user's function may write to it
        return runner.run(image if runner.op.registered else image.copy())
    return backend(image, "numpy_view").call_on_host(runner.run, image, runner.op.name)


def run_plan(stages: Sequence[Stage], sample: int, image: Array) -> Array:
    """Run one sample of a plan; a function's result may have another size and dtype."""
    waiting: list[Stage] = []
    for stage in stages:
        op = stage.function.op if isinstance(stage, CallStage) else None  # type: ignore[attr-defined]
        if not isinstance(op, Call):
            waiting.append(stage)
        elif stage.acts(sample):
            image = run_stages(waiting, sample, image) if waiting else image.copy()
            waiting = []
            with errors_at(f"{stage.function.where}: {op.name}"):  # type: ignore[union-attr]
                image = op.apply(image, {})
    return run_stages(waiting, sample, image)


# --- planning -----------------------------------------------------------------------------


def plan(runs: Runs, size: Size, key: Key) -> Plan:
    """Return the numbers of all transforms; a function is tried on black images for its size."""
    stages: list[Any] = []
    records: list[dict[str, Any]] = []
    in_size = size
    for each in runs:
        if isinstance(each, CallRunner):
            active = each.active(key.epoch, key.indices)
            records.append(
                {"op": each.op.name, "occurrence": each.node.occurrence, "active": active}
            )
            if active.any():
                applied = AppliedTransform(each.op, each.node.where)
                stages.append(CallStage(each.op.name, applied, {}, active))
                size = _size_after(each, size, active)
            continue
        part = each.plan(size, key)
        stages += part.stages
        records += part.ops
        size = part.out_size
    return Plan(key.epoch, key.indices, in_size, size, tuple(records), tuple(stages))


def _size_after(runner: CallRunner, size: Size, active: Array) -> Size:
    """Return the size of what a function makes of images of `size`."""
    if runner.op.registered and not runner.op.moves_pixels:
        return size
    if not any(isinstance(side, np.ndarray) for side in size) and active.all():
        return _probe(runner, size)
    sides = [np.broadcast_to(side, len(active)).tolist() for side in size]
    found = [
        _probe(runner, here) if acts else here
        for here, acts in zip(zip(*sides, strict=True), active, strict=True)
    ]
    height, width = (np.array(side) for side in zip(*found, strict=True))
    return height, width


def _probe(runner: CallRunner, size: Size) -> tuple[int, int]:
    return image_size(runner.run(np.zeros((*size, 3), np.uint8)))


def explain(runs: Runs, size: Any, key: Any, seed: int | None) -> str:
    """Explain the transforms between the functions, and name the functions."""
    blocks, keys = [], parse_key(key)
    for each in runs:
        if isinstance(each, CallRunner):
            blocks.append(f"{each.op.written}: a function, on the pixels as they are")
            if size is not None:
                active = each.active(keys.epoch, keys.indices[:1])
                size = plain_size(_size_after(each, size, active))
            continue
        blocks.append(explanations.explain(each, size, key, seed))
        if size is not None:
            size = plain_size(each.plan(size, keys).out_size)
    return "\n\n".join(blocks)


# --- labels -------------------------------------------------------------------------------


def run_targets(runs: Runs, counter: Calls, key: Any, targets: dict[str, Any]) -> dict[str, Any]:
    """Run on named targets: functions change images alone, and labels stay where they are."""
    named, _ = read_targets(targets)
    options = {name: value for name, value in targets.items() if name in OPTIONS}
    samples = batch_size(named, key)
    keys = checked_key(counter, key, samples)
    if samples is not None:
        rows = split(named, samples)
        done = [
            _run_row(runs, row, (keys.epoch, int(index)), options)
            for row, index in zip(rows, keys.indices, strict=True)
        ]
        joined = {n: _joined(value, [row.get(n) for row in done]) for n, value in named.items()}
        return with_absent(targets, joined)
    return with_absent(targets, _run_row(runs, named, (keys.epoch, int(keys.indices[0])), options))


def _run_row(
    runs: Runs, row: dict[str, Any], key: tuple[int, int], options: dict[str, Any]
) -> dict[str, Any]:
    """Run on the targets of one sample; without an image, `size` follows from op to op."""
    size = options.get("size")
    if isinstance(runs[0], CallRunner):  # the targets are checked as by any transform
        row = run_planned_targets(Planner((), 0, "cut", Calls(True)), key, row | options)
    for each in runs:
        if isinstance(each, CallRunner):
            row = _call_images(each, row, key)
            size = None if size is None else _size_after(each, size, each.active_at(key))
            continue
        here = options if size is None else options | {"size": size}
        row = run_planned_targets(each, key, row | here)
        size = None if size is None else plain_size(each.plan(size, parse_key(key)).out_size)
    return row


def plain_size(size: Size) -> tuple[int, int]:
    """Return the size of one sample as integers."""
    height, width = (int(np.ravel(side)[0]) for side in size)
    return height, width


def _call_images(runner: CallRunner, row: dict[str, Any], key: tuple[int, int]) -> dict[str, Any]:
    """Run a call on the images of a sample; refuse to leave labels behind."""
    labels = [name for name in row if name not in ("image", "images", "labels")]
    name = f"{runner.node.where}: {runner.op.name}"
    if labels:
        refuse_moving_calls(runner.nodes, labels)
    changed = dict(row)
    for target in ("image", "images"):
        if target in row:
            several = target == "images"
            before = list(row[target]) if several else [row[target]]
            after = [_call(runner, image, key) for image in before]
            if labels and any(
                image_size(a) != image_size(b) for a, b in zip(after, before, strict=True)
            ):
                raise ValueError(f"{name} changed the image's size, and {labels[0]} would not fit")
            changed[target] = _joined(row[target], after) if several else after[0]
    return changed


def _joined(value: Any, column: list[Any]) -> Any:
    """Return a batch as it came: one array or tensor where the results are of one shape."""
    shapes = {getattr(v, "shape", None) for v in column}
    if len(shapes) == 1 and None not in shapes:
        if isinstance(value, np.ndarray):
            return np.stack(column)
        if is_tensor(value):
            return backend(value, "plan").stack(column)
    return column


def invert(runs: Runs, size: Size, key: Any, targets: dict[str, Any]) -> dict[str, Any]:
    """Map predictions back through the transforms; functions that move pixels are refused."""
    named, _ = read_targets(targets)
    options = {name: value for name, value in targets.items() if name in OPTIONS}
    keys = parse_key(key)
    if len(keys.indices) != 1:
        raise ValueError(
            f"key has {len(keys.indices)} indices: a pipeline with functions inverts one sample "
            "at a time"
        )
    sizes = []
    for each in runs:
        if isinstance(each, CallRunner):
            refuse_moving_calls(each.nodes, list(named))
            after = _size_after(each, size, each.active(keys.epoch, keys.indices))
            if plain_size(after) != plain_size(size):
                raise ValueError(
                    f"{each.node.where}: {each.op.name} changes the image's size: it cannot be "
                    "inverted"
                )
            continue
        sizes.append((each, size))
        size = plain_size(each.plan(size, keys).out_size)
    valid: dict[str, Any] = {}
    planners = sizes or [(Planner((), 0, "cut", Calls(True)), size)]  # checks the targets
    for each, source in reversed(planners):
        found = invert_targets(each, source, key, named | options)
        named = {name: value for name, value in found.items() if not _is_valid(name)}
        for name in filter(_is_valid, found):
            valid[name] = (
                found[name] & valid[name] if name in valid and name != "valid" else found[name]
            )
    return named | valid


def _is_valid(name: str) -> bool:
    return name == "valid" or name.endswith("_valid")
