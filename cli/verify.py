"""`imgkit verify`: compare a folder of outputs with its journal."""

from __future__ import annotations

import json

import click

from imgkit.cli import options
from imgkit.cli.values import usage

LISTED = 20  # paths of one kind on stderr; --json has them all
MEANINGS = {
    "changed": "the bytes differ from those written",
    "missing": "written, but not there any more",
    "extra": "not written by a run, or the last run of it failed",
    "earlier": "unchanged, but of an earlier run with other parameters",
}


@click.command(short_help="Check every output of a folder against its journal.")
@options.dst_folder_argument
@options.json_option
def verify(dst: str, as_json: bool) -> int:
    """Read every output in DST and compare its SHA-256 with the one in the journal.

    Exit code 0: every planned image has a result and every output is as it was written; 1: a run
    was stopped before its end, outputs are changed or missing, or there are files that no run
    wrote.

    \b
    Examples:
      imgkit verify out
      imgkit verify out --json
    """
    from imgkit.folder.verify import verify as check

    with usage("DST"):
        verdict = check(dst)
    summary = verdict.summary()
    if as_json:
        click.echo(json.dumps(summary))
    for name, meaning in MEANINGS.items():
        paths = summary[name]
        for path in paths[:LISTED]:
            click.echo(f"{name}: {path}", err=True)
        if paths:
            click.echo(f"{len(paths)} {name}: {meaning}", err=True)
    is_intact = "all as they were written" if verdict.is_intact else "not all is as it was written"
    click.echo(f"{verdict.outputs} outputs: {is_intact}; {verdict.failed} images failed", err=True)
    if verdict.unprocessed:
        click.echo("the run was stopped: the same command continues it", err=True)
    click.echo(verdict.outcome.text(), err=True)
    return 0 if verdict.is_complete else 1
