"""Tone: curves on each channel separately, and conversions of range; torchvision's formulas.

Integers fill their type, floats are 0..1, and so are the results: values outside the range
are clipped, except by `normalize`. Results keep the layout and, unless documented, the dtype.
Integers are rounded half to even where torchvision truncates, so the two differ by at most one
level. Images have any number of channels, for `clahe`, which works on luma, 1 or 3.

In a histogram a float outside 0..1, infinities included, counts as the nearest end of the range.
A NaN counts as 0 there and stays NaN in float results (in all of its channel for `autocontrast`);
`to_uint8` makes it 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from imgkit.checks import check_choice, check_int, check_ints, check_number, printable
from imgkit.image import Array, full_range, inspect_colors, inspect_image
from imgkit.ops.dispatch import backend_of
from imgkit.ops.ragged import ragged

Values = float | Sequence[float] | Array

# Mean and standard deviation of training sets as fractions of full intensity, after torchvision,
# open_clip and timm; one number applies to any number of channels.
PRESETS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "inception": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "siglip": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "mnist": ((0.1307,), (0.3081,)),
    "cifar10": ((0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)),
    "half": ((0.5,), (0.5,)),
}


BINS = 256.0  # of a histogram: a count is at most this many times the mean count
MAX_TILES = 256  # on an axis: each has a histogram
LEAST_STD = 1e-12  # of full intensity: dividing by less overflows


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
    image = inspect_image(x)
    gamma, gain = check_number(gamma, "gamma", 0), check_number(gain, "gain", 0)
    run = backend_of(image.is_tensor, "tone").adjust_gamma
    return image.restore(run(image.batch, gamma, gain))


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
    image = inspect_image(x)
    run = backend_of(image.is_tensor, "tone").invert
    return image.restore(run(image.batch))


@ragged
def posterize(x: Array, bits: int) -> Array:
    """Keep the `bits` highest bits of each intensity.

    Integers lose their lower bits; floats are rounded down to ``2**bits`` equal steps. The
    steps are those of an 8-bit image on every dtype; 8 bits change nothing, on uint16 and floats
    neither.

    Args:
        x: image(s) of any number of channels.
        bits: 0 (black) to 8 (all).

    Returns:
        Image(s) like `x`.

    Raises:
        ValueError: for bits outside 0..8.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.posterize(np.array([[31, 32, 100, 255]], np.uint8), 3)
    array([[  0,  32,  96, 224]], dtype=uint8)
    """
    image = inspect_image(x)
    bits = check_int(bits, "bits", 0, 8)
    run = backend_of(image.is_tensor, "tone").posterize
    return image.restore(run(image.batch, bits))


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
    image = inspect_image(x)
    top = full_range(x.dtype)
    threshold = top / 2 if threshold is None else check_number(threshold, "threshold", 0, top)
    run = backend_of(image.is_tensor, "tone").solarize
    return image.restore(run(image.batch, threshold))


@ragged
def equalize(x: Array) -> Array:
    """Equalize the histogram of each channel.

    The curve is Pillow's and torchvision's, computed from a histogram of 256 bins. The results of
    uint16 and float images lie within half a level of 8 bits from that of their 8-bit copy
    (`to_uint8`): between two levels they keep their fine steps, up to half a level on each side.
    A channel with too few pixels or with one value stays unchanged.

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
    image = inspect_image(x)
    run = backend_of(image.is_tensor, "tone").equalize
    return image.restore(run(image.batch))


@ragged
def autocontrast(x: Array) -> Array:
    """Stretch each channel so that its darkest pixel is 0 and its brightest full intensity.

    A channel with one value stays unchanged.

    Args:
        x: image(s) of any number of channels.

    Returns:
        Image(s) like `x`.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.autocontrast(np.array([[100, 110, 120]], np.uint8))
    array([[  0, 128, 255]], dtype=uint8)
    """
    image = inspect_image(x)
    run = backend_of(image.is_tensor, "tone").autocontrast
    return image.restore(run(image.batch))


