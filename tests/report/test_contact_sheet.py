"""The contact sheet and the page: pictures in place, text escaped, captions cut."""

import numpy as np

from imgkit.report import contact_sheet as sheet
from imgkit.report.contact_sheet import contact_sheet, sheet_page
from imgkit.report.pictures import Picture, Row


def test_text_is_escaped():
    picture = Picture(np.zeros((4, 4), np.uint8), "<b>&.png", labels={"boxes": [[0, 0, 2, 2]],
                      "labels": ["<i>"]})  # fmt: skip
    text = sheet_page([Row(picture, (picture,))], "<title>", {"<k>": "<v>"}, "<notes>")
    for raw in ("<b>&.png", "<i>", "<title><", "<k>", "<v>", "<notes>"):
        assert raw not in text
    assert "&lt;i&gt;" in text


def test_small_images_are_shown_with_square_pixels():
    small, large = (Picture(np.zeros((side, side), np.uint8), "x") for side in (32, 200))
    assert 'class="frame coarse"' in sheet_page([Row(small, ())], "t", {})
    assert 'class="frame coarse"' not in sheet_page([Row(large, ())], "t", {})
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
