"""Where pixels go: matrices, displacement fields, and runs of geometric ops resolved to one map.

A matrix maps input pixel centers to output pixel centers: column vectors ``(x, y, 1)``, x to the
right, y down, the center of the first pixel at (0, 0). A field is a float array ``(H_out, W_out,
2)`` of displacements (x, y) in pixels: output pixel p takes its value from the input at ``p +
field[p]``. Sizes are ``(height, width)``; points are ``(x, y)``.

A run is a list of geometric steps (`imgkit.stages`), each from one canvas to the next. Resolved,
it is a `Sampling`: a window of the source, one map from it to the output, and the canvases in
between that cut pixels away. Every backend reads a `Sampling` in the same way::

    v = the window of the source, at the position that each output pixel maps back to
    for canvas in canvases:  v = w v + (1 - w) fill,  w = `coverage` of the canvas there

which is what the ops would have done one by one, but for their repeated interpolation.
"""

from imgkit.geometry.canvases import (
    CutRegion,
    coverage,
    coverage_mask,
    cut_region,
    grid,
    sampling_positions,
    transform,
)
from imgkit.geometry.fields import (
    displacement,
    identity_grid,
    invert_field,
    matrix_field,
    sample_field,
)
from imgkit.geometry.local_scale import (
    SHRINKS,
    antialias_sigmas,
    jacobian,
    mean_field_jacobian,
    mean_inverse_jacobian,
    shrinks,
)
from imgkit.geometry.matrix import (
    EXACT,
    Move,
    Size,
    about,
    affine,
    apply,
    center,
    compose,
    crop,
    exact_move,
    horizontal_flip,
    is_affine,
    letterbox_matrix,
    letterbox_size,
    perspective,
    positions,
    quarter_turn,
    resize_matrix,
    rotation,
    rotation_on_canvas,
    scaling,
    shear,
    translation,
    transposition,
    vertical_flip,
)
from imgkit.geometry.points import (
    Segment,
    backward,
    follow_segment,
    forward,
    forward_segments,
    inverse_segments,
    transform_points,
    within,
)
from imgkit.geometry.resolve import IDENTITY, Canvas, Link, Sampling, resolve

__all__ = [
    "EXACT",
    "IDENTITY",
    "SHRINKS",
    "Canvas",
    "CutRegion",
    "Link",
    "Move",
    "Sampling",
    "Segment",
    "Size",
    "about",
    "affine",
    "antialias_sigmas",
    "apply",
    "backward",
    "center",
    "compose",
    "coverage",
    "coverage_mask",
    "crop",
    "cut_region",
    "displacement",
    "exact_move",
    "follow_segment",
    "forward",
    "forward_segments",
    "grid",
    "horizontal_flip",
    "identity_grid",
    "inverse_segments",
    "invert_field",
    "is_affine",
    "jacobian",
    "letterbox_matrix",
    "letterbox_size",
    "matrix_field",
    "mean_field_jacobian",
    "mean_inverse_jacobian",
    "perspective",
    "positions",
    "quarter_turn",
    "resize_matrix",
    "resolve",
    "rotation",
    "rotation_on_canvas",
    "sample_field",
    "sampling_positions",
    "scaling",
    "shear",
    "shrinks",
    "transform",
    "transform_points",
    "translation",
    "transposition",
    "vertical_flip",
    "within",
]  # fmt: skip
