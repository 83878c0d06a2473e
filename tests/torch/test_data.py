"""Datasets: the key decides, labels follow, and files are named."""

import collections
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Subset

import imgkit as ik
from imgkit.torch import ImageFolder, Keyed, Transform

AUG = ik.Pipeline([ik.RandomCrop(12), ik.HorizontalFlip(p=0.5), ik.Brightness((0.5, 1.5))], seed=7)
FLIP = ik.Pipeline([ik.HorizontalFlip()], seed=7)


def picture(seed, height=20, width=24):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def tensor(array):
    return torch.from_numpy(array).permute(2, 0, 1)


class Pairs:
    """Tensors with labels; not a torch Dataset, for none is needed."""

    def __init__(self, count=13):
        self.count = count

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        return tensor(picture(index)), index


# --- keys -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["array", "tensor", "pillow"])
def test_a_sample_is_the_pipelines_result_for_its_key(kind):
    image = picture(3)
    held = {"array": image, "tensor": tensor(image), "pillow": Image.fromarray(image)}[kind]
    data = Keyed([(held, "label")] * 4, AUG)
    data.set_epoch(5)
    done, label = data[2]
    expected = AUG(image, key=(5, 2))
    assert label == "label"
    if kind == "array":
        np.testing.assert_array_equal(done, expected)
    else:
        assert done.is_contiguous()
        torch.testing.assert_close(done, tensor(expected), rtol=0, atol=0)
    last, _ = data[-2]
    np.testing.assert_array_equal(np.asarray(last), np.asarray(done))


def test_a_dataset_may_hold_images_alone_and_be_a_part_of_another():
    data = Keyed([picture(i) for i in range(3)], AUG)
    np.testing.assert_array_equal(data[1], AUG(picture(1), key=(0, 1)))
    np.testing.assert_array_equal(Subset(data, [2, 0])[0], data[2])


def batches(workers, epochs=(0, 1), **options):
    """All samples by (epoch, label), from persistent workers where there are any."""
    data = Keyed(Pairs(), AUG)
    loader = DataLoader(
        data, batch_size=4, num_workers=workers, persistent_workers=workers > 0, **options
    )
    seen = {}
    for epoch in epochs:
        data.set_epoch(epoch)
        for images, labels in loader:
            seen |= {
                (epoch, int(label)): image for image, label in zip(images, labels, strict=True)
            }
    return seen


# torch advises against more workers than cores; that they change nothing is what is tested
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
@pytest.mark.parametrize("workers", [0, 1, 2, 4])
def test_any_number_of_workers_shuffled_gives_the_same_samples(workers):
    seen = batches(workers, shuffle=True)
    assert len(seen) == 26
    for (epoch, index), image in seen.items():
        expected = tensor(AUG(picture(index), key=(epoch, index)))
        torch.testing.assert_close(image, expected, rtol=0, atol=0)
    assert not torch.equal(seen[0, 3], seen[1, 3])


def test_the_epoch_reaches_spawned_workers():
    data = Keyed([torch.zeros(3, 4, 4, dtype=torch.uint8)] * 2, FLIP)
    loader = DataLoader(
        _Epochs(data), num_workers=1, persistent_workers=True, multiprocessing_context="spawn"
    )
    for epoch in (4, 9):
        data.set_epoch(epoch)
        assert [int(found) for found in loader] == [epoch, epoch]


class _Epochs:
    """Tells which epoch a worker sees."""

    def __init__(self, data):
        self.data = data

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        self.data[index]
        return self.data.epoch


def test_a_pickled_copy_has_an_epoch_of_its_own():
    data = Keyed([picture(0)], AUG)
    data.set_epoch(3)
    copy = pickle.loads(pickle.dumps(data))
    data.set_epoch(4)
    assert (copy.epoch, data.epoch) == (3, 4)
    np.testing.assert_array_equal(copy[0], AUG(picture(0), key=(3, 0)))


# torch advises against more workers than cores
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
def test_without_keys_no_worker_repeats_another_nor_an_epoch():
    noise = Transform(ik.Pipeline([ik.GaussianNoise(0.2)], seed=7))
    loader = DataLoader(_Same(noise), batch_size=None, num_workers=3, persistent_workers=True)
    images = [image.numpy().tobytes() for _ in range(2) for image in loader]
    assert len(set(images)) == 12


class _Same:
    """The same image again and again, transformed without a key."""

    def __init__(self, transform):
        self.transform = transform

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return self.transform(torch.full((3, 8, 8), 128, dtype=torch.uint8))


