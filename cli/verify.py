"""`imgkit verify`: hold a folder of outputs against its journal."""

from __future__ import annotations

import json

import click

from imgkit.cli import options

SHOWN = 20  # paths of one kind on stderr; --json has them all
MEANING = {
    "changed": "not the bytes that were written",
    "missing": "written, and gone",
    "extra": "not written by a run, or by one before its last, which failed",
    "earlier": "whole, but made by an earlier run with other parameters",
}


@click.command(short_help="Check every output of a folder against its journal.")
@click.argument("dst", type=click.Path(exists=True, file_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def verify(dst: str, as_json: bool) -> int:
    """Read every output in DST and compare its SHA-256 with the one in the journal.

    Exit code 0: every output is as it was written; 1: some are changed or missing, or there are
    files that no run wrote.

    \b
    Examples:
      imgkit verify out
      imgkit verify out --json
    """
    from imgkit.folder.verify import verify as check

    with options.usage("DST"):
        verdict = check(dst)
    summary = verdict.summary()
    if as_json:
        click.echo(json.dumps(summary))
    for name, meaning in MEANING.items():
        paths = summary[name]
        for path in paths[:SHOWN]:
            click.echo(f"{name}: {path}", err=True)
        if paths:
            click.echo(f"{len(paths)} {name}: {meaning}", err=True)
    holds = "all as they were written" if verdict.holds else "not all is as it was written"
    click.echo(f"{verdict.outputs} outputs: {holds}; {verdict.failed} images failed", err=True)
    return 0 if verdict.holds else 1
