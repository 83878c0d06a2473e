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

MODULES_GOOD = """
from typing import assert_type

import torch

from imgkit.torch import AvgPool, CLAHE, GaussianBlur, Gradient, MaxPool, Normalize, Resize, Sobel
from imgkit.torch import Augment, Function, Loader, native, to_chw

x = torch.zeros(1, 3, 4, 4)
assert_type(Sobel(normalized=True, border="edge")(x), torch.Tensor)
assert_type(MaxPool(2, stride=1, native=True).forward(x), torch.Tensor)
assert_type(GaussianBlur(1.5)([x, x]), list[torch.Tensor])
assert_type(Gradient("scharr")(x), tuple[torch.Tensor, torch.Tensor])
layers: list[Function[torch.Tensor]] = [Resize((2, 3)), AvgPool(2), CLAHE(), Normalize("clip")]
torch.nn.Sequential(*layers)
"""

MODULES_BAD = """
from imgkit.torch import GaussianBlur, MaxPool, Sobel, Sobell

Sobel(boarder="edge")
MaxPool()
GaussianBlur("wide")
Sobel("edge")
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
    assert errors(tmp_path, good=GOOD, bad=BAD) == {"bad.py:6", "bad.py:7", "bad.py:8"}


def test_a_strict_type_checker_knows_the_modules_and_their_options(tmp_path):
    pytest.importorskip("torch")
    found = errors(tmp_path, good=MODULES_GOOD, bad=MODULES_BAD)
    assert found == {f"bad.py:{line}" for line in (2, 4, 5, 6, 7)}


def errors(folder, **sources):
    """Return the places of a type checker's errors in scripts, such as "bad.py:6"."""
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--follow-imports=silent",
        "--config-file=",
    ]
    command += ["--cache-dir", str(folder / "cache"), *(f"{name}.py" for name in sources)]
    path = str(pathlib.Path(imgkit.__file__).parent.parent)
    environment = {**os.environ, "MYPYPATH": path}
    found = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
    print(found.stdout, found.stderr)
    return {line.rsplit(": error:")[0] for line in found.stdout.splitlines() if "error:" in line}
