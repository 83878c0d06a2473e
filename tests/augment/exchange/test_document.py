"""Text that comes back as the same pipeline, and what is said of text that cannot."""

import enum
import json
import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import imgkit as ik
from imgkit.augment.exchange.document import build_op, functions, parse_op, parse_value
from imgkit.augment.transforms.base import Transform
from imgkit.registry import FUNCTIONS, TRANSFORMS

OUTPUT = ("Normalize", "ToFloat", "ToCHW")


def example(name, **changes):
    return getattr(ik, name)(**{**TRANSFORMS[name].example, **changes})


def ways(pipeline):
    """The pipeline, by way of each text."""
    yield ik.Pipeline.from_yaml(pipeline.to_yaml())
    yield ik.Pipeline.from_json(pipeline.to_json())
    yield ik.Pipeline.from_yaml(pipeline.to_json())  # JSON is YAML
    yield pickle.loads(pickle.dumps(pipeline))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_every_transform_comes_back(name):
    p = {} if name in OUTPUT else {"p": 0.25}
    pipeline = ik.Pipeline([example(name, **p)], seed=2**64 - 1)
    for back in ways(pipeline):
        assert back == pipeline
        assert repr(back) == repr(pipeline)
        assert back.plan((64, 80), (3, 5)) == pipeline.plan((64, 80), (3, 5))


numbers = st.floats(0.1, 2.0) | st.just(1e-7 + 0.5)
params = (
    numbers
    | st.tuples(numbers, numbers).map(lambda pair: tuple(sorted(pair)))
    | st.lists(numbers, min_size=1, max_size=3).map(ik.Choice)
)
chances = st.floats(0, 1)
leaves = st.one_of(
    st.builds(ik.Rotate, params, border=st.sampled_from(["constant", "reflect"]), p=chances),
    st.builds(ik.Translate, params, params, fill=st.just((0.5, 0.25, 1.0)), p=chances),
    st.builds(ik.Brightness, params, p=chances),
    st.builds(ik.Gamma, params),
    st.builds(ik.Rotate90, st.integers(0, 3) | st.just(ik.Choice([1, 3]))),
    st.builds(ik.ColorJitter, st.floats(0, 1), hue=st.floats(0, 0.5)),
    st.builds(ik.Resize, st.tuples(st.integers(1, 99), st.integers(1, 99))),
    st.builds(ik.Pad, st.just((1, 2, 3, 4)) | st.integers(0, 3)),
    st.builds(ik.Sobel, normalized=st.booleans()),
)


def controls(children):
    lists = st.lists(children, min_size=2, max_size=3)
    weighted = lists.flatmap(
        lambda ops: st.builds(
            ik.OneOf, st.just(ops), st.just([float(i + 1) for i in range(len(ops))])
        )
    )
    some = st.builds(ik.SomeOf, lists, st.sampled_from([0, 1, (1, 2)]), p=chances)
    return st.builds(ik.OneOf, lists, p=chances) | weighted | some


@given(
    ops=st.lists(st.recursive(leaves, controls, max_leaves=5), max_size=4),
    seed=st.none() | st.integers(0, 2**64 - 1),
)
@settings(deadline=None, max_examples=60)
def test_any_pipeline_comes_back(ops, seed):
    pipeline = ik.Pipeline(ops, seed)
    for back in ways(pipeline):
        assert back == pipeline


def test_text_is_what_a_person_would_write():
    pipeline = ik.Pipeline(
        [
            ik.HorizontalFlip(),
            ik.Rotate((-15, 15), p=0.5),
            ik.Rotate90(ik.Choice([1, 3])),
            ik.OneOf([ik.Invert(), ik.Posterize(4)], weights=[1, 3]),
        ],
        seed=7,
    )
    assert pipeline.to_yaml() == (
        "version: 1\n"
        "seed: 7\n"
        "ops:\n"
        "- HorizontalFlip\n"
        "- Rotate:\n"
        "    degrees: [-15.0, 15.0]\n"
        "    p: 0.5\n"
        "- Rotate90:\n"
        "    k:\n"
        "      choice: [1, 3]\n"
        "- OneOf:\n"
        "    ops:\n"
        "    - Invert\n"
        "    - Posterize: {bits: 4}\n"
        "    weights: [1.0, 3.0]\n"
    )


