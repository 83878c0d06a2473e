"""Gradient descent, momentum, RMSProp and Adam; step, exponential and cosine decay of the rate.

    python samples/optimizers.py [--quick] [--out DIR] [--data DIR]

The same small network starts from the same weights and sees the same batches of Fashion-MNIST,
pooled to 14x14. One figure holds the loss under each rule, and under each decay of the rate.
"""

import pathlib
from collections.abc import Callable

import numpy as np
import torch
from data import Split, fashion_mnist, options
from pictures import plt, save
from torch import optim
from torch.optim import lr_scheduler
from training import predict, tensors

import imgkit as ik

RULES = {
    "gradient descent": lambda p: optim.SGD(p, lr=0.05),  # w -= lr g
    "momentum": lambda p: optim.SGD(p, lr=0.05, momentum=0.9),  # v = 0.9 v + g; w -= lr v
    "RMSProp": lambda p: optim.RMSprop(p, lr=1e-3, alpha=0.9),  # w -= lr g / sqrt(mean of g^2)
    "Adam": lambda p: optim.Adam(p, lr=1e-3),  # both: mean of g / sqrt(mean of g^2)
}
DECAYS = {
    "constant": lambda o, steps: lr_scheduler.ConstantLR(o, 1.0),
    "step": lambda o, steps: lr_scheduler.StepLR(o, -(-steps // 3), gamma=0.1),
    "exponential": lambda o, steps: lr_scheduler.ExponentialLR(o, 0.01 ** (1 / steps)),
    "cosine": lambda o, steps: lr_scheduler.CosineAnnealingLR(o, steps),
}


def train(
    split: Split,
    aug: ik.Pipeline,
    rule: Callable[..., optim.Optimizer],
    decay: Callable[..., lr_scheduler.LRScheduler],
    epochs: int,
    batch: int = 100,
) -> tuple[list[float], list[float], float]:
    """Train a fresh network; the loss and the rate at each step, and the test accuracy."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(196, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10)
    )
    x, y = tensors(split.x, aug), torch.as_tensor(split.y)
    optimizer = rule(model.parameters())
    schedule = decay(optimizer, epochs * len(x) // batch)
    losses, rates = [], []
    for epoch in range(epochs):
        order = np.random.default_rng((0, epoch)).permutation(len(x))
        for rows in np.split(order, len(x) // batch):
            loss = torch.nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            rates.append(optimizer.param_groups[0]["lr"])
            schedule.step()
    right = predict(model, split.test_x, aug).argmax(1).numpy() == split.test_y
    return losses, rates, float(right.mean())


def smooth(losses: list[float], width: int) -> np.ndarray:
    """Moving average over the steps, so that the curves can be distinguished."""
    return ik.convolve(np.array(losses), np.full(width, 1 / width), "valid")


def draw(axis: plt.Axes, name: str, losses: list[float], epochs: int) -> None:
    """One curve of loss over epochs."""
    line = smooth(losses, len(losses) // epochs)
    axis.plot(np.arange(len(line)) * epochs / len(losses) + 1, line, label=name)


def main(quick: bool, out: pathlib.Path, data: pathlib.Path | None) -> None:
    torch.set_num_threads(1)  # small matrices
    split = fashion_mnist(data).head(*((3000, 1000) if quick else (20000, 10000)))
    split = Split(ik.avg_pool(split.x, 2), split.y, ik.avg_pool(split.test_x, 2), split.test_y)
    aug = ik.Pipeline([ik.Normalize(0.286, 0.32), ik.ToCHW()], seed=0)
    epochs = 3 if quick else 12

    figure, axes = plt.subplots(1, 3, figsize=(15, 4))
    runs = [(rule, "constant") for rule in RULES] + [("momentum", decay) for decay in DECAYS]
    print(f"{'rule':18}{'decay':13}{'first epoch':>12}{'last epoch':>12}{'test':>9}")
    for i, (rule, decay) in enumerate(runs):
        losses, rates, share = train(split, aug, RULES[rule], DECAYS[decay], epochs)
        first, last = (np.mean(part) for part in np.split(np.array(losses), epochs)[:: epochs - 1])
        print(f"{rule:18}{decay:13}{first:12.3f}{last:12.3f}{share:9.2%}")
        second = i >= len(RULES)
        draw(axes[int(second)], decay if second else rule, losses, epochs)
        if second:
            axes[2].plot(np.linspace(0, epochs, len(rates)), rates, label=decay)
    titles = ("four rules, constant rate", "momentum, four decays", "the rate of each decay")
    for axis, title in zip(axes, titles, strict=True):
        axis.set(title=title, xlabel="epoch", ylabel="learning rate" if axis is axes[2] else "loss")
        axis.grid(alpha=0.3)
        axis.legend()
    save(figure, out / "optimizers.png")


if __name__ == "__main__":
    chosen = options(__doc__)
    main(chosen.quick, chosen.out, chosen.data)
