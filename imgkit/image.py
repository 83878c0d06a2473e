"""What an image is, and the checks of images.

Layout: ``(H, W)``, ``(H, W, C)`` or a batch ``(N, H, W, C)``; a torch tensor is ``(H, W)``,
``(C, H, W)`` or ``(N, C, H, W)``; a list of them is a ragged batch. RGB order. 1 to 512
channels. ``N`` may be 0; ``H``, ``W`` and ``C`` may not.

A memory map is an array; other subclasses of arrays (matrices, masked arrays) are refused, because
they index, multiply or hide values in ways of their own.

Range: integers fill their type (0..255, 0..65535), floats are 0..1. Nothing is rescaled,
wrapped or narrowed in silence. A NaN makes every float NaN that is computed from it, and no
other; as an integer it becomes 0. Infinities and large numbers are values outside the range, and
change only what is computed from them.

Errors name the argument, its value, the rule, and the nearest valid choice.
"""

from __future__ import annotations

import functools
import os
import sys
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit.checks import check_ints

Array = npt.NDArray[Any]  # the alias of the whole package

DTYPES = ("uint8", "uint16", "float32", "float64")
_DTYPES = frozenset(np.dtype(name) for name in DTYPES)  # `dtype.name` costs 2 us a call
TENSOR_DTYPES = (*DTYPES, "float16", "bfloat16")
MAX_CHANNELS = 512
ARRAYS = (np.ndarray, np.memmap)
OWN_MEANING = ("__getitem__", "__mul__", "__array_ufunc__", "__array_function__")


# --- images -----------------------------------------------------------------------------


def is_tensor(x: Any) -> bool:
    """Whether `x` is a torch tensor; never imports torch."""
    kind = getattr(sys.modules.get("torch"), "Tensor", None)  # another thread may be importing it
    return kind is not None and isinstance(x, kind)


class ImageInfo(NamedTuple):
    """The result of a check: an image or a batch of images of one size, and its layout."""

    array: Array  # the image itself
    is_tensor: bool
    size: tuple[int, int]  # height, width
    channels: int  # 1 for an image without that axis

    @property
    def batch(self) -> Array:
        """The image as ``(N, H, W, C)``, a tensor as ``(N, C, H, W)``; a view."""
        x = self.array
        if x.ndim == 2:
            return x[None, None] if self.is_tensor else x[None, :, :, None]
        return x[None] if x.ndim == 3 else x

    def restore(self, batch: Array) -> Array:
        """View a result in the layout of `batch` in the layout of the image."""
        if self.array.ndim == 4:
            return batch
        if self.array.ndim == 3:
            return batch[0]
        if self.is_tensor:
            return batch[0, 0] if batch.shape[1] == 1 else batch[0]
        return batch[0, :, :, 0] if batch.shape[3] == 1 else batch[0]


def inspect_image(x: Any, name: str = "x") -> ImageInfo:
    """Check that `x` is an image or a batch of images of one size, and return its layout."""
    tensor = type(x) is not np.ndarray and is_tensor(x)  # spares arrays the call
    (_check_tensor if tensor else _check_ndarray)(x, name)
    shape = x.shape
    rank = len(shape)
    if rank not in (2, 3, 4):
        shapes = "(C, H, W) or (N, C, H, W)" if tensor else "(H, W, C) or (N, H, W, C)"
        raise ValueError(f"{name} has shape {tuple(shape)}: an image is (H, W), {shapes}")
    height, width = shape[-2:] if tensor else shape[1:3] if rank == 4 else shape[:2]
    if height == 0 or width == 0:
        raise ValueError(f"{name} has shape {tuple(shape)}: height and width must be at least 1")
    count = 1 if rank == 2 else shape[-3 if tensor else -1]
    if not 1 <= count <= MAX_CHANNELS:
        axis = "the axis before H and W" if tensor else "the last axis"
        raise ValueError(
            f"{name} has shape {tuple(shape)}: {axis} holds 1 to {MAX_CHANNELS} channels"
        )
    return ImageInfo(x, tensor, (height, width), count)


def check_image(x: Any, name: str = "x") -> Array:
    """Return `x` if it is an image or a batch of images of one size; otherwise raise."""
    return inspect_image(x, name).array


def check_array(x: Any, name: str = "x") -> Array:
    """Return `x` if it is an array or tensor of a dtype that images have, of any shape."""
    (_check_tensor if is_tensor(x) else _check_ndarray)(x, name)
    return x


def _check_ndarray(x: Any, name: str) -> None:
    """Raise unless `x` is a NumPy array of a dtype that images have."""
    if type(x) not in ARRAYS:  # no call for the usual
        check_plain(x, name)
    if x.dtype not in _DTYPES:
        raise TypeError(f"{name} has dtype {x.dtype}: {_dtype_cure(x.dtype, name)}")


