"""The training loop that the samples share: keyed augmentation, one optimizer, a history."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import imgkit as ik

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def tensors(
    x: np.ndarray, aug: Any, epoch: int = 0, rows: np.ndarray | None = None
) -> torch.Tensor:
    """A batch as floats in (N, C, H, W); the key of each image is its row number."""
    rows = np.arange(len(x)) if rows is None else rows
    return torch.as_tensor(np.asarray(aug(x, key=(epoch, rows))))


@torch.no_grad()
def predict(model: torch.nn.Module, x: np.ndarray, aug: Any, batch: int = 500) -> torch.Tensor:
    """Logits of all images, without dropout."""
    model.eval()
    parts = [model(tensors(x[i : i + batch], aug)) for i in range(0, len(x), batch)]
    return torch.cat(parts)


def accuracy(model: torch.nn.Module, x: np.ndarray, y: np.ndarray, aug: Any) -> float:
    """Fraction of images whose largest logit is that of the label."""
    return float((predict(model, x, aug).argmax(1).numpy() == y).mean())


def fit(
    model: torch.nn.Module,
    x: np.ndarray,
    y: np.ndarray,
    *,
    train_aug: ik.Pipeline,
    test_aug: ik.Pipeline,
    test: tuple[np.ndarray, np.ndarray],
    epochs: int,
    batch: int = 128,
    lr: float = 1e-3,
    seed: int = 0,
    loss: Loss = torch.nn.functional.cross_entropy,
) -> list[dict[str, float]]:
    """Train with Adam and a cosine rate; a row of losses and test accuracy for each epoch."""
    steps = -(-len(x) // batch)
    optimizer = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * steps)
    targets, history = torch.as_tensor(y), []
    for epoch in range(epochs):
        start, total = time.perf_counter(), 0.0
        order = np.random.default_rng((seed, epoch)).permutation(len(x))
        model.train()
        for i in range(0, len(x), batch):
            rows = order[i : i + batch]
            error = loss(model(tensors(x[rows], train_aug, epoch, rows)), targets[rows])
            optimizer.zero_grad()
            error.backward()
            optimizer.step()
            schedule.step()
            total += error.item() * len(rows)
        logits, answers = predict(model, test[0], test_aug), torch.as_tensor(test[1])
        row = {"loss": total / len(x), "test loss": loss(logits, answers).item()}
        row["accuracy"] = float((logits.argmax(1) == answers).float().mean())
        row["seconds"] = time.perf_counter() - start
        history.append(row)
        print(f"epoch {epoch + 1}: loss {row['loss']:.3f}, accuracy {row['accuracy']:.2%}")
    return history


def parameters(model: torch.nn.Module) -> int:
    """Number of trained parameters."""
    return sum(p.numel() for p in model.parameters())
