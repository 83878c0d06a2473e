"""Find the images of a folder, and count the files of image formats that are not read."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

from imgkit.io.files import file_format, has_image_name, walk_files


class Source(NamedTuple):
    """An image file: its path below the folder, and the size and time that show a change."""

    path: str
    size: int
    mtime_ns: int


class Found(NamedTuple):
    """The result of a scan."""

    images: list[Source]  # sorted by path
    left_out: list[tuple[str, str]]  # paths with the reason, sorted
    unread: dict[str, int]  # files of image formats that are not read, the most frequent first


def scan(folder: str, allow: Collection[str] = ()) -> Found:
    """Find the images below a folder.

    A file is an image if its name ends like one or its first bytes are those of one. Files of other
    image formats are counted. Symbolic links to files are read, links to folders are not followed,
    hidden names are ignored, and pipes, sockets and devices are left out and never opened.

    Args:
        folder: where to look.
        allow: formats to find in addition to the trusted ones.
    """
    images: list[Source] = []
    left_out: list[tuple[str, str]] = []
    unread: Counter[str] = Counter()
    start = len(os.path.join(folder, ""))
    for entry in walk_files(folder):
        path = entry.path[start:]
        try:
            status = entry.stat()
            if not stat.S_ISREG(status.st_mode):
                if has_image_name(entry.name, allow):
                    left_out.append((path, "not a regular file"))
                continue
            found = file_format(entry.path, allow)
        except OSError as error:
            if has_image_name(entry.name, allow):
                left_out.append((path, error.strerror or str(error)))
            continue
        if found.is_read:
            images.append(Source(path, status.st_size, status.st_mtime_ns))
        elif found.name:
            unread[found.name] += 1
    counts = sorted(unread.items(), key=lambda pair: (-pair[1], pair[0]))
    return Found(sorted(images), sorted(left_out), dict(counts))
