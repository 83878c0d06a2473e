"""Compare every output with the journal."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from imgkit.cli.main import main
from imgkit.folder.verify import verify
from imgkit.io.encode import encode


def invoke(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def dst(tmp_path):
    """Five outputs, and one image that failed."""
    src = tmp_path / "src"
    (src / "sub").mkdir(parents=True)
    rng = np.random.default_rng(1)
    for name in ("a.png", "b.png", "c.png", "sub/d.png", "sub/e.png"):
        (src / name).write_bytes(encode(rng.integers(0, 256, (20, 30, 3), np.uint8), "png"))
    (src / "bad<b>.png").write_bytes(b"<html>")
    assert invoke("pool", src, tmp_path / "dst").exit_code == 1
    return tmp_path / "dst"


def test_all_is_as_it_was_written(dst):
    verdict = verify(str(dst))
    assert (verdict.outputs, verdict.failed, verdict.is_intact) == (5, 1, True)
    done = invoke("verify", dst)
    assert done.exit_code == 0
    assert done.stderr == (
        "5 outputs: all as they were written; 1 images failed\n"
        "6 images planned: 5 done, 1 failed, 0 missing\n"
    )


def test_what_is_changed_missing_or_extra_is_named(dst):
    (dst / "a.png").write_bytes((dst / "b.png").read_bytes())
    (dst / "sub" / "d.png").unlink()
    (dst / "sub" / "new\n.txt").touch()
    (dst / "bad<b>.png").touch()  # what an earlier run would have left of an image that fails now
    (dst / "sub" / ".imgkit-0-1-a").touch()
    done = invoke("verify", dst, "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {
        "planned": 6,
        "done": 5,
        "unprocessed": 0,
        "outputs": 5,
        "failed": 1,
        "changed": ["a.png"],
        "missing": ["sub/d.png"],
        "extra": ["bad<b>.png", "sub/new\\n.txt"],
        "earlier": [],
    }
    assert "changed: a.png\n1 changed: the bytes differ from those written" in done.stderr
    assert "not all is as it was written" in done.stderr


def test_outputs_of_other_parameters_are_told_and_no_fault(dst, tmp_path):
    (tmp_path / "src" / "c.png").unlink()
    invoke("pool", tmp_path / "src", dst, "--size", "4")
    verdict = verify(str(dst))
    assert (verdict.is_intact, verdict.earlier) == (True, ["c.png"])


@pytest.mark.parametrize("words", [("verify",), ("report", "--json")])
def test_a_folder_without_a_journal_is_refused(tmp_path, words):
    done = invoke(*words, tmp_path)
    assert done.exit_code == 2
    assert "journal" in done.stderr
