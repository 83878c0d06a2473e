"""A pipeline: say once what may happen, run it on arrays, batches and their labels.

The key ``(epoch, index)`` decides every number, whoever runs the pipeline: see `imgkit.draws`.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from imgkit.augment.plan import compile as recipe
from imgkit.augment.plan import single as alone
from imgkit.augment.plan.plan import Plan
from imgkit.augment.transforms.base import Size, Transform
from imgkit.augment.transforms.output import PRESETS
from imgkit.backends import backend
from imgkit.checks import check_choice
from imgkit.draws import SEED_BITS, Calls, Key, Stream, check_bits, parse_key
from imgkit.image import as_batch, channels, check_image, image_size, is_tensor, like_input
from imgkit.pillow import opened

Array = npt.NDArray[Any]


class Pipeline:
    """A list of transforms, planned and fused.

    Args:
        ops: transforms, in order.
        seed: 0 to 2**64 - 1; with it, the same key gives the same numbers everywhere. Without
            seed and key each call draws fresh entropy.
        canvas: "cut" loses what any canvas within a run of geometric ops cuts off, as op by op;
            "open" keeps what the source still has.

    Raises:
        TypeError, ValueError: an op is no transform, or stands where it cannot.

    Example:
        >>> import numpy as np, imgkit as ik
        >>> aug = ik.Pipeline([ik.HorizontalFlip(p=0.5), ik.Rotate((-15, 15))], seed=7)
        >>> image = np.zeros((32, 48, 3), np.uint8)
        >>> aug(image, key=(0, 12)).shape
        (32, 48, 3)
    """

    def __init__(
        self, ops: Sequence[Transform], seed: int | None = None, *, canvas: str = "cut"
    ) -> None:
        if isinstance(ops, Transform) or not isinstance(ops, (list, tuple)):
            raise TypeError(f"ops is {ops!r}: it takes a list of transforms")
        for place, op in enumerate(ops):
            if not isinstance(op, Transform):
                raise TypeError(
                    f"ops[{place}] is {op!r}: it must be a transform, such as Rotate(15)"
                )
        self.ops = tuple(ops)
        self.seed = None if seed is None else check_bits(seed, "seed", SEED_BITS)
        self.canvas = check_choice(canvas, "canvas", ("cut", "open"))
        self._recipe = recipe.compile_ops(self.ops, canvas=canvas)
        self._streams = recipe.streams(self._recipe, self.seed or 0)
        self._script = alone.script(self._recipe, self._streams)
        self._calls = Calls(self.seed is not None)
        self._warned = False
        self._colorful = next((n.op.name for n in self._recipe.nodes if n.op.colors), None)
        self._channels = dict(_channel_counts(self._recipe.nodes))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pipeline) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[Any, ...]:
        return self.ops, self.seed, self.canvas

    def __repr__(self) -> str:
        listed = ", ".join(repr(op) for op in self.ops)
        canvas = "" if self.canvas == "cut" else f", canvas={self.canvas!r}"
        return f"Pipeline([{listed}], seed={self.seed}{canvas})"

    # --- running ---

    def __call__(self, x: Any = None, /, *, key: Any = None, **targets: Any) -> Any:
        """Run on an image or batch (array in, array out), or on named targets (dict out).

        Args:
            x: an image (H, W), (H, W, C), a batch (N, H, W, C), or a list of images; Pillow's
                images count as arrays, see `imgkit.pillow`.
            key: ``(epoch, index)``, an index, or ``(epoch, indices)`` for a batch.
            **targets: `image`, `mask`, `masks`, `boxes`, `labels`, `keypoints`, `polygons`, ...;
                see `imgkit.augment.targets.run`.

        Returns:
            What came in, transformed: the same layout, or a dict of the targets given.
        """
        if targets:
            if x is not None:
                raise TypeError("pass the image alone, or everything by name: image=..., mask=...")
            from imgkit.augment.targets.run import run_targets

            return run_targets(self, key, targets)
        if x is None:
            raise TypeError("x is missing: pass an image, or image=... and its labels by name")
        x = opened(x)
        if isinstance(x, (list, tuple)) and all(hasattr(image, "shape") for image in x):
            return self._ragged(x, key)
        self.check(x)
        batched = x.ndim == 4
        keys = self.keys(key, len(x) if batched else None)
        if not batched and not is_tensor(x):
            stages = alone.fill(self._script, keys.epoch, int(keys.indices[0]), image_size(x))
            image = x if x.ndim == 3 else x[:, :, None]
            return plain(backend(x, "plan").run(stages, 0, image), x.ndim, stages)
        plan = self._plan(image_size(x), keys)
        if is_tensor(x):
            return self._run_tensor(plan, x)
        results = [self.run(plan, i, image) for i, image in enumerate(as_batch(x))]
        if not batched:
            return plain(results[0], x.ndim, plan.stages)
        return stack(results, x, plan)

    def _run_tensor(self, plan: Plan, x: Any) -> Any:
        """Run a plan on a tensor, channels first; see `imgkit.backends.tensor.plan`."""
        result = backend(x, "plan").run_batch(plan.stages, as_batch(x))
        return result if isinstance(result, list) else like_input(result, x)

    def _ragged(self, images: Sequence[Any], key: Any) -> list[Any]:
        keys = self.keys(key, len(images))
        return [
            self(image, key=(keys.epoch, int(index)))
            for image, index in zip(images, keys.indices, strict=True)
        ]

    def run(self, plan: Plan, sample: int, image: Array) -> Array:
        """Run one sample of a plan on its image (H, W, C)."""
        result: Array = backend(image, "plan").run(plan.stages, sample, image)
        return result

    def check(self, x: Any) -> None:
        """Raise unless the ops can run on `x`; warn about floats out of range."""
        check_image(x)
        found = channels(x)
        if self._colorful and found not in (1, 3):
            raise ValueError(
                f"image has {found} channels: {self._colorful} needs 1 (gray) or 3 (RGB)"
            )
        for name, count in self._channels.items():
            if count != found:
                raise ValueError(f"image has {found} channels: {name} has values for {count}")
        self._warned = self._warned or warn_range(x)

    def reference(self, x: Any, key: Any, fuse: bool = True) -> Any:
        """Run in float64 with SciPy, slowly and plainly: the oracle.

        Args:
            x: an image or batch.
            key: as in a call.
            fuse: run the fused plan; False runs the list op by op.

        Returns:
            The result, rounded to the dtype of `x` as a call's is.
        """
        self.check(x)
        if is_tensor(x):
            return backend(x, "targets").reference(self, x, key, fuse)
        from imgkit.backends.reference import plan as oracle

        batched = x.ndim == 4
        keys = self.keys(key, len(x) if batched else None)
        plan = self._plan(image_size(x), keys, fuse)
        results = [oracle.run(plan.stages, i, image) for i, image in enumerate(as_batch(x))]
        return stack(results, x, plan) if batched else plain(results[0], x.ndim, plan.stages)

    # --- planning ---

    def keys(self, key: Any, samples: int | None) -> Key:
        """Return the key of a call, checked against the number of samples."""
        if key is None:
            return self._calls.next(samples)
        parsed = parse_key(key)
        if samples is not None and len(parsed.indices) != samples:
            raise ValueError(
                f"key has {len(parsed.indices)} indices: a batch of {samples} images takes "
                f"(epoch, array of {samples} indices)"
            )
        if samples is None and not parsed.scalar and len(parsed.indices) != 1:
            raise ValueError(f"key has {len(parsed.indices)} indices: one image takes one index")
        return parsed

    def plan(self, size: Size, key: Any) -> Plan:
        """Return the numbers that a call with this key would use on images of `size` (H, W)."""
        return self._plan(size, parse_key(key))

    def _plan(self, size: Size, key: Key, fuse: bool = True) -> Plan:
        compiled: recipe.Recipe = self._recipe
        streams: tuple[Stream, ...] = self._streams
        if not fuse:
            compiled = recipe.compile_ops(self.ops, fuse=False)
        drawn, built, out_size = recipe.fill(compiled, streams, key.epoch, key.indices, size)
        records = tuple(
            {"op": node.op.name, "occurrence": node.occurrence, **numbers}
            for node, numbers in zip(compiled.nodes, drawn, strict=True)
        )
        return Plan(key.epoch, key.indices, size, out_size, records, tuple(built))

    def explain(self, size: Size | None = None, key: Any = (0, 0)) -> str:
        """Say which ops share a stage, why each stage was begun, and how sizes change."""
        from imgkit.augment.plan.explain import explain

        return explain(self, size, key)

    # --- text ---

    def to_yaml(self) -> str:
        """Return the pipeline as YAML that `from_yaml` reads."""
        from imgkit.augment.exchange.document import to_yaml

        return to_yaml(self)

    @classmethod
    def from_yaml(cls, text_or_path: Any) -> Pipeline:
        """Read a pipeline from YAML text or a path; nothing in it is executed."""
        from imgkit.augment.exchange.document import from_yaml

        return from_yaml(text_or_path)

    def to_json(self) -> str:
        """Return the pipeline as JSON that `from_json` reads."""
        from imgkit.augment.exchange.document import to_json

        return to_json(self)

    @classmethod
    def from_json(cls, text: str) -> Pipeline:
        """Read a pipeline from JSON text."""
        from imgkit.augment.exchange.document import from_json

        return from_json(text)

    @classmethod
    def from_torchvision(cls, transform: Any, seed: int | None = None) -> Pipeline:
        """Translate a torchvision Compose, v1 or v2; refuse by name what means something else."""
        from imgkit.augment.exchange.translate import from_torchvision

        return from_torchvision(transform, seed)

    @classmethod
    def from_albumentations(cls, transform: Any, seed: int | None = None) -> Pipeline:
        """Translate an albumentations Compose; refuse by name what means something else."""
        from imgkit.augment.exchange.translate import from_albumentations

        return from_albumentations(transform, seed)

    def invert(self, *, size: Size, key: Any, **targets: Any) -> dict[str, Any]:
        """Map predictions back to the source image; see `imgkit.augment.targets.invert`."""
        from imgkit.augment.targets.invert import invert_targets

        return invert_targets(self, size, key, targets)


def _channel_counts(nodes: Sequence[recipe.Node]) -> Iterator[tuple[str, int]]:
    """Yield the parameters that hold a value for each channel, and how many."""
    for node in nodes:
        for name in ("fill", "mean"):
            values = getattr(node.op, name, None)
            if isinstance(values, str):
                values = PRESETS[values][0]
            if values is not None and len(values) > 1:
                yield f"{node.op.name}.{name}", len(values)


# --- layouts --------------------------------------------------------------------------------


def plain(result: Array, ndim: int, stages: Sequence[Any]) -> Array:
    """Return one sample's result in the layout of its input: no channel axis if it had none."""
    if ndim > 2:
        return result
    return result[0] if any(s.kind == "normalize" and s.chw for s in stages) else result[..., 0]


