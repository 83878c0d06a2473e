"""k nearest neighbors on Fashion-MNIST: L1 or L2, the choice of k, and of the features.

    python samples/nearest_neighbor.py [--quick] [--out DIR] [--data DIR]

One search gives every cross-validation: the nearest of all images are listed once, and for each
number of folds those in an image's own fold are removed.
"""

import pathlib

import numpy as np
from data import CLOTHES, fashion_mnist, options
from pictures import curves, sheet
from sklearn.neighbors import NearestNeighbors

import imgkit as ik

LARGEST = 15  # the largest k that is tried
METRICS = {"L1": "manhattan", "L2": "euclidean"}


def pixels(x: np.ndarray) -> np.ndarray:
    """The 784 gray values."""
    return ik.to_float(x)


def pooled(x: np.ndarray) -> np.ndarray:
    """The largest of each 4x4 square: 49 values."""
    return ik.to_float(ik.max_pool(x, 4))


def edges(x: np.ndarray) -> np.ndarray:
    """The slope at each pixel."""
    return ik.sobel(ik.to_float(x), normalized=True)


def pooled_edges(x: np.ndarray) -> np.ndarray:
    """The derivatives in x and y, by sign, averaged over 4x4 squares: 196 values."""
    gx, gy = ik.gradient(ik.to_float(x), normalized=True)
    ways = np.concatenate([gx, -gx, gy, -gy], -1).clip(0)
    return ik.avg_pool(ways, 4)


FEATURES = {"pixels": pixels, "pooled": pooled, "edges": edges, "pooled edges": pooled_edges}


def changes(x: np.ndarray) -> dict[str, np.ndarray]:
    """The test images unchanged, moved, brightened and darkened."""
    right_and_up = [[1, 0, 2], [0, 1, -2]]
    return {
        "as is": x,
        "2 px": ik.warp(x, right_and_up),
        "+80": ik.to_uint8(ik.to_float(x) + 80 / 255),  # saturates
        "x 0.5": ik.adjust_brightness(x, 0.5),
    }


def search(train: np.ndarray, queries: np.ndarray, metric: str, count: int) -> np.ndarray:
    """Rows of the nearest training images, nearest first: (queries, count)."""
    index = NearestNeighbors(n_neighbors=count, metric=METRICS[metric], algorithm="brute")
    index.fit(train.reshape(len(train), -1))
    return index.kneighbors(queries.reshape(len(queries), -1), return_distance=False)


def vote(labels: np.ndarray) -> np.ndarray:
    """The class with most votes among the first k, for every k at once: (N, k) to (N, k)."""
    return (labels[..., None] == np.arange(10)).cumsum(1).argmax(-1)


def cross_validate(found: np.ndarray, y: np.ndarray, folds: int) -> np.ndarray:
    """Accuracy for k = 1, 2, ... when every image uses only the images of the other folds."""
    fold = np.arange(len(y)) % folds
    own = fold[found] == fold[:, None]  # an image itself, too
    others = np.argsort(own, axis=1, kind="stable")[:, :LARGEST]
    found = np.take_along_axis(found, others, 1)
    return (vote(y[found]) == y[:, None]).mean(0)


def choose(x: np.ndarray, y: np.ndarray, out: pathlib.Path) -> tuple[str, int]:
    """Metric and k with the best mean accuracy over 5, 6 and 7 folds."""
    lines, best = {}, {}
    print("cross-validation  folds  best k  accuracy")
    for metric in METRICS:
        found = search(pixels(x), pixels(x), metric, 3 * LARGEST)
        scores = {folds: cross_validate(found, y, folds) for folds in (5, 6, 7)}
        for folds, score in scores.items():
            print(f"{metric:16}  {folds:5}  {score.argmax() + 1:6}  {score.max():8.2%}")
        lines[f"{metric}, mean of 5, 6 and 7 folds"] = mean = np.mean(list(scores.values()), 0)
        best[metric, int(mean.argmax()) + 1] = mean.max()
    curves(out / "nearest_neighbor_k.png", lines, "accuracy in cross-validation", "k")
    return max(best, key=best.get)


def main(quick: bool, out: pathlib.Path, data: pathlib.Path | None) -> None:
    x, y, test_x, test_y = fashion_mnist(data).head(*((600, 200) if quick else (6000, 1500)))
    metric, k = choose(x, y, out)
    print(f"chosen: {metric}, k = {k}\n")

    changed = changes(test_x)
    print(f"{'test accuracy':14}" + "".join(f"{name:>9}" for name in changed))
    for name, feature in FEATURES.items():
        train, row = feature(x), []
        for images in changed.values():
            labels = y[search(train, feature(images), metric, k)]
            row.append((vote(labels)[:, -1] == test_y).mean())
        print(f"{name:14}" + "".join(f"{value:9.2%}" for value in row))

    images, titles = [], []
    for i, found in enumerate(search(pixels(x), pixels(test_x[:5]), metric, 6)):
        images += [test_x[i], *x[found]]
        titles += [f"test: {CLOTHES[test_y[i]]}", *(CLOTHES[label] for label in y[found])]
    sheet(out / "nearest_neighbor.png", images, titles, columns=7, edge=1.1)


if __name__ == "__main__":
    chosen = options(__doc__)
    main(chosen.quick, chosen.out, chosen.data)
