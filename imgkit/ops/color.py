"""Color and tone: torchvision's formulas on every dtype.

Integers fill their type, floats are 0..1, and so are the results: what leaves the range is
clipped, except by `normalize`. Results keep dtype and layout. Integers are rounded half to even
where torchvision truncates, so the two differ by at most one level.

The adjustments blend RGB (or gray) images and take 1 or 3 channels; tone curves (`adjust_gamma`,
`invert`, `posterize`, `solarize`, `equalize`, `autocontrast`, `normalize`) look at each channel
alone and take any number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from imgkit.backends import backend
from imgkit.image import (
    as_batch,
    channels,
    check_choice,
    check_colors,
    check_flag,
    check_image,
    check_int,
    check_ints,
    check_number,
    full_range,
    is_tensor,
    like_input,
    ragged,
)

Array = npt.NDArray[Any]
Values = float | Sequence[float]

# Mean and standard deviation of R, G, B as fractions of full intensity.
PRESETS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "half": ((0.5,), (0.5,)),
}


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
    check_colors(check_image(x))
    factor = check_number(factor, "factor", 0)
    return like_input(backend(x, "color").adjust_brightness(as_batch(x), factor), x)


@ragged
def adjust_contrast(x: Array, factor: float) -> Array:
    """Blend an image with the mean of its gray version: ``factor * x + (1 - factor) * mean``.

    Args:
        x: gray or RGB image(s); each image of a batch has its own mean.
        factor: at least 0; 0 is uniform gray, 1 changes nothing, 2 doubles the distances
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
    check_colors(check_image(x))
    factor = check_number(factor, "factor", 0)
    return like_input(backend(x, "color").adjust_contrast(as_batch(x), factor), x)


@ragged
def adjust_saturation(x: Array, factor: float) -> Array:
    """Blend each pixel with its gray value: ``factor * x + (1 - factor) * gray``.

    Args:
        x: gray or RGB image(s); gray ones have no saturation and come back as they are.
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
    check_colors(check_image(x))
    factor = check_number(factor, "factor", 0)
    return like_input(backend(x, "color").adjust_saturation(as_batch(x), factor), x)


@ragged
def adjust_hue(x: Array, shift: float) -> Array:
    """Turn the hue of each pixel in the HSV color circle.

    The round trip through HSV runs in float32 for every dtype.

    Args:
        x: gray or RGB image(s); gray ones have no hue and come back as they are.
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
    check_colors(check_image(x))
    shift = check_number(shift, "shift", -0.5, 0.5)
    return like_input(backend(x, "color").adjust_hue(as_batch(x), shift), x)


@ragged
def adjust_gamma(x: Array, gamma: float, gain: float = 1) -> Array:
    """Raise intensities, as fractions of full range, to a power: ``gain * x**gamma``.

    Args:
        x: image(s) of any number of channels.
        gamma: at least 0; above 1 darkens the midtones, below 1 brightens them.
        gain: at least 0; a factor on the result.

    Returns:
        Image(s) like `x`.

    Raises:
        ValueError: for a negative gamma or gain.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.adjust_gamma(np.array([[0.25, 1.0]]), 0.5)
    array([[0.5, 1. ]])
    """
    check_image(x)
    gamma, gain = check_number(gamma, "gamma", 0), check_number(gain, "gain", 0)
    return like_input(backend(x, "color").adjust_gamma(as_batch(x), gamma, gain), x)


@ragged
def grayscale(x: Array, keep_channels: bool = False) -> Array:
    """Return the luma ``0.2989 R + 0.587 G + 0.114 B``.

    Args:
        x: gray or RGB image(s).
        keep_channels: keep the shape, with the luma in every channel.

    Returns:
        Without `keep_channels` an image ``(H, W)``; a batch keeps its fourth axis,
        ``(N, H, W, 1)``, because a batch without it could not be told from an image. On uint8
        OpenCV's fixed-point weights (0.299, 0.587, 0.114) are within one level of these.

    Raises:
        ValueError: for channels that are neither gray nor RGB.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.grayscale(np.array([[[100, 50, 50]]], np.uint8))
    array([[65]], dtype=uint8)

    ITU-R BT.601, with the four digits that MATLAB, Pillow's kin and torchvision print.
    """
    check_colors(check_image(x))
    keep_channels = check_flag(keep_channels, "keep_channels")
    gray = backend(x, "color").grayscale(as_batch(x), channels(x) if keep_channels else 1)
    if keep_channels or x.ndim == 4:
        return like_input(gray, x)
    return gray[0, 0] if is_tensor(gray) else gray[0, :, :, 0]


