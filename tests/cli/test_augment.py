"""Pipelines from the command line: the numbers, the names, the refusals."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import imgkit as ik
from imgkit.cli.main import main
from imgkit.folder.journal import read as read_journal
from imgkit.folder.plan_outputs import draw_index
from imgkit.io.decode import decode
from imgkit.io.encode import encode

PIPELINE = """
version: 1
seed: 7
ops:
  - Rotate: {degrees: [-40, 40]}
  - HorizontalFlip: {p: 0.5}
"""


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(3)
    for name in ("a.png", "b.png", "sub/c.png"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(rng.integers(0, 256, (24, 32, 3), np.uint8), "png"))
    return tmp_path / "photos"


@pytest.fixture
def pipeline(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(PIPELINE)
    return path


def invoke(*arguments, data=None):
    return CliRunner().invoke(main, [str(a) for a in arguments], input=data)


def tree(folder):
    """Return the outputs below a folder and their bytes."""
    found = (p for p in folder.rglob("*") if p.is_file() and p.parent.name != ".imgkit")
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in found}


def augment(src, dst, *arguments):
    result = invoke("augment", src, dst, *arguments)
    assert result.exit_code == 0, result.output
    return tree(dst)


# --- which numbers ----------------------------------------------------------------------


def test_an_output_is_what_the_library_makes_of_the_key(photos, pipeline, tmp_path):
    made = augment(photos, tmp_path / "out", "--pipeline", pipeline, "--copies", 2, "--epoch", 3)
    aug = ik.Pipeline([ik.Rotate((-40, 40)), ik.HorizontalFlip(p=0.5)], seed=7)
    image = decode((photos / "sub" / "c.png").read_bytes())
    for copy in (1, 2):
        expected = aug(image, key=(3, draw_index("sub/c.png", copy)))
        assert np.array_equal(decode(made[f"sub/c_000{copy}.png"]), expected)
    assert made["sub/c_0001.png"] != made["sub/c_0002.png"]


def test_the_number_of_workers_changes_no_byte(photos, pipeline, tmp_path):
    flags = ("--pipeline", pipeline, "--copies", 2)
    one = augment(photos, tmp_path / "one", *flags, "--workers", 1)
    two = augment(photos, tmp_path / "two", *flags, "--workers", 2)
    assert len(one) == 6
    assert one == two


def test_other_files_and_more_copies_change_no_output(photos, pipeline, tmp_path):
    flags = ("--pipeline", pipeline)
    before = augment(photos, tmp_path / "before", *flags, "--copies", 2)
    (photos / "a.png").unlink()
    shutil.copy(photos / "b.png", photos / "aa.png")
    after = augment(photos, tmp_path / "after", *flags, "--copies", 3)
    kept = set(before) & set(after)
    assert kept == {"b_0001.png", "b_0002.png", "sub/c_0001.png", "sub/c_0002.png"}
    assert all(before[name] == after[name] for name in kept)


def test_one_copy_keeps_its_name_and_is_the_first(photos, pipeline, tmp_path):
    one = augment(photos, tmp_path / "one", "--pipeline", pipeline)
    two = augment(photos, tmp_path / "two", "--pipeline", pipeline, "--copies", 2)
    assert sorted(one) == ["a.png", "b.png", "sub/c.png"]
    assert one["a.png"] == two["a_0001.png"]


def test_the_seed_of_the_command_goes_before_that_of_the_file(photos, pipeline, tmp_path):
    by_file = augment(photos, tmp_path / "1", "--pipeline", pipeline)
    same = augment(photos, tmp_path / "2", "--pipeline", pipeline, "--seed", 7)
    other = augment(photos, tmp_path / "3", "--pipeline", pipeline, "--seed", 8)
    epoch = augment(photos, tmp_path / "4", "--pipeline", pipeline, "--epoch", 1)
    assert by_file == same
    assert by_file["a.png"] != other["a.png"] != epoch["a.png"] != by_file["a.png"]


def test_a_seed_that_nobody_chose_is_printed_and_noted(photos, tmp_path):
    flags = ("--op", "Rotate degrees=-90,90")
    result = invoke("run", photos, tmp_path / "out", *flags, "--json")
    seed = json.loads(result.stdout)["seed"]
    assert f"seed {seed}: drawn anew; --seed {seed} repeats it" in result.stderr
    runs, _ = read_journal(tmp_path / "out")
    assert [run.pipeline["seed"] for run in runs.values()] == [seed]
    again = augment(photos, tmp_path / "again", *flags, "--seed", seed)
    assert again == tree(tmp_path / "out")
    result = invoke("run", photos, tmp_path / "other", *flags, "--json")
    assert json.loads(result.stdout)["seed"] != seed


def test_functions_alone_have_no_seed(photos, tmp_path):
    result = invoke("run", photos, tmp_path / "out", "--op", "invert", "--json")
    assert "seed" not in json.loads(result.stdout)
    assert "seed" not in result.stderr


def test_functions_and_transforms_may_be_mixed(photos, tmp_path):
    ops = ("--op", "Rotate degrees=-40,40", "--op", "invert", "--op", "Rotate degrees=-40,40")
    made = augment(photos, tmp_path / "out", *ops, "--seed", 5)
    key = (0, draw_index("a.png"))
    image = decode((photos / "a.png").read_bytes())
    first = ik.invert(ik.Pipeline([ik.Rotate((-40, 40))], seed=5)(image, key=key))
    same_draw = ik.Pipeline([ik.Rotate((-40, 40))], seed=5)(first, key=key)
    result = decode(made["a.png"])
    assert not np.array_equal(result, same_draw)  # the second rotation has draws of its own
    rotate = ik.Rotate((-40, 40))
    assert np.array_equal(result, ik.Pipeline([rotate, ik.invert, rotate], 5)(image, key=key))


def test_values_out_of_range_are_told_once_by_the_parent(photos, tmp_path):
    ops = ("--op", "sobel", "--op", "Rotate degrees=9", "--seed", 1)
    result = invoke("run", photos, tmp_path / "out", *ops)
    assert result.exit_code == 0
    assert result.stderr.count("warning: ") == 1
    assert "image has values from 0 to" in result.stderr


# --- names ------------------------------------------------------------------------------


def test_copies_of_one_file(photos, pipeline, tmp_path):
    (tmp_path / "out").mkdir()
    made = augment(photos / "a.png", tmp_path / "out", "--pipeline", pipeline, "--copies", 2)
    assert sorted(made) == ["a_0001.png", "a_0002.png"]
    result = invoke("augment", photos / "a.png", tmp_path / "x.webp", "--pipeline", pipeline)
    assert result.exit_code == 0
    assert not (tmp_path / ".imgkit").exists()  # a file among others is no folder of ours


def test_dry_run_names_every_copy(photos, pipeline, tmp_path):
    flags = ("--pipeline", pipeline, "--copies", 2, "--dry-run", "--format", "webp")
    result = invoke("augment", photos / "sub", tmp_path / "out", *flags)
    assert result.stdout.splitlines() == [
        f"c.png -> {tmp_path}/out/c_0001.webp",
        f"c.png -> {tmp_path}/out/c_0002.webp",
    ]
    assert not (tmp_path / "out").exists()


def test_copies_that_would_take_one_name_are_refused(photos, pipeline, tmp_path):
    (photos / "a.jpg").write_bytes((photos / "a.png").read_bytes())
    flags = ("--pipeline", pipeline, "--copies", 2, "--format", "png")
    result = invoke("augment", photos, tmp_path / "out", *flags)
    assert result.exit_code == 2
    assert "would both be written to a_0001.png" in " ".join(result.stderr.split())
    shutil.copy(photos / "a.png", photos / "x_0001.png")
    result = invoke("augment", photos / "x_0001.png", photos / "x.png", *flags[:4])
    assert result.exit_code == 2
    assert "it is SRC itself" in " ".join(result.stderr.split())


# --- wrong usage ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "either --pipeline FILE or at least one --op"),
        (["--op", "invert"], "for --op: no operation is a transform"),
        (["--op", "Rotat degrees=3"], "unknown operation 'Rotat': did you mean 'Rotate'"),
        (["--op", "Rotate degres=3"], "Rotate has no parameter 'degres': did you mean 'degrees'"),
        (["--op", "Rotate"], "Rotate needs degrees"),
        (["--op", "Rotate degrees=9,3"], "the first must not exceed the second"),
        (["--op", "ToCHW", "--op", "Invert"], "Invert comes after ToCHW"),
        (["--op", "ToCHW", "--op", "sobel"], "sobel comes after ToCHW"),
        (
            ["--op", "ToCHW"],
            "for --format: ToCHW puts the channels first; png files have them last",
        ),
        (["--op", "Normalize", "--format", "png"], "which png cannot hold"),
        (["--op", "Invert", "--copies", "0"], "--copies"),
        (["--op", "Invert", "--seed", "-1"], "--seed"),
        (["--op", "Invert", "--epoch", str(2**32)], "--epoch"),
    ],
)
def test_wrong_usage_exits_2_before_any_work(photos, tmp_path, arguments, message):
    result = invoke("augment", photos, tmp_path / "out", *arguments)
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.stderr.split())
    assert "drawn anew" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_wrong_pipeline_file_says_where(photos, tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("version: 1\nops:\n  - invert\n  - Rotate: {degres: 3}\n")
    result = invoke("run", photos, tmp_path / "out", "--pipeline", path)
    assert result.exit_code == 2
    text = " ".join(result.stderr.split())
    assert "for --pipeline: ops[1]: Rotate has no parameter 'degres'" in text


def test_a_pipe_draws_too_but_takes_one_image(photos):
    data = (photos / "a.png").read_bytes()
    flags = ("--op", "Rotate degrees=-40,40", "--seed", 4)
    result = invoke("augment", "-", "-", *flags, data=data)
    assert result.exit_code == 0, result.stderr
    aug = ik.Pipeline([ik.Rotate((-40, 40))], seed=4)
    expected = aug(decode(data), key=(0, draw_index("stdin")))
    assert np.array_equal(decode(result.stdout_bytes), expected)
    result = invoke("augment", "-", "-", *flags, "--copies", 2, data=data)
    assert (result.exit_code, "a pipe takes one image" in result.stderr) == (2, True)


# --- the journal ------------------------------------------------------------------------


def test_every_output_has_a_line_and_failures_too(photos, pipeline, tmp_path):
    (photos / "bad.png").write_bytes(b"?")
    result = invoke("augment", photos, tmp_path / "out", "--pipeline", pipeline)
    assert result.exit_code == 1
    runs, entries = read_journal(tmp_path / "out")
    assert sorted(entries) == ["a.png", "b.png", "bad.png", "sub/c.png"]
    entry = entries["sub/c.png"]
    assert (entry.status, entry.path, entry.copy) == ("ok", "sub/c.png", 1)
    assert entry.index == draw_index("sub/c.png")
    assert (entry.seed, entry.epoch) == (7, 0)
    bad = entries["bad.png"]
    assert (bad.status, bad.error, bad.sha256, bad.size) == ("failed", "unknown", "", 1)
    assert {entry.run for entry in entries.values()} == set(runs)


def test_a_shell_runs_it_and_imports_no_torch(photos, pipeline, tmp_path):
    code = (
        "import sys; from imgkit.cli.main import main\n"
        f"try: main(['augment', {str(photos)!r}, {str(tmp_path / 'out')!r}, '--pipeline', "
        f"{str(pipeline)!r}, '--workers', '2'])\n"
        "except SystemExit as end: print(end.code, 'torch' in sys.modules)"
    )
    script = tmp_path / "script.py"
    script.write_text(f"if __name__ == '__main__':\n    exec({code!r})\n")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.stdout == "0 False\n", done.stderr
    assert "3 images: 3 ok" in done.stderr
    expected = augment(photos, tmp_path / "here", "--pipeline", pipeline)
    assert tree(tmp_path / "out") == expected


def test_one_file_into_a_new_folder_is_noted_as_many_are(photos, tmp_path):
    out = f"{tmp_path / 'out'}/"
    words = ("augment", photos / "a.png", out, "--op", "RandomCrop size=8", "--copies", 2)
    assert invoke(*words).exit_code == 0
    assert invoke("replay", tmp_path / "out" / "a_0002.png").exit_code == 0
    again = invoke(*words, "--json")
    assert "as in the run before" in again.stderr
    assert json.loads(again.stdout)["skipped"] == 2


def test_a_run_to_one_file_may_be_repeated(photos, tmp_path):
    words = ("run", photos / "a.png", tmp_path / "e.png", "--op", "Rotate degrees=-15,15")
    for _ in range(2):
        result = invoke(*words)
        assert result.exit_code == 0, result.exception
