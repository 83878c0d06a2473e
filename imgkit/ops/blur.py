"""Blurs and sharpening.

The result has the dtype of `x`: integers are computed in floats, rounded half to even once and
saturated; floats are not clipped. Channels are processed separately unless a function says
otherwise. Lengths are in pixels, intensities in the units of `x` (0..255 for uint8). Windows reach
at most 4096 pixels to each side; at most 256 for `median_blur` and `bilateral_blur`, which sort or
weigh every pixel of the window for each output pixel.
"""

from __future__ import annotations

from imgkit.border import check_border, check_reach
from imgkit.checks import check_int, check_ints, check_number
from imgkit.image import Array, inspect_image
from imgkit.kernels import TRUNCATE
from imgkit.ops.dispatch import backend_of
from imgkit.ops.ragged import ragged

AREA_REACH = 256  # pixels to each side, for windows whose time grows with their area


@ragged
def gaussian_blur(
    x: Array,
    sigma: float,
    *,
    border: str = "reflect",
    value: float = 0,
    truncate: float = 4.0,
) -> Array:
    """Blur with a Gaussian, sampled at pixel centers and scaled to sum 1.

    Args:
        x: image (H, W) or (H, W, C), batch (N, H, W, C), or a list of images.
        sigma: standard deviation in pixels, at least 0; 0 changes nothing; `truncate` times
            `sigma` is at most 4096.
        border: the pixels outside: constant, edge, reflect, symmetric, wrap.
        value: the pixel value of a constant border.
        truncate: reach of the taps in multiples of `sigma`, rounded to whole pixels; above 0.

    Returns:
        The blurred image, of the shape and dtype of `x`.

    Raises:
        ValueError: a negative `sigma`, an unknown border, a value that `x` cannot hold.
        TypeError: `x` is not an image, or `sigma` is not a number.

    Source: R. Gonzalez, R. Woods, "Digital Image Processing", smoothing filters; the taps equal
    those of scipy.ndimage.gaussian_filter.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> spot = np.zeros((5, 5), np.uint8)
    >>> spot[2, 2] = 255
    >>> ik.gaussian_blur(spot, 0.8)[2].tolist()
    [6, 29, 63, 29, 6]
    """
    image = inspect_image(x)
    sigma = check_number(sigma, "sigma", 0)
    truncate = check_number(truncate, "truncate", 0, above=True)
    check_reach(truncate * sigma, "sigma", sigma)
    options = *check_border(border, value, x.dtype), truncate
    run = backend_of(image.is_tensor, "blur").gaussian_blur
    return image.restore(run(image.batch, sigma, *options))


