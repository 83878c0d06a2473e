"""The work for one image: read, decode, apply, encode, commit.

Whatever happens becomes one `ImageResult`; `process` never raises. An output appears whole or not
at all: it is written beside its place under a temporary name and then renamed.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit.folder.plan_outputs import Item, draw_index
from imgkit.folder.steps import (
    CHANNELS_FIRST,
    Program,
    Step,
    apply,
    channels_first,
    program,
    shrinks_to,
)
from imgkit.io.decode import STRICT, Decoded, Limits, decode_details
from imgkit.io.encode import Wording, encode, unfit
from imgkit.io.files import commit

# What no other image will survive either: the disk is full, read-only, or not ours.
ENVIRONMENT = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}

COMMAND_LINE = Wording(
    subject="the result",
    floats="add --scale auto or --scale A:B to map a range of values to 0..255, "
    "or --format tiff|npy to keep the values",
    uint16="add --format png|tiff|npy to keep the values, or --scale 0:65535 to map them to 0..255",
    channels="add --format tiff|npy",
    shape="add --format npy",
)


@dataclass(frozen=True)
class Job:
    """Everything that, with the input's bytes and index, decides the output's. It pickles."""

    steps: tuple[Step, ...]
    quality: int = 95
    scale: str | tuple[float, float] | None = None
    limits: Limits = STRICT
    seed: int | None = None
    epoch: int = 0
    canvas: str = "cut"  # of each pipeline
    fast_decode: bool = False  # where the first step shrinks, decode a JPEG no larger than needed

    @functools.cached_property
    def program(self) -> Program:
        """The steps as they run."""
        return program(self.steps, self.seed, self.canvas)

    @functools.cached_property
    def shrink_to(self) -> tuple[int, int] | None:
        """The size that a JPEG may be decoded towards, if any."""
        return shrinks_to(self.program) if self.fast_decode else None


class TaskLimits(NamedTuple):
    """What one image may cost before it counts as failed; None: whatever it takes."""

    timeout: float | None = None  # seconds
    memory: int | None = None  # bytes that a worker may claim on top of what it starts with


UNLIMITED = TaskLimits()


class FileFacts(NamedTuple):
    """What the journal tells of an input and of its output; hashes are SHA-256."""

    size: int = 0
    mtime_ns: int = 0
    source: str = ""
    sha256: str = ""
    written: int = 0  # bytes of the output
    partial: bool = False  # the input ends early, and was read as far as it goes


class ImageResult(NamedTuple):
    """What became of one image: status is "ok", "failed" or "quarantined"."""

    path: str
    status: str = "ok"
    error: str = ""
    message: str = ""
    fatal: bool = False  # the environment's fault: stop
    facts: FileFacts = FileFacts()
    warning: str = ""  # the first, if any


def output_kind(kind: str, dtype: npt.DTypeLike | None, scale: object) -> str:
    """Resolve the format "same" for results of a dtype (None: not known before the work).

    Raises:
        ValueError: if the results will not fit the format.
    """
    if dtype is None or scale is not None:
        return kind
    if kind == "same":
        return "float" if np.dtype(dtype).kind == "f" else "same"
    problem = unfit(dtype, kind, COMMAND_LINE)
    if problem:
        raise ValueError(problem)
    return kind


def check_layout(steps: Program, kind: str) -> None:
    """Raise if the steps put the channels where the format does not have them."""
    if channels_first(steps) and kind != "npy":
        raise ValueError(
            f"{CHANNELS_FIRST} puts the channels first, which {kind} files do not: "
            "add --format npy, or leave it out"
        )


def convert(job: Job, data: bytes, kind: str, index: int) -> bytes:
    """Turn the bytes of one image into the bytes of its output; `index` decides the draws."""
    return finish(job, decode(job, data).image, kind, index)


def decode(job: Job, data: bytes, max_pixels: int | None = None) -> Decoded:
    """Decode as a job wants it; what is worth knowing of the file is a warning."""
    limits = job.limits if max_pixels is None else job.limits._replace(max_pixels=max_pixels)
    decoded = decode_details(data, limits, job.shrink_to)
    for note in decoded.notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    return decoded


def finish(job: Job, image: npt.NDArray[np.generic], kind: str, index: int) -> bytes:
    """Apply the steps to an image and encode the result."""
    result = apply(job.program, image, (job.epoch, index))
    return encode(result, kind, quality=job.quality, scale=job.scale, wording=COMMAND_LINE)


@contextlib.contextmanager
def listening() -> Iterator[list[str]]:
    """Collect warnings about an image, so that whoever draws the progress can tell them."""
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield said
    said.extend(str(warning.message) for warning in caught)


def process(job: Job, item: Item) -> ImageResult:
    """Do the whole work for one image."""
    return deliver(item, *make(job, item))


def make(job: Job, item: Item, max_pixels: int | None = None) -> tuple[ImageResult, bytes]:
    """Make the bytes of an output, and the row that it has once they are delivered.

    `max_pixels`, if given, stands in for the job's own.
    """
    with listening() as said:
        row, output = _make(job, item, max_pixels)
    return (row._replace(warning=said[0]) if said else row), output


def _make(job: Job, item: Item, max_pixels: int | None) -> tuple[ImageResult, bytes]:
    facts = FileFacts()
    try:
        with open(item.source, "rb") as file:
            status, data = os.fstat(file.fileno()), file.read()  # a later change is one to see
    except FileNotFoundError as error:
        return failed(item.path, error)._replace(error="vanished"), b""
    except Exception as error:
        return failed(item.path, error), b""
    try:
        facts = FileFacts(status.st_size, status.st_mtime_ns, sha256(data))
        decoded = decode(job, data, max_pixels)
        facts = facts._replace(partial=decoded.partial)
        output = finish(job, decoded.image, item.kind, draw_index(item.path, item.copy))
    except Exception as error:  # every outcome is a row, whatever a decoder or operation raises
        return failed(item.path, error)._replace(facts=facts), b""
    facts = facts._replace(sha256=sha256(output), written=len(output))
    return ImageResult(item.path, facts=facts), output


def deliver(item: Item, row: ImageResult, output: bytes) -> ImageResult:
    """Write what was made; return the row, or that of a failure to write."""
    if row.status != "ok":
        return row
    try:
        commit(item.target, output)
    except OSError as error:
        facts = row.facts._replace(sha256="", written=0)
        fatal = error.errno in ENVIRONMENT
        return failed(item.path, error, fatal)._replace(facts=facts, warning=row.warning)
    return row


def sha256(data: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def failed(path: str, error: BaseException, fatal: bool = False) -> ImageResult:
    """Make the row of a failure."""
    kind = getattr(error, "kind", None) or type(error).__name__
    message = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if _is_memory(error) or _is_memory(error.__cause__):
        kind = "oom"
    return ImageResult(path, "failed", kind, " ".join(message.split()), fatal)


def _is_memory(error: BaseException | None) -> bool:
    """Tell whether memory ran out, in Python or in OpenCV."""
    return isinstance(error, MemoryError) or "Insufficient memory" in str(error)
