"""Datasets that run a pipeline with the key (epoch, index), in any process."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch

from imgkit.augment.pipeline import Pipeline
from imgkit.checks import check_choice
from imgkit.image import Array
from imgkit.io.decode import decode
from imgkit.io.files import find_images, printable_path
from imgkit.ops.color import grayscale
from imgkit.torch.epochs import KeyedDataset
from imgkit.torch.reading import reading, refuse_second_pipeline
from imgkit.torch.transform import Transform


class Keyed(KeyedDataset):
    """A dataset whose sample i is transformed with the key (epoch, i).

    The numbers depend on nothing else: not on the worker, the order, the batch or a resume. Call
    `set_epoch` before each epoch; it also reaches persistent workers. (A `DataLoader` reads
    ahead: set the epoch before its iterator is created, not while it runs.) A second pass at the
    same epoch gives the same pictures, and warns once.

    An index that a sampler repeats within a pass gives identical copies. ``data[index, visit]``
    gives others: visit 0 is ``data[index]``, and visit v has the key
    ``(epoch, index + v * 2**48)``; `Visits` makes a sampler count them.

    Other public attributes (``classes``, ``targets``, ``samples``) are those of the dataset.

    Args:
        dataset: has ``__getitem__`` and ``__len__``; its samples are those of `Transform`. It must
            not run an imgkit `Transform` itself.
        pipeline: a `Pipeline`, or a `Transform` with options.

    Example:
        >>> import imgkit as ik
        >>> images = [(torch.zeros(3, 8, 8, dtype=torch.uint8), label) for label in (0, 1)]
        >>> data = Keyed(images, ik.Pipeline([ik.RandomCrop(4)], seed=7))
        >>> data.set_epoch(3)
        >>> data[1][0].shape, data[1][1]
        (torch.Size([3, 4, 4]), 1)
    """

    def __init__(self, dataset: Any, pipeline: Pipeline | Transform) -> None:
        if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
            raise TypeError(
                f"dataset is a {type(dataset).__name__}: it needs __getitem__ and __len__; "
                "samples of a stream have no index for a key"
            )
        if isinstance(dataset, KeyedDataset) and dataset.transform is not None:
            with reading("Keyed"):
                refuse_second_pipeline()
        self.dataset = dataset
        super().__init__(pipeline)

    def __getattr__(self, name: str) -> Any:
        """Return a public attribute of the dataset; called only where `Keyed` has none."""
        if name.startswith("_") or "dataset" not in self.__dict__:  # a copy that is not filled yet
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.dataset, name)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: Any) -> Any:
        place, visit = self._place(index)
        with reading("Keyed"):
            sample = self.dataset[place]
        return self._transformed(sample, place, visit)


CHANNELS = ("rgb", "gray", "as stored")


class ImageFolder(KeyedDataset):
    """A folder with one folder of images for each class: samples (image (C, H, W), label).

    Files are read as `imgkit.io.decode` reads them: upright, 16 bits kept, transparency over
    white. Classes are sorted by name, files by path; hidden files and other files are skipped.

    Args:
        root: the folder.
        pipeline: a `Pipeline` or `Transform` to run on each image, with the key (epoch, index);
            see `Keyed` for `set_epoch` and visits.
        channels: "rgb" repeats the channel of gray images, "gray" converts all images to gray,
            "as stored" keeps them.

    Raises:
        FileNotFoundError: the folder does not exist, or holds no image.
        ValueError: a file cannot be decoded; the message names it.
    """

    needs_pipeline = False

    def __init__(
        self,
        root: str | os.PathLike[str],
        pipeline: Pipeline | Transform | None = None,
        *,
        channels: str = "rgb",
    ) -> None:
        self.root = os.fspath(root)
        self.channels = check_choice(channels, "channels", CHANNELS)
        self.classes, self.samples = _tree(self.root)
        self.class_to_idx = {name: label for label, name in enumerate(self.classes)}
        self.targets = [label for _, label in self.samples]
        super().__init__(pipeline)

    def __len__(self) -> int:
        return len(self.samples)

    def name(self, index: int) -> str:
        """Return the path of a sample for messages."""
        return printable_path(self.samples[index][0])

    def decode(self, index: int) -> Array:
        """Return the image of a sample as an array (H, W, C), before the pipeline."""
        path = self.samples[index][0]
        try:
            with open(path, "rb") as file:
                image = decode(file.read())
            return _channels(image if image.ndim == 3 else image[..., None], self.channels)
        except ValueError as error:
            raise ValueError(f"{printable_path(path)}: {error}") from error
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"{printable_path(path)} was removed after it was listed"
            ) from error

    def __getitem__(self, index: Any) -> tuple[Any, int]:
        place, visit = self._place(index)
        image = torch.from_numpy(self.decode(place)).permute(2, 0, 1)
        if self.transform is not None:
            image = self._transformed(image, place, visit)
        return image, self.targets[place]


def _tree(root: str) -> tuple[list[str], list[tuple[str, int]]]:
    """Return the sorted classes of a folder, and its images with their labels."""
    if not os.path.isdir(root):
        raise FileNotFoundError(f"root is {printable_path(root)}: the folder does not exist")
    with os.scandir(root) as entries:
        classes = sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
    found = [
        (os.path.join(root, name, path), label)
        for label, name in enumerate(classes)
        for path in find_images(os.path.join(root, name))
    ]
    if not found:
        raise FileNotFoundError(
            f"root is {printable_path(root)}: it has no images in folders, one for each class"
        )
    return classes, found


def _channels(image: Array, channels: str) -> Array:
    """Convert an image (H, W, C) between gray and RGB; other channel counts stay."""
    if channels == "rgb" and image.shape[2] == 1:
        return np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3)))
    if channels == "gray" and image.shape[2] == 3:
        return np.asarray(grayscale(image))[..., None]
    return image if image.flags.writeable else image.copy()
