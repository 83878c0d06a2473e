"""The command as a shell runs it: pipes, exit codes, Ctrl-C."""

import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from imgkit.folder.codec import decode, encode

IMGKIT = [sys.executable, "-c", "from imgkit.cli.main import main; main()"]


def shell(*arguments, **options):
    return subprocess.run([*IMGKIT, *map(str, arguments)], capture_output=True, **options)


def photos(folder, count, size=64):
    folder.mkdir()
    data = encode(np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8), "png")
    for i in range(count):
        (folder / f"{i:04}.png").write_bytes(data)
    return folder


def test_a_chain_of_pipes():
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)
    first = shell("pool", "-", "-", "--format", "npy", input=encode(image, "png"), check=True)
    second = shell("pool", "-", "-", "--kind", "min", input=first.stdout, check=True)
    assert np.array_equal(np.load(io.BytesIO(first.stdout)), image[1::2, 1::2])
    assert np.array_equal(decode(second.stdout), image[1::4, 1::4])
    assert second.stderr == b""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["pool", "-", "-"], 1),  # stdin is empty
        (["pool", "nowhere", "out"], 2),
        (["bogus"], 2),
        (["--help"], 0),
    ],
)
def test_exit_codes(arguments, code):
    done = shell(*arguments, input=b"")
    assert done.returncode == code
    assert b"Traceback" not in done.stderr


def test_a_full_disk_exits_4(tmp_path):
    full = (
        "import os, errno\n"
        "def fsync(file): raise OSError(errno.ENOSPC, 'No space left on device')\n"
        "os.fsync = fsync\n"
        "from imgkit.cli.main import main; main()"
    )
    src, dst = photos(tmp_path / "src", 3), tmp_path / "dst"
    words = [sys.executable, "-c", full, "pool", str(src), str(dst), "--workers", "1"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 4
    assert "Error: stopped: OSError: No space left on device" in done.stderr
    assert "3 images: 0 ok, 1 failed" in done.stderr
    assert [path.name for path in dst.iterdir()] == [".imgkit"]


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_exits_130_and_leaves_whole_files_only(tmp_path, workers):
    src, dst = photos(tmp_path / "src", 400, 256), tmp_path / "dst"
    words = ["pool", src, dst, "--kind", "median", "--size", "5", "--json"]
    process = subprocess.Popen(
        [*IMGKIT, *map(str, words), "--workers", str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while not (dst.is_dir() and any(dst.glob("*.png"))):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it too
    stdout, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Interrupted" in stderr
    assert b"Traceback" not in stderr
    summary = json.loads(stdout)
    assert summary["total"] == 400
    written = list(dst.glob("*.png"))
    assert 0 < len(written) < 400
    assert summary["failed"] == 0
    assert not list(dst.glob(".imgkit-*"))
    assert {decode(p.read_bytes()).shape for p in written} == {(51, 51, 3)}


def test_a_closed_pipe_is_no_traceback(tmp_path):
    src = photos(tmp_path / "src", 3000, 4)
    command = f"{sys.executable} -c 'from imgkit.cli.main import main; main()' "
    done = subprocess.run(
        f"{command} pool {src} {tmp_path}/dst --dry-run | head -n 1",
        shell=True, capture_output=True, check=True,
    )  # fmt: skip
    assert b"Traceback" not in done.stderr
    assert done.stdout.count(b"\n") == 1
