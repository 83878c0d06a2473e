"""A linear classifier Wx + b on Fashion-MNIST: hinge and softmax losses, and its ten templates.

    python samples/linear_classifier.py [--quick] [--out DIR] [--data DIR]

W is 10 x 784: each row has the size of an image and can be displayed. Both losses are trained by
stochastic gradient descent with several strengths of L2 regularization.
"""

import pathlib

import numpy as np
import torch
from data import CLOTHES, fashion_mnist, options
from pictures import curves, sheet
from torch.nn import functional as F
from training import predict, tensors

import imgkit as ik

SIZE = 28
STRENGTHS = {"none": 0.0, "weak": 1e-3, "strong": 0.1}


def hinge(scores: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Mean of sum over j != y of max(0, s_j - s_y + 1); torch divides the sum by the classes."""
    return F.multi_margin_loss(scores, y) * scores.shape[1]


LOSSES = {"hinge": hinge, "softmax": F.cross_entropy}


def train(
    x: torch.Tensor, y: torch.Tensor, loss: str, strength: float, epochs: int, batch: int = 100
) -> tuple[torch.nn.Module, list[float]]:
    """Minimize loss + strength * |W|^2 by SGD; the model and the loss of each epoch."""
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(SIZE * SIZE, 10))
    torch.nn.init.zeros_(model[1].weight)  # the loss is convex: any start will do
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.01 ** (1 / epochs))
    history = []
    for epoch in range(epochs):
        order = np.random.default_rng((0, epoch)).permutation(len(x))
        total = 0.0
        for i in range(0, len(x), batch):
            rows = order[i : i + batch]
            error = LOSSES[loss](model(x[rows]), y[rows])
            penalty = strength * model[1].weight.square().sum()
            optimizer.zero_grad()
            (error + penalty).backward()
            optimizer.step()
            total += (error.item() + penalty.item()) * len(rows)
        history.append(total / len(x))
        schedule.step()
    return model, history


def main(quick: bool, out: pathlib.Path, data: pathlib.Path | None) -> None:
    torch.set_num_threads(1)  # small matrices
    split = fashion_mnist(data).head(*((2000, 1000) if quick else (20000, 10000)))
    mean, std = (float(f(ik.to_float(split.x))) for f in (np.mean, np.std))
    aug = ik.Pipeline([ik.Normalize(mean, std), ik.ToCHW()], seed=0)
    x, y = tensors(split.x, aug), torch.as_tensor(split.y)

    print(f"W: 10 x {SIZE * SIZE}, b: 10, together {10 * SIZE * SIZE + 10} numbers")
    print(f"{'loss':8}  {'L2':6}  {'last loss':>9}  {'train':>7}  {'test':>7}  {'|W|':>6}")
    templates, titles, lines = [], [], {}
    for loss in LOSSES:
        for word, strength in STRENGTHS.items():
            model, history = train(x, y, loss, strength, epochs=4 if quick else 20)
            shares = [
                (predict(model, images, aug).argmax(1).numpy() == labels).mean()
                for images, labels in ((split.x, split.y), (split.test_x, split.test_y))
            ]
            weight = model[1].weight.detach()
            print(
                f"{loss:8}  {word:6}  {history[-1]:9.3f}  {shares[0]:7.2%}  {shares[1]:7.2%}"
                f"  {weight.norm():6.2f}"
            )
            lines[f"{loss}, {word} L2"] = history
            if word != "none":
                templates += list(weight.numpy().reshape(10, SIZE, SIZE))
                titles += [f"{loss}, {word} L2\n{CLOTHES[0]}", *CLOTHES[1:]]
    curves(out / "linear_classifier_loss.png", lines, "loss with its penalty")
    sheet(out / "linear_classifier.png", templates, titles, columns=10, edge=1.0)


if __name__ == "__main__":
    chosen = options(__doc__)
    main(chosen.quick, chosen.out, chosen.data)
