"""What an image is, and the checks of arguments that every function shares (image, checks)."""

import numpy as np
import pytest

import imgkit as ik
from imgkit.checks import (
    check_flag,
    check_int,
    check_ints,
    check_number,
    check_real,
    check_size,
    printable,
)
from imgkit.image import inspect_image, saturate


@pytest.mark.parametrize(
    ("shape", "size", "channels", "batch"),
    [
        ((4, 5), (4, 5), 1, (1, 4, 5, 1)),
        ((4, 5, 3), (4, 5), 3, (1, 4, 5, 3)),
        ((2, 4, 5, 3), (4, 5), 3, (2, 4, 5, 3)),
        ((0, 4, 5, 3), (4, 5), 3, (0, 4, 5, 3)),
    ],
)
def test_one_inspection_says_all_of_an_image(shape, size, channels, batch):
    image = inspect_image(np.zeros(shape, np.uint8))
    assert (image.is_tensor, image.size, image.channels) == (False, size, channels)
    assert image.batch.shape == batch
    assert image.batch.base is not None or image.batch is image.array
    assert image.restore(image.batch).shape == shape


def test_a_gray_image_whose_result_has_channels_keeps_them():
    image = inspect_image(np.zeros((4, 5), np.uint8))
    assert image.restore(np.zeros((1, 4, 5, 7), np.uint8)).shape == (4, 5, 7)


def test_one_inspection_says_all_of_a_tensor():
    torch = pytest.importorskip("torch")
    for shape, channels, batch in (((4, 5), 1, (1, 1, 4, 5)), ((3, 4, 5), 3, (1, 3, 4, 5))):
        image = inspect_image(torch.zeros(shape))
        assert (image.is_tensor, image.size, image.channels) == (True, (4, 5), channels)
        assert image.batch.shape == batch
        assert image.restore(image.batch).shape == shape
    assert inspect_image(torch.zeros(4, 5)).restore(torch.zeros(1, 7, 4, 5)).shape == (7, 4, 5)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_integers_saturate_half_to_even_and_nan_is_0(dtype):
    top = np.iinfo(dtype).max
    values = np.array([0.5, 1.5, 2.5, -3, 1e9, np.inf, -np.inf, np.nan])
    assert saturate(values, dtype).tolist() == [0, 2, 2, 0, top, top, 0, 0]


def test_a_nan_is_no_warning_but_0_where_integers_are_asked_for():
    x = np.ones((5, 5), np.float32)
    x[2, 2] = np.nan
    assert ik.convolve(x, "box", dtype="uint8").tolist()[2] == [1, 0, 0, 0, 1]
    assert np.isnan(ik.convolve(x, "box", method="direct")[2]).tolist() == [0, 1, 1, 1, 0]


@pytest.mark.parametrize(
    "run",
    [
        lambda x: ik.convolve(x, np.full((3, 3), 1e10), method="direct"),
        lambda x: ik.convolve(x, np.full((3, 3), 1e10), method="shift-add"),
        lambda x: ik.convolve(x, np.full((3, 3), 1e10), method="fft"),
        lambda x: ik.conv2d(x, np.full((1, 1, 3, 3), 1e10))[..., 0],
    ],
    ids=["direct", "shift-add", "fft", "conv2d"],
)
def test_what_floats_cannot_hold_is_infinite_without_a_warning(run):
    assert not np.isfinite(run(np.full((8, 8), 1e30, np.float32))[3, 3])


def test_far_beyond_the_range_saturates():
    x = np.array([[1e-3, 1e30, -1e30]], np.float32)
    assert ik.adjust_brightness(x, 3e38).tolist() == [[1, 1, 0]]
    assert ik.adjust_gamma(x, 3e38).tolist() == [[0, 1, 0]]


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
        (lambda: ik.sobel(None), TypeError, "x is None: pass a NumPy array$"),
        (lambda: ik.sobel([[1, 2]]), TypeError, r"x is a list: .* np.asarray\(x\) makes one"),
        (
            lambda: ik.sobel("cat.jpg"),
            TypeError,
            r"x is a str: pass .* np.asarray\(PIL.Image.open\(x\)\) reads",
        ),
        (lambda: ik.sobel([np.eye(3), None]), TypeError, r"x\[1\] is None: pass a NumPy array"),
        (lambda: ik.sobel([np.eye(3) > 0]), TypeError, r"x\[0\] has dtype bool"),
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


def test_an_empty_list_is_an_empty_list():
    assert ik.sobel([]) == []
