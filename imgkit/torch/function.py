"""The base of all modules: a function of layer one and its options, as an `nn.Module`.

Options are kept as numbers and words; tensors among them (a weight, a field) are buffers, which
follow ``.to(device)`` and lie in the `state_dict`. `native=True` runs CPU tensors by torch's own
operations even where no gradient is asked for.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

import numpy as np
import torch
from torch import nn

from imgkit.backends.tensor.tracing import call
from imgkit.registry import FUNCTIONS, HOST_ONLY, PUBLIC

Result = TypeVar("Result")
FIELD_NDIM = 3  # arrays of at least this rank are kept as buffers, others as numbers


class Function(nn.Module, Generic[Result]):  # type: ignore[misc]  # torch is not read by mypy
    """A function of layer one together with its options."""

    function: str  # name in `imgkit`

    def __init__(self, *args: Any, native: bool = False, **options: Any) -> None:
        super().__init__()
        named = _signature(self.function).bind(*args, **options).arguments
        self.native = native
        self.options = {}
        for name, value in named.items():
            if isinstance(value, np.ndarray) and value.ndim >= FIELD_NDIM:
                value = torch.from_numpy(value.copy())
            if isinstance(value, nn.Parameter):
                self.register_parameter(name, value)
            elif isinstance(value, torch.Tensor):
                self.register_buffer(name, value)
            else:
                self.options[name] = _as_numbers(value)

    @overload
    def forward(self, x: Sequence[torch.Tensor]) -> list[Result]: ...
    @overload
    def forward(self, x: torch.Tensor) -> Result: ...
    def forward(self, x: Any) -> Any:
        """Run the function on an image, a batch or a list of images."""
        name = self.function
        held = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        if isinstance(x, (list, tuple)):
            return [call(PUBLIC[name], name, self.native, one, **self.options, **held) for one in x]
        return call(PUBLIC[name], name, self.native, x, **self.options, **held)

    if TYPE_CHECKING:
        __call__ = forward

    def extra_repr(self) -> str:
        """Return the options as text."""
        held = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        shapes = {name: tuple(tensor.shape) for name, tensor in held.items()}
        options = {**self.options, **({"native": True} if self.native else {})}
        words = [f"{name}={value!r}" for name, value in options.items()]
        return ", ".join([*words, *(f"{name}: {shape}" for name, shape in shapes.items())])


def _as_numbers(value: Any) -> Any:
    """Return arrays and sequences as nested tuples of numbers."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    return tuple(map(_as_numbers, value)) if isinstance(value, (list, tuple)) else value


def _signature(function: str) -> inspect.Signature:
    """Return the signature of a public function without its image."""
    run = getattr(importlib.import_module(PUBLIC[function]), function)
    _, *options = inspect.signature(run).parameters.values()
    return inspect.Signature(options)


def module_of(function: str, module: str) -> type[Function[Any]]:
    """Return the class of one function, as a class of the Python module `module`."""
    run = getattr(importlib.import_module(PUBLIC[function]), function)
    native = inspect.Parameter("native", inspect.Parameter.KEYWORD_ONLY, default=False)
    options = _signature(function).parameters.values()
    note = f"\n\nRuns on the host: {HOST_ONLY[function]}." if function in HOST_ONLY else ""
    summary, _, details = (inspect.getdoc(run) or "").partition("\n\n")
    arguments = details.partition("\n>>> ")[0].rstrip()  # the examples call the function
    return type(
        FUNCTIONS[function].class_name,
        (Function,),
        {
            "function": function,
            "__doc__": f"{summary}\n\n`imgkit.{function}` as a module.{note}\n\n{arguments}",
            "__module__": module,
            "__signature__": inspect.Signature([*options, native]),
        },
    )
