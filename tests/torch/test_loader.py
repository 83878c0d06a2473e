"""Batches by key: workers, order, resume and device change nothing."""

import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import imgkit as ik
from imgkit.torch import ImageFolder, Keyed, Loader, Transform
from imgkit.torch import loader as parts
from imgkit.torch.order import Order, shuffled
from imgkit.torch.workers import BatchDataset, uncollated

AUG = ik.Pipeline(
    [ik.RandomResizedCrop(16), ik.HorizontalFlip(p=0.5), ik.Normalize("imagenet")], seed=7
)
FIRST = ik.Pipeline([*AUG.ops, ik.ToCHW()], seed=7)  # the layout that a Loader gives


def picture(seed):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (20 + seed % 3, 24 + seed % 5, 3), np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    for i in range(11):
        place = root / f"class_{i % 3}"
        place.mkdir(exist_ok=True)
        Image.fromarray(picture(i)).save(place / f"{i:02}.png")
    return root


def expected(folder, epoch, index):
    image, label = ImageFolder(folder)[index]
    done = FIRST(image.permute(1, 2, 0).numpy(), key=(epoch, index))
    return torch.from_numpy(done), label


def same(ours, theirs):
    assert len(ours) == len(theirs)
    for (images, labels), (others, names) in zip(ours, theirs, strict=True):
        torch.testing.assert_close(images, others, rtol=0, atol=0)
        assert torch.equal(labels, names)


# torch advises against more workers than cores; that they change nothing is what is tested
@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
@pytest.mark.parametrize("workers", [0, 1, 2, 4])
def test_batches_are_what_their_keys_say(folder, workers):
    loader = Loader(folder, AUG, 4, workers=workers, shuffle=True, seed=3)
    for epoch in range(2):
        batches = list(loader)
        assert [len(labels) for _, labels in batches] == [4, 4, 3]
        order = shuffled(11, 3, epoch)
        assert sorted(order.tolist()) == list(range(11))
        rows = [
            (image, label)
            for images, labels in batches
            for image, label in zip(images, labels, strict=True)
        ]
        for index, (image, label) in zip(order.tolist(), rows, strict=True):
            wanted, name = expected(folder, epoch, index)
            torch.testing.assert_close(image, wanted, rtol=0, atol=0)
            assert label == name


def test_loops_are_epochs_and_set_epoch_goes_back(folder):
    loader = Loader(folder, AUG, 4, shuffle=True, seed=3)
    first, second = list(loader), list(loader)
    assert not torch.equal(first[0][0], second[0][0])
    loader.set_epoch(0)
    same(list(loader), first)
    same(list(loader), second)
    for _ in loader:  # a loop that is left early was an epoch
        break
    assert loader.state_dict()["epoch"] == 2
    loader.set_epoch(1)
    same(list(loader), second)


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")
@pytest.mark.parametrize(("workers", "done"), [(0, 0), (0, 1), (0, 3), (1, 2), (2, 1), (4, 2)])
def test_a_resumed_loader_gives_the_batches_that_remain(folder, workers, done):
    loader = Loader(folder, AUG, 4, workers=workers, shuffle=True, seed=3)
    loader.set_epoch(5)
    whole, state = [], loader.state_dict()
    for number, batch in enumerate(loader, 1):
        whole.append(batch)
        if number == done:
            state = loader.state_dict()
    other = Loader(folder, AUG, 4, workers=0 if workers else 1, shuffle=True, seed=3)
    other.load_state_dict(state)
    other.set_epoch(5)  # as a training loop does: the place is kept
    assert other.state_dict() == state
    same(list(other), whole[done:])
    same(list(other), list(loader))  # and the next epoch is the next


def test_settings_of_a_state_must_be_the_same(folder):
    state = Loader(folder, AUG, 4, seed=3).state_dict()
    with pytest.raises(
        ValueError, match=r"batch_size is 2 here and 4 in the state: .*same settings"
    ):
        Loader(folder, AUG, 2, seed=3).load_state_dict(state)
    with pytest.raises(ValueError, match="batch is 9: it must be at least 0 and at most 3"):
        Loader(folder, AUG, 4, seed=3).load_state_dict(state | {"batch": 9})


def test_drop_last_and_no_pipeline_and_lists(folder):
    assert [len(labels) for _, labels in Loader(folder, AUG, 4, drop_last=True)] == [4, 4]
    images, labels = next(iter(Loader(folder, None, 3, stack=False)))
    assert labels.tolist() == [0, 0, 0]
    for index, image in enumerate(images):
        torch.testing.assert_close(image, ImageFolder(folder)[index][0], rtol=0, atol=0)
    with pytest.raises(ValueError, match=r"shapes \[\(3, 2.*end the pipeline with Resize"):
        list(Loader(folder, None, 3))


