"""Policy search: sample RandAugment's (N, M), train with each, evaluate, keep the best.

    python samples/policy_search.py [--quick] [--out DIR] [--data DIR]

Every policy trains the same network from the same weights on the same few images of Fashion-MNIST
and is evaluated on other images of the training set; only the best policy, and training without
one, use the test set.
"""

import pathlib

import numpy as np
import torch
from data import Split, fashion_mnist, options
from pictures import plt, save, sheet
from torch import nn
from training import accuracy, fit

import imgkit as ik

OUTPUT = [ik.Normalize(0.286, 0.353), ik.ToCHW()]
PLAIN = ik.Pipeline(OUTPUT, seed=0)
COUNTS, MAGNITUDES = (1, 2, 3), (2, 5, 8, 11, 14, 17, 20)
Policy = tuple[int, int]  # N ops of magnitude M; (0, 0) is training without a policy


def pipeline(policy: Policy) -> ik.Pipeline:
    """RandAugment, then the ops of every image."""
    count, magnitude = policy
    ops = [ik.RandAugment(count, magnitude)] if count else []
    return ik.Pipeline([*ops, *OUTPUT], seed=0)


def sample(count: int, seed: int = 0) -> list[Policy]:
    """Different policies of the grid, with equal probability."""
    grid = [(n, m) for n in COUNTS for m in MAGNITUDES]
    chosen = np.random.default_rng(seed).permutation(len(grid))[:count]
    return sorted(grid[i] for i in chosen)


def network() -> nn.Module:
    """Two convolutions and two dense layers."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(32 * 49, 64), nn.ReLU(), nn.Linear(64, 10)),
    )


def evaluate(policy: Policy, split: Split, epochs: int) -> tuple[nn.Module, dict[str, float]]:
    """Train with a policy; the model and its last figures on the images held back."""
    model = network()
    history = fit(
        model,
        split.x,
        split.y,
        train_aug=pipeline(policy),
        test_aug=PLAIN,
        test=(split.test_x, split.test_y),
        epochs=epochs,
        lr=2e-3,
    )
    return model, history[-1]


def draw(scores: dict[Policy, float], path: pathlib.Path) -> None:
    """Accuracy over the magnitude, a line for each number of ops."""
    figure, axis = plt.subplots(figsize=(6, 4))
    axis.axhline(scores[0, 0], color="gray", linestyle="--", label="no policy")
    for count in COUNTS:
        rows = [(m, score) for (n, m), score in scores.items() if n == count]
        if rows:
            axis.plot(*zip(*rows, strict=True), "o-", label=f"N = {count}")
    axis.set(xlabel="magnitude M", ylabel="accuracy on images held back")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8, loc="upper right", ncols=2)
    save(figure, path)


def main(quick: bool, out: pathlib.Path, data: pathlib.Path | None) -> None:
    torch.set_num_threads(1)
    seen, judged = (300, 300) if quick else (1500, 2500)
    split = fashion_mnist(data).head(seen + judged, 300 if quick else 10000)
    search = Split(split.x[:seen], split.y[:seen], split.x[seen:], split.y[seen:])

    models, rows = {}, {}
    for policy in [(0, 0), *sample(2 if quick else 7)]:
        print("no policy" if policy == (0, 0) else "N = {}, M = {}".format(*policy))
        models[policy], rows[policy] = evaluate(policy, search, 2 if quick else 15)

    print("\nN   M  training loss  held back")
    for (count, magnitude), row in rows.items():
        print(f"{count}  {magnitude:2}  {row['loss']:13.3f}  {row['accuracy']:9.2%}")
    scores = {policy: row["accuracy"] for policy, row in rows.items()}
    best = max(scores, key=scores.get)
    print("best: N = {}, M = {}".format(*best))
    for name, policy in (("no policy", (0, 0)), ("the best", best)):
        share = accuracy(models[policy], split.test_x, split.test_y, PLAIN)
        print(f"test accuracy of {name}: {share:.2%}")
    draw(scores, out / "policy_search.png")

    policies = list(dict.fromkeys([(1, 2), (2, 8), (3, 20), best]))
    variants, titles = [], []
    for policy in policies:
        ops = pipeline(policy).ops[: -len(OUTPUT)]
        aug = ik.Pipeline(ops, seed=0)
        variants += [aug(split.x[0], key=(epoch, 0)) for epoch in range(8)]
        titles += ["N = {}, M = {}".format(*policy), *[""] * 7]
    sheet(out / "policy_search_variants.png", variants, titles, columns=8, edge=1.1)


if __name__ == "__main__":
    chosen = options(__doc__)
    main(chosen.quick, chosen.out, chosen.data)
