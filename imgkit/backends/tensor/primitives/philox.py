"""Philox4x64-10 in torch: the words that `np.random.Philox(key=...)` gives, on any device.

A 64-bit word is an int64 of the same bits; sums and products wrap as unsigned ones do.
"""

from __future__ import annotations

import torch
from torch import Tensor

LOW = 0xFFFFFFFF
MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
ROUNDS = 10


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word


def _multiply(word: Tensor, factor: int) -> tuple[Tensor, Tensor]:
    """Return the high and the low 64 bits of unsigned products."""
    f0, f1 = factor & LOW, factor >> 32
    w0, w1 = word & LOW, (word >> 32) & LOW
    low, left, right = w0 * f0, w1 * f0, w0 * f1
    middle = ((low >> 32) & LOW) + (left & LOW) + (right & LOW)
    high = w1 * f1 + ((left >> 32) & LOW) + ((right >> 32) & LOW) + (middle >> 32)
    return high, word * _signed(factor)


def words(keys: Tensor, count: int) -> Tensor:
    """Return the first `count` words under each key.

    Args:
        keys: (N, 2) int64.
        count: the number of words.

    Returns:
        (N, count) int64.
    """
    blocks = -(-count // 4)
    first = torch.arange(1, blocks + 1, device=keys.device).expand(len(keys), blocks)
    zero = torch.zeros_like(first)
    c0, c1, c2, c3 = first, zero, zero, zero
    k0, k1 = keys[:, :1], keys[:, 1:]
    for step in range(ROUNDS):
        high0, low0 = _multiply(c0, MULTIPLIERS[0])
        high1, low1 = _multiply(c2, MULTIPLIERS[1])
        key0 = k0 + _signed(step * WEYL[0] & (1 << 64) - 1)
        key1 = k1 + _signed(step * WEYL[1] & (1 << 64) - 1)
        c0, c1, c2, c3 = high1 ^ c1 ^ key0, low1, high0 ^ c3 ^ key1, low0
    return torch.stack([c0, c1, c2, c3], dim=2).flatten(1)[:, :count]


def shorts(keys: Tensor, count: int) -> Tensor:
    """Return the first `count` 16-bit words under each key, (N, count) int64 in 0..65535."""
    whole = words(keys, -(-count // 4))
    shorts = [(whole >> shift) & 0xFFFF for shift in (0, 16, 32, 48)]
    return torch.stack(shorts, dim=2).flatten(1)[:, :count]
