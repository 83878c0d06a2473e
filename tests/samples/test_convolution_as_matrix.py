"""Regularization helps where there is noise, and lost pixels come back."""

import numpy as np


def smooth_image():
    y, x = np.mgrid[:32, :32]
    return 128 + 60 * np.sin(x / 5) + 50 * np.cos(y / 7)


def test_the_matrix_of_three_taps(sample, tmp_path, capsys):
    sample("convolution_as_matrix").toeplitz(tmp_path / "toeplitz.png")
    assert "matrix @ [1 0 2 0 1] = [1 2 5 4 7 2 3]" in capsys.readouterr().out


def test_inpainting_keeps_what_is_known_and_fills_a_plane(sample):
    y, x = np.mgrid[:12, :14]
    known = np.random.default_rng(0).random((12, 14)) < 0.5
    plane = 3.0 * x + 5 * y
    filled = sample("convolution_as_matrix").inpaint(plane * known, known, 1e-6)
    np.testing.assert_allclose(filled[known], plane[known], atol=0.01)
    assert np.abs(filled - plane).max() < 8  # the border bends a plane


def test_regularisation_beats_none_on_a_noisy_blur(sample, capsys):
    module = sample("convolution_as_matrix")
    module.deblur(smooth_image(), 60)
    lines = [line for line in capsys.readouterr().out.splitlines() if "r = " in line]
    quality = {tuple(line.split("|")[0].split()): float(line.split()[-2]) for line in lines}
    exact, none, some = (
        quality[key]
        for key in (
            ("no", "noise", "r", "=", "0"),
            ("noise", "1", "r", "=", "0"),
            ("noise", "1", "r", "=", "0.01"),
        )
    )
    assert exact > some > none
