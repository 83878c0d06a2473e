"""The rates of the decays, and one step of each rule."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")


@pytest.mark.parametrize(
    ("decay", "middle", "last"),
    [("constant", 1, 1), ("step", 0.1, 0.01), ("exponential", 0.1, 0.01), ("cosine", 0.5, 0)],
)
def test_rate_half_way_and_at_the_end(sample, decay, middle, last):
    module = sample("optimizers")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule, rates = module.DECAYS[decay](optimizer, 60), []
    for _ in range(61):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates[0] == 1
    assert rates[30] == pytest.approx(middle)
    assert rates[59 if decay == "step" else 60] == pytest.approx(last, abs=1e-9)


@pytest.mark.parametrize(
    ("rule", "second"),
    # the second step on a constant slope of 1
    [("gradient descent", 0.05), ("momentum", 0.05 * 1.9), ("Adam", 1e-3)],
)
def test_second_step(sample, rule, second):
    w = torch.zeros(1, requires_grad=True)
    optimizer = sample("optimizers").RULES[rule]([w])
    places = []
    for _ in range(2):
        optimizer.zero_grad()
        w.sum().backward()
        optimizer.step()
        places.append(w.item())
    assert places[0] - places[1] == pytest.approx(second, rel=1e-4)
