"""The two kinds of pictures that samples write: a sheet of images, and curves."""

import pathlib
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np

matplotlib.use("Agg")  # files only, no screen
from matplotlib import pyplot as plt
from matplotlib.figure import Figure


def save(figure: Figure, path: pathlib.Path) -> None:
    """Write a figure and print its path."""
    figure.savefig(path, dpi=90, bbox_inches="tight")
    plt.close(figure)
    print(f"wrote {path}")


def sheet(
    path: pathlib.Path,
    images: Sequence[np.ndarray],
    titles: Sequence[str] = (),
    *,
    columns: int = 4,
    edge: float = 2.2,
) -> None:
    """Images side by side with titles; uint8 unchanged, others scaled from minimum to maximum."""
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(columns * edge, rows * (edge + 0.3)), squeeze=False
    )
    for axis in axes.flat:
        axis.axis("off")
    for axis, image in zip(axes.flat, images, strict=False):
        image = np.asarray(image)
        limits = (0, 255) if image.dtype == np.uint8 else (image.min(), image.max())
        axis.imshow(image.squeeze(), cmap="gray", vmin=limits[0], vmax=limits[1])
    for axis, title in zip(axes.flat, titles, strict=False):
        axis.set_title(title, fontsize=8)
    save(figure, path)


def curves(
    path: pathlib.Path, series: Mapping[str, Sequence[float]], ylabel: str, xlabel: str = "epoch"
) -> None:
    """One line for each series, the first value at 1."""
    figure, axis = plt.subplots(figsize=(6, 4))
    for name, values in series.items():
        axis.plot(range(1, len(values) + 1), values, label=name)
    axis.set_xlabel(xlabel)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.set_ylabel(ylabel)
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    save(figure, path)
