"""What a network without a nonlinearity cannot do."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")


@pytest.mark.parametrize(("name", "least", "most"), [("no nonl", 0, 0.6), ("ReLU, 16", 0.95, 1)])
def test_only_the_nonlinear_network_parts_the_rings(sample, name, least, most):
    from sklearn.datasets import make_circles

    module = sample("circles")
    points, labels = make_circles(200, noise=0.05, factor=0.4, random_state=1)
    x, y = torch.as_tensor(points).float(), torch.as_tensor(labels).float()
    choice = next(value for key, value in module.NETWORKS.items() if key.startswith(name))
    model = module.network(*choice)
    module.train(model, x, y, 200)
    assert least <= ((model(x) > 0) == y).float().mean().item() <= most
