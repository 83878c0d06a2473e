"""Suggestions: the nearest name, other libraries' names, and no list of a hundred names."""

import pytest

import imgkit as ik
from imgkit.checks import suggest
from imgkit.registry import CONTROLS, FUNCTIONS, PUBLIC, SYNONYMS, TRANSFORMS

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
    from imgkit.folder.steps import parse_op

    own = {"".join(c for c in name.lower() if c.isalnum()) for name in PUBLIC}
    assert not own & set(SYNONYMS)
    for texts in SYNONYMS.values():
        for text in texts:
            name, _, arguments = text.partition(" ")
            assert name in PUBLIC
            if arguments:
                needed = " size=8" if "esize" in name else ""
                assert parse_op(text + needed).name == name
