"""The Triton kernel against the float64 oracle."""

import os
import pathlib
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")
from imgkit.backends.cuda import launch as fused  # noqa: E402

HERE = pathlib.Path(__file__).parent


@pytest.mark.skipif(not fused.has_triton(), reason="Triton is not installed")
def test_kernel_gives_what_the_oracle_gives():
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, str(HERE / "interpreted_kernel.py")],
        capture_output=True,
        text=True,
        env={**os.environ, "TRITON_INTERPRET": "1", "CUDA_VISIBLE_DEVICES": ""},
        cwd=HERE.parents[2],
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " skipped" not in done.stdout


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_kernel_gives_what_the_oracle_gives_on_cuda():
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, str(HERE / "interpreted_kernel.py")],
        capture_output=True,
        text=True,
        cwd=HERE.parents[2],
    )
    assert done.returncode == 0, done.stdout + done.stderr