def test_numbers_and_defaults_read_as_written():
    text = """
    version: 1
    ops:
      - Gamma: {gamma: 1e-3}
      - Resize: {size: 24, edge: shorter}
      - SomeOf: {count: 1, ops: [Invert, {Rotate: {degrees: [-5, 5]}}]}
      - Normalize
    """
    pipeline = ik.Pipeline.from_yaml(text)
    assert pipeline == ik.Pipeline(
        [
            ik.Gamma(0.001),
            ik.Resize(24, edge="shorter"),
            ik.SomeOf([ik.Invert(), ik.Rotate((-5, 5))], 1),
            ik.Normalize("imagenet"),
        ]
    )
    assert pipeline.seed is None


def test_a_path_is_a_path_object_or_a_line_with_its_suffix(tmp_path, monkeypatch):
    pipeline = ik.Pipeline([ik.Invert()], seed=1)
    for name, text in (
        ("a.yaml", pipeline.to_yaml()),
        ("a.yml", pipeline.to_yaml()),
        ("a.json", pipeline.to_json()),
    ):
        (tmp_path / name).write_text(text)
        assert ik.Pipeline.from_yaml(tmp_path / name) == pipeline
        assert ik.Pipeline.from_yaml(str(tmp_path / name)) == pipeline
    assert ik.Pipeline.from_json(str(tmp_path / "a.json")) == pipeline
    for missing in (tmp_path / "no.yaml", str(tmp_path / "no.yaml"), tmp_path / "no"):
        with pytest.raises(FileNotFoundError):
            ik.Pipeline.from_yaml(missing)
    with pytest.raises(TypeError, match="text_or_path is 3"):
        ik.Pipeline.from_yaml(3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1\nops: [", "not YAML: line 2"),
        ("version: 1\nops: [!!python/object/apply:os.system [ls]]", "not YAML: line 2"),
        ("a\x00b", "not YAML"),
        ("", "a mapping with the keys version and ops"),
        ("[Invert]", "a mapping with the keys version and ops"),
        ("version: 1\nopps: []", "key 'opps' is unknown: did you mean 'ops'"),
        ("ops: []", "version is None"),
        ("version: 2\nops: []", "version is 2: this imgkit reads version 1"),
        ("version: '1'\nops: []", "version is '1'"),
        ("version: 1\nversion: 1\nops: []", "line 2: key 'version' is given twice"),
        ("version: 1\nops: [{Rotate: {degrees: 1, degrees: 2}}]", "line 2: key 'degrees'"),
        ("version: 1\nops: &a [*a]", "anchors are not read"),
        ("version: 1\nops: [{Gamma: &g {gamma: 2}}, {Gamma: *g}]", "anchors are not read"),
        ("version: 1\nops: " + "[" * 2000 + "]" * 2000, "nested too deeply"),
        ("version: 1\nseed: x\nops: []", "seed is 'x'"),
        ("version: 1\nseed: -1\nops: []", "seed is -1"),
        ("version: 1\nops: Invert", "ops must be a list"),
        ("version: 1\nops: [Rotatr]", r"ops\[0\]: unknown operation 'Rotatr': .* 'Rotate'"),
        ("version: 1\nops: [Pipeline]", r"ops\[0\]: unknown operation 'Pipeline'"),
        ("version: 1\nops: [Choice]", r"ops\[0\]: unknown operation 'Choice'"),
        ("version: 1\nops: [Invert, {Rotate: {degree: 3}}]",
         r"ops\[1\]: Rotate has no parameter 'degree': did you mean 'degrees'"),
        ("version: 1\nops: [Rotate]", r"ops\[0\]: Rotate needs degrees"),
        ("version: 1\nops: [{Rotate: 3}]", r"ops\[0\]: Rotate has 3"),
        ("version: 1\nops: [{Rotate: {degrees: x}}]", r"ops\[0\]: Rotate: degrees is 'x'"),
        ("version: 1\nops: [{Rotate: {degrees: [1, 2, 3]}}]", r"ops\[0\]: Rotate: degrees is"),
        ("version: 1\nops: [{Rotate: {degrees: .nan}}]", r"ops\[0\]: Rotate: degrees is nan"),
        ("version: 1\nops: [{Rotate: {degrees: {any: [1]}}}]", r"ops\[0\].Rotate.degrees is"),
        ("version: 1\nops: [{Rotate: {degrees: {choice: []}}}]",
         r"ops\[0\].Rotate.degrees: options is"),
        ("version: 1\nops: [{Rotate: {degrees: 1, p: 2}}]", r"ops\[0\]: Rotate: p is 2"),
        ("version: 1\nops: [{OneOf: {ops: [Invert, Invrt]}}]",
         r"ops\[0\].OneOf.ops\[1\]: unknown operation 'Invrt': did you mean 'Invert'"),
        ("version: 1\nops: [{OneOf: {ops: Invert}}]", r"ops\[0\].OneOf.ops is 'Invert'"),
        ("version: 1\nops: [{OneOf: {ops: [Invert], weights: [1, 2]}}]",
         "weights has 2 entries for 1"),
        ("version: 1\nops: [{SomeOf: {ops: [Invert], count: 3}}]", "count is .* at most 1"),
        ("version: 1\nops: [{Invert: {}, Gamma: {}}]", r"ops\[0\] is"),
        ("version: 1\nops: [3]", r"ops\[0\] is 3: write a name"),
        ("version: 1\nops: [ToCHW, Invert]", "Invert comes after ToCHW"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_the_nearest_known(text, message):
    with pytest.raises(ValueError, match=message):
        ik.Pipeline.from_yaml(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"version": 1,\n"ops": [}', "not JSON: line 2"),
        ('{"version": 1, "version": 1, "ops": []}', "key 'version' is given twice"),
        ('{"version": 1, "ops": [{"Rotate": {"degrees": NaN}}]}', "degrees is nan"),
        ('{"version": 1, "ops": ["Rotat"]}', "did you mean 'Rotate'"),
        ("[" * 200000, "not JSON"),
    ],
)
def test_wrong_json(text, message):
    with pytest.raises(ValueError, match=message):
        ik.Pipeline.from_json(text)


def test_json_and_yaml_are_one_document():
    pipeline = ik.Pipeline([ik.Rotate(ik.Choice([1, 2])), ik.Pad(2)], seed=5)
    assert json.loads(pipeline.to_json()) == yaml.safe_load(pipeline.to_yaml())


def test_only_registered_transforms_have_a_text():
    class Invrt(Transform):
        def color(self, numbers):
            return np.eye(3, 4)

    @dataclass(frozen=True)  # harmless: the base makes it one
    class Invert(Transform):
        share: float = 0.5

        def color(self, numbers):
            return np.eye(3, 4)

    with pytest.raises(ValueError, match=r"Invrt is not registered: imgkit.register\(Invrt\)"):
        ik.Pipeline([Invrt()]).to_yaml()
    with pytest.raises(ValueError, match="Invert is not registered"):  # the name is imgkit's
        ik.Pipeline([Invert((0.1, 0.9))]).to_json()


# --- operations of the command line -------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-0.5", -0.5),
        ("1e-3", 0.001),
        ("true", True),
        ("sobel_x", "sobel_x"),
        ("60,90", (60, 90)),
        ("-15,15", (-15, 15)),
        ("5,", (5,)),
        ("[[0, 1e2], [2, 3]]", ((0, 100.0), (2, 3))),
        ("0.5,half", (0.5, "half")),
        ("null", "null"),
        ("[oops", "[oops"),
    ],
)
def test_values(text, value):
    assert parse_value(text) == value
    assert type(parse_value(text)) is type(value)


