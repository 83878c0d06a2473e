"""Transforms of a user's own keep every law of imgkit's; functions stand in lists."""

import dataclasses
import functools
import importlib.metadata
import json
import pathlib
import pickle
from typing import Any

import numpy as np
import own_ops
import pytest
from click.testing import CliRunner

import imgkit as ik
from imgkit.augment.exchange.document import parse_op
from imgkit.augment.transforms import custom

OWN = {
    "Shade": own_ops.Shade((0.2, 0.9), p=0.7),
    "Slant": own_ops.Slant(p=0.7),
    "Tint": own_ops.Tint(p=0.7),
    "Speckle": own_ops.Speckle(p=0.7),
}
SIZE = (20, 24)


def images(count=6, dtype="uint8"):
    rng = np.random.default_rng(0)
    if dtype == "float32":
        return rng.random((count, *SIZE, 3), np.float32)
    return rng.integers(0, 256, (count, *SIZE, 3)).astype(dtype)


def halved(image):
    return image[::2, ::2]


def negative(image):
    return np.iinfo(image.dtype).max - image


each_own = pytest.mark.parametrize("name", OWN)


@each_own
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_batch_is_its_images_one_by_one(name, dtype):
    aug = ik.Pipeline([ik.HorizontalFlip(p=0.5), OWN[name], ik.Rotate((-5, 5))], seed=3)
    x = images(dtype=dtype)
    batch = aug(x, key=(2, range(6)))
    assert batch.dtype == x.dtype
    for i in range(6):
        assert np.array_equal(batch[i], aug(x[i], key=(2, i)))
    assert any(not np.array_equal(batch[i], batch[0]) for i in range(1, 6))


@each_own
def test_an_op_has_the_same_draws_wherever_it_stands(name):
    alone = ik.Pipeline([OWN[name]], seed=9)
    among = ik.Pipeline([ik.HorizontalFlip(p=0.5), ik.Brightness((0.5, 1.5)), OWN[name]], seed=9)
    mine, others = (p.plan(SIZE, (0, range(20))).ops[-1] for p in (alone, among))
    assert mine.keys() == others.keys()
    for key, value in mine.items():
        assert np.array_equal(value, others[key])


@each_own
def test_the_reference_and_tensors_agree(name):
    torch = pytest.importorskip("torch", reason="needs torch")
    aug, x = ik.Pipeline([ik.Rotate((-5, 5)), OWN[name]], seed=3), images()
    result = aug(x, key=(0, range(6)))
    assert np.abs(aug.reference(x, (0, range(6))).astype(int) - result).max() <= 1
    tensor = aug(torch.from_numpy(x).permute(0, 3, 1, 2), key=(0, range(6)))
    assert np.array_equal(tensor.permute(0, 2, 3, 1).numpy(), result)


@each_own
def test_text_plans_and_pickles_come_back(name):
    aug = ik.Pipeline([OWN[name], ik.OneOf([OWN[name], ik.Invert()])], seed=3)
    assert ik.Pipeline.from_yaml(aug.to_yaml()) == aug
    assert ik.Pipeline.from_json(aug.to_json()) == aug
    assert pickle.loads(pickle.dumps(aug)) == aug
    plan = aug.plan(SIZE, (0, range(4)))
    for back in (ik.Plan.from_json(plan.to_json()), pickle.loads(pickle.dumps(plan))):
        assert back == plan
        assert np.array_equal(aug.run(back, 2, images()[2]), aug.run(plan, 2, images()[2]))


def test_maps_fuse_and_labels_follow_them():
    aug = ik.Pipeline([ik.Rotate(10), own_ops.Slant(0.2), ik.HorizontalFlip()], seed=1)
    plan = aug.plan((200, 240), (0, 0))
    assert [stage.kind for stage in plan.stages] == ["resample"]
    assert "resample   Rotate + Slant + HorizontalFlip" in aug.explain()
    mask = np.zeros((200, 240), np.uint8)
    mask[80:120, 100:140] = 1
    polygon = [[100, 80], [140, 80], [140, 120], [100, 120]]
    moved = aug(image=mask * 255, mask=mask, polygons=[polygon], key=0)
    rows, columns = np.nonzero(moved["mask"])
    low, high = moved["polygons"][0].min(axis=0), moved["polygons"][0].max(axis=0)
    assert np.allclose(low, [columns.min(), rows.min()], atol=1.5)
    assert np.allclose(high, [columns.max() + 1, rows.max() + 1], atol=1.5)


