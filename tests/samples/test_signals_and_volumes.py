"""The products by hand, and the derivatives of squares."""


def test_products_by_hand(sample, capsys):
    sample("signals_and_volumes").products()
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    results = [line[3:] for line in printed if line[:3] == ["g", "*", "h:"]]
    assert results == [["5", "18", "31", "24"], ["5", "3", "-8"], ["5", "-2", "-11", "8"]]


def test_derivatives_of_squares(sample, capsys):
    sample("signals_and_volumes").derivatives()
    printed = capsys.readouterr().out
    assert "squares under [1, -1]: [ 1  3  5  7  9 11 13]" in printed
    assert "squares under [1, -2, 1]: [2 2 2 2 2 2]" in printed
    assert "[ 1 -2  1]" in printed


def test_smoothing_over_depth_too_is_better(sample, capsys):
    sample("signals_and_volumes").voxels(24)
    shares = [
        float(line.split("%")[0].split()[-1])
        for line in capsys.readouterr().out.splitlines()
        if "wrong side" in line
    ]
    noisy, slices, cube = shares
    assert cube < slices < noisy
