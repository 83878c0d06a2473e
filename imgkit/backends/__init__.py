"""The backends, which move the pixels: one package a backend, one module a family of operations.

`reference` is the float64 oracle, `array` works on NumPy arrays, `tensor` on torch tensors. A
backend trusts its arguments: the public functions have checked them.
"""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable
from typing import Any

from imgkit.image import is_tensor
from imgkit.registry import FUNCTIONS


def backend(x: Any, family: str) -> Any:
    """Return the module that runs a family of operations (``"conv"``) on the type of `x`."""
    return module("tensor" if is_tensor(x) else "array", family)


def is_traced() -> bool:
    """Return whether Dynamo traces the caller for `torch.compile`; never imports torch."""
    compiler = getattr(sys.modules.get("torch"), "compiler", None)
    ask = getattr(compiler, "is_dynamo_compiling", None)  # None while another thread imports torch
    return ask is not None and bool(ask())


def call_untraced(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call a function as without `torch.compile`, from code that Dynamo traces."""
    from imgkit.backends.tensor.tracing import outside

    return outside(function, *args, **options)


@functools.cache
def module(kind: str, family: str) -> Any:
    """Return the module of a backend (``"array"``) that runs a family of operations."""
    return importlib.import_module(f"imgkit.backends.{kind}.{family}")


@functools.cache
def layer_one(kind: str, name: str) -> Callable[..., Any]:
    """Return the function of a backend (``"array"``) that does the work of a layer-one function."""
    family = FUNCTIONS[name].family
    function: Callable[..., Any] = getattr(module(kind, family), name)
    return function
