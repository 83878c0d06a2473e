"""The `imgkit` command: a group that imports a command when it is called."""

from __future__ import annotations

import errno
import importlib
import io
import os
import signal
import sys
from typing import Any

import click

COMMANDS = (
    *("run", "augment", "conv", "edges", "pool", "preview", "explain", "replay"),
    *("verify", "report", "stats", "prep", "ops", "doctor"),
)
ENVIRONMENT = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO),
    errno.EBUSY,
)


SYNONYMS = {
    **dict.fromkeys(("convolve", "convolution", "filter"), ("conv",)),
    **dict.fromkeys(("apply", "process", "transform", "convert"), ("run",)),
    **dict.fromkeys(("edge", "edgedetect", "edgedetection"), ("edges",)),
    **dict.fromkeys(("pooling", "maxpool", "downsample"), ("pool",)),
    **dict.fromkeys(("show", "view", "sheet", "grid"), ("preview",)),
    **dict.fromkeys(("check", "validate"), ("verify",)),
    **dict.fromkeys(("statistics", "mean", "describe"), ("stats",)),
    **dict.fromkeys(("prepare", "dataset", "split"), ("prep",)),
    **dict.fromkeys(("list", "operations", "transforms", "functions"), ("ops",)),
    **dict.fromkeys(("info", "env", "version", "versions"), ("doctor",)),
    **dict.fromkeys(("rebuild", "reproduce"), ("replay",)),
    **dict.fromkeys(("plan", "dryrun"), ("explain",)),
    **dict.fromkeys(("augmentation", "augmentations"), ("augment",)),
}


class UnknownCommand(click.ClickException):
    """A command that does not exist, answered with one line."""

    exit_code = 2


def _advice(name: str) -> str:
    """Return what to write in place of an unknown command."""
    from imgkit.checks import suggest
    from imgkit.registry import CONTROLS, FUNCTIONS, TRANSFORMS

    if name not in SYNONYMS and name in (*FUNCTIONS, *TRANSFORMS, *CONTROLS):
        return f"it is an operation: imgkit run SRC DST --op '{name} ...'"
    return suggest(name, COMMANDS, SYNONYMS)


class LenientFile(io.FileIO):
    """A file whose writes never fail: messages that nobody can read must not end the work."""

    def write(self, data: Any) -> int:
        """Write, and drop what cannot be written."""
        size = memoryview(data).nbytes
        try:
            # None from a full pipe that does not block: a caller told of 0 bytes tries for ever
            return super().write(data) or size
        except OSError:  # the reader is gone, or the disk is full
            return size


def open_streams() -> None:
    """Give the process a stderr that can be written, and the numbers 0 to 2 an open file each.

    A caller may have closed them (``2>&-``). The next file that is opened, an output or a journal,
    would get such a number, and messages that a library writes to stderr would go into it.
    `sys.stdin` and `sys.stdout` stay None where they are closed, so that '-' can be refused.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # gets the lowest number
    if sys.stderr is sys.__stderr__:  # not one of a test or of a host program
        encoding = getattr(sys.stderr, "encoding", "utf-8")
        buffer = io.BufferedWriter(LenientFile(2, "w", closefd=False))
        sys.stderr = io.TextIOWrapper(buffer, encoding, "backslashreplace", line_buffering=True)


class Group(click.Group):
    """Commands by name, one module each, and all exit codes.

    0 all well, 1 some images failed, 2 usage, 3 too many failed, 4 environment, 130 and 143
    interrupted.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(importlib.import_module(f"imgkit.cli.{cmd_name}"), cmd_name)
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command; raise an error with the nearest for an unknown one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise UnknownCommand(f"no such command: {args[0]!r}; {_advice(args[0])}")
        return super().resolve_command(ctx, args)

    def main(self, args: Any = None, *, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run, and exit with the code of the outcome."""
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **extra)
        extra["prog_name"] = "imgkit"
        open_streams()
        # a shell starts background jobs with Ctrl-C ignored, and workers would inherit that
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            code = super().main(args, standalone_mode=False, **extra)
        except click.ClickException as error:
            error.show()
            sys.exit(error.exit_code)
        except click.Abort:
            click.echo("Interrupted.", err=True)
            sys.exit(130)
        except OSError as error:
            if error.errno not in ENVIRONMENT:
                raise
            where = "" if error.filename is None else f": {error.filename!a}"
            click.echo(f"Error: {error.strerror}{where}", err=True)
            sys.exit(4)
        except ImportError as error:
            if "libGL" not in str(error):
                raise
            click.echo("Error: OpenCV needs libGL.so.1: apt-get install libgl1", err=True)
            sys.exit(4)
        sys.exit(code if isinstance(code, int) else 0)


@click.command(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="'imgkit COMMAND --help' shows examples. Exit codes: 0 all well, 1 some images "
    "failed, 2 wrong usage, 3 too many failed, 4 disk full or no permission, 130 and 143 "
    "interrupted.",
)
@click.version_option(package_name="imgkit-cv", prog_name="imgkit")
def main() -> None:
    """Filters, edges, pooling and pipelines for a folder of images.

    \b
    Examples:
      imgkit run photos out --op 'resize size=480,640' --op 'sharpen'
      imgkit edges photos out --operator sobel --scale auto
      cat photo.jpg | imgkit pool - - --kind max --size 4 > small.jpg
    """
