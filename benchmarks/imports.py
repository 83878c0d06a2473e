"""The cost of starting: each side is a fresh interpreter, start included."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator

from benchmarks.harness import Case

LIBRARIES = ("numpy", "skimage", "torchvision", "kornia", "albumentations")
# import imgkit may cost NumPy (about 100 ms with the interpreter) and 20 ms more
WITH_NUMPY = {"numpy": 0.8}
IMAGE = "import numpy as np; x = np.eye(8, dtype=np.uint8); "
FIRST_CALL = {
    "cv2": "import cv2; cv2.Sobel(x, cv2.CV_32F, 1, 0)",
    "skimage": "from skimage.filters import sobel; sobel(x)",
    "kornia": "import torch; from kornia.filters import sobel; sobel(torch.zeros(1, 1, 8, 8))",
}
HELP = "from imgkit.cli.main import main; main(['--help'])"


def known(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def python(code: str) -> Callable[[], int]:
    """Return a call that runs code in a fresh interpreter."""
    words = [sys.executable, "-c", code]

    def run() -> int:
        return subprocess.run(words, stdout=subprocess.DEVNULL, check=True).returncode

    return run


def cases(quick: bool) -> Iterator[Case]:
    names = [name for name in LIBRARIES[: 2 if quick else None] if known(name)]
    peers = {name: python(f"import {name}") for name in names}
    yield Case("import imgkit", python("import imgkit"), peers, goal=WITH_NUMPY)
    ours = python(IMAGE + "import imgkit; imgkit.sobel(x)")
    first = {name: python(IMAGE + code) for name, code in FIRST_CALL.items() if known(name)}
    yield Case("first call of sobel", ours, first, goal={"skimage": 1.0})
    yield Case(
        "imgkit --help",
        python(HELP),
        {"python": python("pass"), "import click": python("import click")},
        note="promised: at most 200 ms more than the interpreter's start",
    )
