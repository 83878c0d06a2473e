"""Transform inside the datasets of torchvision, Lightning, timm and Hugging Face."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

import imgkit as ik
from imgkit.torch import Keyed, Loader, Preprocess, Transform

torchvision = pytest.importorskip("torchvision")
from torchvision import datasets, tv_tensors  # noqa: E402
from torchvision.transforms import v2  # noqa: E402
from torchvision.transforms.v2 import functional as F  # noqa: E402

AUG = ik.Pipeline([ik.RandomResizedCrop(16), ik.HorizontalFlip(p=0.5)], seed=7)
FLIP = ik.Pipeline([ik.HorizontalFlip()], seed=7)
FORMATS = ["XYXY", "XYWH", "CXCYWH", "CXCYWHR", "XYWHR", "XYXYXYXY"]


def picture(seed):
    return np.random.default_rng(seed).integers(0, 256, (20, 24, 3), np.uint8)


def chw(array):
    return torch.from_numpy(array).permute(2, 0, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("images")
    for i in range(6):
        (root / f"class_{i % 2}").mkdir(exist_ok=True)
        Image.fromarray(picture(i)).save(root / f"class_{i % 2}" / f"{i}.png")
    return root


# --- torchvision ----------------------------------------------------------------------------


def test_torchvisions_image_folder_with_a_transform(folder):
    data = datasets.ImageFolder(folder, transform=Transform(ik.Pipeline(AUG.ops, seed=7)))
    image, label = data[0]
    torch.testing.assert_close(image, chw(AUG(picture(0), key=(0, 0))), rtol=0, atol=0)
    assert (image.shape, label) == ((3, 16, 16), 0)
    images, labels = next(iter(DataLoader(data, batch_size=4)))
    assert (images.shape, labels.tolist()) == ((4, 3, 16, 16), [0, 0, 0, 1])


def test_torchvisions_image_folder_keyed(folder):
    data = Keyed(datasets.ImageFolder(folder), AUG)
    data.set_epoch(3)
    image, label = data[4]
    torch.testing.assert_close(image, chw(AUG(picture(3), key=(3, 4))), rtol=0, atol=0)
    assert label == 1
    images, _ = next(iter(Loader(datasets.ImageFolder(folder), AUG, 6)))
    data.set_epoch(0)
    torch.testing.assert_close(images[4], data[4][0], rtol=0, atol=0)


def test_a_pipeline_itself_is_a_transform_that_gives_arrays(folder):
    data = datasets.ImageFolder(folder, transform=ik.Pipeline([*AUG.ops, ik.ToCHW()], seed=7))
    np.testing.assert_array_equal(data[0][0].transpose(1, 2, 0), AUG(picture(0), key=(0, 0)))


def test_in_a_row_with_torchvisions_own(folder):
    both = v2.Compose([Transform(FLIP), v2.ToDtype(torch.float32, scale=True)])
    image, _ = datasets.ImageFolder(folder, transform=both)[0]
    torch.testing.assert_close(image, chw(picture(0)).flip(-1) / 255)


@pytest.mark.parametrize("form", FORMATS)
def test_tv_tensors_in_and_out_as_torchvision_moves_them(form):
    start = torch.tensor([[8.0, 9, 6, 4, 30]]) if "R" in form else torch.tensor([[3.0, 2, 9, 12]])
    first = "CXCYWHR" if "R" in form or form == "XYXYXYXY" else "XYXY"
    if form == "XYXYXYXY":
        start = torch.tensor([[8.0, 9, 6, 4, 30]])
    boxes = tv_tensors.BoundingBoxes(start, format=first, canvas_size=(20, 24))
    boxes = F.convert_bounding_box_format(boxes, new_format=form)
    sample = (
        tv_tensors.Image(chw(picture(0))),
        {"boxes": boxes, "mask": tv_tensors.Mask(torch.arange(480).reshape(20, 24)), "id": 4},
    )
    image, target = Transform(FLIP)(*sample, key=0)
    theirs, wanted = v2.RandomHorizontalFlip(p=1)(*sample)
    for ours, other in ((image, theirs), (target["mask"], wanted["mask"])):
        assert type(ours) is type(other)
        torch.testing.assert_close(ours, other, rtol=0, atol=0)
    moved = target["boxes"]
    assert isinstance(moved, tv_tensors.BoundingBoxes)
    assert (moved.format, moved.canvas_size) == (boxes.format, (20, 24))
    # turned boxes have many spellings: their corners are compared, as sets; float32 leaves 1e-4
    corners = [
        F.convert_bounding_box_format(b, new_format="XYXYXYXY" if len(start[0]) == 5 else "XYXY")
        for b in (moved, wanted["boxes"])
    ]  # fmt: skip
    points = [sorted(c.reshape(-1, 2).round(decimals=2).tolist()) for c in corners]
    np.testing.assert_allclose(points[0], points[1], atol=0.02)
    assert target["id"] == 4


def test_the_canvas_follows_a_crop():
    crop = Transform(ik.Pipeline([ik.CenterCrop((10, 12))], seed=7))
    boxes = tv_tensors.BoundingBoxes([[0.0, 0, 24, 20]], format="XYXY", canvas_size=(20, 24))
    image, moved = crop(tv_tensors.Image(chw(picture(0))), boxes, key=0)
    assert isinstance(image, tv_tensors.Image)
    assert (moved.tolist(), moved.canvas_size) == ([[0, 0, 12, 10]], (10, 12))


@pytest.mark.skipif(not hasattr(tv_tensors, "KeyPoints"), reason="torchvision has none before 0.23")
def test_keypoints():
    points = tv_tensors.KeyPoints([[0.0, 0.0], [23.0, 19.0]], canvas_size=(20, 24))
    _, moved = Transform(FLIP)(tv_tensors.Image(chw(picture(0))), points, key=0)
    assert isinstance(moved, tv_tensors.KeyPoints)
    torch.testing.assert_close(moved, F.horizontal_flip(points))


# --- others ---------------------------------------------------------------------------------


def test_lightning_data_module(folder):
    with warnings.catch_warnings():  # what its own imports deprecate is not ours
        warnings.simplefilter("ignore")
        lightning = pytest.importorskip("lightning")

    class Data(lightning.LightningDataModule):
        def train_dataloader(self):
            return Loader(folder, ik.Pipeline([*AUG.ops, ik.ToFloat()], seed=7), 2, shuffle=True)

    class Net(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(3 * 16 * 16, 2)
            self.seen = []

        def training_step(self, batch, _):
            images, labels = batch
            self.seen.append((self.current_epoch, labels.tolist()))
            return torch.nn.functional.cross_entropy(self.layer(images.flatten(1)), labels)

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.01)

    torch.manual_seed(0)
    net = Net()
    with warnings.catch_warnings():  # it advises about workers and logging
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(
            max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        trainer.fit(net, Data())
    assert [epoch for epoch, _ in net.seen] == [0, 0, 0, 1, 1, 1]
    labels = [label for _, batch in net.seen[:3] for label in batch]
    assert sorted(labels) == [0, 0, 0, 1, 1, 1]


# timm leaves the files that it decoded to be closed by the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_in_the_place_of_timms_create_transform(folder):
    data = pytest.importorskip("timm.data")
    dataset = data.create_dataset("", root=str(folder), transform=Transform(AUG))
    image, label = dataset[0]
    assert (image.shape, image.dtype, label) == ((3, 16, 16), torch.uint8, 0)
    config = {"input_size": (3, 16, 16), "mean": (0.5,) * 3, "std": (0.5,) * 3, "crop_pct": 1.0,
              "interpolation": "bicubic"}  # fmt: skip
    dataset.transform = data.create_transform(**config)
    theirs = dataset[1][0]
    dataset.transform = Preprocess(config)
    # 1 level: both round to 8 bits after each axis
    torch.testing.assert_close(dataset[1][0], theirs, rtol=0, atol=1.01 / 127.5)


def test_hugging_face_set_transform_and_keys():
    with warnings.catch_warnings():  # what its own imports deprecate is not ours
        warnings.simplefilter("ignore")
        hf = pytest.importorskip("datasets")
    data = hf.Dataset.from_dict(
        {"image": [Image.fromarray(picture(i)) for i in range(4)], "label": list(range(4))},
        features=hf.Features({"image": hf.Image(), "label": hf.Value("int64")}),
    )
    keyed = Keyed(data, AUG)
    keyed.set_epoch(2)
    row = keyed[3]
    torch.testing.assert_close(row["image"], chw(AUG(picture(3), key=(2, 3))), rtol=0, atol=0)
    assert row["label"] == 3
    data.set_transform(Transform(ik.Pipeline(AUG.ops, seed=7)))
    images = data[:3]
    assert images["label"] == [0, 1, 2]
    for index, image in enumerate(images["image"]):
        torch.testing.assert_close(image, chw(AUG(picture(index), key=(0, index))), rtol=0, atol=0)
    assert data[1]["image"].shape == (3, 16, 16)
    batch = next(iter(DataLoader(data, batch_size=4)))
    assert batch["image"].shape == (4, 3, 16, 16)


def test_a_dict_of_lists_takes_indices():
    columns = {"image": [picture(i) for i in range(2)], "label": [5, 6]}
    out = Transform(AUG)(columns, key=(1, [8, 9]))
    np.testing.assert_array_equal(out["image"][1], AUG(picture(1), key=(1, 9)))
    assert out["label"] == [5, 6]
