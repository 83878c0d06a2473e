"""Pictures of an image: its pixels, its labels in place, its drawn numbers."""

import numpy as np
import pytest

import imgkit as ik
from imgkit.report import pictures
from imgkit.report.pictures import drawn, visible


@pytest.mark.parametrize(
    ("image", "expected", "note"),
    [
        (np.array([[3, 200]], np.uint8), [[3, 200]], ""),
        (np.array([[0, 257, 65535]], np.uint16), [[0, 1, 255]], ""),
        (np.array([[True, False]]), [[255, 0]], ""),
        (np.array([[0.0, 0.2, 1.0]], np.float32), [[0, 51, 255]], ""),
        (np.array([[-2.0, 0.0, 2.0]], np.float32), [[0, 128, 255]], ", -2 to 2"),
        (np.full((1, 2), 7.0), [[0, 0]], ", 7 to 7"),
        (np.array([[[9, 1, 1, 1]]], np.uint8)[..., :2], [[9]], ""),
        (np.array([[[9, 8, 7, 1]]], np.uint8), [[[9, 8, 7]]], ""),
        (np.array([[[9]]], np.uint8), [[9]], ""),
    ],
)
def test_visible(image, expected, note):
    printable, said = visible(image)
    assert printable.dtype == np.uint8
    assert printable.tolist() == expected
    assert said == note


def test_drawn_numbers_are_those_of_the_plan():
    ops = [ik.Rotate(-12.3456), ik.HorizontalFlip(p=0), ik.VerticalFlip(), ik.GaussianNoise(0.1),
           ik.GridDistortion(5)]  # fmt: skip
    plan = ik.Pipeline(ops, seed=1).plan((20, 30), (0, 1))
    assert drawn(plan.ops) == [
        ("Rotate", (("degrees", "\N{MINUS SIGN}12.3"),)),
        ("HorizontalFlip", None),
        ("VerticalFlip", ()),
        ("GaussianNoise", (("std", "0.1"),)),
        ("GridDistortion", (("moves", "6 × 6 × 2 numbers"),)),
    ]


def test_a_variant_shows_channels_first_output_upright():
    image = np.arange(24 * 30 * 3, dtype=np.uint8).reshape(24, 30, 3)
    made = pictures.draw_variant(ik.Pipeline([ik.ToCHW()]), image, (0, 0), "1", {})
    assert np.array_equal(made.image, image)
    assert made.note == "30 × 24"