def test_colors_fuse():
    aug = ik.Pipeline([ik.Brightness(0.8), own_ops.Tint(0.5)], seed=1)
    assert "1  color      Brightness + Tint" in aug.explain(SIZE)
    assert np.array_equal(
        own_ops.Tint(0.5)(np.full((2, 2, 3), 100, np.uint8), key=0)[0, 0], [50, 100, 100]
    )


def test_pixels_of_labels_stay_where_they_are():
    boxes = [[2.0, 3, 9, 9]]
    moved = ik.Pipeline([own_ops.Shade()])(image=images()[0], boxes=boxes, key=0)
    assert np.array_equal(moved["boxes"], boxes)


def test_workers_of_a_loader_run_own_transforms(tmp_path):
    pytest.importorskip("torch", reason="needs torch")
    from imgkit.torch import ImageFolder, Loader

    for i in range(8):
        path = tmp_path / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        ik.write(path, images(8)[i])
    aug = ik.Pipeline(
        [own_ops.Shade((0.2, 0.9)), own_ops.Slant(), negative, own_ops.Tint()], seed=5
    )
    batches = [
        [batch[0] for batch in Loader(ImageFolder(tmp_path), aug, batch_size=4, workers=workers)]
        for workers in (0, 2)
    ]
    for first, second in zip(*batches, strict=True):
        assert np.array_equal(np.asarray(first), np.asarray(second))


# --- errors -----------------------------------------------------------------------------


class Nothing(ik.Transform):
    share: float = 1.0


class Wider(ik.Transform):
    def apply(self, image, numbers):
        return image[:, :-1]


class Floats(ik.Transform):
    def apply(self, image, numbers):
        return image / 2


class NoArray(ik.Transform):
    def apply(self, image, numbers):
        return None


class Small(ik.Transform):
    def matrix(self, numbers, size):
        return np.eye(2)


class NotANumber(ik.Transform):
    def matrix(self, numbers, size):
        return np.full((3, 3), np.nan)


class Flat(ik.Transform):
    def matrix(self, numbers, size):
        return np.zeros((3, 3))


class Square(ik.Transform):
    def color(self, numbers):
        return np.eye(3)


@pytest.mark.parametrize(
    ("kind", "error", "message"),
    [
        (Wider, ValueError, r"ops\[1\]: Wider returned shape \(20, 23, 3\)"),
        (Floats, ValueError, r"ops\[1\]: Floats returned .* dtype float64"),
        (NoArray, TypeError, r"ops\[1\]: NoArray returned NoneType"),
        (Small, ValueError, r"ops\[1\]: Small: .*\(2, 2\)"),
        (NotANumber, ValueError, r"ops\[1\]: NotANumber: .*nan"),
        (Flat, ValueError, r"ops\[1\]: Flat: "),
        (Square, ValueError, r"ops\[1\]: Square: color returned .* it must return a 3x4 matrix"),
    ],
)
def test_wrong_results_name_the_op_and_its_place(kind, error, message):
    aug, x = ik.Pipeline([ik.HorizontalFlip(), kind()], seed=1), images(2)
    with pytest.raises(error, match=message):
        aug(x[0], key=0)
    with pytest.raises(error, match=message):
        aug(x, key=(0, [1, 2]))


def test_a_transform_that_gives_nothing_is_refused_when_it_is_made():
    with pytest.raises(TypeError, match="Nothing defines none of apply, matrix and color"):
        Nothing()


def test_a_wrong_keyword_gets_the_nearest():
    with pytest.raises(TypeError, match=r"Shade has no parameter 'shar': did you mean 'share'"):
        own_ops.Shade(shar=0.5)
    with pytest.raises(TypeError, match=r"Rotate has no parameter 'degree': .*'degrees'"):
        ik.Rotate(degree=3)


def test_names_that_no_document_can_hold():
    with pytest.raises(ValueError, match=r"ops\[1\]: Floats is not registered: imgkit.register"):
        ik.Pipeline([ik.Invert(), Floats()]).to_yaml()
    with pytest.raises(ValueError, match=r"ops\[0\]: negative is a function of your own"):
        ik.Pipeline([negative]).to_json()
    with pytest.raises(ValueError, match=r"ops\[0\]: unknown operation 'Blurry': .*register"):
        ik.Pipeline.from_yaml("{version: 1, ops: [Blurry]}")


