"""The convolutional layer of a network on images.

Images are ``(H, W)``, ``(H, W, C)`` or ``(N, H, W, C)`` as in `imgkit.ops.conv`; integers and
float32 are computed and returned in float32, float64 in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from imgkit.border import MODES, check_border_word
from imgkit.checks import MAX_SIDE, check_choice, check_int, check_ints, check_number, check_real
from imgkit.image import Array, inspect_image, is_tensor, saturate
from imgkit.ops.conv_plan import check_fits, check_held, dtypes
from imgkit.ops.dispatch import backend_of
from imgkit.ops.ragged import ragged


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
    ``same`` differ only for even kernels: torch pads the odd pixel at the end, a mode at the start.

    Args: x: image, batch or list of images; (H, W) has one channel. weight: (C_out, C_in / groups,
        KH, KW); for a tensor `x` also a tensor on its device, through which gradients flow.
        bias: None or (C_out,); an array or tensor as `weight`.
        mode: ``valid``, ``same`` or ``full``; must stay ``valid`` with `padding`.
        padding: pixels on each side, one integer or (rows, columns), or torch's words ``same``
            and ``valid``.
        border: the pixels of the padding, as in `convolve`.
        value: of a constant border.
        stride: keep every s-th output; one integer or (rows, columns).
        dilation: pixels from tap to tap; one integer or (rows, columns).
        groups: number of channel groups; each group of outputs uses its own group of inputs.
        dtype: of the result, as in `convolve`.

    Returns:
        (H_out, W_out, C_out), of a batch (N, H_out, W_out, C_out).

    Raises:
        ValueError: shapes that do not match, a kernel larger than the padded image, a mode
            together with padding.
        TypeError: as `convolve`.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> x = np.ones((5, 5, 3), np.float32)
    >>> ik.conv2d(x, np.ones((8, 3, 3, 3)), mode="same", stride=2).shape
    (3, 3, 8)
    """
    image = inspect_image(x)
    work, final = dtypes(x.dtype, dtype)
    groups = check_int(groups, "groups", 1)
    taps = _weight(weight, image.channels, groups)
    biases = _bias(bias, len(taps))
    if image.is_tensor:
        taps, biases = (_like(v, x, work, n) for v, n in ((taps, "weight"), (biases, "bias")))
    else:
        check_held(taps, "weight", work, (1, 2, 3))
        if biases is not None:
            check_held(biases, "bias", work, ())
        taps = taps.astype(work)
    check_border_word(border)
    strides = check_ints(stride, "stride", 2, 1, MAX_SIDE)
    dilations = check_ints(dilation, "dilation", 2, 1, MAX_SIDE)
    pads = _padding(mode, padding, taps.shape[2:], strides, dilations)
    padded = tuple(n + sum(p) for n, p in zip(image.size, pads, strict=True))
    check_fits(padded, tuple(taps.shape[2:]), dilations)
    with np.errstate(over="ignore", invalid="ignore"):  # inf, as in torch
        result = backend_of(image.is_tensor, "conv2d").conv2d(
            image.batch,
            taps,
            biases,
            padding=pads,
            border=border,
            value=check_number(value, "value"),
            stride=strides,
            dilation=dilations,
            groups=groups,
        )
    return saturate(result if x.ndim == 4 else result[0], final)


def _like(values: Any, x: Any, dtype: Any, name: str) -> Any:
    """Bring a weight to the dtype computed in and the device of a tensor."""
    if values is None:
        return None
    if not is_tensor(values):
        return x.new_tensor(values, dtype=dtype, device="cpu").to(x.device, non_blocking=True)
    if values.device != x.device:
        raise ValueError(f"{name} is on {values.device}, x on {x.device}: pass {name}.to(x.device)")
    return values.to(dtype)


def _real(values: Any, name: str) -> Any:
    """Return finite real numbers as float64; a tensor unchanged, without reading it."""
    if is_tensor(values):
        if values.is_complex():
            raise TypeError(f"{name} has dtype {values.dtype}: it must hold real numbers")
        return values
    return check_real(values, name).astype(np.float64)


def _weight(weight: Any, count: int, groups: int) -> Any:
    """Return a layer's weight if it fits the channels."""
    taps = _real(weight, "weight")
    shape = tuple(taps.shape)
    if len(shape) != 4 or 0 in shape:
        raise ValueError(f"weight has shape {shape}: it must be (C_out, C_in/groups, KH, KW)")
    if len(taps) % groups or shape[1] * groups != count:
        raise ValueError(
            f"weight has shape {shape} with groups {groups}: x has {count} channels, so "
            f"axis 1 must be {count} / groups and axis 0 a multiple of groups"
        )
    return taps


def _bias(bias: Any, outputs: int) -> Any:
    """Return a layer's bias if there is one for each output channel."""
    if bias is None:
        return None
    values = _real(bias, "bias")
    if tuple(values.shape) != (outputs,):
        raise ValueError(
            f"bias has shape {tuple(values.shape)}: it must be ({outputs},), as weight"
        )
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
        return tuple((p, p) for p in check_ints(padding, "padding", 2, 0, MAX_SIDE))
    if check_choice(padding, "padding", ("same", "valid")) == "valid":
        return ((0, 0), (0, 0))
    if set(stride) != {1}:
        raise ValueError(f"padding is 'same' with stride {stride}: torch's rule needs stride 1")
    return tuple((r // 2, r - r // 2) for r in reach)
