"""`imgkit report`: one page about a finished run."""

from __future__ import annotations

import json

import click

from imgkit.cli import options


@click.command(short_help="Make one page about a finished run: counts, failures, thumbnails.")
@click.argument("dst", type=click.Path(exists=True, file_okay=False))
@click.option(
    "-o", "--output", metavar="FILE.html", type=click.Path(dir_okay=False), help="The page."
)
@click.option(
    "--count",
    type=click.IntRange(0, 500),
    default=24,
    show_default=True,
    help="Outputs to show, taken evenly.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
def report(dst: str, output: str | None, count: int, as_json: bool) -> int:
    """Tell what the journal of DST says of its outputs, as a page, as JSON, or both.

    The page is one file and opens without a network: how many were written, which failed and
    why, and some outputs beside their inputs. 'imgkit verify' reads the outputs themselves.

    \b
    Examples:
      imgkit report out -o page.html
      imgkit report out --json
    """
    if output is None and not as_json:
        raise click.UsageError("give -o FILE.html, or --json")
    from imgkit.io.files import commit
    from imgkit.report import run_report as made

    with options.usage("DST"):
        done = made.gather(dst)
    if output is not None:
        page = made.page(dst, done, count).encode("utf-8", "backslashreplace")
        with options.usage("-o"):
            commit(output, page)
    if as_json:
        click.echo(json.dumps(done.summary()))
    return 0
