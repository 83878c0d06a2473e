"""`imgkit run`: a pipeline over a folder."""

from __future__ import annotations

import click

from imgkit.cli import options


@click.command(short_help="Run operations, in order, on every image of a folder.")
@options.folder
@click.option(
    "--pipeline",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="A YAML file: version: 1 and a list of ops.",
)
@click.option(
    "--op", "ops", metavar="'NAME name=value ...'", multiple=True, help="One operation; repeatable."
)
def run(request: options.Request, pipeline: str | None, ops: tuple[str, ...]) -> int:
    """Run operations, in order, on every image of SRC, and write the results to DST.

    SRC and DST are folders, files, or '-' for one image by pipe. Relative paths are kept;
    outputs that exist are replaced. 'imgkit ops' lists the operations.

    \b
    Examples:
      imgkit run photos out --pipeline samples/pipelines/poster.yaml
      imgkit run photos out --op 'resize size=480,640' --op 'sharpen' --format webp
      imgkit run scan.tif - --op 'max_pool size=2' > small.png
    """
    if (pipeline is None) == (not ops):
        raise click.UsageError("give either --pipeline FILE or at least one --op")
    from imgkit.cli.execute import execute
    from imgkit.folder import steps

    if pipeline is None:
        with options.usage("--op"):
            chain = tuple(steps.parse_op(op) for op in ops)
        return execute(request, chain, "--op")
    with options.usage("--pipeline"), open(pipeline, encoding="utf-8") as file:
        chain = steps.read_pipeline(file.read()).steps
    return execute(request, chain, "--pipeline")
