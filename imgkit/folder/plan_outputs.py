"""Plan the name of every output before any image is read, and refuse names that collide."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from imgkit.folder.scan import Source
from imgkit.io.encode import HOLD_FLOATS, WRITABLE, named_format
from imgkit.io.files import check_target, printable_path, resolve_target
from imgkit.io.header import EXTENSIONS, OTHER_EXTENSIONS


class Item(NamedTuple):
    """One planned output: its source file, its target file and its format."""

    path: str  # below the source folder; the name that reports use
    source: str
    target: str
    kind: str
    copy: int = 1  # number of the variant of the image
    size: int = -1  # of the source when it was planned, in bytes
    mtime_ns: int = -1


def draw_index(path: str, copy: int = 1) -> int:
    """Return the index of an image's draws: a 64-bit hash of its relative path and copy number.

    Adding or removing other files therefore does not change an output.

    >>> draw_index("a/b.jpg") == draw_index("a/b.jpg", 1) != draw_index("a/b.jpg", 2)
    True
    """
    name = os.fsencode(path.replace(os.sep, "/")) + b"\0" + copy.to_bytes(8, "little")
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little")


def output_name(path: str, kind: str) -> tuple[str, str]:
    """Return the name and the format of the output for an input name.

    `kind` is a format; or "same": the format of the name, or PNG if imgkit does not write that;
    or "float": the format of the name, or TIFF if that does not hold floats. A name that already
    has the right extension is kept.

    >>> output_name("a/b.JPEG", "same"), output_name("b.gif", "same"), output_name("b", "tiff")
    (('a/b.JPEG', 'jpg'), ('b.png', 'png'), ('b.tiff', 'tiff'))
    """
    stem, extension = os.path.splitext(path)
    here = (EXTENSIONS | OTHER_EXTENSIONS).get(extension.lower())
    wanted = kind
    if kind == "same":
        wanted = here if here in WRITABLE else "png"
    elif kind == "float":
        wanted = here if here in HOLD_FLOATS else "tiff"
    if here == wanted:
        return path, wanted
    return f"{path if here is None else stem}.{wanted}", wanted


def plan_outputs(
    images: Iterable[Source], src: str, dst: str, kind: str = "same", copies: int = 1
) -> list[Item]:
    """Name the outputs of every image: the path is kept, the extension follows the format.

    Several copies are numbered: ``a_0001.jpg``, ``a_0002.jpg``.

    Raises:
        ValueError: two outputs would have one name (also on disks that ignore case or Unicode
            form), an output would lie inside the source or outside the destination, or its name
            is that of a folder, a FIFO, a socket, a device or a link (`NotAFile`).
    """
    src, dst = os.path.realpath(src), os.path.realpath(dst)
    if _is_inside(dst, src):
        raise ValueError(
            f"DST {printable_path(dst)} lies inside SRC {printable_path(src)}: "
            "choose another folder"
        )
    items = []
    for image in images:
        name, here = output_name(image.path, kind)
        source, target = os.path.join(src, image.path), os.path.join(dst, name)
        item = Item(image.path, source, target, here, 1, image.size, image.mtime_ns)
        items.extend(numbered(item, copies))
    _check_collisions(items, dst, "" if kind in ("same", "float") else ", or keep --format same")
    folders = {os.path.dirname(item.target) for item in items}
    _check_folders(folders, src, dst)
    _check_free({item.target for item in items}, folders)
    return items


def plan_copies(src: str, dst: str, kind: str = "same", copies: int = 1) -> list[Item]:
    """Name the outputs of the copies of one file: `dst` is a folder or the name of the output.

    Where `dst` is a name, a link is followed; see `resolve_target`. In a folder an output is never
    a link, as in `plan_outputs`.

    Raises:
        ValueError: something else than a regular file has the name of an output.
    """
    if copies == 1 and not _names_folder(dst):
        resolve_target(dst, "DST")  # first, as "/dev/stdout" lacks more than an extension
    items = numbered(plan_file(src, dst, kind), copies)
    if _names_folder(dst):
        if os.path.lexists(dst.rstrip(os.sep)) and not os.path.isdir(dst):
            raise ValueError(f"DST {printable_path(dst)} is not a folder")
        for item in items:
            check_target(item.target, "DST")
        return items
    found = [item._replace(target=resolve_target(item.target, "DST")) for item in items]
    for item, other in itertools.pairwise(sorted(found, key=lambda item: item.target)):
        if item.target == other.target:
            raise ValueError(f"two outputs are links to {printable_path(item.target)}")
    return found


def _names_folder(dst: str) -> bool:
    return os.path.isdir(dst) or dst.endswith(os.sep)


def plan_file(src: str, dst: str, kind: str = "same") -> Item:
    """Name the output of one file: `dst` is a folder or the name of the output."""
    name = os.path.basename(src)
    if _names_folder(dst):
        output, kind = output_name(name, kind)
        target = os.path.join(dst, output)
    else:
        target, kind = dst, chosen_format(dst, kind)
    _check_not_source(src, target)
    status = os.stat(src)
    return Item(name, src, target, kind, 1, status.st_size, status.st_mtime_ns)


def numbered(item: Item, copies: int) -> list[Item]:
    """Return the items of an image's copies, numbered from 1; one copy keeps its name."""
    if copies == 1:
        return [item]
    stem, extension = os.path.splitext(item.target)
    digits = max(4, len(str(copies)))
    targets = [f"{stem}_{copy:0{digits}}{extension}" for copy in range(1, copies + 1)]
    for target in targets:
        _check_not_source(item.source, target)
    return [item._replace(target=t, copy=copy) for copy, t in enumerate(targets, 1)]