def test_any_dataset_and_the_labels_of_detection():
    flip = ik.Pipeline([ik.HorizontalFlip(), ik.Resize(20)], seed=7)
    rows = [
        {"image": picture(0), "boxes": [[0.0, 0, 12, 20]] * (i + 1), "labels": [i] * (i + 1),
         "image_id": i, "mask": np.ones((20, 24), np.uint8), "weight": np.float32(0.5), "name": "x"}
        for i in range(2)
    ]  # fmt: skip
    batch = next(iter(Loader(rows, flip, 2)))
    assert batch["image"].shape == (2, 3, 20, 20)
    assert [boxes.tolist() for boxes in batch["boxes"]] == [
        [[10, 0, 20, 20]] * (i + 1) for i in range(2)
    ]
    assert batch["labels"] == [[0], [1, 1]]
    assert batch["image_id"].tolist() == [0, 1]
    assert batch["mask"].shape == (2, 20, 20)
    assert (batch["weight"].dtype, batch["name"]) == (torch.float32, ["x", "x"])
    keyed = Keyed([(row["image"], row["image_id"]) for row in rows], flip)
    alone = next(iter(Loader([row["image"] for row in rows], flip, 2)))
    np.testing.assert_array_equal(alone[1].permute(1, 2, 0).numpy(), keyed[1][0])


def test_torchs_random_numbers_are_not_drawn_from(folder):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    list(Loader(folder, AUG, 4, workers=1, shuffle=True))
    assert torch.equal(torch.get_rng_state(), before)


THREADS = """
import time
import cv2, numpy as np
import imgkit as ik
from imgkit.torch import Loader
cv2.setNumThreads(2)
image = np.zeros((2000, 2000, 3), np.uint8)
cv2.warpAffine(image, np.float32([[1, 0.1, 0], [0.1, 1, 0]]), (2000, 2000))
time.sleep(1)  # until OpenCV's threads rest
crop = ik.Pipeline([ik.Rotate(30), ik.RandomCrop(16)], seed=7)
print(len(list(Loader([image] * 2, crop, 1, workers=1))))
"""


