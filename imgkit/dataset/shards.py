"""Many small images in few large files: WebDataset tar shards, and ``.npy`` batches.

A shard ``shard-00003.tar`` holds for each sample the files ``000000123.jpg`` (the image),
``000000123.cls`` (its class as a number, if it has one) and ``000000123.json`` (path, label, size
and SHA-256 of what it was made from). ``shard-00003.parquet`` has the same as a table, and
``index.parquet`` one row for each shard with its count and SHA-256. Everything a tar usually
takes from its surroundings (times, owners, order) is fixed, so one set of samples gives one set
of bytes. Each file appears whole or not at all.

Keys are numbers with leading zeros: WebDataset takes what follows the first dot of a name for its
extension, so that the names of photographs are not safe.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from imgkit.io.files import open_atomically, printable_path

Array = npt.NDArray[Any]

SHARD = "shard-{:05}"
INDEX = "index.parquet"
SAFE = re.compile(r"[A-Za-z0-9_-]{1,90}")  # with an extension and a folder this fits any tar
EXTENSION = re.compile(r"[a-z0-9]{1,8}")
RESERVED = ("json", "cls")
ROWS = 500  # of a group in Parquet


class Sample(NamedTuple):
    """One image of a shard, and its source."""

    key: str
    data: bytes  # of the image file
    extension: str  # of the image file, without a dot
    path: str  # of the source, below its folder
    label: str | None = None
    number: int | None = None  # of the class
    size: int = 0  # of the source, in bytes
    sha256: str = ""  # of the source

    def facts(self) -> dict[str, Any]:
        """Return what the ``.json`` and the table say."""
        return {
            "key": self.key,
            "path": printable_path(self.path),
            "label": None if self.label is None else printable_path(self.label),
            "class": self.number,
            "size": self.size,
            "sha256": self.sha256,
        }


@dataclass(frozen=True)
class Shard:
    """One row of the index: a shard that is written."""

    name: str
    count: int
    bytes: int
    sha256: str
    first: str  # key
    last: str


def key(number: int, digits: int = 9) -> str:
    """Return the key of a sample by its number.

    >>> key(123)
    '000000123'
    """
    return f"{number:0{digits}}"


def check_sample(sample: Sample) -> None:
    """Raise if a tar would not return a sample's key or extension unchanged.

    Raises:
        ValueError: naming the key or the extension.
    """
    if not SAFE.fullmatch(sample.key):
        raise ValueError(
            f"key is '{printable_path(sample.key)}': "
            "letters, digits, '_' and '-', at most 90 of them"
        )
    if not EXTENSION.fullmatch(sample.extension) or sample.extension in RESERVED:
        raise ValueError(
            f"extension is {sample.extension!r}: up to 8 small letters and digits, "
            f"not {' or '.join(RESERVED)}"
        )


# --- tar --------------------------------------------------------------------------------


def write_tar(folder: str, number: int, samples: Iterable[Sample]) -> Shard:
    """Write ``shard-NNNNN.tar`` and ``shard-NNNNN.parquet`` into a folder; return its row.

    Raises:
        ValueError: an unsafe or repeated key, or no sample.
        ModuleNotFoundError: without pyarrow, which the extra ``shards`` installs.
    """
    name = SHARD.format(number)
    rows: list[dict[str, Any]] = []
    target = os.path.join(folder, f"{name}.tar")
    with open_atomically(target) as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for sample in samples:
                check_sample(sample)
                if rows and sample.key <= rows[-1]["key"]:
                    raise ValueError(f"key {sample.key} comes after {rows[-1]['key']}: sort them")
                for extension, data in _files(sample):
                    tar.addfile(_member(f"{sample.key}.{extension}", data), io.BytesIO(data))
                rows.append(sample.facts())
        if not rows:
            raise ValueError(f"{name} would be empty")
        size, digest = file.tell(), _digest(file)
    write_table(os.path.join(folder, f"{name}.parquet"), rows, FACTS)
    return Shard(f"{name}.tar", len(rows), size, digest, rows[0]["key"], rows[-1]["key"])


def _files(sample: Sample) -> Iterator[tuple[str, bytes]]:
    yield sample.extension, sample.data
    if sample.number is not None:
        yield "cls", str(sample.number).encode()
    yield "json", json.dumps(sample.facts(), sort_keys=True, ensure_ascii=False).encode()


def _member(name: str, data: bytes) -> tarfile.TarInfo:
    """Return a tar entry without time and owner."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    member.mode = 0o644
    return member  # mtime, uid and gid are 0, names empty


def write_index(folder: str, shards: Sequence[Shard]) -> None:
    """Write ``index.parquet``: one row for each shard, in order. It must be called last."""
    rows = [vars(shard) for shard in sorted(shards, key=lambda shard: shard.name)]
    write_table(os.path.join(folder, INDEX), rows, INDEX_ROWS)


# --- npy --------------------------------------------------------------------------------


def write_npy(folder: str, number: int, images: Sequence[Array], numbers: Sequence[int]) -> Shard:
    """Write ``images-NNNNN.npy`` (N, H, W[, C]) and ``labels-NNNNN.npy`` (N,) int64.

    Raises:
        ValueError: the images differ in shape or dtype, or there are none.
    """
    kinds = {(image.shape, image.dtype.name) for image in images}
    if len(kinds) != 1 or len(images) != len(numbers):
        raise ValueError(f"{len(images)} images of {len(kinds)} shapes: a batch needs one")
    name = f"images-{number:05}.npy"
    with open_atomically(os.path.join(folder, name)) as file:
        np.lib.format.write_array_header_1_0(
            file,
            {
                "descr": np.lib.format.dtype_to_descr(images[0].dtype),
                "fortran_order": False,
                "shape": (len(images), *images[0].shape),
            },
        )
        for image in images:
            file.write(np.ascontiguousarray(image).data)
        size, digest = file.tell(), _digest(file)
    with open_atomically(os.path.join(folder, f"labels-{number:05}.npy")) as file:
        np.save(file, np.asarray(numbers, np.int64))
    return Shard(name, len(images), size, digest, "", "")


# --- tables -----------------------------------------------------------------------------

FACTS = {
    **{"key": "string", "path": "string", "label": "string"},
    **{"class": "int64", "size": "int64", "sha256": "string"},
}
INDEX_ROWS = {
    **{"name": "string", "count": "int64", "bytes": "int64"},
    **{"sha256": "string", "first": "string", "last": "string"},
}


def write_table(target: str, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> None:
    """Write rows as Parquet, whole or not at all.

    Args:
        target: the file.
        rows: each with a value, or None, for every column.
        columns: Arrow's type of each, by name.
    """
    arrow, parquet = load_arrow()
    schema = arrow.schema([(name, getattr(arrow, kind)()) for name, kind in columns.items()])
    table = arrow.Table.from_pylist([{name: row[name] for name in columns} for row in rows], schema)
    with open_atomically(target) as file:
        parquet.write_table(table, file, row_group_size=ROWS, compression="zstd")


def load_arrow() -> tuple[Any, Any]:
    """Import pyarrow, or raise an error that names the extra to install."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"shards need {error.name}: pip install 'imgkit-cv[shards]'", name=error.name
        ) from None
    return pyarrow, pyarrow.parquet


def _digest(file: BinaryIO) -> str:
    """Return the SHA-256 of all bytes written so far."""
    file.flush()
    file.seek(0)
    digest = hashlib.file_digest(cast(Any, file), "sha256").hexdigest()
    file.seek(0, os.SEEK_END)
    return digest
