"""Transfer learning from half of the classes to the other half, with frozen layers or without.

python samples/transfer_learning.py [--quick] [--out DIR] [--data DIR]

A network learns five kinds of clothes from many pictures. Then it gets the other five with only
50 pictures, and is trained as a whole, with its first two convolutions frozen, or with all but
the last layer frozen. DIR of --data holds Fashion-MNIST's four files.
"""

import copy

import numpy as np
import torch
from data import CLOTHES, Split, fashion_mnist, options
from pictures import curves
from torch import nn
from training import fit, parameters

import imgkit as ik

OUTPUT = [ik.Normalize((0.286,), (0.353,)), ik.ToCHW()]
AUGMENTATION = [ik.HorizontalFlip(p=0.5), ik.RandomCrop(28, padding=2)]
OLD = [0, 2, 4, 5, 9]  # T-shirt, pullover, coat, sandal, boot
NEW = [1, 3, 6, 7, 8]  # trouser, dress, shirt, sneaker, bag
FEW = 50  # pictures of the new classes
FREEZE = {  # how many of the network's modules stay as they are
    "whole model": 0,
    "two convolutions frozen": 4,
    "all but the last frozen": 9,
}


def network():
    """Three convolutions of stride 2, dense 128, and five classes."""
    layers, channels = [], 1
    for width in (32, 64, 128):
        layers += [nn.Conv2d(channels, width, 3, stride=2), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, 5))


def only(split, classes, train, test):
    """The first images of some classes, numbered from 0."""
    parts = []
    for x, y, count in ((split.x, split.y, train), (split.test_x, split.test_y, test)):
        rows = np.flatnonzero(np.isin(y, classes))[:count]
        parts += [x[rows], np.searchsorted(classes, y[rows])]
    return Split(*parts)


def train(model, split, epochs, batch, lr=1e-3):
    """Train what is not frozen, with flips and shifts."""
    return fit(
        model,
        split.x,
        split.y,
        train_aug=ik.Pipeline([*AUGMENTATION, *OUTPUT], seed=1),
        test_aug=ik.Pipeline(OUTPUT),
        test=(split.test_x, split.test_y),
        epochs=epochs,
        batch=batch,
        lr=lr,
    )


def transferred(model, frozen):
    """A copy with a new last layer, in which the first modules are frozen."""
    torch.manual_seed(1)
    model = copy.deepcopy(model)
    model[-1] = nn.Linear(128, 5)
    model[:frozen].requires_grad_(False)
    return model


def trainable(model):
    """Number of parameters that are not frozen."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def main(quick, out, data):
    split = fashion_mnist(data)
    torch.manual_seed(0)
    pretrained = network()
    fresh = copy.deepcopy(pretrained)
    many = only(split, OLD, *((1500, 300) if quick else (15_000, 5000)))
    few = only(split, NEW, FEW, 300 if quick else 5000)
    print(f"old classes: {', '.join(CLOTHES[i] for i in OLD)}; {len(many.x):,} pictures")
    train(pretrained, many, 1 if quick else 4, 128)
    print(f"new classes: {', '.join(CLOTHES[i] for i in NEW)}; {len(few.x)} pictures")
    history, counts = {}, {}
    starts = {name: transferred(pretrained, frozen) for name, frozen in FREEZE.items()}
    starts["without pretraining"] = fresh
    for name, model in starts.items():
        print(name)
        counts[name] = trainable(model)
        history[name] = train(model, few, 2 if quick else 20, 10, 2e-3)
    print(f"test accuracy, {'':<9} trained of {parameters(fresh):,}  after an epoch  at last")
    for name, rows in history.items():
        first, last = rows[0]["accuracy"], rows[-1]["accuracy"]
        print(f"{name:<24} {counts[name]:>18,} {first:>15.2%} {last:>8.2%}")
    series = {name: [row["accuracy"] for row in rows] for name, rows in history.items()}
    curves(out / "transfer_learning.png", series, "test accuracy on the new classes")


if __name__ == "__main__":
    chosen = options(__doc__)
    main(chosen.quick, chosen.out, chosen.data)