@ragged
def clahe(x: Array, clip_limit: float = 4.0, tiles: int | tuple[int, int] = 8) -> Array:
    """Equalize each tile of an image with limited contrast, and interpolate between the tiles.

    RGB images are equalized in their luma, and the change is added to all three channels, as
    CLAHE on Y of Y'CbCr does. The histograms have 256 bins; uint16 and float images
    keep fine steps beside the levels of their 8-bit copy, as in `equalize`.

    Args:
        x: gray or RGB image(s).
        clip_limit: highest count of a bin, in multiples of the mean count; 0 sets no limit.
        tiles: rows and columns of tiles, 1 to 256, or one number for both.

    Returns:
        Image(s) like `x`. Gray uint8 images equal OpenCV's result.

    Raises:
        ValueError: for a negative limit, tiles below 1, or channels neither gray nor RGB.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ramp = np.arange(100, 116, dtype=np.uint8).repeat(16).reshape(16, 16)
    >>> bool(np.ptp(ik.clahe(ramp, tiles=2)) > np.ptp(ramp))
    True

    Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, 1994.
    """
    image = inspect_colors(x)
    clip_limit = min(check_number(clip_limit, "clip_limit", 0), BINS)  # more limits nothing
    rows, columns = check_ints(tiles, "tiles", 2, 1, MAX_TILES)
    run = backend_of(image.is_tensor, "tone").clahe
    return image.restore(run(image.batch, clip_limit, (rows, columns)))


@ragged
def normalize(x: Array, mean: Values | str, std: Values | None = None) -> Array:
    """Subtract a mean and divide by a standard deviation, channel by channel.

    Args:
        x: image(s) of any number of channels.
        mean: one number or one a channel, as fractions of full intensity, whatever the dtype;
            or the name of a preset: ``imagenet``, ``clip``, ``inception``, ``siglip``,
            ``mnist``, ``cifar10``, ``half``.
        std: as `mean`, above 0; None with a preset.

    Returns:
        float32 image(s), float64 for float64: ``(x / full - mean) / std``, not clipped.

    Raises:
        ValueError: for an unknown preset, a number of values that does not match the channels, or
            a standard deviation below 1e-12.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.normalize(np.array([[0, 51]], np.uint8), 0.5, 0.25).round(3)
    array([[-2. , -1.2]], dtype=float32)
    """
    image = inspect_image(x)
    if isinstance(mean, str):
        mean, std = _preset(mean, std)
    elif std is None:
        raise TypeError("std is None: give it, or a preset such as mean='imagenet'")
    means = _per_channel(mean, "mean", image.channels)
    stds = _per_channel(std, "std", image.channels)
    if min(stds) < LEAST_STD:
        raise ValueError(f"std is {printable(std)}: every value must be at least {LEAST_STD:g}")
    run = backend_of(image.is_tensor, "tone").normalize
    return image.restore(run(image.batch, means, stds))


def _preset(name: str, std: object) -> tuple[Values, Values]:
    """Return mean and std of a preset."""
    if std is not None:
        raise TypeError(f"std is {std!r}: mean={name!r} brings its own, leave std out")
    return PRESETS[check_choice(name, "mean", PRESETS)]


def _per_channel(values: object, name: str, count: int) -> tuple[float, ...]:
    """Return one number a channel."""
    if isinstance(values, np.ndarray):
        values = values.tolist()
    if isinstance(values, (int, float, np.number)):
        return (check_number(values, name),) * count
    if not isinstance(values, (list, tuple)):
        raise TypeError(f"{name} is {printable(values)}: it must be a number or one a channel")
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
        float32 image(s), 0..1 for integers; float images keep their values.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.to_float(np.array([[0, 51, 255]], np.uint8))
    array([[0. , 0.2, 1. ]], dtype=float32)
    """
    image = inspect_image(x)
    run = backend_of(image.is_tensor, "tone").to_float
    return image.restore(run(image.batch))


@ragged
def to_uint8(x: Array) -> Array:
    """Return the nearest 8-bit image: full range becomes 255, values outside it are clipped.

    Args:
        x: image(s) of any number of channels.

    Returns:
        uint8 image(s).

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.to_uint8(np.array([[-1, 0.2, 1]]))
    array([[  0,  51, 255]], dtype=uint8)
    """
    image = inspect_image(x)
    run = backend_of(image.is_tensor, "tone").to_uint8
    return image.restore(run(image.batch))
