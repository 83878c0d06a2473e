"""Make an output again from its input and its journal entry."""

from __future__ import annotations

import os

from imgkit.augment.pipeline import Pipeline
from imgkit.folder.journal import Entry, Run
from imgkit.folder.task import Job, collect_warnings, convert, sha256
from imgkit.io.decode import Limits
from imgkit.io.files import printable_path


def rebuild(this_run: Run, entry: Entry, src: str | None = None) -> bytes:
    """Make the bytes of an output again from its input and its journal entry.

    Args:
        this_run: the run of the entry.
        entry: of the output.
        src: the folder that holds the inputs now, if they were moved.

    Raises:
        ValueError: the run did not make this output, or the input has changed.
        FileNotFoundError: the input is missing.
    """
    if entry.status != "ok":
        raise ValueError(f"the run did not make this output: {entry.error}: {entry.message}")
    scale = tuple(this_run.scale) if isinstance(this_run.scale, list) else this_run.scale
    job = Job(
        Pipeline.from_document(this_run.pipeline),
        this_run.quality,
        scale,
        Limits(**this_run.limits),
        this_run.epoch,
        this_run.fast_decode,
    )
    source = os.path.join(src or this_run.src, entry.path)
    if os.path.exists(source) and not os.path.isfile(source):  # a FIFO would block
        raise ValueError(f"{printable_path(source)} is not a file any more")
    try:
        with open(source, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{printable_path(source)} is missing: restore it, or give the folder that holds the "
            "inputs now"
        ) from None
    if sha256(data) != entry.source:
        raise ValueError(
            f"{printable_path(source)} has changed since the run: it had {entry.size} bytes and "
            f"SHA-256 {entry.source[:12]}, it has {len(data)} and {sha256(data)[:12]}"
        )
    with collect_warnings():  # the run printed them
        return convert(job, data, entry.kind, entry.index)
