"""Color, curves, holes and normalization of a batch, each sample by its own numbers.

Values are floats in the units of the image's dtype. Everything is arithmetic element by element:
matrix products would follow the TF32 and autocast settings of the caller.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from imgkit.backends.tensor import color, tone
from imgkit.backends.tensor.primitives.positions import Numbers
from imgkit.image import Array
from imgkit.stages import WHOLE_IMAGE_CURVES, Curve, batched


def spread(values: Tensor, like: Tensor | None = None) -> Tensor:
    """Return numbers of each sample (N, ...) with axes for H and W behind."""
    values = values if like is None else values.to(like.dtype)
    return values[..., None, None]


def each(values: Tensor) -> Tensor:
    """Return numbers (N,) as (N, 1, 1, 1)."""
    return values[:, None, None, None]


def whole(x: Tensor, top: float) -> Tensor:
    """Round to the levels of an integer dtype."""
    return x.round().clamp(0, top)


# --- color ----------------------------------------------------------------------------------


def linear(x: Tensor, reads_means: tuple[bool, ...], numbers: Numbers, top: float) -> Tensor:
    """Run linear steps ``A x + B mean(x) + c``, each clipped."""
    active = each(numbers["active"])
    values = x
    for place, reads in enumerate(reads_means):
        weights = spread(numbers["weights"][:, place], x)  # (N, C, C, 1, 1), or one for all
        offset = spread(numbers["offsets"][:, place], x)
        if reads:
            mean = (
                values.mean(dim=(2, 3))
                if weights.shape[1] > 1
                else values.mean(dim=(1, 2, 3))[:, None]
            )
            shares = numbers["means"][:, place].to(x.dtype)
            offset = offset + (shares * mean[:, None]).sum(dim=2)[..., None, None]
        if weights.shape[1] == 1:
            mapped = values * weights[:, 0] + offset
        else:
            planes = values.split(1, dim=1)
            mapped = sum(weights[:, :, i] * plane for i, plane in enumerate(planes)) + offset
        values = mapped.clamp(0, top)
    return torch.where(active, values, x)


def hue(x: Tensor, numbers: Numbers, top: float) -> Tensor:
    """Turn the HSV hue of values clipped to the range."""
    shift = numbers["shift"].to(x.dtype)
    turned = color.adjust_hue.__wrapped__(x.clamp(0, top), shift[:, None, None])  # type: ignore[attr-defined]
    return torch.where(each(shift != 0), turned, x)


def normalize(x: Tensor, numbers: Numbers) -> Tensor:
    """Scale and shift every channel."""
    return x * spread(numbers["scale"], x) + spread(numbers["offset"], x)


def erase(x: Tensor, numbers: Numbers) -> Tensor:
    """Fill rectangles."""
    height, width = x.shape[2:]
    left, top, right, bottom = numbers["rectangles"].unbind(dim=2)
    row = torch.arange(height, device=x.device)[:, None]
    column = torch.arange(width, device=x.device)[:, None]
    rows = (row >= top[:, None]) & (row < bottom[:, None])  # (N, H, K)
    columns = (column >= left[:, None]) & (column < right[:, None])
    holes = torch.zeros((len(x), height, width), dtype=torch.bool, device=x.device)
    for place in range(rows.shape[2]):
        holes = holes | (rows[:, :, place, None] & columns[:, None, :, place])
    return torch.where(holes[:, None], spread(numbers["fill"], x), x)


# --- curves ---------------------------------------------------------------------------------


def prepared_curves(
    stage: Curve, top: float, integer: bool
) -> tuple[tuple[str, ...], dict[str, Array]]:
    """Prepare curves: for integers neighboring ones become one table a sample."""
    names: list[str] = []
    numbers: dict[str, Array] = {}
    every_active, every_value = batched(stage.active), batched(stage.parameters)
    for place, name in enumerate(stage.names):
        active, value = every_active[:, place], every_value[:, place].astype(np.float64)
        tabled = integer and name not in WHOLE_IMAGE_CURVES
        if not tabled or not names or names[-1] != "table":
            names.append("table" if tabled else name)
            numbers[f"{len(names) - 1}.active"] = np.zeros_like(active)
            if tabled:
                levels = np.arange(int(top) + 1.0)
                numbers[f"{len(names) - 1}.table"] = np.tile(levels, (len(active), 1))
        own = f"{len(names) - 1}."
        numbers[f"{own}active"] = numbers[f"{own}active"] | active
        if tabled:
            table = numbers[f"{own}table"]
            following = np.clip(np.rint(TABLES[name](table, value[:, None], top)), 0, top)
            numbers[f"{own}table"] = np.where(active[:, None], following, table)
        else:
            numbers[f"{own}value"] = value
    for key in [key for key in numbers if key.endswith("table")]:
        numbers[key] = numbers[key].astype(np.uint8 if top == 255 else np.int32)
    return tuple(names), numbers


TABLES: dict[str, Callable[[Array, Array, float], Array]] = {
    "adjust_gamma": lambda x, gamma, top: top * (x / top) ** gamma,
    "posterize": lambda x, bits, top: np.where(
        bits == 8, x, x // ((top + 1) / 2.0**bits) * ((top + 1) / 2.0**bits)
    ),
    "solarize": lambda x, threshold, top: np.where(x >= threshold * top, top - x, x),
    "solarize_add": lambda x, add, top: np.where(x < top / 2, np.minimum(x + add * top, top), x),
    "invert": lambda x, value, top: top - x,
}


def curve(
    x: Tensor, names: tuple[str, ...], numbers: Numbers, dtype: torch.dtype, top: float
) -> Tensor:
    """Run curves on values that are whole where the image is of integers."""
    for place, name in enumerate(names):
        active = each(numbers[f"{place}.active"])
        if name == "table":
            table = numbers[f"{place}.table"]
            index = whole(x, top).to(torch.int64).flatten(1)
            result = table.gather(1, index).view_as(x).to(x.dtype)
        elif name in WHOLE_IMAGE_CURVES:
            image = whole(x, top).to(dtype) if top > 1 else x
            result = getattr(tone, name).__wrapped__(image).to(x.dtype)
        else:
            result = CURVES[name](x, each(numbers[f"{place}.value"].to(x.dtype)))
        x = torch.where(active, result, x)
    return x


def _gamma(x: Tensor, gamma: Tensor) -> Tensor:
    """Raise to a power; the gradient at 0, which may be infinite, is 0."""
    lit = x > 0
    dark = (gamma == 0).to(x.dtype)
    return torch.where(lit, torch.where(lit, x, 1.0) ** gamma, dark).clamp(0, 1)


def _posterize(x: Tensor, bits: Tensor) -> Tensor:
    count = torch.exp2(bits)
    kept = torch.minimum((x * count).floor().clamp(min=0), count - 1) / count
    return torch.where(bits == 8, x.clamp(0, 1), kept)


CURVES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "adjust_gamma": _gamma,
    "posterize": _posterize,
    "solarize": lambda x, threshold: torch.where((x >= threshold) & (threshold <= 1), 1 - x, x),
    "solarize_add": lambda x, add: torch.where(x < 0.5, (x + add).clamp(max=1), x),
    "invert": lambda x, value: 1 - x,
}
