"""What every test shares: the same numbers in every run, whichever tests ran before."""

import random
import sys

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("seeded", derandomize=True)
settings.load_profile("seeded")


def pytest_configure(config):
    """Keep the random order of pytest-randomly, and not its seeds, which are new in each run."""
    if hasattr(config.option, "randomly_reset_seed"):
        config.option.randomly_reset_seed = False


@pytest.fixture(autouse=True)
def _seeded():
    """Seed the generators that a process shares."""
    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
