"""What lies beyond an image: one rule for every function that sees it."""

import numpy as np
import pytest

import imgkit as ik
from imgkit.border import (
    BORDERS,
    check_border_word,
    check_reach,
    check_value,
    check_values,
    source_index,
)

SEEN = {
    "constant": [-1, -1, -1, 0, 1, 2, 3, -1, -1, -1],
    "edge": [0, 0, 0, 0, 1, 2, 3, 3, 3, 3],
    "reflect": [3, 2, 1, 0, 1, 2, 3, 2, 1, 0],
    "symmetric": [2, 1, 0, 0, 1, 2, 3, 3, 2, 1],
    "wrap": [1, 2, 3, 0, 1, 2, 3, 0, 1, 2],
}


@pytest.mark.parametrize("border", BORDERS)
def test_each_border_shows_the_pixels_of_its_picture(border):
    assert source_index(np.arange(-3, 7), 4, border).tolist() == SEEN[border]


@pytest.mark.parametrize("border", sorted(set(BORDERS) - {"constant", "wrap"}))
def test_one_pixel_is_seen_everywhere(border):
    assert not source_index(np.arange(-5, 6), 1, border).any()


def test_the_value_of_integers_is_rounded_to_a_level_half_to_even():
    assert [check_value(v, np.uint8) for v in (0, 0.5, 1.5, 99.6, 255)] == [0, 0, 2, 100, 255]
    assert check_value(0.5, np.float32) == 0.5
    assert check_value(-3, np.float64) == -3  # floats are not held to 0..1


@pytest.mark.parametrize(
    "run",
    [
        lambda x, v: ik.gaussian_blur(x, 1, border="constant", value=v),
        lambda x, v: ik.sobel(x, border="constant", value=v),
        lambda x, v: ik.warp(x, [[1, 0, 1], [0, 1, 0]], value=v),
        lambda x, v: ik.pad(x, 1, value=v),
    ],
    ids=["blur", "edges", "warp", "pad"],
)
def test_families_share_the_rule(run):
    x = np.full((4, 5), 200, np.uint8)
    np.testing.assert_array_equal(run(x, 99.6), run(x, 100))
    with pytest.raises(ValueError, match="value is 256: a uint8 image holds 0 to 255"):
        run(x, 256)


def test_one_value_serves_all_channels_or_each_has_its_own():
    assert check_values(7, 3, np.uint8).tolist() == [7, 7, 7]
    assert check_values(np.array([1, 2]), 2, np.uint8).tolist() == [1, 2]
    assert check_values(np.array(0.25), 2, np.float32).tolist() == [0.25, 0.25]
    with pytest.raises(ValueError, match="give one number, or 3, one per channel"):
        check_values([1, 2], 3, np.uint8)


def test_a_window_may_reach_beyond_the_image_but_not_for_ever():
    check_reach(4096, "sigma", 1024)
    with pytest.raises(ValueError, match="sigma is 1025: its window reaches 4100 pixels"):
        check_reach(4100, "sigma", 1025)
    assert ik.gaussian_blur(np.full((3, 3), 9, np.uint8), 20).tolist() == [[9, 9, 9]] * 3


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        *[(word, "edge") for word in ("replicate", "nearest", "BORDER_REPLICATE", 1)],
        *[(word, "reflect") for word in ("mirror", "reflect101", "reflect_101", 4)],
        *[(word, "wrap") for word in ("circular", "grid-wrap")],
        *[(word, "constant") for word in ("zeros", "grid-constant", 0)],
        *[(word, "symmetric") for word in ("BORDER_REFLECT", 2)],
        ("edg", "edge"),
    ],
)
def test_other_libraries_words_are_answered_with_ours(word, ours):
    with pytest.raises(ValueError, match=f"border is {word!r}: did you mean '{ours}'"):
        check_border_word(word)


def test_functions_and_transforms_answer_them_alike():
    x = np.zeros((4, 4), np.uint8)
    for call in (
        lambda: ik.sobel(x, border="replicate"),
        lambda: ik.warp(x, np.eye(3), border="replicate"),
        lambda: ik.convolve(x, "box", border="replicate"),
        lambda: ik.pad(x, 1, border="replicate"),
        lambda: ik.Rotate(3, border="replicate"),
        lambda: ik.Pad(3, border="replicate"),
    ):
        with pytest.raises(ValueError, match="border is 'replicate': did you mean 'edge'"):
            call()
