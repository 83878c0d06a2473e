"""Build a data set: the bytes repeat, DST is whole or absent, an interrupted build continues."""

import hashlib
import json
import os
import pathlib
import shutil
import tarfile

import numpy as np
import pytest

from imgkit.dataset import build as dataset
from imgkit.dataset import card, staging
from imgkit.dataset.build import as_rgb, build
from imgkit.dataset.presets import preset_pipeline
from imgkit.dataset.split import BuildOptions, folds, plan, split
from imgkit.dataset.staging import Record
from imgkit.dataset.stats import Bad, Figures, measure
from imgkit.folder.scan import scan
from imgkit.io.decode import decode
from imgkit.io.encode import encode
from imgkit.io.header import BadImage

SPLIT = split("80/10/10")
CLASSES = ("cat", "dog", "ünïcode", "with space")


def tree(folder):
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Forty images of four classes, some deeper, some gray, some 16-bit."""
    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(6)
    for i in range(40):
        shape = (20 + i % 7, 30 - i % 5, 3) if i % 4 else (24, 24)
        kind, dtype = ("png", np.uint16) if i % 5 == 0 else ("jpg", np.uint8)
        image = rng.integers(0, np.iinfo(dtype).max + 1, shape, dtype)
        path = root / CLASSES[i % 4] / ("deep" if i % 3 else ".") / f"{i}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(image, kind))
    return root


def make(src, dst, build_options, workers=0, **options):
    planned = plan(scan(str(src)).images, str(src), str(dst), build_options)
    return build(planned, str(src), str(dst), build_options, workers=workers, **options)


def small(**values):
    return BuildOptions(values.pop("split_rule", SPLIT), "imagenet", 16, **values)


# --- the law of the split ---------------------------------------------------------------


def paths(count, label="cat"):
    return [f"{label}/{i}.jpg" for i in range(count)]


def test_adding_files_moves_nobody(photos, tmp_path):
    more = tmp_path / "more"
    for name, data in tree(photos).items():
        for copy in (name, f"zebra/{name}", f"{name[:-4]}_b{name[-4:]}"):
            (more / copy).parent.mkdir(parents=True, exist_ok=True)
            (more / copy).write_bytes(data)
    few = plan(scan(str(photos)).images, str(photos), "dst", small())
    many = plan(scan(str(more)).images, str(more), "dst", small())
    parts = {image.path: image.part for image in many}
    assert len(many) == 3 * len(few)
    assert all(parts[image.path] == image.part for image in few)


# --- the plan ---------------------------------------------------------------------------


# --- the images -------------------------------------------------------------------------


def test_everything_becomes_eight_bit_rgb():
    deep = np.array([[0, 128, 129, 65535]], np.uint16)  # 128.5 is half a level
    assert as_rgb(deep).tolist() == [[[0] * 3, [0] * 3, [1] * 3, [255] * 3]]
    assert as_rgb(np.array([[0.0, 1.0]])).tolist() == [[[0] * 3, [255] * 3]]
    with pytest.raises(BadImage, match="5 channels"):
        as_rgb(np.zeros((2, 2, 5), np.uint8))
    with pytest.raises(BadImage, match="floats outside"):
        as_rgb(np.array([[2.0]]))
    with pytest.raises(BadImage, match="floats outside"):
        as_rgb(np.array([[np.nan]]))


# --- the data set -----------------------------------------------------------------------


@pytest.mark.parametrize("form", ["folder", "webdataset", "npy"])
def test_a_data_set_is_the_same_for_any_number_of_workers(photos, tmp_path, form):
    if form == "webdataset":
        pytest.importorskip("pyarrow", reason="the table of a shard is Parquet")
    trees = []
    for workers in (0, 1, 2):
        dst = tmp_path / str(workers)
        make(photos, dst, small(format=form, per_shard=9), workers)
        trees.append(tree(dst))
    assert trees[0] == trees[1] == trees[2]
    assert sorted(os.listdir(tmp_path)) == ["0", "1", "2"]  # no temporary folder is left


def test_folders_hold_every_image_in_its_part_and_class(photos, tmp_path):
    made = make(photos, tmp_path / "dst", small())
    images = [name for name in tree(tmp_path / "dst") if name.endswith(".jpg")]
    assert len(images) == 40
    for name in images:
        part, path = name.split("/", 1)
        options = [path[:-4] + ".jpg", path[:-4] + ".png"]
        (source,) = [p for p in options if (photos / p).exists()]
        assert SPLIT.part(source) == part
        assert decode(tree(tmp_path / "dst")[name]).shape == (16, 16, 3)
    assert sum(figures.images for figures in made.figures.values()) == 40


def test_shards_hold_the_same_images_as_folders(photos, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="the table of a shard is Parquet")
    make(photos, tmp_path / "a", small())
    make(photos, tmp_path / "b", small(format="webdataset", per_shard=9))
    files = tree(tmp_path / "a")
    on_image = 0
    numbers = json.loads(files["dataset.json"])["classes"]
    for part in ("train", "val", "test"):
        folder = tmp_path / "b" / part
        for row in parquet.read_table(folder / "index.parquet").to_pylist():
            data = (folder / row["name"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == row["sha256"]
            with tarfile.open(folder / row["name"]) as tar:
                for member in tar.getnames():
                    if member.endswith(".json"):
                        told = json.load(tar.extractfile(member))
                        image = tar.extractfile(f"{told['key']}.jpg").read()
                        name = f"{part}/{os.path.splitext(told['path'])[0]}.jpg"
                        assert files[name] == image
                        assert told["class"] == numbers[told["label"]]
                        source = (photos / told["path"]).read_bytes()
                        assert told["sha256"] == hashlib.sha256(source).hexdigest()
                        on_image += 1
    assert on_image == 40


def test_arrays_hold_images_labels_and_where_they_came_from(photos, tmp_path):
    make(photos, tmp_path / "dst", small(format="npy", per_shard=9))
    told = json.loads((tmp_path / "dst" / "dataset.json").read_text())
    count = 0
    for part in told["parts"]:
        for images in sorted((tmp_path / "dst" / part).glob("images-*.npy")):
            number = images.stem[-5:]
            array = np.load(images)
            labels = np.load(images.with_name(f"labels-{number}.npy"))
            lines = images.with_name(f"samples-{number}.jsonl").read_text().splitlines()
            rows = [json.loads(line) for line in lines]
            assert array.shape[1:] == (16, 16, 3)
            assert len(array) == len(labels) == len(rows) <= 9
            assert labels.tolist() == [told["classes"][row["label"]] for row in rows]
            first = decode((photos / rows[0]["path"]).read_bytes())
            expected = as_rgb(preset_pipeline("imagenet", 16)(first, key=(0, 0)))
            assert np.array_equal(array[0], expected)
            count += len(array)
    assert count == 40


def test_the_card_has_the_figures_of_the_training_part(photos, tmp_path):
    make(photos, tmp_path / "dst", small(image="png"))
    files = tree(tmp_path / "dst")
    told = json.loads(files["dataset.json"])
    expected = Figures()
    for name, data in files.items():
        if name.startswith("train/"):
            expected.add(measure(decode(data)))
    assert told["normalize"] == expected.normalize()
    assert told["parts"]["train"]["images"] == expected.images
    text = files["README.md"].decode()
    mean = ", ".join(f"{value:.6f}" for value in expected.moments().mean)
    assert f"- Normalize: {{mean: [{mean}]" in text
    assert "| with space | 2 |" in text
    assert files["statistics.png"].startswith(b"\x89PNG")


def test_of_folds_each_has_the_figures_of_all_others(photos, tmp_path):
    make(photos, tmp_path / "dst", small(split_rule=folds(3), image="png"))
    files = tree(tmp_path / "dst")
    told = json.loads(files["dataset.json"])
    for fold in range(3):
        expected = Figures()
        for name, data in files.items():
            if name.startswith("fold-") and not name.startswith(f"fold-{fold}/"):
                expected.add(measure(decode(data)))
        assert told["normalize"][f"fold-{fold}"] == expected.normalize()
    assert "# without fold-2" in files["README.md"].decode()


def test_a_bad_file_is_left_out_and_named(photos, tmp_path):
    src = tmp_path / "src"
    for name, data in tree(photos).items():
        (src / name).parent.mkdir(parents=True, exist_ok=True)
        (src / name).write_bytes(data)
    (src / "cat" / "bad.jpg").write_bytes(b"<html>")
    made = make(src, tmp_path / "dst", small(), workers=2)
    assert [row.path for row in made.failures] == ["cat/bad.jpg"]
    told = json.loads((tmp_path / "dst" / "dataset.json").read_text())
    assert told["images"] == 40
    assert told["failures"][0]["path"] == "cat/bad.jpg"
    assert "- `cat/bad.jpg`: unknown" in (tmp_path / "dst" / "README.md").read_text()


def test_twins_in_two_parts_are_told(tmp_path):
    data = encode(np.random.default_rng(1).integers(0, 256, (20, 20, 3), np.uint8), "png")
    for path in paths(10):
        (tmp_path / "src" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "src" / path).write_bytes(data)
    made = make(tmp_path / "src", tmp_path / "dst", small())
    parts = {SPLIT.part(path) for path in paths(10)}
    assert len(parts) > 1
    assert made.straddling == 10
    assert any("byte-for-byte copy" in note for note in card.notes(made))
    assert make(tmp_path / "src", tmp_path / "one", small(split_rule=split("1"))).straddling == 0


# --- whole or not there -----------------------------------------------------------------


def test_a_failure_of_the_disk_leaves_dst_as_it_was_and_is_gone_on_from(
    photos, tmp_path, monkeypatch
):
    make(photos, tmp_path / "golden", small())
    written = []

    def full(target, data, write=dataset.write):
        written.append(target)
        if len(written) == 5:
            raise OSError(28, "No space left on device")
        write(target, data)

    monkeypatch.setattr(dataset, "write", full)
    with pytest.raises(OSError, match="No space"):
        make(photos, tmp_path / "dst", small())
    assert hidden(tmp_path) == sorted(os.listdir(tmp_path))[:1]
    assert not (tmp_path / "dst").exists()
    make(photos, tmp_path / "dst", small())
    assert tree(tmp_path / "dst") == tree(tmp_path / "golden")
    assert hidden(tmp_path) == []


# --- going on ---------------------------------------------------------------------------


def hidden(folder):
    return sorted(name for name in os.listdir(folder) if name.startswith("."))


def stopped(photos, dst, build_options, after, workers=0, **options):
    """Make a data set up to an image."""
    count = []

    def interrupt(path, bad):
        count.append(path)
        if len(count) == after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(photos, dst, build_options, workers, on_image=interrupt, **options)


FORMS = ["folder", "webdataset", "npy"]


def recipe_of(form, **values):
    if form == "webdataset":
        pytest.importorskip("pyarrow", reason="the table of a shard is Parquet")
    return small(format=form, per_shard=9, **values)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("workers", [0, 2])
def test_the_same_call_goes_on_and_comes_to_the_same(photos, tmp_path, form, workers, monkeypatch):
    monkeypatch.setattr(dataset, "FILES", 9)
    make(photos, tmp_path / "golden", recipe_of(form))
    stopped(photos, tmp_path / "dst", recipe_of(form), 25, workers)
    assert not (tmp_path / "dst").exists()
    assert len(hidden(tmp_path)) == 1
    made = make(photos, tmp_path / "dst", recipe_of(form), workers)
    assert made.kept == 18  # two blocks of nine
    assert tree(tmp_path / "dst") == tree(tmp_path / "golden")
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("change", ["settings", "source", "file", "number", "versions"])
def test_what_was_made_otherwise_is_made_again(photos, tmp_path, monkeypatch, change):
    src, dst = tmp_path / "src", tmp_path / "dst"
    shutil.copytree(photos, src)
    stopped(src, dst, recipe_of("npy"), 39)
    (beside,) = (tmp_path / name for name in hidden(tmp_path))
    build_options, kept = recipe_of("npy"), 0
    first = sorted((beside / "train").glob("images-*"))[0]
    if change == "settings":
        build_options = recipe_of("npy", split_rule=split("80/10/10", seed=9))
    elif change == "source":  # of one image: its block alone
        lines = (beside / "train" / "samples-00000.jsonl").read_text().splitlines()
        path = json.loads(lines[0])["path"]
        (src / path).write_bytes(encode(np.zeros((30, 30, 3), np.uint8), "png"))
        kept = sum(len(np.load(p)) for p in beside.glob("*/images-*")) - 9
    elif change == "file":
        first.write_bytes(first.read_bytes()[:-1] + b"?")
        kept = sum(len(np.load(p)) for p in beside.glob("*/images-*")) - 9
    elif change == "number":  # a new class before all others
        (src / "aardvark").mkdir()
        shutil.copy(src / "cat" / "0.png", src / "aardvark")
    else:
        monkeypatch.setattr(dataset, "versions", lambda: {"imgkit-cv": "99"})
    made = make(src, dst, build_options)
    assert made.kept == kept
    make(src, tmp_path / "golden", build_options)
    assert tree(dst) == tree(tmp_path / "golden")


def test_files_of_nobody_are_not_taken_over(photos, tmp_path):
    stopped(photos, tmp_path / "dst", small(), 30)
    (beside,) = (tmp_path / name for name in hidden(tmp_path))
    (beside / "train" / "gone").mkdir(parents=True)
    (beside / "train" / "gone" / "x.jpg").write_bytes(b"of an image that is gone")
    (beside / "README.md").write_text("of a run that was nearly done")
    make(photos, tmp_path / "dst", small())
    make(photos, tmp_path / "golden", small())
    assert tree(tmp_path / "dst") == tree(tmp_path / "golden")
    assert not (tmp_path / "dst" / "train" / "gone").exists()


@pytest.mark.parametrize("cut", [1, 40, 10**6])
def test_a_journal_that_was_cut_costs_what_was_cut(photos, tmp_path, cut):
    stopped(photos, tmp_path / "dst", recipe_of("npy"), 39)
    (beside,) = (tmp_path / name for name in hidden(tmp_path))
    journal = beside / ".imgkit" / "prep.jsonl"
    data = journal.read_bytes()
    journal.write_bytes(data[:-cut])
    stopped(photos, tmp_path / "dst", recipe_of("npy"), 39)  # and again: the next line is whole
    made = make(photos, tmp_path / "dst", recipe_of("npy"))
    assert made.kept >= 18
    make(photos, tmp_path / "golden", recipe_of("npy"))
    assert tree(tmp_path / "dst") == tree(tmp_path / "golden")


def test_failures_of_the_file_are_kept_and_of_the_moment_are_not(photos, tmp_path):
    src = tmp_path / "src"
    shutil.copytree(photos, src)
    (src / "cat" / "bad.jpg").write_bytes(b"<html>")
    stopped(src, tmp_path / "dst", recipe_of("npy"), 41)
    made = make(src, tmp_path / "dst", recipe_of("npy"))
    assert [row.path for row in made.failures] == ["cat/bad.jpg"]
    assert made.kept > 30
    assert Record(failures=[Bad("a", "corrupt", "")]).lasts
    assert not Record(failures=[Bad("a", "crashed", "")]).lasts


def test_two_runs_do_not_make_one_data_set(photos, tmp_path):
    with staging.staged(str(tmp_path / "dst"), {}), pytest.raises(OSError, match="in use by"):
        make(photos, tmp_path / "dst", small())


def test_what_stands_at_dst_is_not_touched_without_force(photos, tmp_path):
    dst = tmp_path / "dst"
    dst.mkdir()
    make(photos, dst, small())  # an empty folder is as good as none
    before = tree(dst)
    with pytest.raises(FileExistsError, match="--force replaces it"):
        make(photos, dst, small(quality=50))
    assert tree(dst) == before
    make(photos, dst, small(quality=50), force=True)
    assert tree(dst).keys() == before.keys()
    assert tree(dst) != before
    assert os.listdir(tmp_path) == ["dst"]


@pytest.mark.parametrize("facts", [None, "[1]", "{torn", '{"format": "folder", "seed": 0}'])
def test_a_folder_that_is_no_data_set_is_never_replaced(photos, tmp_path, facts):
    """Others have files named dataset.json too."""
    (tmp_path / "thesis.txt").write_text("my thesis")
    if facts is not None:
        (tmp_path / "dataset.json").write_text(facts)
    with pytest.raises(FileExistsError, match="is not empty"):
        make(photos, tmp_path, small(), force=True)
    assert pathlib.Path(tmp_path / "thesis.txt").read_text() == "my thesis"


@pytest.mark.parametrize("force", [False, True])
def test_what_comes_to_dst_during_the_work_is_not_touched(photos, tmp_path, force):
    dst = tmp_path / "dst"

    def write_thesis(path, bad):
        dst.mkdir(exist_ok=True)
        (dst / "thesis.txt").write_text("my thesis")

    with pytest.raises(FileExistsError, match="is not empty"):
        make(photos, dst, small(), force=force, on_image=write_thesis)
    assert tree(dst) == {"thesis.txt": b"my thesis"}
    shutil.rmtree(dst)
    assert make(photos, dst, small()).kept == 40  # nothing of the work is lost


def test_a_data_set_takes_its_place_while_it_is_locked(photos, tmp_path, monkeypatch):
    beside, take = staging.beside(str(tmp_path / "dst")), staging._take_place

    def take_and_see(folder, dst, force):
        with pytest.raises(OSError, match="in use by"), staging.locked(beside):
            pass
        take(folder, dst, force)

    monkeypatch.setattr(staging, "_take_place", take_and_see)
    make(photos, tmp_path / "dst", small())
    assert (tmp_path / "dst" / "dataset.json").exists()
