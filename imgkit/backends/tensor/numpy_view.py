"""CPU tensors as NumPy views: what the array backend can do for a tensor it does here."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad

from imgkit.image import Array

Function = TypeVar("Function", bound=Callable[..., Any])

_native: ContextVar[bool] = ContextVar("imgkit_native", default=False)

PLAIN = (Tensor, torch.nn.Parameter)  # not the fake, wrapped or tracing kinds
HELD = (torch.uint8, torch.uint16, torch.float32, torch.float64)  # what NumPy has, too


@contextmanager
def native() -> Iterator[None]:
    """Run CPU tensors by torch's own operations, too, within this context."""
    token = _native.set(True)
    try:
        yield
    finally:
        _native.reset(token)


def is_native() -> bool:
    """Whether `native` is in force."""
    return _native.get()


def is_plain(x: Tensor) -> bool:
    """Whether a tensor is plain memory, without a transform of torch.func around it."""
    wrapped = torch._C._functorch.is_functorch_wrapped_tensor(x)
    return type(x) in PLAIN and not wrapped and forward_ad._current_level < 0


def can_look(x: Tensor) -> bool:
    """Whether a route may depend on the values of `x`.

    Not while compiling or under torch.func; nor on a device, which the host would wait for.
    """
    here = x.device.type == "cpu" and x.numel() > 0
    return here and not torch.compiler.is_compiling() and is_plain(x)


def is_viewed(x: Tensor) -> bool:
    """Whether the array backend works on the memory of `x`.

    It does for a plain CPU tensor of a dtype that NumPy has, where no gradient is asked for.
    """
    return (
        not torch.compiler.is_compiling()
        and x.device.type == "cpu"
        and is_plain(x)
        and x.dtype in HELD
        and not (x.requires_grad and torch.is_grad_enabled())
        and not _native.get()
    )


def is_readable(x: Tensor) -> bool:
    """Whether the values of a tensor are there and can be read without waiting for a device."""
    if type(x).__module__.startswith("torchvision.tv_tensors"):
        x = x.as_subclass(Tensor)
    if torch.compiler.is_compiling() or not is_plain(x):
        return False
    return x.device.type == "cpu" and x.numel() > 0


def viewed(together: bool = False) -> Callable[[Function], Function]:
    """Let a native function of ``(N, C, H, W)`` give what it can to the array backend.

    Args:
        together: whether the channels of a pixel belong together. Where they do not, the planes
            of a contiguous tensor are viewed as gray images and stay where they are.
    """

    def decorate(function: Function) -> Function:
        family = function.__module__.rpartition(".")[2]

        @functools.wraps(function)
        def run(x: Tensor, *args: Any, **options: Any) -> Any:
            if not is_viewed(x):
                return in_order(function(x, *args, **options), x)
            return through_array(family, function.__name__, x, together, *args, **options)

        return cast(Function, run)

    return decorate


def on_host(family: str, name: str, keeps: bool = False) -> Callable[..., Any]:
    """Return a function that the array backend alone has: tensors move to the host and back.

    Args:
        family: module of the array backend.
        name: of the function.
        keeps: whether its results have the dtype of the image.
    """

    def run(x: Tensor, *args: Any, **options: Any) -> Any:
        held = _moved(x, name)
        result = through_array(family, name, held, True, *args, **options)
        return result.to(x.device, x.dtype if keeps else result.dtype)

    run.__name__ = name
    return run


def call_on_host(function: Callable[[Array], Array], image: Tensor, name: str) -> Tensor:
    """Run a function of an array on an image (H, W) or (C, H, W), which moves there and back."""
    held = _moved(image, name)
    array = held.numpy() if held.ndim == 2 else held.movedim(0, -1).numpy()
    result = torch.from_numpy(np.ascontiguousarray(function(np.array(array, order="C"))))
    return (result if result.ndim == 2 else result.movedim(-1, 0)).to(image.device)


def _moved(x: Tensor, name: str) -> Tensor:
    """Return a tensor on the host; refuse one that a function there cannot follow."""
    refuse_gradient(x, name)
    if torch.compiler.is_compiling() or not is_plain(x):
        raise ValueError(
            f"{name} runs on the host: it cannot be compiled, traced or transformed by "
            "torch.func; call it outside"
        )
    return x.detach().to("cpu", x.dtype if x.dtype in HELD else torch.float32)


def refuse_gradient(x: Tensor, name: str) -> None:
    """Raise if a tensor asks for a gradient, which a function on the host cannot give."""
    if x.requires_grad and torch.is_grad_enabled():
        raise ValueError(
            f"x requires a gradient: {name} runs on the host and has none; pass x.detach()"
        )


def through_array(
    family: str, name: str, x: Tensor, together: bool, *args: Any, **options: Any
) -> Any:
    """Run the array backend's function of a name; results lie in memory in the order of `x`."""
    run = getattr(importlib.import_module(f"imgkit.backends.array.{family}"), name)
    dtype = next((a for a in args if isinstance(a, torch.dtype)), None)  # asked for
    args = tuple(as_numpy(a) if isinstance(a, torch.dtype) else a for a in args)
    n, c = x.shape[:2]
    planes = not together and not is_channels_last(x)
    if planes:
        view = x.numpy(force=True).reshape(n * c, *x.shape[2:], 1)
    else:
        view = x.permute(0, 2, 3, 1).contiguous().numpy(force=True)

    def back(result: Array) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(result))
        tensor = tensor if dtype is None else tensor.to(dtype)
        if planes:
            return tensor.reshape(n, c, *result.shape[1:3])
        return in_order(tensor.permute(0, 3, 1, 2), x)

    result = run(view, *args, **options)
    return tuple(map(back, result)) if isinstance(result, tuple) else back(result)


def is_channels_last(x: Tensor) -> bool:
    """Whether the channels of a pixel of a batch lie side by side, and not its columns."""
    return x.ndim == 4 and not x.is_contiguous() and x.permute(0, 2, 3, 1).is_contiguous()


def in_order(result: Any, x: Tensor) -> Any:
    """Return a result, or each of several, in the order of memory that `x` has."""
    if isinstance(result, tuple):
        return tuple(in_order(one, x) for one in result)
    if result.ndim != 4:
        return result.contiguous()
    last = is_channels_last(x)
    return result.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)


def ordered(function: Function) -> Function:
    """Let results lie in memory as the tensor they come from."""

    @functools.wraps(function)
    def run(x: Tensor, *args: Any, **options: Any) -> Any:
        return in_order(function(x, *args, **options), x)

    return cast(Function, run)


def as_numpy(dtype: torch.dtype) -> np.dtype[Any]:
    """Return NumPy's dtype of a name; the float32 that stands for the halves."""
    halves = (torch.float16, torch.bfloat16)
    return np.dtype("float32" if dtype in halves else str(dtype).removeprefix("torch."))
