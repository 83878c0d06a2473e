"""Two networks for 32x32 color pictures: strides of 2, and VGG's pairs with batch normalization.

python samples/cifar_cnn.py [--quick] [--out DIR] [--data DIR]

DIR of --data holds CIFAR-10's binary version. Without it the pictures are windows of the color
photographs that come with scikit-image, and the class is the photograph: train windows lie in its
left three fifths, test windows in the rest.
"""

import torch
import torchinfo
from data import COLORED, SQUARE, THINGS, cifar10, options, patches
from pictures import curves, sheet
from torch import nn
from training import fit, parameters

import imgkit as ik

OUTPUT = [ik.Normalize((0.5,) * 3, (0.25,) * 3), ik.ToCHW()]
AUGMENTATION = [
    ik.RandomCrop(SQUARE, padding=4),
    ik.HorizontalFlip(p=0.5),
    ik.Translate(x=(-0.1, 0.1), y=(-0.1, 0.1)),
]
EPOCHS = 8


def stride_network(classes):
    """Convolutions of stride 2 with 32, 64 and 128 kernels, dense 1024: 32 -> 15 -> 7 -> 3."""
    layers, channels, edge = [], 3, SQUARE
    for width in (32, 64, 128):
        layers += [nn.Conv2d(channels, width, 3, stride=2), nn.ReLU()]
        channels, edge = width, ik.conv_output_size(edge, 3, stride=2)
    return head(layers, channels * edge**2, classes)


def vgg_network(classes):
    """Pairs of 32, 64 and 128 kernels, each normalized over the batch, and pooling after a pair."""
    layers, channels = [], 3
    for width in (32, 64, 128):
        for inputs in (channels, width):
            layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
        channels = width
    return head(layers, channels * (SQUARE // 8) ** 2, classes)


def head(layers, inputs, classes):
    """The dense layers that both networks end with."""
    dense = [nn.Linear(inputs, 1024), nn.ReLU(), nn.Dropout(0.2), nn.Linear(1024, classes)]
    network = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.2), *dense)
    return network.to(memory_format=torch.channels_last)  # faster on a processor


def table(model):
    """Each layer that has parameters or changes the size, with its output."""
    found = torchinfo.summary(model, (1, 3, SQUARE, SQUARE), verbose=0)
    lines = ["  layer        output          parameters"]
    for layer in found.summary_list[1:]:
        if layer.class_name not in ("ReLU", "Dropout"):
            shape = " x ".join(str(n) for n in layer.output_size[1:])
            lines.append(f"  {layer.class_name:<12} {shape:<14} {layer.num_params:>11,}")
    return "\n".join([*lines, f"  {'total':<27} {parameters(model):>11,}"])


def pictures(quick, data):
    """CIFAR-10 from its files or windows of photographs, and the names of the classes."""
    if data:
        return cifar10(data).head(*((320, 160) if quick else (50_000, 10_000))), THINGS
    print("without --data there is no CIFAR-10 here: windows of scikit-image's photographs instead")
    return patches(COLORED, SQUARE, *((20, 10) if quick else (200, 60))), COLORED


def main(quick, out, data):
    split, names = pictures(quick, data)
    print(f"{len(split.x):,} pictures to train with, {len(split.test_x):,} to test with")
    print(f"{len(names)} classes: {', '.join(names)}")
    for build in (stride_network, vgg_network):
        print(f"{build.__name__}\n{table(build(len(names)))}")
    history = {}
    for name, build, ops in (
        ("stride 2", stride_network, []),
        ("VGG-like", vgg_network, []),
        ("VGG-like, augmented", vgg_network, AUGMENTATION),
    ):
        print(name)
        torch.manual_seed(0)
        history[name] = fit(
            build(len(names)),
            split.x,
            split.y,
            train_aug=ik.Pipeline([*ops, *OUTPUT], seed=1),
            test_aug=ik.Pipeline(OUTPUT),
            test=(split.test_x, split.test_y),
            epochs=1 if quick else EPOCHS,
            batch=64,
        )
    print("network              train loss  test loss  test accuracy")
    for name, rows in history.items():
        row = rows[-1]
        print(f"{name:<20} {row['loss']:>10.3f} {row['test loss']:>10.3f} {row['accuracy']:>14.2%}")
    series = {name: [row["accuracy"] for row in rows] for name, rows in history.items()}
    curves(out / "cifar_cnn_curves.png", series, "test accuracy")
    variants = ik.Pipeline(AUGMENTATION, seed=1)
    shown = [split.x[i] for i in range(0, len(split.x), max(1, len(split.x) // 8))][:8]
    sheet(
        out / "cifar_cnn_augmented.png",
        [
            *shown,
            *(variants(image, key=(row, i)) for row in (0, 1) for i, image in enumerate(shown)),
        ],
        ["as it is"] * 8 + ["augmented"] * 16,
        columns=8,
        edge=1.3,
    )


if __name__ == "__main__":
    chosen = options(__doc__)
    main(chosen.quick, chosen.out, chosen.data)
