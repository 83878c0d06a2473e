"""The modules of `imgkit.torch`; written by docs/build.py from imgkit.registry."""

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
import torch

from imgkit.ops.resample import Size, Value
from imgkit.ops.tone import Values
from imgkit.torch.function import Function

__all__ = [
    "CLAHE",
    "AdaptivePool",
    "AdjustBrightness",
    "AdjustContrast",
    "AdjustGamma",
    "AdjustHue",
    "AdjustSaturation",
    "AutoContrast",
    "AvgPool",
    "BilateralBlur",
    "BoxBlur",
    "Canny",
    "Conv2d",
    "Convolve",
    "Corners",
    "Correlate",
    "Crop",
    "Deconvolve",
    "Equalize",
    "Flip",
    "GaussianBlur",
    "GlobalPool",
    "Gradient",
    "Grayscale",
    "Invert",
    "Laplacian",
    "LaplacianOfGaussian",
    "Letterbox",
    "MaxPool",
    "MedianBlur",
    "MedianPool",
    "MinPool",
    "Normalize",
    "Pad",
    "Posterize",
    "Prewitt",
    "Resize",
    "Rotate",
    "Scharr",
    "Sharpen",
    "Sobel",
    "Solarize",
    "ToFloat",
    "ToUint8",
    "Warp",
]

class Convolve(Function[torch.Tensor]):
    """Convolve with a kernel of one, two or three dimensions, flipped (true convolution)."""

    def __init__(
        self,
        kernel: Any,
        mode: str = "same",
        *,
        border: str = "constant",
        value: float = 0,
        stride: int | Sequence[int] = 1,
        dilation: int | Sequence[int] = 1,
        axes: int | Sequence[int] | None = None,
        method: str = "auto",
        dtype: Any = None,
        native: bool = False,
    ) -> None: ...

class Correlate(Function[torch.Tensor]):
    """Cross-correlate: as `convolve`, without flipping the kernel."""

    def __init__(
        self,
        kernel: Any,
        mode: str = "same",
        *,
        border: str = "constant",
        value: float = 0,
        stride: int | Sequence[int] = 1,
        dilation: int | Sequence[int] = 1,
        axes: int | Sequence[int] | None = None,
        method: str = "auto",
        dtype: Any = None,
        native: bool = False,
    ) -> None: ...

class Gradient(Function[tuple[torch.Tensor, torch.Tensor]]):
    """Return the derivatives in x (right) and y (down) of a 3x3 operator."""

    def __init__(
        self,
        operator: str = "sobel",
        *,
        normalized: bool = False,
        border: str = "reflect",
        value: float = 0,
        dtype: Any = None,
        native: bool = False,
    ) -> None: ...

class Sobel(Function[torch.Tensor]):
    """Return the magnitude of the Sobel gradient, √(gx² + gy²)."""

    def __init__(
        self,
        *,
        normalized: bool = False,
        border: str = "reflect",
        value: float = 0,
        dtype: Any = None,
        native: bool = False,
    ) -> None: ...

class Prewitt(Function[torch.Tensor]):
    """Return the magnitude of the Prewitt gradient, √(gx² + gy²)."""

    def __init__(
        self,
        *,
        normalized: bool = False,
        border: str = "reflect",
        value: float = 0,
        dtype: Any = None,
        native: bool = False,
    ) -> None: ...

class Scharr(Function[torch.Tensor]):
    """Return the magnitude √(gx² + gy²) of the Scharr gradient, the most isotropic of the three."""

    def __init__(
        self,
        *,
        normalized: bool = False,
        border: str = "reflect",
        value: float = 0,
        dtype: Any = None,
        native: bool = False,
    ) -> None: ...

class Laplacian(Function[torch.Tensor]):
    """Return the sum of the differences to the 4 or 8 nearest pixels."""

    def __init__(
        self,
        neighbors: int = 4,
        *,
        border: str = "reflect",
        value: float = 0,
        dtype: Any = None,
        native: bool = False,
    ) -> None: ...

class LaplacianOfGaussian(Function[torch.Tensor]):
    """Return the Laplacian of the image blurred by a Gaussian."""

    def __init__(
        self,
        sigma: float,
        *,
        border: str = "reflect",
        value: float = 0,
        dtype: Any = None,
        native: bool = False,
    ) -> None: ...

class Canny(Function[torch.Tensor]):
    """Return thin, connected edges: Gaussian blur, Sobel, ridges, hysteresis."""

    def __init__(
        self,
        low: float,
        high: float,
        sigma: float = 1.0,
        *,
        border: str = "reflect",
        value: float = 0,
        native: bool = False,
    ) -> None: ...

