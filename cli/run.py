"""`imgkit run`: a pipeline over a folder."""

from __future__ import annotations

import click

from imgkit.cli import options


@click.command(short_help="Run operations, in order, on every image of a folder.")
@options.run_options
@options.draw_options
def run(
    run_options: options.RunOptions,
    seeds: options.SeedOptions,
    pipeline: str | None,
    ops: tuple[str, ...],
) -> int:
    """Run operations, in order, on every image of SRC, and write the results to DST.

    SRC and DST are folders, files, or '-' for one image by pipe. Relative paths are kept;
    outputs that exist are replaced. 'imgkit ops' lists the operations; random ones draw by the
    seed, the epoch and the image's path alone.

    \b
    Examples:
      imgkit run photos out --pipeline samples/pipelines/poster.yaml
      imgkit run photos out --op 'resize size=480,640' --op 'sharpen' --format webp
      imgkit run photos out --op 'Rotate degrees=-15,15' --op 'sobel' --scale auto --seed 7
      imgkit run scan.tif - --op 'max_pool size=2' --format png > small.png
      imgkit run photos thumbs --op 'Resize size=256 edge=shorter' --fast-decode
    """
    found, hint = options.read_pipeline(pipeline, ops)
    from imgkit.cli.runner import execute

    return execute(run_options, found, hint, options.choose_seed(found, seeds))
