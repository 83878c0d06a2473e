"""The convolutional layer of a network on images.

Images are ``(H, W)``, ``(H, W, C)`` or ``(N, H, W, C)`` as in `imgkit.ops.conv`; integers and
float32 are computed and returned in float32, float64 in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from imgkit.backends import backend
from imgkit.border import BORDERS
from imgkit.image import (
    as_batch,
    check_choice,
    check_image,
    check_int,
    check_ints,
    check_number,
    ragged,
    saturate,
)
from imgkit.ops.conv import MODES, check_fits, dtypes

Array = npt.NDArray[Any]


@ragged
def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    mode: str = "valid",
    *,
    padding: int | Sequence[int] | str | None = None,
    border: str = "constant",
    value: float = 0,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    dtype: Any = None,
) -> Array:
    """Run a convolutional layer: correlate each output channel's weight, summed over channels.

    Give `mode` or `padding`. A mode pads as `correlate` does, so that an image of one channel
    gives the same numbers; `padding` pads as `torch.nn.functional.conv2d` does. The two kinds of
    ``same`` differ for even kernels alone: torch puts the odd pixel behind, a mode in front.

    Args:
        x: image, batch or list of images; (H, W) counts as one channel.
        weight: (C_out, C_in / groups, KH, KW).
        bias: None or (C_out,).
        mode: ``valid``, ``same`` or ``full``; must stay ``valid`` with `padding`.
        padding: pixels on each side, one integer or (rows, columns), or torch's words ``same``
            and ``valid``.
        border: what the padding shows, as in `convolve`.
        value: of a constant border.
        stride: keep every s-th output; one integer or (rows, columns).
        dilation: pixels from tap to tap; one integer or (rows, columns).
        groups: output channels in this many groups see their own group of input channels.
        dtype: of the result, as in `convolve`.

    Returns:
        (H_out, W_out, C_out), of a batch (N, H_out, W_out, C_out).

    Raises:
        ValueError: shapes that do not match, a kernel larger than the padded image, a mode
            beside padding.
        TypeError: as `convolve`.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> x = np.ones((5, 5, 3), np.float32)
    >>> ik.conv2d(x, np.ones((8, 3, 3, 3)), mode="same", stride=2).shape
    (3, 3, 8)
    """
    check_image(x)
    batch = as_batch(x)
    work, final = dtypes(x.dtype, dtype)
    groups = check_int(groups, "groups", 1)
    taps = _weight(weight, batch.shape[-1], groups).astype(work)
    check_choice(border, "border", BORDERS)
    strides = check_ints(stride, "stride", 2, 1)
    dilations = check_ints(dilation, "dilation", 2, 1)
    pads = _padding(mode, padding, taps.shape[2:], strides, dilations)
    seen = tuple(n + sum(p) for n, p in zip(batch.shape[1:3], pads, strict=True))
    check_fits(seen, taps.shape[2:], dilations)
    result = backend(x, "conv2d").conv2d(
        batch,
        taps,
        _bias(bias, len(taps)),
        padding=pads,
        border=border,
        value=check_number(value, "value"),
        stride=strides,
        dilation=dilations,
        groups=groups,
    )
    return saturate(result if x.ndim == 4 else result[0], final)


def _real(values: Any, name: str) -> Array:
    """Return finite real numbers as float64."""
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {array.dtype}: it must hold real numbers")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinity: every value must be finite")
    return array.astype(np.float64)


def _weight(weight: Any, channels: int, groups: int) -> Array:
    """Return a layer's weight if it fits the channels."""
    taps = _real(weight, "weight")
    if taps.ndim != 4 or taps.size == 0:
        raise ValueError(f"weight has shape {taps.shape}: it must be (C_out, C_in/groups, KH, KW)")
    if len(taps) % groups or taps.shape[1] * groups != channels:
        raise ValueError(
            f"weight has shape {taps.shape} with groups {groups}: x has {channels} channels, so "
            f"axis 1 must be {channels} / groups and axis 0 a multiple of groups"
        )
    return taps


def _bias(bias: Any, outputs: int) -> Array | None:
    """Return a layer's bias if there is one for each output channel."""
    if bias is None:
        return None
    values = _real(bias, "bias")
    if values.shape != (outputs,):
        raise ValueError(f"bias has shape {values.shape}: it must be ({outputs},), as weight")
    return values


def _padding(
    mode: str,
    padding: int | Sequence[int] | str | None,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> tuple[tuple[int, int], ...]:
    """Return the pixels before and after H and W."""
    check_choice(mode, "mode", MODES)
    reach = [(k - 1) * d for k, d in zip(size, dilation, strict=True)]
    if padding is None:
        if mode == "same":
            return tuple((r - r // 2, r // 2) for r in reach)
        return tuple((r, r) if mode == "full" else (0, 0) for r in reach)
    if mode != "valid":
        raise ValueError(f"mode is {mode!r} beside padding {padding!r}: give one of the two")
    if not isinstance(padding, str):
        return tuple((p, p) for p in check_ints(padding, "padding", 2, 0))
    if check_choice(padding, "padding", ("same", "valid")) == "valid":
        return ((0, 0), (0, 0))
    if set(stride) != {1}:
        raise ValueError(f"padding is 'same' with stride {stride}: torch's rule needs stride 1")
    return tuple((r // 2, r - r // 2) for r in reach)
