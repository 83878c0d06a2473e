"""Distillation: a small student learns from a large teacher's soft labels.

    python samples/distillation.py [--quick] [--out DIR] [--data DIR]

The student minimizes w T^2 KL(teacher at T || student at T) + (1 - w) cross-entropy with the
labels, after Hinton et al., 2015. Weight and temperature are swept; w = 0 is ordinary training.
"""

import pathlib

import numpy as np
import torch
from data import CLOTHES, fashion_mnist, options
from pictures import curves, plt, save
from torch import nn
from torch.nn import functional as F
from training import Loss, accuracy, fit, parameters, predict

import imgkit as ik

OUTPUT = [ik.Normalize(0.286, 0.353), ik.ToCHW()]
PLAIN = ik.Pipeline(OUTPUT, seed=0)
AUGMENTED = ik.Pipeline([ik.HorizontalFlip(p=0.5), ik.RandomCrop(28, padding=2), *OUTPUT], seed=0)


def teacher() -> nn.Module:
    """Three convolutions and a dense layer."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(1, 24, 3, 2, 1), nn.BatchNorm2d(24), nn.ReLU()),
        *(nn.Conv2d(24, 48, 3, 2, 1), nn.BatchNorm2d(48), nn.ReLU()),
        *(nn.Conv2d(48, 96, 3, 2, 1), nn.BatchNorm2d(96), nn.ReLU()),
        *(nn.Flatten(), nn.Dropout(0.2), nn.Linear(96 * 16, 128), nn.ReLU(), nn.Linear(128, 10)),
    )


def student() -> nn.Module:
    """One convolution and one dense layer."""
    torch.manual_seed(1)
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 5, 2, 2), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(8 * 49, 10)),
    )


def distil(weight: float, temperature: float) -> Loss:
    """The loss whose targets are rows (label, the teacher's ten logits)."""

    def loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        if targets.ndim == 1:  # the test's labels
            return F.cross_entropy(logits, targets)
        labels, soft = targets[:, 0].long(), (targets[:, 1:] / temperature).log_softmax(1)
        ours = (logits / temperature).log_softmax(1)
        divergence = F.kl_div(ours, soft, log_target=True, reduction="batchmean")
        return weight * temperature**2 * divergence + (1 - weight) * F.cross_entropy(logits, labels)

    return loss


def show(path: pathlib.Path, image: np.ndarray, logits: torch.Tensor, label: str) -> None:
    """One image, and the teacher's probabilities for it at three temperatures."""
    figure, axes = plt.subplots(1, 4, figsize=(12, 2.6))
    axes[0].imshow(image.squeeze(), cmap="gray")
    axes[0].set(title=f"label: {label}", xticks=[], yticks=[])
    for axis, temperature in zip(axes[1:], (1, 4, 10), strict=True):
        axis.barh(CLOTHES, (logits / temperature).softmax(0).numpy())
        axis.set(title=f"T = {temperature}", xlim=(0, 1))
        axis.tick_params(labelsize=7)
    figure.tight_layout()
    save(figure, path)


def main(quick: bool, out: pathlib.Path, data: pathlib.Path | None) -> None:
    torch.set_num_threads(1)  # small layers
    sizes = (600, 500) if quick else (20000, 10000)
    split = fashion_mnist(data).head(*sizes)
    few = split.head(300 if quick else 1500, sizes[1])  # what the student sees
    plan = {"test_aug": PLAIN, "test": split.head(0, 500)[2:]}  # for the curves

    print("teacher")
    wise = teacher()
    fit(wise, split.x, split.y, train_aug=AUGMENTED, epochs=2 if quick else 6, **plan)
    best = accuracy(wise, split.test_x, split.test_y, PLAIN)
    soft = predict(wise, few.x, PLAIN)
    targets = np.column_stack([few.y, soft.numpy()]).astype(np.float32)

    rates = {"epochs": 2 if quick else 15, "batch": 32, "lr": 3e-3}
    results, lines = {}, {}
    temperatures = (4,) if quick else (1, 4, 10)
    sweep = [(0.0, 1), *((weight, t) for t in temperatures for weight in (0.5, 1.0))]
    for weight, temperature in sweep:
        print(f"student, w = {weight}, T = {temperature}")
        loss = distil(weight, temperature)
        model = student()
        history = fit(model, few.x, targets, train_aug=PLAIN, loss=loss, **rates, **plan)
        results[weight, temperature] = accuracy(model, split.test_x, split.test_y, PLAIN)
        name = f"w = {weight}, T = {temperature}" if weight else "labels alone"
        lines[name] = [row["accuracy"] for row in history]

    print(f"\nteacher: {parameters(wise):,} parameters, {len(split.x):,} images, {best:.2%}")
    print(f"student: {parameters(student()):,} parameters, {len(few.x):,} images")
    print("weight  temperature  test accuracy")
    for (weight, temperature), share in results.items():
        print(f"{weight:6}  {temperature:11}  {share:13.2%}")
    doubtful = int(soft.softmax(1).max(1).values.argmin())
    show(out / "distillation_soft.png", few.x[doubtful], soft[doubtful], CLOTHES[few.y[doubtful]])
    curves(out / "distillation.png", lines, "test accuracy")


if __name__ == "__main__":
    chosen = options(__doc__)
    main(chosen.quick, chosen.out, chosen.data)
