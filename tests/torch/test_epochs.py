"""A dataset's epoch and pipeline: passes are counted, visits have keys, one pipeline runs."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Subset, WeightedRandomSampler

import imgkit as ik
from imgkit.torch import Augment, ImageFolder, Keyed, Loader, Transform, Visits

NOISE = ik.Pipeline([ik.GaussianNoise(0.2)], seed=7)
FLIP = ik.Pipeline([ik.HorizontalFlip()], seed=7)
AGAIN = "drawn again at epoch 0, after 4 draws: the same key gives the same picture. Call set_epoch"


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (8, 9, 3), np.uint8)


def keyed(pipeline=NOISE, count=4):
    return Keyed([picture(i) for i in range(count)], pipeline)


def folder(root, pipeline=NOISE):
    (root / "a").mkdir()
    for i in range(4):
        Image.fromarray(picture(i)).save(root / "a" / f"{i}.png")
    return ImageFolder(root, pipeline)


# --- passes ---------------------------------------------------------------------------------


def images(data, **options):
    """The bytes of one pass of a `DataLoader`."""
    loader = DataLoader(data, batch_size=None, **options)
    return [np.asarray(x[0] if isinstance(x, (tuple, list)) else x).tobytes() for x in loader]


@pytest.mark.parametrize("kind", ["keyed", "folder", "subset of all"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_a_second_pass_at_the_same_epoch_warns_once(kind, shuffle, tmp_path):
    data = folder(tmp_path) if kind == "folder" else keyed()
    passed = Subset(data, range(4)) if kind == "subset of all" else data
    first = images(passed, shuffle=shuffle)
    with pytest.warns(UserWarning, match=r"drawn again at epoch 0, after \d draws") as seen:
        second = images(passed, shuffle=shuffle)
    assert len(seen) == 1
    assert sorted(first) == sorted(second)
    images(passed, shuffle=shuffle)  # an error of this suite if it warned again


def test_the_message_says_what_to_do():
    data = keyed()
    images(data)
    with pytest.warns(UserWarning, match=AGAIN):
        data[0]


@pytest.mark.parametrize("persistent", [False, True])
def test_workers_share_the_count(persistent):
    data = keyed()
    loader = DataLoader(
        _Caught(data), batch_size=None, num_workers=2, persistent_workers=persistent
    )
    assert list(loader) == [[]] * 4
    assert sum(len(found) for found in loader) == 1
    assert sum(len(found) for found in loader) == 0


class _Caught:
    """The warnings of each sample; those of a worker do not reach the test."""

    def __init__(self, data):
        self.data = data

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            self.data[index]
        return [str(each.message) for each in caught]


def test_what_is_no_second_pass_does_not_warn():
    data = keyed()
    for epoch in (0, 1, 1, 0):  # the same number again says that the repetition is meant
        data.set_epoch(epoch)
        images(data, shuffle=True)
    data = keyed()
    assert data[2].tobytes() == data[2].tobytes() == data[2].tobytes()  # a look at one sample
    data = keyed(FLIP)
    assert images(data) == images(data)  # nothing is drawn


def test_a_rank_has_a_part_of_a_pass(monkeypatch):
    monkeypatch.setattr("imgkit.torch.epochs.current_rank", lambda: (0, 2))
    data = keyed()
    images(Subset(data, [0, 2]))
    with pytest.warns(UserWarning, match="after 2 draws"):
        images(Subset(data, [0, 2]))
    data = keyed()
    images(data)  # all samples on each rank are one pass, too


# --- visits ---------------------------------------------------------------------------------


def test_a_visit_has_a_key_of_its_own(tmp_path):
    data = keyed()
    data.set_epoch(3)
    np.testing.assert_array_equal(data[2, 0], data[2])
    for visit in (1, 5, 2**16 - 1):
        expected = NOISE(picture(2), key=(3, 2 + visit * 2**48))
        np.testing.assert_array_equal(data[2, visit], expected)
        np.testing.assert_array_equal(data[-2, visit], expected)
    files = folder(tmp_path)
    assert not torch.equal(files[1][0], files[1, 1][0])


def test_a_sampler_that_repeats_gives_copies_or_visits():
    data = keyed(count=2)
    copies = images(data, sampler=[1, 1])
    assert copies[0] == copies[1]
    data.set_epoch(0)
    visits = images(data, sampler=Visits([1, 1, 0, 1]))
    assert visits[0] == copies[0]
    assert len(set(visits)) == 4
    for workers in (1, 2):
        data.set_epoch(0)
        assert images(data, sampler=Visits([1, 1, 0, 1]), num_workers=workers) == visits


def test_visits_of_samplers():
    weights = WeightedRandomSampler([1.0, 9.0], 6, generator=torch.Generator().manual_seed(0))
    pairs = list(Visits(weights))
    assert len(Visits(weights)) == len(pairs) == len(set(pairs)) == 6
    sampler = torch.utils.data.DistributedSampler(range(4), num_replicas=2, rank=0)
    visits = Visits(sampler)
    visits.set_epoch(5)
    assert sampler.epoch == 5
    Visits([1]).set_epoch(5)  # nothing to set
    batches = torch.utils.data.BatchSampler(Visits([0, 0, 1]), 2, False)
    loader = DataLoader(keyed(FLIP), batch_sampler=batches)
    assert [len(batch) for batch in loader] == [2, 1]


@pytest.mark.parametrize(
    ("index", "error", "message"),
    [
        (4, IndexError, "index is 4: the dataset has 4 samples"),
        ((4, 1), IndexError, "index is 4: the dataset has 4 samples"),
        (1.0, TypeError, r"index is 1.0: it must be an integer, or a pair \(index, visit\)"),
        ((0, 1, 2), TypeError, r"index is \(0, 1, 2\): it must be an integer, or a pair"),
        ((0, -1), ValueError, "visit is -1: it must be"),
        ((0, 2**16), ValueError, "visit is 65536: it must be"),
        ((0, 0.5), TypeError, "visit is 0.5"),
        (slice(2), TypeError, "index is a slice"),
    ],
)
def test_an_index_that_is_none_says_why(index, error, message, tmp_path):
    for data in (keyed(), folder(tmp_path)):
        with pytest.raises(error, match=message):
            data[index]


def test_a_sampler_that_is_none_says_why():
    with pytest.raises(TypeError, match="sampler is a int: pass a sampler"):
        Visits(3)


# --- attributes -----------------------------------------------------------------------------


class Labeled:
    classes, targets, samples = ["a", "b"], [0, 1], [("x.png", 0), ("y.png", 1)]
    _private = "not passed on"

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return picture(index)

    def height_and_width(self, index):
        return 8, 9


def test_attributes_of_the_dataset_are_there():
    data = Keyed(Labeled(), FLIP)
    for made in (data, pickle.loads(pickle.dumps(data)), copy.copy(data), copy.deepcopy(data)):
        assert (made.classes, made.targets, made.samples) == (
            ["a", "b"], [0, 1], [("x.png", 0), ("y.png", 1)],
        )  # fmt: skip
        assert made.height_and_width(1) == (8, 9)
        assert not hasattr(made, "_private")
        assert not hasattr(made, "__getitems__")
        assert not hasattr(made, "colors")
        np.testing.assert_array_equal(made[1], picture(1)[:, ::-1])
    with pytest.raises(AttributeError, match="colors"):
        _ = data.colors
    empty = Keyed.__new__(Keyed)  # as pickle makes it, before its state is there
    with pytest.raises(AttributeError, match="'Keyed' object has no attribute 'classes'"):
        _ = empty.classes


# --- loaders that set a transform -----------------------------------------------------------


def test_a_foreign_transform_does_not_replace_the_pipeline(tmp_path):
    for data in (Keyed([(picture(0), 0)], FLIP), folder(tmp_path, FLIP)):
        before = np.asarray(data[0][0])
        with pytest.warns(
            UserWarning, match=r"transform is a builtins\.builtin_function.* not run"
        ):
            data.transform = len
        np.testing.assert_array_equal(np.asarray(data[0][0]), before)


def test_an_imgkit_pipeline_replaces_it(tmp_path):
    turned = ik.Pipeline([ik.VerticalFlip()], seed=7)
    data = keyed(FLIP)
    for given in (turned, Transform(turned)):
        data.transform = given
        assert data.transform.pipeline == turned
        np.testing.assert_array_equal(data[0], picture(0)[::-1])
    files = folder(tmp_path, FLIP)
    files.transform = None
    assert torch.equal(files[0][0], torch.from_numpy(picture(0)).permute(2, 0, 1))
    with pytest.raises(TypeError, match=r"transform is a builtins.*: a ImageFolder runs an imgkit"):
        files.transform = len
    with pytest.raises(TypeError, match="transform is None: a Keyed runs an imgkit Pipeline"):
        data.transform = None


# timm leaves the files that it decoded to be closed by the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_timms_create_loader_keeps_the_pipeline():
    timm = pytest.importorskip("timm.data")
    size = ik.Pipeline([ik.RandomCrop(6)], seed=7)
    rows = [(torch.from_numpy(picture(i)).permute(2, 0, 1), i) for i in range(2)]
    data = Keyed(rows, size)
    with pytest.warns(UserWarning, match=r"transform is a torchvision.*, which does not run"):
        loader = timm.create_loader(
            data, (3, 6, 6), 2, use_prefetcher=False, num_workers=0, persistent_workers=False
        )
    batch, labels = next(iter(loader))
    for image, label in zip(batch, labels.tolist(), strict=True):
        expected = torch.from_numpy(size(picture(label), key=(0, label))).permute(2, 0, 1)
        assert torch.equal(image, expected)


# --- one pipeline for each sample -----------------------------------------------------------


class Own:
    """A dataset that runs a transform which it holds under any name."""

    def __init__(self, run):
        self.anything = {"deep": [run]}

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return self.anything["deep"][0](torch.from_numpy(picture(index)).permute(2, 0, 1))


TWO = "inside a {} already runs an imgkit pipeline: two pipelines would run on one sample; give one"


@pytest.mark.parametrize("wrap", [lambda d: d, lambda d: Subset(d, [0, 1])])
@pytest.mark.parametrize("run", [Transform(FLIP), Augment(FLIP), lambda x: Transform(FLIP)(x)])
def test_two_pipelines_on_one_sample_are_an_error(run, wrap):
    inside = wrap(Own(run))
    with pytest.raises(ValueError, match=TWO.format("Keyed")):
        Keyed(inside, NOISE)[0]
    with pytest.raises(ValueError, match=TWO.format("Loader")):
        next(iter(Loader(inside, NOISE, 2)))
    next(iter(Loader(inside, None, 2)))  # it only decodes
    Own(run)[0]  # alone it may run, and after an error too


def test_keyed_datasets_are_not_keyed_again(tmp_path):
    files = folder(tmp_path)
    for data in (keyed(), files):
        with pytest.raises(ValueError, match=TWO.format("Keyed")):
            Keyed(data, FLIP)
        with pytest.raises(ValueError, match="source already has a pipeline"):
            Loader(data)
        with pytest.raises(ValueError, match=TWO.format("Keyed")):
            Keyed(Subset(data, [0]), FLIP)[0]
        with pytest.raises(ValueError, match=TWO.format("Loader")):
            next(iter(Loader(Subset(data, [0]))))
    files.transform = None
    Keyed(files, FLIP)[0]


def test_hugging_faces_set_transform_inside_keyed_is_an_error():
    datasets = pytest.importorskip("datasets")
    data = datasets.Dataset.from_dict({"image": [picture(0).tolist()]}).with_format("numpy")
    data.set_transform(Transform(FLIP))
    with pytest.raises(ValueError, match=TWO.format("Keyed")):
        Keyed(data, FLIP)[0]
