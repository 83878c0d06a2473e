"""What may happen in a neighborhood: blurs, sharpening, edges, compression.

Results keep the image's shape and dtype.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from imgkit.augment.transforms.base import (
    Array,
    Numbers,
    Param,
    Size,
    Transform,
    draw_integer,
    draw_number,
    flag,
    integer,
    number,
)
from imgkit.registry import HOST_ONLY

if TYPE_CHECKING:
    from imgkit.draws import Draw

Piece = tuple[str, Numbers]


def _only(numbers: Numbers, *names: str) -> Numbers:
    return {name: numbers[name] for name in names}


@dataclass(frozen=True)
class GaussianBlur(Transform):
    """Blur with a Gaussian of standard deviation `sigma`, in pixels."""

    sigma: Param = number(low=0)
    parts: ClassVar[tuple[str, ...]] = ("filter",)

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw sigma."""
        return {"sigma": draw_number(draw, self.sigma, samples)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Piece:
        """Return a filter."""
        return "gaussian_blur", _only(numbers, "sigma")


@dataclass(frozen=True)
class BoxBlur(Transform):
    """Replace each pixel by the mean of a `size` x `size` square around it; `size` is odd."""

    size: Param = integer(3, low=1, odd=True)
    parts: ClassVar[tuple[str, ...]] = ("filter",)

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the size; of a pair, an odd one."""
        return {"size": _odd(draw, self.size, samples)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Piece:
        """Return a filter."""
        return "box_blur", _only(numbers, "size")


@dataclass(frozen=True)
class MedianBlur(Transform):
    """Replace each pixel by the median of a `size` x `size` square around it; `size` is odd."""

    size: Param = integer(3, low=1, odd=True)
    parts: ClassVar[tuple[str, ...]] = ("filter",)

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the size; of a pair, an odd one."""
        return {"size": _odd(draw, self.size, samples)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Piece:
        """Return a filter."""
        return "median_blur", _only(numbers, "size")


def _odd(draw: Draw, param: Param, samples: int) -> Array:
    """Draw an odd size."""
    if isinstance(param, tuple):
        low, high = (int(v) for v in param)
        return low + 2 * draw.integers(0, (high - low) // 2 + 1)
    return draw_integer(draw, param, samples)


@dataclass(frozen=True)
class MotionBlur(Transform):
    """Blur along a line of `size` pixels at `degrees`, counter-clockwise from the x axis."""

    size: Param = integer(7, low=1, odd=True)
    degrees: Param = number((-180.0, 180.0))
    parts: ClassVar[tuple[str, ...]] = ("filter",)

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw size and direction."""
        return {
            "size": _odd(draw, self.size, samples),
            "degrees": draw_number(draw, self.degrees, samples),
        }

    def lower(self, part: int, numbers: Numbers, size: Size) -> Piece:
        """Return a filter."""
        return "motion_blur", _only(numbers, "size", "degrees")


@dataclass(frozen=True)
class Sharpen(Transform):
    """Add `amount` of what a 3 x 3 Laplacian finds; 0 changes nothing."""

    amount: Param = number(1.0, low=0)
    parts: ClassVar[tuple[str, ...]] = ("filter",)

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the amount."""
        return {"amount": draw_number(draw, self.amount, samples)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Piece:
        """Return a filter."""
        return "sharpen", _only(numbers, "amount")


@dataclass(frozen=True)
class Sharpness(Transform):
    """Blend with a smoothed image: factor 0 is smooth, 1 changes nothing, above it sharpens.

    It is Pillow's and torchvision's sharpness: the smoothing is [1 1 1; 1 5 1; 1 1 1] / 13, and
    the outermost pixels stay.
    """

    factor: Param = number(low=0)
    parts: ClassVar[tuple[str, ...]] = ("filter",)

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the factor."""
        return {"factor": draw_number(draw, self.factor, samples)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Piece:
        """Return a filter."""
        return "sharpness", _only(numbers, "factor")


@dataclass(frozen=True)
class Emboss(Transform):
    """Blend with a relief lit from the lower right; `strength` 0 changes nothing."""

    strength: Param = number(1.0, low=0, high=1)
    parts: ClassVar[tuple[str, ...]] = ("filter",)

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the strength."""
        return {"strength": draw_number(draw, self.strength, samples)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> Piece:
        """Return a filter."""
        return "emboss", _only(numbers, "strength")


@dataclass(frozen=True)
class Sobel(Transform):
    """Replace the image by its Sobel gradient magnitude, clipped to the range."""

    normalized: bool = flag(True)
    parts: ClassVar[tuple[str, ...]] = ("filter",)

    def lower(self, part: int, numbers: Numbers, size: Size) -> Piece:
        """Return a filter."""
        return "sobel_normalized" if self.normalized else "sobel", {}


@dataclass(frozen=True)
class Laplacian(Transform):
    """Replace the image by the size of its 4-neighbor Laplacian, clipped to the range."""

    parts: ClassVar[tuple[str, ...]] = ("filter",)

    def lower(self, part: int, numbers: Numbers, size: Size) -> Piece:
        """Return a filter."""
        return "laplacian", {}


@dataclass(frozen=True)
class JpegCompression(Transform):
    """Encode and decode as JPEG of a quality from 1 to 100; on the host alone."""

    quality: Param = integer((40, 95), low=1, high=100)
    parts: ClassVar[tuple[str, ...]] = ("filter",)
    colors: ClassVar[bool] = True

    def draw(self, draw: Draw, samples: int, size: Size) -> Numbers:
        """Draw the quality."""
        return {"quality": draw_integer(draw, self.quality, samples)}

    def lower(self, part: int, numbers: Numbers, size: Size) -> tuple[str, Numbers, str]:
        """Return a filter."""
        return "jpeg", _only(numbers, "quality"), HOST_ONLY[self.name]