def is_plain(x: Any) -> bool:
    """Whether `x` is a NumPy array that indexes and computes as arrays do.

    Readers return subclasses that only carry metadata; a matrix, a masked array or a quantity with
    a unit means something else by its pixels.
    """
    kind: Any = type(x)
    return kind in ARRAYS or (isinstance(x, np.ndarray) and _computes_as_array(kind))


@functools.lru_cache(maxsize=32)
def _computes_as_array(kind: Any) -> bool:
    return all(getattr(kind, name) is getattr(np.ndarray, name) for name in OWN_MEANING)


def check_plain(x: Any, name: str, shape: str = "") -> None:
    """Raise unless `x` is a plain NumPy array; the message names a `shape`."""
    if not is_plain(x):
        raise TypeError(f"{name} is {_kind(x)}: pass a NumPy array{shape}{_array_cure(x, name)}")


def _kind(x: Any) -> str:
    """Return the type of a value for messages: "None", "a list", "a PIL.Image.Image"."""
    kind = type(x)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return "None" if x is None else f"a {module}{kind.__qualname__}"


def _array_cure(x: Any, name: str) -> str:
    """Return the end of a message: the call that converts the value to an array."""
    if x is None:
        return ""
    if isinstance(x, np.ma.MaskedArray):
        return f"; images have no mask: use {name}.filled(0), or {name}.data for what it hides"
    if isinstance(x, np.ndarray):
        return f"; np.asarray({name}) has the same values"
    if isinstance(x, (str, bytes, os.PathLike)):
        return f"; np.asarray(PIL.Image.open({name})) reads a file"
    return f"; np.asarray({name}) converts most types"


def _dtype_cure(dtype: np.dtype[Any], name: str) -> str:
    cures = {"b": "astype(np.uint8) keeps a mask", "f": "astype(np.float32) keeps the values"}
    cure = cures.get(dtype.kind, "images are " + ", ".join(DTYPES))
    return f"{name}.{cure}" if dtype.kind in cures else cure


def _check_tensor(x: Any, name: str) -> None:
    """Raise unless a tensor is dense and of a dtype that images have."""
    if dtype_name(x.dtype) not in TENSOR_DTYPES:
        raise TypeError(
            f"{name} has dtype {x.dtype}: images are {', '.join(TENSOR_DTYPES)}; "
            f"{name}.to(torch.uint8) keeps a mask, {name}.float() the values"
        )
    if str(x.layout) != "torch.strided":
        raise TypeError(f"{name} has layout {x.layout}: {name}.to_dense() converts it")


def inspect_colors(x: Any, name: str = "x") -> ImageInfo:
    """Check that `x` is a gray (1 channel) or RGB (3) image or batch, and return its layout."""
    image = inspect_image(x, name)
    if image.channels not in (1, 3):
        first = "[..., :3, :, :]" if image.is_tensor else "[..., :3]"
        raise ValueError(
            f"{name} has {image.channels} channels: a color operation needs 1 (gray) or 3 (RGB); "
            f"{name}{first} keeps the first three"
        )
    return image


def image_size(x: Array) -> tuple[int, int]:
    """Height and width of an image or batch."""
    if is_tensor(x):
        return (x.shape[-2], x.shape[-1])
    return (x.shape[0], x.shape[1]) if x.ndim < 4 else (x.shape[1], x.shape[2])


def channels(x: Array) -> int:
    """Channels of an image or batch; an image without that axis has one."""
    if x.ndim == 2:
        return 1
    return x.shape[-3] if is_tensor(x) else x.shape[-1]


def as_batch(x: Array) -> Array:
    """View an image or batch as ``(N, H, W, C)``, a tensor as ``(N, C, H, W)``."""
    if x.ndim == 2:
        return x[None, None] if is_tensor(x) else x[None, :, :, None]
    return x[None] if x.ndim == 3 else x


def like_input(batch: Array, x: Array) -> Array:
    """View a result ``(N, H, W, C)``, a tensor ``(N, C, H, W)``, in the layout of `x`."""
    if x.ndim == 2 and channels(batch) == 1:
        return batch[0, 0] if is_tensor(batch) else batch[0, :, :, 0]
    return batch if x.ndim == 4 else batch[0]


