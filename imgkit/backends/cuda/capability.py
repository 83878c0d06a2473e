"""What runs where on CUDA: which plans are one kernel, and what has none and runs on the host.

Needs no torch, so that a pipeline can be explained without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

KINDS = ("resample", "color", "hue", "curve", "erase", "normalize")  # what the kernel runs
HOLES = 8  # rectangles that the kernel tests in registers
OF_THE_WHOLE = ("equalize", "autocontrast")  # curves that need the whole image first

FIELD, WHOLE = "a displacement field", "a curve that needs the whole image"

# Filters of a plan that have no device kernel, and why.
HOST_FILTERS: Mapping[str, str] = MappingProxyType(
    {"jpeg": "the codec is OpenCV's", "clahe": "its tiles are OpenCV's"}
)


def host_reason(stage: Any) -> str:
    """Say why a stage leaves the device for the host; empty if it stays."""
    if stage.kind == "mix":
        inner = (host_reason(each) for branch in stage.branches for each in branch)
        return next(filter(None, inner), "")
    if stage.kind == "filter" and stage.name in HOST_FILTERS:
        return HOST_FILTERS[stage.name]
    return ""


def fusion_blocker(stages: Sequence[Any], dtype: str = "uint8", channels: int = 3) -> str:
    """Say why a plan is not one fused kernel; empty if it is."""
    if dtype != "uint8" or channels != 3:
        return f"the kernel reads uint8 RGB; this is {dtype} with {channels} channels"
    reasons = (stage_fusion_blocker(stage, place) for place, stage in enumerate(stages))
    return next(filter(None, reasons), "")


def stage_fusion_blocker(stage: Any, place: int) -> str:
    """Say why the stage at a place of a plan keeps it from the fused kernel; empty if not."""
    if reason := kind_fusion_blocker(stage.kind, place):
        return reason
    if stage.kind == "resample":
        if any(step.field is not None for step in stage.geometric_steps):
            return FIELD
        if any(np.size(side) and np.ptp(side) for side in stage.out_size):
            return "sizes that vary within the batch"
    elif stage.kind == "curve" and any(name in OF_THE_WHOLE for name in stage.names):
        return WHOLE
    elif stage.kind == "erase" and stage.rectangles.shape[1] > HOLES:
        return f"more than {HOLES} holes"
    return ""


def kind_fusion_blocker(kind: str, place: int) -> str:
    """Say why no stage of a kind, at its place in a plan, is for the fused kernel."""
    if kind == "resample" and place:
        return "a resampling stands behind other stages"
    return "" if kind in KINDS else f"a stage of kind {kind}"