@ragged
def box_blur(
    x: Array, size: int | tuple[int, int], *, border: str = "reflect", value: float = 0
) -> Array:
    """Replace every pixel by the mean of the window around it.

    Args:
        x: image (H, W) or (H, W, C), batch (N, H, W, C), or a list of images.
        size: of the window, (height, width) or one number for both, 1 to 8193; an even window
            reaches one pixel further up and left than down and right.
        border: the pixels outside: constant, edge, reflect, symmetric, wrap.
        value: the pixel value of a constant border.

    Returns:
        The blurred image, of the shape and dtype of `x`.

    Raises:
        ValueError: a size below 1, an unknown border, a value that `x` cannot hold.
        TypeError: `x` is not an image, or `size` is not an integer.

    Source: R. Gonzalez, R. Woods, "Digital Image Processing", smoothing filters.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.box_blur(np.array([[0, 0, 9, 0, 0]], np.uint8), (1, 3)).tolist()
    [[0, 3, 3, 3, 0]]
    """
    image = inspect_image(x)
    height, width = check_ints(size, "size", 2, 1)
    check_reach(max(height, width) // 2, "size", size)
    options = check_border(border, value, x.dtype)
    run = backend_of(image.is_tensor, "blur").box_blur
    return image.restore(run(image.batch, (height, width), *options))


@ragged
def median_blur(x: Array, size: int, *, border: str = "reflect", value: float = 0) -> Array:
    """Replace every pixel by the median of the square window around it.

    Args:
        x: image (H, W) or (H, W, C), batch (N, H, W, C), or a list of images.
        size: side of the window, an odd number up to 513. uint8 takes constant time per pixel;
            uint16 too, in the number of its levels, where that is less than sorting the window;
            floats are sorted above 5.
        border: the pixels outside: constant, edge, reflect, symmetric, wrap.
        value: the pixel value of a constant border.

    Returns:
        The blurred image, of the shape and dtype of `x`; it holds only values of the input.

    Raises:
        ValueError: an even size or one below 1, an unknown border, a value that `x` cannot hold.
        TypeError: `x` is not an image, or `size` is not an integer.

    Source: J. Tukey, "Exploratory Data Analysis" (1977); S. Perreault, P. Hébert, "Median
    filtering in constant time" (2007).

    >>> import imgkit as ik
    >>> import numpy as np
    >>> x = np.full((3, 3), 7, np.uint8)
    >>> x[1, 1] = 255
    >>> int(ik.median_blur(x, 3)[1, 1])
    7
    """
    image = inspect_image(x)
    size = check_int(size, "size", 1)
    if size % 2 == 0:
        raise ValueError(f"size is {size}: a median needs an odd window, such as {size + 1}")
    check_reach(size // 2, "size", size, AREA_REACH)
    options = check_border(border, value, x.dtype)
    run = backend_of(image.is_tensor, "blur").median_blur
    return image.restore(run(image.batch, size, *options))


@ragged
def bilateral_blur(
    x: Array,
    sigma_color: float,
    sigma_space: float,
    *,
    border: str = "reflect",
    value: float = 0,
    truncate: float = 2.0,
) -> Array:
    """Blur without blurring edges: neighbors of a different color weigh less.

    A neighbor at distance d whose channels differ by c in total (the sum of the absolute
    differences; all channels share one weight) weighs
    exp(-c² / 2 sigma_color²) exp(-d² / 2 sigma_space²), inside a disk.

    Args:
        x: image (H, W) or (H, W, C), batch (N, H, W, C), or a list of images.
        sigma_color: in the units of `x`, above 0.
        sigma_space: in pixels, above 0; `truncate` times `sigma_space` is at most 256.
        border: the pixels outside: constant, edge, reflect, symmetric, wrap.
        value: the pixel value of a constant border.
        truncate: radius of the disk in multiples of `sigma_space`, rounded to whole pixels, at
            least 1.

    Returns:
        The blurred image, of the shape and dtype of `x`.

    Raises:
        ValueError: a sigma that is not above 0, an unknown border, a value that `x` cannot hold.
        TypeError: `x` is not an image, or a sigma is not a number.

    Source: C. Tomasi, R. Manduchi, "Bilateral filtering for gray and color images" (1998).

    >>> import imgkit as ik
    >>> import numpy as np
    >>> step = np.array([[10, 12, 10, 200, 202, 200]], np.uint8)
    >>> ik.bilateral_blur(step, 20, 2).tolist()
    [[11, 11, 11, 201, 201, 201]]
    """
    image = inspect_image(x)
    sigma_color = check_number(sigma_color, "sigma_color", 0, above=True)
    sigma_space = check_number(sigma_space, "sigma_space", 0, above=True)
    truncate = check_number(truncate, "truncate", 0, above=True)
    check_reach(truncate * sigma_space, "sigma_space", sigma_space, AREA_REACH)
    options = *check_border(border, value, x.dtype), truncate
    run = backend_of(image.is_tensor, "blur").bilateral_blur
    return image.restore(run(image.batch, sigma_color, sigma_space, *options))


@ragged
def sharpen(
    x: Array,
    amount: float = 1.0,
    sigma: float = 1.0,
    *,
    border: str = "reflect",
    value: float = 0,
) -> Array:
    """Unsharp masking: add the detail that a Gaussian blur removes, x + amount (x - blur(x)).

    Args:
        x: image (H, W) or (H, W, C), batch (N, H, W, C), or a list of images.
        amount: factor of the difference that is added; 0 changes nothing, -1 blurs.
        sigma: standard deviation of the Gaussian in pixels, at least 0.
        border: the pixels outside: constant, edge, reflect, symmetric, wrap.
        value: the pixel value of a constant border.

    Returns:
        The sharpened image, of the shape and dtype of `x`.

    Raises:
        ValueError: a negative `sigma`, an unknown border, a value that `x` cannot hold.
        TypeError: `x` is not an image, or `amount` or `sigma` is not a number.

    Source: R. Gonzalez, R. Woods, "Digital Image Processing", unsharp masking and highboost
    filtering.

    >>> import imgkit as ik
    >>> import numpy as np
    >>> ik.sharpen(np.array([[10, 10, 10, 50, 50, 50]], np.uint8)).tolist()
    [[10, 8, 0, 62, 52, 50]]
    """
    image = inspect_image(x)
    amount = check_number(amount, "amount")
    sigma = check_number(sigma, "sigma", 0)
    check_reach(TRUNCATE * sigma, "sigma", sigma)
    options = check_border(border, value, x.dtype)
    run = backend_of(image.is_tensor, "blur").sharpen
    return image.restore(run(image.batch, amount, sigma, *options))