# --- forms ----------------------------------------------------------------------------------


def test_dicts_lose_the_rows_of_dropped_boxes():
    sample = {
        "image": tensor(picture(0, 20, 40)),
        "boxes": torch.tensor([[0.0, 0, 10, 10], [30, 0, 40, 20]]),
        "labels": torch.tensor([5, 6]),
        "area": [100.0, 200.0],
        "masks": torch.stack([torch.zeros(20, 40, dtype=torch.uint8)] * 2),
        "image_id": torch.tensor([77]),
        "note": "kept",
    }
    sample["masks"][1, :, 30:] = 1
    right = ik.Pipeline([ik.Translate(x=0.5), ik.HorizontalFlip()], seed=7)
    out = Keyed([sample], right)[0]
    assert out["boxes"].tolist() == [[10, 0, 20, 10]]
    assert out["labels"].tolist() == [5]
    assert out["area"] == [100.0]
    assert out["masks"].shape == (1, 20, 40)
    assert out["image_id"].tolist() == [77]
    assert out["note"] == "kept"


def test_an_image_and_a_detection_target():
    target = {
        "boxes": torch.tensor([[2.0, 3, 8, 9]]),
        "labels": torch.tensor([1]),
        "keypoints": torch.tensor([[[0.0, 0, 1], [23, 19, 2]]]),
        "image_id": 4,
    }
    image, out = Keyed([(tensor(picture(0)), target)], FLIP)[0]
    torch.testing.assert_close(image, tensor(picture(0)).flip(-1), rtol=0, atol=0)
    assert out["boxes"].tolist() == [[16, 3, 22, 9]]
    assert out["keypoints"].tolist() == [[[23, 0, 1], [0, 19, 2]]]
    assert (out["labels"].tolist(), out["image_id"]) == ([1], 4)
    assert target["boxes"].tolist() == [[2, 3, 8, 9]]


def test_masks_of_pillow_and_named_places():
    mask = np.arange(20 * 24, dtype=np.uint8).reshape(20, 24)
    image, moved = Keyed([(Image.fromarray(picture(0)), Image.fromarray(mask))], FLIP)[0]
    assert image.shape == (3, 20, 24)
    np.testing.assert_array_equal(moved.numpy(), mask[:, ::-1])
    named = Transform(FLIP, names=("image", "mask"))
    moved = Keyed([(tensor(picture(0)), torch.from_numpy(mask).long())], named)[0][1]
    assert moved.dtype == torch.int64
    np.testing.assert_array_equal(moved.numpy(), mask[:, ::-1])
    alone = Transform(FLIP, names=("image", None))
    np.testing.assert_array_equal(alone((picture(0), mask), key=0)[1], mask)


def test_other_names_of_dicts_and_named_tuples():
    sample = {"img": picture(0), "boxes": np.array([[0.0, 0, 4, 4]]), "labels": [1]}
    out = Transform(FLIP, names={"img": "image"})(sample, key=0)
    np.testing.assert_array_equal(out["img"], picture(0)[:, ::-1])
    assert out["boxes"].tolist() == [[20, 0, 24, 4]]
    pair = collections.namedtuple("Pair", "image label")(picture(0), 3)
    out = Transform(FLIP)(pair, key=0)
    assert type(out) is type(pair)
    assert out.label == 3


def test_box_options_reach_the_pipeline():
    crop = ik.Pipeline([ik.CenterCrop((20, 12))], seed=7)
    sample = {"image": picture(0), "boxes": [[0, 0, 0.3, 1]], "labels": ["cat"]}
    kept = Transform(crop, box_normalized=True)(sample, key=0)
    assert kept["boxes"].round(3).tolist() == [[0, 0, 0.1, 1]]
    dropped = Transform(crop, box_normalized=True, min_visibility=0.5)(sample, key=0)
    assert dropped["labels"] == []


def test_gray_images_and_normalized_ones():
    gray = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert Transform(FLIP)(Image.fromarray(gray), key=0).shape == (1, 3, 4)
    assert Transform(FLIP)(torch.from_numpy(gray), key=0).shape == (3, 4)
    done = Transform(ik.Pipeline([ik.Normalize(0.5, 0.5)]))(Image.fromarray(picture(0)), key=0)
    assert done.dtype == torch.float32
    torch.testing.assert_close(done, tensor(picture(0)).float() / 127.5 - 1, atol=1e-6, rtol=0)


