"""Color: torchvision's formulas on every dtype.

Integers fill their type, floats are 0..1, and so are the results: values outside the range are
clipped. Results keep dtype and layout. Integers are rounded half to even where torchvision
truncates, so the two differ by at most one level. Images are gray or RGB: 1 or 3 channels. A NaN
makes its pixel NaN, for `adjust_contrast` its image.
"""

from __future__ import annotations

from imgkit.checks import check_flag, check_number
from imgkit.image import Array, inspect_colors
from imgkit.ops.dispatch import backend_of
from imgkit.ops.ragged import ragged


@ragged
def adjust_brightness(x: Array, factor: float) -> Array:
    """Multiply every pixel by `factor`.

    Args:
        x: gray or RGB image(s).
        factor: at least 0; 0 is black, 1 changes nothing, 2 is twice as bright.

    Returns:
        Image(s) like `x`.

    Raises:
        ValueError: for a negative factor, or channels that are neither gray nor RGB.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.adjust_brightness(np.array([[10, 200]], np.uint8), 1.5)
    array([[ 15, 255]], dtype=uint8)
    """
    image = inspect_colors(x)
    factor = check_number(factor, "factor", 0)
    run = backend_of(image.is_tensor, "color").adjust_brightness
    return image.restore(run(image.batch, factor))


@ragged
def adjust_contrast(x: Array, factor: float) -> Array:
    """Blend an image with the mean of its gray version: ``factor * x + (1 - factor) * mean``.

    Args:
        x: gray or RGB image(s); each image of a batch has its own mean.
        factor: at least 0; 0 gives uniform gray, 1 changes nothing, 2 doubles the distances
            from the mean.

    Returns:
        Image(s) like `x`.

    Raises:
        ValueError: for a negative factor, or channels that are neither gray nor RGB.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.adjust_contrast(np.array([[90, 110]], np.uint8), 2)
    array([[ 80, 120]], dtype=uint8)
    """
    image = inspect_colors(x)
    factor = check_number(factor, "factor", 0)
    run = backend_of(image.is_tensor, "color").adjust_contrast
    return image.restore(run(image.batch, factor))


@ragged
def adjust_saturation(x: Array, factor: float) -> Array:
    """Blend each pixel with its gray value: ``factor * x + (1 - factor) * gray``.

    Args:
        x: gray or RGB image(s); gray ones have no saturation and are returned unchanged.
        factor: at least 0; 0 is gray, 1 changes nothing, 2 doubles the color.

    Returns:
        Image(s) like `x`.

    Raises:
        ValueError: for a negative factor, or channels that are neither gray nor RGB.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.adjust_saturation(np.array([[[100, 50, 50]]], np.uint8), 0)
    array([[[65, 65, 65]]], dtype=uint8)
    """
    image = inspect_colors(x)
    factor = check_number(factor, "factor", 0)
    run = backend_of(image.is_tensor, "color").adjust_saturation
    return image.restore(run(image.batch, factor))


@ragged
def adjust_hue(x: Array, shift: float) -> Array:
    """Turn the hue of each pixel in the HSV color circle.

    The round trip through HSV runs in float32 for every dtype.

    Args:
        x: gray or RGB image(s); gray ones have no hue and are returned unchanged.
        shift: -0.5 to 0.5 turns; 1/3 makes red green, both ends give the opposite hue.

    Returns:
        Image(s) like `x`.

    Raises:
        ValueError: for a shift beyond half a turn, or channels that are neither gray nor RGB.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.adjust_hue(np.array([[[200, 20, 20]]], np.uint8), 1 / 3)
    array([[[ 20, 200,  20]]], dtype=uint8)

    Smith, "Color gamut transform pairs", SIGGRAPH 1978.
    """
    image = inspect_colors(x)
    shift = check_number(shift, "shift", -0.5, 0.5)
    run = backend_of(image.is_tensor, "color").adjust_hue
    return image.restore(run(image.batch, shift))


@ragged
def grayscale(x: Array, keep_channels: bool = False) -> Array:
    """Return the luma ``0.2989 R + 0.587 G + 0.114 B``.

    Args:
        x: gray or RGB image(s).
        keep_channels: keep the shape, with the luma in every channel.

    Returns:
        Without `keep_channels` an image ``(H, W)``; a batch keeps its fourth axis,
        ``(N, H, W, 1)``, because a batch without it would look like an image. On uint8
        OpenCV's fixed-point weights (0.299, 0.587, 0.114) are within one level of these.

    Raises:
        ValueError: for channels that are neither gray nor RGB.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.grayscale(np.array([[[100, 50, 50]]], np.uint8))
    array([[65]], dtype=uint8)

    ITU-R BT.601, with the four digits that MATLAB and torchvision use.
    """
    image = inspect_colors(x)
    keep_channels = check_flag(keep_channels, "keep_channels")
    run = backend_of(image.is_tensor, "color").grayscale
    gray = run(image.batch, image.channels if keep_channels else 1)
    if keep_channels or x.ndim == 4:
        return image.restore(gray)
    return gray[0, 0] if image.is_tensor else gray[0, :, :, 0]
