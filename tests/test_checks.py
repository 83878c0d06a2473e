"""Checks of arguments: numbers, flags, sizes, and the messages that name them."""

import enum

import numpy as np
import pytest

import imgkit as ik
from imgkit.augment.exchange.document import parse_op
from imgkit.checks import (
    check_choice,
    check_flag,
    check_int,
    check_ints,
    check_number,
    check_real,
    check_size,
    printable,
    suggest,
)
from imgkit.registry import CONTROLS, FUNCTIONS, PUBLIC, SYNONYMS, TRANSFORMS


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: check_number("1", "a"), TypeError, "a is '1': it must be a number"),
        (lambda: check_number(1j, "a"), TypeError, "a is 1j: it must be a number"),
        (lambda: check_number(np.complex64(1), "a"), TypeError, "a is .*: it must be a number"),
        (lambda: check_number(True, "a"), TypeError, "a is True: it must be a number"),
        (lambda: check_number(np.nan, "a"), ValueError, "a is nan: it must be finite"),
        (lambda: check_number(-np.inf, "a", 0), ValueError, "a is -inf: it must be at least 0"),
        (lambda: check_number(1e39, "a"), ValueError, r"a is 1e\+39: float32 holds .* 3.4e\+38"),
        (lambda: check_number(10**400, "a"), ValueError, "float32 holds numbers up to"),
        (lambda: check_number(0, "a", 0, 1, above=True), ValueError, "greater than 0 and at most"),
        (
            lambda: check_number(np.zeros((9, 9)), "a"),
            TypeError,
            r"a is an array of shape \(9, 9\)",
        ),
        (lambda: check_int(1.0, "a"), TypeError, "a is 1.0: it must be an integer"),
        (
            lambda: check_int(0, "a", 1, 2),
            ValueError,
            "a is 0: it must be at least 1 and at most 2",
        ),
        (lambda: check_ints(None, "a", 1), TypeError, "a is None: it must be an integer$"),
        (lambda: check_ints("12", "a", 2), TypeError, "a is '12': it must be an integer or 2 of"),
        (lambda: check_ints([1], "a", 2), ValueError, r"a is \[1\]: it must be one integer or 2"),
        (lambda: check_ints([1, 2.5], "a", 2), TypeError, r"a\[1\] is 2.5: it must be an integer"),
        (lambda: check_size((5, 1 << 21)), ValueError, r"size\[1\] is 2097152: .* at most 1048576"),
        (lambda: check_real([[1], [1, 2]], "a"), ValueError, "its rows must be equally long"),
        (lambda: check_real([None], "a"), TypeError, r"a is \[None\]: it must hold real numbers"),
        (lambda: check_real([1j], "a"), TypeError, "its numbers must be real; use a.real"),
        (lambda: check_real([1, np.inf], "a"), ValueError, r"a has inf at \(1,\): every number"),
        (lambda: check_flag(1, "a"), TypeError, "a is 1: it must be True or False"),
    ],
)
def test_errors_name_the_argument_its_value_and_the_rule(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_arrays_count_as_the_lists_they_hold():
    assert check_ints(np.array([1, 2]), "a", 2) == (1, 2)
    assert check_ints(np.array(3), "a", 2) == (3, 3)
    assert check_ints(np.int16(3), "a", 2) == (3, 3)


def test_messages_stay_short():
    assert printable([1, 2, 3]) == "[1, 2, 3]"
    assert printable(np.zeros(2)) == "array([0., 0.])"
    assert printable(np.zeros((3, 3))) == "an array of shape (3, 3)"
    assert len(printable(list(range(1000)))) < 80


# --- suggestions ------------------------------------------------------------------------

OPERATIONS = (*FUNCTIONS, *TRANSFORMS, *CONTROLS)


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        ("thumbnail", "'resize'"),
        ("LongestMaxSize", "'Resize edge=longer'"),
        ("SmallestMaxSize", "'Resize edge=shorter'"),
        ("unsharp", "'sharpen'"),
        ("unsharp_mask", "'sharpen'"),
        ("UnsharpMask", "'Sharpen'"),
        ("gaussian", "'gaussian_blur'"),
        ("GaussianFilter", "'GaussianBlur'"),
        ("blur", "'gaussian_blur' or 'box_blur'"),
        ("RandomBrightnessContrast", "'ColorJitter'"),
        ("RandomHorizontalFlip", "'HorizontalFlip'"),
        ("hflip", "'flip axis=horizontal'"),
        ("fliplr", "'flip axis=horizontal'"),
        ("flipud", "'flip axis=vertical'"),
        ("CoarseDropout", "'Erase'"),
        ("Cutout", "'Erase'"),
        ("RandomErasing", "'Erase'"),
        ("RandomInvert", "'Invert'"),
        ("horizontal_flip", "'HorizontalFlip'"),
        ("max_pol", "'max_pool'"),
        ("Rotat", "'Rotate'"),
    ],
)
def test_other_libraries_names_are_answered_with_ours(word, advice):
    assert suggest(word, OPERATIONS, SYNONYMS) == f"did you mean {advice}?"


def test_of_many_names_none_is_listed():
    assert suggest("frobnicate", OPERATIONS, SYNONYMS) == "'imgkit ops' lists the operations"
    with pytest.raises(AttributeError, match=r"has no attribute 'imread': did you mean 'read'\?"):
        _ = ik.imread


def test_of_few_names_all_are_listed():
    assert suggest("frobnicate", ["b", "a"]) == "known: a, b"
    assert suggest("", ["b", "a"]) == "known: a, b"


def test_a_synonym_of_what_is_no_choice_here_is_not_suggested():
    assert suggest("thumbnail", TRANSFORMS, SYNONYMS) == "did you mean 'Resize'?"
    assert suggest("bilateral_filter", ["Sobel"], SYNONYMS) == "known: Sobel"


def test_synonyms_lead_to_valid_calls_and_hide_no_name_of_ours():
    own = {"".join(c for c in name.lower() if c.isalnum()) for name in OPERATIONS}
    assert not own & set(SYNONYMS)
    for texts in SYNONYMS.values():
        for text in texts:
            name, _, arguments = text.partition(" ")
            assert name in PUBLIC
            if arguments:
                needed = " size=8" if "esize" in name else ""
                assert parse_op(text + needed).name == name


class Word(str, enum.Enum):  # noqa: UP042  # what programs of other libraries define
    EDGE = "edge"


@pytest.mark.parametrize("word", [np.str_("edge"), Word.EDGE])
def test_a_word_of_a_subclass_is_returned_as_plain_text(word):
    found = check_choice(word, "border", ["edge", "wrap"])
    assert (type(found), found) == (str, "edge")


def test_symbols_of_compiled_code_count_as_their_numbers():
    torch = pytest.importorskip("torch")
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    count = ShapeEnv().create_unbacked_symint() * 0 + 3  # a symbol that knows its number
    half = count / 2
    assert isinstance(count, torch.SymInt)
    assert isinstance(half, torch.SymFloat)
    assert type(check_int(count, "a", 1, 3)) is int
    assert check_ints(count, "a", 2) == (3, 3)
    assert check_size((count, 4)) == (3, 4)
    assert check_number(count, "a") == 3.0
    assert check_number(half, "a") == 1.5
    with pytest.raises(ValueError, match="a is 3: it must be at most 2"):
        check_int(count, "a", high=2)
    with pytest.raises(TypeError, match=r"a is .*: it must be an integer"):
        check_int(half, "a")
