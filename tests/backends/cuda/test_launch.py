"""The launch of the kernel."""

import importlib.util
import sys
import types

import pytest

torch = pytest.importorskip("torch")
from imgkit.backends.cuda import launch as fused  # noqa: E402


@pytest.mark.parametrize(
    ("version", "found"), [("3.2.0", False), ("3.3.1", True), ("3.10.0+git1", True)]
)
def test_an_old_triton_is_none(version, found, monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", types.SimpleNamespace(__version__=version))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert fused.has_triton.__wrapped__() is found
