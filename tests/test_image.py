"""What an image is: one inspection, saturation, and images refused by name, value and rule."""

import sys
import types

import numpy as np
import pytest

import imgkit as ik
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
        (lambda: ik.sobel(None), TypeError, "x is None: pass a NumPy array$"),
        (lambda: ik.sobel([[1, 2]]), TypeError, r"x is a list: .* np.asarray\(x\) converts"),
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


def test_an_empty_list_is_an_empty_list():
    assert ik.sobel([]) == []


@pytest.mark.parametrize("kind", [np.matrix, np.ma.MaskedArray])
@pytest.mark.parametrize("name", ["image", "mask", "masks", "images"])
def test_a_pipeline_refuses_subclasses_of_arrays(name, kind):
    plain = np.zeros((6, 7), np.uint8)
    given = plain.view(kind)
    sample = {"image": plain, name: [given] if name.endswith("s") else given}
    if name == "images":
        del sample["image"]
    with pytest.raises(TypeError, match=f"^{name}.* is a numpy.* pass a NumPy array"):
        ik.Pipeline([ik.HorizontalFlip()], seed=1)(**sample, key=(0, 0))


@pytest.mark.parametrize("half_imported", [types.ModuleType("torch"), None])
def test_arrays_run_while_another_thread_imports_torch(monkeypatch, half_imported):
    monkeypatch.setitem(sys.modules, "torch", half_imported)
    x = np.zeros((8, 9, 3), np.uint8)
    assert ik.sobel(x).shape == x.shape
    assert ik.Pipeline([ik.HorizontalFlip()])(x, key=0).shape == x.shape
    assert ik.HorizontalFlip()(x, key=0).shape == x.shape
