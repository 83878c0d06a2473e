"""Samples as modules: their folder on the path, each imported by its name."""

import importlib
import pathlib
import sys

import numpy as np
import pytest

SAMPLES = pathlib.Path(__file__).parents[2] / "samples"


@pytest.fixture(autouse=True)
def seeded():
    """The same random numbers of torch and NumPy for every test."""
    import torch

    torch.manual_seed(0)
    np.random.seed(0)


@pytest.fixture
def sample(monkeypatch):
    """A function from a sample's name to its module; nothing of it stays behind."""
    monkeypatch.syspath_prepend(SAMPLES)
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(SAMPLES) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
