"""A pipeline is a sequence: lists nest, add up and slice; one document is read everywhere."""

import pathlib

import numpy as np
import pytest
from click.testing import CliRunner

import imgkit as ik
from imgkit.cli.main import main

SAMPLES = sorted((pathlib.Path(__file__).parents[2] / "samples" / "pipelines").glob("*.yaml"))
IMAGE = np.random.default_rng(0).integers(0, 256, (96, 120, 3), np.uint8)


def test_a_pipeline_is_a_sequence():
    flip, turn = ik.HorizontalFlip(p=0.5), ik.Rotate((-5, 5))
    pipeline = ik.Pipeline([flip, turn, ik.invert], seed=3)
    assert len(pipeline) == 3
    assert pipeline[1] is turn
    assert list(pipeline) == [flip, turn, ik.Call(ik.invert)]
    assert pipeline[:2] == ik.Pipeline([flip, turn], seed=3)
    assert pipeline[-1] == ik.Call(ik.invert)


def test_pipelines_nest_and_add_up():
    flip, turn = ik.HorizontalFlip(p=0.5), ik.Rotate((-5, 5))
    first, second = ik.Pipeline([flip], seed=3), ik.Pipeline([turn], seed=4)
    both = ik.Pipeline([flip, turn], seed=3)
    assert first + second == both
    assert first + turn == both
    assert first + [turn] == both  # noqa: RUF005  not a list
    assert [flip] + second == ik.Pipeline([flip, turn], seed=4)  # noqa: RUF005
    assert ik.Pipeline([first, second]) == both
    assert ik.Pipeline([first, turn], seed=8) == ik.Pipeline([flip, turn], seed=8)
    assert np.array_equal((first + second)(IMAGE, key=5), both(IMAGE, key=5))


def test_an_empty_pipeline_adds_nothing():
    assert ik.Pipeline([]) + ik.Invert() == ik.Pipeline([ik.Invert()])
    assert len(ik.Pipeline([])) == 0
    assert np.array_equal(ik.Pipeline([])(IMAGE, key=0), IMAGE)


def test_one_list_has_one_canvas():
    opened = ik.Pipeline([ik.Rotate(5)], canvas="open")
    assert (opened + ik.Shear(3)).canvas == "open"
    with pytest.raises(ValueError, match=r"ops\[1\] has canvas 'open'"):
        ik.Pipeline([ik.Shear(3), opened])


def test_an_op_called_alone_is_a_pipeline_of_it():
    turn = ik.Rotate((-20, 20))
    assert np.array_equal(turn(IMAGE, key=4), ik.Pipeline([turn])(IMAGE, key=4))
    moved = turn(image=IMAGE, boxes=[[10, 10, 40, 40]], key=4)
    assert np.array_equal(moved["image"], turn(IMAGE, key=4))


@pytest.mark.parametrize(
    ("ops", "message"),
    [
        ([3], r"ops\[0\] is 3: it must be a transform"),
        ([ik.Invert(), "Rotate"], r"ops\[1\] is 'Rotate'"),
        ([ik.Rotate], r"ops\[0\] is the class Rotate: write Rotate\(...\)"),
        ("Invert", "takes a list of transforms"),
        (ik.Invert(), "takes a list of transforms"),
    ],
)
def test_what_cannot_stand_in_a_list(ops, message):
    with pytest.raises(TypeError, match=message):
        ik.Pipeline(ops)


def test_a_pipeline_cannot_contain_itself():
    class Knot(ik.Pipeline):
        def imgkit_ops(self):
            return (self,)

    with pytest.raises(ValueError, match=r"ops\[0\] contains a pipeline that contains itself"):
        ik.Pipeline([Knot([ik.Invert()])])
    text = "version: 1\nops: &a\n  - OneOf: {ops: *a}\n"
    with pytest.raises(ValueError, match=r"refers to itself|contains itself|not YAML"):
        ik.Pipeline.from_yaml(text)


def test_runs_of_both_kinds_draw_by_their_own_occurrence():
    turn = ik.Rotate((-20, 20))
    pipeline = ik.Pipeline([turn, ik.invert, turn], seed=5)
    first, second = (op for op in pipeline.plan((96, 120), 3).ops if op["op"] == "Rotate")
    assert (first["occurrence"], second["occurrence"]) == (0, 1)
    assert first["degrees"] != second["degrees"]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_sample_pipelines_run_in_python_and_on_the_command_line(path, tmp_path):
    pipeline = ik.Pipeline.from_yaml(path)
    assert ik.Pipeline.from_yaml(pipeline.to_yaml()) == pipeline
    result = pipeline(IMAGE, key=(0, 0))
    (tmp_path / "in").mkdir()
    ik.write(tmp_path / "in" / "a.png", IMAGE)
    words = ["run", str(tmp_path / "in"), str(tmp_path / "out"), "--pipeline", str(path)]
    extra = ["--format", "npy", "--workers", "1"]
    done = CliRunner().invoke(main, [*words, *extra])
    assert done.exit_code == 0, done.stderr
    written = np.load(tmp_path / "out" / "a.npy")
    assert written.shape == result.shape
    if not pipeline.is_random:
        assert np.array_equal(written != 0, result != 0)  # a mask is written as 0 and 255
    explained = CliRunner().invoke(main, ["explain", str(path), "--size", "96,120"])
    assert explained.exit_code == 0, explained.stderr


@pytest.mark.parametrize("kind", ["array", "tensor", "transform", "sample"])
def test_a_pipeline_within_compiled_code_is_the_eager_one(kind):
    torch = pytest.importorskip("torch")
    torch._dynamo.reset()
    crop = ik.RandomResizedCrop(32)
    aug = ik.Pipeline([crop, ik.Elastic(2.0, sigma=4.0), ik.GaussianNoise(0.1)], seed=1)
    image = IMAGE if kind == "array" else torch.from_numpy(IMAGE).permute(2, 0, 1).contiguous()

    def run(x):
        if kind == "sample":
            return aug(image=x, key=(2, 3))["image"] * 1
        return (crop if kind == "transform" else aug)(x, key=(2, 3)) * 1

    found, expected = torch.compile(run, backend="eager")(image), run(image)
    assert found.dtype == expected.dtype
    assert (np.asarray(found) == np.asarray(expected)).all()
    torch._dynamo.reset()
