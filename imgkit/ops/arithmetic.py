"""Sizes and receptive fields of convolutional layers: arithmetic without images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from imgkit.border import MODES
from imgkit.checks import check_choice, check_int, check_ints, printable

LAYERS = ("conv", "pool")


def conv_output_size(
    size: int | Sequence[int],
    kernel: int | Sequence[int],
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    mode: str | None = None,
) -> int | tuple[int, ...]:
    """Return the size of a convolution's or pool's output.

    A kernel of K taps dilated by d covers D = d (K - 1) + 1 pixels. With padding p on both sides
    and stride s the output has floor((N + 2p - D) / s) + 1 pixels; a `mode` means the
    unstrided sizes N - D + 1 (valid), N (same) and N + D - 1 (full), of which every s-th is kept.

    Args:
        size: pixels N, at least 1; an integer, or a sequence for several axes.
        kernel: taps K, at least 1; like `stride`, `padding` and `dilation` an integer for all
            axes or one for each. If `size` is one integer and any other is a sequence, `size`
            is repeated.
        stride: at least 1.
        padding: pixels on each side, at least 0; must be 0 with a `mode`.
        dilation: distance between taps, at least 1.
        mode: ``valid``, ``same``, ``full`` or None.

    Returns:
        One integer if every argument was one, else a tuple.

    Raises:
        TypeError: an argument is neither an integer nor a sequence of them.
        ValueError: the kernel covers more pixels than there are, or padding beside a mode.

    Source: Dumoulin and Visin (2016), A guide to convolution arithmetic for deep learning.

    >>> import imgkit as ik
    >>> ik.conv_output_size(224, 7, stride=2, padding=3)
    112
    >>> ik.conv_output_size((480, 640), 5, mode="full")
    (484, 644)
    """
    named = {
        "size": size,
        "kernel": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
    }
    named = {k: v.tolist() if hasattr(v, "tolist") else v for k, v in named.items()}
    lengths = [len(v) for v in named.values() if hasattr(v, "__len__")]
    count = lengths[0] if lengths else 1
    columns = [check_ints(v, k, count, 0 if k == "padding" else 1) for k, v in named.items()]
    if mode is not None:
        check_choice(mode, "mode", MODES)
        if any(columns[3]):
            raise ValueError(f"padding is {padding!r} beside mode {mode!r}: give one of the two")
    sizes = tuple(_output_size(mode, *axis) for axis in zip(*columns, strict=True))
    return sizes if lengths else sizes[0]


def _output_size(mode: str | None, n: int, k: int, stride: int, padding: int, dilation: int) -> int:
    """Output pixels on one axis."""
    covered = dilation * (k - 1) + 1
    every = {"same": n, "full": n + covered - 1}.get(mode or "", n + 2 * padding - covered + 1)
    if every < 1:
        raise ValueError(
            f"kernel is {k} with dilation {dilation}, covering {covered} pixels: "
            f"it must fit into {n + 2 * padding}"
        )
    return -(-every // stride)


def receptive_field(layers: Iterable[tuple[Any, ...]]) -> int:
    """Return the number of input pixels that one output pixel depends on, along an axis.

    Each layer widens the field by (size - 1) dilation times the product of the strides before
    it: a P-wide pool over a K-wide convolution of stride 1 sees P + K - 1 pixels.

    Args:
        layers: from input to output, (kind, size, stride) or (kind, size, stride, dilation);
            kind is ``conv`` or ``pool``, the others are integers of at least 1.

    Returns:
        Pixels, at least 1.

    Raises:
        TypeError: `layers` is not a list, or a number is not an integer.
        ValueError: an unknown kind, a tuple of another length, a number below 1.

    Source: Araujo, Norris and Sim (2019), Computing receptive fields of convolutional neural
    networks, Distill.

    >>> import imgkit as ik
    >>> ik.receptive_field([("conv", 5, 1), ("pool", 2, 2)])
    6
    """
    if not isinstance(layers, Iterable) or isinstance(layers, (str, Mapping)):
        raise TypeError(f"layers is {printable(layers)}: it must be a list of (kind, size, stride)")
    field, step = 1, 1
    for index, layer in enumerate(layers):
        where = f"layers[{index}]"
        if not isinstance(layer, (tuple, list)) or len(layer) not in (3, 4):
            raise ValueError(
                f"{where} is {printable(layer)}: it must be (kind, size, stride[, dilation]), "
                'such as ("conv", 3, 1)'
            )
        kind, *numbers = layer
        check_choice(kind, f"{where} kind", LAYERS)
        words = ("size", "stride", "dilation")
        checked = [check_int(v, f"{where} {w}", 1) for v, w in zip(numbers, words, strict=False)]
        size, stride, dilation = (*checked, 1)[:3]
        field += (size - 1) * dilation * step
        step *= stride
    return field