@ragged
def invert(x: Array) -> Array:
    """Return the negative: full intensity minus `x`.

    Args:
        x: image(s) of any number of channels.

    Returns:
        Image(s) like `x`.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.invert(np.array([[0, 10]], np.uint8))
    array([[255, 245]], dtype=uint8)
    """
    check_image(x)
    return like_input(backend(x, "color").invert(as_batch(x)), x)


@ragged
def posterize(x: Array, bits: int) -> Array:
    """Keep the `bits` highest bits of each intensity.

    Integers lose their lower bits; floats are rounded down to ``2**bits`` equal steps. So the
    steps are those of an 8-bit image on every dtype.

    Args:
        x: image(s) of any number of channels.
        bits: 0 (black) to 8 (all that an 8-bit image has).

    Returns:
        Image(s) like `x`.

    Raises:
        ValueError: for bits outside 0..8.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.posterize(np.array([[31, 32, 100, 255]], np.uint8), 3)
    array([[  0,  32,  96, 224]], dtype=uint8)
    """
    check_image(x)
    bits = check_int(bits, "bits", 0, 8)
    return like_input(backend(x, "color").posterize(as_batch(x), bits), x)


@ragged
def solarize(x: Array, threshold: float | None = None) -> Array:
    """Invert the intensities at and above a threshold.

    Args:
        x: image(s) of any number of channels.
        threshold: in the array's own units, 0 to full intensity; None is half of it.

    Returns:
        Image(s) like `x`.

    Raises:
        ValueError: for a threshold outside the range.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.solarize(np.array([[100, 127, 128, 255]], np.uint8))
    array([[100, 127, 127,   0]], dtype=uint8)
    """
    top = full_range(check_image(x).dtype)
    threshold = top / 2 if threshold is None else check_number(threshold, "threshold", 0, top)
    return like_input(backend(x, "color").solarize(as_batch(x), threshold), x)


@ragged
def equalize(x: Array) -> Array:
    """Spread the intensities of each channel so that their histogram becomes flat.

    The curve is Pillow's and torchvision's, made from a histogram of 256 bins; uint16 and float
    images read it with linear interpolation, so they keep their fine steps and come out as their
    8-bit copies do. Where there are too few pixels to equalize, or one value alone, nothing
    changes.

    Args:
        x: image(s) of any number of channels.

    Returns:
        Image(s) like `x`.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ramp = np.arange(100, 116, dtype=np.uint8).repeat(256).reshape(64, 64)
    >>> ik.equalize(ramp)[::16, 0]
    array([  0,  68, 137, 205], dtype=uint8)
    """
    check_image(x)
    return like_input(backend(x, "color").equalize(as_batch(x)), x)


@ragged
def autocontrast(x: Array) -> Array:
    """Stretch each channel so that its darkest pixel is 0 and its brightest full intensity.

    A channel of one value alone is left as it is.

    Args:
        x: image(s) of any number of channels.

    Returns:
        Image(s) like `x`.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.autocontrast(np.array([[100, 110, 120]], np.uint8))
    array([[  0, 128, 255]], dtype=uint8)
    """
    check_image(x)
    return like_input(backend(x, "color").autocontrast(as_batch(x)), x)