def stack(results: list[Array], x: Array, plan: Plan) -> Any:
    """Return a batch, or a list where the sizes differ."""
    if not results:
        return _empty(x, plan)
    if len({result.shape for result in results}) > 1:
        return results
    return np.stack(results)


def _empty(x: Array, plan: Plan) -> Array:
    """Return a batch of no images, of the shape and dtype that one would have."""
    last = plan.stages[-1] if plan.stages else None
    height, width = (int(np.max(v)) if np.size(v) else 0 for v in plan.out_size)
    shape: tuple[int, ...] = (0, height, width, x.shape[-1])
    dtype = x.dtype
    if last is not None and last.kind == "normalize":
        shape = (0, x.shape[-1], height, width) if last.chw else shape
        dtype = (
            np.dtype(np.float64 if dtype == np.float64 else np.float32) if last.to_float else dtype
        )
    return np.empty(shape, dtype)


def warn_range(x: Array) -> bool:
    """Warn about floats outside 0..1, which color ops will clip; tell whether it did."""
    if is_tensor(x):  # asking a device would wait for it
        return False
    if x.dtype.kind == "f" and x.size and not (x.min() >= 0 and x.max() <= 1):
        warnings.warn(
            f"image has values from {x.min():g} to {x.max():g}: floats mean 0..1, and color ops "
            "clip to it; divide by 255 if they are 0..255",
            UserWarning,
            stacklevel=3,
        )
        return True
    return False