def test_an_operation_is_a_name_and_arguments():
    assert parse_op("max_pool size=2,3 ceil=true") == ik.Call(ik.max_pool, size=(2, 3), ceil=True)
    assert parse_op("convolve kernel='sobel_x'") == ik.Call(ik.convolve, kernel="sobel_x")
    assert parse_op("Rotate degrees=-5,5 p=0.5") == ik.Rotate((-5, 5), p=0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "op is empty"),
        ("max_pol size=2", "unknown operation 'max_pol': did you mean 'max_pool'"),
        ("gradient", "gradient does not return an image"),
        ("max_pool sise=2", "max_pool has no parameter 'sise': did you mean 'size'"),
        ("max_pool x=2 size=2", "max_pool has no parameter 'x'"),
        ("max_pool", "max_pool needs size: write size=..."),
        ("max_pool 2", "'2' is not an argument: write name=value"),
        ("max_pool size=2 size=3", "size is given twice"),
        ("max_pool 'size=2", "No closing quotation"),
    ],
)
def test_a_wrong_operation_is_named_with_the_nearest_known(text, message):
    with pytest.raises(ValueError, match=message):
        parse_op(text)


def test_functions_and_transforms_share_one_document():
    text = """
    version: 1
    seed: 3
    ops:
      - max_pool: {size: [2, 3], ceil: true}
      - convolve: {kernel: [[1e0, 0], [0, -1]]}
      - Rotate: {degrees: [-5, 5]}
      - sharpen
    """
    pipeline = ik.Pipeline.from_yaml(text)
    assert pipeline == ik.Pipeline(
        [
            ik.Call(ik.max_pool, size=(2, 3), ceil=True),
            ik.Call(ik.convolve, kernel=((1.0, 0), (0, -1))),
            ik.Rotate((-5, 5)),
            ik.sharpen,
        ],
        seed=3,
    )
    assert ik.Pipeline.from_yaml(pipeline.to_yaml()) == pipeline
    assert ik.Pipeline.from_json(pipeline.to_json()) == pipeline


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not YAML"),
        ("- max_pool", "a mapping with the keys version and ops"),
        ("version: 1\nopps: []", "key 'opps' is unknown: did you mean 'ops'"),
        ("ops: [max_pool]", "version is None: this imgkit reads version 1"),
        ("version: 2\nops: [invert]", "version is 2"),
        ("version: true\nops: [invert]", "version is True"),
        ("version: 1\nseed: x\nops: [invert]", "seed is 'x'"),
        ("version: 1\nops: invert", "ops must be a list"),
        ("version: 1\nops: [max_pool: {sise: 2}]", r"ops\[0\]: max_pool has no parameter 'sise'"),
        ("version: 1\nops: [max_pool: 2]", r"ops\[0\]: max_pool has 2"),
        ("version: 1\nops: [3]", r"ops\[0\] is 3: write a name"),
        ("version: 1\nops: [{a: 1, b: 2}]", r"ops\[0\] is"),
        ("version: 1\nops: [!!python/object:os.system {}]", "not YAML"),
    ],
)
def test_a_wrong_document_is_refused_with_its_place(text, message):
    with pytest.raises(ValueError, match=message):
        ik.Pipeline.from_yaml(text)


