"""One run at a time in a destination.

The lock is ``DST/.imgkit/lock``. Its holder keeps the file locked through the operating system,
which lets go when the process ends, however it ends; and the file says who holds it, for disks
shared by machines where such locks reach no further than one of them.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
from collections.abc import Iterator

from imgkit.io.files import OWN, printable_path

NAME = "lock"


class Busy(OSError):
    """Another run holds the destination."""

    def __init__(self, dst: str, holder: str, hint: str) -> None:
        super().__init__(errno.EBUSY, f"{printable_path(dst)} is in use by {holder}: {hint}")


@contextlib.contextmanager
def held(dst: str) -> Iterator[None]:
    """Hold a destination, which must exist, for this process.

    Raises:
        Busy: if another run holds it, or one of another machine has not let go.
        OSError: if the folder may not be written to.
    """
    os.makedirs(os.path.join(dst, OWN), exist_ok=True)
    path = os.path.join(dst, OWN, NAME)
    file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    try:
        alone = _lock(file)
        host, pid = _holder(file)
        if not alone:
            raise Busy(dst, f"process {pid} on {host}", "wait for it, or end it")
        if host and host != socket.gethostname():
            hint = f"if that one is gone, remove {printable_path(path)}"
            raise Busy(dst, f"process {pid} on {host}", hint)
        _say(file, json.dumps({"host": socket.gethostname(), "pid": os.getpid()}).encode())
        try:
            yield
        finally:
            _say(file, b"")
    finally:
        os.close(file)


def _lock(file: int) -> bool:
    """Lock an open file until it is closed; False if another process has it."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            os.lseek(file, 1 << 20, os.SEEK_SET)  # far behind the text, which others may read
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # a disk without locks: what the file says must do
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise
    return True


def _holder(file: int) -> tuple[str, int]:
    """Read who holds the lock, or held it and died; an empty host if nobody."""
    os.lseek(file, 0, os.SEEK_SET)
    try:
        said = json.loads(os.read(file, 4096))
        return str(said["host"]), int(said["pid"])
    except (ValueError, KeyError, TypeError):
        return "", 0


def _say(file: int, text: bytes) -> None:
    os.ftruncate(file, 0)
    os.lseek(file, 0, os.SEEK_SET)
    os.write(file, text)
