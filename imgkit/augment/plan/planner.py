"""A list of transforms, compiled for a seed: it checks images, parses keys, plans and runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from imgkit.augment.layout import like_image, stack, warn_range
from imgkit.augment.plan.batch import sample_plan
from imgkit.augment.plan.compile import CompiledPipeline, Node, compile_ops
from imgkit.augment.plan.plan import Plan
from imgkit.augment.plan.single import single_planner
from imgkit.augment.transforms.base import Transform
from imgkit.augment.transforms.custom import Call
from imgkit.augment.transforms.output import PRESETS
from imgkit.backends import backend, module
from imgkit.draws import EPOCH_BITS, INDEX_BITS, Calls, Key, parse_key
from imgkit.image import Array, ImageInfo, as_batch, inspect_image, like_input
from imgkit.stages import Size, Stage


class Planner:
    """Transforms between two calls of a pipeline, or all of them.

    Args:
        ops: transforms, in order.
        seed: of the draws.
        canvas: "cut" or "open".
        calls: counts the calls that come without a key.
        before: how often each name occurs in the list before these.
        first: the place of the first of these in the list.
    """

    def __init__(
        self,
        ops: tuple[Transform, ...],
        seed: int,
        canvas: str,
        calls: Calls,
        before: tuple[tuple[str, int], ...] = (),
        first: int = 0,
    ) -> None:
        self.ops, self.seed, self._calls = ops, seed, calls
        self._place = before, first
        self.compiled: CompiledPipeline = compile_ops(ops, True, canvas, before, first)
        self.streams = self.compiled.streams(seed)
        self.single = single_planner(self.compiled, self.streams)
        nodes = self.compiled.nodes
        self._colorful = next((node for node in nodes if node.op.colors), None)
        self._channels = dict(_channel_counts(nodes))
        self._warned = False

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every transform, and those of control transforms."""
        return self.compiled.nodes

    # --- checks and keys ---

    def check(self, x: Any) -> ImageInfo:
        """Raise unless the transforms can run on `x`, and return its layout.

        It warns about floats out of range, once.
        """
        image = inspect_image(x)
        found = image.channels
        if self._colorful is not None and found not in (1, 3):
            where, name = self._colorful.where, self._colorful.op.name
            raise ValueError(
                f"{where}: image has {found} channels: {name} needs 1 (gray) or 3 (RGB)"
            )
        for (where, name), count in self._channels.items():
            if count != found:
                raise ValueError(
                    f"{where}: image has {found} channels: {name} has values for {count}"
                )
        floats = x.dtype.is_floating_point if image.is_tensor else x.dtype.kind == "f"
        if floats and not self._warned:
            self._warned = warn_range(x)
        return image

    def keys(self, key: Any, samples: int | None) -> Key:
        """Return the key of a call, checked against the number of samples."""
        return checked_key(self._calls, key, samples)

    # --- planning ---

    def plan(self, size: Size, key: Key, fuse: bool = True) -> Plan:
        """Return the numbers that a call with this key uses on images of `size` (H, W)."""
        compiled = self.compiled
        if not fuse:
            compiled = compile_ops(self.ops, False, "cut", *self._place)
        drawn, stages, out_size = sample_plan(compiled, self.streams, key.epoch, key.indices, size)
        records = tuple(
            {"op": node.op.name, "occurrence": node.occurrence, **numbers}
            for node, numbers in zip(compiled.nodes, drawn, strict=True)
        )
        return Plan(key.epoch, key.indices, size, out_size, records, tuple(stages))

    # --- running ---

    def run(self, x: Any, key: Any) -> Any:
        """Run on an image or batch, array or tensor."""
        image = self.check(x)
        batched = x.ndim == 4
        if not (batched or image.is_tensor):
            epoch, index = one_key(self._calls, key)
            stages = self.single.sample_plan(epoch, index, image.size)
            if x.ndim == 2:
                return run_stages(stages, 0, x)
            return module("array", "plan").run(stages, 0, x)
        size = int(image.size[0]), int(image.size[1])  # symbols, where torch exports the call
        plan = self.plan(size, self.keys(key, len(x) if batched else None))
        if image.is_tensor:
            result = backend(x, "plan").run_batch(plan.stages, as_batch(x))
            return result if isinstance(result, list) else like_input(result, x)
        run = module("array", "plan").run
        return stack([run(plan.stages, i, pixels) for i, pixels in enumerate(x)], x, plan)

    def reference(self, x: Array, key: Any, fuse: bool = True) -> Any:
        """Run in float64 with SciPy, slowly and plainly: the oracle."""
        from imgkit.backends.reference import plan as oracle

        size = self.check(x).size
        batched = x.ndim == 4
        plan = self.plan(size, self.keys(key, len(x) if batched else None), fuse)
        results = [oracle.run(plan.stages, i, image) for i, image in enumerate(as_batch(x))]
        return stack(results, x, plan) if batched else like_image(results[0], x.ndim, plan.stages)


def refuse_moving_calls(nodes: Sequence[Node], labels: Sequence[str]) -> None:
    """Raise if a function moves pixels, which labels cannot follow."""
    for node in nodes:
        if isinstance(node.op, Call) and node.op.p and node.op.moves_pixels:
            raise ValueError(
                f"{node.where}: {node.op.name} moves pixels, and {labels[0]} would stay behind: "
                "use a transform, such as Resize, RandomCrop or Rotate"
            )


def run_stages(stages: Sequence[Stage], sample: int, image: Array) -> Array:
    """Run the stages of one sample on its image (H, W) or (H, W, C)."""
    pixels = image if image.ndim == 3 else image[:, :, None]
    return like_image(backend(image, "plan").run(stages, sample, pixels), image.ndim, stages)


def one_key(calls: Calls, key: Any) -> tuple[int, int]:
    """Return the epoch and index of the key of one image; without one the next."""
    if type(key) is tuple and len(key) == 2:
        epoch, index = key
        plain = type(epoch) is type(index) is int
        if plain and not (epoch >> EPOCH_BITS or index >> INDEX_BITS):  # of a negative it is -1
            return epoch, index  # the usual form, which needs no further check
    keys = checked_key(calls, key, None)
    return keys.epoch, int(keys.indices[0])


def checked_key(calls: Calls, key: Any, samples: int | None) -> Key:
    """Return the key of a call, checked against the number of samples; without one the next."""
    if key is None:
        return calls.next(samples)
    parsed = parse_key(key)
    if samples is not None and len(parsed.indices) != samples:
        raise ValueError(
            f"key has {len(parsed.indices)} indices: a batch of {samples} images takes "
            f"(epoch, array of {samples} indices)"
        )
    if samples is None and not parsed.scalar and len(parsed.indices) != 1:
        raise ValueError(f"key has {len(parsed.indices)} indices: one image takes one index")
    return parsed


def _channel_counts(nodes: Sequence[Node]) -> Iterator[tuple[tuple[str, str], int]]:
    """Yield the parameters that hold a value for each channel, and how many."""
    for node in nodes:
        for name in ("fill", "mean"):
            values = getattr(node.op, name, None)
            if isinstance(values, str):
                values = PRESETS[values][0]
            if isinstance(values, tuple) and len(values) > 1:
                yield (node.where, f"{node.op.name}.{name}"), len(values)
