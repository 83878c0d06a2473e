"""Run suites and write their tables to ``benchmarks/results.md``."""

import os
import sys

# glibc gives freed buffers of a megabyte back and maps fresh pages for the next ones; whether it
# does depends on what ran before, and costs more than most operations. Both sides run without.
QUIET = {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "1000000000"}
if __name__ == "__main__" and os.environ.get("MALLOC_TRIM_THRESHOLD_") is None:
    command = [sys.executable, "-m", "benchmarks", *sys.argv[1:]]
    os.execve(sys.executable, command, os.environ | QUIET)
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"  # read once, when the libraries load

import argparse
import contextlib
import importlib
import pathlib
import platform
import re
from importlib.metadata import version

from benchmarks.harness import run_suite, table

HERE = pathlib.Path(__file__).parent
SUITES = (
    "conv", "edges", "pool", "resample", "color", "pipelines", "ops", "tensor", "loader", "imports",
    "folders", "calls", "robustness",
)  # fmt: skip
PACKAGES = (
    "numpy", "scipy", "opencv-python", "scikit-image", "torch", "torchvision", "kornia",
    "albumentations",
)  # fmt: skip


def one_thread() -> None:
    import cv2

    cv2.setNumThreads(1)
    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(1)


def machine() -> str:
    found = []
    for package in PACKAGES:
        with contextlib.suppress(ImportError):
            found.append(f"{package} {version(package)}")
    return f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, " + (
        ", ".join(found)
    )


def write(results: pathlib.Path, suite: str, text: str) -> None:
    """Replace the section of one suite, keep the others."""
    old = results.read_text() if results.exists() else ""
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", old, re.S | re.M))
    sections[suite] = text.split("\n", 1)[1]
    head = (
        "# Measured side by side\n\n`python -m benchmarks` writes this page. Ratio = peer time / "
        "imgkit time (above 1: imgkit is faster), the median of alternating runs in one process, "
        "one thread each, with glibc's trimming of freed memory off "
        f"for both sides; ± is half the interquartile range.\n\n{machine()}\n\n"
    )
    ordered = [name for name in SUITES if name in sections]
    results.write_text(head + "\n".join(f"## {s}\n{sections[s].rstrip()}\n" for s in ordered))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suite", nargs="*", metavar="suite", help=", ".join(SUITES))
    parser.add_argument("--quick", action="store_true", help="a tenth of the time; no file")
    options = parser.parse_args()
    unknown = set(options.suite) - set(SUITES)
    if unknown:
        parser.error(f"no suite {sorted(unknown)}: choose from {', '.join(SUITES)}")
    one_thread()
    for suite in options.suite or SUITES:
        module = importlib.import_module(f"benchmarks.{suite}")
        if hasattr(module, "report"):  # a suite that measures something else than time
            text = module.report(options.quick)
        else:
            text = table(suite, list(run_suite(module.cases(options.quick), options.quick)))
        print(text, flush=True)
        if not options.quick:
            write(HERE / "results.md", suite, text)


if __name__ == "__main__":
    sys.exit(main())