class Corners(Function[torch.Tensor]):
    """Return the corner response of every pixel."""

    def __init__(
        self,
        method: str = "harris",
        *,
        sigma: float = 1.0,
        k: float = 0.05,
        border: str = "reflect",
        value: float = 0,
        native: bool = False,
    ) -> None: ...

class GaussianBlur(Function[torch.Tensor]):
    """Blur with a Gaussian, sampled at pixel centers and scaled to sum 1."""

    def __init__(
        self,
        sigma: float,
        *,
        border: str = "reflect",
        value: float = 0,
        truncate: float = 4.0,
        native: bool = False,
    ) -> None: ...

class BoxBlur(Function[torch.Tensor]):
    """Replace every pixel by the mean of the window around it."""

    def __init__(
        self,
        size: int | tuple[int, int],
        *,
        border: str = "reflect",
        value: float = 0,
        native: bool = False,
    ) -> None: ...

class MedianBlur(Function[torch.Tensor]):
    """Replace every pixel by the median of the square window around it."""

    def __init__(
        self, size: int, *, border: str = "reflect", value: float = 0, native: bool = False
    ) -> None: ...

class BilateralBlur(Function[torch.Tensor]):
    """Blur without blurring edges: neighbors of a different color weigh less."""

    def __init__(
        self,
        sigma_color: float,
        sigma_space: float,
        *,
        border: str = "reflect",
        value: float = 0,
        truncate: float = 2.0,
        native: bool = False,
    ) -> None: ...

class Sharpen(Function[torch.Tensor]):
    """Unsharp masking: add the detail that a Gaussian blur removes, x + amount (x - blur(x))."""

    def __init__(
        self,
        amount: float = 1.0,
        sigma: float = 1.0,
        *,
        border: str = "reflect",
        value: float = 0,
        native: bool = False,
    ) -> None: ...

class MaxPool(Function[torch.Tensor]):
    """Return the largest value of each window, as ``torch.nn.functional.max_pool2d`` does."""

    def __init__(
        self,
        size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil: bool = False,
        *,
        axes: Any = None,
        native: bool = False,
    ) -> None: ...

class MinPool(Function[torch.Tensor]):
    """Return the smallest value of each window: `max_pool` of the negative."""

    def __init__(
        self,
        size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil: bool = False,
        *,
        axes: Any = None,
        native: bool = False,
    ) -> None: ...

class AvgPool(Function[torch.Tensor]):
    """Return the mean of each window, as ``torch.nn.functional.avg_pool2d`` does."""

    def __init__(
        self,
        size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil: bool = False,
        *,
        count_include_pad: bool = True,
        axes: Any = None,
        native: bool = False,
    ) -> None: ...

class MedianPool(Function[torch.Tensor]):
    """Return the median of each window; of an even number, the mean of the middle two."""

    def __init__(
        self,
        size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil: bool = False,
        *,
        axes: Any = None,
        native: bool = False,
    ) -> None: ...

class GlobalPool(Function[torch.Tensor]):
    """Return one value for each channel of each image: the window is the whole image."""

    def __init__(self, kind: str, *, axes: Any = None, native: bool = False) -> None: ...

class AdaptivePool(Function[torch.Tensor]):
    """Pool to a given size, as ``torch.nn.functional.adaptive_avg_pool2d`` does."""

    def __init__(
        self, output_size: Any, kind: str, *, axes: Any = None, native: bool = False
    ) -> None: ...

class Resize(Function[torch.Tensor]):
    """Resize with aligned pixel edges: the output's corners are the input's."""

    def __init__(
        self,
        size: Size,
        interpolation: str = "bilinear",
        antialias: bool = True,
        *,
        native: bool = False,
    ) -> None: ...

class Warp(Function[torch.Tensor]):
    """Transform an image by a matrix or a displacement field."""

    def __init__(
        self,
        matrix_or_field: npt.ArrayLike,
        size: Size | None = None,
        interpolation: str = "bilinear",
        border: str = "constant",
        value: Value = 0,
        antialias: bool = True,
        *,
        native: bool = False,
    ) -> None: ...

class Rotate(Function[torch.Tensor]):
    """Rotate an image, counter-clockwise as seen."""

    def __init__(
        self,
        degrees: float,
        *,
        expand: bool = False,
        center: Sequence[float] | None = None,
        interpolation: str = "bilinear",
        border: str = "constant",
        value: Value = 0,
        antialias: bool = True,
        native: bool = False,
    ) -> None: ...

class Flip(Function[torch.Tensor]):
    """Mirror an image."""

    def __init__(self, axis: str = "horizontal", *, native: bool = False) -> None: ...

