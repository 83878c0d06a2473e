"""One output made again: the bytes agree, or the message says why not."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from imgkit.cli.main import main
from imgkit.io.encode import encode


def invoke(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "photos" / "sub").mkdir(parents=True)
    image = np.random.default_rng(3).integers(0, 256, (24, 32, 3), np.uint8)
    (tmp_path / "photos" / "sub" / "a.png").write_bytes(encode(image, "png"))
    return tmp_path / "photos"


@pytest.fixture
def out(photos, tmp_path):
    ops = (
        "--op",
        "Rotate degrees=-40,40",
        "--op",
        "box_blur size=3",
        "--op",
        "GaussianNoise std=0.1",
    )
    result = invoke("augment", photos, tmp_path / "out", *ops, "--copies", 2, "--epoch", 3)
    assert result.exit_code == 0, result.output
    return tmp_path / "out"


def edit(out, change):
    """Change the lines of a journal."""
    path = out / ".imgkit" / "journal.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        change(line)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_an_output_of_a_seed_that_nobody_chose_is_made_again(out, tmp_path):
    target = out / "sub" / "a_0002.png"
    again = tmp_path / "again.png"
    result = invoke("replay", target, "-o", again)
    assert result.exit_code == 0, result.output
    assert "the bytes agree" in result.stderr
    assert again.read_bytes() == target.read_bytes()
    target.unlink()
    result = invoke("replay", target, "-o", "-")
    assert result.exit_code == 0
    assert "the file is missing; the rebuilt bytes agree with the journal" in result.stderr
    assert result.stdout_bytes == again.read_bytes()


def test_a_file_that_was_changed_differs(out):
    target = out / "sub" / "a_0001.png"
    target.write_bytes(target.read_bytes() + b"x")
    result = invoke("replay", target)
    assert result.exit_code == 1
    assert "the bytes differ: the file was changed since the run" in result.stderr


def test_other_bytes_now_name_the_versions_that_changed(out):
    def older(line):
        if line["line"] == "run":
            line["pipeline"]["seed"] += 1
            line["versions"]["numpy"] = "1.0"

    edit(out, older)
    result = invoke("replay", out / "sub" / "a_0001.png")
    assert result.exit_code == 1
    assert "the file is as the run made it, the rebuilt bytes are others" in result.stderr
    assert "versions: numpy 1.0 -> " in result.stderr


def test_inputs_that_moved_are_found_by_src(out, photos, tmp_path):
    shutil.move(photos, tmp_path / "elsewhere")
    result = invoke("replay", out / "sub" / "a_0001.png")
    assert result.exit_code == 2
    assert "a.png is missing" in " ".join(result.stderr.split())
    result = invoke("replay", out / "sub" / "a_0001.png", "--src", tmp_path / "elsewhere")
    assert result.exit_code == 0, result.output


def test_an_input_that_changed_is_an_error(out, photos):
    source = photos / "sub" / "a.png"
    source.write_bytes(encode(np.zeros((24, 32, 3), np.uint8), "png"))
    result = invoke("replay", out / "sub" / "a_0001.png")
    assert result.exit_code == 2
    assert "has changed since the run" in " ".join(result.stderr.split())


def test_what_is_not_known_is_an_error(out, tmp_path):
    result = invoke("replay", out / "b.png")
    assert result.exit_code == 2
    assert "is not in the journal of" in " ".join(result.stderr.split())
    result = invoke("replay", tmp_path / "photos" / "a.png")
    assert result.exit_code == 2
    assert "has no journal" in " ".join(result.stderr.split())


def test_an_output_that_failed_says_why(photos, tmp_path):
    (photos / "bad.png").write_bytes(b"?")
    invoke("run", photos, tmp_path / "out", "--op", "invert")
    result = invoke("replay", tmp_path / "out" / "bad.png")
    assert result.exit_code == 2
    assert "the run did not make this output: unknown" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    "command",
    [
        ["edges", "--operator", "scharr", "--scale", "0:99", "--quality", "50", "--format", "jpg"],
        ["conv", "--kernel", "0 -1 0; -1 5 -1; 0 -1 0", "--stride", "2,1"],
        ["pool", "--size", "2,4", "--kind", "avg", "--scale", "auto"],
    ],
)
def test_outputs_of_other_commands_are_made_again(photos, tmp_path, command):
    out = tmp_path / "out"
    assert invoke(command[0], photos, out, *command[1:]).exit_code == 0
    (target,) = [p for p in (out / "sub").iterdir()]
    result = invoke("replay", target)
    assert (result.exit_code, "no draws" in result.stderr) == (0, True), result.output


def test_a_shell_runs_it(out):
    code = "from imgkit.cli.main import main; main()"
    target = out / "sub" / "a_0001.png"
    done = subprocess.run([sys.executable, "-c", code, "replay", target], capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"")
    target.write_bytes(b"")
    done = subprocess.run([sys.executable, "-c", code, "replay", target], capture_output=True)
    assert done.returncode == 1


def test_a_journal_of_another_version_is_refused_in_one_line(out, photos):
    def lose_a_field(line):
        line.pop("partial", None)

    edit(out, lose_a_field)
    target = out / "sub" / "a_0001.png"
    target.write_bytes(b"precious")
    again = ("run", photos, out, "--op", "invert")
    for words in (("verify", out), ("replay", target), ("report", out, "--json"), again):
        result = invoke(*words)
        assert result.exit_code == 2, result.output
        assert "a journal of another version of imgkit (it lacks 'partial')" in result.stderr
    assert target.read_bytes() == b"precious"
    assert sorted(out.rglob("*.png")) == [target, out / "sub" / "a_0002.png"]

    assert invoke(*again, "--force").exit_code == 0
    assert (out / ".imgkit" / "journal.jsonl.old").exists()
    assert invoke(*again).exit_code == 0
    assert invoke("replay", out / "sub" / "a.png").exit_code == 0


def test_verify_says_that_a_folder_has_no_journal(tmp_path):
    result = invoke("verify", tmp_path)
    assert result.exit_code == 2
    assert f"{tmp_path} has no journal: no run wrote it" in result.stderr