def spatial_axes(
    ndim: int, dims: int, axes: Any = None, *, tensor: bool = False
) -> tuple[int, ...]:
    """Return the `dims` axes to work on: those given, or the default ones of an `ndim`-D array.

    Two axes are H and W of an image or batch; one is W, or the only axis; three are D, H and W of
    ``(D, H, W)``, ``(D, H, W, C)`` and ``(N, D, H, W, C)``. For a tensor they are the last ones.
    """
    if axes is None and tensor and dims <= ndim:
        return tuple(range(ndim - dims, ndim))
    if axes is None:
        usual = {1: (0, 1, 1, 2), 2: (None, 0, 0, 1), 3: (None, None, 0, 0, 1)}.get(dims, ())
        first = usual[ndim - 1] if 1 <= ndim <= len(usual) else None
        if first is None:
            raise ValueError(
                f"x has {ndim} dimensions: give the {dims} of them to work on as axes=(...)"
            )
        return tuple(range(first, first + dims))
    named = (axes,) if isinstance(axes, (int, np.integer)) else axes
    checked = check_ints(named, "axes", dims)
    if any(not -ndim <= axis < ndim for axis in checked):
        raise ValueError(f"axes is {axes!r}: x has {ndim} dimensions, {-ndim} to {ndim - 1}")
    resolved = tuple(axis % ndim for axis in checked)
    if len(set(resolved)) < dims:
        raise ValueError(f"axes is {axes!r}: an axis is given twice")
    return resolved


# --- values -----------------------------------------------------------------------------


def _of_torch(dtype: Any) -> bool:
    """Whether a dtype is torch's."""
    return type(dtype).__module__ == "torch"


def dtype_name(dtype: Any) -> str:
    """Name of a dtype of NumPy or torch, such as "float32"."""
    return str(dtype).removeprefix("torch.") if _of_torch(dtype) else np.dtype(dtype).name


def full_range(dtype: Any) -> float:
    """The value that means full intensity: 255, 65535 or 1."""
    if not isinstance(dtype, np.dtype):
        if _of_torch(dtype):
            return {"uint8": 255.0, "uint16": 65535.0}.get(dtype_name(dtype), 1.0)
        dtype = np.dtype(dtype)
    if dtype.kind not in "iu":
        return 1.0
    return float((1 << 8 * dtype.itemsize - (dtype.kind == "i")) - 1)  # iinfo costs 3 us


def float_dtype(dtype: Any) -> np.dtype[Any]:
    """Result dtype of gradients and convolutions of this dtype: float64 of float64, or float32."""
    if not isinstance(dtype, np.dtype) and _of_torch(dtype):
        return _torch_dtype("float64" if dtype_name(dtype) == "float64" else "float32")
    return np.dtype(np.float64 if np.dtype(dtype) == np.float64 else np.float32)


def _torch_dtype(name: str) -> Any:
    return getattr(sys.modules["torch"], name)


def result_dtype(x_dtype: Any, dtype: Any) -> np.dtype[Any]:
    """Resolve the `dtype` argument of gradients and convolutions."""
    if dtype is None:
        return float_dtype(x_dtype)
    if isinstance(dtype, str) and dtype == "input":
        return x_dtype if _of_torch(x_dtype) else np.dtype(x_dtype)
    if _of_torch(x_dtype):
        return _tensor_result(dtype)
    try:
        resolved: np.dtype[Any] = np.dtype(dtype)
    except TypeError:
        resolved = np.dtype(object)
    if resolved.name not in DTYPES:
        choices = ", ".join(("input", *DTYPES))
        raise ValueError(f"dtype is {dtype!r}: choose one of {choices}, or None")
    return resolved


def _tensor_result(dtype: Any) -> Any:
    """Return the torch dtype that a `dtype` argument names."""
    try:
        name = dtype if isinstance(dtype, str) else dtype_name(dtype)
    except TypeError:
        name = ""
    if name not in TENSOR_DTYPES:
        choices = ", ".join(("input", *TENSOR_DTYPES))
        raise ValueError(f"dtype is {dtype!r}: choose one of {choices}, or None")
    return _torch_dtype(name)


def saturate(values: Array, dtype: Any) -> Array:
    """Cast floats: to an integer type by rounding half to even and clipping to its range."""
    if is_tensor(values):
        return _saturate_tensor(values, dtype)
    dtype = np.dtype(dtype)
    if values.dtype == dtype:
        return values
    if dtype.kind in "iu" and values.dtype.kind == "f":
        top = full_range(dtype)
        rounded = np.rint(values)
        np.clip(rounded, 0, top, out=rounded)
        with np.errstate(invalid="ignore"):  # NaN becomes 0
            return rounded.astype(dtype)
    return values.astype(dtype)


def _saturate_tensor(values: Any, dtype: Any) -> Any:
    """Cast a tensor; one that carries a gradient cannot become integers."""
    top = full_range(dtype)
    if values.dtype == dtype or top == 1:
        return values.to(dtype)
    if values.requires_grad:
        raise ValueError(
            f"the result would be {dtype}, which carries no gradient: pass x.detach(), "
            "or ask for a float result"
        )
    return (
        values.round().clamp(0, top).to(dtype) if values.is_floating_point() else values.to(dtype)
    )