def test_every_function_of_an_image_is_an_operation():
    for name in functions():
        example = FUNCTIONS[name].example
        assert build_op(name, example) == ik.Call(getattr(ik, name), **example)


class Word(str, enum.Enum):  # noqa: UP042  # what programs of other libraries define
    EDGE = "edge"
    BOX = "bilinear"
    PRESET = "imagenet"


class Count(enum.IntEnum):
    THREE = 3


@pytest.mark.parametrize("text", [np.str_, Word])
def test_words_and_numbers_of_subclasses_are_written_as_what_they_are(text):
    edge, bilinear, preset = text("edge"), text("bilinear"), text("imagenet")
    pipeline = ik.Pipeline(
        [
            ik.Rotate((-9, 9), border=edge, interpolation=bilinear),
            ik.Call(ik.box_blur, size=Count.THREE, border=edge),
            ik.Posterize(ik.Choice([Count.THREE, np.int64(4)])),
            ik.OneOf([ik.Pad(2, border=edge), ik.HorizontalFlip()]),
            ik.Normalize(preset),
        ],
        seed=np.int64(3),
    )
    x = np.arange(180, dtype=np.uint8).reshape(6, 10, 3)
    expected = pipeline(x, key=(0, 1))
    for again in (
        ik.Pipeline.from_yaml(pipeline.to_yaml()),
        ik.Pipeline.from_yaml(pipeline.to_json()),
    ):
        np.testing.assert_array_equal(again(x, key=(0, 1)), expected)
        assert again.to_yaml() == pipeline.to_yaml()
