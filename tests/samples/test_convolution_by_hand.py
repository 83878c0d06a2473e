"""The numbers of the course notes' example, and of the comparison with a dense layer."""

import numpy as np


def test_the_4x4_example_begins_with_12_and_20(sample):
    correlated, convolved = sample("convolution_by_hand").example()
    assert correlated.tolist() == [[12, 20, 32], [0, 21, 40], [50, 40, 70]]
    assert convolved.tolist() == [[21, 40, 61], [0, 12, 20], [70, 20, 50]]


def test_the_loops_stride(sample):
    slide = sample("convolution_by_hand").slide
    ones = np.ones((7, 7))
    assert slide(ones, np.ones((3, 3)), 2).tolist() == [[9.0] * 3] * 3


def test_sizes_and_parameters_are_printed(sample, capsys):
    module = sample("convolution_by_hand")
    module.size_tables()
    image = np.zeros((40, 40, 3), np.uint8)
    module.color(image)
    printed = capsys.readouterr().out
    assert " 224  7    218   224   230" in printed
    assert "32x32x3 -> 28x28x64" in printed
    assert "4,800 weights" in printed
    assert "154,140,672 weights" in printed  # 32 * 32 * 3 * 28 * 28 * 64
