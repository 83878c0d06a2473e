"""Make an output again from its input and its journal entry."""

from __future__ import annotations

import os

from imgkit.augment.pipeline import Pipeline
from imgkit.folder.journal import Entry, Run, versions
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


def compare_hashes(rebuilt: str, recorded: str, found: str | None) -> str:
    """Compare three hashes: rebuilt now, recorded in the journal, of the file (None: missing)."""
    if found is None:
        return "the file is missing; " + (
            "the rebuilt bytes agree with the journal"
            if rebuilt == recorded
            else "the rebuilt bytes differ from the journal"
        )
    if rebuilt == found:
        return "the bytes agree" + ("" if rebuilt == recorded else ", but the journal has others")
    if rebuilt == recorded:
        return "the bytes differ: the file was changed since the run"
    if found == recorded:
        return "the bytes differ: the file is as the run made it, the rebuilt bytes are others"
    return "the bytes differ, and the file was changed since the run"


def changed_versions(before: dict[str, str]) -> str:
    """Return the versions that differ from those of the run."""
    now = versions()
    moved = [
        f"{name} {before.get(name, 'none')} -> {now.get(name, 'none')}"
        for name in {**before, **now}
        if before.get(name) != now.get(name)
    ]
    return "versions: " + (", ".join(moved) or "those of the run")
