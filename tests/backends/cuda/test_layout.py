"""The numbers of the fused kernel, and the work of its programs."""

import numpy as np
import pytest

import imgkit as ik

torch = pytest.importorskip("torch")
from imgkit.backends.cuda.layout import ALONE, PIXELS, layout, share  # noqa: E402

JITTER = ik.ColorJitter(0.4, 0.4, 0.4, 0.1)


def stages(*ops, size=(20, 24), count=4):
    return ik.Pipeline(list(ops), seed=1).plan(size, (0, range(count))).stages


def spec(*ops, size=(20, 24), count=4):
    sizes = np.tile(size, (count, 1))
    offsets = np.arange(count) * size[0] * size[1] * 3
    return layout(stages(*ops, size=size, count=count), sizes, offsets, sizes[:, 1] * 3)[0]


CROP = (ik.RandomResizedCrop(224), ik.HorizontalFlip(p=0.5), ik.Affine(10))


@pytest.mark.parametrize(
    "colors",
    [
        (),
        (ik.ColorJitter(0.4, 0, 0.4, 0.1),),
        (JITTER,),
        (ik.Contrast((0.5, 1.5)), ik.Hue(0.1)),
    ],
)
@pytest.mark.parametrize("count", [1, 16, 64, 200])
def test_a_batch_is_one_launch(colors, count):
    made = spec(*CROP, *colors, ik.Normalize("imagenet"), count=count)
    assert len(share(made, count).launches) == 1


def test_with_contrast_programs_fill_the_device_once():
    made = spec(*CROP, JITTER, count=8)
    assert made.means == 1
    assert [share(made, count, 132).programs for count in (64, 66, 67, 500)] == [2, 2, 1, 1]
    assert [share(made, count, 108).programs for count in (32, 64)] == [3, 1]
    assert share(made, 1, 132).programs == 98  # no more than there are tiles


def test_a_mean_has_its_own_launch_where_one_program_would_be_long_alone():
    large = spec(ik.Resize(512), JITTER, count=2)
    assert share(large, 2).launches == (0, PIXELS)
    assert share(large, 2).programs == share(large, 2).tiles
    assert share(large, 67).launches == (ALONE,)  # a program a sample repeats nothing
    assert share(spec(ik.Resize(256), JITTER), 1).launches == (ALONE,)
    assert share(spec(ik.Resize(257), JITTER), 1).launches == (0, PIXELS)
    twice = spec(ik.Resize(224), ik.Contrast((0.5, 1.5)), ik.Hue(0.1), ik.Contrast((0.5, 1.5)))
    assert share(twice, 1).launches == (0, 1, PIXELS)
    assert share(twice, 64).launches == (ALONE,)


def test_every_tile_of_a_batch_is_written_by_one_program():
    for count in (1, 7, 64, 150):
        work = share(spec(*CROP, JITTER), count)
        written = [
            tile
            for program in range(work.programs)
            for tile in range(program, work.tiles, work.programs)
        ]
        assert sorted(written) == list(range(work.tiles))
        assert work.block * (work.tiles - 1) < 224 * 224 <= work.block * work.tiles


def test_layout_counts_the_footprint_and_the_borders():
    plain = spec(ik.Rotate(15))
    assert (plain.interpolation, plain.static_taps, plain.spread, plain.borders) == (1, 2, 0, 0)
    assert spec(ik.HorizontalFlip()).static_taps == 1  # whole pixels need one read
    assert spec(ik.Resize(5)).static_taps == 0
    assert spec(ik.Scale(0.5)).spread == 3  # of a sigma of sqrt(1/2)
    assert spec(ik.Rotate(15, border="wrap")).borders == 4
    assert spec(ik.Pad(2), ik.Resize(9)).pads == 0
    assert spec(ik.Perspective(0.3)).projective
