"""Contract: docs/extending.md, by running its examples and by adding its operations to a copy."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

import imgkit as ik
from imgkit.augment.transforms import custom

ROOT = pathlib.Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "extending.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.S)
OWN = [block for block in BLOCKS if not block.startswith("# imgkit/")]
ADDED = [block for block in BLOCKS if block.startswith("# imgkit/")]


RUN = """
import pathlib, sys
sys.path.insert(0, ".")
import imgkit, pytest
assert pathlib.Path(imgkit.__file__).is_relative_to(pathlib.Path.cwd()), imgkit.__file__
options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", "Stretch or Erode"]
sys.exit(pytest.main([*options, "tests/contract/test_transforms.py"]))
"""


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr(custom, "_REGISTERED", {})


def test_examples_run(registry, capsys):
    names = {}
    for block in OWN:
        exec(block, names)
    shown = capsys.readouterr().out
    assert re.search(r"resample +Rotate \+ Squeeze", shown)
    assert names["result"]["boxes"].shape == (1, 4)
    names["aug"].check(names["image"])
    speckled = names["Speckle"](5)(np.zeros((9, 9, 3), np.uint8), key=4)
    assert 0 < (speckled == 255).all(axis=2).sum() <= 5


def added_to(folder):
    """Copy imgkit and its contract tests, and add the operations of the page to the copy."""
    for name in ("imgkit", "cli", "docs", "tests/contract"):
        ignore = shutil.ignore_patterns("__pycache__", "gallery")
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    shutil.copy(ROOT / "tests" / "conftest.py", folder / "tests")
    shutil.copy(ROOT / "pyproject.toml", folder)
    files = set()
    for block in ADDED:
        head, text = block.split("\n", 1)
        path, _, place = head.removeprefix("# ").partition(", ")
        files.add(path)
        source = (folder / path).read_text()
        if place:
            side, line = re.fullmatch(r"(above|below) `(.*)`", place).groups()
            assert source.count(line) == 1
            end = source.index(line) + (len(line) + 1 if side == "below" else 0)
            source = source[:end] + text + source[end:]
        else:
            source += "\n\n" + text
        (folder / path).write_text(source)
    return files


def test_a_geometric_op_touches_two_files_and_a_filter_three(tmp_path):
    files = added_to(tmp_path)
    assert len([path for path in files if "warps" in path or "registry" in path]) == 2
    assert len([path for path in files if "filters" in path or "registry" in path]) == 3
    assert len(files) == 4
    (tmp_path / "run.py").write_text(RUN)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    done = subprocess.run(
        [sys.executable, "run.py"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 100


def test_names_of_imgkit_cannot_be_taken(registry):
    with pytest.raises(ValueError, match="imgkit has one of that name"):

        @ik.register
        class Rotate(ik.Transform):
            def color(self, numbers):
                return np.eye(3, 4)
