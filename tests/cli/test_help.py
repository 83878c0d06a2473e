"""Contract: every command explains itself, and docs/cli.md says the same."""

import itertools
import json
import pathlib
import re
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

import imgkit as ik
from imgkit.augment.exchange.document import functions
from imgkit.augment.transforms import custom
from imgkit.cli.main import COMMANDS, main
from imgkit.registry import CONTROLS, HOST_ONLY, TRANSFORMS

ROOT = pathlib.Path(__file__).parent.parent.parent
OPERATIONS = (*functions(), *TRANSFORMS, *CONTROLS)
DOCS = (ROOT / "docs" / "cli.md").read_text()


def command(name):
    return main.get_command(click.Context(main), name)


@pytest.fixture(autouse=True)
def _no_transforms_of_users(monkeypatch):
    """Hide what other tests of this process registered."""
    monkeypatch.setattr(custom, "_REGISTERED", {})


def host_only():
    """Return the operations without a device kernel, and why."""
    reasons = {name: getattr(ik, name).host_only for name in TRANSFORMS}
    reasons |= {name: why for name, why in HOST_ONLY.items() if name in OPERATIONS}
    return {name: why for name, why in reasons.items() if why}


def section(name):
    return DOCS.partition(f"\n## imgkit {name}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name):
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert f"  imgkit {name}" in result.output.partition("Examples:")[2]
    assert command(name).short_help


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name):
    text = section(name)
    assert f"imgkit {name}" in text, f"docs/cli.md has no '## imgkit {name}' with an example"
    shared = section("run") if name in ("augment", "conv", "edges", "pool") else text
    for parameter in command(name).params:
        for word in parameter.opts if isinstance(parameter, click.Option) else ():
            assert f"`{word}" in text + shared, f"docs/cli.md, imgkit {name}: {word} is missing"


def test_docs_name_only_what_exists():
    documented = [line[10:] for line in DOCS.splitlines() if line.startswith("## imgkit ")]
    assert documented == list(COMMANDS)
    for name in COMMANDS:
        known = {word for p in command(name).params for word in p.opts}
        options = {line.split("`")[1].split()[0] for line in section(name).splitlines()
                   if line.startswith("| `--")}  # fmt: skip
        assert options <= known


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_the_group_lists_every_command(arguments):
    result = CliRunner().invoke(main, arguments)
    for name in COMMANDS:
        assert f"\n  {name} " in result.output
    assert "Exit codes" in result.output


def test_version():
    result = CliRunner().invoke(main, ["--version"])
    assert result.output.startswith("imgkit, version ")


def test_an_unknown_command_names_the_nearest():
    result = CliRunner().invoke(main, ["egdes"])
    assert result.exit_code == 2
    assert "no such command: 'egdes'; did you mean 'edges'?" in result.output


def test_ops_lists_every_operation_with_its_parameters_and_summary():
    result = CliRunner().invoke(main, ["ops"])
    assert result.exit_code == 0
    for name in OPERATIONS:
        assert re.search(rf"^  {name}( |$)", result.output, re.M)
    assert "max_pool size [stride=None]" in result.output
    assert "\n  JpegCompression [quality=40,95] [p=1.0]\n" in result.output
    assert result.output.count("\n      ") == len(OPERATIONS)


def test_ops_marks_what_has_no_device_kernel():
    lines = CliRunner().invoke(main, ["ops"]).output.splitlines()
    marked = {
        before.split()[0]: line.partition("Host only on CUDA: ")[2].rstrip(".")
        for before, line in itertools.pairwise(lines)
        if "Host only on CUDA" in line
    }
    assert marked == host_only()
    assert {"canny", "CLAHE", "JpegCompression"} <= set(marked)
    assert "Host only on CUDA" in CliRunner().invoke(main, ["ops", "clahe"]).output


def test_ops_as_json():
    result = CliRunner().invoke(main, ["ops", "--json"])
    entries = {entry["name"]: entry for entry in json.loads(result.stdout)}
    assert set(entries) == set(OPERATIONS)
    assert all(e["summary"] and e["family"] for e in entries.values())
    assert {n for n, e in entries.items() if e["kind"] == "transform"} == {*TRANSFORMS, *CONTROLS}
    assert {n: e["host_only"] for n, e in entries.items() if e["host_only"]} == host_only()
    assert entries["max_pool"]["result"] == "input"
    assert entries["max_pool"]["parameters"][:2] == [
        {"name": "size", "required": True},
        {"name": "stride", "required": False, "default": None},
    ]
    quality = entries["JpegCompression"]["parameters"][0]
    assert quality == {
        "name": "quality", "required": False, "default": [40, 95], "low": 1, "high": 100
    }  # fmt: skip
    rotate = {p["name"]: p for p in entries["Rotate"]["parameters"]}
    assert rotate["degrees"]["required"]
    assert rotate["interpolation"]["choices"] == ["nearest", "bilinear", "bicubic"]
    assert (rotate["p"]["low"], rotate["p"]["high"]) == (0, 1)


def test_ops_as_json_of_one():
    result = CliRunner().invoke(main, ["ops", "MedianBlur", "--json"])
    entry = json.loads(result.stdout)
    assert entry["parameters"][0] == {
        "name": "size", "required": False, "default": 3, "low": 1, "odd": True
    }  # fmt: skip
    assert entry["host_only"] is None


def test_ops_explains_one():
    result = CliRunner().invoke(main, ["ops", "max_pool"])
    assert result.output.startswith("max_pool(x")
    assert "Args:" in result.output
    result = CliRunner().invoke(main, ["ops", "Rotate"])
    assert result.output.startswith("Rotate(degrees, *, p=1.0, interpolation='bilinear'")
    assert "\nTurn about the center" in result.output
    result = CliRunner().invoke(main, ["ops", "max_pol"])
    assert result.exit_code == 2
    assert result.output.endswith("unknown operation 'max_pol': did you mean 'max_pool'?\n")
    result = CliRunner().invoke(main, ["ops", "nosuch"])
    assert "did you mean" not in result.output  # 'nosuch' is like none
    assert result.output.endswith("unknown operation 'nosuch': 'imgkit ops' lists the operations\n")


def test_doctor():
    result = CliRunner().invoke(main, ["doctor", "--json"])
    facts = json.loads(result.output)
    assert facts["packages"]["imgkit-cv"]
    assert facts["codecs"]["png"] == "reads, writes"
    assert facts["opencv"]["threads"] >= 1
    assert "opencv" in CliRunner().invoke(main, ["doctor"]).output


def test_doctor_does_not_import_torch_unless_asked():
    code = (
        "import sys; from imgkit.cli.main import main\n"
        "try: main(['doctor'])\nexcept SystemExit: pass\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
