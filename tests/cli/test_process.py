"""Contract: the command as a shell runs it, with pipes, exit codes and Ctrl-C."""

import contextlib
import io
import json
import os
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


# --- streams that the caller closed, or that nobody reads -------------------------------


def redirected(words, redirection, **options):
    """Run the command in a shell with a redirection."""
    command = " ".join([sys.executable, "-c", "'from imgkit.cli.main import main; main()'"])
    return subprocess.run(
        f"{command} {words} {redirection}", shell=True, capture_output=True, **options
    )


@pytest.mark.parametrize("route", ["pool src out", "pool src/0000.png out/", "prep many out"])
@pytest.mark.parametrize("redirection", ["2>&-", ">&-", "<&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_the_work_is_done_whatever_stream_is_closed(tmp_path, route, redirection):
    photos(tmp_path / "src", 2)
    (tmp_path / "many").mkdir()
    photos(tmp_path / "many" / "cat", 2)
    done = redirected(route, redirection, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert list((tmp_path / "out").rglob("*.[pj]*g"))


@pytest.mark.parametrize(
    ("words", "redirection", "name"),
    [
        ("pool - out.png", "<&-", "stdin"),
        ("pool - -", "<&-", "stdin"),
        ("pool src/0000.png -", ">&-", "stdout"),
        ("explain -", "<&-", "stdin"),
        ("preview - src -o out.png", "<&-", "stdin"),
        ("replay out/0000.png -o -", ">&-", "stdout"),
    ],
)
def test_a_closed_stream_is_refused_where_it_is_asked_for(tmp_path, words, redirection, name):
    photos(tmp_path / "src", 1)
    assert shell("pool", "src", "out", cwd=tmp_path).returncode == 0
    done = redirected(words, redirection, cwd=tmp_path)
    assert done.returncode == 2
    assert f"{name} is closed: give a file".encode() in done.stderr
    assert b"Traceback" not in done.stderr


def test_no_message_goes_into_a_file_that_got_the_number_of_stderr(tmp_path):
    """With stderr closed, the journal or an output would be the next file with the number 2."""
    src = photos(tmp_path / "src", 3)
    (src / "bad.png").write_bytes(b"no image")
    done = redirected("pool src out --workers 1", "<&- >&- 2>&-", cwd=tmp_path)
    assert done.returncode == 1
    journal = (tmp_path / "out" / ".imgkit" / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["line"] for line in journal] == ["run", *["image"] * 4]
    assert shell("verify", tmp_path / "out").returncode == 0


def test_a_run_goes_on_when_nobody_reads_its_messages(tmp_path):
    src = photos(tmp_path / "src", 20)
    for number in range(20):
        (src / f"bad{number}.png").write_bytes(b"no image")
    done = redirected("pool src out", "2>&1 >/dev/null | head -n 1", cwd=tmp_path)
    assert done.stdout.count(b"\n") == 1
    assert len(list((tmp_path / "out").glob("*.png"))) == 20
    last = shell("verify", tmp_path / "out").stderr.splitlines()[-1]
    assert last == b"40 images planned: 20 done, 20 failed, 0 missing"


@pytest.mark.parametrize(
    ("words", "code"), [("pool src out", 1), ("verify done", 0), ("bogus", 2), ("stats nowhere", 2)]
)
def test_a_full_pipe_that_does_not_block_drops_messages(tmp_path, words, code):
    """A parent with an event loop hands down such a pipe; the work must neither wait nor spin."""
    src = photos(tmp_path / "src", 2)
    shell("pool", src, tmp_path / "done", check=True)
    (src / "bad.png").write_bytes(b"no image")
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):  # until it is full
        while True:
            os.write(writer, bytes(4096))
    try:
        done = subprocess.run(
            [*IMGKIT, *words.split()], cwd=tmp_path, stderr=writer, timeout=60, check=False
        )
    finally:
        os.close(reader)
        os.close(writer)
    assert done.returncode == code


@pytest.mark.parametrize(
    "words", ["stats src --json", "pool src/0000.png -", "pool src out --json"]
)
def test_a_full_disk_behind_stdout_is_exit_4(tmp_path, words):
    photos(tmp_path / "src", 1)
    done = redirected(words, ">/dev/full", cwd=tmp_path)
    assert done.returncode == 4
    assert b"No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr
