"""Pipelines are checked before any image is read: dtype, layout, and arguments that are wrong."""

import numpy as np
import pytest

import imgkit as ik
from imgkit.augment.exchange.document import parse_op
from imgkit.folder.precheck import check_layout, probe


def pipeline(*ops):
    return ik.Pipeline([parse_op(op) for op in ops], seed=1)


def test_ops_run_in_order():
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    result = pipeline("max_pool size=2", "min_pool size=4")(image, key=0)
    assert result.tolist() == [[9]]  # the least of the largest of each 2 x 2


def test_probe_tells_the_result_type_and_refuses_what_no_image_makes_right():
    assert probe(pipeline("max_pool size=2")) == np.uint8
    assert probe(pipeline("convolve kernel=sobel_x")) == np.float32
    with pytest.raises(ValueError, match=r"ops\[0\]: max_pool: size is -2"):
        probe(pipeline("max_pool size=-2"))
    large = ik.Pipeline([ik.Call(ik.convolve, kernel=np.ones((65, 65)), mode="valid")])
    assert probe(large) == np.float32  # too large for a small image: not wrong for every one


def test_channels_first_needs_a_format_that_has_them_so():
    check_layout(pipeline("ToCHW"), "npy")
    check_layout(pipeline("ToCHW p=0"), "png")
    with pytest.raises(ValueError, match=r"ToCHW puts the channels first; .* add --format npy"):
        check_layout(pipeline("Invert", "ToCHW"), "png")
