"""The journal of a destination: the runs, and the outcome of every output.

It is ``DST/.imgkit/journal.jsonl``, one JSON object a line, and lines are only appended. A line of
kind "run" records what a run did and with which versions; a line of kind "image" records one output
and the id of its run. Of several lines about one output the last counts. A line that a crash cut
short is ignored; a line that lacks a field without a default is of another version, whose journals
are not read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import errno
import hashlib
import importlib.metadata
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from imgkit.io.files import OWN, check_target, printable_path

NAME = "journal.jsonl"
OLD = f"{NAME}.old"  # of another version, set aside by --force
RUN = b'{"line": "run"'  # the start of a run's line
PACKAGES = (
    "imgkit-cv",
    "imagecodecs",
    "numpy",
    "opencv-python",
    "pillow",
    "tifffile",
)  # their version may change a byte of an output


@dataclass(frozen=True)
class Run:
    """One run: all that determines an output together with the input's bytes and key."""

    id: str
    started: str  # UTC, ISO 8601
    src: str  # the folder that paths are relative to
    op: str  # hash of what was done: pipeline, seed, epoch, quality, scale and fast_decode
    pipeline: dict[str, Any]  # as `Pipeline.to_document` writes it, the seed included
    epoch: int
    quality: int
    scale: Any
    fast_decode: bool
    limits: dict[str, Any]  # `decode.Limits`: which inputs are refused; they change no output
    versions: dict[str, str]
    planned: int | None = None  # images, those done before included; None: not recorded
    skipped: int = 0  # of them, done before
    only: str = ""  # the input's path if SRC was one file
    force: bool = False  # all outputs are made again


@dataclass(frozen=True)
class Entry:
    """The outcome of one output: status is "ok", "failed" or "quarantined"."""

    run: str
    path: str  # of the input, below the run's `src`
    output: str  # below DST
    kind: str  # the format of the output
    size: int  # of the input, in bytes
    mtime_ns: int
    source: str  # SHA-256 of the input
    op: str
    seed: int | None
    epoch: int
    copy: int
    index: int
    status: str
    error: str
    message: str
    sha256: str  # of the output
    written: int  # bytes of the output
    partial: bool  # the input ended early and was read up to its end
    version: str  # of imgkit


