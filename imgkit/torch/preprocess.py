"""Preprocessing for trained networks: resize, crop, normalize.

A preset is the preprocessing of a family of networks; a timm data config (a dict) gives it in
numbers. Images of any kind become normalized float tensors.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from imgkit.augment.pipeline import Pipeline
from imgkit.augment.transforms.exact import CenterCrop
from imgkit.augment.transforms.output import PRESETS, Normalize, ToCHW
from imgkit.augment.transforms.resizes import Resize
from imgkit.backends.tensor.numpy_view import is_plain
from imgkit.backends.tensor.primitives.symbols import fixed, with_fixed_size
from imgkit.backends.tensor.tracing import outside
from imgkit.checks import check_choice, check_int, check_number
from imgkit.ops.color import grayscale
from imgkit.torch import samples

Size = tuple[int, int]


class InputSpec(NamedTuple):
    """Preprocessing of a network: `resize` is the shorter edge, or a size to squash to."""

    resize: int | Size
    crop: Size
    interpolation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


INPUT_SPECS: dict[str, InputSpec] = {
    # torchvision's ImageClassification: ResNet and others, weights V1
    "imagenet": InputSpec(256, (224, 224), "bilinear", *PRESETS["imagenet"]),
    # OpenAI's and open_clip's CLIP
    "clip": InputSpec(224, (224, 224), "bicubic", *PRESETS["clip"]),
    # SigLIP squashes; its paper's and open_clip's "resize_mode": "squash"
    "siglip": InputSpec((224, 224), (224, 224), "bicubic", *PRESETS["siglip"]),
    # timm's inception_v3: floor(299 / 0.875)
    "inception": InputSpec(341, (299, 299), "bicubic", *PRESETS["inception"]),
    "mnist": InputSpec((28, 28), (28, 28), "bilinear", *PRESETS["mnist"]),
    "cifar10": InputSpec((32, 32), (32, 32), "bilinear", *PRESETS["cifar10"]),
}


class Preprocess(nn.Module):  # type: ignore[misc]  # torch is not read by mypy
    """The deterministic transform for inference: image in, normalized (C, H, W) tensor out.

    Presets: "imagenet" (resize the shorter edge to 256, crop 224), "clip" (224, bicubic),
    "siglip" (squash to 224, bicubic), "inception" (341, crop 299, bicubic), "mnist" (28, gray),
    "cifar10" (32). On 8-bit images the result is within one level of torchvision's, timm's
    and open_clip's. `pipeline` is the same as one imgkit `Pipeline`, which does not round to
    levels after the resize.

    Args:
        preset: a preset's name, or a timm data config: a dict with `input_size`, `mean`, `std`,
            `interpolation`, `crop_pct` and `crop_mode` ("center" or "squash").
        size: the side of the crop instead of the preset's; the resize scales with it.

    Raises:
        ValueError: an unknown preset, or a config that imgkit does not support.

    Example:
        >>> import numpy as np
        >>> Preprocess("clip")(np.zeros((300, 400, 3), np.uint8)).shape
        torch.Size([3, 224, 224])
    """

    def __init__(self, preset: str | Mapping[str, Any] = "imagenet", size: int | None = None):
        super().__init__()
        spec = _from_config(preset) if isinstance(preset, Mapping) else _preset(preset)
        self._build(spec if size is None else _scaled(spec, check_int(size, "size", 1)))

    def _build(self, spec: InputSpec) -> None:
        """Make the pipelines of a spec."""
        self.spec = spec
        resize, crop, interpolation, mean, std = self.spec
        edge = "shorter" if isinstance(resize, int) else "both"
        place = [Resize(resize, edge=edge, interpolation=interpolation), CenterCrop(crop)]
        values = [Normalize(mean, std), ToCHW()]
        self.pipeline = Pipeline([*place, *values], seed=0)
        self._steps = Pipeline(place, seed=0), Pipeline(values, seed=0)

    def forward(self, x: Any) -> Any:
        """Prepare one image, a batch or a list.

        Args:
            x: a Pillow image, an array (H, W) or (H, W, C), a tensor (C, H, W), a batch of
                either, or a list of them. Gray becomes RGB if the network takes 3 channels,
                RGB becomes gray if it takes 1.

        Returns:
            (C, H, W) float32 (float64 for float64), or (N, C, H, W).
        """
        if isinstance(x, (list, tuple)):
            if not x:
                return torch.empty(0, len(self.spec.mean), *self.spec.crop)
            return torch.stack([self(image) for image in x])
        if not torch.compiler.is_dynamo_compiling():
            return self._prepare(x)
        if isinstance(x, torch.Tensor):
            return _as_node(x, *self.spec)
        return outside(self._prepare, x)

    def _prepare(self, x: Any) -> Any:
        """Prepare one image or a batch."""
        if isinstance(x, torch.Tensor):
            viewed = x.ndim < 4 and is_plain(x) and samples.is_viewed(x)
            if not viewed:
                return self._on_device(x)
        if getattr(x, "ndim", 0) == 4:
            return self(list(x))
        samples.size_of(x)  # raises for a type that is not an image
        image = self._channels(samples.pixels(samples.check_single(x)))
        return torch.from_numpy(self._run(image, 0))

    def _run(self, x: Any, key: Any) -> Any:
        """Resize and round to levels, as in the networks' training, then normalize."""
        place, values = self._steps
        return values(place(x, key=key), key=key)

    def _on_device(self, x: torch.Tensor) -> torch.Tensor:
        """Run on a batch, a device tensor or a half-precision tensor, which NumPy cannot."""
        wanted, held = len(self.spec.mean), x.shape[-3] if x.ndim > 2 else 1
        x = x[None] if x.ndim == 2 else x
        if held == 1 and wanted == 3:
            x = x.expand(*x.shape[:-3], 3, *x.shape[-2:])
        elif held == 3 and wanted == 1:
            x = grayscale(x, keep_channels=True)[..., :1, :, :]
        key = np.zeros(len(x), np.uint64) if x.ndim == 4 else 0
        return self._run(x, key)

    def _channels(self, image: Any) -> Any:
        wanted, held = len(self.spec.mean), image.shape[2]
        if held == 1 and wanted == 3:
            return np.broadcast_to(image, (*image.shape[:2], 3))
        if held == 3 and wanted == 1:
            return grayscale(image)[..., None]
        return image

    def extra_repr(self) -> str:
        """Return the numbers as text."""
        return ", ".join(f"{name}={value!r}" for name, value in self.spec._asdict().items())


