"""The folder on the path: the tests import `by_hand` by name."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
