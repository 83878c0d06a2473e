"""Shards: the same bytes for the same samples, whole or absent, and readable by others."""

import hashlib
import json
import os
import re
import sys
import tarfile

import numpy as np
import pytest

from imgkit.dataset import shards
from imgkit.dataset.shards import Sample, key, write_index, write_npy, write_tar
from imgkit.io.decode import decode
from imgkit.io.encode import encode
from imgkit.io.files import printable_path

parquet = pytest.importorskip("pyarrow.parquet", reason="the table of a shard is Parquet")

PATHS = ("a/x.jpg", "b/name.with.dots.v2.jpg", "b/../odd.png", "ü/猫.png", "caf\udce9/n\nl.png")


def samples(count=5, start=0):
    rng = np.random.default_rng(4)
    for i in range(start, start + count):
        data = encode(rng.integers(0, 256, (8, 9, 3), np.uint8), "png")
        digest = hashlib.sha256(data).hexdigest()
        yield Sample(key(i), data, "png", PATHS[i % 5], f"class {i % 2}", i % 2, len(data), digest)


def tree(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir()}


@pytest.fixture
def written(tmp_path):
    """Two shards of five samples with their index."""
    rows = [write_tar(str(tmp_path), i, samples(5, 5 * i)) for i in range(2)]
    write_index(str(tmp_path), rows)
    return tmp_path, rows


def test_a_shard_is_three_files_a_sample_and_a_table(written):
    folder, rows = written
    assert sorted(tree(folder)) == [
        "index.parquet",
        *("shard-00000.parquet", "shard-00000.tar", "shard-00001.parquet", "shard-00001.tar"),
    ]
    with tarfile.open(folder / "shard-00001.tar") as tar:
        names = tar.getnames()
        assert names[:3] == ["000000005.png", "000000005.cls", "000000005.json"]
        assert len(names) == 15
        for member in tar.getmembers():
            owner = member.uid, member.gid, member.uname, member.gname
            assert (member.mtime, *owner, member.mode) == (0, 0, 0, "", "", 0o644)
        told = json.load(tar.extractfile("000000005.json"))
        image = tar.extractfile("000000005.png").read()
    assert told["path"] == "a/x.jpg"
    assert (told["label"], told["class"]) == ("class 1", 1)
    assert (told["size"], told["sha256"]) == (len(image), hashlib.sha256(image).hexdigest())
    assert rows[1].first == "000000005"


def test_the_index_tells_the_count_and_hash_of_each_shard(written):
    folder, _ = written
    index = parquet.read_table(folder / "index.parquet").to_pylist()
    assert [row["name"] for row in index] == ["shard-00000.tar", "shard-00001.tar"]
    for row in index:
        data = (folder / row["name"]).read_bytes()
        assert row["count"] == 5
        assert row["bytes"] == len(data)
        assert row["sha256"] == hashlib.sha256(data).hexdigest()


def test_the_table_says_what_the_tar_says(written):
    folder, _ = written
    table = parquet.read_table(folder / "shard-00000.parquet").to_pylist()
    with tarfile.open(folder / "shard-00000.tar") as tar:
        told = [json.load(tar.extractfile(f"{row['key']}.json")) for row in table]
    assert table == told
    assert [row["path"] for row in table][3:] == ["ü/猫.png", r"caf\xe9/n\nl.png"]


def test_the_same_samples_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_index(str(tmp_path / name), [write_tar(str(tmp_path / name), 0, samples())])
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # webdataset's own
@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
def test_webdataset_reads_them(written):
    wds = pytest.importorskip("webdataset", reason="reads what is written here")
    folder, _ = written
    urls = [str(folder / f"shard-0000{i}.tar") for i in range(2)]
    found = list(wds.WebDataset(urls, shardshuffle=False))
    assert [sample["__key__"] for sample in found] == [key(i) for i in range(10)]
    for mine, theirs in zip(samples(5), found[:5], strict=True):
        assert theirs["png"] == mine.data
        assert theirs["cls"] == str(mine.number).encode()
        assert json.loads(theirs["json"])["sha256"] == mine.sha256
    assert np.array_equal(decode(found[0]["png"]), decode(next(samples(1)).data))


