"""What is shown of an image: its pixels as they are, its labels in place, its numbers."""

import numpy as np
import pytest

import imgkit as ik
from imgkit.folder.steps import Step, program
from imgkit.report import contact_sheet as sheet
from imgkit.report import pictures
from imgkit.report.contact_sheet import contact_sheet, page
from imgkit.report.pictures import Picture, Row, drawn, visible


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
    made = pictures.draw_variant(program([Step("ToCHW", {})]), image, (0, 0), "1", {})
    assert np.array_equal(made.image, image)
    assert made.note == "30 × 24"


def test_text_is_escaped():
    picture = Picture(np.zeros((4, 4), np.uint8), "<b>&.png", labels={"boxes": [[0, 0, 2, 2]],
                      "labels": ["<i>"]})  # fmt: skip
    text = page([Row(picture, (picture,))], "<title>", {"<k>": "<v>"}, "<notes>")
    for raw in ("<b>&.png", "<i>", "<title><", "<k>", "<v>", "<notes>"):
        assert raw not in text
    assert "&lt;i&gt;" in text


def test_small_images_are_shown_with_square_pixels():
    small, large = (Picture(np.zeros((side, side), np.uint8), "x") for side in (32, 200))
    assert 'class="frame coarse"' in page([Row(small, ())], "t", {})
    assert 'class="frame coarse"' not in page([Row(large, ())], "t", {})
    picture = Picture(np.array([[0, 255]], np.uint8).repeat(2, 0), "x")
    made = contact_sheet([Row(picture, ())], "t", {})
    cell = made[92:332, 28:268]
    assert (cell[:, :120] == 0).all()
    assert (cell[:, 120:] == 255).all()


def test_boxes_of_the_sheet_lie_on_the_scaled_pixels():
    image = np.zeros((480, 480), np.uint8)
    picture = Picture(image, "x", labels={"boxes": [[100, 200, 300, 400]]})
    made = contact_sheet([Row(picture, ())], "t", {})[92:332, 28:268].astype(int)
    colored = np.argwhere(np.ptp(made, axis=-1) > 0)
    assert colored.min(axis=0).tolist() == [100, 50]
    assert colored.max(axis=0).tolist() == [199, 149]


def test_captions_that_are_too_long_are_cut():
    picture = Picture(np.zeros((9, 9), np.uint8), "x" * 400, ops=(("Rotate", ()),) * 40)
    made = contact_sheet([Row(picture, (picture,))], "t", {})
    paper = np.array(sheet.PAPER)
    assert (made[332:, 269:290] == paper).all()  # nothing runs from a cell into the next


def test_a_sheet_of_nothing_has_a_headline():
    assert contact_sheet([], "t", {}).min() < 100


def test_equal_names_have_equal_colors():
    assert sheet.color_of("cat", 0) == sheet.color_of("cat", 5)
    assert sheet.color_of("", 0) != sheet.color_of("", 1)