def versions() -> dict[str, str]:
    """Return the versions of the packages that make the bytes of an output."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # OpenCV has several distributions
            continue
    return found


def new_run(src: str, done: Mapping[str, Any], limits: Mapping[str, Any], rule: str = "") -> Run:
    """Describe a run that starts now.

    Args:
        src: the folder that the paths of inputs are relative to.
        done: pipeline, epoch, quality, scale and fast_decode, which the op's hash is made of.
        limits: of inputs.
        rule: by which the same pipeline has other numbers than before; part of the hash.
    """
    text = json.dumps({**done, "rule": rule} if rule else done, sort_keys=True).encode()
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    op = hashlib.blake2b(text, digest_size=16).hexdigest()
    root = os.path.realpath(src)
    return Run(uuid.uuid4().hex, now, root, op, limits=dict(limits), versions=versions(), **done)


# --- writing ----------------------------------------------------------------------------


class Journal:
    """The journal of a destination, open for appending."""

    def __init__(self, dst: str) -> None:
        self.dst = os.path.realpath(dst)
        self._file = -1

    def __enter__(self) -> Journal:
        folder = os.path.join(self.dst, OWN)
        os.makedirs(folder, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._file = os.open(os.path.join(folder, NAME), flags, 0o666)
        self._end_torn_line()
        return self

    def __exit__(self, *raised: object) -> None:
        try:
            os.fsync(self._file)
        finally:
            os.close(self._file)

    def add(self, record: Run | Entry) -> None:
        """Append one line with one write."""
        kind = "run" if isinstance(record, Run) else "image"
        self._write(json.dumps({"line": kind, **dataclasses.asdict(record)}).encode() + b"\n")

    def _write(self, line: bytes) -> None:
        if os.fstat(self._file).st_nlink == 0:  # the lines would be lost without an error
            raise FileNotFoundError(errno.ENOENT, "the journal was removed", NAME)
        if os.write(self._file, line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), NAME)

    def _end_torn_line(self) -> None:
        """End a line that a crash cut short, so that the next line is readable."""
        size = os.lseek(self._file, 0, os.SEEK_END)
        if size:
            os.lseek(self._file, size - 1, os.SEEK_SET)
            if os.read(self._file, 1) != b"\n":
                self._write(b"\n")


# --- reading ----------------------------------------------------------------------------


class OtherVersion(ValueError):
    """A journal that another version of imgkit wrote, with other fields."""


def check_own(dst: str, *names: str) -> None:
    """Raise if imgkit's folder in a destination, or one of its files there, is something else.

    A FIFO would block for ever, and what a link leads to would be written over.

    Raises:
        NotADirectoryError: DST/.imgkit is not a folder.
        NotAFile: one of the files is not a regular file.
    """
    folder = os.path.join(dst, OWN)
    if not os.path.lexists(folder):
        return
    if not os.path.isdir(folder):
        raise NotADirectoryError(
            f"{printable_path(folder)} is not a folder: imgkit keeps its journal there; remove it"
        )
    for name in names or (NAME,):
        check_target(os.path.join(folder, name), "imgkit's own file")


def check(dst: str) -> None:
    """Raise if another version wrote the journal of a destination, where there is one.

    Only the line of each run and its first line about an image are read.

    Raises:
        OtherVersion: another version wrote it.
    """
    read_next = True
    with (
        contextlib.suppress(FileNotFoundError, NotADirectoryError),
        open(os.path.join(dst, OWN, NAME), "rb") as file,
    ):
        for line in file:
            if read_next or line.startswith(RUN):
                read_next = not isinstance(_parse(line, dst), Entry)


def set_aside(dst: str) -> None:
    """Rename the journal of a destination if another version wrote it."""
    try:
        check(dst)
    except OtherVersion:
        os.replace(os.path.join(dst, OWN, NAME), os.path.join(dst, OWN, OLD))


def stream(dst: str) -> Iterator[Run | Entry]:
    """Yield the records in the order in which they were written.

    Raises:
        FileNotFoundError: DST has no journal.
        OtherVersion: another version of imgkit wrote it.
    """
    with _opened(dst) as file:
        for line in file:
            record = _parse(line, dst)
            if record is not None:
                yield record


def runs(dst: str) -> Iterator[Run]:
    """Yield only the runs, in order; many times as fast as `stream`."""
    with _opened(dst) as file:
        for line in file:
            record = _parse(line, dst) if line.startswith(RUN) else None
            if isinstance(record, Run):
                yield record


def no_run(dst: str) -> ValueError:
    """Return the error of a journal that does not name any run."""
    return ValueError(
        f"the journal of {printable_path(dst)} has no run: the command ended before its first image"
    )


def read(dst: str) -> tuple[dict[str, Run], dict[str, Entry]]:
    """Return the runs by their id, and the last entry of every output by its path below DST.

    Raises:
        FileNotFoundError: DST has no journal.
        OtherVersion: another version of imgkit wrote it.
    """
    runs_by_id: dict[str, Run] = {}
    entries: dict[str, Entry] = {}
    for record in stream(dst):
        if isinstance(record, Run):
            runs_by_id[record.id] = record
        else:
            entries[record.output] = record
    return runs_by_id, entries


def _opened(dst: str) -> BinaryIO:
    """Open the journal of a destination for reading."""
    check_own(dst)
    try:
        return open(os.path.join(dst, OWN, NAME), "rb")
    except FileNotFoundError:
        raise FileNotFoundError(f"{printable_path(dst)} has no journal: no run wrote it") from None


def _parse(line: bytes, dst: str) -> Run | Entry | None:
    """Return the record of a line; None if the line is cut short or of an unknown kind."""
    try:
        fields = json.loads(line)
        kind: type[Run | Entry] = {"run": Run, "image": Entry}[fields["line"]]
    except (ValueError, KeyError, TypeError):
        return None
    try:
        return kind(
            **{
                spec.name: fields[spec.name]
                for spec in dataclasses.fields(kind)
                if spec.name in fields or spec.default is dataclasses.MISSING
            }
        )
    except KeyError as error:
        raise OtherVersion(
            f"{printable_path(dst)} has a journal of another version of imgkit (it lacks {error}): "
            "use that version, or make all outputs again with --force"
        ) from None


def find(output: str) -> tuple[str, Run, Entry]:
    """Return the destination of an output, and its run and entry in the journal there.

    Raises:
        ValueError: no folder above the output has a journal, or none has an entry of it.
    """
    folder, name = os.path.split(os.path.abspath(output))
    path = os.path.join(os.path.realpath(folder), name)
    dst, looked_in = os.path.dirname(path), ""
    while True:
        if os.path.isfile(os.path.join(dst, OWN, NAME)):
            runs, entries = read(dst)
            entry = entries.get(os.path.relpath(path, dst))
            if entry is not None and entry.run in runs:
                return dst, runs[entry.run], entry
            looked_in = looked_in or dst
        if dst == os.path.dirname(dst):
            break
        dst = os.path.dirname(dst)
    if looked_in:
        raise ValueError(
            f"{printable_path(output)} is not in the journal of {printable_path(looked_in)}"
        )
    raise ValueError(
        f"{printable_path(output)} has no journal: it is kept in DST/{OWN}/ when DST is a folder"
    )
