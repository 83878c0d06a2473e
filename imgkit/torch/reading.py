"""One pipeline for each sample: what runs while a keyed dataset reads a sample of its own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_thread = threading.local()


@contextmanager
def reading(owner: str, runs: bool = True) -> Iterator[None]:
    """Mark that `owner` reads a sample of the dataset inside it, and whether it runs a pipeline."""
    before = getattr(_thread, "mark", None)
    _thread.mark = owner, runs
    try:
        yield
    finally:
        _thread.mark = before


def refuse_second_pipeline(keyed: bool = False) -> None:
    """Raise if a keyed dataset is reading: its own pipeline would run on the same sample.

    A loader without a pipeline only decodes, so a pipeline inside may run; but not that of a
    `keyed` dataset, whose epoch the loader would not advance.

    The check is made where a pipeline runs, because a dataset can hold one under any name, in any
    wrapper, and can be given one later.
    """
    owner, runs = getattr(_thread, "mark", None) or (None, False)
    if owner is not None and (runs or keyed):
        raise ValueError(
            f"the dataset inside a {owner} already runs an imgkit pipeline: two pipelines would "
            f"run on one sample; give one of both to the {owner}, Pipeline([*first, *second], "
            "seed=7), and none to the dataset"
        )
