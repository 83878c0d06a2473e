"""Grass or stone: a folder of JPEG files, `imgkit prep`, and a network trained in six ways.

python samples/two_classes.py [--quick] [--out DIR] [--data DIR]

DIR of --data has one folder of photographs for each of two classes, such as cats/ and dogs/;
without it the files are tiles of scikit-image's brick, grass and gravel. Pretrained weights are
not downloaded: the feature extractor learns here, from other photographs of scikit-image.
"""

import copy
import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from data import COLORED, GET_PETS, missing, options, patches, texture_tiles
from pictures import curves, sheet
from torch import nn
from training import fit, parameters

import imgkit as ik
from imgkit.torch import Loader

SOURCES = {"grass": ["grass"], "stone": ["brick", "gravel"]}
EDGE, BATCH, EPOCHS = 150, 8, 10
WAY = {"rotate": (-20, 20), "translate": (-0.1, 0.1), "scale": (0.8, 1.2), "border": "reflect"}
AUGMENTATION = [ik.HorizontalFlip(p=0.5), ik.Affine(**WAY), ik.ColorJitter(0.2, 0.2)]


def prepare(source, folder):
    """Run `imgkit prep`: squash to squares, split, measure the pixels to train on."""
    words = ["prep", source, folder, "--preset", "siglip", "--size", str(EDGE), "--split", "60/40"]
    command = [sys.executable, "-m", "imgkit", *words, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if not done.stdout:  # files that cannot be read are left out; then the code is 1
        raise SystemExit(done.returncode)
    facts = json.loads(done.stdout)
    if len(facts["classes"]) != 2:
        raise SystemExit(f"{source} has {len(facts['classes'])} folders of images: it takes two")
    print({part: facts["parts"][part]["classes"] for part in ("train", "val")})
    return ik.Normalize(facts["normalize"]["mean"], facts["normalize"]["std"])


def convolutions():
    """32, 64, 128 and 128 kernels 3x3, each followed by pooling: 150 pixels become 7."""
    layers, channels = [], 3
    for width in (32, 64, 128, 128):
        layers += [nn.Conv2d(channels, width, 3), nn.ReLU(), nn.MaxPool2d(2)]
        channels = width
    return nn.Sequential(*layers)


def network(base):
    """Convolutions, dense 512, and one output: the logit of the second class."""
    head = nn.Sequential(nn.Flatten(), nn.Linear(128 * 7 * 7, 512), nn.ReLU(), nn.Linear(512, 1))
    return nn.Sequential(base, head).to(memory_format=torch.channels_last)


def extractor(quick):
    """Convolutions pretrained to distinguish photographs, from windows of 64x64 without color."""
    split = patches(COLORED, 64, *((6, 4) if quick else (150, 30)))
    model = nn.Sequential(convolutions(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 8))
    model.to(memory_format=torch.channels_last)  # faster on a processor
    gray, last = [ik.ColorJitter(0.3, 0.3), ik.Grayscale()], [ik.Normalize(), ik.ToCHW()]
    augs = {"train_aug": ik.Pipeline(gray + last, seed=1), "test_aug": ik.Pipeline(gray[1:] + last)}
    fit(model, split.x, split.y, **augs, test=split[2:], epochs=1 if quick else 10, batch=32)
    return model[0]


def train(model, loader, validation, epochs, lr):
    """Train with Adam on the sigmoid's cross-entropy; validation accuracy after each epoch."""
    optimizer = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr)
    cross_entropy, history = nn.BCEWithLogitsLoss(), []
    for _ in range(epochs):
        for images, labels in loader:
            error = cross_entropy(model(images)[:, 0], labels.float())
            optimizer.zero_grad()
            error.backward()
            optimizer.step()
        with torch.no_grad():
            right = [(model(images)[:, 0] > 0) == labels for images, labels in validation]
        history.append(torch.cat(right).float().mean().item())
    return history


def compare(folder, normalize, base, epochs):
    """Validation accuracy by way: from scratch, over frozen convolutions, then fine-tuned."""
    validation = Loader(folder / "val", ik.Pipeline([normalize]), BATCH)
    history = {}
    for name, ops in {"": [], ", augmented": AUGMENTATION}.items():
        aug = ik.Pipeline([*ops, normalize], seed=1)
        loader = Loader(folder / "train", aug, BATCH, shuffle=True)
        torch.manual_seed(0)
        model = network(convolutions())
        history["from scratch" + name] = train(model, loader, validation, epochs, 5e-4)
        model = network(copy.deepcopy(base).requires_grad_(False))
        history["frozen extractor" + name] = train(model, loader, validation, epochs, 5e-4)
        model[0][3:].requires_grad_(True)  # all convolutions but the first, by smaller steps
        history["then fine-tuned" + name] = train(model, loader, validation, epochs, 1e-4)
    return history


def main(quick, out, data):
    if data and not data.is_dir():
        missing(data, GET_PETS)
    with tempfile.TemporaryDirectory() as scratch:
        tiles, folder = pathlib.Path(scratch, "tiles"), pathlib.Path(scratch, "dataset")
        if not data:
            texture_tiles(tiles, SOURCES, EDGE, 20 if quick else 100)
        normalize = prepare(data or tiles, folder)
        print(f"{parameters(network(convolutions())):,} parameters")
        torch.manual_seed(0)
        history = compare(folder, normalize, extractor(quick), 1 if quick else EPOCHS)
        files = Loader(folder / "train", ik.Pipeline(AUGMENTATION, seed=1), 6, shuffle=True, seed=3)
        images, labels = next(iter(files))
    print(f"{'validation accuracy':<28} {'at last':>8} {'at best':>8}")
    for name, rows in history.items():
        print(f"{name:<28} {rows[-1]:>8.2%} {max(rows):>8.2%}")
    titles = [files.dataset.classes[label] for label in labels]
    sheet(out / "two_classes_tiles.png", images.permute(0, 2, 3, 1).numpy(), titles, columns=6)
    for part, ways in {"scratch": ("from",), "pretrained": ("frozen", "then")}.items():
        series = {name: rows for name, rows in history.items() if name.startswith(ways)}
        curves(out / f"two_classes_{part}.png", series, "validation accuracy")


if __name__ == "__main__":
    chosen = options(__doc__)
    main(chosen.quick, chosen.out, chosen.data)
