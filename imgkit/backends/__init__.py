"""Who moves the pixels: one package a backend, one module a family of operations.

`reference` is the float64 oracle, `array` works on NumPy arrays, `tensor` on torch tensors. A
backend trusts its arguments: the public functions have checked them.
"""

from __future__ import annotations

import importlib
from typing import Any

from imgkit.image import is_tensor


def backend(x: Any, family: str) -> Any:
    """Return the module that runs a family of operations (``"conv"``) on the type of `x`."""
    kind = "tensor" if is_tensor(x) else "array"
    return importlib.import_module(f"imgkit.backends.{kind}.{family}")