class Crop(Function[torch.Tensor]):
    """Cut out a rectangle that lies inside the image."""

    def __init__(
        self, top: int, left: int, height: int, width: int, *, native: bool = False
    ) -> None: ...

class Pad(Function[torch.Tensor]):
    """Add pixels around an image."""

    def __init__(
        self,
        padding: int | Sequence[int],
        *,
        border: str = "constant",
        value: Value = 0,
        native: bool = False,
    ) -> None: ...

class Letterbox(Function[torch.Tensor]):
    """Resize to the largest size that fits a canvas, keep the aspect ratio, and center."""

    def __init__(
        self,
        size: Size,
        *,
        interpolation: str = "bilinear",
        antialias: bool = True,
        value: Value = 0,
        native: bool = False,
    ) -> None: ...

class AdjustBrightness(Function[torch.Tensor]):
    """Multiply every pixel by `factor`."""

    def __init__(self, factor: float, *, native: bool = False) -> None: ...

class AdjustContrast(Function[torch.Tensor]):
    """Blend an image with the mean of its gray version: ``factor * x + (1 - factor) * mean``."""

    def __init__(self, factor: float, *, native: bool = False) -> None: ...

class AdjustSaturation(Function[torch.Tensor]):
    """Blend each pixel with its gray value: ``factor * x + (1 - factor) * gray``."""

    def __init__(self, factor: float, *, native: bool = False) -> None: ...

class AdjustHue(Function[torch.Tensor]):
    """Turn the hue of each pixel in the HSV color circle."""

    def __init__(self, shift: float, *, native: bool = False) -> None: ...

class AdjustGamma(Function[torch.Tensor]):
    """Raise intensities, as fractions of full range, to a power: ``gain * x**gamma``."""

    def __init__(self, gamma: float, gain: float = 1, *, native: bool = False) -> None: ...

class Grayscale(Function[torch.Tensor]):
    """Return the luma ``0.2989 R + 0.587 G + 0.114 B``."""

    def __init__(self, keep_channels: bool = False, *, native: bool = False) -> None: ...

class Invert(Function[torch.Tensor]):
    """Return the negative: full intensity minus `x`."""

    def __init__(self, *, native: bool = False) -> None: ...

class Posterize(Function[torch.Tensor]):
    """Keep the `bits` highest bits of each intensity."""

    def __init__(self, bits: int, *, native: bool = False) -> None: ...

class Solarize(Function[torch.Tensor]):
    """Invert the intensities at and above a threshold."""

    def __init__(self, threshold: float | None = None, *, native: bool = False) -> None: ...

class Equalize(Function[torch.Tensor]):
    """Equalize the histogram of each channel."""

    def __init__(self, *, native: bool = False) -> None: ...

class AutoContrast(Function[torch.Tensor]):
    """Stretch each channel so that its darkest pixel is 0 and its brightest full intensity."""

    def __init__(self, *, native: bool = False) -> None: ...

class CLAHE(Function[torch.Tensor]):
    """Equalize each tile of an image with limited contrast, and interpolate between the tiles."""

    def __init__(
        self, clip_limit: float = 4.0, tiles: int | tuple[int, int] = 8, *, native: bool = False
    ) -> None: ...

class Normalize(Function[torch.Tensor]):
    """Subtract a mean and divide by a standard deviation, channel by channel."""

    def __init__(
        self, mean: Values | str, std: Values | None = None, *, native: bool = False
    ) -> None: ...

class ToFloat(Function[torch.Tensor]):
    """Return intensities as fractions of full range."""

    def __init__(self, *, native: bool = False) -> None: ...

class ToUint8(Function[torch.Tensor]):
    """Return the nearest 8-bit image: full range becomes 255, values outside it are clipped."""

    def __init__(self, *, native: bool = False) -> None: ...

class Conv2d(Function[torch.Tensor]):
    """Run a convolutional layer: correlate each output channel's weight, summed over channels."""

    def __init__(
        self,
        weight: Any,
        bias: Any = None,
        mode: str = "valid",
        *,
        padding: int | Sequence[int] | str | None = None,
        border: str = "constant",
        value: float = 0,
        stride: int | Sequence[int] = 1,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        dtype: Any = None,
        native: bool = False,
    ) -> None: ...

class Deconvolve(Function[torch.Tensor]):
    """Find the image x whose convolution with `kernel` is `b`, channel by channel."""

    def __init__(
        self,
        kernel: Any,
        method: str = "lsqr",
        mode: str = "same",
        border: str = "constant",
        regularization: float = 0,
        *,
        iterations: int | None = None,
        noise: float | None = None,
        native: bool = False,
    ) -> None: ...
