"""Build a data set: workers prepare the images, which go to their part.

The work goes block by block: a shard, a batch, or some files of a part. The outcome of a block is
one `Record`, whether this run makes it or an interrupted run made it before; so an interrupted data
set is the same, byte for byte, as one that was built in one run.
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
FILES = 64  # in a block of image files: an interruption loses at most so many

# --- one image --------------------------------------------------------------------------


class Prepared(NamedTuple):
    """One prepared image: figures of the result, facts of the source, and the result."""

    figures: Figures
    size: int  # of the source
    sha256: str  # of the source
    result: Any  # the bytes of a file; for npy the array; for a folder the name of the written file


def prepare(build_options: BuildOptions, src: str, into: str, planned: Planned) -> Prepared | Bad:
    """Read, resize and encode one image; for a folder also write its file."""
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
    except Exception as error:  # decoders and operations raise any type
        return bad(planned.path, error)
    if build_options.format == "folder":
        name = os.path.join(planned.part, output_name(planned.path, kind)[0])
        write(os.path.join(into, name), result)
        result = name
    return Prepared(figures, len(data), hashlib.sha256(data).hexdigest(), result)


def as_rgb(image: Array) -> Array:
    """Return an image as uint8 (H, W, 3): gray as equal channels, 16 bits and floats rounded.

    Raises:
        BadImage: it has other channels, or floats outside 0..1.
    """
    planes = image[..., None] if image.ndim == 2 else image
    if planes.shape[2] not in (1, 3):
        raise BadImage("unsupported", f"{planes.shape[2]} channels: a data set is gray or RGB")
    if planes.dtype.kind == "f" and not (planes.min() >= 0 and planes.max() <= 1):
        raise BadImage("unsupported", "floats outside 0..1: the value of white is unknown")
    levels: Array = planes if planes.dtype == np.uint8 else to_uint8(planes)
    return np.ascontiguousarray(np.broadcast_to(levels, (*levels.shape[:2], 3)))


def write(target: str, data: bytes) -> None:
    """Write a file below a folder that is not visible yet."""
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
    on_image: Callable[[str, Bad | None], None] = lambda path, bad: None,
) -> BuildResult:
    """Build the data set. DST holds either nothing or the whole of it.

    An interruption leaves a hidden folder beside DST, from which the same call continues.

    Args:
        planned: as `split.plan` returns them.
        src: the folder of the images.
        dst: the folder to make; it must not exist, or be empty.
        build_options: how to build it.
        workers: processes, 0 for this one alone; no byte depends on it.
        force: replace a data set at DST.
        on_image: called after each image, with its path and the reason if it failed.

    Raises:
        FileExistsError: DST holds anything else.
        OSError: the disk is full or may not be written, or another run builds this data set.
    """
    check_free(dst, force)
    labels = sorted({image.label for image in planned})
    result = BuildResult(
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
                    record = _build_block(block, results, build_options, staging, on_image)
                    staging.note(block, record)
                else:
                    result.kept += len(block.images)
                    _report_kept(block, record, on_image)
                result.add(block.part, record)
        if build_options.format == "webdataset":
            for part, written in result.shards.items():
                shards.write_index(os.path.join(staging.folder, part), written)
        card.write(staging.folder, result)
    return result


def _settings(build_options: BuildOptions, src: str, labels: Sequence[str]) -> dict[str, Any]:
    """Return all that determines the data set together with the images."""
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


def _report_kept(block: Block, record: Record, on_image: Callable[[str, Bad | None], None]) -> None:
    problems = {problem.path: problem for problem in record.failures}
    for image in block.images:
        on_image(image.path, problems.get(image.path))


# --- a block ----------------------------------------------------------------------------


def _build_block(
    block: Block,
    results: Iterator[Any],
    build_options: BuildOptions,
    staging: Staging,
    on_image: Callable[[str, Bad | None], None],
) -> Record:
    """Build a block of the next results."""
    record = Record()
    pairs = zip(block.images, results, strict=False)  # there are as many results as images
    good = _keep_good(pairs, record, on_image)
    pack = {"folder": _files, "webdataset": _tar, "npy": _batch}[build_options.format]
    names = pack(good, block, staging.folder, build_options, record)
    record.files = {name: staging.state(name) for name in names}
    return record


def _keep_good(
    pairs: Iterable[tuple[Planned, Any]],
    record: Record,
    on_image: Callable[[str, Bad | None], None],
) -> Iterator[tuple[Planned, Prepared]]:
    """Yield the images that succeeded; record all."""
    for planned, outcome in pairs:
        if isinstance(outcome, OSError) and outcome.errno is not None:
            raise outcome  # a failure to write: a failure of an image is `Bad`
        if isinstance(outcome, Prepared):
            record.figures.add(outcome.figures)
            record.sources.append(outcome.sha256[:32])
            on_image(planned.path, None)
            yield planned, outcome
        else:
            problem = outcome if isinstance(outcome, Bad) else bad(planned.path, outcome)
            record.failures.append(problem)
            on_image(planned.path, problem)


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
        _sample(image, outcome, build_options.image)
        for image, outcome in itertools.chain([first], good)
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
