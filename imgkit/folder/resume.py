"""Find the outputs that are done, and remove the temporary files of dead processes.

An output is done if its last line in the journal is "ok", the run of that line would have written
the same bytes (same pipeline, seed, epoch and quality, same versions, same source), its input has
the same size and time, and the file exists with the size that was written. An output of a truncated
input is done only for a run that allows truncated files.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterable

from imgkit.folder.journal import Run, runs, stream
from imgkit.folder.plan_outputs import Item
from imgkit.io.files import OWN, temporary_prefix

DAY = 86400  # seconds; a temporary file of another machine is kept for so long


def unfinished(items: list[Item], dst: str, this_run: Run) -> list[Item]:
    """Return the items that a run has yet to process."""
    try:
        done = _done(dst, this_run)
    except FileNotFoundError:
        return items
    names = (os.path.relpath(item.target, dst) for item in items)
    return [
        item for item, name in zip(items, names, strict=True) if not _is_done(item, done.get(name))
    ]


def _done(dst: str, this_run: Run) -> dict[str, tuple[int, int]]:
    """Return, by output, the bytes written and a fingerprint of the input."""
    alike: set[str] = set()  # runs that write the same bytes as this one
    done: dict[str, tuple[int, int]] = {}
    lenient = this_run.limits["allow_truncated"]
    for record in stream(dst):
        if isinstance(record, Run):
            if _makes_the_same(record, this_run):
                alike.add(record.id)
        elif record.status == "ok" and record.run in alike and (lenient or not record.partial):
            made_of = (record.path, record.copy, record.kind, record.size, record.mtime_ns)
            done[record.output] = (
                record.written,
                hash(made_of),
            )  # one number, as there may be millions
        else:
            done.pop(record.output, None)
    return done


def _makes_the_same(before: Run, now: Run) -> bool:
    return (before.op, before.src, before.versions) == (now.op, now.src, now.versions)


def _is_done(item: Item, known: tuple[int, int] | None) -> bool:
    made_of = (item.path, item.copy, item.kind, item.size, item.mtime_ns)
    if known is None or known[1] != hash(made_of):
        return False
    try:
        status = os.lstat(item.target)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == known[0]


def last_seed(dst: str, this_run: Run) -> int | None:
    """Return the seed of the last run in a destination if nothing but the seed differs."""
    try:
        *_, last = runs(dst)
    except (OSError, ValueError):  # no journal, or an empty one
        return None
    seed = last.pipeline.get("seed")
    same = last.pipeline == {**this_run.pipeline, "seed": seed}
    same = same and (last.epoch, last.quality) == (this_run.epoch, this_run.quality)
    return seed if same and last.src == this_run.src else None


# --- temporary files --------------------------------------------------------------------


def sweep(folders: Iterable[str], pid: int | None = None) -> None:
    """Remove the temporary files of dead processes in some folders.

    Args:
        folders: where to look; their subfolders are not searched.
        pid: of a process that is known to be dead; None: of every process that is not alive.
    """
    for folder in folders:
        with (
            contextlib.suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(folder) as found,
        ):
            for entry in found:
                if not entry.name.startswith(f"{OWN}-") or entry.is_dir(follow_symlinks=False):
                    continue
                if _is_left(entry, pid):
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(entry.path)


def _is_left(entry: os.DirEntry[str], pid: int | None) -> bool:
    if pid is not None:
        return entry.name.startswith(temporary_prefix(pid))
    here = entry.name.startswith(temporary_prefix("").rstrip("-"))
    if not here or os.name == "nt":  # where os.kill would end the process
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > DAY
    return not _is_alive(entry.name.split("-")[2])


def _is_alive(pid: str) -> bool:
    """Whether a process of this machine exists."""
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
