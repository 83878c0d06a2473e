"""Transforms of a neighborhood: blurs, sharpening, edges, local contrast, compression.

Results keep the image's shape and dtype.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from imgkit.augment.transforms.base import Numbers, Transform, samples_of
from imgkit.augment.transforms.parameters import Param, count, flag, integer, number
from imgkit.stages import Size


class Filter(Transform):
    """The base: `function` of a backend, and the drawn fields as its parameters."""

    stage_kinds: ClassVar[tuple[str, ...]] = ("filter",)
    vectorized: ClassVar[bool] = True
    scalar: ClassVar[bool] = False
    keeps_scale: ClassVar[bool] = True
    function: ClassVar[str] = ""

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> tuple[str, Numbers, str]:
        """Return the function, its parameters, and why it has no device kernel."""
        return self.function, {name: numbers[name] for name, _ in self.drawn_fields}, self.host_only


class GaussianBlur(Filter):
    """Blur with a Gaussian of standard deviation `sigma`, in pixels."""

    sigma: Param = number(low=0)
    function: ClassVar[str] = "gaussian_blur"


class BoxBlur(Filter):
    """Replace each pixel by the mean of a `size` x `size` square around it; `size` is odd."""

    size: Param = integer(3, low=1, odd=True)
    function: ClassVar[str] = "box_blur"


class MedianBlur(Filter):
    """Replace each pixel by the median of a `size` x `size` square around it; `size` is odd."""

    size: Param = integer(3, low=1, odd=True)
    function: ClassVar[str] = "median_blur"


class MotionBlur(Filter):
    """Blur along a line of `size` pixels at `degrees`, counter-clockwise from the x axis."""

    size: Param = integer(7, low=1, odd=True)
    degrees: Param = number((-180.0, 180.0))
    function: ClassVar[str] = "motion_blur"


class Sharpen(Filter):
    """Add `amount` of what a Gaussian blur of standard deviation 1 takes away; 0 changes nothing.

    It is unsharp masking, `imgkit.sharpen` with its default `sigma`.
    """

    amount: Param = number(1.0, low=0)
    function: ClassVar[str] = "sharpen"


class Sharpness(Filter):
    """Blend with a smoothed image: factor 0 is smooth, 1 changes nothing, above it sharpens.

    It is Pillow's and torchvision's sharpness: the smoothing is [1 1 1; 1 5 1; 1 1 1] / 13, and
    the outermost pixels stay.
    """

    factor: Param = number(low=0)
    function: ClassVar[str] = "sharpness"


class Emboss(Filter):
    """Blend with a relief lit from the lower right; `strength` 0 changes nothing."""

    strength: Param = number(1.0, low=0, high=1)
    function: ClassVar[str] = "emboss"


class Sobel(Filter):
    """Replace the image by its Sobel gradient magnitude, clipped to the range."""

    normalized: bool = flag(True)
    function: ClassVar[str] = "sobel"

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> tuple[str, Numbers, str]:
        """Return the function."""
        return "sobel_normalized" if self.normalized else "sobel", {}, ""


class Laplacian(Filter):
    """Replace the image by the size of its 4-neighbor Laplacian, clipped to the range."""

    function: ClassVar[str] = "laplacian"


class CLAHE(Filter):
    """Equalize locally, with limited contrast, in a grid of tiles; on the host alone."""

    clip_limit: Param = number(2.0, low=0, above=True)
    tiles: int = count(8)
    function: ClassVar[str] = "clahe"
    colors: ClassVar[bool] = True
    host_only: ClassVar[str] = "its tiles are OpenCV's"

    def lower(self, stage_index: int, numbers: Numbers, size: Size) -> tuple[str, Numbers, str]:
        """Return the function and its parameters."""
        tiles: Any = np.full(samples_of(numbers), self.tiles)
        parameters = {"clip_limit": numbers["clip_limit"], "tiles": tiles}
        return self.function, parameters, self.host_only


class JpegCompression(Filter):
    """Encode and decode as JPEG of a quality from 1 to 100; on the host alone."""

    quality: Param = integer((40, 95), low=1, high=100)
    function: ClassVar[str] = "jpeg"
    colors: ClassVar[bool] = True
    host_only: ClassVar[str] = "the codec is OpenCV's"
