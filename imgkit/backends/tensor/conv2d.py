"""The layer of a network on tensors: torch's own, after borders that it lacks."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from imgkit.backends.tensor.numpy_view import ordered
from imgkit.backends.tensor.primitives.pixels import extend


@ordered
def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    *,
    padding: tuple[tuple[int, int], tuple[int, int]],
    border: str,
    value: float,
    stride: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> Tensor:
    """Correlate ``(N, C_in, H, W)`` with ``(C_out, C_in / groups, KH, KW)``.

    torch's layer on a CPU, too: it is faster there than the array backend's.
    """
    p = extend(x.to(weight.dtype), padding, border, value)
    return F.conv2d(p, weight, bias, stride, 0, dilation, groups)
