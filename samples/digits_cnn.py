"""Two small convolutional networks read handwritten digits.

python samples/digits_cnn.py [--quick] [--out DIR] [--data DIR]

The larger one has exactly 118,346 parameters. DIR of --data holds MNIST's four files; without it
the 1,797 digits of scikit-learn are enlarged to MNIST's 28x28 pixels.
"""

import numpy as np
import torch
import torchinfo
from data import digits, options
from pictures import curves, sheet
from torch import nn
from training import fit, parameters

import imgkit as ik

OUTPUT = [ik.ToFloat(), ik.ToCHW()]
TURNED = [ik.Affine(rotate=(-10, 10), translate=(-0.07, 0.07), scale=(0.9, 1.1)), *OUTPUT]
FEW = 10_000  # with fewer images than these an epoch is short, and more of them are needed


def network(convolutions):
    """Convolutions (width, size), each but the last of three followed by pooling; dense 64, 10."""
    layers, channels, edge = [], 1, 28
    for depth, (width, size) in enumerate(convolutions):
        layers += [nn.Conv2d(channels, width, size), nn.ReLU()]
        edge = ik.conv_output_size(edge, size)
        if depth < 2:
            layers.append(nn.MaxPool2d(2))
            edge = ik.conv_output_size(edge, 2, stride=2)
        channels = width
    dense = [nn.Flatten(), nn.Linear(channels * edge**2, 64), nn.ReLU(), nn.Linear(64, 10)]
    return nn.Sequential(*layers, *dense)


def two_convolutions():
    """28 -> 24 -> pool 12 -> 8 -> pool 4 -> 1024 -> 64 -> 10."""
    return network([(32, 5), (64, 5)])


def three_convolutions():
    """28 -> 26 -> pool 13 -> 11 -> pool 5 -> 3 -> 576 -> 64 -> 10; smaller kernels."""
    return network([(32, 3), (64, 3), (64, 3)])


def table(model):
    """Each layer with its output and its parameters."""
    found = torchinfo.summary(model, (1, 1, 28, 28), verbose=0)
    lines = ["  layer      output           parameters"]
    for layer in found.summary_list[1:]:
        if layer.class_name != "ReLU":
            shape = " x ".join(str(n) for n in layer.output_size[1:])
            lines.append(f"  {layer.class_name:<10} {shape:<16} {layer.num_params:>10,}")
    return "\n".join([*lines, f"  {'total':<27} {parameters(model):>10,}"])


def features(path, model, image):
    """A digit, the six kernels with the strongest response (`imgkit.conv2d`), and their pools."""
    first = model[0]
    weight, bias = (value.detach().numpy() for value in (first.weight, first.bias))
    found = np.maximum(ik.conv2d(image / np.float32(255), weight, bias), 0)  # (24, 24, 32)
    pooled = ik.max_pool(found, 2)
    strongest = np.argsort(-pooled.sum((0, 1)))[:6]
    pictures = [image, *(weight[i, 0] for i in strongest)]
    titles = ["digit 28x28", *["kernel 5x5"] * 6]
    for name, maps in {"found 24x24": found, "pooled 12x12": pooled}.items():
        pictures += [maps.max(-1), *(maps[..., i] for i in strongest)]
        titles += [f"all 32 {name}", *[name] * 6]
    sheet(path, pictures, titles, columns=7, edge=1.4)


def main(quick, out, data):
    split = digits(data).head(*((500, 300) if quick else (60_000, 10_000)))
    epochs = 2 if quick else 15 if len(split.x) < FEW else 4
    print(f"{len(split.x):,} digits to train with, {len(split.test_x):,} to test with")
    history = {}
    for build in (two_convolutions, three_convolutions):
        name = build.__name__.replace("_", " ")
        torch.manual_seed(0)
        model = build()
        print(f"{name}\n{table(model)}")
        history[name] = fit(
            model,
            split.x,
            split.y,
            train_aug=ik.Pipeline(TURNED, seed=1),
            test_aug=ik.Pipeline(OUTPUT),
            test=(split.test_x, split.test_y),
            epochs=epochs,
            batch=64,
            lr=2e-3,
        )
        if build is two_convolutions:
            features(out / "digits_cnn_features.png", model, split.test_x[0])
    for name, rows in history.items():
        print(f"{name}: {rows[-1]['accuracy']:.2%} of the test digits right")
    series = {
        f"{part}, {name}": [row[part] for row in rows]
        for name, rows in history.items()
        for part in ("loss", "test loss")
    }
    curves(out / "digits_cnn_curves.png", series, "cross-entropy")


if __name__ == "__main__":
    chosen = options(__doc__)
    main(chosen.quick, chosen.out, chosen.data)
