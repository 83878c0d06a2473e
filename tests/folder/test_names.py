"""Contract: names that break other tools work in the whole command, from scan to journal."""

import contextlib
import json
import os
import socket

import numpy as np
import pytest
from click.testing import CliRunner

from imgkit.cli.main import main
from imgkit.folder.journal import read
from imgkit.io.decode import decode
from imgkit.io.encode import encode

PNG = encode(np.arange(64, dtype=np.uint8).reshape(8, 8), "png")
ODD = (
    os.fsdecode(b"\xff\xfe\x80.png"),
    "line\nbreak.png",
    "-rf.png",
    "--op.png",
    "x" * 251 + ".png",
    "😀.png",
    "trailing dot..png",
    " .png",
    "con.png",
    "quote'\"`$(x).png",
    "\x1b[31mred.png",
    "\u202egnp.png",
)


def invoke(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def src(tmp_path):
    (tmp_path / "src").mkdir()
    return tmp_path / "src"


def made(dst):
    found = (os.path.relpath(os.path.join(top, n), dst) for top, _, ns in os.walk(dst) for n in ns)
    return sorted(name for name in found if not name.startswith(".imgkit"))


def test_22_every_name_comes_through_and_back(src, tmp_path):
    for name in ODD:
        (src / name).write_bytes(PNG)
    dst = tmp_path / "dst"
    done = invoke("pool", src, dst)
    assert done.exit_code == 0, done.stderr
    assert made(dst) == sorted(ODD)
    assert sorted(read(str(dst))[1]) == sorted(ODD)
    assert f"{len(ODD)} done before" in invoke("pool", src, dst).stderr
    for name in ODD:
        assert decode((dst / name).read_bytes()).shape == (4, 4)
        assert invoke("replay", dst / name).exit_code == 0
    assert invoke("verify", dst).exit_code == 0
    assert invoke("report", dst, "-o", tmp_path / "page.html").exit_code == 0


def test_22_their_failures_are_one_line_each_that_prints(src, tmp_path):
    for name in ODD:
        (src / name).write_bytes(b"no image")
    done = invoke("pool", src, tmp_path / "dst", "--json")
    assert done.exit_code == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("failed: ")]
    assert len(lines) == len(ODD)
    assert all(line.isprintable() for line in lines)
    assert len(json.loads(done.stdout)["failures"]) == len(ODD)


def test_22_a_name_that_grows_too_long_is_its_own_failure(src, tmp_path):
    (src / ("x" * 253)).write_bytes(PNG)  # becomes .png
    (src / "a.png").write_bytes(PNG)
    done = invoke("pool", src, tmp_path / "dst", "--json")
    assert done.exit_code == 1
    (failure,) = json.loads(done.stdout)["failures"]
    assert failure["message"] == "File name too long"
    assert made(tmp_path / "dst") == ["a.png"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("x.jpg", "x.png"), ("--format", "png")),
        (("X.png", "x.png"), ()),
        (("caf\u00e9.png", "cafe\u0301.png"), ()),
        (("a.png/b.png", "A.PNG"), ()),
        (("x.gif", "x.png"), ("--copies", "2")),
    ],
)
def test_23_outputs_of_one_name_are_refused_before_any_work(src, tmp_path, names, words):
    for name in names:
        (src / name).parent.mkdir(exist_ok=True)
        (src / name).write_bytes(PNG)
    if len({name for name in os.listdir(src)}) < len({name.split("/")[0] for name in names}):
        pytest.skip("this disk holds these names for one")
    words = ("--op", "HorizontalFlip", *words)
    done = invoke("run", src, tmp_path / "dst", *words)
    assert done.exit_code == 2
    assert "would" in done.stderr
    assert not (tmp_path / "dst").exists()


def test_23_one_name_in_two_folders_is_two_outputs(src, tmp_path):
    for folder in ("a", "b"):
        (src / folder).mkdir()
        (src / folder / "x.png").write_bytes(PNG)
    assert invoke("pool", src, tmp_path / "dst").exit_code == 0
    assert made(tmp_path / "dst") == ["a/x.png", "b/x.png"]


def test_24_links_pipes_and_sockets_neither_loop_nor_block(src, tmp_path):
    (src / "a.png").write_bytes(PNG)
    (src / "sub").mkdir()
    (src / "sub" / "loop").symlink_to(src)
    (src / "self.png").symlink_to(src / "self.png")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "b.png").write_bytes(PNG)
    (src / "away").symlink_to(tmp_path / "outside")
    (src / "link.png").symlink_to(src / "a.png")
    os.link(src / "a.png", src / "hard.png")
    os.mkfifo(src / "pipe.png")
    (src / "null.png").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as there:
        with contextlib.chdir(src):  # the name of a socket must be short
            there.bind("socket.png")
        done = invoke("pool", src, tmp_path / "dst")
    assert done.exit_code == 0, done.stderr
    assert made(tmp_path / "dst") == ["a.png", "hard.png", "link.png"]
    for name in ("null.png", "pipe.png", "self.png", "socket.png"):
        assert f"left out: {name}: " in done.stderr


@pytest.mark.parametrize("dst", ["src", "src/out", "src/../src", "link", "link/out"])
def test_25_outputs_never_go_into_the_source(src, tmp_path, dst):
    (src / "a.png").write_bytes(PNG)
    (tmp_path / "link").symlink_to(src)
    done = invoke("pool", src, tmp_path / dst)
    assert done.exit_code == 2
    assert "lies inside SRC" in done.stderr
    assert sorted(os.listdir(src)) == ["a.png"]


def test_25_nor_out_of_the_destination(src, tmp_path):
    (src / "sub").mkdir()
    (src / "sub" / "a.png").write_bytes(PNG)
    (tmp_path / "dst").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "dst" / "sub").symlink_to(tmp_path / "elsewhere")
    done = invoke("pool", src, tmp_path / "dst")
    assert done.exit_code == 2
    assert "DST has a link out of it" in done.stderr
    assert not list((tmp_path / "elsewhere").iterdir())


def test_25_a_folder_may_hold_its_source(src, tmp_path):
    """SRC inside DST is no danger: outputs are checked one by one."""
    (src / "a.png").write_bytes(PNG)
    assert invoke("pool", src, tmp_path).exit_code == 0
    assert decode((src / "a.png").read_bytes()).shape == (8, 8)
    assert decode((tmp_path / "a.png").read_bytes()).shape == (4, 4)