def test_workers_start_after_opencv_ran_in_threads():
    done = subprocess.run(
        [sys.executable, "-c", THREADS], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "2", done.stderr


@pytest.mark.parametrize("workers", [0, 1])
def test_errors_name_the_file(tmp_path, workers):
    (tmp_path / "a").mkdir()
    Image.fromarray(picture(0)).save(tmp_path / "a" / "good.png")
    (tmp_path / "a" / "bad.jpg").write_bytes(b"\xff\xd8\xff no more")
    with pytest.raises(ValueError, match=r"a/bad\.jpg: the jpg file"):
        list(Loader(tmp_path, AUG, 2, workers=workers))
    (tmp_path / "a" / "bad.jpg").unlink()
    crop = ik.Pipeline([ik.RandomCrop(64)], seed=7)
    with pytest.raises(ValueError, match=r"a/good\.png: ops\[0\]: RandomCrop: size is \(64, 64\)"):
        list(Loader(tmp_path, crop, 2, workers=workers))
    with pytest.raises(RuntimeError, match=r"sample 0 of _Broken: .*out of order"):
        list(Loader(_Broken(), AUG, 2, workers=workers))


class _Broken:
    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise KeyError("out of order")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Loader("/nowhere", AUG), FileNotFoundError, "root is /nowhere"),
        (lambda: Loader(iter([]), AUG), TypeError, "source is a list_iterator: pass a folder"),
        (lambda: Loader([], len), TypeError, "pipeline is a builtin_function_or_method"),
        (lambda: Loader([], AUG, 0), ValueError, "batch_size is 0: it must be at least 1"),
        (lambda: Loader([], AUG, workers=-1), ValueError, "workers is -1"),
        (lambda: Loader([], AUG, seed=-1), ValueError, "seed is -1"),
        (
            lambda: Loader([], AUG, device="meta"),
            ValueError,
            "device is 'meta': .*'cpu' and 'cuda'",
        ),
    ],
)
def test_what_cannot_be_loaded_says_why(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_source_with_a_pipeline_is_refused(folder):
    with pytest.raises(ValueError, match="give it to the Loader instead"):
        Loader(ImageFolder(folder, AUG), AUG)


@pytest.mark.skipif(torch.cuda.is_available(), reason="the message is for machines without CUDA")
def test_a_device_that_is_not_there():
    with pytest.raises(ValueError, match="device is 'cuda': torch sees no CUDA device; use device"):
        Loader([], AUG, device="cuda")


# --- packed ---------------------------------------------------------------------------------


def test_what_is_packed_and_augmented_later_is_the_same(folder):
    """The road of a device, walked on the CPU: same images, same labels."""
    data = ImageFolder(folder)
    loader = Loader(folder, AUG, 4)
    work = BatchDataset(data, Transform(AUG), True, True)
    batch = work.__getitems__([(2, index) for index in (5, 0, 7)])
    images = loader._augmented(batch.images, batch)
    for image, index in zip(images, (5, 0, 7), strict=True):
        # 1e-4: the contract between backends
        torch.testing.assert_close(image, expected(folder, 2, index)[0], rtol=0, atol=1e-4)
    assert batch.rest[1].tolist() == [data.targets[index] for index in (5, 0, 7)]
    loader.stack = False
    for image, one in zip(images, loader._augmented(batch.images, batch), strict=True):
        torch.testing.assert_close(image, one, rtol=0, atol=1e-4)
    assert parts._moved(batch.rest, torch.device("cpu"))[0] is None


def test_labels_move_by_the_same_key_where_the_image_is_packed():
    rows = [(picture(i), {"boxes": [[0.0, 0, 5, 5]], "labels": [i]}) for i in range(6)]
    whole = BatchDataset(rows, Transform(AUG), False, True)
    packs = BatchDataset(rows, Transform(AUG), True, True)
    keys = [(1, i) for i in range(6)]
    ours, theirs = packs.__getitems__(keys), whole.__getitems__(keys)
    for mine, other in zip(ours.rest[1]["boxes"], theirs.rest[1]["boxes"], strict=True):
        np.testing.assert_array_equal(mine, other)
    assert ours.rest[1]["labels"] == theirs.rest[1]["labels"]


@pytest.mark.parametrize("prefetch", [1, 3])
def test_buffers_are_not_written_before_they_were_copied(prefetch):
    """The protocol of a device: torch asks for more only when a batch was copied."""
    rows = [np.full((8, 8, 3), i, np.uint8) for i in range(40)]
    order = Order(40, 2, False, 0, False)
    work = BatchDataset(rows, Transform(AUG), True, True, prefetch + 1)
    loader = torch.utils.data.DataLoader(
        work,
        batch_sampler=order,
        num_workers=2,
        collate_fn=uncollated,
        prefetch_factor=prefetch,
    )
    values = []
    for batch in loader:
        values += [int(image[0, 0, 0]) for image in batch.images.images()]
    assert values == list(range(40))


# --- the example of the README ------------------------------------------------------------------

ROOT = pathlib.Path(__file__).parents[2]


def readme():
    text = (ROOT / "README.md").read_text()
    block = re.search(r"## Training.*?```python\n(.*?)```", text, re.S).group(1)
    setup = ("import ", "from ", "device =")
    lines = [line for line in block.splitlines() if line and not line.startswith(setup)]
    assert len(lines) == 10
    return block


def losses(printed):
    return [float(loss) for loss in re.findall(r"^epoch \d: loss (\d+\.\d+)$", printed, re.M)]


@pytest.fixture
def photos(tmp_path):
    """Two classes that a network can distinguish: dark and light."""
    for name, level in (("dark", 40), ("light", 200)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(8):
            image = np.full((80, 90, 3), level, np.uint8) + picture(i)[:1, :1] // 8
            Image.fromarray(image).save(tmp_path / "photos" / name / f"{i}.png")
    return tmp_path


def test_the_example_of_the_readme_learns(photos, monkeypatch, capsys):
    monkeypatch.chdir(photos)
    torch.manual_seed(0)
    names = {"ik": ik, "Loader": Loader, "nn": torch.nn, "torch": torch, "device": "cpu"}
    exec(compile(readme(), "README.md", "exec"), names)
    found = losses(capsys.readouterr().out)
    assert len(found) == 5
    assert found[-1] < found[0]


def test_the_whole_script_of_the_example_learns(photos):
    command = [sys.executable, "-W", "error", str(ROOT / "samples" / "train.py"), "photos"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=photos)
    assert done.returncode == 0, done.stderr
    assert len(losses(done.stdout)) == 5


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_device_makes_the_same_batches(folder, workers):
    ours = list(Loader(folder, AUG, 4, workers=workers, device="cuda", shuffle=True))
    for (images, labels), (others, names) in zip(
        ours, Loader(folder, AUG, 4, shuffle=True), strict=True
    ):
        assert images.is_cuda
        torch.testing.assert_close(images.cpu(), others, rtol=0, atol=1e-4)
        assert torch.equal(labels.cpu(), names)


def test_labels_of_any_number_of_rows_are_all_there():
    """One row is no different from two or none."""
    image = picture(0)
    rows = [["a"], ["b", "c"], []]
    loader = Loader([(image, row) for row in rows], None, batch_size=3)
    _, labels = next(iter(loader))
    assert labels == rows


def test_an_open_canvas_stays_open(tmp_path):
    there_and_back = ik.Pipeline(
        [ik.Rotate((45, 45)), ik.Rotate((-45, -45))], seed=7, canvas="open"
    )
    image = picture(0)
    made, _ = next(iter(Loader([(image, 0)], there_and_back, batch_size=1)))
    expected = there_and_back(image, key=(0, 0))
    np.testing.assert_array_equal(made[0].permute(1, 2, 0).numpy(), expected)


def test_a_loader_without_a_pipeline_leaves_the_dataset_its_own():
    flip = Transform(ik.Pipeline([ik.HorizontalFlip()], seed=1))
    images = np.random.default_rng(0).integers(0, 256, (4, 6, 5, 3), np.uint8)

    class Flipped:
        def __len__(self):
            return 4

        def __getitem__(self, index):
            return flip(images[index], key=(0, index)), index

    for found, labels in Loader(Flipped(), None, 2, shuffle=False):
        expected = torch.from_numpy(images[labels, :, ::-1].copy()).permute(0, 3, 1, 2)
        assert torch.equal(found, expected)