@ragged
def clahe(x: Array, clip_limit: float = 4.0, tiles: int | tuple[int, int] = 8) -> Array:
    """Equalize each tile of an image with limited contrast, and blend between the tiles.

    RGB images are equalized in their luma, and the change is added to all three channels, which
    is what CLAHE on Y of Y'CbCr does. The histograms have 256 bins; uint16 and float images read
    their curves with linear interpolation.

    Args:
        x: gray or RGB image(s).
        clip_limit: highest count of a bin, in multiples of the mean count; 0 sets no limit.
        tiles: rows and columns of tiles, or one number for both.

    Returns:
        Image(s) like `x`. A gray uint8 image comes out as from OpenCV.

    Raises:
        ValueError: for a negative limit, tiles below 1, or channels neither gray nor RGB.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ramp = np.arange(100, 116, dtype=np.uint8).repeat(16).reshape(16, 16)
    >>> bool(np.ptp(ik.clahe(ramp, tiles=2)) > np.ptp(ramp))
    True

    Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, 1994.
    """
    check_colors(check_image(x))
    clip_limit = check_number(clip_limit, "clip_limit", 0)
    rows, columns = check_ints(tiles, "tiles", 2, 1)
    return like_input(backend(x, "color").clahe(as_batch(x), clip_limit, (rows, columns)), x)


@ragged
def normalize(x: Array, mean: Values | str, std: Values | None = None) -> Array:
    """Subtract a mean and divide by a standard deviation, channel by channel.

    Args:
        x: image(s) of any number of channels.
        mean: one number or one a channel, as fractions of full intensity, whatever the dtype;
            or the name of a preset: ``imagenet``, ``clip``, ``half``.
        std: likewise, above 0; None with a preset.

    Returns:
        float32 image(s), float64 for float64: ``(x / full - mean) / std``, not clipped.

    Raises:
        ValueError: for an unknown preset, a count of values that fits not the channels, or a
            standard deviation of 0.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.normalize(np.array([[0, 51]], np.uint8), 0.5, 0.25).round(3)
    array([[-2. , -1.2]], dtype=float32)
    """
    check_image(x)
    if isinstance(mean, str):
        mean, std = _preset(mean, std)
    elif std is None:
        raise TypeError("std is None: give it, or a preset such as mean='imagenet'")
    means = _per_channel(mean, "mean", channels(x))
    stds = _per_channel(std, "std", channels(x))
    if min(stds) <= 0:
        raise ValueError(f"std is {std!r}: every value must be greater than 0")
    return like_input(backend(x, "color").normalize(as_batch(x), means, stds), x)


def _preset(name: str, std: object) -> tuple[Values, Values]:
    """Return mean and std of a preset."""
    if std is not None:
        raise TypeError(f"std is {std!r}: mean={name!r} brings its own, leave std out")
    return PRESETS[check_choice(name, "mean", PRESETS)]


def _per_channel(values: object, name: str, count: int) -> tuple[float, ...]:
    """Return one number a channel."""
    if isinstance(values, (int, float, np.number)):
        return (check_number(values, name),) * count
    if not isinstance(values, (Sequence, np.ndarray)) or isinstance(values, str):
        raise TypeError(f"{name} is {values!r}: it must be a number or one a channel")
    if len(values) not in (1, count):
        raise ValueError(
            f"{name} has {len(values)} values, the image {count} channels: "
            f"give one number, or {count}"
        )
    numbers = tuple(check_number(v, f"{name}[{i}]") for i, v in enumerate(values))
    return numbers * (count if len(numbers) == 1 else 1)


@ragged
def to_float(x: Array) -> Array:
    """Return intensities as fractions of full range.

    Args:
        x: image(s) of any number of channels.

    Returns:
        float32 image(s), 0..1 for integers; float images come back with the values they have.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.to_float(np.array([[0, 51, 255]], np.uint8))
    array([[0. , 0.2, 1. ]], dtype=float32)
    """
    check_image(x)
    return like_input(backend(x, "color").to_float(as_batch(x)), x)


@ragged
def to_uint8(x: Array) -> Array:
    """Return the nearest 8-bit image: full range becomes 255, values beyond it are clipped.

    Args:
        x: image(s) of any number of channels.

    Returns:
        uint8 image(s).

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.to_uint8(np.array([[-1, 0.2, 1]]))
    array([[  0,  51, 255]], dtype=uint8)
    """
    check_image(x)
    return like_input(backend(x, "color").to_uint8(as_batch(x)), x)
