"""Build a data set in a hidden folder beside DST, and rename that to DST at the end.

It keeps a journal, ``.imgkit/prep.jsonl``: first a line with all settings, then one for each block
that is done, with the state of its images and of its files. An interrupted run leaves the folder,
and the same command continues from there: a block is done if its images have the same size and
time and its files are unchanged, byte for byte. If the settings differ, the folder is emptied.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from imgkit.dataset.shards import Shard
from imgkit.dataset.split import Planned
from imgkit.dataset.stats import Bad, Figures
from imgkit.folder.lock import locked
from imgkit.io.files import OWN, printable_path

FACTS = "dataset.json"
MAKER = {
    "made_by": "imgkit prep"
}  # in FACTS; it distinguishes a data set of prep from any other folder
NAME = "prep.jsonl"
LASTING = {"empty", "unknown", "unsupported", "too_large", "truncated", "corrupt"}


class Block(NamedTuple):
    """Images that are built and recorded together: those of a shard, or some files of a part."""

    part: str
    number: int
    images: tuple[Planned, ...]

    @property
    def key(self) -> tuple[str, int]:
        """The key of the block."""
        return self.part, self.number

    def state(self) -> str:
        """Return a hash of all facts about the images that are known before they are read."""
        stored = [(i.path, i.number, i.order, i.size, i.mtime_ns) for i in self.images]
        return hashlib.blake2b(json.dumps(stored).encode(), digest_size=16).hexdigest()


@dataclass
class Record:
    """The outcome of a block."""

    figures: Figures = field(default_factory=Figures)
    sources: list[str] = field(default_factory=list)  # SHA-256 of the images read, cut to half
    failures: list[Bad] = field(default_factory=list)
    shard: Shard | None = None
    files: dict[str, tuple[int, str]] = field(default_factory=dict)  # bytes and SHA-256, by name

    def plain(self) -> dict[str, Any]:
        """Return the record as plain values for JSON; `of` reads them."""
        shard = None if self.shard is None else vars(self.shard)
        return {**vars(self), "figures": self.figures.plain(), "shard": shard}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Record:
        """Return the record of the values that `plain` returned."""
        return cls(
            figures=Figures.of(stored["figures"]),
            sources=stored["sources"],
            failures=[Bad(*row) for row in stored["failures"]],
            shard=None if stored["shard"] is None else Shard(**stored["shard"]),
            files={name: (size, digest) for name, (size, digest) in stored["files"].items()},
        )

    @property
    def lasts(self) -> bool:
        """Whether another try would have the same outcome: every failure is permanent."""
        return all(row.error in LASTING for row in self.failures)


class Staging:
    """The folder in which a data set is built, and its journal."""

    def __init__(self, folder: str, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        self._settings = json.dumps({"settings": settings}, sort_keys=True)
        self._journal = os.path.join(folder, OWN, NAME)
        self._file: Any = None

    def __enter__(self) -> Staging:
        os.makedirs(os.path.dirname(self._journal), exist_ok=True)
        goes_on = next(self._lines(), "") == self._settings
        if not goes_on:
            self._lose_all()
        self._file = open(self._journal, "ab")
        self._write("" if goes_on else self._settings)  # an empty line ends one that is torn
        return self

    def __exit__(self, *raised: object) -> None:
        self._file.close()

    def _lines(self) -> Iterator[str]:
        with (
            contextlib.suppress(FileNotFoundError),
            open(self._journal, encoding="ascii", errors="replace") as file,
        ):
            for line in file:
                yield line.rstrip("\n")

    def _write(self, line: str) -> None:
        self._file.write(line.encode("ascii") + b"\n")
        self._file.flush()

    def _lose_all(self) -> None:
        """Empty the folder."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._journal)  # first, so that it never lists files that are gone
        self._keep_only(set())

    def _keep_only(self, names: set[str]) -> None:
        """Remove all files but some, and the folders that are empty then."""
        for at, _, files in os.walk(self.folder, topdown=False):
            if os.path.basename(at) == OWN and os.path.dirname(at) == self.folder:
                continue
            for file in files:
                path = os.path.join(at, file)
                if os.path.relpath(path, self.folder) not in names:
                    os.unlink(path)
            if at != self.folder and not os.listdir(at):
                os.rmdir(at)

    # blocks that are done

    def note(self, block: Block, record: Record) -> None:
        """Record a block that is done."""
        stored = {"part": block.part, "number": block.number, "images": block.state()}
        self._write(json.dumps({**stored, **record.plain()}))

    def finished(self, blocks: Sequence[Block]) -> dict[tuple[str, int], Record]:
        """Return the records of the blocks that are done; remove all other files."""
        known = {block.key: block for block in blocks}
        done: dict[tuple[str, int], Record] = {}
        for line in self._lines():
            with contextlib.suppress(
                ValueError, KeyError, TypeError
            ):  # the settings, or a line cut short
                stored = json.loads(line)
                block = known[stored["part"], stored["number"]]
                record = Record.of(stored)
                if stored["images"] == block.state() and record.lasts and self._holds(record):
                    done[block.key] = record
        self._keep_only({name for record in done.values() for name in record.files})
        return done

    def _holds(self, record: Record) -> bool:
        """Whether the files of a block are unchanged."""
        try:
            return all(self.state(name) == state for name, state in record.files.items())
        except OSError:
            return False

    def state(self, name: str) -> tuple[int, str]:
        """Return the size and the SHA-256 of a file of this folder."""
        with open(os.path.join(self.folder, name), "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return file.tell(), digest


# --- beside DST, and renamed to DST ------------------------------------------------------


def beside(dst: str) -> str:
    """Return the folder in which the data set of a DST is built."""
    parent, name = os.path.split(os.path.realpath(dst))
    short = hashlib.blake2b(os.fsencode(name), digest_size=8).hexdigest()
    return os.path.join(parent, f"{OWN}-prep-{short}")


@contextlib.contextmanager
def staged(dst: str, settings: Mapping[str, Any], force: bool = False) -> Iterator[Staging]:
    """Provide a folder beside DST that is renamed to DST at the end.

    Raises:
        FileExistsError: at the end DST exists and may not be replaced.
        OSError: another run has locked it, or the disk may not be written.
    """
    folder = beside(dst)
    os.makedirs(folder, exist_ok=True)
    locked_files_move = os.name != "nt"  # Windows renames no folder of an open file
    with locked(folder):
        with Staging(folder, settings) as staging:
            yield staging
            if hasattr(os, "sync"):
                os.sync()  # once for all files: the rename comes after all are on the disk
        if locked_files_move:
            _take_place(folder, os.path.realpath(dst), force)
    if not locked_files_move:
        _take_place(folder, os.path.realpath(dst), force)


def _take_place(folder: str, dst: str, force: bool) -> None:
    """Rename a folder to DST; a data set at DST is removed afterwards."""
    check_free(dst, force)  # again: the work may have taken hours
    old = f"{folder}-old"
    if os.path.isdir(dst) and not os.listdir(dst):
        os.rmdir(dst)  # fails if it is not empty any more
    elif os.path.lexists(dst):
        shutil.rmtree(old, ignore_errors=True)
        os.rename(dst, old)
    os.rename(folder, dst)
    shutil.rmtree(os.path.join(dst, OWN))
    shutil.rmtree(old, ignore_errors=True)


def check_free(dst: str, force: bool) -> None:
    """Raise if DST exists and may not be replaced."""
    if not os.path.lexists(dst) or (os.path.isdir(dst) and not os.listdir(dst)):
        return
    if not os.path.isdir(dst):
        raise FileExistsError(f"{printable_path(dst)} is not a folder: choose a new one")
    if not _is_data_set(dst):
        raise FileExistsError(
            f"{printable_path(dst)} is not empty and not a data set of imgkit prep: "
            "choose a new folder"
        )
    if not force:
        raise FileExistsError(f"{printable_path(dst)} holds a data set: --force replaces it")


def _is_data_set(folder: str) -> bool:
    """Whether `prep` built a folder."""
    path = os.path.join(folder, FACTS)
    if not os.path.isfile(path):  # a FIFO would block for ever
        return False
    try:
        with open(path, encoding="utf-8") as file:
            stored = json.load(file)
    except (OSError, ValueError):
        return False
    return isinstance(stored, dict) and MAKER.items() <= stored.items()