def test_registered_names_belong_to_one_class(monkeypatch):
    monkeypatch.setattr(custom, "_REGISTERED", {})
    ik.register(Floats)
    assert ik.register(Floats) is Floats
    other = type("Floats", (ik.Transform,), {"apply": Floats.apply, "__module__": "elsewhere"})
    with pytest.raises(ValueError, match="has registered that name"):
        ik.register(other)
    with pytest.raises(TypeError, match=r"must be a subclass of imgkit\.Transform"):
        ik.register(negative)


# --- names from elsewhere -----------------------------------------------------------------


def test_entry_points_announce_transforms(monkeypatch):
    point = importlib.metadata.EntryPoint("Shade", "own_ops:Shade", "imgkit.ops")
    monkeypatch.setattr(custom, "_REGISTERED", {})
    monkeypatch.setattr(
        importlib.metadata,
        "entry_points",
        lambda group, name=None: [point] if name in (None, "Shade") else [],
    )
    found = ik.Pipeline.from_yaml("{version: 1, ops: [Shade: {share: 0.25}]}")
    assert found == ik.Pipeline([own_ops.Shade(0.25)])
    assert "Shade" in custom.registered_names()


def test_the_command_line_imports_a_module(tmp_path, monkeypatch):
    from imgkit.cli.main import main

    monkeypatch.setattr(custom, "_REGISTERED", {})
    monkeypatch.chdir(tmp_path)
    text = pathlib.Path(own_ops.__file__).read_text()
    (tmp_path / "ops_of_mine.py").write_text(text)
    (tmp_path / "photos").mkdir()
    ik.write(tmp_path / "photos" / "a.png", images()[0])
    words = ["--op", "Shade share=0.2,0.6", "--seed", "7", "--workers", "1"]
    refused = CliRunner().invoke(main, ["run", "photos", "out", *words])
    assert refused.exit_code == 2
    assert "unknown operation 'Shade'" in refused.stderr
    assert "--import MODULE" in refused.stderr
    done = CliRunner().invoke(main, ["run", "photos", "out", "--import", "ops_of_mine", *words])
    assert done.exit_code == 0, done.stderr
    journal = (tmp_path / "out" / ".imgkit" / "journal.jsonl").read_text().splitlines()
    assert json.loads(journal[0])["pipeline"]["ops"] == [{"Shade": {"share": [0.2, 0.6]}}]
    missing = CliRunner().invoke(main, ["run", "photos", "out", "--import", "nowhere", *words])
    assert missing.exit_code == 2
    assert "'nowhere' cannot be imported" in missing.stderr


# --- functions ----------------------------------------------------------------------------


def test_functions_stand_in_a_list():
    x = images()
    aug = ik.Pipeline(
        [ik.HorizontalFlip(), negative, functools.partial(ik.box_blur, size=3), ik.sobel], seed=1
    )
    result = aug(x[0], key=0)
    assert np.array_equal(result, ik.sobel(ik.box_blur(negative(x[0, :, ::-1]), 3)))
    assert np.array_equal(aug(x, key=(0, range(6)))[0], result)
    assert "negative: a function, on the pixels as they are" in aug.explain(SIZE)
    assert pickle.loads(pickle.dumps(aug)) == aug


def test_a_probability_decides_by_the_key():
    aug = ik.Pipeline([ik.Call(negative, p=0.5)], seed=4)
    x = images(40)
    changed = [not np.array_equal(aug(x[i], key=i), x[i]) for i in range(40)]
    assert 5 < sum(changed) < 35
    batch = aug(x, key=(0, range(40)))
    assert [not np.array_equal(b, a) for a, b in zip(x, batch, strict=True)] == changed


def test_functions_do_not_leave_labels_behind():
    boxes = [[2.0, 3, 9, 9]]
    x = images()[0]
    kept = ik.Pipeline([ik.HorizontalFlip(), negative])(image=x, boxes=boxes, key=0)
    assert np.array_equal(kept["boxes"], [[15.0, 3, 22, 9]])
    with pytest.raises(ValueError, match=r"ops\[0\]: max_pool moves pixels, and boxes would stay"):
        ik.Pipeline([ik.Call(ik.max_pool, size=2)])(image=x, boxes=boxes, key=0)
    with pytest.raises(ValueError, match=r"ops\[0\]: halved changed the image's size"):
        ik.Pipeline([halved])(image=x, boxes=boxes, key=0)


def test_errors_of_functions_name_their_place():
    def broken(image):
        raise ValueError("no")

    with pytest.raises(ValueError, match=r"ops\[1\]: broken: no"):
        ik.Pipeline([ik.Invert(), broken])(images()[0], key=0)
    with pytest.raises(TypeError, match=r"ops\[0\] returned|ops\[0\]: <lambda> returned NoneType"):
        ik.Pipeline([lambda image: None])(images()[0], key=0)
    with pytest.raises(TypeError, match=r"box_blur has no parameter 'sice': did you mean 'size'"):
        ik.Call(ik.box_blur, sice=3)
    with pytest.raises(TypeError, match=r"gradient does not return an image"):
        ik.Pipeline([ik.gradient])


