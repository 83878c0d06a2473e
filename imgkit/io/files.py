"""Files and folders: find images, print paths, decide what may be written, and write it whole.

Paths are `str` as `os.fsdecode` makes them, so that a path can hold any name of the disk.
`printable_path` gives the text that messages show.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import uuid
from collections.abc import Collection, Iterable, Iterator
from hashlib import blake2b
from typing import BinaryIO, NamedTuple

from imgkit.io.formats import NOT_READ, START, is_supported, recognize
from imgkit.io.header import EXTENSIONS, OTHER_EXTENSIONS, sniff

BY_EXTENSION = NOT_READ | OTHER_EXTENSIONS | EXTENSIONS
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
            if entry.is_file() and file_format(entry.path).is_read:
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


class FileFormat(NamedTuple):
    """The format of a file, "" if it is not an image, and whether it is read."""

    name: str
    is_read: bool


def has_image_name(name: str, allow: Collection[str] = ()) -> bool:
    """Whether a name ends like that of a trusted format, or of one in `allow`."""
    extension = os.path.splitext(name)[1].lower()
    return extension in EXTENSIONS or OTHER_EXTENSIONS.get(extension) in allow


def file_format(path: str, allow: Collection[str] = ()) -> FileFormat:
    """Return the format of a file by its name if that is an image's, else by its first bytes.

    Only where the bytes say nothing, the name of a format that is not read is enough.

    Args:
        path: of the file.
        allow: formats to read in addition to the trusted ones.
    """
    extension = os.path.splitext(path)[1].lower()
    named = BY_EXTENSION.get(extension, "")
    if extension in EXTENSIONS or named in allow:  # `has_image_name`, without a second split
        return FileFormat(named, is_supported(named))
    with open(path, "rb") as file:
        start = file.read(START)
    trusted = sniff(start)
    if trusted not in (None, "bmp"):  # two letters alone are no evidence
        return FileFormat(str(trusted), is_supported(str(trusted)))
    other = recognize(start)
    if other is None or other == "raw":
        other = named or other or ""
    return FileFormat(other, other in allow)


# --- what may be written ----------------------------------------------------------------

ANOTHER = "choose another name"
NOT_FILES = (
    (stat.S_ISDIR, "a folder", "choose the name of a file"),
    (stat.S_ISLNK, "not a regular file but a link", f"remove it, or {ANOTHER}"),
    (stat.S_ISFIFO, "not a regular file but a FIFO", f"{ANOTHER}; '-' is stdout for a command"),
    (stat.S_ISSOCK, "not a regular file but a socket", ANOTHER),
    (stat.S_ISCHR, "not a regular file but a character device", ANOTHER),
    (stat.S_ISBLK, "not a regular file but a block device", ANOTHER),
)


class NotAFile(OSError, ValueError):
    """A name that cannot be written, because something that is not a regular file has it."""

    kind = "not_a_file"


def resolve_target(path: str, name: str = "path", inputs: Iterable[str] = ()) -> str:
    """Return the file that a write to `path` makes or replaces; every route asks before it works.

    A link is followed to its file, which is then replaced or made, and the link stays. So the
    result is a regular file, or a free name.

    Args:
        path: as the user gave it.
        name: of the argument, for the error.
        inputs: files that the same command reads, which must not be replaced.

    Raises:
        NotAFile: a folder, a FIFO, a socket or a device is there, a link leads to one of these
            or into a folder that does not exist, or the file is one of `inputs`.
        NotADirectoryError: a part of the path is a file.
    """
    real = os.path.realpath(path)
    shown = f"{name} {printable_path(path)}"
    try:
        mode = os.stat(real).st_mode
    except FileNotFoundError:
        if os.path.islink(path) and not os.path.isdir(os.path.dirname(real)):
            raise NotAFile(
                f"{shown} is a link to {printable_path(real)}, and there is no such folder: "
                "make the folder, or remove the link"
            ) from None
        return real
    except NotADirectoryError:
        raise
    except OSError as error:  # links in a circle
        raise NotAFile(f"{shown} cannot be looked at: {error.strerror}") from None
    _check_mode(mode, shown)
    if any(os.path.realpath(given) == real for given in inputs):
        raise NotAFile(f"{shown} is an input of this command: choose another name")
    return real


def check_target(path: str, name: str = "path") -> None:
    """Raise `NotAFile` unless a name is free or that of a regular file; a link is neither.

    The outputs of a folder are checked so, because each is a file of its own there: a link could
    lead to an input, or to the file of another output.
    """
    with contextlib.suppress(FileNotFoundError):
        _check_mode(os.lstat(path).st_mode, f"{name} {printable_path(path)}")


def _check_mode(mode: int, shown: str) -> None:
    if stat.S_ISREG(mode):
        return
    other = ("not a regular file", ANOTHER)
    found, advice = next(((text, cure) for test, text, cure in NOT_FILES if test(mode)), other)
    raise NotAFile(f"{shown} is {found}: {advice}")


# --- writing ----------------------------------------------------------------------------


def temporary_prefix(pid: int | str) -> str:
    """Return the prefix of a process's temporary files: imgkit's, this machine's, the number."""
    host = blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()
    return f"{OWN}-{host}-{pid}-"


@contextlib.contextmanager
def open_atomically(target: str) -> Iterator[BinaryIO]:
    """Open a temporary file that is renamed to `target` when it is whole and on the disk.

    The name `target` shows nothing, the old file, or the whole new one, at every moment. What is
    not a regular file is never replaced, also if it appeared during the work.

    Raises:
        NotAFile: something else than a regular file has the name; see `check_target`.
    """
    check_target(target)
    folder = os.path.dirname(target) or os.curdir
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, temporary_prefix(os.getpid()) + uuid.uuid4().hex)
    try:
        with open(temporary, "x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        check_target(target)
        os.replace(temporary, target)
    except BaseException:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise


def commit(target: str, data: bytes) -> None:
    """Write a file so that its name shows either nothing, the old file, or the whole new one."""
    with open_atomically(target) as file:
        file.write(data)
