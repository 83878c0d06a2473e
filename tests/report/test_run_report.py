"""The page and the JSON about a finished run."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

from imgkit.cli.main import main
from imgkit.io.encode import encode
from imgkit.report.run_report import gather, report_page


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


def test_the_report_as_json(dst):
    done = invoke("report", dst, "--json")
    assert done.exit_code == 0
    facts = json.loads(done.stdout)
    size = sum(path.stat().st_size for path in dst.rglob("*.png"))
    assert facts == {
        "runs": 1,
        "planned": 6,
        "done": 5,
        "missing": 0,
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


def test_ops_without_arguments_are_named(dst, tmp_path):
    words = ("--op", "invert", "--op", "Sharpen", "--op", "Rotate degrees=-9,9", "--seed", 1)
    assert invoke("run", tmp_path / "src", tmp_path / "out", *words).exit_code == 1
    text = report_page(str(tmp_path / "out"), gather(str(tmp_path / "out")), 0)
    assert "invert → Sharpen → Rotate degrees=-9.0,9.0" in text


def test_an_output_that_is_gone_leaves_a_gap(dst):
    (dst / "a.png").unlink()
    assert report_page(str(dst), gather(str(dst)), 24).count("not there") == 1


def test_report_wants_something_to_do(dst):
    assert invoke("report", dst).exit_code == 2


def test_a_journal_without_a_run(tmp_path):
    (tmp_path / ".imgkit").mkdir()
    (tmp_path / ".imgkit" / "journal.jsonl").touch()
    with pytest.raises(ValueError, match="has no run"):
        gather(str(tmp_path))
