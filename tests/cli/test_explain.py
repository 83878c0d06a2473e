"""The plan of a pipeline, before any image is read."""

import pytest
from click.testing import CliRunner

import imgkit as ik
from imgkit.cli.main import main

TEXT = """
version: 1
seed: 7
ops:
  - HorizontalFlip: {p: 0.5}
  - Rotate: {degrees: [-15, 15]}
"""


def explain(tmp_path, text, *arguments):
    path = tmp_path / "p.yaml"
    path.write_text(text)
    return CliRunner().invoke(main, ["explain", str(path), *arguments])


def test_it_prints_what_the_pipeline_says(tmp_path):
    aug = ik.Pipeline([ik.HorizontalFlip(p=0.5), ik.Rotate((-15, 15))], seed=7)
    result = explain(tmp_path, TEXT)
    assert result.exit_code == 0, result.output
    assert result.stdout == aug.explain() + "\n"
    result = explain(tmp_path, TEXT, "--size", "40,60", "--index", "3", "--epoch", "2")
    assert result.stdout == aug.explain((40, 60), (2, 3)) + "\n"
    other = explain(tmp_path, TEXT, "--size", "40", "--seed", "8").stdout
    assert other == ik.Pipeline(aug.ops, seed=8).explain((40, 40)) + "\n"


def test_functions_are_named_and_sizes_followed_through_them(tmp_path):
    text = "version: 1\nops:\n  - max_pool: {size: 2}\n  - Transpose\n"
    result = explain(tmp_path, text, "--size", "40,60")
    first, rest = result.stdout.split("\n\n", 1)
    assert first == "max_pool size=2: a function, on the pixels as they are"
    assert rest == ik.Pipeline([ik.Transpose()]).explain((20, 30)) + "\n"
    assert "30 x 20" in rest


def test_stdin_is_read():
    result = CliRunner().invoke(main, ["explain", "-"], input=TEXT)
    assert result.exit_code == 0
    assert "Rotate" in result.stdout


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("version: 1\nops: [Rotat]", [], "for PIPELINE: ops[0]: unknown operation 'Rotat'"),
        ("version: 3\nops: [Invert]", [], "version is 3"),
        (TEXT, ["--size", "4,5,6"], "'4,5,6' is not a size: write H,W"),
        (TEXT, ["--size", "0"], "'0' is not a size"),
    ],
)
def test_wrong_usage_exits_2(tmp_path, text, arguments, message):
    result = explain(tmp_path, text, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert result.stdout == ""
