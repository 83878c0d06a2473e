"""What may happen to the place of pixels: each op lowers to a hop from one canvas to the next.

Positive angles turn counter-clockwise as seen. Shifts are fractions of the width and height.
`border` and `fill` say what lies beyond the canvas.
"""

from imgkit.augment.moves import (
    CenterCrop,
    HorizontalFlip,
    Pad,
    RandomCrop,
    Rotate90,
    Transpose,
    VerticalFlip,
)
from imgkit.augment.resizes import Letterbox, RandomResizedCrop, Resize, fit_box
from imgkit.augment.warps import (
    Affine,
    Elastic,
    GridDistortion,
    Perspective,
    Rotate,
    Scale,
    Shear,
    Translate,
)

__all__ = [
    "Affine", "CenterCrop", "Elastic", "GridDistortion", "HorizontalFlip", "Letterbox", "Pad",
    "Perspective", "RandomCrop", "RandomResizedCrop", "Resize", "Rotate", "Rotate90", "Scale",
    "Shear", "Translate", "Transpose", "VerticalFlip", "fit_box",
]  # fmt: skip
