"""Two rings that a line cannot separate: a two-layer network, with and without nonlinearity.

    python samples/circles.py [--quick] [--out DIR]

Without the ReLU two layers are one matrix, W2 W1, and the boundary is a straight line; with it
the boundary closes around the inner ring.
"""

import pathlib

import numpy as np
import torch
from data import options
from pictures import plt, save
from sklearn.datasets import make_circles

REACH = 1.6  # of the plotted square, to each side
NETWORKS = {
    "no nonlinearity, 16 hidden": (16, torch.nn.Identity),
    "ReLU, 2 hidden": (2, torch.nn.ReLU),
    "ReLU, 3 hidden": (3, torch.nn.ReLU),
    "ReLU, 16 hidden": (16, torch.nn.ReLU),
}


def network(hidden: int, activation: type[torch.nn.Module]) -> torch.nn.Sequential:
    """Two linear layers; one output, the logit of the inner ring."""
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(2, hidden), activation(), torch.nn.Linear(hidden, 1), torch.nn.Flatten(0)
    )


def train(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, steps: int) -> float:
    """Minimize the binary cross-entropy over all points at once; return the last loss."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(steps):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


@torch.no_grad()
def landscape(model: torch.nn.Module, points: int = 200) -> np.ndarray:
    """Probability of the inner ring over the plotted square, (points, points)."""
    line = torch.linspace(-REACH, REACH, points)
    y, x = torch.meshgrid(line, line, indexing="ij")
    grid = torch.stack([x, y], -1).reshape(-1, 2)
    return model(grid).sigmoid().reshape(points, points).numpy()


def main(quick: bool, out: pathlib.Path, data: pathlib.Path | None) -> None:
    torch.set_num_threads(1)
    x, y = make_circles(1000, noise=0.1, factor=0.4, random_state=0)
    x, y = torch.as_tensor(np.float32(x)), torch.as_tensor(np.float32(y))
    x, test_x, y, test_y = x[:700], x[700:], y[:700], y[700:]  # they come in random order

    figure, axes = plt.subplots(1, 4, figsize=(14, 3.8))
    print(f"{'network':28}{'loss':>8}{'train':>9}{'test':>9}")
    for axis, (name, (hidden, activation)) in zip(axes, NETWORKS.items(), strict=True):
        model = network(hidden, activation)
        loss = train(model, x, y, 300 if quick else 2000)
        shares = [
            ((model(points) > 0) == labels).float().mean().item()
            for points, labels in ((x, y), (test_x, test_y))
        ]
        print(f"{name:28}{loss:8.3f}{shares[0]:9.2%}{shares[1]:9.2%}")
        chance = landscape(model)
        extent = (-REACH, REACH, -REACH, REACH)
        axis.imshow(chance, extent=extent, origin="lower", cmap="RdBu", vmin=-0.6, vmax=1.6)
        axis.contour(chance, [0.5], extent=extent, colors="black", linewidths=1.5)
        for label, color in ((0, "tab:red"), (1, "tab:blue")):
            axis.scatter(*test_x[test_y == label].T, s=8, color=color)
        axis.set_title(f"{name}\ntest {shares[1]:.1%}", fontsize=10)

    model = network(*NETWORKS["no nonlinearity, 16 hidden"])
    product = model[2].weight @ model[0].weight
    bias = model[2].weight @ model[0].bias + model[2].bias
    apart = (x @ product.T + bias).flatten() - model(x)
    print(f"without a nonlinearity W2 W1 is one 1 x 2 matrix: apart {apart.abs().max():.0e}")
    save(figure, out / "circles.png")


if __name__ == "__main__":
    chosen = options(__doc__)
    main(chosen.quick, chosen.out, chosen.data)