def turned(orientation):
    image = Image.fromarray(picture(0))
    image.getexif()[0x0112] = orientation
    return image


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Keyed(iter([]), AUG), TypeError, "dataset is a list_iterator: .*stream"),
        (lambda: Keyed([], print), TypeError, "pipeline is a builtin_.*: pass an imgkit Pipeline"),
        (lambda: Keyed([picture(0)], AUG)[1], IndexError, "index is 1: the dataset has 1"),
        (lambda: Keyed([picture(0)], AUG)[0:1], TypeError, "index is a slice: .* use Subset"),
        (lambda: Keyed([picture(0)], AUG).set_epoch(-1), ValueError, "epoch is -1: .*at least 0"),
        (lambda: Keyed([("a", 1)], AUG)[0], TypeError, "image is a str: pass a Pillow image"),
        (lambda: Keyed([{"x": 1}], AUG)[0], ValueError, "needs one image, and has none: name"),
        (lambda: Transform(AUG, names="image"), TypeError, "names is 'image': it must be a tuple"),
        (lambda: Transform(AUG, names=("img",)), ValueError, "names has 'img': .*image"),
        (lambda: Transform(AUG, box_format="yx"), ValueError, "box_format is 'yx': "),
        (
            lambda: Transform(FLIP)((picture(0), picture(0)[..., 0]), key=0),
            ValueError,
            r"sample\[1\] has shape \(20, 24\), the height and width of the image: name it",
        ),
        (
            lambda: Transform(FLIP)(turned(6), {"boxes": [[0, 0, 1, 1]]}, key=0),
            ValueError,
            "image has EXIF orientation 6, and labels .*exif_transpose",
        ),
        (
            lambda: Transform(FLIP)(picture(0), {"boxes": [[0, 0, 1, 1]], "labels": [1, 2]}, key=0),
            ValueError,
            r"sample\[1\]\['labels'\] has 2 entries: sample\[1\]\['boxes'\] has 1 rows",
        ),
        (lambda: Transform(FLIP)(picture(0)[None], key=0), ValueError, "a sample holds one image"),
    ],
)
def test_what_is_no_sample_says_why(call, error, message):
    with pytest.raises(error, match=message):
        call()


# --- folders --------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    for name in ("b", "a", ".hidden"):
        (tmp_path / name / "deep").mkdir(parents=True)
        for i in range(2):
            Image.fromarray(picture(i)).save(tmp_path / name / f"{i}.png")
        Image.fromarray(picture(9)[..., 0]).save(tmp_path / name / "deep" / "gray.png")
        (tmp_path / name / "notes.txt").write_text("no image")
    return tmp_path


def test_image_folder_lists_classes_and_decodes(folder):
    data = ImageFolder(folder)
    assert (data.classes, data.class_to_idx) == (["a", "b"], {"a": 0, "b": 1})
    assert data.targets == [0, 0, 0, 1, 1, 1]
    image, label = data[4]
    assert (image.shape, image.dtype, label) == ((3, 20, 24), torch.uint8, 1)
    np.testing.assert_array_equal(image.permute(1, 2, 0).numpy(), picture(1))
    assert data[2][0].shape == (3, 20, 24)  # gray as RGB
    assert ImageFolder(folder, channels="as stored")[2][0].shape == (1, 20, 24)
    assert ImageFolder(folder, channels="gray")[0][0].shape == (1, 20, 24)
    assert data[-1][1] == 1


def test_image_folder_with_a_pipeline_is_keyed(folder):
    data = ImageFolder(str(folder), AUG)
    data.set_epoch(2)
    expected = Keyed(ImageFolder(folder), AUG)
    expected.set_epoch(2)
    torch.testing.assert_close(data[1][0], expected[1][0], rtol=0, atol=0)
    torch.testing.assert_close(data[1][0], tensor(AUG(picture(1), key=(2, 1))), rtol=0, atol=0)


def test_a_bad_file_is_named_by_every_worker(folder):
    (folder / "a" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    data = ImageFolder(folder)
    with pytest.raises(ValueError, match=r"a/0\.png: the png file ends early"):
        data[0]
    with pytest.raises(ValueError, match=r"a/0\.png: the png file ends early"):
        next(iter(DataLoader(data, num_workers=1)))
    (folder / "a" / "1.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"a/1\.png was removed after it was listed"):
        data[1]


def test_folders_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="the folder does not exist"):
        ImageFolder(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="no images in folders, one for each class"):
        ImageFolder(tmp_path)
    with pytest.raises(ValueError, match="channels is 'bgr': "):
        ImageFolder(tmp_path, channels="bgr")