@torch.compiler.allow_in_graph  # type: ignore[untyped-decorator]
def _as_node(x: Any, *spec: Any) -> Any:
    """Prepare a tensor as one node of a graph, which holds numbers and words, no modules."""
    return _of_spec(InputSpec(*fixed(spec)))._prepare(with_fixed_size(x))


@functools.lru_cache(maxsize=32)
def _of_spec(spec: InputSpec) -> Preprocess:
    """Return the module of a spec."""
    module = Preprocess.__new__(Preprocess)
    nn.Module.__init__(module)
    module._build(spec)
    return module


def _preset(name: Any) -> InputSpec:
    return INPUT_SPECS[check_choice(name, "preset", INPUT_SPECS)]


def _scaled(spec: InputSpec, size: int) -> InputSpec:
    """Return the same preprocessing for another size of the crop."""
    if not isinstance(spec.resize, int):
        return spec._replace(resize=(size, size), crop=(size, size))
    share = spec.crop[0] / spec.resize
    return spec._replace(resize=math.floor(size / share), crop=(size, size))


def _from_config(config: Mapping[str, Any]) -> InputSpec:
    """Read a timm data config, as `timm.data.resolve_data_config` returns it."""
    channels, height, width = config.get("input_size", (3, 224, 224))
    share = check_number(config.get("crop_pct") or 0.875, "crop_pct", 0, above=True)
    mode = check_choice(config.get("crop_mode") or "center", "crop_mode", ("center", "squash"))
    interpolation = check_choice(
        config.get("interpolation", "bicubic"), "interpolation", ("nearest", "bilinear", "bicubic")
    )
    before = math.floor(height / share), math.floor(width / share)
    if mode == "center" and height != width:
        raise ValueError(
            f"input_size is {(channels, height, width)}: with crop_mode 'center' it must be square"
        )
    mean, std = (_numbers(config, name, channels) for name in ("mean", "std"))
    resize = before if mode == "squash" else before[0]
    return InputSpec(resize, (height, width), interpolation, mean, std)


def _numbers(config: Mapping[str, Any], name: str, channels: int) -> tuple[float, ...]:
    if name not in config:
        raise ValueError(f"{name} is missing: the config has {', '.join(map(str, config))}")
    values = tuple(check_number(v, f"{name}[{i}]") for i, v in enumerate(config[name]))
    if len(values) not in (1, channels):
        raise ValueError(f"{name} is {values}: input_size has {channels} channels")
    return values * (channels if len(values) == 1 else 1)
