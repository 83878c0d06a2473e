"""Contract: the command as a shell runs it, with pipes, exit codes and Ctrl-C."""

import io
import subprocess
import sys

import numpy as np
import pytest

from imgkit.io.decode import decode
from imgkit.io.encode import encode

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


def test_a_closed_pipe_is_no_traceback(tmp_path):
    src = photos(tmp_path / "src", 3000, 4)
    command = f"{sys.executable} -c 'from imgkit.cli.main import main; main()' "
    done = subprocess.run(
        f"{command} pool {src} {tmp_path}/dst --dry-run | head -n 1",
        shell=True, capture_output=True, check=True,
    )  # fmt: skip
    assert b"Traceback" not in done.stderr
    assert done.stdout.count(b"\n") == 1
