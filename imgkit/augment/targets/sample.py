"""One sample of a call: what was passed by name, checked, and the plan that will move it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit import geometry
from imgkit.augment.plan.plan import Plan
from imgkit.augment.plan.planner import Planner
from imgkit.augment.targets import boxes
from imgkit.augment.targets.rows import SHAPES
from imgkit.checks import check_choice, check_int, check_number, printable, suggest
from imgkit.draws import Key, parse_key
from imgkit.image import check_array, check_plain, image_size, is_tensor
from imgkit.pillow import opened

Array = npt.NDArray[Any]
Canvas = tuple[int, int]
Named = dict[str, Any]

PIXELS = ("image", "images", "mask", "masks")
NAMES = (*PIXELS, *SHAPES, "keypoints", "labels")


class TargetOptions(NamedTuple):
    """The options of a call: how its targets are read, dropped and filled."""

    box_format: str = "xyxy"
    box_normalized: bool = False
    min_visibility: float = 0.0
    fill_mask: float = 0
    invalid_boxes: str = "error"
    size: Any = None


@dataclass(frozen=True)
class SampleContext:
    """One sample of a call: its plan, and the canvases at both ends."""

    planner: Planner
    plan: Plan
    sample: int
    source: Canvas
    output: Canvas
    options: TargetOptions

    @cached_property
    def forward(self) -> boxes.PointMap:
        """The map of coordinates from the source to the output."""
        stages = [stage for stage in self.plan.stages if stage.kind == "resample"]
        steps = [step for stage in stages for step in stage.geometric_steps]
        return boxes.PointMap(
            geometry.forward_segments(steps, self.sample), self.source, self.output, False
        )

    @cached_property
    def inverse(self) -> boxes.PointMap:
        """The map of predictions from the output to the source."""
        segments = geometry.inverse_segments(self.forward.segments, self.source)
        return boxes.PointMap(segments, self.output, self.source, True)


# --- reading a call -------------------------------------------------------------------------


OPTIONS = TargetOptions._fields
INVALID = ("error", "drop", "clip")
OTHER_NAMES = {  # of other libraries, and what they are called here
    **dict.fromkeys(("bbox", "bboxes", "box", "gtboxes", "boundingboxes"), ("boxes",)),
    **dict.fromkeys(("label", "classes", "classlabels", "categoryid", "categoryids"), ("labels",)),
    **dict.fromkeys(("keypoint", "points", "landmarks", "kps"), ("keypoints",)),
    **dict.fromkeys(("polygon", "segmentation", "segments"), ("polygons",)),
    **dict.fromkeys(("rboxes", "obb", "rotatedboxes"), ("oriented_boxes",)),
    **dict.fromkeys(("segmap", "semanticmask"), ("mask",)),
    "instancemasks": ("masks",),
    **dict.fromkeys(("img", "frame"), ("image",)),
}


def a_tensor(value: Any) -> Any:
    """Return a target, or the first entry of a list, that is a tensor; None if there is none."""
    if isinstance(value, (list, tuple)):
        return next((v for each in value if (v := a_tensor(each)) is not None), None)
    return value if is_tensor(value) else None


def read_targets(targets: Named) -> tuple[Named, TargetOptions]:
    """Tell targets from options, and check the options; targets that are None are left out."""
    for name in targets:
        if name not in NAMES and name not in TargetOptions._fields:
            known = suggest(name, (*NAMES, *TargetOptions._fields), OTHER_NAMES)
            raise TypeError(f"{name!r} is not a target and not an option of a call: {known}")
    for name in ("image", "images"):
        if name in targets and targets[name] is None:
            raise TypeError(f"{name} is None: pass pixels, or leave it out and pass size=(H, W)")
    named = {n: opened(v, n) for n, v in targets.items() if n in NAMES and v is not None}
    if not named:
        raise TypeError(f"no target was passed: {', '.join(NAMES)}")
    options = TargetOptions(
        **{name: v for name, v in targets.items() if name in TargetOptions._fields}
    )
    check_options(options)
    form = _declared_format(named)
    return named, options._replace(box_format=form, box_normalized=False) if form else options


def check_options(options: TargetOptions) -> None:
    """Raise unless the options are valid."""
    check_choice(options.box_format, "box_format", boxes.FORMATS)
    check_choice(options.invalid_boxes, "invalid_boxes", INVALID)
    if not isinstance(options.box_normalized, (bool, np.bool_)):
        raise TypeError(f"box_normalized is {options.box_normalized!r}: it must be true or false")
    check_number(options.min_visibility, "min_visibility", 0, 1)
    if not isinstance(options.fill_mask, (bool, np.bool_)):
        check_number(options.fill_mask, "fill_mask")


def with_absent(targets: Named, moved: Named) -> Named:
    """Return the results in the order of the call, None for targets that were None."""
    return {name: moved.get(name) for name in targets if name in NAMES}


def _declared_format(named: Named) -> str:
    """Return the format that torchvision's boxes declare themselves; empty if none does."""
    found = {}
    for name in ("boxes", "oriented_boxes"):
        value = named.get(name)
        entries = value if isinstance(value, (list, tuple)) else [value]
        found[name] = {declared(entry) for entry in entries if entry is not None}
        for form in found[name] - {""}:
            if (form in boxes.FORMATS) != (name == "boxes"):
                other = "oriented_boxes" if name == "boxes" else "boxes"
                raise ValueError(f"{name} has format {form.upper()}: pass it as {other}=")
    if len(found["boxes"]) > 1:
        forms = " and ".join(sorted(form.upper() or "none" for form in found["boxes"]))
        raise ValueError(f"boxes declare the formats {forms}: a call takes one format")
    return next(iter(found["boxes"]), "")


