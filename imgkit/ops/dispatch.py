"""The choice of a backend: the module for arrays or the module for tensors."""

from __future__ import annotations

import functools
import importlib
from types import ModuleType


@functools.cache
def backend_of(is_tensor: bool, family: str) -> ModuleType:
    """Return the backend module of a family of operations (``"conv"``), for tensors or arrays."""
    return importlib.import_module(f"imgkit.backends.{'tensor' if is_tensor else 'array'}.{family}")
