"""Every sample runs in its quick form, prints figures and writes pictures."""

import pathlib
import subprocess
import sys

import pytest

SAMPLES = pathlib.Path(__file__).parents[1] / "samples"
SHARED = {"data", "pictures", "training", "train"}  # imported by samples; README
NAMES = sorted(path.stem for path in SAMPLES.glob("*.py") if path.stem not in SHARED)
FASHION = pathlib.Path("/usr/share/datasets/fashion-mnist")
LINES = 130  # a sample is read on two screens

for library in ("torch", "torchvision", "sklearn", "matplotlib", "torchinfo"):
    pytest.importorskip(library)


def run(name, *options, out):
    """Run a sample as a person does; what it printed and its exit code."""
    command = [sys.executable, "-W", "error", str(SAMPLES / f"{name}.py"), "--out", str(out)]
    return subprocess.run([*command, *options], capture_output=True, text=True, timeout=300)


def needs_fashion(name):
    return "fashion_mnist(" in (SAMPLES / f"{name}.py").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_quick_run(name, tmp_path):
    if needs_fashion(name) and not FASHION.is_dir():
        pytest.skip("Fashion-MNIST is not installed: apt-get install -y dataset-fashion-mnist")
    done = run(name, "--quick", out=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert any(character.isdigit() for character in done.stdout)
    pictures = list(tmp_path.glob(f"{name}*.png"))
    assert pictures
    assert all(path.stat().st_size > 1000 for path in pictures)


@pytest.mark.parametrize("name", NAMES)
def test_sample_is_short_and_in_the_gallery(name):
    assert len((SAMPLES / f"{name}.py").read_text().splitlines()) <= LINES
    gallery = (SAMPLES.parent / "docs" / "gallery.md").read_text()
    assert f"samples/{name}.py" in gallery


@pytest.mark.parametrize("name", [name for name in NAMES if needs_fashion(name)])
def test_missing_data_names_the_command_that_gets_it(name, tmp_path):
    done = run(name, "--quick", "--data", str(tmp_path / "nowhere"), out=tmp_path)
    assert done.returncode == 2
    assert "apt-get install -y dataset-fashion-mnist" in done.stderr
    assert "Traceback" not in done.stderr
