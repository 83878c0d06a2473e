"""Making a data set: each image is prepared in a worker, and goes to its place.

The work goes block by block: a shard, a batch, or some files of a part. What becomes of a block is
one `Record`, whether it is made now or was made by a run that did not come to its end; so a data
set that was interrupted is the same, byte for byte, as one that was not.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from imgkit.dataset import card, shards
from imgkit.dataset.result import BuildResult
from imgkit.dataset.split import BuildOptions, Planned
from imgkit.dataset.staging import Block, Record, Staging, check_free, staged
from imgkit.dataset.stats import Bad, Figures, bad, measure
from imgkit.folder.engines.ordered import ordered
from imgkit.folder.journal import versions
from imgkit.folder.plan_outputs import output_name
from imgkit.io.decode import Limits, decode_details
from imgkit.io.encode import encode
from imgkit.io.header import BadImage
from imgkit.ops.tone import to_uint8

Array = npt.NDArray[Any]
FILES = 64  # of a block where images are files: so many are made again after an interruption

# --- one image --------------------------------------------------------------------------


class Prepared(NamedTuple):
    """What became of one image: figures of the result, the source's facts, and the result."""

    figures: Figures
    size: int  # of the source
    sha256: str  # of the source
    result: Any  # bytes of a file; for npy the array; where it is written already its name


def prepare(build_options: BuildOptions, src: str, into: str, planned: Planned) -> Prepared | Bad:
    """Read, resize and encode one image; a folder's file is written here."""
    try:
        with open(os.path.join(src, planned.path), "rb") as file:
            data = file.read()
        image = decode_details(data, Limits(build_options.max_pixels)).image
        if build_options.pipeline is not None:
            image = build_options.pipeline(image, key=(0, 0))
        image = as_rgb(image)
        kind = "npy" if build_options.format == "npy" else build_options.image
        figures = measure(image, kind, planned.label)
        result: Any = image
        if build_options.format != "npy":
            result = encode(image, build_options.image, quality=build_options.quality)
    except Exception as error:  # whatever a decoder or operation raises, it is about this image
        return bad(planned.path, error)
    if build_options.format == "folder":
        name = os.path.join(planned.part, output_name(planned.path, kind)[0])
        write(os.path.join(into, name), result)
        result = name
    return Prepared(figures, len(data), hashlib.sha256(data).hexdigest(), result)


def as_rgb(image: Array) -> Array:
    """Return an image as uint8 (H, W, 3): gray as equal channels, 16 bits and floats rounded.

    Raises:
        BadImage: if it has other channels, or floats outside 0..1.
    """
    planes = image[..., None] if image.ndim == 2 else image
    if planes.shape[2] not in (1, 3):
        raise BadImage("unsupported", f"{planes.shape[2]} channels: a data set is gray or RGB")
    if planes.dtype.kind == "f" and not (planes.min() >= 0 and planes.max() <= 1):
        raise BadImage("unsupported", "floats outside 0..1: what is white cannot be told")
    levels: Array = planes if planes.dtype == np.uint8 else to_uint8(planes)
    return np.ascontiguousarray(np.broadcast_to(levels, (*levels.shape[:2], 3)))


