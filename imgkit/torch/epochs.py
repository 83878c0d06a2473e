"""The epoch of a dataset's keys, shared by all processes that have a copy of it."""

from __future__ import annotations

import operator
import warnings
from typing import Any, ClassVar

import torch
from torch.utils.data import Dataset

from imgkit.augment.pipeline import Pipeline
from imgkit.draws import EPOCH_BITS, check_bits
from imgkit.torch.order import current_rank
from imgkit.torch.reading import refuse_second_pipeline
from imgkit.torch.transform import Transform, check_transform

VISIT_SHIFT = 48  # visit v of sample i has the key index i + v * 2**48
VISIT_BITS = 16
EPOCH, DRAWS, FIRST, WARNED = range(4)  # of the shared numbers


class KeyedDataset(Dataset[Any]):  # type: ignore[misc]  # torch is not read by mypy
    """A dataset with a pipeline that runs on sample i with the key (epoch, i)."""

    needs_pipeline: ClassVar[bool] = True

    def __init__(self, pipeline: Pipeline | Transform | None) -> None:
        self._shared = torch.tensor([0, 0, -1, 0], dtype=torch.int64).share_memory_()
        no_pipeline = pipeline is None and not self.needs_pipeline
        self._transform = None if no_pipeline else check_transform(pipeline)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if not self._shared.is_shared():  # unpickled outside of torch's sharing
            self._shared = self._shared.clone().share_memory_()

    # --- epochs ---

    @property
    def epoch(self) -> int:
        """The epoch of the keys."""
        return int(self._shared[EPOCH])

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the keys, in all workers; call it before each pass."""
        self._shared[EPOCH] = check_bits(epoch, "epoch", EPOCH_BITS)
        self._shared[DRAWS], self._shared[FIRST] = 0, -1

    def _count(self, place: int) -> None:
        """Count a draw, and warn once if a second pass has the epoch of the first.

        Workers share the count. A pass has its first index once, so a pass is known to be the
        second when that index comes back after as many draws as a pass has.
        """
        counts = self._shared.numpy()
        counts[DRAWS] += 1
        if counts[DRAWS] == 1:
            counts[FIRST] = place
        if counts[WARNED] or place != counts[FIRST] or counts[DRAWS] == 1:
            return
        if counts[DRAWS] <= -(-len(self) // current_rank()[1]):
            return
        counts[WARNED] = 1
        if self._transform is not None and self._transform.pipeline.is_random:
            warnings.warn(
                f"sample {place} is drawn again at epoch {counts[EPOCH]}, after "
                f"{counts[DRAWS] - 1} draws: the same key gives the same picture. Call "
                "set_epoch(epoch) before each pass (with the same number if the repetition is "
                "meant); wrap a sampler that repeats indices in imgkit.torch.Visits",
                UserWarning,
                stacklevel=4,
            )

    # --- samples ---

    def _place(self, index: Any) -> tuple[int, int]:
        """Return the index and the visit that an argument of ``dataset[...]`` names."""
        if isinstance(index, slice):
            raise TypeError("index is a slice: samples are keyed one by one; use Subset")
        index, visit = index if isinstance(index, tuple) and len(index) == 2 else (index, 0)
        try:
            place = operator.index(index)
        except TypeError:
            raise TypeError(
                f"index is {index!r}: it must be an integer, or a pair (index, visit)"
            ) from None
        if not -len(self) <= place < len(self):
            raise IndexError(f"index is {place}: the dataset has {len(self)} samples")
        return place % len(self), check_bits(visit, "visit", VISIT_BITS)

    def _transformed(self, sample: Any, place: int, visit: int) -> Any:
        """Return a sample after the pipeline."""
        assert self._transform is not None
        refuse_second_pipeline(keyed=True)
        if not visit:
            self._count(place)
        return self._transform(sample, key=(self.epoch, place + (visit << VISIT_SHIFT)))

    # --- the pipeline ---

    @property
    def transform(self) -> Transform | None:
        """The pipeline with its options; others set it with a `Pipeline` or a `Transform`.

        A loader that sets a transform of its own (timm's `create_loader`) does not replace the
        pipeline: a warning says that its transform does not run.
        """
        return self._transform

    @transform.setter
    def transform(self, value: Any) -> None:
        if isinstance(value, (Pipeline, Transform)):
            self._transform = check_transform(value)
        elif value is None and not self.needs_pipeline:
            self._transform = None
        elif value is None or self._transform is None:
            raise TypeError(
                f"transform is {_named(value)}: a {type(self).__name__} runs an imgkit Pipeline or "
                "Transform; Pipeline.from_torchvision and from_albumentations convert others"
            )
        else:
            warnings.warn(
                f"transform is {_named(value)}, which does not run: a {type(self).__name__} keeps "
                "its imgkit pipeline, which must give what the network takes; set an imgkit "
                "Pipeline or Transform to replace it",
                UserWarning,
                stacklevel=2,
            )


def _named(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__module__}.{type(value).__name__}"
