"""Lock a destination, so that one run at a time works in it.

The lock is ``DST/.imgkit/lock``. The operating system locks the file for the process of the run and
unlocks it when that process ends in any way. The file also names the machine and the process, as
some disks that machines share do not carry locks from one machine to another.
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
    """Another run has locked the destination."""

    def __init__(self, dst: str, holder: str, hint: str) -> None:
        super().__init__(errno.EBUSY, f"{printable_path(dst)} is in use by {holder}: {hint}")


@contextlib.contextmanager
def locked(dst: str) -> Iterator[None]:
    """Lock a destination, which must exist, for this process.

    Raises:
        Busy: another run has locked it, or one of another machine has not unlocked it.
        OSError: the folder may not be written to.
    """
    os.makedirs(os.path.join(dst, OWN), exist_ok=True)
    path = os.path.join(dst, OWN, NAME)
    file = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    try:
        alone = _lock_file(file)
        host, pid = _read_holder(file)
        if not alone:
            raise Busy(dst, f"process {pid} on {host}", "wait until it ends, or end it")
        if host and host != socket.gethostname():
            hint = f"if it does not run any more, remove {printable_path(path)}"
            raise Busy(dst, f"process {pid} on {host}", hint)
        _write_holder(file, json.dumps({"host": socket.gethostname(), "pid": os.getpid()}).encode())
        try:
            yield
        finally:
            _write_holder(file, b"")
    finally:
        os.close(file)


def _lock_file(file: int) -> bool:
    """Lock an open file until it is closed; False if another process has locked it."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        try:
            os.lseek(file, 1 << 20, os.SEEK_SET)  # far behind the text, which stays readable
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:  # a disk without locks: the text of the file decides
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise
    return True


def _read_holder(file: int) -> tuple[str, int]:
    """Read the machine and process that locked the file last; an empty host if it was unlocked."""
    os.lseek(file, 0, os.SEEK_SET)
    try:
        holder = json.loads(os.read(file, 4096))
        return str(holder["host"]), int(holder["pid"])
    except (ValueError, KeyError, TypeError):
        return "", 0


def _write_holder(file: int, text: bytes) -> None:
    os.ftruncate(file, 0)
    os.lseek(file, 0, os.SEEK_SET)
    os.write(file, text)
