"""Read the values of options and the files of SRC, and answer wrong ones with one line."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from imgkit.folder.scan import Found

BORDERS = ("constant", "edge", "reflect", "symmetric", "wrap")

# What the library and the file system raise for wrong arguments; a full disk is not among them.
REFUSALS = (ValueError, TypeError, EOFError, FileNotFoundError, FileExistsError, NotADirectoryError)


PLACE = re.compile(r"ops\[0\]: \w+: ")  # where an error of a command with one operation happened


class Refusal(click.BadParameter):
    """A wrong argument, answered with one line, exit code 2: the message itself has the advice."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message without the usage of the command."""
        click.echo(f"Error: {self.format_message()}", file=file or sys.stderr)


@contextmanager
def usage(hint: str | None = None, named: Collection[str] = ()) -> Iterator[None]:
    """Turn the library's errors about arguments into usage errors, exit code 2.

    Args:
        hint: the option to name in the error.
        named: arguments that have an option each; an error that begins with one names that.
    """
    try:
        yield
    except REFUSALS as error:
        text = PLACE.sub("", str(error)) if named else str(error)
        first = text.partition(" ")[0]
        hint = f"--{first}" if first in named else hint
        raise Refusal(text, param_hint=hint) from None


def check_stream(stream: Any, name: str, hint: str) -> None:
    """Raise if stdin or stdout, which '-' stands for, was closed by the caller."""
    if stream is None:
        raise click.BadParameter(f"{name} is closed: give a file in place of '-'", param_hint=hint)


class BorderOption(click.Choice[str]):
    """The type of `--border`; other libraries' words are answered with ours."""

    def __init__(self) -> None:
        super().__init__(BORDERS)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | None:
        """Return the border if it is a known one."""
        if value in BORDERS:
            return str(value)
        from imgkit.border import check_border_word

        with usage("--border"):
            value = check_border_word(value)
        return str(value)


def read_scale(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> str | tuple[float, float] | None:
    """Read ``auto`` or ``A:B``."""
    if value is None or value == "auto":
        return value
    try:
        low, high = (float(part) for part in value.split(":"))
        if low == high or not abs(low) + abs(high) < float("inf"):
            raise ValueError
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is neither auto nor two different numbers A:B", ctx, param
        ) from None
    return low, high


def read_numbers(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> int | tuple[int, ...] | None:
    """Read one integer, or several between commas."""
    if value is None:
        return None
    try:
        numbers = tuple(int(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither an integer nor H,W", ctx, param) from None
    return numbers[0] if len(numbers) == 1 else numbers


def read_size(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    """Read H,W or one number for both."""
    numbers = read_numbers(ctx, param, value)
    if numbers is None:
        return None
    size = (numbers, numbers) if isinstance(numbers, int) else numbers
    if len(size) != 2 or min(size) < 1:
        raise click.BadParameter(f"{value!r} is not a size: write H,W, as 480,640", ctx, param)
    return size[0], size[1]


def read_bytes(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """Read ``1500M`` or ``2G``."""
    if value is None:
        return None
    powers = {"K": 10, "M": 20, "G": 30}
    text = value.upper().removesuffix("B").removesuffix("I")
    try:
        number = float(text[:-1]) * 2 ** powers[text[-1:]]
        if not 2**24 <= number < 2**60:
            raise ValueError
    except (ValueError, KeyError):
        raise click.BadParameter(
            f"{value!r} is not a size of at least 16M, as 1500M or 2G", ctx, param
        ) from None
    return int(number)


def read_failures(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[float, bool] | None:
    """Read ``N`` or ``P%``."""
    if value is None:
        return None
    share = value.endswith("%")
    try:
        number = float(value[:-1]) if share else int(value)
        if not 0 <= number <= (100 if share else float("inf")):
            raise ValueError
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is neither a number of images nor a share like 5%", ctx, param
        ) from None
    return number, share


# --- the files of SRC -------------------------------------------------------------------


class NothingDone(click.ClickException):
    """SRC has nothing to work on; answered with one line."""

    exit_code = 1


def find(src: str, allow: tuple[str, ...] | None = None) -> Found:
    """Scan a folder, and print what is left out and what is not read.

    Args:
        src: the folder.
        allow: what --allow-format names; None if the command has no such option.
    """
    from imgkit.folder.scan import scan
    from imgkit.io.files import printable_path

    found = scan(src, allow or ())
    for path, reason in found.left_out:
        click.echo(f"left out: {printable_path(path)}: {reason}", err=True)
    if found.unread:
        click.echo(f"not read: {unread_text(found.unread, allow is not None)}", err=True)
    return found


def unread_text(unread: dict[str, int], has_option: bool) -> str:
    """Return the formats that are not read, with counts and with the option that allows one.

    >>> unread_text({"heic": 12, "psd": 3}, True)
    '12 heic, 3 psd (--allow-format psd reads it)'
    """
    from imgkit.io.header import ALLOWABLE

    return ", ".join(
        f"{count} {name}"
        + (f" (--allow-format {name} reads it)" if has_option and name in ALLOWABLE else "")
        for name, count in unread.items()
    )


def nothing_done(src: str, found: Found) -> NothingDone:
    """Return the error that says why a folder gives nothing to work on."""
    from imgkit.io.files import printable_path

    where = printable_path(src)
    if found.unread:
        count = sum(found.unread.values())
        return NothingDone(
            f"nothing done: {where} has no image that is read, and {count} of formats that are not"
        )
    return NothingDone(f"nothing done: {where} has no images")
