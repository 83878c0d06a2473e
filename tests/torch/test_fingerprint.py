"""A state knows its pipeline and its data, in any process and wherever the folder lies."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import ConcatDataset, Subset

import imgkit as ik
from imgkit.torch import ImageFolder, Loader, Transform
from imgkit.torch.fingerprint import data_fingerprint, pipeline_fingerprint

AUG = ik.Pipeline([ik.RandomCrop(4), ik.HorizontalFlip(p=0.5)], seed=7)


def picture(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (8, 9, 3), np.uint8)


def make_folder(root, names=("a/0", "a/1", "b/0")):
    for i, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(i)).save(root / f"{name}.png")
    return root


@dataclasses.dataclass
class Own:
    targets: object = dataclasses.field(default_factory=lambda: [0, 1, 1])
    classes: object = ("x", "y")

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return picture(index), self.targets[index]


ROWS = [(picture(i), i) for i in range(3)]
OTHERS = {
    "seed": ik.Pipeline(AUG.ops, seed=8),
    "no seed": ik.Pipeline(AUG.ops),
    "parameter": ik.Pipeline([ik.RandomCrop(4), ik.HorizontalFlip(p=0.6)], seed=7),
    "order": ik.Pipeline(AUG.ops[::-1], seed=7),
    "op": ik.Pipeline([*AUG.ops, ik.Invert()], seed=7),
    "canvas": ik.Pipeline(AUG.ops, seed=7, canvas="open"),
    "options": Transform(AUG, box_format="xywh"),
    "names": Transform(AUG, names=("image", None)),
    "none": None,
    "function": ik.Pipeline([*AUG.ops, np.flip], seed=7),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_the_state_of_another_pipeline_is_refused(other):
    state = Loader(ROWS, AUG, 2).state_dict()
    loader = Loader(ROWS, other, 2)
    with pytest.raises(ValueError, match=r"the pipeline \(its ops, seed.*batches would differ; cr"):
        loader.load_state_dict(state)
    assert loader.state_dict()["epoch"] == loader.state_dict()["batch"] == 0
    Loader(ROWS, other, 2).load_state_dict(loader.state_dict())
    with pytest.raises(ValueError, match="seed is 1 here and 0 in the state"):
        Loader(ROWS, AUG, 2, seed=1).load_state_dict(state)


def test_the_state_of_another_dataset_is_refused(tmp_path):
    here = Loader(make_folder(tmp_path / "here"), AUG, 2)
    there = Loader(make_folder(tmp_path / "moved" / "there"), AUG, 2)
    there.load_state_dict(here.state_dict())
    Loader(f"{tmp_path}/here/", AUG, 2).load_state_dict(here.state_dict())
    other = make_folder(tmp_path / "other", ("a/0", "a/2", "b/0"))
    named = make_folder(tmp_path / "named", ("a/0", "a/1", "c/0"))
    moved = make_folder(tmp_path / "labels", ("a/0", "b/1", "b/0"))
    for source in (
        other,
        named,
        moved,
        ROWS,
        Own(),
        Subset(ImageFolder(tmp_path / "here"), [0, 1, 2]),
    ):
        with pytest.raises(ValueError, match=r"the dataset \(its type, classes, labels or files\)"):
            Loader(source, AUG, 2).load_state_dict(here.state_dict())


def test_what_of_a_dataset_counts():
    kinds = (np.array([0, 1, 1]), torch.tensor([0, 1, 1]), (0, 1, 1))
    same = [Own(), Own(classes=["x", "y"]), *(Own(targets) for targets in kinds)]
    assert len({data_fingerprint(data) for data in same}) == 1
    different = [
        Own(), Own([0, 0, 1]), Own(classes=("x", "z")), Own(["a", "b", "b"]), Own(None), ROWS,
        Own([0.0, 1.0, 0.5]), Subset(ROWS, [0, 1]), Subset(ROWS, [0, 2]),
        Subset(Own(), [0, 2]), Subset(Own([0, 0, 1]), [0, 2]),
        ConcatDataset([Own(), Own()]), ConcatDataset([Own(), Own([0, 0, 1])]),
    ]  # fmt: skip
    assert len({data_fingerprint(data) for data in different}) == len(different)


def test_the_state_of_an_earlier_release_is_accepted_with_a_warning():
    loader = Loader(ROWS, AUG, 2)
    next(iter(loader))
    state = loader.state_dict()
    old = {name: state[name] for name in state if name not in ("ranks", "pipeline", "data")}
    other = Loader(ROWS, AUG, 2)
    with pytest.warns(UserWarning, match="state has no ranks, pipeline, data: .* earlier release"):
        other.load_state_dict(old)
    assert other.state_dict() == state
    with pytest.raises(ValueError, match="batch_size is 3 here and 2 in the state"):
        Loader(ROWS, AUG, 3).load_state_dict(old)
    with pytest.raises(ValueError, match="samples is 3 here and None in the state"):
        Loader(ROWS, AUG, 2).load_state_dict({"epoch": 0, "batch": 0})


def test_states_are_plain_and_survive_json_and_torch(tmp_path):
    state = Loader(ROWS, AUG, 2).state_dict()
    torch.save(state, tmp_path / "state.pt")
    for read in (json.loads(json.dumps(state)), torch.load(tmp_path / "state.pt")):
        Loader(ROWS, AUG, 2).load_state_dict(read)


PROCESS = """
import numpy as np
import imgkit as ik
from imgkit.torch import Transform
from imgkit.torch.fingerprint import pipeline_fingerprint

class Shade(ik.Transform):
    share: float = 0.5
    def apply(self, image, numbers):
        return image

ops = [ik.RandomCrop(4), np.flip, lambda x: x, Shade(), ik.OneOf([ik.Invert(), ik.sobel])]
print(pipeline_fingerprint(Transform(ik.Pipeline(ops, seed=7), names={"a": "image", "b": None})))
"""


def test_a_fingerprint_is_that_of_every_process():
    """No address, no hash that Python seeds, even where an op has no name in documents."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", PROCESS], capture_output=True, text=True, timeout=60, check=True
        ).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    assert len(runs[0].strip()) == 16
    assert pipeline_fingerprint(Transform(AUG)) == pipeline_fingerprint(Transform(AUG))


@pytest.mark.parametrize(
    "options",
    [
        {"box_format": "xywh"},
        {"min_visibility": 0.5},
        {"fill_mask": 255},
        {"invalid_boxes": "clip"},
    ],
)
def test_every_option_of_a_transform_counts(options):
    assert pipeline_fingerprint(Transform(AUG, **options)) != pipeline_fingerprint(Transform(AUG))
