"""A convolutional network classifies clothes, trained without and with augmentation.

python samples/fashion_cnn.py [--quick] [--out DIR] [--data DIR]

Three convolutions of stride 2 shrink 28x28 pixels to 4x4 (no pooling needed), then dropout and a
dense layer of 512. DIR of --data holds Fashion-MNIST's four files.
"""

import numpy as np
import torch
from data import CLOTHES, fashion_mnist, options
from matplotlib import pyplot as plt
from pictures import curves, save, sheet
from sklearn.metrics import confusion_matrix
from torch import nn
from training import fit, parameters, predict

import imgkit as ik

MEAN, STD = 0.286, 0.353  # of the training pixels
EPOCHS = 7
OUTPUT = [ik.Normalize((MEAN,), (STD,)), ik.ToCHW()]
AUGMENTATION = [ik.HorizontalFlip(p=0.5), ik.RandomCrop(28, padding=1)]


def network():
    """Convolutions of 32, 64 and 128 kernels 3x3 with stride 2, dense 512, dense 10."""
    layers, channels = [], 1
    for width in (32, 64, 128):
        layers += [nn.Conv2d(channels, width, 3, stride=2, padding=1), nn.ReLU()]
        channels = width
    layers += [nn.Flatten(), nn.Dropout(0.2), nn.Linear(128 * 4 * 4, 512), nn.ReLU()]
    layers += [nn.Dropout(0.2), nn.Linear(512, 10)]
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)  # faster on a processor


def sizes():
    """The output size of each convolution for 28 pixels, and its receptive field."""
    size, lines = 28, []
    for depth in (1, 2, 3):
        size = ik.conv_output_size(size, 3, stride=2, padding=1)
        field = ik.receptive_field([("conv", 3, 2)] * depth)
        lines.append(f"  after convolution {depth}: {size}x{size}, each sees {field}x{field}")
    return "\n".join(lines)


def train(split, augmentation, epochs):
    """A network trained with Adam on batches of 128, and its history."""
    torch.manual_seed(0)
    model = network()
    history = fit(
        model,
        split.x,
        split.y,
        train_aug=ik.Pipeline([*augmentation, *OUTPUT], seed=1),
        test_aug=ik.Pipeline(OUTPUT),
        test=(split.test_x, split.test_y),
        epochs=epochs,
        batch=128,
    )
    return model, history


def draw_confusion(path, truth, guess):
    """The confusion matrix in numbers of images, and as fractions of each row."""
    figure, axes = plt.subplots(1, 2, figsize=(13, 6))
    for axis, norm in zip(axes, (None, "true"), strict=True):
        table = confusion_matrix(truth, guess, labels=range(10), normalize=norm)
        axis.imshow(table, cmap="Blues")
        axis.set_xticks(range(10), CLOTHES, rotation=45, ha="right")
        axis.set_yticks(range(10), CLOTHES)
        axis.set_title("images" if norm is None else "share of the true class")
        axis.set_xlabel("predicted")
        for (row, column), value in np.ndenumerate(table):
            text = f"{value:.2f}" if norm else str(value)
            color = "white" if value > table.max() / 2 else "black"
            axis.text(column, row, text, ha="center", va="center", fontsize=7, color=color)
    axes[0].set_ylabel("true")
    save(figure, path)


def main(quick, out, data):
    split = fashion_mnist(data).head(*((2500, 500) if quick else (60_000, 10_000)))
    print(f"{parameters(network()):,} parameters\n{sizes()}")
    series, scores = {}, {}
    for name, ops in {"without": [], "with": AUGMENTATION}.items():
        print(f"{name} augmentation: {len(split.x):,} images")
        model, history = train(split, ops, 1 if quick else EPOCHS)
        for part in ("loss", "test loss"):
            series[f"{part}, {name} augmentation"] = [row[part] for row in history]
        scores[name] = model, history[-1]["accuracy"], history[-1]["test loss"]
    print("augmentation  test accuracy  test loss")
    for name, (_, score, loss) in scores.items():
        print(f"{name:<12} {score:>14.2%} {loss:>10.3f}")
    best = max(scores.values(), key=lambda found: found[1])[0]
    logits = predict(best, split.test_x, ik.Pipeline(OUTPUT))
    guess, truth = logits.argmax(1).numpy(), split.test_y
    table = confusion_matrix(truth, guess, labels=range(10), normalize="true")
    print(
        "of each class right: "
        + ", ".join(f"{n} {v:.2f}" for n, v in zip(CLOTHES, table.diagonal(), strict=True))
    )
    curves(out / "fashion_cnn_curves.png", series, "cross-entropy")
    draw_confusion(out / "fashion_cnn_confusion.png", truth, guess)
    wrong = np.flatnonzero(guess != truth)
    surest = wrong[np.argsort(-logits[wrong].softmax(1).max(1).values.numpy())][:16]
    titles = [f"{CLOTHES[truth[i]]}, not {CLOTHES[guess[i]]}" for i in surest]
    sheet(out / "fashion_cnn_mistakes.png", split.test_x[surest], titles, columns=8, edge=1.5)


if __name__ == "__main__":
    chosen = options(__doc__)
    main(chosen.quick, chosen.out, chosen.data)
