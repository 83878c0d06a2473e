"""What a type checker knows of the public functions, seen from a project that uses them."""

import os
import pathlib
import subprocess
import sys

import pytest

import imgkit

pytest.importorskip("mypy")

GOOD = """
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

import imgkit as ik

Image = npt.NDArray[Any]
a = np.zeros((4, 4), np.uint8)
image: Image = a

assert_type(ik.resize(image, 2), Image)
assert_type(ik.resize([image, image], (2, 3)), list[Image])
assert_type(ik.resize((image, image), 2), list[Image])
assert_type(ik.gradient(image), tuple[Image, Image])
assert_type(ik.gradient([image]), list[tuple[Image, Image]])
assert_type(ik.convolve([image], "box", "full", stride=2), list[Image])
assert_type(ik.convolve(image, [[1, 2]]), Image)
assert_type(ik.max_pool([image], 2, axes=(0, 1)), list[Image])
assert_type(ik.deconvolve([image], "gaussian"), list[Image])
ik.sobel(a), ik.sobel([a, a]), ik.conv2d([a], np.ones((1, 1, 3, 3))), ik.rotate([a], 5, value=3)
ik.canny([a], 10, 20), ik.equalize([a]), ik.median_blur([a], 3), ik.letterbox(a, 8)
"""

BAD = """
import numpy as np

import imgkit as ik

ik.resize(3, 2)
ik.resize(np.zeros((4, 4)), 2, "area", True, 5)
ik.sobel(np.zeros((4, 4)), boarder="edge")
"""


def test_a_strict_type_checker_knows_lists_of_images(tmp_path):
    """Both scripts in one run, since it reads NumPy's stubs each time."""
    for name, source in (("good", GOOD), ("bad", BAD)):
        (tmp_path / f"{name}.py").write_text(source)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--follow-imports=silent",
        "--config-file=",
    ]
    command += ["--cache-dir", str(tmp_path / "cache"), "good.py", "bad.py"]
    path = str(pathlib.Path(imgkit.__file__).parent.parent)
    environment = {**os.environ, "MYPYPATH": path}
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    wrong = {line.rsplit(": error:")[0] for line in found.stdout.splitlines() if "error:" in line}
    assert wrong == {"bad.py:6", "bad.py:7", "bad.py:8"}, found.stdout + found.stderr
