"""One run at a time in a destination."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from imgkit.folder.lock import Busy, locked
from imgkit.io.encode import encode

HOLD = (
    "import sys\nfrom imgkit.folder.lock import locked\n"
    "with locked(sys.argv[1]):\n    print('held', flush=True)\n    sys.stdin.read()"
)
IMGKIT = [sys.executable, "-c", "from imgkit.cli.main import main; main()"]


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the folder."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_26_the_second_run_is_refused(holder, tmp_path):
    with pytest.raises(Busy, match=f"in use by process {holder.pid} on {socket.gethostname()}"):
        locked(str(tmp_path)).__enter__()


def test_26_the_command_exits_4_and_does_nothing(holder, tmp_path):
    src = tmp_path / "photos"
    src.mkdir()
    (src / "a.png").write_bytes(encode(np.zeros((4, 4), np.uint8), "png"))
    words = [*IMGKIT, "pool", str(src), str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 4
    assert f"is in use by process {holder.pid}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "a.png").exists()


def test_26_a_lock_whose_holder_died_is_taken_over(holder, tmp_path):
    holder.kill()
    holder.wait()
    said = json.loads((tmp_path / ".imgkit" / "lock").read_text())
    assert said == {"host": socket.gethostname(), "pid": holder.pid}
    with locked(str(tmp_path)):
        assert json.loads((tmp_path / ".imgkit" / "lock").read_text())["pid"] == os.getpid()
    assert (tmp_path / ".imgkit" / "lock").read_text() == ""


def test_a_holder_on_another_machine_may_be_out_of_reach(tmp_path):
    (tmp_path / ".imgkit").mkdir()
    (tmp_path / ".imgkit" / "lock").write_text('{"host": "elsewhere", "pid": 7}')
    with pytest.raises(
        Busy, match=r"process 7 on elsewhere: if it does not run any more, remove .*lock"
    ):
        locked(str(tmp_path)).__enter__()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"host": 3}'])
def test_a_lock_that_says_nothing_is_nobodys(tmp_path, text):
    (tmp_path / ".imgkit").mkdir()
    (tmp_path / ".imgkit" / "lock").write_text(text)
    with locked(str(tmp_path)):
        pass


def test_it_is_let_go_when_the_run_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(str(tmp_path)):
        raise ZeroDivisionError
    assert (tmp_path / ".imgkit" / "lock").read_text() == ""
    with locked(str(tmp_path)):
        pass
