"""What every test shares: the same numbers in every run, whichever tests ran before."""

import sys

import pytest
from hypothesis import settings

settings.register_profile("seeded", derandomize=True)
settings.load_profile("seeded")


@pytest.fixture(autouse=True)
def _seeded():
    """Seed torch, which draws from one generator of the process."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
