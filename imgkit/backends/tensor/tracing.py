"""How `torch.compile` meets imgkit: functions are nodes of the graph, pipelines stay outside.

Dynamo would run checks and plans, which are Python and NumPy, by torch's rules: there the quotient
of two integers is float32, and uint64 has no shifts. So it traces neither.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from imgkit.backends.tensor.numpy_view import native as native_context
from imgkit.backends.tensor.primitives.symbols import fixed, with_fixed_size
from imgkit.registry import FUNCTIONS, HOST_ONLY

REASON = "it runs on the host: it cannot be compiled; drop fullgraph=True, or call it outside"
PIPELINES = "imgkit draws and plans each call in Python, outside of the graph: drop fullgraph=True"

TENSOR_OPTIONS = ("conv2d",)  # functions whose options may be tensors of a network
PLANNED = ("conv", "pool", "resample")  # families that plan with NumPy, by the size of the image


@torch.compiler.disable(reason=REASON)  # type: ignore[untyped-decorator]
def outside(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Call a function as without `torch.compile`: the graph ends before it."""
    return function(*args, **options)


def call(module: str, name: str, native: bool, x: Any, *args: Any, **options: Any) -> Any:
    """Call a public function of an image, by its module and name, where Dynamo may trace the call.

    On the host, and with arrays, which a graph would turn into tensors, the graph ends before it.
    """
    if torch.compiler.is_dynamo_compiling() and not _is_node(name, x, *args, *options.values()):
        return outside(in_graph, module, name, native, x, *args, **options)
    return in_graph(module, name, native, x, *args, **options)


def _is_node(name: str, x: Any, *given: Any) -> bool:
    """Whether a call can be one node of a graph."""
    # a matrix or a kernel given as a tensor is read on the host, where routes are planned
    host = (np.ndarray,) if name in TENSOR_OPTIONS else (np.ndarray, torch.Tensor)
    fits = not any(isinstance(value, host) for value in given)
    return isinstance(x, torch.Tensor) and fits and name not in HOST_ONLY


# The call itself is the node, and the operations on the tensor are traced below it.
@torch.compiler.allow_in_graph  # type: ignore[untyped-decorator]
def in_graph(module: str, name: str, native: bool, x: Any, *args: Any, **options: Any) -> Any:
    """Run a public function of a module as one node of a graph."""
    run = getattr(importlib.import_module(module), name)
    args, options = fixed(args), {key: fixed(value) for key, value in options.items()}
    if name not in FUNCTIONS or FUNCTIONS[name].family in PLANNED:
        x = with_fixed_size(x)
    if not native:
        return run(x, *args, **options)
    with native_context():
        return run(x, *args, **options)
