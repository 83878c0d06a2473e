"""Process one image: read, decode, apply, encode, commit.

Every outcome becomes one `ImageResult`; `process` never raises. An output appears whole or not at
all: it is written under a temporary name in its folder and then renamed.
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

from imgkit.augment.pipeline import Pipeline
from imgkit.folder.plan_outputs import Item, draw_index
from imgkit.folder.precheck import shrinks_to
from imgkit.io.decode import STRICT, Decoded, Limits, decode_details
from imgkit.io.encode import Wording, encode, unfit
from imgkit.io.files import commit

# Errors that every other image would meet too: the disk is full, read-only, or forbidden.
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
    """All that determines an output together with the input's bytes and index. It pickles."""

    pipeline: Pipeline  # its seed and its canvas included
    quality: int = 95
    scale: str | tuple[float, float] | None = None
    limits: Limits = STRICT
    epoch: int = 0
    fast_decode: bool = False  # decode a JPEG no larger than the first op needs, if that shrinks it

    @functools.cached_property
    def shrink_to(self) -> tuple[int, int] | None:
        """The size that a decoded JPEG has to reach at least, if a smaller decode is allowed."""
        return shrinks_to(self.pipeline) if self.fast_decode else None


class TaskLimits(NamedTuple):
    """Limits on the cost of one image; an image beyond them fails. None: no limit."""

    timeout: float | None = None  # seconds
    memory: int | None = None  # bytes that a worker may allocate beyond what it starts with


UNLIMITED = TaskLimits()


class FileFacts(NamedTuple):
    """What the journal records of an input and its output; hashes are SHA-256."""

    size: int = 0
    mtime_ns: int = 0
    source: str = ""
    sha256: str = ""
    written: int = 0  # bytes of the output
    partial: bool = False  # the input ends early and was read up to its end


class ImageResult(NamedTuple):
    """The outcome of one image: status is "ok", "failed" or "quarantined"."""

    path: str
    status: str = "ok"
    error: str = ""
    message: str = ""
    fatal: bool = False  # the cause is the environment: the run stops
    facts: FileFacts = FileFacts()
    warning: str = ""  # the first, if any


def output_kind(kind: str, dtype: npt.DTypeLike | None, scale: object) -> str:
    """Resolve the format "same" for results of a dtype (None: unknown before the run).

    Raises:
        ValueError: the format cannot hold the results.
    """
    if dtype is None or scale is not None:
        return kind
    if kind == "same":
        return "float" if np.dtype(dtype).kind == "f" else "same"
    problem = unfit(dtype, kind, COMMAND_LINE)
    if problem:
        raise ValueError(problem)
    return kind


def convert(job: Job, data: bytes, kind: str, index: int) -> bytes:
    """Turn the bytes of one image into the bytes of its output; `index` determines the draws."""
    return finish(job, decode(job, data).image, kind, index)


def decode(job: Job, data: bytes, max_pixels: int | None = None) -> Decoded:
    """Decode with the limits of a job; notes about the file become warnings."""
    limits = job.limits if max_pixels is None else job.limits._replace(max_pixels=max_pixels)
    decoded = decode_details(data, limits, job.shrink_to)
    for note in decoded.notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    return decoded


def finish(job: Job, image: npt.NDArray[np.generic], kind: str, index: int) -> bytes:
    """Run the pipeline on an image and encode the result."""
    result = job.pipeline(image, key=(job.epoch, index))
    return encode(result, kind, quality=job.quality, scale=job.scale, wording=COMMAND_LINE)


@contextlib.contextmanager
def collect_warnings() -> Iterator[list[str]]:
    """Collect the warnings about an image, so that the parent process can print them."""
    messages: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield messages
    messages.extend(str(warning.message) for warning in caught)


def process(job: Job, item: Item) -> ImageResult:
    """Process one image from reading to writing."""
    return deliver(item, *make(job, item))


def make(job: Job, item: Item, max_pixels: int | None = None) -> tuple[ImageResult, bytes]:
    """Make the bytes of an output, and its result if they can be written.

    `max_pixels`, if given, replaces the job's own limit.
    """
    with collect_warnings() as messages:
        result, output = _make(job, item, max_pixels)
    return (result._replace(warning=messages[0]) if messages else result), output


def _make(job: Job, item: Item, max_pixels: int | None) -> tuple[ImageResult, bytes]:
    facts = FileFacts()
    try:
        with open(item.source, "rb") as file:
            status, data = (
                os.fstat(file.fileno()),
                file.read(),
            )  # of before the read: a later change shows
    except FileNotFoundError as error:
        return failed(item.path, error)._replace(error="vanished"), b""
    except Exception as error:
        return failed(item.path, error), b""
    try:
        facts = FileFacts(status.st_size, status.st_mtime_ns, sha256(data))
        decoded = decode(job, data, max_pixels)
        facts = facts._replace(partial=decoded.partial)
        output = finish(job, decoded.image, item.kind, draw_index(item.path, item.copy))
    except Exception as error:  # decoders and operations raise any type; each becomes a result
        return failed(item.path, error)._replace(facts=facts), b""
    facts = facts._replace(sha256=sha256(output), written=len(output))
    return ImageResult(item.path, facts=facts), output


def deliver(item: Item, result: ImageResult, output: bytes) -> ImageResult:
    """Write the bytes of an output; return its result, or that of a failure to write."""
    if result.status != "ok":
        return result
    try:
        commit(item.target, output)
    except OSError as error:
        facts = result.facts._replace(sha256="", written=0)
        fatal = error.errno in ENVIRONMENT
        return failed(item.path, error, fatal)._replace(facts=facts, warning=result.warning)
    return result


def sha256(data: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def failed(path: str, error: BaseException, fatal: bool = False) -> ImageResult:
    """Make the result of a failure."""
    kind = getattr(error, "kind", None) or type(error).__name__
    message = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if _is_memory(error) or _is_memory(error.__cause__):
        kind = "oom"
    return ImageResult(path, "failed", kind, " ".join(message.split()), fatal)


def _is_memory(error: BaseException | None) -> bool:
    """Whether memory ran out, in Python or in OpenCV."""
    return isinstance(error, MemoryError) or "Insufficient memory" in str(error)