def declared(value: Any) -> str:
    """Return the format that a tensor of boxes declares, such as "xywh"; empty if none."""
    return str(value.format.value).lower() if is_tensor(value) and hasattr(value, "format") else ""


def batch_size(named: Named, key: Any) -> int | None:
    """Return how many samples the targets hold; None if they are those of one image."""
    image = named.get("image")
    if isinstance(image, (list, tuple)) or getattr(image, "ndim", 0) == 4:
        return len(image)  # type: ignore[arg-type]
    images = named.get("images")
    if getattr(images, "ndim", 0) == 5:
        return len(images)  # type: ignore[arg-type]
    if image is not None or images is not None or key is None:
        return None
    parsed = parse_key(key)
    return None if parsed.scalar else len(parsed.indices)


def split(named: Named, samples: int) -> list[Named]:
    """Return one dict of targets for each image of a batch."""
    for name, value in named.items():
        if not hasattr(value, "__len__") or len(value) != samples:
            count = f"{len(value)} entries" if hasattr(value, "__len__") else f"value {value!r}"
            raise ValueError(f"{name} has {count}: a batch of {samples} images takes one for each")
        if isinstance(value, (str, bytes, dict, set, frozenset)):
            raise TypeError(
                f"{name} is {printable(value)}: a batch takes a list, with one entry for each image"
            )
    rows = [{name: value[i] for name, value in named.items()} for i in range(samples)]
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def source_size(named: Named, options: TargetOptions) -> Canvas:
    """Return the height and width that all pixels of a sample share."""
    found = [(name, size) for name in PIXELS if name in named for size in _sizes(name, named[name])]
    if not found:
        if options.size is None:
            raise ValueError("size is missing: without an image pass size=(H, W) of the source")
        return check_size(options.size)
    first, size = found[0]
    if options.size is not None:
        raise ValueError(f"size is {options.size!r}: leave it out, it is that of {first}")
    for name, other in found[1:]:
        if other != size:
            raise ValueError(
                f"{name} is {by(other)} (H x W) but {first} is {by(size)}: all pixels of a sample "
                "must have the same size"
            )
    return size


def _sizes(name: str, value: Any) -> list[Canvas]:
    """Check the pixels of a target; return the height and width of each."""
    check = check_mask if "mask" in name else check_frame
    if name in ("image", "mask"):
        return [check(name, value)]
    if isinstance(value, np.ndarray) and value.ndim not in (3, 4):
        letter = "K" if name == "masks" else "T"
        raise ValueError(
            f"{name} has shape {value.shape}: a stack is ({letter}, H, W) or ({letter}, H, W, C)"
        )
    if name == "images" and not len(value):
        raise ValueError("images is empty: a video has at least one frame")
    return [check(f"{name}[{i}]", entry) for i, entry in enumerate(value)]


def check_frame(name: str, image: Any) -> Canvas:
    """Return the size of one image, or raise."""
    check_array(image, name)
    if image.ndim not in (2, 3):
        wanted = "(C, H, W)" if is_tensor(image) else "(H, W, C)"
        raise ValueError(f"{name} has shape {tuple(image.shape)}: it must be (H, W) or {wanted}")
    return image_size(image)


def check_mask(name: str, mask: Any) -> Canvas:
    """Return the size of one mask, or raise."""
    check_plain(mask, name, " (H, W) or (H, W, C)")
    if mask.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {mask.dtype}: it must be bool, an integer or a float")
    if mask.ndim not in (2, 3) or not mask.size:
        raise ValueError(f"{name} has shape {mask.shape}: it must be (H, W) or (H, W, C)")
    return mask.shape[0], mask.shape[1]


def check_size(size: Any) -> Canvas:
    """Return a size that was passed, or raise."""
    if not isinstance(size, (list, tuple)) or len(size) != 2:
        raise ValueError(f"size is {size!r}: it must be (H, W) of the source image")
    return check_int(size[0], "size[0]", 1), check_int(size[1], "size[1]", 1)


def by(size: Canvas) -> str:
    """Return a size as people write it."""
    return f"{size[0]} x {size[1]}"


def sample_contexts(
    planner: Planner, key: Key, sizes: list[Canvas], options: TargetOptions
) -> list[SampleContext]:
    """Plan every sample: all at once where the sizes agree."""
    if not sizes:
        return []
    alike = len(set(sizes)) == 1
    if alike:
        plan = planner.plan(sizes[0], key)
    sample_contexts = []
    for i, size in enumerate(sizes):
        if not alike:
            plan = planner.plan(size, Key(key.epoch, key.indices[i : i + 1], True))
        sample = i if alike else 0
        sample_contexts.append(
            SampleContext(planner, plan, sample, size, _canvas(plan.out_size, sample), options)
        )
    return sample_contexts


def _canvas(size: Any, sample: int) -> Canvas:
    """Return one sample's size."""
    height, width = (int(v[sample]) if isinstance(v, np.ndarray) else int(v) for v in size)
    return height, width


def check_one_place(plan: Plan, named: Named) -> None:
    """Raise if labels have no one place, for branches that move pixels were blended."""
    spatial = [name for name in named if name not in ("image", "images", "labels")]
    mixes = [stage for stage in plan.stages if stage.kind == "mix"]
    parts = [part for stage in mixes for branch in stage.branches for part in branch]
    if spatial and any(part.kind == "resample" for part in parts):
        raise ValueError(
            f"{spatial[0]}: the pipeline blends images that were moved differently, so labels have "
            "no one place; keep geometric ops out of the blend"
        )
