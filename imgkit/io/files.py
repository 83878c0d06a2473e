"""Files and folders: find images, print paths, and write a file whole or not at all.

Paths are `str` as `os.fsdecode` makes them, so that a path can hold any name of the disk.
`printable_path` gives the text that messages show.
"""

from __future__ import annotations

import contextlib
import os
import socket
import uuid
from collections.abc import Collection, Iterator
from hashlib import blake2b
from typing import BinaryIO

from imgkit.io.header import EXTENSIONS, OTHER_EXTENSIONS, recognize, sniff

OWN = ".imgkit"  # prefix of the names that imgkit keeps for itself: its folder and temporary files


def printable_path(path: str) -> str:
    r"""Return a path as text that prints anywhere, on one line.

    >>> printable_path("a\nb\udcff.png")
    'a\\nb\\xff.png'
    """
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


# --- finding ----------------------------------------------------------------------------


def find_images(folder: str) -> list[str]:
    """Return the paths of the images below a folder, relative to it and sorted.

    A file is an image if its name ends like one or its first bytes are those of one.
    `walk_files` says which files are looked at; a file that cannot be opened is left out.
    """
    paths = []
    for entry in walk_files(folder):
        with contextlib.suppress(OSError):
            if entry.is_file() and (has_image_name(entry.name) or starts_like_image(entry.path)):
                paths.append(os.path.relpath(entry.path, folder))
    return sorted(paths)


def walk_files(folder: str) -> Iterator[os.DirEntry[str]]:
    """Yield the entries below a folder that are not folders.

    Links to files are yielded, links to folders are not followed, hidden names are left out. The
    walk is a loop, so that the depth of a folder has no limit.
    """
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif not _leads_to_folder(entry):  # such a link is neither followed nor a file
                    yield entry


def _leads_to_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def has_image_name(name: str, allow: Collection[str] = ()) -> bool:
    """Whether a name ends like that of a trusted format, or of one in `allow`."""
    extension = os.path.splitext(name)[1].lower()
    return extension in EXTENSIONS or OTHER_EXTENSIONS.get(extension) in allow


def starts_like_image(path: str, allow: Collection[str] = ()) -> bool:
    """Whether the first bytes of a file are those of a trusted format, or of one in `allow`."""
    with open(path, "rb") as file:
        start = file.read(16)
    # two letters alone are no evidence
    return sniff(start) not in (None, "bmp") or recognize(start) in allow


# --- writing ----------------------------------------------------------------------------


def temporary_prefix(pid: int | str) -> str:
    """Return the prefix of a process's temporary files: imgkit's, this machine's, the number."""
    host = blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()
    return f"{OWN}-{host}-{pid}-"


@contextlib.contextmanager
def open_atomically(target: str) -> Iterator[BinaryIO]:
    """Open a temporary file that is renamed to `target` when it is whole and on the disk.

    The name `target` shows nothing, the old file, or the whole new one, at every moment.
    """
    folder = os.path.dirname(target) or os.curdir
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, temporary_prefix(os.getpid()) + uuid.uuid4().hex)
    try:
        with open(temporary, "x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise


def commit(target: str, data: bytes) -> None:
    """Write a file so that its name shows either nothing, the old file, or the whole new one."""
    with open_atomically(target) as file:
        file.write(data)
