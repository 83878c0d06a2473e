"""Contract of many images: memory stays flat, the journal grows with them, no descriptor leaks."""

import json
import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest
from hurt import OPS, shell, started

from imgkit.io.encode import encode

SOME = 3000
ALL = int(os.environ.get("IMGKIT_MANY", "0"))  # 100000 is what benchmarks/folders.py measures


def write_tiny(folder, count):
    data = [encode(np.full((4, 4), value, np.uint8), "png") for value in range(256)]
    for i in range(count):
        path = folder / f"{i // 1000:03}" / f"{i:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data[i % 256])
    return folder


def peak(process, seen):
    """Return the most memory that a process had, in bytes, and its open files, while it runs."""
    status = pathlib.Path(f"/proc/{process.pid}")
    while process.poll() is None:
        try:
            text = (status / "status").read_text()
            seen.append(
                (int(text.partition("VmHWM:")[2].split()[0]), len(os.listdir(status / "fd")))
            )
        except (OSError, ValueError, IndexError):
            break
        time.sleep(0.05)
    return max(memory for memory, _ in seen) << 10, max(files for _, files in seen)


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="memory is read from /proc")
def test_27_many_tiny_images(tmp_path):
    count = ALL or SOME
    src, dst = write_tiny(tmp_path / "src", count), tmp_path / "dst"
    words = ("run", src, dst, "--op", "invert", "--workers", "2", "--json")
    with started(*words) as process:
        memory, files = peak(process, [])
        summary = json.loads(process.communicate()[0])
    assert (summary["ok"], summary["failed"]) == (count, 0)
    assert memory < 300e6
    assert files < 40
    journal = dst / ".imgkit" / "journal.jsonl"
    assert len(journal.read_bytes().splitlines()) == count + 1
    assert journal.stat().st_size < 900 * count
    begun = time.monotonic()
    with started(*words) as process:
        memory, _ = peak(process, [])
        summary = json.loads(process.communicate()[0])
    assert summary["skipped"] == count
    assert memory < 300e6
    assert time.monotonic() - begun < 15
    assert len(journal.read_bytes().splitlines()) == count + 2


def test_27_memory_does_not_grow_with_the_images(tmp_path):
    """What 2000 images more cost the parent is their names: less than 2 kB each."""
    script = (
        "import sys, resource\nfrom imgkit.cli.main import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    peaks = []
    for count in (200, 2200):
        src = write_tiny(tmp_path / f"src{count}", count)
        words = [
            sys.executable,
            "-c",
            script,
            "run",
            src,
            tmp_path / f"dst{count}",
            "--op",
            "invert",
        ]
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    assert (peaks[1] - peaks[0]) / 2000 < 2


def test_the_same_command_twice_does_nothing_twice(tmp_path):
    src = write_tiny(tmp_path / "src", 40)
    for expected in (40, 0):
        done = shell("run", src, tmp_path / "dst", *OPS, "--json")
        assert json.loads(done.stdout)["ok"] == expected
