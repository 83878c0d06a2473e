"""Sizes and options of compiled and exported code: numbers in place of symbols.

A plan is made of numbers, so code that plans is compiled for each size on its own.
"""

from __future__ import annotations

from typing import Any

import torch


def fixed(value: Any) -> Any:
    """Return numbers for symbols."""
    if isinstance(value, (tuple, list)):
        return type(value)(map(fixed, value))
    if isinstance(value, torch.SymInt):
        return int(value)
    return float(value) if isinstance(value, torch.SymFloat) else value


def with_fixed_size(x: Any) -> Any:
    """Return a tensor whose sizes are numbers; anything else as it is."""
    if not isinstance(x, torch.Tensor) or all(type(n) is int for n in x.shape):
        return x
    return x.view(fixed(tuple(x.shape)))
