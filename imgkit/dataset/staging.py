"""A data set in the making: a hidden folder beside DST that becomes DST when all went well.

It keeps a journal, ``.imgkit/prep.jsonl``: first a line with all settings, then one for each block
that is done, with the state of its images and of its files. A run that is interrupted leaves the
folder, and the same command goes on from there: a block counts as done if its images have the
size and time they had and its files are there, byte for byte. Under other settings nothing counts,
and the folder is emptied.
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
MAKER = {"made_by": "imgkit prep"}  # in FACTS; it tells a data set of ours from any other folder
NAME = "prep.jsonl"
LASTING = {"empty", "unknown", "unsupported", "too_large", "truncated", "corrupt"}


class Block(NamedTuple):
    """Images that are made and noted together: those of a shard, or some files of a part."""

    part: str
    number: int
    images: tuple[Planned, ...]

    @property
    def key(self) -> tuple[str, int]:
        """What it is known by."""
        return self.part, self.number

    def state(self) -> str:
        """Return a hash of all that is known of the images before they are read."""
        told = [(i.path, i.number, i.order, i.size, i.mtime_ns) for i in self.images]
        return hashlib.blake2b(json.dumps(told).encode(), digest_size=16).hexdigest()


@dataclass
class Record:
    """What became of a block."""

    figures: Figures = field(default_factory=Figures)
    sources: list[str] = field(default_factory=list)  # SHA-256 of the images read, cut to half
    failures: list[Bad] = field(default_factory=list)
    shard: Shard | None = None
    files: dict[str, tuple[int, str]] = field(default_factory=dict)  # bytes and SHA-256, by name

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it; `of` reads it."""
        shard = None if self.shard is None else vars(self.shard)
        return {**vars(self), "figures": self.figures.plain(), "shard": shard}

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Record:
        """Read what `plain` made."""
        return cls(
            figures=Figures.of(told["figures"]),
            sources=told["sources"],
            failures=[Bad(*row) for row in told["failures"]],
            shard=None if told["shard"] is None else Shard(**told["shard"]),
            files={name: (size, digest) for name, (size, digest) in told["files"].items()},
        )

    @property
    def lasts(self) -> bool:
        """Tell whether another try would come to the same: no failure was of the moment."""
        return all(row.error in LASTING for row in self.failures)


class Staging:
    """The folder of a data set in the making, and its journal."""

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
        """Empty the folder: nothing in it counts."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._journal)  # first, so that it never tells of what is gone
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

    # what is done

    def note(self, block: Block, record: Record) -> None:
        """Note a block that is done."""
        told = {"part": block.part, "number": block.number, "images": block.state()}
        self._write(json.dumps({**told, **record.plain()}))

    def finished(self, blocks: Sequence[Block]) -> dict[tuple[str, int], Record]:
        """Return what became of the blocks that are done; files of no such block are removed."""
        known = {block.key: block for block in blocks}
        done: dict[tuple[str, int], Record] = {}
        for line in self._lines():
            with contextlib.suppress(ValueError, KeyError, TypeError):  # settings, or a torn line
                told = json.loads(line)
                block = known[told["part"], told["number"]]
                record = Record.of(told)
                if told["images"] == block.state() and record.lasts and self._holds(record):
                    done[block.key] = record
        self._keep_only({name for record in done.values() for name in record.files})
        return done

    def _holds(self, record: Record) -> bool:
        """Tell whether the files of a block are as they were written."""
        try:
            return all(self.state(name) == state for name, state in record.files.items())
        except OSError:
            return False

    def state(self, name: str) -> tuple[int, str]:
        """Return the size and the SHA-256 of a file of this folder."""
        with open(os.path.join(self.folder, name), "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return file.tell(), digest


# --- beside DST, and in its place -------------------------------------------------------


def beside(dst: str) -> str:
    """Return the folder in which the data set of a DST is made."""
    parent, name = os.path.split(os.path.realpath(dst))
    short = hashlib.blake2b(os.fsencode(name), digest_size=8).hexdigest()
    return os.path.join(parent, f"{OWN}-prep-{short}")


@contextlib.contextmanager
def staged(dst: str, settings: Mapping[str, Any], force: bool = False) -> Iterator[Staging]:
    """Give a folder beside DST that takes its place, and its name, when all went well.

    Raises:
        FileExistsError: if by then something stands at DST that this may not replace.
        OSError: if another run holds it, or the disk may not be written.
    """
    folder = beside(dst)
    os.makedirs(folder, exist_ok=True)
    locked_files_move = os.name != "nt"  # Windows renames no folder of an open file
    with locked(folder):
        with Staging(folder, settings) as staging:
            yield staging
            if hasattr(os, "sync"):
                os.sync()  # once for all files: none has its name before all are on the disk
        if locked_files_move:
            _take_place(folder, os.path.realpath(dst), force)
    if not locked_files_move:
        _take_place(folder, os.path.realpath(dst), force)


def _take_place(folder: str, dst: str, force: bool) -> None:
    """Rename a folder to DST; a data set that stands there goes when that is done."""
    check_free(dst, force)  # again: the work may have taken hours
    old = f"{folder}-old"
    if os.path.isdir(dst) and not os.listdir(dst):
        os.rmdir(dst)  # which fails if it is not empty any more
    elif os.path.lexists(dst):
        shutil.rmtree(old, ignore_errors=True)
        os.rename(dst, old)
    os.rename(folder, dst)
    shutil.rmtree(os.path.join(dst, OWN))
    shutil.rmtree(old, ignore_errors=True)


def check_free(dst: str, force: bool) -> None:
    """Raise if something stands at DST that this may not replace."""
    if not os.path.lexists(dst) or (os.path.isdir(dst) and not os.listdir(dst)):
        return
    if not _is_data_set(dst):
        raise FileExistsError(
            f"{printable_path(dst)} is not empty and not a data set of imgkit prep: "
            "choose a new folder"
        )
    if not force:
        raise FileExistsError(f"{printable_path(dst)} holds a data set: --force replaces it")


def _is_data_set(folder: str) -> bool:
    """Tell whether `prep` made a folder."""
    try:
        with open(os.path.join(folder, FACTS), encoding="utf-8") as file:
            told = json.load(file)
    except (OSError, ValueError):
        return False
    return isinstance(told, dict) and MAKER.items() <= told.items()
