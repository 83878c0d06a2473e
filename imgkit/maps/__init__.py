"""One sample's run of geometric ops, resolved to what a backend needs to move its pixels.

A run is a list of hops (`imgkit.augment.stages.Hop`), each from one canvas to the next. Resolved,
it is a `Sampling`: a window of the source, one map from it to the output, and the canvases in
between that cut pixels away. Every backend reads a `Sampling` in the same way::

    v = the window of the source, at the position that each output pixel maps back to
    for canvas in canvases:  v = w v + (1 - w) fill,  w = `coverage` of the canvas there

which is what the ops would have done one by one, but for their repeated interpolation.
"""

from imgkit.maps.canvases import Edge, cover, coverage, edge, grid, positions, transform
from imgkit.maps.fields import displacement
from imgkit.maps.points import (
    Leg,
    advance,
    backward,
    forward,
    homeward,
    onward,
    travel,
    unmove,
    within,
)
from imgkit.maps.resolve import EXACT, IDENTITY, Canvas, Link, Sampling, resolve

__all__ = [
    "EXACT", "IDENTITY", "Canvas", "Edge", "Leg", "Link", "Sampling", "advance", "backward",
    "cover", "coverage", "displacement", "edge", "forward", "grid", "homeward", "onward",
    "positions", "resolve", "transform", "travel", "unmove", "within",
]  # fmt: skip
