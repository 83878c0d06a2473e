"""Sums of kernels, the coins that are counted, and what a change does to edges."""

import numpy as np
import pytest


def test_operators_print_the_kernels_and_their_sum(sample, tmp_path, capsys):
    image = np.random.default_rng(0).integers(0, 256, (40, 40)).astype(np.uint8)
    sample("edges").operators(image, tmp_path / "operators.png")
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["1", "-4", "1", "1", "-8", "1", "2", "-12", "2"] in rows


def test_edges_count_the_coins(sample, tmp_path, capsys):
    sample("edges").remove_background(tmp_path / "background.png")
    assert "24 coins: 24 objects by edges" in capsys.readouterr().out


def test_direction_turns_with_the_image(sample):
    main_direction = sample("edges").main_direction
    stripes = np.tile(np.uint8([0, 0, 0, 200, 200, 200]), (180, 30))
    assert main_direction(stripes) == pytest.approx(1.5)  # the first bin of 3 degrees
    assert main_direction(stripes.T.copy()) == pytest.approx(91.5)


def test_brightness_leaves_edges_and_a_cover_touches_few(sample, tmp_path, capsys):
    module = sample("edges")
    brick = module.ik.resize(module.photograph("brick")[..., 0], 256)
    module.changes(brick, tmp_path / "changes.png")
    printed = capsys.readouterr().out
    rows = {line[:21].strip(): line[21:].split() for line in printed.splitlines()}
    assert rows["brightness + 40"][:2] == ["1.00", "1.000"]
    assert rows["brightness x 0.5"][:2] == ["0.50", "1.000"]
    assert float(rows["brightness + 120"][0]) < 0.8  # the bright joints are clipped
    assert float(rows["turned by 30 degrees"][1]) < 0.1
    assert float(rows["turned by 30 degrees"][2]) > 0.9
    assert "in 52 rows and 52 columns" in printed
