"""`imgkit replay`: make one output again and compare its bytes."""

from __future__ import annotations

import os
import sys

import click

from imgkit.cli import options
from imgkit.cli.values import check_stream, usage


@click.command(short_help="Make one output again and compare its bytes.")
@click.argument("outfile", type=click.Path())
@click.option(
    "--src",
    type=click.Path(exists=True, file_okay=False),
    show_default="where they were",
    help="The folder that holds the inputs now.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE|-",
    type=click.Path(dir_okay=False, allow_dash=True),
    help="Write the rebuilt output; '-' is stdout.",
)
@options.import_option
def replay(outfile: str, src: str | None, output: str | None) -> int:
    """Make OUTFILE again from its input and the journal, and compare the bytes.

    The journal, in .imgkit/ of the folder that OUTFILE was written to, has the input, the
    pipeline, the seed and the key. Exit code 0: the bytes agree; 1: they differ.

    \b
    Examples:
      imgkit replay out/sub/cat_0003.jpg
      imgkit replay out/sub/cat_0003.jpg --src /mnt/photos -o again.jpg
    """
    from imgkit.folder.journal import find
    from imgkit.folder.replay import changed_versions, compare_hashes, rebuild
    from imgkit.folder.task import sha256
    from imgkit.io.files import commit, printable_path, resolve_target

    if output == "-":
        check_stream(sys.stdout, "stdout", "--output")
    with usage("OUTFILE"):
        _dst, run, entry = find(outfile)
    target = None
    if output not in (None, "-"):
        with usage("--output"):
            target = resolve_target(output, "--output", [os.path.join(src or run.src, entry.path)])
    with usage("--src" if src else "OUTFILE"):
        rebuilt = rebuild(run, entry, src)
    if output == "-":
        sys.stdout.buffer.write(rebuilt)
    elif target is not None:
        with usage("--output"):
            commit(target, rebuilt)
    found = _read_if_there(outfile)
    key = f"seed {entry.seed}, epoch {entry.epoch}, index {entry.index}"
    click.echo(
        f"{printable_path(entry.path)}, {key if entry.seed is not None else 'no draws'}", err=True
    )
    verdict = compare_hashes(
        sha256(rebuilt), entry.sha256, None if found is None else sha256(found)
    )
    click.echo(f"{printable_path(outfile)}: {verdict}", err=True)
    if sha256(rebuilt) != entry.sha256:
        click.echo(changed_versions(run.versions), err=True)
    return 0 if sha256(rebuilt) == (entry.sha256 if found is None else sha256(found)) else 1


def _read_if_there(outfile: str) -> bytes | None:
    """Return the bytes of a file; None if there is none, or something else, as a FIFO."""
    if not os.path.isfile(outfile):
        return None
    with open(outfile, "rb") as file:
        return file.read()
