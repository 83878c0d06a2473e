"""`imgkit report`: one page about a finished run."""

from __future__ import annotations

import json

import click

from imgkit.cli import options
from imgkit.cli.values import usage


@click.command(short_help="Make one page about a finished run: counts, failures, thumbnails.")
@options.dst_folder_argument
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
@options.json_option
def report(dst: str, output: str | None, count: int, as_json: bool) -> int:
    """Summarize the journal of DST as a page, as JSON, or both.

    The page is one .html file and opens without a network: the number of outputs, the failures
    with their reasons, what is missing of a run that was stopped, and some outputs beside their
    inputs. 'imgkit verify' reads the outputs.

    \b
    Examples:
      imgkit report out -o page.html
      imgkit report out --json
    """
    if output is None and not as_json:
        raise click.UsageError("give -o FILE.html, or --json")
    if output is not None and not output.lower().endswith((".html", ".htm")):
        raise click.BadParameter(
            f"{output!r} ends in neither .html nor .htm: --json prints the figures", param_hint="-o"
        )
    from imgkit.io.files import commit, resolve_target
    from imgkit.report import run_report

    with usage("DST"):
        done = run_report.gather(dst)
    if output is not None:
        with usage("-o"):
            target = resolve_target(output, "-o")
        page = run_report.report_page(dst, done, count).encode("utf-8", "backslashreplace")
        with usage("-o"):
            commit(target, page)
    if as_json:
        click.echo(json.dumps(done.summary()))
    click.echo(done.outcome.text(), err=True)
    return 0
