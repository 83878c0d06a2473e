"""Sizes and receptive fields, checked by hand and against real convolutions."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import imgkit as ik

VGG16 = [
    *[("conv", 3, 1)] * 2,
    ("pool", 2, 2),
    *[("conv", 3, 1)] * 2,
    ("pool", 2, 2),
    *([("conv", 3, 1)] * 3 + [("pool", 2, 2)]) * 3,
]


def test_pool_over_convolution_sees_p_plus_k_minus_1():
    for pool in range(1, 6):
        for taps in range(1, 8):
            layers = [("conv", taps, 1), ("pool", pool, pool)]
            assert ik.receptive_field(layers) == pool + taps - 1


def test_vgg16_sees_212_pixels():
    # 1 + 4(1) + 1 + 4(2) + 2 + 6(4) + 4 + 6(8) + 8 + 6(16) + 16
    assert ik.receptive_field(VGG16) == 212


def test_resnet_stem_sees_11_pixels_and_quarters_the_image():
    assert ik.receptive_field([("conv", 7, 2), ("pool", 3, 2)]) == 11
    half = ik.conv_output_size(224, 7, stride=2, padding=3)
    assert (half, ik.conv_output_size(half, 3, stride=2, padding=1)) == (112, 56)


def test_dilation_widens_the_field():
    assert ik.receptive_field([("conv", 3, 1, 1), ("conv", 3, 1, 2), ("conv", 3, 1, 4)]) == 15
    assert ik.receptive_field([]) == 1


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 4), st.integers(1, 3))
@settings(deadline=None, max_examples=60)
def test_sizes_are_those_of_convolve(size, taps, stride, dilation):
    for mode in ("valid", "same", "full"):
        if mode == "valid":
            assume(dilation * (taps - 1) < size)
        out = ik.convolve(np.ones(size), np.ones(taps), mode, stride=stride, dilation=dilation)
        assert len(out) == ik.conv_output_size(
            size, taps, stride=stride, dilation=dilation, mode=mode
        )


def test_sequences_are_taken_axis_by_axis():
    assert ik.conv_output_size((10, 20), (3, 5), mode="valid") == (8, 16)
    assert ik.conv_output_size(10, (3, 5), padding=(1, 0)) == (10, 6)
    assert ik.conv_output_size(np.array([10, 20]), np.array(3)) == (8, 18)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ik.conv_output_size(3, 5), ValueError, "kernel is 5 .* must fit into 3"),
        (lambda: ik.conv_output_size(5, 3, padding=1, mode="same"), ValueError, "give one of"),
        (lambda: ik.conv_output_size(5, 3, mode="sam"), ValueError, "did you mean 'same'"),
        (lambda: ik.conv_output_size(5, 0), ValueError, "kernel is 0: it must be at least 1"),
        (lambda: ik.conv_output_size(5, 3, stride=0), ValueError, "stride is 0"),
        (lambda: ik.conv_output_size(5.0, 3), TypeError, "size is 5.0"),
        (lambda: ik.conv_output_size((5, 5), (3, 3, 3)), ValueError, "one integer or 2 of them"),
        (lambda: ik.conv_output_size(None, 3), TypeError, "size is None: it must be an integer$"),
        (lambda: ik.receptive_field(None), TypeError, "layers is None: it must be a list of"),
        (lambda: ik.receptive_field("conv"), TypeError, "layers is 'conv': it must be a list of"),
        (
            lambda: ik.receptive_field(("conv", 5, 1)),
            ValueError,
            r"layers\[0\] is 'conv': .* such as",
        ),
        (lambda: ik.receptive_field([("cnv", 3, 1)]), ValueError, "did you mean 'conv'"),
        (lambda: ik.receptive_field([("conv", 3)]), ValueError, r"layers\[0\] is \('conv', 3\)"),
        (lambda: ik.receptive_field([("pool", 0, 1)]), ValueError, r"layers\[0\] size is 0"),
    ],
)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
