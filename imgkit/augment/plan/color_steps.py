"""Linear color steps of neighboring transforms, multiplied where no value can be clipped between.

For one sample a step is 3 rows of 7 plain numbers, for N samples an array (N, 3, 7). Both add and
multiply in the same order, so that a batch gets the numbers of its samples bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from imgkit.geometry.matrix import products
from imgkit.image import Array
from imgkit.stages import IDENTITY_ROWS, IDENTITY_STEP

CLIP_FREE = 1e-9  # how far a step may leave 0..1 by rounding alone
ColorStep = Sequence[Sequence[float]]  # 3 rows of 7


# --- N samples ----------------------------------------------------------------------------


def merge_batch(steps: Array) -> Array:
    """Multiply neighboring steps (N, K, 3, 7) into one where no value can be clipped between.

    The result has as few steps as the samples need; the others end in identities.
    """
    samples, count = steps.shape[:2]
    if count == 1:
        return steps
    if samples == 1:
        merged = merge([steps[0, place].tolist() for place in range(count)])
        return np.array([merged])
    merged_steps = np.tile(IDENTITY_STEP, (samples, count, 1, 1))
    slot = np.zeros(samples, np.int64)
    everyone = np.arange(samples)
    for place in range(count):
        step = steps[:, place]
        idle = (step == IDENTITY_STEP).all(axis=(1, 2))
        if idle.all():
            continue
        before = merged_steps[everyone, slot]
        free = _stay_in_range(before)
        composed = np.where(idle[:, None, None], before, _compose_batch(before, step))
        slot = slot + ~(free | idle)
        merged_steps[everyone, slot] = np.where((free | idle)[:, None, None], composed, step)
    return merged_steps[:, : int(slot.max(initial=0)) + 1]


def _stay_in_range(step: Array) -> Array:
    """Return which steps (N, 3, 7) keep every value of 0..1 within 0..1."""
    total = step.sum(axis=2)  # the most and least a row can give differ from it by what is negative
    negative = np.minimum(step[:, :, :6], 0).sum(axis=2)
    low, high = step[:, :, 6] + negative, total - negative
    return np.asarray((low.min(axis=1) >= -CLIP_FREE) & (high.max(axis=1) <= 1 + CLIP_FREE))


def _compose_batch(first: Array, second: Array) -> Array:
    """Return the step that is `first` and then `second`, with nothing clipped between."""
    a1, b1, c1 = first[:, :, :3], first[:, :, 3:6], first[:, :, 6:]
    a2, b2, c2 = second[:, :, :3], second[:, :, 3:6], second[:, :, 6:]
    mean_after = a1 + b1  # the mean of what `first` gives, in terms of the mean it got
    means = products(a2, b1) + products(b2, mean_after)
    return np.concatenate([products(a2, a1), means, products(a2 + b2, c1) + c2], axis=2)


# --- one sample ---------------------------------------------------------------------------


def merge(steps: list[ColorStep]) -> list[ColorStep]:
    """Multiply neighboring steps into one where no value can be clipped between."""
    merged: list[ColorStep] = []
    for step in steps:
        if tuple(map(tuple, step)) == IDENTITY_ROWS:
            continue
        if merged and _stays_in_range(merged[-1]):
            merged[-1] = _compose(merged[-1], step)
        else:
            merged.append(step)
    return merged or [IDENTITY_ROWS]


def _stays_in_range(step: ColorStep) -> bool:
    """Return whether a step keeps every value of 0..1 within 0..1."""
    for row in step:
        negative = total = 0.0
        for place, value in enumerate(row):
            total += value
            if value < 0 and place < 6:
                negative += value
        if row[6] + negative < -CLIP_FREE or total - negative > 1 + CLIP_FREE:
            return False
    return True


def add_up(values: Iterable[float]) -> float:
    """Add from the left as arrays do; Python's sum compensates for rounding since 3.12."""
    total = 0.0
    for value in values:
        total += value
    return total


def _compose(first: ColorStep, second: ColorStep) -> ColorStep:
    """Return the step that is `first` and then `second`, with nothing clipped between.

    ``[A2 A1 | A2 B1 + B2 (A1 + B1) | (A2 + B2) c1 + c2]``, added up from the left.
    """
    (a0, a1, a2), (b0, b1, b2) = ([row[k : k + 3] for row in first] for k in (0, 3))
    (m0, m1, m2) = (
        [a + b for a, b in zip(x, y, strict=True)] for x, y in ((a0, b0), (a1, b1), (a2, b2))
    )
    c0, c1, c2 = (row[6] for row in first)
    rows = []
    for p, q, r, s, t, u, shift in second:
        linear = [p * x + q * y + r * z for x, y, z in zip(a0, a1, a2, strict=True)]
        means = [
            (p * x + q * y + r * z) + (s * k + t * m + u * n)
            for x, y, z, k, m, n in zip(b0, b1, b2, m0, m1, m2, strict=True)
        ]
        rows.append([*linear, *means, (p + s) * c0 + (q + t) * c1 + (r + u) * c2 + shift])
    return rows