def _check_not_source(src: str, target: str) -> None:
    if os.path.realpath(src) == os.path.realpath(target):
        raise ValueError(f"DST is {printable_path(target)}: it is SRC itself")


def chosen_format(path: str, kind: str = "same") -> str:
    """Return `kind` if it is a format, and otherwise the one that a file's extension names."""
    return kind if kind in WRITABLE else named_format(path, "DST")


def _is_inside(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))


def _alike(path: str) -> str:
    """Return the form of a path that is equal for equal names on any disk, case ignored."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


def _check_collisions(items: list[Item], dst: str, hint: str) -> None:
    taken: dict[str, str] = {}
    for item in items:
        key = _alike(item.target)
        if key in taken:
            raise ValueError(
                f"{printable_path(taken[key])} and {printable_path(item.path)} would both be "
                f"written to {printable_path(os.path.relpath(item.target, dst))}: rename one{hint}"
            )
        taken[key] = item.path
    folders = {_alike(os.path.dirname(item.target)): item.path for item in items}
    for folder in folders.keys() & taken.keys():
        first, second = printable_path(taken[folder]), printable_path(folders[folder])
        raise ValueError(f"{first} would be written where {second} needs a folder")


def _check_folders(folders: Iterable[str], src: str, dst: str) -> None:
    """Raise if a folder of outputs cannot be one, or a link leads it out of DST or into SRC."""
    for folder in sorted(_with_parents(folders, dst)):  # the first that is wrong is named
        if os.path.lexists(folder) and not os.path.isdir(folder):
            raise ValueError(
                f"DST {printable_path(folder)} is not a folder, and outputs would lie in it: "
                "remove it, or choose another DST"
            )
        real = os.path.realpath(folder)
        if not _is_inside(real, dst):
            raise ValueError(
                f"DST has a link out of it: {printable_path(folder)} is {printable_path(real)}"
            )
        if _is_inside(real, src):
            raise ValueError(f"{printable_path(real)} in DST is inside SRC: choose another folder")


def _with_parents(folders: Iterable[str], dst: str) -> set[str]:
    """Return folders, and the folders between each of them and DST."""
    found: set[str] = set()
    for folder in folders:
        while folder not in found:
            found.add(folder)
            if folder == dst:
                break
            folder = os.path.dirname(folder)
    return found


def _check_free(targets: set[str], folders: Iterable[str]) -> None:
    """Raise if anything but a regular file has the name of an output.

    Each folder is listed once, since that takes a fraction of the time of a look at each output.
    """
    for folder in folders:
        with (
            contextlib.suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(folder) as entries,
        ):
            for entry in entries:
                if not entry.is_file(follow_symlinks=False) and entry.path in targets:
                    check_target(entry.path, "DST")