# --- what a user's ops may hold and do ----------------------------------------------------


class Holds(ik.Transform):
    value: Any = None

    def apply(self, image, numbers):
        return np.full_like(image, 1 if numbers["value"] is True else 2)


@dataclasses.dataclass
class Callable:
    level: int = 255

    def __call__(self, image):
        return self.level - image


def test_ops_may_hold_anything_and_equal_ones_are_not_the_same():
    x = images(1)[0]
    assert [Holds(v)(x, key=0).max() for v in (True, 1, np.eye(3), [1])] == [1, 2, 2, 2]
    assert np.array_equal(ik.Pipeline([Callable()])(x, key=0), 255 - x)


def test_functions_never_write_to_the_input():
    def zero(image):
        image[:] = 0
        return image

    x = images(2)
    x.flags.writeable = False
    aug = ik.Pipeline([zero])
    assert aug(x[0], key=0).max() == aug(x, key=(0, [0, 1])).max() == 0
    kept = ik.Pipeline([ik.Call(negative, p=0.0)])(x[0], key=0)
    assert np.array_equal(kept, x[0])
    assert not np.shares_memory(kept, x)


def test_choices_do_not_leave_labels_behind():
    flip = ik.Call(ik.flip, axis="horizontal")
    aug = ik.Pipeline([ik.OneOf([flip, ik.Invert()])])
    with pytest.raises(ValueError, match=r"flip moves pixels, and boxes would stay behind"):
        aug(image=images()[0], boxes=[[0, 0, 4, 4]], key=0)
    with pytest.raises(ValueError, match=r"flip moves pixels, and keypoints would stay behind"):
        aug.invert(keypoints=[[1, 1]], size=SIZE, key=0)
    idle = ik.Pipeline([ik.Call(ik.flip, p=0.0)])
    assert idle(image=images()[0], boxes=[[0, 0, 4, 4]], key=0)["boxes"].tolist() == [[0, 0, 4, 4]]


def test_labels_beside_functions_are_as_without_them():
    ops = [ik.HorizontalFlip(), ik.Resize((12, 16)), ik.VerticalFlip()]
    plain = ik.Pipeline(ops, seed=1)
    mixed = ik.Pipeline([ops[0], negative, ops[1], negative, ops[2]], seed=1)
    for labels in (
        {"keypoints": [[3, 3.0]]},
        {"boxes": [[1, 1, 5, 5.0]], "box_format": "xywh"},
        {"boxes": [[0.1, 0.1, 0.5, 0.5]], "box_normalized": True},
    ):
        name = next(iter(labels))
        for call in (mixed.invert, mixed):
            other = plain.invert if call == mixed.invert else plain
            mine, theirs = (run(size=SIZE, key=0, **labels)[name] for run in (call, other))
            np.testing.assert_allclose(mine, theirs)
    with pytest.raises(ValueError, match="boxes"):
        ik.Pipeline([negative])(image=images()[0], boxes="abc", key=0)
    with pytest.raises(ValueError, match="halved changes the image's size"):
        ik.Pipeline([ik.Invert(), halved]).invert(keypoints=[[0, 0]], size=SIZE, key=0)


def test_batches_keep_their_container():
    torch = pytest.importorskip("torch", reason="needs torch")
    aug, x = ik.Pipeline([ik.Resize((8, 9)), ik.sobel]), images()
    tensor = torch.from_numpy(x).permute(0, 3, 1, 2)
    assert isinstance(aug(image=tensor, key=(0, range(6)))["image"], torch.Tensor)
    assert isinstance(aug(images=tensor, key=0)["images"], torch.Tensor)
    empty, full = aug(x[:0], key=(0, [])), aug(x, key=(0, range(6)))
    assert (empty.shape[1:], empty.dtype) == (full.shape[1:], full.dtype)


class Mixed(ik.Transform):
    def draw(self, rng, size):
        return {"k": rng.choice([1, 2.5]), "places": [rng.integers(0, 9) for _ in range(3)]}

    def apply(self, image, numbers):
        level = 10 if isinstance(numbers["k"], int) else 20
        return np.full_like(image, level + numbers["places"][0])


