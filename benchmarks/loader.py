"""A `Loader` of 2 workers against the same workers that only decode.

"packed" is the transfer for a CUDA device: decoded uint8 images in one buffer per batch, up to the
main process, without the following copy to pinned memory. "on the CPU" also augments in the
workers, so its ratio is the fraction of decoding in all work.
"""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image

import imgkit as ik
from benchmarks.harness import Case

PHOTOGRAPHS = ("astronaut.jpg", "chelsea.png", "coffee.webp", "rocket.jpg")
SOURCE = pathlib.Path(__file__).parent.parent / "samples" / "images"
WORKERS = 2


def cases(quick: bool) -> Iterator[Case]:
    from torch.utils.data import DataLoader, Dataset

    from imgkit.torch import ImageFolder, Loader, Transform
    from imgkit.torch.order import Order
    from imgkit.torch.workers import BatchDataset, one_thread, uncollated

    count, batch = (128, 32) if quick else (512, 64)
    augment = ik.Pipeline(
        [ik.RandomResizedCrop(224), ik.HorizontalFlip(p=0.5), ik.Normalize("imagenet")], seed=7
    )
    with tempfile.TemporaryDirectory() as root:
        _write(pathlib.Path(root), count)
        folder = ImageFolder(root)

        class Decode(Dataset):  # type: ignore[misc]
            def __getitems__(self, indices: list[int]) -> int:
                return sum(folder.decode(index).ndim == 3 for index in indices)

            def __len__(self) -> int:
                return len(folder)

        def start(dataset: Any, sampler: Any = None) -> Any:
            return DataLoader(
                dataset,
                batch_size=batch if sampler is None else 1,
                num_workers=WORKERS,
                persistent_workers=True,
                collate_fn=uncollated,
                worker_init_fn=one_thread,
                **({} if sampler is None else {"batch_sampler": sampler}),
            )

        alone = start(Decode())
        order = Order(count, batch, False, 0, False)
        packed = start(BatchDataset(folder, Transform(augment), True, True), order)
        here = Loader(root, augment, batch, workers=WORKERS)
        decode = {"decode alone": lambda: sum(alone)}
        goal = {"decode alone": 0.85}
        yield Case(
            "packed, 2 workers", _counted(packed, lambda b: len(b.indices)), decode, goal=goal
        )
        note = "no loss on the way: the workers run the pipeline, which takes longer than decoding"
        yield Case("on the CPU, 2 workers", _counted(here, lambda b: len(b[1])), decode, note=note)


def _counted(loader: Any, count: Callable[[Any], int]) -> Callable[[], int]:
    return lambda: sum(count(batch) for batch in loader)


def _write(root: pathlib.Path, count: int) -> None:
    """Write JPEG files of 500 x 375, ImageNet's usual size."""
    (root / "photographs").mkdir()
    images = []
    for name in PHOTOGRAPHS:
        with Image.open(SOURCE / name) as image:
            images.append(image.convert("RGB").resize((500, 375)))
    for i in range(count):
        turned = Image.fromarray(np.roll(np.asarray(images[i % 4]), i, axis=1))
        turned.save(root / "photographs" / f"{i:04}.jpg", quality=90)
