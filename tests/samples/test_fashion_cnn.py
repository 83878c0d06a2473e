"""The network of the notes: three strides of 2, dropout 0.2, dense 512."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
nn = torch.nn


def test_layers(sample):
    fashion_cnn = sample("fashion_cnn")
    model = fashion_cnn.network()
    convolutions = [m for m in model if isinstance(m, nn.Conv2d)]
    assert [(m.out_channels, m.stride) for m in convolutions] == [
        (32, (2, 2)),
        (64, (2, 2)),
        (128, (2, 2)),
    ]
    assert [m.p for m in model if isinstance(m, nn.Dropout)] == [0.2, 0.2]
    assert [m.out_features for m in model if isinstance(m, nn.Linear)] == [512, 10]
    assert fashion_cnn.parameters(model) == 320 + 18_496 + 73_856 + 1_049_088 + 5_130


def test_sizes_agree_with_the_network(sample):
    fashion_cnn = sample("fashion_cnn")
    x, edges = torch.zeros(1, 1, 28, 28), []
    for layer in fashion_cnn.network():
        x = layer(x)
        if isinstance(layer, nn.Conv2d):
            edges.append(x.shape[-1])
    assert edges == [14, 7, 4]
    assert [f"{n}x{n}, each" in fashion_cnn.sizes() for n in edges] == [True] * 3