def test_drawn_numbers_keep_their_type(monkeypatch):
    monkeypatch.setattr(custom, "_REGISTERED", {"Mixed": Mixed})
    aug, x = ik.Pipeline([Mixed()], seed=1), images()
    batch = aug(x, key=(0, range(6)))
    assert all(np.array_equal(batch[i], aug(x[i], key=(0, i))) for i in range(6))
    assert len({int(image[0, 0, 0]) // 10 for image in batch}) == 2
    plan = aug.plan(SIZE, (0, range(6)))
    back = ik.Plan.from_json(plan.to_json())
    assert np.array_equal(aug.run(back, 3, x[3]), batch[3])


class Label(ik.Transform):
    mode: str = "a"

    def apply(self, image, numbers):
        return image


def test_text_that_looks_like_a_number_stays_text(monkeypatch):
    monkeypatch.setattr(custom, "_REGISTERED", {"Label": Label})
    for mode in ("5", "1e3", "007"):
        aug = ik.Pipeline([Label(mode)])
        assert ik.Pipeline.from_yaml(aug.to_yaml()) == aug
        assert ik.Pipeline.from_json(aug.to_json()) == aug
        assert parse_op(f"Label mode={mode}") == Label(mode)


class Broken(ik.Transform):
    def apply(self, image, numbers):
        return int("x")


def test_errors_inside_an_own_op_name_it():
    with pytest.raises(ValueError, match=r"ops\[1\]: Broken: invalid literal"):
        ik.Pipeline([ik.Invert(), Broken()])(images()[0], key=0)
    with pytest.raises(ValueError, match=r"ops\[0\] is a function: a document holds names"):
        ik.Pipeline.from_document({"version": 1, "ops": [negative]})
    with pytest.raises(TypeError, match=r"Named.name: that name is taken"):
        type("Named", (ik.Transform,), {"__annotations__": {"name": str}, "name": "q"})


def test_a_run_with_own_ops_can_be_replayed(tmp_path, monkeypatch):
    from imgkit.cli.main import main

    monkeypatch.setattr(custom, "_REGISTERED", {})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ops_to_replay.py").write_text(pathlib.Path(own_ops.__file__).read_text())
    (tmp_path / "photos").mkdir()
    ik.write(tmp_path / "photos" / "a.png", images()[0])
    words = ["--import", "ops_to_replay", "--op", "Shade share=0.2,0.6", "--workers", "1"]
    assert CliRunner().invoke(main, ["run", "photos", "out", *words]).exit_code == 0
    done = CliRunner().invoke(main, ["replay", "out/a.png", "--import", "ops_to_replay"])
    assert done.exit_code == 0, done.stderr
    assert "the bytes agree" in done.stderr


class Fields(ik.Transform):
    level: float = dataclasses.field(default=0.5, kw_only=True)

    def apply(self, image, numbers):
        return np.full_like(image, int(numbers["level"] * 100))


class Filled(ik.Transform):
    fill: float = 0.5
    border: str = "constant"

    def matrix(self, numbers, size):
        return ik.translation(5, 0)


def test_declarations_mean_what_they_say():
    drawn = {int(Fields(level=(0.2, 0.8))(images(1)[0], key=i).max()) for i in range(8)}
    assert len(drawn) > 2
    assert drawn <= set(range(20, 80))
    assert Filled()(images(1)[0], key=0)[0, 0].tolist() == [128, 128, 128]
    with pytest.raises(ValueError, match=r"border is 'replicate': did you mean 'edge'"):
        Filled(border="replicate")(images(1)[0], key=0)
    with pytest.raises(TypeError, match=r"derive it from imgkit\.Transform"):
        type("Other", (ik.HorizontalFlip,), {"apply": lambda self, image, numbers: image})


def test_a_plan_runs_functions_of_any_result():
    x = images(1)[0]
    aug = ik.Pipeline([ik.HorizontalFlip(), ik.to_float, halved, ik.VerticalFlip()], seed=1)
    assert np.array_equal(aug.run(aug.plan(SIZE, 0), 0, x), aug(x, key=0))
    again = pickle.loads(pickle.dumps(ik.Call(functools.partial(with_p, p=0.3))))
    assert np.array_equal(again(x, key=0), with_p(x, 0.3))


def with_p(image, p):
    return (image * p).astype(image.dtype)


def test_of_several_samples_the_first_is_explained():
    aug = ik.Pipeline([ik.RandomResizedCrop(9), halved, ik.Rotate((-5, 5))], seed=1)
    assert "5 x 5 -> 5 x 5" in aug.explain(SIZE, key=(0, [4, 5]))
