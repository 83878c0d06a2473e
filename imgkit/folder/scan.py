"""Find the images of a folder, and the files that look like images but cannot be read."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from typing import NamedTuple

from imgkit.io.files import has_image_name, starts_like_image, walk_files


class Source(NamedTuple):
    """An image file: its path below the folder, and the size and time that show a change."""

    path: str
    size: int
    mtime_ns: int


class Found(NamedTuple):
    """The result of a scan: the images sorted by path, and the paths left out with the reason."""

    images: list[Source]
    left_out: list[tuple[str, str]]


def scan(folder: str, allow: Collection[str] = ()) -> Found:
    """Find the images below a folder.

    A file is an image if its name ends like one or its first bytes are those of one. Symbolic
    links to files are read, links to folders are not followed, hidden names are ignored, and
    pipes, sockets and devices are left out and never opened.

    Args:
        folder: where to look.
        allow: formats to find in addition to the trusted ones.
    """
    found = Found([], [])
    for entry in walk_files(folder):
        path = os.path.relpath(entry.path, folder)
        named = has_image_name(entry.name, allow)
        try:
            status = entry.stat()
            regular = stat.S_ISREG(status.st_mode)
            if regular and (named or starts_like_image(entry.path, allow)):
                found.images.append(Source(path, status.st_size, status.st_mtime_ns))
            elif not regular and named:
                found.left_out.append((path, "not a regular file"))
        except OSError as error:
            if named:
                found.left_out.append((path, error.strerror or str(error)))
    found.images.sort()
    found.left_out.sort()
    return found
