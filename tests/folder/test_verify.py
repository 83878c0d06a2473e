"""Every output against its journal, and the page about a run."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

from imgkit.cli.main import main
from imgkit.folder.verify import verify
from imgkit.io.encode import encode
from imgkit.report.run_report import gather, page


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
    assert done.stderr == "5 outputs: all as they were written; 1 images failed\n"


def test_what_is_changed_missing_or_extra_is_named(dst):
    (dst / "a.png").write_bytes((dst / "b.png").read_bytes())
    (dst / "sub" / "d.png").unlink()
    (dst / "sub" / "new\n.txt").touch()
    (dst / "bad<b>.png").touch()  # what an earlier run would have left of an image that fails now
    (dst / "sub" / ".imgkit-0-1-a").touch()
    done = invoke("verify", dst, "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {
        "outputs": 5,
        "failed": 1,
        "changed": ["a.png"],
        "missing": ["sub/d.png"],
        "extra": ["bad<b>.png", "sub/new\\n.txt"],
        "earlier": [],
    }
    assert "changed: a.png\n1 changed: not the bytes that were written" in done.stderr
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


def test_the_report_as_json(dst):
    done = invoke("report", dst, "--json")
    assert done.exit_code == 0
    facts = json.loads(done.stdout)
    size = sum(path.stat().st_size for path in dst.rglob("*.png"))
    assert facts == {
        "runs": 1,
        "total": 6,
        "ok": 5,
        "failed": 1,
        "quarantined": 0,
        "bytes": size,
        "errors": {"unknown": 1},
        "failures": [
            {
                "path": "bad<b>.png",
                "error": "unknown",
                "message": "no image format starts with b'<html>'",
            }
        ],
    }


def test_the_page_needs_nothing_but_itself(dst, tmp_path):
    out = tmp_path / "page.html"
    assert invoke("report", dst, "-o", out, "--count", "3").exit_code == 0
    text = out.read_text()
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert "<!--" not in text.partition("<body>")[2]
    assert "1 image of 6 failed; the others are written." in text
    assert "bad&lt;b&gt;.png" in text
    assert "bad<b>" not in text
    assert text.count("<figure>") == 3
    assert text.count("data:image/png;base64,") == 6
    assert "max_pool size=2" in text
    assert "30 × 20 → 15 × 10" in text


def test_an_output_that_is_gone_leaves_a_gap(dst):
    (dst / "a.png").unlink()
    assert page(str(dst), gather(str(dst)), 24).count("not there") == 1


def test_report_wants_something_to_do(dst):
    assert invoke("report", dst).exit_code == 2


def test_a_journal_without_a_run(tmp_path):
    (tmp_path / ".imgkit").mkdir()
    (tmp_path / ".imgkit" / "journal.jsonl").touch()
    with pytest.raises(ValueError, match="has no run"):
        gather(str(tmp_path))
