"""`imgkit augment`: keyed variants of every image of a folder."""

from __future__ import annotations

import click

from imgkit.cli import options


@click.command(short_help="Write random variants of every image of a folder.")
@options.run_options
@options.draw_options
def augment(
    run_options: options.RunOptions,
    seeds: options.SeedOptions,
    pipeline: str | None,
    ops: tuple[str, ...],
) -> int:
    """Draw variants of every image of SRC, and write them to DST.

    A variant depends on the image, the pipeline, the seed, the epoch, the image's path below SRC
    and the number of the copy alone: more files, more copies or more workers do not change
    existing variants. 'imgkit preview' shows variants before they are written.

    \b
    Examples:
      imgkit augment photos out --pipeline samples/pipelines/augment.yaml --copies 4 --seed 7
      imgkit augment photos out --op 'Rotate degrees=-15,15' --op 'HorizontalFlip p=0.5'
      imgkit augment photo.jpg out/ --op 'RandomResizedCrop size=224' --copies 20 --format webp
    """
    found, hint = options.read_pipeline(pipeline, ops)
    from imgkit.augment.transforms.custom import Call
    from imgkit.cli.runner import execute

    if not found.is_random and all(isinstance(op, Call) for op in found):
        raise click.BadParameter(
            "no operation is a transform, so all variants would be the same: use imgkit run",
            param_hint=hint,
        )
    return execute(run_options, found, hint, options.choose_seed(found, seeds))
