"""One pipeline for each sample: what runs while a keyed dataset reads a sample of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_thread = threading.local()


@contextmanager
def reading(owner: str) -> Iterator[None]:
    """Mark that `owner`, which has a pipeline, reads a sample of the dataset inside it."""
    before = getattr(_thread, "owner", None)
    _thread.owner = owner
    try:
        yield
    finally:
        _thread.owner = before


def refuse_second_pipeline() -> None:
    """Raise if a keyed dataset is reading: its own pipeline would run on the same sample.

    The check is made where a pipeline runs, because a dataset can hold one under any name, in any
    wrapper, and can be given one later.
    """
    owner = getattr(_thread, "owner", None)
    if owner is not None:
        raise ValueError(
            f"the dataset inside a {owner} already runs an imgkit pipeline: two pipelines would "
            f"run on one sample; give one of both to the {owner}, Pipeline([*first, *second], "
            "seed=7), and none to the dataset"
        )