def test_hugging_face_datasets_reads_them(written, tmp_path_factory):
    datasets = pytest.importorskip("datasets", reason="reads what is written here")
    folder, _ = written
    files = {"train": [str(folder / f"shard-0000{i}.tar") for i in range(2)]}
    cache = str(tmp_path_factory.mktemp("cache"))
    stream = datasets.load_dataset(
        "webdataset", data_files=files, split="train", streaming=True, cache_dir=cache
    )
    found = list(stream)
    assert [row["json"]["key"] for row in found] == [key(i) for i in range(10)]
    assert [row["cls"] for row in found] == [i % 2 for i in range(10)]


@pytest.mark.parametrize("bad", ["../../evil", "/abs", "a.b", "", "ü", "a/b", "a" * 91, "a\n"])
def test_keys_that_a_tar_would_not_keep_are_refused(tmp_path, bad):
    sample = next(samples(1))._replace(key=bad)
    with pytest.raises(ValueError, match=re.escape(f"key is '{printable_path(bad)}'")):
        write_tar(str(tmp_path), 0, [sample])
    assert tree(tmp_path) == {}


@pytest.mark.parametrize("bad", ["json", "cls", "", "tar.gz", "PNG"])
def test_extensions_that_would_be_mistaken_are_refused(tmp_path, bad):
    with pytest.raises(ValueError, match="extension is"):
        write_tar(str(tmp_path), 0, [next(samples(1))._replace(extension=bad)])


def test_a_key_may_come_once_and_in_order(tmp_path):
    first, second = samples(2)
    with pytest.raises(ValueError, match="000000000 comes after 000000000"):
        write_tar(str(tmp_path), 0, [first, first])
    with pytest.raises(ValueError, match="000000000 comes after 000000001"):
        write_tar(str(tmp_path), 0, [second, first])
    with pytest.raises(ValueError, match="shard-00000 would be empty"):
        write_tar(str(tmp_path), 0, [])
    assert tree(tmp_path) == {}


def test_a_sample_without_a_class_has_no_cls(tmp_path):
    write_tar(str(tmp_path), 0, [next(samples(1))._replace(label=None, number=None)])
    with tarfile.open(tmp_path / "shard-00000.tar") as tar:
        assert tar.getnames() == ["000000000.png", "000000000.json"]
    (row,) = parquet.read_table(tmp_path / "shard-00000.parquet").to_pylist()
    assert (row["label"], row["class"]) == (None, None)


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_the_old_shard_and_nothing_else(tmp_path, monkeypatch, step):
    write_tar(str(tmp_path), 0, samples(2))
    before = tree(tmp_path)

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shards.os, step, fail)
    with pytest.raises(OSError, match="No space"):
        write_tar(str(tmp_path), 0, samples(3))
    assert tree(tmp_path) == before


def test_an_interruption_leaves_nothing(tmp_path):
    def interrupted():
        yield from samples(2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_tar(str(tmp_path), 0, interrupted())
    assert tree(tmp_path) == {}


def test_without_pyarrow_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ModuleNotFoundError, match=r"imgkit-cv\[shards\]"):
        write_tar(str(tmp_path), 0, samples(1))


@pytest.mark.parametrize("shape", [(3, 4, 3), (3, 4)])
def test_npy_batches_read_back_by_numpy(tmp_path, shape):
    images = list(np.random.default_rng(2).integers(0, 256, (7, *shape), np.uint8))
    row = write_npy(str(tmp_path), 2, images, range(7))
    found = np.load(tmp_path / "images-00002.npy", mmap_mode="r", allow_pickle=False)
    assert found.dtype == np.uint8
    assert np.array_equal(found, np.stack(images))
    assert np.load(tmp_path / "labels-00002.npy").tolist() == list(range(7))
    assert np.load(tmp_path / "labels-00002.npy").dtype == np.int64
    data = (tmp_path / "images-00002.npy").read_bytes()
    assert (row.count, row.bytes) == (7, len(data))
    assert row.sha256 == hashlib.sha256(data).hexdigest()


def test_npy_batches_refuse_images_of_several_shapes(tmp_path):
    images = [np.zeros((3, 4), np.uint8), np.zeros((4, 3), np.uint8)]
    with pytest.raises(ValueError, match="2 images of 2 shapes: a batch needs one"):
        write_npy(str(tmp_path), 0, images, [0, 1])
    with pytest.raises(ValueError, match="0 images"):
        write_npy(str(tmp_path), 0, [], [])
    assert os.listdir(tmp_path) == []
