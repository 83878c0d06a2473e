"""Which plans are one fused kernel on CUDA, and which stages run on the host.

Needs no torch, so that a pipeline can be explained without it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from imgkit.stages import WHOLE_IMAGE_CURVES, Call, Curve, Erase, Filter, Mix, Resample, Stage

KINDS = ("resample", "color", "hue", "curve", "erase", "normalize")  # what the kernel runs
HOLES = 8  # rectangles that the kernel tests in registers

FIELD, WHOLE = "a displacement field", "a curve that needs the whole image"
FUNCTION = "a Python function runs on the host"


def host_reason(stage: Stage) -> str:
    """Return why a stage leaves the device for the host; empty if it stays."""
    if isinstance(stage, Mix):
        inner = (host_reason(each) for branch in stage.branches for each in branch)
        return next(filter(None, inner), "")
    if isinstance(stage, Call):
        return FUNCTION
    return stage.host_only if isinstance(stage, Filter) else ""


def fusion_blocker(stages: Sequence[Stage], dtype: str = "uint8", channels: int = 3) -> str:
    """Return why a plan is not one fused kernel; empty if it is."""
    if dtype != "uint8" or channels != 3:
        return f"the kernel reads uint8 RGB; this is {dtype} with {channels} channels"
    reasons = (stage_fusion_blocker(stage, place) for place, stage in enumerate(stages))
    return next(filter(None, reasons), "")


def stage_fusion_blocker(stage: Stage, place: int) -> str:
    """Return why the stage at a place of a plan keeps it from the fused kernel; empty if not."""
    if reason := kind_fusion_blocker(stage.kind, place):
        return reason
    if isinstance(stage, Resample):
        if any(step.field is not None for step in stage.geometric_steps):
            return FIELD
        if any(np.size(side) and np.ptp(side) for side in stage.out_size):
            return "sizes that vary within the batch"
    elif isinstance(stage, Curve) and any(name in WHOLE_IMAGE_CURVES for name in stage.names):
        return WHOLE
    elif isinstance(stage, Erase) and stage.rectangles.shape[1] > HOLES:
        return f"more than {HOLES} holes"
    return ""


def kind_fusion_blocker(kind: str, place: int) -> str:
    """Return why stages of a kind, at their place in a plan, are not for the fused kernel."""
    if kind == "resample" and place:
        return "a resampling stands behind other stages"
    return "" if kind in KINDS else f"a stage of kind {kind}"
