"""The choice among routes: which can run, which is taken, and that it says why."""

import numpy as np
import pytest

import imgkit as ik
from imgkit.backends.array.primitives import conv_routes as routes
from imgkit.ops.conv import METHODS

RNG = np.random.default_rng(3)


def problem(shape, taps, dtype="float32", **options):
    rank = taps.ndim
    p = routes.as_problem(shape, tuple(range(rank)), taps, (1,) * rank, (1,) * rank)
    return p._replace(dtype=dtype, **options)


@pytest.mark.parametrize(
    ("shape", "kernel", "route"),
    [
        ((128, 128), RNG.random((3, 3)), "direct"),
        ((512, 512), RNG.random((7, 7)), "direct"),
        ((128, 128), RNG.random((41, 41)), "fft"),
        ((3000, 3000), RNG.random((41, 41)), "overlap-add"),
        ((512, 512), np.ones((41, 41)), "separable"),
        ((512, 512), np.ones((17, 17)) + np.outer(np.arange(17), np.arange(17)), "low-rank"),
    ],
)
def test_auto_takes_the_route_that_fits(shape, kernel, route):
    found = ik.explain_convolve(shape, kernel)
    assert found.route == route
    assert found.costs[route] == min(found.costs.values())


def test_few_taps_far_apart_are_shifted_and_added():
    taps = np.zeros((61, 61))
    taps[[0, 30, 60, 3], [0, 60, 7, 44]] = 1
    assert ik.explain_convolve((256, 256), taps, stride=4).route == "shift-add"


def test_the_explanation_prints_every_route_cheapest_first():
    text = str(ik.explain_convolve((512, 512), "box"))
    lines = text.splitlines()
    assert "rank 1" in lines[0]
    assert {line.split()[0] for line in lines[1:]} == set(METHODS) - {"auto", "low-rank"}
    costs = [float(line.split()[1]) for line in lines[1:]]
    assert costs == sorted(costs)


def test_the_explanation_follows_arguments():
    x = np.ones((64, 64, 3))
    assert ik.explain_convolve(x, "box", method="fft").route == "fft"
    assert "method is 'fft'" in ik.explain_convolve(x, "box", method="fft").why
    one, three = (ik.explain_convolve((64, 64, c), "box").costs["direct"] for c in (1, 3))
    assert one < three
    with pytest.raises(TypeError, match="x is 'picture'"):
        ik.explain_convolve("picture", "box")


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_factors_find_the_rank(rank, dtype):
    taps = sum(np.outer(RNG.random(9), RNG.random(7)) for _ in range(rank))
    terms = routes.terms_of(problem((50, 50), taps, dtype))
    assert len(terms) == rank
    np.testing.assert_allclose(sum(np.outer(a, b) for a, b in terms), taps, atol=1e-14)


def test_a_kernel_rounded_to_float32_is_still_separable_in_float32_alone():
    taps = np.outer(RNG.random(13), RNG.random(13)).astype(np.float32).astype(np.float64)
    assert len(routes.terms_of(problem((50, 50), taps))) == 1
    assert len(routes.terms_of(problem((50, 50), taps, "float64"))) > 1


def test_factors_of_three_axes_multiply_back():
    taps = RNG.random((3, 4, 5))
    terms = routes.factors(taps, 1e-14)
    rebuilt = sum(np.einsum("i,j,k", *term) for term in terms)
    np.testing.assert_allclose(rebuilt, taps, atol=1e-13)
    cube = np.einsum("i,j,k", *(RNG.random(4) for _ in range(3)))
    assert len(routes.factors(cube, 1e-13)) == 1
    assert len(routes.factors(np.zeros((3, 3)), 1e-13)) == 1


@pytest.mark.parametrize("size", [(1, 300), (25, 1), (13, 13), (40, 7), (2, 12, 12), (200,)])
@pytest.mark.parametrize(("dtype", "least"), [("float32", 130), ("float64", 50)])
def test_blocks_cover_every_tap_once_and_stay_below_the_dft(size, dtype, least):
    taps = RNG.random(size) + 1
    seen = np.zeros(size)
    for block in routes.blocks(taps, dtype):
        seen[block] += 1
        assert taps[block].size < least
    assert (seen == 1).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("dilation", [1, 2, 9, 40])
@pytest.mark.parametrize("size", [(1, 30), (25, 1), (5, 8), (2, 4, 3), (20,)])
def test_blocks_of_a_dilated_kernel_are_counted_without_it(size, dilation, dtype):
    taps = RNG.random(size) * (RNG.random(size) > 0.7)
    spread = routes.dilated(taps, (dilation,) * taps.ndim)
    p = problem((50,) * taps.ndim, taps, dtype)._replace(dilation=(dilation,) * taps.ndim)
    assert routes.count_blocks(p) == max(1, sum(1 for _ in routes.blocks(spread, dtype)))


@pytest.mark.parametrize("mode", ["valid", "same", "full"])
@pytest.mark.parametrize("n", [1, 2, 7, 30])
@pytest.mark.parametrize("k", [1, 2, 5, 12])
def test_windows_are_where_the_modes_say(mode, n, k):
    if mode == "valid" and k > n:
        return
    w = routes.window(problem((n,), np.ones(k), mode=mode))
    assert w.outputs == ({"valid": n - k + 1, "same": n, "full": n + k - 1}[mode],)
    assert w.seen == (w.before[0] + n + w.after[0],)


def test_the_border_is_opencvs_only_where_it_is_the_same():
    own = [
        border
        for border in ("constant", "edge", "reflect", "symmetric", "wrap")
        if routes.native(problem((9, 9), np.ones((3, 3)), border=border))
    ]
    assert own == ["constant", "edge", "reflect", "symmetric"]
    assert not routes.native(problem((9, 9), np.ones((3, 3)), value=1.0))
    assert not routes.native(problem((9, 9), np.ones((3, 3)), mode="full"))


def test_the_rank_of_a_huge_kernel_is_not_looked_for():
    found = ik.explain_convolve((400, 400), np.ones((400, 400)))
    assert "rank" not in found.why
    assert "separable" not in found.costs
    asked = ik.explain_convolve((400, 400), np.ones((400, 400)), method="separable")
    assert "separable" in asked.costs


@pytest.mark.parametrize("shape", [(5, 7), (0, 5, 7, 3)])
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (40, 40)])
def test_no_route_is_free_for_a_kernel_of_zeros(shape, size):
    found = ik.explain_convolve(shape, np.zeros(size), "full")
    assert min(found.costs.values()) > 0
    assert not ik.convolve(np.ones(shape), np.zeros(size), "full").any()