def write(target: str, data: bytes) -> None:
    """Write a file below a folder that nobody sees yet."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as file:
        file.write(data)


# --- all of them ------------------------------------------------------------------------


def build(
    planned: Sequence[Planned],
    src: str,
    dst: str,
    build_options: BuildOptions,
    *,
    workers: int = 0,
    force: bool = False,
    seen: Callable[[str, Bad | None], None] = lambda path, bad: None,
) -> BuildResult:
    """Make the data set. DST shows nothing of it, or all of it.

    An interruption leaves a hidden folder beside DST, from which the same call goes on.

    Args:
        planned: as `prep.plan` gives them.
        src: the folder of the images.
        dst: the folder to make; it must not exist, or be empty.
        build_options: what to make.
        workers: processes, 0 for this one alone; no byte depends on it.
        force: replace a data set that stands at DST.
        seen: called after each image, with its path and what is wrong with it.

    Raises:
        FileExistsError: if DST holds anything else.
        OSError: if the disk is full or may not be written, or another run makes this data set.
    """
    check_free(dst, force)
    labels = sorted({image.label for image in planned})
    made = BuildResult(
        build_options, labels, {part: Figures() for part in build_options.split_rule.names}
    )
    blocks = list(_blocks(planned, build_options))
    with staged(dst, _settings(build_options, src, labels), force) as staging:
        kept = staging.finished(blocks)
        todo = [image for block in blocks if block.key not in kept for image in block.images]
        call = functools.partial(prepare, build_options, src, staging.folder)
        results = ordered(call, todo, min(workers, len(todo)))
        with contextlib.closing(results):
            for block in blocks:
                record = kept.get(block.key)
                if record is None:
                    record = _make(block, results, build_options, staging, seen)
                    staging.note(block, record)
                else:
                    made.kept += len(block.images)
                    _tell(block, record, seen)
                made.add(block.part, record)
        if build_options.format == "webdataset":
            for part, written in made.shards.items():
                shards.write_index(os.path.join(staging.folder, part), written)
        card.write(staging.folder, made)
    return made


def _settings(build_options: BuildOptions, src: str, labels: Sequence[str]) -> dict[str, Any]:
    """Return all that, with the images, decides the data set."""
    return {
        "recipe": dataclasses.asdict(build_options),
        "src": os.path.realpath(src),
        "labels": list(labels),
        "versions": versions(),
    }


def _blocks(planned: Sequence[Planned], build_options: BuildOptions) -> Iterator[Block]:
    size = FILES if build_options.format == "folder" else build_options.per_shard
    grouped = itertools.groupby(planned, lambda image: (image.part, image.order // size))
    for (part, number), images in grouped:
        yield Block(part, number, tuple(images))


def _tell(block: Block, record: Record, seen: Callable[[str, Bad | None], None]) -> None:
    problems = {problem.path: problem for problem in record.failures}
    for image in block.images:
        seen(image.path, problems.get(image.path))


# --- a block ----------------------------------------------------------------------------


def _make(
    block: Block,
    results: Iterator[Any],
    build_options: BuildOptions,
    staging: Staging,
    seen: Callable[[str, Bad | None], None],
) -> Record:
    """Make a block of the results that are next."""
    record = Record()
    pairs = zip(block.images, results, strict=False)  # as many results as there are images
    good = _sorted_out(pairs, record, seen)
    pack = {"folder": _files, "webdataset": _tar, "npy": _batch}[build_options.format]
    names = pack(good, block, staging.folder, build_options, record)
    record.files = {name: staging.state(name) for name in names}
    return record


def _sorted_out(
    pairs: Iterable[tuple[Planned, Any]], record: Record, seen: Callable[[str, Bad | None], None]
) -> Iterator[tuple[Planned, Prepared]]:
    """Yield the images that went well; note all."""
    for planned, found in pairs:
        if isinstance(found, OSError) and found.errno is not None:
            raise found  # of writing: what is wrong with an image is `Bad`
        if isinstance(found, Prepared):
            record.figures.add(found.figures)
            record.sources.append(found.sha256[:32])
            seen(planned.path, None)
            yield planned, found
        else:
            problem = found if isinstance(found, Bad) else bad(planned.path, found)
            record.failures.append(problem)
            seen(planned.path, problem)


Good = Iterator[tuple[Planned, Prepared]]


def _files(
    good: Good, block: Block, into: str, build_options: BuildOptions, record: Record
) -> list[str]:
    """Return the names of files that are written already."""
    return [str(prepared.result) for _, prepared in good]


def _tar(
    good: Good, block: Block, into: str, build_options: BuildOptions, record: Record
) -> list[str]:
    """Write a tar shard; return the names of its files."""
    first = next(good, None)
    if first is None:
        return []
    samples = (
        _sample(image, found, build_options.image)
        for image, found in itertools.chain([first], good)
    )
    record.shard = shards.write_tar(os.path.join(into, block.part), block.number, samples)
    stem = os.path.splitext(record.shard.name)[0]
    return [os.path.join(block.part, stem + extension) for extension in (".tar", ".parquet")]


def _batch(
    good: Good, block: Block, into: str, build_options: BuildOptions, record: Record
) -> list[str]:
    """Write a batch of arrays; return the names of its files."""
    pairs = list(good)
    if not pairs:
        return []
    folder = os.path.join(into, block.part)
    images = [prepared.result for _, prepared in pairs]
    labels = [planned.number for planned, _ in pairs]
    record.shard = shards.write_npy(folder, block.number, images, labels)
    facts = [_sample(planned, p._replace(result=b""), "npy").facts() for planned, p in pairs]
    text = "".join(json.dumps(row, sort_keys=True) + "\n" for row in facts)
    names = [f"{kind}-{block.number:05}.npy" for kind in ("images", "labels")]
    names.append(f"samples-{block.number:05}.jsonl")
    write(os.path.join(folder, names[-1]), text.encode())
    return [os.path.join(block.part, name) for name in names]


def _sample(planned: Planned, prepared: Prepared, extension: str) -> shards.Sample:
    return shards.Sample(
        key=shards.key(planned.order),
        data=prepared.result or b"",
        extension=extension,
        path=planned.path,
        label=planned.label,
        number=planned.number,
        size=prepared.size,
        sha256=prepared.sha256,
    )
