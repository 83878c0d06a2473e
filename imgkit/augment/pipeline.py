"""A pipeline: say once what may happen, run it on arrays, batches and their labels.

The key ``(epoch, index)`` decides every number, whoever runs the pipeline: see `imgkit.draws`.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

import numpy as np

from imgkit.augment import calls
from imgkit.augment.exchange import albumentations, document, torchvision
from imgkit.augment.exchange.translate import translate
from imgkit.augment.layout import puts_channels_first
from imgkit.augment.plan.compile import Node, compile_ops
from imgkit.augment.plan.explain import explain
from imgkit.augment.plan.plan import Plan
from imgkit.augment.plan.planner import Planner, checked_key, run_stages
from imgkit.augment.targets.invert import invert_targets
from imgkit.augment.targets.run import run_targets
from imgkit.augment.transforms.base import Transform
from imgkit.augment.transforms.custom import Call, as_ops
from imgkit.backends import backend, call_untraced
from imgkit.checks import check_choice
from imgkit.draws import SEED_BITS, Calls, Key, check_bits, parse_key
from imgkit.image import Array, is_tensor
from imgkit.pillow import opened
from imgkit.stages import Size

Item = Transform | Callable[..., Any]  # of a list: a pipeline is callable too


class Pipeline:
    """A list of transforms, planned and fused.

    Args:
        ops: in order: transforms, functions of an image (imgkit's, your own, partials of them),
            and pipelines, whose ops stand in their place.
        seed: 0 to 2**64 - 1; with it, the same key gives the same numbers everywhere. Without
            seed and key each call draws fresh entropy. By default that of the first pipeline
            among `ops` that has one; a seed given here draws everything.
        canvas: "cut" loses what any canvas within a run of geometric ops cuts off, as op by op;
            "open" keeps what the source still has.

    Raises:
        TypeError, ValueError: an op is none of these, or stands where it cannot.

    Example:
        >>> import numpy as np, imgkit as ik
        >>> aug = ik.Pipeline([ik.HorizontalFlip(p=0.5), ik.Rotate((-15, 15)), ik.sobel], seed=7)
        >>> image = np.zeros((32, 48, 3), np.uint8)
        >>> aug(image, key=(0, 12)).shape
        (32, 48, 3)
    """

    def __init__(
        self, ops: Sequence[Item], seed: int | None = None, *, canvas: str = "cut"
    ) -> None:
        if isinstance(ops, Transform) or not isinstance(ops, (list, tuple)):
            raise TypeError(f"ops is {ops!r}: it takes a list of transforms")
        if seed is None:
            seeds = (op.seed for op in ops if isinstance(op, Pipeline) and op.seed is not None)
            seed = next(seeds, None)
        self.seed: int | None = None if seed is None else check_bits(seed, "seed", SEED_BITS)
        self.canvas = check_choice(canvas, "canvas", ("cut", "open"))
        self.ops: tuple[Transform, ...] = tuple(_spliced(ops, self.canvas))
        self._calls = Calls(self.seed is not None)
        self._runs = _runs(self.ops, self.seed or 0, self.canvas, self._calls)
        first = self._runs[0]
        self._planner = first if isinstance(first, Planner) and len(self._runs) == 1 else None

    def imgkit_ops(self) -> tuple[Transform, ...]:
        """Return the ops, for a list that this pipeline stands in."""
        return self.ops

    # --- a sequence of ops ---

    def __len__(self) -> int:
        return len(self.ops)

    def __iter__(self) -> Iterator[Transform]:
        return iter(self.ops)

    @overload
    def __getitem__(self, place: int) -> Transform: ...

    @overload
    def __getitem__(self, place: slice) -> Pipeline: ...

    def __getitem__(self, place: int | slice) -> Transform | Pipeline:
        """Return one op, or a pipeline of some with the same seed and canvas."""
        if isinstance(place, slice):
            return Pipeline(self.ops[place], self.seed, canvas=self.canvas)
        return self.ops[place]

    def __add__(self, other: Any) -> Pipeline:
        """Return a pipeline of both, with this one's canvas, and its seed if it has one."""
        items = other if isinstance(other, (list, tuple)) else (other,)
        return Pipeline((self, *items), canvas=self.canvas)

    def __radd__(self, other: Any) -> Pipeline:
        """Return a pipeline of a list, a transform or a function and this one."""
        items = other if isinstance(other, (list, tuple)) else (other,)
        return Pipeline((*items, self), canvas=self.canvas)

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

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every transform of the list and of its control transforms, with its place."""
        return tuple(node for run in self._runs for node in run.nodes)

    def check(self, x: Any) -> None:
        """Raise unless the transforms up to the first function can run on `x`."""
        if isinstance(self._runs[0], Planner):
            self._runs[0].check(x)

    @property
    def is_random(self) -> bool:
        """Whether any op draws: whether a key and a seed change the result."""
        return any(node.op.is_random for node in self.nodes)

    @property
    def channels_first(self) -> bool:
        """Whether the channels of a resulting array come first."""
        last = self._runs[-1]
        built = [group.built for group in last.compiled.groups] if isinstance(last, Planner) else []
        return puts_channels_first([stage for stage in built if stage is not None])

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
        compiler = getattr(sys.modules.get("torch"), "compiler", None)  # `is_traced`, as it is
        ask = getattr(compiler, "is_dynamo_compiling", None)
        if ask is not None and ask():
            return call_untraced(Pipeline.__call__, self, x, key=key, **targets)
        if targets:
            if x is not None:
                raise TypeError("pass the image alone, or everything by name: image=..., mask=...")
            if self._planner is None:
                return calls.run_targets(self._runs, self._calls, key, targets)
            return run_targets(self._planner, key, targets)
        if x is None:
            raise TypeError("x is missing: pass an image, or image=... and its labels by name")
        if type(x) is not np.ndarray:
            x = opened(x)
            if isinstance(x, (list, tuple)) and all(hasattr(image, "shape") for image in x):
                return self._ragged(x, key)
        if self._planner is not None:
            return self._planner.run(x, key)
        return calls.run(self._runs, self._calls, x, key)

    def run(self, plan: Plan, sample: int, image: Array) -> Array:
        """Run one sample of a plan on its image (H, W) or (H, W, C)."""
        run = calls.run_plan if self._planner is None else run_stages
        return run(plan.stages, sample, image)

    def _ragged(self, images: Sequence[Any], key: Any) -> list[Any]:
        keys = self.keys(key, len(images))
        return [
            self(image, key=(keys.epoch, int(index)))
            for image, index in zip(images, keys.indices, strict=True)
        ]

    def reference(self, x: Any, key: Any, fuse: bool = True) -> Any:
        """Run in float64 with SciPy, slowly and plainly: the oracle.

        Args:
            x: an image or batch.
            key: as in a call.
            fuse: run the fused plan; False runs the list op by op.

        Returns:
            The result, rounded to the dtype of `x` as a call's is.
        """
        if is_tensor(x):
            run = lambda array: self.reference(array, key, fuse)  # noqa: E731
            return backend(x, "targets").reference(run, self.channels_first, x)
        if self._planner is not None:
            return self._planner.reference(x, key, fuse)
        return calls.run(self._runs, self._calls, x, key, reference=True, fuse=fuse)

    # --- planning ---

    def keys(self, key: Any, samples: int | None) -> Key:
        """Return the key of a call, checked against the number of samples."""
        return checked_key(self._calls, key, samples)

    def plan(self, size: Size, key: Any) -> Plan:
        """Return the numbers that a call with this key would use on images of `size` (H, W)."""
        if self._planner is not None:
            return self._planner.plan(size, parse_key(key))
        return calls.plan(self._runs, size, parse_key(key))

    def explain(self, size: Size | None = None, key: Any = (0, 0)) -> str:
        """Return as text which ops share a stage, why each stage starts, and how sizes change."""
        if self._planner is not None:
            return explain(self._planner, size, key, self.seed)
        return calls.explain(self._runs, size, key, self.seed)

    def invert(self, *, size: Size, key: Any, **targets: Any) -> dict[str, Any]:
        """Map predictions back to the source image; see `imgkit.augment.targets.invert`."""
        if self._planner is not None:
            return invert_targets(self._planner, size, key, targets)
        return calls.invert(self._runs, size, key, targets)

    # --- documents ---

    @property
    def _document(self) -> document.Document:
        return document.Document(self.ops, self.seed, self.canvas)

    def to_yaml(self) -> str:
        """Return the pipeline as YAML that `from_yaml` reads.

        >>> import imgkit as ik
        >>> print(ik.Pipeline([ik.HorizontalFlip(p=0.5), ik.Rotate((-15, 15))], seed=7).to_yaml())
        version: 1
        seed: 7
        ops:
        - HorizontalFlip: {p: 0.5}
        - Rotate:
            degrees: [-15.0, 15.0]
        <BLANKLINE>
        """
        return document.to_yaml(self._document)

    @classmethod
    def from_yaml(cls, text_or_path: Any) -> Pipeline:
        """Read a pipeline from YAML text or a path; nothing in it is executed.

        >>> Pipeline.from_yaml("{version: 1, ops: [HorizontalFlip, gaussian_blur: {sigma: 2}]}")
        Pipeline([HorizontalFlip(p=1.0), Call(gaussian_blur, sigma=2)], seed=None)
        """
        return cls._read(document.from_yaml(text_or_path))

    def to_json(self) -> str:
        """Return the pipeline as JSON that `from_json` reads."""
        return document.to_json(self._document)

    @classmethod
    def from_json(cls, text: Any) -> Pipeline:
        """Read a pipeline from JSON text, or the path of a file."""
        return cls._read(document.from_json(text))

    def to_document(self) -> dict[str, Any]:
        """Return the pipeline as the plain mapping that YAML and JSON write."""
        return document.write(self._document)

    @classmethod
    def from_document(cls, content: Any) -> Pipeline:
        """Read a pipeline from the plain mapping of `to_document`."""
        return cls._read(document.read(content))

    @classmethod
    def _read(cls, read: document.Document) -> Pipeline:
        return cls(read.ops, read.seed, canvas=read.canvas)

    @classmethod
    def from_torchvision(cls, transform: Any, seed: int | None = None) -> Pipeline:
        """Translate a torchvision Compose, v1 or v2; refuse by name what means something else."""
        return cls(translate(transform, torchvision.LIBRARY), seed)

    @classmethod
    def from_albumentations(cls, transform: Any, seed: int | None = None) -> Pipeline:
        """Translate an albumentations Compose; refuse by name what means something else."""
        return cls(translate(transform, albumentations.LIBRARY), seed)


def _spliced(items: Sequence[Any], canvas: str) -> Iterator[Transform]:
    """Yield the transforms that the items of a list stand for."""
    for place, item in enumerate(items):
        where = f"ops[{place}]"
        if isinstance(item, Pipeline) and len(item) and item.canvas != canvas:
            raise ValueError(
                f"{where} has canvas {item.canvas!r}: the list has one canvas, and this is "
                f"{canvas!r}; pass canvas={item.canvas!r}"
            )
        for op in as_ops(item, where):
            if not isinstance(op, Transform):
                raise ValueError(f"{where} contains a pipeline that contains itself")
            yield op


def _runs(
    ops: tuple[Transform, ...], seed: int, canvas: str, counter: Calls
) -> list[Planner | calls.CallRunner]:
    """Compile the transforms between calls, and the calls."""
    runs: list[Planner | calls.CallRunner] = []
    seen: Counter[str] = Counter()
    waiting: list[Transform] = []

    def flush(end: int) -> None:
        if waiting or not ops:
            before, first = tuple(sorted(seen.items())), end - len(waiting)
            planner = Planner(tuple(waiting), seed, canvas, counter, before, first)
            runs.append(planner)
            seen.update(node.op.name for node in planner.compiled.nodes)
            waiting.clear()

    for place, op in enumerate(ops):
        if not isinstance(op, Call):
            waiting.append(op)
            continue
        flush(place)
        _check_not_first(runs, f"ops[{place}]: {op.name}")
        alone = compile_ops((op,), True, canvas, tuple(sorted(seen.items())), place)
        runs.append(calls.CallRunner(op, alone, seed))
        seen[op.name] += 1
    flush(len(ops))
    return runs


def _check_not_first(runs: list[Any], name: str) -> None:
    """Raise for a call after channels were put first: the array is not an image any more."""
    last = runs[-1] if runs else None
    groups = last.compiled.groups if isinstance(last, Planner) else ()
    if any(group.built is not None and group.built.chw for group in groups):
        raise ValueError(f"{name} comes after ToCHW: that must be the last")
